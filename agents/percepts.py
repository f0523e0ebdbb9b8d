"""Gymnasium observations and rewards to percept bits and back, and joint actions to indices and back.

A percept is laid out as observation, reward and, where lives have episodes, one end bit. An observation is
a row of components: the numbers of a MultiDiscrete or MultiBinary in C order, the parts of a Tuple in order,
those of a Dict in the order of its keys. A component of n values takes ceil(log2 n) bits, the least
significant first, as an unsigned integer. Tables 1-3 of Veness, Ng, Hutter, Uther and Silver (2011) give the
widths of the paper's domains; some are wider than need be, and every width can be set.

Decoding is total. A model may imagine any bits: a component beyond its space decodes to its greatest value,
and a reward that does not exist to the nearest that does. `reward_valid` says which reward codes are real.
"""

import operator
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any, NamedTuple, TypeAlias

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from aixi.agents.base import RewardRange
from aixi.errors import EnvironmentFaultError, InvalidValueError, UnsupportedSpaceError, at_least, require

Space: TypeAlias = gymnasium.Space[Any]

MOST_REWARD_BITS = 20
MOST_ACTIONS = 1 << 16
SUPPORTED = "Discrete, MultiDiscrete, MultiBinary, and Tuple and Dict of those"


class Component(NamedTuple):
    """One number of a space: `size` values from `start` on."""

    size: int
    start: int


def components(space: Space) -> Iterator[Component]:
    """Yields the components of a space in percept order.

    Raises:
        UnsupportedSpaceError: if the space, or a part of it, has no finite row of components.
    """
    match space:
        case spaces.Discrete():
            yield Component(int(space.n), int(space.start))
        case spaces.MultiDiscrete():
            yield from map(Component, space.nvec.ravel().tolist(), space.start.ravel().tolist())
        case spaces.MultiBinary():
            yield from [Component(2, 0)] * int(np.prod(space.shape))
        case spaces.Tuple():
            for part in space.spaces:
                yield from components(part)
        case spaces.Dict():
            for part in space.spaces.values():
                yield from components(part)
        case _:
            raise UnsupportedSpaceError(
                f"space {space} has no percept code; use {SUPPORTED}, or wrap the environment so that it does"
            )


def _numbers(space: Space, member: Any) -> Iterator[int]:
    """Yields the numbers of a member of a space, one a component."""
    match space:
        case spaces.Discrete():
            yield operator.index(member)
        case spaces.Tuple():
            for part, item in zip(space.spaces, member, strict=True):
                yield from _numbers(part, item)
        case spaces.Dict():
            for key, part in space.spaces.items():
                yield from _numbers(part, member[key])
        case _:
            yield from map(int, np.asarray(member).ravel().tolist())


def _member(space: Space, numbers: Iterator[int]) -> Any:
    """Takes as many numbers as the space has components and returns the member that they make."""
    match space:
        case spaces.Discrete():
            return next(numbers)
        case spaces.Tuple():
            return tuple(_member(part, numbers) for part in space.spaces)
        case spaces.Dict():
            return {key: _member(part, numbers) for key, part in space.spaces.items()}
        case _:
            size = int(np.prod(space.shape or ()))
            return np.array([next(numbers) for _ in range(size)], space.dtype).reshape(space.shape or ())


