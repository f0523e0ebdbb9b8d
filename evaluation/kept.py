"""Which of the lives that a store keeps, or that come with the package, are those of a suite and of its agents."""

import contextlib
import math
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from aixi.errors import AixiError, InvalidValueError
from aixi.evaluation.complexity import description_hash
from aixi.evaluation.records import Cell, CellResult, cell_key, configuration, full_options
from aixi.evaluation.results import Tuning
from aixi.evaluation.store import Store
from aixi.evaluation.suite import Suite, load_suite, suite_names
from aixi.evaluation.world import find_row

REFERENCE = Path(__file__).parent / "reference"


def stored_lives(
    store: Store, suite: Suite, relabel: bool, agents: Sequence[str] | None
) -> tuple[list[CellResult], dict[str, int]]:
    """Returns the lives in a store that are those of the suite, and how many of the agents' are left out, by reason.

    A life is left out if its agent or environment has changed since, and no later one has taken its place. Lives in
    other environments or of other lengths belong to other suites.
    """
    valid, stale = _sorted_out(store.results(), suite, relabel)
    wanted = None if agents is None else {identity(agent) for agent in agents}
    left_out: Counter[str] = Counter()
    for cell, reason in stale.items():
        if wanted is None or identity(cell.agent) in wanted:
            left_out[reason] += 1
    return list(valid.values()), dict(left_out)


def _sorted_out(
    stored: Iterable[tuple[str, CellResult]], suite: Suite, relabel: bool
) -> tuple[dict[str, CellResult], dict[Cell, str]]:
    """Returns the lives, by key, that are still those of the suite: its cycles, and its environments as they are now;
    and of cells that have but lives of other times, why.

    So must be the agents, except one that is not installed any more. Of its lives in one cell the latest counts.
    """
    latest: dict[Cell, tuple[str, CellResult]] = {}
    stale: dict[Cell, str] = {}
    for key, result in stored:
        cell = result.cell
        if suite.cycles.get(cell.environment) != cell.cycles or cell.relabel != relabel:
            continue
        current = result.description_hash == description_hash(find_row(cell.environment))
        same = current
        with contextlib.suppress(AixiError):  # where there is no such agent here, or no such option
            same = cell_key(cell) == key
        if not same:
            what = f"agent {cell.agent}" if current else f"environment {cell.environment}"
            stale[cell] = f"{what} has changed since"
        elif cell not in latest or latest[cell][1].ended < result.ended:
            latest[cell] = key, result
    return dict(latest.values()), {cell: why for cell, why in stale.items() if cell not in latest}


def lives_of(agents: Sequence[str], lives: Iterable[CellResult]) -> list[CellResult]:
    """Returns the lives of agents, whose words for a configuration theirs become; one a cell."""
    words = {identity(agent): agent for agent in agents}
    found: dict[Cell, CellResult] = {}
    for life in lives:
        agent = words.get(identity(life.cell.agent))
        if agent is not None:
            cell = msgspec.structs.replace(life.cell, agent=agent)
            found.setdefault(cell, msgspec.structs.replace(life, cell=cell))
    return list(found.values())


def require_lives(
    agent: str | None,
    lives: Iterable[CellResult],
    suite: Suite,
    named: str | Suite,
    store: str | os.PathLike[str] | None,
    left_out: Mapping[str, int],
) -> None:
    """Refuses an agent without a life, or an empty store."""
    if any(agent in (None, life.cell.agent) for life in lives):
        return
    if agent is not None:
        full_options(agent)  # a slip of the pen is the likelier reason
    text = named if isinstance(named, str) else suite.name
    others = "".join(f"; {number} lives are left out, since {why}" for why, number in left_out.items())
    raise InvalidValueError(
        f"{'the reference' if store is None else store} holds no life of "
        f"{'' if agent is None else f'{agent} in '}suite {suite.name} v{suite.version}; run "
        f"aixi score {agent or 'AGENT'} --suite {text} --store {store or 'FILE'}, or give another --suite{others}"
    )


def shipped_lives(suite: Suite, relabel: bool) -> dict[str, CellResult]:
    """Returns the lives that come with the package for a suite, by key."""
    path = REFERENCE / f"{suite.name}.sqlite"
    if not path.exists() or suite.name not in suite_names() or suite != load_suite(suite.name):
        return {}
    with Store(path, readonly=True) as store:
        return _sorted_out(store.results(), suite, relabel)[0]


def beside(
    agents: Sequence[str], results: Sequence[CellResult], shipped: Iterable[CellResult]
) -> tuple[list[str], list[CellResult]]:
    """Returns the agents of a table, those of shipped lives that were not asked for among them, and their lives."""
    asked = [identity(agent) for agent in agents]
    seeds = {result.cell.seed for result in results}
    beside = [result for result in shipped if result.cell.seed in seeds and identity(result.cell.agent) not in asked]
    return list(dict.fromkeys([*agents, *(result.cell.agent for result in beside)])), beside


def tunings_of(store: Store, agents: Iterable[str]) -> dict[str, Tuning]:
    """Returns what is on record of the search for each agent's configuration; the sum of several searches."""
    records = store.tunings()
    found: dict[str, Tuning] = {}
    for agent in agents:
        mine = [record.tuning for record in records if identity(record.agent) == identity(agent)]
        if mine:
            found[agent] = Tuning(
                suite=", ".join(dict.fromkeys(tuning.suite for tuning in mine)),
                configurations=sum(tuning.configurations for tuning in mine),
                cells=sum(tuning.cells for tuning in mine),
                cycles=sum(tuning.cycles for tuning in mine),
                seconds=math.fsum(tuning.seconds for tuning in mine),
            )
    return found


def identity(agent: str) -> tuple[object, ...]:
    """Returns what two texts of one agent share; of an agent that is not installed any more, the text itself."""
    try:
        return configuration(agent)
    except AixiError:
        return (agent,)
