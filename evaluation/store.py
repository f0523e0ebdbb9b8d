"""What lives earned, kept in one SQLite file: a score goes on from it, and a report is made of it.

Every result is one transaction, so that a process that dies at any moment leaves whole results and no half ones.
Several drivers may share a file: each cell is claimed before it is lived, and a dead driver's claims are void.
"""

import contextlib
import os
import platform
import sqlite3
import time
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import msgspec

from aixi.errors import AixiError
from aixi.evaluation.records import Cell, CellResult
from aixi.evaluation.results import Tuning

SCHEMA = 2
"""Version of the tables; a file of another one is refused untouched."""
BEAT_SECONDS = 60.0
"""A driver on another machine that was not heard of for so long is dead."""

_MAGIC = b"SQLite format 3\0"
_APPLICATION = int.from_bytes(b"AIXI", "big")
_BUSY_SECONDS = 30.0  # how long a transaction waits for those of other drivers

_CELL = ("agent", "environment", "seed", "cycles", "relabel")
_JSON = ("options", "arguments", "versions", "machine")
# Columns of a result by its attributes; `cycles` is what was planned, as in the cell, and `lived` what was lived.
_RESULT = {name: "lived" if name == "cycles" else name for name in CellResult.__struct_fields__[1:] if name != "curve"}
_SELECT = f"SELECT key, {', '.join((*_CELL, *_RESULT.values()))}, points FROM cells JOIN curves USING (key)"
_TABLES = f"""
CREATE TABLE cells (
    key TEXT PRIMARY KEY, agent TEXT NOT NULL, environment TEXT NOT NULL, seed INTEGER NOT NULL,
    cycles INTEGER NOT NULL, relabel INTEGER NOT NULL, lived INTEGER NOT NULL, average_reward REAL,
    bits_per_percept REAL, percept_hash INTEGER, seconds REAL NOT NULL, model_bits REAL NOT NULL, fault TEXT,
    error TEXT, options TEXT NOT NULL, entry_point TEXT NOT NULL, arguments TEXT NOT NULL,
    description_hash TEXT NOT NULL, versions TEXT NOT NULL, machine TEXT NOT NULL, ended TEXT NOT NULL);
CREATE TABLE curves (key TEXT PRIMARY KEY REFERENCES cells, points BLOB NOT NULL);
CREATE TABLE drivers (id TEXT PRIMARY KEY, host TEXT NOT NULL, pid INTEGER NOT NULL, started TEXT NOT NULL,
    beat REAL NOT NULL);
CREATE TABLE claims (key TEXT PRIMARY KEY, driver TEXT NOT NULL);
CREATE TABLE tunings (agent TEXT NOT NULL, suite TEXT NOT NULL, configurations INTEGER NOT NULL,
    cells INTEGER NOT NULL, cycles INTEGER NOT NULL, seconds REAL NOT NULL, search TEXT NOT NULL);
CREATE TABLE pilots (suite TEXT NOT NULL, seeds INTEGER NOT NULL, PRIMARY KEY (suite, seeds));
PRAGMA application_id = {_APPLICATION};
PRAGMA user_version = {SCHEMA};
"""
_REASONS = {  # by the beginning of SQLite's name for the error
    "SQLITE_FULL": "there is no room left; make some and give the same command again: what is stored stays",
    "SQLITE_IOERR": "the disk failed, or has no room left; give the same command again: what is stored stays",
    "SQLITE_READONLY": "it or its folder may not be written to; give another path, or ask for a report only",
    "SQLITE_BUSY": f"another process kept it locked for {_BUSY_SECONDS:g} s; wait for it, or give another path",
    "SQLITE_CANTOPEN": "it cannot be opened, or its folder not be written to; give another path",
    "SQLITE_CORRUPT": "it is damaged; give another path, and this one to `sqlite3 PATH .recover`",
    "SQLITE_NOTADB": "it is not a store, or damaged; give another path",
}


class StoreError(AixiError, OSError):
    """A store cannot be opened, read or written; what was stored before is still there."""


class TuningRecord(msgspec.Struct, frozen=True):
    """A search for a configuration of an agent: the one that came out, in text form, and what it cost."""

    agent: str
    tuning: Tuning


