"""How fast is context tree weighting? Bits per second beside C and beside pyaixi.

    python benchmarks/predictors.py [--rounds 7] [--pyaixi PYTHON] [--limit ctw_limit.c]

Two measurements over one reproducible sequence: *update* learns real bits, *rewound* imagines blocks of 32
bits and rewinds them. The reference, `ctw_reference.c`, is compiled here. `--pyaixi` names the Python of an
environment that has pyaixi and six; `--limit` is a further C program to hold the reference against, of the
command line and output `VARIANT DEPTH BITS` -> `... update X bits/s  upd+rev Y pairs/s ... log2P Z`.

Everything that is compared runs in turns, round after round, on processor time. Speeds are the best of all
rounds; ratios are the median over rounds, because a machine's pace drifts. Updates go through `update_many`,
so that they pay for the growth of the tree, while the reference has its memory mapped beforehand. A further
table compares dense with compressed trees of one depth, memory mapped for both: it leaves out what a dense tree
costs in room, 2^(depth + 5) bytes whatever it has seen. Writes `benchmarks/results/predictors.json`.
"""

import argparse
import json
import re
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from aixi.evaluation.provenance import machine, versions
from aixi.predictors import forest
from aixi.predictors.context_tree import DENSE_DEPTH, LENGTH, learn, push, walk, walk_dense
from aixi.predictors.ctw import ContextTreeWeighting
from aixi.predictors.factored import FactoredContextTreeModel
from aixi.predictors.intrinsics import kernel
from aixi.predictors.model import call, mark, rewind

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "predictors.json"
DEPTHS = (8, 16, 32, 48, 96)
LAYOUT_DEPTHS = (8, 10, 11, 12, 13, 14, 16, 18)
LENGTHS = (5_000, 100_000)
BLOCK, BLOCKS = 32, 64  # bits imagined between two rewinds, and different blocks; as in the C reference
REPEATS = {5_000: 5, 100_000: 2}  # within a round, the best counts
FORMS = {"plain": "ratio", "compressed": "pc"}  # of the reference, and what `--limit` calls them
LOG2_PROBABILITY = {
    5_000: (-1835.207571, -1828.461334, -1824.992200, -1828.172365, -1833.843651),
    100_000: (-33545.641915, -33538.042635, -33537.940614, -33541.888638, -33541.740003),
}
"""log2 P of the sequence at each of `DEPTHS`; several independent implementations agree on these."""

# Runs in pyaixi's own environment: depth and count as arguments, the bits on standard input.
PYAIXI = """
import sys, time
from pyaixi.prediction.ctw_context_tree import CTWContextTree
depth, count, block, blocks = map(int, sys.argv[1:])
bits = [int(bit) for bit in sys.stdin.read()]
tree = CTWContextTree(depth)
tree.update_history(bits[:depth])
start = time.process_time()
tree.update(bits[depth : depth + count])
between = time.process_time()
for each in range(blocks):
    tree.update(bits[depth + count + block * each : depth + count + block * (each + 1)])
    tree.revert(block)
end = time.process_time()
print(count / (between - start), block * blocks / (end - between))
"""


def sequence(length: int) -> NDArray[np.uint8]:
    """Returns x_t = x_{t-2} xor x_{t-5}, or a fair bit with probability 1/8; xorshift64* (Vigna 2016)."""
    word_mask, state = (1 << 64) - 1, 88172645463325252
    bits = np.zeros(length, np.uint8)
    for t in range(length):
        state ^= state >> 12
        state ^= (state << 25) & word_mask
        state ^= state >> 27
        drawn = ((state * 2685821657736338717) & word_mask) >> 32
        bits[t] = (drawn >> 3) & 1 if t < 5 or drawn % 8 == 0 else bits[t - 2] ^ bits[t - 5]
    return bits


