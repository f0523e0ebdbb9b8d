"""How long a table of 10,000 stored lives takes.

    python benchmarks/rescoring.py

stores made-up lives of ten agents in the eleven environments of the suite `core`, curves of 200 points among them, and
times `rescore`: reading, values, every interval, 2,000 bootstrap replicates of ranks, all pairs, and the sensitivity to
weights. Processor time of one thread, and wall time, of five turns after a first one.
Writes `benchmarks/results/rescoring.json`.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from aixi.evaluation.cells import plan, rescore
from aixi.evaluation.complexity import description_hash
from aixi.evaluation.provenance import machine, versions
from aixi.evaluation.records import CellResult, cell_key
from aixi.evaluation.store import Store
from aixi.evaluation.suite import load_suite
from aixi.evaluation.world import find_row

RESULTS = Path(__file__).parent / "results" / "rescoring.json"
AGENTS = ["random", *(f"constant:action={action}" for action in range(9))]
SEEDS, SEED, POINTS, TURNS = 91, 1, 200, 5


def fill(path: Path) -> int:
    """Stores made-up lives and returns their number."""
    rng = np.random.default_rng(SEED)
    suite = load_suite("core")
    hashes = {name: description_hash(find_row(name)) for name in suite.cycles}
    cells = plan(AGENTS, suite, seeds=SEEDS)
    with Store(path) as store:
        for cell in cells:
            row = find_row(cell.environment)
            reward = row.random.value + rng.beta(2, 5) * (row.best.value - row.random.value)
            cycles = np.linspace(1, cell.cycles, POINTS)
            curve = np.stack([cycles, reward * cycles / cell.cycles, np.full(POINTS, np.nan)], axis=1)
            result = CellResult(
                cell=cell,
                cycles=cell.cycles,
                average_reward=reward,
                curve=curve.astype("<f8").tobytes(),
                description_hash=hashes[cell.environment],
                versions=versions(),
                machine=machine(),
            )
            store.put(cell_key(cell), result)
    return len(cells)


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "lives.sqlite"
        count = fill(path)
        walls, processors = [], []
        for _ in range(TURNS + 1):
            wall, processor = time.perf_counter(), time.process_time()
            table = rescore(path, "core", reference=False)
            walls.append(time.perf_counter() - wall)
            processors.append(time.process_time() - processor)
    document = {
        "cells": count,
        "agents": len(table.agents),
        "pairs": len(table.pairs),
        "first_seconds": {"wall": walls[0], "processor": processors[0]},
        "wall_seconds": walls[1:],
        "processor_seconds": processors[1:],
        "seed": SEED,
        "machine": machine(),
        "versions": versions(),
    }
    RESULTS.write_text(json.dumps(document, indent=1) + "\n")
    print(f"{count} lives: {statistics.median(walls[1:]):.2f} s, processor {statistics.median(processors[1:]):.2f} s")


if __name__ == "__main__":
    main()
