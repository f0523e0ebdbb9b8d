"""Chains: RiverSwim's moves by frequency and its gain in exact fractions, every dive of the deep sea, bad arguments."""

from fractions import Fraction
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest

from aixi.environments import ENVIRONMENTS, make
from aixi.environments.chains.deep_sea import DeepSea
from aixi.environments.chains.river_swim import RiverSwim

# Place, moves by -1, 0 and 1 of swimming right there.
MOVES = [(0, (0.0, 0.7, 0.3)), (1, (0.1, 0.6, 0.3)), (3, (0.1, 0.6, 0.3)), (5, (0.7, 0.3, 0.0))]


@pytest.mark.parametrize(("place", "moves"), MOVES)
def test_swimming_right_moves_as_in_the_paper(place: int, moves: tuple[float, float, float]) -> None:
    env = RiverSwim()
    env.reset(seed=1)
    counts = np.zeros(3)
    for _ in range(20_000):
        env.place = place
        after, reward, *_ = env.step(np.int64(1))
        assert reward == (10_000.0 if place == after == 5 else 0.0)
        counts[int(after) - place + 1] += 1
    for count, probability in zip(counts, moves, strict=True):
        assert abs(count / 20_000 - probability) <= 4 * np.sqrt(probability * (1 - probability) / 20_000)


def test_swimming_left_never_fails_and_pays_at_the_end() -> None:
    env = RiverSwim()
    starts = {int(env.reset(seed=seed)[0]) for seed in range(30)}
    assert starts == {1, 2}
    env.place = 5
    steps = [env.step(np.int64(0)) for _ in range(7)]
    assert [int(place) for place, *_ in steps] == [4, 3, 2, 1, 0, 0, 0]
    assert [reward for _, reward, *_ in steps] == [0, 0, 0, 0, 0, 5, 5]


def test_swimming_right_for_ever_is_worth_what_detailed_balance_says() -> None:
    up = [Fraction(3, 10)] * 5
    down = [Fraction(1, 10)] * 4 + [Fraction(7, 10)]  # from places 1 to 5
    masses = [Fraction(1)]
    for rise, fall in zip(up, down, strict=True):
        masses.append(masses[-1] * rise / fall)
    gain = 10_000 * masses[-1] / sum(masses) * Fraction(3, 10)
    row = ENVIRONMENTS["aixi/RiverSwim-v0"]
    assert row.constant is not None
    assert row.best is not None
    assert row.constant.value == row.best.value == pytest.approx(float(gain), abs=1e-9)


@pytest.mark.parametrize("name", ["aixi/DeepSea-v0", "aixi/DeepSea8-v0"])
def test_one_dive_of_all_finds_the_treasure(name: str) -> None:
    env = make(name)
    right = env.unwrapped.right  # type: ignore[attr-defined]  # a DeepSea
    size = len(right)
    assert env.reset(seed=0)[0] == 0
    earned = {}
    for dive in product((0, 1), repeat=size):
        cells, rewards = [0], []
        for action in dive:
            cell, reward, *_ = env.step(np.int64(action))
            cells.append(int(cell))
            rewards.append(float(reward))
        assert cells[-1] == 0
        assert [cell // size for cell in cells[:-1]] == list(range(size))
        columns = [cell % size for cell in cells[:-1]]
        assert all(abs(after - before) == 1 or after == before == 0 for before, after in pairwise(columns))
        assert all((reward < 0 or reward > 0.9) == (str(action) == right[column])
                   for action, reward, column in zip(dive, rewards, columns, strict=True))  # fmt: skip
        earned[dive] = sum(rewards)
    treasure = tuple(map(int, right))
    assert [dive for dive, reward in earned.items() if reward > 0] == [treasure]
    assert earned[treasure] == pytest.approx(0.99)
    row = ENVIRONMENTS[name]
    assert row.best is not None
    assert row.random is not None
    assert row.best.value == pytest.approx(0.99 / size)
    assert row.random.value == pytest.approx(np.mean(list(earned.values())) / size, abs=1e-9)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: RiverSwim(length=2), "length must be at least 3, got 2"),
        (lambda: DeepSea("0"), "right must be text of at least two digits 0 or 1, got '0'"),
        (lambda: DeepSea("012"), "right must be text"),
    ],
)
def test_bad_arguments_are_refused(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