class Store:
    """Results by the key of their cell.

    Args:
        path: the file, made where there is none; None keeps everything in memory.
        readonly: whether nothing is to be written, not even a new file beside the store.

    Raises:
        StoreError: if the file is no store, or of another schema (it is left as it is), or cannot be opened.

    Example:
        >>> with Store(None) as store:
        ...     cell = Cell("random", "aixi/CoinFlip-v0", 0, 10)
        ...     print(store.claim("k"))
        ...     store.put("k", CellResult(cell=cell, cycles=10, average_reward=0.4))
        ...     print(store.claim("k"), store.get("k").average_reward)
        mine
        done 0.4
    """

    def __init__(self, path: str | os.PathLike[str] | None, *, readonly: bool = False) -> None:
        self.path = None if path is None else Path(path)
        self._name = "the store in memory" if path is None else f"store {path}"
        self._readonly = readonly
        self._driver: str | None = None
        if self.path is not None:
            _examine(self.path, must_exist=readonly)
        with self._told("open"):
            self._connection = self._connect()
        try:
            with self._told("open"):
                self._prepare()
        except StoreError:
            self._connection.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Gives back what this driver has claimed, and closes the file."""
        if self._driver is not None:
            with contextlib.suppress(StoreError), self._writing("close"):  # this driver's end voids them anyway
                self._connection.execute("DELETE FROM claims WHERE driver = ?", (self._driver,))
                self._connection.execute("DELETE FROM drivers WHERE id = ?", (self._driver,))
            self._driver = None
        self._connection.close()

    def get(self, key: str) -> CellResult | None:
        """Returns the result of a cell, None where there is none yet."""
        return self.get_many([key]).get(key)

    def get_many(self, keys: Iterable[str]) -> dict[str, CellResult]:
        """Returns the results of those cells that have one, by key."""
        asked = msgspec.json.encode(list(keys)).decode()
        with self._told("read"):
            rows = self._connection.execute(f"{_SELECT} WHERE key IN (SELECT value FROM json_each(?))", (asked,))
            return {row[0]: _result(row) for row in rows}

    def results(self) -> Iterator[tuple[str, CellResult]]:
        """Yields every key with its result, in the order they came."""
        with self._told("read"):
            for row in self._connection.execute(f"{_SELECT} ORDER BY cells.rowid"):
                yield row[0], _result(row)

    def put(self, key: str, result: CellResult) -> None:
        """Stores the result of a cell and ends its claim; where there is a result already, that one stays."""
        record = msgspec.structs.asdict(result)
        values = [key, *(getattr(result.cell, name) for name in _CELL)]
        values += [msgspec.json.encode(record[name]).decode() if name in _JSON else record[name] for name in _RESULT]
        with self._writing("write"):
            marks = ", ".join("?" * len(values))
            into = ", ".join(("key", *_CELL, *_RESULT.values()))
            self._connection.execute(f"INSERT OR IGNORE INTO cells ({into}) VALUES ({marks})", values)
            self._connection.execute("INSERT OR IGNORE INTO curves VALUES (?, ?)", (key, result.curve))
            self._connection.execute("DELETE FROM claims WHERE key = ?", (key,))

    def forget_failures(self, keys: Iterable[str]) -> int:
        """Forgets those of some cells' results that tell of a fault, so that they are lived again; returns how many.

        Example:
            >>> with Store(None) as store:
            ...     cell = Cell("random", "aixi/CoinFlip-v0", 0, 10)
            ...     store.put("failed", CellResult(cell=cell, fault="agent", error="did not end within 1 s"))
            ...     store.put("sound", CellResult(cell=cell, cycles=10, average_reward=0.4))
            ...     print(store.forget_failures(["failed", "sound"]), [key for key, _ in store.results()])
            1 ['sound']
        """
        asked = msgspec.json.encode(list(keys)).decode()
        failed = "SELECT key FROM cells WHERE fault IS NOT NULL AND key IN (SELECT value FROM json_each(?))"
        with self._writing("write"):
            self._connection.execute(f"DELETE FROM curves WHERE key IN ({failed})", (asked,))
            return self._connection.execute(f"DELETE FROM cells WHERE key IN ({failed})", (asked,)).rowcount

    def claim(self, key: str) -> Literal["mine", "done", "taken"]:
        """Takes a cell to live, unless it has been lived or another driver that is alive has taken it."""
        self._enlist()
        with self._writing("write"):
            if self._connection.execute("SELECT 1 FROM cells WHERE key = ?", (key,)).fetchone():
                return "done"
            holder = self._connection.execute(
                "SELECT drivers.* FROM claims JOIN drivers ON id = driver WHERE key = ?", (key,)
            ).fetchone()
            if holder is not None and holder[0] != self._driver and _alive(*holder[1:]):
                return "taken"
            self._connection.execute("INSERT OR REPLACE INTO claims VALUES (?, ?)", (key, self._driver))
            return "mine"

    def release(self, key: str) -> None:
        """Gives back a cell that this driver has taken and not lived."""
        with self._writing("write"):
            self._connection.execute("DELETE FROM claims WHERE key = ? AND driver = ?", (key, self._driver))

    def beat(self) -> None:
        """Tells other drivers that this one is alive; to be called more often than every `BEAT_SECONDS`."""
        if self._driver is not None:
            with self._writing("write"):
                self._connection.execute("UPDATE drivers SET beat = ? WHERE id = ?", (time.time(), self._driver))

    def add_pilot(self, suite: str, seeds: int) -> None:
        """Stores that seeds were added to a suite by looking at its lives, and how many there were before."""
        with self._writing("write"):
            self._connection.execute("INSERT OR IGNORE INTO pilots VALUES (?, ?)", (suite, seeds))

    def pilot(self, suite: str) -> int | None:
        """Returns the least number of seeds before somebody looked; None if nobody did."""
        with self._told("read"):
            row = self._connection.execute("SELECT min(seeds) FROM pilots WHERE suite = ?", (suite,)).fetchone()
        found: int | None = row[0]
        return found

    def add_tuning(self, agent: str, tuning: Tuning, search: str) -> None:
        """Stores what a search has cost for one of the configurations that it tried.

        Args:
            agent: the configuration, in text form.
            tuning: the cost.
            search: what tells this search from others; it takes its own place when it had come less far.
        """
        values = [agent, *msgspec.structs.astuple(tuning), search]
        same = (agent, tuning.suite, search, tuning.cells)
        with self._writing("write"):
            self._connection.execute(
                "DELETE FROM tunings WHERE agent = ? AND suite = ? AND search = ? AND cells <= ?", same
            )
            self._connection.execute(f"INSERT INTO tunings VALUES ({', '.join('?' * len(values))})", values)

    def tunings(self) -> list[TuningRecord]:
        """Returns all searches, in the order they came."""
        names = Tuning.__struct_fields__
        with self._told("read"):
            rows = self._connection.execute(f"SELECT agent, {', '.join(names)} FROM tunings ORDER BY rowid").fetchall()
        return [TuningRecord(agent, Tuning(**dict(zip(names, row, strict=True)))) for agent, *row in rows]

    def _connect(self) -> sqlite3.Connection:
        if self.path is None:
            return sqlite3.connect(":memory:", isolation_level=None)
        uri = self.path.absolute().as_uri()
        if not self._readonly:
            mode = "mode=rwc"
        elif os.access(self.path, os.W_OK) and os.access(self.path.parent, os.W_OK):
            # A read-only connection leaves its -wal and -shm files behind; one that may write takes them away.
            mode = "mode=rw"
        elif _size(self.path.with_name(f"{self.path.name}-wal")):
            mode = "mode=ro"  # results of a driver that was killed are in that file still
        else:
            mode = "immutable=1"  # SQLite could not make the files beside the store that it wants for reading
        return sqlite3.connect(f"{uri}?{mode}", uri=True, isolation_level=None, timeout=_BUSY_SECONDS)

    def _prepare(self) -> None:
        execute = self._connection.execute
        if self._readonly:
            execute("PRAGMA query_only = ON")
            execute("SELECT count(*) FROM claims").fetchone()
            return
        execute("BEGIN IMMEDIATE")
        if execute("PRAGMA user_version").fetchone()[0] == 0:
            # Before the file is in WAL mode, so that its first bytes tell the schema from then on.
            for statement in _TABLES.split(";"):
                execute(statement)
        execute("COMMIT")
        execute("PRAGMA journal_mode = WAL")
        execute("PRAGMA synchronous = FULL")

    def _enlist(self) -> None:
        """Makes this driver known, and forgets dead ones."""
        if self._driver is not None:
            return
        driver = uuid.uuid4().hex
        with self._writing("write"):
            for known, *facts in self._connection.execute("SELECT * FROM drivers").fetchall():
                if not _alive(*facts):
                    self._connection.execute("DELETE FROM claims WHERE driver = ?", (known,))
                    self._connection.execute("DELETE FROM drivers WHERE id = ?", (known,))
            facts = [driver, _host(), os.getpid(), _process_started(os.getpid()) or "", time.time()]
            self._connection.execute("INSERT INTO drivers VALUES (?, ?, ?, ?, ?)", facts)
        self._driver = driver

    @contextlib.contextmanager
    def _writing(self, verb: str) -> Iterator[None]:
        with self._told(verb):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    @contextlib.contextmanager
    def _told(self, verb: str) -> Iterator[None]:
        """Says in the suite's words what SQLite complains of."""
        try:
            yield
        except OverflowError as error:
            raise StoreError(f"cannot {verb} {self._name}: seeds and cycles must be below 2**63") from error
        except sqlite3.Error as error:
            name = getattr(error, "sqlite_errorname", "")
            reasons = [text for beginning, text in _REASONS.items() if name.startswith(beginning)]
            reason = f"{reasons[0]} ({error})" if reasons else str(error)
            raise StoreError(f"cannot {verb} {self._name}: {reason}") from error


