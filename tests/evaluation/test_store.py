"""The file that results are kept in: what goes in comes out, claims, and files that are no such store."""

import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec
import numpy as np
import pytest

from aixi.evaluation import store as stores
from aixi.evaluation.records import Cell, CellResult
from aixi.evaluation.results import Tuning
from aixi.evaluation.store import SCHEMA, Store, StoreError, TuningRecord

CLAIM_AND_WAIT = """
import sys
from aixi.evaluation.store import Store
store = Store(sys.argv[1])
print(store.claim("k"), flush=True)
sys.stdin.read()
"""


def result(seed=0, **changes):
    facts = {
        "cell": Cell("random", "test/Walk-v0", seed, 300),
        "cycles": 300,
        "average_reward": 0.1 + seed,
        "percept_hash": 2**32 - 1,
        "curve": np.random.default_rng(seed).random((4, 3)).tobytes(),
        "seconds": 1 / 3,
        "options": {"depth": 4, "bits": [1, 2], "rate": None},
        "entry_point": "module:Walk",
        "arguments": {"episodic": False},
        "description_hash": "abc",
        "versions": {"python": "3.11"},
        "machine": {"cores": 2},
        "ended": "2011-01-01T00:00:00+00:00",
    }
    return CellResult(**(facts | changes))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "results.sqlite"


@pytest.fixture
def filled(path):
    with Store(path) as store:
        for seed in range(3):
            store.put(f"k{seed}", result(seed))
    return path


def test_what_goes_in_comes_out(path):
    failed = result(1, cycles=0, average_reward=None, percept_hash=None, curve=b"", fault="agent", error="slipped")
    learnt = result(2, bits_per_percept=0.1 + 0.2, model_bits=1e12, cell=Cell("random", "test/Walk-v0", 2, 9, False))
    with Store(path) as store:
        for key, item in [("a", result()), ("b", failed), ("c", learnt)]:
            store.put(key, item)
    with Store(path) as store:
        assert list(store.results()) == [("a", result()), ("b", failed), ("c", learnt)]
        assert store.get_many(["c", "x", "a"]) == {"a": result(), "c": learnt}


def test_the_first_result_of_a_cell_stays(filled):
    with Store(filled) as store:
        store.put("k0", result(7))
        assert store.get_many(["k0"])["k0"] == result(0)


def test_failures_are_forgotten_whole(filled):
    with Store(filled) as store:
        for key, fault in [("a", "agent"), ("e", "environment"), ("other", "agent")]:
            store.put(key, result(fault=fault, error="slipped"))
        assert store.forget_failures(["k0", "a", "e", "unknown"]) == 2
        assert [key for key, _ in store.results()] == ["k0", "k1", "k2", "other"]
        store.put("a", result(5))
        assert store.get("a") == result(5)  # with its own curve
        assert store.forget_failures(["a"]) == 0


def test_columns_can_be_asked_for_in_sql(filled):
    with sqlite3.connect(filled) as connection:
        rows = connection.execute("SELECT agent, seed, cycles, lived, average_reward FROM cells ORDER BY seed")
        assert rows.fetchall()[1] == ("random", 1, 300, 300, 1.1)
    connection.close()


def test_tunings_come_back(path):
    spent = Tuning(suite="tuning v1", configurations=8, cells=40, cycles=4000, seconds=1.5)
    with Store(path) as store:
        store.add_tuning("constant:action=1", spent, "one")
        assert store.tunings() == [TuningRecord("constant:action=1", spent)]


def test_a_search_that_went_on_takes_its_own_place_alone(path):
    spent = Tuning(suite="tuning v1", configurations=8, cells=40, cycles=4000, seconds=1.5)
    more = msgspec.structs.replace(spent, cells=60)
    with Store(path) as store:
        store.add_tuning("constant", spent, "one")
        store.add_tuning("constant", spent, "other")  # as large, of other configurations
        store.add_tuning("random", spent, "one")
        store.add_tuning("constant", more, "one")
        found = sorted((record.agent, record.tuning.cells) for record in store.tunings())
        assert found == [("constant", 40), ("constant", 60), ("random", 40)]


