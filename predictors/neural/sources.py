"""Variable-order Markov sources, drawn from the very prior that context tree weighting mixes over.

A tree source (Willems, Shtarkov & Tjalkens 1995, section 2) is a binary tree whose leaves hold the probability of a
one; the next bit comes from the leaf that the latest bits lead to, the most recent one first. The prior here splits
each node with probability 1/2 down to depth D, which gives a tree the weight 2^-Gamma_D of their section 4, and draws
each leaf's probability from Beta(1/2, 1/2), whose mixture is the Krichevsky-Trofimov estimator. So context tree
weighting of depth D is the Bayes mixture over these sources: no predictor has a shorter expected code, and what one
loses against the source itself beyond what context tree weighting loses is its own fault.

As in `aixi.predictors.ctw` the history before the first bit counts as zeros.
"""

from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from aixi.errors import InvalidValueError, at_least

DEEPEST = 16
"""Greatest depth of a source: it is kept as a table over all contexts."""


class Sources(NamedTuple):
    """Independent tree sources of one greatest depth D, as tables over the contexts of D bits.

    Bit i of a context's number is the bit that came i + 1 steps before the one to be predicted.

    Attributes:
        leaf: int64[sources, 2**D], the leaf that a context leads to, numbered as in a heap: the root is 0 and the
            child of node n on bit b is 2n + 1 + b.
        one: float64[sources, 2**D], the probability of a one there.

    Example:
        >>> sources = Sources.draw(np.random.default_rng(2), count=1, depth=2)
        >>> sources.leaf.tolist()  # three leaves: after 1, after 00, and after 10
        [[3, 2, 4, 2]]
        >>> bits, one = sources.sample(np.random.default_rng(0), length=8)
        >>> bits.shape, float(one[0, 0]) == float(sources.one[0, 0])
        ((1, 8), True)
    """

    leaf: NDArray[np.int64]
    one: NDArray[np.float64]

    @classmethod
    def draw(cls, rng: np.random.Generator, count: int, depth: int) -> Self:
        """Draws sources from the prior of context tree weighting.

        Args:
            rng: the only source of randomness.
            count: number of sources.
            depth: greatest depth D of their trees, 0 to 16.

        Raises:
            InvalidValueError: if a number is out of bounds.
        """
        count, depth = at_least("count", count, 1), at_least("depth", depth, 0)
        if depth > DEEPEST:
            raise InvalidValueError(f"depth must be at most {DEEPEST}, got {depth}")
        splits = rng.random((count, 2**depth - 1)) < 0.5
        probabilities = rng.beta(0.5, 0.5, (count, 2 ** (depth + 1) - 1))
        contexts, row = np.arange(2**depth), np.arange(count)[:, None]
        leaf = np.zeros((count, 2**depth), np.int64)
        at_end = np.zeros(leaf.shape, np.bool_)
        for level in range(depth):
            at_end |= ~splits[row, np.where(at_end, 0, leaf)]
            leaf = np.where(at_end, leaf, 2 * leaf + 1 + (contexts >> level & 1))
        return cls(leaf, np.take_along_axis(probabilities, leaf, axis=1))

    @property
    def depth(self) -> int:
        """Greatest depth D of the trees."""
        return int(self.leaf.shape[1]).bit_length() - 1

    def sample(self, rng: np.random.Generator, length: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Draws one sequence from each source.

        Args:
            rng: the only source of randomness.
            length: of the sequences, in bits.

        Returns:
            The bits, int64[sources, length], and P(1) of each under its source, float64[sources, length].
        """
        length = at_least("length", length, 1)
        count, contexts = self.one.shape
        uniform = rng.random((length, count))
        bits, one = np.empty((length, count), np.int64), np.empty((length, count))
        context, row = np.zeros(count, np.int64), np.arange(count)
        for time in range(length):
            one[time] = self.one[row, context]
            bits[time] = uniform[time] < one[time]
            context = (2 * context + bits[time]) % contexts
        return np.ascontiguousarray(bits.T), np.ascontiguousarray(one.T)


def code_lengths(bits: NDArray[np.int64], one: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns -log2 of the probability of each bit, in bits, shaped as they are.

    Args:
        bits: what came.
        one: the probability that was given to a one, of the same shape.

    Example:
        >>> code_lengths(np.array([1, 0]), np.array([0.25, 0.5])).tolist()
        [2.0, 1.0]
    """
    lengths: NDArray[np.float64] = -np.log2(np.where(bits == 1, one, 1.0 - one))
    return lengths
