"""A fresh interpreter that does something again, to see whether it comes out the same."""

import os
import subprocess
import sys
from typing import Any

import msgspec

from aixi.errors import AixiError
from aixi.registry import load_object


class FreshInterpreterError(AixiError, RuntimeError):
    """A fresh interpreter ended without an answer."""


class _Order(msgspec.Struct):
    path: list[str]
    function: str
    arguments: dict[str, Any]


def call_elsewhere(function: str, **arguments: Any) -> Any:
    """Returns what a function returns in a fresh interpreter, which has another hash seed than this one.

    Args:
        function: `module:function`; it may print as it likes.
        arguments: plain values.

    Raises:
        FreshInterpreterError: if the function raises, or its process ends.

    Example:
        >>> call_elsewhere("fnmatch:fnmatch", name="a.py", pat="*.py")
        True
    """
    hash_seed = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
    done = subprocess.run(
        [sys.executable, "-c", f"from {__name__} import answer; answer()"],
        input=msgspec.json.encode(_Order([path or os.getcwd() for path in sys.path], function, arguments)),
        capture_output=True,
        env=os.environ | {"PYTHONHASHSEED": hash_seed},
    )
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines() or ["nothing"]
        raise FreshInterpreterError(f"a fresh interpreter ended with status {done.returncode} and said: {lines[-1]}")
    return msgspec.json.decode(done.stdout)


def answer() -> None:
    """Does what standard input orders, and writes the result to standard output."""
    out, sys.stdout = sys.stdout.buffer, sys.stderr  # what is printed meanwhile is no answer
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=_Order)
    sys.path.extend(path for path in order.path if path not in sys.path)
    out.write(msgspec.json.encode(load_object(order.function)(**order.arguments)))
