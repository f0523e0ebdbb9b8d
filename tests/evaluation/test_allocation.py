import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aixi.errors import InvalidValueError
from aixi.evaluation.allocation import PILOT, intervals, is_precise, next_seeds, neyman, paired_deviations
from aixi.evaluation.intervals import paired_difference, score_interval


def _variance(weights, deviations, lives):
    return float(np.sum(np.square(np.multiply(weights, deviations)) / lives))


def test_lives_go_as_weight_times_deviation():
    np.testing.assert_array_equal(neyman([0.5, 0.3, 0.2], [0.1, 0.2, 0.2], [1, 1, 1], 300), [100, 120, 80])


def test_lives_go_inversely_as_the_root_of_the_cost():
    # w s / sqrt(c) = 0.5, 0.25: two lives of the first for one of the second, 2 * 1 + 1 * 4 = 6 a pair.
    np.testing.assert_array_equal(neyman([0.5, 0.5], [1, 1], [1, 4], 600), [200, 100])


@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(0, 9)), min_size=2, max_size=3),
    st.integers(0, 12),
)
def test_no_whole_numbers_are_better_at_equal_costs(pairs, more):
    weights, deviations = np.array(pairs, float).T
    budget = 2 * len(pairs) + more
    best = min(
        _variance(weights, deviations, lives)
        for lives in itertools.product(range(2, budget + 1), repeat=len(pairs))
        if sum(lives) <= budget
    )
    lives = neyman(weights, deviations, np.ones(len(pairs)), budget)
    assert lives.min() >= 2
    assert lives.sum() <= budget
    assert math.isclose(_variance(weights, deviations, lives), best, rel_tol=1e-12)


@given(st.integers(0, 1000))
def test_unequal_costs_come_close_to_the_bound_and_keep_the_budget(seed):
    rng = np.random.default_rng(seed)
    weights, deviations, costs = rng.dirichlet(np.ones(5)), rng.random(5) + 0.1, rng.uniform(1, 9, 5)
    lives = neyman(weights, deviations, costs, 2000)
    assert 2000 - costs.max() < costs @ lives <= 2000
    bound = float((weights * deviations * np.sqrt(costs)).sum()) ** 2 / 2000
    if lives.min() > 2:
        assert bound <= _variance(weights, deviations, lives) < 1.02 * bound


def test_what_counts_nothing_gets_nothing_and_what_never_varies_gets_two():
    np.testing.assert_array_equal(neyman([0.5, 0.0, 0.5], [1, 1, 0], [1, 1, 1], 20), [18, 0, 2])


def test_deviations_are_those_of_the_pair_that_is_least_certain():
    seeds = np.array([0.0, 1.0, 2.0, 3.0, 4.0])
    noise = np.array([1.0, -1.0, 0.0, 1.0, -1.0])
    cube = np.stack([[seeds, seeds], [seeds - 0.1 * noise, seeds], [seeds, seeds + 3 * noise]])
    expected = np.stack([0.1 * noise, 3 * noise]).std(axis=1, ddof=1)
    np.testing.assert_allclose(paired_deviations(cube, [0.5, 0.5]), expected, rtol=1e-9)
    np.testing.assert_allclose(paired_deviations(cube[:1], [0.5, 0.5]), np.full(2, seeds.std(ddof=1)), rtol=1e-12)


def test_intervals_are_those_of_each_two_agents():
    cube = np.random.default_rng(1).random((3, 2, 12))
    found = intervals(cube, [0.5, 0.5])
    pairs = [(0, 1), (0, 2), (1, 2)]
    assert found == [paired_difference(cube[a], cube[b], [0.5, 0.5], pilot=PILOT) for a, b in pairs]
    assert intervals(cube[:1], [0.5, 0.5]) == [score_interval(cube[0], [0.5, 0.5], pilot=PILOT)]


def test_precision_needs_a_trustworthy_interval():
    narrow = score_interval([[0.1, 0.1, 0.1, 0.1]], [1.0])
    assert not is_precise([narrow], 0.01)
    assert is_precise([score_interval([[0.1] * 5], [1.0])], 0.01)
    assert not is_precise([None], 0.01)
    assert not is_precise([score_interval([[0.1, 0.9, 0.4, 0.2, 0.3]], [1.0])], 0.01)


def test_first_stage_is_the_pilot():
    cube = np.full((2, 3, 4), np.nan)
    cube[:, 0, :3], cube[0, 1, :2] = 0.5, 0.5  # the second agent has not lived in the second environment
    np.testing.assert_array_equal(next_seeds(cube, [0.5, 0.5, 0], [1, 1, 1], 0.01), [7, 10, 0])
    np.testing.assert_array_equal(next_seeds(cube, [0.5, 0.5, 0], [1, 1, 1], 0.01, budget=6), [2, 4, 0])


