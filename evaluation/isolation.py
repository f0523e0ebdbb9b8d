"""One life in a process of its own: an agent or an environment that hangs, crashes or leaks costs its cell only.

The processes are plain interpreters (`aixi.evaluation.zygote`), not those of multiprocessing, so that lives can be
isolated within the workers of any executor too. None outlives its driver, however that ends.
"""

import atexit
import contextlib
import math
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from aixi.errors import AixiError, InvalidValueError, at_least, require
from aixi.evaluation.faults import InternalError, LifeLostError, attribute, limit_of, signal_name
from aixi.evaluation.messages import (
    TICK,
    Begun,
    Broken,
    Died,
    Lived,
    Message,
    Refused,
    Request,
    Tick,
    frame,
    now,
    receive,
)
from aixi.evaluation.records import Cell, CellResult, Fault

GRACE = 10.0
"""Seconds after its deadline at which a life that did not heed it is killed."""

_SETTINGS = {  # unless the user has set them: a life is one core's work, and the order of a set is no luck
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
}
_NO_CYCLES = Tick(0, 0.0)
_FROM_OUTSIDE = ("SIGKILL", "SIGTERM", "SIGINT", "SIGHUP")  # perhaps no fault of the life


def check_limits(deadline: float | None, memory: int | None) -> None:
    """Raises `InvalidValueError` for a deadline in seconds or a memory in bytes that cannot be."""
    require(
        deadline is None or 0 < deadline < math.inf,
        f"deadline must be a finite number of seconds above 0, got {deadline}; use None for no deadline",
    )
    if memory is not None:
        require(
            at_least("memory", memory, 1) <= sys.maxsize,
            f"memory must be at most {sys.maxsize} bytes, got {memory}; use None for no limit",
        )


def live_isolated(
    cell: Cell,
    *,
    key: str | None = None,
    imports: Sequence[str] = (),
    deadline: float | None = None,
    memory: int | None = None,
    on_cycle: Callable[[int], None] | None = None,
    stop: threading.Event | None = None,
    session: str = "",
) -> CellResult | None:
    """Lives one cell in a process of its own.

    Args:
        cell: the cell.
        key: its `cell_key` where it was asked for: there the agent and the environment must be the same ones.
        imports: modules with third-party registrations, imported there.
        deadline: seconds after which the life is ended, and has failed; None for never.
        memory: bytes that the life may take on top of those it is born with, else whoever asks for more gets a
            MemoryError, and as many of memory that processes can share, else it is ended, and has failed; None
            for no limit. Only Linux holds to it. Processes that it starts, and files on a disk, are not counted.
        on_cycle: called with the cycles lived so far, at most ten times a second.
        stop: ends the life without a trace when it is set.
        session: lives of one session may share what was imported for the first of them; another session imports
            everything anew.

    Returns:
        The result, of a life that failed too; None if it was stopped.

    Raises:
        LifeLostError: if the process was killed, perhaps from outside.
        InvalidValueError: if a limit cannot be, or the agent, the environment or the imports are not known there, or
            of another version.
        InternalError: if the suite's own code fails there.

    Example:
        >>> live_isolated(Cell("constant", "aixi/CoinFlip-v0", 0, 10)).cycles
        10
    """
    check_limits(deadline, memory)
    zygote = _take((session, tuple(imports)))
    try:
        result = zygote.live(Request(cell, key, tuple(imports), deadline, memory), on_cycle, stop)
    except BaseException:
        zygote.kill()
        raise
    if result is not None and zygote.reusable:
        _give_back(zygote)
    else:
        zygote.kill()
    return result


def end_session(session: str) -> None:
    """Ends the processes that wait for more lives of a session; those in use end when their life does."""
    for zygote in _remove(lambda zygote: zygote.session[0] == session):
        zygote.kill()


@dataclass
class _Seen:
    """What a driver has seen of a life."""

    template: CellResult
    began: float
    begun: bool = False
    last: Tick = _NO_CYCLES

    @property
    def place(self) -> str:
        return f"cycle {self.last.cycles + 1}, seed {self.template.cell.seed}"

    def result(self, fault: Fault | None, error: str | None) -> CellResult:
        cycles = self.last.cycles
        return msgspec.structs.replace(
            self.template,
            cycles=cycles,
            average_reward=self.last.average if cycles else None,
            seconds=time.monotonic() - self.began,
            fault=fault,
            error=error,
            ended=now(),
        )


