"""Writes the stored description lengths: evaluation/descriptions.json.

    python benchmarks/descriptions.py

For each environment of the table: the SHA-256 of its canonical texts, and the bits of every piece under every
coder and charging. It needs all coders, and the extras whose environments it describes. A length moves only when
an environment, the canonical form or a coder does; the tests compute all of them anew.
"""

import argparse
import sys
from pathlib import Path

import msgspec

from aixi.environments import ENVIRONMENTS
from aixi.evaluation.complexity.coders import CODERS
from aixi.evaluation.complexity.description import (
    FrozenDescription,
    FrozenDescriptions,
    FrozenText,
    Subject,
    frozen_text,
    source_of,
    table_of,
)
from aixi.evaluation.files import write_whole

PATH = Path(__file__).parents[1] / "evaluation" / "descriptions.json"


def freeze(subject: Subject) -> FrozenDescription:
    """Computes what is stored of one environment."""
    source: dict[str, FrozenText] = {}
    for charging in ("all", "code", "names"):
        source[charging] = frozen_text([piece.content for piece in source_of(subject, charging).pieces])
    table = table_of(subject)
    return FrozenDescription(source, None if table is None else frozen_text([table]))


def main() -> int:
    """Writes the file; returns 1 if a coder is missing."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    missing = [coder.package for coder in CODERS if not coder.installed]
    if missing:
        print(f"pip install {' '.join(map(str, missing))} first", file=sys.stderr)
        return 1
    environments = {row.name: freeze(Subject.find(row)) for row in ENVIRONMENTS}
    stored = FrozenDescriptions({coder.name: coder.version for coder in CODERS}, environments)
    write_whole(PATH, msgspec.json.format(msgspec.json.encode(stored), indent=1) + b"\n")
    print(f"{len(environments)} descriptions in {PATH.name}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
