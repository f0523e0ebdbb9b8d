import math
import time

import numpy as np
import pytest
from scipy import stats

from aixi.errors import InvalidValueError
from aixi.evaluation.aggregates import (
    bootstrap_scores,
    interquartile_mean,
    interquartile_mean_interval,
    optimality_gap,
    performance_profile,
    probability_of_improvement,
    rank_intervals,
    ranks,
)
from aixi.evaluation.intervals import score_interval

NAN = math.nan


@pytest.mark.parametrize("shape", [(1, 1), (1, 3), (3, 5), (4, 4), (7, 9)])
def test_interquartile_mean_equals_the_trimmed_mean_of_scipy(shape):
    values = np.random.default_rng(1).exponential(size=shape)
    assert math.isclose(interquartile_mean(values), stats.trim_mean(values.ravel(), 0.25), rel_tol=1e-12)


def test_more_lives_of_an_environment_do_not_make_it_count_more():
    repeated = [[0.1, 0.1, 0.1, 0.5, 0.5, 0.5], [0.7, 0.9, NAN, NAN, NAN, NAN]]
    assert math.isclose(interquartile_mean(repeated), interquartile_mean([[0.1, 0.5], [0.7, 0.9]]), rel_tol=1e-12)


def test_interquartile_mean_of_unequal_numbers_in_closed_form():
    # Shares 1/4, 1/4 and 1/2; floor(3 / 4) = 0 lives are left out.
    assert math.isclose(interquartile_mean([[0.0, 1.0], [0.5, NAN]]), 0.5, rel_tol=1e-12)


def test_error_of_the_interquartile_mean_is_that_of_the_jackknife():
    values = np.random.default_rng(2).beta(
        4, 1, size=(6, 8)
    )  # of 48 lives and of 42 a different share would be left out
    found = interquartile_mean_interval(values)
    without = [stats.trim_mean(np.delete(values, seed, axis=1).ravel(), 0.25) for seed in range(8)]
    assert math.isclose(found.mean, interquartile_mean(values), rel_tol=1e-12)
    assert (found.degrees, found.seeds, found.trustworthy) == (7, 8, True)
    # The share left out stays 12 of 48: of 42 lives 10.5 a side, which lies between leaving out 10 and 11.
    plain = math.sqrt(7 / 8 * np.square(without - np.mean(without)).sum())
    assert math.isclose(found.standard_error, plain, rel_tol=0.05)


def test_jackknife_of_four_lives_in_closed_form():
    """Of 0, 1, 2 and 6 a quarter is left out on each side; of three of them, 3/4 of a life on each side."""
    found = interquartile_mean_interval([[0.0, 1.0, 2.0, 6.0]])
    middle = [(a / 4 + b + c / 4) / 1.5 for a, b, c in [(1, 2, 6), (0, 2, 6), (0, 1, 6), (0, 1, 2)]]
    assert found.mean == 1.5
    assert math.isclose(found.standard_error**2, 3 / 4 * np.square(middle - np.mean(middle)).sum(), rel_tol=1e-12)


def test_error_is_that_of_the_mean_where_nothing_is_left_out():
    values = np.array([[0.1, 0.4, 0.8]])  # floor(3 / 4) = 0
    found = interquartile_mean_interval(values)
    assert math.isclose(found.standard_error, stats.sem(values[0]), rel_tol=1e-12)
    assert (found.degrees, found.trustworthy) == (2, False)


def test_symmetric_values_have_the_interval_of_student():
    half = np.random.default_rng(3).random((4, 4))
    found = interquartile_mean_interval(0.5 + np.concatenate([half, -half], axis=1))
    reach = stats.t.ppf(0.975, 7) * found.standard_error
    np.testing.assert_allclose([found.low, found.high], [0.5 - reach, 0.5 + reach], rtol=1e-9)


def test_what_a_seed_shares_across_environments_widens_the_interval():
    shared = np.random.default_rng(5).normal(size=(1, 10))
    together = interquartile_mean_interval(np.repeat(shared, 6, axis=0))
    alone = interquartile_mean_interval(np.stack([np.roll(shared[0], shift) for shift in range(6)]))
    assert math.isclose(together.mean, alone.mean, rel_tol=1e-12)
    assert together.standard_error > 1.5 * alone.standard_error


