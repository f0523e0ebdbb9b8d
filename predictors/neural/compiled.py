"""Networks compiled: their weights in the layout of the kernels, their memory of a history, and room that grows."""

from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from aixi.errors import at_least, require
from aixi.predictors.model import call
from aixi.predictors.neural.arithmetic import LANES, LOG2_E, Floats, aligned, padded
from aixi.predictors.neural.attention import GroupedQueryAttention, LatentAttention
from aixi.predictors.neural.compiled_recurrent import ELMAN, GRU, LSTM, CompiledRecurrent, RecurrentWeights
from aixi.predictors.neural.compiled_transformer import CompiledTransformer, TransformerWeights, cache_room
from aixi.predictors.neural.config import ROTARY_BASE
from aixi.predictors.neural.encoder_decoder import EncoderDecoder
from aixi.predictors.neural.history import LENGTH, Sequence, make_sequence
from aixi.predictors.neural.networks import Network
from aixi.predictors.neural.recurrent import AdditiveLSTM, Recurrent
from aixi.predictors.neural.sequence import forget, restart
from aixi.predictors.neural.tokens import Tokens
from aixi.predictors.neural.transformer import Transformer

CompiledNetwork: TypeAlias = CompiledTransformer | CompiledRecurrent
_Doubles: TypeAlias = NDArray[np.float64]
_CELLS = {nn.RNN: ELMAN, nn.LSTM: LSTM, nn.GRU: GRU}


def _double(tensor: Tensor) -> _Doubles:
    array: _Doubles = tensor.detach().cpu().numpy().astype(np.float64)
    return array


def _map(linear: nn.Linear, gain: nn.RMSNorm | None = None) -> _Doubles:
    """Returns the matrix that a row vector is multiplied by, float64[inputs, outputs], the gain before it included."""
    matrix = _double(linear.weight).T
    return matrix if gain is None else _double(gain.weight)[:, None] * matrix


def _stored(matrices: list[_Doubles] | _Doubles, spare: int = 0) -> Floats:
    """Returns float32 matrices, rows padded with zeros to whole vectors and by `spare` floats."""
    array = np.asarray(matrices)
    out = aligned(*array.shape[:-1], padded(array.shape[-1]) + spare)
    out[..., : array.shape[-1]] = array
    return out


def _per_head(matrix: _Doubles, heads: int) -> _Doubles:
    """Returns float64[heads * padded(size), outputs] of float64[heads * size, outputs]: zero rows where there is
    padding."""
    size = matrix.shape[0] // heads
    out = np.zeros((heads, padded(size), matrix.shape[1]))
    out[:, :size] = matrix.reshape(heads, size, -1)
    return out.reshape(heads * padded(size), -1)


def _attention(attention: GroupedQueryAttention | LatentAttention, gain: nn.RMSNorm) -> tuple[_Doubles, _Doubles]:
    """Returns the matrices into and out of a self-attention, as `TransformerWeights` has them."""
    if isinstance(attention, GroupedQueryAttention):
        scale = LOG2_E * attention.head_size**-0.5
        into = (_map(attention.query, gain) * scale, _map(attention.key, gain), _map(attention.value, gain))
        heads = attention.query.out_features // attention.head_size
        return np.concatenate(into, axis=1), _per_head(_map(attention.output), heads)
    heads, size = attention.heads, attention.head_size
    scale = LOG2_E * (size + attention.rotary) ** -0.5
    latent_gain = _double(attention.norm.weight)
    up_key, up_value = (
        _double(up.weight).reshape(heads, size, attention.latent) * latent_gain
        for up in (attention.up_key, attention.up_value)
    )
    query = _map(attention.query, gain).reshape(-1, heads, size)
    absorbed = np.einsum("ihs,hsl->ihl", query, up_key)
    turned = _map(attention.rotary_query, gain).reshape(-1, heads, attention.rotary)
    queries = np.concatenate((absorbed, turned), axis=2).reshape(query.shape[0], -1) * scale
    into = (queries, _map(attention.down_latent, gain), _map(attention.rotary_key, gain))
    output = _map(attention.output).reshape(heads, size, -1)
    out = np.einsum("hsl,hso->hlo", up_value, output).reshape(heads * attention.latent, -1)
    return np.concatenate(into, axis=1), _per_head(out, heads)


