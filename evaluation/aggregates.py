"""Summaries of many lives beside the score: interquartile mean, profiles, improvement, ranks.

An agent's values stand in a table float64[environments, seeds], NaN where no life is; several agents' in a cube
float64[agents, environments, seeds], with the same seed in the same column everywhere. Environments count alike
unless weights are given, however many lives each holds. Formulas: Agarwal et al. (2021, "Deep reinforcement
learning at the edge of the statistical precipice").
"""

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from aixi.errors import at_least, require
from aixi.evaluation.intervals import FEWEST_LIVES, FEWEST_SEEDS, Interval, score_interval


def interquartile_mean(values: ArrayLike) -> float:
    """Returns the mean of the middle half of all values.

    Of N lives in equal numbers, floor(N / 4) are left out on each side; where numbers differ, a life counts one
    part in those of its environment, and the same share of the whole is left out.

    Args:
        values: float64[environments, seeds], NaN where no life is.

    Example:
        >>> round(interquartile_mean([[0.0, 0.4], [0.6, 9.0]]), 12)
        0.5
    """
    ordered, masses, *_ = _ordered(values)
    return float(_trimmed_mean(ordered, masses[None, :])[0])


def interquartile_mean_interval(
    values: ArrayLike, confidence: float = 0.95, pilot: int | None = None
) -> Interval | None:
    """Returns the interquartile mean and its interval over seeds, the environments fixed.

    The jackknife over seeds (Tukey 1958; for trimmed means Efron 1982, "The jackknife, the bootstrap and other
    resampling plans"): with m_s the mean without seed s, m + (n - 1) (mean of all m_s - m_s) stands for the seed, and
    these have the interval of `intervals.score_interval`, of standard error sqrt((n - 1) / n sum_s (m_s - mean)^2).
    What a seed shares across environments stays together, and the share that is left out stays that of all lives.
    Where numbers of seeds differ, degrees are those of the environment with the fewest.
    `benchmarks/interval_coverage.py` measures how often it holds (section `interquartile_mean`).

    Args:
        values: float64[environments, seeds], NaN where no life is.
        confidence: in (0, 1).
        pilot: as in `intervals.score_interval`.

    Returns:
        The interval, trustworthy as that of a score with equal weights is; None if an environment has fewer than two
        lives.

    Example:
        >>> interval = interquartile_mean_interval([[0.2, 0.4], [0.3, 0.5]])
        >>> round(interval.mean, 4), round(interval.standard_error, 4), interval.degrees, interval.trustworthy
        (0.35, 0.1, 1.0, False)
        >>> interquartile_mean_interval([[0.2], [0.3]]) is None
        True
    """
    require(pilot is None or pilot >= 2, f"pilot must be at least 2, got {pilot}")
    ordered, masses, rows, columns = _ordered(values)
    counts = np.bincount(rows)
    least = int(counts.min())
    if least < 2:
        return None
    mean = float(_trimmed_mean(ordered, masses[None, :])[0])
    seeds = np.unique(columns)
    without = columns != seeds[:, None]
    # Without one of its n lives, each of the others counts n / (n - 1) times as much.
    left = np.stack([np.bincount(rows, weights=kept) for kept in without])
    means = _trimmed_mean(ordered, masses * without * (counts / left)[:, rows])
    stand_ins = mean + (len(seeds) - 1) * (means.mean() - means)
    found = score_interval(stand_ins[None, :], [1.0], confidence, least if pilot is None else min(least, pilot))
    if found is None:
        return None
    lives = len(counts) ** 2 / float((1 / counts).sum())  # in effect, 1 / sum_e (w_e^2 / n_e)
    trustworthy = found.degrees + 1 >= FEWEST_SEEDS and lives >= FEWEST_LIVES * (1 - 1e-12)
    return msgspec.structs.replace(found, seeds=least, trustworthy=trustworthy)


