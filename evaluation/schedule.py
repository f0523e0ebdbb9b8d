"""Cells to processes: this machine's, or those of any executor; what is known already is not lived again."""

import contextlib
import importlib
import re
import threading
import time
import uuid
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ThreadPoolExecutor,
    wait,
)
from functools import partial
from typing import Any

import msgspec

from aixi.errors import AixiError, InvalidValueError, at_least, require
from aixi.evaluation.faults import LifeLostError, give_up
from aixi.evaluation.interrupt import Interrupt
from aixi.evaluation.isolation import check_limits, end_session, live_isolated
from aixi.evaluation.messages import TICK
from aixi.evaluation.records import Cell, CellResult
from aixi.evaluation.store import BEAT_SECONDS, Store, StoreError

ATTEMPTS = 3
"""How often a life is begun whose process is lost each time."""

OnCell = Callable[[CellResult, bool], None]
OnTick = Callable[[dict[Cell, int]], None]
Submit = Callable[[str, Cell], "Future[CellResult | None]"]

_ASK_AGAIN = 1.0  # seconds after which a cell that another driver has taken is asked for again
_CONNECT = 10.0  # seconds that a cluster has to answer


class ExecutorLostError(AixiError, RuntimeError):
    """An executor takes no more lives; those that ended are stored."""


class Outcome(msgspec.Struct, kw_only=True):
    """What became of cells.

    Attributes:
        results: of those that have one, in the order they were asked for.
        stored: how many of them were there already, or came from another driver.
        lost: cells that the executor has lost time and again, and why; they have no result.
        interrupted: whether Ctrl-C left cells out.
    """

    results: list[CellResult]
    stored: int
    lost: dict[Cell, str]
    interrupted: bool


def live_cells(
    cells: Sequence[tuple[str, Cell]],
    store: Store,
    *,
    executor: Executor | None = None,
    workers: int = 1,
    imports: Sequence[str] = (),
    deadline: float | None = None,
    memory: int | None = None,
    retry_failed: bool = False,
    on_cell: OnCell | None = None,
    on_tick: OnTick | None = None,
    interrupt: Interrupt | None = None,
) -> Outcome:
    """Lives the cells that the store has no result of, each in a process of its own, and stores what they earn.

    A life that fails has a result too, and so has one whose process is killed `ATTEMPTS` times, whoever does it.
    Other drivers may work on the same store: each cell is lived by one of them. Results are the same bits wherever
    they are lived.

    Args:
        cells: with their keys.
        store: where results are, and go to.
        executor: where lives are lived instead of by this process; those begun there go on after Ctrl-C, in vain.
        workers: lives at a time; of an executor, its places, which are kept filled twice over.
        imports: modules with third-party registrations, imported in every process.
        deadline: seconds after which a life fails; None for never.
        memory: bytes that a life may take on top of what its process begins with; None for no limit.
        retry_failed: whether stored results that tell of a fault are forgotten first, so that these are lived again.
        on_cell: called with each result as it comes, and whether it was there already.
        on_tick: called ten times a second with the lives that go on here and the cycles they have lived.
        interrupt: when it is requested, the lives that go on end without a trace.

    Raises:
        InvalidValueError: if an argument is wrong, or a process does not know a cell's agent or environment.
        StoreError: if a result cannot be stored; those before it are.
        ExecutorLostError: if the executor is broken.
        InternalError: if the suite's own code fails around a life.

    Example:
        >>> from aixi.evaluation.records import cell_key
        >>> cells = [Cell("constant", "aixi/CoinFlip-v0", seed, 10) for seed in range(2)]
        >>> with Store(None) as store:
        ...     once = live_cells([(cell_key(cell), cell) for cell in cells], store, workers=2)
        ...     again = live_cells([(cell_key(cell), cell) for cell in cells], store)
        >>> [result.cycles for result in once.results], once.stored, again.stored, again.results == once.results
        ([10, 10], 0, 2, True)
    """
    places = at_least("workers", workers, 1)
    check_limits(deadline, memory)
    asked: dict[str, list[Cell]] = {}
    for key, cell in cells:
        asked.setdefault(key, []).append(cell)
    if retry_failed:
        store.forget_failures(asked)
    run = _Run(asked, store, on_cell or _ignore, on_tick or _ignore, interrupt or Interrupt())
    limits: dict[str, Any] = {"imports": tuple(imports), "deadline": deadline, "memory": memory}
    session = uuid.uuid4().hex
    if executor is not None:
        live = partial(live_isolated, session=session, **limits)
        interrupted = run.go(lambda key, cell: executor.submit(live, cell, key=key), 2 * places)
    else:
        stop = threading.Event()
        live = partial(live_isolated, session=session, stop=stop, **limits)
        try:
            with ThreadPoolExecutor(max(1, min(places, len(asked)))) as supervisors:
                try:
                    interrupted = run.go(
                        lambda key, cell: supervisors.submit(live, cell, key=key, on_cycle=partial(run.hear, cell)),
                        places,
                    )
                finally:
                    stop.set()
        finally:
            end_session(session)
    return Outcome(
        results=[msgspec.structs.replace(run.results[key], cell=cell) for key, cell in cells if key in run.results],
        stored=sum(key in run.stored for key, _ in cells),
        lost={cell: run.lost[key] for key, cell in cells if key in run.lost},
        interrupted=interrupted,
    )


