"""Factored action-conditional context tree weighting (FAC-CTW), as a predictor and as a planner's model."""

import math
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aixi.errors import InvalidValueError, at_least
from aixi.predictors import model as contract
from aixi.predictors.base import Predictor
from aixi.predictors.context_tree import (
    DENSE_DEPTH,
    ESTIMATOR,
    LENGTH,
    MAX_DEPTH,
    PADDING,
    PENDING,
    PHASE,
    SLOTS,
    STATE_FIELDS,
    UNDO,
    ContextTrees,
    bit_at,
    count,
    foresee,
    foresee_dense,
    learn,
    new_leaf,
    push,
    undo,
    walk,
    walk_dense,
)
from aixi.predictors.estimators import ESTIMATORS
from aixi.predictors.intrinsics import inlined, kernel, next_float
from aixi.predictors.model import EnvironmentModel, call, implements
from aixi.state import State

# A mark is LENGTH * 2^28 + UNDO: both stay far below their share of an int64 for as long as memory lasts.
_MARK_BITS = 28
_FEWEST_BITS = 256


@inlined
def _find(trees: Any, tree: int) -> None:
    """Walks the path of the present context in one tree."""
    if trees.depths[tree] <= DENSE_DEPTH:
        walk_dense(trees, tree, trees.state[LENGTH])
    else:
        walk(trees, tree, trees.state[LENGTH])


@inlined
def _foresee(trees: Any, tree: int) -> float:
    """Returns P(1) for the next bit by one tree."""
    if trees.depths[tree] <= DENSE_DEPTH:
        return foresee_dense(trees, tree, trees.state[LENGTH])
    return foresee(trees, tree, trees.state[LENGTH])


@kernel
def _settle(trees: Any) -> None:
    """Counts the imagined percept that was drawn last. Until something follows it, nothing depends on its counts:
    the last percept of every simulation is never counted at all."""
    bits = trees.state[PENDING]
    if bits:
        trees.state[PENDING] = 0
        position = trees.state[LENGTH] - bits
        for tree in range(bits):
            count(trees, tree, position + tree, bit_at(trees.history, position + tree))


@implements(contract.condition, ContextTrees)
def _condition(model, action):  # type: ignore[no-untyped-def]  # the contract's types
    _settle(model)
    for bit in range(model.action_bits[0]):
        push(model, (action >> bit) & 1)


@implements(contract.sample, ContextTrees)
def _sample(model, rng, words):  # type: ignore[no-untyped-def]
    _settle(model)
    likelihood = 1.0
    bits = model.depths.size
    for word in range(words.size):
        words[word] = 0
    for tree in range(bits):
        one = _foresee(model, tree)
        if next_float(rng) < one:
            likelihood *= one
            words[tree >> 6] |= np.uint64(1) << np.uint64(tree & 63)
            push(model, 1)
        else:
            likelihood *= 1.0 - one
            push(model, 0)
    model.state[PENDING] = bits
    return -math.log2(likelihood)


@implements(contract.update, ContextTrees)
def _update(model, words):  # type: ignore[no-untyped-def]
    likelihood = 1.0
    bits = 0.0
    for tree in range(model.depths.size):
        bit = bit_at(words, tree)
        _find(model, tree)
        likelihood *= learn(model, tree, bit, False)
        push(model, bit)
        if likelihood < 1e-250:
            bits -= math.log2(likelihood)
            likelihood = 1.0
    return bits - math.log2(likelihood)


@implements(contract.mark, ContextTrees)
def _mark(model):  # type: ignore[no-untyped-def]
    _settle(model)
    return (model.state[LENGTH] << _MARK_BITS) | model.state[UNDO]


@implements(contract.rewind, ContextTrees)
def _rewind(model, mark):  # type: ignore[no-untyped-def]
    model.state[PENDING] = 0
    model.state[LENGTH] = mark >> _MARK_BITS
    undo(model, mark & ((1 << _MARK_BITS) - 1))


