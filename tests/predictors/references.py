"""Slow and exact: probabilities of context tree weighting in fractions, straight from their definitions.

A stream is a list of (kind, bit): `C` for a bit that is context only, `P` for one that is predicted. The
history before the first of them counts as zeros.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

C, P = "C", "P"
Stream = Sequence[tuple[str, int]]
Block = Callable[[int, int], Fraction]
Data = Sequence[tuple[tuple[int, ...], int]]


@cache
def kt(zeros: int, ones: int) -> Fraction:
    """Krichevsky-Trofimov probability of a block."""
    probability = Fraction(1)
    for i in range(1, zeros + ones + 1):
        probability *= Fraction(2 * (i if i <= zeros else i - zeros) - 1, 2 * i)
    return probability


@cache
def zero_redundancy(zeros: int, ones: int) -> Fraction:
    """Zero-redundancy probability of a block."""
    if zeros + ones == 0:
        return Fraction(1)
    return kt(zeros, ones) / 2 + Fraction((zeros == 0) + (ones == 0), 4)


BLOCKS: dict[str, Block] = {"kt": kt, "zero-redundancy": zero_redundancy}


def contexts(stream: Stream, depth: int, trees: int = 1) -> list[Data]:
    """Returns what each tree saw: (its context of depth + tree bits, most recent bit first; the bit)."""
    data: list[list[tuple[tuple[int, ...], int]]] = [[] for _ in range(trees)]
    history = [0] * (depth + trees)  # most recent bit first
    turn = 0
    for kind, bit in stream:
        if kind == P:
            data[turn].append((tuple(history[: depth + turn]), bit))
            turn = (turn + 1) % trees
        history.insert(0, bit)
    return [*data]


def weighted(data: Data, depth: int, block: Block, level: int = 0) -> Fraction:
    """P_w of a node: P_e at the full depth, else the mean of P_e and the children's product."""
    if len(data) < 2:  # so little has one probability by every node: 1, or 1/2 for a single bit
        return Fraction(1, 2 ** len(data))
    ones = sum(bit for _, bit in data)
    own = block(len(data) - ones, ones)
    if level == depth:
        return own
    children = [weighted([item for item in data if item[0][level] == side], depth, block, level + 1) for side in (0, 1)]
    return (own + children[0] * children[1]) / 2


def tree_sources(depth: int, leaf: tuple[int, ...] = ()) -> Iterator[list[tuple[int, ...]]]:
    """Yields all complete sets of suffixes of at most `depth` bits."""
    yield [leaf]
    if len(leaf) < depth:
        for zero, one in product(*(list(tree_sources(depth, (*leaf, side))) for side in (0, 1))):
            yield zero + one


def mixture_of_sources(data: Data, depth: int, block: Block) -> Fraction:
    """The sum over all tree sources of 2^-Gamma times the product of their leaves' blocks."""
    total = Fraction(0)
    for leaves in tree_sources(depth):
        probability = Fraction(1, 2 ** (len(leaves) - 1 + sum(len(leaf) < depth for leaf in leaves)))
        for leaf in leaves:
            bits = [bit for context, bit in data if context[: len(leaf)] == leaf]
            probability *= block(bits.count(0), bits.count(1))
        total += probability
    return total


def probability(stream: Stream, depth: int, trees: int = 1, estimator: str = "kt") -> Fraction:
    """P of the predicted bits of a stream, exactly."""
    return math.prod(
        (weighted(data, depth + tree, BLOCKS[estimator]) for tree, data in enumerate(contexts(stream, depth, trees))),
        start=Fraction(1),
    )


def bits(probability: Fraction) -> float:
    """Code length of a probability."""
    return math.log2(probability.denominator) - math.log2(probability.numerator)


def string(text: str, kind: str = P) -> list[tuple[str, int]]:
    """Returns the stream of a text of zeros and ones."""
    return [(kind, int(character)) for character in text]


def feedback_sequence(length: int) -> NDArray[np.uint8]:
    """x_t = x_{t-2} xor x_{t-5}, one in eight replaced by a fair bit; from xorshift64* (Vigna 2016)."""
    state, word = 88172645463325252, 2**64 - 1
    x: list[int] = []
    for t in range(length):
        state ^= state >> 12
        state ^= (state << 25) & word
        state ^= state >> 27
        drawn = (state * 2685821657736338717 & word) >> 32
        x.append(drawn >> 3 & 1 if t < 5 or drawn & 7 == 0 else x[t - 2] ^ x[t - 5])
    return np.array(x, np.uint8)
