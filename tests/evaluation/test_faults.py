"""Drivers and processes are killed, disks are full, drivers meet: every cell is there once, with the same bits."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import msgspec
import numpy as np
import pytest
from processes import processes_of, running, wait_until, with_worlds

from aixi.evaluation.store import Store

KILLS = 20
CELLS = 40


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """What the cells earn when nothing happens, by key and without times."""
    path = tmp_path_factory.mktemp("undisturbed") / "store"
    assert finish(start(path, AIXI_TESTS_PACE="0")) == (0, f"{CELLS} 0 0")
    with Store(path, readonly=True) as store:
        return timeless(store)


def timeless(store):
    return {key: msgspec.structs.replace(result, seconds=0.0, ended="") for key, result in store.results()}


def start(path, workers=2, cells=CELLS, **surroundings):
    """Starts a driver whose lives take a tenth of a second."""
    return subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("evaluation_driver.py")), path, str(cells), str(workers)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=with_worlds() | {"AIXI_TESTS_PACE": "0.001"} | surroundings,
    )


def finish(driver):
    """Waits for a driver and returns its exit status and the last line it wrote."""
    output, errors = driver.communicate(timeout=60)
    return driver.returncode, (errors or output).strip().splitlines()[-1]


def wait_for_lives(driver, count):
    """Waits until so many lives go on, or the driver has ended."""
    wait_until(lambda: len(processes_of(driver.pid)) >= 2 * count or driver.poll() is not None)


def test_twenty_kills_change_no_bit(tmp_path, undisturbed):
    """The driver, a process that is forked from, or a life, at random times; a finished score gives way to another."""
    random, lived, killed, rounds = np.random.default_rng(2011), set(), Counter(), 0
    slowly = {"AIXI_TESTS_PACE": "0.003"}  # a life takes a fifth of a second
    while killed.total() < KILLS:
        rounds += 1
        path = tmp_path / str(rounds)
        driver = start(path, **slowly)
        while killed.total() < KILLS and driver.poll() is None:
            kind = ("driver", "zygote", "life")[killed.total() % 3]
            if kind == "driver":
                time.sleep(random.uniform(0.0, 2.0))
            else:
                wait_for_lives(driver, 2)
                time.sleep(random.uniform(0.0, 0.2))
            zygotes = [pid for pid in processes_of(driver.pid) if processes_of(pid)]
            lives = [pid for zygote in zygotes for pid in processes_of(zygote)]
            lived |= {*zygotes, *lives}
            victims = {"driver": [driver.pid], "zygote": zygotes, "life": lives}[kind]
            if victims and driver.poll() is None:
                killed[kind] += kill(int(random.choice(victims)))
            if kind == "driver":
                driver.communicate()
                driver = start(path, **slowly)
        finish(driver)
        driver = start(path, AIXI_TESTS_PACE="0")  # no driver has seen a cell killed thrice, which would be a failure
        status, counts = finish(driver)
        assert (status, counts.split()[0], counts.split()[2]) == (0, str(CELLS), "0")
        with Store(path, readonly=True) as store:
            assert timeless(store) == undisturbed
    assert min(killed.values()) >= KILLS // 3, killed
    wait_until(lambda: not any(map(running, lived)))


def kill(pid):
    """Kills a process; returns whether it was there, which a life may not be any more."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def test_two_drivers_share_the_cells(tmp_path, undisturbed):
    notes = tmp_path / "notes"
    drivers = [start(tmp_path / "store", workers=1, AIXI_TESTS_NOTES=str(notes)) for _ in range(2)]
    counts = [finish(driver)[1].split() for driver in drivers]
    assert [count[0] for count in counts] == [str(CELLS)] * 2
    assert sum(int(count[1]) for count in counts) == CELLS  # what one has lived the other found stored
    assert set(Counter(notes.read_text().split()).values()) == {1}
    assert len(notes.read_text().split()) == CELLS
    with Store(tmp_path / "store", readonly=True) as store:
        assert timeless(store) == undisturbed


def test_a_run_goes_on_at_once_where_its_driver_was_killed(tmp_path):
    driver = start(tmp_path / "store", workers=1, cells=2, AIXI_TESTS_PACE="10")
    wait_for_lives(driver, 1)
    driver.kill()
    driver.communicate()
    began = time.monotonic()
    assert finish(start(tmp_path / "store", cells=2, AIXI_TESTS_PACE="0")) == (0, "2 0 0")
    assert time.monotonic() - began < 30  # and not the minute after which a silent driver elsewhere is given up


def test_a_full_disk_ends_the_run_and_keeps_what_is_there(tmp_path, undisturbed):
    path = tmp_path / "store"
    driver = start(path, AIXI_TESTS_FILE_BYTES="300000")
    wait_for_lives(driver, 1)
    started = processes_of(driver.pid)
    status, error = finish(driver)
    assert status == 1
    assert error.startswith(f"cannot write store {path}: ")
    assert "what is stored stays" in error
    wait_until(lambda: not any(map(running, started)))
    with Store(path, readonly=True) as store:
        kept = timeless(store)
    assert 0 < len(kept) < CELLS
    assert kept.items() <= undisturbed.items()
    assert finish(start(path)) == (0, f"{CELLS} {len(kept)} 0")
    with Store(path, readonly=True) as store:
        assert timeless(store) == undisturbed
