"""Members of Gymnasium spaces to rows of numbers and back.

A member is a row of components: the numbers of a MultiDiscrete or MultiBinary in C order, the parts of a Tuple in
order, those of a Dict in the order of its keys. A Sequence or a Text is its length and then its items up to a bound,
those that are not there 0. A Box is made finite by a code of its own: see `aixi.agents.box_codes`.

Decoding is total: whatever a model imagines is a member of the space. A number beyond its component decodes to its
greatest value, and items beyond the length are left out.
"""

import copy
import inspect
import operator
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector.utils import concatenate, create_empty_array, iterate

from aixi.errors import InvalidValueError, UnsupportedSpaceError, at_least, require
from aixi.registry import Registry, load_object
from aixi.state import State

Space: TypeAlias = gymnasium.Space[Any]

MOST_LENGTH = 64
"""The bound of sequences and texts, unless a code gives another, or a text is never that short."""
MOST_COMPONENTS = 4096


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
        found = [start + next(numbers) for start in self._starts]
        return np.array(found, self._dtype).reshape(self._shape)


class _Nested(SpaceCode):
    """Parts by key, in order."""

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


class _Row(_Nested):
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


@dataclass(frozen=True)
class CodeSpec:
    """One row of the table of codes.

    Attributes:
        name: what rows and users write.
        entry_point: `module:Class` of a `SpaceCode`, made of a space and of the options as keywords.
        summary: one line.
    """

    name: str
    entry_point: str
    summary: str


CODES: Registry[CodeSpec] = Registry(
    "code",
    CodeSpec("uniform", "aixi.agents.box_codes:UniformCode", "equal bins between the bounds of a Box"),
    CodeSpec("quantiles", "aixi.agents.box_codes:QuantileCode", "bins that hold equally many of what was seen"),
    CodeSpec("image", "aixi.agents.box_codes:ImageCode", "an image pooled to a grid of grey levels, or a hash of it"),
    CodeSpec("hash", "aixi.agents.hash_code:HashCode", "a hash of an array, which only tells apart"),
    CodeSpec("ignore", "aixi.agents.codes:IgnoreCode", "nothing of this part"),
)
"""Learnt codes and others join with `CODES.register`."""


def make_code(space: Space, codes: Mapping[str, str] | None = None, path: str = "") -> SpaceCode:
    """Returns the code of a space.

    Args:
        space: the space.
        codes: by path of a part (`""` the whole, `key` a part of a Dict, `0` of a Tuple, `key.0` a part of
            that), `name key=value key=value`: a name of `CODES`, or `bound` of a Sequence or Text, and options.
            `*` stands for every Box that is not named.
        path: of the space.

    Raises:
        UnsupportedSpaceError: if the space, or a part of it, has no finite code.
        InvalidValueError: if a code does not fit, or a path names no part.

    Example:
        >>> code = make_code(spaces.Dict(door=spaces.Discrete(3, start=1), keys=spaces.MultiBinary(2)))
        >>> code.sizes, list(code.encode({"door": 3, "keys": np.array([0, 1])}))
        ((3, 2, 2), [2, 0, 1])
        >>> make_code(spaces.Box(0.0, 1.0, (2,)), {"": "uniform bins=3"}).sizes
        (3, 3)
    """
    given = dict(codes or {})
    used = {"*"}
    code = _make(space, given, path, used)
    unused = sorted(given.keys() - used)
    require(
        not unused, f"codes must be of parts of {space}, got {', '.join(map(repr, unused))}; a part is named key.key"
    )
    if len(code.sizes) > MOST_COMPONENTS:
        raise UnsupportedSpaceError(
            f"space {space} has {len(code.sizes)} components, more than {MOST_COMPONENTS}; give its large parts codes, "
            "such as 'ignore', 'image' or 'bound length=8'"
        )
    return code


def _make(space: Space, codes: Mapping[str, str], path: str, used: set[str]) -> SpaceCode:
    text = codes.get(path, codes.get("*") if isinstance(space, spaces.Box) else None)
    used.add(path)
    name, options = _parse(text) if text is not None else ("", {})
    if name == "bound":
        require(
            isinstance(space, spaces.Sequence | spaces.Text) and options.keys() == {"length"},
            f"bound must be 'bound length=number' of a Sequence or a Text, got {text!r} of {space}",
        )
    elif name:
        return _named(name, space, options, path)
    match space:
        case spaces.Discrete():
            return DiscreteCode(space)
        case spaces.MultiDiscrete() | spaces.MultiBinary():
            return ArrayCode(space)
        case spaces.Tuple():
            return _Row({key: _make(part, codes, _join(path, key), used) for key, part in enumerate(space.spaces)})
        case spaces.Dict():
            return _Nested({key: _make(part, codes, _join(path, key), used) for key, part in space.spaces.items()})
        case spaces.Sequence():
            return SequenceCode(space, _make(space.feature_space, codes, _join(path, "items"), used), **options)
        case spaces.Text():
            return TextCode(space, **options)
        case spaces.Box():
            image = space.dtype == np.uint8 and len(space.shape) > 1
            return _named("image" if image else "uniform", space, {}, path)
    raise UnsupportedSpaceError(
        f"space {space}{_at(path)} has no code of its own; name one for the path {path!r} (codes: "
        f"{', '.join(spec.name for spec in CODES)}), register yours with aixi.agents.codes.CODES, or wrap the "
        "environment"
    )


def _named(name: str, space: Space, options: dict[str, int], path: str) -> SpaceCode:
    kind = load_object(CODES[name].entry_point)
    try:
        inspect.signature(kind).bind(space, **options)
    except TypeError as error:
        known = [f"{option}=number" for option in list(inspect.signature(kind).parameters)[1:]]
        raise InvalidValueError(
            f"code {name!r}{_at(path)} takes {' '.join(known) or 'no options'}, got "
            f"{' '.join(f'{key}={value}' for key, value in options.items()) or 'none'}: {error}"
        ) from error
    try:
        code: SpaceCode = kind(space, **options)
    except UnsupportedSpaceError as error:
        if not path:
            raise
        raise UnsupportedSpaceError(f"{error} (the part is {path!r})") from error
    return code


def _parse(text: str) -> tuple[str, dict[str, int]]:
    """Returns the name and the options of a code as it is written.

    Example:
        >>> _parse("quantiles bins=8 warmup=100")
        ('quantiles', {'bins': 8, 'warmup': 100})
    """
    name, *pairs = text.split() or [""]
    options = {}
    for pair in pairs:
        key, _, value = pair.partition("=")
        options[key] = int(value) if value.isdecimal() else -1
    require(
        bool(name) and len(options) == len(pairs) and -1 not in options.values(),
        f"a code must be written name key=number key=number, got {text!r}",
    )
    return name, options


def _at(path: str) -> str:
    return f" at {path!r}" if path else ""


def _join(path: str, key: Any) -> str:
    return f"{path}.{key}" if path else str(key)
