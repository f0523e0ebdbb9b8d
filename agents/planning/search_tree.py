"""The search tree, and the compiled steps of the simulations that grow it.

Decision nodes are rows; chance nodes are the columns of each row, one an action. Children follow their parents.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from aixi.agents.base import ActionMask
from aixi.predictors.intrinsics import Integer, inlined, kernel, next_below
from aixi.predictors.model import condition, sample

ROOT, NO_NODE = 0, -1
# Fields of `SearchTree.totals`.
NODES, SIMULATIONS, PERCEPTS, INVALID_REWARDS = range(4)
_HASH = 0x9E37_79B9_7F4A_7C15


class SearchTree(NamedTuple):
    """A search tree as arrays of N decision nodes, A actions and W words a percept. Children follow their parents.

    Attributes:
        visits: int32[N], T(h), simulations that came to the decision node.
        action_visits: int32[N, A], T(h a).
        values: float64[N, A], V(h a), mean reward per remaining cycle.
        parents: int64[N], decision node * A + action that the node follows; `NO_NODE` for the root.
        percepts: uint64[N, W], the percept that leads to the node.
        judgements: float64[N, 1 + A], where the model judges nodes (`puct.py`): the value it gives the node, as mean
            reward per cycle, and the prior of each action; float64[N, 0] elsewhere.
        table: int32[power of two], open-addressing hash table of nodes by parent and percept; `NO_NODE` is free.
        totals: int64[4]: `NODES` in use; and over the tree's whole life `SIMULATIONS`, `PERCEPTS` drawn from the
            model, and drawn `INVALID_REWARDS`.
    """

    visits: NDArray[np.int32]
    action_visits: NDArray[np.int32]
    values: NDArray[np.float64]
    parents: NDArray[np.int64]
    percepts: NDArray[np.uint64]
    judgements: NDArray[np.float64]
    table: NDArray[np.int32]
    totals: NDArray[np.int64]


class Scratch(NamedTuple):
    """What one simulation works in.

    Attributes:
        words: uint64[W], the percept drawn last.
        nodes, chosen: int64[horizon], decision node and action of each cycle inside the tree.
        rewards: float64[horizon].
    """

    words: NDArray[np.uint64]
    nodes: NDArray[np.int64]
    chosen: NDArray[np.int64]
    rewards: NDArray[np.float64]


class MaskRule(NamedTuple):
    """Which actions are allowed after a percept, where that follows from some bits of it.

    Attributes:
        position: int64[2], the first of these bits, and their number; without any, one row tells for all percepts.
        allowed: bool[2^width, A], at least one action a row.
    """

    position: NDArray[np.int64]
    allowed: NDArray[np.bool_]


class RewardCode(NamedTuple):
    """Where the reward stands in a percept, and what it says.

    Attributes:
        position: int64[2], its first bit in the percept, and its width in bits.
        values: float64[2^width], the reward of each code.
        valid: bool[2^width], whether a real percept can carry the code.
    """

    position: NDArray[np.int64]
    values: NDArray[np.float64]
    valid: NDArray[np.bool_]


@inlined
def _number(words: NDArray[np.uint64], position: Integer, width: Integer) -> Integer:
    """Returns so many bits of a percept as a number; they may reach over into a second word."""
    word, shift = position >> 6, position & 63
    code = words[word] >> np.uint64(shift)
    if shift + width > 64:
        code |= words[word + 1] << np.uint64(64 - shift)
    return np.int64(code & ((np.uint64(1) << np.uint64(width)) - np.uint64(1)))


@inlined
def _equal(one: NDArray[np.uint64], other: NDArray[np.uint64]) -> bool:
    equal = True
    for word in range(one.size):
        equal &= one[word] == other[word]
    return equal


@inlined
def _slot(tree: Any, parent: Integer, words: NDArray[np.uint64]) -> Integer:
    """Returns the hash table's slot of the child, or the free one where it belongs."""
    last = tree.table.size - 1
    # Xor and shifts only: they mean the same with and without compilation.
    mixed = np.uint64(parent) ^ np.uint64(_HASH)
    for word in words:
        mixed ^= word ^ (mixed << np.uint64(13))
        mixed ^= mixed >> np.uint64(7)
        mixed ^= mixed << np.uint64(17)
    slot = np.int64((mixed ^ (mixed >> np.uint64(32))) & np.uint64(last))
    while tree.table[slot] != NO_NODE:
        node = tree.table[slot]
        if tree.parents[node] == parent and _equal(tree.percepts[node], words):
            break
        slot = (slot + 1) & last
    return slot


