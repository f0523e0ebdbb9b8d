"""A FAC-CTW model that writes down what a planner asks of it, and the same questions without the planner."""

from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from aixi.predictors.context_tree import ContextTrees
from aixi.predictors.factored import FactoredContextTreeModel
from aixi.predictors.intrinsics import kernel
from aixi.predictors.model import EnvironmentModel, condition, implements, mark, rewind, sample, source_tag, update
from aixi.state import State


class LoggedTrees(NamedTuple):
    """Context trees that write down what a planner asks of them.

    Attributes:
        trees: the model that does it.
        actions: int64[calls], every action conditioned on.
        percepts: uint64[calls], every percept drawn; percepts of one word only.
        calls: int64[1], how many.
    """

    trees: ContextTrees
    actions: NDArray[np.int64]
    percepts: NDArray[np.uint64]
    calls: NDArray[np.int64]
    source: NDArray[Any] = source_tag(__file__)


@implements(condition, LoggedTrees)
def _condition(model, action):  # type: ignore[no-untyped-def]  # the contract's types
    model.actions[model.calls[0]] = action
    condition(model.trees, action)


@implements(sample, LoggedTrees)
def _sample(model, rng, words):  # type: ignore[no-untyped-def]
    bits = sample(model.trees, rng, words)
    model.percepts[model.calls[0]] = words[0]
    model.calls[0] += 1
    return bits


@implements(update, LoggedTrees)
def _update(model, words):  # type: ignore[no-untyped-def]
    return update(model.trees, words)


@implements(mark, LoggedTrees)
def _mark(model):  # type: ignore[no-untyped-def]
    return mark(model.trees)


@implements(rewind, LoggedTrees)
def _rewind(model, mark):  # type: ignore[no-untyped-def]
    rewind(model.trees, mark)


class LoggedModel(EnvironmentModel):
    """A FAC-CTW model that writes down the calls of one search."""

    def __init__(self, model: FactoredContextTreeModel, calls: int) -> None:
        self.model, self.actions, self.percept_bits = model, model.actions, model.percept_bits
        self.log = (np.zeros(calls, np.int64), np.zeros(calls, np.uint64), np.zeros(1, np.int64))

    @property
    def compiled(self) -> LoggedTrees:
        return LoggedTrees(self.model.compiled, *self.log)

    def reserve(self, percepts: int) -> None:
        self.model.reserve(percepts)

    def state_dict(self) -> State:
        return self.model.state_dict()

    def load_state_dict(self, state: State) -> None:
        self.model.load_state_dict(state)

    def copy(self) -> Self:
        return type(self)(self.model.copy(), self.log[0].size)


@kernel
def replay(
    model: Any,
    rng: NDArray[np.uint64],
    words: NDArray[np.uint64],
    actions: NDArray[np.int64],
    horizon: int,
    percepts: NDArray[np.uint64],
) -> None:
    """Asks of a model what a search asked: everything but the search."""
    start = mark(model)
    for first in range(0, actions.size, horizon):
        for each in range(first, first + horizon):
            condition(model, actions[each])
            sample(model, rng, words)
            percepts[each] = words[0]
        rewind(model, start)
