"""T-maze: a sign at the entrance tells where to turn at the end."""

from typing import Any

import gymnasium
import numpy as np


class TMaze(gymnasium.Env[np.int64, np.int64]):
    """A corridor leads to a junction, and only a sign at its beginning tells which way to turn there.

    ## Description
    Bakker (2002), made continuing. The sign has to be remembered all along a corridor whose cells look
    the same.

    ## Action Space
    `Discrete(4)`: 0 north, 1 east, 2 south, 3 west. The corridor leads from west to east.

    ## Observation Space
    `Discrete(4)`: 0 the sign that points north, 1 the sign that points south, 2 corridor, 3 junction; for
    Bakker's 011, 110, 101 and 010. Sign and corridor's first cell are one.

    ## Starting State
    The corridor's first cell; the sign points north or south with equal probability.

    ## Rewards
    4 for the turn at the junction that the sign has told; -0.1 for the other turn, and for standing still, which
    is what walking into a wall comes to; else 0.

    ## Episode End
    Never. After a turn at the junction the agent is back in the first cell, and the sign is drawn anew, in the same
    cycle.

    ## Arguments
    `length`: steps from the first cell to the junction, at least 1; 5 by default. Bakker has 5 to 70.

    ## Version History
    v0: first version.

    Example:
        >>> env = TMaze(length=1)
        >>> env.reset(seed=0)
        (np.int64(0), {})
        >>> env.step(np.int64(1))
        (np.int64(3), 0.0, False, False, {})
        >>> env.step(np.int64(0))[1]
        4.0
    """

    metadata: dict[str, Any] = gymnasium.Env.metadata | {"render_modes": ["ansi", "rgb_array"], "render_fps": 4}

    def __init__(self, length: int = 5, render_mode: str | None = None) -> None:
        if length < 1:
            raise ValueError(f"length must be at least 1, got {length}")
        self.length = length
        self.render_mode = render_mode
        self.observation_space = gymnasium.spaces.Discrete(4)
        self.action_space = gymnasium.spaces.Discrete(4)
        self.south = False
        self.cell = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.int64, dict[str, Any]]:
        super().reset(seed=seed)
        self._restart()
        return self._observation(), {}

    def _restart(self) -> None:
        self.south = self.np_random.random() < 0.5
        self.cell = 0

    def _observation(self) -> np.int64:
        if self.cell == 0:
            return np.int64(self.south)
        return np.int64(3 if self.cell == self.length else 2)

    def step(self, action: np.int64) -> tuple[np.int64, float, bool, bool, dict[str, Any]]:
        reward = -0.1
        if action in (0, 2):
            if self.cell == self.length:
                if self.south == (action == 2):
                    reward = 4.0
                self._restart()
        else:
            cell = self.cell + (1 if action == 1 else -1)
            if 0 <= cell <= self.length:
                reward = 0.0
                self.cell = cell
        return self._observation(), reward, False, False, {}

    def render(self) -> Any:
        arms = ["#", "*"] if self.south else ["*", "#"]
        corridor = "_" * self.cell + "A" + "_" * (self.length - self.cell)
        wall = "#" * (self.length + 1)
        north, south = ("#" * (self.length + 1) + (arm if arm == "*" else "_") + "#" for arm in arms)
        text = f"{north}\n#{corridor}#\n{south}\n{wall}##"
        if self.render_mode == "ansi":
            return text
        from aixi.environments.rendering import picture

        return picture(text)
