"""Confidence intervals of means over few seeds, by Student's t."""

import math
from collections.abc import Sequence

from aixi.errors import at_least, require


def mean_interval(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float] | None:
    """Returns the two-sided interval of the mean of independent values; None for fewer than two.

    Example:
        >>> low, high = mean_interval([1.0, 2.0, 3.0])
        >>> round(low, 4), round(high, 4)
        (-0.4841, 4.4841)
        >>> mean_interval([1.0]) is None
        True
    """
    count = len(values)
    if count < 2:
        return None
    mean = math.fsum(values) / count
    variance = math.fsum((value - mean) ** 2 for value in values) / (count - 1)
    half = student_t_quantile((1 + confidence) / 2, count - 1) * math.sqrt(variance / count)
    return mean - half, mean + half


def student_t_quantile(probability: float, degrees: int) -> float:
    """Returns the t that Student's distribution does not exceed with a given probability.

    Args:
        probability: in (0, 1).
        degrees: degrees of freedom, at least 1.
    """
    require(0 < probability < 1, f"probability must be above 0 and below 1, got {probability}")
    degrees = at_least("degrees", degrees, 1)
    if probability < 0.5:
        return -student_t_quantile(1 - probability, degrees)
    low, high = 0.0, math.pi / 2
    while low < (middle := (low + high) / 2) < high:  # until no float lies between
        if _central_probability(middle, degrees) < 2 * probability - 1:
            low = middle
        else:
            high = middle
    return math.sqrt(degrees) * math.tan(low)


def _central_probability(angle: float, degrees: int) -> float:
    """Returns P(|t| <= sqrt(n) tan(angle)), a finite sum (Abramowitz and Stegun 1964, 26.7.3 and 26.7.4)."""
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = degrees % 2
    term = cosine if odd else 1.0
    total = 0.0
    for k in range(2 + odd, degrees + 1, 2):
        total += term
        term *= cosine * cosine * (k - 1) / k
    if odd:
        return 2 / math.pi * (angle + sine * total)
    return sine * total
