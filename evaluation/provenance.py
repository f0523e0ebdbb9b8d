"""Where a number comes from: the versions and the machine that made it."""

import functools
import os
import platform
from importlib.metadata import PackageNotFoundError, version

_PACKAGES = ("aixi", "gymnasium", "numba", "numpy", "torch")


@functools.cache
def versions() -> dict[str, str]:
    """Returns the versions of Python and of the packages that a result depends on, without importing them."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, str | int]:
    """Returns the system, the processor's name where the system tells it, and the number of cores to use."""
    processor = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo") as file:
            names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
        processor = names[0] if names else processor
    except OSError:
        pass
    return {"system": f"{platform.system()} {platform.machine()}", "processor": processor, "cores": cores()}


def cores() -> int:
    """Returns the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
