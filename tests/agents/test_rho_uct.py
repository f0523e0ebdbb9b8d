"""The planner: values against expectimax, trees against the paper's recursion, budgets and state."""

import math
import time

import numpy as np
import pytest
from planner_references import (
    PaperSearch,
    arms,
    expectimax,
    planner,
    random_world,
    tree_of,
    words_of,
    world,
)

from aixi.agents.models.finite import FinitePOMDP
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
