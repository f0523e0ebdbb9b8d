"""Context tree weighting against exact fractions, and against code lengths that other programs agree on."""

import math
from fractions import Fraction

import numpy as np
import pytest
from references import (
    BLOCKS,
    C,
    P,
    bits,
    contexts,
    feedback_sequence,
    kt,
    mixture_of_sources,
    probability,
    string,
    tree_sources,
    weighted,
    zero_redundancy,
)

from aixi.predictors import estimators
from aixi.predictors.ctw import ContextTreeWeighting
from aixi.predictors.factored import FactoredContextTreeModel, FactoredContextTreeWeighting

KT_BLOCKS = {
    (1, 0): "1/2",
    (2, 0): "3/8",
    (3, 0): "5/16",
    (4, 0): "35/128",
    (1, 1): "1/8",
    (2, 1): "1/16",
    (2, 2): "3/128",
    (3, 1): "5/128",
    (4, 3): "5/2048",
}
ZERO_REDUNDANCY_BLOCKS = {
    (0, 0): "1",
    (1, 0): "1/2",
    (2, 0): "7/16",
    (1, 1): "1/16",
    (3, 0): "13/32",
    (5, 0): "191/512",
}
# past, sequence, depth, estimator, P(sequence) and P(1) after it; None where no value is quoted.
STRINGS = [
    ("010", "0110100", 1, "kt", "1/512", None),
    ("010", "0110100", 2, "kt", "17/8192", None),
    ("010", "0110100", 3, "kt", "95/32768", "11/19"),  # Willems et al. (1995)
    ("010", "0110100", 3, "zero-redundancy", "213/131072", "287/426"),
    ("010", "0100110", 3, "kt", "31/8192", None),
    ("0000", "01" * 8, 4, "kt", "6785823/4294967296", "105731/1645048"),
    ("0000", "0" * 16, 4, "kt", "300540195/2147483648", "1/34"),
    ("0000", "0011" * 4, 4, "kt", "25395/536870912", "48763/325056"),
    ("000", "0101010", 3, "kt", None, "341/476"),
    ("000", "0101010", 3, "zero-redundancy", None, "495/632"),
    ("00", "0" * 12 + "1" * 12, 2, "kt", "55900988871/140737488355328", None),
]
CODE_LENGTHS = {  # of `feedback_sequence`, in bits, by number of bits and depth
    5000: {8: 1835.207571, 16: 1828.461334, 32: 1824.992200, 48: 1828.172365, 96: 1833.843651},
    100000: {8: 33545.641915, 16: 33538.042635, 32: 33537.940614, 48: 33541.888638, 96: 33541.740003},
}


@pytest.mark.parametrize(
    ("estimator", "counts", "value"),
    [
        (estimator, counts, value)
        for estimator, table in (("kt", KT_BLOCKS), ("zero-redundancy", ZERO_REDUNDANCY_BLOCKS))
        for counts, value in table.items()
    ],
)
def test_estimator_blocks(estimator, counts, value):
    zeros, ones = counts
    assert BLOCKS[estimator](zeros, ones) == Fraction(value)
    code = estimators.ESTIMATORS[estimator]
    product = math.prod(estimators.probability(i, 0, code) for i in range(zeros))
    product *= math.prod(estimators.probability(i, zeros, code) for i in range(ones))
    assert product == pytest.approx(float(Fraction(value)), rel=1e-14)


@pytest.mark.parametrize("estimator", ["kt", "zero-redundancy"])
def test_estimators_condition_their_blocks(estimator):
    code, block = estimators.ESTIMATORS[estimator], BLOCKS[estimator]
    for zeros in range(12):
        for ones in range(12):
            exact = block(zeros, ones + 1) / block(zeros, ones)
            assert estimators.probability(ones, zeros, code) == pytest.approx(float(exact), rel=1e-14)
            exact = block(zeros + 1, ones) / block(zeros, ones)
            assert estimators.probability(zeros, ones, code) == pytest.approx(float(exact), rel=1e-14)


