"""Variable-order Markov sources: drawn as context tree weighting believes, and followed as it reads contexts."""

import math
from collections import Counter
from itertools import product

import numpy as np
import pytest
from references import BLOCKS, bits, contexts, mixture_of_sources, string, tree_sources
from scipy import stats

from aixi.errors import InvalidValueError
from aixi.predictors import ContextTreeWeighting
from aixi.predictors.neural.sources import Sources, code_lengths


def suffix(node):
    """The context bits that lead to a node of the heap, most recent first."""
    path = []
    while node:
        node, bit = divmod(node - 1, 2)
        path.append(bit)
    return tuple(reversed(path))


def recent(context, depth):
    """The bits of a context's number, most recent first."""
    return tuple(context >> age & 1 for age in range(depth))


@pytest.mark.parametrize("depth", range(5))
def test_every_context_has_its_leaf_and_every_leaf_its_contexts(depth):
    sources = Sources.draw(np.random.default_rng(depth), 300, depth)
    assert sources.depth == depth
    trees = {frozenset(tree) for tree in tree_sources(depth)} if depth < 4 else None
    for leaf, one in zip(sources.leaf, sources.one, strict=True):
        leaves = {suffix(node) for node in leaf.tolist()}
        assert sum(2.0 ** -len(path) for path in leaves) == 1.0  # complete: no context falls through
        assert trees is None or frozenset(leaves) in trees
        for context, node in enumerate(leaf.tolist()):
            path = suffix(node)
            assert recent(context, depth)[: len(path)] == path
        for node in set(leaf.tolist()):
            assert len(set(one[leaf == node].tolist())) == 1
        assert len(set(one.tolist())) == len(leaves)  # one probability a leaf, shared with no other


def test_trees_come_as_often_as_they_weigh():
    count = 20_000
    drawn = Sources.draw(np.random.default_rng(5), count, 3).leaf
    found = Counter(frozenset(suffix(node) for node in set(leaf)) for leaf in drawn.tolist())
    for tree in tree_sources(3):
        weight = 2.0 ** -(len(tree) - 1 + sum(len(leaf) < 3 for leaf in tree))
        error = math.sqrt(weight * (1.0 - weight) / count)
        assert abs(found[frozenset(tree)] / count - weight) < 5.0 * error


def test_leaves_are_arcsine_and_independent():
    one = Sources.draw(np.random.default_rng(6), 20_000, 1)
    split = one.leaf[:, 0] != one.leaf[:, 1]
    pairs = one.one[split]
    assert stats.kstest(pairs.ravel(), "beta", (0.5, 0.5)).pvalue > 1e-4
    assert abs(np.corrcoef(pairs.T)[0, 1]) < 5.0 / math.sqrt(len(pairs))


def test_sequences_follow_the_most_recent_bits():
    # After 1: a one in 1/4; after 00: in 1/2; after 10: in 3/4 (the most recent bit is 0, the one before it 1).
    source = Sources(np.array([[3, 2, 4, 2]]), np.array([[0.5, 0.25, 0.75, 0.25]]))
    sequence, one = source.sample(np.random.default_rng(7), 40_000)
    past = [0, 0]
    seen = Counter()
    for bit, probability in zip(sequence[0].tolist(), one[0].tolist(), strict=True):
        expected = 0.25 if past[-1] else 0.75 if past[-2] else 0.5
        assert probability == expected
        seen[expected, bit] += 1
        past.append(bit)
    for probability in (0.25, 0.5, 0.75):
        count = seen[probability, 0] + seen[probability, 1]
        error = math.sqrt(probability * (1 - probability) / count)
        assert abs(seen[probability, 1] / count - probability) < 5.0 * error


def test_context_tree_weighting_is_the_mixture_over_what_is_drawn():
    """Its probability of any sequence is the sum over all trees, and the average over sources that are drawn."""
    depth, length, count = 2, 5, 20_000
    sources = Sources.draw(np.random.default_rng(8), count, depth)
    total = 0.0
    for text in map("".join, product("01", repeat=length)):
        stream = string(text)
        exact = mixture_of_sources(contexts(stream, depth)[0], depth, BLOCKS["kt"])
        assert ContextTreeWeighting(depth).update_many([int(bit) for bit in text]) == pytest.approx(bits(exact))
        likelihood, context = np.ones(count), 0
        for bit in map(int, text):
            likelihood *= sources.one[:, context] if bit else 1.0 - sources.one[:, context]
            context = (2 * context + bit) % 2**depth
        assert abs(likelihood.mean() - float(exact)) < 5.0 * likelihood.std() / math.sqrt(count)
        total += float(exact)
    assert total == pytest.approx(1.0)


def test_no_other_depth_does_better():
    rng = np.random.default_rng(9)
    sequences, one = Sources.draw(rng, 600, 2).sample(rng, 100)
    source = code_lengths(sequences, one).sum(axis=1)
    lengths = {
        depth: np.array([ContextTreeWeighting(depth).update_many(row) for row in sequences]) for depth in (1, 2, 3)
    }
    assert (lengths[2] - source).mean() > 0.0
    for depth in (1, 3):
        worse = lengths[depth] - lengths[2]
        assert worse.mean() > 3.0 * worse.std() / math.sqrt(len(worse))


def test_same_generator_same_sources():
    one, other = (Sources.draw(np.random.default_rng(1), 4, 3).sample(np.random.default_rng(2), 9) for _ in range(2))
    assert np.array_equal(one[0], other[0])
    assert np.array_equal(one[1], other[1])


def test_a_source_without_context_is_a_coin():
    rng = np.random.default_rng(3)
    sources = Sources.draw(rng, 2, 0)
    assert sources.leaf.tolist() == [[0], [0]]
    _, one = sources.sample(rng, 5)
    assert np.array_equal(one, np.repeat(sources.one, 5, axis=1))


@pytest.mark.parametrize(
    ("count", "depth", "message"),
    [(0, 2, "count must be at least 1, got 0"), (1, -1, "depth must be at least 0, got -1"), (1, 17, "at most 16")],
)
def test_what_cannot_be_drawn(count, depth, message):
    with pytest.raises(InvalidValueError, match=message):
        Sources.draw(np.random.default_rng(0), count, depth)


def test_a_sequence_has_a_bit():
    with pytest.raises(InvalidValueError, match="length must be at least 1, got 0"):
        Sources.draw(np.random.default_rng(0), 1, 2).sample(np.random.default_rng(0), 0)
