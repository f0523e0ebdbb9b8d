"""The planner: values against expectimax, trees against the paper's recursion, budgets and state."""

import math
import time
from itertools import pairwise

import numpy as np
import pytest
from planner_references import (
    PaperSearch,
    Rule,
    arms,
    expectimax,
    planner,
    random_world,
    tree_of,
    words_of,
    world,
)

from aixi.agents.models.finite import FinitePOMDP
from aixi.agents.planning import MaskRule
from aixi.errors import InvalidValueError


@pytest.mark.parametrize("seed", range(8))
def test_value_of_the_best_action_is_that_of_expectimax(seed: int) -> None:
    steps, belief, rewards = random_world(seed)
    exact = np.array(expectimax(steps, dict(enumerate(belief)), 3, rewards.__getitem__)) / 3
    found = planner(
        model := world(steps, 4, belief), rewards, seed=seed, horizon=3, simulations=100_000, ucb_constant=0.25
    )
    result = found.search([model])
    # No mean of returns within the span deviates by more than half of it.
    error = (max(rewards) - min(rewards)) / 2 / math.sqrt(result.visits[result.action])
    assert abs(result.values[result.action] - exact.max()) < 4 * error
    assert exact[result.action] > exact.max() - 4 * error


def test_value_stays_that_of_expectimax_as_life_goes_on() -> None:
    steps, belief, rewards = random_world(11)
    model = world(steps, 4, belief)
    found = planner(model, rewards, horizon=3, simulations=40_000, ucb_constant=0.25, reuse_tree=False)
    rng = np.random.default_rng(0)
    for _ in range(6):
        now = dict(enumerate(model.belief.tolist()))
        exact = np.array(expectimax(steps, now, 3, rewards.__getitem__)) / 3
        result = found.search([model])
        error = (max(rewards) - min(rewards)) / 2 / math.sqrt(result.visits[result.action])
        assert abs(result.values[result.action] - exact.max()) < 4 * error
        outcomes = steps[rng.choice(12, p=model.belief)][result.action]
        percept = outcomes[rng.choice(len(outcomes), p=[p for p, *_ in outcomes])][2]
        model.condition(result.action)
        model.update(words_of(percept, 4))
        found.advance(result.action, words_of(percept, 4))


