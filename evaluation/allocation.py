"""How many lives to run where: Neyman's allocation with costs, stage by stage until an interval is tight enough.

The variance of a score is sum_e w_e^2 s_e^2 / n_e. Under a budget sum_e c_e n_e it is least where n_e is as
w_e s_e / sqrt(c_e) (Neyman 1934). Spread is unknown beforehand: a pilot of equal numbers measures it, and each later
stage is planned from all lives before. Everything is a function of stored values: a resumed plan is the same plan.
"""

import heapq
import itertools
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aixi.errors import at_least, require
from aixi.evaluation.intervals import FEWEST_SEEDS, Interval, fewest_seeds, score_interval, steadied

PILOT = 10
"""Seeds before the first look: with fewer, intervals after stopping hold too rarely where values are skewed."""


def neyman(weights: ArrayLike, deviations: ArrayLike, costs: ArrayLike, variance: float) -> NDArray[np.float64]:
    """Returns the numbers of lives that reach a variance of the score at the least cost, float64[environments].

    They are n_e = w_e s_e / sqrt(c_e) times sum_i w_i s_i sqrt(c_i) / variance (Neyman 1934, with costs Cochran 1977,
    equation 5.26), and not whole.

    Args:
        weights: float64[environments], at least 0; without weight there are no lives.
        deviations: float64[environments], standard deviation over seeds, at least 0.
        costs: float64[environments], of one life, above 0, in any unit.
        variance: of the score, the one wanted, above 0.

    Example:
        >>> neyman([0.5, 0.5], [0.3, 0.1], [1.0, 4.0], 0.0125).round(9).tolist()
        [3.0, 0.5]
    """
    shares, spread, prices = _checked(weights, deviations, costs)
    require(0 < variance < math.inf, f"variance must be above 0 and finite, got {variance}")
    scale, roots = shares * spread, np.sqrt(prices)
    lives: NDArray[np.float64] = scale / roots * float(scale @ roots) / variance
    return lives


def intervals(
    cube: ArrayLike, weights: ArrayLike, confidence: float = 0.95, pilot: int = PILOT
) -> list[Interval | None]:
    """Returns the intervals that `next_seeds` makes tight: of each two agents' difference, or of one agent's score.

    Args:
        cube: float64[agents, environments, seeds], NaN where no life is.
        weights: float64[environments], summing to 1.
        confidence: in (0, 1).
        pilot: seeds before the first look; it caps the degrees of freedom (see `intervals.score_interval`).

    Returns:
        In the order of `itertools.combinations` of the agents.
    """
    return [score_interval(table, weights, confidence, pilot) for table in _tables(cube)]


def is_precise(found: Sequence[Interval | None], precision: float) -> bool:
    """Returns whether every interval is trustworthy and no wider than the precision on each side, on average.

    Args:
        found: intervals.
        precision: half of the width wanted, in units of the score.
    """
    require(precision > 0, f"precision must be above 0, got {precision}")
    return all(item is not None and item.trustworthy and item.half <= precision for item in found)


