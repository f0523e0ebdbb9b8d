"""Compiled networks: parity with torch, exact sampling, undo bit for bit, the memo, the window, and no compiler."""

import json
import math
import os
import subprocess
import sys
from itertools import product as combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch

from aixi.errors import InvalidValueError
from aixi.predictors import model as contract
from aixi.predictors.intrinsics import kernel
from aixi.predictors.model import call
from aixi.predictors.neural.compiled import compile_network, load_weights, reserve, set_memory
from aixi.predictors.neural.config import NetworkConfig
from aixi.predictors.neural.history import FORWARDS, HITS, LENGTH, TOKENS, USED
from aixi.predictors.neural.networks import make_network
from aixi.predictors.neural.sequence import predict, push
from aixi.predictors.neural.tokens import Tokens

CODE = Tokens((2, 3, 1), actions=3)
NETWORKS = {
    "multi-head": {"kind": "transformer", "width": 24, "layers": 2},
    "one layer, odd widths": {"kind": "transformer", "width": 20, "heads": 2, "hidden": 37},
    "grouped-query": {"kind": "transformer", "width": 40, "layers": 2, "groups": 2},
    "multi-query": {"kind": "transformer", "width": 32, "layers": 3, "groups": 1},
    "latent": {"kind": "transformer", "width": 28, "layers": 2, "latent": 10, "rotary": 6},
    "encoder-decoder": {"kind": "encoder-decoder", "width": 24, "layers": 2, "groups": 2},
    "latent encoder-decoder": {"kind": "encoder-decoder", "width": 24, "latent": 9, "rotary": 4},
    "rnn": {"kind": "rnn", "width": 16},
    "lstm": {"kind": "lstm", "width": 21, "layers": 2},
    "gru": {"kind": "gru", "width": 21, "layers": 2},
    "gru, one layer": {"kind": "gru", "width": 16},
    "additive": {"kind": "additive-lstm", "width": 21, "layers": 2},
    "additive, one layer": {"kind": "additive-lstm", "width": 16},
}
LOOKING_BACK = ("encoder-decoder", "additive-lstm")

PUSH, PREDICT, CONDITION, SAMPLE, UPDATE, REWIND, EVALUATE = range(7)


@kernel
def drive(model, script, rng, out):
    """Does one thing after another: rows of `script`, int64[steps, 3], are what and with what."""
    for step in range(script.shape[0]):
        what, first, second = script[step, 0], script[step, 1], script[step, 2]
        if what == PUSH:
            push(model, first)
        elif what == PREDICT:
            predict(model, first, second, out.predictions[step])
        elif what == CONDITION:
            contract.condition(model, first)
        elif what == SAMPLE:
            out.bits[step] = contract.sample(model, rng, out.words[step])
        elif what == UPDATE:
            if first >= 0:
                out.words[step, 0] = np.uint64(first)
            out.bits[step] = contract.update(model, out.words[step])
        elif what == REWIND:
            contract.rewind(model, first)
        else:
            out.bits[step] = contract.evaluate(model, out.priors[step])


class Out(NamedTuple):
    predictions: np.ndarray
    words: np.ndarray
    bits: np.ndarray
    priors: np.ndarray


def run(model, script, seed=0, words=None):
    """Returns what each row of a script gave; `words` are the percepts of updates, uint64[steps, W]."""
    rows = np.array([[*row, *(0,) * (3 - len(row))] for row in script], np.int64).reshape(-1, 3)
    steps = len(rows)
    words = np.zeros((steps, 1), np.uint64) if words is None else words
    out = Out(np.zeros((steps, 8), np.float32), words, np.zeros(steps), np.zeros((steps, 3)))
    call(drive, model, rows, np.array([seed], np.uint64), out)
    return out


def network(name="multi-head", code=CODE, seed=1, **sizes):
    """Returns a network that says something, gains that are not 1 among its weights."""
    config = NetworkConfig(**{"vocabulary": code.vocabulary, "actions": 3} | NETWORKS[name] | sizes)
    made = make_network(config, seed)
    noise = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=noise))
        made.head.weight.mul_(5.0)
    return made


def compiled(name="multi-head", code=CODE, **sizes):
    room = {key: sizes.pop(key) for key in ("window", "room", "memo") if key in sizes}
    return compile_network(network(name, code, **sizes), code, **room)


def tokens(count, seed=0):
    return np.random.default_rng(seed).integers(0, CODE.vocabulary, count)


def predictions(model, read):
    """Returns P(next token | component 1) after each token, float32[tokens, 8]."""
    script = [row for token in read for row in ((PUSH, token), (PREDICT, 4, 8))]
    return run(model, script).predictions[1::2]


