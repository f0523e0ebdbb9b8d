import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from aixi.errors import InvalidValueError
from aixi.evaluation.intervals import (
    fewest_seeds,
    paired_difference,
    score_interval,
    score_interval_environments,
    steadied,
    student_t_quantile,
)
from aixi.evaluation.weights import solve_temperature, strata_of, tempered

WEIGHTS = np.array([0.5, 0.3, 0.2])
TABLES = arrays(np.float64, (3, 6), elements=st.floats(-1, 2, allow_subnormal=False))


@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 9, 10, 29, 30, 1000])
@pytest.mark.parametrize("probability", [0.01, 0.4, 0.5, 0.75, 0.975, 0.9995])
def test_t_quantiles_equal_those_of_scipy(probability, degrees):
    expected = stats.t.ppf(probability, degrees)
    assert math.isclose(student_t_quantile(probability, degrees), expected, rel_tol=1e-10, abs_tol=1e-12)


@given(TABLES)
def test_complete_table_has_the_mean_error_and_degrees_of_its_weighted_sums(values):
    sums = WEIGHTS @ values
    found = score_interval(values, WEIGHTS)
    assert math.isclose(found.mean, sums.mean(), rel_tol=1e-12, abs_tol=1e-12)
    # Of six lives and two of the common spread each: (5 s^2 + 2 common) / 7.
    variances = values.var(axis=1, ddof=1)
    common = np.array([1 / 3, 0.3, 0.2]) @ variances / (1 / 3 + 0.5)
    lent = WEIGHTS**2 @ (2 / 7 * (common - variances)) / 6
    expected = math.sqrt(stats.sem(sums) ** 2 + max(lent, 0.0))
    assert math.isclose(found.standard_error, expected, rel_tol=1e-9, abs_tol=1e-12)
    assert (found.seeds, found.degrees) == (6, 5)


@given(arrays(np.float64, (1, 3), elements=st.floats(-1, 1, allow_subnormal=False)))
def test_symmetric_values_have_the_interval_of_student(half):
    values = 0.4 + np.concatenate([half, -half], axis=1)
    found = score_interval(values, [1.0])
    reach = stats.t.ppf(0.975, 5) * stats.sem(values[0])
    np.testing.assert_allclose([found.low, found.high], [0.4 - reach, 0.4 + reach], rtol=1e-6, atol=1e-9)


def test_lives_that_are_alike_have_the_spread_of_others():
    values = [[0.5, 0.5, 0.5, 0.5, 0.5], [0.1, 0.2, 0.3, 0.4, 0.5]]  # variances 0 and 1/40
    found = score_interval(values, [0.8, 0.2])
    # The common variance is (0.5 * 0 + 0.2 / 40) / 0.7 = 1/140; of it two lives are lent beside four degrees.
    lent = (0.64 * 2 / 6 / 140 + 0.04 * 2 / 6 * (1 / 140 - 1 / 40)) / 5
    assert math.isclose(found.standard_error**2, 0.04 / 40 / 5 + lent, rel_tol=1e-12)


def test_spread_that_is_lent_never_narrows_an_interval():
    values = np.full((3, 5), 0.5)
    values[0] = [0.1, 0.2, 0.3, 0.4, 0.5]  # the others would draw its variance down
    weights = [0.8, 0.1, 0.1]
    assert math.isclose(score_interval(values, weights).standard_error, 0.8 * stats.sem(values[0]), rel_tol=1e-12)


@given(arrays(np.float64, 4, elements=st.floats(0, 9, allow_subnormal=False)))
def test_steadied_variances_lie_between_their_own_and_the_common_one(variances):
    found = steadied(variances, [2, 5, 9, 1000], np.full(4, 0.25))
    # Shares 1 of 3, 4 of 6, 8 of 10 and 999 of 1001 are their own.
    own = np.array([1 / 3, 4 / 6, 8 / 10, 999 / 1001])
    np.testing.assert_allclose(found, own * variances + (1 - own) * variances.mean(), rtol=1e-12)


def test_what_hardly_counts_lends_hardly_anything():
    values = np.random.default_rng(4).normal(size=(3, 8))
    values[2] *= 100
    without = score_interval(values[:2], [0.5, 0.5])
    found = score_interval(values, [0.5, 0.5 - 1e-9, 1e-9])
    assert math.isclose(found.standard_error, without.standard_error, rel_tol=1e-4)