def _ignore(*_: Any) -> None:
    pass


class _Run:
    """Cells by their keys, and what is known of them.

    Attributes:
        results: by key.
        stored: keys of those that were there already.
        lost: keys of those given up, and why.
    """

    def __init__(
        self, asked: dict[str, list[Cell]], store: Store, on_cell: OnCell, on_tick: OnTick, interrupt: Interrupt
    ) -> None:
        self.results: dict[str, CellResult] = {}
        self.stored: set[str] = set()
        self.lost: dict[str, str] = {}
        self._asked = asked
        self._store = store
        self._on_cell = on_cell
        self._on_tick = on_tick
        self._interrupt = interrupt
        self._waiting: deque[str] = deque()
        self._taken: list[str] = []  # by other drivers
        self._running: dict[Future[CellResult | None], str] = {}
        self._losses: defaultdict[str, list[Exception]] = defaultdict(list)
        self._cycles: dict[Cell, int] = {}

    def hear(self, cell: Cell, cycles: int) -> None:
        """Takes in how far a life has come."""
        self._cycles[cell] = cycles

    def go(self, submit: Submit, places: int) -> bool:
        """Lives all cells, at most so many at a time; returns whether Ctrl-C left some out."""
        known = self._store.get_many(self._asked)
        for key in self._asked:
            if key in known:
                self._end(key, known[key], stored=True)
            else:
                self._waiting.append(key)
        told = asked = beaten = time.monotonic()
        try:
            while (self._waiting or self._taken or self._running) and not self._interrupt.requested:
                self._fill(submit, places)
                if self._running:
                    wait(self._running, timeout=TICK, return_when=FIRST_COMPLETED)
                    for future in [future for future in self._running if future.done()]:
                        self._take(future)
                elif self._taken:
                    time.sleep(TICK)
                now = time.monotonic()
                if now - told >= TICK:
                    told = now
                    going = {self._asked[key][0] for key in self._running.values()}
                    self._on_tick({cell: cycles for cell, cycles in self._cycles.items() if cell in going})
                if now - asked >= _ASK_AGAIN:
                    asked = now
                    self._waiting.extend(self._taken)
                    self._taken.clear()
                if now - beaten >= BEAT_SECONDS / 4:
                    beaten = now
                    self._store.beat()
        except KeyboardInterrupt:  # the second one
            return True
        finally:
            for future in self._running:
                future.cancel()
            with contextlib.suppress(StoreError):  # where one is being raised, that one is to be told
                for key in self._running.values():
                    self._store.release(key)
        return bool(self._waiting or self._taken or self._running)

    def _fill(self, submit: Submit, places: int) -> None:
        while self._waiting and len(self._running) < places:
            key = self._waiting.popleft()
            match self._store.claim(key):
                case "taken":
                    self._taken.append(key)
                case "done":  # by another driver, since this one asked
                    self._end(key, self._store.get_many([key])[key], stored=True)
                case "mine":
                    try:
                        self._running[submit(key, self._asked[key][0])] = key
                    except Exception as error:
                        self._store.release(key)
                        raise ExecutorLostError(
                            f"the executor takes no more lives ({type(error).__name__}: {error}); those that ended "
                            f"are stored, the same call with another executor goes on from there"
                        ) from error

    def _take(self, future: "Future[CellResult | None]") -> None:
        """Takes in how a life ended; one whose process or worker was lost is begun again."""
        key = self._running[future]
        try:
            result = future.result()
        except Exception as error:
            if not _is_loss(error):
                raise
            losses = self._losses[key]
            losses.append(error)
            killed = [loss for loss in losses if isinstance(loss, LifeLostError)]
            # Where a stack tells who has killed the process, nothing is to be tried again.
            known = [loss for loss in killed if loss.result.fault is not None]
            if len(killed) < ATTEMPTS and not known:
                del self._running[future]
                if len(losses) - len(killed) < ATTEMPTS:
                    self._waiting.appendleft(key)
                else:
                    self._store.release(key)
                    self.lost[key] = str(error) or type(error).__name__
                return
            result = give_up(killed)
        if result is not None:
            self._store.put(key, result)
            del self._running[future]
            self._end(key, result, stored=False)

    def _end(self, key: str, result: CellResult, *, stored: bool) -> None:
        self.results[key] = result
        if stored:
            self.stored.add(key)
        for cell in self._asked[key]:  # two texts may stand for one configuration
            self._on_cell(msgspec.structs.replace(result, cell=cell), stored)


