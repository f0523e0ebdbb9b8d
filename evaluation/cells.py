"""The lives behind a score: every agent, environment and seed of a suite, in as many processes as wanted."""

import contextlib
import multiprocessing
import signal
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from typing import Any

from aixi.agents.registry import make_agent, parse_agent
from aixi.errors import AixiError, InvalidValueError, at_least, require
from aixi.evaluation.complexity import description_bits
from aixi.evaluation.interrupt import Interrupt
from aixi.evaluation.life import Life
from aixi.evaluation.provenance import machine, versions
from aixi.evaluation.runner import run
from aixi.evaluation.scoring import Cell, CellResult, ScoreResult, summarise
from aixi.evaluation.suite import Suite, load_suite
from aixi.evaluation.world import find_row, import_modules

_TICK = 0.1  # seconds between looks at what the lives are doing

OnCell = Callable[[CellResult], None]
OnTick = Callable[[dict[Cell, int]], None]


def score(
    agents: Sequence[str],
    suite: str | Suite,
    *,
    seeds: int | Sequence[int] | None = None,
    workers: int = 1,
    relabel: bool = True,
    imports: Sequence[str] = (),
    on_cell: OnCell | None = None,
    on_tick: OnTick | None = None,
) -> ScoreResult:
    """Scores agents on a suite: each in one configuration, in every environment, at every seed.

    The same call gives the same bits whatever the number of workers. A life that fails counts as value 0, the
    random level; its error is kept. Ctrl-C ends the lives that go on, without a trace of them, and returns
    the rest.

    Args:
        agents: in text form, `name` or `name:key=value,...`.
        suite: a suite, its name, or the path of its TOML file.
        seeds: number of seeds, counted from 0, or the seeds themselves; the suite's own number if None.
        workers: number of processes. More than one start Python anew, so that a script must guard its main
            part with `if __name__ == "__main__"`.
        relabel: whether each seed permutes discrete actions, the same way for all agents.
        imports: modules with third-party registrations, imported in every process.
        on_cell: called with each life that has ended, as it ends.
        on_tick: called ten times a second with the lives that go on and the cycles they have lived.

    Raises:
        UnknownNameError: if there is no such suite, agent or environment.
        InvalidValueError: if an option is wrong.
    """
    began = time.perf_counter()
    suite = load_suite(suite) if isinstance(suite, str) else suite
    workers = at_least("workers", workers, 1)
    cells = plan(agents, suite, seeds=seeds, imports=imports)
    rows = {environment: find_row(environment) for environment in suite.cycles}
    lengths = {environment: description_bits(row) for environment, row in rows.items()}
    pool = _Pool(cells, relabel, tuple(imports), on_cell or _ignore, on_tick or _ignore)
    interrupted = pool.live(workers)
    results = [result for result in pool.results if result is not None]
    chosen = list(dict.fromkeys(cell.seed for cell in cells))
    table = summarise(suite, agents, chosen, relabel, results, rows, lengths)
    table.interrupted = interrupted
    table.seconds = time.perf_counter() - began
    table.workers, table.versions, table.machine = workers, versions(), machine()
    return table


