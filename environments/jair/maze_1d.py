"""1d-maze: a corridor in the dark."""

from typing import Any

import gymnasium
import numpy as np


class Maze1D(gymnasium.Env[np.int64, np.int64]):
    """The agent walks a corridor of four cells and is told nothing but whether it has just found the goal.

    ## Description
    Cassandra, Kaelbling and Littman (1994), as restated by Veness et al. (2011, section 7). The way to
    the goal has to be planned from the agent's own past moves, since every observation is the same.

    ## Action Space
    `Discrete(2)`: 0 left, 1 right. A step off either end has no effect.

    ## Observation Space
    `Discrete(1)`: always 0.

    ## Starting State
    A uniformly drawn starting cell.

    ## Rewards
    1 for entering the goal, else 0.

    ## Episode End
    Never. The agent that enters the goal is put on a uniformly drawn starting cell in the same cycle.

    ## Arguments
    `maze`: the corridor as text, `.` a starting cell, `-` a cell that is none, `*` the goal (exactly one).
    The paper has four cells with the third as goal; it does not say where the agent is put after the goal,
    and the default takes every other cell, as in Cassandra et al.

    ## Version History
    v0: first version.

    Example:
        >>> env = Maze1D(maze=".*", render_mode="ansi")
        >>> env.reset(seed=0)
        (np.int64(0), {})
        >>> env.render()
        'A*'
        >>> env.step(np.int64(1))
        (np.int64(0), 1.0, False, False, {})
    """

    metadata: dict[str, Any] = gymnasium.Env.metadata | {
        "render_modes": ["ansi", "rgb_array"],
        "render_fps": 4,
    }

    def __init__(self, maze: str = "..*.", render_mode: str | None = None) -> None:
        if set(maze) - set(".-*") or maze.count("*") != 1 or "." not in maze:
            raise ValueError(f"maze must be text of '.', '-' and one '*' with at least one '.', got {maze!r}")
        self.maze = maze
        self.starts = [cell for cell, mark in enumerate(maze) if mark == "."]
        self.render_mode = render_mode
        self.observation_space = gymnasium.spaces.Discrete(1)
        self.action_space = gymnasium.spaces.Discrete(2)
        self.cell = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.int64, dict[str, Any]]:
        super().reset(seed=seed)
        self._restart()
        return np.int64(0), {}

    def _restart(self) -> None:
        self.cell = self.starts[self.np_random.integers(len(self.starts))]

    def step(self, action: np.int64) -> tuple[np.int64, float, bool, bool, dict[str, Any]]:
        self.cell = min(max(self.cell + (1 if action else -1), 0), len(self.maze) - 1)
        found = self.maze[self.cell] == "*"
        if found:
            self._restart()
        return np.int64(0), float(found), False, False, {}

    def render(self) -> Any:
        text = self.maze[: self.cell] + "A" + self.maze[self.cell + 1 :]
        if self.render_mode == "ansi":
            return text
        from aixi.environments.rendering import picture

        return picture(text.replace(".", "_"))
