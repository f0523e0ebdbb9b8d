"""Deep sea: a treasure that one way of very many leads to."""

from typing import Any

import gymnasium
import numpy as np


class DeepSea(gymnasium.Env[np.int64, np.int64]):
    """A diver sinks through a square sea, steers left or right, and finds the treasure only by always going right.

    ## Description
    Osband, Van Roy, Russo and Wen (2019), with the numbers of bsuite (Osband et al., 2020), made continuing. Each
    move to the right costs a little, so that whoever follows the rewards at hand turns away from the treasure; one
    random dive in 2**size finds it.

    ## Action Space
    `Discrete(2)`. Which of the two leads right hangs on the column.

    ## Observation Space
    `Discrete(size**2)`: row times size plus column, both counted from 0 at the top left.

    ## Starting State
    The top left cell.

    ## Rewards
    -0.01 / size for a move to the right; 1 more for a move to the right in the last column, which only the last
    row's last cell allows; 0 for a move to the left.

    ## Episode End
    Never. Every move leads down a row; the diver who has moved in the last row is back at the top left in
    the same cycle.

    ## Arguments
    `right`: for each column the action, 0 or 1, that leads right there; its length, at least 2, is the sea's
    size. A move off either side stays in its column. The paper draws the action for each cell instead.

    ## Version History
    v0: first version.

    Example:
        >>> env = DeepSea("10")
        >>> env.reset(seed=0)
        (np.int64(0), {})
        >>> env.step(np.int64(1))
        (np.int64(3), -0.005, False, False, {})
        >>> env.step(np.int64(0))
        (np.int64(0), 0.995, False, False, {})
    """

    metadata: dict[str, Any] = gymnasium.Env.metadata | {"render_modes": ["ansi", "rgb_array"], "render_fps": 4}

    def __init__(self, right: str = "0110", render_mode: str | None = None) -> None:
        if len(right) < 2 or set(right) - set("01"):
            raise ValueError(f"right must be text of at least two digits 0 or 1, got {right!r}")
        self.right = right
        self.render_mode = render_mode
        self.observation_space = gymnasium.spaces.Discrete(len(right) ** 2)
        self.action_space = gymnasium.spaces.Discrete(2)
        self.row = self.column = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.int64, dict[str, Any]]:
        super().reset(seed=seed)
        self.row = self.column = 0
        return np.int64(0), {}

    def step(self, action: np.int64) -> tuple[np.int64, float, bool, bool, dict[str, Any]]:
        size = len(self.right)
        reward = 0.0
        if action == int(self.right[self.column]):
            reward = float(self.column == size - 1) - 0.01 / size
            self.column = min(self.column + 1, size - 1)
        else:
            self.column = max(self.column - 1, 0)
        self.row += 1
        if self.row == size:
            self.row = self.column = 0
        return np.int64(self.row * size + self.column), reward, False, False, {}

    def render(self) -> Any:
        size = len(self.right)
        cells = [["."] * size for _ in range(size)]
        cells[-1][-1] = "*"
        cells[self.row][self.column] = "A"
        text = "\n".join("".join(row) for row in cells)
        if self.render_mode == "ansi":
            return text
        from aixi.environments.rendering import picture

        return picture(text.replace(".", "_"))