def test_the_least_number_of_seeds_before_a_look_comes_back(path):
    with Store(path) as store:
        assert store.pilot("core v1") is None
        for suite, seeds in [("core v1", 20), ("core v1", 10), ("core v1", 20), ("core v2", 15)]:
            store.add_pilot(suite, seeds)
    with Store(path, readonly=True) as store:
        assert (store.pilot("core v1"), store.pilot("core v2"), store.pilot("quick v1")) == (10, 15, None)


def test_lives_that_come_with_the_package_are_of_this_schema():
    files = sorted(Path(stores.__file__).with_name("reference").glob("*.sqlite"))
    assert files
    for file in files:
        with Store(file, readonly=True) as store:
            assert next(iter(store.results()))
            assert store.pilot("core v1") is None


def test_a_claim_is_one_drivers(path):
    with Store(path) as one, Store(path) as other:
        assert one.claim("k") == one.claim("k") == "mine"
        assert other.claim("k") == "taken"
        other.release("k")
        assert other.claim("k") == "taken"
        one.release("k")
        assert other.claim("k") == "mine"
        other.put("k", result())
        assert one.claim("k") == "done"
        assert one.claim("left") == "mine"
    with Store(path) as later:
        assert later.claim("left") == "mine"


def test_a_claim_ends_with_the_process_that_made_it(path):
    driver = subprocess.Popen(
        [sys.executable, "-c", CLAIM_AND_WAIT, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with driver, Store(path) as store:
        assert driver.stdout.readline() == "mine\n"
        assert store.claim("k") == "taken"
        driver.send_signal(signal.SIGKILL)
        driver.wait()
        began = time.monotonic()
        assert store.claim("k") == "mine"
        assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("column", "value", "found"),
    [
        ("started", "another process of the same number", "mine"),
        ("host", "another machine", "taken"),
        ("host, beat", "another machine, silent", "mine"),
    ],
)
def test_who_is_taken_for_dead(path, column, value, found):
    changes = {"started": "started = '0'", "host": "host = 'there'", "host, beat": "host = 'there', beat = beat - 61"}
    with Store(path) as one, Store(path) as other:
        assert one.claim("k") == "mine"
        connection = sqlite3.connect(path)
        connection.execute(f"UPDATE drivers SET {changes[column]}")
        connection.commit()
        connection.close()
        assert other.claim("k") == found, value
        if found == "taken":
            one.beat()
            assert other.claim("k") == "taken"


@pytest.mark.parametrize(("schema", "age"), [(SCHEMA + 1, "a newer"), (SCHEMA - 1, "an older")])
def test_another_schema_is_refused_untouched(filled, schema, age):
    connection = sqlite3.connect(filled)
    connection.execute(f"PRAGMA user_version = {schema}")
    connection.close()
    before = {file.name: file.read_bytes() for file in filled.parent.iterdir()}
    for readonly in (False, True):
        with pytest.raises(
            StoreError, match=rf"has schema {schema} of {age} version, this one .* schema {SCHEMA}; use"
        ):
            Store(filled, readonly=readonly)
    assert {file.name: file.read_bytes() for file in filled.parent.iterdir()} == before


def make_text(path):
    path.write_text("agent,score\nrandom,0\n")


def make_database(path):
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE cells (a, b)")
    connection.commit()
    connection.close()


@pytest.mark.parametrize("make", [make_text, make_database])
def test_what_is_not_a_store_is_refused_untouched(path, make):
    make(path)
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"is not a store of results; give another path"):
        Store(path)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_paths_that_cannot_be(tmp_path):
    with pytest.raises(StoreError, match="Is a directory; give the path of a file"):
        Store(tmp_path)
    with pytest.raises(StoreError, match=r"there is no folder .*none; make it first"):
        Store(tmp_path / "none" / "store")


