"""PUCT: its values against expectimax, its regret against rho-UCT's, and the contract that both keep."""

import math
import time

import numpy as np
import pytest
from planner_oracles import Judge, judge_of, random_process, search_over
from planner_references import arms, expectimax, random_world, tree_of, words_of, world
from scipy.stats import chisquare, ttest_rel

from aixi.agents.planning import MaskRule, RhoUCT
from aixi.agents.planning.puct import PUCT, select_by_prior
from aixi.errors import InvalidValueError


def standard_error(rewards: list[float], visits: int) -> float:
    """Most that a mean of so many returns within the rewards' span can deviate by, as a standard error."""
    return (max(rewards) - min(rewards)) / 2 / math.sqrt(visits)


@pytest.mark.parametrize("rollout_weight", [0.0, 1.0])
@pytest.mark.parametrize("seed", range(6))
def test_value_of_the_best_action_is_that_of_expectimax(seed: int, rollout_weight: float) -> None:
    # A hidden state, a uniform prior and a value of 0.5 whatever the history: the heads know nothing.
    steps, belief, rewards = random_world(seed)
    exact = np.array(expectimax(steps, dict(enumerate(belief)), 3, rewards.__getitem__)) / 3
    model = world(steps, 4, belief, Judge)
    options = {"horizon": 3, "puct_constant": 0.25, "rollout_weight": rollout_weight}
    errors = []
    for simulations in (500, 100_000):
        result = search_over(PUCT, model, rewards, seed, simulations=simulations, **options).search([model])
        errors.append(abs(result.value - exact.max()))
    error = standard_error(rewards, int(result.visits[result.action]))
    assert errors[1] < 4 * error
    assert exact[result.action] > exact.max() - 4 * error
    assert 4 * error < 0.1 * (max(rewards) - min(rewards)) / 2  # so tight that it says something


def regrets(kind: type, models: list[Judge], processes: list, **options: float) -> np.ndarray:
    """Loss of mean reward per cycle by the action taken at the start, as a share of the reward range."""
    lost = []
    for seed, (model, process) in enumerate(zip(models, processes, strict=True)):
        result = search_over(kind, model, process.rewards, seed, horizon=4, **options).search([model])
        lost.append((process.means[0].max() - process.means[0, result.action]) / process.span)
    return np.array(lost)


