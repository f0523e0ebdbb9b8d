"""Tic-tac-toe against an opponent that moves at random."""

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

LINES = ((0, 1, 2), (3, 4, 5), (6, 7, 8), (0, 3, 6), (1, 4, 7), (2, 5, 8), (0, 4, 8), (2, 4, 6))


class TicTacToe(gymnasium.Env[NDArray[np.int64], np.int64]):
    """The agent plays game after game of tic-tac-toe, moves first, and meets uniformly random replies.

    ## Description
    Veness et al. (2011, section 7). A cycle is the agent's move and the opponent's reply.

    ## Action Space
    `Discrete(9)`: the square to mark, row by row from the top left.

    ## Observation Space
    `MultiDiscrete([3] * 9)`: the squares row by row; 0 empty, 1 the agent's, 2 the opponent's.

    ## Starting State
    The empty board.

    ## Rewards
    2 for a win, 1 for a draw, -2 for a loss, -3 for marking a square that is taken, else 0.

    ## Episode End
    Never. A game that is won, drawn or lost, or broken off by an illegal move, is followed by an empty
    board in the same cycle, which is what the observation shows.

    ## Arguments
    None. The paper does not say what follows an illegal move; a new game does, as in Visentin's code (2011).

    ## Version History
    v0: first version.

    Example:
        >>> env = TicTacToe()
        >>> _ = env.reset(seed=0)
        >>> board, reward, *_ = env.step(np.int64(4))
        >>> int(board[4]), int((board == 2).sum()), reward
        (1, 1, 0.0)
        >>> env.step(np.int64(4))[:2]
        (array([0, 0, 0, 0, 0, 0, 0, 0, 0]), -3.0)
    """

    metadata: dict[str, Any] = gymnasium.Env.metadata | {
        "render_modes": ["ansi", "rgb_array"],
        "render_fps": 4,
    }

    def __init__(self, render_mode: str | None = None) -> None:
        self.render_mode = render_mode
        self.observation_space = gymnasium.spaces.MultiDiscrete([3] * 9)
        self.action_space = gymnasium.spaces.Discrete(9)
        self.board = [0] * 9

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.int64], dict[str, Any]]:
        super().reset(seed=seed)
        self.board = [0] * 9
        return np.array(self.board), {}

    def step(self, action: np.int64) -> tuple[NDArray[np.int64], float, bool, bool, dict[str, Any]]:
        reward = self._play(int(action))
        if reward:
            self.board = [0] * 9
        return np.array(self.board), float(reward), False, False, {}

    def _play(self, square: int) -> int:
        if self.board[square]:
            return -3
        self.board[square] = 1
        if self._has_line(1):
            return 2
        empty = [square for square in range(9) if not self.board[square]]
        if not empty:
            return 1
        self.board[empty[self.np_random.integers(len(empty))]] = 2
        return -2 if self._has_line(2) else 0

    def _has_line(self, player: int) -> bool:
        return any(self.board[a] == self.board[b] == self.board[c] == player for a, b, c in LINES)

    def render(self) -> Any:
        marks = ["_XO"[mark] for mark in self.board]
        text = "\n".join("".join(marks[row : row + 3]) for row in (0, 3, 6))
        if self.render_mode == "ansi":
            return text
        from aixi.environments.rendering import picture

        return picture(text)