def test_nothing_more_is_needed_where_it_is_precise():
    cube = np.stack([np.full((2, 10), 0.5), np.full((2, 10), 0.4)])
    np.testing.assert_array_equal(next_seeds(cube, [0.5, 0.5], [1, 1], 0.01), [0, 0])


def test_next_stage_doubles_at_most_and_adds_a_quarter_at_least():
    seeds = np.resize([-1.0, 1.0], 20)
    cube = np.zeros((1, 2, 20))
    cube[0, 0] = seeds
    half = score_interval(cube[0], [0.5, 0.5], pilot=10).half
    far, near = (next_seeds(cube, [0.5, 0.5], [1, 1], half / factor) for factor in (10, 1.001))
    assert far[0] == 20
    assert near[0] == 5
    # Twenty equal lives do not show that there is no spread, but little of it.
    assert near[1] == 0


def test_budget_is_kept_and_spent_where_it_helps_most():
    rng = np.random.default_rng(3)
    cube = rng.normal(size=(2, 3, 10)) * np.array([3.0, 1.0, 1.0])[:, None]
    costs = np.array([2.0, 1.0, 1.0])
    more = next_seeds(cube, [1 / 3] * 3, costs, 0.01, budget=9.0)
    assert 7 < costs @ more <= 9
    assert more[0] > max(more[1:])
    np.testing.assert_array_equal(next_seeds(cube, [1 / 3] * 3, costs, 0.01, budget=0.0), [0, 0, 0])


def test_stages_end_precise():
    rng = np.random.default_rng(4)
    weights, costs, precision = np.array([0.6, 0.3, 0.1]), np.array([1.0, 2.0, 3.0]), 0.1
    every = rng.normal(size=(2, 3, 2000)) * np.array([0.5, 0.1, 1.0])[:, None]
    counts, stages = np.zeros(3, int), 0
    cube = np.full(every.shape, np.nan)
    while (more := next_seeds(cube, weights, costs, precision)).any():
        counts, stages = counts + more, stages + 1
        cube = np.where(np.arange(2000) < counts[:, None], every, np.nan)
    assert is_precise(intervals(cube, weights), precision)
    assert stages <= 8
    # Neyman's numbers for this precision with known spreads; a stage may overshoot.
    scale = weights * math.sqrt(2) * np.array([0.5, 0.1, 1.0])
    ideal = 2.26**2 * scale / np.sqrt(costs) * (scale * np.sqrt(costs)).sum() / precision**2
    assert costs @ np.maximum(ideal, 10) / 2 < costs @ counts < 2 * costs @ np.maximum(ideal, 10)


def test_intervals_hold_after_stopping():
    """With 400 samples a true 95 % comes out within four standard errors, 90.6 % to 99.4 %."""
    rng = np.random.default_rng(6)
    weights, costs = np.array([0.4, 0.3, 0.2, 0.1]), np.ones(4)
    held = 0
    for _ in range(400):
        every = 1 - rng.exponential(size=(1, 4, 120))
        counts, cube = np.zeros(4, int), np.full(every.shape, np.nan)
        while (more := next_seeds(cube, weights, costs, 0.25)).any():
            counts = counts + more
            cube = np.where(np.arange(120) < counts[:, None], every, np.nan)
            if counts.max() >= 120:
                break
        found = score_interval(cube[0], weights, pilot=PILOT)
        held += found.low <= 0 <= found.high
    assert held / 400 > 0.906


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: neyman([0.5, 0.5], [1, 1], [1, 2], 5), "budget must be at least 6"),
        (lambda: neyman([0.5, 0.5], [1, 1], [1, 2], math.inf), "budget must be finite"),
        (lambda: neyman([0.5, 0.5], [1, 1], [1, 0], 9), "costs must be above 0"),
        (lambda: neyman([0.5, 0.5], [1, -1], [1, 1], 9), "deviations must be at least 0"),
        (lambda: neyman([0.5, 0.5], [1], [1, 1], 9), "one for each environment"),
        (lambda: neyman([0.0, 0.0], [1, 1], [1, 1], 9), "more than 0"),
        (lambda: paired_deviations(np.zeros((2, 1, 1)), [1.0]), "two lives"),
        (lambda: next_seeds(np.zeros((1, 2)), [1.0], [1.0], 0.1), "values must be"),
        (lambda: next_seeds(np.zeros((1, 1, 2)), [1.0], [1.0], 0.1, pilot=4), "pilot must be at least 5"),
        (lambda: next_seeds(np.zeros((1, 1, 2)), [1.0], [1.0], 0.1, budget=-1), "budget must be at least 0"),
        (lambda: next_seeds(np.zeros((1, 1, 10)), [1.0], [1.0], 0.0), "precision must be above 0"),
    ],
)
def test_wrong_arguments_are_refused(call, message):
    with pytest.raises(InvalidValueError, match=message):
        call()
