"""Growing runs: what comes after 0 1 00 1 000 1?"""

from typing import Any

import gymnasium
import numpy as np


class GrowingRuns(gymnasium.Env[np.int64, np.int64]):
    """Runs of zeros, each longer by one than the last, are parted by ones, and the agent says what comes next.

    ## Description
    The agent has to count: how long a run is to be is told only by the run before it. Past symbols that are too
    few to hold a whole run do not tell the runs apart.

    ## Action Space
    `Discrete(2)`: the symbol that the agent expects.

    ## Observation Space
    `Discrete(2)`: the symbol that came.

    ## Starting State
    The run of one zero; the first observation is that zero.

    ## Rewards
    1 if the symbol that comes is the one expected, else 0.

    ## Episode End
    Never. After the longest run and its one, the run of one zero comes again.

    ## Arguments
    `longest`: zeros in the longest run, at least 1; 5 by default.

    ## Version History
    v0: first version.

    Example:
        >>> env = GrowingRuns(longest=2)
        >>> first, _ = env.reset(seed=0)
        >>> [int(first), *(int(env.step(np.int64(0))[0]) for _ in range(9))]
        [0, 1, 0, 0, 1, 0, 1, 0, 0, 1]
    """

    metadata: dict[str, Any] = gymnasium.Env.metadata | {"render_modes": ["ansi"], "render_fps": 4}

    def __init__(self, longest: int = 5, render_mode: str | None = None) -> None:
        if longest < 1:
            raise ValueError(f"longest must be at least 1, got {longest}")
        self.longest = longest
        self.render_mode = render_mode
        self.observation_space = gymnasium.spaces.Discrete(2)
        self.action_space = gymnasium.spaces.Discrete(2)
        self.run = self.shown = 1

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.int64, dict[str, Any]]:
        super().reset(seed=seed)
        self.run = self.shown = 1
        return np.int64(0), {}

    def step(self, action: np.int64) -> tuple[np.int64, float, bool, bool, dict[str, Any]]:
        symbol = int(self.shown == self.run)
        if symbol:
            self.run = self.run % self.longest + 1
            self.shown = 0
        else:
            self.shown += 1
        return np.int64(symbol), float(action == symbol), False, False, {}

    def render(self) -> Any:
        return f"{self.shown} of {self.run} zeros"