@torch.inference_mode()
def torch_features(made, read, history):
    args = [torch.tensor(read)[None]]
    if made.config.kind in LOOKING_BACK:
        args.append(made.encode(torch.tensor(history, dtype=torch.int64)[None]))
    features = made(*args)
    return (features[0] if isinstance(features, tuple) else features)[0]


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("memo", [0, 400])
def test_predictions_and_heads_equal_torch(name, memo):
    made, read, history = network(name), tokens(70), tokens(33, seed=1)
    model = compile_network(made, CODE, window=90, memo=memo)
    if made.config.kind in LOOKING_BACK:
        set_memory(model, made, history)
    out = run(model, [row for token in read for row in ((PUSH, token), (PREDICT, 4, 8), (PREDICT, 0, 4), (EVALUATE,))])
    features = torch_features(made, read, history)
    with torch.inference_mode():
        logits, (policy, values) = made.logits(features), made.heads(features)
    for at, first, count in ((1, 4, 8), (2, 0, 4)):
        expected = logits[:, first : first + count].softmax(dim=-1).numpy()
        assert np.ptp(expected) > 0.5  # they say something
        np.testing.assert_allclose(out.predictions[at::4, :count], expected, atol=1e-5, rtol=1e-4)
    np.testing.assert_allclose(out.priors[3::4], policy.softmax(dim=-1).numpy(), atol=1e-5)
    np.testing.assert_allclose(out.bits[3::4], values.numpy(), atol=1e-5)


@pytest.mark.parametrize("name", ["encoder-decoder", "additive"])
def test_a_decoder_without_history_equals_torch(name):
    made, read = network(name), tokens(9)
    model = compile_network(made, CODE)
    with torch.inference_mode():
        expected = made.logits(torch_features(made, read, []))[:, 4:12].softmax(dim=-1).numpy()
    np.testing.assert_allclose(predictions(model, read), expected, atol=1e-5)
    set_memory(model, made, tokens(40))
    set_memory(model, made, [])
    assert model.sequence.state[LENGTH] == 0
    np.testing.assert_allclose(predictions(model, read), expected, atol=1e-5)


@pytest.mark.parametrize("name", ["multi-head", "grouped-query", "latent", "rnn", "lstm", "gru", "encoder-decoder"])
@pytest.mark.parametrize("memo", [0, 5, 400])
def test_rewind_then_replay_is_a_fresh_pass_bit_for_bit(name, memo):
    """The memo off, full and roomy; capacity grows on the way."""
    made, rng = network(name), np.random.default_rng(2)
    fresh = compile_network(made, CODE, window=60, memo=0)
    model = compile_network(made, CODE, window=20, room=12, memo=memo)
    read = list(tokens(12, seed=3))
    run(model, [(PUSH, token) for token in read])
    for turn in range(25):
        keep = int(rng.integers(6, len(read) + 1))
        ahead = list(rng.integers(0, 3, rng.integers(1, 12)))  # few tokens: the same futures come again
        read = read[:keep] + ahead
        if turn == 12:
            model = reserve(model, 100)
        got = run(model, [(REWIND, keep), *((PUSH, token) for token in ahead), (PREDICT, 4, 8)])
        expected = run(fresh, [(REWIND, 0), *((PUSH, token) for token in read), (PREDICT, 4, 8)])
        assert np.array_equal(got.predictions[-1], expected.predictions[-1])


@pytest.mark.parametrize("name", ["multi-head", "lstm"])
@pytest.mark.parametrize("memo", [0, 12, 400])
def test_the_window_slides_to_a_fresh_pass_over_what_it_holds(name, memo):
    made, rng = network(name), np.random.default_rng(4)
    model = compile_network(made, CODE, window=18, room=40, memo=memo)
    lengths = []
    for action, percept in rng.integers(0, (3, 64), (30, 2)):
        length = int(model.sequence.state[LENGTH])
        # Imagination in between changes nothing.
        imagined = [(CONDITION, action), (SAMPLE,), (CONDITION, 1), (SAMPLE,), (REWIND, length)]
        bits = run(model, [*imagined * 3, (CONDITION, action), (UPDATE, percept)]).bits[-1]
        fresh = compile_network(made, CODE, window=18, memo=0)
        held = model.sequence.history[TOKENS, : model.sequence.state[LENGTH]]
        assert held[0] >= CODE.action_offset  # a cycle's beginning
        run(fresh, [(PUSH, token) for token in held])
        assert np.array_equal(predictions(fresh, [13]), _ahead(model, [13]))
        assert bits > 0.0
        lengths.append(held.size)
    assert lengths[:6] == [4, 8, 12, 16, 8, 12]
    assert max(lengths) <= 18


def _ahead(model, read):
    length = int(model.sequence.state[LENGTH])
    result = predictions(model, read)
    run(model, [(REWIND, length)])
    return result


