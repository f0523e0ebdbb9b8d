"""rho-UCT: Monte-Carlo tree search over a compiled model of the environment (Veness et al. 2011, section 4).

A simulation walks down the tree by UCB1 (Auer, Cesa-Bianchi & Fischer 2002) with percepts drawn from the model,
which follows along; where it leaves the tree it goes on with uniformly random actions up to the horizon. Then the
model is rewound, bit for bit.

Decision nodes are keyed by the whole raw percept, observation and reward bits alike, so that percepts that decode
alike never share a history. Chance nodes are the rows' columns: one for each action of a decision node. They hold
the mean reward per remaining cycle, so that

    UCB(h a) = (V(h a) - low) / (high - low) + C sqrt(log T(h) / T(h a))

is equation 14 with returns normalised by remaining horizon times reward range, and a subtree that is kept when the
horizon moves on by a cycle is not biased by it.
"""

import math
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from aixi.agents.base import ActionMask, RewardRange
from aixi.errors import InvalidValueError, at_least, require
from aixi.predictors.intrinsics import Integer, generator_state, inlined, kernel, next_below
from aixi.predictors.model import EnvironmentModel, call, condition, mark, rewind, sample
from aixi.state import State

EXPLORATION = 1.0
"""Default C. Below about half of it one unlucky run of returns can lock the root: `benchmarks/exploration.py`."""

ROOT, NO_NODE = 0, -1
# Fields of `SearchTree.totals`.
NODES, SIMULATIONS, PERCEPTS, INVALID_REWARDS = range(4)
_HASH = 0x9E37_79B9_7F4A_7C15
_CHUNK = 32  # simulations between two looks at the clock


class SearchTree(NamedTuple):
    """A search tree as arrays of N decision nodes, A actions and W words a percept. Children follow their parents.

    Attributes:
        visits: int32[N], T(h), simulations that came to the decision node.
        action_visits: int32[N, A], T(h a).
        values: float64[N, A], V(h a), mean reward per remaining cycle.
        parents: int64[N], decision node * A + action that the node follows; `NO_NODE` for the root.
        percepts: uint64[N, W], the percept that leads to the node.
        table: int32[power of two], open-addressing hash table of nodes by parent and percept; `NO_NODE` is free.
        totals: int64[4]: `NODES` in use; and over the tree's whole life `SIMULATIONS`, `PERCEPTS` drawn from the
            model, and drawn `INVALID_REWARDS`.
    """

    visits: NDArray[np.int32]
    action_visits: NDArray[np.int32]
    values: NDArray[np.float64]
    parents: NDArray[np.int64]
    percepts: NDArray[np.uint64]
    table: NDArray[np.int32]
    totals: NDArray[np.int64]


class Scratch(NamedTuple):
    """What one simulation works in.

    Attributes:
        everything: bool[A], the mask that allows every action.
        words: uint64[W], the percept drawn last.
        path: int64[horizon], decision node * A + action of each cycle inside the tree.
        rewards: float64[horizon].
    """

    everything: NDArray[np.bool_]
    words: NDArray[np.uint64]
    path: NDArray[np.int64]
    rewards: NDArray[np.float64]


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
def _reward_code(words: NDArray[np.uint64], position: Integer, width: Integer) -> Integer:
    """Returns the reward's code out of a percept; it may reach over into a second word."""
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


@kernel
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


@kernel
def _new_node(tree: Any, parent: Integer, words: NDArray[np.uint64], slot: Integer) -> Integer:
    node = tree.totals[NODES]
    tree.totals[NODES] = node + 1
    tree.visits[node] = 0
    for action in range(tree.values.shape[1]):
        tree.action_visits[node, action] = 0
        tree.values[node, action] = 0.0
    tree.parents[node] = parent
    for word in range(words.size):
        tree.percepts[node, word] = words[word]
    tree.table[slot] = node
    return node


@kernel
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
    bonus = math.log(tree.visits[node])
    for action in range(mask.size):
        if mask[action]:
            visits = tree.action_visits[node, action]
            if visits:
                score = (tree.values[node, action] - low) / span + exploration * math.sqrt(bonus / visits)
            else:
                score = math.inf
            if score > greatest:
                best, ties, greatest = action, 1, score
            elif score == greatest:
                ties += 1
                if next_below(rng, ties) == 0:
                    best = action
    return best


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


