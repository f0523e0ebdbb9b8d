"""Tile grid: a map of tiles, each of which does something to whoever enters it."""

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

KINDS = ".#S*XO?"


class TileGrid(gymnasium.Env[NDArray[np.int64], np.int64]):
    """The agent walks a map of tiles that reward, punish, displace or confuse it, and sees the four around it.

    ## Description
    In the manner of the grid worlds of Aslanides, Leike and Hutter (2017): dispensers, traps, and tiles
    whose noise is ever new but never worth anything (Burda et al., 2019, call it the noisy television).

    ## Action Space
    `Discrete(4)`: 0 left, 1 up, 2 right, 3 down. A move into a wall has no effect.

    ## Observation Space
    `MultiDiscrete([7, 7, 7, 7])`: the kinds of the tiles to the left, above, to the right, below, as numbered
    under Arguments. On a noise tile each is 0 or 1 with equal probability.

    ## Starting State
    A uniformly drawn starting tile.

    ## Rewards
    1 for entering a dispenser, -1 for entering a trap, else 0.

    ## Episode End
    Never. Who enters a dispenser is put on a uniformly drawn starting tile in the same cycle, and who enters
    a portal on the other one.

    ## Arguments
    `tiles`: the map as lines of equal length: 0 `.` floor, 1 `#` wall, 2 `S` starting tile (at least one),
    3 `*` dispenser (at least one), 4 `X` trap, 5 `O` portal (none or two), 6 `?` noise; outside is wall.

    ## Version History
    v0: first version.

    Example:
        >>> env = TileGrid("SX*", render_mode="ansi")
        >>> env.reset(seed=0)
        (array([1, 1, 4, 1]), {})
        >>> env.step(np.int64(2))
        (array([2, 1, 3, 1]), -1.0, False, False, {})
        >>> env.step(np.int64(2))[1]
        1.0
    """

    metadata: dict[str, Any] = gymnasium.Env.metadata | {
        "render_modes": ["ansi", "rgb_array"],
        "render_fps": 4,
    }

    def __init__(self, tiles: str = "S..*", render_mode: str | None = None) -> None:
        lines = tiles.split()
        marks = "".join(lines)
        if len({len(line) for line in lines}) != 1 or set(marks) - set(KINDS):
            raise ValueError(f"tiles must be lines of equal length of {' '.join(KINDS)}, got {tiles!r}")
        if "S" not in marks or "*" not in marks or marks.count("O") not in (0, 2):
            raise ValueError(f"tiles must have an S, a * and no or two O, got {tiles!r}")
        width = len(lines[0]) + 2
        self.tiles = "\n".join(["#" * width, *(f"#{line}#" for line in lines), "#" * width])
        self.moves = (-1, -width - 1, 1, width + 1)
        self.starts = [cell for cell, mark in enumerate(self.tiles) if mark == "S"]
        self.render_mode = render_mode
        self.observation_space = gymnasium.spaces.MultiDiscrete([7, 7, 7, 7])
        self.action_space = gymnasium.spaces.Discrete(4)
        self.cell = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.int64], dict[str, Any]]:
        super().reset(seed=seed)
        self._restart()
        return self._observation(), {}

    def _restart(self) -> None:
        self.cell = self.starts[self.np_random.integers(len(self.starts))]

    def _observation(self) -> NDArray[np.int64]:
        if self.tiles[self.cell] == "?":
            return np.array([self.np_random.integers(2) for _ in self.moves])
        return np.array([KINDS.index(self.tiles[self.cell + move]) for move in self.moves])

    def step(self, action: np.int64) -> tuple[NDArray[np.int64], float, bool, bool, dict[str, Any]]:
        target = self.cell + self.moves[action]
        mark = self.tiles[target]
        if mark == "*":
            self._restart()
        elif mark == "O":
            self.cell = self.tiles.index("O") + self.tiles.rindex("O") - target
        elif mark != "#":
            self.cell = target
        return self._observation(), float((mark == "*") - (mark == "X")), False, False, {}

    def render(self) -> Any:
        text = self.tiles[: self.cell] + "A" + self.tiles[self.cell + 1 :]
        if self.render_mode == "ansi":
            return text
        from aixi.environments.rendering import picture

        return picture(text.translate(str.maketrans(".S?", "_-o")))
