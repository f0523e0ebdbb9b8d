"""Repeated game: two moves, many rounds, and an opponent that remembers."""

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np


class RepeatedGame(gymnasium.Env[np.int64, np.int64]):
    """A game of two moves a side is played for ever against a strategy of bounded memory.

    ## Description
    A round is a game of Luce and Raiffa (1957); the opponent's strategy is a table of what it does after
    what was played last, as in Nowak and Sigmund (1993) and Press and Dyson (2012). Tit-for-tat, win-stay
    lose-shift, a grim trigger that forgives and tit-for-two-tats are such tables.

    ## Action Space
    `Discrete(2)`: the agent's move. In the prisoner's dilemma 0 cooperates and 1 defects.

    ## Observation Space
    `Discrete(2)`: the opponent's move in the same round.

    ## Starting State
    As if both had made move 0 in every round before; the first observation is 0.

    ## Rewards
    What `payoffs` says of the round.

    ## Episode End
    Never.

    ## Arguments
    A round is numbered `2 * own move + opponent's move`. `payoffs`: the agent's reward in each of the four
    rounds. `opponent`: probability that the opponent makes move 0, after each row of rounds that it
    remembers, the earliest first and each weighing four times as much as the next: 1, 4 or 16 numbers are a
    memory of 0, 1 or 2 rounds. The defaults are the prisoner's dilemma of Axelrod (1984) and tit-for-tat.

    ## Version History
    v0: first version.

    Example:
        >>> env = RepeatedGame()
        >>> _ = env.reset(seed=0)
        >>> [env.step(np.int64(move))[:2] for move in (1, 1, 0)]
        [(np.int64(0), 5.0), (np.int64(1), 1.0), (np.int64(1), 0.0)]
    """

    metadata: dict[str, Any] = gymnasium.Env.metadata | {"render_modes": ["ansi"], "render_fps": 4}

    def __init__(
        self,
        payoffs: Sequence[float] = (3, 0, 5, 1),
        opponent: Sequence[float] = (1, 1, 0, 0),
        render_mode: str | None = None,
    ) -> None:
        if len(payoffs) != 4 or not np.isfinite(payoffs).all():
            raise ValueError(f"payoffs must be four finite numbers, got {payoffs}")
        if len(opponent) not in (1, 4, 16) or not all(0 <= chance <= 1 for chance in opponent):
            raise ValueError(f"opponent must be 1, 4 or 16 probabilities, got {opponent}")
        self.payoffs = payoffs
        self.opponent = opponent
        self.render_mode = render_mode
        self.observation_space = gymnasium.spaces.Discrete(2)
        self.action_space = gymnasium.spaces.Discrete(2)
        self.history = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.int64, dict[str, Any]]:
        super().reset(seed=seed)
        self.history = 0
        return np.int64(0), {}

    def step(self, action: np.int64) -> tuple[np.int64, float, bool, bool, dict[str, Any]]:
        move = 0 if self.np_random.random() < self.opponent[self.history] else 1
        played = 2 * int(action) + move
        self.history = (4 * self.history + played) % len(self.opponent)
        return np.int64(move), float(self.payoffs[played]), False, False, {}

    def render(self) -> Any:
        return f"the opponent makes move 0 with probability {self.opponent[self.history]}"
