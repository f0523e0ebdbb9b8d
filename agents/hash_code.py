"""A code that tells apart what is not the same, and nothing more: for observations of many numbers that mean kinds."""

import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from aixi.agents.space_codes import Space, SpaceCode
from aixi.errors import UnsupportedSpaceError, at_least, require
from aixi.state import State

MOST_HASH_BITS = 32
_MOST_KNOWN = 1 << 16


class HashCode(SpaceCode):
    """An array as one number of so many bits, the CRC-32 of its bytes; a hash decodes to the last array that had it.

    Two arrays agree in their hash with a chance of 2**-bits, and are one and the same to the agent then.

    Args:
        space: a Box, MultiDiscrete or MultiBinary.
        bits: of the hash, at most 32.

    Raises:
        UnsupportedSpaceError: if members of the space are no arrays.

    Example:
        >>> code = HashCode(spaces.Box(0, 255, (7, 7, 3), np.uint8), bits=10)
        >>> view = np.eye(7, dtype=np.uint8)[:, :, None].repeat(3, axis=2)
        >>> code.learn(view)
        >>> code.sizes, np.array_equal(code.decode(code.encode(view)), view)
        ((1024,), True)
    """

    def __init__(self, space: Space, bits: int = 8) -> None:
        if not isinstance(space, spaces.Box | spaces.MultiDiscrete | spaces.MultiBinary):
            raise UnsupportedSpaceError(f"code hash is for a Box, a MultiDiscrete or a MultiBinary, got {space}")
        require(at_least("bits", bits, 1) <= MOST_HASH_BITS, f"bits must be at most {MOST_HASH_BITS}, got {bits}")
        match space:
            case spaces.Box():
                unknown = np.zeros(space.shape).clip(space.low, space.high)
            case spaces.MultiDiscrete():
                unknown = space.start
            case _:
                unknown = np.zeros(space.shape)
        self._unknown = np.array(unknown, space.dtype)
        self._known: dict[int, NDArray[Any]] = {}
        self.sizes = (1 << bits,)
        self.words = f"array hashed to {bits} bits"

    def _hash(self, member: Any) -> int:
        return zlib.crc32(np.ascontiguousarray(member).tobytes()) & (self.sizes[0] - 1)

    def learn(self, member: Any) -> None:
        if len(self._known) < _MOST_KNOWN:
            self._known[self._hash(member)] = np.array(member)

    def encode(self, member: Any) -> Iterator[int]:
        yield self._hash(member)

    def decode(self, numbers: Iterator[int]) -> Any:
        return self._known.get(next(numbers), self._unknown).copy()

    def state_dict(self) -> State:
        keys = sorted(self._known)
        arrays = [self._known[key] for key in keys]
        shape, dtype = self._unknown.shape, self._unknown.dtype
        return {"keys": np.array(keys, np.int64), "arrays": np.array(arrays, dtype).reshape(-1, *shape)}

    def load_state_dict(self, state: State) -> None:
        self._known = dict(zip(state["keys"].tolist(), state["arrays"], strict=True))
