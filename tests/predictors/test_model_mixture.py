"""Mixtures by fixed share: what they cost, what they imagine, that nothing of it stays, and that they go on."""

import math
from itertools import product
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import chi2

from aixi.errors import InvalidValueError, UnknownNameError
from aixi.predictors.factored import FactoredContextTreeModel
from aixi.predictors.fixed_share import weighed
from aixi.predictors.intrinsics import generator_state, kernel
from aixi.predictors.model import call, condition, mark, rewind, sample, update
from aixi.predictors.model_mixture import ModelMixture
from aixi.predictors.switching_mixture import SwitchingMixture

BITS = 2
PERCEPTS = [np.array([percept], np.uint64) for percept in range(1 << BITS)]


def trees(depth: int) -> FactoredContextTreeModel:
    return FactoredContextTreeModel(2, BITS, depth=depth)


def lived(mixture: Any, cycles: int = 40, seed: int = 0) -> Any:
    """A model after a life in which a percept depends on the last two actions, and now and then on nothing."""
    rng = np.random.default_rng(seed)
    actions = [0, 0]
    for _ in range(cycles):
        actions.append(int(rng.integers(2)))
        percept = actions[-1] + 2 * actions[-2] if rng.random() < 0.8 else int(rng.integers(4))
        mixture.condition(actions[-1])
        mixture.update(PERCEPTS[percept])
    return mixture


@kernel
def count_futures(
    model: Any, rng: NDArray[np.uint64], words: NDArray[np.uint64], counts: NDArray[np.int64], futures: int
) -> None:
    """Counts the percepts drawn in two cycles of actions 1 and 0."""
    start = mark(model)
    for _ in range(futures):
        condition(model, 1)
        sample(model, rng, words)
        first = np.int64(words[0])
        condition(model, 0)
        sample(model, rng, words)
        counts[first, np.int64(words[0])] += 1
        rewind(model, start)


def probability(model: Any, cycles: list[tuple[int, int]]) -> float:
    """What a model without its owner gives to percepts after actions."""
    twin, bits = model.copy(), 0.0
    for action, percept in cycles:
        twin.condition(action)
        bits += twin.update(PERCEPTS[percept])
    return 2.0**-bits


def test_imagined_futures_have_the_mixtures_probabilities() -> None:
    mixture = lived(ModelMixture(trees(1), trees(6)))
    state = mixture.state_dict()
    state["weights"] = np.array([0.4, 0.6])
    mixture.load_state_dict(state)
    futures = list(product(range(4), repeat=2))
    by_member = np.array(
        [[probability(member, [(1, one), (0, two)]) for one, two in futures] for member in mixture.members]
    )
    np.testing.assert_allclose(by_member.sum(axis=1), 1.0, rtol=1e-12)
    exact = mixture.weights @ by_member
    drawn, counts = 200_000, np.zeros((4, 4), np.int64)
    mixture.reserve(2)
    call(count_futures, mixture.compiled, generator_state(np.random.SeedSequence(7)), PERCEPTS[0].copy(), counts, drawn)
    assert float(((counts.ravel() - drawn * exact) ** 2 / (drawn * exact)).sum()) < chi2.ppf(1 - 1e-6, 15)
    # A member drawn anew each cycle would give another distribution, which so many futures tell apart.
    first = np.array([[probability(member, [(1, one)]) for one, _ in futures] for member in mixture.members])
    anew = (mixture.weights @ first) * (mixture.weights @ (by_member / first))
    assert drawn * float(((anew - exact) ** 2 / exact).sum()) > 3 * chi2.ppf(1 - 1e-6, 15)


def test_real_percepts_cost_what_the_weighed_members_say() -> None:
    mixture = lived(ModelMixture(trees(1), trees(6)))
    weights = mixture.weights
    said = [sum(w * probability(m, [(1, p)]) for w, m in zip(weights, mixture.members, strict=True)) for p in range(4)]
    assert sum(said) == pytest.approx(1.0, abs=1e-12)
    for percept in range(4):
        twin = mixture.copy()
        twin.condition(1)
        assert 2.0 ** -twin.update(PERCEPTS[percept]) == pytest.approx(said[percept], rel=1e-12)


def test_the_compiled_operations_learn_as_the_owner_does() -> None:
    owner, compiled = lived(ModelMixture(trees(1), trees(6))), lived(ModelMixture(trees(1), trees(6)))
    for percept in (3, 0, 2, 2):
        owner.condition(1)
        compiled.reserve(1)
        model = compiled.compiled
        condition(model, 1)
        assert owner.update(PERCEPTS[percept]) == update(model, PERCEPTS[percept])
    np.testing.assert_equal(owner.state_dict(), compiled.state_dict())


@pytest.mark.parametrize("switches", [0, 1, 2])
def test_regret_to_members_that_switch(switches: int) -> None:
    rng = np.random.default_rng(switches)
    for outcomes in (1, 10, 600):
        bits = rng.exponential(2.0, (outcomes, 2))
        for part in np.array_split(np.arange(outcomes), switches + 1):  # each part suits one of the two
            bits[part, int(part[0] % 2) if part.size else 0] /= 8
        weights, total = np.full(2, 0.5), 0.0
        for outcome, row in enumerate(bits, 1):
            mixed, weights = weighed(weights, row, outcome)
            total += mixed
            assert weights.sum() == pytest.approx(1.0, abs=1e-12)
        assert total <= best_with_switches(bits, switches) + 1.0 + (switches + 1) * math.log2(outcomes) + 1e-9


