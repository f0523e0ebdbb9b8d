"""AIQI: its predictions of returns against exact fractions, its symbols, and that it learns."""

import importlib
import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from aixi.agents.aiqi import AIQI, ReturnSymbols
from aixi.agents.base import RewardRange
from aixi.agents.registry import make_agent
from aixi.environments import ENVIRONMENTS, make
from aixi.errors import InvalidValueError


@pytest.fixture(scope="module")
def references() -> Any:
    """Context tree weighting in fractions."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parents[1] / "predictors"))
        yield importlib.import_module("references")


def born(agent: AIQI, actions: int = 2, observations: int = 2, rewards: tuple[float, ...] = (0, 1)) -> AIQI:
    spaces_of = spaces.Discrete(observations), spaces.Discrete(actions)
    agent.reset(*spaces_of, RewardRange.finite(*rewards), np.random.SeedSequence(0), cycles=1000)
    agent.begin(0, {})
    return agent


@pytest.mark.parametrize(("depth", "bins"), [(3, 2), (3, 4), (14, 4)])  # 14 bits make compressed trees
def test_returns_have_the_probabilities_of_exact_trees(references: Any, depth: int, bins: int) -> None:
    horizon, cycles = 2, 14
    agent = born(AIQI(depth=depth, horizon=horizon, bins=bins))
    rng = np.random.default_rng(depth + bins)
    history, contexts, rewards = [0, 0], [], []  # the first percept: observation 0, reward 0
    for _ in range(cycles):
        action, observation, reward = (int(number) for number in rng.integers(0, 2, 3))
        history.append(action)
        contexts.append(history[::-1])
        agent.observe(action, observation, float(reward), False, False)
        history += [observation, reward]
        rewards.append(reward)

    symbols, values, seen = ReturnSymbols(bins), [], []
    data: list[list[Any]] = [[] for _ in range(bins - 1)]
    for cycle in range(cycles - horizon + 1):
        symbol = symbols.of(float(sum(rewards[cycle : cycle + horizon])))
        values.append(symbols.used)
        seen.append((contexts[cycle], symbol))
        for tree, bit in decisions(symbol, symbols.used, bins):
            data[tree].append((padded(contexts[cycle], depth + tree), bit))
    probability = Fraction(1)
    for tree, what in enumerate(data):
        probability *= references.weighted(what, depth + tree, references.kt)
    assert agent.diagnostics()["return_bits"] == pytest.approx(-math.log2(probability), rel=1e-9)

    expected = agent.expected_returns()
    for action in (0, 1):
        context, total = [action, *history[::-1]], Fraction(0)
        for symbol in range(symbols.used):
            chance = Fraction(1)
            for tree, bit in decisions(symbol, symbols.used, bins):
                more = [*data[tree], (padded(context, depth + tree), bit)]
                chance *= references.weighted(more, depth + tree, references.kt) / references.weighted(
                    data[tree], depth + tree, references.kt
                )
            total += chance * Fraction(symbols.values[symbol])
        assert expected[action] == pytest.approx(float(total), rel=1e-9)


def decisions(symbol: int, used: int, bins: int) -> list[tuple[int, int]]:
    """Tree and bit of each binary decision that leads to a symbol, where both halves hold symbols in use."""
    low, size, node, made = 0, bins, 1, []
    while size > 1:
        size //= 2
        bit = int(symbol >= low + size)
        if low + size < used:
            made.append((node - 1, bit))
        low, node = low + size * bit, 2 * node + bit
    return made


def padded(context: list[int], depth: int) -> tuple[int, ...]:
    return tuple([*context, *[0] * depth][:depth])


def test_returns_that_are_few_are_told_apart() -> None:
    symbols = ReturnSymbols(4)
    assert [symbols.of(value) for value in (0.3, 1.0, 0.1 + 0.2, -1.0, 1.0)] == [0, 1, 0, 2, 1]
    assert symbols.used == 3


def test_returns_that_are_many_go_to_the_nearest() -> None:
    symbols = ReturnSymbols(2)
    assert [symbols.of(value) for value in (0.0, 10.0, 6.0, 2.0, 11.0)] == [0, 1, 1, 0, 1]
    assert symbols.values.tolist() == [1.0, 9.0]
    assert symbols.counts.tolist() == [2, 3]


def test_returns_are_learnt_a_horizon_late() -> None:
    agent = born(AIQI(depth=4, horizon=3, bins=8))
    known = []
    for cycle in range(6):
        agent.observe(cycle % 2, 0, 1.0, False, False)
        known.append(agent.diagnostics()["returns"])
    assert known == [0, 0, 1, 2, 3, 4]
    assert agent.expected_returns().tolist() == [3.0, 3.0]  # the only return that there was


def test_it_learns_what_pays_later() -> None:
    """Action 1 costs now and pays two cycles later; a horizon of 1 does not see that, one of 3 does."""
    rewards: dict[int, float] = {}
    for horizon in (1, 3):
        agent = born(AIQI(depth=6, horizon=horizon, bins=16, exploration=0.3), rewards=(-1, 0, 3, 2))
        taken, total = [0, 0], 0.0
        for cycle in range(1500):
            action = agent.act()
            taken.append(action)
            reward = 3.0 * taken[-3] - 1.0 * taken[-1]
            agent.observe(action, taken[-3], reward, False, False)
            total += reward * (cycle >= 1000)
        rewards[horizon] = total / 500
    assert rewards[1] < 0.5 < 1.7 < rewards[3] <= 2.0


def test_it_learns_a_bandit() -> None:
    row = ENVIRONMENTS["aixi/Bandit-v0"]
    env, agent = make(row.name), AIQI(depth=4, horizon=1)
    rewards = RewardRange.finite(*row.rewards)
    agent.reset(env.observation_space, env.action_space, rewards, np.random.SeedSequence(1), cycles=1500)
    agent.begin(env.reset(seed=1)[0], {})
    actions = []
    for _ in range(1500):
        actions.append(int(agent.act()))
        observation, reward, *_ = env.step(actions[-1])
        agent.observe(actions[-1], observation, float(reward), False, False)
    best = int(agent.expected_returns().argmax())
    assert actions[-500:].count(best) > 450


def test_schedule_of_exploration() -> None:
    agent = born(AIQI(exploration=0.2))
    for _ in range(500):
        agent.observe(agent.act(), 0, 0.0, False, False)
    assert agent.exploration_rate == pytest.approx(0.06)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"depth": 0}, "depth must be at least 1, got 0"),
        ({"depth": 890}, "must be at most 900, got 920"),
        ({"horizon": 0}, "horizon must be at least 1, got 0"),
        ({"bins": 1}, "bins must be at least 2, got 1"),
        ({"bins": 24}, "bins must be a power of two and at most 1024, got 24"),
        ({"bins": 4096}, "bins must be a power of two and at most 1024, got 4096"),
        ({"exploration": 2.0}, r"exploration must be within \[0, 1\], got 2.0"),
    ],
)
def test_bad_options_are_refused_at_once(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        make_agent("aiqi", **options)
