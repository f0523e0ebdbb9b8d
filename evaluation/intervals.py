"""Confidence intervals of scores from few lives.

Values of an agent stand in a table float64[environments, seeds], NaN where no life is; a seed is the same
column everywhere, so that agents pair by column, and what a seed shares across environments stays together.
Three things keep Student's interval from holding with few seeds: skewed values shift and bend it, which Hall's
transformation undoes to first order; a skewness that is itself an estimate bends too far, which is why the
transformation is bounded; and lives that happen to be alike hide a spread, which the other environments lend.
`benchmarks/interval_coverage.py` measures how often the 95 % intervals hold.
"""

import functools
import math

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from aixi.errors import InvalidValueError, at_least, require

FEWEST_SEEDS = 5
"""Seeds below which no interval is trustworthy."""
FEWEST_LIVES = 27
"""Lives in effect below which none is: a failure of one life in ten goes unseen in 27 with probability 0.9^27 < 6 %."""
_LENT = 2  # lives of the common spread
_LEAST_STRATUM = 4


class Interval(msgspec.Struct, frozen=True):
    """A score and where the true one lies.

    Attributes:
        mean: the weighted sum of the environments' means over seeds.
        low: lower end.
        high: upper end; not as far from the mean as `low` where values are skewed.
        half: half of the width.
        standard_error: of the mean.
        degrees: degrees of freedom of Student's quantile, any number from 1.
        seeds: lives in the environment, of those that count, that has the fewest.
        trustworthy: whether there are at least five seeds, four degrees of freedom and 27 lives in effect
            (see `fewest_seeds`): below that too much hangs on the shape of the values.
    """

    mean: float
    low: float
    high: float
    half: float
    standard_error: float
    degrees: float
    seeds: int
    trustworthy: bool


def score_interval(
    values: ArrayLike, weights: ArrayLike, confidence: float = 0.95, pilot: int | None = None
) -> Interval | None:
    """Returns the score of one agent and its interval over seeds, the environments fixed.

    The score is S = sum_e w_e mean_s v_es. A seed's contribution to its error is
    y_s = sum_e w_e (v_es - mean_e) sqrt(n_e / (n_e - 1)) / n_e, over the environments where it lived, and the
    variance is sum_s y_s^2: the linearised estimator of a sample of clusters (Cochran 1977), which
    holds whatever a seed's lives have in common. With n seeds in every environment it is the variance of the
    mean of the n weighted sums.

    To this is added what the spread that environments lend each other says more (see `steadied`): lives of an
    environment that fails rarely are mostly alike, and the interval of those alone would be too narrow.

    Degrees: by themselves the contributions have variances u_s = sum_e (w_e s_e / n_e)^2. A sum of squares of
    normal variables with variances u_s is as certain as one of (sum u)^2 / sum u^2 equal ones (Satterthwaite
    1946; Kish 1965); one goes for the mean. That is n - 1 for n seeds everywhere, and n_e - 1 where one
    environment makes all the variance.

    Ends: Hall (1992, "On the removal of skewness by transformation") maps the studentised mean by
    a cubic that takes its skewness away and can be inverted exactly. The skewness is that of a sum over
    independent environments, sum_e w_e^3 m3_e / n_e^2 over (sum_e w_e^2 s_e^2 / n_e)^(3/2): pooled moments vary
    less than those of a few sums, and m3 / s^3 less than other estimates (Joanes and Gill 1998). An end lies at
    the inflection of the cubic at most, three over the skewness: past it the inverse is so steep that the end would
    hang on the error of the skewness alone. Symmetric values of one environment give Student's interval.

    Args:
        values: float64[environments, seeds], NaN where no life is.
        weights: float64[environments], summing to 1; what counts nothing needs no life.
        confidence: in (0, 1).
        pilot: seeds before the first look, if the number of seeds was chosen by looking. Then degrees are at
            most `pilot` - 1, as in Stein's (1945) two-stage sample, because lives that stop when the spread
            looks small understate it.

    Returns:
        The interval; None if an environment that counts has fewer than two lives.

    Raises:
        InvalidValueError: if shapes do not fit, weights do not sum to 1, or a value is infinite.

    Example:
        >>> interval = score_interval([[0.1, 0.2, 0.3], [0.6, 0.4, 0.5]], [0.5, 0.5])
        >>> round(interval.mean, 4), interval.degrees, interval.seeds, interval.trustworthy
        (0.35, 2.0, 3, False)
        >>> score_interval([[0.1], [0.6]], [0.5, 0.5]) is None
        True
    """
    table, shares = _checked(values, weights)
    lived = ~np.isnan(table)
    counts = lived.sum(axis=1)
    seeds = int(counts.min())
    if seeds < 2:
        return None
    means = np.where(lived, table, 0.0).sum(axis=1) / counts
    deviations = np.where(lived, table - means[:, None], 0.0)
    weighted = deviations * shares[:, None]
    scale = float(np.abs(weighted).max()) or 1.0  # powers of tiny deviations would vanish
    weighted /= scale
    contributions = (np.sqrt(counts / (counts - 1)) / counts) @ weighted
    second = np.square(weighted).sum(axis=1) / (counts * (counts - 1))
    third = (weighted**3).sum(axis=1) / counts**3
    # If nothing varies, the seeds alone tell how much is known.
    spread = second if second.any() else np.square(shares) / counts
    alone = (spread / counts) @ lived
    degrees = float(alone.sum() ** 2 / np.square(alone).sum()) - 1
    if pilot is not None:
        degrees = min(degrees, at_least("pilot", pilot, 2) - 1.0)
    variances = np.square(deviations).sum(axis=1) / (counts - 1)
    lent = float((np.square(shares) / counts) @ (steadied(variances, counts, shares) - variances))
    error = math.hypot(scale * math.sqrt(float(np.square(contributions).sum())), math.sqrt(max(lent, 0.0)))
    skewness = _skewness(third, second)
    mean = float(shares @ means)
    return _interval(mean, error, skewness, degrees, seeds, _lives_in_effect(shares, counts), confidence)


