"""The model of an environment that is known: a finite POMDP, filtered exactly (Astrom 1965).

A planner over it is AImu (Hutter 2005, section 4.1): it need not learn, so what it misses is the search's.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from aixi.errors import InvalidValueError, at_least, require
from aixi.predictors import model as contract
from aixi.predictors.intrinsics import inlined, next_float
from aixi.predictors.model import EnvironmentModel, implements, source_tag
from aixi.state import State

Outcome: TypeAlias = tuple[float, int, Sequence[int] | NDArray[np.uint64]]
"""Probability, next state, and the percept's words."""

# Fields of `FiniteModel.now`, and what they hold when there is nothing to hold.
HIDDEN, ACTION = 0, 1
NOTHING = -1
_ROUNDING = 1e-9  # by which probabilities that should sum to 1 may miss it


class FiniteModel(NamedTuple):
    """S states, A actions, E outcomes, W words a percept. Row `state * A + action` holds a step's outcomes.

    Imagined steps follow one hidden state, drawn from the belief before the first of them: that gives
    percepts their right joint distribution at the price of two draws, and leaves the belief alone.

    Attributes:
        actions: int64[1], A.
        rows: int64[S * A + 1], where each row's outcomes begin, and E.
        cumulative: float64[E], within its row, the probability of an outcome and those before it.
        probabilities: float64[E].
        code_lengths: float64[E], in bits, of an outcome's percept to one who knows the state.
        following: int64[E], next states.
        percepts: uint64[E, W].
        belief: float64[S], the probability of each state given the real history.
        posterior: float64[S], where the next belief is worked out.
        now: int64[2], the `HIDDEN` state that imagination follows, and the `ACTION` to be carried out.
    """

    actions: NDArray[np.int64]
    rows: NDArray[np.int64]
    cumulative: NDArray[np.float64]
    probabilities: NDArray[np.float64]
    code_lengths: NDArray[np.float64]
    following: NDArray[np.int64]
    percepts: NDArray[np.uint64]
    belief: NDArray[np.float64]
    posterior: NDArray[np.float64]
    now: NDArray[np.int64]
    source: NDArray[Any] = source_tag(__file__)


@inlined
def _row(model: Any, state: Any) -> Any:
    """Returns the row of a state under the action at hand. Before life begins any action does, and none."""
    return state * model.actions[0] + max(model.now[ACTION], 0)


@inlined
def _draw_state(model: Any, rng: NDArray[np.uint64]) -> int:
    drawn, left = 0, next_float(rng)
    for state in range(model.belief.size):
        if model.belief[state] > 0.0:
            drawn = state  # a sum a rounding short of 1 must still end on a possible state
            left -= model.belief[state]
            if left < 0.0:
                break
    return drawn


@implements(contract.condition, FiniteModel)
def _condition(model, action):  # type: ignore[no-untyped-def]  # the contract's types
    model.now[ACTION] = action


@implements(contract.sample, FiniteModel)
def _sample(model, rng, words):  # type: ignore[no-untyped-def]
    state = model.now[HIDDEN]
    if state == NOTHING:
        state = _draw_state(model, rng)
    row = _row(model, state)
    outcome, last = model.rows[row], model.rows[row + 1] - 1
    drawn = next_float(rng)
    while outcome < last and drawn >= model.cumulative[outcome]:
        outcome += 1
    for word in range(words.size):
        words[word] = model.percepts[outcome, word]
    model.now[HIDDEN] = model.following[outcome]
    return model.code_lengths[outcome]


@implements(contract.update, FiniteModel)
def _update(model, words):  # type: ignore[no-untyped-def]
    for state in range(model.posterior.size):
        model.posterior[state] = 0.0
    total = 0.0
    for state in range(model.belief.size):
        weight = model.belief[state]
        if weight > 0.0:
            row = _row(model, state)
            for outcome in range(model.rows[row], model.rows[row + 1]):
                same = True
                for word in range(words.size):
                    same &= model.percepts[outcome, word] == words[word]
                if same:
                    mass = weight * model.probabilities[outcome]
                    model.posterior[model.following[outcome]] += mass
                    total += mass
    if total == 0.0:
        return math.inf  # the belief stays; the owner says what is wrong
    for state in range(model.belief.size):
        model.belief[state] = model.posterior[state] / total
    model.now[HIDDEN] = NOTHING
    model.now[ACTION] = NOTHING
    return math.log2(1.0 / total)


@implements(contract.mark, FiniteModel)
def _mark(model):  # type: ignore[no-untyped-def]
    return (model.now[HIDDEN] - NOTHING) * (model.actions[0] + 1) + model.now[ACTION] - NOTHING


@implements(contract.rewind, FiniteModel)
def _rewind(model, mark):  # type: ignore[no-untyped-def]
    model.now[HIDDEN] = mark // (model.actions[0] + 1) + NOTHING
    model.now[ACTION] = mark % (model.actions[0] + 1) + NOTHING