@kernel
def simulate(
    model: Any,
    tree: Any,
    scratch: Any,
    reward: Any,
    mask: ActionMask,
    rng: NDArray[np.uint64],
    model_rng: NDArray[np.uint64],
    simulations: Integer,
    horizon: Integer,
    exploration: float,
    low: float,
    span: float,
) -> None:
    """Runs simulations from the root; the model is left as it was.

    Args:
        model: a compiled model.
        tree: the `SearchTree`, with room for one more node a simulation.
        scratch: the `Scratch`.
        reward: the `RewardCode`.
        mask: bool[A], actions allowed at the root.
        rng: uint64[1], choices of actions.
        model_rng: uint64[1], percepts.
        simulations: how many.
        horizon: cycles looked ahead.
        exploration: C.
        low, span: least reward, and greatest less least.
    """
    actions = mask.size
    words, path, rewards = scratch.words, scratch.path, scratch.rewards
    position, width = reward.position[0], reward.position[1]
    start = mark(model)
    for _ in range(simulations):
        node: Integer = ROOT
        depth = 0
        inside = True
        for cycle in range(horizon):
            if inside and tree.visits[node] == 0:
                inside = False
            if inside:
                action = select(tree, node, mask if node == ROOT else scratch.everything, rng, exploration, low, span)
                path[depth] = node * actions + action
                depth += 1
            else:
                # The root's mask binds a roll-out's first action as well.
                action = next_below(rng, actions)
                while cycle == 0 and not mask[action]:
                    action = next_below(rng, actions)
            condition(model, action)
            sample(model, model_rng, words)
            code = _reward_code(words, position, width)
            rewards[cycle] = reward.values[code]
            if not reward.valid[code]:
                tree.totals[INVALID_REWARDS] += 1
            if inside:
                slot = _slot(tree, node * actions + action, words)
                child = tree.table[slot]
                node = child if child != NO_NODE else _new_node(tree, node * actions + action, words, slot)
        rewind(model, start)
        if not inside:  # a node at the very horizon is not counted (algorithm 1)
            tree.visits[node] += 1
        total = 0.0
        for cycle in range(horizon - 1, -1, -1):
            total += rewards[cycle]
            if cycle < depth:
                node, action = path[cycle] // actions, path[cycle] % actions
                tree.visits[node] += 1
                tree.action_visits[node, action] += 1
                mean = total / (horizon - cycle)
                tree.values[node, action] += (mean - tree.values[node, action]) / tree.action_visits[node, action]
    tree.totals[SIMULATIONS] += simulations
    tree.totals[PERCEPTS] += simulations * horizon


@kernel
def clear(tree: Any) -> None:
    """Leaves a root that no simulation has come to."""
    tree.table[:] = NO_NODE
    tree.totals[NODES] = 1
    tree.visits[ROOT] = 0
    tree.action_visits[ROOT, :] = 0
    tree.values[ROOT, :] = 0.0
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


@dataclass(frozen=True)
class SearchResult:
    """What a search says about its root.

    Attributes:
        action: the action of the greatest value.
        visits: int64[A], simulations through each action, those of a kept subtree included.
        values: float64[A], mean reward per cycle over the horizon; NaN where an action was not visited.
        simulations: run by this search.
        nodes: decision nodes in all trees.
    """

    action: int
    visits: NDArray[np.int64]
    values: NDArray[np.float64]
    simulations: int
    nodes: int


def allowed_actions(actions: int, mask: ActionMask | None) -> ActionMask:
    """Returns a mask as bool[actions], all True where there is none.

    Raises:
        InvalidValueError: if it is of another length, or allows nothing.
    """
    allowed = np.ones(actions, np.bool_) if mask is None else np.array(mask, np.bool_)
    if allowed.shape != (actions,) or not allowed.any():
        raise InvalidValueError(
            f"mask must be one truth value for each of {actions} actions, at least one of them True, got {mask}"
        )
    return allowed