def test_unequal_numbers_of_seeds_have_the_degrees_of_the_fewest():
    values = np.random.default_rng(6).random((5, 9))
    values[1, 6:] = NAN
    found = interquartile_mean_interval(values)
    assert (found.seeds, found.degrees, found.trustworthy) == (6, 5, True)
    assert interquartile_mean_interval(values, pilot=5).degrees == 4
    assert interquartile_mean_interval(values[:2]).trustworthy is False  # 14 lives in effect


@pytest.mark.parametrize("values", [[[0.1], [0.2]], [[0.1, NAN], [0.3, 0.4]]])
def test_fewer_than_two_lives_have_no_interval(values):
    assert interquartile_mean_interval(values) is None


@pytest.mark.parametrize("seeds", [5, 10, 20])
@pytest.mark.parametrize(
    "draw",
    [
        lambda rng, size: rng.normal(size=size),
        lambda rng, size: (rng.random(size) < 0.9) + 0.05 * rng.normal(size=size),
        lambda rng, size: rng.normal(size=(size[0], 1, size[2])) + rng.normal(size=size),
    ],
    ids=["normal", "stuck in 1 of 10", "common to a seed"],
)
def test_interval_holds_as_often_as_it_says(draw, seeds):
    rng = np.random.default_rng(seeds)
    truth = interquartile_mean(draw(rng, (1, 11, 50_000))[0])
    found = [interquartile_mean_interval(table) for table in draw(rng, (1000, 11, seeds))]
    share = np.mean([interval.low <= truth <= interval.high for interval in found])
    monte_carlo = 3 * math.sqrt(0.95 * 0.05 / 1000)
    assert 0.93 - monte_carlo < share < 0.97 + monte_carlo
    assert all(interval.trustworthy for interval in found)


def test_profile_counts_lives_above_each_threshold():
    profile = performance_profile([[0.2, 0.4, 0.9, NAN], [0.1, NAN, NAN, NAN]], [-1, 0.1, 0.2, 0.5, 2])
    np.testing.assert_allclose(profile, [1, 1 / 2, 1 / 3, 1 / 6, 0])


def test_gap_ignores_what_is_above_the_target():
    assert math.isclose(optimality_gap([[0.5, 3.0, 1.0], [0.0, NAN, NAN]]), (1 / 6 + 1) / 2)
    assert optimality_gap([[0.5, 3.0]], target=0.25) == 0.0


def test_improvement_is_the_mean_of_mann_and_whitney():
    rng = np.random.default_rng(3)
    a, b = rng.integers(0, 5, (3, 6)).astype(float), rng.integers(0, 5, (3, 8)).astype(float)
    a[0, 4:], b[2, 5:] = NAN, NAN
    expected = []
    for x, y in zip(a, b, strict=True):
        x, y = x[~np.isnan(x)], y[~np.isnan(y)]
        expected.append(stats.mannwhitneyu(x, y, method="asymptotic").statistic / (len(x) * len(y)))
    assert math.isclose(probability_of_improvement(a, b), np.mean(expected), rel_tol=1e-12)
    assert math.isclose(probability_of_improvement(a, b) + probability_of_improvement(b, a), 1.0)


def test_ranks_equal_those_of_scipy():
    scores = np.random.default_rng(4).integers(0, 4, (50, 6)).astype(float)
    np.testing.assert_array_equal(ranks(scores), stats.rankdata(-scores, axis=1))


def test_bootstrap_of_complete_tables_moves_the_means_of_drawn_seeds():
    rng = np.random.default_rng(5)
    cube, weights = rng.random((3, 2, 5)), np.array([0.7, 0.3])
    found = bootstrap_scores(cube, weights, np.random.default_rng(6), 50)
    times = np.random.default_rng(6).multinomial(5, np.full(5, 0.2), 50)
    sums = np.einsum("e,aes->as", weights, cube)
    scores = sums.mean(axis=1)
    plain = times @ sums.T / 5
    np.testing.assert_allclose(found, scores + (plain - scores) * math.sqrt(5 / 4), rtol=1e-12)


