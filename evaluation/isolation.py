"""One life in a process of its own: an agent or an environment that hangs, crashes or leaks costs its cell only.

The processes are plain interpreters (`aixi.evaluation.zygote`), not those of multiprocessing, so that lives can be
isolated within the workers of any executor too. None outlives its driver, however that ends.
"""

import atexit
import contextlib
import os
import queue
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import PurePath

import msgspec

from aixi.errors import AixiError, InvalidValueError, at_least, require
from aixi.evaluation.messages import TICK, Begun, Died, Lived, Message, Refused, Request, Tick, frame, now, receive
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
_FROM_OUTSIDE = ("SIGKILL", "SIGTERM", "SIGINT", "SIGHUP")  # no fault of the life
_FRAME = re.compile(r'^  File "(.*)", line (\d+) in (.*)$', re.MULTILINE)


class LifeLostError(AixiError, RuntimeError):
    """The process of a life was killed from outside, so that nothing is known; the life can be lived again."""


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
            MemoryError; None for no limit. Only Linux holds to it.
        on_cycle: called with the cycles lived so far, at most ten times a second.
        stop: ends the life without a trace when it is set.
        session: lives of one session may share what was imported for the first of them; another session imports
            everything anew.

    Returns:
        The result, of a life that failed too; None if it was stopped.

    Raises:
        LifeLostError: if the process was killed from outside.
        InvalidValueError: if the agent, the environment or the imports are not known there, or of another version.

    Example:
        >>> live_isolated(Cell("constant", "aixi/CoinFlip-v0", 0, 10)).cycles
        10
    """
    require(deadline is None or deadline > 0, f"deadline must be above 0 seconds, got {deadline}")
    if memory is not None:
        at_least("memory", memory, 1)
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
        message: Message | None = Tick(0, 0.0)
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
        begun: Begun | None = None
        began, last = time.monotonic(), Tick(0, 0.0)
        try:
            while rest:
                rest = rest[self._stdin.write(rest) :]
        except OSError:
            raise self._lost(request.cell) from None
        while stop is None or not stop.is_set():
            try:
                message = self._messages.get(timeout=TICK)
            except queue.Empty:
                if begun and request.deadline is not None and time.monotonic() > began + request.deadline + GRACE:
                    raise self._lost(request.cell) from None
                continue
            match message:
                case Begun():
                    begun, began = message, time.monotonic()
                    self.reusable = begun.forked
                case Tick():
                    last = message
                    if on_cycle is not None:
                        on_cycle(last.cycles)
                case Lived(result):
                    return result
                case Refused(error):
                    raise InvalidValueError(
                        f"cannot live {request.cell.agent} in {request.cell.environment} in a process of its own: "
                        f"{error}; put registrations in a module, and give its name to be imported"
                    )
                case Died(status) if begun is not None:
                    return self._died(request, begun.template, last, status, time.monotonic() - began)
                case _:  # the process itself is gone, with the life in it or with the child that was the life
                    if begun is None or begun.forked:
                        raise self._lost(request.cell)
                    return self._died(request, begun.template, last, self._process.wait(), time.monotonic() - began)
        return None

    def _died(self, request: Request, template: CellResult, last: Tick, status: int, seconds: float) -> CellResult:
        """Returns the result of a life that brought its process down, and whose fault that was by its stack."""
        name = signal.Signals(-status).name if status < 0 else ""
        if name in _FROM_OUTSIDE:
            raise self._lost(request.cell, name)
        traces = self._last_words()
        if request.deadline is not None and traces.startswith("Timeout ("):
            what = f"did not end within {request.deadline:g} s, its deadline"
        else:
            what = f"crashed with {name}" if name else f"ended its process with status {status}"
        fault, place = _attribute(traces, template.entry_point)
        who = f"environment {request.cell.environment}" if fault == "environment" else f"agent {request.cell.agent}"
        return msgspec.structs.replace(
            template,
            cycles=last.cycles,
            average_reward=last.reward / last.cycles if last.cycles else None,
            seconds=seconds,
            fault=fault,
            error=f"{who} {what} ({place}cycle {last.cycles + 1}, seed {request.cell.seed})",
            ended=now(),
        )

    def _lost(self, cell: Cell, name: str = "") -> LifeLostError:
        words = self._last_words().strip().splitlines()
        why = f"killed by {name}" if name else f"its last words were {words[-1]!r}" if words else "killed"
        return LifeLostError(
            f"the process of {cell.agent} in {cell.environment}, seed {cell.seed}, was lost ({why}); where the machine "
            f"has run out of memory, use fewer workers"
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


def _attribute(traces: str, entry_point: str) -> tuple[Fault, str]:
    """Returns whose fault a death was by the stack it left, and the place, as text that goes before others.

    The environment is at fault where its world was on the stack of the thread that lived, else the agent.
    """
    stacks = [_FRAME.findall(part) for part in re.split(r"^(?=Thread |Current thread )", traces, flags=re.MULTILINE)]
    stacks = [stack for stack in stacks if stack]
    if not stacks:
        return "agent", ""
    whole = [stack for stack in stacks if any(_within(path, "runner.py") for path, _, _ in stack)]
    stack = (whole or stacks)[0]
    if whole:
        environment = any(_within(path, "world.py") for path, _, _ in stack)
    else:  # of a deep stack the outer frames are missing
        module = entry_point.partition(":")[0].split(".")[-1]
        environment = any(PurePath(path).stem == module for path, _, _ in stack)
    path, line, function = next((frame for frame in stack if not _within(frame[0], "zygote.py")), stack[0])
    return "environment" if environment else "agent", f"{PurePath(path).name}, line {line}, in {function}; "


def _within(path: str, name: str) -> bool:
    return PurePath(path).parts[-2:] == ("evaluation", name)
