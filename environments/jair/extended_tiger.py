"""Extended tiger: listen sitting down, open doors standing up."""

from typing import Any

import gymnasium
import numpy as np


class ExtendedTiger(gymnasium.Env[np.int64, np.int64]):
    """The tiger's room with a chair: the agent hears only while sitting, and opens only while standing.

    ## Description
    Veness et al. (2011, section 7). Behind one of two doors waits a tiger, behind the other a pot of
    gold. Gold takes several cycles of listening, then standing up, then opening.

    ## Action Space
    `Discrete(4)`: 0 listen, 1 open the left door, 2 open the right door, 3 stand up. Listening and standing
    up are valid only while sitting, opening only while standing.

    ## Observation Space
    `Discrete(3)`: 0 nothing heard, 1 the tiger heard on the left, 2 on the right. Valid listening names the
    tiger's side with probability `accuracy`, else the other side; after any other action nothing is heard.

    ## Starting State
    The agent sits, the tiger waits behind either door with equal probability, and the first observation is 0.

    ## Rewards
    `listen_reward` (-1), `stand_reward` (-1), `tiger_reward` (-100) for opening the tiger's door,
    `gold_reward` (30) for opening the other, and `invalid_reward` (-1) for an action that is not valid;
    such an action changes nothing.

    ## Episode End
    Never. Once a door was opened, both are closed, the tiger's side is drawn anew and the agent sits again,
    in the same cycle.

    ## Arguments
    `accuracy`: probability of hearing aright, in [0, 1]; `listen_reward`, `stand_reward`, `tiger_reward`,
    `gold_reward`, `invalid_reward`: any finite numbers. The paper leaves the rewards of standing up and of
    invalid actions open: here each costs what listening costs. Visentin's code (2011) has
    `invalid_reward=-100` and lets listening cost 0, so that its best value is higher: 5.35 a cycle instead
    of 4.78.

    ## Version History
    v0: first version.

    Example:
        >>> env = ExtendedTiger(accuracy=1.0)
        >>> _ = env.reset(seed=0)
        >>> heard = env.step(np.int64(0))[0]
        >>> env.step(np.int64(3))
        (np.int64(0), -1.0, False, False, {})
        >>> env.step(3 - heard)
        (np.int64(0), 30.0, False, False, {})
    """

    metadata: dict[str, Any] = gymnasium.Env.metadata | {"render_modes": ["ansi"], "render_fps": 4}

    def __init__(
        self,
        accuracy: float = 0.85,
        listen_reward: float = -1.0,
        stand_reward: float = -1.0,
        tiger_reward: float = -100.0,
        gold_reward: float = 30.0,
        invalid_reward: float = -1.0,
        render_mode: str | None = None,
    ) -> None:
        if not 0 <= accuracy <= 1:
            raise ValueError(f"accuracy must be in [0, 1], got {accuracy}")
        rewards = {
            "listen_reward": listen_reward,
            "stand_reward": stand_reward,
            "tiger_reward": tiger_reward,
            "gold_reward": gold_reward,
            "invalid_reward": invalid_reward,
        }
        for name, reward in rewards.items():
            if not np.isfinite(reward):
                raise ValueError(f"{name} must be finite, got {reward}")
        self.accuracy = accuracy
        self.listen_reward = listen_reward
        self.stand_reward = stand_reward
        self.tiger_reward = tiger_reward
        self.gold_reward = gold_reward
        self.invalid_reward = invalid_reward
        self.render_mode = render_mode
        self.observation_space = gymnasium.spaces.Discrete(3)
        self.action_space = gymnasium.spaces.Discrete(4)
        self.tiger = 1
        self.heard = 0
        self.standing = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.int64, dict[str, Any]]:
        super().reset(seed=seed)
        self._restart()
        return np.int64(0), {}

    def _restart(self) -> None:
        self.tiger = 1 if self.np_random.random() < 0.5 else 2
        self.heard = 0
        self.standing = False

    def step(self, action: np.int64) -> tuple[np.int64, float, bool, bool, dict[str, Any]]:
        self.heard = 0
        if action == 0 and not self.standing:
            reward = self.listen_reward
            self.heard = self.tiger if self.np_random.random() < self.accuracy else 3 - self.tiger
        elif action == 3 and not self.standing:
            reward = self.stand_reward
            self.standing = True
        elif action in (1, 2) and self.standing:
            reward = self.tiger_reward if action == self.tiger else self.gold_reward
            self._restart()
        else:
            reward = self.invalid_reward
        return np.int64(self.heard), float(reward), False, False, {}

    def render(self) -> Any:
        doors = ("[tiger]  [gold]", "[gold]  [tiger]")[self.tiger - 1]
        posture = "standing" if self.standing else "sitting"
        return f"{doors}  {posture}  heard: {('nothing', 'left', 'right')[self.heard]}"