def best_with_switches(bits: NDArray[np.float64], switches: int) -> float:
    """Least code length of following one expert after the other, with at most so many switches."""
    best = np.full((switches + 1, 2), np.inf)
    best[0] = 0.0
    for row in bits:
        entered = np.vstack([[np.inf, np.inf], best[:-1, ::-1]])
        best = np.minimum(best, entered) + row
    return float(best.min())


def test_an_expert_may_exclude_what_happens() -> None:
    bits, weights = weighed(np.array([0.5, 0.5]), [math.inf, 2.0], 3)
    assert bits == pytest.approx(3.0)
    assert weights.tolist() == pytest.approx([0.25, 0.75])
    bits, weights = weighed(weights, [5000.0, 9000.0], 4)  # beyond the range of a float
    assert bits == pytest.approx(5002.0)
    assert weighed(weights, [math.inf, math.inf], 5)[0] == math.inf


def test_the_later_better_member_is_followed() -> None:
    mixture = lived(ModelMixture(trees(1), trees(9)), 15)
    early = mixture.weights[1]
    assert lived(mixture, 400).weights[1] > 0.95 > early


def test_imagination_leaves_nothing_behind() -> None:
    mixture, plain = lived(ModelMixture(trees(1), trees(6))), lived(ModelMixture(trees(1), trees(6)))
    rng, words = generator_state(np.random.SeedSequence(3)), PERCEPTS[0].copy()
    for percept in (1, 3, 0):
        before = mixture.state_dict()
        mixture.reserve(8)
        model = mixture.compiled
        start = mark(model)
        for _ in range(8):  # so that both members are drawn
            condition(model, 1)
            waiting = mark(model)
            sample(model, rng, words)
            inside = mark(model)
            condition(model, 0)
            sample(model, rng, words)
            rewind(model, inside)
            sample(model, rng, words)
            rewind(model, waiting)
            sample(model, rng, words)
            rewind(model, start)
        np.testing.assert_equal(mixture.state_dict(), before)
        for each in (mixture, plain):
            each.condition(0)
        assert mixture.update(PERCEPTS[percept]) == plain.update(PERCEPTS[percept])
    np.testing.assert_equal(mixture.state_dict(), plain.state_dict())


def test_update_and_state_are_refused_while_imagining() -> None:
    mixture = lived(ModelMixture(trees(1), trees(6)))
    mixture.reserve(1)
    model = mixture.compiled
    start = mark(model)
    condition(model, 1)
    sample(model, generator_state(np.random.SeedSequence(0)), PERCEPTS[0].copy())
    for use in (lambda: mixture.update(PERCEPTS[0]), mixture.state_dict):
        with pytest.raises(InvalidValueError, match="must come after rewind"):
            use()
    rewind(model, start)
    mixture.update(PERCEPTS[0])


def test_states_and_copies_go_on_exactly() -> None:
    mixture = lived(ModelMixture(trees(1), trees(6)))
    mixture.condition(1)  # and the percept is still to come
    restored = lived(ModelMixture(trees(1), trees(6)), 7, seed=1)
    restored.load_state_dict(mixture.state_dict())
    twins = [mixture, restored, mixture.copy()]
    for percept in (3, 1, 2):
        assert len({twin.update(PERCEPTS[percept]) for twin in twins}) == 1
        for twin in twins:
            twin.condition(0)
    for twin in twins[1:]:
        np.testing.assert_equal(twin.state_dict(), mixture.state_dict())


def test_mixtures_are_mixed() -> None:
    mixture = lived(ModelMixture(ModelMixture(trees(1), trees(2)), trees(6)))
    before = mixture.state_dict()
    mixture.reserve(2)
    counts = np.zeros((4, 4), np.int64)
    call(count_futures, mixture.compiled, generator_state(np.random.SeedSequence(7)), PERCEPTS[0].copy(), counts, 200)
    assert counts.sum() == 200
    np.testing.assert_equal(mixture.state_dict(), before)
    assert sum(probability(mixture, [(1, percept)]) for percept in range(4)) == pytest.approx(1.0)


def test_members_of_different_worlds_are_refused() -> None:
    with pytest.raises(InvalidValueError, match=r"same actions and percept bits, got \(2, 2\) and \(2, 3\)"):
        ModelMixture(trees(1), FactoredContextTreeModel(2, 3, depth=1))


@pytest.mark.parametrize(
    ("members", "error", "message"),
    [
        ("context-tree-weighting:depth=3", InvalidValueError, "members must be two or more, got 1"),
        ("context-tree-weighting:depth=3+mixture", InvalidValueError, "one alphabet size, got 2, 256"),
        ("context-tree-weighting:depth+mixture", InvalidValueError, "key=value, got 'depth' of context-tree-weighting"),
        ("context-tree-weighting:depth=0+mixture", InvalidValueError, "depth must be at least 1, got 0"),
        ("context-tree-wieghting:depth=3+mixture", UnknownNameError, "did you mean context-tree-weighting"),
    ],
)
def test_bad_members_are_refused(members: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        SwitchingMixture(members)


def test_a_predictor_that_overtakes_is_followed() -> None:
    mixture = SwitchingMixture("+".join(f"context-tree-weighting:depth={depth}" for depth in (1, 2, 9)))
    rng, bits = np.random.default_rng(0), [0] * 7
    for _ in range(600):
        bits.append(bits[-7] ^ bits[-5] if rng.random() < 0.95 else int(rng.integers(2)))
    mixture.update_many(bits[7:37])
    assert mixture.weights.argmax() < 2
    mixture.update_many(bits[37:])
    assert mixture.weights[2] > 0.99
