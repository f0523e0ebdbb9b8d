"""Estimators of a binary source from its counts: Krichevsky-Trofimov and zero-redundancy.

Both give a block of a zeros and b ones a probability that depends on the counts alone:

    KT  P_e(a, b)  = prod_{i=1..a} (i - 1/2) prod_{i=1..b} (i - 1/2) / (a + b)!   (Krichevsky & Trofimov 1981)
    ZR  P_zr(a, b) = 1/2 P_e(a, b) + 1/4 [a = 0] + 1/4 [b = 0],  P_zr(0, 0) = 1   (Willems, Shtarkov & Tjalkens)

The zero-redundancy estimator pays a constant for a deterministic source instead of 1/2 log2 n bits. Once both
symbols have been seen its conditional probabilities are those of KT.
"""

import math

import numpy as np
from numpy.typing import NDArray

from aixi.predictors.intrinsics import Integer, inlined, kernel

KT, ZERO_REDUNDANCY = 0, 1
ESTIMATORS = {"kt": KT, "zero-redundancy": ZERO_REDUNDANCY}

_TABLE = 4096


def _surprise_table() -> NDArray[np.float64]:
    """P_zr of the other symbol after n equal ones, for n below the table's size; exact up to rounding."""
    table = np.empty(_TABLE)
    table[0] = 0.5
    run = 1.0  # P_e(n, 0)
    for n in range(1, _TABLE):
        run *= (n - 0.5) / n
        table[n] = run * (0.5 / (n + 1)) / (run + 0.5)
    return table


_SURPRISE = _surprise_table()


@kernel
def zero_redundancy_surprise(run: Integer) -> float:
    """Returns P_zr(the other symbol | `run` equal symbols)."""
    if run < _TABLE:
        return _SURPRISE[run]
    # P_e(n, 0) = Gamma(n + 1/2) / (sqrt(pi) n!); Stirling's series, relative error below 1e-16 from n = 4096 on.
    inverse = 1.0 / run
    block = (1.0 - inverse / 8.0 * (1.0 - inverse / 16.0 * (1.0 + 5.0 * inverse / 8.0))) / math.sqrt(math.pi * run)
    return block * (0.5 / (run + 1.0)) / (block + 0.5)


@inlined
def probability(seen: Integer, other: Integer, estimator: Integer) -> float:
    """Returns the estimator's probability of a symbol seen `seen` times where the other was seen `other` times.

    Args:
        seen: count of the symbol asked about.
        other: count of the other symbol.
        estimator: `KT` or `ZERO_REDUNDANCY`.
    """
    if estimator == ZERO_REDUNDANCY and (seen == 0 or other == 0):
        return zero_redundancy_surprise(other) if seen == 0 else 1.0 - zero_redundancy_surprise(seen)
    return (seen + 0.5) / (seen + other + 1.0)
