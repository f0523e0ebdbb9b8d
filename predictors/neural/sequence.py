"""What all compiled networks share: the tokens read, a memo of imagined ones, and the operations of a model.

**Nothing is computed before it is asked for.** Reading a token writes it down. When a prediction is asked for, the
tokens that have no row yet get one: a *row* is what later tokens need of one, its keys and values or a recurrent
state. Only the last token's features are computed; a percept's last component, after which nothing is predicted,
never gets any, and at the end of a simulation not even a row.

**Memo.** Below the real history, tokens form a trie. Its nodes keep their rows, their features and their predictions,
so that a continuation that was imagined before costs no forward. Rows in the cache are tagged by their node: what the
cache holds already is not copied into it again. A real percept moves the trie's root; weights that change, and a
window that slides, clear it. When it is full, tokens carry a *stamp* instead, a negative number used once.

**Window.** A real percept that makes the history longer than the window slides it: the latter half, from where a
cycle begins, is read anew from position 0. So the state is always that of a fresh pass over the tokens held.

A network adds two operations: `forward`, one token's row and features, and `place`, which puts a kept row into the
cache.
"""

import math
from functools import singledispatch
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aixi.predictors import model as contract
from aixi.predictors.intrinsics import Integer, inlined, kernel, next_float
from aixi.predictors.model import _missing, implements
from aixi.predictors.neural.arithmetic import Floats, exponentials, product, sigmoid, total
from aixi.predictors.neural.history import (
    ACTION_OFFSET,
    ACTION_TOKENS,
    ACTIONS,
    CACHED,
    COUNT,
    FEATURES,
    FEATURES_AT,
    FIRST,
    FORWARDS,
    HITS,
    KEY,
    KNOWN,
    LEARNT,
    LENGTH,
    NODES,
    NOTHING,
    PLACED,
    READY,
    RESOLVED,
    ROOT,
    ROW,
    SPARE,
    STAMP,
    TOKENS,
    USED,
    VOCABULARY,
    WEIGHTS_AT,
    WINDOW,
    Integers,
)

__all__ = [
    "FORWARDS",
    "HITS",
    "LEARNT",
    "LENGTH",
    "PLACED",
    "TOKENS",
    "forget",
    "forward",
    "place",
    "predict",
    "push",
    "register",
    "restart",
    "settle",
]


@singledispatch
def forward(model: Any, position: Integer, full: bool, slot: Integer) -> None:
    """Computes the row of the token at a position, into the cache and into `memo.rows[slot]`.

    All rows before it are in the cache. If `full`, `memo.features[slot]` is written too.
    """
    raise _missing("forward", model)


@singledispatch
def place(model: Any, position: Integer, slot: Integer) -> None:
    """Copies `memo.rows[slot]` into the cache."""
    raise _missing("place", model)


@inlined
def _stamp(state: Integers) -> Integer:
    stamp = state[STAMP] - 1
    state[STAMP] = stamp
    return stamp


@inlined
def _child(state: Integers, table: NDArray[np.int32], nodes: Integers, parent: Integer, token: Integer) -> Integer:
    """Returns the node of a token that follows a node, a new one if there is none and room, else a stamp."""
    if parent < 0:
        return _stamp(state)
    key = parent * state[VOCABULARY] + token
    last = table.size - 1
    slot = ((key * 0x9E37_79B1) >> 16) & last
    while table[slot] != 0:
        found = np.int64(table[slot])
        if nodes[found, KEY] == key:
            return found
        slot = (slot + 1) & last
    node = state[USED] + 1
    if node + 1 == nodes.shape[0]:
        return _stamp(state)
    state[USED] = node
    table[slot] = node
    nodes[node, KEY] = key
    nodes[node, KNOWN] = NOTHING
    nodes[node, COUNT] = 0
    return node


@kernel
def _resolve(history: Integers, state: Integers, table: NDArray[np.int32], nodes: Integers) -> None:
    """Finds the nodes of the tokens that have none yet."""
    for position in range(state[RESOLVED], state[LENGTH]):
        parent: Integer = -1
        if position > state[LEARNT]:
            parent = history[NODES, position - 1]
        elif position == state[LEARNT]:
            parent = state[ROOT]
        history[NODES, position] = _child(state, table, nodes, parent, history[TOKENS, position])
    state[RESOLVED] = state[LENGTH]


@inlined
def _present(sequence: Any) -> Integer:
    """Returns the row of the memo's arrays that serves the last token; 0 before the first token."""
    history, state, nodes = sequence.history, sequence.state, sequence.memo.nodes
    if state[LENGTH] == 0:
        return 0
    if state[RESOLVED] < state[LENGTH]:
        _resolve(history, state, sequence.memo.table, nodes)
    node = history[NODES, state[LENGTH] - 1]
    if node > 0:
        return node
    spare = nodes.shape[0] - 1
    if state[SPARE] != node:
        state[SPARE] = node
        nodes[spare, KNOWN] = NOTHING
        nodes[spare, COUNT] = 0
    return spare


