import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from aixi.errors import InvalidValueError
from aixi.evaluation.intervals import mean_interval, student_t_quantile
from aixi.evaluation.weights import effective_number, literal, solve_temperature, tempered, uniform

LENGTHS = st.lists(st.integers(100, 20_000), min_size=3, max_size=30, unique=True)


def test_tempered_weights_of_equal_steps_are_a_geometric_series():
    np.testing.assert_allclose(tempered([1000, 1300, 1600], 300), [4 / 7, 2 / 7, 1 / 7], rtol=1e-15)


def test_literal_weights_are_powers_of_two_of_the_length():
    np.testing.assert_allclose(literal([10, 11, 13]), np.array([8, 4, 1]) / 13, rtol=1e-15)


def test_literal_weights_of_real_lengths_leave_one_environment():
    first, *others = literal([1760, 2536, 3536])
    assert first == 1.0
    assert max(others) < 1e-200


def test_uniform_weights_are_equal():
    assert uniform(4).tolist() == [0.25] * 4


@given(LENGTHS, st.integers(0, 10_000), st.floats(1.0, 1e5))
def test_weights_ignore_a_constant_added_to_all_lengths(lengths, constant, temperature):
    moved = [length + constant for length in lengths]
    np.testing.assert_array_equal(tempered(lengths, temperature), tempered(moved, temperature))


@given(LENGTHS)
def test_temperature_makes_half_of_the_environments_count(lengths):
    temperature = solve_temperature(lengths)
    assert math.isclose(effective_number(tempered(lengths, temperature)), len(lengths) / 2, rel_tol=1e-9)


def test_temperature_of_two_environments_in_closed_form():
    # (1 + x)^2 / (1 + x^2) = 3/2 at x = 2 - sqrt(3), with x = 2^(-10 / T)
    assert math.isclose(solve_temperature([50, 60], 1.5), -10 / math.log2(2 - math.sqrt(3)), rel_tol=1e-12)


@pytest.mark.parametrize(("lengths", "effective"), [([5, 5], 1.5), ([5, 6], 2.0), ([5, 6], 1.0)])
def test_temperature_that_does_not_exist_is_refused(lengths, effective):
    with pytest.raises(InvalidValueError, match="effective number must be above"):
        solve_temperature(lengths, effective)


@pytest.mark.parametrize("temperature", [0.0, -1.0])
def test_temperature_must_be_positive(temperature):
    with pytest.raises(InvalidValueError, match="temperature must be above 0"):
        tempered([1, 2], temperature)


@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 9, 10, 29, 30, 1000])
@pytest.mark.parametrize("probability", [0.01, 0.4, 0.5, 0.75, 0.975, 0.9995])
def test_t_quantiles_equal_those_of_scipy(probability, degrees):
    expected = stats.t.ppf(probability, degrees)
    assert math.isclose(student_t_quantile(probability, degrees), expected, rel_tol=1e-10, abs_tol=1e-12)


def test_interval_equals_that_of_scipy():
    values = [0.31, 0.42, 0.12, 0.57, 0.33]
    expected = stats.t.interval(0.95, 4, np.mean(values), stats.sem(values))
    np.testing.assert_allclose(mean_interval(values), expected, rtol=1e-12)


def test_one_value_has_no_interval():
    assert mean_interval([0.5]) is None