def test_an_empty_file_becomes_a_store(path):
    path.touch()
    with Store(path) as store:
        store.put("k", result())
    with Store(path, readonly=True) as store:
        assert len(list(store.results())) == 1


def test_a_damaged_store_is_told(filled):
    content = bytearray(filled.read_bytes())
    content[4096:] = b"?" * (len(content) - 4096)
    filled.write_bytes(content)
    with pytest.raises(StoreError, match="is damaged"), Store(filled) as store:
        list(store.results())


def test_reading_makes_no_file_and_writes_nothing(filled):
    with pytest.raises(StoreError, match="there is no store"):
        Store(filled.with_name("other"), readonly=True)
    with Store(filled, readonly=True) as store:
        assert [key for key, _ in store.results()] == ["k0", "k1", "k2"]
        with pytest.raises(StoreError, match="may not be written to"):
            store.put("k3", result(3))
    assert [file.name for file in filled.parent.iterdir()] == [filled.name]


READ_AS_NOBODY = """
import os, sys
from aixi.evaluation.store import Store, StoreError
if os.getuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
assert not os.access(sys.argv[1], os.W_OK)
with Store(sys.argv[1], readonly=True) as store:
    print(*[key for key, _ in store.results()])
try:
    Store(sys.argv[1])
except StoreError as error:
    print(error)
"""


@pytest.mark.parametrize("running", [False, True])
def test_a_store_in_a_closed_folder_can_be_read(running):
    """Also while a driver works on it or after it was killed, so that results are in the file beside it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "results.sqlite"
        store = Store(path)
        store.put("a", result())
        if not running:
            store.close()
        for file in path.parent.iterdir():
            file.chmod(0o444)
        path.parent.chmod(0o555)
        names = sorted(file.name for file in path.parent.iterdir())
        done = subprocess.run([sys.executable, "-c", READ_AS_NOBODY, path], capture_output=True, text=True, check=True)
        assert sorted(file.name for file in path.parent.iterdir()) == names
        path.parent.chmod(0o755)
        store.close()
    assert len(names) == (3 if running else 1)
    read, refused = done.stdout.splitlines()
    assert read == "a"
    assert refused.endswith("may not be written to; give another path, or ask for a report only")


def test_a_full_disk_leaves_what_is_stored(path):
    with Store(path) as store:
        store.put("a", result())
        pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
        store._connection.execute(f"PRAGMA max_page_count = {pages}")
        big = result(1, curve=bytes(10**5))
        with pytest.raises(StoreError, match="there is no room left; make some"):
            store.put("b", big)
        assert list(store.results()) == [("a", result())]
        store._connection.execute("PRAGMA max_page_count = 100000")
        store.put("b", big)
        assert len(list(store.results())) == 2


def test_a_locked_store_is_told(path, monkeypatch):
    monkeypatch.setattr(stores, "_BUSY_SECONDS", 0.05)
    with Store(path) as store:
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="another process kept it locked"):
            store.put("a", result())
        connection.execute("ROLLBACK")
        connection.close()
        store.put("a", result())
        assert len(list(store.results())) == 1


def test_drivers_may_make_a_store_at_once(path):
    script = "import sys; from aixi.evaluation.store import Store; print(Store(sys.argv[1]).claim(sys.argv[2]))"
    drivers = [
        subprocess.Popen([sys.executable, "-c", script, path, str(number)], stdout=subprocess.PIPE, text=True)
        for number in range(4)
    ]
    assert [driver.communicate()[0] for driver in drivers] == ["mine\n"] * 4


def test_whole_numbers_have_a_limit():
    with Store(None) as store, pytest.raises(StoreError, match=r"seeds and cycles must be below 2\*\*63"):
        store.put("k", msgspec.structs.replace(result(), cell=Cell("random", "test/Walk-v0", 2**63, 1)))


def test_a_store_in_memory_is_nobody_elses():
    with Store(None) as one, Store(None) as other:
        one.put("k", result())
        assert (len(list(one.results())), len(list(other.results()))) == (1, 0)
