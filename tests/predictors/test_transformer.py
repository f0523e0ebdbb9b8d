"""The frozen Transformer: its cached pass against whole passes, its probabilities, its undo, its window."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from aixi.errors import InvalidValueError
from aixi.predictors import model as contract
from aixi.predictors.transformer import FrozenTransformer, FrozenTransformerModel
from aixi.predictors.transformer.decoder import Decoder, append, random_decoder, with_room

SIDE_SYMBOLS = 3


def fresh(seed: int = 5, window: int = 40) -> Decoder:
    return random_decoder(SIDE_SYMBOLS, 1, window, 16, 2, seed)


def read(model: Decoder, tokens) -> Decoder:
    model = with_room(model, len(tokens))
    for token in tokens:
        append(model, int(token))
    return model


def rotate(x, xp):
    """Rotary positions as complex numbers: x is [heads, positions, width]."""
    half = x.shape[-1] // 2
    angles = np.outer(np.arange(x.shape[1]), 10000.0 ** (-np.arange(half) / half))
    turned = (np.asarray(x[..., :half]) + 1j * np.asarray(x[..., half:])) * np.exp(1j * angles)
    return xp.asarray(np.concatenate([turned.real, turned.imag], axis=-1))


def whole_pass(model: Decoder, tokens, attention, xp):
    """Logits after each token, by one pass over all of them, without a cache."""
    weights = {name: xp.asarray(getattr(model, name)) for name in Decoder._fields[:6]}
    heads, size = model.cache.shape[1], model.cache.shape[3]

    def normalised(x):
        return x / ((x * x).mean(-1)[:, None] + 1e-6) ** 0.5

    x = weights["embedding"][xp.asarray(np.asarray(tokens))]
    queries, keys, values = (
        xp.asarray(np.asarray(part).reshape(len(tokens), heads, size).swapaxes(0, 1).copy())
        for part in np.split(np.asarray(normalised(x) @ weights["attention_in"]), 3, axis=1)
    )
    mixed = attention(rotate(queries, xp), rotate(keys, xp), values)
    x = x + xp.asarray(np.asarray(mixed).swapaxes(0, 1).reshape(len(tokens), -1)) @ weights["attention_out"]
    hidden = normalised(x) @ weights["up"]
    x = x + (hidden * (hidden > 0)) @ weights["down"]
    return np.asarray(normalised(x) @ weights["head"])[:, 0]


def numpy_attention(queries, keys, values):
    scores = queries @ keys.swapaxes(1, 2) / math.sqrt(queries.shape[-1])
    scores = np.where(np.tri(scores.shape[-1], dtype=bool), scores, -np.inf)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True) @ values


def torch_attention(queries, keys, values):
    return torch.nn.functional.scaled_dot_product_attention(queries, keys, values, is_causal=True)


@pytest.mark.parametrize(("attention", "xp"), [(numpy_attention, np), (torch_attention, torch)])
def test_cached_pass_equals_whole_pass(attention, xp):
    tokens = np.random.default_rng(1).integers(0, 2 + SIDE_SYMBOLS, 120)
    model = read(fresh(), tokens)
    expected = whole_pass(model, tokens, attention, xp)
    assert np.ptp(expected) > 1.0  # the logits say something
    np.testing.assert_allclose(model.logits[1:121], expected, atol=1e-9, rtol=0)


def test_order_and_actions_matter():
    assert read(fresh(), [0, 1, 1]).logits[3] != read(fresh(), [1, 0, 1]).logits[3]
    assert read(fresh(), [2, 1]).logits[2] != read(fresh(), [3, 1]).logits[2]


@pytest.mark.parametrize("length", range(1, 7))
def test_probabilities_of_all_strings_sum_to_one(length):
    predictor = FrozenTransformer(SIDE_SYMBOLS, seed=2)
    predictor.update_many([1, 0, 0])
    predictor.condition(2)
    start = predictor.mark()
    total = 0.0
    for string in itertools.product((0, 1), repeat=length):
        total += 2.0 ** -sum(predictor.imagine(bit) for bit in string)
        predictor.rewind(start)
    assert total == pytest.approx(1.0, abs=1e-12)


def test_update_costs_what_log2_probs_said():
    predictor = FrozenTransformer(seed=3)
    for bit in np.random.default_rng(3).integers(0, 2, 100):
        said = predictor.log2_probs()
        assert np.exp2(said).sum() == pytest.approx(1.0, abs=1e-12)
        assert predictor.update(int(bit)) == -said[bit]


@settings(max_examples=30, deadline=None)
@given(
    real=st.lists(st.integers(0, 1), max_size=30),
    plans=st.lists(st.lists(st.integers(0, 1 + SIDE_SYMBOLS), max_size=25), max_size=4),
    seed=st.integers(0, 99),
)
def test_imagination_leaves_no_trace(real, plans, seed):
    imagining, plain = (FrozenTransformer(SIDE_SYMBOLS, window=16, seed=seed) for _ in range(2))
    for bit in real:
        marks = []
        for plan in plans:  # marks nest: each plan goes on from the one before
            marks.append((imagining.mark(), imagining.log2_probs()))
            for token in plan:
                imagining.imagine(token) if token < 2 else imagining.condition(token - 2)
        for mark, expected in reversed(marks):
            imagining.rewind(mark)
            assert np.array_equal(imagining.log2_probs(), expected)
        assert imagining.update(bit) == plain.update(bit)
    assert np.array_equal(imagining.state_dict()["tokens"], plain.state_dict()["tokens"])


def test_window_slides_to_a_fresh_pass_over_what_it_holds():
    predictor = FrozenTransformer(window=10, seed=4)
    bits = np.random.default_rng(4).integers(0, 2, 60)
    lengths = []
    for count, bit in enumerate(bits, start=1):
        predictor.update(int(bit))
        held = predictor.mark()
        lengths.append(held)
        again = FrozenTransformer(window=10, seed=4)
        again.update_many(bits[count - held : count])
        assert np.array_equal(again.log2_probs(), predictor.log2_probs())
    assert lengths[:14] == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 5, 6, 7, 8]
    assert max(lengths) == 10


def test_imagination_does_not_slide():
    predictor = FrozenTransformer(window=10, seed=4)
    predictor.update_many([1] * 10)
    for _ in range(30):
        predictor.imagine(0)
    assert predictor.mark() == 40


def test_update_after_imagine_is_refused():
    predictor = FrozenTransformer()
    start = predictor.mark()
    predictor.imagine(1)
    with pytest.raises(InvalidValueError, match="rewind to the mark first"):
        predictor.update(1)
    with pytest.raises(InvalidValueError, match="rewind first"):
        predictor.state_dict()
    predictor.rewind(start)
    assert predictor.update(1) == 1.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"window": 1}, "window must be at least 2, got 1"),
        ({"width": 6}, r"width must be a multiple of twice the heads \(4\), got 6"),
        ({"heads": 0}, "heads must be at least 1, got 0"),
    ],
)
def test_bad_configurations_are_refused(arguments, message):
    with pytest.raises(InvalidValueError, match=message):
        FrozenTransformer(**arguments)


def test_symbols_outside_the_alphabet_are_refused():
    predictor = FrozenTransformer(side_symbols=2)
    for refused in (predictor.update, predictor.imagine, predictor.condition):
        with pytest.raises(InvalidValueError, match="less than 2, got 2"):
            refused(2)


def percepts(count: int, bits: int, seed: int) -> np.ndarray:
    words = -(-bits // 64)
    drawn = np.random.default_rng(seed).integers(0, 2**64, (count, words), np.uint64)
    drawn[:, -1] &= np.uint64(2 ** (bits - 64 * (words - 1)) - 1) if bits % 64 else np.uint64(2**64 - 1)
    return drawn


def drive(model: FrozenTransformerModel, rows: np.ndarray) -> list[float]:
    bits = []
    for index, row in enumerate(rows):
        model.condition(index % model.actions)
        bits.append(model.update(row))
    return bits


@pytest.mark.parametrize("width", [3, 64, 70])
def test_compiled_model_agrees_with_the_predictor(width):
    model = FrozenTransformerModel(2, width, window=200, seed=6)
    predictor = FrozenTransformer(2, window=200, seed=6)
    rows = percepts(2, width, seed=6)
    for index, (row, bits) in enumerate(zip(rows, drive(model, rows), strict=True)):
        predictor.condition(index)
        string = [int(row[i // 64]) >> i % 64 & 1 for i in range(width)]
        assert bits == pytest.approx(predictor.update_many(string), abs=1e-9)


def test_sampling_follows_the_distribution_and_leaves_no_trace():
    model = FrozenTransformerModel(2, 3, window=16, width=8, heads=1, seed=7)
    drive(model, percepts(12, 3, seed=7))
    model.condition(1)
    model.reserve(1)
    compiled, words, rng = model.compiled, np.zeros(1, np.uint64), np.array([7], np.uint64)
    exact = np.empty(8)
    for percept in range(8):
        exact[percept] = 2.0 ** -model.copy().update(np.array([percept], np.uint64))
    assert exact.sum() == pytest.approx(1.0, abs=1e-12)
    start, before = contract.mark(compiled), model.state_dict()["tokens"]
    counts, draws = np.zeros(8), 2000
    for _ in range(draws):
        bits = contract.sample(compiled, rng, words)
        assert 2.0**-bits == pytest.approx(exact[words[0]], rel=1e-9)
        counts[words[0]] += 1
        contract.rewind(compiled, start)
    # Chi-square with 7 degrees of freedom: beyond 29.9 once in 10,000 seeds.
    assert ((counts - draws * exact) ** 2 / (draws * exact)).sum() < 29.9
    assert np.array_equal(model.state_dict()["tokens"], before)


def rollouts(model, rng, words, percepts_out, horizon):
    total = 0.0
    for row in range(percepts_out.shape[0]):
        start = contract.mark(model)
        for step in range(horizon):
            contract.condition(model, step % 2)
            total += contract.sample(model, rng, words)
        percepts_out[row] = words[0]
        contract.rewind(model, start)
    return total + contract.update(model, words)


def test_compiled_operations_equal_the_plain_ones():
    results = []
    for run in (rollouts, njit(cache=True)(rollouts)):
        model = FrozenTransformerModel(2, 3, window=20, seed=11)
        drive(model, percepts(4, 3, seed=11))
        model.reserve(5)
        drawn = np.zeros(20, np.uint64)
        bits = contract.call(run, model.compiled, np.array([11], np.uint64), np.zeros(1, np.uint64), drawn, 5)
        results.append((bits, drawn.tolist(), model.state_dict()["tokens"].tolist()))
    assert len(set(results[0][1])) > 1
    assert results[0][1:] == results[1][1:]
    assert results[0][0] == pytest.approx(results[1][0], abs=1e-9)  # a fused multiply-add may round otherwise


def test_reserving_and_imagining_change_no_later_code_length():
    rows = percepts(20, 5, seed=8)
    plain, planning = (FrozenTransformerModel(3, 5, window=20, width=8, seed=8) for _ in range(2))
    expected = drive(plain, rows)
    words, rng = np.zeros(1, np.uint64), np.array([8], np.uint64)
    got = []
    for index, row in enumerate(rows):
        planning.reserve(10)
        compiled = planning.compiled
        start = contract.mark(compiled)
        for action in range(10):
            contract.condition(compiled, action % 3)
            contract.sample(compiled, rng, words)
        contract.rewind(compiled, start)
        planning.condition(index % 3)
        got.append(planning.update(row))
    assert got == expected


def test_state_and_copy_go_on_exactly():
    rows = percepts(30, 5, seed=9)
    model = FrozenTransformerModel(3, 5, window=32, seed=9)
    drive(model, rows[:17])
    loaded, copied = FrozenTransformerModel(3, 5, window=32, seed=10), model.copy()
    loaded.load_state_dict(model.state_dict())
    expected = drive(model, rows[17:])
    assert drive(copied, rows[17:]) == expected
    assert drive(loaded, rows[17:]) == expected
    with pytest.raises(InvalidValueError, match="as configured"):
        FrozenTransformerModel(2, 5).load_state_dict(model.state_dict())


def test_a_full_cache_is_an_error_and_no_corruption():
    model = read(fresh(window=4), [1, 0, 1, 0])
    with pytest.raises(IndexError, match="reserve room"):
        append(model, 1)
    assert model.length[0] == 4
