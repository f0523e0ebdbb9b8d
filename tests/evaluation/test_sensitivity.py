import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats

from aixi.errors import InvalidValueError
from aixi.evaluation.sensitivity import (
    dominance,
    kendall_tau,
    rank_acceptability,
    rankings,
    swap_distances,
)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=12))
def test_tau_equals_that_of_scipy(pairs):
    a, b = zip(*pairs, strict=True)
    if len(set(a)) == 1 or len(set(b)) == 1:
        assert math.isnan(kendall_tau(a, b))
    else:
        assert math.isclose(kendall_tau(a, b), stats.kendalltau(a, b).statistic, abs_tol=1e-12)


def test_rankings_under_named_weights():
    values = [[0.9, 0.1], [0.5, 0.5], [0.2, 0.6]]
    table = rankings(values, {"first": [1.0, 0.0], "second": [0.0, 1.0], "even": [0.5, 0.5]})
    assert table.names == ["first", "second", "even"]
    np.testing.assert_allclose(table.scores, [[0.9, 0.5, 0.2], [0.1, 0.5, 0.6], [0.5, 0.5, 0.4]])
    np.testing.assert_array_equal(table.ranks, [[1, 2, 3], [3, 2, 1], [1.5, 1.5, 3]])
    # Of three pairs "even" ties one: two agree with "first", of sqrt(3 * 2).
    np.testing.assert_allclose(table.tau, [[1, -1, 2 / 6**0.5], [-1, 1, -2 / 6**0.5], [2 / 6**0.5, -2 / 6**0.5, 1]])


def test_acceptability_of_two_environments_in_closed_form():
    # A leads where w1 / w2 > 1, with log2 w1 uniform on [-1, 3] and w2 fixed at 1: three quarters.
    values = [[1.0, 0.0], [0.0, 1.0]]
    samples = 40_000
    found = rank_acceptability(values, [0.5, 1.0], [8.0, 1.0], np.random.default_rng(1), samples)
    error = math.sqrt(0.75 * 0.25 / samples)
    np.testing.assert_allclose(found, [[0.75, 0.25], [0.25, 0.75]], atol=4 * error)
    np.testing.assert_allclose(found.sum(axis=0), 1, rtol=1e-12)


def test_acceptability_with_both_ranges_in_closed_form():
    # log2 w1 - log2 w2 of uniforms on [0, 2] and [1, 2] exceeds 0 where x > y: 1 - (area below) = 1 / 4.
    found = rank_acceptability(
        [[1.0, 0.0], [0.0, 1.0]], [1.0, 2.0], [4.0, 4.0], np.random.default_rng(2), samples=40_000
    )
    assert abs(found[0, 0] - 0.25) < 4 * math.sqrt(0.25 * 0.75 / 40_000)


def test_acceptability_of_ties_is_shared():
    found = rank_acceptability([[0.5], [0.5], [0.1]], [1.0], [2.0], np.random.default_rng(0), 100)
    np.testing.assert_allclose(found, [[0.5, 0.5, 0], [0.5, 0.5, 0], [0, 0, 1]])


def test_environments_without_weight_do_not_move_acceptability():
    found = rank_acceptability([[0.9, 0.0], [0.1, 9.0]], [1.0, 0.0], [2.0, 0.0], np.random.default_rng(0), 100)
    np.testing.assert_array_equal(found, np.eye(2))


def test_dominance_needs_an_environment_where_it_is_better():
    found = dominance([[0.5, 0.5], [0.5, 0.5], [0.4, 0.5], [0.6, 0.1]])
    expected = np.zeros((4, 4), bool)
    expected[[0, 1], 2] = True
    np.testing.assert_array_equal(found, expected)


def test_swap_distance_of_three_environments_in_closed_form():
    # Leads 0.6, 0.2 and -0.4 at weights 0.2, 0.5 and 0.3: lead 0.1; moving a share m from the first gains 1.0 m.
    found = swap_distances([[0.6, 0.2, 0.0], [0.0, 0.0, 0.4]], [0.2, 0.5, 0.3])
    assert found.order.tolist() == [0, 1]
    np.testing.assert_allclose(found.distances, [0.1], rtol=1e-12)


@given(st.integers(0, 10_000))
def test_swap_distances_are_those_of_the_linear_programme(seed):
    rng = np.random.default_rng(seed)
    weights = rng.dirichlet(np.ones(4))
    values = rng.random((2, 4))
    found = swap_distances(values, weights)
    better, worse = values[found.order]
    lead = better - worse
    # Variables: new weights, and what each lost.
    result = optimize.linprog(
        np.r_[np.zeros(4), np.ones(4)],
        A_ub=np.vstack([np.r_[lead, np.zeros(4)], np.hstack([-np.eye(4), -np.eye(4)])]),
        b_ub=np.r_[0.0, -weights],
        A_eq=[np.r_[np.ones(4), np.zeros(4)]],
        b_eq=[1.0],
        bounds=(0, None),
    )
    if lead.min() >= 0:
        assert found.distances[0] == math.inf
    else:
        assert math.isclose(found.distances[0], result.fun, abs_tol=1e-8)


def test_agents_that_tie_swap_at_once_and_dominated_ones_never():
    found = swap_distances([[0.1, 0.1], [0.9, 0.2], [0.2, 0.9]], [0.5, 0.5])
    assert found.order.tolist() == [1, 2, 0]
    assert found.distances.tolist() == [0.0, math.inf]


@pytest.mark.parametrize(
    ("low", "high", "message"),
    [
        ([1.0], [1.0], "ranges must be one for each environment"),
        ([0.0, 1.0], [1.0, 1.0], "0 < low <= high"),
        ([2.0, 1.0], [1.0, 1.0], "0 < low <= high"),
        ([1.0, 1.0], [math.inf, 1.0], "0 < low <= high"),
        ([0.0, 0.0], [0.0, 0.0], "more than 0"),
    ],
)
def test_wrong_ranges_are_refused(low, high, message):
    with pytest.raises(InvalidValueError, match=message):
        rank_acceptability([[0.1, 0.2]], low, high, np.random.default_rng())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: kendall_tau([1, 2], [1, 2, 3]), "one number for each agent"),
        (lambda: rankings([[0.1, math.nan]], {"even": [0.5, 0.5]}), "finite"),
        (lambda: rankings([[0.1, 0.2]], {}), "at least one weighting"),
        (lambda: rankings([[0.1, 0.2]], {"even": [0.5, 0.6]}), "sum to 1"),
        (lambda: swap_distances([[0.1, 0.2]], [1.0]), "one for each environment"),
        (lambda: dominance([0.1, 0.2]), "values must be"),
    ],
)
def test_wrong_arguments_are_refused(call, message):
    with pytest.raises(InvalidValueError, match=message):
        call()
