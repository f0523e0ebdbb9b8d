"""A driver of its own, to be killed: python evaluation_driver.py STORE CELLS WORKERS."""

import os
import sys

import evaluation_agents  # noqa: F401  # its agents are registered

from aixi.evaluation.records import Cell, cell_key
from aixi.evaluation.schedule import live_cells
from aixi.evaluation.store import Store, StoreError


def main() -> None:
    path, count, workers = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    cells = [Cell("noted", "test/Walk-v0", seed, 60) for seed in range(count)]
    limit = os.environ.get("AIXI_TESTS_FILE_BYTES")
    if limit:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
    try:
        with Store(path) as store:
            outcome = live_cells(
                [(cell_key(cell), cell) for cell in cells], store, workers=workers, imports=["evaluation_agents"]
            )
    except StoreError as error:
        sys.exit(str(error))
    print(len(outcome.results), outcome.stored, len(outcome.lost))


if __name__ == "__main__":
    main()