def score_interval_environments(
    values: ArrayLike, weights: ArrayLike, strata: ArrayLike, confidence: float = 0.95
) -> Interval | None:
    """Returns the score of one agent and its interval over seeds and environments.

    It answers for other environments of the same strata. The contribution of an environment is its weight
    times the contrast of its mean with the weighted mean of the others in its stratum, scaled to the variance
    of one mean; the variance is the sum of their squares, unbiased for equally scattered environments. Noise
    of the seeds is part of the scatter (Hansen, Hurwitz and Madow 1953: ultimate clusters); where the seeds
    alone show more, their interval is returned. Degrees are tr(C)^2 / tr(C^2) for the covariance C of the
    contributions of equally scattered environments (Bell and McCaffrey 2002). Equal weights in one
    stratum have the standard error and degrees of Student's interval of the environments' means. Ends as in
    `score_interval`. A stratum of fewer than four environments is joined with the next one, the last with the
    one before.

    A percentile bootstrap over environments is not offered: with eleven of them it holds too rarely
    (`benchmarks/results/interval_coverage.json`).

    Args:
        values: float64[environments, seeds], NaN where no life is.
        weights: float64[environments], summing to 1.
        strata: int64[environments], the stratum of each, as by `weights.strata_of`.
        confidence: in (0, 1).

    Returns:
        The interval; None if fewer than two environments count, or one that counts has fewer than two lives.

    Example:
        >>> interval = score_interval_environments([[0.1, 0.1], [0.2, 0.2], [0.3, 0.3]], [1 / 3] * 3, [0, 0, 0])
        >>> round(interval.low, 4), round(interval.high, 4), interval.degrees
        (-0.0484, 0.4484, 2.0)
    """
    by_seeds = score_interval(values, weights, confidence)
    labels = np.asarray(strata)
    counting = np.asarray(weights, np.float64) > 0
    require(
        labels.shape == counting.shape,
        f"strata must be one for each environment, got {labels.shape} for {counting.shape}",
    )
    table, shares = _checked(values, weights)
    if by_seeds is None or len(shares) < 2:
        return None
    groups = _joined(labels[counting])
    others = (groups[:, None] == groups) * shares * (1 - np.eye(len(shares)))
    others /= others.sum(axis=1, keepdims=True)
    contrasts = np.eye(len(shares)) - others
    scaled = contrasts * (shares / np.sqrt(np.square(contrasts).sum(axis=1)))[:, None]
    contributions = scaled @ np.nanmean(table, axis=1)
    variance = float(np.square(contributions).sum())
    if variance <= by_seeds.standard_error**2:
        return by_seeds
    covariance = scaled @ scaled.T
    degrees = float(np.trace(covariance) ** 2 / np.square(covariance).sum())
    unit = contributions / np.abs(contributions).max()
    skewness = _skewness(unit**3, np.square(unit))
    lives = _lives_in_effect(shares, (~np.isnan(table)).sum(axis=1))
    return _interval(by_seeds.mean, math.sqrt(variance), skewness, degrees, by_seeds.seeds, lives, confidence)


