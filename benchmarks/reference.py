"""Lives of the suite's own agents in the suite `core`, so that a user lives only their own and compares at once.

    python benchmarks/reference.py --store WORK [--workers N]

lives what WORK does not hold yet, and writes `evaluation/reference/core.sqlite`: one result a cell, with versions,
machine and seed, its learning curve thinned to the points that scores are read from. `aixi report WORK` shows all.
"""

import argparse
import contextlib
import sqlite3
from pathlib import Path

import msgspec
import numpy as np

from aixi.evaluation.cells import plan, score
from aixi.evaluation.records import CellResult, cell_key, curve_points
from aixi.evaluation.store import Store
from aixi.evaluation.suite import load_suite
from aixi.evaluation.table import FRACTIONS

AGENTS = ("random", "constant", "mc-aixi-ctw")
TARGET = Path(__file__).parents[1] / "evaluation" / "reference" / "core.sqlite"


def thinned(result: CellResult) -> CellResult:
    """Returns a result whose curve has only the points next to the fractions of a life that scores tell of."""
    points = curve_points(result)
    after = np.searchsorted(points[:, 0], np.array(FRACTIONS) * result.cell.cycles)
    kept = np.unique(np.clip(np.concatenate([after - 1, after]), 0, len(points) - 1))
    return msgspec.structs.replace(result, curve=points[kept].astype("<f8").tobytes())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", type=Path, required=True, help="store of the lives, kept between calls")
    parser.add_argument("--workers", type=int, default=1, help="lives at a time (default: 1)")
    arguments = parser.parse_args()
    suite = load_suite("core")
    table = score(AGENTS, suite, store=arguments.store, workers=arguments.workers, reference=False)
    if table.lost or table.interrupted:
        raise SystemExit(f"{table.lost} lives are missing; give the same command again")
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.unlink(missing_ok=True)
    keys = [cell_key(cell) for cell in plan(AGENTS, suite)]
    with Store(arguments.store, readonly=True) as lived, Store(TARGET) as shipped:
        found = lived.get_many(keys)
        for key in keys:
            shipped.put(key, thinned(found[key]))
    with contextlib.closing(sqlite3.connect(TARGET, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")  # a file that is only read needs no other beside it
        connection.execute("VACUUM")
    for agent, found_score in table.agents.items():
        print(f"{agent:16} {found_score.mean:.4f}  {found_score.score}")
    print(f"{len(keys)} lives written to {TARGET}, {TARGET.stat().st_size / 1000:,.0f} kB")


if __name__ == "__main__":
    main()
