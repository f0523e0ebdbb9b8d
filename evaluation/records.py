"""Cells and what became of them: the facts that every score is a function of."""

import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from aixi.agents.registry import AGENTS, agent_options, convert_options, parse_agent
from aixi.evaluation.complexity import description_hash
from aixi.evaluation.curve import CurvePoint
from aixi.evaluation.world import find_row

Fault = Literal["agent", "environment"]


class Cell(msgspec.Struct, frozen=True):
    """One life of a score.

    Attributes:
        agent: in text form, `name` or `name:key=value,...`.
        environment: id, or `module:id`.
        seed: seed of the life.
        cycles: its length in cycles.
        relabel: whether the seed permutes discrete actions.
    """

    agent: str
    environment: str
    seed: int
    cycles: int
    relabel: bool = True


class CellResult(msgspec.Struct, kw_only=True):
    """What a cell earned, and where and how.

    Attributes:
        cell: the cell.
        cycles: cycles lived; fewer than planned in a life that failed.
        average_reward: average over these of what the environment measures, reward per cycle or return per
            episode; None without any.
        bits_per_percept: average code length of the percepts, in bits; None where nothing was predicted.
        percept_hash: CRC-32 of all percepts; None where the process was lost.
        curve: float64[points, 3] in little-endian bytes, see `curve_points`.
        seconds: time lived.
        model_bits: percept bits that the agent's planner sampled from its model.
        fault: whose fault it was that the life failed, else None.
        error: why it failed, else None.
        options: the agent's configuration in full.
        entry_point: `module:class` of the environment.
        arguments: its keyword arguments.
        description_hash: SHA-256 of its canonical description.
        versions: of Python and the packages.
        machine: system, processor and cores.
        ended: when the life ended, ISO 8601 in UTC.
    """

    cell: Cell
    cycles: int = 0
    average_reward: float | None = None
    bits_per_percept: float | None = None
    percept_hash: int | None = None
    curve: bytes = b""
    seconds: float = 0.0
    model_bits: float = 0.0
    fault: Fault | None = None
    error: str | None = None
    options: dict[str, Any] = {}
    entry_point: str = ""
    arguments: dict[str, Any] = {}
    description_hash: str = ""
    versions: dict[str, str] = {}
    machine: dict[str, str | int] = {}
    ended: str = ""


def pack_curve(points: Sequence[CurvePoint]) -> bytes:
    """Returns a learning curve in the form that `CellResult` keeps."""
    rows = [
        (point.cycle, point.cumulative_average, np.nan if point.bits_per_percept is None else point.bits_per_percept)
        for point in points
    ]
    return np.array(rows, "<f8").tobytes()


def curve_points(result: CellResult) -> NDArray[np.float64]:
    """Returns the learning curve of a life, float64[points, 3].

    Columns: cycles lived; average since the life began of what the environment measures; bits per percept since
    the previous point, NaN where nothing was predicted.
    """
    return np.frombuffer(result.curve, "<f8").reshape(-1, 3)


def cell_key(cell: Cell) -> str:
    """Returns what makes two cells the same life: a hash of everything that its bits depend on.

    That is the agent's configuration with its defaults filled in, and the version of its behaviour; the
    environment's canonical description; seed, cycles and relabelling. Versions of the packages are recorded
    with each result but do not enter: stored lives stay comparable across machines.

    Example:
        >>> a = Cell("constant", "aixi/CoinFlip-v0", 0, 10)
        >>> cell_key(a) == cell_key(Cell("constant:action=0", "aixi/CoinFlip-v0", 0, 10))
        True
        >>> cell_key(a) == cell_key(Cell("constant", "aixi/CoinFlip-v0", 1, 10))
        False
    """
    content = [
        configuration(cell.agent),
        find_row(cell.environment).name,
        description_hash(find_row(cell.environment)),
        cell.seed,
        cell.cycles,
        cell.relabel,
    ]
    return hashlib.sha256(msgspec.json.encode(content)).hexdigest()


def full_options(agent: str) -> dict[str, Any]:
    """Returns the configuration of an agent in text form, its defaults filled in."""
    name, options = parse_agent(agent)
    return agent_options(name) | convert_options(name, options)


@cache
def configuration(agent: str) -> tuple[Any, ...]:
    """Returns what makes two agents in text form the same: name, version of its behaviour, and all its options."""
    name, _ = parse_agent(agent)
    options = tuple(sorted(full_options(agent).items()))
    return name, _behaviour(AGENTS[name].entry_point, AGENTS[name].version), options


@cache
def _behaviour(entry_point: str, version: int) -> str:
    """Returns what changes when an agent does: our own declare a version, a third party's sources are hashed."""
    top = entry_point.partition(":")[0].partition(".")[0]
    if top == "aixi":
        return str(version)
    from importlib.util import find_spec

    spec = find_spec(top)
    origin = None if spec is None or spec.origin is None else Path(spec.origin)
    folders = [] if spec is None else list(spec.submodule_search_locations or ())
    files = sorted(path for folder in folders for path in Path(folder).rglob("*.py"))
    if not files and origin is not None:
        files = [origin]
    digest = hashlib.sha256(str(version).encode())
    for path in files:
        digest.update(path.read_bytes())
    return digest.hexdigest()
