"""Searches for a line of thoughts that ends with the target, compiled: best-of-N, UCT and PUCT.

Every simulation of every search goes on to a complete state and checks it: a budget is a number of answers that may
be checked. Only that check finds a solution; no search believes a judge. In the trees a complete state that failed is
closed, and so is a state whose thoughts are all closed; no simulation goes there again. The samples of best-of-N know
nothing of each other.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from aixi.agents.planning.reward_model import RewardModel, judge
from aixi.agents.planning.thoughts import LARGEST, MOST_CHILDREN, MOST_NUMBERS, MOST_PENDING, count_of, play, thoughts
from aixi.errors import at_least, require
from aixi.predictors.intrinsics import Integer, inlined, kernel, next_below, next_float

PLAYS, SAMPLES, UCT, PUCT = range(4)
"""Best-of-N of random plays; best-of-N of lines drawn from the judge; and the two tree searches."""
NOT_SOLVED = -1
_ROOT, _NO_NODE = 0, -1
_NODES, _SIMULATIONS = range(2)


class ThoughtTree(NamedTuple):
    """A tree of thoughts as arrays of N nodes; the children of a node follow one another. And room to work in.

    Attributes:
        states: int64[N], packed numbers.
        parents: int32[N].
        first: int32[N], the first child; -1 before they are made.
        counts: int32[N], children.
        unclosed: int32[N], children that can still hold a solution; 1 before they are made, 0: closed.
        visits: int32[N].
        sums: float64[N], of what simulations through the node were worth.
        judgements: float64[N], what the judge said of the node, a probability.
        priors: float32[N], share of the siblings' probability.
        totals: int64[2], nodes in use, and simulations run.
        made: int64[60], thoughts of the state at hand.
        path: int64[6], the states of the last simulation, the given one first.
    """

    states: NDArray[np.int64]
    parents: NDArray[np.int32]
    first: NDArray[np.int32]
    counts: NDArray[np.int32]
    unclosed: NDArray[np.int32]
    visits: NDArray[np.int32]
    sums: NDArray[np.float64]
    judgements: NDArray[np.float64]
    priors: NDArray[np.float32]
    totals: NDArray[np.int64]
    made: NDArray[np.int64]
    path: NDArray[np.int64]


def thought_tree(budget: int) -> ThoughtTree:
    """Returns an empty tree with room for so many simulations of any search."""
    at_least("budget", budget, 1)
    nodes = 1 + budget * MOST_PENDING
    return ThoughtTree(
        states=np.empty(nodes, np.int64),
        parents=np.empty(nodes, np.int32),
        first=np.empty(nodes, np.int32),
        counts=np.empty(nodes, np.int32),
        unclosed=np.empty(nodes, np.int32),
        visits=np.empty(nodes, np.int32),
        sums=np.empty(nodes, np.float64),
        judgements=np.empty(nodes, np.float64),
        priors=np.empty(nodes, np.float32),
        totals=np.zeros(2, np.int64),
        made=np.zeros(MOST_CHILDREN, np.int64),
        path=np.zeros(MOST_NUMBERS, np.int64),
    )


@inlined
def _add(tree: Any, state: Integer, parent: Integer) -> Integer:
    node = tree.totals[_NODES]
    tree.totals[_NODES] = node + 1
    tree.states[node] = state
    tree.parents[node] = parent
    tree.first[node] = _NO_NODE
    tree.counts[node] = 0
    tree.unclosed[node] = 1
    tree.visits[node] = 0
    tree.sums[node] = 0.0
    tree.judgements[node] = 0.0
    tree.priors[node] = 0.0
    return node


@inlined
def _expand(tree: Any, node: Integer, greatest: Integer) -> None:
    """Makes a node's children."""
    count = thoughts(tree.states[node], greatest, tree.made)
    tree.first[node] = tree.totals[_NODES]
    tree.counts[node] = tree.unclosed[node] = count
    for each in range(count):
        _add(tree, tree.made[each], node)


