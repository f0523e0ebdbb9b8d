"""What a driver and the process that lives its cells tell each other, through pipes."""

import struct
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

from aixi.evaluation.records import Cell, CellResult

TICK = 0.1
"""Seconds between looks at a life."""
MEMORY_SPENT = "Memory is spent!"
"""What goes before the stack traces of a life that has taken too much memory."""

_LENGTH = struct.Struct("<I")


class Request(msgspec.Struct, frozen=True):
    """A life to live.

    Attributes:
        cell: the cell.
        key: its key where it was asked for, None for not to be compared.
        imports: modules with third-party registrations.
        deadline: seconds after which the life is ended; None for never.
        memory: bytes that the life may take on top of those it is born with; None for no limit.
    """

    cell: Cell
    key: str | None = None
    imports: tuple[str, ...] = ()
    deadline: float | None = None
    memory: int | None = None


class Begun(msgspec.Struct, tag=True):
    """A life begins.

    Attributes:
        template: everything of its result that is known before.
        forked: whether it is lived in a child of this process, else in the process itself.
    """

    template: CellResult
    forked: bool


class Tick(msgspec.Struct, tag=True):
    """Cycles lived so far, and the average of what the environment measures over them."""

    cycles: int
    average: float


class Lived(msgspec.Struct, tag=True):
    """A life has ended, well or badly."""

    result: CellResult


class Died(msgspec.Struct, tag=True):
    """The process of a life ended without a result: its exit status, or less the number of the signal."""

    status: int


class Refused(msgspec.Struct, tag=True):
    """The life cannot begin here."""

    error: str


class Broken(msgspec.Struct, tag=True):
    """The suite's own code failed around a life, which tells nothing of the life: its traceback."""

    error: str


Message = Begun | Tick | Lived | Died | Refused | Broken


def frame(message: Request | Message) -> bytes:
    """Returns a message as it goes through a pipe: its length in four bytes, and a msgpack document."""
    content = msgspec.msgpack.encode(message)
    return _LENGTH.pack(len(content)) + content


def is_frame(said: bytes) -> bool:
    """Whether these are the bytes of one message, all of them."""
    return len(said) > _LENGTH.size and len(said) == _LENGTH.size + _LENGTH.unpack_from(said)[0]


def receive(read: Callable[[int], bytes], kind: Any) -> Any:
    """Returns the next message, None at the end.

    Args:
        read: returns at most so many bytes, none at the end.
        kind: what messages are expected.

    Example:
        >>> import io
        >>> receive(io.BytesIO(frame(Tick(3, 1.5))).read, Tick)
        Tick(cycles=3, average=1.5)
    """
    head = _exactly(read, _LENGTH.size)
    content = _exactly(read, *_LENGTH.unpack(head)) if head else b""
    return msgspec.msgpack.decode(content, type=kind) if content else None


def _exactly(read: Callable[[int], bytes], count: int) -> bytes:
    found = b""
    while len(found) < count:
        more = read(count - len(found))
        if not more:
            return b""
        found += more
    return found


def now() -> str:
    """Returns the time in UTC, ISO 8601 in seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")
