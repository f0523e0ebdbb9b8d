"""Recall: a random word, and then the same word again, forwards or backwards."""

from typing import Any

import gymnasium
import numpy as np


class Recall(gymnasium.Env[np.int64, np.int64]):
    """A random word is shown and then repeated in some order, and the agent says which symbol comes next.

    ## Description
    Copy and reverse, after Graves, Wayne and Danihelka (2014) and Grefenstette et al. (2015), as one endless
    sequence without marks: word, its repetition, a new word, its repetition, and so on. Nobody can know the
    symbols of a new word before they come; those of the repetition follow from the word.

    ## Action Space
    `Discrete(symbols)`: the symbol that the agent expects.

    ## Observation Space
    `Discrete(symbols)`: the symbol that came.

    ## Starting State
    A new word begins; the first observation is its first symbol.

    ## Rewards
    1 if the symbol that comes is the one expected, else 0.

    ## Episode End
    Never. Each repetition is followed by a new word, whose symbols are drawn uniformly one by one.

    ## Arguments
    `order`: the places of the word, counted from 0, in the order of the repetition, a digit each: "0123", the
    default, copies a word of four symbols and "3210" reverses it. `symbols`: how many there are, at least 2;
    2 by default.

    ## Version History
    v0: first version.

    Example:
        >>> env = Recall("10", symbols=5)
        >>> first, _ = env.reset(seed=4)
        >>> [int(first), *(int(env.step(np.int64(0))[0]) for _ in range(7))]
        [3, 4, 4, 3, 4, 2, 2, 4]
    """

    metadata: dict[str, Any] = gymnasium.Env.metadata | {"render_modes": ["ansi"], "render_fps": 4}

    def __init__(self, order: str = "0123", symbols: int = 2, render_mode: str | None = None) -> None:
        if not order or "".join(sorted(order)) != "0123456789"[: len(order)]:
            raise ValueError(f"order must have each digit from 0 to its length less 1 once, got {order!r}")
        if symbols < 2:
            raise ValueError(f"symbols must be at least 2, got {symbols}")
        self.order = order
        self.symbols = symbols
        self.render_mode = render_mode
        self.observation_space = gymnasium.spaces.Discrete(symbols)
        self.action_space = gymnasium.spaces.Discrete(symbols)
        self.word: list[int] = []
        self.repeated = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.int64, dict[str, Any]]:
        super().reset(seed=seed)
        self.word = []
        self.repeated = 0
        return np.int64(self._following()), {}

    def _following(self) -> int:
        if self.repeated == len(self.order):
            self.word = []
            self.repeated = 0
        if len(self.word) < len(self.order):
            self.word.append(int(self.np_random.integers(self.symbols)))
            return self.word[-1]
        self.repeated += 1
        return self.word[int(self.order[self.repeated - 1])]

    def step(self, action: np.int64) -> tuple[np.int64, float, bool, bool, dict[str, Any]]:
        symbol = self._following()
        return np.int64(symbol), float(action == symbol), False, False, {}

    def render(self) -> Any:
        return f"word {self.word}, {self.repeated} of {len(self.order)} repeated"
