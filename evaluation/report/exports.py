"""A table of scores as a file for people and programs: CSV, JSON, Markdown, Parquet, HTML."""

import csv
import html
import importlib
import importlib.util
import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from aixi.errors import InvalidValueError
from aixi.evaluation.intervals import Interval
from aixi.evaluation.report.figures import number, short_count
from aixi.evaluation.report.page import html_report, percent, rank, span
from aixi.evaluation.report.remarks import Remark, doubts, precision_told, remarks, seed_count, tuning_told
from aixi.evaluation.results import EnvironmentScore, ScoreResult, SeedValue
from aixi.evaluation.screen import duration


@dataclass(frozen=True)
class Life:
    """One life, and what it stands in."""

    result: ScoreResult
    agent: str
    environment: str
    score: EnvironmentScore
    seed: SeedValue


@dataclass(frozen=True)
class Column:
    """One column of a table of lives.

    Attributes:
        kind: `string`, `int64`, `float64` or `bool`, as Parquet names them.
        meaning: what it says, with unit; what an empty cell says.
        of: takes it from a life.
    """

    kind: str
    meaning: str
    of: Callable[[Life], Any]


_SCORES = [
    "agent",
    "score",
    "95 % interval over seeds",
    "over seeds and environments",
    "rank",
    "interquartile mean",
    "its 95 % interval",
    "failed lives",
    "cycles",
    "time",
    "model bits",
    "tuning budget",
]


def _fault(life: Life) -> str | None:
    place = (life.agent, life.environment, life.seed.seed)
    if any((loss.agent, loss.environment, loss.seed) == place for loss in life.result.lost):
        return "worker"
    return next((f.fault for f in life.result.failures if (f.agent, f.environment, f.seed) == place), None)


COLUMNS: dict[str, Column] = {
    "suite": Column("string", "name of the suite", lambda life: life.result.suite),
    "suite_version": Column("int64", "version of the suite", lambda life: life.result.suite_version),
    "quick": Column("bool", "whether the suite is not for publication", lambda life: life.result.quick),
    "agent": Column("string", "agent in text form", lambda life: life.agent),
    "environment": Column("string", "id of the environment", lambda life: life.environment),
    "seed": Column("int64", "seed of the life", lambda life: life.seed.seed),
    "cycles": Column(
        "int64", "length of a whole life, in cycles", lambda life: life.result.environments[life.environment].cycles
    ),
    "value": Column(
        "float64",
        "0 random, 1 best known; the lower of 0 and what was earned if the agent failed; empty if the environment did, "
        "0 if the life is lost",
        lambda life: life.seed.value,
    ),
    "average_reward": Column(
        "float64", "average reward per cycle; empty without a cycle", lambda life: life.seed.average_reward
    ),
    "bits_per_percept": Column(
        "float64",
        "average code length of the percepts, in bits; empty if none was predicted",
        lambda life: life.seed.bits_per_percept,
    ),
    "percept_hash": Column(
        "int64", "CRC-32 of all percepts; empty if the process was lost", lambda life: life.seed.percept_hash
    ),
    "seconds": Column("float64", "time lived, in seconds", lambda life: life.seed.seconds),
    "fault": Column(
        "string",
        "whose fault it was that the life failed, agent or environment, or worker if it is lost with whatever should "
        "have lived it; empty if it did not",
        _fault,
    ),
    "error": Column("string", "why the life failed or is lost; empty if it did not", lambda life: life.seed.error),
    "weight": Column(
        "float64",
        "of the environment in the score; 0 if it is left out",
        lambda life: life.result.environments[life.environment].weights[life.result.weighting],
    ),
    "excluded": Column(
        "bool",
        "whether the environment is left out for all agents, since it failed",
        lambda life: life.result.environments[life.environment].excluded is not None,
    ),
}
"""The columns of CSV and Parquet files, in order: one row a life."""


def export(result: ScoreResult, format: str) -> bytes:
    """Returns a table of scores as the content of a file; the same table gives the same bytes.

    Args:
        result: the table.
        format: one of `FORMATS`. `csv` and `parquet` hold one row a life, with the columns of `COLUMNS`; `json` all
            that the table says, as `load_result` reads it; `md` scores and values for a README; `html` the report.

    Raises:
        InvalidValueError: if there is no such format, or what it needs is not installed.

    Example:
        >>> export(ScoreResult(suite="empty", suite_version=1), "csv").decode().split(",")[:3]
        ['suite', 'suite_version', 'quick']
    """
    if format not in _WRITERS:
        raise InvalidValueError(f"format must be one of {', '.join(FORMATS)}, got {format!r}")
    return _WRITERS[format](result)