@inlined
def _judge_children(model: Any, tree: Any, node: Integer, target: Integer, greatest: Integer, sharpness: float) -> None:
    """Gives a node's children their judgements, and priors: softmax of log odds times `sharpness`.

    Complete states are not judged: each has an equal share of the prior, and of what was said of the node.
    """
    first, count = tree.first[node], tree.counts[node]
    priors = tree.priors[first : first + count]
    if tree.states[first] <= LARGEST:
        for each in range(count):
            priors[each] = np.float32(1.0) / np.float32(count)
            tree.judgements[first + each] = tree.judgements[node] / count
        return
    most = np.float32(-np.inf)
    for each in range(count):
        priors[each] = judge(model, tree.states[first + each], target, greatest)
        most = max(most, priors[each])
    total = 0.0
    for each in range(count):
        tree.judgements[first + each] = 1.0 / (1.0 + math.exp(-priors[each]))
        priors[each] = math.exp((priors[each] - most) * sharpness)
        total += priors[each]
    for each in range(count):
        priors[each] /= total


@inlined
def _drawn(tree: Any, node: Integer, rng: NDArray[np.uint64]) -> Integer:
    """Returns a child drawn from the priors."""
    left = next_float(rng)
    first, last = tree.first[node], tree.first[node] + tree.counts[node] - 1
    child = first
    while child < last and left >= tree.priors[child]:
        left -= tree.priors[child]
        child += 1
    return child


@inlined
def _chosen(tree: Any, node: Integer, method: Integer, exploration: float, rng: NDArray[np.uint64]) -> Integer:
    """Returns the unclosed child of the greatest bound; ties uniform."""
    best, ties, greatest = _NO_NODE, 0, -math.inf
    root = math.sqrt(tree.visits[node]) * exploration
    bonus = math.log(max(tree.visits[node], 1)) * exploration * exploration
    first = tree.first[node]
    for child in range(first, first + tree.counts[node]):
        if tree.unclosed[child]:
            visits = tree.visits[child]
            if method == PUCT:  # the judgement counts as a first visit
                score = (tree.sums[child] + tree.judgements[child] + root * tree.priors[child]) / (1 + visits)
            elif visits:
                score = tree.sums[child] / visits + math.sqrt(bonus / visits)
            else:
                score = math.inf
            if score > greatest:
                best, ties, greatest = child, 1, score
            elif score == greatest:
                ties += 1
                if next_below(rng, ties) == 0:
                    best = child
    return best


@inlined
def _close(tree: Any, node: Integer) -> None:
    """Closes a node, and every node above whose children are closed by that."""
    tree.unclosed[node] = 0
    while node != _ROOT and tree.unclosed[node] == 0:
        node = tree.parents[node]
        tree.unclosed[node] -= 1


@kernel
def _search(
    state: Integer,
    target: Integer,
    greatest: Integer,
    budget: Integer,
    method: Integer,
    exploration: float,
    sharpness: float,
    shaping: float,
    model: Any,
    tree: Any,
    rng: NDArray[np.uint64],
) -> Integer:
    """Runs simulations until one solves the problem; see `search`. `sharpness` is 1 over the temperature."""
    path = tree.path
    path[0] = state
    tree.totals[_NODES] = 0
    tree.totals[_SIMULATIONS] = 0
    _add(tree, state, -1)
    for simulation in range(1, budget + 1):
        tree.totals[_SIMULATIONS] = simulation
        node: Integer = _ROOT
        depth: Integer = 0
        worth = 0.0
        if method == PLAYS:
            if play(state, greatest, rng, path, 1) == target:
                return simulation
            continue
        while True:
            path[depth] = tree.states[node]
            if tree.states[node] <= LARGEST:
                if tree.states[node] == target:
                    return simulation
                if method != SAMPLES:
                    _close(tree, node)
                break
            if tree.first[node] == _NO_NODE:
                if method == UCT and tree.visits[node] == 0 and node != _ROOT:
                    last = play(tree.states[node], greatest, rng, path, depth + 1)
                    if last == target:
                        return simulation
                    worth = shaping * model.near[abs(last - target)]
                    break
                _expand(tree, node, greatest)
                if method != UCT:
                    _judge_children(model, tree, node, target, greatest, sharpness)
                    worth = tree.judgements[node]
            node = _drawn(tree, node, rng) if method == SAMPLES else _chosen(tree, node, method, exploration, rng)
            depth += 1
        if method != SAMPLES:
            while node != -1:
                tree.visits[node] += 1
                tree.sums[node] += worth
                node = tree.parents[node]
            if tree.unclosed[_ROOT] == 0:
                break
    return NOT_SOLVED


