"""Tiger: listen long enough before you open a door."""

from typing import Any

import gymnasium
import numpy as np


class Tiger(gymnasium.Env[np.int64, np.int64]):
    """Behind one of two doors waits a tiger, behind the other gold; listening tells which, not surely.

    ## Description
    Kaelbling, Littman and Cassandra (1995), as restated by Veness et al. (2011, section 7).

    ## Action Space
    `Discrete(3)`: 0 listen, 1 open the left door, 2 open the right door.

    ## Observation Space
    `Discrete(3)`: 0 nothing heard, 1 the tiger heard on the left, 2 on the right. Listening names the
    tiger's side with probability `accuracy`, else the other side; opening a door lets nothing be heard.

    ## Starting State
    The tiger waits behind either door with equal probability; the first observation is 0.

    ## Rewards
    `listen_reward` (-1) for listening, `tiger_reward` (-100) for opening the tiger's door, `gold_reward`
    (10) for opening the other.

    ## Episode End
    Never. Once a door was opened, both are closed and the tiger's side is drawn anew, in the same cycle.

    ## Arguments
    `accuracy`: probability of hearing aright, in [0, 1]; `listen_reward`, `tiger_reward`, `gold_reward`:
    any finite numbers. Defaults are the paper's.

    ## Version History
    v0: first version.

    Example:
        >>> env = Tiger(accuracy=1.0)
        >>> _ = env.reset(seed=0)
        >>> heard = env.step(np.int64(0))[0]
        >>> env.step(3 - heard)
        (np.int64(0), 10.0, False, False, {})
    """

    metadata: dict[str, Any] = gymnasium.Env.metadata | {"render_modes": ["ansi"], "render_fps": 4}

    def __init__(
        self,
        accuracy: float = 0.85,
        listen_reward: float = -1.0,
        tiger_reward: float = -100.0,
        gold_reward: float = 10.0,
        render_mode: str | None = None,
    ) -> None:
        if not 0 <= accuracy <= 1:
            raise ValueError(f"accuracy must be in [0, 1], got {accuracy}")
        rewards = {"listen_reward": listen_reward, "tiger_reward": tiger_reward, "gold_reward": gold_reward}
        for name, reward in rewards.items():
            if not np.isfinite(reward):
                raise ValueError(f"{name} must be finite, got {reward}")
        self.accuracy = accuracy
        self.listen_reward = listen_reward
        self.tiger_reward = tiger_reward
        self.gold_reward = gold_reward
        self.render_mode = render_mode
        self.observation_space = gymnasium.spaces.Discrete(3)
        self.action_space = gymnasium.spaces.Discrete(3)
        self.tiger = 1
        self.heard = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.int64, dict[str, Any]]:
        super().reset(seed=seed)
        self._close_doors()
        return np.int64(0), {}

    def _close_doors(self) -> None:
        self.tiger = 1 if self.np_random.random() < 0.5 else 2
        self.heard = 0

    def step(self, action: np.int64) -> tuple[np.int64, float, bool, bool, dict[str, Any]]:
        if action == 0:
            reward = self.listen_reward
            self.heard = self.tiger if self.np_random.random() < self.accuracy else 3 - self.tiger
        else:
            reward = self.tiger_reward if action == self.tiger else self.gold_reward
            self._close_doors()
        return np.int64(self.heard), float(reward), False, False, {}

    def render(self) -> Any:
        doors = ("[tiger]  [gold]", "[gold]  [tiger]")[self.tiger - 1]
        return f"{doors}  heard: {('nothing', 'left', 'right')[self.heard]}"
