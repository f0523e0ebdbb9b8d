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
    LEARNT,
    LENGTH,
    PENDING,
    PHASE,
    UNDO,
    ContextTrees,
    bit_at,
    foresee,
    foresee_dense,
    learn,
    push,
    undo,
    walk,
    walk_dense,
)
from aixi.predictors.forest import MARK_BITS, Forest, settle
from aixi.predictors.intrinsics import Integer, inlined, kernel, next_float
from aixi.predictors.model import EnvironmentModel, call, implements
from aixi.state import State

_RUN = 1024
"""Bits learnt between two looks at the room; fixed, so that sums are rounded alike after save and resume."""


@inlined
def _find(trees: Any, tree: Integer) -> None:
    """Walks the path of the present context in one tree."""
    if trees.depths[tree] <= DENSE_DEPTH:
        walk_dense(trees, tree, trees.state[LENGTH])
    else:
        walk(trees, tree, trees.state[LENGTH])


@inlined
def _foresee(trees: Any, tree: Integer) -> float:
    """Returns P(1) for the next bit by one tree."""
    if trees.depths[tree] <= DENSE_DEPTH:
        return foresee_dense(trees, tree, trees.state[LENGTH])
    return foresee(trees, tree, trees.state[LENGTH])


@implements(contract.condition, ContextTrees)
def _condition(model, action):  # type: ignore[no-untyped-def]  # the contract's types
    settle(model)
    for bit in range(model.action_bits[0]):
        push(model, (action >> bit) & 1)


@implements(contract.sample, ContextTrees)
def _sample(model, rng, words):  # type: ignore[no-untyped-def]
    settle(model)
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
    model.state[LEARNT] = model.state[LENGTH]
    return bits - math.log2(likelihood)


@implements(contract.mark, ContextTrees)
def _mark(model):  # type: ignore[no-untyped-def]
    settle(model)
    return (model.state[LENGTH] << MARK_BITS) | model.state[UNDO]


@implements(contract.rewind, ContextTrees)
def _rewind(model, mark):  # type: ignore[no-untyped-def]
    model.state[PENDING] = 0
    model.state[LENGTH] = mark >> MARK_BITS
    undo(model, mark & ((1 << MARK_BITS) - 1))


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
    trees.state[LEARNT] = trees.state[LENGTH]
    return bits - math.log2(likelihood)


@kernel
def _imagine_bit(trees: Any, bit: Integer) -> float:
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
def _push(trees: Any, bit: Integer) -> None:
    push(trees, bit)


@kernel
def _undo(trees: Any, records: Integer) -> None:
    undo(trees, records)


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
        self._forest = Forest(depth, percept_bits, estimator)
        self.depth, self.percept_bits, self.estimator = depth, percept_bits, estimator

    def log2_probs(self) -> NDArray[np.float64]:
        one = call(_probability_of_one, self._forest.trees)
        return np.log2(np.array([1.0 - one, one]))

    def update(self, symbol: int) -> float:
        return self.update_many([symbol])

    def update_many(self, symbols: ArrayLike) -> float:  # type: ignore[override]  # wider than the base
        """Learns a run of real bits, an array of 0 and 1, and returns their total code length in bits."""
        bits = np.asarray(symbols)
        wrong = bits[(bits != 0) & (bits != 1)]
        if wrong.size:
            raise InvalidValueError(f"symbols must be 0 or 1, got {wrong[0]}")
        bits = np.ascontiguousarray(bits, np.uint8)
        self._refuse_while_imagining()
        total, done = 0.0, 0
        while done < bits.size:  # in runs, so that room grows with what is used
            run = bits[done : done + _RUN]
            self._forest.reserve(run.size)
            total += call(_learn_bits, self._forest.trees, run)
            done += run.size
        return total

    def _refuse_while_imagining(self) -> None:
        if self._forest.imagining:
            raise InvalidValueError("update must come after rewind, got one in the middle of imagination")

    def condition(self, symbol: int) -> None:
        self._forest.reserve(0, 0, 1)
        call(_push, self._forest.trees, _bit(symbol))

    def imagine(self, symbol: int) -> float:
        self._forest.reserve(0, 1)
        return float(call(_imagine_bit, self._forest.trees, _bit(symbol)))

    def mark(self) -> int:
        state = self._forest.trees.state
        return ((int(state[LENGTH]) << MARK_BITS) | int(state[UNDO])) * self.percept_bits + int(state[PHASE])

    def rewind(self, mark: int) -> None:
        trees = self._forest.trees
        packed, phase = divmod(mark, self.percept_bits)
        length, records = packed >> MARK_BITS, packed & ((1 << MARK_BITS) - 1)
        if length > trees.state[LENGTH] or records > trees.state[UNDO]:
            raise InvalidValueError("mark must be of this predictor's past, got one that lies ahead")
        if length < trees.state[LEARNT]:
            raise InvalidValueError("mark must be taken after the last update, for what was learnt stays; got an older")
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
        self._forest = Forest(depth, percept_bits, estimator, (actions - 1).bit_length())
        self._arguments = (actions, percept_bits, depth, estimator)
        self.actions, self.percept_bits = actions, percept_bits

    @property
    def compiled(self) -> ContextTrees:
        return self._forest.trees

    def reserve(self, percepts: int) -> None:
        action_bits = int(self._forest.trees.action_bits[0])
        self._forest.reserve(self.percept_bits, percepts * self.percept_bits, (percepts + 2) * action_bits)

    def update(self, words: NDArray[np.uint64]) -> float:
        if self._forest.imagining:
            raise InvalidValueError("update must come after rewind, got one in the middle of imagination")
        return super().update(words)

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
