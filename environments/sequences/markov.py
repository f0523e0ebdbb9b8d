"""Markov: a random sequence that remembers its last few symbols."""

from typing import Any

import gymnasium
import numpy as np


class Markov(gymnasium.Env[np.int64, np.int64]):
    """Zeros and ones come by a chance that hangs on the last few of them, and the agent says which comes next.

    ## Description
    A Markov chain of order k (Markov, 1906). Nobody is right always; best is to expect the likelier symbol after
    each context, whose length the agent has to find out.

    ## Action Space
    `Discrete(2)`: the symbol that the agent expects.

    ## Observation Space
    `Discrete(2)`: the symbol that came.

    ## Starting State
    As if k zeros had come; the first observation is 0, the last of them.

    ## Rewards
    1 if the symbol that comes is the one expected, else 0.

    ## Episode End
    Never.

    ## Arguments
    `table`: 2**k probabilities of a one, in [0, 1]: the last k symbols, oldest first, are a binary number, which
    is the place of theirs. By default a chain of order 1 that tends to go on as before.

    ## Version History
    v0: first version.

    Example:
        >>> env = Markov([1.0, 1.0, 0.0, 0.0])  # the opposite of the last but one
        >>> first, _ = env.reset(seed=0)
        >>> [int(first), *(int(env.step(np.int64(0))[0]) for _ in range(8))]
        [0, 1, 1, 0, 0, 1, 1, 0, 0]
    """

    metadata: dict[str, Any] = gymnasium.Env.metadata | {"render_modes": ["ansi"], "render_fps": 4}

    def __init__(self, table: list[float] | tuple[float, ...] = (0.1, 0.7), render_mode: str | None = None) -> None:
        if len(table) < 2 or len(table) & (len(table) - 1):
            raise ValueError(f"table must have 2, 4, 8 or another power of 2 of entries, got {len(table)}")
        if not all(0 <= probability <= 1 for probability in table):
            raise ValueError(f"probabilities of table must be in [0, 1], got {table}")
        self.table = tuple(table)
        self.render_mode = render_mode
        self.observation_space = gymnasium.spaces.Discrete(2)
        self.action_space = gymnasium.spaces.Discrete(2)
        self.context = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.int64, dict[str, Any]]:
        super().reset(seed=seed)
        self.context = 0
        return np.int64(0), {}

    def step(self, action: np.int64) -> tuple[np.int64, float, bool, bool, dict[str, Any]]:
        symbol = int(self.np_random.random() < self.table[self.context])
        self.context = (2 * self.context + symbol) % len(self.table)
        return np.int64(symbol), float(action == symbol), False, False, {}

    def render(self) -> Any:
        return f"last symbols {self.context:0{len(self.table).bit_length() - 1}b}"
