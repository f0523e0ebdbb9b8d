"""A compiled network that writes down what a planner asks of it, and its owner; `logged_model` does so for CTW."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from aixi.predictors.model import EnvironmentModel, condition, implements, mark, rewind, sample, source_tag
from aixi.predictors.neural.compiled import CompiledNetwork, reserve
from aixi.predictors.neural.compiled_transformer import CompiledTransformer
from aixi.predictors.neural.tokens import Tokens
from aixi.state import State


class Logged(NamedTuple):
    """A compiled network that writes down what a planner asks of it; fields are as in `logged_model`."""

    network: CompiledTransformer
    actions: NDArray[np.int64]
    percepts: NDArray[np.uint64]
    calls: NDArray[np.int64]
    source: NDArray[Any] = source_tag(__file__)


@implements(condition, Logged)
def _condition(model, action):  # type: ignore[no-untyped-def]  # the contract's types
    model.actions[model.calls[0]] = action
    condition(model.network, action)


@implements(sample, Logged)
def _sample(model, rng, words):  # type: ignore[no-untyped-def]
    bits = sample(model.network, rng, words)
    model.percepts[model.calls[0]] = words[0]
    model.calls[0] += 1
    return bits


@implements(mark, Logged)
def _mark(model):  # type: ignore[no-untyped-def]
    return mark(model.network)


@implements(rewind, Logged)
def _rewind(model, mark):  # type: ignore[no-untyped-def]
    rewind(model.network, mark)


class Planned(EnvironmentModel):
    """A compiled network as a planner wants it; with a log if asked."""

    def __init__(self, network: CompiledNetwork, tokens: Tokens) -> None:
        self.network, self.tokens, self.log = network, tokens, None
        self.actions, self.percept_bits = tokens.actions, tokens.percept_bits

    log: tuple[NDArray[np.int64], NDArray[np.uint64], NDArray[np.int64]] | None

    @property
    def compiled(self) -> Any:
        return self.network if self.log is None else Logged(self.network, *self.log)  # type: ignore[arg-type]

    def reserve(self, percepts: int) -> None:
        self.network = reserve(self.network, (percepts + 1) * self.tokens.cycle_tokens)

    def state_dict(self) -> State:
        raise NotImplementedError("a benchmark's model is not saved")

    def load_state_dict(self, state: State) -> None:
        raise NotImplementedError("a benchmark's model is not saved")

    def copy(self) -> "Planned":
        raise NotImplementedError("a benchmark searches in one thread")
