"""What each environment counts: weights from description lengths.

Legg and Hutter (2007) weigh an environment by 2^-K. Over a handful of real programs that is the score of the
shortest one alone, since lengths differ by hundreds of bits. The tempered weights keep their order and their
shape, and the temperature says how many environments count in effect.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from aixi.errors import InvalidValueError, require


def tempered(description_bits: Sequence[float], temperature: float) -> NDArray[np.float64]:
    """Returns weights proportional to 2^(-(K - K_min) / T), float64[environments], summing to 1.

    Args:
        description_bits: K of each environment, in bits.
        temperature: T in bits, above 0; 1 gives the literal 2^-K.

    Example:
        >>> tempered([100, 110, 120], 10).round(4).tolist()
        [0.5714, 0.2857, 0.1429]
    """
    require(temperature > 0, f"temperature must be above 0 bits, got {temperature}")
    require(len(description_bits) > 0, "weights need at least one environment, got none")
    lengths = np.asarray(description_bits, np.float64)
    unnormalised = np.exp2(-(lengths - lengths.min()) / temperature)
    weights: NDArray[np.float64] = unnormalised / unnormalised.sum()
    return weights


def literal(description_bits: Sequence[float]) -> NDArray[np.float64]:
    """Returns weights proportional to 2^-K, float64[environments], summing to 1."""
    return tempered(description_bits, 1.0)


def uniform(count: int) -> NDArray[np.float64]:
    """Returns equal weights, float64[count], summing to 1."""
    return tempered([0.0] * count, 1.0)


def effective_number(weights: Sequence[float] | NDArray[np.float64]) -> float:
    """Returns 1 / sum(w^2) for weights that sum to 1: how many environments count in effect.

    Example:
        >>> effective_number([0.25] * 4), effective_number([1.0, 0.0])
        (4.0, 1.0)
    """
    return float(1.0 / np.square(np.asarray(weights, np.float64)).sum())


def solve_temperature(description_bits: Sequence[float], effective: float | None = None) -> float:
    """Returns the temperature in bits at which `effective` environments count.

    Args:
        description_bits: K of each environment, in bits.
        effective: number wanted, half the environments by default; more than those that share the least K,
            and less than all.

    Raises:
        InvalidValueError: if no temperature gives that number.
    """
    count = len(description_bits)
    target = count / 2 if effective is None else effective
    shortest = list(description_bits).count(min(description_bits))
    if not shortest < target < count:
        raise InvalidValueError(
            f"effective number must be above {shortest} and below {count} for these lengths, got {target:g}"
        )
    # The number rises with the temperature: halve the interval of its logarithm.
    low, high = 1e-3, 1e9
    for _ in range(200):
        middle = float(np.sqrt(low * high))
        if effective_number(tempered(description_bits, middle)) < target:
            low = middle
        else:
            high = middle
    return float(np.sqrt(low * high))