def test_exact_heads_are_worth_eight_times_the_simulations() -> None:
    processes = [random_process(seed) for seed in range(120)]
    models = [judge_of(process, temperature=0.05) for process in processes]
    for simulations in (32, 128):
        without = regrets(RhoUCT, models, processes, simulations=simulations)
        judged = regrets(PUCT, models, processes, simulations=simulations // 8)
        assert ttest_rel(without, judged, alternative="greater").pvalue < 0.01
    # Heads that know nothing are worth nothing: a uniform prior and roll-outs search about as rho-UCT does.
    for model in models:
        model.priors[:] = 0.25
    rolled = regrets(PUCT, models, processes, simulations=128, rollout_weight=1.0)
    assert abs(rolled.mean() - without.mean()) < 4 * (rolled - without).std() / math.sqrt(len(processes))


def test_one_simulation_acts_by_the_prior() -> None:
    model = world(arms(0, 0, 0), 1, kind=Judge).judging(np.array([[0.2, 0.5, 0.3]]), np.array([0.5]))
    found = search_over(PUCT, model, [0.0, 1.0], simulations=1)
    result = found.search([model])
    assert result.action == 1
    assert math.isnan(result.value)
    assert np.isnan(result.policy).all()
    assert search_over(PUCT, model, [0.0, 1.0], simulations=1).search([model], np.array([1, 0, 1])).action == 2


def test_tree_of_a_tiny_world() -> None:
    # State 0: action 0 pays 1 and leads to state 1, action 1 stays. State 1: action 1 pays 1; both stay.
    steps = [[[(1.0, 1, 1)], [(1.0, 0, 0)]], [[(1.0, 1, 0)], [(1.0, 1, 1)]]]
    model = world(steps, 1, [1.0, 0.0], Judge)
    model.judging(np.array([[0.75, 0.25], [0.25, 0.75]]), np.array([0.5, 0.75]))
    found = search_over(PUCT, model, [0.0, 1.0], horizon=3, simulations=4, puct_constant=1.0, root_mixing=0.0)
    found.search([model])
    # 1: judges the root, 0.5. 2: its prior prefers 0; reward 1, then two cycles of 0.75: 2.5 of 3.
    # 3: 2.5 / 3 + 0.75 sqrt(2) / 2 against the mean of 0.5 and 2.5 / 3, + 0.25 sqrt(2): action 0 again; behind it
    #    action 1, reward 1, then a cycle of 0.75: 2.75 of 3, and 1.75 of 2 there.
    # 4: 0.875 + 0.75 sqrt(3) / 3 against 0.75 + 0.25 sqrt(3): action 0. Behind it 0.875 + 0.75 sqrt(2) / 2 against
    #    (0.75 + 0.875) / 2 + 0.25 sqrt(2): action 1, then at the new node, 0.75, action 1 by its prior: 3 of 3.
    assert tree_of(found) == {
        (): (4, [3, 0], [pytest.approx(5.5 / 6 + (3 / 3 - 5.5 / 6 + 2.5 / 3 - 5.5 / 6) / 3), 0.0]),
        (0, 1): (3, [0, 2], [0.0, pytest.approx((1.75 + 2) / 4)]),
        (0, 1, 1, 1): (2, [0, 1], [0.0, pytest.approx(1.0)]),
    }
    judgements = found._workers[0].tree.judgements[:3]
    np.testing.assert_allclose(judgements, [[0.5, 0.75, 0.25], [0.75, 0.25, 0.75], [0.75, 0.25, 0.75]])


def test_leaves_are_worth_what_the_weight_of_roll_outs_says() -> None:
    model = world(arms(1), 1, kind=Judge).judging(np.array([[1.0]]), np.array([0.25]))  # one action, always paid
    for weight in (0.0, 0.25, 1.0):
        found = search_over(PUCT, model, [0.0, 1.0], horizon=4, simulations=2, rollout_weight=weight)
        value = found.search([model]).value
        assert value == pytest.approx((1 + 3 * (weight + (1 - weight) * 0.25)) / 4)
        assert found.totals["percepts"] == (8 if weight else 1)


def test_an_action_without_prior_is_tried_at_the_root_only() -> None:
    # The prior rules out what pays.
    priors = np.array([[1.0, 0.0]])
    model = world(arms(0, 1), 1, kind=Judge).judging(priors, np.array([0.0]))
    tried = {
        mixing: search_over(PUCT, model, [0.0, 1.0], horizon=2, simulations=400, root_mixing=mixing).search([model])
        for mixing in (0.0, 0.25)
    }
    assert tried[0.0].visits.tolist() == [399, 0]
    assert tried[0.25].action == 1
    # Where no allowed action has any, all have the same.
    model.judging(np.array([[1.0, 0.0]]), np.array([0.5]))
    masked = search_over(PUCT, model, [0.0, 1.0], simulations=20, root_mixing=0.0).search([model], np.array([0, 1]))
    assert (masked.action, masked.visits.tolist()) == (1, [0, 19])


@pytest.mark.parametrize(("position", "count"), [((0, 0), 1), ((0, 1), 2)])
def test_masks_and_rules_are_kept(position: tuple[int, int], count: int) -> None:
    for seed in range(5):
        steps, belief, rewards = random_world(seed)
        model = world(steps, 4, belief, Judge)
        allowed = np.array([[False, True], [True, False]])[:count]
        rule = MaskRule(np.array(position), allowed)
        options = {"horizon": 4, "simulations": 300, "rule": rule, "rollout_weight": 0.5}
        found = search_over(PUCT, model, rewards, seed, **options)
        result = found.search([model], np.array([True, False]))
        assert result.visits.tolist() == [299, 0]
        below = [(history, node[1]) for history, node in tree_of(found).items() if history]
        assert len(below) > 3
        for history, visits in below:
            forbidden = ~allowed[history[-1] & (count - 1)]
            assert np.array(visits)[forbidden].sum() == 0


@pytest.mark.parametrize("value", [0.0, -1.0, 1e9])
def test_ties_are_broken_uniformly(value: float) -> None:
    model = world(arms(0, 0, 0, 0), 1, kind=Judge)
    tree = search_over(PUCT, model, [0.0, 1.0])._workers[0].tree
    rng, free = np.array([7], np.uint64), np.array([True, True, False, True])
    tree.visits[0], tree.judgements[0] = 1, [value, 0.25, 0.25, 0.25, 0.25]
    for visited in (0, 3):
        tree.action_visits[0], tree.values[0] = visited, value
        drawn = [select_by_prior(tree, 0, free, rng, 1.0, 0.25, value - 1, 2.0) for _ in range(6000)]
        counts = np.bincount(drawn, minlength=4)
        assert counts[2] == 0
        assert chisquare(counts[[0, 1, 3]]).pvalue > 1e-4
    chosen = [search_over(PUCT, model, [0.0, 1.0], seed, simulations=1).search([model]).action for seed in range(800)]
    assert chisquare(np.bincount(chosen, minlength=4)).pvalue > 1e-4


def test_kept_subtree_goes_on_and_is_dropped_where_it_does_not_lead() -> None:
    process = random_process(3)
    model = judge_of(process, temperature=0.1)
    found = search_over(PUCT, model, process.rewards, horizon=4, simulations=200)
    action = found.search([model]).action
    before = tree_of(found)
    judgements = found._workers[0].tree.judgements.copy()
    percept = next(history[1] for history in before if len(history) == 2 and history[0] == action)
    kept = {history[2:]: node for history, node in before.items() if history[:2] == (action, percept)}
    place = list(before).index((action, percept))
    model.condition(action)
    model.update(words_of(percept, process.bits))
    found.advance(action, words_of(percept, process.bits))
    assert tree_of(found) == kept
    np.testing.assert_array_equal(found._workers[0].tree.judgements[0], judgements[place])
    again = found.search([model])
    assert again.visits.sum() == sum(kept[()][1]) + 200
    found.forget()
    assert tree_of(found) == {(): (0, [0] * 4, [0.0] * 4)}


def test_search_leaves_the_model_as_it_was_and_follows_its_seed() -> None:
    steps, belief, rewards = random_world(8)
    model = world(steps, 4, belief, Judge)
    before = model.state_dict()
    trees = []
    for seed in (1, 1, 2):
        found = search_over(PUCT, model, rewards, seed, horizon=3, rollout_weight=0.5)
        found.search([model])
        trees.append(tree_of(found))
    np.testing.assert_equal(model.state_dict(), before)
    assert trees[0] == trees[1] != trees[2]


def test_state_goes_on_bit_for_bit() -> None:
    process = random_process(10)
    model = judge_of(process, temperature=0.1)
    first = search_over(PUCT, model, process.rewards, 1, horizon=4, threads=2)
    first.search([model, model.copy()])
    second = search_over(PUCT, model, process.rewards, 2, horizon=4, threads=2)
    second.load_state_dict(first.state_dict())
    results = [each.search([model, model.copy()]) for each in (first, second)]
    assert results[0].action == results[1].action
    for worker in (0, 1):
        assert tree_of(first, worker) == tree_of(second, worker)
        trees = [each._workers[worker].tree for each in (first, second)]
        used = trees[0].totals[0]
        np.testing.assert_array_equal(trees[0].judgements[:used], trees[1].judgements[:used])
    assert first.totals == second.totals


def test_offset_of_rewards_changes_nothing() -> None:
    for seed in range(5):
        process = random_process(seed)
        results = []
        for added in (0.0, -4096.0):
            moved = [reward + added for reward in process.rewards]
            model = judge_of(process, temperature=0.1)
            results.append(search_over(PUCT, model, moved, horizon=4, simulations=300).search([model]))
        np.testing.assert_array_equal(results[0].visits, results[1].visits)
        np.testing.assert_allclose(results[1].values + 4096.0, results[0].values, atol=1e-9)


def test_what_a_search_teaches() -> None:
    process = random_process(2)
    model = judge_of(process, temperature=0.1)
    result = search_over(PUCT, model, process.rewards, horizon=4, simulations=65).search([model])
    np.testing.assert_array_equal(result.policy, result.visits / 64)
    assert result.value == result.values[result.action]
    assert result.visits[result.action] == result.visits.max()


def test_budget_by_the_clock() -> None:
    process = random_process(6)
    model = judge_of(process)
    found = search_over(PUCT, model, process.rewards, horizon=4, simulations=None, milliseconds=20.0)
    found.search([model])  # compiles
    began = time.perf_counter()
    result = found.search([model])
    assert time.perf_counter() - began >= 0.02
    assert result.simulations > 500


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"puct_constant": -0.5}, "puct_constant must be finite and at least 0, got -0.5"),
        ({"root_mixing": 1.5}, r"root_mixing must be within \[0, 1\], got 1.5"),
        ({"rollout_weight": math.nan}, r"rollout_weight must be within \[0, 1\], got nan"),
        ({"simulations": None}, "either simulations or milliseconds"),
    ],
)
def test_bad_options_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        search_over(PUCT, world(arms(0, 1), 1, kind=Judge), [0.0, 1.0], **options)


def test_a_model_that_does_not_judge_is_refused() -> None:
    model = world(arms(0, 1), 1)
    with pytest.raises(InvalidValueError, match="FiniteModel has no heads: register evaluate for it"):
        search_over(PUCT, model, [0.0, 1.0]).search([model])
