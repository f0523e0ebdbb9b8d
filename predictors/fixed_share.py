"""Fixed share: mixing experts of which now one and now another is the best (Herbster & Warmuth 1998).

Experts are weighed by Bayes's rule, and after the t-th outcome each passes the share 1/(t + 1) of its weight on to
the others in equal parts. This is the Bayes mixture over all sequences of experts that switch after outcome t with
that probability. Over T outcomes it costs, beyond the experts that switch k times among n,

    log2 n + k log2(n - 1) + (k + 1) log2 T   bits

at most, whichever and whenever they are, for not switching costs prod t / (t + 1) = 1 / T in all.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aixi.predictors.intrinsics import Integer, kernel
from aixi.predictors.model import call


@kernel
def weigh(weights: NDArray[np.float64], bits: NDArray[np.float64], outcomes: Integer) -> float:
    """Weighs experts after an outcome.

    Args:
        weights: float64[n], n at least 2, that sum to 1; changed in place.
        bits: float64[n], the code length that each expert gave the outcome; infinite if it had excluded it.
        outcomes: t, how many there have been, this one among them.

    Returns:
        The mixture's code length of it, -log2 sum weights 2^-bits; if that is infinite, the weights stay.
    """
    least = math.inf
    for expert in range(weights.size):
        least = min(least, bits[expert])
    if least == math.inf:
        return math.inf
    total = 0.0
    for expert in range(weights.size):
        weights[expert] *= 2.0 ** (least - bits[expert])
        total += weights[expert]
    share = 1.0 / (outcomes + 1.0)
    others = share / (weights.size - 1.0)
    for expert in range(weights.size):
        weight = weights[expert] / total
        weights[expert] = (1.0 - share) * weight + others * (1.0 - weight)
    return least - math.log2(total)


def weighed(weights: NDArray[np.float64], bits: Any, outcomes: int) -> tuple[float, NDArray[np.float64]]:
    """Returns the code length of `weigh` and new weights, the old ones left as they are.

    Example:
        >>> bits, weights = weighed(np.array([0.5, 0.5]), [1.0, 3.0], 1)
        >>> round(bits, 4), weights.tolist()  # -log2((1/2 + 1/8) / 2); after one outcome half of each is shared
        (1.6781, [0.5, 0.5])
        >>> weighed(np.array([0.5, 0.5]), [1.0, 3.0], 4)[1].round(4).tolist()  # 4/5 0.8 + 1/5 0.2
        [0.68, 0.32]
    """
    changed = weights.copy()
    return float(call(weigh, changed, np.array(bits, np.float64), outcomes)), changed
