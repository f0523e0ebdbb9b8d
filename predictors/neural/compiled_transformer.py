"""One token through a Transformer, compiled: decoder-only, or a decoder that looks across to an encoded history.

Every attention is one form: H query heads over G keys of `key` floats and values of `value` floats, the last `turned`
floats of queries and keys rotated by position. Multi-head is G = H, multi-query G = 1, grouped-query between; all
rotate the whole key. Latent attention in absorbed form is G = 1 with keys [normalised latent, rotary key] and the
latent itself as value: its products of matrices are made once, in double precision, when weights are exported.

Gains of norms are part of the matrix that reads them, and queries carry the scale of the scores and log2 e, so that
the softmax is of base 2. Keys lie contiguous in time, [layers, G, key, capacity], values by token.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from aixi.predictors.intrinsics import Integer, float_kernel
from aixi.predictors.model import implements, source_tag
from aixi.predictors.neural import sequence
from aixi.predictors.neural.arithmetic import (
    Floats,
    exponentials,
    normalise,
    padded,
    product,
    rectify,
    rotate,
)
from aixi.predictors.neural.config import EPSILON
from aixi.predictors.neural.history import FEATURES_AT, TOKENS, Sequence

_EPSILON = np.float32(EPSILON)
# Fields of `CompiledTransformer.shape`.
WIDTH, HEADS, GROUPS, KEY_SIZE, VALUE_SIZE, TURNED, HIDDEN, LATENT, REMEMBERED = range(9)
# Rows of `CompiledTransformer.scratch`.
STREAM, NORMALISED, MIXED, ATTENDED, INNER, SCORES = range(6)


class TransformerWeights(NamedTuple):
    """Weights of L layers, float32, rows padded to whole vectors with zeros; d is the width of the residual stream.

    Attributes:
        embedding: [vocabulary, d].
        attention_in: [L, d, H key + G key + G value], to queries, keys and values; without values for a latent.
        attention_out: [L, H padded(value), d].
        up, down: [L, d, hidden] and [L, hidden, d].
        cross_in, cross_out: [L, d, H head] and [L, H padded(head), d], of no layers without cross-attention.
    """

    embedding: Floats
    attention_in: Floats
    attention_out: Floats
    up: Floats
    down: Floats
    cross_in: Floats
    cross_out: Floats


class CompiledTransformer(NamedTuple):
    """A Transformer with a cache of C tokens.

    Attributes:
        sequence: the tokens read, and the memo.
        weights: of the network.
        shape: int64[9]: `WIDTH`, `HEADS`, `GROUPS`, `KEY_SIZE`, `VALUE_SIZE`, `TURNED`, `HIDDEN`, `LATENT`, 1 where
            values are latents, and `REMEMBERED`, the states of the encoded history.
        keys: float32[L, G, key, C], rotated.
        values: float32[L, G, C, padded(value)].
        rotations: float32[C, 2, turned / 2], cosines and sines of each position.
        memory_keys, memory_values: float32[L, G, head, M] and [L, G, M, padded(head)], of an encoded history.
        scratch: float32[6, widest], what a forward works in.
        source: see `aixi.predictors.model`.
    """

    sequence: Sequence
    weights: TransformerWeights
    shape: NDArray[np.int64]
    keys: Floats
    values: Floats
    rotations: Floats
    memory_keys: Floats
    memory_values: Floats
    scratch: Floats
    source: NDArray[Any] = source_tag(__file__)


@float_kernel
def _attend(
    query: Floats,
    size: Integer,
    keys: Floats,
    values: Floats,
    value_size: Integer,
    count: Integer,
    scores: Floats,
    out: Floats,
) -> None:
    """Writes the mean of `count` values by the softmax of base 2 of query times key."""
    product(query, size, keys, count, scores, False)
    scale = np.float32(1.0) / exponentials(scores, count)
    product(scores, count, values, value_size, out, False)
    for i in range(value_size):
        out[i] *= scale


@float_kernel
def _keep(
    shape: NDArray[np.int64], keys: Floats, values: Floats, row: Floats, first: Integer, position: Integer
) -> None:
    """Copies one layer's keys and values of a row, from `first` on, to a position of the cache."""
    at = first
    for group in range(shape[GROUPS]):
        for i in range(shape[KEY_SIZE]):
            keys[group, i, position] = row[at]
            at += 1
    if shape[LATENT]:
        at = first
    for group in range(shape[GROUPS]):
        for i in range(shape[VALUE_SIZE]):
            values[group, position, i] = row[at]
            at += 1


