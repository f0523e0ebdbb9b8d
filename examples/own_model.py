"""A model of one's own in the compiled search: a ring of rooms, the prize three steps to the left.

    python examples/own_model.py

A model is a NamedTuple of arrays and five operations; `source_tag` makes compiled code follow its edits.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from aixi.agents.base import RewardRange
from aixi.agents.planning import RewardCode, RhoUCT, SearchResult
from aixi.predictors import model as contract
from aixi.predictors.model import EnvironmentModel, implements, source_tag
from aixi.state import State

ROOMS, PRIZE = 8, 5
LEFT, RIGHT = 0, 1


class Ring(NamedTuple):
    """int64[1] each: the room, and the action to be carried out there."""

    room: NDArray[np.int64]
    action: NDArray[np.int64]
    source: NDArray[Any] = source_tag(__file__)


@implements(contract.condition, Ring)
def _condition(model: Ring, action: int) -> None:
    model.action[0] = action


@implements(contract.sample, Ring)
def _sample(model: Ring, rng: NDArray[np.uint64], words: NDArray[np.uint64]) -> float:
    step = 1 if model.action[0] == RIGHT else ROOMS - 1
    model.room[0] = (model.room[0] + step) % ROOMS
    words[0] = 1 if model.room[0] == PRIZE else 0  # a percept is one bit: the prize
    return 0.0  # bits: everything is certain here


@implements(contract.update, Ring)
def _update(model: Ring, words: NDArray[np.uint64]) -> float:
    step = 1 if model.action[0] == RIGHT else ROOMS - 1
    model.room[0] = (model.room[0] + step) % ROOMS
    return 0.0


@implements(contract.mark, Ring)
def _mark(model: Ring) -> int:
    return model.room[0] * 2 + model.action[0]  # type: ignore[no-any-return]  # an int64, as compiled code has it


@implements(contract.rewind, Ring)
def _rewind(model: Ring, mark: int) -> None:
    model.room[0], model.action[0] = mark // 2, mark % 2


class RingModel(EnvironmentModel):
    """Owner of a ring: it begins in room 0."""

    actions, percept_bits = 2, 1

    def __init__(self) -> None:
        self._ring = Ring(np.zeros(1, np.int64), np.zeros(1, np.int64))

    @property
    def compiled(self) -> Ring:
        return self._ring

    def reserve(self, percepts: int) -> None:
        pass  # nothing grows

    def state_dict(self) -> State:
        return {"room": self._ring.room.copy(), "action": self._ring.action.copy()}

    def load_state_dict(self, state: State) -> None:
        self._ring.room[:], self._ring.action[:] = state["room"], state["action"]

    def copy(self) -> "RingModel":
        twin = RingModel()
        twin.load_state_dict(self.state_dict())
        return twin


def search() -> SearchResult:
    """Looks four cycles ahead from room 0."""
    rewards = RewardCode(
        position=np.array([0, 1]),  # the reward is bit 0 of the percept, and 1 bit wide
        values=np.array([0.0, 1.0]),
        valid=np.array([True, True]),
    )
    model = RingModel()
    planner = RhoUCT(
        model.actions,
        model.percept_bits,
        rewards,
        RewardRange.finite(0, 1),
        np.random.SeedSequence(0),
        horizon=4,
        simulations=1000,
    )
    return planner.search([model])


if __name__ == "__main__":
    result = search()
    print(f"best action: {('left', 'right')[result.action]}")
    print(f"value of left {result.values[LEFT]:.3f} and of right {result.values[RIGHT]:.3f} per cycle")
