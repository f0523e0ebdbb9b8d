"""Saved state: a tree of plain values and arrays, in one file that holds no code.

A state is a dictionary of strings to arrays, numbers, strings, booleans, None, lists of those, and further
dictionaries. `save_state` writes it as an uncompressed npz without pickle: each array under its path, everything
else as one JSON text. The file is written beside its target and renamed, so that a reader never sees half of it.
"""

import json
import os
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from aixi.errors import StateFileError

State: TypeAlias = dict[str, Any]

FORMAT = "aixi-state-1"
_TEXT = "state.json"


def _split(value: Any, path: str, arrays: dict[str, np.ndarray]) -> Any:
    """Moves the arrays of a state into `arrays` and returns the JSON value that is left."""
    if isinstance(value, np.ndarray):
        arrays[path] = value
        return {"__array__": path}
    if isinstance(value, dict):
        return {key: _split(item, f"{path}/{key}", arrays) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_split(item, f"{path}/{index}", arrays) for index, item in enumerate(value)]
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"a state holds arrays and plain values, got {type(value).__name__} at {path}")


def _join(value: Any, arrays: Any) -> Any:
    if isinstance(value, dict):
        if set(value) == {"__array__"}:
            return arrays[value["__array__"]]
        return {key: _join(item, arrays) for key, item in value.items()}
    if isinstance(value, list):
        return [_join(item, arrays) for item in value]
    return value


def save_state(path: str | os.PathLike[str], state: State) -> None:
    """Writes a state to one file.

    Raises:
        StateFileError: if the file cannot be written; a file that was there before is left as it was.
    """
    target = Path(path)
    arrays: dict[str, np.ndarray] = {}
    text = json.dumps({"format": FORMAT, "state": _split(state, "", arrays)})
    beside = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with open(beside, "wb") as file:
            np.savez(file, **{_TEXT: np.frombuffer(text.encode(), np.uint8)}, **arrays)  # type: ignore[arg-type]
        os.replace(beside, target)
    except OSError as error:
        beside.unlink(missing_ok=True)
        reason = error.strerror or error
        raise StateFileError(f"cannot write the state to {target}: {reason}; give another path") from error


def load_state(path: str | os.PathLike[str]) -> State:
    """Reads what `save_state` wrote.

    Raises:
        StateFileError: if there is no such file, or it is truncated, damaged or of another format.
    """
    try:
        with open(path, "rb") as raw, np.load(raw, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        document = json.loads(arrays.pop(_TEXT).tobytes())
        if document["format"] != FORMAT:
            raise StateFileError(f"{path} is a state of format {document['format']!r}, this version reads {FORMAT!r}")
        state: State = {key: _join(value, arrays) for key, value in document["state"].items()}
    except FileNotFoundError:
        raise StateFileError(f"there is no state file {path}") from None
    except (IsADirectoryError, PermissionError) as error:
        raise StateFileError(f"cannot read the state {path}: {error.strerror}; give another path") from error
    except StateFileError:
        raise
    except Exception as error:  # NumPy, zipfile and json have a dozen ways to say that a file is damaged
        raise StateFileError(
            f"{path} is not a saved state, or it is truncated or damaged; use an earlier one"
        ) from error
    return state