def test_skewed_values_have_the_interval_of_hall_up_to_its_inflection():
    values = np.array([0.0, 0.0, 0.0, 0.0, 1.0])  # mean 1/5, variance 1/5, third moment 12/125
    found = score_interval(values[None, :], [1.0])
    skewness = 0.096 / 0.2**1.5 / math.sqrt(5)
    error = math.sqrt(0.2 / 5)
    studentised = (0.2 - found.low) / error
    cubic = studentised + skewness * studentised**2 / 3 + skewness**2 * studentised**3 / 27 + skewness / 6
    assert math.isclose(cubic, stats.t.ppf(0.975, 4), rel_tol=1e-9)
    assert 1 - skewness * (stats.t.ppf(0.975, 4) + skewness / 6) < 0  # past the inflection on the other side
    assert math.isclose(found.high, 0.2 + 3 * error / skewness, rel_tol=1e-12)
    assert math.isclose(found.half, (found.high - found.low) / 2)


def test_both_ends_solve_the_cubic_of_hall_where_values_are_mildly_skewed():
    values = np.array([0.1, 0.2, 0.3, 0.4, 0.6, 0.9])
    found = score_interval(values[None, :], [1.0])
    skewness = ((values - values.mean()) ** 3).mean() / values.std(ddof=1) ** 3 / math.sqrt(6)
    t = stats.t.ppf(0.975, 5)
    for end, quantile in ((found.low, t), (found.high, -t)):
        studentised = (values.mean() - end) / stats.sem(values)
        cubic = studentised + skewness * studentised**2 / 3 + skewness**2 * studentised**3 / 27 + skewness / 6
        assert math.isclose(cubic, quantile, rel_tol=1e-9)


def test_mirrored_values_have_the_mirrored_interval():
    values = np.random.default_rng(3).exponential(size=(3, 7))
    found, mirrored = score_interval(values, WEIGHTS), score_interval(-values, WEIGHTS)
    np.testing.assert_allclose([mirrored.low, mirrored.high], [-found.high, -found.low], rtol=1e-12)


def test_unequal_numbers_of_seeds_in_closed_form():
    values = [[0.0, 2.0, math.nan, math.nan], [1.0, 3.0, 1.0, 3.0]]
    found = score_interval(values, [0.5, 0.5])
    # Contributions: -+ 1/4 sqrt(2) of the first, -+ 1/8 sqrt(4/3) of the second.
    first, second = math.sqrt(2) / 4, math.sqrt(4 / 3) / 8
    assert found.mean == 1.5
    assert math.isclose(found.standard_error**2, 2 * (first + second) ** 2 + 2 * second**2, rel_tol=1e-12)
    alone = np.array([first**2 + second**2] * 2 + [second**2] * 2)
    assert math.isclose(found.degrees, max(1, alone.sum() ** 2 / (alone**2).sum() - 1), rel_tol=1e-12)
    assert (found.seeds, found.trustworthy) == (2, False)


def test_degrees_go_with_the_environment_that_makes_the_variance():
    values = np.full((2, 20), np.nan)
    values[0, :5] = [0.1, 0.9, 0.4, 0.3, 0.6]
    values[1] = 0.5
    assert math.isclose(score_interval(values, [0.5, 0.5]).degrees, 4, rel_tol=1e-9)


def test_degrees_that_are_no_whole_number_lie_close_above_the_exact_quantile():
    for rows in (3, 6, 9):
        values = np.full((2, 12), np.nan)
        values[0, :rows] = np.resize([0.0, 1.0, 0.5], rows)
        values[1] = np.resize([0.0, 1.0], 12)
        found = score_interval(values, [0.5, 0.5])
        assert found.degrees % 1 > 0
        exact = stats.t.ppf(0.975, found.degrees) * found.standard_error
        assert exact < found.half * (1 + 1e-12) < exact * 1.006


def test_environments_without_weight_need_no_life():
    values = [[0.1, 0.2, 0.4], [math.nan] * 3]
    assert score_interval(values, [1.0, 0.0]) == score_interval(values[:1], [1.0])


