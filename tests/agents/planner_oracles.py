"""Known worlds that also judge: random decision processes, their exact values, and heads made of them."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from planner_references import Steps, reward_code, words_of

from aixi.agents.base import RewardRange
from aixi.agents.models.finite import HIDDEN, NOTHING, FiniteModel, FinitePOMDP
from aixi.predictors import model as contract
from aixi.predictors.model import condition, evaluate, implements, mark, rewind, sample, source_tag, update


class Oracle(NamedTuple):
    """A known world, and what is said of each of its S states.

    Attributes:
        world: the world.
        priors: float64[S + 1, A]; the last state is where a life is before its first percept.
        values: float64[S + 1], in [0, 1] of the reward range.
    """

    world: FiniteModel
    priors: NDArray[np.float64]
    values: NDArray[np.float64]
    source: NDArray[Any] = source_tag(__file__)


@implements(contract.condition, Oracle)
def _condition(model, action):  # type: ignore[no-untyped-def]  # the contract's types
    condition(model.world, action)


@implements(contract.sample, Oracle)
def _sample(model, rng, words):  # type: ignore[no-untyped-def]
    return sample(model.world, rng, words)


@implements(contract.update, Oracle)
def _update(model, words):  # type: ignore[no-untyped-def]
    return update(model.world, words)


@implements(contract.mark, Oracle)
def _mark(model):  # type: ignore[no-untyped-def]
    return mark(model.world)


@implements(contract.rewind, Oracle)
def _rewind(model, mark):  # type: ignore[no-untyped-def]
    rewind(model.world, mark)


@implements(evaluate, Oracle)
def _evaluate(model, prior):  # type: ignore[no-untyped-def]
    for action in range(prior.size):
        prior[action] = 0.0
    value = 0.0
    for state in range(model.values.size):
        weight = model.world.belief[state]
        if model.world.now[HIDDEN] != NOTHING:
            weight = 1.0 if state == model.world.now[HIDDEN] else 0.0
        for action in range(prior.size):
            prior[action] += weight * model.priors[state, action]
        value += weight * model.values[state]
    return value


class Judge(FinitePOMDP):
    """The owner of an `Oracle`: uniform priors and values of 0.5, until they are set."""

    @property
    def compiled(self) -> Any:  # an `Oracle`
        if not hasattr(self, "priors"):
            states = self._model.belief.size
            self.priors, self.values = np.full((states, self.actions), 1 / self.actions), np.full(states, 0.5)
        return Oracle(self._model, self.priors, self.values)

    def judging(self, priors: NDArray[np.float64], values: NDArray[np.float64]) -> "Judge":
        """Sets what is said of each state, float64[S, A] and float64[S]."""
        self.priors = np.vstack([priors, np.full(self.actions, 1 / self.actions)])
        self.values = np.append(values, 0.5)
        return self

    def copy(self) -> "Judge":
        twin = super().copy()
        self.compiled  # noqa: B018  # sets what is said
        twin.priors, twin.values = self.priors.copy(), self.values.copy()
        return twin


class Process(NamedTuple):
    """A layered decision process whose percepts show the state; a life begins in state 0 of layer 0.

    Attributes:
        steps: outcomes of each state and action.
        bits: width of a percept.
        rewards: of each percept.
        means: float64[S, A], greatest mean reward per cycle that remains up to the last layer, behind each action.
    """

    steps: Steps
    bits: int
    rewards: list[float]
    means: NDArray[np.float64]

    @property
    def low(self) -> float:
        return min(self.rewards)

    @property
    def span(self) -> float:
        return max(self.rewards) - min(self.rewards)


def random_process(seed: int, layers: int = 4, width: int = 8, actions: int = 4, branches: int = 3) -> Process:
    """Draws a process: `width` states a layer, Dirichlet transitions, uniform rewards in [0, 1]."""
    rng = np.random.default_rng([seed, 2018])
    states, state_bits, action_bits = layers * width, (width - 1).bit_length(), (actions - 1).bit_length()
    bits = state_bits + action_bits + (layers - 1).bit_length()
    rewards = rng.random(1 << bits)
    steps: Steps = []
    means = np.zeros((states, actions))
    for state in range(states):
        layer = state // width
        onward = (layer + 1) % layers
        row = []
        for action in range(actions):
            reached = rng.choice(width, branches, replace=False).tolist()
            weights = rng.dirichlet(np.ones(branches)).tolist()
            row.append(
                [
                    (weight, onward * width + to, to | action << state_bits | layer << state_bits + action_bits)
                    for weight, to in zip(weights, reached, strict=True)
                ]
            )
        steps.append(row)
    for state in reversed(range(states)):
        left = layers - state // width
        for action in range(actions):
            for weight, to, percept in steps[state][action]:
                after = means[to].max() * (left - 1) if left > 1 else 0.0
                means[state, action] += weight * (rewards[percept] + after) / left
    return Process(steps, bits, rewards.tolist(), means)


def judge_of(process: Process, temperature: float | None = None, noise: NDArray[np.float64] | None = None) -> Judge:
    """A model of the process that knows it by heart.

    Args:
        process: the process.
        temperature: of a softmax prior of exact normalised means; None for a uniform prior.
        noise: float64[S, A], added to the means that priors and values are made of.
    """
    model = known(process)
    means = (process.means + (0.0 if noise is None else noise) - process.low) / process.span
    priors = np.ones_like(means) if temperature is None else np.exp((means - means.max(1, keepdims=True)) / temperature)
    return model.judging(priors / priors.sum(1, keepdims=True), np.clip(means.max(1), 0.0, 1.0))


def known(process: Process) -> Judge:
    """A model of the process, born."""
    model = Judge(
        process.bits,
        [
            [[(p, to, words_of(percept, process.bits)) for p, to, percept in row] for row in rows]
            for rows in process.steps
        ],
        [(1.0, 0, words_of(0, process.bits))],
    )
    model.update(words_of(0, process.bits))
    return model


def search_over(kind: Any, model: FinitePOMDP, rewards: list[float], seed: int = 0, **options: Any) -> Any:
    """A planner of a kind over a world whose whole percept is the reward's code."""
    return kind(
        model.actions,
        model.percept_bits,
        reward_code(rewards, 0, None),
        RewardRange(min(rewards), max(rewards)),
        np.random.SeedSequence(seed),
        **({"horizon": 1, "simulations": 100} | options),
    )
