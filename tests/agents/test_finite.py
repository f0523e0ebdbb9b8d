"""Models of known environments: an exact filter, futures of the right distribution, and what is refused."""

import importlib
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from planner_references import random_world, words_of, world
from scipy.stats import chisquare

from aixi.agents.base import RewardRange
from aixi.agents.models.finite import FinitePOMDP
from aixi.agents.percepts import PerceptCodec
from aixi.environments import ENVIRONMENTS, make
from aixi.errors import InvalidValueError
from aixi.predictors.model import condition, mark, rewind, sample

KNOWN = [
    row.name
    for row in ENVIRONMENTS
    if row.name not in ("aixi/Pacman-v0", "aixi/TicTacToe-v0")
    and row.entry_point.startswith("aixi.")
    and not row.episodic
]
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def true_model() -> Any:
    """The function that reads a model off an environment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "benchmarks"))
        yield importlib.import_module("true_models").true_model


@pytest.mark.parametrize("name", KNOWN)
def test_real_lives_are_as_likely_as_the_model_says(true_model: Any, name: str) -> None:
    row, env = ENVIRONMENTS[name], make(name)
    codec = PerceptCodec(env.observation_space, RewardRange.finite(*row.rewards))
    first = min(row.rewards, key=abs)
    model = true_model(make(name).unwrapped, codec, first)
    model.update(codec.encode(env.reset(seed=1)[0], first))
    rng = np.random.default_rng(2)
    # At each step the code length, less its mean under the model's own belief, is a martingale difference.
    surprise, variance = 0.0, 0.0
    for _ in range(1500):
        action = int(rng.integers(model.actions))
        mean, square = moments(model, action)
        model.condition(action)
        observation, reward, *_ = env.step(np.int64(action))
        surprise += model.update(codec.encode(observation, float(reward))) - mean
        variance += square - mean**2
        assert model.belief.sum() == pytest.approx(1.0)
    assert abs(surprise) <= 4 * variance**0.5 + 1e-9


def moments(model: FinitePOMDP, action: int) -> tuple[float, float]:
    """Mean and mean square of the next percept's code length, in bits."""
    own = model.compiled
    masses: dict[bytes, float] = defaultdict(float)
    for state in np.flatnonzero(model.belief):
        row = state * model.actions + action
        for outcome in range(own.rows[row], own.rows[row + 1]):
            masses[own.percepts[outcome].tobytes()] += model.belief[state] * own.probabilities[outcome]
    each = np.array(list(masses.values()))
    return float(-each @ np.log2(each)), float(each @ np.log2(each) ** 2)


@pytest.mark.parametrize("seed", range(4))
def test_imagined_and_real_futures_have_one_distribution(seed: int) -> None:
    steps, belief, _ = random_world(seed)
    model = world(steps, 4, belief)
    actions = (seed % 2, 1, 0)
    drawn: dict[tuple[int, ...], int] = defaultdict(int)
    rng, words, start = np.array([seed], np.uint64), np.zeros(1, np.uint64), mark(model.compiled)
    for _ in range(4000):
        future = []
        for action in actions:
            condition(model.compiled, action)
            sample(model.compiled, rng, words)
            future.append(int(words[0]))
        drawn[tuple(future)] += 1
        rewind(model.compiled, start)
    expected = {}
    for future in np.ndindex(2, 2, 2):
        percepts = [
            observed + 2 * action + 4 * layer
            for layer, (observed, action) in enumerate(zip(future, actions, strict=True))
        ]
        real, bits = model.copy(), 0.0
        for action, percept in zip(actions, percepts, strict=True):
            real.condition(action)
            bits += real.update(words_of(percept, 4))
        expected[tuple(percepts)] = 4000 * 2.0**-bits
    assert sum(expected.values()) == pytest.approx(4000)
    assert drawn.keys() <= expected.keys()
    common = [future for future, count in expected.items() if count > 5]
    rest = [4000 - sum(counts[future] for future in common) for counts in (drawn, expected)]
    observed = [drawn[future] for future in common] + ([rest[0]] if rest[1] > 5 else [])
    wanted = [expected[future] for future in common] + ([rest[1]] if rest[1] > 5 else [])
    assert chisquare(observed, np.array(wanted) * sum(observed) / sum(wanted)).pvalue > 1e-4


