"""The table of codes, and which code a part of a space has.

A space has the code of its kind: see `aixi.agents.space_codes`. A Box is made finite by a code of its own: see
`aixi.agents.box_codes`.
"""

import contextlib
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium import spaces

from aixi.agents.base import Hints
from aixi.agents.space_codes import (
    ArrayCode,
    DiscreteCode,
    NestedCode,
    RowCode,
    SequenceCode,
    Space,
    SpaceCode,
    TextCode,
)
from aixi.errors import InvalidValueError, UnsupportedSpaceError, require
from aixi.registry import Registry, load_object

__all__ = ["CODES", "CodeSpec", "Space", "SpaceCode", "chosen_codes", "code_option", "make_code", "parts_of"]

MOST_COMPONENTS = 4096


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
    CodeSpec("ignore", "aixi.agents.space_codes:IgnoreCode", "nothing of this part"),
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


def code_option(text: str | None) -> str | None:
    """Returns an agent's option `codes` if it could be the code of a Box.

    Raises:
        UnknownNameError: if there is no such code.
        InvalidValueError: if it has no such options.
    """
    if text is not None:
        name, options = _parse(text)
        require(name != "bound", f"codes must be a code of every Box, got {text!r}; bound is of a Sequence or a Text")
        _kind(name, options, "")
    return text


def chosen_codes(space: Space, hints: Hints | None, given: str | None) -> dict[str, str]:
    """Returns the codes of an observation's parts, by path: what the user gave for every Box, else the environment's.

    Args:
        space: the observation space.
        hints: what the environment knows of it.
        given: the agent's option `codes`.

    Example:
        >>> hints = Hints({"sky": "uniform bins=9", "mission": "ignore"})
        >>> space = spaces.Dict(sky=spaces.Box(0, 1, (2,)), mission=spaces.Text(9))
        >>> chosen_codes(space, hints, "quantiles")
        {'mission': 'ignore', '*': 'quantiles'}
    """
    codes = dict(hints.codes) if hints else {}
    if given is None:
        return codes
    boxes = {path for path, part in parts_of(space) if isinstance(part, spaces.Box)}
    return {path: code for path, code in codes.items() if path not in boxes} | {"*": given}


def parts_of(space: Space, path: str = "") -> Iterator[tuple[str, Space]]:
    """Yields a space and all its parts, each after its path."""
    yield path, space
    match space:
        case spaces.Tuple():
            parts: Any = enumerate(space.spaces)
        case spaces.Dict():
            parts = space.spaces.items()
        case spaces.Sequence():
            parts = [("items", space.feature_space)]
        case _:
            return
    for key, part in parts:
        yield from parts_of(part, _join(path, key))


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
            return RowCode({key: _make(part, codes, _join(path, key), used) for key, part in enumerate(space.spaces)})
        case spaces.Dict():
            return NestedCode({key: _make(part, codes, _join(path, key), used) for key, part in space.spaces.items()})
        case spaces.Sequence():
            return SequenceCode(space, _make(space.feature_space, codes, _join(path, "items"), used), **options)
        case spaces.Text():
            return TextCode(space, **options)
        case spaces.Box():
            image = space.dtype == np.uint8 and len(space.shape) > 1
            return _named("image" if image else "uniform", space, {}, path)
    raise UnsupportedSpaceError(
        f"space {space}{_at(path)} has no code of its own; name one for the path {path!r} (codes that take it: "
        f"{', '.join(spec.name for spec in CODES if _takes(spec, space))}), register yours with "
        "aixi.agents.codes.CODES, or wrap the environment"
    )


def _takes(spec: CodeSpec, space: Space) -> bool:
    with contextlib.suppress(Exception):  # whatever a stranger's code raises at a space that it was not made for
        load_object(spec.entry_point)(space)
        return True
    return False


def _named(name: str, space: Space, options: dict[str, int], path: str) -> SpaceCode:
    kind = _kind(name, options, path)
    try:
        code: SpaceCode = kind(space, **options)
    except UnsupportedSpaceError as error:
        if not path:
            raise
        raise UnsupportedSpaceError(f"{error} (the part is {path!r})") from error
    return code


def _kind(name: str, options: dict[str, int], path: str) -> Any:
    """Returns the class of a code that takes such options."""
    kind = load_object(CODES[name].entry_point)
    try:
        inspect.signature(kind).bind(None, **options)
    except TypeError as error:
        known = [f"{option}=number" for option in list(inspect.signature(kind).parameters)[1:]]
        raise InvalidValueError(
            f"code {name!r}{_at(path)} takes {' '.join(known) or 'no options'}, got "
            f"{' '.join(f'{key}={value}' for key, value in options.items()) or 'none'}: {error}"
        ) from error
    return kind


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
