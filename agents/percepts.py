"""Gymnasium percepts to bits of a fixed width and back, and joint actions to indices and back.

A percept is laid out as observation, reward and, where lives have episodes, two bits of boundary: 0 no end, 1
terminated, 2 truncated. An observation is a row of components (see `aixi.agents.codes`). A component of n values takes
ceil(log2 n) bits, the least significant first, as an unsigned integer. Tables 1-3 of Veness, Ng, Hutter, Uther and
Silver (2011) give the widths of the paper's domains; some are wider than need be, and every width can be set.

Decoding is total. A model may imagine any bits: a component beyond its space decodes to its greatest value,
and a reward that does not exist to the nearest that does. `rewards.valid` says which reward numbers are real.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from aixi.agents.base import Boundary, RewardRange
from aixi.agents.codes import make_code, parts_of
from aixi.agents.masks import fits, known_table
from aixi.agents.rewards import ListedRewards, SteppedRewards, reward_numbers
from aixi.agents.space_codes import DiscreteCode, Space, numbers_of
from aixi.errors import EnvironmentFaultError, InvalidValueError, UnsupportedSpaceError, at_least, require
from aixi.state import State

MOST_ACTIONS = 1 << 16
ACTION_BINS = 5
"""Bins of each number of a Box of actions, its bounds among them."""
_BOUNDARY_BITS = 2
_MOST_SHOWN = 200


class PerceptCodec:
    """Percepts of one environment as fixed-width bits.

    Args:
        observation_space: where observations come from.
        rewards: what is declared of the rewards of one cycle; see `aixi.agents.rewards`.
        episodic: whether a percept ends with two bits that say how it ended its episode.
        observation_bits: width of each component, where it is to be wider than it need be.
        reward_bits: width of the reward; by default, and always, at least what a finite set needs.
        reward_offset: makes the reward's code `reward + reward_offset`, an unsigned integer, as in
            the paper's presets; without it the code is the reward's rank in the set.
        codes: how parts of the observation are made finite; see `aixi.agents.codes.make_code`.
        name: how messages call the environment.

    Attributes:
        code: the observation's code.
        component_bits: width of each observation component, in bits.
        observation_bits: total width of the observation, in bits.
        rewards: the rewards' numbers.
        reward_bits: width of the reward, in bits; it starts at bit `observation_bits`.
        percept_bits: width of a percept, in bits.
        words: number of 64-bit words that a percept takes.
        layout: widths in bits of the parts of a percept, in order: the observation's components, the reward, and
            where lives have episodes the boundary; their sum is `percept_bits`, and a part may take none.

    Raises:
        UnsupportedSpaceError: if the observation space has no percept code.
        InvalidValueError: if a width is too small for what it must hold.

    Example:
        Tiger: 2 bits of observation, then the reward plus 100 in 7 bits.

        >>> tiger = PerceptCodec(spaces.Discrete(3), RewardRange.finite(-100, -1, 10), reward_offset=100)
        >>> tiger.observation_bits, tiger.reward_bits, tiger.percept_bits, tiger.layout
        (2, 7, 9, (2, 7))
        >>> words = tiger.encode(2, -1.0)
        >>> bin(int(words[0]))
        '0b110001110'
        >>> tiger.decode(words)
        (2, -1.0, <Boundary.NONE: 0>)
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
        codes: Mapping[str, str] | None = None,
        name: str = "the environment",
    ) -> None:
        self.observation_space = observation_space
        self.episodic = episodic
        self.name = name
        self._codes = dict(codes or {})
        self.code = make_code(observation_space, codes)
        self.component_bits = _widths(self.code.sizes, observation_bits)
        self.observation_bits = sum(self.component_bits)
        self.rewards = reward_numbers(rewards, reward_bits, reward_offset, name)
        self.reward_bits = self.rewards.bits
        self._end = self.observation_bits + self.reward_bits
        self.percept_bits = self._end + _BOUNDARY_BITS * episodic
        self.layout = (*self.component_bits, self.reward_bits, *((_BOUNDARY_BITS,) if episodic else ()))
        self.words = -(-self.percept_bits // 64)
        self._shifts = tuple(accumulate(self.component_bits, initial=0))[:-1]
        # A lone Discrete is by far the commonest observation: it goes past the walk over nested spaces.
        self._lone: tuple[int, int] | None = None
        if isinstance(observation_space, spaces.Discrete) and type(self.code) is DiscreteCode:
            self._lone = int(observation_space.start), int(observation_space.n)

    def encode(self, observation: Any, reward: float, boundary: Boundary = Boundary.NONE) -> NDArray[np.uint64]:
        """Returns the bits of a real percept, uint64[words]; codes that follow what they see learn from it.

        Args:
            observation: a member of the observation space.
            reward: a reward that the environment may give.
            boundary: how the episode ended; left out of the bits unless the codec is episodic.

        Raises:
            EnvironmentFaultError: if the observation or the reward is not one that the environment declared.
            InvalidValueError: if a sequence or a text in it is longer than its code's bound.
        """
        number = self.rewards.encode(reward)
        if number is None:
            raise EnvironmentFaultError(self._reward_fault(reward))
        return self._words(observation, number, boundary)

    def encode_first(self, observation: Any) -> NDArray[np.uint64]:
        """Returns the bits of a life's first observation, uint64[words], as if an episode had ended before it.

        No action has earned a reward yet: that nearest 0 stands for it, and nothing is learnt of rewards.

        Raises:
            EnvironmentFaultError: if the observation is not one that the environment declared.
            InvalidValueError: if a sequence or a text in it is longer than its code's bound.
        """
        return self._words(observation, self.rewards.neutral, Boundary.TERMINATED)

    def _words(self, observation: Any, number: int, boundary: Boundary) -> NDArray[np.uint64]:
        bits = self._observation_code(observation) | number << self.observation_bits
        if self.episodic:
            bits |= int(boundary) << self._end
        words = np.empty(self.words, np.uint64)
        if self.words == 1:
            words[0] = bits
        else:
            words[:] = np.frombuffer(bits.to_bytes(8 * self.words, "little"), "<u8")
        return words

    def decode(self, words: NDArray[np.uint64]) -> tuple[Any, float, Boundary]:
        """Returns the observation, the reward and how the episode ended, whatever the bits.

        Args:
            words: uint64[words]; bits above the percept are left out.
        """
        require(words.shape == (self.words,), f"words must have shape ({self.words},), got {words.shape}")
        bits = int.from_bytes(words.astype("<u8").tobytes(), "little")
        reward = self.rewards.table[bits >> self.observation_bits & ((1 << self.reward_bits) - 1)]
        ended = bits >> self._end & 3 if self.episodic else 0
        return self.decode_observation(bits), float(reward), Boundary(min(ended, Boundary.TRUNCATED))

    def decode_observation(self, bits: int) -> Any:
        """Returns the observation of a percept's bits as one integer, bit 0 first."""
        numbers = (
            min(bits >> shift & ((1 << width) - 1), size - 1)
            for size, width, shift in zip(self.code.sizes, self.component_bits, self._shifts, strict=True)
        )
        return self.code.decode(numbers)

    def mask_table(
        self, actions: int, mask: Callable[[Any], Any], part: str = "", labels: Sequence[int] | None = None
    ) -> tuple[int, int, NDArray[np.bool_]] | None:
        """Returns which actions are allowed after a percept, as a table over the bits of a part of the observation.

        A plain function is asked once in a process for all lives in the same spaces, of the code as it was made.

        Args:
            actions: number of joint actions.
            mask: from a member of that part to bool[actions]; see `aixi.agents.masks.table_of`.
            part: its path.
            labels: which of the mask's actions each of the table's is; None where they are the same.

        Returns:
            First bit of the part, its width in bits, and bool[2**width, actions], all True where the mask allows
            nothing (no real observation is like that); None if the part is wider than 16 bits, or 20 where the mask
            takes many members at once.

        Raises:
            InvalidValueError: if the mask has not so many truth values, or there is no such part.
        """
        first, code = self.code.part(part)
        widths = self.component_bits[first : first + len(code.sizes)]
        if not fits(mask, code, widths):
            return None
        origin = (self.observation_space, self._codes, part)
        table = known_table(mask, code, widths, actions, origin, self.name)
        table = table.take(range(actions) if labels is None else labels, axis=1)  # a copy, whole rows of it together
        return (self._shifts[first] if widths else 0), sum(widths), table

    def words_of_coding(self) -> dict[str, str]:
        """Returns how observations and rewards are written, for the record of a run."""
        return {
            "observation": f"{self.code.words}; {self.observation_bits} bits",
            "reward": self.rewards.words,
        }

    def state_dict(self) -> State:
        """Returns what the codes have learnt."""
        return {"code": self.code.state_dict(), "rewards": self.rewards.state_dict()}

    def load_state_dict(self, state: State) -> None:
        """Goes on from a state."""
        self.code.load_state_dict(state["code"])
        self.rewards.load_state_dict(state["rewards"])

    def _observation_code(self, observation: Any) -> int:
        """Returns the observation's bits as one integer, bit 0 first."""
        space = self.observation_space
        try:
            if self._lone is not None:
                start, size = self._lone
                number = operator.index(observation) - start
                if 0 <= number < size:
                    return number
                inside = False
            else:
                inside = space.contains(observation)
        except (TypeError, ValueError):  # so foreign to the space that it cannot even be compared with it
            inside = False
        if not inside:
            raise EnvironmentFaultError(
                f"{self.name} gave observation {_shown(observation)}, which is not in its space {space}"
                f"{misfit(space, observation)}; correct the environment or its observation_space"
            )
        self.code.learn(observation)
        bits = 0
        numbers = numbers_of(self.code, observation)
        for number, size, shift in zip(numbers, self.code.sizes, self._shifts, strict=True):
            if not 0 <= number < size:
                raise InvalidValueError(f"a code must give numbers in [0, {size}), got {number} of {self.code.words}")
            bits |= number << shift
        return bits

    def _reward_fault(self, reward: Any) -> str:
        low, high = self.rewards.low, self.rewards.high
        match self.rewards:
            case ListedRewards():
                if isinstance(reward, np.floating) and reward.itemsize < 8:
                    near = [known for known in self.rewards.table.tolist() if reward.dtype.type(known) == reward]
                    if near:
                        return (
                            f"{self.name} gave reward {reward!r}, the declared reward {near[0]!r} rounded to "
                            f"{reward.dtype}; have the environment give it in full, as a Python float"
                        )
                rule = f"which is not one of the {int(self.rewards.valid.sum())} rewards that it declares in"
            case SteppedRewards():
                rule = "which is outside the range that it declares,"
            case _:
                return f"{self.name} gave reward {reward!r}, which is no finite number; correct the environment"
        return (
            f"{self.name} gave reward {reward!r}, {rule} [{low:g}, {high:g}]; correct the environment or its "
            "declared rewards"
        )


def _widths(sizes: tuple[int, ...], widths: Sequence[int] | None) -> tuple[int, ...]:
    """Returns the bits that components need, or given ones that hold them."""
    needed = [(size - 1).bit_length() for size in sizes]
    if widths is None:
        return tuple(needed)
    require(
        len(widths) == len(sizes),
        f"observation_bits must hold one width for each of the {len(sizes)} components, got {widths!r}",
    )
    return tuple(
        at_least(f"observation_bits[{place}]", width, least)
        for place, (width, least) in enumerate(zip(widths, needed, strict=True))
    )


def misfit(space: Space, member: Any, path: str = "") -> str:
    """Returns the first part at fault of what is not in a space, what it is and what it should be.

    Example:
        >>> misfit(spaces.Dict(speed=spaces.Box(0, 9, (2,))), {"speed": np.array([1.0, 2.0])})
        " (at 'speed' dtype float64 instead of float32)"
    """
    parts: list[tuple[Any, Space, Any]] = []
    if isinstance(space, spaces.Dict) and isinstance(member, dict) and member.keys() == space.spaces.keys():
        parts = [(key, part, member[key]) for key, part in space.spaces.items()]
    elif isinstance(space, spaces.Tuple) and isinstance(member, tuple | list) and len(member) == len(space.spaces):
        parts = [(key, part, member[key]) for key, part in enumerate(space.spaces)]
    elif isinstance(space, spaces.Sequence) and isinstance(member, tuple) and not space.stack:
        parts = [(key, space.feature_space, item) for key, item in enumerate(member)]
    for key, part, item in parts:
        try:
            inside = part.contains(item)
        except (TypeError, ValueError):
            inside = False
        if not inside:
            return misfit(part, item, f"{path}.{key}" if path else str(key))
    where = f"at {path!r} " if path else ""
    if isinstance(member, np.ndarray | np.generic) and space.shape is not None and space.dtype is not None:
        if member.shape != space.shape:
            return f" ({where}shape {member.shape} instead of {space.shape})"
        if not np.can_cast(member.dtype, space.dtype):
            return f" ({where}dtype {member.dtype} instead of {space.dtype})"
    return f" ({where}{_shown(member)} is not in {space})" if path else ""


def _shown(member: Any) -> str:
    """Returns what something looks like, in one line of bounded length."""
    text = " ".join(repr(member).split())
    return text if len(text) <= _MOST_SHOWN else f"{text[: _MOST_SHOWN - 3]}..."


class ActionCodec:
    """The joint actions of a space as indices; the first component varies fastest.

    Numbers of a Box are five each, its bounds among them, unless `codes` say otherwise.

    Args:
        space: the action space.
        codes: as for observations.

    Attributes:
        count: number of joint actions.
        words: how they are numbered, for the record of a run.

    Raises:
        UnsupportedSpaceError: if the space is not finite, or has more than 2**16 joint actions.

    Example:
        >>> codec = ActionCodec(spaces.Tuple([spaces.Discrete(3), spaces.Discrete(2, start=5)]))
        >>> codec.count, codec.decode(4), codec.encode((1, 6))
        (6, (1, 6), 4)
    """

    def __init__(self, space: Space, codes: Mapping[str, str] | None = None) -> None:
        self.space = space
        for path, part in parts_of(space):
            if isinstance(part, spaces.Box) and not (codes and path in codes) and not part.is_bounded():
                where = f"part {path!r} of action space {space}" if path else f"action space {space}"
                raise UnsupportedSpaceError(
                    f"{where} must have finite bounds to be joint actions; give the action space bounds, or wrap it "
                    "with gymnasium.wrappers.RescaleAction"
                )
        self._code = make_code(space, {"*": f"uniform bins={ACTION_BINS} ends=1", **(codes or {})})
        self.sizes = self._code.sizes
        self.count = 1
        for size in self.sizes:
            self.count *= size
            if self.count > MOST_ACTIONS:
                raise UnsupportedSpaceError(
                    f"action space {space} has more than {MOST_ACTIONS} joint actions; "
                    "wrap the environment so that it offers fewer"
                )
        self.words = f"{self.count} joint actions: {self._code.words}"
        self._start = int(space.start) if isinstance(space, spaces.Discrete) else None

    def decode(self, index: int) -> Any:
        """Returns the joint action of an index below `count`."""
        require(0 <= index < self.count, f"action index must be at least 0 and less than {self.count}, got {index}")
        if self._start is not None:
            return self._start + index
        numbers = []
        for size in self.sizes:
            index, digit = divmod(index, size)
            numbers.append(digit)
        return self._code.decode(iter(numbers))

    def encode(self, action: Any) -> int:
        """Returns the index of a joint action; of a Box the nearest one.

        Raises:
            InvalidValueError: if the action is not in the space.
        """
        if not self.space.contains(action):  # the text of the error costs more than all the rest
            raise InvalidValueError(f"action must be in {self.space}, got {action!r}")
        if self._start is not None:
            return int(action) - self._start
        index, factor = 0, 1
        for number, size in zip(self._code.encode(action), self.sizes, strict=True):
            index += factor * number
            factor *= size
        return index
