"""Two models of one environment as one: whichever predicts the better is followed, and the other if it overtakes.

Real percepts are mixed by fixed share (`aixi.predictors.fixed_share`): each member gives the whole percept a code
length, and the mixture's is -log2 sum w_i 2^-bits_i. A network that becomes better than context trees at whatever
time is followed at a cost that grows with the logarithm of the life's length alone.

**Imagination.** The first percept that a simulation samples draws one member by its weight, and all that follows up
to the rewind is that member's alone. With w_i the weights now and P_i a member's probability of a future, futures are
so drawn from sum w_i P_i, which is exactly the Bayes mixture's distribution of them: what its posterior would make of
the first imagined percept is what drawing the member once makes of it. A switch of members within the horizon, whose
prior is 1/(t + 1) a cycle after t cycles of life, is not imagined. Until a member is drawn actions are kept, and then
given to it: those drawn in no simulation cost nothing.

More than two are mixed by mixing mixtures.
"""

from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from aixi.errors import InvalidValueError, require
from aixi.predictors.fixed_share import weigh, weighed
from aixi.predictors.intrinsics import next_float
from aixi.predictors.model import (
    EnvironmentModel,
    condition,
    implements,
    mark,
    rewind,
    sample,
    source_tag,
    update,
)
from aixi.state import State

# Fields of `ModelPair.now`.
POSITION, FOLLOWED, DRAWN_AT, START, LEARNT = range(5)
NOBODY = -1


class ModelPair(NamedTuple):
    """Two compiled models of the same actions and percepts, and the weights between them.

    A position counts the actions and percepts since the last real percept; it serves as mark.

    Attributes:
        first, second: the members.
        weights: float64[2], probability that each is the one to follow.
        bits: float64[2], code lengths that they gave the last real percept.
        now: int64[5]: `POSITION`; the member `FOLLOWED` in imagination, or `NOBODY`; the position that it was
            `DRAWN_AT`, and its own mark then, `START`; `LEARNT` real percepts.
        actions: int64[positions], actions that wait for a member.
        marks: int64[positions], the followed member's marks.
        source: see `aixi.predictors.model`.
    """

    first: Any
    second: Any
    weights: NDArray[np.float64]
    bits: NDArray[np.float64]
    now: NDArray[np.int64]
    actions: NDArray[np.int64]
    marks: NDArray[np.int64]
    source: NDArray[Any] = source_tag(__file__)


@implements(condition, ModelPair)
def _condition(model, action):  # type: ignore[no-untyped-def]  # the contract's types
    position, followed = model.now[POSITION], model.now[FOLLOWED]
    if followed == NOBODY:
        model.actions[position] = action
    elif followed == 0:
        condition(model.first, action)
    else:
        condition(model.second, action)
    model.now[POSITION] = position + 1


@implements(sample, ModelPair)
def _sample(model, rng, words):  # type: ignore[no-untyped-def]
    position = model.now[POSITION]
    if model.now[FOLLOWED] == NOBODY:
        model.now[DRAWN_AT] = position
        if next_float(rng) < model.weights[0]:
            model.now[FOLLOWED] = 0
            model.now[START] = mark(model.first)
            for kept in range(position):
                condition(model.first, model.actions[kept])
        else:
            model.now[FOLLOWED] = 1
            model.now[START] = mark(model.second)
            for kept in range(position):
                condition(model.second, model.actions[kept])
    model.now[POSITION] = position + 1
    if model.now[FOLLOWED] == 0:
        return sample(model.first, rng, words)
    return sample(model.second, rng, words)


@implements(update, ModelPair)
def _update(model, words):  # type: ignore[no-untyped-def]
    for kept in range(model.now[POSITION]):
        condition(model.first, model.actions[kept])
        condition(model.second, model.actions[kept])
    model.now[POSITION] = 0
    model.bits[0] = update(model.first, words)
    model.bits[1] = update(model.second, words)
    model.now[LEARNT] += 1
    return weigh(model.weights, model.bits, model.now[LEARNT])


@implements(mark, ModelPair)
def _mark(model):  # type: ignore[no-untyped-def]
    position = model.now[POSITION]
    if model.now[FOLLOWED] == 0:
        model.marks[position] = mark(model.first)
    elif model.now[FOLLOWED] == 1:
        model.marks[position] = mark(model.second)
    return position


