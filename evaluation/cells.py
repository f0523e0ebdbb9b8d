"""The lives behind a score: every agent, environment and seed of a suite, wherever they are lived."""

import contextlib
import math
import os
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import TypedDict, Unpack

import msgspec
import numpy as np
from numpy.typing import NDArray

from aixi.agents.registry import make_agent, parse_agent
from aixi.errors import InvalidValueError, at_least, require
from aixi.evaluation import allocation
from aixi.evaluation.complexity import description_bits
from aixi.evaluation.interrupt import Interrupt
from aixi.evaluation.isolation import check_limits
from aixi.evaluation.kept import beside, identity, lives_of, require_lives, shipped_lives, stored_lives, tunings_of
from aixi.evaluation.provenance import machine
from aixi.evaluation.records import Cell, CellResult, cell_key
from aixi.evaluation.results import Loss, ScoreResult, Stopped, Tuning
from aixi.evaluation.schedule import OnCell, OnTick, live_cells
from aixi.evaluation.scoring import cube, summarise
from aixi.evaluation.store import Store
from aixi.evaluation.suite import Suite, load_suite
from aixi.evaluation.table import Lives, Weights, anchors_of
from aixi.evaluation.world import find_row, import_modules

DEADLINE = 86_400.0
"""Seconds after which a life fails unless told otherwise: a day."""


class LiveOptions(TypedDict, total=False):
    """How and where lives are lived; no result depends on it, but those of lives that fail by a limit.

    Attributes:
        workers: lives at a time, each in a process of its own; 1 unless given.
        imports: modules with third-party registrations, imported in every process.
        deadline: seconds after which a life fails, a day unless given; None for never.
        memory: bytes that a life may take on top of what its process begins with; None for no limit.
        executor: where lives are lived, instead of this machine's processes; it must run Python functions.
        retry_failed: whether stored lives that failed are lived again, under other limits, say.
        on_cell: called with each life that has ended, as it ends, and whether it was stored already.
        on_tick: called ten times a second with the lives that go on and the cycles they have lived.
    """

    workers: int
    imports: Sequence[str]
    deadline: float | None
    memory: int | None
    executor: Executor | None
    retry_failed: bool
    on_cell: OnCell | None
    on_tick: OnTick | None


