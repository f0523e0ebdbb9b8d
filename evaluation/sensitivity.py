"""How far a ranking of agents hangs on the weights.

Values here are means over seeds, float64[agents, environments]; a score is values @ weights. Ranks are 1 for the
highest score, the middle one for agents that tie.
"""

import itertools
from collections.abc import Mapping

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from aixi.errors import at_least, require
from aixi.evaluation.aggregates import ranks

_CHUNK = 1_000_000  # numbers in one temporary array: 8 MB


class Rankings(msgspec.Struct, frozen=True):
    """Scores and ranks of the same agents under several weightings.

    Attributes:
        names: of the weightings.
        scores: float64[weightings, agents].
        ranks: float64[weightings, agents].
        tau: float64[weightings, weightings], Kendall's tau-b of each two rankings; NaN where one ties all agents.
    """

    names: list[str]
    scores: NDArray[np.float64]
    ranks: NDArray[np.float64]
    tau: NDArray[np.float64]


class Swaps(msgspec.Struct, frozen=True):
    """What it takes to swap neighbours of a ranking.

    Attributes:
        order: int64[agents], from the highest score to the lowest.
        distances: float64[agents - 1], the share of weight that must move for each agent to draw level with the
            one before it; infinite where no weights put it ahead.
    """

    order: NDArray[np.int64]
    distances: NDArray[np.float64]


def kendall_tau(a: ArrayLike, b: ArrayLike) -> float:
    """Returns Kendall's tau-b (1945) of two lists of scores or ranks; NaN if all of one are equal.

    Args:
        a: float64[agents].
        b: float64[agents].

    Example:
        >>> kendall_tau([1, 2, 3, 4], [1, 2, 4, 3])
        0.6666666666666666
    """
    first, second = np.asarray(a, np.float64), np.asarray(b, np.float64)
    require(
        first.ndim == 1 and first.shape == second.shape,
        f"both lists must have one number for each agent, got shapes {first.shape} and {second.shape}",
    )
    signs_a, signs_b = (np.sign(np.subtract.outer(x, x)) for x in (first, second))
    pairs = float(np.sqrt(np.square(signs_a).sum() * np.square(signs_b).sum()))
    return float((signs_a * signs_b).sum()) / pairs if pairs else float("nan")


def rankings(values: ArrayLike, weightings: Mapping[str, ArrayLike]) -> Rankings:
    """Returns scores, ranks and their agreement under named weights.

    Args:
        values: float64[agents, environments].
        weightings: float64[environments] by name, each summing to 1.

    Example:
        >>> table = rankings([[1.0, 0.0], [0.0, 0.8]], {"even": [0.5, 0.5], "second": [0.1, 0.9]})
        >>> table.ranks.tolist(), table.tau.tolist()
        ([[1.0, 2.0], [2.0, 1.0]], [[1.0, -1.0], [-1.0, 1.0]])
    """
    table = _table(values)
    require(bool(weightings), "rankings need at least one weighting, got none")
    names = list(weightings)
    scores = np.stack([table @ _weights(weightings[name], table) for name in names])
    tau = np.array([[kendall_tau(a, b) for b in scores] for a in scores])
    return Rankings(names, scores, ranks(scores), tau)