def _transformer_weights(network: Transformer | EncoderDecoder) -> TransformerWeights:
    into, out, up, down, cross_in, cross_out = [], [], [], [], [], []
    width, heads = network.config.width, network.config.heads
    blocks: Any = network.blocks
    for block in blocks:
        first, second = _attention(block.attention, block.attention_norm)
        into.append(first)
        out.append(second)
        up.append(_map(block.feed_forward.up, block.feed_forward_norm))
        down.append(_map(block.feed_forward.down))
        if isinstance(network, EncoderDecoder):
            scale = LOG2_E * block.cross.head_size**-0.5
            cross_in.append(_map(block.cross.query, block.cross_norm) * scale)
            cross_out.append(_per_head(_map(block.cross.output), heads))
    nothing = np.zeros((0, width, LANES))
    return TransformerWeights(
        embedding=_stored(_double(network.embedding.weight)),
        attention_in=_stored(into, LANES),  # the kernel reads from the middle of a row, in whole vectors
        attention_out=_stored(out),
        up=_stored(up),
        down=_stored(down),
        cross_in=_stored(cross_in or nothing),
        cross_out=_stored(cross_out or nothing),
    )


def _recurrent_weights(network: Recurrent | AdditiveLSTM) -> RecurrentWeights:
    cells: Any = network.decoder if isinstance(network, AdditiveLSTM) else network.cells
    width = network.config.width
    inputs, recurrent, biases = [], [], []
    embedding = _double(network.embedding.weight)
    table = np.zeros(0)
    for layer in range(cells.num_layers):
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        from_inputs, from_state, input_bias, state_bias = (
            _double(getattr(cells, f"{name}_l{layer}")) for name in names
        )
        if isinstance(cells, nn.GRU):  # reset, update, new -> new, reset, update
            from_inputs, input_bias = (np.roll(each, width, axis=0) for each in (from_inputs, input_bias))
            bias = np.concatenate((input_bias, np.zeros(width)))
            bias[width:] += state_bias
        else:
            bias = input_bias + state_bias
        if layer == 0:
            table = np.zeros((embedding.shape[0], bias.size)) + bias
            table[:, : from_inputs.shape[0]] += embedding @ from_inputs[:, :width].T
            # Behind the embedding comes the context, where there is one.
            from_inputs = from_inputs[:, width:] if from_inputs.shape[1] > width else np.zeros_like(from_state)
            bias = np.zeros_like(bias)
        inputs.append(from_inputs.T)
        recurrent.append(from_state.T)
        biases.append(bias)
    query, score = np.zeros((0, width)), np.zeros(width)
    if isinstance(network, AdditiveLSTM):
        query, score = _map(network.query), _map(network.score)[:, 0] * LOG2_E
    return RecurrentWeights(
        table=_stored(table),
        inputs=_stored(inputs),
        recurrent=_stored(recurrent),
        biases=_stored(biases),
        query=_stored(query),
        score=_stored(score),
    )


def _head(network: Network) -> Floats:
    """Returns `Sequence.head`."""
    maps = [_map(network.head, network.norm) * LOG2_E]
    if network.policy is not None and network.value is not None:
        maps += [_map(network.policy, network.norm) * LOG2_E, _map(network.value, network.norm)]
    return _stored(np.concatenate(maps, axis=1), LANES)


