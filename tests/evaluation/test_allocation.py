import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from aixi.errors import InvalidValueError
from aixi.evaluation.allocation import PILOT, intervals, is_precise, next_seeds, neyman
from aixi.evaluation.intervals import FEWEST_LIVES, paired_difference, score_interval, steadied


def _variance(weights, deviations, lives):
    return float(np.sum(np.square(np.multiply(weights, deviations)) / lives))


def test_lives_go_as_weight_times_deviation():
    # Products 0.05, 0.06 and 0.04: lives 0.15 times these over the variance.
    found = neyman([0.5, 0.3, 0.2], [0.1, 0.2, 0.2], [1, 1, 1], 0.15 / 2000)
    np.testing.assert_allclose(found, [100, 120, 80], rtol=1e-12)


def test_lives_go_inversely_as_the_root_of_the_cost():
    # w s / sqrt(c) = 0.5, 0.25 and sum w s sqrt(c) = 1.5: 200 and 100 lives have the variance 0.25 / 200 + 0.25 / 100.
    np.testing.assert_allclose(neyman([0.5, 0.5], [1, 1], [1, 4], 0.75 / 200), [200, 100], rtol=1e-12)


@given(st.integers(0, 1000))
def test_lives_reach_the_variance_and_no_others_do_so_for_less(seed):
    rng = np.random.default_rng(seed)
    weights, deviations, costs = rng.dirichlet(np.ones(5)), rng.random(5) + 0.1, rng.uniform(1, 9, 5)
    lives = neyman(weights, deviations, costs, 0.001)
    assert math.isclose(_variance(weights, deviations, lives), 0.001, rel_tol=1e-12)
    others = lives * rng.uniform(0.5, 2, 5)
    others *= _variance(weights, deviations, others) / 0.001  # as many as take them to the same variance
    assert costs @ lives <= costs @ others * (1 + 1e-12)


def test_what_counts_nothing_or_never_varies_gets_nothing():
    np.testing.assert_allclose(neyman([0.5, 0.0, 0.5], [1, 1, 0], [1, 1, 1], 0.25 / 16), [16, 0, 0], rtol=1e-12)


@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=2, max_size=3),
    st.integers(0, 9),
)
def test_no_whole_numbers_within_the_budget_are_better_at_equal_costs(pairs, budget):
    shares, spreads = np.array(pairs, float).T
    weights = shares / shares.sum()
    seeds = np.resize([-1.0, 1.0], 20)
    cube = (spreads[:, None] * seeds)[None]
    deviations = np.sqrt(steadied(cube[0].var(axis=1, ddof=1), np.full(len(pairs), 20), weights))
    # The precision is far off: every environment could take all of the budget.
    assume(len(pairs) * 20 >= FEWEST_LIVES and 20 * (weights @ weights) ** -1 >= FEWEST_LIVES)
    lives = 20 + next_seeds(cube, weights, np.ones(len(pairs)), 1e-6, budget=budget)
    best = min(
        _variance(weights, deviations, numbers)
        for numbers in itertools.product(range(20, 21 + budget), repeat=len(pairs))
        if sum(numbers) == 20 * len(pairs) + budget
    )
    assert sum(lives) == 20 * len(pairs) + budget
    assert math.isclose(_variance(weights, deviations, lives), best, rel_tol=1e-12)


def test_intervals_are_those_of_each_two_agents():
    cube = np.random.default_rng(1).random((3, 2, 12))
    found = intervals(cube, [0.5, 0.5])
    pairs = [(0, 1), (0, 2), (1, 2)]
    assert found == [paired_difference(cube[a], cube[b], [0.5, 0.5], pilot=PILOT) for a, b in pairs]
    assert intervals(cube[:1], [0.5, 0.5]) == [score_interval(cube[0], [0.5, 0.5], pilot=PILOT)]


def test_precision_needs_a_trustworthy_interval():
    narrow, wide = np.full((1, 26), 0.1), np.resize([0.1, 0.9], (1, 27))
    assert not is_precise([score_interval(narrow, [1.0])], 0.01)
    assert is_precise([score_interval(np.full((1, 27), 0.1), [1.0])], 0.01)
    assert not is_precise([None], 0.01)
    assert not is_precise([score_interval(wide, [1.0])], 0.01)