@pytest.mark.parametrize("values", [[[0.1, math.nan], [0.3, 0.4]], [[0.1], [0.2]], [[math.nan] * 2, [0.3, 0.4]]])
def test_fewer_than_two_lives_have_no_interval(values):
    assert score_interval(values, [0.5, 0.5]) is None


@pytest.mark.parametrize(
    ("weights", "fewest"), [([1.0], 27), ([0.5, 0.5], 14), ([0.8, 0.2], 19), ([0.25] * 4, 7), ([0.05] * 20, 5)]
)
def test_interval_is_trustworthy_from_the_fewest_seeds(weights, fewest):
    assert fewest_seeds(weights) == fewest
    values = np.random.default_rng(0).random((len(weights), fewest))
    assert score_interval(values, weights).trustworthy is True
    assert score_interval(values[:, 1:], weights).trustworthy is False
    assert score_interval(values, weights, pilot=4).trustworthy is False


def test_lives_in_effect_go_with_the_environment_that_has_few():
    values = np.random.default_rng(0).random((2, 40))
    values[1, 8:] = np.nan
    # 0.64 / 40 + 0.04 / 8 = 1 / 47.6 for weights 0.8 and 0.2, 0.04 / 40 + 0.64 / 8 = 1 / 12.3 the other way round
    assert score_interval(values, [0.8, 0.2]).trustworthy is True
    assert score_interval(values, [0.2, 0.8]).trustworthy is False


def test_values_that_never_vary_have_an_interval_of_no_width():
    found = score_interval(np.full((3, 5), 0.25), WEIGHTS)
    assert (found.low, found.high, found.degrees) == (0.25, 0.25, 4)


def test_looking_caps_the_degrees():
    values = np.random.default_rng(1).normal(size=(3, 30))
    plain, looked = score_interval(values, WEIGHTS), score_interval(values, WEIGHTS, pilot=10)
    assert (plain.degrees, looked.degrees) == (29, 9)
    assert looked.standard_error == plain.standard_error
    assert looked.low < plain.low < plain.high < looked.high
    few = values[:, :6]
    assert score_interval(few, WEIGHTS, pilot=10) == score_interval(few, WEIGHTS)


@pytest.mark.parametrize(
    ("values", "weights", "confidence", "message"),
    [
        ([0.1, 0.2], [1.0], 0.95, "values must be"),
        ([[0.1, 0.2]], [0.5, 0.5], 0.95, "weights must be one for each"),
        ([[0.1, 0.2]], [0.9], 0.95, "sum to 1"),
        ([[0.1, 0.2], [0.1, 0.2]], [1.5, -0.5], 0.95, "at least 0"),
        ([[0.1, math.inf]], [1.0], 0.95, "finite"),
        ([[0.1, 0.2]], [1.0], 1.0, "confidence must be"),
    ],
)
def test_wrong_arguments_are_refused(values, weights, confidence, message):
    with pytest.raises(InvalidValueError, match=message):
        score_interval(values, weights, confidence)


def test_paired_difference_is_the_paired_t_test_of_symmetric_differences():
    a = np.array([[0.5, 0.7, 0.9, 0.4]])
    b = a - np.array([[0.1, 0.3, 0.1, 0.3]])
    expected = stats.ttest_rel(a[0], b[0]).confidence_interval(0.95)
    found = paired_difference(a, b, [1.0])
    np.testing.assert_allclose([found.low, found.high], [expected.low, expected.high], rtol=1e-9)


def test_paired_difference_takes_common_seeds_only():
    a = [[0.5, 0.7, 0.9, math.nan]]
    b = [[0.4, math.nan, 0.6, 0.1]]
    found = paired_difference(a, b, [1.0])
    assert (round(found.mean, 12), found.seeds) == (0.2, 2)


def test_paired_difference_needs_the_same_columns():
    with pytest.raises(InvalidValueError, match="same shape"):
        paired_difference([[0.1, 0.2]], [[0.1]], [1.0])


