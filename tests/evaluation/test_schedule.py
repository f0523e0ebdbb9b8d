"""Cells to processes: what is stored is not lived again, what is lost is, and Ctrl-C leaves nothing half done."""

import math
import os
import signal
import sys
import threading
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context

import msgspec
import pytest

from aixi.errors import InvalidValueError
from aixi.evaluation import schedule
from aixi.evaluation.faults import InternalError, LifeLostError
from aixi.evaluation.interrupt import Interrupt
from aixi.evaluation.records import Cell, CellResult, cell_key
from aixi.evaluation.schedule import ATTEMPTS, ExecutorLostError, cluster_executor, live_cells
from aixi.evaluation.store import Store

IMPORTS = ["evaluation_agents"]


def keyed(*cells):
    return [(cell_key(cell), cell) for cell in cells]


def walks(count, cycles=50):
    return keyed(*(Cell("random", "test/Walk-v0", seed, cycles) for seed in range(count)))


def bits(results):
    """Everything of results but times."""
    return [msgspec.structs.replace(result, seconds=0.0, ended="") for result in results]


class Here(Executor):
    """Does what it is given at once, and notes it; `spoil` may do something else instead."""

    def __init__(self, spoil=None):
        self.cells = []
        self.spoil = spoil

    def submit(self, function, cell, /, **options):
        self.cells.append(cell)
        future = Future()
        try:
            future.set_result((self.spoil or function)(cell, **options))
        except Exception as error:
            future.set_exception(error)
        return future


def lived(cell, **_):
    return CellResult(cell=cell, cycles=cell.cycles, average_reward=float(cell.seed), percept_hash=1)


def loss(cell, average=None, fault=None):
    return LifeLostError(
        "gone", CellResult(cell=cell, average_reward=average, fault=fault), "SIGKILL", "cycle 1, seed 1"
    )


def test_the_same_bits_wherever_cells_are_lived():
    cells = walks(4)
    with Store(None) as store:
        alone = live_cells(cells, store, imports=IMPORTS)
    with Store(None) as store:
        pair = live_cells(cells, store, workers=2, imports=IMPORTS)
    with Store(None) as store, ProcessPoolExecutor(2, get_context("spawn")) as executor:
        elsewhere = live_cells(cells, store, executor=executor, workers=2, imports=IMPORTS)
    assert [result.cell for result in alone.results] == [cell for _, cell in cells]
    assert len({result.percept_hash for result in alone.results}) == 4
    assert bits(alone.results) == bits(pair.results) == bits(elsewhere.results)


def test_only_what_is_new_is_lived(tmp_path):
    cells, told = walks(5), []
    with Store(tmp_path / "store") as store:
        first = live_cells(cells[:2], store, executor=Here(lived))
    with Store(tmp_path / "store") as store:
        executor = Here(lived)
        second = live_cells(
            cells, store, executor=executor, on_cell=lambda result, there: told.append((result.cell.seed, there))
        )
        assert [cell.seed for cell in executor.cells] == [2, 3, 4]
    assert (first.stored, second.stored, second.lost, second.interrupted) == (0, 2, {}, False)
    assert told == [(0, True), (1, True), (2, False), (3, False), (4, False)]
    assert second.results[:2] == first.results


def test_texts_of_one_configuration_share_a_life():
    texts = ["constant", "constant:action=0"]
    executor, told = Here(lived), []
    with Store(None) as store:
        cells = keyed(*(Cell(text, "test/Walk-v0", 0, 10) for text in texts))
        outcome = live_cells(cells, store, executor=executor, on_cell=lambda result, there: told.append(result))
    assert len(executor.cells) == 1
    assert [result.cell.agent for result in outcome.results] == [result.cell.agent for result in told] == texts


def test_a_failed_life_is_a_result():
    with Store(None) as store:
        cells = keyed(Cell("random", "test/Raise-v0", 0, 100), Cell("random", "test/Hang-v0", 0, 100))
        outcome = live_cells(cells, store, workers=2, imports=IMPORTS, deadline=0.5)
        assert [result.fault for result in outcome.results] == ["environment"] * 2
        assert "did not end within 0.5 s" in outcome.results[1].error
        assert live_cells(cells, store, executor=Here(pytest.fail)).stored == 2


