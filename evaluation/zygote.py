"""The process that lives are forked from: `python -m aixi.evaluation.zygote`, started by `aixi.evaluation.isolation`.

It imports what lives need and loads the compiled kernels of the suite's own agents once, and then forks a child for
each life, which starts in milliseconds and may do its worst: hang, crash, eat memory, print. Where a process cannot be
forked, it lives one cell itself and ends.

Requests come on standard input and messages go to standard output (`aixi.evaluation.messages`); standard error, a file
of the parent's, takes the stack traces of lives that died.
"""

import contextlib
import ctypes
import faulthandler
import math
import mmap
import os
import select
import signal
import struct
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from aixi.agents.registry import AGENTS, parse_agent
from aixi.errors import AixiError, EnvironmentFaultError, InvalidValueError, require
from aixi.evaluation import world
from aixi.evaluation.complexity import description_hash
from aixi.evaluation.life import Life
from aixi.evaluation.messages import (
    MEMORY_SPENT,
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
    is_frame,
    now,
    receive,
)
from aixi.evaluation.provenance import machine, versions
from aixi.evaluation.records import Cell, CellResult, Fault, cell_key, full_options, pack_curve
from aixi.evaluation.runner import LifeFaultError, RunResult, run
from aixi.evaluation.world import find_row, import_modules

_PROGRESS = struct.Struct("<qd")  # cycles lived, average of what is measured
_WARM_UP_CYCLES = 3
_CHUNK = 1 << 16
_BROKEN = 70  # exit status of a child whose own code failed, and that cannot even say so
_SHOW_STACK = getattr(signal, "SIGRTMAX", 0)  # the last signal: nobody else's; it ends whoever it is sent to
_PR_SET_PDEATHSIG = 1


def _send(descriptor: int, message: Message) -> None:
    _write(descriptor, frame(message))