def test_bootstrap_has_the_standard_error_of_the_score_where_seeds_are_missing():
    rng = np.random.default_rng(7)
    table = rng.random((3, 9))
    table[0, 5:], table[2, 7:] = NAN, NAN
    weights = np.array([0.2, 0.5, 0.3])
    found = bootstrap_scores(table[None], weights, rng, 40_000)[:, 0]
    counts = np.array([5, 9, 7])
    deviations = np.nan_to_num(table - np.nanmean(table, axis=1, keepdims=True))
    error = math.sqrt(np.square(weights * np.sqrt(counts / (counts - 1)) / counts @ deviations).sum())
    assert math.isclose(found.std(), error, rel_tol=0.02)  # five standard errors are 1.8 %
    assert math.isclose(found.mean(), weights @ np.nanmean(table, axis=1), abs_tol=5 * error / 200)


def test_rank_intervals_of_two_agents_that_may_swap():
    seeds = np.array([0.0, 0.1, 0.2, 0.3, 0.4])
    cube = np.stack([seeds, seeds[::-1], seeds + 5])[:, None, :]
    found = rank_intervals(cube, [1.0], np.random.default_rng(1))
    np.testing.assert_array_equal(found, [[2, 3], [2, 3], [1, 1]])


def test_agents_that_always_tie_share_their_rank():
    cube = np.tile(np.random.default_rng(1).random((1, 2, 4)), (3, 1, 1))
    np.testing.assert_array_equal(rank_intervals(cube, [0.5, 0.5], np.random.default_rng(0)), np.full((3, 2), 2.0))


def test_common_seeds_make_ranks_certain():
    seeds = np.random.default_rng(2).normal(size=(2, 10))
    cube = np.stack([seeds, seeds + 0.01])
    found = rank_intervals(cube, [0.5, 0.5], np.random.default_rng(0))
    np.testing.assert_array_equal(found, [[2, 2], [1, 1]])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: interquartile_mean([0.1, 0.2]), "values must be"),
        (lambda: interquartile_mean([[0.1], [NAN]]), "needs a life"),
        (lambda: performance_profile([[NAN]], [0.5]), "needs a life"),
        (lambda: probability_of_improvement([[0.1]], [[0.1], [0.2]]), "same environments"),
        (lambda: ranks([0.1, NAN]), "scores must be numbers"),
        (lambda: bootstrap_scores([[[0.1, NAN]]], [1.0], np.random.default_rng()), "two lives"),
        (lambda: bootstrap_scores([[0.1, 0.2]], [1.0], np.random.default_rng()), "values must be"),
        (lambda: interquartile_mean_interval([[0.1, 0.2]], 1.5), "confidence must be"),
        (lambda: interquartile_mean_interval([[0.1, 0.2]], pilot=1), "pilot must be at least 2"),
    ],
)
def test_wrong_arguments_are_refused(call, message):
    with pytest.raises(InvalidValueError, match=message):
        call()


def test_scores_of_resampled_seeds_agree_with_the_bootstrap_of_scipy():
    rng = np.random.default_rng(8)
    cube, weights = rng.beta(4, 1, size=(1, 3, 9)), np.array([0.5, 0.3, 0.2])
    sums = weights @ cube[0]
    expected = stats.bootstrap(
        (sums,), np.mean, n_resamples=9999, method="percentile", rng=np.random.default_rng(3), batch=1000
    )
    found = bootstrap_scores(cube, weights, np.random.default_rng(4), 9999)[:, 0]
    narrowed = sums.mean() + (found - sums.mean()) * math.sqrt(8 / 9)  # the variance is the unbiased one
    # Monte-Carlo error of a 2.5 % quantile of 10,000: about sqrt(p (1 - p) / n) / density, 2.7 % of the deviation.
    np.testing.assert_allclose(
        np.quantile(narrowed, [0.025, 0.975]), expected.confidence_interval, atol=6 * 0.027 * expected.standard_error
    )


def test_ten_thousand_lives_are_scored_again_within_two_seconds():
    rng = np.random.default_rng(0)
    cube, weights = rng.random((10, 50, 20)), rng.dirichlet(np.ones(50))
    started = time.process_time()
    for table in cube:
        assert score_interval(table, weights).trustworthy
        assert interquartile_mean_interval(table).trustworthy
    assert rank_intervals(cube, weights, rng, 2000).shape == (10, 2)
    assert time.process_time() - started < 2.0
