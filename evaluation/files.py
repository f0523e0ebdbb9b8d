"""Files that results go to: checked before a run begins, and written whole or not at all."""

import os
import tempfile
from pathlib import Path

from aixi.errors import InvalidValueError, StateFileError


def check_writable(path: str | os.PathLike[str]) -> None:
    """Makes sure that a file can be written, before hours of work are spent on what should go into it.

    Raises:
        InvalidValueError: if the path is a folder, or its folder is missing or closed.
    """
    target = Path(path)
    if target.is_dir():
        raise InvalidValueError(f"cannot write to {target}: it is a folder; give the name of a file")
    if not target.parent.is_dir():
        raise InvalidValueError(f"cannot write to {target}: there is no folder {target.parent}; make it first")
    try:
        tempfile.TemporaryFile(dir=target.parent).close()
    except OSError as error:
        raise InvalidValueError(f"cannot write to {target}: {error.strerror or error}; give another path") from error


def write_whole(path: str | os.PathLike[str], content: bytes) -> None:
    """Writes a file beside its target and renames it, so that a reader never sees half of it.

    Raises:
        StateFileError: if it cannot be written.
    """
    target = Path(path)
    beside = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        beside.write_bytes(content)
        os.replace(beside, target)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise StateFileError(f"cannot write to {target}: {error.strerror or error}; give another path") from error
