"""How intelligent is it? Lives, description lengths, scores, and the command line.

Names are imported when they are first used, so that `aixi --help` loads no numerical library.
"""

from typing import TYPE_CHECKING

from aixi.registry import exported_from

if TYPE_CHECKING:
    from aixi.evaluation.cells import score
    from aixi.evaluation.complexity import canonical_source, description_bits
    from aixi.evaluation.curve import CurvePoint
    from aixi.evaluation.life import Life
    from aixi.evaluation.runner import LifeFaultError, RunResult, run
    from aixi.evaluation.scoring import AgentScore, Cell, CellResult, EnvironmentScore, ScoreResult, SeedValue
    from aixi.evaluation.suite import Suite, load_suite, suite_names

__all__ = [
    "AgentScore",
    "Cell",
    "CellResult",
    "CurvePoint",
    "EnvironmentScore",
    "Life",
    "LifeFaultError",
    "RunResult",
    "ScoreResult",
    "SeedValue",
    "Suite",
    "canonical_source",
    "description_bits",
    "load_suite",
    "run",
    "score",
    "suite_names",
]

__getattr__ = exported_from(
    __name__,
    {
        "cells": ("score",),
        "complexity": ("canonical_source", "description_bits"),
        "curve": ("CurvePoint",),
        "life": ("Life",),
        "runner": ("LifeFaultError", "RunResult", "run"),
        "scoring": ("AgentScore", "Cell", "CellResult", "EnvironmentScore", "ScoreResult", "SeedValue"),
        "suite": ("Suite", "load_suite", "suite_names"),
    },
)
