"""RiverSwim: a little downstream at once, or much upstream after a long swim."""

from typing import Any

import gymnasium
import numpy as np


class RiverSwim(gymnasium.Env[np.int64, np.int64]):
    """A swimmer drifts to a small reward downstream with ease, and to a large one upstream with much effort.

    ## Description
    Strehl and Littman (2008). Who swims against the current only now and then never sees its end,
    so that exploring takes persistence.

    ## Action Space
    `Discrete(2)`: 0 left, with the current; 1 right, against it.

    ## Observation Space
    `Discrete(length)`: the place, 0 the leftmost.

    ## Starting State
    Place 1 or 2 with equal probability.

    ## Rewards
    5 for swimming left at the leftmost place; 10,000 for swimming right at the rightmost and holding it; else 0.

    ## Episode End
    Never.

    ## Arguments
    `length`: number of places, at least 3; 6, the paper's, by default. Swimming left never fails. Swimming right
    moves right with probability 0.3, left with 0.1, and else nowhere; at the leftmost place it never moves
    left; at the rightmost it holds the place with probability 0.3 and else moves left.

    ## Version History
    v0: first version.

    Example:
        >>> env = RiverSwim()
        >>> env.reset(seed=0)
        (np.int64(2), {})
        >>> [env.step(np.int64(0))[:2] for _ in range(3)]
        [(np.int64(1), 0.0), (np.int64(0), 0.0), (np.int64(0), 5.0)]
    """

    metadata: dict[str, Any] = gymnasium.Env.metadata | {"render_modes": ["ansi"], "render_fps": 4}

    def __init__(self, length: int = 6, render_mode: str | None = None) -> None:
        if length < 3:
            raise ValueError(f"length must be at least 3, got {length}")
        self.last = length - 1
        self.render_mode = render_mode
        self.observation_space = gymnasium.spaces.Discrete(length)
        self.action_space = gymnasium.spaces.Discrete(2)
        self.place = 1

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.int64, dict[str, Any]]:
        super().reset(seed=seed)
        self.place = 1 + int(self.np_random.integers(2))
        return np.int64(self.place), {}

    def step(self, action: np.int64) -> tuple[np.int64, float, bool, bool, dict[str, Any]]:
        reward = 0.0
        if action == 0:
            reward = 5.0 if self.place == 0 else 0.0
            self.place = max(self.place - 1, 0)
        elif self.np_random.random() < 0.3:
            reward = 10_000.0 if self.place == self.last else 0.0
            self.place = min(self.place + 1, self.last)
        elif self.place == self.last or self.np_random.random() < 1 / 7:  # 0.7 / 7 is 0.1
            self.place = max(self.place - 1, 0)
        return np.int64(self.place), reward, False, False, {}

    def render(self) -> Any:
        return "~" * self.place + "A" + "~" * (self.last - self.place)
