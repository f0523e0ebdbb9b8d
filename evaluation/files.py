"""Files: results, checked before a run begins and written whole or not at all; and data that is read by name."""

import os
import tempfile
from pathlib import Path
from typing import TypeVar

import msgspec

from aixi.errors import InvalidValueError, StateFileError, UnknownNameError

Data = TypeVar("Data")


def data_names(folder: Path) -> list[str]:
    """Returns the names of the TOML files of a folder."""
    return sorted(path.stem for path in folder.glob("*.toml"))


def data_path(folder: Path, name: str) -> Path:
    """Returns the path of a TOML file given by its name in a folder, or by a path that ends in `.toml`."""
    return Path(name) if name.endswith(".toml") else folder / f"{name}.toml"


def load_data(folder: Path, name: str, kind: type[Data]) -> Data:
    """Loads a TOML file, see `data_path`; messages call it by the name of its type.

    Raises:
        UnknownNameError: if there is no such file.
        InvalidValueError: if it does not hold what the type wants.
    """
    path, noun = data_path(folder, name), kind.__name__.lower()
    try:
        content = path.read_bytes()
    except OSError:
        raise UnknownNameError(
            f"unknown {noun} {name!r}; known: {', '.join(data_names(folder))}, or give the path of a TOML file"
        ) from None
    try:
        return msgspec.toml.decode(content, type=kind)
    except (msgspec.DecodeError, ValueError) as error:
        raise InvalidValueError(f"{path.name} is not a {noun}: {error}") from error


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
