"""The contract of an agent."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, TypeAlias

import gymnasium
import numpy as np
from numpy.typing import NDArray

from aixi.errors import require
from aixi.state import State

ActionMask: TypeAlias = NDArray[np.bool_]


class Boundary(IntEnum):
    """How a cycle ended its episode."""

    NONE = 0
    TERMINATED = 1
    TRUNCATED = 2


def boundary_of(terminated: bool, truncated: bool) -> Boundary:
    """Returns how a cycle ended its episode; by its rules, where both are so."""
    return Boundary.TERMINATED if terminated else Boundary.TRUNCATED if truncated else Boundary.NONE


@dataclass(frozen=True)
class Hints:
    """What an environment's author knows of its spaces, for agents that can use it.

    Attributes:
        codes: how parts of the observation are made finite, by path; see `aixi.agents.codes.make_code`.
        mask: a function from a part of the observation to bool[actions], where what is allowed follows from what is
            seen.
        mask_part: path of that part, `""` for the whole observation.
        labels: which of the mask's actions each of the agent's is, by joint index; None where they are the same.
    """

    codes: Mapping[str, str] = field(default_factory=dict)
    mask: Callable[[Any], Any] | None = None
    mask_part: str = ""
    labels: tuple[int, ...] | None = None


@dataclass(frozen=True)
class RewardRange:
    """The rewards an environment may give in one cycle.

    Attributes:
        low: the least reward; -inf where nothing is declared.
        high: the greatest reward; inf where nothing is declared.
        values: every possible reward in ascending order where the set is finite, else None.
    """

    low: float
    high: float
    values: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        require(self.low <= self.high, f"reward range must have low <= high, got [{self.low}, {self.high}]")

    @classmethod
    def finite(cls, *values: float) -> "RewardRange":
        """The range of a finite reward set.

        Example:
            >>> RewardRange.finite(10, -1, -100)
            RewardRange(low=-100.0, high=10.0, values=(-100.0, -1.0, 10.0))
        """
        ordered = tuple(sorted({float(value) for value in values}))
        require(bool(ordered), "a reward set must hold at least one reward, got none")
        return cls(ordered[0], ordered[-1], ordered)


class Agent(ABC):
    """An agent lives one life: a stream of percepts, whether or not its environment has episodes.

    The runner owns the loop, and calls `reset` once, `begin` at the start of each episode, then `act` and `observe`
    in turn. Episode ends arrive in `observe`; the reset that follows is no cycle of its own.
    """

    @abstractmethod
    def reset(
        self,
        observation_space: gymnasium.Space[Any],
        action_space: gymnasium.Space[Any],
        reward_range: RewardRange,
        seed: np.random.SeedSequence,
        *,
        cycles: int | None = None,
        episodic: bool = False,
        hints: Hints | None = None,
    ) -> None:
        """Begins a life.

        Args:
            observation_space: where observations come from.
            action_space: where actions are taken from.
            reward_range: the rewards of one cycle.
            seed: the only source of the agent's randomness.
            cycles: length of the life in cycles where it is known; schedules may be tied to it.
            episodic: whether episodes end; where they do, their ends are part of the percepts.
            hints: what else is known of the spaces.

        Raises:
            UnsupportedSpaceError: if the agent cannot live in these spaces.
        """

    @abstractmethod
    def begin(self, observation: Any, info: dict[str, Any]) -> None:
        """Takes in the first observation of an episode."""

    @abstractmethod
    def act(self, mask: ActionMask | None = None) -> Any:
        """Returns the next action, a member of the action space.

        Args:
            mask: bool[joint actions], in the order of `aixi.agents.percepts.ActionCodec`, True where one is
                allowed; None allows all.
        """

    @abstractmethod
    def observe(self, action: Any, observation: Any, reward: float, terminated: bool, truncated: bool) -> None:
        """Takes in the percept that followed `action`."""

    @abstractmethod
    def state_dict(self) -> State:
        """Returns everything: model, search tree, schedules, random state. Arrays are copies."""

    @abstractmethod
    def load_state_dict(self, state: State) -> None:
        """Goes on from a state; called after `reset` with the spaces of the life that was saved."""

    def coding(self) -> dict[str, str]:
        """Returns how the agent writes `observation`, `action` and `reward`, in words; nothing if it takes them raw."""
        return {}

    def diagnostics(self) -> dict[str, float]:
        """Returns running totals of the life so far.

        Keys that the suite knows: `percepts` and `percept_bits`, the number of percepts predicted and their total
        code length in bits; `simulations`; `model_bits`, percept bits that the planner's model sampled;
        `invalid_rewards`, imagined rewards that no real percept could have; `rewards_outside`, real ones that were
        taken for another because they fell outside what the agent could foresee.
        """
        return {}
