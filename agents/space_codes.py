"""What writes the members of each kind of space as numbers, and takes them back.

A member is a row of components: the numbers of a MultiDiscrete or MultiBinary in C order, the parts of a Tuple in
order, those of a Dict in the order of its keys. A Sequence or a Text is its length and then its items up to a bound,
those that are not there 0.

Decoding is total: whatever a model imagines is a member of the space. A number beyond its component decodes to its
greatest value, and items beyond the length are left out.
"""

import copy
import operator
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, TypeAlias

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector.utils import concatenate, create_empty_array, iterate
from numpy.typing import NDArray

from aixi.errors import InvalidValueError, at_least, require
from aixi.state import State

Space: TypeAlias = gymnasium.Space[Any]

MOST_LENGTH = 64
"""The bound of sequences and texts, unless a code gives another, or a text is never that short."""


class SpaceCode(ABC):
    """How members of one space are written as numbers.

    Attributes:
        sizes: how many values each component has.
        words: what it does, for the record of a run.
    """

    sizes: tuple[int, ...]
    words: str

    @abstractmethod
    def encode(self, member: Any) -> Iterator[int]:
        """Yields the numbers of a member of the space, one a component, each in [0, size).

        Raises:
            InvalidValueError: if it is longer than the code's bound.
        """

    @abstractmethod
    def decode(self, numbers: Iterator[int]) -> Any:
        """Takes as many numbers as there are components, each in [0, size), and returns a member."""

    def part(self, path: str) -> tuple[int, "SpaceCode"]:
        """Returns the first component of a part, given by its path, and its code.

        Raises:
            InvalidValueError: if there is no such part.
        """
        if path:
            raise InvalidValueError(f"there is no part {path!r} in {self.words}")
        return 0, self

    def learn(self, member: Any) -> None:  # noqa: B027  # most codes have nothing to learn
        """Takes in a real member before it is encoded; codes that follow what they see do so here alone."""

    def state_dict(self) -> State:
        """Returns what the code has learnt."""
        return {}

    def load_state_dict(self, state: State) -> None:  # noqa: B027  # most codes have learnt nothing
        """Goes on from a state."""


class DiscreteCode(SpaceCode):
    """A number from `start` on."""

    def __init__(self, space: spaces.Discrete) -> None:
        self._start, self.sizes = int(space.start), (int(space.n),)
        self.words = f"{space.n} values"

    def encode(self, member: Any) -> Iterator[int]:
        return iter((operator.index(member) - self._start,))

    def decode(self, numbers: Iterator[int]) -> int:
        return self._start + next(numbers)


class ArrayCode(SpaceCode):
    """The numbers of a MultiDiscrete or a MultiBinary."""

    def __init__(self, space: spaces.MultiDiscrete | spaces.MultiBinary) -> None:
        self._shape, self._dtype = space.shape, space.dtype
        if isinstance(space, spaces.MultiBinary):
            self.sizes = (2,) * int(np.prod(space.shape))
            self._starts: list[int] = [0] * len(self.sizes)
        else:
            self.sizes, self._starts = tuple(space.nvec.ravel().tolist()), space.start.ravel().tolist()
        self._from_zero = not any(self._starts)
        self.words = f"{len(self.sizes)} numbers"

    def encode(self, member: Any) -> Iterator[int]:
        numbers = np.asarray(member, self._dtype).ravel().tolist()
        return iter(numbers) if self._from_zero else map(operator.sub, numbers, self._starts)

    def decode(self, numbers: Iterator[int]) -> Any:
        return self.members(np.array([[next(numbers) for _ in self.sizes]], np.int64))[0]

    def members(self, numbers: NDArray[np.int64]) -> NDArray[Any]:
        """Returns many members at once, [members, *shape], of their numbers, int64[members, components]."""
        return (numbers + np.array(self._starts, np.int64)).astype(self._dtype).reshape(-1, *self._shape)


class NestedCode(SpaceCode):
    """Parts by key, in order: a Dict."""

    def __init__(self, parts: dict[Any, SpaceCode]) -> None:
        self._parts = parts
        self._learners = {key: part for key, part in parts.items() if type(part).learn is not SpaceCode.learn}
        self.sizes = tuple(size for part in parts.values() for size in part.sizes)
        self.words = "; ".join(f"{key}: {part.words}" for key, part in parts.items())

    def encode(self, member: Any) -> Iterator[int]:
        for key, part in self._parts.items():
            yield from part.encode(member[key])

    def decode(self, numbers: Iterator[int]) -> Any:
        return {key: part.decode(numbers) for key, part in self._parts.items()}

    def learn(self, member: Any) -> None:
        for key, part in self._learners.items():
            part.learn(member[key])

    def part(self, path: str) -> tuple[int, SpaceCode]:
        first = 0
        for key, part in self._parts.items():
            if path and (path == str(key) or path.startswith(f"{key}.")):
                inner, found = part.part(path[len(str(key)) + 1 :])
                return first + inner, found
            first += len(part.sizes)
        return super().part(path)

    def state_dict(self) -> State:
        return {"parts": [part.state_dict() for part in self._parts.values()]}

    def load_state_dict(self, state: State) -> None:
        for part, saved in zip(self._parts.values(), state["parts"], strict=True):
            part.load_state_dict(saved)


