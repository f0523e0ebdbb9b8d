"""The last percepts of an episode as the state of a table."""

import operator
from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces

from aixi.agents.codes import make_code
from aixi.agents.space_codes import IgnoreCode, Space, numbers_of
from aixi.errors import at_least
from aixi.state import State


class History:
    """Numbers the last observations of an episode, and the actions between them, in the order they first come.

    Histories of different length are different states, so that the first cycles of an episode have their own.

    Args:
        space: where observations come from.
        length: how many observations a state holds; with 0 there is one state alone.
        codes: how parts of the observation are made finite; see `aixi.agents.codes.make_code`.

    Attributes:
        words: how observations are written, for the record of a run.

    Raises:
        UnsupportedSpaceError: if the space has no finite code; of length 0 any space will do.

    Example:
        >>> history = History(spaces.Discrete(9), 2)
        >>> history.begin(4), history.follow(1, 8), history.follow(1, 8), history.follow(1, 8)
        (0, 1, 2, 2)
    """

    def __init__(self, space: Space, length: int, codes: Mapping[str, str] | None = None) -> None:
        at_least("memory", length, 0)
        self._code = make_code(space, codes) if length else IgnoreCode(space)
        self._kept = max(length * (len(self._code.sizes) + 1) - 1, 0)
        self._states: dict[tuple[int, ...], int] = {}
        self._recent: tuple[int, ...] = ()
        # A lone Discrete is by far the commonest observation: it goes past the walk over nested spaces.
        lone = isinstance(space, spaces.Discrete) and bool(length) and not codes
        self._start = int(space.start) if lone and isinstance(space, spaces.Discrete) else None
        self.words = f"the last {length} of: {self._code.words}" if length != 1 else self._code.words

    def __len__(self) -> int:
        return len(self._states)

    @property
    def possible(self) -> float:
        """How many observations there are; inf beyond the range of a float."""
        count = 1.0
        for size in self._code.sizes:
            count *= size
        return count

    def begin(self, observation: Any) -> int:
        """Begins an episode and returns its first state."""
        self._recent = self._numbers(observation)
        return self._state()

    def follow(self, action: int, observation: Any) -> int:
        """Returns the state after the action, by its index, and the observation that followed."""
        self._recent += (action, *self._numbers(observation))
        return self._state()

    def _numbers(self, observation: Any) -> tuple[int, ...]:
        if self._start is not None:
            return (operator.index(observation) - self._start,)
        self._code.learn(observation)
        return tuple(numbers_of(self._code, observation))

    def _state(self) -> int:
        recent = self._recent = self._recent[-self._kept :] if self._kept else ()
        return self._states.setdefault(recent, len(self._states))

    def state_dict(self) -> State:
        """Returns the states seen: their numbers in one row, int64[sum of lengths], and lengths, int64[states]."""
        return {
            "numbers": np.array([number for state in self._states for number in state], np.int64),
            "lengths": np.array([len(state) for state in self._states], np.int64),
            "recent": list(self._recent),
            "code": self._code.state_dict(),
        }

    def load_state_dict(self, state: State) -> None:
        """Goes on from a state."""
        numbers, self._states, end = state["numbers"].tolist(), {}, 0
        for length in state["lengths"].tolist():
            self._states[tuple(numbers[end : end + length])] = len(self._states)
            end += length
        self._recent = tuple(state["recent"])
        self._code.load_state_dict(state["code"])