@implements(sequence.forward, CompiledTransformer)
def _forward(model, position, full, slot):  # type: ignore[no-untyped-def]  # the contract's types
    """Without `full`, the last layer's attention and what follows it are left out."""
    weights, shape, rotations, scratch = model.weights, model.shape, model.rotations, model.scratch
    memory_keys, memory_values = model.memory_keys, model.memory_values
    state = model.sequence.state
    token = model.sequence.history[TOKENS, position]
    row = model.sequence.memo.floats[slot]
    features = row[state[FEATURES_AT] :]
    width, heads, groups = shape[WIDTH], shape[HEADS], shape[GROUPS]
    key_size, value_size, turned, latent = shape[KEY_SIZE], shape[VALUE_SIZE], shape[TURNED], shape[LATENT]
    x, normalised, mixed = scratch[STREAM], scratch[NORMALISED], scratch[MIXED]
    attended, hidden, scores = scratch[ATTENDED], scratch[INNER], scratch[SCORES]
    layers = weights.up.shape[0]
    crossing = weights.cross_in.shape[0] > 0
    query_floats = heads * key_size
    kept = groups * key_size if latent else groups * (key_size + value_size)
    value_room = padded(value_size)
    plain = key_size - turned
    for i in range(width):
        x[i] = weights.embedding[token, i]
    for layer in range(layers):
        normalise(x, 0, width, _EPSILON, normalised, 0)
        matrix = weights.attention_in[layer]
        last = layer == layers - 1 and not full
        if not last:
            product(normalised, width, matrix, query_floats, mixed, False)
        # By itself, so that keys and values are rounded alike with and without queries.
        product(normalised, width, matrix[:, query_floats:], kept, mixed[query_floats:], False)
        if latent:
            normalise(mixed, query_floats, plain, _EPSILON, mixed, query_floats)
        for head in range(0 if not last else heads, heads + groups):  # keys follow the queries
            rotate(mixed, head * key_size + plain, rotations[position, 0], rotations[position, 1])
        for i in range(kept):
            row[layer * kept + i] = mixed[query_floats + i]
        keys, values = model.keys[layer], model.values[layer]
        _keep(shape, keys, values, row, layer * kept, position)
        if last:
            return
        for head in range(heads):
            group = head * groups // heads
            _attend(
                mixed[head * key_size :],
                key_size,
                keys[group],
                values[group],
                value_size,
                position + 1,
                scores,
                attended[head * value_room :],
            )
        product(attended, heads * value_room, weights.attention_out[layer], width, x, True)
        if crossing:
            normalise(x, 0, width, _EPSILON, normalised, 0)
            head_size = memory_keys.shape[2]
            head_room = memory_values.shape[3]
            product(normalised, width, weights.cross_in[layer], heads * head_size, mixed, False)
            for head in range(heads):
                group = head * memory_keys.shape[1] // heads
                _attend(
                    mixed[head * head_size :],
                    head_size,
                    memory_keys[layer, group],
                    memory_values[layer, group],
                    head_size,
                    shape[REMEMBERED],
                    scores,
                    attended[head * head_room :],
                )
            product(attended, heads * head_room, weights.cross_out[layer], width, x, True)
        normalise(x, 0, width, _EPSILON, normalised, 0)
        inner = shape[HIDDEN]
        product(normalised, width, weights.up[layer], inner, hidden, False)
        rectify(hidden, inner)
        product(hidden, inner, weights.down[layer], width, x, True)
    normalise(x, 0, width, _EPSILON, features, 0)


@implements(sequence.place, CompiledTransformer)
def _place(model, position, slot):  # type: ignore[no-untyped-def]
    layers, row = model.keys.shape[0], model.sequence.memo.floats[slot]
    shape = model.shape
    kept = shape[GROUPS] * (shape[KEY_SIZE] if shape[LATENT] else shape[KEY_SIZE] + shape[VALUE_SIZE])
    for layer in range(layers):
        _keep(shape, model.keys[layer], model.values[layer], row, layer * kept, position)


sequence.register(CompiledTransformer)


def cache_room(tokens: int) -> int:
    """Returns a capacity of at least so many tokens whose rows of keys do not all fall into one set of the
    first-level cache: an odd number of cache lines."""
    return (-(-tokens // 16) | 1) * 16
