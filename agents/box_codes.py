"""Codes that make a Box finite: equal bins, bins that follow what is seen, and images."""

import zlib
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from aixi.agents.space_codes import Space, SpaceCode
from aixi.errors import UnsupportedSpaceError, at_least, require
from aixi.state import State

BINS = 4
WARMUP = 512
"""Members after which the edges of quantiles are frozen, unless given."""
_MOST_KNOWN = 1 << 16
_MOST_HASH_BITS = 32


class _BinCode(SpaceCode):
    """Each number of a Box by the bin that it falls in.

    Attributes:
        _edges: [numbers, bins - 1], ascending, of the Box's dtype; the least value of each bin but the first.
        _middles: [numbers, bins], of the Box's dtype; what a bin decodes to.
        _last: int64[numbers], the last bin that is in use.
    """

    _edges: NDArray[Any]
    _middles: NDArray[Any]
    _last: NDArray[np.int64]

    def __init__(self, space: Space, name: str) -> None:
        self._box = _box(space, name)
        self._low, self._high = self._box.low.ravel(), self._box.high.ravel()

    def encode(self, member: Any) -> Iterator[int]:
        # In the Box's own dtype, so that rounding moves no value to another bin.
        values = np.asarray(member, self._box.dtype).reshape(-1, 1)
        bins: list[int] = np.minimum((self._edges <= values).sum(axis=1), self._last).tolist()
        return iter(bins)

    def decode(self, numbers: Iterator[int]) -> Any:
        values = [row[next(numbers)] for row in self._middles]
        return np.array(values, self._box.dtype).reshape(self._box.shape)

    def _settle(self) -> None:
        """Gives a bin its least value to decode to where equal or rounded values have moved its middle out of it."""
        for edges, middles, last, low in zip(self._edges, self._middles, self._last, self._low, strict=True):
            inner = edges[:last]
            moved = np.flatnonzero(inner.searchsorted(middles[: last + 1], side="right") != np.arange(last + 1))
            if moved.size:
                middles[moved] = np.concatenate([[_beneath(inner[0], low)], inner])[moved]


class UniformCode(_BinCode):
    """Equal bins inside the bounds; a bin decodes to its middle.

    Whole numbers that are no more than the bins have a bin each, so that nothing is lost.

    Args:
        space: a Box with finite bounds.
        bins: of each number.
        ends: 1 to put the first and the last bin's value on the bounds, as for actions, where full power is wanted.

    Raises:
        UnsupportedSpaceError: if a bound is infinite.

    Example:
        >>> code = UniformCode(spaces.Box(-1.0, 1.0, (1,)), bins=4)
        >>> list(code.encode(np.array([0.3]))), code.decode(iter([2])).tolist()
        ([2], [0.25])
    """

    def __init__(self, space: Space, bins: int = BINS, ends: int = 0) -> None:
        super().__init__(space, "uniform")
        at_least("bins", bins, 1)
        require(ends in (0, 1), f"ends must be 0 or 1, got {ends}")
        box = self._box
        if not (np.isfinite(box.low).all() and np.isfinite(box.high).all()):
            raise UnsupportedSpaceError(
                f"equal bins need finite bounds, got {space}; use the code 'quantiles' "
                "(codes=quantiles of an agent), or give the space bounds"
            )
        bounds = list(zip(self._low.tolist(), self._high.tolist(), strict=True))
        rows = {each: _equal_bins(*each, bins, bool(ends), _is_whole(box)) for each in set(bounds)}
        self.sizes = tuple(len(rows[each][1]) for each in bounds)
        self._last = np.array(self.sizes, np.int64) - 1
        most = max(self.sizes, default=1)
        # Rows of fewer bins are filled up with their upper bound.
        filled = [[row + [each[1]] * most for row in rows[each]] for each in bounds]
        self._edges = np.array([edges[: most - 1] for edges, _ in filled], box.dtype).reshape(len(bounds), most - 1)
        self._middles = np.array([middles[:most] for _, middles in filled], box.dtype).reshape(len(bounds), most)
        self._settle()
        few = " or ".join(map(str, sorted(set(self.sizes)))) or "no"
        self.words = f"{len(self.sizes)} numbers in {few} equal bins"


