"""Suites: which environments, for how many cycles, at which temperature. All of it is data."""

from pathlib import Path

import msgspec

from aixi.errors import require
from aixi.evaluation.files import data_names, load_data

_FOLDER = Path(__file__).parent / "suites"


class Suite(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A fixed set of environments that scores are compared on.

    Attributes:
        name: the suite's name.
        version: grows with every change that moves a score.
        summary: one line.
        temperature: T of the weights in bits, frozen for a version.
        seeds: number of seeds unless told otherwise.
        cycles: length of a life in cycles, by environment id.
        quick: whether it is for trying out; its scores are marked as not for publication.
        held_out: whether configurations may be searched on it; it then shares no environment with a suite that
            is not.
    """

    name: str
    version: int
    summary: str
    temperature: float
    seeds: int
    cycles: dict[str, int]
    quick: bool = False
    held_out: bool = False

    def __post_init__(self) -> None:
        require(bool(self.cycles), f"suite {self.name} must hold at least one environment")
        require(self.temperature > 0, f"temperature of suite {self.name} must be above 0, got {self.temperature}")
        require(self.seeds >= 1, f"seeds of suite {self.name} must be at least 1, got {self.seeds}")
        for environment, cycles in self.cycles.items():
            require(cycles >= 1, f"cycles of {environment} must be at least 1, got {cycles}")


def suite_names() -> list[str]:
    """Returns the names of the suites that come with the package."""
    return data_names(_FOLDER)


def load_suite(name: str) -> Suite:
    """Loads a suite by name, or from the path of a TOML file.

    Raises:
        UnknownNameError: if there is no such suite.
        InvalidValueError: if the file is not a suite.

    Example:
        >>> load_suite("jair").cycles["aixi/CoinFlip-v0"] > 0
        True
    """
    return load_data(_FOLDER, name, Suite)