@kernel
def _learn_bits(trees: Any, symbols: NDArray[np.uint8]) -> float:
    """Learns real bits in turn, each by the tree whose turn it is; returns their total code length."""
    likelihood, bits = 1.0, 0.0
    tree = trees.state[PHASE]
    for bit in symbols:
        _find(trees, tree)
        likelihood *= learn(trees, tree, np.int64(bit), False)
        push(trees, np.int64(bit))
        tree += 1
        if tree == trees.depths.size:
            tree = 0
        if likelihood < 1e-250:  # one logarithm for many bits
            bits -= math.log2(likelihood)
            likelihood = 1.0
    trees.state[PHASE] = tree
    return bits - math.log2(likelihood)


@kernel
def _imagine_bit(trees: Any, bit: int) -> float:
    tree = trees.state[PHASE]
    _find(trees, tree)
    likelihood = learn(trees, tree, bit, True)
    push(trees, bit)
    trees.state[PHASE] = (tree + 1) % trees.depths.size
    return -math.log2(likelihood)


@kernel
def _probability_of_one(trees: Any) -> float:
    tree = trees.state[PHASE]
    return _foresee(trees, tree)


@kernel
def _push(trees: Any, bit: int) -> None:
    push(trees, bit)


@kernel
def _undo(trees: Any, records: int) -> None:
    undo(trees, records)


