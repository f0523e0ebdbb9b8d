"""Switching: a rule that holds for a while."""

from typing import Any

import gymnasium
import numpy as np


class Switching(gymnasium.Env[np.int64, np.int64]):
    """The agent answers cues by a rule that nobody tells it and that now and then becomes another.

    ## Description
    With one cue this is reversal learning, a bandit of one good arm that moves (Garivier and Moulines,
    2011, call such bandits switching); with several it is the card sorting of Grant and Berg (1948), where
    only the reward tells that the rule has changed.

    ## Action Space
    `Discrete(answers)`. The right one is the cue plus the rule, modulo `answers`.

    ## Observation Space
    `Discrete(cues)`: the cue that is to be answered next.

    ## Starting State
    A rule and a cue, uniformly drawn.

    ## Rewards
    1 for the right answer, else 0.

    ## Episode End
    Never. After each answer a new cue is drawn uniformly; after every `period` answers the rule grows by one,
    modulo `answers`, with probability `probability`.

    ## Arguments
    `answers`: at least 2. `cues`: at least 1. `period`: cycles, at least 1. `probability`: in [0, 1].

    ## Version History
    v0: first version.

    Example:
        >>> env = Switching(period=2, probability=1.0)
        >>> _ = env.reset(seed=0)
        >>> [env.step(np.int64(1))[1] for _ in range(6)]
        [1.0, 1.0, 0.0, 0.0, 1.0, 1.0]
    """

    metadata: dict[str, Any] = gymnasium.Env.metadata | {"render_modes": ["ansi"], "render_fps": 4}

    def __init__(
        self,
        answers: int = 2,
        cues: int = 1,
        period: int = 1,
        probability: float = 0.1,
        render_mode: str | None = None,
    ) -> None:
        if answers < 2 or cues < 1 or period < 1:
            raise ValueError(f"answers, cues, period must be at least 2, 1, 1, got {answers}, {cues}, {period}")
        if not 0 <= probability <= 1:
            raise ValueError(f"probability must be in [0, 1], got {probability}")
        self.answers = answers
        self.cues = cues
        self.period = period
        self.probability = probability
        self.render_mode = render_mode
        self.observation_space = gymnasium.spaces.Discrete(cues)
        self.action_space = gymnasium.spaces.Discrete(answers)
        self.rule = self.cue = self.clock = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.int64, dict[str, Any]]:
        super().reset(seed=seed)
        self.rule = int(self.np_random.integers(self.answers))
        self.cue = int(self.np_random.integers(self.cues))
        self.clock = 0
        return np.int64(self.cue), {}

    def step(self, action: np.int64) -> tuple[np.int64, float, bool, bool, dict[str, Any]]:
        right = action == (self.cue + self.rule) % self.answers
        self.cue = int(self.np_random.integers(self.cues))
        self.clock = (self.clock + 1) % self.period
        if self.clock == 0 and self.np_random.random() < self.probability:
            self.rule = (self.rule + 1) % self.answers
        return np.int64(self.cue), float(right), False, False, {}

    def render(self) -> Any:
        return f"cue {self.cue}, right answer {(self.cue + self.rule) % self.answers}"
