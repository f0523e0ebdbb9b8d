"""Memory: the T-maze's rules, the symbol that counts in repeat-previous, bad arguments."""

from collections import deque
from typing import Any

import numpy as np
import pytest

from aixi.environments import ENVIRONMENTS, make
from aixi.environments.memory.repeat_previous import RepeatPrevious
from aixi.environments.memory.t_maze import TMaze

NORTH, EAST, SOUTH, WEST = range(4)


def test_the_sign_is_seen_in_the_first_cell_only() -> None:
    env = TMaze(length=3)
    signs = {int(env.reset(seed=seed)[0]) for seed in range(20)}
    assert signs == {0, 1}
    sign = int(env.south)
    seen = [int(env.step(np.int64(move))[0]) for move in (EAST, EAST, EAST, WEST, WEST, WEST)]
    assert seen == [2, 2, 3, 2, 2, sign]


@pytest.mark.parametrize(
    ("cell", "move", "after", "reward"),
    [
        (0, WEST, 0, -0.1),
        (0, NORTH, 0, -0.1),
        (1, SOUTH, 1, -0.1),
        (1, EAST, 2, 0.0),
        (1, WEST, 0, 0.0),
        (2, EAST, 2, -0.1),
        (2, WEST, 1, 0.0),
        (2, NORTH, 0, 4.0),
        (2, SOUTH, 0, -0.1),
    ],
)
@pytest.mark.parametrize("mirrored", [False, True])
def test_moves_and_rewards(cell: int, move: int, after: int, reward: float, mirrored: bool) -> None:
    env = TMaze(length=2)
    env.reset(seed=1)
    env.cell, env.south = cell, mirrored
    if mirrored and move in (NORTH, SOUTH):
        move = SOUTH if move == NORTH else NORTH
    assert env.step(np.int64(move))[1] == reward
    assert env.cell == after


def test_a_turn_draws_a_new_sign() -> None:
    env = TMaze(length=1)
    env.reset(seed=2)
    signs = []
    for _ in range(4000):
        env.step(np.int64(EAST))
        signs.append(int(env.step(np.int64(NORTH))[0]))
    assert abs(sum(signs) - 2000) < 4 * np.sqrt(1000)
    changes = np.count_nonzero(np.diff(signs))
    assert abs(changes - 4000 / 2) < 4 * np.sqrt(1000)


@pytest.mark.parametrize("name", ["aixi/TMaze-v0", "aixi/LongTMaze-v0"])
def test_who_keeps_the_sign_in_mind_is_paid_at_every_turn(name: str) -> None:
    env = make(name)
    length = env.unwrapped.length  # type: ignore[attr-defined]  # a TMaze
    sign, _ = env.reset(seed=3)
    total = 0.0
    for _ in range(50):
        for _ in range(length):
            total += float(env.step(np.int64(EAST))[1])
        sign, reward, *_ = env.step(np.int64(SOUTH if sign == 1 else NORTH))
        total += float(reward)
    best = ENVIRONMENTS[name].best
    assert best is not None
    assert total / (50 * (length + 1)) == pytest.approx(4 / (length + 1)) == pytest.approx(best.value)


@pytest.mark.parametrize(("delay", "symbols"), [(1, 2), (3, 4), (5, 3)])
def test_the_symbol_that_counts_was_shown_delay_observations_before(delay: int, symbols: int) -> None:
    env = RepeatPrevious(delay, symbols)
    shown = deque([0] * delay + [int(env.reset(seed=4)[0])], maxlen=delay + 1)
    actions = np.random.default_rng(5).integers(symbols, size=3000)
    counts = np.zeros(symbols)
    for action in actions:
        expected = shown[0]
        observation, reward, *_ = env.step(action)
        assert reward == float(action == expected)
        shown.append(int(observation))
        counts[observation] += 1
    assert np.abs(counts - 3000 / symbols).max() < 4 * np.sqrt(3000 / symbols)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: TMaze(length=0), "length must be at least 1, got 0"),
        (lambda: RepeatPrevious(delay=0), "delay must be at least 1, got 0"),
        (lambda: RepeatPrevious(symbols=1), "symbols must be at least 2, got 1"),
    ],
)
def test_bad_arguments_are_refused(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
