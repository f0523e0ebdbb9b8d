"""Biased rock-paper-scissors: an opponent that believes in a lucky rock."""

from typing import Any

import gymnasium
import numpy as np

MOVES = ("rock", "paper", "scissors")


class BiasedRockPaperScissors(gymnasium.Env[np.int64, np.int64]):
    """The opponent plays rock again if it has just won with rock; otherwise it plays uniformly at random.

    ## Description
    Farias, Moallemi, Van Roy and Weissman (2010), as restated by Veness et al. (2011, section 7). Losing
    to a rock on purpose buys a sure win with paper.

    ## Action Space
    `Discrete(3)`: 0 rock, 1 paper, 2 scissors.

    ## Observation Space
    `Discrete(3)`: the move that the opponent has just made, numbered in the same way.

    ## Starting State
    The opponent has won nothing yet; the first observation is 0 and no move stands behind it.

    ## Rewards
    1 for a win, 0 for a draw, -1 for a loss.

    ## Episode End
    Never.

    ## Arguments
    None: the paper leaves nothing open.

    ## Version History
    v0: first version.

    Example:
        >>> env = BiasedRockPaperScissors()
        >>> _ = env.reset(seed=0)
        >>> moves = [env.step(np.int64(1)) for _ in range(5)]
        >>> [(int(move), reward) for move, reward, *_ in moves]
        [(2, -1.0), (1, 0.0), (1, 0.0), (0, 1.0), (0, 1.0)]
    """

    metadata: dict[str, Any] = gymnasium.Env.metadata | {"render_modes": ["ansi"], "render_fps": 4}

    def __init__(self, render_mode: str | None = None) -> None:
        self.render_mode = render_mode
        self.observation_space = gymnasium.spaces.Discrete(3)
        self.action_space = gymnasium.spaces.Discrete(3)
        self.move = 0
        self.lucky = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.int64, dict[str, Any]]:
        super().reset(seed=seed)
        self.move = 0
        self.lucky = False
        return np.int64(0), {}

    def step(self, action: np.int64) -> tuple[np.int64, float, bool, bool, dict[str, Any]]:
        self.move = 0 if self.lucky else int(self.np_random.integers(3))
        reward = (0.0, 1.0, -1.0)[(action - self.move) % 3]
        self.lucky = self.move == 0 and reward < 0
        return np.int64(self.move), reward, False, False, {}

    def render(self) -> Any:
        return f"the opponent played {MOVES[self.move]}{' and won with it' if self.lucky else ''}"
