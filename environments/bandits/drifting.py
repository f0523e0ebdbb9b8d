"""Drifting bandit: arms that are good for a while and then bad for a while."""

from typing import Any

import gymnasium
import numpy as np


class Drifting(gymnasium.Env[np.int64, np.int64]):
    """Each arm is good or bad and turns now and then, seen or unseen; only a pull tells how an arm is.

    ## Description
    A restless bandit (Whittle, 1988), known as opportunistic access to Gilbert-Elliott channels. While arms
    turn less often than not, it is best to stay with an arm that has paid and to leave one that has not for
    the one pulled longest ago (Ahmad, Liu, Javidi, Zhao and Krishnamachari, 2009).

    ## Action Space
    `Discrete(arms)`: the arm to pull.

    ## Observation Space
    `Discrete(1)`: always 0; the reward tells all.

    ## Starting State
    Each arm is good or bad with equal probability.

    ## Rewards
    1 for pulling a good arm, 0 for a bad one.

    ## Episode End
    Never. At the end of each cycle every arm turns from good to bad or from bad to good with probability `switch`,
    one without regard to another.

    ## Arguments
    `arms`: at least 2; 2 by default. `switch`: in (0, 1); 0.05 by default.

    ## Version History
    v0: first version.

    Example:
        >>> env = Drifting()
        >>> _ = env.reset(seed=0)
        >>> [env.step(np.int64(0))[1] for _ in range(9)]
        [0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    """

    metadata: dict[str, Any] = gymnasium.Env.metadata | {"render_modes": ["ansi"], "render_fps": 4}

    def __init__(self, arms: int = 2, switch: float = 0.05, render_mode: str | None = None) -> None:
        if arms < 2:
            raise ValueError(f"arms must be at least 2, got {arms}")
        if not 0 < switch < 1:
            raise ValueError(f"switch must be in (0, 1), got {switch}")
        self.switch = switch
        self.render_mode = render_mode
        self.observation_space = gymnasium.spaces.Discrete(1)
        self.action_space = gymnasium.spaces.Discrete(arms)
        self.good = [False] * arms

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.int64, dict[str, Any]]:
        super().reset(seed=seed)
        self.good = [self.np_random.random() < 0.5 for _ in self.good]
        return np.int64(0), {}

    def step(self, action: np.int64) -> tuple[np.int64, float, bool, bool, dict[str, Any]]:
        reward = float(self.good[action])
        self.good = [good != (self.np_random.random() < self.switch) for good in self.good]
        return np.int64(0), reward, False, False, {}

    def render(self) -> Any:
        return "  ".join(("bad", "good")[good] for good in self.good)
