"""Coin flip: the smallest world in which there is something to learn."""

from typing import Any

import gymnasium
import numpy as np


class CoinFlip(gymnasium.Env[np.int64, np.int64]):
    """A biased coin is flipped every cycle, and the agent bets on the side it will show.

    ## Description
    Flips are independent. Whoever has learnt the bias bets on the likelier side for good.

    ## Action Space
    `Discrete(2)`: the side bet on; 0 tails, 1 heads.

    ## Observation Space
    `Discrete(2)`: the side shown; 0 tails, 1 heads.

    ## Starting State
    The first observation is 0; no flip stands behind it.

    ## Rewards
    1 for a right bet, else 0.

    ## Episode End
    Never.

    ## Arguments
    `probability`: of heads, in [0, 1]; 0.8 by default. The world is not in Veness et al. (2011).

    ## Version History
    v0: first version.

    Example:
        >>> env = CoinFlip(probability=1.0)
        >>> env.reset(seed=0)
        (np.int64(0), {})
        >>> env.step(np.int64(1))
        (np.int64(1), 1.0, False, False, {})
    """

    metadata: dict[str, Any] = gymnasium.Env.metadata | {"render_modes": ["ansi"], "render_fps": 4}

    def __init__(self, probability: float = 0.8, render_mode: str | None = None) -> None:
        if not 0 <= probability <= 1:
            raise ValueError(f"probability must be in [0, 1], got {probability}")
        self.probability = probability
        self.render_mode = render_mode
        self.observation_space = gymnasium.spaces.Discrete(2)
        self.action_space = gymnasium.spaces.Discrete(2)
        self.side = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.int64, dict[str, Any]]:
        super().reset(seed=seed)
        self.side = 0
        return np.int64(0), {}

    def step(self, action: np.int64) -> tuple[np.int64, float, bool, bool, dict[str, Any]]:
        self.side = int(self.np_random.random() < self.probability)
        return np.int64(self.side), float(action == self.side), False, False, {}

    def render(self) -> Any:
        return f"the coin shows {('tails', 'heads')[self.side]}"