def test_equal_weights_in_one_stratum_have_the_interval_of_the_environments_means():
    means = np.array([0.1, 0.2, 0.4, 0.5, 0.7, 0.8])  # symmetric
    found = score_interval_environments(np.tile(means[:, None], 3), np.full(6, 1 / 6), np.zeros(6, int))
    expected = stats.t.interval(0.95, 5, means.mean(), stats.sem(means))
    np.testing.assert_allclose([found.low, found.high], expected, rtol=1e-9)
    assert math.isclose(found.degrees, 5, rel_tol=1e-9)


def test_variance_over_environments_is_unbiased_for_any_weights():
    rng = np.random.default_rng(8)
    weights = np.array([0.4, 0.25, 0.15, 0.1, 0.1])
    draws = rng.normal(size=(4000, 5))
    found = [
        score_interval_environments(np.tile(row[:, None], 2), weights, np.zeros(5, int)).standard_error ** 2
        for row in draws
    ]
    truth = np.square(weights).sum()
    assert abs(np.mean(found) - truth) < 4 * np.std(found) / math.sqrt(len(found))


def test_strata_take_the_differences_between_them_out():
    means = np.array([0.9, 0.8, 0.9, 0.8, 0.2, 0.1, 0.2, 0.1])
    values, weights = np.tile(means[:, None], 2), np.full(8, 1 / 8)
    apart = score_interval_environments(values, weights, [0, 0, 0, 0, 1, 1, 1, 1])
    # Two strata of half the weight each, variance of each mean (1/300) / 4.
    assert math.isclose(apart.standard_error**2, 2 * 0.25 * (1 / 300) / 4, rel_tol=1e-9)
    together = score_interval_environments(values, weights, np.zeros(8, int))
    assert together.standard_error > 5 * apart.standard_error


def test_small_strata_are_joined_with_their_neighbours():
    values = np.tile(np.random.default_rng(2).random((9, 1)), 2)
    weights = np.full(9, 1 / 9)
    small = score_interval_environments(values, weights, [1, 2, 3, 4, 7, 7, 7, 7, 9])
    assert small == score_interval_environments(values, weights, [0, 0, 0, 0, 1, 1, 1, 1, 1])


def test_seeds_that_vary_more_than_environments_set_the_interval():
    values = np.array([[0.0, 1.0, 0.0, 1.0], [0.0, 1.0, 0.0, 1.0]])
    weights = [0.5, 0.5]
    assert score_interval_environments(values, weights, [0, 0]) == score_interval(values, weights)


def test_one_environment_has_no_interval_over_environments():
    assert score_interval_environments([[0.1, 0.2], [0.3, 0.4]], [1.0, 0.0], [0, 0]) is None


def test_weights_of_one_environment_alone_still_give_numbers():
    values = np.tile([[0.2], [0.9], [0.4]], 3)
    found = score_interval_environments(values, [1.0, 1e-200, 1e-250], [0, 0, 0])
    assert math.isfinite(found.low)
    assert found.low < 0.2 < found.high


# Coverage by simulation, small; `benchmarks/interval_coverage.py` is the large one.
SAMPLES = 1500
MONTE_CARLO = 3 * math.sqrt(0.95 * 0.05 / SAMPLES)  # three standard errors
LENGTHS = [1500, 1760, 2000, 2200, 2536, 2800, 3000, 3300, 3536, 4200, 5200]
SUITE = tempered(LENGTHS, solve_temperature(LENGTHS))  # of which 5.5 environments count in effect
SPREADS = np.array([0.3, 0.02, 0.01, 0.25, 0.0, 0.05, 0.1, 0.02, 0.3, 0.3, 0.1])[:, None]


def stuck(rng, size, chance):
    return (rng.random(size) < 1 - chance) - (1 - chance) + 0.05 * rng.normal(size=size)


def one_sided(rng, size):
    return 1 - rng.exponential(size=size)


def mixed(rng, size):
    kind = np.arange(size[1])[:, None] % 3
    values = np.where(kind == 0, one_sided(rng, size), -one_sided(rng, size))
    return SPREADS[: size[1]] * np.where(kind == 1, stuck(rng, size, 0.2) / 0.4, values)


def bad_seeds(rng, size):
    return 0.1 * one_sided(rng, (size[0], 1, size[2])) + 0.15 * one_sided(rng, size)