@implements(rewind, ModelPair)
def _rewind(model, mark):  # type: ignore[no-untyped-def]
    followed = model.now[FOLLOWED]
    if followed != NOBODY:
        drawn_since = mark <= model.now[DRAWN_AT]
        start = model.now[START] if drawn_since else model.marks[mark]
        if followed == 0:
            rewind(model.first, start)
        else:
            rewind(model.second, start)
        if drawn_since:
            model.now[FOLLOWED] = NOBODY
    model.now[POSITION] = mark


class ModelMixture(EnvironmentModel):
    """A Bayes mixture of two models with fixed share, as a planner's model.

    Args:
        first: a model.
        second: another, of the same actions and percepts; both belong to the mixture from now on.

    Raises:
        InvalidValueError: if they differ in actions or percepts.

    Example:
        >>> from aixi.predictors import FactoredContextTreeModel
        >>> model = ModelMixture(*(FactoredContextTreeModel(2, 1, depth=depth) for depth in (1, 4)))
        >>> for cycle in range(100):
        ...     model.condition(0)
        ...     bits = model.update(np.array([cycle % 4 < 2], np.uint64))  # 1100..., which one bit back does not tell
        >>> bool(bits < 0.2), bool(model.weights[1] > 0.95)
        (True, True)
    """

    def __init__(self, first: EnvironmentModel, second: EnvironmentModel) -> None:
        shapes = [(member.actions, member.percept_bits) for member in (first, second)]
        require(
            shapes[0] == shapes[1],
            f"members must have the same actions and percept bits, got {shapes[0]} and {shapes[1]}",
        )
        self.actions, self.percept_bits = shapes[0]
        self.members = first, second
        self.version = first.version + second.version
        self._weights, self._bits = np.full(2, 0.5), np.zeros(2)
        self._now = np.array([0, NOBODY, 0, 0, 0], np.int64)
        self._actions, self._marks = np.zeros(0, np.int64), np.zeros(0, np.int64)

    @property
    def compiled(self) -> ModelPair:
        first, second = (member.compiled for member in self.members)
        return ModelPair(first, second, self._weights, self._bits, self._now, self._actions, self._marks)

    @property
    def weights(self) -> NDArray[np.float64]:
        """The probability that each member is the one to follow, float64[2]."""
        return self._weights.copy()

    def reserve(self, percepts: int) -> None:
        for member in self.members:
            member.reserve(percepts)
        self._make_room(int(self._now[POSITION]) + 2 * percepts + 4)

    def _make_room(self, positions: int) -> None:
        more = positions - self._actions.size
        if more > 0:
            self._actions, self._marks = (
                np.concatenate([array, np.zeros(more, np.int64)]) for array in (self._actions, self._marks)
            )

    def update(self, words: NDArray[np.uint64]) -> float:
        self._refuse_while_imagining("update")
        for action in self._actions[: self._now[POSITION]].tolist():
            for member in self.members:
                member.condition(action)
        self._now[POSITION] = 0
        self._bits[:] = [member.update(words) for member in self.members]
        self._now[LEARNT] += 1
        bits, self._weights[:] = weighed(self._weights, self._bits, int(self._now[LEARNT]))
        self.version = sum(member.version for member in self.members)
        return bits

    def _refuse_while_imagining(self, what: str) -> None:
        if self._now[FOLLOWED] != NOBODY:
            raise InvalidValueError(f"{what} must come after rewind, got one in the middle of imagination")

    def state_dict(self) -> State:
        self._refuse_while_imagining("state_dict")
        return {
            "members": [member.state_dict() for member in self.members],
            "weights": self._weights.copy(),
            "learnt": int(self._now[LEARNT]),
            "waiting": self._actions[: self._now[POSITION]].copy(),
        }

    def load_state_dict(self, state: State) -> None:
        for member, saved in zip(self.members, state["members"], strict=True):
            member.load_state_dict(saved)
        self._weights[:] = state["weights"]
        waiting = np.array(state["waiting"], np.int64)
        self._now[:] = [waiting.size, NOBODY, 0, 0, state["learnt"]]
        self._make_room(waiting.size)
        self._actions[: waiting.size] = waiting
        self.version = sum(member.version for member in self.members)

    def copy(self) -> Self:
        first, second = (member.copy() for member in self.members)
        twin = type(self)(first, second)
        twin._weights[:], twin._now[:] = self._weights, self._now
        twin._actions, twin._marks = self._actions.copy(), self._marks.copy()
        return twin
