"""What tests ask of the processes of this machine."""

import os
import sys
import time
from pathlib import Path


def processes_of(driver):
    """Process numbers of what a driver has started, and of what that has."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(parent) == driver and state not in "ZX":
            found += [int(stat.parent.name), *processes_of(int(stat.parent.name))]
    return found


def running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(condition, seconds=15.0):
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "it took too long"
        time.sleep(0.01)


def with_worlds():
    """Returns surroundings in which the environments of these tests can be imported."""
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