class _Forest:
    """Context trees with their configuration, and room that grows."""

    def __init__(self, depth: int, trees: int, estimator: str, action_bits: int = 0) -> None:
        at_least("depth", depth, 1)
        at_least("percept_bits", trees, 1)
        if depth + trees - 1 > MAX_DEPTH:
            raise InvalidValueError(f"depth + percept_bits - 1 must be at most {MAX_DEPTH}, got {depth + trees - 1}")
        if estimator not in ESTIMATORS:
            raise InvalidValueError(f"estimator must be one of {', '.join(ESTIMATORS)}, got {estimator!r}")
        self.configuration: State = {
            "depth": depth,
            "trees": trees,
            "estimator": estimator,
            "action_bits": action_bits,
        }
        depths = depth + np.arange(trees, dtype=np.int64)  # tree i sees depth + i bits (Veness et al. 2011, 5.2)
        sizes = np.where(depths <= DENSE_DEPTH, 1 << np.minimum(depths + 1, DENSE_DEPTH + 1), 2)
        roots = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
        state = np.zeros(STATE_FIELDS, np.int64)
        state[LENGTH], state[SLOTS], state[ESTIMATOR] = PADDING, sizes.sum(), ESTIMATORS[estimator]
        self._resize(state, depths, roots, int(sizes.sum()) + 64, PADDING + 512, 64, action_bits)
        self.trees.ratios[1 : 2 * int(sizes.sum()) : 2] = 1.0
        for root in roots[depths > DENSE_DEPTH]:
            tree = int(np.flatnonzero(roots == root)[0])
            new_leaf(self.trees, int(root), PADDING, int(depths[tree]))

    def _resize(
        self,
        state: NDArray[np.int64],
        depths: NDArray[np.int64],
        roots: NDArray[np.int64],
        slots: int,
        history_bits: int,
        records: int,
        action_bits: int,
    ) -> None:
        """Allocates zeroed arrays of the given sizes."""
        # 16-byte slots; NumPy's buffers are 16-byte aligned and a compressed node begins at an even slot, so that
        # few nodes straddle two cache lines.
        arena = np.zeros(2 * slots, np.float64)
        widest = int(depths.max()) + 2
        self.trees = ContextTrees(
            counts=arena.view(np.uint32),
            ratios=arena,
            history=np.zeros(history_bits // 64 + 3, np.uint64),
            state=state,
            depths=depths,
            roots=roots,
            undo=np.zeros(records, np.int64),
            undo_ratio=np.zeros(records, np.float64),
            path=np.zeros((depths.size, widest), np.int64),
            path_size=np.zeros((depths.size, 2), np.int64),
            path_own=np.zeros((depths.size, widest), np.float64),
            path_share=np.zeros((depths.size, widest), np.float64),
            action_bits=np.array([action_bits], np.int64),
        )

    def reserve(self, learnt: int, imagined: int = 0, pushed: int = 0) -> None:
        """Makes room for so many more bits counted for good, counted in imagination, and pushed as context."""
        trees = self.trees
        state = trees.state
        slots = int(state[SLOTS]) + 4 * (learnt + imagined)
        history_bits = int(state[LENGTH]) + learnt + imagined + pushed + 128
        records = int(state[UNDO]) + imagined * (int(trees.depths.max()) + 2)
        if slots <= trees.ratios.size // 2 and history_bits <= 64 * trees.history.size and records <= trees.undo.size:
            return
        if history_bits >= 1 << 32 or slots >= 1 << 32 or records >= 1 << _MARK_BITS:
            raise InvalidValueError(
                "a context tree holds at most 2^32 bits of history, 2^32 slots and 2^28 undo records; "
                f"asked for {history_bits}, {slots} and {records}; imagine less between rewinds, or start a new life"
            )

        def room(have: int, need: int) -> int:
            return have if need <= have else max(need, have + have // 2)

        self._resize(
            state,
            trees.depths,
            trees.roots,
            room(trees.ratios.size // 2, slots),
            room(64 * trees.history.size, history_bits),
            room(trees.undo.size, records),
            int(trees.action_bits[0]),
        )
        for name in ("ratios", "history", "undo", "undo_ratio"):
            old = getattr(trees, name)
            getattr(self.trees, name)[: old.size] = old

    def state_dict(self) -> State:
        """Returns the used part of the arrays."""
        state = self.trees.state
        return {
            "configuration": dict(self.configuration),
            "arena": self.trees.counts[: 4 * int(state[SLOTS])].copy(),
            "history": self.trees.history[: int(state[LENGTH]) // 64 + 1].copy(),
            "state": state.copy(),
            "undo": self.trees.undo[: int(state[UNDO])].copy(),
            "undo_ratio": self.trees.undo_ratio[: int(state[UNDO])].copy(),
        }

    def load_state_dict(self, state: State) -> None:
        """Takes over a state of equal configuration."""
        if state.get("configuration") != self.configuration:
            raise InvalidValueError(
                f"the state is of {state.get('configuration')}, this predictor is of {self.configuration}; "
                "build it with the same arguments"
            )
        self._resize(
            np.array(state["state"], np.int64),
            self.trees.depths,
            self.trees.roots,
            state["arena"].size // 4 + 64,
            64 * state["history"].size + 512,
            state["undo"].size + 64,
            self.configuration["action_bits"],
        )
        self.trees.counts[: state["arena"].size] = state["arena"]
        for name in ("history", "undo", "undo_ratio"):
            getattr(self.trees, name)[: state[name].size] = state[name]

    @property
    def nodes(self) -> int:
        """Number of nodes in use."""
        dense = self.trees.depths <= DENSE_DEPTH
        heap = int((1 << (self.trees.depths[dense] + 1)).sum())
        return heap + (int(self.trees.state[SLOTS]) - heap) // 2


class FactoredContextTreeWeighting(Predictor):
    """Context tree weighting of fixed-width percepts: tree i predicts bit i (Veness et al. 2011, section 5.2).

    Symbols are the bits of percepts in turn, so that bit i of each percept is predicted by tree i from the last
    `depth` + i bits of history, which include the i bits of this percept already known. `condition` takes in bits
    of actions. The history before the first bit counts as zeros.

    Args:
        depth: context depth of the first tree, in bits.
        percept_bits: width of a percept, the number of trees.
        estimator: `kt` (Krichevsky-Trofimov) or `zero-redundancy`.

    Example:
        >>> predictor = FactoredContextTreeWeighting(depth=3, percept_bits=2)
        >>> for action in (0, 1, 1, 0, 1, 0):
        ...     predictor.condition(action)
        ...     bits = predictor.update_many([action, action])
        >>> predictor.condition(1)
        >>> round(2.0 ** -(predictor.imagine(1) + predictor.imagine(1)), 6)  # exactly 5825/8256
        0.705547
    """

    alphabet_size = 2

    def __init__(self, depth: int, percept_bits: int, estimator: str = "kt") -> None:
        self._forest = _Forest(depth, percept_bits, estimator)
        self.depth, self.percept_bits, self.estimator = depth, percept_bits, estimator

    def log2_probs(self) -> NDArray[np.float64]:
        one = call(_probability_of_one, self._forest.trees)
        return np.log2(np.array([1.0 - one, one]))

    def update(self, symbol: int) -> float:
        return self.update_many([symbol])

    def update_many(self, symbols: ArrayLike) -> float:  # type: ignore[override]  # wider than the base
        """Learns a run of real bits, an array of 0 and 1, and returns their total code length in bits."""
        bits = np.asarray(symbols)
        if bits.size and (bits.min() < 0 or bits.max() > 1):
            raise InvalidValueError(f"symbols must be 0 or 1, got {bits.min()} to {bits.max()}")
        bits = np.ascontiguousarray(bits, np.uint8)
        self._refuse_while_imagining()
        total, done = 0.0, 0
        while done < bits.size:  # in runs that fit, so that room grows with what is used
            run = bits[done : done + max(_FEWEST_BITS, self._room())]
            self._forest.reserve(run.size)
            total += call(_learn_bits, self._forest.trees, run)
            done += run.size
        return total

    def _room(self) -> int:
        trees = self._forest.trees
        return int(trees.ratios.size // 2 - trees.state[SLOTS]) // 4

    def _refuse_while_imagining(self) -> None:
        if self._forest.trees.state[UNDO]:
            raise InvalidValueError("update must come after rewind, got one in the middle of imagination")

    def condition(self, symbol: int) -> None:
        self._forest.reserve(0, 0, 1)
        call(_push, self._forest.trees, _bit(symbol))

    def imagine(self, symbol: int) -> float:
        self._forest.reserve(0, 1)
        return float(call(_imagine_bit, self._forest.trees, _bit(symbol)))

    def mark(self) -> int:
        state = self._forest.trees.state
        return ((int(state[LENGTH]) << _MARK_BITS) | int(state[UNDO])) * self.percept_bits + int(state[PHASE])

    def rewind(self, mark: int) -> None:
        trees = self._forest.trees
        packed, phase = divmod(mark, self.percept_bits)
        length, records = packed >> _MARK_BITS, packed & ((1 << _MARK_BITS) - 1)
        if length > trees.state[LENGTH] or records > trees.state[UNDO]:
            raise InvalidValueError("mark must be of this predictor's past, got one that lies ahead")
        trees.state[LENGTH], trees.state[PHASE] = length, phase
        call(_undo, trees, records)

    def state_dict(self) -> State:
        return self._forest.state_dict()

    def load_state_dict(self, state: State) -> None:
        self._forest.load_state_dict(state)

    @property
    def nodes(self) -> int:
        """Number of tree nodes in use, of 16 bytes each where the tree is dense and 32 where it is compressed."""
        return self._forest.nodes


def _bit(symbol: int) -> int:
    if symbol not in (0, 1):
        raise InvalidValueError(f"symbol must be 0 or 1, got {symbol!r}")
    return int(symbol)


class FactoredContextTreeModel(EnvironmentModel):
    """FAC-CTW as a planner's model of its environment: actions are context, percepts are predicted.

    Args:
        actions: number of actions; an action takes ceil(log2 actions) bits of history, lowest bit first.
        percept_bits: width of a percept in bits.
        depth: context depth of the first tree, in bits.
        estimator: `kt` or `zero-redundancy`.
    """

    def __init__(self, actions: int, percept_bits: int, *, depth: int, estimator: str = "kt") -> None:
        at_least("actions", actions, 1)
        self._forest = _Forest(depth, percept_bits, estimator, (actions - 1).bit_length())
        self._arguments = (actions, percept_bits, depth, estimator)
        self.actions, self.percept_bits = actions, percept_bits

    @property
    def compiled(self) -> ContextTrees:
        return self._forest.trees

    def reserve(self, percepts: int) -> None:
        action_bits = int(self._forest.trees.action_bits[0])
        self._forest.reserve(
            self.percept_bits, percepts * self.percept_bits, (percepts + 2) * action_bits
        )

    def state_dict(self) -> State:
        return self._forest.state_dict()

    def load_state_dict(self, state: State) -> None:
        self._forest.load_state_dict(state)

    def copy(self) -> Self:
        actions, percept_bits, depth, estimator = self._arguments
        twin = type(self)(actions, percept_bits, depth=depth, estimator=estimator)
        twin.load_state_dict(self.state_dict())
        return twin

    @property
    def nodes(self) -> int:
        """Number of tree nodes in use."""
        return self._forest.nodes