@kernel
def _reach(model: Any, slot: Integer, first: Integer, count: Integer) -> None:
    """Computes the last token's features, after every row that they need and the cache lacks, and a prediction.

    Args:
        model: a compiled network.
        slot: the memo's row of the last token.
        first, count: what is predicted, one of `count` tokens from `first` on; nothing if `count` is 0.
    """
    sequence = model.sequence
    history, state, nodes, floats = sequence.history, sequence.state, sequence.memo.nodes, sequence.memo.floats
    length = state[LENGTH] if nodes[slot, KNOWN] < FEATURES else 0
    # The last token's row may be there without its features, after a rewind to it.
    for position in range(max(0, min(state[READY], length - 1)), length):
        node = history[NODES, position]
        full = position == length - 1
        if full or history[CACHED, position] != node:
            row = slot if full else node if node > 0 else nodes.shape[0] - 1
            if not full and node > 0 and nodes[node, KNOWN] >= ROW:
                place(model, position, row)
                state[PLACED] += 1
            else:
                forward(model, position, full, row)
                state[FORWARDS] += 1
                if full:
                    nodes[row, KNOWN] = FEATURES
                elif node > 0:
                    nodes[row, KNOWN] = ROW
            history[CACHED, position] = node
        state[READY] = position + 1
    if count > 0:
        weights = floats[slot, state[WEIGHTS_AT] :]
        product(
            floats[slot, state[FEATURES_AT] :], sequence.head.shape[0], sequence.head[:, first:], count, weights, False
        )
        exponentials(weights, count)
        sequence.memo.totals[slot] = total(weights, count)
        nodes[slot, FIRST] = first
        nodes[slot, COUNT] = count


@inlined
def _knows(sequence: Any, slot: Integer, first: Integer, count: Integer) -> bool:
    """Whether the memo's row of the last token holds the prediction of one of `count` tokens from `first` on."""
    state, memo = sequence.state, sequence.memo
    if slot == 0:  # before the first token nothing is known, and all are alike
        for value in range(count):
            memo.floats[0, state[WEIGHTS_AT] + value] = np.float32(1.0)
        memo.totals[0] = np.float64(count)
        return True
    known = memo.nodes[slot, COUNT] == count and memo.nodes[slot, FIRST] == first
    if known:
        state[HITS] += 1
    return known


@inlined
def push(model: Any, token: Integer) -> None:
    """Reads a token.

    Raises:
        IndexError: if there is no room for it.
    """
    history, state = model.sequence.history, model.sequence.state
    length = state[LENGTH]
    if length >= history.shape[1]:
        raise IndexError("the network has no room for another token; reserve room for what is imagined")
    history[TOKENS, length] = token
    state[LENGTH] = length + 1


@kernel
def predict(model: Any, first: Integer, count: Integer, out: NDArray[np.float32]) -> None:
    """Writes the probabilities that the next token is `first`, `first` + 1, ..., given that it is one of `count`.

    Args:
        model: a compiled network.
        first: a token.
        count: how many; at most as many as the widest component has values.
        out: float32[count].
    """
    sequence = model.sequence
    memo, at = sequence.memo, sequence.state[WEIGHTS_AT]
    slot = _present(sequence)
    if not _knows(sequence, slot, first, count):
        _reach(model, slot, first, count)
    for value in range(count):
        out[value] = memo.floats[slot, at + value] / memo.totals[slot]


def _condition(model, action):  # type: ignore[no-untyped-def]  # the contract's types
    sizes = model.sequence.state
    if sizes[ACTION_TOKENS] == 1:
        push(model, sizes[ACTION_OFFSET] + action)
    else:
        for bit in range(sizes[ACTION_TOKENS]):
            push(model, sizes[ACTION_OFFSET] + ((action >> bit) & 1))


def _sample(model, rng, words):  # type: ignore[no-untyped-def]
    sequence = model.sequence
    memo, components, at = sequence.memo, sequence.components, sequence.state[WEIGHTS_AT]
    likelihood, bits = 1.0, 0.0
    for word in range(words.size):
        words[word] = 0
    for component in range(components.shape[0]):
        first, count, bit = components[component, 0], components[component, 1], components[component, 2]
        slot = _present(sequence)
        if not _knows(sequence, slot, first, count):
            _reach(model, slot, first, count)
        whole = memo.totals[slot]
        left = next_float(rng) * whole
        value = 0
        weight = np.float64(memo.floats[slot, at])
        while left >= weight and value + 1 < count:
            left -= weight
            value += 1
            weight = np.float64(memo.floats[slot, at + value])
        likelihood *= weight / whole
        if likelihood < 1e-250:
            bits -= math.log2(likelihood)
            likelihood = 1.0
        words[bit >> 6] |= np.uint64(value) << np.uint64(bit & 63)
        if (bit & 63) + components[component, 3] > 64:
            words[(bit >> 6) + 1] |= np.uint64(value) >> np.uint64(64 - (bit & 63))
        push(model, first + value)
    return bits - math.log2(likelihood)