def compile_network(
    network: Network, tokens: Tokens, *, window: int = 256, room: int = 256, memo: int = 4096
) -> CompiledNetwork:
    """Returns a network as a compiled model that has read nothing.

    Args:
        network: of any kind; later changes to its weights are taken over by `load_weights`.
        tokens: the code of percepts and actions, of the network's vocabulary.
        window: most real tokens held, at least two cycles; of an encoder's history too.
        room: further tokens that there is room for; see `reserve`.
        memo: imagined tokens whose rows and predictions are kept.

    Raises:
        InvalidValueError: if vocabularies differ or a number is out of range.

    Example:
        >>> from aixi.predictors.neural.config import NetworkConfig
        >>> from aixi.predictors.neural.networks import make_network
        >>> tokens = Tokens((2, 3), actions=2)
        >>> config = NetworkConfig("transformer", vocabulary=tokens.vocabulary, width=16)
        >>> model = compile_network(make_network(config, seed=0), tokens, window=30)
        >>> model.sequence.history.shape[1] >= 30
        True
    """
    config = network.config
    require(
        config.vocabulary == tokens.vocabulary,
        f"vocabulary of the network must be {tokens.vocabulary}, as its tokens have, got {config.vocabulary}",
    )
    at_least("window", window, 2 * tokens.cycle_tokens)
    at_least("room", room, tokens.cycle_tokens)
    at_least("memo", memo, 0)
    capacity = cache_room(window + room)
    memory = window + 1 if isinstance(network, EncoderDecoder | AdditiveLSTM) else 1

    def sequence(row: int) -> Sequence:
        return make_sequence(tokens, _head(network), row, config.actions, window, capacity, memo)

    if isinstance(network, Transformer | EncoderDecoder):
        model: CompiledNetwork = _transformer(network, sequence, capacity, memory)
    else:
        assert isinstance(network, Recurrent | AdditiveLSTM)
        model = _recurrent(network, sequence, capacity, memory)
    if memory > 1:
        set_memory(model, network, [])
    return model


def _transformer(
    network: Transformer | EncoderDecoder, sequence: Any, capacity: int, memory: int
) -> CompiledTransformer:
    config = network.config
    head_size, groups = config.head_size, config.key_value_heads
    own_groups = 1 if config.latent else groups
    key = config.latent + config.rotary if config.latent else head_size
    value = config.latent or head_size
    turned = config.rotary or head_size
    sizes = (config.width, config.heads, own_groups, key, value, turned, config.hidden_width, int(config.latent > 0), 0)
    weights = _transformer_weights(network)
    row = config.layers * own_groups * (key if config.latent else key + value)
    cross = int(isinstance(network, EncoderDecoder)) * config.layers
    widest = (
        weights.attention_in.shape[2] + 2 * LANES,
        config.heads * padded(max(value, head_size)),
        config.hidden_width,
        config.width,
        capacity,
        memory,
    )
    return CompiledTransformer(
        sequence=sequence(row),
        weights=weights,
        shape=np.array(sizes, np.int64),
        keys=aligned(config.layers, own_groups, key, capacity),
        values=aligned(config.layers, own_groups, capacity, padded(value)),
        rotations=_rotations(capacity, turned),
        memory_keys=aligned(cross, groups, head_size, cache_room(memory)),
        memory_values=aligned(cross, groups, cache_room(memory), padded(head_size)),
        scratch=aligned(6, cache_room(max(widest))),
    )