def _lives(result: ScoreResult) -> Iterator[Life]:
    for agent, row in result.agents.items():
        for environment, score in row.environments.items():
            for seed in score.seeds:
                yield Life(result, agent, environment, score, seed)


def _csv(result: ScoreResult) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for life in _lives(result):
        writer.writerow(column.of(life) for column in COLUMNS.values())
    return text.getvalue().encode()


def _parquet(result: ScoreResult) -> bytes:
    if importlib.util.find_spec("pyarrow") is None:
        raise InvalidValueError("format parquet needs pyarrow, which is not installed: pip install 'aixi[parquet]'")
    arrow, parquet = importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    lives = list(_lives(result))
    schema = arrow.schema(
        [
            arrow.field(
                name, getattr(arrow, column.kind.replace("bool", "bool_"))(), metadata={"meaning": column.meaning}
            )
            for name, column in COLUMNS.items()
        ]
    )
    arrays = {name: [column.of(life) for life in lives] for name, column in COLUMNS.items()}
    target = io.BytesIO()
    parquet.write_table(arrow.table(arrays, schema=schema), target)
    return target.getvalue()


def _json(result: ScoreResult) -> bytes:
    return msgspec.json.format(msgspec.json.encode(result), indent=2) + b"\n"


def _markdown(result: ScoreResult) -> bytes:
    quick = ["**quick: for trying out, not for publication**"] if result.quick else []
    scores = [
        [
            _code(agent),
            number(row.mean, 3),
            _interval(row.score),
            _interval(row.wide),
            rank(row.rank),
            number(row.interquartile_mean, 3),
            _interval(row.interquartile_interval),
            f"{row.failures}",
            f"{row.cycles:,}",
            duration(row.seconds),
            short_count(row.model_bits),
            tuning_told(row.tuning),
        ]
        for agent, row in result.agents.items()
    ]
    values = [
        [
            _code(name) + (" (left out)" if environment.excluded is not None else ""),
            *(
                number(row.environments[name].mean if name in row.environments else None)
                for row in result.agents.values()
            ),
            number(environment.constant_value),
            percent(environment.weights[result.weighting] if environment.excluded is None else None, 1),
        ]
        for name, environment in result.environments.items()
    ]
    precision = precision_told(result)
    said = [_said(Remark(doubt)) for doubt in doubts(result)] + [_said(remark) for remark in remarks(result)]
    effective = result.effective_numbers.get(result.weighting)
    count = "" if effective is None else f": {effective:.1f} environments count in effect"
    blocks = [
        f"### {_code(result.suite)} v{result.suite_version}, {seed_count(result)}, "
        f"weights {_code(result.weighting)}{count}",
        *quick,
        *([] if precision is None else [precision]),
        _table(_SCORES, scores),
        _table(
            ["value (0 random, 1 best known)", *map(_code, result.agents), "best constant action", "weight"], values
        ),
        *said,
    ]
    return ("\n\n".join(blocks) + "\n").encode()


def _interval(found: Interval | None) -> str:
    return span(found) + ("" if found is None or found.trustworthy else " ?")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---", *(["---:"] * (len(head) - 1))], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _said(remark: Remark) -> str:
    lines = [html.escape(remark.text, quote=False), *(f"- {_code(reason)}" for reason in remark.reasons)]
    return "\n".join(lines)


def _code(text: str) -> str:
    """Returns a text that Markdown shows as it is, in one cell of a table.

    Example:
        >>> print(_code("a|b`c"))
        ``a\\|b`c``
    """
    text = " ".join(text.split())
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    room = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{room}{text}{room}{fence}".replace("|", "\\|")


_WRITERS: dict[str, Callable[[ScoreResult], bytes]] = {
    "html": lambda result: html_report(result).encode(),
    "csv": _csv,
    "json": _json,
    "md": _markdown,
    "parquet": _parquet,
}
FORMATS = tuple(_WRITERS)
"""What a table can be exported as."""
