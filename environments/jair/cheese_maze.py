"""Cheese maze: find the cheese by the walls around you, though places look alike."""

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

MAZE = """
.....
.#.#.
.#*#.
"""


class CheeseMaze(gymnasium.Env[NDArray[np.int8], np.int64]):
    """A mouse looks for cheese in a maze of eleven cells and sees only the walls around itself.

    ## Description
    McCallum (1996), as restated by Veness et al. (2011, section 7). Several cells look the same, so that
    the mouse has to remember how it got there.

    ## Action Space
    `Discrete(4)`: 0 left, 1 up, 2 right, 3 down. A move into a wall has no effect on the position.

    ## Observation Space
    `MultiBinary(4)`: whether there is a wall to the left, above, to the right, below.

    ## Starting State
    A uniformly drawn starting cell.

    ## Rewards
    10 for entering the cell with the cheese, -10 for bumping into a wall, -1 for any other move.

    ## Episode End
    Never. The mouse that finds the cheese is put on a uniformly drawn starting cell in the same cycle, and
    the observation shows the walls there.

    ## Arguments
    `maze`: the map as lines of equal length, `#` a wall, `.` a starting cell, `-` a free cell that is none,
    `*` the cheese (exactly one); outside is wall. The paper does not say where the mouse is put after the
    cheese; the default takes every free cell, as Visentin's code (2011) does.

    ## Version History
    v0: first version.

    Example:
        >>> env = CheeseMaze(maze=".*", render_mode="ansi")
        >>> env.reset(seed=0)
        (array([1, 1, 0, 1], dtype=int8), {})
        >>> env.step(np.int64(2))
        (array([1, 1, 0, 1], dtype=int8), 10.0, False, False, {})
    """

    metadata: dict[str, Any] = gymnasium.Env.metadata | {
        "render_modes": ["ansi", "rgb_array"],
        "render_fps": 4,
    }

    def __init__(self, maze: str = MAZE, render_mode: str | None = None) -> None:
        lines = maze.split()
        marks = "".join(lines)
        if len({len(line) for line in lines}) != 1 or set(marks) - set("#.-*"):
            raise ValueError(f"maze must be lines of equal length of '#', '.', '-' and '*', got {maze!r}")
        if marks.count("*") != 1 or "." not in marks:
            raise ValueError(f"maze must have exactly one '*' and at least one '.', got {maze!r}")
        width = len(lines[0]) + 2
        self.maze = "\n".join(["#" * width, *(f"#{line}#" for line in lines), "#" * width])
        self.moves = (-1, -width - 1, 1, width + 1)
        self.starts = [cell for cell, mark in enumerate(self.maze) if mark == "."]
        self.render_mode = render_mode
        self.observation_space = gymnasium.spaces.MultiBinary(4)
        self.action_space = gymnasium.spaces.Discrete(4)
        self.cell = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.int8], dict[str, Any]]:
        super().reset(seed=seed)
        self._restart()
        return self._observation(), {}

    def _restart(self) -> None:
        self.cell = self.starts[self.np_random.integers(len(self.starts))]

    def _observation(self) -> NDArray[np.int8]:
        return np.array([self.maze[self.cell + move] == "#" for move in self.moves], np.int8)

    def step(self, action: np.int64) -> tuple[NDArray[np.int8], float, bool, bool, dict[str, Any]]:
        target = self.cell + self.moves[action]
        if self.maze[target] == "#":
            reward = -10.0
        elif self.maze[target] == "*":
            reward = 10.0
            self._restart()
        else:
            reward = -1.0
            self.cell = target
        return self._observation(), reward, False, False, {}

    def render(self) -> Any:
        text = self.maze[: self.cell] + "A" + self.maze[self.cell + 1 :]
        if self.render_mode == "ansi":
            return text
        from aixi.environments.rendering import picture

        return picture(text.replace(".", "_"))
