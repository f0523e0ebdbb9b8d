"""How intelligent is it? Lives, description lengths, scores, and the command line.

Names are imported when they are first used, so that `aixi --help` loads no numerical library.
"""

from typing import TYPE_CHECKING

from aixi.registry import exported_from

if TYPE_CHECKING:
    from aixi.evaluation.cells import compare, load_result, rescore, score
    from aixi.evaluation.complexity import Description, canonical_source, describe, description_bits
    from aixi.evaluation.curve import CurvePoint
    from aixi.evaluation.intervals import Interval
    from aixi.evaluation.life import Life
    from aixi.evaluation.playing import PlayResult, play
    from aixi.evaluation.records import Cell, CellResult, cell_key
    from aixi.evaluation.report import export, html_report
    from aixi.evaluation.results import AgentScore, EnvironmentScore, Pair, ScoredEnvironment, ScoreResult, Tuning
    from aixi.evaluation.runner import LifeFaultError, RunResult, run
    from aixi.evaluation.scoring import summarise
    from aixi.evaluation.store import Store, StoreError
    from aixi.evaluation.suite import Suite, load_suite, suite_names
    from aixi.evaluation.tuning import TuneResult, tune
    from aixi.evaluation.weighting import Weighting, load_weighting, weighting_names

__all__ = [
    "AgentScore",
    "Cell",
    "CellResult",
    "CurvePoint",
    "Description",
    "EnvironmentScore",
    "Interval",
    "Life",
    "LifeFaultError",
    "Pair",
    "PlayResult",
    "RunResult",
    "ScoreResult",
    "ScoredEnvironment",
    "Store",
    "StoreError",
    "Suite",
    "TuneResult",
    "Tuning",
    "Weighting",
    "canonical_source",
    "cell_key",
    "compare",
    "describe",
    "description_bits",
    "export",
    "html_report",
    "load_result",
    "load_suite",
    "load_weighting",
    "play",
    "rescore",
    "run",
    "score",
    "suite_names",
    "summarise",
    "tune",
    "weighting_names",
]

__getattr__ = exported_from(
    __name__,
    {
        "cells": ("compare", "load_result", "rescore", "score"),
        "complexity": ("Description", "canonical_source", "describe", "description_bits"),
        "curve": ("CurvePoint",),
        "intervals": ("Interval",),
        "life": ("Life",),
        "records": ("Cell", "CellResult", "cell_key"),
        "playing": ("PlayResult", "play"),
        "report": ("export", "html_report"),
        "results": ("AgentScore", "EnvironmentScore", "Pair", "ScoreResult", "ScoredEnvironment", "Tuning"),
        "runner": ("LifeFaultError", "RunResult", "run"),
        "scoring": ("summarise",),
        "store": ("Store", "StoreError"),
        "suite": ("Suite", "load_suite", "suite_names"),
        "tuning": ("TuneResult", "tune"),
        "weighting": ("Weighting", "load_weighting", "weighting_names"),
    },
)