@pytest.mark.parametrize("mask", [None, [False, True]])
@pytest.mark.parametrize("seed", range(6))
def test_tree_is_that_of_the_papers_algorithms(seed: int, mask: list[bool] | None) -> None:
    steps, belief, rewards = random_world(seed)
    model = world(steps, 4, belief)
    found = planner(model, rewards, seed=seed, horizon=4, simulations=400, ucb_constant=0.5 + 0.25 * seed)
    paper = PaperSearch(found, model, rewards, mask)
    paper.search(400)
    found.search([model], None if mask is None else np.array(mask))
    tree = tree_of(found)
    # What lies at the horizon is never counted in the paper's tree, and not kept in ours.
    assert tree.keys() == {history for history in paper.tree if len(history) // 2 < 4}
    for history, (visits, action_visits, values) in tree.items():
        node = paper.tree[history]
        assert (visits, action_visits) == (node.visits, node.action_visits)
        left = max(4 - len(history) // 2, 1)
        assert values == pytest.approx([value / left for value in node.values], abs=1e-12)


def test_tree_of_a_tiny_world() -> None:
    # State 0: action 0 pays 1 and leads to state 1, action 1 stays. State 1: action 1 pays 1; both stay.
    steps = [[[(1.0, 1, 1)], [(1.0, 0, 0)]], [[(1.0, 1, 0)], [(1.0, 1, 1)]]]
    found = planner(model := world(steps, 1, [1.0, 0.0]), [0.0, 1.0], seed=4, horizon=2, simulations=8)
    found.search([model])
    assert tree_of(found) == {
        (): (8, [5, 2], [0.9, 0.25]),  # one simulation came to the empty root
        (0, 1): (5, [1, 3], [0.0, 1.0]),  # and one to each of these
        (1, 0): (2, [0, 1], [0.0, 0.0]),
    }


def test_same_seed_same_tree() -> None:
    steps, belief, rewards = random_world(3)
    trees = []
    for seed in (1, 1, 2):
        found = planner(model := world(steps, 4, belief), rewards, seed=seed, horizon=3, simulations=200)
        found.search([model])
        trees.append(tree_of(found))
    assert trees[0] == trees[1] != trees[2]


class Late(FinitePOMDP):
    """A model that keeps its thread waiting."""

    delay = 0.0

    @property
    def compiled(self):
        time.sleep(self.delay)
        return super().compiled


@pytest.mark.parametrize("simulations", [1, 401])
def test_threads_merge_whatever_their_timing(simulations: int) -> None:
    steps, belief, rewards = random_world(4)
    results = []
    for late in (0, 0, 1, 2):
        models = [world(steps, 4, belief, Late) for _ in range(2)]
        found = planner(models[0], rewards, seed=9, horizon=3, simulations=simulations, threads=2)
        if late:
            models[late - 1].delay = 0.02
        result = found.search(models)
        results.append(
            (
                result.action,
                result.visits.tolist(),
                result.values.tolist(),
                tree_of(found, 0),
                tree_of(found, 1),
            )
        )
        assert result.simulations == simulations
    for other in results[1:]:
        np.testing.assert_equal(other, results[0])
    if simulations > 1:
        assert results[0][3] != results[0][4]  # the threads' own randomness
        both = [np.array(tree[()][1]) for tree in results[0][3:]]
        np.testing.assert_array_equal(results[0][1], both[0] + both[1])


def test_threads_agree_with_expectimax() -> None:
    steps, belief, rewards = random_world(5)
    exact = max(expectimax(steps, dict(enumerate(belief)), 2, rewards.__getitem__)) / 2
    models = [world(steps, 4, belief) for _ in range(3)]
    found = planner(models[0], rewards, horizon=2, simulations=60_000, threads=3, ucb_constant=0.25)
    result = found.search(models)
    error = (max(rewards) - min(rewards)) / 2 / math.sqrt(result.visits[result.action])
    assert abs(result.values[result.action] - exact) < 4 * error


def test_budget_by_the_clock() -> None:
    steps, belief, rewards = random_world(6)
    found = planner(model := world(steps, 4, belief), rewards, horizon=3, simulations=None, milliseconds=20.0)
    found.search([model])  # compiles
    began = time.perf_counter()
    result = found.search([model])
    assert time.perf_counter() - began >= 0.02
    assert result.simulations > 500
    before = found.totals["simulations"]
    assert found.search([model]).simulations == found.totals["simulations"] - before


def test_trees_are_dropped_where_they_do_not_lead_or_are_not_wanted() -> None:
    steps, belief, rewards = random_world(7)
    empty = {(): (0, [0, 0], [0.0, 0.0])}
    for reuse, action, percept in ((True, 0, 2), (False, 0, 0)):  # percept 2 follows action 1
        found = planner(model := world(steps, 4, belief), rewards, horizon=3, reuse_tree=reuse)
        found.search([model])
        found.advance(action, words_of(percept, 4))
        assert tree_of(found) == empty
    found.search([model])
    found.forget()
    assert tree_of(found) == empty


@pytest.mark.parametrize("offset", [-4096.0, 64.0])
@pytest.mark.parametrize("seed", range(20))
def test_offset_of_rewards_changes_nothing(offset: float, seed: int) -> None:
    steps, belief, rewards = random_world(seed)
    results = []
    for added in (0.0, offset):
        model = world(steps, 4, belief)
        moved = [reward + added for reward in rewards]
        results.append(planner(model, moved, seed=3, horizon=4, simulations=300).search([model]))
    assert results[0].action == results[1].action
    np.testing.assert_array_equal(results[0].visits, results[1].visits)
    np.testing.assert_allclose(results[1].values - offset, results[0].values, atol=1e-9)


def test_state_goes_on_bit_for_bit() -> None:
    steps, belief, rewards = random_world(10)
    model = world(steps, 4, belief)
    first = planner(model, rewards, seed=1, horizon=3, threads=2)
    first.search([model, model.copy()])
    second = planner(model, rewards, seed=2, horizon=3, threads=2)
    second.load_state_dict(first.state_dict())
    results = [each.search([model, model.copy()]) for each in (first, second)]
    assert results[0].action == results[1].action
    assert [tree_of(first, worker) for worker in (0, 1)] == [tree_of(second, worker) for worker in (0, 1)]
    assert first.totals == second.totals
    with pytest.raises(InvalidValueError, match="2 threads, this planner has 1"):
        planner(model, rewards).load_state_dict(first.state_dict())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"horizon": 0}, "horizon must be at least 1, got 0"),
        ({"simulations": 0}, "simulations must be at least 1, got 0"),
        ({"simulations": 1.5}, "simulations must be a whole number, got 1.5"),
        (
            {"simulations": None},
            "either simulations or milliseconds, got simulations=None and milliseconds=None",
        ),
        (
            {"milliseconds": 1.0},
            "either simulations or milliseconds, got simulations=100 and milliseconds=1.0",
        ),
        ({"simulations": None, "milliseconds": 0.0}, "milliseconds must be finite and above 0, got 0.0"),
        ({"threads": 0}, "threads must be at least 1, got 0"),
        ({"ucb_constant": -0.5}, "ucb_constant must be finite and at least 0, got -0.5"),
        ({"ucb_constant": math.inf}, "ucb_constant must be finite and at least 0, got inf"),
        ({"horizon": 10**12}, "horizon must be at most 1024, got 1000000000000"),
        ({"threads": 10**5}, "threads must be at most 256, got 100000"),
    ],
)
def test_bad_options_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        planner(world(arms(0, 1), 1), [0.0, 1.0], **options)