def test_first_stage_is_the_pilot():
    cube = np.full((2, 3, 4), np.nan)
    cube[:, 0, :3], cube[0, 1, :2] = 0.5, 0.5  # the second agent has not lived in the second environment
    np.testing.assert_array_equal(next_seeds(cube, [0.5, 0.5, 0], [1, 1, 1], 0.01, pilot=15), [12, 15, 0])
    np.testing.assert_array_equal(next_seeds(cube, [0.5, 0.5, 0], [1, 1, 1], 0.01, budget=6), [2, 4, 0])


def test_first_stage_goes_on_until_intervals_are_trustworthy():
    cube = np.zeros((1, 2, 10))
    np.testing.assert_array_equal(next_seeds(cube, [0.5, 0.5], [1, 1], 0.01), [4, 4])
    np.testing.assert_array_equal(next_seeds(cube, [1.0, 0.0], [1, 1], 0.01), [17, 0])


def test_nothing_more_is_needed_where_it_is_precise():
    cube = np.stack([np.full((2, 14), 0.5), np.full((2, 14), 0.4)])
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


SAMPLES = 1000
MONTE_CARLO = 3 * math.sqrt(0.95 * 0.05 / SAMPLES)  # three standard errors


def _stuck(rng, size):
    return (rng.random(size) < 0.9) - 0.9 + 0.05 * rng.normal(size=size)


@pytest.mark.parametrize(
    ("draw", "precision"),
    [
        (lambda rng, size: rng.normal(size=size), 0.25),
        (lambda rng, size: 1 - rng.exponential(size=size), 0.25),
        (_stuck, 0.075),
    ],
    ids=["normal", "exponential", "stuck in 1 of 10"],
)
def test_intervals_hold_after_stopping(draw, precision):
    rng = np.random.default_rng(6)
    weights, costs = np.full(6, 1 / 6), np.ones(6)
    held = 0
    for _ in range(SAMPLES):
        every = draw(rng, (1, 6, 120))
        counts, cube = np.zeros(6, int), np.full(every.shape, np.nan)
        while (more := next_seeds(cube, weights, costs, precision)).any():
            counts = counts + more
            cube = np.where(np.arange(120) < counts[:, None], every, np.nan)
        found = score_interval(cube[0], weights, pilot=PILOT)
        assert found.trustworthy
        assert found.half <= precision
        held += found.low <= 0 <= found.high
    assert 0.93 - MONTE_CARLO < held / SAMPLES < 0.97 + MONTE_CARLO


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: neyman([0.5, 0.5], [1, 1], [1, 2], 0.0), "variance must be above 0"),
        (lambda: neyman([0.5, 0.5], [1, 1], [1, 2], math.inf), "variance must be above 0 and finite"),
        (lambda: neyman([0.5, 0.5], [1, 1], [1, 0], 9), "costs must be above 0"),
        (lambda: neyman([0.5, 0.5], [1, -1], [1, 1], 9), "deviations must be at least 0"),
        (lambda: neyman([0.5, 0.5], [1], [1, 1], 9), "one for each environment"),
        (lambda: neyman([0.0, 0.0], [1, 1], [1, 1], 9), "more than 0"),
        (lambda: next_seeds(np.zeros((1, 2)), [1.0], [1.0], 0.1), "values must be"),
        (lambda: next_seeds(np.zeros((1, 1, 2)), [1.0], [1.0], 0.1, pilot=4), "pilot must be at least 5"),
        (lambda: next_seeds(np.zeros((1, 1, 2)), [1.0], [1.0], 0.1, budget=-1), "budget must be at least 0"),
        (lambda: next_seeds(np.zeros((1, 1, 27)), [1.0], [1.0], 0.0), "precision must be above 0"),
    ],
)
def test_wrong_arguments_are_refused(call, message):
    with pytest.raises(InvalidValueError, match=message):
        call()
