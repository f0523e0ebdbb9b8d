"""Dense and compressed trees against exact fractions, and what must hold for every history."""

import itertools
import math
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from references import C, P, bits, feedback_sequence, probability

from aixi.errors import InvalidValueError
from aixi.predictors.context_tree import DENSE_DEPTH, GREATEST, LEAST, MAX_DEPTH
from aixi.predictors.ctw import ContextTreeWeighting
from aixi.predictors.factored import FactoredContextTreeModel, FactoredContextTreeWeighting

ESTIMATORS = ("kt", "zero-redundancy")
# Depth of the first tree and number of trees: dense, compressed, either side of the border, one forest across
# it, and contexts of one word of 64 bits, two and more.
SHAPES = ((1, 1), (4, 1), (12, 1), (13, 1), (11, 4), (24, 1), (63, 3), (64, 1), (65, 1), (96, 2))
# Repeated, so that long contexts come back.
streams = st.builds(
    lambda stream, times: stream * times,
    st.lists(st.tuples(st.sampled_from([C, P, P, P]), st.integers(0, 1)), min_size=1, max_size=40),
    st.integers(1, 4),
)


def same(one, other) -> bool:
    """Whether two states are equal to the bit."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    return type(one) is type(other) and one == other


def learn(predictor, stream) -> float:
    total = 0.0
    for kind, bit in stream:
        if kind == C:
            predictor.condition(bit)
        else:
            total += predictor.update(bit)
    return total


def test_both_forms_are_covered():
    assert {depth <= DENSE_DEPTH for depth, _ in SHAPES} == {True, False}
    assert any(depth <= DENSE_DEPTH < depth + trees - 1 for depth, trees in SHAPES)


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("shape", SHAPES)
@settings(max_examples=12, deadline=None)
@given(stream=streams)
def test_code_length_is_that_of_exact_fractions(shape, estimator, stream):
    depth, trees = shape
    exact = bits(probability(stream, depth, trees, estimator))
    predictor = FactoredContextTreeWeighting(depth, trees, estimator)
    assert learn(predictor, stream) == pytest.approx(exact, abs=1e-9)
    imagining = FactoredContextTreeWeighting(depth, trees, estimator)
    total = 0.0
    for kind, bit in stream:
        if kind == C:
            imagining.condition(bit)
        else:
            said = imagining.log2_probs()
            cost = imagining.imagine(bit)
            assert -said[bit] == pytest.approx(cost, abs=1e-12)
            total += cost
    assert total == pytest.approx(exact, abs=1e-9)


@pytest.mark.parametrize("level", [1, 64, 65, 66, 129, 130])
def test_contexts_that_part_at_a_level(level):
    """Contexts are compared 64 bits at a time: the first that differs is found wherever it lies."""
    depth = 140
    one = np.random.default_rng(level).integers(0, 2, depth)  # most recent bit first
    one[0] = 1  # parts from the zeros before the history at once, so that comparing starts at level 1
    other = one.copy()
    other[level] ^= 1
    stream = []
    for context, bit in [(one, 1), (other, 0)] * 90:
        stream += [(C, int(side)) for side in context[::-1]] + [(P, bit)]
    exact = bits(probability(stream, depth))
    assert exact < 170.0  # often enough to pay for a split so deep: without it each bit costs one
    assert learn(ContextTreeWeighting(depth), stream) == pytest.approx(exact, abs=1e-9)


def test_the_deepest_context():
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(10_000)
    try:
        stream = [(P, int(bit)) for bit in feedback_sequence(60)] + [(C, 1), (P, 0)] * 20
        exact = bits(probability(stream, MAX_DEPTH))
    finally:
        sys.setrecursionlimit(limit)
    assert learn(ContextTreeWeighting(MAX_DEPTH), stream) == pytest.approx(exact, abs=1e-9)


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("shape", [(3, 1), (20, 1), (11, 3)])
@pytest.mark.parametrize("length", [1, 2, 5, 8])
def test_probabilities_of_all_strings_sum_to_one(shape, estimator, length):
    predictor = FactoredContextTreeWeighting(*shape, estimator)
    predictor.update_many(feedback_sequence(30))
    predictor.condition(1)
    start = predictor.mark()
    total = 0.0
    for string in itertools.product((0, 1), repeat=length):
        total += 2.0 ** -sum(predictor.imagine(bit) for bit in string)
        predictor.rewind(start)
    assert total == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("depth", [8, 40])
def test_a_million_equal_bits_stay_within_bounds(depth, estimator):
    predictor = ContextTreeWeighting(depth, estimator)
    cost = predictor.update_many(np.zeros(1_000_000, np.uint8))
    # KT pays 1/2 log2 (pi n) bits, zero-redundancy less than 2 and one more for the split above.
    assert cost == pytest.approx(0.5 * math.log2(math.pi * 1e6), abs=0.1) if estimator == "kt" else cost < 3.0
    for bit in [1] * 200 + [0, 1] * 200:
        said = predictor.log2_probs()
        assert np.isfinite(said).all()
        assert (said < 0.0).all()
        assert np.exp2(said).sum() == pytest.approx(1.0, abs=1e-12)
        assert predictor.update(bit) == pytest.approx(-said[bit], abs=1e-6)


@pytest.mark.parametrize("depth", [2, 30])
def test_evidence_beyond_the_range_of_floats(depth):
    """A fair root over deterministic children: its share falls by half a bit, until it would underflow."""
    predictor = ContextTreeWeighting(depth)
    stream = [(P, bit) for bit in [0, 1] * 1500]
    shallow = [*stream, (P, 0)]
    exact = probability(shallow, 2) / probability(stream, 2)
    predictor.update_many([bit for _, bit in stream])
    if depth == 2:
        assert 2.0 ** predictor.log2_probs()[0] == pytest.approx(float(exact), rel=1e-12)
    predictor.update_many([0, 1] * 20_000)
    ratios = predictor.state_dict()["arena"].view(np.float64)[3::2]
    assert ratios[0] == LEAST if depth == 2 else (ratios >= LEAST).any()
    for bit in [1, 1, 0, 0, 1] * 400:
        said = predictor.log2_probs()
        assert np.isfinite(said).all()
        assert np.exp2(said).sum() == pytest.approx(1.0, abs=1e-12)
        assert 0.0 < predictor.update(bit) < 64.0
    used = predictor.state_dict()["arena"].view(np.float64)
    nodes = used[3::2] if depth == 2 else used[1::4]
    assert (nodes <= GREATEST).all()
    assert (nodes >= LEAST).all()


@pytest.mark.parametrize(("depth", "trees"), [(5, 1), (12, 3), (20, 1), (70, 2)])
def test_room_grows_without_a_trace(depth, trees):
    sequence = feedback_sequence(3000)
    at_once, one_by_one, roomy = (FactoredContextTreeWeighting(depth, trees) for _ in range(3))
    roomy._forest.reserve(10_000, 1000)
    total = at_once.update_many(sequence)
    assert math.fsum(one_by_one.update(bit) for bit in sequence) == pytest.approx(total, abs=1e-8)
    assert roomy.update_many(sequence) == pytest.approx(total, abs=1e-8)
    assert same(one_by_one.state_dict(), at_once.state_dict())
    assert same(roomy.state_dict(), at_once.state_dict())


def test_room_grows_in_imagination_without_a_trace():
    sequence = feedback_sequence(2000)
    imagining, learning = ContextTreeWeighting(20), ContextTreeWeighting(20)
    start, before = imagining.mark(), imagining.state_dict()
    for bit in sequence:
        assert imagining.imagine(bit) == learning.update(bit)
    assert np.array_equal(imagining.state_dict()["arena"], learning.state_dict()["arena"])
    imagining.rewind(start)
    assert same(imagining.state_dict(), before)


@pytest.mark.parametrize("depth", [8, 13, 48, 96])
def test_bytes_of_a_node(depth):
    predictor = ContextTreeWeighting(depth)
    predictor.update_many(feedback_sequence(50_000))
    saved = predictor.state_dict()
    assert saved["arena"].nbytes <= 40 * predictor.nodes
    if depth > DENSE_DEPTH:  # at most two nodes a bit, far fewer than the uncompressed tree's depth
        assert saved["arena"].nbytes + saved["history"].nbytes <= 40 * predictor.nodes
        assert predictor.nodes <= 2 * 50_000 + 1


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize(("depth", "trees"), [(6, 1), (11, 3), (40, 1)])
def test_a_saved_state_goes_on_exactly(depth, trees, estimator):
    sequence = feedback_sequence(900)
    original, restored = (FactoredContextTreeWeighting(depth, trees, estimator) for _ in range(2))
    original.update_many(sequence[:400])
    original.condition(1)
    restored.update_many(sequence[500:700])  # to be forgotten
    saved = original.state_dict()
    restored.load_state_dict(saved)
    assert same(restored.state_dict(), saved)
    assert restored.update_many(sequence[400:]) == original.update_many(sequence[400:])
    assert same(restored.state_dict(), original.state_dict())
    assert not np.array_equal(saved["history"], original.state_dict()["history"])  # what was saved is a copy


def test_a_state_of_another_configuration_is_refused():
    saved = ContextTreeWeighting(5).state_dict()
    for other in (ContextTreeWeighting(6), ContextTreeWeighting(5, "zero-redundancy")):
        before = other.state_dict()
        with pytest.raises(InvalidValueError, match="build it with the same arguments"):
            other.load_state_dict(saved)
        assert same(other.state_dict(), before)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"depth": 0}, "depth must be at least 1, got 0"),
        ({"depth": -3}, "depth must be at least 1, got -3"),
        ({"depth": 2.5}, "depth must be a whole number, got 2.5"),
        ({"depth": 901}, "depth .* at most 900, got 901"),
        ({"depth": 5, "estimator": "x"}, "estimator must be one of kt, zero-redundancy, got 'x'"),
    ],
)
def test_bad_configurations_are_refused(arguments, message):
    with pytest.raises(InvalidValueError, match=message):
        ContextTreeWeighting(**arguments)
    with pytest.raises(InvalidValueError, match=message):
        FactoredContextTreeModel(2, 1, **arguments)


@pytest.mark.parametrize("percept_bits", [0, 898])
def test_bad_percept_widths_are_refused(percept_bits):
    with pytest.raises(InvalidValueError, match="percept_bits"):
        FactoredContextTreeWeighting(4, percept_bits)


@pytest.mark.parametrize("symbol", [2, -1, 0.5])
def test_symbols_other_than_bits_are_refused(symbol):
    predictor = ContextTreeWeighting(4)
    before = predictor.state_dict()
    for refused in (predictor.update, predictor.imagine, predictor.condition):
        with pytest.raises(InvalidValueError, match=f"must be 0 or 1, got {symbol}"):
            refused(symbol)
    with pytest.raises(InvalidValueError, match=f"must be 0 or 1, got {symbol}"):
        predictor.update_many([0, 1, symbol])
    assert same(predictor.state_dict(), before)