@kernel
def _imagine_and_rewind(trees: Any, bits: NDArray[np.uint8], blocks: int) -> None:
    """Follows `BLOCK` bits at a time in the first tree, and rewinds them."""
    different = bits.size // BLOCK
    for block in range(blocks):
        start = mark(trees)
        first = BLOCK * (block % different)
        for bit in bits[first : first + BLOCK]:
            if trees.depths[0] <= DENSE_DEPTH:
                walk_dense(trees, 0, trees.state[LENGTH])
            else:
                walk(trees, 0, trees.state[LENGTH])
            learn(trees, 0, np.int64(bit), True)
            push(trees, np.int64(bit))
        rewind(trees, start)


@kernel
def _learn(trees: Any, bits: NDArray[np.uint8], dense: bool) -> float:
    """Learns bits in the first tree, laid out either way; returns the probability of the last one."""
    last = 0.0
    for bit in bits:
        if dense:
            walk_dense(trees, 0, trees.state[LENGTH])
        else:
            walk(trees, 0, trees.state[LENGTH])
        last = learn(trees, 0, np.int64(bit), False)
        push(trees, np.int64(bit))
    return last


def crossover(depth: int, count: int, bits: NDArray[np.uint8], rounds: int) -> dict[str, Any]:
    """Returns seconds of a dense to seconds of a compressed tree of one depth, the median over rounds."""
    ratios = []
    for turn in range(rounds + 1):
        seconds, last = [], []
        for dense in (True, False):
            with patch.object(forest, "DENSE_DEPTH", depth if dense else depth - 1):  # the layout follows it
                tree = forest.Forest(depth, 1, "kt")
            tree.reserve(count)
            tree.trees.ratios[...] *= 1.0  # maps the memory
            start = time.process_time()
            last.append(call(_learn, tree.trees, bits[:count], dense))
            seconds.append(time.process_time() - start)
        if abs(last[0] - last[1]) > 1e-9:
            raise SystemExit(f"both layouts must predict alike, got {last} at depth {depth}")
        if turn:  # the first one compiles
            ratios.append(seconds[0] / seconds[1])
    return {"depth": depth, "bits": count, "dense_to_compressed": statistics.median(ratios)}


def measure(depth: int, count: int, bits: NDArray[np.uint8], repeats: int) -> dict[str, float]:
    """Returns the suite's speeds, in bits per second of processor time, and the size of its tree."""
    update = rewound = 0.0
    ahead = bits[depth + count :][: BLOCK * BLOCKS]
    blocks = min(count, 20_000) // BLOCK
    for _ in range(repeats):
        predictor = ContextTreeWeighting(depth)
        for bit in bits[:depth]:
            predictor.condition(int(bit))
        start = time.process_time()
        code_length = predictor.update_many(bits[depth : depth + count])
        update = max(update, count / (time.process_time() - start))
        # The planner's view of the same tree is the one whose arrays a compiled loop may be given.
        model = FactoredContextTreeModel(1, 1, depth=depth)
        model.load_state_dict(predictor.state_dict())
        model.reserve(BLOCK)
        call(_imagine_and_rewind, model.compiled, ahead, 1)
        start = time.process_time()
        call(_imagine_and_rewind, model.compiled, ahead, blocks)
        rewound = max(rewound, BLOCK * blocks / (time.process_time() - start))
    nodes = predictor.nodes
    return {
        "update": update,
        "rewound": rewound,
        "log2_probability": -code_length,
        "nodes": nodes,
        "bytes_per_node": predictor.state_dict()["arena"].nbytes / nodes,
    }


def compiled(source: Path, folder: str) -> Path:
    """Compiles a C program into a folder and returns its path."""
    binary = Path(folder) / source.stem
    subprocess.run(["gcc", "-O3", "-march=native", "-w", "-o", binary, source, "-lm"], check=True)
    return binary


def reference(binary: Path, form: str, depth: int, count: int, repeats: int) -> dict[str, float]:
    """Runs the C reference once."""
    output = subprocess.run(
        [binary, form, str(depth), str(count), str(repeats)], check=True, capture_output=True, text=True
    ).stdout
    result: dict[str, float] = json.loads(output)
    return result


