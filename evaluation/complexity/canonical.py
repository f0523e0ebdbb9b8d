"""The canonical text of an environment, piece by piece."""

import ast
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, Literal, NamedTuple, TypeAlias

from aixi.errors import InvalidValueError
from aixi.evaluation.complexity.cleaning import shows
from aixi.evaluation.complexity.closure import Closure
from aixi.evaluation.complexity.data import engine_files
from aixi.evaluation.complexity.modules import is_free
from aixi.evaluation.complexity.naming import Naming
from aixi.evaluation.complexity.writer import write

Kind: TypeAlias = Literal["definition", "argument", "wrapper", "data"]


@dataclass(frozen=True)
class Wrapper:
    """A wrapper that Gymnasium puts around an environment.

    Attributes:
        entry_point: `module:Class`.
        kwargs: its arguments, plain values.
    """

    entry_point: str
    kwargs: Mapping[str, Any] = field(default_factory=dict)


class Piece(NamedTuple):
    """A piece of a canonical text.

    Attributes:
        name: what it describes, in the author's words.
        kind: why it is charged.
        content: its text in UTF-8, or the raw bytes of a data file, with the line break before it.
    """

    name: str
    kind: Kind
    content: bytes


class Canonical(NamedTuple):
    """A canonical text.

    Attributes:
        pieces: its parts, in order.
        free: top packages used that cost nothing.
        engines: engines used.
    """

    pieces: list[Piece]
    free: list[str]
    engines: list[str]

    @property
    def content(self) -> bytes:
        """The whole, as it is coded."""
        return b"".join(piece.content for piece in self.pieces)


def reach(entry_point: str, wrappers: Sequence[Wrapper] = ()) -> Closure:
    """Returns what an environment in its wrappers reaches.

    Raises:
        InvalidValueError: if that leaves its package for one that is not free, or reads a file that cannot be found
            without running it.
    """
    points = [wrapper.entry_point for wrapper in wrappers]
    return Closure(entry_point, [point for point in points if not is_free(point.partition(":")[0])])


def canonical(
    closure: Closure,
    arguments: Mapping[str, Any] | None = None,
    wrappers: Sequence[Wrapper] = (),
    *,
    rename: bool = True,
) -> Canonical:
    """Returns the canonical text of an environment.

    It is Python: the definitions that the dynamics reach; a line `name=value` for each argument, by name; a
    call for each wrapper, from the inside out; and each data file as its number of bytes, a colon, and the bytes.

    Args:
        closure: what the environment in these wrappers reaches.
        arguments: keyword arguments that the registry row passes, plain values.
        wrappers: from the inside out.
        rename: False keeps identifiers as the author wrote them.

    Raises:
        InvalidValueError: if an argument is no plain value, or an engine's data are not there.
    """
    naming = Naming(closure, rename=rename)
    pieces = [
        Piece(", ".join(item.names), "definition", write(node).encode())
        for item, node in zip(closure.definitions, naming.definitions, strict=True)
    ]
    for key, value in sorted((arguments or {}).items()):
        if not shows(key):
            pieces.append(Piece(key, "argument", f"{naming.argument(key)}={_literal(key, value)}".encode()))
    number = 0
    for wrapper in wrappers:
        module, _, name = wrapper.entry_point.partition(":")
        number += not is_free(module)
        word = name if is_free(module) else naming.word(number)
        pieces.append(Piece(name, "wrapper", f"{word}({_call(wrapper, naming, number)})".encode()))
    read = [(PurePath(path).name, content) for path, content in closure.files.items()]
    for name, content in [*read, *engine_files(closure.engines, arguments or {})]:
        pieces.append(Piece(name, "data", b"%d:%b" % (len(content), content)))
    broken = [piece._replace(content=b"\n" + piece.content) for piece in pieces[1:]]
    return Canonical([*pieces[:1], *broken], closure.free, closure.engines)


def canonical_source(
    entry_point: str, arguments: Mapping[str, Any] | None = None, time_limit: int | None = None
) -> str:
    """Returns the canonical text of an environment, bytes that are no UTF-8 escaped.

    Args:
        entry_point: `module:Class`.
        arguments: keyword arguments that the registry row passes.
        time_limit: cycles after which Gymnasium truncates an episode.
    """
    limit = time_limited(time_limit)
    return text_of(canonical(reach(entry_point, limit), arguments, limit).content)


def time_limited(time_limit: int | None) -> list[Wrapper]:
    """Returns the wrapper of a time limit in cycles, or none."""
    limit = {"max_episode_steps": time_limit}
    return [] if time_limit is None else [Wrapper("gymnasium.wrappers:TimeLimit", limit)]


def text_of(content: bytes) -> str:
    """Returns a canonical text for people."""
    return content.decode("utf-8", "backslashreplace")


def _call(wrapper: Wrapper, naming: Naming, number: int) -> str:
    free = is_free(wrapper.entry_point.partition(":")[0])
    return ",".join(
        f"{key if free else naming.argument(key, number)}={_literal(key, value)}"
        for key, value in sorted(wrapper.kwargs.items())
    )


def _literal(name: str, value: Any) -> str:
    return write(_tree(name, value))


def _tree(name: str, value: Any) -> ast.expr:
    each = functools.partial(_tree, name)
    if value is None or type(value) in (bool, int, float, str, bytes):
        return ast.Constant(value)
    if type(value) in (list, tuple):
        return (ast.List if type(value) is list else ast.Tuple)([each(item) for item in value], ast.Load())
    if type(value) is dict:
        return ast.Dict([each(key) for key in value], [each(item) for item in value.values()])
    raise InvalidValueError(
        f"argument {name} must be made of numbers, texts, lists, tuples and dictionaries to have a description, "
        f"got {value!r}; pass a plain value and build the object in the environment"
    )