def paired_difference(
    values_a: ArrayLike, values_b: ArrayLike, weights: ArrayLike, confidence: float = 0.95, pilot: int | None = None
) -> Interval | None:
    """Returns the score of agent A less that of B and its interval, over the seeds that both have lived.

    Args:
        values_a: float64[environments, seeds], NaN where no life is.
        values_b: of the same shape, columns of the same seeds.
        weights: float64[environments], summing to 1.
        confidence: in (0, 1).
        pilot: as in `score_interval`.

    Example:
        >>> difference = paired_difference([[0.5, 0.9, 0.7]], [[0.4, 0.7, 0.6]], [1.0])
        >>> round(difference.mean, 4), round(difference.standard_error, 4)
        (0.1333, 0.0333)
    """
    first, second = np.asarray(values_a, np.float64), np.asarray(values_b, np.float64)
    require(
        first.shape == second.shape,
        f"values of both agents must have the same shape, got {first.shape} and {second.shape}; mark lives that are "
        "missing by NaN",
    )
    return score_interval(first - second, weights, confidence, pilot)


def steadied(variances: ArrayLike, counts: ArrayLike, weights: ArrayLike) -> NDArray[np.float64]:
    """Returns variances as if each environment had two more lives of the spread common to all, float64[environments].

    Ten lives that happen to be alike do not show that the next one is: other environments tell how much spread to
    expect (an empirical Bayes estimate; Efron and Morris 1973). The common variance is a weighted mean in
    which none counts more than an equal share, so that neither a heavy environment speaks for all nor one that hardly
    counts at all.

    Args:
        variances: float64[environments], over seeds, with n - 1 below.
        counts: int64[environments], lives.
        weights: float64[environments], summing to 1.

    Example:
        >>> steadied([0.0, 0.08], [4, 4], [0.5, 0.5]).round(12).tolist()
        [0.016, 0.064]
    """
    spread, lives, shares = np.asarray(variances, np.float64), np.asarray(counts), np.asarray(weights, np.float64)
    equal = np.minimum(shares, 1 / np.count_nonzero(shares))
    common = float(equal @ spread / equal.sum())
    result: NDArray[np.float64] = (spread * (lives - 1) + _LENT * common) / (lives - 1 + _LENT)
    return result


def fewest_seeds(weights: ArrayLike) -> int:
    """Returns the number of seeds in every environment from which an interval is trustworthy.

    An interval over seeds cannot speak of what no seed has shown. It holds where one life in ten fails if enough lives
    count in effect, 1 / sum_e (w_e^2 / n_e): one environment alone takes 27 seeds, eleven of which half count in
    effect five.

    Args:
        weights: float64[environments], summing to 1.

    Example:
        >>> fewest_seeds([1.0]), fewest_seeds([0.25] * 4), fewest_seeds([0.1] * 10)
        (27, 7, 5)
    """
    needed = FEWEST_LIVES * float(np.square(np.asarray(weights, np.float64)).sum())
    return max(FEWEST_SEEDS, math.ceil(needed * (1 - 1e-12)))


