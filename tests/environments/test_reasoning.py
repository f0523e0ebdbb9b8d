"""Countdown: what actions make of numbers, that each target can be reached, anchors in fractions, bad arguments."""

import importlib
from fractions import Fraction
from itertools import product
from operator import add, mul, sub, truediv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aixi.environments import ENVIRONMENTS, make
from aixi.environments.reasoning import ROWS, countdown
from aixi.environments.reasoning.countdown import GREATEST, Countdown, children
from aixi.environments.reasoning.masks import allowed
from aixi.registry import load_object

PLACES = [(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)]
OPERATIONS = (add, sub, mul, truediv)


def expected(numbers: list[int], action: int) -> list[int]:
    """What the docstring says that an action makes of numbers; empty if it is not allowed."""
    first, second = PLACES[action // 4]
    if numbers[second] == 0:
        return []
    result = OPERATIONS[action % 4](numbers[first], numbers[second])
    if result != int(result) or not 1 <= result <= 31:
        return []
    rest = [number for place, number in enumerate(numbers) if place not in (first, second)]
    return [*sorted([int(result), *rest], reverse=True), 0]


@pytest.mark.parametrize(
    "numbers", [[7, 7, 2, 1], [31, 10, 3, 0], [12, 4, 0, 0], [7, 5, 4], [5, 0, 0, 0], [10, 9, 8], [6, 6, 0], [2, 2]]
)
def test_actions_do_what_they_are_said_to(numbers: list[int]) -> None:
    count = 2 * len(numbers) * (len(numbers) - 1)
    assert children(numbers) == [expected(numbers, action) for action in range(count)]


def test_something_is_always_allowed_while_two_numbers_are_left() -> None:
    for one, other in product(range(1, GREATEST + 1), repeat=2):
        assert any(children([max(one, other), min(one, other), 0]))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_mask_is_the_declared_function_of_the_observation_and_tells_what_has_an_effect(row: Any) -> None:
    env = make(row.name)
    function = load_object(row.mask)
    assert function is allowed
    choices = np.random.default_rng(1)
    observation, info = env.reset(seed=2)
    for _ in range(400):
        mask = info["action_mask"]
        np.testing.assert_array_equal(mask, function(observation[1]))
        assert mask.shape == (env.action_space.n,)  # type: ignore[attr-defined]  # Discrete
        for action in np.flatnonzero(~mask):
            same, reward, terminated, *_ = env.step(action)
            np.testing.assert_equal(same, observation)
            assert (reward, terminated) == (0.0, False)
        observation, _, terminated, _, info = env.step(choices.choice(np.flatnonzero(mask)))
        if terminated:
            assert info["action_mask"].all()
            observation, info = env.reset()


def test_many_masks_at_once_are_those_one_by_one() -> None:
    rng = np.random.default_rng(0)
    for count in (2, 3, 4):
        rows = rng.integers(GREATEST + 1, size=(300, count)) * (rng.random((300, count)) < 0.8)
        wanted = [[bool(expected(row, action)) for action in range(2 * count * (count - 1))] for row in rows.tolist()]
        for row, found, one in zip(rows, allowed(rows), wanted, strict=True):
            assert (
                found.tolist()
                == allowed(row).tolist()
                == countdown.allowed(row).tolist()
                == (one if any(one) else [True] * len(one))
            )


def solve(numbers: list[int], target: int) -> list[int] | None:
    """Actions that lead to the target, by exhaustive search; None if there are none."""
    if numbers[1] == 0:
        return [] if numbers[0] == target else None
    for action, child in enumerate(children(numbers)):
        plan = solve(child, target) if child else None
        if plan is not None:
            return [action, *plan]
    return None


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_start_can_be_solved_in_the_cycles_of_an_episode(row: Any) -> None:
    env = make(row.name)
    count = row.kwargs.get("numbers", 3)
    for seed in range(100):
        (target, seen), _ = env.reset(seed=seed)
        numbers = seen.tolist()
        assert numbers == sorted(numbers, reverse=True)
        assert set(numbers) <= set(range(1, 11))
        plan = solve(numbers, target)
        assert plan is not None
        assert len(plan) == count - 1
        percepts = [env.step(np.int64(action)) for action in plan]
        assert [(reward, ended) for _, reward, ended, *_ in percepts] == [(0.0, False)] * (count - 2) + [(1.0, True)]
    assert row.best.value == pytest.approx(1 / (count - 1), abs=1e-9)


def test_missing_the_target_ends_the_episode_without_reward() -> None:
    env = Countdown()
    env.reset(seed=0)
    env.numbers, env.target = [6, 3, 0], 18
    (target, numbers), reward, terminated, truncated, _ = env.step(np.int64(0))
    assert (int(target), numbers.tolist()) == (18, [9, 0, 0])
    assert (reward, terminated, truncated) == (0.0, True, False)


def fraction_of_random(numbers: int, largest: int) -> Fraction:
    """The random anchor from every ordered draw and every ordered pair of plays, nothing merged."""

    def plays(left: list[int], chance: Fraction) -> Any:
        if left[1] == 0:
            yield left[0], chance
            return
        makes = [expected(left, action) for action in range(2 * numbers * (numbers - 1))]
        possible = [made for made in makes if made]
        for made in possible:
            yield from plays(made, chance / len(possible))

    total: Fraction = Fraction(0)
    for drawn in product(range(1, largest + 1), repeat=numbers):
        ends = list(plays(sorted(drawn, reverse=True), Fraction(1)))
        total += sum((one * other for last, one in ends for goal, other in ends if last == goal), Fraction(0))
    return Fraction(total, largest**numbers * (numbers - 1))


@pytest.fixture(scope="module")
def anchors() -> Any:
    """The script that computes the anchors."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
        yield importlib.import_module("countdown_anchors")


def test_random_anchor_agrees_with_exact_fractions(anchors: Any) -> None:
    for numbers, largest in ((2, 10), (3, 4)):
        computed = anchors.countdown(Countdown(numbers=numbers, largest=largest))["random"]
        assert computed == pytest.approx(float(fraction_of_random(numbers, largest)), rel=1e-12)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_anchors_follow_from_every_start(anchors: Any, row: Any) -> None:
    computed = anchors.countdown(make(row.name).unwrapped)
    for name in ("random", "constant", "best"):
        assert getattr(row, name).value == pytest.approx(computed[name], abs=1e-9)


def test_dividing_the_largest_where_one_can_earns_the_anchor_of_constant_actions() -> None:
    env = make("aixi/Countdown-v0")
    _, info = env.reset(seed=8)
    rewards = []
    for _ in range(20_000):
        mask = info["action_mask"]
        _, reward, terminated, _, info = env.step(np.int64(3) if mask[3] else np.argmax(mask))
        rewards.append(float(reward))
        if terminated:
            _, info = env.reset()
    anchor = ENVIRONMENTS["aixi/Countdown-v0"].constant
    assert anchor is not None
    error = np.reshape(rewards, (100, -1)).mean(1).std(ddof=1) / 10
    assert abs(np.mean(rewards) - anchor.value) < 4 * error


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Countdown(numbers=1), r"numbers must be at least 2 and largest in \[1, 31\], got 1 and 10"),
        (lambda: Countdown(largest=0), "numbers must be at least 2 and largest"),
        (lambda: Countdown(largest=32), "numbers must be at least 2 and largest"),
    ],
)
def test_bad_arguments_are_refused(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
