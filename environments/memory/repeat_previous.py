"""Repeat previous: say what was shown a few cycles ago."""

from typing import Any

import gymnasium
import numpy as np


class RepeatPrevious(gymnasium.Env[np.int64, np.int64]):
    """Random symbols are shown, and the agent says which was shown a fixed number of cycles ago.

    ## Description
    The n-back test (Kirchner, 1958), after RepeatPrevious of POPGym (Morad et al., 2023), made continuing and drawn
    with replacement. Nothing that the agent does matters for what is shown: it has to keep the last few
    symbols and their order, and nothing else.

    ## Action Space
    `Discrete(symbols)`: the symbol that was shown `delay` observations before the last one.

    ## Observation Space
    `Discrete(symbols)`: a symbol, drawn uniformly each cycle.

    ## Starting State
    As if zeros had been shown; the first observation is drawn.

    ## Rewards
    1 for the right symbol, else 0.

    ## Episode End
    Never.

    ## Arguments
    `delay`: in observations, at least 1; `symbols`: how many there are, at least 2. The defaults, 3 and 4, are
    POPGym's easy setting, whose k = 4 counts the last observation too.

    ## Version History
    v0: first version.

    Example:
        >>> env = RepeatPrevious(delay=1, symbols=9)
        >>> env.reset(seed=0)
        (np.int64(7), {})
        >>> env.step(np.int64(0))
        (np.int64(5), 1.0, False, False, {})
        >>> env.step(np.int64(7))
        (np.int64(4), 1.0, False, False, {})
    """

    metadata: dict[str, Any] = gymnasium.Env.metadata | {"render_modes": ["ansi"], "render_fps": 4}

    def __init__(self, delay: int = 3, symbols: int = 4, render_mode: str | None = None) -> None:
        if delay < 1:
            raise ValueError(f"delay must be at least 1, got {delay}")
        if symbols < 2:
            raise ValueError(f"symbols must be at least 2, got {symbols}")
        self.delay = delay
        self.symbols = symbols
        self.render_mode = render_mode
        self.observation_space = gymnasium.spaces.Discrete(symbols)
        self.action_space = gymnasium.spaces.Discrete(symbols)
        self.shown = [0] * (delay + 1)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.int64, dict[str, Any]]:
        super().reset(seed=seed)
        self.shown = [0] * (self.delay + 1)
        return self._show(), {}

    def _show(self) -> np.int64:
        self.shown = [*self.shown[1:], int(self.np_random.integers(self.symbols))]
        return np.int64(self.shown[-1])

    def step(self, action: np.int64) -> tuple[np.int64, float, bool, bool, dict[str, Any]]:
        reward = float(action == self.shown[0])
        return self._show(), reward, False, False, {}

    def render(self) -> Any:
        return f"shown, the oldest first: {self.shown}"
