"""The binary context tree: an arena of nodes, the walk down a context, the weighted update, and its undoing.

Every tree of context tree weighting (Willems, Shtarkov & Tjalkens 1995) here is in *ratio form*: a node keeps its
counts (n0, n1) and beta = P_e / (P_w0 P_w1), the ratio of its own estimate to that of its two children. With e the
estimator's probability of the next bit and q the probability that the child on the context's path gives it,

    p = (beta e + q) / (beta + 1),    beta <- beta e / q

are the node's own probability and the update: no logarithm, and no look at the sibling.

**Path compression.** Levels s..e whose contexts have always gone the same way have equal counts, and one node stands
for all of them. With L = e - s + 1 levels, the top one has P_w = (1 - 2^-L) P_e + 2^-L P_w0 P_w1, so the whole chain
is a single node of beta = 2^L - 1 at birth; a chain that reaches the full depth D is just P_e. When a context leaves
a chain after L1 levels, r = beta / (2^L - 1) and L2 = L - L1 give

    beta_lower = (2^L2 - 1) r,    beta_upper = (2^L1 - 1) / ((1 - 2^-L2) + 2^-L2 / r)

exactly, so a bit adds at most two nodes. The tree is the uncompressed one in every prediction.

**Dense trees.** A tree no deeper than `DENSE_DEPTH` is a complete binary heap instead: the slot of level k follows
from the context bits, so that there are no links to chase and all loads are independent.

**Arena.** One buffer of 16-byte slots, seen as uint32[4 * slots] and as float64[2 * slots]:

| slot | uint32 0 | 1 | 2, 3 |
|---|---|---|---|
| node | n0 | n1 | beta (float64) |
| second slot, compressed trees only | child 0 | child 1 | `POSITION`, `LAST_LEVEL` |

A dense node is 16 bytes, a compressed one 32. `POSITION` is a place in the history before which the node's context
can be read; the first level of a node is one more than its parent's last. Links are slot numbers.

**Undo log.** Each change made in imagination leaves (what, old beta), so that undoing restores rather than inverts.

**History** is packed, bit t in bit t % 64 of word t // 64, and begins with `PADDING` zeros: the history before the
first bit counts as zeros.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from aixi.predictors.estimators import probability
from aixi.predictors.intrinsics import Integer, inlined, leading_zeros
from aixi.predictors.model import source_tag

DENSE_DEPTH = 12
"""Deepest tree kept as a complete heap. Heaps are faster still at 16 (`benchmarks/predictors.py`), but take
2^(depth + 5) bytes a tree, and a percept has many: at 12 that is 128 KiB."""
MAX_DEPTH = 900
"""Deepest context in bits: 2^900 still lies within `GREATEST`."""
PADDING = 1024
"""Zeros before the history, in bits: the deepest context and one window of 64."""

# Columns of a compressed node, in uint32 from its first slot.
CHILD, POSITION, LAST_LEVEL = 4, 6, 7
# Fields of `ContextTrees.state`.
LENGTH, SLOTS, UNDO, PENDING, ESTIMATOR, PHASE, LEARNT = range(7)
STATE_FIELDS = 7
# Kinds of undo record, in the two lowest bits.
COUNTED_0, COUNTED_1, SPLIT = 0, 1, 2

# Ratios stay within these, so that a product of two never leaves the range of a float64. Evidence of more than 930
# bits for a node's children is cut off there: should its own estimate become the better one, it comes back sooner
# than in the exact mixture.
LEAST, GREATEST = 1e-280, 1e280
_POWERS = np.ldexp(1.0, np.arange(MAX_DEPTH + 2))


class ContextTrees(NamedTuple):
    """A row of context trees over one history, as arrays; tree i predicts bit i of a percept.

    Attributes:
        counts, ratios: the arena as uint32[4 * slots] and float64[2 * slots], views of one buffer.
        history: uint64[words], packed bits.
        state: int64[STATE_FIELDS]: `LENGTH` of the history in bits, padding included; `SLOTS` and `UNDO` records in
            use; `PENDING` imagined bits that were drawn and not yet counted; `ESTIMATOR`; `PHASE`, the tree that
            predicts the next bit; `LEARNT`, the length at which the last real bit had been learnt.
        depths, roots: int64[trees], context depth in bits and slot of the root (of the heap's slot 0 where dense).
        undo, undo_ratio: int64[records] slot * 4 + kind, and float64[records] beta before the change.
        path: int64[trees, depth + 2], slots of the nodes on the context's path of each tree, root first.
        path_size: int64[trees, 2]: their number, and the bits matched in the last one where it must be split, or -1.
        path_own, path_share: float64[trees, depth + 2], P(1) by the node's estimator and by the child on the path.
        action_bits: int64[1], width of an action in the history.
        source: see `aixi.predictors.model`.
    """

    counts: NDArray[np.uint32]
    ratios: NDArray[np.float64]
    history: NDArray[np.uint64]
    state: NDArray[np.int64]
    depths: NDArray[np.int64]
    roots: NDArray[np.int64]
    undo: NDArray[np.int64]
    undo_ratio: NDArray[np.float64]
    path: NDArray[np.int64]
    path_size: NDArray[np.int64]
    path_own: NDArray[np.float64]
    path_share: NDArray[np.float64]
    action_bits: NDArray[np.int64]
    source: NDArray[Any] = source_tag(__file__)


@inlined
def window(history: NDArray[np.uint64], end: Integer) -> np.uint64:
    """Returns the 64 bits of history before position `end`, the latest in the highest bit."""
    start = end - 64
    word = start >> 6
    shift = np.uint64(start & 63)
    return (history[word] >> shift) | ((history[word + 1] << np.uint64(1)) << (np.uint64(63) - shift))


@inlined
def bit_at(history: NDArray[np.uint64], position: Integer) -> Integer:
    """Returns the bit at a position of the history."""
    return np.int64((history[position >> 6] >> np.uint64(position & 63)) & np.uint64(1))


@inlined
def push(trees: Any, bit: Integer) -> None:
    """Appends a bit to the history."""
    position = trees.state[LENGTH]
    word = position >> 6
    shift = np.uint64(position & 63)
    trees.history[word] = (trees.history[word] & ~(np.uint64(1) << shift)) | (np.uint64(bit) << shift)
    trees.state[LENGTH] = position + 1


@inlined
def _matching(history: NDArray[np.uint64], one: Integer, other: Integer, limit: Integer) -> Integer:
    """Returns how many bits before two positions agree, at most `limit`."""
    agreed = 0
    while agreed < limit:
        difference = window(history, one - agreed) ^ window(history, other - agreed)
        if difference != np.uint64(0):
            return min(agreed + leading_zeros(difference), limit)
        agreed += 64
    return limit


@inlined
def walk(trees: Any, tree: Integer, position: Integer) -> None:
    """Finds the nodes on the path of the context that ends before `position`; changes only the path arrays."""
    counts, history, path = trees.counts, trees.history, trees.path[tree]
    depth = trees.depths[tree]
    node = trees.roots[tree]
    first: Integer = 0
    size = 0
    while True:
        path[size] = node
        size += 1
        fields = node * 4
        last = np.int64(counts[fields + LAST_LEVEL])
        if last > first:
            seen_at = np.int64(counts[fields + POSITION]) - first
            matched = _matching(history, seen_at, position - first, last - first)
            if matched < last - first:
                trees.path_size[tree, 1] = matched
                break
        if last == depth:
            trees.path_size[tree, 1] = -1
            break
        node = np.int64(counts[fields + CHILD + bit_at(history, position - 1 - last)])
        first = last + 1
    trees.path_size[tree, 0] = size


@inlined
def walk_dense(trees: Any, tree: Integer, position: Integer) -> None:
    """`walk` for a heap: slot 2^k + (the last k context bits, latest highest) holds level k."""
    path, root = trees.path[tree], trees.roots[tree]
    context = window(trees.history, position)
    path[0] = root + 1
    for level in range(1, trees.depths[tree] + 1):
        path[level] = root + (1 << level) + np.int64(context >> np.uint64(64 - level))
    trees.path_size[tree, 0] = trees.depths[tree] + 1
    trees.path_size[tree, 1] = -1


@inlined
def _upper_ratio(beta: float, first: Integer, last: Integer, matched: Integer, depth: Integer) -> float:
    """Returns the beta of what stays above when levels first..last are cut after `matched` + 1 of them."""
    upper = _POWERS[matched + 1]
    if last == depth:
        return upper - 1.0
    below = _POWERS[last - first - matched]
    per_level = beta / (_POWERS[last - first + 1] - 1.0)
    return max((upper - 1.0) / ((1.0 - 1.0 / below) + 1.0 / (below * per_level)), LEAST)


@inlined
def split(trees: Any, tree: Integer, position: Integer, imagined: bool) -> None:
    """Makes room for a context that leaves the last node of the walked path: its chain is cut and a leaf hung on."""
    counts, ratios, path = trees.counts, trees.ratios, trees.path[tree]
    size, matched = trees.path_size[tree, 0], trees.path_size[tree, 1]
    node = path[size - 1]
    first = 0 if size == 1 else np.int64(counts[4 * path[size - 2] + LAST_LEVEL]) + 1
    fields = 4 * node
    last = np.int64(counts[fields + LAST_LEVEL])
    lower = trees.state[SLOTS]
    leaf = lower + 2
    trees.state[SLOTS] = lower + 4
    for column in range(8):
        counts[4 * lower + column] = counts[fields + column]
    beta = ratios[2 * node + 1]
    ratios[2 * node + 1] = _upper_ratio(beta, first, last, matched, trees.depths[tree])
    if last != trees.depths[tree]:
        per_level = beta / (_POWERS[last - first + 1] - 1.0)
        ratios[2 * lower + 1] = max((_POWERS[last - first - matched] - 1.0) * per_level, LEAST)
    if imagined:
        record = trees.state[UNDO]
        trees.undo[record] = 4 * node + SPLIT
        trees.undo_ratio[record] = beta
        trees.state[UNDO] = record + 1
    at = first + matched
    old_bit = bit_at(trees.history, np.int64(counts[fields + POSITION]) - 1 - at)
    counts[fields + LAST_LEVEL] = at
    counts[fields + CHILD + old_bit] = lower
    counts[fields + CHILD + 1 - old_bit] = leaf
    new_leaf(trees, leaf, position, trees.depths[tree])
    path[size] = leaf
    trees.path_size[tree, 0] = size + 1


@inlined
def new_leaf(trees: Any, slot: Integer, position: Integer, depth: Integer) -> None:
    """Writes a node that has seen nothing and reaches down to `depth`."""
    fields = 4 * slot
    trees.counts[fields] = 0
    trees.counts[fields + 1] = 0
    trees.ratios[2 * slot + 1] = 1.0
    trees.counts[fields + CHILD] = 0
    trees.counts[fields + CHILD + 1] = 0
    trees.counts[fields + POSITION] = position
    trees.counts[fields + LAST_LEVEL] = depth


@inlined
def learn(trees: Any, tree: Integer, bit: Integer, imagined: bool) -> float:
    """Counts a known bit in a tree whose path was walked, with an undo record of each change if it is imagined.

    Returns:
        P(bit) before it was counted.
    """
    if trees.path_size[tree, 1] >= 0:
        split(trees, tree, trees.state[LENGTH], imagined)
    counts, ratios, path = trees.counts, trees.ratios, trees.path[tree]
    estimator = trees.state[ESTIMATOR]
    record = trees.state[UNDO]
    below = 0.0
    for level in range(trees.path_size[tree, 0] - 1, -1, -1):
        slot = path[level]
        seen, other = np.int64(counts[4 * slot + bit]), np.int64(counts[4 * slot + 1 - bit])
        own = probability(seen, other, estimator)
        beta = ratios[2 * slot + 1]
        if imagined:
            trees.undo[record] = 4 * slot + bit
            trees.undo_ratio[record] = beta
            record += 1
        if below == 0.0:  # the last node of the path is a leaf: its own estimate is all it has
            below = own
        else:
            ratios[2 * slot + 1] = min(max(beta * own / below, LEAST), GREATEST)
            below += (own - below) * (beta / (beta + 1.0))
        counts[4 * slot + bit] = seen + 1
    if imagined:
        trees.state[UNDO] = record
    return below


@inlined
def foresee(trees: Any, tree: Integer, position: Integer) -> float:
    """Walks and predicts in one pass down, so that the arithmetic hides behind the loads of the next node.

    P(1) is the sum over the path of each node's own P(1), weighted by its own share beta / (beta + 1) and by the
    shares 1 / (beta + 1) that the nodes above pass down.

    Returns:
        P(1) at `position`; the path arrays are left for `count`.
    """
    counts, ratios, history = trees.counts, trees.ratios, trees.history
    path, path_own, path_share = trees.path[tree], trees.path_own[tree], trees.path_share[tree]
    estimator, depth = trees.state[ESTIMATOR], trees.depths[tree]
    node = trees.roots[tree]
    first: Integer = 0
    size = 0
    one, passed = 0.0, 1.0
    while True:
        fields = node * 4
        path[size] = node
        own = probability(np.int64(counts[fields + 1]), np.int64(counts[fields]), estimator)
        path_own[size] = own
        beta = ratios[2 * node + 1]
        last = np.int64(counts[fields + LAST_LEVEL])
        matched: Integer = -1
        if last > first:
            seen_at = np.int64(counts[fields + POSITION]) - first
            matched = _matching(history, seen_at, position - first, last - first)
            if matched == last - first:
                matched = -1
            else:
                beta = _upper_ratio(beta, first, last, matched, depth)
        if matched < 0 and last == depth:
            one += passed * own
            break
        down = 1.0 / (beta + 1.0)
        path_share[size] = beta * down
        one += passed * (beta * down) * own
        passed *= down
        size += 1
        if matched >= 0:  # the leaf that would be hung on has seen nothing and says 1/2
            path_own[size] = 0.5
            one += passed * 0.5
            size -= 1
            break
        node = np.int64(counts[fields + CHILD + bit_at(history, position - 1 - last)])
        first = last + 1
    trees.path_size[tree, 0] = size + 1
    trees.path_size[tree, 1] = matched
    return one


@inlined
def foresee_dense(trees: Any, tree: Integer, position: Integer) -> float:
    """`foresee` for a heap."""
    counts, ratios = trees.counts, trees.ratios
    path, path_own, path_share = trees.path[tree], trees.path_own[tree], trees.path_share[tree]
    estimator, depth, root = trees.state[ESTIMATOR], trees.depths[tree], trees.roots[tree]
    context = window(trees.history, position)
    one, passed = 0.0, 1.0
    for level in range(depth + 1):
        node = root + 1 if level == 0 else root + (1 << level) + np.int64(context >> np.uint64(64 - level))
        path[level] = node
        own = probability(np.int64(counts[4 * node + 1]), np.int64(counts[4 * node]), estimator)
        path_own[level] = own
        beta = ratios[2 * node + 1]
        down = 1.0 / (beta + 1.0)
        path_share[level] = beta * down
        if level == depth:
            one += passed * own
        else:
            one += passed * (beta * down) * own
            passed *= down
    trees.path_size[tree, 0] = depth + 1
    trees.path_size[tree, 1] = -1
    return one


@inlined
def count(trees: Any, tree: Integer, position: Integer, bit: Integer) -> None:
    """Counts, in imagination, the bit that was drawn after `foresee` at `position`."""
    if trees.path_size[tree, 1] >= 0:
        split(trees, tree, position, True)
    counts, ratios, path = trees.counts, trees.ratios, trees.path[tree]
    path_own, path_share = trees.path_own[tree], trees.path_share[tree]
    record = trees.state[UNDO]
    end = trees.path_size[tree, 0] - 1
    below = 0.0
    for level in range(end, -1, -1):
        slot = path[level]
        own = path_own[level] if bit else 1.0 - path_own[level]
        beta = ratios[2 * slot + 1]
        trees.undo[record] = 4 * slot + bit
        trees.undo_ratio[record] = beta
        record += 1
        if level == end:
            below = own
        else:
            ratios[2 * slot + 1] = min(max(beta * own / below, LEAST), GREATEST)
            below += (own - below) * path_share[level]
        counts[4 * slot + bit] += 1
    trees.state[UNDO] = record


@inlined
def undo(trees: Any, records: Integer) -> None:
    """Undoes the latest changes until only `records` of them are left."""
    counts, ratios = trees.counts, trees.ratios
    record = trees.state[UNDO]
    slots = trees.state[SLOTS]
    while record > records:
        record -= 1
        what = trees.undo[record]
        slot, kind = what >> 2, what & 3
        if kind == SPLIT:
            slots -= 4
            for column in (CHILD, CHILD + 1, LAST_LEVEL):
                counts[4 * slot + column] = counts[4 * slots + column]
        else:
            counts[4 * slot + kind] -= 1
        ratios[2 * slot + 1] = trees.undo_ratio[record]
    trees.state[UNDO] = record
    trees.state[SLOTS] = slots
