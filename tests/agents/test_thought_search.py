"""Searches over thoughts: the environment's own arithmetic, exhaustive truth, and no solution that is none."""

import itertools
import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import chisquare

from aixi.agents.planning.reward_model import (
    FEATURES,
    HIDDEN,
    RewardModel,
    blank,
    describe_all,
    judge_all,
    reward_model,
)
from aixi.agents.planning.thought_search import NOT_SOLVED, PLAYS, PUCT, SAMPLES, UCT, Searches, search
from aixi.agents.planning.thoughts import (
    MOST_CHILDREN,
    MOST_NUMBERS,
    MOST_PENDING,
    children,
    draw_problems,
    hits,
    pack,
    play,
    solvable,
    thoughts,
    unpack,
)
from aixi.environments.reasoning import countdown
from aixi.errors import InvalidValueError
from aixi.predictors.intrinsics import generator_state

METHODS = (PLAYS, SAMPLES, UCT, PUCT)
Numbers = tuple[int, ...]


@pytest.fixture(params=[31, 1023])
def greatest(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """A bound on results, the environment's own or one that it is given."""
    monkeypatch.setattr(countdown, "GREATEST", request.param)
    return int(request.param)


def drawn(rng: np.random.Generator, count: int) -> Numbers:
    """Numbers as the environment has them; few different ones, so that equal ones meet."""
    return tuple(sorted((int(number) for number in rng.integers(1, rng.choice([6, 32]), count)), reverse=True))


def following(numbers: Numbers) -> list[Numbers]:
    """What allowed actions make of numbers, by the environment."""
    return [tuple(filter(None, child)) for child in countdown.children(list(numbers)) if child]


@cache
def endings(numbers: Numbers, bound: int) -> dict[int, float]:
    """Probability of each last number of a random play; `bound` is the environment's, for the cache."""
    if len(numbers) == 1:
        return {numbers[0]: 1.0}
    chances: dict[int, float] = defaultdict(float)
    possible = following(numbers)
    for child in possible:
        for last, chance in endings(child, bound).items():
            chances[last] += chance / len(possible)
    return dict(chances)


def generator(seed: int = 0) -> NDArray[np.uint64]:
    return generator_state(np.random.SeedSequence(seed))


def random_judge(seed: int = 0) -> RewardModel:
    """A judge of random weights, whose opinions differ widely."""
    rng = np.random.default_rng(seed)
    shapes = {
        "first": (FEATURES, HIDDEN[0]),
        "first_bias": (HIDDEN[0],),
        "second": HIDDEN,
        "second_bias": (HIDDEN[1],),
        "last": (HIDDEN[1],),
        "last_bias": (1,),
    }
    return reward_model({name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()})


def problems(pairs: Sequence[tuple[Numbers, int]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return np.array([pack(list(numbers)) for numbers, _ in pairs]), np.array([target for _, target in pairs])


SMALL = problems([((9, 7, 2, 1), 21), ((5, 3, 3), 12)])


def check_claims(found: Searches, pairs: Sequence[tuple[Numbers, int]], budget: int) -> None:
    """What is claimed to be solved is, step by step, by the environment; the rest has no path."""
    for (numbers, target), used, run, path in zip(pairs, *found, strict=True):
        steps = [tuple(unpack(state)) for state in path if state]
        assert run <= budget
        if used == NOT_SOLVED:
            assert steps == []
            continue
        assert used == run
        assert steps[0] == numbers
        assert steps[-1] == (target,)
        assert all(after in following(before) for before, after in itertools.pairwise(steps))


def test_children_are_the_environments(greatest: int) -> None:
    rng, made = np.random.default_rng(1), np.zeros(MOST_CHILDREN, np.int64)
    for count in list(range(2, MOST_NUMBERS + 1)) * 60:
        numbers = drawn(rng, count)
        written = children(pack(list(numbers)), greatest, made)
        expected = countdown.children(list(numbers))
        assert [unpack(state) for state in made[:written]] == [[each for each in child if each] for child in expected]
        different = thoughts(pack(list(numbers)), greatest, made)
        assert [tuple(unpack(state)) for state in made[:different]] == list(dict.fromkeys(following(numbers)))


def test_random_plays_end_as_often_as_those_of_the_environment(greatest: int) -> None:
    rng, path = generator(2), np.zeros(MOST_NUMBERS, np.int64)
    for numbers in ((6, 3, 2), (5, 5, 4, 1), (31, 30, 2, 2)):
        chances = endings(numbers, greatest)
        counts = dict.fromkeys(chances, 0)
        for _ in range(20_000):
            last = play(pack(list(numbers)), greatest, rng, path, 0)
            counts[int(last)] += 1
            assert path[len(numbers) - 2] == last
        assert chisquare(list(counts.values()), [20_000 * chance for chance in chances.values()]).pvalue > 1e-4


def test_truth_is_that_of_trying_everything(greatest: int) -> None:
    rng, pending, path = np.random.default_rng(3), np.zeros(MOST_PENDING, np.int64), np.zeros(MOST_NUMBERS, np.int64)
    for count in (2, 3, 4) * 4:
        numbers = drawn(rng, count)
        reached = endings(numbers, greatest)
        some = rng.integers(1, greatest + 1, 40).tolist() + list(reached)[:40]
        for target in some:
            possible = target in reached
            assert solvable(pack(list(numbers)), target, greatest, pending) == possible
            if not possible:
                assert hits(pack(list(numbers)), target, greatest, 20, generator(), path) == 0


def test_problems_are_drawn_as_the_environment_draws_them(greatest: int) -> None:
    states, targets = np.zeros(3000, np.int64), np.zeros(3000, np.int64)
    draw_problems(states, targets, 3, 10, greatest, 1, greatest, generator(4), np.zeros(MOST_NUMBERS, np.int64))
    env = countdown.Countdown(numbers=3, largest=10)
    theirs = [env.reset(seed=seed)[0] for seed in range(3000)]
    for ours, other in (
        (targets, np.array([int(target) for target, _ in theirs])),
        (states % 1024, np.array([numbers[0] for _, numbers in theirs])),
    ):
        assert abs(ours.mean() - other.mean()) < 4 * np.hypot(ours.std(), other.std()) / 3000**0.5
    for state, target in zip(states, targets, strict=True):
        assert int(target) in endings(tuple(unpack(state)), greatest)
    draw_problems(states, targets, 3, 10, greatest, 7, 9, generator(4), np.zeros(MOST_NUMBERS, np.int64))
    assert set(targets.tolist()) == {7, 8, 9}


def test_the_judge_is_the_perceptron_that_its_weights_say(greatest: int) -> None:
    rng, model = np.random.default_rng(5), random_judge()
    states = np.array([pack(list(drawn(rng, count))) for count in (2, 3, 4, 5) * 50])
    targets = rng.integers(1, greatest + 1, 200)
    features, odds = np.zeros((200, FEATURES), np.float32), np.zeros(200, np.float32)
    describe_all(model, states, targets, greatest, features)
    judge_all(model, states, targets, greatest, odds)
    hidden = np.maximum(features.astype(np.float64) @ model.first + model.first_bias, 0)
    upper = np.maximum(hidden @ model.second + model.second_bias, 0)
    np.testing.assert_allclose(odds, upper @ model.last + model.last_bias[0], rtol=1e-3, atol=1e-2)
    assert np.isfinite(features).all()
    assert len(np.unique(features, axis=0)) > 190


@pytest.mark.parametrize("method", METHODS)
def test_nothing_is_claimed_that_is_not_solved(method: int, greatest: int) -> None:
    rng = np.random.default_rng(6)
    pairs = [(drawn(rng, count), int(rng.integers(1, 32))) for count in (2, 3, 4, 5, 6) * 16]
    for model in (random_judge(), blank()):
        found = search(*problems(pairs), method, 64, model, generator(7), greatest=greatest, shaping=1.0)
        check_claims(found, pairs, 64)
    assert 10 < (found.used != NOT_SOLVED).sum() < 80


@pytest.mark.parametrize("method", [UCT, PUCT])
def test_tree_searches_find_every_solution_and_end_where_all_is_refuted(method: int, greatest: int) -> None:
    numbers = (7, 5, 4, 2)
    reached = endings(numbers, greatest)
    pairs = [(numbers, target) for target in range(1, 32)]
    found = search(*problems(pairs), method, 20_000, random_judge(), generator(8), greatest=greatest)
    check_claims(found, pairs, 20_000)
    assert [used != NOT_SOLVED for used in found.used] == [target in reached for _, target in pairs]
    refuted = found.simulations[found.used == NOT_SOLVED]
    # Every complete line is checked once, so that all searches which find nothing take as long.
    assert refuted.size == 0 or refuted.max() < 20_000
    if method == PUCT:
        assert np.unique(refuted).size <= 1


@pytest.mark.parametrize("method", METHODS)
def test_a_budget_of_one_checks_one_answer(method: int) -> None:
    sure, pairs = ((2, 1), 1), [((9, 8, 7), 24), ((2, 1), 31)]
    found = search(*problems(pairs), method, 1, blank(), generator(9))
    assert found.simulations.tolist() == [1, 1]
    assert found.used[1] == NOT_SOLVED
    # Of two ones, four results of which two are allowed differ: 2 by sum, 1 by product or quotient.
    found = search(*problems([((1, 1), 2)] * 4000), method, 1, blank(), generator(10))
    chance = 1 / 3 if method == PLAYS else 1 / 2  # plays draw actions, the others different thoughts
    assert abs((found.used == 1).mean() - chance) < 4 * (chance * (1 - chance) / 4000) ** 0.5
    assert search(*problems([sure]), method, 64, blank(), generator(11)).used[0] >= 1


@pytest.mark.parametrize("method", METHODS)
def test_a_greater_budget_goes_on_where_a_smaller_one_ended(method: int) -> None:
    rng = np.random.default_rng(12)
    for _ in range(20):
        one = problems([(drawn(rng, 5), int(rng.integers(1, 32)))])
        used = [int(search(*one, method, budget, random_judge(), generator(13)).used[0]) for budget in (4, 16, 64)]
        assert used == [used[-1] if 0 < used[-1] <= budget else NOT_SOLVED for budget in (4, 16, 64)]


def test_a_judge_that_knows_leads_to_the_solution() -> None:
    """The closeness of pairs alone, as a judge, tells which states of two numbers are solved by one more thought."""
    weights = {name: np.zeros_like(getattr(blank(), name)) for name in RewardModel._fields[:6]}
    weights["first"][5, 0] = weights["second"][0, 0] = 1.0
    weights["last"][0], weights["last_bias"][0] = 20.0, -10.0
    rng = np.random.default_rng(14)
    numbers = [drawn(rng, 3) for _ in range(200)]
    pairs = [(each, int(rng.choice(list(endings(each, 31))))) for each in numbers]
    states, targets = problems(pairs)
    led = search(states, targets, PUCT, 4, reward_model(weights), generator(15), greatest=31, exploration=0.1)
    blind = search(states, targets, PUCT, 4, blank(), generator(15), greatest=31, exploration=0.1)
    assert (led.used != NOT_SOLVED).mean() > 0.9
    assert (blind.used != NOT_SOLVED).mean() < 0.7


def test_the_same_without_the_compiler() -> None:
    script = (
        "import json, numpy as np\n"
        "from aixi.agents.planning.reward_model import blank\n"
        "from aixi.agents.planning.thought_search import search\n"
        f"states, targets = np.array({SMALL[0].tolist()}), np.array({SMALL[1].tolist()})\n"
        "found = [search(states, targets, method, 40, blank(), np.array([7], np.uint64), greatest=31)\n"
        "         for method in range(4)]\n"
        "print(json.dumps([[array.tolist() for array in each] for each in found]))\n"
    )
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1"}
    run = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    compiled = [search(*SMALL, method, 40, blank(), np.array([7], np.uint64), greatest=31) for method in METHODS]
    assert json.loads(run.stdout) == [[array.tolist() for array in each] for each in compiled]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"budget": 0}, "budget must be at least 1"),
        ({"method": 4}, "method must be"),
        ({"greatest": 1024}, "greatest must be in"),
        ({"temperature": 0.0}, "temperature must be"),
        ({"exploration": float("nan")}, "exploration must be"),
        ({"shaping": -1.0}, "shaping must be"),
        ({"targets": np.array([1, 2])}, "each state needs a target"),
        ({"targets": np.array([32])}, "targets must be in"),
        ({"states": np.array([5])}, "at least two numbers"),
    ],
)
def test_what_cannot_be_searched_is_refused(options: dict[str, object], message: str) -> None:
    given = {"states": np.array([pack([5, 4])]), "targets": np.array([9]), "method": UCT, "budget": 4, "greatest": 31}
    with pytest.raises(InvalidValueError, match=message):
        search(**(given | {"model": blank(), "rng": generator()} | options))  # type: ignore[arg-type]  # wrong on purpose


def test_numbers_and_weights_that_make_no_state_and_no_judge_are_refused() -> None:
    for numbers in ([], [0], [1024], [-1, 5], [1] * 7):
        with pytest.raises(InvalidValueError, match="numbers"):
            pack(numbers)
    model = random_judge()
    weights = {name: getattr(model, name) for name in RewardModel._fields[:6]}
    for name, wrong in (("first", weights["first"][1:]), ("last", weights["last"] * np.nan), ("second", None)):
        with pytest.raises(InvalidValueError, match=name):
            reward_model({key: value for key, value in (weights | {name: wrong}).items() if value is not None})