class QuantileCode(_BinCode):
    """Bins that hold equally many of the first members seen, of each number by itself.

    The edges are the quantiles of what was seen when 1, 2, 4, 8, ... members have been, and freeze after `warmup`:
    from then on a code means the same for ever. Before anything was seen all is bin 0. A bin decodes to the value in
    the middle of its ranks.

    Args:
        space: a Box; its bounds need not be finite.
        bins: of each number.
        warmup: members after which the edges freeze.

    Example:
        >>> code = QuantileCode(spaces.Box(-np.inf, np.inf, (1,)), bins=2, warmup=4)
        >>> for value in (1.0, 9.0, 8.0, 0.5):
        ...     code.learn(np.array([value]))
        >>> [next(code.encode(np.array([value]))) for value in (-50.0, 7.9, 8.0)], code.decode(iter([1])).tolist()
        ([0, 0, 1], [9.0])
    """

    def __init__(self, space: Space, bins: int = BINS, warmup: int = WARMUP) -> None:
        super().__init__(space, "quantiles")
        self._bins, self._warmup = at_least("bins", bins, 1), at_least("warmup", warmup, 1)
        self._seen: list[NDArray[Any]] = []
        self._count = 0
        neutral = np.clip(np.zeros_like(self._low), self._low, self._high)
        self._edges = np.tile(neutral[:, None], bins - 1)
        self._middles = np.tile(neutral[:, None], bins)
        self._last = np.zeros(neutral.size, np.int64)
        self.sizes = (bins,) * neutral.size
        self.words = f"{neutral.size} numbers in {bins} quantiles of the first {warmup} seen"

    def learn(self, member: Any) -> None:
        if self._count >= self._warmup:
            return
        self._seen.append(np.array(member, self._box.dtype).ravel())
        self._count += 1
        if self._count & (self._count - 1) == 0 or self._count == self._warmup:
            self._last[:] = self._bins - 1
            seen = np.sort(np.array(self._seen), axis=0)
            ranks = np.arange(1, 2 * self._bins) * self._count // (2 * self._bins)
            marks = seen[ranks].T
            self._middles, self._edges = marks[:, ::2].copy(), marks[:, 1::2].copy()
            self._settle()
        if self._count == self._warmup:
            self._seen.clear()

    def state_dict(self) -> State:
        seen = np.array(self._seen, self._box.dtype)
        return {
            "seen": seen.reshape(len(self._seen), len(self.sizes)),
            "count": self._count,
            "edges": self._edges.copy(),
            "middles": self._middles.copy(),
        }

    def load_state_dict(self, state: State) -> None:
        self._seen, self._count = list(state["seen"].copy()), state["count"]
        self._edges, self._middles = state["edges"].copy(), state["middles"].copy()
        self._last[:] = self._bins - 1 if self._count else 0


class ImageCode(SpaceCode):
    """An image as a grid of grey levels, or as a hash of it.

    Colours are averaged, and the pixels of each field of a `rows` x `columns` grid; the average falls in one of
    `levels` equal bins. With `bits`, all of it is one number of so many bits, of its CRC-32: few enough for a
    context tree. A hash decodes to the last grid that had it, and one that none had to the darkest.

    Args:
        space: a Box of shape (height, width) or (height, width, channels) with one lower and one upper bound.
        rows: of the grid; at most the image's.
        columns: of the grid; at most the image's.
        levels: of grey; at most as many as whole numbers within the bounds.
        bits: of the hash; 0 for none, at most 32.

    Raises:
        UnsupportedSpaceError: if the space is no such Box.

    Example:
        >>> code = ImageCode(spaces.Box(0, 255, (2, 4), np.uint8), columns=2, bits=0)
        >>> list(code.encode(np.array([[0, 1, 200, 250], [90, 80, 130, 140]], np.uint8)))
        [0, 3, 1, 2]
    """

    def __init__(self, space: Space, rows: int = 4, columns: int = 4, levels: int = 4, bits: int = 8) -> None:
        box = _box(space, "image")
        if len(box.shape) not in (2, 3) or 0 in box.shape or not _has_one_range(box):
            raise UnsupportedSpaceError(
                f"an image has two or three axes and the same finite bounds everywhere, got {space}; use the code "
                "'uniform', 'quantiles' or 'ignore', or wrap the environment"
            )
        self._box = box
        self._rows = _cuts(box.shape[0], at_least("rows", rows, 1))
        self._columns = _cuts(box.shape[1], at_least("columns", columns, 1))
        self._heights = np.diff([*self._rows, box.shape[0]])
        self._widths = np.diff([*self._columns, box.shape[1]])
        self._pixels = self._heights[:, None] * self._widths * (box.shape[2] if len(box.shape) == 3 else 1)
        low, high = box.low.flat[0].item(), box.high.flat[0].item()
        edges, greys = _equal_bins(low, high, at_least("levels", levels, 2), False, _is_whole(box))
        # Averages of equal fractions differ in their last bits.
        self._edges = np.array(edges, np.float64) - 1e-9 * (high - low)
        self._greys = np.array(greys, box.dtype)
        self._bits = at_least("bits", bits, 0)
        require(bits <= _MOST_HASH_BITS, f"bits must be at most {_MOST_HASH_BITS}, got {bits}")
        self._known: dict[int, NDArray[np.int64]] = {}
        self.sizes = (1 << bits,) if bits else (len(greys),) * self._pixels.size
        grid = f"image pooled to {len(self._rows)} x {len(self._columns)} of {len(greys)} grey levels"
        self.words = f"{grid}, hashed to {bits} bits" if bits else grid

    def _grid(self, member: Any) -> NDArray[np.int64]:
        """Returns the grey level of each field, int64[rows, columns]."""
        image = np.asarray(member, self._box.dtype).reshape(self._box.shape[0], -1)
        # Rows first: what is left is small. Sums of whole numbers are exact.
        strips = np.array([part.sum(axis=0, dtype=np.float64) for part in np.split(image, self._rows[1:])])
        strips = strips.reshape(len(self._rows), self._box.shape[1], -1).sum(axis=2)
        means = np.add.reduceat(strips, self._columns, axis=1) / self._pixels
        grid: NDArray[np.int64] = self._edges.searchsorted(means, side="right")
        return grid

    def learn(self, member: Any) -> None:
        if self._bits:
            grid = self._grid(member)
            number = self._hash(grid)
            if number in self._known or len(self._known) < _MOST_KNOWN:
                self._known[number] = grid

    def _hash(self, grid: NDArray[np.int64]) -> int:
        return zlib.crc32(grid.astype("<i8").tobytes()) & ((1 << self._bits) - 1)

    def encode(self, member: Any) -> Iterator[int]:
        grid = self._grid(member)
        return iter([self._hash(grid)] if self._bits else grid.ravel().tolist())

    def decode(self, numbers: Iterator[int]) -> Any:
        shape = self._pixels.shape
        if self._bits:
            grid = self._known.get(next(numbers), np.zeros(shape, np.int64))
        else:
            grid = np.array([next(numbers) for _ in self.sizes]).reshape(shape)
        image = self._greys[grid].repeat(self._heights, axis=0).repeat(self._widths, axis=1)
        if len(self._box.shape) == 3:
            image = image[:, :, None]
        return np.broadcast_to(image, self._box.shape).copy()

    def state_dict(self) -> State:
        grids = np.array(list(self._known.values()), np.int64)
        return {"keys": np.array(list(self._known), np.int64), "grids": grids.reshape(-1, *self._pixels.shape)}

    def load_state_dict(self, state: State) -> None:
        self._known = dict(zip(state["keys"].tolist(), state["grids"].copy(), strict=True))