def performance_profile(values: ArrayLike, thresholds: ArrayLike) -> NDArray[np.float64]:
    """Returns for each threshold the share of lives above it, float64[thresholds], the mean over environments.

    Args:
        values: float64[environments, seeds], NaN where no life is.
        thresholds: float64[thresholds].

    Example:
        >>> performance_profile([[0.0, 1.0], [0.6, 0.7]], [0.0, 0.5, 0.65]).tolist()
        [0.75, 0.75, 0.5]
    """
    table = _table(values)
    above = (table[:, :, None] > np.asarray(thresholds, np.float64)).sum(axis=1)  # NaN is above nothing
    shares: NDArray[np.float64] = (above / _lives(table)[:, None]).mean(axis=0)
    return shares


def optimality_gap(values: ArrayLike, target: float = 1.0) -> float:
    """Returns by how much values fall short of a target on average; what is above it makes up for nothing.

    Args:
        values: float64[environments, seeds], NaN where no life is.
        target: the value wanted; 1 is the best known.

    Example:
        >>> optimality_gap([[0.5, 2.0]])
        0.25
    """
    table = _table(values)
    short = np.where(np.isnan(table), 0.0, np.maximum(target - table, 0.0))
    return float((short.sum(axis=1) / _lives(table)).mean())


def probability_of_improvement(values_a: ArrayLike, values_b: ArrayLike) -> float:
    """Returns how often a life of agent A beats one of agent B: Mann and Whitney's U / (n m), mean over environments.

    Args:
        values_a: float64[environments, seeds of A], NaN where no life is; ties count one half.
        values_b: float64[environments, seeds of B].

    Example:
        >>> probability_of_improvement([[1.0, 2.0]], [[0.0, 2.0]])
        0.625
    """
    first, second = _table(values_a), _table(values_b)
    require(
        len(first) == len(second), f"both agents must have the same environments, got {len(first)} and {len(second)}"
    )
    a, b = first[:, :, None], second[:, None, :]
    wins = (a > b).sum(axis=(1, 2)) + 0.5 * (a == b).sum(axis=(1, 2))
    return float((wins / (_lives(first) * _lives(second))).mean())


def ranks(scores: ArrayLike) -> NDArray[np.float64]:
    """Returns ranks along the last axis, 1 for the highest score, the middle one for those that tie.

    Args:
        scores: float64[..., agents].

    Example:
        >>> ranks([0.3, 0.7, 0.3]).tolist()
        [2.5, 1.0, 2.5]
    """
    numbers = np.asarray(scores, np.float64)
    require(not np.isnan(numbers).any(), "scores must be numbers to be ranked, got NaN; leave such agents out")
    ordered = np.sort(numbers, axis=-1)
    order = np.argsort(numbers, axis=-1, kind="stable")
    # Of each run of equal scores: its first and its last place from below.
    places = np.broadcast_to(np.arange(numbers.shape[-1]), numbers.shape)
    new = np.ones(numbers.shape, bool)
    new[..., 1:] = ordered[..., 1:] != ordered[..., :-1]
    first = np.maximum.accumulate(np.where(new, places, 0), axis=-1)
    ends = np.ones(numbers.shape, bool)
    ends[..., :-1] = new[..., 1:]
    far = np.where(ends, places, numbers.shape[-1])
    last = np.minimum.accumulate(far[..., ::-1], axis=-1)[..., ::-1]
    result = np.empty(numbers.shape)
    np.put_along_axis(result, order, numbers.shape[-1] - (first + last) / 2, axis=-1)
    return result


