"""Agents that learn nothing: what a score must be measured against."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Discrete
from numpy.typing import NDArray

from aixi.agents.base import ActionMask, Agent, Hints, RewardRange
from aixi.agents.percepts import ActionCodec
from aixi.errors import InvalidValueError, at_least
from aixi.state import State

_BLOCK = 1024  # discrete actions drawn at once: one draw costs as much as the rest of a cycle


class RandomAgent(Agent):
    """Acts uniformly at random, in any action space.

    Example:
        >>> agent = RandomAgent()
        >>> agent.reset(Discrete(1), Discrete(3), RewardRange.finite(0, 1), np.random.SeedSequence(0))
        >>> [agent.act() for _ in range(8)]
        [2, 1, 1, 0, 0, 0, 0, 0]
    """

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
        self._space = action_space
        self._joint: ActionCodec | None = None  # made where a mask comes first: a space need have no joint actions
        self._rng = np.random.default_rng(seed)
        self._drawn: list[int] = []  # discrete actions drawn and not yet taken, the next one last

    def begin(self, observation: Any, info: dict[str, Any]) -> None:
        pass

    def act(self, mask: ActionMask | None = None) -> Any:
        space = self._space
        if mask is not None:
            allowed = np.flatnonzero(mask)
            self._joint = self._joint or ActionCodec(space)
            return self._joint.decode(int(allowed[self._rng.integers(len(allowed))]))
        if not isinstance(space, Discrete):
            # One seed an action keeps all randomness in one generator, however deep the space nests.
            space.seed(int(self._rng.integers(2**31)))
            return space.sample()
        if not self._drawn:
            self._drawn = (int(space.start) + self._rng.integers(int(space.n), size=_BLOCK))[::-1].tolist()
        return self._drawn.pop()

    def observe(self, action: Any, observation: Any, reward: float, terminated: bool, truncated: bool) -> None:
        pass

    def state_dict(self) -> State:
        return {"rng": self._rng.bit_generator.state, "drawn": np.array(self._drawn, np.int64)}

    def load_state_dict(self, state: State) -> None:
        drawn: NDArray[np.int64] = state["drawn"]
        self._rng.bit_generator.state = state["rng"]
        self._drawn = drawn.tolist()


class ConstantAgent(Agent):
    """Always takes the same action; where a mask forbids it, the first allowed one.

    Args:
        action: index of the joint action, counted from 0 whatever the space's start; see `ActionCodec`.

    Example:
        >>> agent = ConstantAgent(2)
        >>> agent.reset(Discrete(1), Discrete(3), RewardRange.finite(0, 1), np.random.SeedSequence(0))
        >>> agent.act(), agent.act(np.array([False, True, False]))
        (2, 1)
    """

    def __init__(self, action: int = 0) -> None:
        self.action = at_least("action", action, 0)

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
        self._codec = ActionCodec(action_space)
        if self.action >= self._codec.count:
            raise InvalidValueError(f"action must be less than {self._codec.count} here, got {self.action}")

    def begin(self, observation: Any, info: dict[str, Any]) -> None:
        pass

    def act(self, mask: ActionMask | None = None) -> Any:
        index = self.action if mask is None or mask[self.action] else int(np.argmax(mask))
        return self._codec.decode(index)

    def observe(self, action: Any, observation: Any, reward: float, terminated: bool, truncated: bool) -> None:
        pass

    def state_dict(self) -> State:
        return {}

    def load_state_dict(self, state: State) -> None:
        pass