class _Worker:
    """One search tree with its random states."""

    def __init__(self, actions: int, words: int, horizon: int, seed: np.random.SeedSequence) -> None:
        choices, percepts = seed.spawn(2)
        self.rng, self.model_rng = generator_state(choices), generator_state(percepts)
        self.totals = np.zeros(4, np.int64)
        self.scratch = Scratch(
            everything=np.ones(actions, np.bool_),
            words=np.zeros(words, np.uint64),
            path=np.zeros(horizon, np.int64),
            rewards=np.zeros(horizon, np.float64),
        )
        self._shape = (actions, words)
        self.tree = self._allocate(64)
        clear(self.tree)

    def _allocate(self, nodes: int) -> SearchTree:
        actions, words = self._shape
        return SearchTree(
            visits=np.zeros(nodes, np.int32),
            action_visits=np.zeros((nodes, actions), np.int32),
            values=np.zeros((nodes, actions), np.float64),
            parents=np.zeros(nodes, np.int64),
            percepts=np.zeros((nodes, words), np.uint64),
            table=np.full(1 << (2 * nodes).bit_length(), NO_NODE, np.int32),
            totals=self.totals,
        )

    def reserve(self, more: int) -> None:
        """Makes room for so many more nodes."""
        old, used = self.tree, int(self.totals[NODES])
        if used + more <= old.visits.size:
            return
        self.tree = self._allocate(max(used + more, 2 * old.visits.size))
        self._fill(old._asdict(), used)

    def _fill(self, arrays: dict[str, Any], used: int) -> None:
        for name in _SAVED:
            getattr(self.tree, name)[:used] = arrays[name][:used]
        index(self.tree)

    def state_dict(self) -> State:
        used = int(self.totals[NODES])
        saved: State = {name: getattr(self.tree, name)[:used].copy() for name in _SAVED}
        return saved | {
            "totals": self.totals.copy(),
            "rng": self.rng.copy(),
            "model_rng": self.model_rng.copy(),
        }

    def load_state_dict(self, state: State) -> None:
        self.totals[:] = state["totals"]
        self.rng[:], self.model_rng[:] = state["rng"], state["model_rng"]
        used = int(self.totals[NODES])
        self.tree = self._allocate(max(64, 2 * used))
        self._fill(state, used)


_SAVED = ("visits", "action_visits", "values", "parents", "percepts")