@inlined
def _new_node(tree: Any, parent: Integer, words: NDArray[np.uint64], slot: Integer) -> Integer:
    node = tree.totals[NODES]
    tree.totals[NODES] = node + 1
    tree.visits[node] = 0
    for action in range(tree.values.shape[1]):
        tree.action_visits[node, action] = 0
        tree.values[node, action] = 0.0
    for each in range(tree.judgements.shape[1]):
        tree.judgements[node, each] = 0.0
    tree.parents[node] = parent
    for word in range(words.size):
        tree.percepts[node, word] = words[word]
    tree.table[slot] = node
    return node


@inlined
def select(
    tree: Any,
    node: Integer,
    mask: ActionMask,
    rng: NDArray[np.uint64],
    exploration: float,
    low: float,
    span: float,
) -> Integer:
    """Returns an action of a visited node: unvisited ones first, then the greatest UCB; ties uniform."""
    best, ties, greatest = NO_NODE, 0, -math.inf
    bonus = exploration * exploration * math.log(tree.visits[node])
    scale = 1.0 / span
    for action in range(mask.size):
        if mask[action]:
            visits = tree.action_visits[node, action]
            score = math.inf
            if visits:
                score = (tree.values[node, action] - low) * scale + math.sqrt(bonus / visits)
            if score > greatest:
                best, ties, greatest = action, 1, score
            elif score == greatest:
                ties += 1
                if next_below(rng, ties) == 0:
                    best = action
    return best


@inlined
def mean_value(tree: Any, node: Integer, nothing: float) -> float:
    """Returns the mean of all values that went through a node, the model's judgement included; `nothing` if none."""
    total, visits = 0.0, 0
    if tree.judgements.shape[1]:
        total, visits = tree.judgements[node, 0], 1
    for action in range(tree.values.shape[1]):
        total += tree.action_visits[node, action] * tree.values[node, action]
        visits += tree.action_visits[node, action]
    return total / visits if visits else nothing


@kernel
def best_action(
    visits: NDArray[np.int64], values: NDArray[np.float64], mask: ActionMask, rng: NDArray[np.uint64]
) -> Integer:
    """Returns the allowed action of the greatest value among those visited, ties uniform; any if none was."""
    best, ties, greatest = NO_NODE, 0, -math.inf
    for action in range(mask.size):
        if mask[action]:
            value = values[action] if visits[action] else -math.inf
            if value > greatest or ties == 0:
                best, ties, greatest = action, 1, value
            elif value == greatest:
                ties += 1
                if next_below(rng, ties) == 0:
                    best = action
    return best


@inlined
def child_of(tree: Any, node: Integer, action: Integer, words: NDArray[np.uint64]) -> Integer:
    """Returns the decision node behind an action and a percept; a new one if there was none."""
    parent = node * tree.values.shape[1] + action
    slot = _slot(tree, parent, words)
    child = tree.table[slot]
    return child if child != NO_NODE else _new_node(tree, parent, words, slot)


@inlined
def reward_of(tree: Any, reward: Any, words: NDArray[np.uint64]) -> float:
    """Returns the reward in a percept; one that no real percept has is counted."""
    code = _number(words, reward.position[0], reward.position[1])
    if not reward.valid[code]:
        tree.totals[INVALID_REWARDS] += 1
    return reward.values[code]


@inlined
def ruling(rule: Any, words: NDArray[np.uint64]) -> Integer:
    """Returns the row of the rule that says which actions are allowed after a percept."""
    width = rule.position[1]
    return _number(words, rule.position[0], width) if width else 0


@inlined
def random_action(allowed: ActionMask, rng: NDArray[np.uint64]) -> Integer:
    """Returns an allowed action, uniform."""
    action = next_below(rng, allowed.size)
    while not allowed[action]:
        action = next_below(rng, allowed.size)
    return action


