"""Bernoulli bandit: arms that pay 1 or nothing."""

from typing import Any

import gymnasium
import numpy as np


class Bernoulli(gymnasium.Env[np.int64, np.int64]):
    """Each arm pays 1 with a probability of its own, which the agent has to find out by pulling it.

    ## Description
    Thompson (1933), Robbins (1952). The question is how much to try before settling; the lower bound on what
    trying costs is that of Lai and Robbins (1985).

    ## Action Space
    `Discrete(arms)`: the arm to pull.

    ## Observation Space
    `Discrete(1)`: always 0; the reward tells all.

    ## Starting State
    Always the same.

    ## Rewards
    1 if the arm pays, else 0.

    ## Episode End
    Never.

    ## Arguments
    `probabilities`: of a payment, one in [0, 1] an arm, at least two arms; 0.3 and 0.7 by default. They are fixed
    for good, so that the best arm's probability is the best average.

    ## Version History
    v0: first version.

    Example:
        >>> env = Bernoulli([0.0, 1.0])
        >>> env.reset(seed=0)
        (np.int64(0), {})
        >>> env.step(np.int64(1))
        (np.int64(0), 1.0, False, False, {})
    """

    metadata: dict[str, Any] = gymnasium.Env.metadata | {"render_modes": ["ansi"], "render_fps": 4}

    def __init__(
        self, probabilities: list[float] | tuple[float, ...] = (0.3, 0.7), render_mode: str | None = None
    ) -> None:
        if len(probabilities) < 2 or not all(0 <= probability <= 1 for probability in probabilities):
            raise ValueError(f"probabilities must be at least two numbers in [0, 1], got {probabilities}")
        self.probabilities = tuple(probabilities)
        self.render_mode = render_mode
        self.observation_space = gymnasium.spaces.Discrete(1)
        self.action_space = gymnasium.spaces.Discrete(len(probabilities))

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.int64, dict[str, Any]]:
        super().reset(seed=seed)
        return np.int64(0), {}

    def step(self, action: np.int64) -> tuple[np.int64, float, bool, bool, dict[str, Any]]:
        paid = self.np_random.random() < self.probabilities[action]
        return np.int64(0), float(paid), False, False, {}

    def render(self) -> Any:
        return f"arms that pay with probability {', '.join(map(str, self.probabilities))}"
