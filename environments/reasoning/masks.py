"""The mask of Countdown for many observations at once, by arithmetic alone: the search makes a table of it.

`countdown.allowed` says the same of one observation, by the rules that the environment itself goes by.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from aixi.environments.reasoning.countdown import GREATEST


@cache
def _places(count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Returns the first and the second place of each pair, in the order of the actions."""
    pairs = np.array([(first, second) for second in range(count) for first in range(second)])
    return pairs[:, 0], pairs[:, 1]


def allowed(numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which actions combine two numbers; all of them where none does, which is when one number is left.

    Args:
        numbers: int64[..., numbers], part 1 of the observation, or of many.

    Returns:
        bool[..., actions].

    Example:
        >>> allowed(np.array([3, 2])).tolist()
        [True, True, True, False]
        >>> allowed(np.array([[3, 2], [5, 0]])).tolist()
        [[True, True, True, False], [True, True, True, True]]
    """
    first, second = _places(numbers.shape[-1])
    one, other = numbers[..., first], numbers[..., second]
    possible = np.empty((*one.shape, 4), np.bool_)
    possible[..., 0] = one + other <= GREATEST
    possible[..., 1] = one > other
    possible[..., 2] = (one * other <= GREATEST) & (one > 0)
    possible[..., 3] = (one % np.maximum(other, 1) == 0) & (one > 0)
    possible &= (other > 0)[..., None]
    mask = possible.reshape(*numbers.shape[:-1], -1)
    return mask | ~mask.any(axis=-1, keepdims=True)


allowed.batched = True  # type: ignore[attr-defined]  # so that the search asks for all numbers at once