class _Zygote:
    """The process that lives are forked from, as its driver sees it.

    Args:
        session: the session and the imports that it serves.
    """

    def __init__(self, session: tuple[str, tuple[str, ...]]) -> None:
        self.session = session
        self.reusable = True  # unless it lives cells itself
        self._traces = tempfile.TemporaryFile()  # noqa: SIM115  # open as long as the process
        paths = [path or os.getcwd() for path in sys.path]
        self._process = subprocess.Popen(
            # Safe path (-P): a file beside the user must not stand in for a module of the same name.
            [sys.executable, "-P", "-m", "aixi.evaluation.zygote"],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._traces,
            env=_SETTINGS | os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
            process_group=0,  # Ctrl-C in the terminal does not reach it, and what it starts can be killed with it
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdin, self._stdout = self._process.stdin, self._process.stdout
        self._messages: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        _living.add(self)

    def _read(self) -> None:
        message: Message | None = _NO_CYCLES
        while message is not None:
            message = receive(self._stdout.read, Message)
            self._messages.put(message)

    def live(
        self, request: Request, on_cycle: Callable[[int], None] | None, stop: threading.Event | None
    ) -> CellResult | None:
        """Has a cell lived; None if it was stopped."""
        self._traces.seek(0)
        self._traces.truncate()
        rest = memoryview(frame(request))
        seen = _Seen(CellResult(cell=request.cell), time.monotonic())
        try:
            while rest:
                rest = rest[self._stdin.write(rest) :]
        except OSError:
            raise self._gone(seen) from None
        while stop is None or not stop.is_set():
            if seen.begun and request.deadline is not None and time.monotonic() > seen.began + request.deadline + GRACE:
                self.reusable = False
                return self._failed(seen, _late(request))
            try:
                message = self._messages.get(timeout=TICK)
            except queue.Empty:
                continue
            match message:
                case Begun():
                    seen = _Seen(message.template, time.monotonic(), begun=True)
                    self.reusable = message.forked
                case Tick():
                    seen.last = message
                    if on_cycle is not None:
                        on_cycle(message.cycles)
                case Lived(result):
                    return result
                case Refused(error):
                    raise InvalidValueError(
                        f"cannot live {request.cell.agent} in {request.cell.environment} in a process of its own: "
                        f"{error}; put registrations in a module, and give its name to be imported"
                    )
                case Broken(error):
                    raise InternalError(
                        f"the suite's own code failed around {request.cell.agent} in {request.cell.environment}, "
                        f"seed {request.cell.seed}; lives that ended before are not touched:\n{error}"
                    )
                case Died(status):
                    return self._died(request, seen, status)
                case _:  # the process itself is gone, with the life in it or with the child that was the life
                    if seen.begun and not self.reusable:
                        return self._died(request, seen, self._process.wait())
                    raise self._gone(seen)
        return None

    def _died(self, request: Request, seen: _Seen, status: int) -> CellResult:
        """Returns the result of a life that brought its process down."""
        limit = limit_of(self._last_words())
        if limit == "deadline":
            what = _late(request)
        elif limit == "memory":
            what = f"took more than {(request.memory or 0) / 1e9:g} GB of memory"
        elif status >= 0:
            what = f"ended its process with status {status}"
        elif signal_name(status) in _FROM_OUTSIDE:
            raise self._lost(seen, signal_name(status))
        else:
            what = f"crashed with {signal_name(status)}"
        return self._failed(seen, what)

    def _failed(self, seen: _Seen, what: str) -> CellResult:
        """Returns the result of a life that failed, and whose fault that was by its stack."""
        fault, place = attribute(self._last_words(), seen.template.entry_point)
        cell = seen.template.cell
        who = f"environment {cell.environment}" if fault == "environment" else f"agent {cell.agent}"
        return seen.result(fault or "agent", f"{who} {what} ({place}{seen.place})")

    def _gone(self, seen: _Seen) -> AixiError:
        """Returns what to raise where the process that lives are forked from has ended, which it never does itself."""
        status = self._process.wait()
        if status < 0:
            return self._lost(seen, signal_name(status))
        words = self._last_words().strip()
        return InternalError(
            f"the process that lives {seen.template.cell.agent} in {seen.template.cell.environment} has ended with "
            f"status {status}; see whether a module that is imported ends it{':' if words else ''}\n{words}".strip()
        )

    def _lost(self, seen: _Seen, name: str) -> LifeLostError:
        fault, place = attribute(self._last_words(), seen.template.entry_point)
        cell = seen.template.cell
        return LifeLostError(
            f"the process of {cell.agent} in {cell.environment}, seed {cell.seed}, was lost (killed by {name}); where "
            f"the machine has run out of memory, use fewer workers",
            seen.result(fault, None),
            name,
            f"{place}{seen.place}" if seen.begun else "before its life began",
        )

    def _last_words(self) -> str:
        self._traces.seek(0)
        return self._traces.read().decode(errors="replace")

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        """Ends the process, a life in it, and whatever that has started."""
        if self not in _living:
            return
        _living.discard(self)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if hasattr(os, "killpg"):
                os.killpg(self._process.pid, signal.SIGKILL)  # before it is waited for: the number is still its own
            else:
                self._process.kill()
        self._process.wait()
        self._reader.join()
        for file in (self._stdin, self._stdout, self._traces):
            file.close()

    def abandon(self) -> None:
        """Lets go of it in a fork of the driver, so that it still ends with the driver itself."""
        self._process.returncode = 0
        self._stdin.close()


_living: set[_Zygote] = set()
_idle: list[_Zygote] = []
_lock = threading.Lock()


def _take(session: tuple[str, tuple[str, ...]]) -> _Zygote:
    for stale in _remove(lambda zygote: zygote.session[0] != session[0] or not zygote.alive):
        stale.kill()
    with _lock:
        for zygote in _idle:
            if zygote.session == session:
                _idle.remove(zygote)
                return zygote
    return _Zygote(session)


def _give_back(zygote: _Zygote) -> None:
    with _lock:
        _idle.append(zygote)


def _remove(unwanted: Callable[[_Zygote], bool]) -> list[_Zygote]:
    with _lock:
        found = [zygote for zygote in _idle if unwanted(zygote)]
        for zygote in found:
            _idle.remove(zygote)
    return found


@atexit.register
def _kill_all() -> None:
    for zygote in list(_living):
        zygote.kill()


def _forget_all() -> None:
    global _lock
    _lock = threading.Lock()
    for zygote in _living:
        zygote.abandon()
    _living.clear()
    _idle.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)


def _late(request: Request) -> str:
    return f"did not end within {request.deadline:g} s, its deadline"
