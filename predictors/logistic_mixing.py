"""Logistic mixing of byte contexts in integer arithmetic: tables, memory, prediction, learning, and its undoing.

A byte is predicted bit by bit, highest first. Contexts of orders 0 to 6 (the last k bytes and the bits of this byte
so far) and the longest match each say how probable a 1 is. Mixers add those up in the logistic domain and learn by
gradient descent on code length, after PAQ (Mahoney 2005, "Adaptive weighing of context models for lossless data
compression") and its successors paq8 and lpaq:

    stretch(p) = log2(p / (1 - p)),    p = squash(sum_i w_i stretch(p_i)),    w_i <- w_i + rate (bit - p) stretch(p_i)

with squash the inverse of stretch. Logarithms are to base 2 here, so that the evidence is in bits.

**Integers only.** What is said of a bit is p / 2^16 with p in 1..65535, and everything that leads to it is integer
arithmetic: the same on every machine, with and without compilation. Units: probabilities 2^-16 (2^-32 while they are
learnt), evidence 2^-10 bit, weights 2^-16, costs 2^-16 bit. Quotients are rounded down, weight changes to nearest.

**Inputs of the mixers.** Each context gives two:

1. its own frequency p, moved by (bit - p) / (n + 3/2) at its n-th bit: the Krichevsky-Trofimov rule with 1/4 for 1/2;
2. what bits followed histories like its own, the last `HISTORY_BITS` bits seen in it: one table an order.

A context that was never seen gives none. The match gives the probability, learnt by its length, that the byte after
the latest earlier place with the same last `SHORTEST_MATCH` bytes comes again. A constant is the last input.

**Three mixers** pick their weights by (a) how many orders have seen their context, and the match's length; (b) the
bits of this byte so far; (c) the last byte. A fourth mixes the three.

**Memory.** Everything that is learnt lies in one int64 array, and each change to it leaves (place, old value) in a
log, so that undoing restores. The node of a context is found by its whole key in a look-up table of open addressing,
which holds nothing but places in the memory and can be rebuilt from it: only the newest node is ever deleted.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from aixi.predictors.intrinsics import Integer, inlined, kernel

HIGHEST_ORDER = 6
SHORTEST_MATCH, LONGEST_MATCH = 6, 31  # bytes; a longer match counts as the longest
HISTORY_BITS = 6
FREQUENCY_LIMIT = 30  # bits after which a context's frequency moves at a constant rate
TABLE_PRIOR = 64  # bits that a table's first value is worth, and
TABLE_LIMIT = 640  # bits after which its entries move at a constant rate
# A weight moves by error * input / 2^rate in the units below, of which a billion bits cannot make an int64 overflow.
MIXER_RATE, FINAL_RATE = 16, 20
FIRST_WEIGHT = 1 << 13  # 1/8: sixteen inputs, most of which agree

ONE = 1 << 16
_CERTAIN = (1 << 32) - 1  # a learnt probability of 1, in 2^-32
_EVIDENCE = 10  # evidence is in units of 2^-10 bit
_STRONGEST = 16 << _EVIDENCE
ORDERS = HIGHEST_ORDER + 1
INPUTS = 2 * ORDERS + 2
MIXERS = 3

# Places in the memory: single values, then tables of weights and of (probability, count), then nodes.
LENGTH, USED, MATCH, MATCHED, IMAGINED, ORDER = range(6)
BY_CONFIDENCE = 8
BY_PARTIAL = BY_CONFIDENCE + (ORDERS + 1) * 4 * INPUTS
BY_LAST = BY_PARTIAL + 256 * INPUTS
FINAL = BY_LAST + 256 * INPUTS
HISTORIES = FINAL + MIXERS
MATCHES = HISTORIES + ORDERS * (2 << HISTORY_BITS) * 2
NODES = MATCHES + (LONGEST_MATCH + 1) * 2
# Fields of a node. That of a place in the text has the place as its frequency.
KEY, FREQUENCY, SEEN, HISTORY = range(4)
NODE_SIZE = 4
_PLACE = ORDERS + 1  # in the key, where a context has its order + 1

# At most, for a byte: nodes made, and changes logged (two a node made, and those of all tables for each bit).
NODES_A_BYTE = 8 * ORDERS + 1
CHANGES_A_BYTE = 8 * (6 * ORDERS + 2 + MIXERS * (INPUTS + 1)) + 16


def _cost_table() -> NDArray[np.int64]:
    """Returns -log2(p / 2^16) for p = 0..2^16 in units of 2^-16 bit, int64[65537], rounded up; 0 stands for none.

    Binary digits of the logarithm come by repeated squaring. Squares are rounded down, so costs are never too small.
    """
    p = np.arange(ONE + 1, dtype=np.uint64)
    p[0] = ONE
    whole = np.searchsorted(1 << np.arange(17), p, "right").astype(np.uint64) - np.uint64(1)
    mantissa = p << (np.uint64(31) - whole)
    log = whole
    for _ in range(16):
        square = (mantissa * mantissa) >> np.uint64(31)
        digit = square >> np.uint64(32)
        mantissa = square >> digit
        log = (log << np.uint64(1)) | digit
    return (16 << 16) - log.astype(np.int64)


def _stretch_table(cost: NDArray[np.int64]) -> NDArray[np.int64]:
    """Returns the evidence log2(p / (1 - p)) for p = 0..65535, int64[65536]; 0, which no bit is given, is as 1."""
    coarse = cost >> (16 - _EVIDENCE)
    p = np.maximum(np.arange(ONE), 1)
    return coarse[ONE - p] - coarse[p]


def _squash_table(stretch: NDArray[np.int64]) -> NDArray[np.int64]:
    """Returns the middle p, 1..65535, of each evidence from -16 to 16 bits, int64[32769]."""
    evidence = np.arange(-_STRONGEST, _STRONGEST + 1)
    below, upto = (np.searchsorted(stretch[1:], evidence, side) for side in ("left", "right"))
    return np.clip((below + upto + 1) // 2, 1, ONE - 1).astype(np.int64)


COST = _cost_table()
STRETCH = _stretch_table(COST)
SQUASH = _squash_table(STRETCH)


class Mixture(NamedTuple):
    """The predictor's arrays.

    Attributes:
        memory: int64[room], everything learnt; see the module's text.
        lookup: int64[2^k], places of nodes by their hashed keys, 0 where free; at most half full.
        text: uint8[room], the bytes so far after `HIGHEST_ORDER` zeros.
        log: int64[room, 2], (place, old value) of each change.
        records: int64[1], how many there are.
        keys, nodes: int64[ORDERS], of the present contexts: keys without the bits of this byte, and places.
        inputs: int64[INPUTS], evidence.
        weights, outputs: int64[MIXERS], places of the weights in use, and evidence they gave.
        stretch, squash: the tables.
    """

    memory: NDArray[np.int64]
    lookup: NDArray[np.int64]
    text: NDArray[np.uint8]
    log: NDArray[np.int64]
    records: NDArray[np.int64]
    keys: NDArray[np.int64]
    nodes: NDArray[np.int64]
    inputs: NDArray[np.int64]
    weights: NDArray[np.int64]
    outputs: NDArray[np.int64]
    stretch: NDArray[np.int64]
    squash: NDArray[np.int64]


@inlined
def _write(mixture: Any, place: Integer, value: Integer) -> None:
    record = mixture.records[0]
    mixture.log[record, 0] = place
    mixture.log[record, 1] = mixture.memory[place]
    mixture.records[0] = record + 1
    mixture.memory[place] = value


@inlined
def _entry(mixture: Any, key: Integer) -> Integer:
    """Returns where the look-up table has a key, or where it is free for it."""
    mask = mixture.lookup.size - 1
    at = ((((key & 0xFFFF_FFFF) * 0x2545_F491) + (key >> 32) * 0x2C1B_3C6D) >> 15) & mask
    while mixture.lookup[at] != 0 and mixture.memory[mixture.lookup[at] + KEY] != key:
        at = (at + 1) & mask
    return at


@inlined
def _node(mixture: Any, key: Integer) -> Integer:
    """Returns the place of the node of a key, which is made if there is none."""
    memory = mixture.memory
    at = _entry(mixture, key)
    if mixture.lookup[at] == 0:
        node = memory[USED]
        _write(mixture, USED, node + NODE_SIZE)
        memory[node + KEY] = key
        memory[node + FREQUENCY] = 1 << 31
        memory[node + SEEN] = 0
        memory[node + HISTORY] = 1  # a leading 1 marks the history's length
        mixture.lookup[at] = node
    return mixture.lookup[at]


@kernel
def undo(mixture: Any, records: Integer) -> None:
    """Undoes the latest changes until only `records` of them are left."""
    memory = mixture.memory
    for record in range(mixture.records[0] - 1, records - 1, -1):
        place, old = mixture.log[record, 0], mixture.log[record, 1]
        if place == USED:
            mixture.lookup[_entry(mixture, memory[old + KEY])] = 0
        memory[place] = old
    mixture.records[0] = records


@inlined
def mix(memory: NDArray[np.int64], weights: Integer, inputs: NDArray[np.int64]) -> Integer:
    """Returns the evidence that the weights from a place on make of the inputs, within 16 bits."""
    total = 1 << 15
    for i in range(inputs.size):
        total += memory[weights + i] * inputs[i]
    return min(max(total >> 16, -_STRONGEST), _STRONGEST)


@inlined
def train(mixture: Any, weights: Integer, inputs: NDArray[np.int64], error: Integer, rate: Integer) -> None:
    """Moves the weights by error * input / 2^rate; the error is (bit - p) in 2^-16."""
    half = 1 << (rate - 1)
    for i in range(inputs.size):
        if inputs[i] != 0:
            place = weights + i
            _write(mixture, place, mixture.memory[place] + ((error * inputs[i] + half) >> rate))


@inlined
def _learn_entry(mixture: Any, place: Integer, bit: Integer) -> None:
    """Moves the entry of a table, (probability, count), towards a bit."""
    said, count = mixture.memory[place], mixture.memory[place + 1]
    _write(mixture, place, said + (bit * _CERTAIN - said) // (count + TABLE_PRIOR))
    if count < TABLE_LIMIT:
        _write(mixture, place + 1, count + 1)


@inlined
def _history_entry(order: Integer, history: Integer) -> Integer:
    return HISTORIES + 2 * ((order << (HISTORY_BITS + 1)) + history)


@inlined
def _begin(mixture: Any) -> None:
    """Makes the keys of the contexts of the next byte."""
    memory, text = mixture.memory, mixture.text
    context: Integer = 0
    for order in range(memory[ORDER] + 1):
        if order > 0:
            context |= np.int64(text[memory[LENGTH] - order]) << (8 * order)
        mixture.keys[order] = ((order + 1) << 56) | context


@inlined
def _expected(mixture: Any, partial: Integer, level: Integer) -> Integer:
    """Returns the bit that the match expects, or -1 where there is none or it has failed in this byte."""
    match = mixture.memory[MATCH]
    byte = np.int64(mixture.text[match]) | 256
    return (byte >> (7 - level)) & 1 if match > 0 and byte >> (8 - level) == partial else -1


@kernel
def predict(mixture: Any, partial: Integer, level: Integer) -> Integer:
    """Returns P(1) of the next bit in 2^-16, 1..65535.

    Args:
        mixture: the arrays; contexts that are new get nodes.
        partial: the bits of this byte so far after a leading 1.
        level: how many they are, 0..7.
    """
    memory, inputs, stretch = mixture.memory, mixture.inputs, mixture.stretch
    seen = 0
    for order in range(memory[ORDER] + 1):
        node = _node(mixture, mixture.keys[order] | partial)
        mixture.nodes[order] = node
        inputs[2 * order] = inputs[2 * order + 1] = 0
        if memory[node + SEEN] > 0:
            seen += 1
            inputs[2 * order] = stretch[memory[node + FREQUENCY] >> 16]
            inputs[2 * order + 1] = stretch[memory[_history_entry(order, memory[node + HISTORY])] >> 16]
    expected, matched = _expected(mixture, partial, level), 0
    inputs[INPUTS - 2], inputs[INPUTS - 1] = 0, 1 << _EVIDENCE
    if expected >= 0:
        matched = memory[MATCHED]
        evidence = stretch[memory[MATCHES + 2 * matched] >> 16]
        inputs[INPUTS - 2] = evidence if expected == 1 else -evidence
    length_class = 0 if matched == 0 else 1 if matched < 12 else 2 if matched < 24 else 3
    mixture.weights[0] = BY_CONFIDENCE + (4 * seen + length_class) * INPUTS
    mixture.weights[1] = BY_PARTIAL + partial * INPUTS
    mixture.weights[2] = BY_LAST + np.int64(mixture.text[memory[LENGTH] - 1]) * INPUTS
    for mixer in range(MIXERS):
        mixture.outputs[mixer] = mix(memory, mixture.weights[mixer], inputs)
    return mixture.squash[mix(memory, FINAL, mixture.outputs) + _STRONGEST]


@kernel
def learn(mixture: Any, partial: Integer, level: Integer, said: Integer, bit: Integer) -> None:
    """Learns a bit for which `predict`, called last, said `said`."""
    memory = mixture.memory
    train(mixture, FINAL, mixture.outputs, (bit << 16) - said, FINAL_RATE)
    for mixer in range(MIXERS):
        own = mixture.squash[mixture.outputs[mixer] + _STRONGEST]
        train(mixture, mixture.weights[mixer], mixture.inputs, (bit << 16) - own, MIXER_RATE)
    for order in range(memory[ORDER] + 1):
        node = mixture.nodes[order]
        frequency, seen, history = memory[node + FREQUENCY], memory[node + SEEN], memory[node + HISTORY]
        if seen > 0:
            _learn_entry(mixture, _history_entry(order, history), bit)
        _write(mixture, node + FREQUENCY, frequency + 2 * (bit * _CERTAIN - frequency) // (2 * seen + 3))
        if seen < FREQUENCY_LIMIT:
            _write(mixture, node + SEEN, seen + 1)
        history = 2 * history + bit
        if history >> (HISTORY_BITS + 1):
            history = (history & ((1 << HISTORY_BITS) - 1)) | (1 << HISTORY_BITS)
        _write(mixture, node + HISTORY, history)
    expected = _expected(mixture, partial, level)
    if expected >= 0:
        _learn_entry(mixture, MATCHES + 2 * memory[MATCHED], 1 if bit == expected else 0)


@kernel
def append(mixture: Any, byte: Integer) -> None:
    """Puts a byte behind the text and finds the match that goes on from there."""
    memory, text = mixture.memory, mixture.text
    length, match, matched = memory[LENGTH] + 1, memory[MATCH], memory[MATCHED]
    text[length - 1] = byte
    _write(mixture, LENGTH, length)
    if match > 0 and text[match] == byte:
        match, matched = match + 1, min(matched + 1, LONGEST_MATCH)
    else:
        match, matched = 0, 0
    key: Integer = _PLACE
    for i in range(1, SHORTEST_MATCH + 1):
        key = (key << 8) | np.int64(text[length - i])
    made = memory[USED]
    node = _node(mixture, key << 8)
    if match == 0 and node < made:
        match = memory[node + FREQUENCY]
        while matched < min(LONGEST_MATCH, match) and text[match - 1 - matched] == text[length - 1 - matched]:
            matched += 1
    _write(mixture, node + FREQUENCY, length)
    _write(mixture, MATCH, match)
    _write(mixture, MATCHED, matched)


@kernel
def follow(mixture: Any, symbols: NDArray[np.uint8], said: NDArray[np.int64], real: bool) -> None:
    """Predicts and learns bytes in turn; `said`, int64[symbols, 8], receives P(bit) in 2^-16 of each of their bits."""
    for i in range(symbols.size):
        byte = np.int64(symbols[i])
        partial: Integer = 1
        _begin(mixture)
        for level in range(8):
            one = predict(mixture, partial, level)
            bit = (byte >> (7 - level)) & 1
            said[i, level] = one if bit == 1 else ONE - one
            learn(mixture, partial, level, one, bit)
            partial = 2 * partial + bit
        append(mixture, byte)
        if real:
            mixture.records[0] = 0
        else:
            _write(mixture, IMAGINED, mixture.memory[IMAGINED] + 1)


@kernel
def all_symbols(mixture: Any, said: NDArray[np.int64], marks: NDArray[np.int64]) -> None:
    """Writes P(bit) in 2^-16 of the eight bits of every byte to int64[256, 8], and undoes what that changed.

    Bytes are followed in order, each from where its bits part from those of the one before.
    """
    start = mixture.records[0]
    _begin(mixture)
    for byte in range(256):
        level = 0
        while byte > 0 and (byte - 1) >> (7 - level) == byte >> (7 - level):
            said[byte, level] = said[byte - 1, level]
            level += 1
        if byte > 0:
            undo(mixture, marks[level])
        for deeper in range(level, 8):
            marks[deeper] = mixture.records[0]
            partial, bit = (256 | byte) >> (8 - deeper), (byte >> (7 - deeper)) & 1
            one = predict(mixture, partial, deeper)
            said[byte, deeper] = one if bit == 1 else ONE - one
            learn(mixture, partial, deeper, one, bit)
    undo(mixture, start)


@kernel
def rebuild_lookup(mixture: Any) -> None:
    """Fills an empty table, in the order in which the nodes were made, so that undoing finds the newest last."""
    for node in range(NODES, mixture.memory[USED], NODE_SIZE):
        mixture.lookup[_entry(mixture, mixture.memory[node + KEY])] = node


def blank_memory(order: int) -> NDArray[np.int64]:
    """Returns the memory before the first byte, int64[NODES]."""
    memory = np.zeros(NODES, np.int64)
    memory[[LENGTH, USED, ORDER]] = HIGHEST_ORDER, NODES, order
    memory[BY_CONFIDENCE:FINAL] = FIRST_WEIGHT
    memory[FINAL:HISTORIES] = ONE // MIXERS
    # A history's bits are worth what a frequency would make of them that never moves by less than 2/5.
    histories = memory[HISTORIES:MATCHES].reshape(ORDERS, 2 << HISTORY_BITS, 2)
    for history in range(1, 2 << HISTORY_BITS):
        said = 1 << 31
        for seen, bit in enumerate(f"{history:b}"[1:]):
            said += 2 * (int(bit) * _CERTAIN - said) // min(2 * seen + 3, 5)
        histories[:, history, 0] = said
    for matched in range(LONGEST_MATCH + 1):
        memory[MATCHES + 2 * matched] = _CERTAIN - 2 * _CERTAIN // (2 * matched + 3)
    return memory
