"""What each environment counts: weights from description lengths.

Legg and Hutter (2007) weigh an environment by 2^-K. Over a handful of real programs that is the score of the
shortest one alone, since lengths differ by hundreds of bits. The tempered weights keep their order and their
shape, and the temperature says how many environments count in effect; strata keep their order only.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aixi.errors import InvalidValueError, require

STRATUM_BITS = 1024.0
"""Width of a stratum of K, in bits."""


def tempered(description_bits: ArrayLike, temperature: float) -> NDArray[np.float64]:
    """Returns weights proportional to 2^(-(K - K_min) / T), float64[environments], summing to 1.

    Args:
        description_bits: K of each environment, in bits.
        temperature: T in bits, above 0; 1 gives the literal 2^-K.

    Example:
        >>> tempered([100, 110, 120], 10).round(4).tolist()
        [0.5714, 0.2857, 0.1429]
    """
    require(temperature > 0, f"temperature must be above 0 bits, got {temperature}")
    lengths = np.asarray(description_bits, np.float64)
    require(lengths.size > 0, "weights need at least one environment, got none")
    unnormalised = np.exp2(-(lengths - lengths.min()) / temperature)
    weights: NDArray[np.float64] = unnormalised / unnormalised.sum()
    return weights


def literal(description_bits: ArrayLike) -> NDArray[np.float64]:
    """Returns weights proportional to 2^-K, float64[environments], summing to 1."""
    return tempered(description_bits, 1.0)


def uniform(count: int) -> NDArray[np.float64]:
    """Returns equal weights, float64[count], summing to 1."""
    return tempered([0.0] * count, 1.0)


def strata_of(description_bits: ArrayLike, width: float = STRATUM_BITS) -> NDArray[np.int64]:
    """Returns the stratum of each environment, int64[environments]: floor(K / width).

    Bins start at 0 and are equally wide, so that a new environment moves no other into another stratum.

    Args:
        description_bits: K of each environment, in bits.
        width: of a bin, in bits.

    Example:
        >>> strata_of([1760, 2536, 3536]).tolist()
        [1, 2, 3]
    """
    require(0 < width < np.inf, f"width must be above 0 bits, got {width}")
    return np.floor(np.asarray(description_bits, np.float64) / width).astype(np.int64)


def strata(description_bits: ArrayLike, width: float = STRATUM_BITS) -> NDArray[np.float64]:
    """Returns weights by strata of K, float64[environments], summing to 1.

    A stratum weighs half of the one before, whether or not anything is in that, and its environments share
    its weight alike: so a few bits of noise in K change nothing, but at the edge of a bin.

    Args:
        description_bits: K of each environment, in bits.
        width: of a bin, in bits.

    Example:
        >>> strata([1100, 1900, 2500]).round(4).tolist()
        [0.3333, 0.3333, 0.3333]
    """
    bins = strata_of(description_bits, width)
    require(len(bins) > 0, "weights need at least one environment, got none")
    _, position, counts = np.unique(bins, return_inverse=True, return_counts=True)
    unnormalised = np.exp2(-(bins - bins.min()).astype(np.float64)) / counts[position]
    weights: NDArray[np.float64] = unnormalised / unnormalised.sum()
    return weights


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
