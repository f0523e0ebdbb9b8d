"""Percepts and actions as tokens."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aixi.errors import InvalidValueError
from aixi.predictors.neural.tokens import Tokens

LAYOUTS = st.lists(st.integers(0, 20), min_size=1, max_size=8).filter(any)
STYLES = st.sampled_from(["components", "bits", "shared"])


def pack(bits: int, width: int) -> np.ndarray:
    return np.array([bits >> 64 * word & 2**64 - 1 for word in range(-(-width // 64))], np.uint64)


@given(LAYOUTS, STYLES, st.integers(1, 9), st.data())
def test_percepts_and_actions_come_back_from_their_tokens(layout, style, actions, data):
    tokens = Tokens.of(layout, actions, style)
    assert tokens.percept_bits == sum(layout)
    percept = data.draw(st.integers(0, 2 ** sum(layout) - 1))
    codes = tokens.of_percept(pack(percept, sum(layout)))
    assert codes.dtype == np.int64
    assert codes.shape == (len(tokens.widths),)
    back, low = 0, 0
    for code, offset, width in zip(codes.tolist(), tokens.offsets.tolist(), tokens.widths, strict=True):
        assert 0 <= code - offset < 2**width
        back |= (code - offset) << low
        low += width
    assert back == percept

    action = data.draw(st.integers(0, actions - 1))
    codes = tokens.of_action(action)
    assert codes.shape == (tokens.action_tokens,)
    values = (codes - tokens.action_offset).tolist()
    assert sum(value << bit for bit, value in enumerate(values)) == action
    assert tokens.cycle_tokens == len(tokens.widths) + len(values)


@given(LAYOUTS, STYLES, st.integers(1, 9))
def test_tokens_of_different_things_differ_unless_shared(layout, style, actions):
    tokens = Tokens.of(layout, actions, style)
    seen = [range(first, first + 2**width) for first, width in zip(tokens.offsets, tokens.widths, strict=True)]
    percept_tokens = [token for component in seen for token in component]
    action_tokens = {int(token) for action in range(actions) for token in tokens.of_action(action)}
    if style == "shared":
        assert set(percept_tokens) == {0, 1}
        assert action_tokens == ({2} if actions == 1 else {2, 3})
        assert tokens.vocabulary == 4
    else:
        everything = percept_tokens + sorted(action_tokens)
        assert everything == list(range(tokens.vocabulary))


def test_a_layout_is_split_and_what_has_no_bits_is_left_out():
    assert Tokens.of((0, 3, 17, 0, 8), 2).widths == (3, 8, 8, 1, 8)
    assert Tokens.of((0, 3, 2), 2, "bits").widths == (1,) * 5
    assert Tokens.of((0, 3, 2), 2, "shared").widths == (1,) * 5


def test_predictions_are_of_the_next_component():
    assert Tokens((1, 3), 2).predicted.tolist() == [[0, 2], [2, 8], [0, 0]]
    assert Tokens((1, 1), 5, shared=True).predicted.tolist() == [[0, 0], [0, 0], [0, 2], [0, 2], [0, 0]]


def test_constants_cannot_be_written():
    tokens = Tokens((1, 3), 2)
    with pytest.raises(ValueError, match="read-only"):
        tokens.offsets[0] = 1


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Tokens((9,), 2), "at most 8 bits, got 9"),
        (lambda: Tokens((0,), 2), "at least 1, got 0"),
        (lambda: Tokens((), 2), "at least one component"),
        (lambda: Tokens((2,), 2, shared=True), "must be 1, got 2"),
        (lambda: Tokens((2,), 0), "actions must be at least 1"),
        (lambda: Tokens.of((0, 0), 2), "at least one bit"),
        (lambda: Tokens.of((-1, 2), 2), "at least 0, got -1"),
        (lambda: Tokens.of((2,), 2, "bytes"), "one of components, bits, shared, got 'bytes'"),
        (lambda: Tokens((2,), 2).of_action(2), "less than 2, got 2"),
        (lambda: Tokens((2,), 2).of_percept(np.array([4], np.uint64)), "zeros above"),
        (lambda: Tokens((2,), 2).of_percept(np.array([1], np.int64)), "must be uint64"),
        (lambda: Tokens((2,), 2).of_percept(np.array([1, 0], np.uint64)), "must be uint64"),
    ],
)
def test_what_cannot_be_is_refused(make, says):
    with pytest.raises(InvalidValueError, match=says):
        make()
