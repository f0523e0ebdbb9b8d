"""Worlds: what is the world?

Importing this package registers its environments with Gymnasium.

Example:
    >>> import gymnasium
    >>> import aixi.environments
    >>> gymnasium.make("aixi/Tiger-v0").reset(seed=0)
    (np.int64(0), {})

Any environment of episodes is one stream of percepts as `Continuing`, several copies of it as `Continued`:

    >>> from aixi.environments import Continuing
    >>> env = Continuing(gymnasium.make("FrozenLake-v1", is_slippery=False))
    >>> _ = env.reset(seed=0)
    >>> [int(env.step(action)[0]) for action in (2, 1, 2)]  # right, down into a hole, right from the start
    [1, 0, 1]
"""

from aixi.environments.life import Continued, Continuing
from aixi.environments.registry import ENVIRONMENTS, Anchor, EnvironmentRow, make, register

__all__ = ["ENVIRONMENTS", "Anchor", "Continued", "Continuing", "EnvironmentRow", "make", "register"]
