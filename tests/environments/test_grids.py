"""Tile grids: what each tile does and shows, ways that reach the best anchors, bad arguments."""

from collections import deque
from typing import Any

import numpy as np
import pytest

from aixi.environments import ENVIRONMENTS, make
from aixi.environments.grids import ROWS
from aixi.environments.grids.tile_grid import KINDS, TileGrid

LEFT, UP, RIGHT, DOWN = (np.int64(action) for action in range(4))


def fresh(tiles: str) -> TileGrid:
    """A grid after a reset."""
    env = TileGrid(tiles, render_mode="ansi")
    env.reset(seed=0)
    return env


def seen(observation: Any) -> str:
    """An observation in the marks of the map."""
    return "".join(KINDS[kind] for kind in observation)


def test_all_four_tiles_around_are_seen() -> None:
    env = fresh(".?.\n*S.\n.X.")
    assert seen(env.reset(seed=1)[0]) == "*?.X"


def test_walls_and_the_outside_hold_and_cost_nothing() -> None:
    env = fresh("S#*")
    for action in (LEFT, UP, RIGHT, DOWN):
        observation, reward, *_ = env.step(action)
        assert (seen(observation), reward) == ("####", 0.0)


def test_trap_costs_at_each_entry_and_can_be_left() -> None:
    env = fresh("SX*")
    assert [env.step(action)[1] for action in (RIGHT, LEFT, RIGHT, UP)] == [-1.0, 0.0, -1.0, 0.0]
    assert env.step(RIGHT)[1] == 1.0


def test_dispenser_sends_back_to_a_start_drawn_uniformly() -> None:
    env = fresh("S*S")
    ends = []
    for _ in range(400):
        observation, reward, *_ = env.step(RIGHT if env.cell == env.starts[0] else LEFT)
        assert reward == 1.0
        ends.append(seen(observation))
    assert set(ends) == {"##*#", "*###"}
    assert abs(ends.count("##*#") - 200) < 4 * np.sqrt(400 / 4)


def test_portals_lead_to_each_other() -> None:
    env = fresh("S.O#.\n###.O\n###*.")
    env.step(RIGHT)
    observation, reward, *_ = env.step(RIGHT)
    assert (seen(observation), reward) == ("..#.", 0.0)
    env.step(LEFT)
    observation, *_ = env.step(RIGHT)
    assert seen(observation) == ".###"


def test_noise_is_uniform_and_ends_when_it_is_left() -> None:
    env = fresh("S?*")
    noise = np.array([env.step(action)[0] for action in [RIGHT, *[UP] * 6999]])
    assert set(noise.ravel()) == {0, 1}
    assert np.abs(noise.mean(0) - 1 / 2).max() < 4.5 * np.sqrt(1 / 4 / 7000)
    assert np.abs(np.corrcoef(noise.T) - np.eye(4)).max() < 4.5 / np.sqrt(7000)
    assert seen(env.step(LEFT)[0]) == "##?#"


def way(tiles: str, start: int) -> list[int]:
    """A shortest way from a tile to a dispenser that enters no trap, by breadth-first search."""
    width = tiles.index("\n") + 1
    moves = (-1, -width, 1, width)
    portals = [cell for cell, mark in enumerate(tiles) if mark == "O"]
    ways: dict[int, list[int]] = {start: []}
    queue = deque([start])
    while queue:
        cell = queue.popleft()
        for action, move in enumerate(moves):
            target = cell + move
            if tiles[target] == "*":
                return [*ways[cell], action]
            if target in portals:
                target = portals[1 - portals.index(target)]
            if tiles[target] not in "#X" and target not in ways:
                ways[target] = [*ways[cell], action]
                queue.append(target)
    raise AssertionError("no way")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_shortest_ways_round_traps_earn_the_best_anchor(row: Any) -> None:
    env: Any = make(row.name).unwrapped
    ways = [way(env.tiles, start) for start in env.starts]
    for start, actions in zip(env.starts, ways, strict=True):
        env.reset(seed=1)
        env.cell = start
        assert [env.step(np.int64(action))[1] for action in actions] == [0.0] * (len(actions) - 1) + [1.0]
    # A reward each, and starts are uniform: rewards per cycle are one over the mean length.
    assert 1 / np.mean([len(actions) for actions in ways]) == pytest.approx(row.best.value, abs=1e-9)


def test_row_with_a_trap_has_a_shorter_way_through_it() -> None:
    tiles = ENVIRONMENTS["aixi/TileTrap-v0"].kwargs["tiles"]
    env = fresh(tiles)
    assert [env.step(RIGHT)[1] for _ in range(3)] == [0.0, -1.0, 1.0]


def test_picture_shows_every_kind() -> None:
    env = TileGrid("S.X*\nO?O#", render_mode="rgb_array")
    env.reset(seed=0)
    picture = env.render()
    assert picture.shape == (4 * 32, 6 * 32, 3)
    cells = [picture[32:64, 32 * column : 32 * column + 32].tobytes() for column in range(1, 5)]
    cells += [picture[64:96, 32 * column : 32 * column + 32].tobytes() for column in (1, 2, 4)]
    assert len(set(cells)) == 7


@pytest.mark.parametrize(
    ("tiles", "message"),
    [
        ("S*\n.", "tiles must be lines of equal length of"),
        ("S*a", "tiles must be lines of equal length of"),
        ("", "tiles must be lines of equal length of"),
        (".*", r"tiles must have an S, a \* and no or two O, got '.\*'"),
        ("S.", "tiles must have an S"),
        ("SO*", "tiles must have an S"),
    ],
)
def test_bad_maps_are_refused(tiles: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TileGrid(tiles)