class FinitePOMDP(EnvironmentModel):
    """A known environment as a planner's model. It learns nothing but where it is.

    Its code lengths of real percepts are exact. `sample` returns those to one who knows the hidden state.

    Args:
        percept_bits: width of a percept.
        steps: for each state and each action, the outcomes: probability, next state, words of the percept.
        start: the outcomes of the life's beginning; their percept is the first one, which follows no action.

    Raises:
        InvalidValueError: if probabilities of a row are negative or do not sum to 1, or an outcome's state
            or percept does not exist.

    Example:
        A coin of probability 0.8; whatever is bet, bit 0 shows the side.

        >>> toss = [(0.8, 0, [1]), (0.2, 0, [0])]
        >>> coin = FinitePOMDP(1, steps=[[toss, toss]], start=[(1.0, 0, [0])])
        >>> coin.update(np.array([0], np.uint64))
        0.0
        >>> coin.condition(1)
        >>> round(coin.update(np.array([1], np.uint64)), 4)
        0.3219
    """

    def __init__(
        self, percept_bits: int, steps: Sequence[Sequence[Iterable[Outcome]]], start: Iterable[Outcome]
    ) -> None:
        self.percept_bits = at_least("percept_bits", percept_bits, 1)
        states = at_least("number of states", len(steps), 1)
        self.actions = at_least("number of actions", len(steps[0]), 1)
        for state, actions in enumerate(steps):
            require(
                len(actions) == self.actions,
                f"every state must have outcomes of {self.actions} actions, state {state} has {len(actions)}",
            )
        rows = [
            self._row(f"state {state}, action {action}", outcomes, states)
            for state, actions in enumerate(steps)
            for action, outcomes in enumerate(actions)
        ]
        # One state more is where a life is before its first percept; whatever is done there, the life begins.
        rows += [self._row("start", start, states)] * self.actions
        outcomes = [outcome for row in rows for outcome in row]
        probabilities = [probability for probability, *_ in outcomes]
        self._model = FiniteModel(
            actions=np.array([self.actions]),
            rows=np.cumsum([0, *map(len, rows)]),
            cumulative=np.concatenate([np.cumsum([probability for probability, *_ in row]) for row in rows]),
            probabilities=np.array(probabilities),
            code_lengths=np.array([length for row in rows for length in _code_lengths(row)]),
            following=np.array([following for _, following, _ in outcomes]),
            percepts=np.array([words for *_, words in outcomes], np.uint64),
            belief=np.eye(states + 1)[states].copy(),
            posterior=np.zeros(states + 1),
            now=np.array([NOTHING, NOTHING]),
        )

    def _row(self, where: str, outcomes: Iterable[Outcome], states: int) -> list[tuple[float, int, tuple[int, ...]]]:
        """Returns the outcomes that can happen, equal ones as one, the likeliest first."""
        width = -(-self.percept_bits // 64)
        masses: dict[tuple[int, tuple[int, ...]], float] = defaultdict(float)
        for probability, following, words in outcomes:
            percept = tuple(int(word) for word in words)
            number = sum(word << 64 * index for index, word in enumerate(percept))
            require(probability >= 0.0, f"probabilities must be at least 0, got {probability} in {where}")
            require(0 <= following < states, f"next states must be in [0, {states}), got {following} in {where}")
            require(
                len(percept) == width and min(percept) >= 0 and number < 1 << self.percept_bits,
                f"percepts must be {self.percept_bits} bits in {width} words, got {percept} in {where}",
            )
            masses[following, percept] += probability
        total = math.fsum(masses.values())
        require(abs(total - 1.0) < _ROUNDING, f"probabilities must sum to 1, got {total} in {where}")
        kept = [(mass / total, *key) for key, mass in masses.items() if mass > 0.0]
        return sorted(kept, key=lambda outcome: -outcome[0])

    @property
    def compiled(self) -> FiniteModel:
        return self._model

    @property
    def belief(self) -> NDArray[np.float64]:
        """Probability of each state given the real history, float64[S]; zeros before the first percept."""
        return self._model.belief[:-1].copy()

    def reserve(self, percepts: int) -> None:
        pass  # nothing grows

    def update(self, words: NDArray[np.uint64]) -> float:
        """Moves the belief on by a real percept, uint64[words], and returns its code length in bits.

        Raises:
            InvalidValueError: if no action came before it, or it cannot follow the history; then nothing has
                changed.
        """
        model = self._model
        if model.now[ACTION] == NOTHING and model.belief[-1] == 0.0:
            raise InvalidValueError("every percept but the first must follow an action, got none; call condition")
        bits = super().update(words)
        if bits == math.inf:
            raise InvalidValueError(
                f"percepts must be possible after the history, got {[hex(word) for word in words]}; "
                "the model is not of this environment"
            )
        return bits

    def state_dict(self) -> State:
        return {"belief": self._model.belief.copy(), "now": self._model.now.copy()}

    def load_state_dict(self, state: State) -> None:
        self._model.belief[:], self._model.now[:] = state["belief"], state["now"]

    def copy(self) -> Self:
        twin = type(self).__new__(type(self))
        twin.percept_bits, twin.actions = self.percept_bits, self.actions
        twin._model = FiniteModel._make(array.copy() for array in self._model)
        return twin


def _code_lengths(row: list[tuple[float, int, tuple[int, ...]]]) -> list[float]:
    """Returns the code length in bits of each outcome's percept, given the row's state and action."""
    masses: dict[tuple[int, ...], float] = defaultdict(float)
    for mass, _, percept in row:
        masses[percept] += mass
    return [-math.log2(masses[percept]) for *_, percept in row]
