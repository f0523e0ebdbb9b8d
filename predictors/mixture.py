"""A predictor of bytes by logistic mixing, and the length of a text's description that it gives."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aixi.errors import InvalidValueError, at_least, require
from aixi.predictors.base import Predictor
from aixi.predictors.logistic_mixing import (
    CHANGES_A_BYTE,
    COST,
    HIGHEST_ORDER,
    IMAGINED,
    INPUTS,
    LENGTH,
    MIXERS,
    NODE_SIZE,
    NODES,
    NODES_A_BYTE,
    ONE,
    ORDERS,
    SQUASH,
    STRETCH,
    USED,
    Mixture,
    all_symbols,
    append,
    blank_memory,
    follow,
    rebuild_lookup,
    undo,
)
from aixi.state import State

_RUN = 1024
"""Bytes learnt between two looks at the room."""
# A mark is LENGTH * 2^40 + records.
_MARK_BITS = 40
_LOG2 = np.log2(np.maximum(np.arange(ONE), 1) / ONE)


class MixturePredictor(Predictor):
    """Logistic mixing of contexts of orders 0 to `order` and a longest match (Mahoney 2005), over bytes.

    The bits of a byte are predicted in turn, highest first, with probabilities that are whole multiples of 2^-16 and
    come from integer arithmetic alone (`aixi.predictors.logistic_mixing`); logarithms of them are the only floats.
    `log2_probs` takes as long as some fifty bytes learnt, since all 256 are followed.
    The text before the first byte counts as zeros.

    Args:
        order: number of bytes in the longest context, 0 to 6.

    Example:
        >>> predictor = MixturePredictor()
        >>> bool(abs(np.exp2(predictor.log2_probs()).sum() - 1.0) < 1e-12)
        True
        >>> first, second = predictor.update_many(b"abracadabra"), predictor.update_many(b"abracadabra")
        >>> round(first), round(second)
        (53, 11)
    """

    alphabet_size = 256

    def __init__(self, order: int = HIGHEST_ORDER) -> None:
        self.order = at_least("order", order, 0)
        require(self.order <= HIGHEST_ORDER, f"order must be at most {HIGHEST_ORDER}, got {order}")
        self._learnt = HIGHEST_ORDER
        self._allocate(blank_memory(self.order), np.zeros(HIGHEST_ORDER, np.uint8))

    def _allocate(self, memory: NDArray[np.int64], text: NDArray[np.uint8]) -> None:
        self._mixture = Mixture(
            memory=memory,
            lookup=np.zeros(0, np.int64),
            text=text,
            log=np.zeros((0, 2), np.int64),
            records=np.zeros(1, np.int64),
            keys=np.zeros(ORDERS, np.int64),
            nodes=np.zeros(ORDERS, np.int64),
            inputs=np.zeros(INPUTS, np.int64),
            weights=np.zeros(MIXERS, np.int64),
            outputs=np.zeros(MIXERS, np.int64),
            stretch=STRETCH,
            squash=SQUASH,
        )
        self._reserve(0)

    def _reserve(self, symbols: int, changes: int = CHANGES_A_BYTE) -> None:
        """Makes room for so many symbols more and for so many changes in the log."""
        mixture = self._mixture
        used = int(mixture.memory[USED])
        memory = _roomy(mixture.memory, used + symbols * NODES_A_BYTE * NODE_SIZE)
        text = _roomy(mixture.text, int(mixture.memory[LENGTH]) + symbols)
        log = _roomy(mixture.log, int(mixture.records[0]) + changes)
        self._mixture = mixture._replace(memory=memory, text=text, log=log)
        nodes = (used - NODES) // NODE_SIZE + symbols * NODES_A_BYTE
        if 2 * nodes > mixture.lookup.size:
            lookup = np.zeros(1 << (2 * nodes).bit_length(), np.int64)
            self._mixture = self._mixture._replace(lookup=lookup)
            rebuild_lookup(self._mixture)

    def log2_probs(self) -> NDArray[np.float64]:
        self._reserve(1)
        said = np.empty((self.alphabet_size, 8), np.int64)
        all_symbols(self._mixture, said, np.empty(8, np.int64))
        bits: NDArray[np.float64] = _LOG2[said].sum(axis=1)
        return bits

    def update(self, symbol: int) -> float:
        return self.update_many([symbol])

    def update_many(self, symbols: Iterable[int]) -> float:
        """Learns a run of real bytes, such as a `bytes` or an array, and returns their code length in bits."""
        return float(-_LOG2[self._learn(symbols)].sum(axis=1).sum())

    def code_length_units(self, symbols: Iterable[int]) -> int:
        """Learns a run of real bytes and returns their code length in whole units of 2^-16 bit, each bit rounded up."""
        return int(COST[self._learn(symbols)].sum())

    def _learn(self, symbols: Iterable[int]) -> NDArray[np.int64]:
        """Learns real bytes and returns P(bit) of their bits in 2^-16, int64[symbols, 8]."""
        array = _bytes(symbols)
        if self._mixture.memory[IMAGINED]:
            raise InvalidValueError("update must come after rewind, got one in the middle of imagination")
        said = np.empty((array.size, 8), np.int64)
        self._mixture.records[0] = 0
        for start in range(0, array.size, _RUN):
            run = slice(start, start + _RUN)
            self._reserve(array[run].size)
            follow(self._mixture, array[run], said[run], True)
        self._learnt = int(self._mixture.memory[LENGTH])
        return said

    def condition(self, symbol: int) -> None:
        (byte,) = _bytes([symbol])
        self._reserve(1)
        append(self._mixture, int(byte))

    def imagine(self, symbol: int) -> float:
        array = _bytes([symbol])
        self._reserve(1)
        said = np.empty((1, 8), np.int64)
        follow(self._mixture, array, said, False)
        return float(-_LOG2[said].sum())

    def mark(self) -> int:
        return (int(self._mixture.memory[LENGTH]) << _MARK_BITS) | int(self._mixture.records[0])

    def rewind(self, mark: int) -> None:
        length, records = mark >> _MARK_BITS, mark & ((1 << _MARK_BITS) - 1)
        if length > self._mixture.memory[LENGTH] or records > self._mixture.records[0]:
            raise InvalidValueError("mark must be of this predictor's past, got one that lies ahead")
        if length < self._learnt:
            raise InvalidValueError("mark must be taken after the last update, for what was learnt stays; got an older")
        undo(self._mixture, records)

    def state_dict(self) -> State:
        memory = self._mixture.memory
        require(memory[IMAGINED] == 0, "a state must not be taken while symbols are imagined: rewind first")
        return {
            "configuration": {"order": self.order},
            "memory": memory[: memory[USED]].copy(),
            "text": self._mixture.text[: memory[LENGTH]].copy(),
        }

    def load_state_dict(self, state: State) -> None:
        if state.get("configuration") != {"order": self.order}:
            raise InvalidValueError(
                f"the state is of {state.get('configuration')}, this predictor is of {{'order': {self.order}}}; "
                "build it with the same arguments"
            )
        self._learnt = int(state["memory"][LENGTH])
        self._allocate(np.array(state["memory"], np.int64), np.array(state["text"], np.uint8))


def code_length(text: bytes) -> float:
    """Returns the length of a text's description in bits, a whole multiple of 2^-16 that is the same everywhere.

    The description is the Elias delta code (Elias 1975) of the text's length plus one, and then the arithmetic code of
    its bytes by `MixturePredictor`, of which there is no other header. Each bit of the text costs -log2 P(bit) with
    P the integer probability over 2^16, rounded up to 2^-16 bit: so the sum of 2^-length over all texts is at most 1
    (Kraft), and a decoder exists. A finished arithmetic code would take at most two bits more.

    Example:
        >>> code_length(b""), code_length(b"a")  # 1 for the length 0; 4 for the length 1, and some 8 for the byte
        (1.0, 12.139053344726562)
        >>> code_length(b"abracadabra" * 20) < 170
        True
    """
    return code_length_units(text) / ONE


def code_length_units(text: bytes) -> int:
    """Returns `code_length` in units of 2^-16 bit."""
    digits = (len(text) + 1).bit_length()
    elias_delta = digits - 1 + 2 * digits.bit_length() - 1
    return elias_delta * ONE + MixturePredictor().code_length_units(text)


def _bytes(symbols: Iterable[int]) -> NDArray[np.uint8]:
    """Returns symbols as uint8[symbols], or raises `InvalidValueError` at the first that is not a byte."""
    values = np.asarray(list(symbols))
    wrong = values[(values < 0) | (values > 255) | (values % 1 != 0)]
    if wrong.size:
        raise InvalidValueError(f"symbols must be whole numbers from 0 to 255, got {wrong[0]}")
    return values.astype(np.uint8)


def _roomy(array: NDArray[Any], need: int) -> NDArray[Any]:
    """Returns the array, or a larger copy if it has no room for `need` rows."""
    if need <= len(array):
        return array
    larger = np.zeros((max(need, len(array) * 3 // 2), *array.shape[1:]), array.dtype)
    larger[: len(array)] = array
    return larger