def test_rewind_goes_back_to_any_mark() -> None:
    steps, belief, _ = random_world(3)
    model = world(steps, 4, belief)
    rng, words = np.array([1], np.uint64), np.zeros(1, np.uint64)
    before = []
    for action in (0, 1, 1, 0):
        before.append((mark(model.compiled), model.state_dict()))
        condition(model.compiled, action)
        before.append((mark(model.compiled), model.state_dict()))
        sample(model.compiled, rng, words)
    for token, state in reversed(before):
        rewind(model.compiled, token)
        np.testing.assert_equal(model.state_dict(), state)


def test_real_percepts_end_imagination() -> None:
    # The first bit is luck and then stays for ever; imagination that went on from its old state would differ.
    steps = [[[(0.5, 1, 1), (0.5, 2, 0)]], [[(1.0, 1, 1)]], [[(1.0, 2, 0)]]]
    model = world(steps, 1)
    rng, words = np.array([5], np.uint64), np.zeros(1, np.uint64)
    for _ in range(20):
        twin = model.copy()
        condition(twin.compiled, 0)
        sample(twin.compiled, rng, words)
        real = 1 - int(words[0])
        twin.condition(0)
        assert twin.update(words_of(real, 1)) == 1.0
        twin.condition(0)
        sample(twin.compiled, rng, words)
        assert int(words[0]) == real


def test_copies_share_nothing_and_states_go_on() -> None:
    steps, belief, _ = random_world(4)
    model = world(steps, 4, belief)
    twin, before = model.copy(), model.state_dict()
    assert not any(np.shares_memory(*arrays) for arrays in zip(model.compiled, twin.compiled, strict=True))
    model.condition(1)
    model.update(words_of(2, 4))
    np.testing.assert_equal(twin.state_dict(), before)
    twin.load_state_dict(model.state_dict())
    np.testing.assert_array_equal(twin.belief, model.belief)


def test_first_percept_places_the_life() -> None:
    stay = [[[(1.0, state, [state])]] for state in (0, 1)]
    model = FinitePOMDP(1, stay, [(0.25, 0, [0]), (0.75, 1, [1])])
    assert model.belief.tolist() == [0.0, 0.0]
    assert model.update(words_of(0, 1)) == 2.0
    assert model.belief.tolist() == [1.0, 0.0]


def test_impossible_percepts_are_refused_and_change_nothing() -> None:
    steps, belief, _ = random_world(5)
    model = world(steps, 4, belief)
    with pytest.raises(InvalidValueError, match="must follow an action, got none"):
        model.update(words_of(0, 4))
    model.condition(0)
    before = model.state_dict()
    with pytest.raises(InvalidValueError, match=r"possible after the history, got \['0x2'\]; the model is not of this"):
        model.update(words_of(2, 4))
    np.testing.assert_equal(model.state_dict(), before)
    model.update(words_of(0, 4))
    with pytest.raises(InvalidValueError, match="action must be at least 0 and less than 2, got 2"):
        model.condition(2)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ([(0.5, 0, [0])], "probabilities must sum to 1, got 0.5 in state 0, action 0"),
        ([], "probabilities must sum to 1, got 0.0 in state 0, action 0"),
        ([(1.5, 0, [0]), (-0.5, 0, [1])], "probabilities must be at least 0, got -0.5 in state 0, action 0"),
        ([(1.0, 1, [0])], r"next states must be in \[0, 1\), got 1 in state 0, action 0"),
        ([(1.0, 0, [4])], r"percepts must be 2 bits in 1 words, got \(4,\) in state 0, action 0"),
        ([(1.0, 0, [0, 0])], r"percepts must be 2 bits in 1 words, got \(0, 0\)"),
    ],
)
def test_bad_tables_are_refused(row: Any, message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        FinitePOMDP(2, [[row]], [(1.0, 0, [0])])
    with pytest.raises(InvalidValueError, match=message.replace("state 0, action 0", "start")):
        FinitePOMDP(2, [[[(1.0, 0, [0])]]], row)


def test_ragged_tables_are_refused() -> None:
    stay = [(1.0, 0, [0])]
    with pytest.raises(InvalidValueError, match="every state must have outcomes of 2 actions, state 1 has 1"):
        FinitePOMDP(1, [[stay, stay], [stay]], stay)


def test_example_of_a_model_of_ones_own() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "examples"))
        example = importlib.import_module("own_model")
    result = example.search()
    assert result.action == example.LEFT
    # To the left the third of four cycles can be paid, to the right none.
    assert 0.2 < result.values[example.LEFT] <= 0.25
    assert result.values[example.RIGHT] == 0.0
