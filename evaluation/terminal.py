"""Where a person reads and types: a terminal, key by key, or lines of text."""

import contextlib
import os
import re
import signal
from collections.abc import Iterator
from typing import TextIO

LEAVE = "q"
INTERRUPT = "\x03"
ARROWS = {"\x1b[A": "up", "\x1b[B": "down", "\x1b[C": "right", "\x1b[D": "left"}

_PROMPT = "> "
_END = b"\x04"  # Ctrl-D


class Terminal:
    """Where a person reads and types.

    Args:
        source: a terminal, or lines of text.
        out: where everything is shown.

    Example:
        >>> import io
        >>> out = io.StringIO()
        >>> terminal = Terminal(io.StringIO("B\\n"), out)
        >>> terminal.ask(single=True), terminal.ask(single=True), out.getvalue()
        ('b', 'q', '> b > q ')
    """

    def __init__(self, source: TextIO, out: TextIO) -> None:
        self._source, self._out = source, out
        self._typed = ""  # and not yet asked for

    def show(self, text: str = "", end: str = "\n") -> None:
        """Shows a text."""
        print(text, end=end, file=self._out, flush=True)

    def ask(self, *, single: bool) -> str:
        """Returns what is typed next, in lower case.

        Args:
            single: whether one key is enough, where the terminal can tell: on POSIX.

        Returns:
            The key or the line; `q` at the end of the source, `"\\x03"` after Ctrl-C, the escape sequence of an arrow.
        """
        typing = self._source.isatty()
        keys = single and typing and os.name == "posix"
        try:
            with _interruptible():
                typed = self._key() if keys else self._line()
        except KeyboardInterrupt:
            typed = INTERRUPT
        if typed not in ARROWS:
            typed = typed.lower()
        if typed.isprintable() and (keys or not typing):  # else the terminal itself has shown it
            self.show(typed, end=" ")
        return typed

    def _line(self) -> str:
        self.show(_PROMPT, end="")
        line = self._source.readline()
        return line.strip() if line else LEAVE

    def _key(self) -> str:
        import termios
        import tty

        file = self._source.fileno()
        if self._typed:
            self.show(_PROMPT, end="")
        else:
            # For one key at a time: whatever becomes of the environment, it leaves no terminal that does not echo.
            before = termios.tcgetattr(file)
            try:
                tty.setcbreak(file, termios.TCSADRAIN)
                self.show(_PROMPT, end="")  # only now, or a quick key would be echoed
                typed = os.read(file, 1024)
            finally:
                termios.tcsetattr(file, termios.TCSADRAIN, before)
            if typed in (b"", _END):
                return LEAVE
            self._typed = typed.decode(errors="replace")
        escape = re.match(r"\x1b(?:\[[0-9;]*.|O.)?", self._typed)
        key = escape[0] if escape else self._typed[0]
        self._typed = self._typed[len(key) :]
        return key.replace("\x1bO", "\x1b[")


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Lets Ctrl-C raise KeyboardInterrupt; a life would note it for the end of the cycle, which waits for a key."""
    try:
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
    except ValueError:  # not the main thread, which alone hears signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