@inlined
def take(
    model: Any, tree: Any, reward: Any, action: Integer, model_rng: NDArray[np.uint64], words: NDArray[np.uint64]
) -> float:
    """Takes an action in the model, draws a percept into `words`, and returns its reward."""
    condition(model, action)
    sample(model, model_rng, words)
    tree.totals[PERCEPTS] += 1
    return reward_of(tree, reward, words)


@inlined
def roll_out(
    model: Any,
    tree: Any,
    scratch: Any,
    reward: Any,
    rule: Any,
    allowed: ActionMask,
    rng: NDArray[np.uint64],
    model_rng: NDArray[np.uint64],
    depth: Integer,
    horizon: Integer,
) -> float:
    """Acts at random from a depth to the horizon (algorithm 4), and returns the sum of rewards."""
    rewards = scratch.rewards
    for cycle in range(depth, horizon):
        action = random_action(allowed, rng)
        rewards[cycle] = take(model, tree, reward, action, model_rng, scratch.words)
        allowed = rule.allowed[ruling(rule, scratch.words)]
    total = 0.0
    for cycle in range(horizon - 1, depth - 1, -1):
        total += rewards[cycle]
    return total


@inlined
def back_up(
    tree: Any,
    nodes: NDArray[np.int64],
    chosen: NDArray[np.int64],
    rewards: NDArray[np.float64],
    depth: Integer,
    horizon: Integer,
    total: float,
) -> None:
    """Counts a simulation in what it passed through.

    Args:
        tree: the `SearchTree`.
        nodes, chosen: int64[horizon], decision node and action of each of the first `depth` cycles.
        rewards: float64[horizon], of these cycles.
        depth: cycles inside the tree.
        horizon: cycles in all.
        total: sum of rewards from `depth` to the horizon.
    """
    for cycle in range(depth - 1, -1, -1):
        total += rewards[cycle]
        node, action = nodes[cycle], chosen[cycle]
        tree.visits[node] += 1
        tree.action_visits[node, action] += 1
        mean = total / (horizon - cycle)
        tree.values[node, action] += (mean - tree.values[node, action]) / tree.action_visits[node, action]


@kernel
def clear(tree: Any) -> None:
    """Leaves a root that no simulation has come to."""
    tree.table[:] = NO_NODE
    tree.totals[NODES] = 1
    tree.visits[ROOT] = 0
    tree.action_visits[ROOT, :] = 0
    tree.values[ROOT, :] = 0.0
    tree.judgements[ROOT, :] = 0.0
    tree.parents[ROOT] = NO_NODE
    tree.percepts[ROOT, :] = 0


@kernel
def descend(tree: Any, action: Integer, words: NDArray[np.uint64], moved: NDArray[np.int64]) -> None:
    """Makes the node behind a real action and percept the root; what is not below it goes.

    Args:
        tree: the `SearchTree`.
        action: index of the real action.
        words: uint64[W], the real percept.
        moved: int64[N], room to work in.
    """
    actions = tree.values.shape[1]
    new_root = tree.table[_slot(tree, ROOT * actions + action, words)]
    if new_root == NO_NODE:
        clear(tree)
        return
    kept = 0
    for node in range(new_root, tree.totals[NODES]):  # parents come first
        parent = tree.parents[node]
        if node == new_root:
            parent_now = NO_NODE
        elif parent // actions >= new_root and moved[parent // actions] != NO_NODE:
            parent_now = moved[parent // actions] * actions + parent % actions
        else:
            moved[node] = NO_NODE
            continue
        moved[node] = kept
        tree.visits[kept] = tree.visits[node]
        for each in range(actions):
            tree.action_visits[kept, each] = tree.action_visits[node, each]
            tree.values[kept, each] = tree.values[node, each]
        for each in range(tree.judgements.shape[1]):
            tree.judgements[kept, each] = tree.judgements[node, each]
        tree.parents[kept] = parent_now
        for word in range(words.size):
            tree.percepts[kept, word] = tree.percepts[node, word]
        kept += 1
    tree.totals[NODES] = kept
    index(tree)


@kernel
def index(tree: Any) -> None:
    """Builds the hash table anew from parents and percepts."""
    tree.table[:] = NO_NODE
    for node in range(1, tree.totals[NODES]):
        tree.table[_slot(tree, tree.parents[node], tree.percepts[node])] = node