def test_a_lost_life_is_begun_again():
    cells = walks(3)
    losses = iter([loss(cells[1][1]), BrokenProcessPool("gone"), loss(cells[1][1]), BrokenProcessPool("gone")])

    def lose(cell, **_):
        error = next(losses, None) if cell.seed == 1 else None
        if error is not None:
            raise error
        return lived(cell)

    executor = Here(lose)
    with Store(None) as store:
        outcome = live_cells(cells, store, executor=executor)
    assert [result.average_reward for result in outcome.results] == [0.0, 1.0, 2.0]
    assert [cell.seed for cell in executor.cells].count(1) == 5


@pytest.mark.parametrize(
    ("agent", "environment", "fault", "often"),
    [
        ("random", "Kill", "environment", "by itself (SIGKILL; evaluation_worlds.py, line "),
        ("sluggish:kind=kill", "Walk", "agent", "by itself (SIGKILL; evaluation_worlds.py, line "),
        ("sluggish:kind=silent", "Walk", "agent", f"{ATTEMPTS} times (SIGKILL; cycle 10, seed 0"),
        ("sluggish:kind=parent", "Walk", "agent", "by itself (SIGKILL; evaluation_worlds.py, line "),
    ],
)
def test_a_life_that_kills_its_process_has_failed(agent, environment, fault, often):
    """Else an agent would keep the seeds that it likes, and kill itself on the others."""
    cells = [*walks(1), *keyed(Cell(agent, f"test/{environment}-v0", 0, 100))]
    with Store(None) as store:
        outcome = live_cells(cells, store, imports=IMPORTS)
        assert (outcome.lost, outcome.results[0].fault, outcome.results[1].fault) == ({}, None, fault)
        assert f" failed: its process was killed {often}" in outcome.results[1].error
        assert ("use fewer workers" in outcome.results[1].error) is ("times" in often)
        assert store.claim(cells[1][0]) == "done"
        assert live_cells(cells, store, executor=Here(pytest.fail)).stored == 2


@pytest.mark.parametrize(
    ("attempts", "average"),
    [([(0.5, None), (-0.25, None), (None, None)], -0.25), ([(None, None), (None, None), (None, None)], None)],
)
def test_the_least_flattering_of_lost_attempts_counts(attempts, average):
    left = iter(attempts)

    def lose(cell, **_):
        raise loss(cell, *next(left))

    with Store(None) as store:
        [found] = live_cells(walks(1), store, executor=Here(lose)).results
    assert (found.average_reward, found.fault) == (average, "agent")


@pytest.mark.parametrize("fault", ["agent", "environment"])
@pytest.mark.parametrize("before", [0, 1])
def test_where_a_stack_tells_who_has_killed_a_life_it_is_not_begun_again(fault, before):
    attempts = []

    def lose(cell, **_):
        attempts.append(cell)
        raise loss(cell, 0.5, None if len(attempts) <= before else fault)

    with Store(None) as store:
        [found] = live_cells(walks(1), store, executor=Here(lose)).results
    assert (len(attempts), found.fault) == (before + 1, fault)
    assert "its process was killed by itself (SIGKILL; " in found.error


def test_a_cell_that_the_executor_loses_time_and_again_is_given_up():
    def lose(cell, **_):
        if cell.seed == 1:
            raise BrokenProcessPool("gone")
        return lived(cell)

    cells, executor = walks(3), Here(lose)
    with Store(None) as store:
        outcome = live_cells(cells, store, executor=executor)
        assert [result.cell.seed for result in outcome.results] == [0, 2]
        assert outcome.lost == {cells[1][1]: "gone"}
        assert store.claim(cells[1][0]) == "mine"
    assert [cell.seed for cell in executor.cells].count(1) == ATTEMPTS


@pytest.mark.parametrize("error", [ZeroDivisionError("slipped"), InternalError("slipped"), OSError("slipped")])
def test_a_defect_is_no_loss(error):
    def fail(cell, **_):
        raise error

    with Store(None) as store:
        with pytest.raises(type(error), match="slipped"):
            live_cells(walks(1), store, executor=Here(fail))
        assert list(store.results()) == []
        assert live_cells(walks(1), store, executor=Here(lived)).results[0].fault is None


def test_failed_lives_are_lived_again_on_demand():
    cells = [*walks(2), *keyed(Cell("random", "test/Hang-v0", 0, 100), Cell("random", "test/Raise-v0", 0, 100))]
    with Store(None) as store:
        live_cells(cells, store, workers=2, imports=IMPORTS, deadline=0.5)
        executor = Here(lived)
        outcome = live_cells(cells[:3], store, executor=executor, retry_failed=True)
        assert executor.cells == [cells[2][1]]
        assert [result.fault for result in outcome.results] == [None] * 3
        assert store.get(cells[2][0]).fault is None
        assert store.get(cells[3][0]).fault == "environment"  # not asked for