def rank_acceptability(
    values: ArrayLike, low: ArrayLike, high: ArrayLike, rng: np.random.Generator, samples: int = 10_000
) -> NDArray[np.float64]:
    """Returns the share of weights under which each agent has each rank, float64[agents, ranks].

    Stochastic multicriteria acceptability analysis (Lahdelma, Hokkanen and Salminen 1998). Weights are drawn
    log-uniformly within their ranges and divided by their sum. Agents that tie share the ranks they hold.

    Args:
        values: float64[agents, environments].
        low: float64[environments], the least weight of each, above 0; 0 where `high` is 0 too.
        high: float64[environments], the greatest; a range of no width is a fixed weight.
        rng: source of the draws.
        samples: number of weights drawn; the standard error of a share p is sqrt(p (1 - p) / samples).

    Example:
        >>> rank_acceptability([[0.9, 0.5], [0.1, 0.4]], [1, 1], [4, 2], np.random.default_rng(0)).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """
    table = _table(values)
    samples = at_least("samples", samples, 1)
    least, most = np.asarray(low, np.float64), np.asarray(high, np.float64)
    require(
        least.shape == most.shape == table.shape[1:],
        f"ranges must be one for each environment, got {least.shape} and {most.shape} for {table.shape[1]}",
    )
    right = ((least > 0) | (most == 0)) & (least <= most) & (least >= 0) & np.isfinite(most)
    wrong = np.flatnonzero(~right)
    require(
        not wrong.size,
        "a range must be 0 < low <= high, or 0 and 0, "
        f"got {[(float(least[i]), float(most[i])) for i in wrong]} for environments {wrong.tolist()}",
    )
    require(bool(most.any()), "at least one environment must weigh more than 0")
    counting = most > 0
    start, width = np.log(least[counting]), np.log(most[counting] / least[counting])
    agents = len(table)
    shares = np.zeros((agents, agents))
    step = max(1, _CHUNK // max(table.shape[1], agents * agents))
    for first in range(0, samples, step):
        rows = min(step, samples - first)
        drawn = np.exp(start + width * rng.random((rows, len(start))))
        scores = (drawn / drawn.sum(axis=1, keepdims=True)) @ table[:, counting].T
        above = (scores[:, None, :] > scores[:, :, None]).sum(axis=2)
        equal = (scores[:, None, :] == scores[:, :, None]).sum(axis=2)
        for rank in range(agents):
            shares[:, rank] += np.where((above <= rank) & (rank < above + equal), 1 / equal, 0.0).sum(axis=0)
    return shares / samples


def dominance(values: ArrayLike) -> NDArray[np.bool_]:
    """Returns which agent (row) is ahead of which (column) whatever the weights, bool[agents, agents].

    That is so if it is nowhere worse and somewhere better.

    Args:
        values: float64[agents, environments].

    Example:
        >>> dominance([[0.5, 0.9], [0.5, 0.3], [0.6, 0.1]]).astype(int).tolist()
        [[0, 1, 0], [0, 0, 0], [0, 0, 0]]
    """
    table = _table(values)
    a, b = table[:, None, :], table[None, :, :]
    ahead: NDArray[np.bool_] = np.logical_and((a >= b).all(axis=2), (a > b).any(axis=2))
    return ahead


def swap_distances(values: ArrayLike, weights: ArrayLike) -> Swaps:
    """Returns how little weight must move between environments to swap neighbours of the ranking.

    The measure is total variation, half of the L1 distance: the share of weight that moves. With d_e the lead of the
    higher agent in environment e, a share moved from e to f takes d_e - d_f off its lead. So the least change takes
    weight from where d is greatest, one environment after another, to where d is least, until the lead is gone.

    Args:
        values: float64[agents, environments].
        weights: float64[environments], summing to 1.

    Example:
        >>> swap_distances([[1.0, 0.0], [0.0, 1.0]], [0.75, 0.25]).distances.tolist()
        [0.25]
    """
    table = _table(values)
    shares = _weights(weights, table)
    scores = table @ shares
    order = np.argsort(-scores, kind="stable")
    distances = [_distance(table[a] - table[b], shares) for a, b in itertools.pairwise(order)]
    return Swaps(order, np.array(distances, np.float64))


def _distance(lead: NDArray[np.float64], shares: NDArray[np.float64]) -> float:
    gap = float(lead @ shares)
    if gap <= 0:
        return 0.0
    least = float(lead.min())
    if least >= 0:
        return float("inf")
    moved = 0.0
    for environment in np.argsort(-lead, kind="stable"):
        gain = float(lead[environment] - least)
        share = float(shares[environment])
        if share * gain >= gap:
            return moved + gap / gain
        gap -= share * gain
        moved += share
    return 1.0  # rounding alone leads here: all weight is where the lead is least


def _table(values: ArrayLike) -> NDArray[np.float64]:
    table = np.asarray(values, np.float64)
    require(table.ndim == 2 and table.size > 0, f"values must be [agents, environments], got shape {table.shape}")
    require(
        bool(np.isfinite(table).all()),
        "values must be finite for each agent in each environment; leave out agents or environments without lives",
    )
    return table


def _weights(weights: ArrayLike, table: NDArray[np.float64]) -> NDArray[np.float64]:
    shares = np.asarray(weights, np.float64)
    require(
        shares.shape == table.shape[1:],
        f"weights must be one for each environment, got shape {shares.shape} for {table.shape[1]} environments",
    )
    require(
        bool((shares >= 0).all()) and abs(float(shares.sum()) - 1) < 1e-9,
        f"weights must be at least 0 and sum to 1, got {shares.tolist()}",
    )
    return shares