def _is_loss(error: Exception) -> bool:
    """Whether an error tells that a life or its worker was lost; any other one is a defect, and to be seen."""
    lost = isinstance(error, LifeLostError | BrokenExecutor | CancelledError)
    return lost or type(error).__module__.partition(".")[0] == "distributed"


class ClusterExecutor(Executor):
    """The workers of a Dask cluster."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._executor: Executor = client.get_executor(pure=False)

    @property
    def slots(self) -> int:
        """Lives that the cluster can live at a time: the threads of its workers."""
        return sum(self._client.nthreads().values())

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **options: Any) -> "Future[Any]":
        return self._executor.submit(function, *arguments, **options)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._executor.shutdown(wait=wait)
        self._client.close()


def cluster_executor(address: str) -> ClusterExecutor:
    """Returns the workers of a Dask cluster, to be used as a context manager or shut down.

    Args:
        address: of its scheduler, as `tcp://host:8786`.

    Raises:
        InvalidValueError: if Dask is not installed, or the scheduler does not answer, or has no workers.
    """
    try:
        distributed: Any = importlib.import_module("distributed")
    except ImportError:
        raise InvalidValueError("a cluster needs Dask: install aixi[cluster]") from None
    require(
        re.fullmatch(r"\w+://.+:\d+", address) is not None,
        f"a cluster's address must be like tcp://host:8786, got {address!r}",
    )
    try:
        client = distributed.Client(address, timeout=_CONNECT, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise InvalidValueError(
            f"no Dask scheduler answers at {address} ({type(error).__name__}: {error}); start one with "
            f"`dask scheduler` and give its address, as tcp://host:8786"
        ) from error
    executor = ClusterExecutor(client)
    if not executor.slots:
        executor.shutdown()
        raise InvalidValueError(f"the cluster at {address} has no workers; start some with `dask worker {address}`")
    return executor
