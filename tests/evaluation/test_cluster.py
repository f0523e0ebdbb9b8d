"""A real Dask scheduler and two workers on this machine, one of which is killed in the middle."""

import contextlib
import importlib.util
import json
import os
import signal
import subprocess
import sys

import msgspec
import pytest
from processes import processes_of, running, wait_until, with_worlds

from aixi.errors import InvalidValueError
from aixi.evaluation.records import Cell, cell_key
from aixi.evaluation.schedule import cluster_executor, live_cells
from aixi.evaluation.store import Store

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("distributed") is None, reason="needs Dask: install aixi[cluster]"
)
SCHEDULER = ("dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file")
WORKER = ("dask_worker", "--no-nanny", "--nthreads", "1", "--no-dashboard", "--scheduler-file")


@contextlib.contextmanager
def started(command, file):
    """Yields a process of Dask, which is ended at last."""
    process = subprocess.Popen(
        [sys.executable, "-m", f"distributed.cli.{command[0]}", *command[1:], file],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=with_worlds() | {"AIXI_TESTS_PACE": "0.001"},
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def live(cells, **options):
    with Store(None) as store:
        outcome = live_cells(
            [(cell_key(cell), cell) for cell in cells], store, workers=2, imports=["evaluation_agents"], **options
        )
    assert (outcome.stored, outcome.lost, outcome.interrupted) == (0, {}, False)
    return [msgspec.structs.replace(result, seconds=0.0, machine={}, ended="") for result in outcome.results]


def test_a_worker_that_is_killed_changes_no_bit(tmp_path):
    file = tmp_path / "scheduler.json"
    cells = [Cell("noted", "test/Walk-v0", seed, 100) for seed in range(12)]
    cells += [Cell("random", "test/Raise-v0", 0, 100), Cell("sluggish:kind=kill", "test/Walk-v0", 0, 100)]
    began, killed = [], []

    def kill_once(result, stored):
        began.append(result.cell.seed)
        if len(began) == 3:
            killed.extend([workers[0].pid, *processes_of(workers[0].pid)])
            os.kill(workers[0].pid, signal.SIGKILL)

    with started(SCHEDULER, file):
        wait_until(lambda: file.exists() and "address" in json.loads(file.read_text() or "{}"))
        address = json.loads(file.read_text())["address"]
        with pytest.raises(InvalidValueError, match=f"the cluster at {address} has no workers; start some with"):
            cluster_executor(address)
        with started(WORKER, file) as one, started(WORKER, file) as other, connected(address) as executor:
            workers = [one, other]
            wait_until(lambda: executor.slots == 2)
            there = live(cells, executor=executor, on_cell=kill_once)
            assert executor.slots == 1
        assert len(killed) >= 2
        wait_until(lambda: not any(map(running, killed)))
    assert there == live(cells)
    assert [result.fault for result in there] == [None] * 12 + ["environment", "agent"]


def connected(address):
    """Connects as soon as there is a worker."""
    executors = []

    def connect():
        with contextlib.suppress(InvalidValueError):
            executors.append(cluster_executor(address))
        return executors

    wait_until(connect)
    return executors[0]
