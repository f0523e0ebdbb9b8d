"""4x4 grid: a square in the dark."""

from typing import Any

import gymnasium
import numpy as np


class Grid4x4(gymnasium.Env[np.int64, np.int64]):
    """The agent walks a square of sixteen cells and learns only whether it has just reached the corner.

    ## Description
    Veness et al. (2011, section 7). Every observation is the same; a good blind walk finds the goal from
    wherever the agent was put.

    ## Action Space
    `Discrete(4)`: 0 left, 1 up, 2 right, 3 down. A step off the square has no effect.

    ## Observation Space
    `Discrete(1)`: always 0.

    ## Starting State
    A uniformly drawn cell other than the goal.

    ## Rewards
    1 for entering the goal, the bottom right cell, else 0.

    ## Episode End
    Never. The agent that enters the goal is put on a uniformly drawn other cell in the same cycle.

    ## Arguments
    None: the paper leaves nothing open.

    ## Version History
    v0: first version.

    Example:
        >>> env = Grid4x4(render_mode="ansi")
        >>> env.reset(seed=1)
        (np.int64(0), {})
        >>> env.render().split()
        ['....', '...A', '....', '...*']
    """

    metadata: dict[str, Any] = gymnasium.Env.metadata | {
        "render_modes": ["ansi", "rgb_array"],
        "render_fps": 4,
    }

    def __init__(self, render_mode: str | None = None) -> None:
        self.render_mode = render_mode
        self.observation_space = gymnasium.spaces.Discrete(1)
        self.action_space = gymnasium.spaces.Discrete(4)
        self.row = self.column = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.int64, dict[str, Any]]:
        super().reset(seed=seed)
        self._restart()
        return np.int64(0), {}

    def _restart(self) -> None:
        self.row, self.column = divmod(int(self.np_random.integers(15)), 4)

    def step(self, action: np.int64) -> tuple[np.int64, float, bool, bool, dict[str, Any]]:
        down, right = ((0, -1), (-1, 0), (0, 1), (1, 0))[action]
        self.row = min(max(self.row + down, 0), 3)
        self.column = min(max(self.column + right, 0), 3)
        found = self.row == self.column == 3
        if found:
            self._restart()
        return np.int64(0), float(found), False, False, {}

    def render(self) -> Any:
        cells = [["."] * 4 for _ in range(4)]
        cells[3][3] = "*"
        cells[self.row][self.column] = "A"
        text = "\n".join("".join(row) for row in cells)
        if self.render_mode == "ansi":
            return text
        from aixi.environments.rendering import picture

        return picture(text.replace(".", "_"))