@pytest.mark.parametrize("name", ["multi-head", "gru"])
def test_imagination_leaves_no_trace(name):
    made, rng = network(name), np.random.default_rng(5)
    plain, imagining = (compile_network(made, CODE, window=30, memo=50) for _ in range(2))
    for action, percept in rng.integers(0, (3, 64), (20, 2)):
        real = [(CONDITION, action), (UPDATE, percept)]
        length = int(imagining.sequence.state[LENGTH])
        run(
            imagining,
            [(CONDITION, 1), (EVALUATE,), (SAMPLE,), (CONDITION, 2), (SAMPLE,), (REWIND, length)],
            seed=action,
        )
        assert run(imagining, real).bits[-1] == run(plain, real).bits[-1]
        held = slice(0, int(plain.sequence.state[LENGTH]))
        assert np.array_equal(imagining.sequence.history[TOKENS, held], plain.sequence.history[TOKENS, held])


@pytest.mark.parametrize("name", ["multi-head", "lstm"])
def test_code_lengths_of_all_percepts_sum_to_one_and_are_sampled(name):
    model = compiled(name)
    run(model, [(CONDITION, 1), (UPDATE, 37), (CONDITION, 0)])
    start = int(model.sequence.state[LENGTH])
    exact = np.empty(64)
    for percept, (a, b, c) in enumerate(combinations(range(2), range(8), range(4))):  # c is lowest
        script = [(PREDICT, 0, 4), (PUSH, c), (PREDICT, 4, 8), (PUSH, 4 + b), (PREDICT, 12, 2), (REWIND, start)]
        said = run(model, script).predictions.astype(float)
        exact[percept] = said[0, c] * said[2, b] * said[4, a]
    draws = 4000
    out = run(model, [(SAMPLE,), (REWIND, start)] * draws, seed=7)
    drawn, bits = out.words[::2, 0].astype(int), out.bits[::2]
    np.testing.assert_allclose(np.exp2(-bits), exact[drawn], rtol=1e-5)
    # Of each percept once: the sum is exact, for the same weights are divided by their own total.
    probabilities = np.array([2.0 ** -_code_length(model, start, percept) for percept in range(64)])
    assert probabilities.sum() == pytest.approx(1.0, abs=1e-12)
    counts = np.bincount(drawn, minlength=64)
    common = exact * draws >= 5
    observed = np.append(counts[common], counts[~common].sum())
    expected = draws * np.append(exact[common], exact[~common].sum())
    statistic = ((observed - expected) ** 2 / np.maximum(expected, 1e-9))[expected > 0].sum()
    degrees = int((expected > 0).sum()) - 1
    assert statistic < degrees + 4.0 * math.sqrt(2.0 * degrees) + 12.0  # beyond it less than once in 10,000 seeds


def _code_length(model, start, percept):
    """Code length of a percept from a state, on a twin in which it is real."""
    twin = compile_network_like(model)
    held = [(PUSH, token) for token in model.sequence.history[TOKENS, :start]]
    return run(twin, [*held, (UPDATE, percept)]).bits[-1]


def compile_network_like(model):
    arrays = model.sequence._replace(
        history=np.zeros_like(model.sequence.history), state=model.sequence.state.copy(), memo=_empty(model)
    )
    arrays.state[: FORWARDS + 3] = 0
    return model._replace(sequence=arrays)


def _empty(model):
    memo = model.sequence.memo
    return memo._replace(table=np.zeros_like(memo.table), nodes=np.zeros_like(memo.nodes))


def test_what_was_imagined_before_costs_no_forward():
    model = compiled()
    run(model, [(CONDITION, 1), (UPDATE, 9)])
    start = int(model.sequence.state[LENGTH])
    script = [(CONDITION, 1), (SAMPLE,), (EVALUATE,), (CONDITION, 0), (SAMPLE,), (REWIND, start)]
    first = run(model, script, seed=3)
    forwards, hits = model.sequence.state[[FORWARDS, HITS]]
    again = run(model, script, seed=3)
    assert np.array_equal(first.words, again.words)
    assert np.array_equal(first.bits, again.bits)
    assert model.sequence.state[FORWARDS] == forwards
    assert model.sequence.state[HITS] == hits + 6
    # The real percept moves the root: what lay below it is still known.
    run(model, [(CONDITION, 1), (UPDATE, int(first.words[1, 0])), (CONDITION, 0), (PREDICT, 0, 4)])
    assert model.sequence.state[FORWARDS] == forwards


