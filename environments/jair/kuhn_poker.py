"""Kuhn poker: three cards, two players, one bet."""

from typing import Any

import gymnasium
import numpy as np

DEALS = ((0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1))


class KuhnPoker(gymnasium.Env[tuple[np.int64, ...], np.int64]):
    """The agent plays hand after hand of Kuhn poker, as second player, against an equilibrium strategy.

    ## Description
    Kuhn (1950), opponent after Hoehn, Southey, Holte and Bulitko (2005), as restated by Veness et al.
    (2011, section 7). Each player puts in one chip and gets one of the cards jack, queen, king. The
    opponent passes or bets one chip, then the agent does. A bet may be answered by a bet, which leads to a
    showdown, or by a pass, which gives the hand away; if the agent bets after a pass, the opponent answers.
    The higher card wins a showdown.

    ## Action Space
    `Discrete(2)`: 0 pass, 1 bet. A cycle is one hand: the action ends it, and the next hand is dealt.

    ## Observation Space
    `Tuple(Discrete(3), Discrete(2))`: the agent's card (0 jack, 1 queen, 2 king) and the opponent's first
    move (0 pass, 1 bet) in the hand that the next action is for.

    ## Starting State
    A dealt hand in which the opponent has made its first move.

    ## Rewards
    Chips won in the hand: -2, -1, 1 or 2.

    ## Episode End
    Never.

    ## Arguments
    `gamma`: the opponent's free parameter, in [0, 1]: it bets a jack with probability `gamma / 3`, a queen
    never and a king with probability `gamma`, and answers a bet with a jack never, with a queen with
    probability `(1 + gamma) / 3` and with a king always. Each value is an equilibrium, in which the agent
    can win 1/18 chip a hand and no more. The paper does not name it; 0.7 is that of Visentin's code (2011).

    ## Version History
    v0: first version.

    Example:
        >>> env = KuhnPoker(gamma=1.0)
        >>> env.reset(seed=0)
        ((np.int64(2), np.int64(0)), {})
        >>> env.step(np.int64(0))[1]
        1.0
    """

    metadata: dict[str, Any] = gymnasium.Env.metadata | {"render_modes": ["ansi"], "render_fps": 4}

    def __init__(self, gamma: float = 0.7, render_mode: str | None = None) -> None:
        if not 0 <= gamma <= 1:
            raise ValueError(f"gamma must be in [0, 1], got {gamma}")
        self.bet_probability = (gamma / 3, 0.0, gamma)
        self.call_probability = (0.0, (1 + gamma) / 3, 1.0)
        self.render_mode = render_mode
        self.observation_space = gymnasium.spaces.Tuple((gymnasium.spaces.Discrete(3), gymnasium.spaces.Discrete(2)))
        self.action_space = gymnasium.spaces.Discrete(2)
        self.card, self.rival = DEALS[0]
        self.bet = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[tuple[np.int64, ...], dict[str, Any]]:
        super().reset(seed=seed)
        return self._deal(), {}

    def _deal(self) -> tuple[np.int64, ...]:
        self.card, self.rival = DEALS[self.np_random.integers(6)]
        self.bet = bool(self.np_random.random() < self.bet_probability[self.rival])
        return np.int64(self.card), np.int64(self.bet)

    def step(self, action: np.int64) -> tuple[tuple[np.int64, ...], float, bool, bool, dict[str, Any]]:
        answered = self.bet or self.np_random.random() < self.call_probability[self.rival]
        if self.bet and not action:
            reward = -1.0
        elif action and not answered:
            reward = 1.0
        else:
            stake = 2.0 if action else 1.0
            reward = stake if self.card > self.rival else -stake
        return self._deal(), reward, False, False, {}

    def render(self) -> Any:
        cards = ("jack", "queen", "king")
        first = "bets" if self.bet else "passes"
        return f"you hold a {cards[self.card]}, the opponent {first} (with a {cards[self.rival]})"
