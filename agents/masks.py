"""Masks that follow from what is observed, as tables over its bits."""

from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from aixi.agents.space_codes import ArrayCode, Space, SpaceCode
from aixi.errors import require

Mask: TypeAlias = Callable[[Any], Any]

MOST_BITS = 16
MOST_BATCHED_BITS = 20
"""Of a mask that takes many rows of numbers at once."""
_BLOCK = 1 << 14  # rows that it takes at once

# By function what its tables are of, all that they follow from, and they themselves: it is asked at each life anew.
_known: WeakKeyDictionary[FunctionType, list[tuple[tuple[Any, ...], NDArray[np.bool_]]]] = WeakKeyDictionary()


def known_table(
    mask: Mask,
    code: SpaceCode,
    widths: Sequence[int],
    actions: int,
    origin: tuple[Space, dict[str, str], str],
    name: str,
) -> NDArray[np.bool_]:
    """Returns `table_of`, made once in a process for each function and fresh code; not to be written to.

    Args:
        mask: a function of a member alone.
        code: of the members, as it was made: it has learnt nothing.
        widths: bits of each component.
        actions: number of joint actions.
        origin: what the code was made of: the space, the codes of its parts, and the path of the part.
        name: how messages call the environment.
    """
    if not isinstance(mask, FunctionType):  # what else can be called may change, or lives no longer than the call
        return table_of(mask, code, widths, actions, name)
    key = (tuple(widths), actions, *origin)
    tables = _known.setdefault(mask, [])
    for other, table in tables:
        if other == key:
            return table
    table = table_of(mask, code, widths, actions, name)
    tables.append((key, table))
    return table


def fits(mask: Mask, code: SpaceCode, widths: Sequence[int]) -> bool:
    """Returns whether a mask of members so wide can be had as a table."""
    return sum(widths) <= (MOST_BATCHED_BITS if _is_batched(mask, code) else MOST_BITS)


def table_of(mask: Mask, code: SpaceCode, widths: Sequence[int], actions: int, name: str) -> NDArray[np.bool_]:
    """Returns which actions a mask allows, by the bits of a member.

    A mask with the attribute `batched` that is of a MultiDiscrete or a MultiBinary is given many members at once, an
    array with one more axis in front, and returns as many rows.

    Args:
        mask: from a member to bool[actions].
        code: of the members.
        widths: bits of each component.
        actions: number of joint actions.
        name: how messages call the environment.

    Returns:
        bool[2**width, actions], all True where the mask allows nothing (no real observation is like that).

    Raises:
        InvalidValueError: if the mask has not so many truth values.
    """
    rows = 1 << sum(widths)
    table = np.zeros((rows, actions), np.bool_)
    batched = _is_batched(mask, code)
    for begin in range(0, rows, _BLOCK):
        rest = np.arange(begin, min(begin + _BLOCK, rows))
        numbers = np.zeros((rest.size, len(widths)), np.int64)
        for place, (size, width) in enumerate(zip(code.sizes, widths, strict=True)):
            numbers[:, place] = np.minimum(rest & ((1 << width) - 1), size - 1)
            rest >>= width
        if batched and isinstance(code, ArrayCode):
            table[begin : begin + _BLOCK] = _checked(mask(code.members(numbers)), (len(numbers), actions), name)
        else:
            for row, member in enumerate(numbers.tolist(), begin):
                table[row] = _checked(mask(code.decode(iter(member))), (actions,), name)
    table[~table.any(1)] = True
    return table


def _is_batched(mask: Mask, code: SpaceCode) -> bool:
    return bool(getattr(mask, "batched", False)) and isinstance(code, ArrayCode)


def _checked(allowed: Any, shape: tuple[int, ...], name: str) -> NDArray[np.bool_]:
    truths: NDArray[np.bool_] = np.asarray(allowed, np.bool_)
    require(
        truths.shape == shape,
        f"the mask of {name} must be one truth value for each of {shape[-1]} actions, got shape {truths.shape} "
        f"instead of {shape}",
    )
    return truths