@pytest.mark.parametrize(
    ("limit", "value"), [("deadline", math.inf), ("deadline", math.nan), ("deadline", -1), ("memory", 0)]
)
def test_limits_that_cannot_be_are_told_at_once(limit, value):
    with Store(None) as store, pytest.raises(InvalidValueError, match=f"{limit} must be "):
        live_cells([], store, **{limit: value})


def test_what_another_driver_has_taken_is_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(schedule, "_ASK_AGAIN", 0.05)
    cells = walks(3)
    executor = Here(lived)
    with Store(tmp_path / "store") as other:
        assert other.claim(cells[0][0]) == other.claim(cells[2][0]) == "mine"
        asked = []

        def tick(going):
            asked.append(going)
            if len(asked) == 2:
                other.put(cells[0][0], lived(cells[0][1]))
                other.release(cells[2][0])

        with Store(tmp_path / "store") as store:
            outcome = live_cells(cells, store, executor=executor, on_tick=tick)
    assert [cell.seed for cell in executor.cells] == [1, 2]
    assert (len(outcome.results), outcome.stored) == (3, 1)


def test_an_executor_that_is_broken_is_told_and_its_cells_are_given_back():
    class Broken(Here):
        def submit(self, function, cell, /, **options):
            if cell.seed == 1:
                raise BrokenProcessPool("it is gone")
            return super().submit(function, cell, **options)

    with Store(None) as store:
        with pytest.raises(ExecutorLostError, match=r"takes no more lives \(BrokenProcessPool: it is gone\)"):
            live_cells(walks(3), store, executor=Broken(lived))
        outcome = live_cells(walks(3), store, executor=Here(lived))
        assert len(outcome.results) == 3


def test_what_a_process_does_not_know_ends_the_run():
    with Store(None) as store, pytest.raises(InvalidValueError, match="unknown environment 'test/Walk-v0'"):
        live_cells(walks(2), store, workers=2)


def test_what_a_listener_raises_is_its_own():
    def listen(result, there):
        raise LookupError("seen enough")

    with Store(None) as store:
        with pytest.raises(LookupError, match="seen enough"):
            live_cells(walks(3), store, executor=Here(lived), on_cell=listen)
        assert len(list(store.results())) == 1


@pytest.mark.parametrize("presses", [1, 2])
def test_ctrl_c_ends_the_lives_that_go_on_without_a_trace(presses):
    cells = [*walks(1), *keyed(*(Cell("random", "test/Slow-v0", seed, 10**6) for seed in range(3)))]
    seen = []

    def look(going):
        if len(going) == 2 and min(going.values()) and not seen:
            seen.append(going)
            for _ in range(presses):
                os.kill(os.getpid(), signal.SIGINT)

    with Store(None) as store, Interrupt() as interrupt:
        outcome = live_cells(cells, store, workers=2, imports=IMPORTS, on_tick=look, interrupt=interrupt)
        assert outcome.interrupted
        assert [result.cell for result in outcome.results] == [cells[0][1]]
        assert len(list(store.results())) == 1
        assert [store.claim(key) for key, _ in cells[1:]] == ["mine"] * 3
    assert len(seen) == 1


def test_ctrl_c_does_not_wait_for_an_executor():
    held = threading.Event()
    with Store(None) as store, ThreadPoolExecutor(2) as threads:

        class Held(Here):
            def submit(self, function, cell, /, **options):
                return threads.submit(held.wait)

        interrupt = Interrupt()
        outcome = live_cells(
            walks(3),
            store,
            executor=Held(),
            on_tick=lambda going: setattr(interrupt, "requested", True),
            interrupt=interrupt,
        )
        held.set()
    assert outcome.interrupted
    assert outcome.results == []


def test_a_cluster_that_does_not_answer_is_told(monkeypatch):
    monkeypatch.setattr(schedule, "_CONNECT", 0.2)
    pytest.importorskip("distributed")
    with pytest.raises(InvalidValueError, match=r"no Dask scheduler answers at tcp://127.0.0.1:9 .*; start one"):
        cluster_executor("tcp://127.0.0.1:9")


def test_a_cluster_needs_dask(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InvalidValueError, match=r"install aixi\[cluster\]"):
        cluster_executor("tcp://127.0.0.1:9")
