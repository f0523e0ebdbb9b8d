"""The score of an agent: pure functions of what its lives earned.

Value of a life: average reward per cycle, 0 at the random anchor, 1 at the best known. Score of a seed: the
weighted sum of the values. Score of an agent: the mean over seeds, with Student's interval.
"""

import math
from collections.abc import Mapping, Sequence

import msgspec

from aixi.environments.registry import EnvironmentRow
from aixi.errors import require
from aixi.evaluation.intervals import mean_interval
from aixi.evaluation.suite import Suite
from aixi.evaluation.weights import effective_number, literal, tempered, uniform


class Cell(msgspec.Struct, frozen=True):
    """One life of a score: agent in text form, environment, seed, and length in cycles."""

    agent: str
    environment: str
    seed: int
    cycles: int


class CellResult(msgspec.Struct, kw_only=True):
    """What a cell earned.

    Attributes:
        cell: the cell.
        average_reward: average reward per cycle; None if the life failed.
        bits_per_percept: average code length of the percepts, in bits; None where nothing was predicted.
        percept_hash: CRC-32 of all percepts; None if the life failed.
        seconds: time that the life took.
        error: why the life failed, else None.
    """

    cell: Cell
    average_reward: float | None = None
    bits_per_percept: float | None = None
    percept_hash: int | None = None
    seconds: float = 0.0
    error: str | None = None


class SeedValue(msgspec.Struct):
    """The life of one seed: a failed one counts as value 0, the random level, and keeps its error."""

    seed: int
    value: float
    average_reward: float | None
    bits_per_percept: float | None
    percept_hash: int | None
    seconds: float
    error: str | None


class EnvironmentScore(msgspec.Struct):
    """An agent in one environment; `value` and `average_reward` are means over seeds, None without a life."""

    value: float | None
    interval: tuple[float, float] | None
    weight: float
    description_bits: int
    average_reward: float | None
    constant_value: float
    seeds: list[SeedValue]


class AgentScore(msgspec.Struct):
    """The score of one configuration of an agent.

    Attributes:
        score: mean over seeds of the sum of tempered weight times value; None while no seed has all its
        lives.
        interval: 95 % interval of the mean by Student's t; None with fewer than two seeds.
        literal: the same with weights 2^-K.
        uniform: the same with equal weights.
        seeds: the score of each seed.
        failures: lives that failed.
        environments: by id.
    """

    score: float | None
    interval: tuple[float, float] | None
    literal: float | None
    uniform: float | None
    seeds: list[float]
    failures: int
    environments: dict[str, EnvironmentScore]


class ScoreResult(msgspec.Struct, kw_only=True):
    """A table of scores.

    Attributes:
        suite: name of the suite.
        suite_version: its version.
        temperature: T of the weights, in bits.
        effective_number: how many environments count in effect.
        seeds: the seeds.
        relabel: whether each seed permuted discrete actions.
        agents: scores by agent in text form.
        interrupted: whether Ctrl-C left lives out.
        seconds: time that the whole took.
        workers: number of processes.
        versions: of Python and the packages.
        machine: system, processor and cores.
    """

    suite: str
    suite_version: int
    temperature: float
    effective_number: float
    seeds: list[int]
    relabel: bool
    agents: dict[str, AgentScore]
    interrupted: bool = False
    seconds: float = 0.0
    workers: int = 1
    versions: dict[str, str] = {}
    machine: dict[str, str | int] = {}


def value(average_reward: float, row: EnvironmentRow) -> float:
    """Maps an average reward per cycle to 0 at the random anchor and 1 at the best; nothing is clipped."""
    low, high = row.random.value, row.best.value
    require(high > low, f"best anchor of {row.name} must be above the random one, got {high} and {low}")
    return (average_reward - low) / (high - low)


def mean(values: Sequence[float]) -> float | None:
    """Returns the mean, None of nothing."""
    return math.fsum(values) / len(values) if values else None


def seed_scores(values: Mapping[str, Mapping[int, float]], weights: Mapping[str, float]) -> list[float]:
    """Returns the weighted sum of values of each seed, in ascending order, that has one in every environment.

    Args:
        values: by environment, then by seed.
        weights: by environment, summing to 1.

    Example:
        >>> seed_scores({"a": {0: 1.0, 1: 0.5}, "b": {0: 0.0}}, {"a": 0.75, "b": 0.25})
        [0.75]
    """
    complete = set.intersection(*(set(values[environment]) for environment in weights))
    return [
        math.fsum(weight * values[environment][seed] for environment, weight in weights.items())
        for seed in sorted(complete)
    ]


def summarise(
    suite: Suite,
    agents: Sequence[str],
    seeds: Sequence[int],
    relabel: bool,
    results: Sequence[CellResult],
    rows: Mapping[str, EnvironmentRow],
    description_bits: Mapping[str, int],
) -> ScoreResult:
    """Returns the table of scores of whatever lives there are.

    Args:
        suite: the suite.
        agents: in text form, in the order of the table.
        seeds: the seeds.
        relabel: whether actions were permuted.
        results: what the lives earned, in any order.
        rows: the row of each environment.
        description_bits: K of each environment.
    """
    environments = list(suite.cycles)
    lengths = [description_bits[environment] for environment in environments]
    weights = dict(zip(environments, tempered(lengths, suite.temperature).tolist(), strict=True))
    others = [
        dict(zip(environments, column.tolist(), strict=True)) for column in (literal(lengths), uniform(len(lengths)))
    ]
    lived = {(result.cell.agent, result.cell.environment, result.cell.seed): result for result in results}
    table = {}
    for agent in agents:
        cells = {
            environment: [
                _seed_value(lived[agent, environment, seed], rows[environment])
                for seed in seeds
                if (agent, environment, seed) in lived
            ]
            for environment in environments
        }
        values = {name: {item.seed: item.value for item in items} for name, items in cells.items()}
        scores = seed_scores(values, weights)
        table[agent] = AgentScore(
            score=mean(scores),
            interval=mean_interval(scores),
            literal=mean(seed_scores(values, others[0])),
            uniform=mean(seed_scores(values, others[1])),
            seeds=scores,
            failures=sum(item.error is not None for items in cells.values() for item in items),
            environments={
                name: EnvironmentScore(
                    value=mean([item.value for item in items]),
                    interval=mean_interval([item.value for item in items]),
                    weight=weights[name],
                    description_bits=description_bits[name],
                    average_reward=mean([i.average_reward for i in items if i.average_reward is not None]),
                    constant_value=value(rows[name].constant.value, rows[name]),
                    seeds=items,
                )
                for name, items in cells.items()
            },
        )
    return ScoreResult(
        suite=suite.name,
        suite_version=suite.version,
        temperature=suite.temperature,
        effective_number=effective_number(list(weights.values())),
        seeds=list(seeds),
        relabel=relabel,
        agents=table,
    )


def _seed_value(result: CellResult, row: EnvironmentRow) -> SeedValue:
    earned = 0.0 if result.average_reward is None else value(result.average_reward, row)
    return SeedValue(
        seed=result.cell.seed,
        value=earned,
        average_reward=result.average_reward,
        bits_per_percept=result.bits_per_percept,
        percept_hash=result.percept_hash,
        seconds=result.seconds,
        error=result.error,
    )
