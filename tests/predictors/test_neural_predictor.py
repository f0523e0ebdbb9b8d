"""Networks as predictors of one sequence, beyond the contract that all predictors keep."""

import numpy as np
import pytest

from aixi.errors import InvalidValueError, TrainingFaultError
from aixi.predictors.neural.predictor import NeuralPredictor

SMALL = {"width": 8, "window": 16, "train_every": 8, "train_steps": 1, "batch": 2}


@pytest.mark.parametrize("kind", ["transformer", "lstm"])
def test_what_repeats_is_learnt(kind):
    predictor = NeuralPredictor(3, kind=kind, width=16, window=24, batch=4)
    sequence = [0, 1, 1, 2] * 400
    first = predictor.update_many(sequence[:16])
    assert first > 20.0  # 25.4 of someone who knows nothing
    predictor.update_many(sequence[16:1500])
    assert predictor.update_many(sequence[1500:]) / 100 < 0.1


@pytest.mark.parametrize("kind", ["transformer", "lstm"])
def test_each_symbol_is_scored_before_anything_is_learnt_from_it(kind):
    sequence = np.random.default_rng(1).integers(0, 2, 40).tolist()
    learning, frozen = NeuralPredictor(kind=kind, **SMALL), NeuralPredictor(kind=kind, **{**SMALL, "train_every": 0})
    got = [[predictor.update(symbol) for symbol in sequence] for predictor in (learning, frozen)]
    assert got[0][:8] == got[1][:8]
    assert got[0][0] == 1.0
    assert all(a != b for a, b in zip(got[0][8:], got[1][8:], strict=True))


def test_a_long_run_is_a_run_of_updates():
    sequence = np.random.default_rng(2).integers(0, 5, 90)
    one, many = NeuralPredictor(5, **SMALL), NeuralPredictor(5, **SMALL)
    bits = [one.update(int(symbol)) for symbol in sequence]
    assert many.update_many(sequence) == pytest.approx(sum(bits), abs=1e-9)
    np.testing.assert_equal(many.state_dict(), one.state_dict())


def test_what_is_certain_still_costs_something():
    predictor = NeuralPredictor(width=8, window=8, train_every=4, train_steps=20, learning_rate=0.1, kind="lstm")
    predictor.update_many([1] * 400)
    said = predictor.log2_probs()
    assert -1e-2 < said[1] < 0.0
    assert np.exp2(said).sum() == pytest.approx(1.0, abs=1e-12)
    assert np.isfinite(predictor.update(0))


def test_a_fault_stops_learning_and_the_sequence_goes_on():
    predictor = NeuralPredictor(kind="lstm", **{**SMALL, "learning_rate": 1e38, "warm_up": 0})
    with pytest.raises(TrainingFaultError, match="lower learning_rate"):
        predictor.update_many([0, 1] * 20)
    assert predictor.mark() == 8  # up to where it was
    assert np.isfinite(predictor.update_many([0, 1] * 20))


def test_a_mark_from_before_the_window_slid_is_refused():
    predictor = NeuralPredictor(**SMALL)
    predictor.update_many([0, 1] * 7)
    old = predictor.mark()
    predictor.update_many([0, 1] * 2)  # now fewer are held than were then
    for side in (0, 1, 0):
        predictor.condition(side)
    with pytest.raises(InvalidValueError, match="since the last update"):
        predictor.rewind(old)


def test_side_information_that_was_taken_back_is_not_learnt_from():
    one, other = NeuralPredictor(**SMALL), NeuralPredictor(**SMALL)
    for predictor in (one, other):
        predictor.update_many([0, 1, 1])
        predictor.condition(1)
    start = one.mark()
    one.condition(0)
    one.rewind(start)
    for predictor in (one, other):
        predictor.update_many([0, 1] * 10)
    np.testing.assert_equal(one.state_dict(), other.state_dict())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alphabet_size": 1}, "alphabet_size must be at least 2, got 1"),
        ({"alphabet_size": 257}, "alphabet_size must be at most 256, got 257"),
        ({"side_symbols": 0}, "side_symbols must be at least 1, got 0"),
        ({"kind": "encoder-decoder"}, "one without an encoder"),
        ({"kind": "perceptron"}, "kind must be one of"),
        ({"window": 3}, "window must be at least 4, got 3"),
        ({"kind": "lstm", "heads": 8}, "heads means nothing for kind 'lstm'"),
    ],
)
def test_bad_configurations_are_refused(options, message):
    with pytest.raises(InvalidValueError, match=message):
        NeuralPredictor(**options)
