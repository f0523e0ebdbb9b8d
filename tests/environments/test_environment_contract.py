"""What holds for every row: Gymnasium's contract, determinism, declared rewards, random anchors."""

import warnings
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from aixi.environments import ENVIRONMENTS, EnvironmentRow, make

ROWS = list(ENVIRONMENTS)
CYCLES = 40_000

# Numbers of actions and observations in Table 1 of Veness et al. (2011).
SIZES = {
    "aixi/Maze1D-v0": (2, 1),
    "aixi/CheeseMaze-v0": (4, 16),
    "aixi/Tiger-v0": (3, 3),
    "aixi/ExtendedTiger-v0": (4, 3),
    "aixi/Grid4x4-v0": (4, 1),
    "aixi/TicTacToe-v0": (9, 19683),
    "aixi/BiasedRockPaperScissors-v0": (3, 3),
    "aixi/KuhnPoker-v0": (2, 6),
    "aixi/Pacman-v0": (4, 2**16),
}


def size(space: gymnasium.Space[Any]) -> int:
    """Number of elements of a finite space."""
    if isinstance(space, gymnasium.spaces.Discrete):
        return int(space.n)
    if isinstance(space, gymnasium.spaces.MultiDiscrete):
        return int(np.prod(space.nvec))
    if isinstance(space, gymnasium.spaces.MultiBinary):
        return int(2 ** int(np.prod(space.shape)))
    assert isinstance(space, gymnasium.spaces.Tuple)
    return int(np.prod([size(part) for part in space.spaces]))


def life(row: EnvironmentRow, seed: int, cycles: int) -> list[tuple[Any, float, bool, bool]]:
    """Percepts of a life of random actions."""
    env = make(row.name)
    percepts: list[tuple[Any, float, bool, bool]] = [(env.reset(seed=seed)[0], 0.0, False, False)]
    # Apart from the environment's own stream: two generators of one seed would agree with each other.
    actions = np.random.default_rng([seed, 1]).integers(size(env.action_space), size=cycles)
    for action in actions:
        observation, reward, terminated, truncated, _ = env.step(action)
        percepts.append((observation, float(reward), terminated, truncated))
        if terminated or truncated:
            env.reset()
    return percepts


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_gymnasiums_checker_finds_nothing(row: EnvironmentRow) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # FrozenLake would open a window.
        check_env(make(row.name).unwrapped, skip_render_check=row.name == "FrozenLake-v1")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_same_seed_same_life(row: EnvironmentRow) -> None:
    first, second, other = life(row, 1, 500), life(row, 1, 500), life(row, 2, 500)
    for one, two in zip(first, second, strict=True):
        np.testing.assert_equal(one, two)
    assert any(not np.array_equal(one[0], two[0]) or one[1] != two[1] for one, two in zip(first, other, strict=True))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_random_life_keeps_what_the_row_declares(row: EnvironmentRow) -> None:
    env = make(row.name)
    percepts = life(row, 3, CYCLES)
    rewards = np.array([reward for _, reward, _, _ in percepts[1:]])
    assert set(rewards) <= set(row.rewards)
    assert all(observation in env.observation_space for observation, *_ in percepts[:5000])
    assert any(terminated or truncated for *_, terminated, truncated in percepts) == row.episodic
    batches = rewards.reshape(100, -1).mean(1)
    error = batches.std(ddof=1) / 10
    assert abs(rewards.mean() - row.random.value) < 4 * error


@pytest.mark.parametrize("name", SIZES)
def test_spaces_have_the_papers_sizes(name: str) -> None:
    env = make(name)
    assert (size(env.action_space), size(env.observation_space)) == SIZES[name]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_observations_are_not_touched_again(row: EnvironmentRow) -> None:
    env = make(row.name)
    env.action_space.seed(1)
    kept = [env.reset(seed=4)[0]]
    copies = [np.array(kept[0])]
    for _ in range(50):
        observation, _, terminated, truncated, _ = env.step(env.action_space.sample())
        kept.append(observation)
        copies.append(np.array(observation))
        if terminated or truncated:
            env.reset()
    for observation, copy in zip(kept, copies, strict=True):
        np.testing.assert_array_equal(np.array(observation), copy)


@pytest.mark.parametrize("row", [row for row in ROWS if not row.episodic], ids=lambda row: row.name)
def test_rendering_gives_text_and_pixels(row: EnvironmentRow) -> None:
    modes = make(row.name).metadata["render_modes"]
    assert "ansi" in modes
    for mode in modes:
        env = make(row.name, render_mode=mode)
        env.reset(seed=5)
        shown: Any = env.render()
        if mode == "ansi":
            assert isinstance(shown, str)
            assert shown.strip()
        else:
            assert shown.dtype == np.uint8
            assert shown.ndim == 3
            assert shown.shape[2] == 3
            assert len(np.unique(shown.reshape(-1, 3), axis=0)) > 2