@kernel
def _search_all(
    states: NDArray[np.int64],
    targets: NDArray[np.int64],
    greatest: Integer,
    budget: Integer,
    method: Integer,
    exploration: float,
    sharpness: float,
    shaping: float,
    model: Any,
    tree: Any,
    rng: NDArray[np.uint64],
    used: NDArray[np.int64],
    simulations: NDArray[np.int64],
    paths: NDArray[np.int64],
) -> None:
    for each in range(states.size):
        used[each] = _search(
            states[each],
            targets[each],
            greatest,
            budget,
            method,
            exploration,
            sharpness,
            shaping,
            model,
            tree,
            rng,
        )
        simulations[each] = tree.totals[_SIMULATIONS]
        if used[each] != NOT_SOLVED:
            length = count_of(states[each])
            for place in range(length):
                paths[each, place] = tree.path[place]


class Searches(NamedTuple):
    """What searches found.

    Attributes:
        used: int64[problems], the simulation that solved it, from 1; `NOT_SOLVED` within the budget. A search knows
            nothing of its budget, so that one of a smaller budget solves what this one solved up to there.
        simulations: int64[problems], run; fewer than the budget also where all was refuted.
        paths: int64[problems, 6], states from the given one to the target, zeros behind; all zeros where not solved.
    """

    used: NDArray[np.int64]
    simulations: NDArray[np.int64]
    paths: NDArray[np.int64]


def search(
    states: NDArray[np.int64],
    targets: NDArray[np.int64],
    method: int,
    budget: int,
    model: RewardModel,
    rng: NDArray[np.uint64],
    *,
    greatest: int = LARGEST,
    exploration: float = 1.0,
    temperature: float = 1.0,
    shaping: float = 0.0,
) -> Searches:
    """Searches for a solution of each problem, with up to `budget` simulations.

    - `PLAYS`: a simulation is a random play.
    - `SAMPLES`: a line of thoughts, each drawn from the softmax of the judge's log odds over the temperature.
    - `UCT`: a walk down the tree by UCB1, then a random play. A play that misses by d is worth `shaping` e^(-d / 5).
    - `PUCT` (Rosin 2011; Silver et al. 2017): a walk by mean worth plus C P sqrt(N) / (1 + n) where P is that softmax,
      down the tree and beyond it to a complete state, so that the tree grows by a whole line. It is worth what the
      judge said of the last state whose thoughts it added; nothing, if it added none.

    Args:
        states: int64[problems], packed, of two to six numbers.
        targets: int64[problems].
        method: one of the four.
        budget: simulations a problem, at least 1.
        model: the judge; `PLAYS` and `UCT` read only its tables.
        rng: uint64[1].
        greatest: bound on results, at most 1023.
        exploration: C of UCB1 or PUCT.
        temperature: above 0.
        shaping: worth of a near miss, from 0.

    Raises:
        InvalidValueError: on a value out of its range.

    Example:
        >>> from aixi.agents.planning.reward_model import blank
        >>> from aixi.agents.planning.thoughts import pack, unpack
        >>> one = lambda number: np.array([number], np.int64)
        >>> found = search(one(pack([5, 4, 3])), one(23), UCT, 100, blank(), np.zeros(1, np.uint64))
        >>> [unpack(state) for state in found.paths[0, :3]]
        [[5, 4, 3], [20, 3], [23]]
    """
    at_least("budget", budget, 1)
    require(method in (PLAYS, SAMPLES, UCT, PUCT), f"method must be PLAYS, SAMPLES, UCT or PUCT, got {method}")
    require(1 <= greatest <= LARGEST, f"greatest must be in [1, {LARGEST}], got {greatest}")
    require(0 < temperature < math.inf, f"temperature must be finite and above 0, got {temperature}")
    for name, value in (("exploration", exploration), ("shaping", shaping)):
        require(0 <= value < math.inf, f"{name} must be finite and at least 0, got {value}")
    require(states.shape == targets.shape, f"each state needs a target, got {states.size} and {targets.size}")
    require(bool(((targets >= 1) & (targets <= greatest)).all()), f"targets must be in [1, {greatest}]")
    require(bool((states > LARGEST).all()), "each state must hold at least two numbers")
    found = Searches(
        np.zeros(states.size, np.int64),
        np.zeros(states.size, np.int64),
        np.zeros((states.size, MOST_NUMBERS), np.int64),
    )
    sharpness = 1.0 / temperature
    tree = thought_tree(budget)
    _search_all(states, targets, greatest, budget, method, exploration, sharpness, shaping, model, tree, rng, *found)
    return found
