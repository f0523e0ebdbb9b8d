"""One token through a recurrent network, compiled: Elman's, LSTM or GRU, and an LSTM that looks back additively.

The state after every token is kept, so that rewinding is a matter of length. The first layer's product with the
embedding is a table by token, made when weights are exported, biases included.

| cells | gates, each `width` floats | written by inputs | by the state before |
|---|---|---|---|
| Elman | tanh | all | all |
| LSTM | input, forget, cell, output | all | all |
| GRU | new from inputs, reset, update, new from state | the first three | the last three |
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from aixi.predictors.intrinsics import Integer, float_inlined
from aixi.predictors.model import implements, source_tag
from aixi.predictors.neural import sequence
from aixi.predictors.neural.arithmetic import (
    Floats,
    exponentials,
    hyperbolic_tangent,
    normalise,
    product,
    sigmoid,
)
from aixi.predictors.neural.config import EPSILON
from aixi.predictors.neural.history import FEATURES_AT, TOKENS, Sequence

_EPSILON = np.float32(EPSILON)
_ZERO, _ONE = np.float32(0.0), np.float32(1.0)
# Fields of `CompiledRecurrent.shape`, and kinds of cell.
WIDTH, LAYERS, CELL, REMEMBERED = range(4)
ELMAN, LSTM, GRU = range(3)
# Rows of `CompiledRecurrent.scratch`.
GATES, CONTEXT, QUERY, SCORES = range(4)


class RecurrentWeights(NamedTuple):
    """Weights of L layers of width d, float32, rows padded to whole vectors with zeros.

    Attributes:
        table: [vocabulary, gates], what a token gives the first layer's gates.
        inputs: [L, d, gates from inputs]; the first layer's is for the context, if there is one.
        recurrent: [L, d, gates from the state before].
        biases: [L, gates], zeros in the first layer.
        query: [d, d], of additive attention, of no rows without it.
        score: [d], times log2 e.
    """

    table: Floats
    inputs: Floats
    recurrent: Floats
    biases: Floats
    query: Floats
    score: Floats


class CompiledRecurrent(NamedTuple):
    """A recurrent network with the states after C tokens at most.

    Attributes:
        sequence: the tokens read, and the memo.
        weights: of the network.
        shape: int64[4]: `WIDTH`, `LAYERS`, `CELL`, its kind, and `REMEMBERED`, the states of the encoded history.
        states: float32[C + 1, row], after none, one, two ... tokens: outputs of all layers, then an LSTM's cells.
        memory_keys, memory_states: float32[M, d], W_m m and m of an encoded history (Bahdanau et al. 2015).
        scratch: float32[4, widest], what a forward works in.
        source: see `aixi.predictors.model`.
    """

    sequence: Sequence
    weights: RecurrentWeights
    shape: NDArray[np.int64]
    states: Floats
    memory_keys: Floats
    memory_states: Floats
    scratch: Floats
    source: NDArray[Any] = source_tag(__file__)


@float_inlined
def _look_back(
    weights: Any,
    width: Integer,
    output: Floats,
    keys: Floats,
    states: Floats,
    count: Integer,
    query: Floats,
    scores: Floats,
    context: Floats,
) -> None:
    """Writes the mean of an encoder's states by the softmax of v . tanh(W_q h + W_m m)."""
    product(output, width, weights.query, width, query, False)
    for state in range(count):
        score = _ZERO
        for i in range(width):
            score += weights.score[i] * hyperbolic_tangent(query[i] + keys[state, i])
        scores[state] = score
    scale = _ONE / exponentials(scores, count)
    product(scores, count, states, width, context, False)
    for i in range(width):
        context[i] *= scale


@implements(sequence.forward, CompiledRecurrent)
def _forward(model, position, full, slot):  # type: ignore[no-untyped-def]  # the contract's types
    weights, shape, scratch = model.weights, model.shape, model.scratch
    before, after = model.states[position], model.states[position + 1]
    token = model.sequence.history[TOKENS, position]
    row = model.sequence.memo.floats[slot]
    width, layers, cell = shape[WIDTH], shape[LAYERS], shape[CELL]
    gates, context, query, scores = scratch[GATES], scratch[CONTEXT], scratch[QUERY], scratch[SCORES]
    attending = weights.query.shape[0] > 0
    if attending:
        _look_back(
            weights,
            width,
            before[(layers - 1) * width :],
            model.memory_keys,
            model.memory_states,
            shape[REMEMBERED],
            query,
            scores,
            context,
        )
    blocks = 1 if cell == ELMAN else 4
    from_inputs = 3 if cell == GRU else blocks
    first = width if cell == GRU else 0
    for layer in range(layers):
        at = layer * width
        for i in range(blocks * width):
            gates[i] = weights.biases[layer, i] if layer else weights.table[token, i]
        if layer:
            product(after[at - width :], width, weights.inputs[layer], from_inputs * width, gates, True)
        elif attending:
            product(context, width, weights.inputs[layer], from_inputs * width, gates, True)
        product(before[at:], width, weights.recurrent[layer], from_inputs * width, gates[first:], True)
        if cell == LSTM:
            cells = (layers + layer) * width
            for i in range(width):
                held = sigmoid(gates[width + i]) * before[cells + i]
                held += sigmoid(gates[i]) * hyperbolic_tangent(gates[2 * width + i])
                after[cells + i] = held
                after[at + i] = sigmoid(gates[3 * width + i]) * hyperbolic_tangent(held)
        elif cell == GRU:
            for i in range(width):
                new = hyperbolic_tangent(gates[i] + sigmoid(gates[width + i]) * gates[3 * width + i])
                share = sigmoid(gates[2 * width + i])
                after[at + i] = new + share * (before[at + i] - new)
        else:
            for i in range(width):
                after[at + i] = hyperbolic_tangent(gates[i])
    normalise(after, (layers - 1) * width, width, _EPSILON, row[model.sequence.state[FEATURES_AT] :], 0)
    for i in range(after.size):
        row[i] = after[i]


@implements(sequence.place, CompiledRecurrent)
def _place(model, position, slot):  # type: ignore[no-untyped-def]
    after, row = model.states[position + 1], model.sequence.memo.floats[slot]
    for i in range(after.size):
        after[i] = row[i]


sequence.register(CompiledRecurrent)