def _write(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def main() -> None:
    """Lives cells as they are asked for, until standard input ends."""
    requests, replies, traces = (os.dup(number) for number in range(3))
    _to_nowhere(0, 1)  # whatever a module or an environment reads or prints
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the driver decides
    while (request := receive(lambda count: os.read(requests, count), Request)) is not None:
        try:
            template = _prepare(request)
            progress = mmap.mmap(-1, _PROGRESS.size)
            if hasattr(os, "fork"):
                _live_in_child(request, template, progress, requests, replies, traces)
            else:
                _live_here(request, template, progress, requests, replies, traces)
        except AixiError as error:
            _send(replies, Refused(_plain(str(error))))
        except Exception:  # a machine that cannot fork any more, too: no life is to blame
            _send(replies, Broken(_plain(traceback.format_exc())))


_templates: dict[tuple[str, str], CellResult] = {}


def _prepare(request: Request) -> CellResult:
    """Imports what a life needs and returns what is known of its result."""
    cell = request.cell
    if (cell.agent, cell.environment) not in _templates:
        import_modules(request.imports)
        row = find_row(cell.environment)
        if request.key is not None and cell_key(cell) != request.key:
            raise InvalidValueError(
                f"{cell.agent} or {cell.environment} is of another version there; install the same one everywhere"
            )
        if AGENTS[parse_agent(cell.agent)[0]].entry_point.startswith("aixi."):
            # A short life loads its compiled code; what goes wrong in it will go wrong in the child too.
            with contextlib.suppress(Exception):
                run(cell.agent, "aixi/CoinFlip-v0", cycles=_WARM_UP_CYCLES)
        _templates[cell.agent, cell.environment] = CellResult(
            cell=cell,
            options=full_options(cell.agent),
            entry_point=row.entry_point,
            arguments=row.kwargs,
            description_hash=description_hash(row),
            versions=versions(),
            machine=machine(),
        )
    return msgspec.structs.replace(_templates[cell.agent, cell.environment], cell=cell)


def _live_in_child(
    request: Request, template: CellResult, progress: mmap.mmap, requests: int, replies: int, traces: int
) -> None:
    """Forks a child for a life, and passes on what becomes of it; where the driver is gone, so is the child."""
    reading, writing = os.pipe()
    own, leave, status = os.getpid(), os._exit, _BROKEN
    _send(replies, Begun(template, forked=True))  # before the life, which may end this process too
    child = os.fork()
    if child == 0:
        try:
            _die_with(own)
            for descriptor in (requests, replies, reading):
                os.close(descriptor)
            _write(writing, frame(Lived(_live(request, template, progress, traces))))
            status = 0
        except BaseException:
            _write(writing, frame(Broken(_plain(traceback.format_exc()))))
        finally:
            leave(status)
    os.close(writing)
    os.set_blocking(reading, False)
    try:
        status, said = _watch(child, request.memory, reading, progress, requests, replies, traces)
    except BaseException:
        os.kill(child, signal.SIGKILL)
        raise
    os.close(reading)
    if is_frame(said):
        _write(replies, said)
    else:
        _send(replies, Tick(*_PROGRESS.unpack(progress)))
        _send(replies, Died(status))


def _watch(
    child: int, memory: int | None, reading: int, progress: mmap.mmap, requests: int, replies: int, traces: int
) -> tuple[int, bytes]:
    """Returns the exit status of a child and all that it has said, which nobody but its descendants can go on with."""
    said, ends, told, end = b"", [requests, reading], time.monotonic(), _SHOW_STACK
    while True:
        ready, _, _ = select.select(ends, [], [], TICK)
        if requests in ready:  # nothing is asked for during a life: the driver is gone
            raise SystemExit
        if reading in ready:
            more = os.read(reading, _CHUNK)
            said += more
            if not more:
                ends.remove(reading)
        ended, code = os.waitpid(child, 0 if is_frame(said) else os.WNOHANG)
        if ended:
            break
        if time.monotonic() - told >= TICK:
            told = time.monotonic()
            _send(replies, Tick(*_PROGRESS.unpack(progress)))
            if memory is not None and _shared_memory(child) > memory:
                if end == _SHOW_STACK:
                    _write(traces, f"{MEMORY_SPENT}\n".encode())
                os.kill(child, end)
                end = signal.SIGKILL  # of one that does not heed it
    with contextlib.suppress(BlockingIOError):
        while more := os.read(reading, _CHUNK):
            said += more
    return os.waitstatus_to_exitcode(code), said


def _live_here(
    request: Request, template: CellResult, progress: mmap.mmap, requests: int, replies: int, traces: int
) -> NoReturn:
    """Lives in this very process, and ends with it."""
    ended, leave = threading.Event(), os._exit

    def tell() -> None:
        while not ended.wait(TICK):
            _send(replies, Tick(*_PROGRESS.unpack(progress)))

    def heed() -> None:
        os.read(requests, 1)
        leave(_BROKEN)  # the driver is gone

    _send(replies, Begun(template, forked=False))
    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    threading.Thread(target=heed, daemon=True).start()
    result = _live(request, template, progress, traces)
    ended.set()
    teller.join()
    _send(replies, Lived(result))
    leave(0)


def _live(request: Request, template: CellResult, progress: mmap.mmap, traces: int) -> CellResult:
    """Lives a cell, whatever that may do to this process."""
    cell = request.cell
    last: Life | None = None

    def note(life: Life) -> None:
        nonlocal last
        last = life
        _PROGRESS.pack_into(progress, 0, life.cycle, life.measured)

    _to_nowhere(2)
    kill = os.kill
    _trace_ends(traces)
    faulthandler.enable(traces)
    if request.deadline is not None:  # even where C code never returns
        seconds = min(request.deadline, threading.TIMEOUT_MAX)  # three centuries; the timer counts no further
        faulthandler.dump_traceback_later(seconds, exit=True, file=traces)
    began = time.perf_counter()
    lift = _limit_memory(request.memory, traces)
    seen: RunResult | Life | None
    fault: Fault | None = None
    error: str | None = None
    try:
        seen = run(
            cell.agent, cell.environment, cycles=cell.cycles, seed=cell.seed, relabel=cell.relabel, on_cycle=note
        )
    except LifeFaultError as caught:
        lift()
        seen, fault, error = caught.result, caught.fault, str(caught)
    except BaseException as caught:  # memory that ran out in between, an agent that exits, or cannot even begin
        lift()
        seen = last
        fault, error = _whose(caught, cell, 0 if last is None else last.cycle)
    if isinstance(seen, RunResult) and seen.interrupted:  # somebody has sent SIGINT to this very process
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        kill(os.getpid(), signal.SIGINT)
    result = msgspec.structs.replace(
        template,
        seconds=time.perf_counter() - began,
        fault=fault,
        error=None if error is None else _plain(error),
        ended=now(),
    )
    result = result if seen is None else _earned(result, seen)
    faulthandler.cancel_dump_traceback_later()
    return result


def _earned(result: CellResult, seen: RunResult | Life) -> CellResult:
    """Adds what a life showed, one that was cut off in the middle included."""
    cycles, percept_hash = (seen.cycle, seen.world.hash) if isinstance(seen, Life) else (seen.cycles, seen.percept_hash)
    result = msgspec.structs.replace(
        result, cycles=cycles, average_reward=seen.measured if cycles else None, percept_hash=percept_hash
    )
    try:  # these are the agent's own words
        if isinstance(seen, Life):
            seen.broken = True
        diagnostics = seen.diagnostics() if isinstance(seen, Life) else seen.diagnostics
        bits = seen.bits_per_percept
        return msgspec.structs.replace(
            result,
            bits_per_percept=None if bits is None else _total("percept_bits", bits),
            curve=pack_curve(seen.curve),
            model_bits=_total("model_bits", diagnostics.get("model_bits", 0.0)),
        )
    except BaseException as error:
        if result.fault is not None:
            return result
        what = f"agent {result.cell.agent} cannot tell its totals: {type(error).__name__}: {error}"
        what += f" (environment {result.cell.environment}, seed {result.cell.seed})"
        return msgspec.structs.replace(result, fault="agent", error=_plain(what))


def _total(name: str, value: float) -> float:
    """Returns a total of an agent's diagnostics as the plain number that can be stored."""
    require(not math.isnan(value), f"{name} must be a number of bits, got {value}")
    return float(value)


def _whose(error: BaseException, cell: Cell, cycles: int) -> tuple[Fault, str]:
    """Returns whose fault an error is that the runner did not expect, and what to say of it."""
    where = f"cycle {cycles + 1}, seed {cell.seed}"
    seen: BaseException | None = error
    while seen is not None:
        files = [frame.filename for frame in traceback.extract_tb(seen.__traceback__)]
        inside = world.__file__ in files  # an agent may raise the same error
        if inside and isinstance(seen, EnvironmentFaultError):
            return "environment", str(seen)
        if inside and not isinstance(seen, AixiError):
            return "environment", f"environment {cell.environment} raised {type(seen).__name__}: {seen} ({where})"
        seen = seen.__context__
    if isinstance(error, AixiError) and not isinstance(error, EnvironmentFaultError):
        return "agent", str(error)
    what = f"agent {cell.agent} raised {type(error).__name__}: {error}"
    return "agent", f"{what} (environment {cell.environment}, {where})"


def _limit_memory(memory: int | None, traces: int) -> Callable[[], object]:
    """Lets this process take so many bytes more, where the system has such a limit; returns what lifts it again.

    The limit knows no memory that may be shared; of that the parent takes care (`_watch`), and asks for the stack.
    """
    if memory is None or sys.platform != "linux":
        return lambda: None
    faulthandler.register(_SHOW_STACK, traces, chain=True)
    import resource

    pages = int(Path("/proc/self/statm").read_text().split()[5])
    before = resource.getrlimit(resource.RLIMIT_DATA)
    limit = min(pages * resource.getpagesize() + memory, sys.maxsize)
    most = before[1] if before[1] != resource.RLIM_INFINITY else limit
    resource.setrlimit(resource.RLIMIT_DATA, (min(limit, most), before[1]))
    return lambda: resource.setrlimit(resource.RLIMIT_DATA, before)


def _shared_memory(process: int) -> int:
    """Returns the bytes of memory that may be shared, anonymous or in files of it, that a process has touched.

    Files on a disk are not counted: the system can write them back.
    """
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:  # another system, or the process is gone
        return 0
    _, _, found = status.partition("RssShmem:")
    return int(found.split()[0]) * 1024 if found else 0


def _trace_ends(traces: int) -> None:
    """Makes what ends this process or its parent, and leaves nothing behind, tell where in the life it was called."""
    own, parent = os.getpid(), os.getppid()

    def traced(end: Callable[..., Any], aim: Callable[..., tuple[int, int | None]]) -> Callable[..., Any]:
        def tell(*arguments: Any, **named: Any) -> Any:
            victim, number = aim(*arguments, **named)
            deadly = number is None or (0 < number < signal.NSIG and signal.getsignal(number) == signal.SIG_DFL)
            if deadly and os.getpid() == own and (victim <= 0 or victim in (own, parent)):
                faulthandler.dump_traceback(traces)
            return end(*arguments, **named)

        return tell

    for module, name, aim in (
        (os, "_exit", lambda status: (own, None)),
        (os, "kill", lambda victim, number: (victim, number)),
        (os, "killpg", lambda group, number: (group, number)),  # theirs has the parent's number
        (signal, "raise_signal", lambda number: (own, number)),
    ):
        if hasattr(module, name):
            setattr(module, name, traced(getattr(module, name), aim))


def _die_with(parent: int) -> None:
    """Ends this process, a child, when its parent does, however that ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    else:

        def watch() -> None:
            while os.getppid() == parent:
                time.sleep(TICK)
            os.kill(os.getpid(), signal.SIGKILL)

        threading.Thread(target=watch, daemon=True).start()
    if os.getppid() != parent:
        raise SystemExit


def _to_nowhere(*descriptors: int) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in descriptors:
        os.dup2(null, descriptor)
    os.close(null)


def _plain(text: str) -> str:
    """Returns a text that can be encoded, whatever a stranger's message holds."""
    return text.encode(errors="backslashreplace").decode()


if __name__ == "__main__":
    main()
