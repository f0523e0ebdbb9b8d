"""Rewards to numbers of a fixed width and back.

* A declared finite set: each reward has its rank, or the reward plus an offset. Any other reward is an error.
* A declared range: equal steps from the least reward to the greatest. A reward outside is an error.
* Nothing declared: the values that come get numbers in the order in which they first come, while there are no more
  of them than numbers. With one more, numbers are equal steps over the range of the rewards seen. The range grows
  during the first `WARMUP` cycles and then stays: a reward outside is taken for the nearest end, counted and warned
  about.
"""

import math
import numbers
import warnings
from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aixi.agents.base import RewardRange
from aixi.errors import InvalidValueError, at_least, require
from aixi.state import State

MOST_REWARD_BITS = 16
RANGE_BITS = 4
"""Width of rewards that are not a finite set, unless given."""
WARMUP = 1000
"""Cycles in which the range of undeclared rewards grows."""
_FEWER = "declare a range of rewards (reward_range) instead of a list"


class RewardNumbers(ABC):
    """How rewards are written as numbers.

    Attributes:
        bits: width of a number.
        table: float64[2**bits], the reward that each number decodes to.
        valid: bool[2**bits], whether a real percept can hold the number.
        low: least reward known.
        high: greatest reward known.
        outside: rewards that had to be taken for another one.
        words: how they are written, for the record of a run.
    """

    bits: int
    table: NDArray[np.float64]
    valid: NDArray[np.bool_]
    low: float
    high: float
    outside: int = 0
    words: str

    @property
    @abstractmethod
    def neutral(self) -> int:
        """The number of the reward nearest 0, for a percept that no action has earned; nothing is learnt from it."""

    @abstractmethod
    def encode(self, reward: float) -> int | None:
        """Returns the number of a real reward; None if it is not one that was declared."""

    def state_dict(self) -> State:
        """Returns what was learnt of undeclared rewards."""
        return {}

    def load_state_dict(self, state: State) -> None:  # noqa: B027  # what is declared learns nothing
        """Goes on from a state."""


class ListedRewards(RewardNumbers):
    """A finite set.

    Args:
        values: all rewards, ascending.
        bits: None for as few as do.
        offset: makes the number `reward + offset`; without it it is the rank.
    """

    def __init__(self, values: tuple[float, ...], bits: int | None, offset: int | None) -> None:
        if offset is None:
            self._numbers = {reward: rank for rank, reward in enumerate(values)}
        else:
            for reward in values:
                require(
                    reward.is_integer() and reward + offset >= 0,
                    f"reward + reward_offset must be a whole number of at least 0, got {reward:g} + {offset}; "
                    "use a greater offset, or rank codes (no reward_offset)",
                )
            self._numbers = {reward: int(reward) + offset for reward in values}
        ranks_fit = offset is not None and len(values) <= 1 << MOST_REWARD_BITS
        way_out = "use rank codes (no reward_offset)" if ranks_fit else _FEWER
        self.bits = _width(max(self._numbers.values()) + 1, bits, way_out)
        self._neutral = self._numbers[min(values, key=abs)]
        self.low, self.high = values[0], values[-1]
        rewards, real = np.array(values), np.array(list(self._numbers.values()), np.int64)
        self.valid = np.zeros(1 << self.bits, np.bool_)
        self.valid[real] = True
        # Numbers ascend with rewards. Midway between two rewards the lesser is taken, not to promise too much.
        middles = (real[1:] + real[:-1]) / 2
        self.table = rewards[np.searchsorted(middles, np.arange(1 << self.bits), side="left")]
        self.words = f"{len(values)} values in {self.bits} bits"

    @property
    def neutral(self) -> int:
        return self._neutral

    def encode(self, reward: float) -> int | None:
        try:
            return self._numbers.get(reward)
        except TypeError:  # nothing that could be a reward
            return None


class SteppedRewards(RewardNumbers):
    """A declared range in equal steps, its ends among them."""

    def __init__(self, low: float, high: float, bits: int | None) -> None:
        self.bits = RANGE_BITS if bits is None else _width(2, bits)
        self.low, self.high = low, high
        self.table = np.linspace(low, high, 1 << self.bits)
        self.valid = np.ones(1 << self.bits, np.bool_)
        self.words = f"[{low:g}, {high:g}] in {1 << self.bits} steps"

    @property
    def neutral(self) -> int:
        return _step(min(max(0.0, self.low), self.high), self.low, self.high, self.bits)

    def encode(self, reward: float) -> int | None:
        number = _number(reward)
        if number is None or not self.low <= number <= self.high:
            return None
        return _step(number, self.low, self.high, self.bits)