def _update(model, words):  # type: ignore[no-untyped-def]
    sequence = model.sequence
    memo, components, at = sequence.memo, sequence.components, sequence.state[WEIGHTS_AT]
    likelihood, bits = 1.0, 0.0
    for component in range(components.shape[0]):
        first, count, bit = components[component, 0], components[component, 1], components[component, 2]
        code = words[bit >> 6] >> np.uint64(bit & 63)
        if (bit & 63) + components[component, 3] > 64:
            code |= words[(bit >> 6) + 1] << np.uint64(64 - (bit & 63))
        value = np.int64(code & np.uint64(count - 1))
        slot = _present(sequence)
        if not _knows(sequence, slot, first, count):
            _reach(model, slot, first, count)
        likelihood *= np.float64(memo.floats[slot, at + value]) / memo.totals[slot]
        if likelihood < 1e-250:
            bits -= math.log2(likelihood)
            likelihood = 1.0
        push(model, first + value)
    settle(model)
    return bits - math.log2(likelihood)


@kernel
def settle(model: Any) -> None:
    """Makes the tokens read real: the memo's root moves to the last one, and a history too long slides."""
    sequence = model.sequence
    history, state = sequence.history, sequence.state
    _resolve(history, state, sequence.memo.table, sequence.memo.nodes)
    length = state[LENGTH]
    state[LEARNT] = length
    if length > state[WINDOW]:
        first = length - state[WINDOW] // 2
        actions = state[ACTION_OFFSET]
        for position in range(first, length):  # where there are no actions, any token is as good as another
            if history[TOKENS, position] >= actions and history[TOKENS, position - 1] < actions:
                first = position
                break
        for position in range(first, length):
            history[TOKENS, position - first] = history[TOKENS, position]
        state[LENGTH] = state[LEARNT] = length - first
        forget(model)
    elif length == 0 or history[NODES, length - 1] < 0 or 2 * state[USED] > sequence.memo.nodes.shape[0]:
        _clear(sequence)
    else:
        state[ROOT] = history[NODES, length - 1]


@kernel
def _clear(sequence: Any) -> None:
    """Empties the memo. What the cache holds of the real tokens stays."""
    history, state = sequence.history, sequence.state
    real = min(state[LENGTH], state[LEARNT])
    ready = 0
    for position in range(history.shape[1]):
        kept = position < min(real, state[RESOLVED]) and history[CACHED, position] == history[NODES, position]
        history[NODES, position] = _stamp(state)
        history[CACHED, position] = history[NODES, position] if kept else 0
        if kept and position == ready:
            ready += 1
    sequence.memo.table[:] = 0
    state[READY] = ready
    state[RESOLVED] = real
    state[USED] = state[ROOT] = 0


@kernel
def forget(model: Any) -> None:
    """Drops all that was computed: the weights have changed, or the tokens have moved."""
    model.sequence.history[CACHED, :] = 0
    _clear(model.sequence)


@kernel
def restart(model: Any) -> None:
    """Forgets all tokens read."""
    state = model.sequence.state
    state[LENGTH] = state[LEARNT] = 0
    forget(model)


def _mark(model):  # type: ignore[no-untyped-def]
    return model.sequence.state[LENGTH]


def _rewind(model, mark):  # type: ignore[no-untyped-def]
    state = model.sequence.state
    state[LENGTH] = mark
    state[RESOLVED] = min(state[RESOLVED], mark)
    state[READY] = min(state[READY], mark)


def _evaluate(model, prior):  # type: ignore[no-untyped-def]
    sequence = model.sequence
    state, head, floats = sequence.state, sequence.head, sequence.memo.floats
    actions = state[ACTIONS]
    if actions != prior.size:
        raise ValueError("the network has no heads for so many actions; set actions in its configuration")
    if state[LENGTH] == 0:
        for action in range(actions):
            prior[action] = 1.0 / actions
        return 0.5
    slot = _present(sequence)
    if sequence.memo.nodes[slot, KNOWN] < FEATURES:
        _reach(model, slot, 0, 0)
    logits = floats[0, state[WEIGHTS_AT] :]  # the root's own place: it has no prediction
    return _guess(floats[slot, state[FEATURES_AT] :], head[:, state[VOCABULARY] :], logits, prior)


@kernel
def _guess(features: Floats, head: Floats, logits: Floats, prior: NDArray[np.float64]) -> float:
    """Writes the policy that features say, and returns the value."""
    product(features, head.shape[0], head, prior.size + 1, logits, False)
    value = np.float64(sigmoid(logits[prior.size]))
    exponentials(logits, prior.size)
    whole = total(logits, prior.size)
    for action in range(prior.size):
        prior[action] = logits[action] / whole
    return value


def register(model_class: type) -> None:
    """Registers the operations of a model, but for `forward` and `place`, on a class of compiled networks."""
    for operation, function in (
        (contract.condition, _condition),
        (contract.sample, _sample),
        (contract.update, _update),
        (contract.mark, _mark),
        (contract.rewind, _rewind),
        (contract.evaluate, _evaluate),
    ):
        implements(operation, model_class)(function)