def plan(
    agents: Sequence[str],
    suite: Suite,
    *,
    seeds: int | Sequence[int] | None = None,
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
        description_bits(find_row(environment))
    return [
        Cell(agent, environment, seed, cycles)
        for agent in agents
        for environment, cycles in suite.cycles.items()
        for seed in chosen
    ]


def _ignore(_: Any) -> None:
    pass


class _Pool:
    """Cells, what became of them, and who is told."""

    def __init__(
        self, cells: list[Cell], relabel: bool, imports: tuple[str, ...], on_cell: OnCell, on_tick: OnTick
    ) -> None:
        self.cells = cells
        self.results: list[CellResult | None] = [None] * len(cells)
        self._relabel = relabel
        self._imports = imports
        self._on_cell = on_cell
        self._on_tick = on_tick

    def live(self, workers: int) -> bool:
        """Lives all cells; returns whether Ctrl-C left some out."""
        if min(workers, len(self.cells)) == 1:
            with contextlib.suppress(KeyboardInterrupt):  # the second one
                self._live_here()
        else:
            self._live_in_processes(workers)
        return None in self.results

    def _live_here(self) -> None:
        told = time.monotonic()
        with Interrupt() as interrupt:
            for index, cell in enumerate(self.cells):
                if interrupt.requested:
                    return

                def tell(life: Life, cell: Cell = cell) -> None:
                    nonlocal told
                    if time.monotonic() - told >= _TICK:
                        told = time.monotonic()
                        self._on_tick({cell: life.cycle})

                result = _live(cell, self._relabel, tell)
                if result is None:
                    return
                self._end(index, result)

    def _live_in_processes(self, workers: int) -> None:
        context = multiprocessing.get_context("spawn")
        lived = context.Array("q", len(self.cells) + 1, lock=False)
        strangers = set(multiprocessing.active_children())
        with (
            Interrupt() as interrupt,
            ProcessPoolExecutor(
                min(workers, len(self.cells)), context, initializer=_enter, initargs=(lived, self._imports)
            ) as executor,
        ):
            waiting: dict[Future[CellResult | None], int] = {
                executor.submit(_live_in_worker, index, cell, self._relabel): index
                for index, cell in enumerate(self.cells)
            }
            try:
                while waiting:
                    done, _ = wait(waiting, timeout=_TICK, return_when=FIRST_COMPLETED)
                    for future in done:
                        index = waiting.pop(future)
                        if not future.cancelled():
                            self._end(index, _outcome(future, self.cells[index]))
                    self._on_tick({self.cells[index]: lived[index] for index in waiting.values() if lived[index]})
                    if interrupt.requested and not lived[_STOP]:
                        lived[_STOP] = True
                        for future in waiting:
                            future.cancel()
            except KeyboardInterrupt:  # the second one
                executor.shutdown(wait=False, cancel_futures=True)
                for child in multiprocessing.active_children():
                    if child not in strangers:
                        child.kill()

    def _end(self, index: int, result: CellResult | None) -> None:
        self.results[index] = result
        if result is not None:
            self._on_cell(result)


def _outcome(future: "Future[CellResult | None]", cell: Cell) -> CellResult | None:
    try:
        return future.result()
    except Exception as error:  # the worker itself died, or could not start
        return CellResult(cell=cell, error=f"{type(error).__name__}: {error}")


_STOP = -1
_lived: Any = None  # in a worker: the shared int64[cells + 1], cycles that each cell has lived; last, whether to stop


def _enter(lived: Any, imports: tuple[str, ...]) -> None:
    """Prepares a worker: Ctrl-C in the terminal reaches all processes, and a life heeds it at the end of a cycle."""
    global _lived
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _lived = lived
    import_modules(imports)


def _live_in_worker(index: int, cell: Cell, relabel: bool) -> CellResult | None:
    def tell(life: Life) -> None:
        _lived[index] = life.cycle
        if _lived[_STOP]:
            life.interrupt.requested = True

    return _live(cell, relabel, tell)


def _live(cell: Cell, relabel: bool, on_cycle: Callable[[Life], None]) -> CellResult | None:
    """Lives one cell; None if it was interrupted."""
    began = time.perf_counter()
    try:
        result = run(
            cell.agent,
            cell.environment,
            cycles=cell.cycles,
            seed=cell.seed,
            relabel=relabel,
            on_cycle=on_cycle,
        )
    except AixiError as error:
        return CellResult(cell=cell, seconds=time.perf_counter() - began, error=str(error))
    except Exception as error:  # an agent's own fault must not cost the other lives
        return CellResult(cell=cell, seconds=time.perf_counter() - began, error=f"{type(error).__name__}: {error}")
    if result.interrupted:
        return None
    return CellResult(
        cell=cell,
        average_reward=result.average_reward,
        bits_per_percept=result.bits_per_percept,
        percept_hash=result.percept_hash,
        seconds=result.seconds,
    )