def _rotations(capacity: int, turned: int) -> Floats:
    pairs = np.arange(turned // 2)
    angles = np.outer(np.arange(capacity), ROTARY_BASE ** (-2.0 * pairs / turned))
    return np.stack((np.cos(angles), np.sin(angles)), axis=1).astype(np.float32)


def _recurrent(network: Recurrent | AdditiveLSTM, sequence: Any, capacity: int, memory: int) -> CompiledRecurrent:
    cells: Any = network.decoder if isinstance(network, AdditiveLSTM) else network.cells
    width, layers = network.config.width, network.config.layers
    kind = _CELLS[type(cells)]
    weights = _recurrent_weights(network)
    row = layers * width * (2 if kind == LSTM else 1)
    return CompiledRecurrent(
        sequence=sequence(row),
        weights=weights,
        shape=np.array([width, layers, kind, 0], np.int64),
        states=aligned(capacity + 1, row),
        memory_keys=aligned(memory, padded(width)),
        memory_states=aligned(memory, padded(width)),
        scratch=aligned(4, cache_room(max(weights.table.shape[1], memory) + LANES)),
    )


def load_weights(model: CompiledNetwork, network: Network) -> None:
    """Takes over the weights of a network of the same configuration; what was computed with the old ones is dropped.

    An encoded history must be encoded anew, by `set_memory`.
    """
    if isinstance(network, Transformer | EncoderDecoder):
        new: Any = _transformer_weights(network)
    else:
        assert isinstance(network, Recurrent | AdditiveLSTM)
        new = _recurrent_weights(network)
    old = (*model.weights, model.sequence.head)
    for mine, theirs in zip(old, (*new, _head(network)), strict=True):
        require(
            mine.shape == theirs.shape,
            f"the network must have the configuration it was compiled with, got {theirs.shape} for {mine.shape}",
        )
        mine[...] = theirs
    call(forget, model)


@torch.inference_mode()
def set_memory(model: CompiledNetwork, network: Network, history: ArrayLike) -> None:
    """Encodes a history and starts a decoder anew behind it.

    Args:
        model: of an encoder-decoder or an LSTM with additive attention.
        network: what it was compiled from.
        history: int64[T], tokens; at most the window.

    Raises:
        InvalidValueError: if the history is longer.
    """
    tokens = torch.as_tensor(np.asarray(history, np.int64))[None]
    room = model.memory_keys.shape[-1 if isinstance(model, CompiledTransformer) else 0]
    states = tokens.shape[1] + 1
    require(states <= room, f"history must be at most {room - 1} tokens, got {states - 1}; widen the window")
    if isinstance(model, CompiledTransformer):
        assert isinstance(network, EncoderDecoder)
        for layer, (keys, values) in enumerate(network.encode(tokens)):  # [1, G, S, size] each
            model.memory_keys[layer, :, :, :states] = keys[0].transpose(1, 2).numpy()
            model.memory_values[layer, :, :states, : values.shape[-1]] = values[0].numpy()
    else:
        assert isinstance(network, AdditiveLSTM)
        memory, width = network.encode(tokens), network.config.width
        model.memory_keys[:states, :width] = memory.keys[0].numpy()
        model.memory_states[:states, :width] = memory.states[0].numpy()
        model.states[0] = torch.cat((memory.hidden, memory.cell))[:, 0].flatten().numpy()
    model.shape[-1] = states  # `REMEMBERED`
    call(restart, model)


def reserve(model: CompiledNetwork, tokens: int) -> CompiledNetwork:
    """Returns the model with room for so many more tokens than it has read, in new arrays where it lacks room."""
    old = model.sequence.history.shape[1]
    needed = int(model.sequence.state[LENGTH]) + tokens
    if needed <= old:
        return model
    more = cache_room(max(needed, old + old // 2)) - old
    sequence = model.sequence._replace(history=np.pad(model.sequence.history, ((0, 0), (0, more))))
    if isinstance(model, CompiledRecurrent):
        return model._replace(sequence=sequence, states=_wider(model.states, 0, more))
    return model._replace(
        sequence=sequence,
        keys=_wider(model.keys, 3, more),
        values=_wider(model.values, 2, more),
        rotations=_rotations(old + more, 2 * model.rotations.shape[2]),
        scratch=_wider(model.scratch, 1, more),
    )


def _wider(array: Floats, axis: int, more: int) -> Floats:
    """Returns an array with zeros added at the end of an axis."""
    shape = list(array.shape)
    shape[axis] += more
    out = aligned(*shape)
    out[tuple(slice(size) for size in array.shape)] = array
    return out