def bootstrap_scores(
    cube: ArrayLike, weights: ArrayLike, rng: np.random.Generator, replicates: int = 2000
) -> NDArray[np.float64]:
    """Returns scores of resampled seeds, float64[replicates, agents].

    Seeds are drawn, not lives: what a seed shares among agents and environments stays together. A replicate
    moves a score by sum_s (c_s - 1) y_s, with c_s the times that seed s is drawn and y_s its contribution to the error
    of the score (see `intervals.score_interval`), whose variance is the unbiased one. With complete tables that is the
    ordinary bootstrap of the means, its deviations widened by sqrt(n / (n - 1)); and it needs no table to be complete.

    Args:
        cube: float64[agents, environments, seeds], NaN where no life is; two lives or more of each agent in
            each environment that counts.
        weights: float64[environments], summing to 1.
        rng: source of the draws.
        replicates: number of bootstrap samples.

    Example:
        >>> bootstrap_scores([[[0.5, 0.5, 0.5]]], [1.0], np.random.default_rng(0), 2).tolist()
        [[0.5], [0.5]]
    """
    replicates = at_least("replicates", replicates, 1)
    shares = np.asarray(weights, np.float64)
    values = np.asarray(cube, np.float64)
    require(
        values.ndim == 3 and shares.shape == values.shape[1:2],
        f"values must be [agents, environments, seeds] with a weight for each environment, got {values.shape} "
        f"and {shares.shape}",
    )
    values, shares = values[:, shares > 0], shares[shares > 0]
    lived = ~np.isnan(values)
    counts = lived.sum(axis=2)
    require(
        bool((counts >= 2).all()), f"each agent needs two lives in each environment that counts, got {counts.min()}"
    )
    means = np.where(lived, values, 0.0).sum(axis=2) / counts
    deviations = np.where(lived, values - means[:, :, None], 0.0)
    contributions = np.einsum("ae,aes->as", shares * np.sqrt(counts / (counts - 1)) / counts, deviations)
    seeds = values.shape[2]
    times = rng.multinomial(seeds, np.full(seeds, 1 / seeds), replicates)
    scores: NDArray[np.float64] = means @ shares + (times - 1) @ contributions.T
    return scores


def rank_intervals(
    cube: ArrayLike, weights: ArrayLike, rng: np.random.Generator, replicates: int = 2000, confidence: float = 0.95
) -> NDArray[np.float64]:
    """Returns the least and greatest rank of each agent, float64[agents, 2], by bootstrap over seeds.

    Args:
        cube: float64[agents, environments, seeds], as for `bootstrap_scores`.
        weights: float64[environments], summing to 1.
        rng: source of the draws.
        replicates: number of bootstrap samples.
        confidence: in (0, 1).

    Returns:
        Ranks from 1, the highest score; agents that tie share the middle rank. Both are ranks that occurred.

    Example:
        >>> rank_intervals([[[0.1, 0.2]], [[0.8, 0.9]]], [1.0], np.random.default_rng(0)).tolist()
        [[2.0, 2.0], [1.0, 1.0]]
    """
    found = ranks(bootstrap_scores(cube, weights, rng, replicates))
    low, high = _tails(confidence)
    least = np.quantile(found, low, axis=0, method="lower")
    return np.stack([least, np.quantile(found, high, axis=0, method="higher")], axis=1)


def _ordered(
    values: ArrayLike,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Returns all lives in ascending order: value, share of the whole, environment and column."""
    table = _table(values)
    rows, columns = np.nonzero(~np.isnan(table))
    flat = table[rows, columns]
    order = np.argsort(flat, kind="stable")
    masses = (1 / (len(table) * _lives(table)))[rows]
    return flat[order], masses[order], rows[order], columns[order]


def _trimmed_mean(ordered: NDArray[np.float64], masses: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the mean of each row of masses between floor(N / 4) / N and the rest of their sum, 1."""
    count = len(ordered)
    trim = (count // 4) / count
    below = np.cumsum(masses, axis=1)
    np.clip(below, trim, 1 - trim, out=below)
    # By parts: sum_i v_i (F_i - F_i-1), where F starts at the trim and ends at the rest.
    total = ordered[-1] * (1 - trim) - ordered[0] * trim - np.einsum("rn,n->r", below[:, :-1], np.diff(ordered))
    mean: NDArray[np.float64] = total / (1 - 2 * trim)
    return mean


def _table(values: ArrayLike) -> NDArray[np.float64]:
    table = np.asarray(values, np.float64)
    require(table.ndim == 2, f"values must be [environments, seeds], got shape {table.shape}")
    return table


def _lives(table: NDArray[np.float64]) -> NDArray[np.int64]:
    counts: NDArray[np.int64] = (~np.isnan(table)).sum(axis=1)
    require(
        bool(len(counts) and counts.min() > 0),
        "every environment needs a life, got one without; leave it out for all agents",
    )
    return counts


def _tails(confidence: float) -> tuple[float, float]:
    require(0 < confidence < 1, f"confidence must be above 0 and below 1, got {confidence}")
    return (1 - confidence) / 2, (1 + confidence) / 2
