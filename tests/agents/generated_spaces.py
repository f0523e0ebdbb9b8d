"""Spaces and members of them for property tests."""

from collections import OrderedDict
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector.utils import create_empty_array
from hypothesis import strategies as st

from aixi.agents.codes import SpaceCode

BOUND = 3
"""Of every generated Sequence."""

_sizes = st.integers(1, 9)
arrays = st.one_of(
    st.builds(lambda n, start: spaces.Discrete(n, start=start), _sizes, st.integers(-5, 5)),
    st.builds(lambda n: spaces.MultiBinary(n), st.integers(1, 4)),
    st.builds(lambda rows: spaces.MultiBinary((rows, 2)), st.integers(1, 3)),
    st.builds(lambda nvec: spaces.MultiDiscrete(nvec), st.lists(_sizes, min_size=1, max_size=3)),
    st.builds(
        lambda n, start: spaces.MultiDiscrete([[n, 2], [3, n]], start=[[start, 0], [1, -start]]),
        _sizes,
        st.integers(-3, 3),
    ),
    st.builds(lambda n: spaces.MultiDiscrete([n, 255], dtype=np.uint8, start=[255 - n, 1]), _sizes),
)
"""Discrete, MultiBinary and MultiDiscrete."""


def _nest(parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.lists(parts, min_size=0, max_size=3).map(spaces.Tuple),
        st.dictionaries(st.sampled_from(["z", "y", "x.y", "w/z"]), parts, max_size=3).map(
            lambda named: spaces.Dict(OrderedDict(named))
        ),
    )


def _deep(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Spaces nested anyhow, a third of them to depth 3 at least."""
    third = st.builds(
        lambda one, two, other: spaces.Dict(b=spaces.Tuple([spaces.Dict(d=one, c=two), other]), a=two),
        leaves,
        leaves,
        leaves,
    )
    return st.one_of(leaves, st.recursive(leaves, _nest, max_leaves=6), third)


numbered = _deep(arrays)
"""Spaces whose members all have the same number of numbers."""

_texts = st.builds(
    lambda least, more, characters: spaces.Text(least + more, min_length=least, charset=characters),
    st.integers(0, 3),
    st.integers(0, 3),
    st.sampled_from(["a", "ab", "01234567", "zyx-é"]),
)
_whole = st.builds(
    lambda low, shape, dtype: spaces.Box(low, low + 3, shape, dtype),
    st.integers(0, 100),
    st.sampled_from([(), (1,), (2,), (0,)]),
    st.sampled_from([np.uint8, np.int64]),
)
_sequences = st.one_of(
    st.builds(lambda item, stack: spaces.Sequence(item, stack=stack), arrays, st.booleans()),
    st.builds(lambda item: spaces.Sequence(spaces.Dict(a=item, b=spaces.Discrete(2)), stack=True), arrays),
    st.builds(lambda item: spaces.Sequence(spaces.Sequence(item)), arrays),
    st.builds(lambda item, text: spaces.Sequence(spaces.Tuple([item, text])), arrays, _texts),
)
exact = _deep(st.one_of(arrays, _texts, _whole, _sequences))
"""Spaces whose codes lose nothing, given `bounds`."""


def bounds(space: gymnasium.Space[Any], path: str = "") -> dict[str, str]:
    """The codes that bound every Sequence in a space."""

    def under(key: Any) -> str:
        return f"{path}.{key}" if path else str(key)

    match space:
        case spaces.Sequence():
            return {path: f"bound length={BOUND}"} | bounds(space.feature_space, under("items"))
        case spaces.Tuple():
            parts = dict(enumerate(space.spaces))
        case spaces.Dict():
            parts = space.spaces
        case _:
            return {}
    return {where: code for key, part in parts.items() for where, code in bounds(part, under(key)).items()}


def member(space: gymnasium.Space[Any], rng: np.random.Generator) -> Any:
    """A random member, whose sequences keep to the bound."""
    match space:
        case spaces.Tuple():
            return tuple(member(part, rng) for part in space.spaces)
        case spaces.Dict():
            return {key: member(part, rng) for key, part in space.spaces.items()}
        case spaces.Sequence():
            length = int(rng.integers(BOUND + 1))
            if not space.stack:
                return tuple(member(space.feature_space, rng) for _ in range(length))
            space.seed(int(rng.integers(1 << 30)))
            # Gymnasium cannot draw a stack of nothing.
            return space.sample(mask=(length, None)) if length else create_empty_array(space.feature_space, 0)
    space.seed(int(rng.integers(1 << 30)))
    # Gymnasium draws no array from a Box of shape (), but asks for one.
    return np.asarray(space.sample()) if isinstance(space, spaces.Box) else space.sample()


def same(left: Any, right: Any) -> bool:
    """Whether two members are equal, arrays by their dtype too."""
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, tuple):
        return isinstance(right, tuple) and len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, np.ndarray):
        return left.dtype == right.dtype and np.array_equal(left, right)
    return bool(left == right)


def numbers_of(code: SpaceCode, one: Any) -> list[int]:
    """The numbers of a member, as many as there are components and each within its own."""
    numbers = list(code.encode(one))
    assert len(numbers) == len(code.sizes)
    assert all(type(number) is int and 0 <= number < size for number, size in zip(numbers, code.sizes, strict=True))
    return numbers


def decoded(code: SpaceCode, numbers: list[int]) -> Any:
    """What numbers decode to."""
    rest = iter(numbers)
    found = code.decode(rest)
    assert next(rest, None) is None  # it takes its own numbers, and all of them
    return found