def _box(space: Space, code: str) -> spaces.Box:
    if not isinstance(space, spaces.Box):
        raise UnsupportedSpaceError(f"code {code!r} is for a Box, got {space}; give the code to a part that is one")
    return space


def _is_whole(box: spaces.Box) -> bool:
    return not np.issubdtype(box.dtype, np.floating)


def _has_one_range(box: spaces.Box) -> bool:
    low, high = box.low.flat[0], box.high.flat[0]
    return bool(np.isfinite(low) and np.isfinite(high) and (box.low == low).all() and (box.high == high).all())


def _equal_bins(low: Any, high: Any, bins: int, ends: bool, whole: bool) -> tuple[list[Any], list[Any]]:
    """Returns the least value of each bin but the first, and what each bin stands for.

    Whole numbers are computed with as such: beyond 2**53 floats do not hold them all.

    Example:
        >>> _equal_bins(0, 9, 3, False, True), _equal_bins(0, 9, 3, True, True), _equal_bins(0.0, 1.0, 2, False, False)
        (([4, 7], [1, 5, 8]), ([3, 7], [0, 5, 9]), ([0.5], [0.25, 0.75]))
    """
    if whole:
        count = high - low + 1
        bins = min(bins, count)
        if ends and bins > 1:
            middles = [low + (2 * place * (high - low) + bins - 1) // (2 * (bins - 1)) for place in range(bins)]
            return [(one + other + 1) // 2 for one, other in pairwise(middles)], middles
        starts = [low - (-place * count // bins) for place in range(bins + 1)]
        return starts[1:-1], [(one + other - 1) // 2 for one, other in pairwise(starts)]
    bins = bins if high > low else 1
    # Steps of half a bin: bins begin at even ones, or with `ends` at odd ones.
    steps = 2 * (bins - ends) or 2
    between = (low * (1 - step / steps) + high * (step / steps) for step in range(steps + 1))
    marks = [min(max(mark, low), high) for mark in between]  # rounding leaves narrow bounds, subnormal ones most
    if ends and bins > 1:
        return sorted(marks[1::2]), marks[::2]
    return sorted(marks[2:-1:2]), marks[1::2]


def _beneath(edge: Any, low: Any) -> Any:
    """Returns the greatest value below an edge, but no less than a bound."""
    if edge <= low:
        return low
    return np.nextafter(edge, low) if np.issubdtype(edge.dtype, np.floating) else edge - 1


def _cuts(size: int, parts: int) -> list[int]:
    """Returns where each of as equal parts as can be begins."""
    parts = min(parts, size)
    return [size * part // parts for part in range(parts)]
