"""Members of a space, quickly: whether a value is one, and bytes that tell it from all others."""

import struct
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector.utils import iterate

from aixi.errors import UnsupportedSpaceError

_GYMNASIUM_SPACES = tuple(getattr(spaces, name) for name in spaces.__all__)
_INTEGERS = (int, np.integer)
_MOST_KNOWN = 1 << 16
_pack_integer = struct.Struct("<q").pack


def membership(space: spaces.Space[Any]) -> Callable[[Any], bool]:
    """Returns `space.contains`, with a short way for spaces where it takes longer than a cycle."""
    if isinstance(space, spaces.Discrete):
        low, high = int(space.start), int(space.start + space.n)
        return lambda value: bool(isinstance(value, _INTEGERS) and low <= value < high) or space.contains(value)
    if isinstance(space, spaces.Tuple):
        parts = [membership(part) for part in space.spaces]
        return lambda value: (
            isinstance(value, tuple)
            and len(value) == len(parts)
            and all([part(item) for part, item in zip(parts, value, strict=True)])
        )
    if not isinstance(space, spaces.MultiDiscrete | spaces.MultiBinary):
        return space.contains
    dtype, shape = space.dtype, space.shape
    known: set[bytes] = set()  # arrays that were found to be members

    def contains(value: Any) -> bool:
        if not (isinstance(value, np.ndarray) and value.dtype == dtype and value.shape == shape):
            return space.contains(value)
        content = value.tobytes()
        if content in known:
            return True
        if not space.contains(value):
            return False
        if len(known) < _MOST_KNOWN:
            known.add(content)
        return True

    return contains


def _told(value: Any) -> bytes:
    """Returns bytes that tell values of any make apart, as far as their arrays and words do."""
    if isinstance(value, np.ndarray):
        return str(value.shape).encode() + np.ascontiguousarray(value).tobytes()
    if isinstance(value, tuple | list):
        return b"(" + b",".join(_told(item) for item in value) + b")"
    return repr(value).encode()


def encoder(space: spaces.Space[Any]) -> Callable[[Any], bytes]:
    """Returns a function from members of a space to bytes that tell them apart."""
    if isinstance(space, spaces.Discrete):
        return _pack_integer
    if isinstance(space, spaces.MultiDiscrete | spaces.MultiBinary | spaces.Box):
        dtype = space.dtype
        return lambda value: np.ascontiguousarray(value, dtype).tobytes()
    if isinstance(space, spaces.Tuple):
        parts = [encoder(part) for part in space.spaces]
        return lambda value: b"".join([part(item) for part, item in zip(parts, value, strict=True)])
    if isinstance(space, spaces.Dict):
        named = [(key, encoder(part)) for key, part in space.spaces.items()]
        return lambda value: b"".join([part(value[key]) for key, part in named])
    if isinstance(space, spaces.Text):
        return lambda value: value.encode() + b"\0"
    if isinstance(space, spaces.Sequence):
        item = encoder(space.feature_space)
        items = partial(iterate, space.stacked_feature_space) if space.stack else iter
        return lambda value: b"".join([item(each) for each in items(value)]) + b"]"
    if isinstance(space, spaces.Graph | spaces.OneOf) or type(space) not in _GYMNASIUM_SPACES:
        return lambda value: _told(value) + b"\0"  # texts of other packages, as MiniGrid's missions are, among them
    raise UnsupportedSpaceError(
        f"observations of {space} cannot be told apart; wrap the environment so that they are Discrete, Box, "
        f"MultiDiscrete, MultiBinary, Text, Sequence, or a Tuple or Dict of those"
    )
