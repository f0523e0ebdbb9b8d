"""The frozen Transformer as a compiled model of an environment."""

import math

import numpy as np
from numpy.typing import NDArray

from aixi.predictors.intrinsics import next_float
from aixi.predictors.model import EnvironmentModel, condition, implements, mark, rewind, sample, update
from aixi.predictors.transformer.decoder import (
    Decoder,
    append,
    code_length,
    decoder_state,
    learn,
    random_decoder,
    restored,
    with_room,
)
from aixi.state import State


@implements(condition, Decoder)
def _condition(model: Decoder, action: int) -> None:
    append(model, 2 + action)


@implements(sample, Decoder)
def _sample(model: Decoder, rng: NDArray[np.uint64], words: NDArray[np.uint64]) -> float:
    for word in range(words.size):
        words[word] = 0
    bits = 0.0
    for i in range(model.percept_bits):
        logit = model.logits[model.length[0]]
        bit = 1 if next_float(rng) * (1.0 + math.exp(-logit)) < 1.0 else 0
        bits += code_length(model, bit)
        append(model, bit)
        words[i >> 6] |= np.uint64(bit) << np.uint64(i & 63)
    return bits


@implements(update, Decoder)
def _update(model: Decoder, words: NDArray[np.uint64]) -> float:
    bits = 0.0
    for i in range(model.percept_bits):
        bits += learn(model, 1 if words[i >> 6] >> np.uint64(i & 63) & np.uint64(1) else 0)
    return bits


@implements(mark, Decoder)
def _mark(model: Decoder) -> int:
    return model.length[0]


@implements(rewind, Decoder)
def _rewind(model: Decoder, mark: int) -> None:
    model.length[0] = mark


class FrozenTransformerModel(EnvironmentModel):
    """Owner of a compiled Transformer of random weights that stay as they are.

    Args:
        actions: number of actions.
        percept_bits: width of a percept, in bits.
        window, width, heads, seed: see `FrozenTransformer`.

    Example:
        >>> model = FrozenTransformerModel(actions=2, percept_bits=3)
        >>> model.condition(1)
        >>> bits = model.update(np.array([0b101], np.uint64))
        >>> int(model.compiled.length[0])
        4
    """

    def __init__(
        self,
        actions: int,
        percept_bits: int,
        window: int = 64,
        width: int = 16,
        heads: int = 2,
        seed: int = 0,
    ) -> None:
        self.actions = actions
        self.percept_bits = percept_bits
        self._model = random_decoder(actions, percept_bits, window, width, heads, seed)

    @property
    def compiled(self) -> Decoder:
        return self._model

    def reserve(self, percepts: int) -> None:
        self._model = with_room(self._model, (1 + percepts) * (1 + self.percept_bits))

    def state_dict(self) -> State:
        return decoder_state(self._model)

    def load_state_dict(self, state: State) -> None:
        self._model = restored(self._model, state)

    def copy(self) -> "FrozenTransformerModel":
        other = FrozenTransformerModel.__new__(FrozenTransformerModel)
        other.actions, other.percept_bits = self.actions, self.percept_bits
        own = (value.copy() if isinstance(value, np.ndarray) else value for value in self._model)
        other._model = Decoder._make(own)
        return other