def score(
    agents: Sequence[str],
    suite: str | Suite,
    *,
    seeds: int | Sequence[int] | None = None,
    relabel: bool = True,
    weighting: str = "tempered",
    store: str | os.PathLike[str] | Store | None = None,
    reference: bool = True,
    precision: float | None = None,
    budget: float | None = None,
    **options: Unpack[LiveOptions],
) -> ScoreResult:
    """Scores agents on a suite: each in one configuration, in every environment, at every seed.

    The same call gives the same bits whatever the number of workers, and wherever they are. A life that fails
    through the agent's fault counts with the lower of 0, the random level, and what it had earned; an
    environment that fails is left out for all agents. Ctrl-C ends the lives that go on, without a trace of
    them, and returns the rest; with a store, the same call goes on from there.

    Args:
        agents: in text form, `name` or `name:key=value,...`.
        suite: a suite, its name, or the path of its TOML file.
        seeds: number of seeds, counted from 0, or the seeds themselves; the suite's own number if None.
        relabel: whether each seed permutes discrete actions, the same way for all agents.
        weighting: what the score is weighted by: `tempered`, `literal`, `strata`, `uniform`, or the name or the
            path of a value weighting.
        store: what keeps every life as it ends, or the path of its file; lives found there are not lived again.
        reference: whether lives that the package ships for this suite are used, and their agents shown.
        precision: add seeds, where they help most, until the half-widths of all paired differences between
            agents are at most this, in units of score; `seeds` are then the first ones.
        budget: seconds after which no more seeds are added.
        options: how and where lives are lived, see `LiveOptions`.

    Raises:
        UnknownNameError: if there is no such suite, agent or environment.
        InvalidValueError: if an option is wrong.
        StoreError: if the store cannot be read or written; what it holds stays.
    """
    began = time.perf_counter()
    suite = load_suite(suite) if isinstance(suite, str) else suite
    workers = at_least("workers", options.setdefault("workers", 1), 1)
    check_limits(options.setdefault("deadline", DEADLINE), options.get("memory"))
    for name, limit in (("precision", precision), ("budget", budget)):
        require(limit is None or 0 < limit < math.inf, f"{name} must be a finite number above 0, got {limit}")
    cells = plan(agents, suite, seeds=seeds, relabel=relabel, imports=options.get("imports", ()))
    Weights(suite, Lives(suite, [], []), weighting)  # a wrong weighting is to be told now, not after hours
    pilot = None
    require(
        budget is None or precision is not None,
        f"a budget ends the adding of seeds for a precision; give a precision, or leave the budget of {budget} s out",
    )
    if precision is not None:
        require(len(agents) > 1, f"a precision is that of differences between agents, got one agent: {agents[0]}")
        chosen = list(dict.fromkeys(cell.seed for cell in cells))
        require(chosen == list(range(len(chosen))), f"a precision needs a number of seeds, not a list, got {chosen}")
        pilot = max(allocation.PILOT, len(chosen))
        cells = _grid(agents, suite, [range(pilot)] * len(suite.cycles), relabel)
    shipped = shipped_lives(suite, relabel) if reference else {}
    on_cell = options.get("on_cell")
    results: list[CellResult] = []
    lost: list[Loss] = []
    missing = stored = 0
    stopped: Stopped | None = None
    opened = contextlib.nullcontext(store) if isinstance(store, Store) else Store(store)
    with opened as found, Interrupt() as interrupt:
        while cells:
            keys = {cell: cell_key(cell) for cell in cells}
            there = [msgspec.structs.replace(shipped[keys[cell]], cell=cell) for cell in cells if keys[cell] in shipped]
            if on_cell is not None:
                for result in there:
                    on_cell(result, True)
            asked = [(keys[cell], cell) for cell in cells if keys[cell] not in shipped]
            outcome = live_cells(asked, found, interrupt=interrupt, **options)
            # A life without a result must not be better than one that failed.
            fallen = [CellResult(cell=cell, fault="agent", error=why) for cell, why in outcome.lost.items()]
            results += there + outcome.results + fallen
            lost += [Loss(cell.agent, cell.environment, cell.seed, why) for cell, why in outcome.lost.items()]
            missing += len(asked) - len(outcome.results) - len(outcome.lost)
            stored += outcome.stored + len(there)
            if precision is None or pilot is None:
                break
            found.add_pilot(_title(suite), pilot)
            values, weights = cube(suite, agents, results, weighting)
            if outcome.interrupted or outcome.lost or not weights.any():
                stopped = (
                    "interrupted" if outcome.interrupted else "lives lost" if outcome.lost else "no environment left"
                )
                break
            left = math.inf if budget is None else max(0.0, budget - (time.perf_counter() - began)) * workers
            extra = allocation.next_seeds(values, weights, _costs(suite, agents, results), precision, left, pilot)
            have = _lived(values)
            following = [range(count, count + int(more)) for count, more in zip(have, extra, strict=True)]
            cells = _grid(agents, suite, following, relabel)
        # A precision is that of the agents asked for; others would need more seeds than there are.
        shown, others = beside(agents, results, shipped.values() if precision is None else ())
        tunings = tunings_of(found, shown)
        table = summarise(suite, shown, results + others, weighting=weighting, tunings=tunings, pilot=pilot)
        table.kept = found.path is not None
    if precision is not None:
        table.precision_asked = precision
        precise = allocation.is_precise([pair.difference for pair in table.pairs], precision)
        table.stopped = stopped or ("precision reached" if precise else "budget spent")
    gone = {(loss.agent, loss.environment, loss.seed) for loss in lost}
    table.failures = [item for item in table.failures if (item.agent, item.environment, item.seed) not in gone]
    table.lost, table.missing, table.stored, table.interrupted = lost, missing, stored, interrupt.requested
    table.seconds = time.perf_counter() - began
    table.workers, table.machine = workers, machine()
    return table


def rescore(
    store: str | os.PathLike[str],
    suite: str | Suite,
    *,
    agents: Sequence[str] | None = None,
    relabel: bool = True,
    imports: Sequence[str] = (),
    weighting: str = "tempered",
    reference: bool = True,
) -> ScoreResult:
    """Returns the table of scores of stored lives; none is lived.

    Args:
        store: file that `score` kept them in; it is only read.
        suite: a suite, its name, or the path of its TOML file.
        agents: in text form, in any words for the same configuration; all that have a life in an environment of the
            suite if None.
        relabel: whether lives with permuted actions are meant.
        imports: modules with third-party registrations.
        weighting: as for `score`.
        reference: whether agents of the lives that the package ships for this suite are shown beside.

    Raises:
        InvalidValueError: if the store holds no such life.
        StoreError: if the store cannot be read.
    """
    began = time.perf_counter()
    found = load_suite(suite) if isinstance(suite, str) else suite
    import_modules(imports)
    with Store(store, readonly=True) as opened:
        lives, left_out = stored_lives(opened, found, relabel, agents)
        asked = list(agents) if agents is not None else [life.cell.agent for life in lives]
        asked = list({identity(agent): agent for agent in reversed(asked)}.values())[::-1]
        results = lives_of(asked, lives)
        for agent in [None] if agents is None else asked:
            require_lives(agent, results, found, suite, store, left_out)
        shipped = shipped_lives(found, relabel) if reference else {}
        shown, others = beside(asked, results, shipped.values())
        tunings, pilot = tunings_of(opened, shown), opened.pilot(_title(found))
        table = summarise(found, shown, results + others, weighting=weighting, tunings=tunings, pilot=pilot)
    table.stored, table.kept, table.left_out = len(results), True, left_out
    table.seconds = time.perf_counter() - began
    table.machine = machine()
    return table