def _result(row: tuple[Any, ...]) -> CellResult:
    agent, environment, seed, cycles, relabel = row[1:6]
    attributes = dict(zip(_RESULT, row[6:-1], strict=True))
    for name in _JSON:
        attributes[name] = msgspec.json.decode(attributes[name])
    return CellResult(cell=Cell(agent, environment, seed, cycles, bool(relabel)), curve=row[-1], **attributes)


def _examine(path: Path, *, must_exist: bool) -> None:
    """Refuses a file that is no store by its first bytes, before SQLite may write anything to it."""
    try:
        with path.open("rb") as file:
            head = file.read(100)
    except FileNotFoundError:
        if must_exist:
            raise StoreError(f"there is no store {path}; give the path of one that a score has written") from None
        if not path.parent.is_dir():
            raise StoreError(f"cannot make store {path}: there is no folder {path.parent}; make it first") from None
        return
    except OSError as error:
        raise StoreError(f"cannot open store {path}: {error.strerror}; give the path of a file") from error
    if not must_exist and not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
        # SQLite itself would open it for reading, and complain after the first life.
        raise StoreError(f"cannot open store {path}: {_REASONS['SQLITE_READONLY']}")
    if not head and not must_exist:
        return
    if not head.startswith(_MAGIC) or int.from_bytes(head[68:72], "big") != _APPLICATION:
        raise StoreError(f"{path} is not a store of results; give another path, nothing in this file was changed")
    schema = int.from_bytes(head[60:64], "big")
    if schema != SCHEMA:
        age = "an older" if schema < SCHEMA else "a newer"
        raise StoreError(
            f"store {path} has schema {schema} of {age} version, this one reads and writes schema {SCHEMA}; "
            f"use the version of aixi that wrote it, or give another path: nothing in this file was changed"
        )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _alive(host: str, pid: int, started: str, beat: float) -> bool:
    """Whether a driver lives: on this machine its process tells, on another one only its beat."""
    found = _process_started(pid) if host == _host() else None
    if found is not None:
        return found == started
    return time.time() - beat < BEAT_SECONDS


def _host() -> str:
    """Returns the name of this machine, and of the process numbers in it: containers have their own."""
    try:
        return f"{platform.node()} {os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        return platform.node()


def _process_started(pid: int) -> str | None:
    """Returns what tells a process from a later one of the same number, empty without one; None if unknown here."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
    except FileNotFoundError:
        return "" if os.path.exists("/proc/self/stat") else None
    except OSError:
        return None
    return "" if fields[0] in "ZX" else fields[19]
