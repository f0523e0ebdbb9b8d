"""Periodic: what comes after 01010?"""

from typing import Any

import gymnasium
import numpy as np


class Periodic(gymnasium.Env[np.int64, np.int64]):
    """A pattern is shown over and over, a symbol a cycle, and the agent says which comes next.

    ## Description
    The simplest question of an intelligence test, after Hernandez-Orallo (2000). Whoever remembers as much as
    tells the pattern's places apart is never wrong.

    ## Action Space
    `Discrete(symbols)`: the symbol that the agent expects, of as many as the pattern's greatest digit tells.

    ## Observation Space
    `Discrete(symbols)`: the symbol that came.

    ## Starting State
    The pattern begins; the first observation is its first symbol.

    ## Rewards
    1 if the symbol that comes is the one expected, else 0.

    ## Episode End
    Never.

    ## Arguments
    `pattern`: at least one decimal digit; "01" by default.

    ## Version History
    v0: first version.

    Example:
        >>> env = Periodic("012")
        >>> env.reset(seed=0)
        (np.int64(0), {})
        >>> env.step(np.int64(1))
        (np.int64(1), 1.0, False, False, {})
        >>> env.step(np.int64(1))
        (np.int64(2), 0.0, False, False, {})
    """

    metadata: dict[str, Any] = gymnasium.Env.metadata | {"render_modes": ["ansi"], "render_fps": 4}

    def __init__(self, pattern: str = "01", render_mode: str | None = None) -> None:
        if not pattern or set(pattern) - set("0123456789"):
            raise ValueError(f"pattern must be text of at least one digit from 0 to 9, got {pattern!r}")
        self.pattern = pattern
        self.render_mode = render_mode
        symbols = int(max(pattern)) + 1
        self.observation_space = gymnasium.spaces.Discrete(symbols)
        self.action_space = gymnasium.spaces.Discrete(symbols)
        self.position = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.int64, dict[str, Any]]:
        super().reset(seed=seed)
        self.position = 0
        return np.int64(self.pattern[0]), {}

    def step(self, action: np.int64) -> tuple[np.int64, float, bool, bool, dict[str, Any]]:
        self.position = (self.position + 1) % len(self.pattern)
        symbol = np.int64(self.pattern[self.position])
        return symbol, float(action == symbol), False, False, {}

    def render(self) -> Any:
        return f"{self.pattern[: self.position + 1]}?"