def compare(
    first: str,
    second: str,
    suite: str | Suite,
    *,
    store: str | os.PathLike[str] | None = None,
    relabel: bool = True,
    imports: Sequence[str] = (),
    weighting: str = "tempered",
) -> ScoreResult:
    """Returns the table of two agents from stored lives; its one pair tells who is better where.

    Args:
        first: agent in text form.
        second: another one.
        suite: a suite, its name, or the path of its TOML file.
        store: file that `score` kept lives in; those that the package ships count too.
        relabel: as for `rescore`.
        imports: modules with third-party registrations.
        weighting: as for `score`.

    Raises:
        UnknownNameError: if an agent is not known here, and no life of it is stored either.
        InvalidValueError: if one of them has no life there.
    """
    found = load_suite(suite) if isinstance(suite, str) else suite
    import_modules(imports)
    pair = [first, second]
    require(identity(first) != identity(second), f"two agents are compared, got {first} twice")
    lives = list(shipped_lives(found, relabel).values())
    tunings: dict[str, Tuning] = {}
    left_out: dict[str, int] = {}
    pilot = None
    if store is not None:
        with Store(store, readonly=True) as opened:
            stored, left_out = stored_lives(opened, found, relabel, pair)
            lives = stored + lives
            tunings, pilot = tunings_of(opened, pair), opened.pilot(_title(found))
    results = lives_of(pair, lives)
    for agent in pair:
        require_lives(agent, results, found, suite, store, left_out)
    table = summarise(found, pair, results, weighting=weighting, tunings=tunings, pilot=pilot)
    table.left_out = left_out
    return table


def load_result(path: str | os.PathLike[str]) -> ScoreResult:
    """Returns the table that `aixi score --json` wrote.

    Raises:
        InvalidValueError: if the file is none.
    """
    try:
        return msgspec.json.decode(Path(path).read_bytes(), type=ScoreResult)
    except (OSError, msgspec.DecodeError) as error:
        raise InvalidValueError(f"{path} is not a table that aixi score --json wrote: {error}") from error


def plan(
    agents: Sequence[str],
    suite: Suite,
    *,
    seeds: int | Sequence[int] | None = None,
    relabel: bool = True,
    imports: Sequence[str] = (),
) -> list[Cell]:
    """Returns the lives of a score, all of whose arguments are found sound; they are those of `score`."""
    import_modules(imports)
    if seeds is None:
        seeds = suite.seeds
    if isinstance(seeds, Iterable):
        chosen = [at_least("seed", seed, 0) for seed in seeds]
    else:
        chosen = list(range(at_least("seeds", seeds, 1)))
    require(bool(chosen) and len(set(chosen)) == len(chosen), f"seeds must be distinct and at least one, got {chosen}")
    require(not isinstance(agents, str), f"agents must be a list of texts, got the text {agents!r}")
    require(bool(agents), "a score needs at least one agent, got none")
    require(len(set(agents)) == len(agents), f"each agent must be given once, got {', '.join(agents)}")
    for agent in agents:
        name, options = parse_agent(agent)
        if "preset" in options:
            raise InvalidValueError(
                f"a score belongs to one configuration of {name} in every environment, so that presets are "
                f"refused; use aixi run --preset"
            )
        make_agent(name, **options)  # a wrong option is to be told now, not in every life
    for environment in suite.cycles:
        row = find_row(environment)
        anchors_of(row)
        description_bits(row)
    return _grid(agents, suite, [chosen] * len(suite.cycles), relabel)


def _grid(agents: Sequence[str], suite: Suite, seeds: Iterable[Sequence[int]], relabel: bool) -> list[Cell]:
    """Returns a cell for each agent, environment and its seeds, which come in the order of the suite."""
    lives = list(zip(suite.cycles.items(), seeds, strict=True))
    return [
        Cell(agent, environment, seed, cycles, relabel)
        for agent in agents
        for (environment, cycles), chosen in lives
        for seed in chosen
    ]


def _costs(suite: Suite, agents: Sequence[str], results: Sequence[CellResult]) -> NDArray[np.float64]:
    """Returns the seconds that one more seed takes, float64[environments]: a life of each agent."""
    spent: dict[str, list[float]] = {environment: [] for environment in suite.cycles}
    for result in results:
        spent[result.cell.environment].append(result.seconds)
    # A life that came from elsewhere in no time at all still has a price.
    return np.array([len(agents) * max(math.fsum(times) / max(len(times), 1), 1e-3) for times in spent.values()])


def _lived(values: NDArray[np.float64]) -> list[int]:
    """Returns how many seeds each environment has, where they are counted from 0."""
    return [int(count) for count in (~np.isnan(values)).any(axis=0).sum(axis=1)]


def _title(suite: Suite) -> str:
    return f"{suite.name} v{suite.version}"