@pytest.mark.parametrize("run", [1, 2, 1000, 4095, 4096, 4097, 20000])
def test_zero_redundancy_surprise_of_long_runs(run):
    """On both sides of the table's end."""
    block = Fraction(math.comb(2 * run, run), 4**run)  # P_e(run, 0)
    exact = block / (2 * (run + 1)) / (block + Fraction(1, 2))
    assert estimators.zero_redundancy_surprise(run) == pytest.approx(float(exact), rel=1e-12)


def test_number_of_tree_sources():
    assert [sum(1 for _ in tree_sources(depth)) for depth in range(5)] == [1, 2, 5, 26, 677]


def test_root_alone_is_the_estimator():
    assert weighted(contexts(string("0110100"), 0)[0], 0, kt) == Fraction("5/2048") == kt(4, 3)
    assert weighted(contexts(string("000"), 0)[0], 0, zero_redundancy) == Fraction("13/32")


@pytest.mark.parametrize(("past", "text", "depth", "estimator", "value", "one"), STRINGS)
def test_context_tree_weighting(past, text, depth, estimator, value, one):
    stream = string(past, C) + string(text)
    exact = probability(stream, depth, estimator=estimator)
    if value is not None:
        assert exact == Fraction(value)
    if depth <= 3:
        assert exact == mixture_of_sources(contexts(stream, depth)[0], depth, BLOCKS[estimator])
    conditional = probability([*stream, (P, 1)], depth, estimator=estimator) / exact
    if one is not None:
        assert conditional == Fraction(one)

    predictor = ContextTreeWeighting(depth, estimator)
    for character in past:
        predictor.condition(int(character))
    assert predictor.update_many([int(character) for character in text]) == pytest.approx(bits(exact), abs=1e-12)
    np.testing.assert_allclose(
        np.exp2(predictor.log2_probs()), [float(1 - conditional), float(conditional)], rtol=1e-13
    )


def test_history_before_the_first_bit_counts_as_zeros():
    padded, bare = ContextTreeWeighting(4), ContextTreeWeighting(4)
    for _ in range(4):
        padded.condition(0)
    assert padded.update_many([0, 1] * 8) == bare.update_many([0, 1] * 8)


def test_joint_code_is_shorter_than_separate_codes():
    half = [0, 1, 1, 0] * 6
    assert ContextTreeWeighting(4).update_many(half + half) == pytest.approx(17.2211, abs=5e-5)
    assert 2 * ContextTreeWeighting(4).update_many(half) == pytest.approx(29.7852, abs=5e-5)


ACTIONS = (0, 1, 1, 0, 1, 0)


def copying(actions) -> list[tuple[str, int]]:
    """Percepts of two bits that both repeat the action."""
    return [pair for action in actions for pair in ((C, action), (P, action), (P, action))]


def test_factored_weighting():
    exact = probability(copying(ACTIONS), 3, trees=2)
    assert exact == Fraction(2967, 2097152)
    after = probability(copying((*ACTIONS, 1)), 3, trees=2) / exact
    assert after == Fraction(5825, 8256)

    predictor = FactoredContextTreeWeighting(3, 2)
    model = FactoredContextTreeModel(2, 2, depth=3)
    predicted = modelled = 0.0
    for action in ACTIONS:
        predictor.condition(action)
        predicted += predictor.update_many([action, action])
        model.condition(action)
        modelled += model.update(np.array([3 * action], np.uint64))
    predictor.condition(1)
    model.condition(1)
    assert predicted == pytest.approx(bits(exact), abs=1e-12)
    assert modelled == pytest.approx(bits(exact), abs=1e-12)
    assert predictor.update_many([1, 1]) == pytest.approx(bits(after), abs=1e-12)
    assert model.update(np.array([3], np.uint64)) == pytest.approx(bits(after), abs=1e-12)


@pytest.mark.parametrize("length", CODE_LENGTHS)
@pytest.mark.parametrize("depth", CODE_LENGTHS[5000])
def test_code_lengths_that_other_programs_agree_on(length, depth):
    sequence = feedback_sequence(depth + length)
    predictor = ContextTreeWeighting(depth)
    for bit in sequence[:depth]:
        predictor.condition(bit)
    assert predictor.update_many(sequence[depth:]) == pytest.approx(CODE_LENGTHS[length][depth], abs=1e-6)
