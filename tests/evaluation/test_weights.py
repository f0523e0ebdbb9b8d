import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aixi.errors import InvalidValueError
from aixi.evaluation.weights import (
    effective_number,
    literal,
    solve_temperature,
    strata,
    strata_of,
    tempered,
    uniform,
)

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


def test_strata_halve_across_bins_and_share_within():
    # Bins 1, 1, 2 and 4 of 1,000 bits: 1, 1 / 2 and 1 / 8.
    found = strata([1000, 1999, 2000, 4500], 1000)
    np.testing.assert_allclose(found, np.array([1 / 2, 1 / 2, 1 / 2, 1 / 8]) / (13 / 8), rtol=1e-15)
    assert strata_of([1000, 1999, 2000, 4500], 1000).tolist() == [1, 1, 2, 4]


@given(LENGTHS, st.integers(100, 20_000))
def test_a_new_environment_moves_no_other_into_another_stratum(lengths, new):
    np.testing.assert_array_equal(strata_of(lengths), strata_of([*lengths, new])[:-1])
    before, after = strata(lengths), strata([*lengths, new])[:-1]
    others = strata_of(lengths) != strata_of([new])
    if others.any():  # those of other strata keep their proportions
        np.testing.assert_allclose(before[others] / before[others][0], after[others] / after[others][0], rtol=1e-12)


@given(LENGTHS)
def test_strata_sum_to_one(lengths):
    assert math.isclose(strata(lengths).sum(), 1.0, rel_tol=1e-12)


@pytest.mark.parametrize("width", [0.0, -1.0, math.inf])
def test_width_of_strata_must_be_positive(width):
    with pytest.raises(InvalidValueError, match="width must be above 0"):
        strata([1, 2], width)
