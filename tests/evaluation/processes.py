"""What tests ask of the processes of this machine."""

import os
import sys
import time
from collections import defaultdict
from pathlib import Path


def processes_of(driver):
    """Process numbers of what a driver has started, and of what that has."""
    children = defaultdict(list)
    for name in filter(str.isdecimal, os.listdir("/proc")):
        state, parent = _state(name)
        if state not in "ZX":
            children[parent].append(int(name))
    found = [driver]
    for pid in found:
        found += children[pid]
    return found[1:]


def running(pid):
    """Whether a process lives."""
    return _state(pid)[0] not in "ZX"


def _state(pid):
    """Returns the letter of a process's state, X without one, and the number of its parent."""
    try:
        state, parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:2]
    except (FileNotFoundError, ProcessLookupError):
        return "X", 0
    return state, int(parent)


def wait_until(condition, seconds=15.0):
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "it took too long"
        time.sleep(0.02)


def with_worlds():
    """Returns surroundings in which the environments of these tests can be imported."""
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