def limit(binary: Path, form: str, depth: int, count: int, repeats: int) -> dict[str, float]:
    """Runs the program of `--limit`, which measures once a run, and takes the best."""
    runs = []
    for _ in range(repeats):
        output = subprocess.run(
            [binary, FORMS[form], str(depth), str(count)], check=True, capture_output=True, text=True
        ).stdout
        found = re.search(r"update (\S+) bits/s\s+upd\+rev (\S+) pairs/s.* log2P (\S+)", output)
        if found is None:
            raise SystemExit(f"{binary.name} must print update, upd+rev and log2P, got {output!r}")
        runs.append([float(number) for number in found.groups()])
    return {
        "update": max(run[0] for run in runs),
        "rewound": max(run[1] for run in runs),
        "log2_probability": runs[-1][2],
    }


def pyaixi(python: str, depth: int, count: int, bits: NDArray[np.uint8]) -> dict[str, float]:
    """Runs pyaixi in its own environment; its log2 P is not comparable, for it does not update leaves."""
    output = subprocess.run(
        [python, "-c", PYAIXI, str(depth), str(count), str(BLOCK), str(BLOCKS)],
        input="".join(map(str, bits[: depth + count + BLOCK * BLOCKS])),
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    update, rewound = map(float, output.split())
    return {"update": update, "rewound": rewound}


def compare(depth: int, count: int, bits: NDArray[np.uint8], programs: dict[str, Any], rounds: int) -> dict[str, Any]:
    """Measures one depth and length, everything in turns.

    Returns:
        `speeds` by what was measured, and `ratios`: ours to each of the others, and the reference's forms to
        those of the limit.
    """
    turns: list[dict[str, dict[str, float]]] = []
    repeats = REPEATS[count]
    expected = LOG2_PROBABILITY[count][DEPTHS.index(depth)]
    measure(depth, count, bits, 1)  # compiles, or loads what was compiled
    for _ in range(rounds):
        turn = {"aixi": measure(depth, count, bits, repeats)}
        for form in FORMS:
            turn[f"C {form}"] = reference(programs["reference"], form, depth, count, repeats)
            if "limit" in programs:
                # Equal terms: the limit starts a process for every measurement.
                single = [reference(programs["reference"], form, depth, count, 1) for _ in range(repeats)]
                turn[f"C {form}, single"] = {
                    **single[-1],
                    **{name: max(one[name] for one in single) for name in ("update", "rewound")},
                }
                turn[f"limit {form}"] = limit(programs["limit"], form, depth, count, repeats)
        for name, result in turn.items():
            if abs(result["log2_probability"] - expected) > 1e-6:
                raise SystemExit(
                    f"log2 P of {name} at depth {depth} over {count} bits must be {expected}, "
                    f"got {result['log2_probability']}; its speed means nothing"
                )
        if "pyaixi" in programs and count == LENGTHS[0]:
            turn["pyaixi"] = pyaixi(programs["pyaixi"], depth, count, bits)
        turns.append(turn)

    def ratio(one: str, other: str) -> dict[str, float]:
        return {
            what: statistics.median(turn[one][what] / turn[other][what] for turn in turns)
            for what in ("update", "rewound")
        }

    names = list(turns[0])
    ratios = {f"aixi / {name}": ratio("aixi", name) for name in names[1:] if "single" not in name}
    ratios |= {
        f"C / limit {form}": ratio(f"C {form}, single", f"limit {form}") for form in FORMS if "limit" in programs
    }
    return {
        "depth": depth,
        "bits": count,
        "nodes": turns[0]["aixi"]["nodes"],
        "bytes_per_node": turns[0]["aixi"]["bytes_per_node"],
        "speeds": {
            name: {what: max(turn[name][what] for turn in turns) for what in ("update", "rewound")}
            for name in names
            if "single" not in name
        },
        "ratios": ratios,
    }


def marks(cells: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns what the suite promises of its speed, and what was measured."""
    by = {(cell["depth"], cell["bits"]): cell for cell in cells}
    wanted = [
        ("update, depth 96, 100,000 bits, to C compressed", 0.65, (96, 100_000), "aixi / C compressed"),
        ("update, depth 8, 100,000 bits, to C plain", 0.6, (8, 100_000), "aixi / C plain"),
        ("update, depth 8, 5,000 bits, to C plain", 0.6, (8, 5_000), "aixi / C plain"),
        ("update, depth 96, 5,000 bits, to pyaixi", 800.0, (96, 5_000), "aixi / pyaixi"),
    ]
    found = [
        {"what": what, "at_least": least, "measured": by[cell]["ratios"][pair]["update"]}
        for what, least, cell, pair in wanted
        if pair in by[cell]["ratios"]
    ]
    against_limit = [
        value
        for cell in cells
        for pair, values in cell["ratios"].items()
        if pair.startswith("C / limit")
        for value in values.values()
    ]
    if against_limit:
        what = "C reference to the limit, the least of all cells"
        found.append({"what": what, "at_least": 0.95, "measured": min(against_limit)})
    largest = max(cell["bytes_per_node"] for cell in cells)
    return [*found, {"what": "bytes a node", "at_most": 40.0, "measured": largest}]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--pyaixi", metavar="PYTHON")
    parser.add_argument("--limit", type=Path, metavar="PATH")
    arguments = parser.parse_args()
    console = Console(width=110, highlight=False)
    bits = sequence(max(DEPTHS) + max(LENGTHS) + BLOCK * (BLOCKS + 2))
    cells = []
    with tempfile.TemporaryDirectory() as folder:
        programs: dict[str, Any] = {"reference": compiled(HERE / "ctw_reference.c", folder)}
        if arguments.limit:
            programs["limit"] = compiled(arguments.limit, folder)
        if arguments.pyaixi:
            programs["pyaixi"] = arguments.pyaixi
        for count in LENGTHS:
            for depth in DEPTHS:
                cells.append(compare(depth, count, bits, programs, arguments.rounds))
                console.print(f"depth {depth}, {count:,} bits: done", highlight=False)
    columns = [name for name in cells[0]["speeds"] if not name.startswith("limit")]
    for what in ("update", "rewound"):
        table = Table("depth", "bits", "nodes", "B/node", *columns, title=f"{what}: bits per second (aixi / it)")
        for cell in cells:
            row = [
                str(cell["depth"]),
                f"{cell['bits']:,}",
                f"{cell['nodes']:,}",
                f"{cell['bytes_per_node']:.0f}",
            ]
            for name in columns:
                speed = cell["speeds"].get(name)
                ratio = cell["ratios"].get(f"aixi / {name}")
                row.append(f"{speed[what]:.2e}" + (f" ({ratio[what]:.3g})" if ratio else "") if speed else "")
            table.add_row(*row)
        console.print(table)
    layouts = [crossover(depth, count, bits, arguments.rounds) for count in LENGTHS for depth in LAYOUT_DEPTHS]
    table = Table("bits", *map(str, LAYOUT_DEPTHS), title="time of a dense tree / of a compressed one, by depth")
    for count in LENGTHS:
        found = [each["dense_to_compressed"] for each in layouts if each["bits"] == count]
        table.add_row(f"{count:,}", *(f"{value:.2f}" for value in found))
    console.print(table)
    promises = marks(cells)
    for each in promises:
        console.print(each)
    compiler = subprocess.run(["gcc", "--version"], check=True, capture_output=True, text=True).stdout
    record = {
        "machine": machine(),
        "versions": versions() | {"gcc": compiler.splitlines()[0]},
        "rounds": arguments.rounds,
        "marks": promises,
        "cells": cells,
        "layouts": layouts,
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