def test_nothing_is_computed_that_is_not_asked_for():
    model = compiled()
    run(model, [(CONDITION, 1), (SAMPLE,)])
    assert model.sequence.state[FORWARDS] == 3  # the action and two components; the last predicts nothing
    run(model, [(CONDITION, 1), *((PUSH, 2),) * 5])
    assert model.sequence.state[FORWARDS] == 3
    run(model, [(PREDICT, 0, 4), (PREDICT, 0, 4)])
    assert model.sequence.state[FORWARDS] == 10


def test_a_full_memo_is_emptied_by_real_percepts():
    model = compiled(memo=20)
    for percept in range(30):
        run(model, [(CONDITION, percept % 3), (UPDATE, percept)])
        assert model.sequence.state[USED] <= 20
    assert model.sequence.state[USED] < 20


@pytest.mark.parametrize("name", ["multi-head", "additive"])
def test_new_weights_are_taken_over(name):
    old, new, read = network(name), network(name, seed=2), tokens(20)
    model, fresh = compile_network(old, CODE), compile_network(new, CODE)
    before = predictions(model, read)
    load_weights(model, new)
    if new.config.kind in LOOKING_BACK:
        set_memory(model, new, [])
    else:
        run(model, [(REWIND, 0)])
    after = predictions(model, read)
    assert not np.array_equal(before, after)
    assert np.array_equal(after, predictions(fresh, read))


def test_wide_percepts_and_shared_bits_follow_their_words():
    """70 bits: components straddle two words; actions take two tokens."""
    rng = np.random.default_rng(6)
    for code in (Tokens.of((3, 8, 8, 8, 8, 8, 8, 8, 8, 3), 3), Tokens.of((70,), 3, "shared")):
        model = compiled("rnn", code, window=400, room=400)
        real = rng.integers(0, 2**64, (2, 2), np.uint64)
        real[:, 1] &= np.uint64(63)
        words = np.zeros((4, 2), np.uint64)
        words[1] = real[0]
        run(model, [(CONDITION, 2), (UPDATE, -1), (CONDITION, 1), (SAMPLE,)], seed=5, words=words)
        read = model.sequence.history[TOKENS, : 2 * code.cycle_tokens]
        expected = [code.of_action(2), code.of_percept(real[0]), code.of_action(1), code.of_percept(words[3])]
        assert np.array_equal(read, np.concatenate(expected))


def test_an_empty_history_says_nothing():
    out = run(compiled(), [(PREDICT, 4, 8), (EVALUATE,), (UPDATE, 5)])
    assert np.array_equal(out.predictions[0], np.full(8, 0.125, np.float32))
    assert out.bits[1] == 0.5
    np.testing.assert_allclose(out.priors[1], 1.0 / 3.0)
    assert out.bits[2] > 2.0


def fingerprint():
    """Returns what a tiny network of either class says, for a comparison with plain Python."""
    said = []
    for name in ("latent encoder-decoder", "additive, one layer", "gru, one layer"):
        model = compiled(name, window=16, memo=6)
        script = [(CONDITION, 1), (SAMPLE,), (EVALUATE,), (REWIND, 0), (CONDITION, 2), (UPDATE, 9), (CONDITION, 1)]
        out = run(model, [*script, *script[4:], (PREDICT, 4, 8), (EVALUATE,)], seed=1)
        said.append([out.words.tolist(), out.bits.tolist(), out.predictions.tolist(), out.priors.tolist()])
    return said


def test_it_runs_without_the_compiler():
    plain = subprocess.run(
        [sys.executable, "-c", "import json, test_compiled_networks as t; print(json.dumps(t.fingerprint()))"],
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"},
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
    )
    assert plain.returncode == 0, plain.stderr
    for got, expected in zip(json.loads(plain.stdout), fingerprint(), strict=True):
        assert got[0] == expected[0]
        for one, other in zip(got[1:], expected[1:], strict=True):
            np.testing.assert_allclose(one, other, atol=1e-5)


def test_bad_input_is_refused():
    made = network()
    with pytest.raises(InvalidValueError, match="vocabulary of the network must be 3, as its tokens have, got 17"):
        compile_network(made, Tokens((1,), 1))
    with pytest.raises(InvalidValueError, match="window must be at least 8, got 7"):
        compile_network(made, CODE, window=7)
    with pytest.raises(InvalidValueError, match="the configuration it was compiled with"):
        load_weights(compile_network(made, CODE), network("one layer, odd widths"))
    looking_back = network("encoder-decoder")
    with pytest.raises(InvalidValueError, match="history must be at most 15 tokens, got 40; widen the window"):
        set_memory(compile_network(looking_back, CODE, window=15), looking_back, tokens(40))
    model = compile_network(made, CODE, window=8, room=4)
    with pytest.raises(IndexError, match="reserve room"):
        run(model, [(PUSH, 0)] * 100)
    with pytest.raises(ValueError, match="no heads for so many actions; set actions"):
        run(compiled(actions=0), [(EVALUATE,)])