DESIGNS = {
    "normal": lambda rng, size: rng.normal(size=size),
    "exponential": one_sided,
    "stuck in 2 of 5": lambda rng, size: stuck(rng, size, 0.4),
    "stuck in 1 of 10": lambda rng, size: stuck(rng, size, 0.1),
    "beta": lambda rng, size: rng.beta(6, 0.8, size) - 6 / 6.8,
    "mixed": mixed,
    "common to a seed": bad_seeds,
}


def held(design, weights, seeds):
    """Returns how many of the intervals hold the true score 0, and the set of their words on whether to trust them."""
    values = DESIGNS[design](np.random.default_rng(seeds), (SAMPLES, len(weights), seeds))
    found = [score_interval(table, weights) for table in values]
    return np.mean([item.low <= 0 <= item.high for item in found]), {item.trustworthy for item in found}


@pytest.mark.parametrize("seeds", [5, 10, 20])
@pytest.mark.parametrize("design", DESIGNS)
def test_intervals_of_a_suite_hold_as_often_as_they_say(design, seeds):
    share, trusted = held(design, SUITE, seeds)
    assert 0.93 - MONTE_CARLO < share < 0.97 + MONTE_CARLO
    assert trusted == {True}


@pytest.mark.parametrize("design", DESIGNS)
def test_intervals_of_one_environment_hold_where_they_are_trustworthy(design):
    share, trusted = held(design, [1.0], fewest_seeds([1.0]))
    assert 0.93 - MONTE_CARLO < share < 0.97 + MONTE_CARLO
    assert trusted == {True}


@pytest.mark.parametrize("seeds", [5, 10, 20])
def test_intervals_of_one_environment_that_do_not_hold_are_not_trustworthy(seeds):
    share, trusted = held("stuck in 1 of 10", [1.0], seeds)
    assert share < 0.93 - MONTE_CARLO
    assert trusted == {False}


def test_intervals_over_environments_hold_where_the_percentile_bootstrap_does_not():
    rng = np.random.default_rng(5)
    values = 0.3 * rng.normal(size=(SAMPLES, 11, 1)) + 0.05 * rng.normal(size=(SAMPLES, 11, 10))
    found = [score_interval_environments(table, SUITE, strata_of(LENGTHS)) for table in values]
    share = np.mean([interval.low <= 0 <= interval.high for interval in found])
    assert 0.93 - MONTE_CARLO < share < 0.97 + MONTE_CARLO


BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
RECORD = json.loads((BENCHMARKS / "results" / "interval_coverage.json").read_text())
DETAILS = ("environments", "levels", "seeds", "precision_over_deviation")
EXCEPTIONS = {
    ("fixed_seeds", "stuck in 2 of 5", 11, 5): (0.970, 0.974),
    ("one_environment", "stuck in 2 of 5", 1, 27): (0.970, 0.974),
    ("unequal_seeds", "stuck in 1 of 10"): (0.970, 0.975),
    ("stopped", "stuck in 1 of 10", 0.4): (0.929, 0.930),
    ("stopped", "common to a seed", 0.4): (0.927, 0.930),
    ("seeds_and_environments", "solved in 3 of 5", 33): (0.970, 0.987),
}
"""What holds in less than 93 % or more than 97 %, and within what it does, with the details of its row."""


def test_what_was_measured_to_be_trustworthy_holds():
    """The simulation of thousands of samples, which docs/scores.md tells of; some sections have no mark."""
    rows = {
        (section, row["design"], *(row[detail] for detail in DETAILS if detail in row)): row["coverage"]
        for section, found in RECORD.items()
        if isinstance(found, list)
        for row in found
        if row.get("trustworthy", True)
    }
    assert len(rows) > 100
    assert {key for key, share in rows.items() if not 0.93 <= share <= 0.97} == EXCEPTIONS.keys()
    for key, (low, high) in EXCEPTIONS.items():
        assert low <= rows[key] <= high, key


def test_benchmarks_read_their_arguments_before_they_write():
    """Else --help would run for an hour and overwrite results."""
    programs = [path for path in sorted(BENCHMARKS.glob("*.py")) if "__main__" in path.read_text()]
    assert len(programs) > 10
    for path in programs:
        assert re.search(r"parse_args\(|typer\.run\(", path.read_text()), path