def next_seeds(
    cube: ArrayLike,
    weights: ArrayLike,
    costs: ArrayLike,
    precision: float,
    budget: float = math.inf,
    pilot: int = PILOT,
    confidence: float = 0.95,
) -> NDArray[np.int64]:
    """Returns how many more seeds each environment needs in the next stage, int64[environments]; zeros to stop.

    First every environment that counts gets the pilot, or as many as a trustworthy interval takes. Then, while an
    interval is wider than asked for, the numbers that would make the widest one tight by Neyman's allocation are
    approached: by a quarter at least of what an environment has, so that looks are few, and by as much again at
    most, so that a first guess of the spread does no harm. Read intervals after it with the same `pilot`.

    Args:
        cube: float64[agents, environments, seeds], NaN where no life is; all lives so far.
        weights: float64[environments], summing to 1.
        costs: float64[environments], of one seed for all agents, above 0, in any unit.
        precision: half of the width wanted, of the paired difference of any two agents (of one agent: its score).
        budget: what is left, in the same unit.
        pilot: seeds before the first look, at least 5.
        confidence: in (0, 1).

    Example:
        >>> next_seeds([[[0.1, 0.2], [0.3, 0.3]]], [0.5, 0.5], [1.0, 1.0], precision=0.01).tolist()
        [12, 12]
    """
    pilot = at_least("pilot", pilot, FEWEST_SEEDS)
    tables = _tables(cube)
    shares, _, prices = _checked(weights, np.zeros(len(tables[0])), costs)
    require(budget >= 0, f"budget must be at least 0, got {budget}")
    # Of each two agents only what both have lived counts, so that the poorest pair says what is missing.
    lives: NDArray[np.int64] = np.min([(~np.isnan(table)).sum(axis=1) for table in tables], axis=0)
    first = max(pilot, fewest_seeds(shares))
    start = np.where(shares > 0, np.maximum(lives, first), lives)
    if (start > lives).any():
        return _add(lives, np.ones(len(shares)), prices, budget, start) - lives
    found = intervals(cube, shares, confidence, pilot)
    if is_precise(found, precision):
        return np.zeros_like(lives)
    widest = max(range(len(found)), key=lambda item: _half(found[item]))
    deviations = np.sqrt(steadied(_variances(tables[widest], shares), lives, shares))
    # The variance wanted if a seed's lives had nothing in common: what they have, the ratio keeps.
    scale = shares * deviations
    now = float((np.square(scale) / np.maximum(lives, 1)).sum())
    ideal = neyman(shares, deviations, prices, now * (precision / _half(found[widest])) ** 2)
    more = np.clip(np.ceil(ideal) - lives, np.ceil(lives / 4), lives)
    return _add(lives, scale, prices, budget, lives + np.where(ideal > lives, more, 0.0)) - lives


def _add(
    lives: NDArray[np.int64],
    scale: NDArray[np.float64],
    prices: NDArray[np.float64],
    budget: float,
    most: NDArray[np.float64] | NDArray[np.int64],
) -> NDArray[np.int64]:
    """Adds lives one at a time, each where it lowers sum_e scale_e^2 / n_e most for its price."""
    result = lives.astype(np.int64)

    def worth(environment: int) -> float:
        count = max(int(result[environment]), 1)
        return -float(scale[environment] ** 2 / (prices[environment] * count * (count + 1)))

    queue = [(worth(item), item) for item in range(len(result)) if result[item] < most[item] and scale[item] > 0]
    heapq.heapify(queue)
    while queue:
        _, item = heapq.heappop(queue)
        if prices[item] > budget:
            continue  # nor will it be affordable later
        budget -= float(prices[item])
        result[item] += 1
        if result[item] < most[item]:
            heapq.heappush(queue, (worth(item), item))
    return result


def _half(interval: Interval | None) -> float:
    return math.inf if interval is None else interval.half


def _variances(table: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the variances over seeds of the rows that count, 0 for others."""
    result = np.zeros(len(table))
    result[weights > 0] = np.nanvar(table[weights > 0], axis=1, ddof=1)
    return result


def _tables(cube: ArrayLike) -> list[NDArray[np.float64]]:
    """Returns the values of a single agent, or the differences of each two, each float64[environments, seeds]."""
    values = np.asarray(cube, np.float64)
    require(
        values.ndim == 3 and values.size > 0, f"values must be [agents, environments, seeds], got shape {values.shape}"
    )
    if len(values) == 1:
        return [values[0]]
    return [a - b for a, b in itertools.combinations(values, 2)]


def _checked(
    weights: ArrayLike, deviations: ArrayLike, costs: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    shares, spread, prices = (np.asarray(item, np.float64) for item in (weights, deviations, costs))
    require(
        shares.ndim == 1 and shares.shape == spread.shape == prices.shape,
        "weights, deviations and costs must be one for each environment, "
        f"got {shares.shape}, {spread.shape} and {prices.shape}",
    )
    for name, numbers in (("weights", shares), ("deviations", spread)):
        require(bool((numbers >= 0).all()), f"{name} must be at least 0, got {numbers.tolist()}")
    require(bool((prices > 0).all() and np.isfinite(prices).all()), f"costs must be above 0, got {prices.tolist()}")
    require(bool(shares.any()), "at least one environment must weigh more than 0")
    return shares, spread, prices