class RhoUCT:
    """The planner: searches over one or several equal models, keeps its subtree, and merges in a fixed order.

    Args:
        actions: number of actions.
        percept_bits: width of a percept.
        reward: where the reward stands in it.
        reward_range: of a real cycle.
        seed: the only source of randomness.
        horizon: cycles looked ahead.
        simulations: budget of a search; or else
        milliseconds: budget by the clock, which makes results depend on the machine.
        exploration: C of UCB on returns normalised to [0, 1].
        reuse_tree: whether the subtree behind the real percept is kept.
        threads: root-parallel searches, each over its own model; results depend on their number, not on timing.

    Raises:
        InvalidValueError: on a value out of its range, or if not exactly one budget is given.
    """

    def __init__(
        self,
        actions: int,
        percept_bits: int,
        reward: RewardCode,
        reward_range: RewardRange,
        seed: np.random.SeedSequence,
        *,
        horizon: int,
        simulations: int | None = None,
        milliseconds: float | None = None,
        exploration: float = EXPLORATION,
        reuse_tree: bool = True,
        threads: int = 1,
    ) -> None:
        at_least("horizon", horizon, 1)
        at_least("threads", threads, 1)
        require(
            (simulations is None) != (milliseconds is None),
            "a search budget is either simulations or milliseconds, "
            f"got simulations={simulations} and milliseconds={milliseconds}",
        )
        if simulations is not None:
            at_least("simulations", simulations, 1)
        if milliseconds is not None:
            require(milliseconds > 0, f"milliseconds must be above 0, got {milliseconds}")
        require(exploration >= 0, f"exploration must be at least 0, got {exploration}")
        self.horizon, self.simulations, self.milliseconds = horizon, simulations, milliseconds
        self.exploration, self.reuse_tree, self.threads = exploration, reuse_tree, threads
        self._actions, self._reward = actions, reward
        self._low, self._span = reward_range.low, (reward_range.high - reward_range.low) or 1.0
        words = -(-percept_bits // 64)
        choice, *workers = seed.spawn(threads + 1)
        self._rng = generator_state(choice)
        self._workers = [_Worker(actions, words, horizon, worker) for worker in workers]
        self._pool: ThreadPoolExecutor | None = None

    def search(self, models: Sequence[EnvironmentModel], mask: ActionMask | None = None) -> SearchResult:
        """Searches from the present history.

        Args:
            models: one for each thread, of equal history; they are left as they were.
            mask: bool[A], the actions allowed now; None allows all.
        """
        if len(models) != self.threads:
            raise InvalidValueError(f"search takes a model for each of {self.threads} threads, got {len(models)}")
        allowed = allowed_actions(self._actions, mask)
        for model in models:
            model.reserve(self.horizon)
        shares = self._shares()
        if self.threads == 1:
            done = self._run(0, models[0], allowed, shares[0])
        else:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self.threads)
            jobs = [
                self._pool.submit(self._run, worker, models[worker], allowed, share)
                for worker, share in enumerate(shares)
            ]
            done = sum(job.result() for job in jobs)
        visits = np.zeros(self._actions, np.int64)
        sums = np.zeros(self._actions, np.float64)
        for worker in self._workers:  # always in this order: sums of floats depend on it
            visits += worker.tree.action_visits[ROOT]
            sums += worker.tree.values[ROOT] * worker.tree.action_visits[ROOT]
        values = np.divide(sums, visits, out=np.full(self._actions, np.nan), where=visits > 0)
        action = int(best_action(visits, values, allowed, self._rng))
        nodes = sum(int(worker.totals[NODES]) for worker in self._workers)
        return SearchResult(action, visits, values, done, nodes)

    def _shares(self) -> list[int]:
        """Simulations of each thread; by the clock they are unlimited."""
        if self.simulations is None:
            return [0] * self.threads
        each, rest = divmod(self.simulations, self.threads)
        return [each + (worker < rest) for worker in range(self.threads)]

    def _run(self, index: int, model: EnvironmentModel, mask: ActionMask, simulations: int) -> int:
        worker = self._workers[index]
        if self.milliseconds is None:
            self._simulate(worker, model, mask, simulations)
            return simulations
        deadline = time.perf_counter() + self.milliseconds / 1000.0
        done = 0
        while done == 0 or time.perf_counter() < deadline:
            self._simulate(worker, model, mask, _CHUNK)
            done += _CHUNK
        return done

    def _simulate(self, worker: _Worker, model: EnvironmentModel, mask: ActionMask, simulations: int) -> None:
        worker.reserve(simulations)
        call(
            simulate,
            model.compiled,
            worker.tree,
            worker.scratch,
            self._reward,
            mask,
            worker.rng,
            worker.model_rng,
            simulations,
            self.horizon,
            self.exploration,
            self._low,
            self._span,
        )

    def advance(self, action: int, words: NDArray[np.uint64]) -> None:
        """Moves the root behind a real action and percept, uint64[W]; call it after every real cycle."""
        for worker in self._workers:
            if self.reuse_tree:
                descend(worker.tree, action, words, np.empty(worker.totals[NODES], np.int64))
            else:
                clear(worker.tree)

    def forget(self) -> None:
        """Drops the tree, because the history went on in a way that it does not hold."""
        for worker in self._workers:
            clear(worker.tree)

    @property
    def totals(self) -> dict[str, int]:
        """Simulations, percepts drawn and invalid rewards drawn, over the planner's life."""
        summed = sum((worker.totals for worker in self._workers), np.zeros(4, np.int64))
        return {
            "simulations": int(summed[SIMULATIONS]),
            "percepts": int(summed[PERCEPTS]),
            "invalid_rewards": int(summed[INVALID_REWARDS]),
        }

    def state_dict(self) -> State:
        """Returns trees and random states; arrays are copies."""
        return {"rng": self._rng.copy(), "workers": [worker.state_dict() for worker in self._workers]}

    def load_state_dict(self, state: State) -> None:
        """Goes on from a state of as many threads."""
        if len(state["workers"]) != self.threads:
            raise InvalidValueError(f"the state is of {len(state['workers'])} threads, this planner has {self.threads}")
        self._rng[:] = state["rng"]
        for worker, saved in zip(self._workers, state["workers"], strict=True):
            worker.load_state_dict(saved)
