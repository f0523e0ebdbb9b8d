"""Worlds: what is the world?

Importing this package registers its environments with Gymnasium.

Example:
    >>> import gymnasium
    >>> import aixi.environments
    >>> gymnasium.make("aixi/Tiger-v0").reset(seed=0)
    (np.int64(0), {})
"""

from aixi.environments.registry import ENVIRONMENTS, Anchor, EnvironmentRow, make, register

__all__ = ["ENVIRONMENTS", "Anchor", "EnvironmentRow", "make", "register"]