@pytest.mark.parametrize("mask", [[False, False], [True], [True, True, True], [[True, True]]])
def test_bad_masks_and_models_are_refused(mask: list[bool]) -> None:
    model = world(arms(0, 1), 1)
    found = planner(model, [0.0, 1.0])
    with pytest.raises(InvalidValueError, match="one truth value for each of 2 actions, at least one of them True"):
        found.search([model], np.array(mask))
    with pytest.raises(InvalidValueError, match="a model for each of 1 threads, got 2"):
        found.search([model, model])


def random_rule(seed: int, first: int, width: int) -> tuple[MaskRule, Rule]:
    """Allows one action or both after each value of so many bits; as the planner takes it, and as a function."""
    rng = np.random.default_rng([seed, 4])
    allowed = np.array([[True, False], [False, True], [True, True]])[rng.permutation(1 << width) % 3]
    rule = MaskRule(np.array([first, width], np.int64), allowed)
    return rule, lambda percept: allowed[percept >> first & ((1 << width) - 1)].tolist()


@pytest.mark.parametrize("mask", [None, [False, True]])
@pytest.mark.parametrize(("first", "width"), [(0, 1), (1, 2), (0, 4)])
@pytest.mark.parametrize("seed", range(3))
def test_masked_tree_is_that_of_the_papers_algorithms(
    seed: int, first: int, width: int, mask: list[bool] | None
) -> None:
    steps, belief, rewards = random_world(seed)
    rule, allowed = random_rule(seed, first, width)
    model = world(steps, 4, belief)
    found = planner(model, rewards, seed=seed, horizon=4, simulations=400, rule=rule)
    paper = PaperSearch(found, model, rewards, mask, allowed)
    paper.search(400)
    found.search([model], None if mask is None else np.array(mask))
    tree = tree_of(found)
    assert tree.keys() == {history for history in paper.tree if len(history) // 2 < 4}
    forbidden = 0
    for history, (visits, action_visits, values) in tree.items():
        node = paper.tree[history]
        assert (visits, action_visits) == (node.visits, node.action_visits)
        left = max(4 - len(history) // 2, 1)
        assert values == pytest.approx([value / left for value in node.values], abs=1e-12)
        for action in np.flatnonzero(~np.array(allowed(history[-1]))) if history else ():
            assert action_visits[action] == 0
            forbidden += visits
    assert forbidden > 100
    # Both drew as many random numbers: roll-outs kept to the rule too, and go on alike.
    worker = found._workers[0]
    assert (paper.rng.tolist(), paper.model_rng.tolist()) == (worker.rng.tolist(), worker.model_rng.tolist())


def test_value_under_a_rule_is_that_of_expectimax_under_it() -> None:
    costs = 0
    for seed in range(6):
        steps, belief, rewards = random_world(seed)
        rule, allowed = random_rule(seed, 0, 4)
        start = dict(enumerate(belief))
        exact = max(expectimax(steps, start, 3, rewards.__getitem__, allowed)) / 3
        free = max(expectimax(steps, start, 3, rewards.__getitem__)) / 3
        model = world(steps, 4, belief)
        found = planner(model, rewards, seed=seed, horizon=3, simulations=50_000, ucb_constant=0.25, rule=rule)
        result = found.search([model])
        error = (max(rewards) - min(rewards)) / 2 / math.sqrt(result.visits[result.action])
        assert abs(result.values[result.action] - exact) < 4 * error
        costs += free > exact + 8 * error
    assert costs >= 3  # a rule that costs nothing shows nothing


@pytest.mark.parametrize("horizon", [2, 6])
@pytest.mark.parametrize("seed", range(5))
def test_rule_may_stand_across_two_words(seed: int, horizon: int) -> None:
    # Bits 62 to 65 hold 6 after action 0 and 9 after action 1; bit 0, the reward's code, is set after action 2.
    model = world(arms(6 << 62, 9 << 62, 1), 130)
    allowed = np.ones((16, 3), np.bool_)
    allowed[6], allowed[9] = [False, True, False], [True, False, False]
    mask = np.array([True, True, False])
    options = {"valid": [True, False], "seed": seed, "horizon": horizon, "simulations": 50}
    for rule in (None, MaskRule(np.array([62, 4], np.int64), allowed)):
        found = planner(model, [0.0, 1.0], rule=rule, **options)
        found.search([model], mask)
        invalid = found.totals["invalid_rewards"]
        assert invalid == 0 if rule else invalid > 10
    alternating = {history[1::2] for history in tree_of(found)}
    assert all(one != other for percepts in alternating for one, other in pairwise(percepts))


@pytest.mark.parametrize("seed", range(5))
def test_rule_that_allows_everything_changes_no_random_number(seed: int) -> None:
    steps, belief, rewards = random_world(seed)
    everything = MaskRule(np.array([1, 3], np.int64), np.ones((8, 2), np.bool_))
    searches = []
    for rule in (None, everything):
        model = world(steps, 4, belief)
        found = planner(model, rewards, seed=seed, horizon=5, simulations=300, rule=rule)
        result = found.search([model])
        worker = found._workers[0]
        searches.append((result.action, tree_of(found), worker.rng.tolist(), worker.model_rng.tolist()))
    assert searches[0] == searches[1]


def test_rule_binds_below_a_kept_root_and_never_at_it() -> None:
    model = world(arms(1, 0), 1)
    rule = MaskRule(np.array([0, 1], np.int64), np.array([[True, True], [False, True]]))  # never 0 after 0
    found = planner(model, [0.0, 1.0], horizon=4, simulations=200, rule=rule)
    found.search([model])
    model.condition(0)
    model.update(words_of(1, 1))
    found.advance(0, words_of(1, 1))
    assert tree_of(found)[()][1][0] == 0
    result = found.search([model], np.array([True, False]))  # what the environment allows now goes before the rule
    assert result.action == 0
    assert all(history[2:4] != (0, 1) for history in tree_of(found) if history[:2] == (0, 1))
    assert any(history[:4] == (0, 1, 1, 0) for history in tree_of(found))
