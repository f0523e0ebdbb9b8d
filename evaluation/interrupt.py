"""Ctrl-C that waits for the end of a cycle, so that what it leaves behind can be resumed."""

import signal
from types import FrameType, TracebackType
from typing import Any, Self


class Interrupt:
    """While entered, the first SIGINT only sets `requested`; a second one raises KeyboardInterrupt at once.

    Signals reach the main thread alone; in any other one this does nothing. One within another passes on what it
    hears, and knows what the outer one has heard.

    Attributes:
        requested: whether SIGINT has come.
    """

    def __init__(self) -> None:
        self.requested = False
        self._before: Any = None
        self._outer: Interrupt | None = None

    def __enter__(self) -> Self:
        try:
            self._before = signal.signal(signal.SIGINT, self._note)
        except ValueError:  # not the main thread
            self._before = None
        outer = getattr(self._before, "__self__", None)
        if isinstance(outer, Interrupt):
            self._outer = outer
            self.requested |= outer.requested
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
        if self._outer is not None:
            self._outer.requested = True