class LearntRewards(RewardNumbers):
    """Rewards of which nothing is declared.

    Args:
        bits: width.
        name: how warnings call the environment.
    """

    def __init__(self, bits: int | None, name: str) -> None:
        self.bits = RANGE_BITS if bits is None else _width(2, bits)
        self._name = name
        self.table = np.zeros(1 << self.bits)
        self.valid = np.zeros(1 << self.bits, np.bool_)
        self.low, self.high = 0.0, 0.0
        self._numbers: dict[float, int] = {}
        self._stepped = False
        self._count = 0

    @property
    def words(self) -> str:  # type: ignore[override]  # it grows with the life
        if not self._stepped:
            return f"undeclared: {len(self._numbers)} values so far, in {self.bits} bits"
        return f"undeclared: [{self.low:g}, {self.high:g}] in {1 << self.bits} steps"

    @property
    def neutral(self) -> int:
        return 0  # of the first reward to come: no reward is known to be near 0

    def encode(self, reward: float) -> int | None:
        number = _number(reward)
        if number is None:
            return None
        self._count += 1
        if not self._stepped:
            found = self._numbers.get(number)
            return self._new(number) if found is None else found
        if not self.low <= number <= self.high:
            if self._count > WARMUP:
                if not self.outside:
                    warnings.warn(
                        f"{self._name} gave reward {number:g} after {self._count} cycles, outside [{self.low:g}, "
                        f"{self.high:g}], what the first {WARMUP} showed; it counts as the nearest end. Declare its "
                        "rewards or reward_range to have it right",
                        stacklevel=2,
                    )
                self.outside += 1
            else:
                self._stretch(number)
        return _step(number, self.low, self.high, self.bits)

    def _new(self, reward: float) -> int:
        """Takes in a value that has not been seen."""
        if not self._numbers:
            self.low = self.high = reward
        if len(self._numbers) < 1 << self.bits:
            place = len(self._numbers)
            self._numbers[reward] = place
            self.low, self.high = min(self.low, reward), max(self.high, reward)
            self.table[place], self.valid[place] = reward, True
            self.table[place + 1 :] = self.low  # what has not come promises nothing
            return place
        self._stepped = True
        self._numbers.clear()
        self.valid[:] = True
        self._stretch(reward)
        return _step(reward, self.low, self.high, self.bits)

    def _stretch(self, reward: float) -> None:
        self.low, self.high = min(self.low, reward), max(self.high, reward)
        self.table[:] = np.linspace(self.low, self.high, 1 << self.bits)

    def state_dict(self) -> State:
        return {
            "values": np.array(list(self._numbers), np.float64),
            "stepped": self._stepped,
            "count": self._count,
            "outside": self.outside,
            "range": (self.low, self.high),
            "table": self.table.copy(),
            "valid": self.valid.copy(),
        }

    def load_state_dict(self, state: State) -> None:
        self._numbers = {value: place for place, value in enumerate(state["values"].tolist())}
        self._stepped, self._count, self.outside = state["stepped"], state["count"], state["outside"]
        self.low, self.high = state["range"]
        self.table[:], self.valid[:] = state["table"], state["valid"]  # in place: planners hold these arrays


def reward_numbers(
    rewards: RewardRange, bits: int | None = None, offset: int | None = None, name: str = "the environment"
) -> RewardNumbers:
    """Returns how rewards are written.

    Args:
        rewards: what is declared of them.
        bits: width; None for as few as do.
        offset: of a finite set of whole numbers, see `ListedRewards`.
        name: how messages call the environment.

    Raises:
        InvalidValueError: if they do not fit the width.

    Example:
        >>> numbers = reward_numbers(RewardRange(-1.0, 1.0), bits=2)
        >>> numbers.encode(0.4), numbers.table.round(2).tolist()
        (2, [-1.0, -0.33, 0.33, 1.0])
    """
    if rewards.values is not None:
        return ListedRewards(rewards.values, bits, offset)
    if offset is not None:
        raise InvalidValueError(
            f"reward_offset is for a finite reward set, got the interval [{rewards.low:g}, {rewards.high:g}]; "
            "leave it out"
        )
    if math.isfinite(rewards.low) and math.isfinite(rewards.high):
        return SteppedRewards(rewards.low, rewards.high, bits)
    return LearntRewards(bits, name)


def _step(reward: float, low: float, high: float, bits: int) -> int:
    steps = (1 << bits) - 1
    share = (reward - low) / (high - low) if high > low else 0.0
    return round(min(max(share, 0.0), 1.0) * steps)


def _number(reward: Any) -> float | None:
    """Returns a reward as a float; None if it is no finite number: a text or an array is none either."""
    if not isinstance(reward, float | numbers.Real | np.bool_):
        return None
    try:
        number = float(reward)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _width(count: int, bits: int | None, way_out: str = "") -> int:
    """Returns the bits that `count` numbers need, at least 1, or a given width that holds them.

    Args:
        count: numbers.
        bits: the width given.
        way_out: what to do where they need more bits than may be.
    """
    needed = max((count - 1).bit_length(), 1)
    width = needed if bits is None else at_least("reward_bits", bits, needed)
    require(
        width <= MOST_REWARD_BITS,
        f"reward_bits must be at most {MOST_REWARD_BITS}, got {width}"
        f"{'; ' + way_out if needed > MOST_REWARD_BITS else ''}",
    )
    return width
