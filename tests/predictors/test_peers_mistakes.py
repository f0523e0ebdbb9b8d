"""Mistakes found in other programs for context tree weighting: each test fails on one of them."""

import numpy as np
import pytest
from references import P, bits, feedback_sequence, probability
from test_context_trees import learn, same
from test_imagination import act_and_draw, draw_often, go_back, take_mark

from aixi.errors import InvalidValueError
from aixi.predictors.context_tree import LENGTH, PADDING
from aixi.predictors.ctw import ContextTreeWeighting
from aixi.predictors.factored import FactoredContextTreeModel, FactoredContextTreeWeighting


@pytest.mark.parametrize("depth", [1, 3, 8, 13, 96])
def test_probabilities_sum_to_one_because_the_leaf_learns(depth):
    """A context cut one bit short never updates the leaf: both bits then get 0.75 at depth 1 after a zero."""
    predictor = ContextTreeWeighting(depth)
    for _ in range(20):
        assert np.exp2(predictor.log2_probs()).sum() == pytest.approx(1.0, abs=1e-15)
        predictor.update(0)
    exact = bits(probability([(P, 1)] * 20, depth))
    assert ContextTreeWeighting(depth).update_many([1] * 20) == pytest.approx(exact, abs=1e-12)
    assert exact > 3.0  # not 2.75, as without the leaf at depth 3


def counts(predictor) -> list[list[int]]:
    """(zeros, ones) of the root and of the leaves after a 0 and after a 1 in a tree of depth 1."""
    return predictor.state_dict()["arena"].reshape(-1, 4)[1:4, :2].tolist()


def test_each_level_counts_a_bit_once():
    """A level passed by value updates the root twice and the leaf never."""
    predictor = ContextTreeWeighting(1)
    predictor.condition(0)
    predictor.update(1)
    assert counts(predictor) == [[0, 1], [0, 1], [0, 0]]
    predictor.update(0)
    assert counts(predictor) == [[1, 1], [0, 1], [1, 0]]


def test_a_drawn_percept_that_then_happens_counts_once():
    """Drawing that updates, followed by the real update, counts twice; the history grows twice as well."""
    model = FactoredContextTreeModel(2, 1, depth=1)
    model.reserve(1)
    start, words = take_mark(model.compiled), np.zeros(1, np.uint64)
    act_and_draw(model.compiled, 1, np.zeros(1, np.uint64), words)
    go_back(model.compiled, start)
    model.condition(1)
    model.update(words)
    bit = int(words[0])
    assert counts(model) == [[1 - bit, bit], [0, 0], [1 - bit, bit]]
    assert model.compiled.state[LENGTH] - PADDING == 2


def test_every_cycle_takes_its_full_width_of_history():
    """Codes without padding make the width of a percept depend on its value."""
    model = FactoredContextTreeModel(5, 7, depth=20)
    rng = np.random.default_rng(0)
    for cycle in range(1, 200):
        model.condition(int(rng.integers(5)))
        model.update(rng.integers(0, 2 ** rng.integers(1, 8), 1, np.uint64))
        assert model.compiled.state[LENGTH] - PADDING == cycle * (3 + 7)


def test_the_lowest_bit_of_a_percept_comes_first():
    model, predictor = FactoredContextTreeModel(4, 3, depth=5), FactoredContextTreeWeighting(5, 3)
    for action, percept in ((1, 0b001), (2, 0b110), (1, 0b001), (2, 0b110)):
        model.condition(action)
        predictor.condition(action & 1)
        predictor.condition(action >> 1)
        string = [percept & 1, percept >> 1 & 1, percept >> 2]
        assert model.update(np.array([percept], np.uint64)) == predictor.update_many(string)


@pytest.mark.parametrize("depth", [8, 13, 40])
def test_undoing_leaks_no_nodes(depth):
    """Deleting the child of the predicted bit instead of the context's leaves empty nodes behind."""
    sequence = feedback_sequence(3000)
    imagining, plain = ContextTreeWeighting(depth), ContextTreeWeighting(depth)
    rng = np.random.default_rng(2)
    for bit in sequence:
        if rng.random() < 0.3:
            start = imagining.mark()
            for imagined in rng.integers(0, 2, 32):
                imagining.imagine(imagined)
            imagining.rewind(start)
        imagining.update(bit)
        plain.update(bit)
    assert imagining.nodes == plain.nodes
    assert same(imagining.state_dict(), plain.state_dict())