class RowCode(NestedCode):
    """Parts in order: a Tuple."""

    def decode(self, numbers: Iterator[int]) -> Any:
        return tuple(super().decode(numbers).values())


class SequenceCode(SpaceCode):
    """A Sequence up to a bound: its length, then its items.

    Args:
        space: the space.
        item: code of an item; it learns from every item.
        length: the bound.
    """

    def __init__(self, space: spaces.Sequence, item: SpaceCode, length: int = MOST_LENGTH) -> None:
        self._space, self._item = space, item
        self._length = at_least("length", length, 0)
        self.sizes = (length + 1, *item.sizes * length)
        self.words = f"at most {length} items, each {item.words}"

    def _items(self, member: Any) -> list[Any]:
        return list(iterate(self._space.stacked_feature_space, member) if self._space.stack else member)

    def learn(self, member: Any) -> None:
        for item in self._items(member):
            self._item.learn(item)

    def encode(self, member: Any) -> Iterator[int]:
        items = self._items(member)
        _within(len(items), self._length, "sequence", "items")
        yield len(items)
        for item in items:
            yield from self._item.encode(item)
        yield from [0] * ((self._length - len(items)) * len(self._item.sizes))

    def decode(self, numbers: Iterator[int]) -> Any:
        count = next(numbers)
        items = [self._item.decode(numbers) for _ in range(self._length)][:count]
        if not self._space.stack:
            return tuple(items)
        stacked: Any = create_empty_array(self._space.feature_space, count)
        return concatenate(self._space.feature_space, items, stacked) if items else stacked

    def state_dict(self) -> State:
        return self._item.state_dict()

    def load_state_dict(self, state: State) -> None:
        self._item.load_state_dict(state)


class TextCode(SpaceCode):
    """A Text up to a bound: its length, then its characters by their place in the sorted character set.

    Args:
        space: the space.
        length: the bound; `MOST_LENGTH`, or the least length of a text, where none is given.
    """

    def __init__(self, space: spaces.Text, length: int | None = None) -> None:
        self._least = space.min_length
        bound = max(MOST_LENGTH, self._least) if length is None else at_least("length", length, self._least)
        self._most = min(space.max_length, bound)
        self._characters = sorted(space.character_set)
        self._places = {character: place for place, character in enumerate(self._characters)}
        self.sizes = (self._most - self._least + 1, *(len(self._characters),) * self._most)
        self.words = f"{self._least} to {self._most} of {len(self._characters)} characters"

    def encode(self, member: Any) -> Iterator[int]:
        _within(len(member), self._most, "text", "characters")
        yield len(member) - self._least
        yield from (self._places[character] for character in member)
        yield from [0] * (self._most - len(member))

    def decode(self, numbers: Iterator[int]) -> str:
        count = self._least + next(numbers)
        return "".join([self._characters[next(numbers)] for _ in range(self._most)][:count])


def _within(length: int, bound: int, noun: str, items: str) -> None:
    require(
        length <= bound,
        f"a {noun} must have at most {bound} {items} to be coded, got {length}; give this part the code "
        f"'bound length={length}' or a greater one",
    )


class IgnoreCode(SpaceCode):
    """Nothing of a member: it always decodes to the same one."""

    def __init__(self, space: Space) -> None:
        self._space = space
        self.sizes, self.words = (), "ignored"

    def encode(self, member: Any) -> Iterator[int]:
        return iter(())

    def decode(self, numbers: Iterator[int]) -> Any:
        space = copy.deepcopy(self._space)  # the environment's own generator is left as it was
        space.seed(0)
        return space.sample()


def numbers_of(code: SpaceCode, member: Any) -> list[int]:
    """Returns a member's numbers.

    Raises:
        InvalidValueError: if they are not as many as the code has components.
    """
    numbers = list(code.encode(member))
    if len(numbers) != len(code.sizes):
        raise InvalidValueError(
            f"code {code.words} must give {len(code.sizes)} numbers, got {len(numbers)}; correct its encode or sizes"
        )
    return numbers
