"""Lives that bring their process down: whose fault it was, and what is made of those that are lost."""

import math
import re
import signal
from collections.abc import Sequence
from pathlib import PurePath
from typing import Literal

import msgspec

from aixi.errors import AixiError
from aixi.evaluation.messages import MEMORY_SPENT
from aixi.evaluation.records import CellResult, Fault

_LIMIT = re.compile(rf"^(?:Timeout \(|{re.escape(MEMORY_SPENT)})", re.MULTILINE)
_FRAME = re.compile(r'^  File "(.*)", line (\d+) in (.*)$', re.MULTILINE)


class LifeLostError(AixiError, RuntimeError):
    """The process of a life was killed, perhaps from outside: the life can be lived again.

    Attributes:
        result: what the life had come to; its fault is None where nothing tells who has killed it.
        signal: name of the signal that it was killed by.
        place: where the life had come to, as text.
    """

    def __init__(self, message: str, result: CellResult, signal: str, place: str) -> None:
        super().__init__(message, result, signal, place)  # all of them, so that it comes back from other processes
        self.result = result
        self.signal = signal
        self.place = place

    def __str__(self) -> str:
        return str(self.args[0])


class InternalError(AixiError, RuntimeError):
    """The suite's own code failed around a life, which tells nothing of the life."""


def give_up(losses: Sequence[LifeLostError]) -> CellResult:
    """Returns the result of a life that was lost time and again: it failed, as much as its worst attempt tells.

    A life that kills its own process cannot be told from one that is killed, so that losses must not pay. The fault
    is the environment's where stacks say so, and none says otherwise.
    """
    worst = min(losses, key=lambda loss: math.inf if loss.result.average_reward is None else loss.result.average_reward)
    cell = worst.result.cell
    faults = {loss.result.fault for loss in losses} - {None}
    fault: Fault = "environment" if faults == {"environment"} else "agent"
    who = f"environment {cell.environment}" if fault == "environment" else f"agent {cell.agent}"
    often = "by itself" if faults else f"{len(losses)} times"
    advice = (
        "; where the machine has run out of memory or somebody has killed it, use fewer workers and retry failed lives"
    )
    signals = ", ".join(dict.fromkeys(loss.signal for loss in losses))
    return msgspec.structs.replace(
        worst.result,
        fault=fault,
        error=f"{who} failed: its process was killed {often} ({signals}; {worst.place}){'' if faults else advice}",
    )


def signal_name(status: int) -> str:
    """Returns the name of the signal that an exit status below 0 tells; real-time signals have but numbers."""
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"


def limit_of(traces: str) -> Literal["deadline", "memory"] | None:
    """Returns which limit a life was ended at by the stacks it left, None for neither."""
    found = _LIMIT.search(traces)
    if found is None:
        return None
    return "memory" if found[0] == MEMORY_SPENT else "deadline"


def attribute(traces: str, entry_point: str) -> tuple[Fault | None, str]:
    """Returns whose fault a death was by the stacks it left, and the place, as text that goes before others.

    The environment is at fault where its world was on the stack of the thread that lived, else the agent; nobody
    where there is no stack.

    Args:
        traces: as `faulthandler` writes them.
        entry_point: `module:class` of the environment.

    Example:
        >>> attribute('  File "a/agent.py", line 3 in act', "world:World")
        ('agent', 'agent.py, line 3, in act; ')
    """
    limit = _LIMIT.search(traces)
    traces = traces[limit.start() :] if limit is not None else traces
    stacks = [_FRAME.findall(part) for part in re.split(r"^(?=Thread |Current thread )", traces, flags=re.MULTILINE)]
    stacks = [stack for stack in stacks if stack]
    if not stacks:
        return None, ""
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