@pytest.mark.parametrize("depth", [32, 96])
def test_learning_starts_with_the_first_bit(depth):
    """Waiting for a full context wastes the first cycles; zeros stand before the history instead."""
    stream = [(P, 1)] * 10
    predictor = ContextTreeWeighting(depth)
    assert learn(predictor, stream) == pytest.approx(bits(probability(stream, depth)), abs=1e-12)
    assert 2.0 ** predictor.log2_probs()[1] > 0.8


def test_actions_are_context_and_never_learnt():
    predictor = FactoredContextTreeWeighting(6, 2)
    before = predictor.state_dict()["arena"]
    for bit in (1, 0, 1, 1):
        predictor.condition(bit)
    assert np.array_equal(predictor.state_dict()["arena"], before)

    start = predictor.mark()
    state = predictor.state_dict()
    predictor.condition(1)
    predictor.imagine(0)
    predictor.condition(0)
    predictor.rewind(start)  # pops the actions' bits as well, and touches no tree for them
    assert same(predictor.state_dict(), state)


def test_each_tree_sees_a_bit_more_than_the_one_before():
    """The last of three bits repeats the earliest that its tree sees; trees of one depth pay 100 bits."""
    depth, rng = 2, np.random.default_rng(3)
    history = [0] * (depth + 2)
    predictor = FactoredContextTreeWeighting(depth, 3)
    late = 0.0
    for cycle in range(3000):
        percept = rng.integers(0, 2, 2).tolist()
        predictor.update_many(percept)
        history += percept
        history.append(history[-depth - 2])
        cost = predictor.update(history[-1])
        late += cost if cycle >= 2900 else 0.0
    # Each of 16 contexts has been seen some 180 times, and costs KT about 1/360 nats.
    assert late < 2.0


def test_what_was_learnt_is_not_unlearnt():
    """Reverting across a real bit takes away counts that were never undone: log P turns NaN elsewhere."""
    predictor = ContextTreeWeighting(1)
    start = predictor.mark()
    predictor.condition(0)
    predictor.condition(1)
    predictor.rewind(start)
    assert predictor.update(1) == 1.0
    predictor.condition(0)
    state = predictor.state_dict()
    with pytest.raises(InvalidValueError, match="mark must be taken after the last update"):
        predictor.rewind(start)
    assert same(predictor.state_dict(), state)
    assert np.isfinite(predictor.update(1))


def test_undoing_does_not_drift():
    """Multiplying back, or subtracting logarithms, is off by a little each time."""
    model = FactoredContextTreeModel(2, 4, depth=20)
    for percept in feedback_sequence(100):
        model.update(np.array([percept * 9], np.uint64))
    model.reserve(1)
    before = model.state_dict()
    drawn = np.zeros(100_000, np.uint64)
    draw_often(model.compiled, np.zeros(1, np.uint64), np.zeros(1, np.uint64), drawn, np.zeros(drawn.size))
    assert same(model.state_dict(), before)

    predictor = ContextTreeWeighting(20)
    predictor.update_many(feedback_sequence(200))
    state, said = predictor.state_dict(), predictor.log2_probs()
    for bit in feedback_sequence(3000):
        start = predictor.mark()
        predictor.imagine(bit)
        predictor.imagine(1 - bit)
        predictor.rewind(start)
    assert same(predictor.state_dict(), state)
    assert np.array_equal(predictor.log2_probs(), said)


def test_positions_beyond_31_bits():
    """A position in an int32 overflows at 2^31 bits; zeros take no memory until they are written."""
    late, early = ContextTreeWeighting(40), ContextTreeWeighting(40)
    late._forest.reserve(3000, 10, 1 << 31)  # all at once, so that it is never copied
    late._forest.trees.state[LENGTH] += (1 << 31) - 500 - PADDING
    sequence = feedback_sequence(2000)
    assert late.update_many(sequence) == early.update_many(sequence)
    marks = late.mark(), early.mark()
    assert late.imagine(1) == early.imagine(1)
    late.rewind(marks[0])
    early.rewind(marks[1])
    assert late.update(0) == early.update(0)


def test_what_does_not_fit_is_refused_before_anything_is_allocated():
    predictor = ContextTreeWeighting(40)
    with pytest.raises(InvalidValueError, match=r"at most 2\^32 bits of history"):
        predictor._forest.reserve(1 << 31)
    with pytest.raises(InvalidValueError, match=r"2\^28 undo records"):
        predictor._forest.reserve(0, 1 << 24)
    assert predictor.update(1) == 1.0