class PerceptCodec:
    """Percepts of one environment as fixed-width bits.

    Args:
        observation_space: where observations come from.
        rewards: the finite set of rewards of one cycle.
        episodic: whether a percept ends with one bit that says that its episode is over.
        observation_bits: width of each component, where it is to be wider than it need be.
        reward_bits: width of the reward, where it is to be wider than it need be; always at least 1.
        reward_offset: makes the reward's code `reward + reward_offset`, an unsigned integer, as in
            the paper's presets; without it the code is the reward's rank in the set.
        name: how messages call the environment.

    Attributes:
        component_bits: width of each observation component, in bits.
        observation_bits: total width of the observation, in bits.
        reward_bits: width of the reward, in bits; it starts at bit `observation_bits`.
        percept_bits: width of a percept, in bits.
        words: number of 64-bit words that a percept takes.
        reward_table: float64[2**reward_bits], the reward that each code decodes to.
        reward_valid: bool[2**reward_bits], whether a real percept can hold the code.

    Raises:
        UnsupportedSpaceError: if the observation space has no percept code.
        InvalidValueError: if the reward set is not finite, or a width is too small for what it must hold.

    Example:
        Tiger: 2 bits of observation, then the reward plus 100 in 7 bits.

        >>> tiger = PerceptCodec(spaces.Discrete(3), RewardRange.finite(-100, -1, 10), reward_offset=100)
        >>> tiger.observation_bits, tiger.reward_bits, tiger.percept_bits
        (2, 7, 9)
        >>> words = tiger.encode(2, -1.0)
        >>> bin(int(words[0]))
        '0b110001110'
        >>> tiger.decode(words)
        (2, -1.0, False)
    """

    def __init__(
        self,
        observation_space: Space,
        rewards: RewardRange,
        *,
        episodic: bool = False,
        observation_bits: Sequence[int] | None = None,
        reward_bits: int | None = None,
        reward_offset: int | None = None,
        name: str = "the environment",
    ) -> None:
        self.observation_space = observation_space
        self.episodic = episodic
        self.name = name
        self._components = tuple(components(observation_space))
        self.component_bits = _component_widths(self._components, observation_bits)
        self.observation_bits = sum(self.component_bits)
        self._codes = _reward_codes(rewards, reward_offset)
        self.reward_bits = _width("reward_bits", max(self._codes.values()) + 1, reward_bits, lowest=1)
        require(
            self.reward_bits <= MOST_REWARD_BITS,
            f"reward_bits must be at most {MOST_REWARD_BITS}, got {self.reward_bits}; "
            "use rank codes (no reward_offset)",
        )
        self.percept_bits = self.observation_bits + self.reward_bits + int(episodic)
        self.words = -(-self.percept_bits // 64)
        self.reward_table, self.reward_valid = _reward_table(self._codes, self.reward_bits)
        self._shifts = tuple(accumulate((0, *self.component_bits[:-1])))
        # A lone Discrete is by far the commonest observation: it goes past the walk over nested spaces.
        self._lone = self._components[0] if isinstance(observation_space, spaces.Discrete) else None

    def encode(self, observation: Any, reward: float, ended: bool = False) -> NDArray[np.uint64]:
        """Returns the bits of a percept, uint64[words].

        Args:
            observation: a member of the observation space.
            reward: a member of the reward set.
            ended: whether the episode is over; left out of the bits unless the codec is episodic.

        Raises:
            EnvironmentFaultError: if the observation or the reward is not one that the environment declared.
        """
        try:
            reward_code = self._codes[reward]
        except (KeyError, TypeError):  # not a reward of the set, or nothing that could be one
            raise EnvironmentFaultError(self._reward_fault(reward)) from None
        code = self._observation_code(observation) | reward_code << self.observation_bits
        if ended and self.episodic:
            code |= 1 << (self.percept_bits - 1)
        words = np.empty(self.words, np.uint64)
        if self.words == 1:
            words[0] = code
        else:
            words[:] = np.frombuffer(code.to_bytes(8 * self.words, "little"), "<u8")
        return words

    def decode(self, words: NDArray[np.uint64]) -> tuple[Any, float, bool]:
        """Returns the observation, the reward and whether the episode is over, whatever the bits.

        Args:
            words: uint64[words]; bits above the percept are left out.
        """
        require(words.shape == (self.words,), f"words must have shape ({self.words},), got {words.shape}")
        code = int.from_bytes(words.astype("<u8").tobytes(), "little")
        numbers = (
            start + min(code >> shift & ((1 << width) - 1), size - 1)
            for (size, start), width, shift in zip(self._components, self.component_bits, self._shifts, strict=True)
        )
        observation = _member(self.observation_space, numbers)
        reward = self.reward_table[code >> self.observation_bits & ((1 << self.reward_bits) - 1)]
        return observation, float(reward), self.episodic and bool(code >> (self.percept_bits - 1) & 1)

    def _observation_code(self, observation: Any) -> int:
        """Returns the observation's bits as one integer, bit 0 first."""
        space = self.observation_space
        try:
            if self._lone is not None:
                number = operator.index(observation) - self._lone.start
                if 0 <= number < self._lone.size:
                    return number
            elif space.contains(observation):
                rows = zip(_numbers(space, observation), self._components, self._shifts, strict=True)
                return sum((number - start) << shift for number, (_, start), shift in rows)
        except (TypeError, ValueError):
            pass  # so foreign to the space that it cannot even be compared with it
        raise EnvironmentFaultError(
            f"{self.name} gave observation {observation!r}, which is not in its space {space}; "
            "correct the environment or its observation_space"
        )

    def _reward_fault(self, reward: Any) -> str:
        low, high = min(self._codes), max(self._codes)
        return (
            f"{self.name} gave reward {reward!r}, which is not one of the {len(self._codes)} rewards that it "
            f"declares in [{low:g}, {high:g}]; correct the environment or its declared reward set"
        )


def _width(name: str, count: int, width: int | None, lowest: int = 0) -> int:
    """Returns the bits that `count` codes need, or a given width that holds them."""
    needed = max((count - 1).bit_length(), lowest)
    return needed if width is None else at_least(name, width, needed)


def _component_widths(parts: tuple[Component, ...], widths: Sequence[int] | None) -> tuple[int, ...]:
    given: Sequence[int | None] = (None,) * len(parts) if widths is None else widths
    require(
        len(given) == len(parts),
        f"observation_bits must hold one width for each of the {len(parts)} components, got {given!r}",
    )
    return tuple(
        _width(f"observation_bits[{index}]", part.size, width)
        for index, (part, width) in enumerate(zip(parts, given, strict=True))
    )


def _reward_codes(rewards: RewardRange, offset: int | None) -> dict[float, int]:
    """Returns the code of each reward: its rank, or the reward plus the offset."""
    if rewards.values is None:
        raise InvalidValueError(
            f"percept bits need a finite reward set, got the interval [{rewards.low:g}, {rewards.high:g}]; "
            "declare RewardRange.finite(...), or wrap the environment so that it rounds its rewards"
        )
    if offset is None:
        return {reward: rank for rank, reward in enumerate(rewards.values)}
    for reward in rewards.values:
        require(
            reward.is_integer() and reward + offset >= 0,
            f"reward + reward_offset must be a whole number of at least 0, got {reward:g} + {offset}; "
            "use a greater offset, or rank codes (no reward_offset)",
        )
    return {reward: int(reward) + offset for reward in rewards.values}


def _reward_table(codes: dict[float, int], bits: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Returns what each reward code decodes to, and which codes are real."""
    rewards = np.array(list(codes), np.float64)
    real = np.array(list(codes.values()), np.int64)
    every = np.arange(1 << bits)
    valid = np.zeros(1 << bits, np.bool_)
    valid[real] = True
    # Codes ascend with rewards. Midway between two rewards the lesser is taken, not to promise too much.
    middles = (real[1:] + real[:-1]) / 2
    return rewards[np.searchsorted(middles, every, side="left")], valid


def action_count(space: Space) -> int:
    """Returns the number of joint actions of an action space.

    Raises:
        UnsupportedSpaceError: if the space is not finite, or has more than 2**16 joint actions.

    Example:
        >>> action_count(spaces.Tuple([spaces.Discrete(3), spaces.MultiBinary(2)]))
        12
    """
    count = 1
    for part in components(space):
        count *= part.size
        if count > MOST_ACTIONS:
            raise UnsupportedSpaceError(
                f"action space {space} has more than {MOST_ACTIONS} joint actions; "
                "wrap the environment so that it offers fewer"
            )
    return count


def decode_action(space: Space, index: int) -> Any:
    """Returns the joint action of an index below `action_count(space)`; the first component varies fastest.

    Example:
        >>> decode_action(spaces.Tuple([spaces.Discrete(3), spaces.Discrete(2, start=5)]), 4)
        (1, 6)
    """
    numbers = []
    rest = at_least("action index", index, 0)
    for part in components(space):
        rest, digit = divmod(rest, part.size)
        numbers.append(part.start + digit)
    require(rest == 0, f"action index must be less than {action_count(space)}, got {index}")
    return _member(space, iter(numbers))


def encode_action(space: Space, action: Any) -> int:
    """Returns the index of a joint action.

    Raises:
        InvalidValueError: if the action is not in the space.
    """
    require(space.contains(action), f"action must be in {space}, got {action!r}")
    index, factor = 0, 1
    for number, part in zip(_numbers(space, action), components(space), strict=True):
        index += factor * (number - part.start)
        factor *= part.size
    return index