@functools.lru_cache(maxsize=1024)
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


def _checked(values: ArrayLike, weights: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns the rows and weights of the environments that count."""
    table, shares = np.asarray(values, np.float64), np.asarray(weights, np.float64)
    require(table.ndim == 2, f"values must be [environments, seeds], got shape {table.shape}")
    require(
        shares.shape == table.shape[:1],
        f"weights must be one for each environment, got {shares.shape} for {table.shape}",
    )
    if not (np.all(shares >= 0) and math.isclose(shares.sum(), 1.0, rel_tol=1e-9)):
        raise InvalidValueError(f"weights must be at least 0 and sum to 1, got {shares.tolist()}")
    require(not np.isinf(table).any(), "values must be finite, or NaN where no life is; got an infinite one")
    return table[shares > 0], shares[shares > 0]


def _joined(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Returns groups, in the order of strata: neighbours are joined while they hold too few environments."""
    groups = np.unique(labels, return_inverse=True)[1].reshape(labels.shape)
    sizes = np.bincount(groups)
    joined = np.zeros(len(sizes), np.int64)
    group, held = 0, 0
    for stratum, size in enumerate(sizes.tolist()):
        if held >= _LEAST_STRATUM:
            group, held = group + 1, 0
        joined[stratum] = group
        held += size
    if held < _LEAST_STRATUM and group > 0:
        joined[joined == group] = group - 1
    return joined[groups]


def _skewness(third: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Returns the skewness of a sum of independent terms from their third and second moments."""
    variance = float(second.sum())
    return float(third.sum()) / math.pow(variance, 1.5) if variance > 0 else 0.0


def _lives_in_effect(shares: NDArray[np.float64], counts: NDArray[np.int64]) -> float:
    return 1 / float((np.square(shares) / counts).sum())


def _interval(
    mean: float, error: float, skewness: float, degrees: float, seeds: int, lives: float, confidence: float
) -> Interval:
    require(0 < confidence < 1, f"confidence must be above 0 and below 1, got {confidence}")
    degrees = max(degrees, 1.0)
    whole = round(degrees)
    if math.isclose(degrees, whole, rel_tol=1e-9):  # sums of squares leave the last bits in doubt
        degrees = float(whole)
    quantile = _quantile((1 + confidence) / 2, degrees)
    low, high = (mean - error * _unskewed(end, skewness) for end in (quantile, -quantile))
    trustworthy = min(seeds, degrees + 1) >= FEWEST_SEEDS and lives >= FEWEST_LIVES * (1 - 1e-12)
    return Interval(mean, low, high, (high - low) / 2, error, degrees, seeds, trustworthy)


def _quantile(probability: float, degrees: float) -> float:
    """Returns Student's quantile of a probability above one half, for any number of degrees.

    Between whole degrees its logarithm goes straight in 1 / degrees: never too small, and at 97.5 % by 3 % too
    large at most below two degrees, by half of a percent above.
    """
    below, above = math.floor(degrees), math.ceil(degrees)
    wide, narrow = student_t_quantile(probability, below), student_t_quantile(probability, above)
    if below == above:
        return wide
    part = (1 / degrees - 1 / above) / (1 / below - 1 / above)
    return narrow * math.pow(wide / narrow, part)


def _unskewed(quantile: float, skewness: float) -> float:
    """Returns the studentised mean t at which Hall's t + a t^2 / 3 + a^2 t^3 / 27 + a / 6 equals a quantile.

    That is 3 (root - 1) / a with root^3 = 1 + a (quantile - a / 6), and -3 / a, the inflection, where the root is
    negative.
    """
    shifted = quantile - skewness / 6
    if skewness * shifted <= -1:
        return -3 / skewness
    root = math.cbrt(1 + skewness * shifted)
    return 3 * shifted / (root * root + root + 1)  # the same, for a skewness of 0 too
