"""What a score says: every table and figure is drawn from these records alone."""

from typing import Any, Literal

import msgspec

from aixi.evaluation.intervals import Interval
from aixi.evaluation.records import Fault

Stopped = Literal["precision reached", "budget spent", "interrupted", "lives lost", "no environment left"]
"""Why a score with a precision adds no more seeds."""


class SeedValue(msgspec.Struct):
    """The life of one seed.

    `value` is the lower of 0 and what it had earned, if the life failed through the agent's fault, and None if
    through the environment's.
    """

    seed: int
    value: float | None
    average_reward: float | None
    bits_per_percept: float | None
    percept_hash: int | None
    seconds: float
    error: str | None


class EnvironmentScore(msgspec.Struct, kw_only=True):
    """An agent in one environment; numbers are means over seeds, None without a life.

    Attributes:
        mean: value, 0 at the random anchor, 1 at the best.
        value: the same with its interval; None with fewer than two lives.
        range_value: 0 at the least reward that a cycle can give, 1 at the greatest.
        average_reward: average reward per cycle; of a life that failed at most the random anchor's, as in its value.
        bits_per_percept: average code length of the percepts.
        contribution: weight times value.
        curve: the learning curve: cycle, and value of the rewards since the life began.
        seeds: the lives.
    """

    mean: float | None = None
    value: Interval | None = None
    range_value: float | None = None
    average_reward: float | None = None
    bits_per_percept: float | None = None
    contribution: float | None = None
    curve: list[tuple[int, float]] = []
    seeds: list[SeedValue] = []


class ExperiencePoint(msgspec.Struct):
    """The score that lives ended at a fraction of their length would have had."""

    fraction: float
    score: Interval


class Tuning(msgspec.Struct, kw_only=True):
    """What was spent on finding a configuration.

    Attributes:
        suite: the held-out suite that it was searched on, and its version.
        configurations: how many were tried.
        cells: lives lived.
        cycles: their cycles.
        seconds: their time.
    """

    suite: str
    configurations: int
    cells: int
    cycles: int
    seconds: float


class AgentScore(msgspec.Struct, kw_only=True):
    """The score of one configuration of an agent; None where lives are missing.

    Attributes:
        options: its configuration in full.
        mean: the score, the weighted sum of the values.
        score: the same; interval over seeds, the environments taken as they are; None with fewer than two lives in
            an environment.
        wide: the same; interval over seeds and environments, these taken as a sample.
        scores: the score under each weighting.
        interquartile_mean: mean of the middle half of all values, unweighted.
        interquartile_interval: the same; interval over seeds by the jackknife; None with fewer than two lives in an
            environment.
        optimality_gap: mean shortfall of the values from 1.
        rank: 95 % interval of its rank over seeds, 1 the best.
        acceptability: share of the weightings within the ranges for which it is best.
        profile: share of the values above each of the thresholds, environments alike.
        curve: the score as a function of experience.
        tags: mean value in the environments of each tag, weighted.
        failures: lives that failed through its fault.
        cycles: experience, in cycles over all lives.
        seconds: time, over all lives.
        model_bits: percept bits that its planner sampled, over all lives.
        tuning: what was spent on finding the configuration; None where nothing is on record.
        environments: by id.
    """

    options: dict[str, Any] = {}
    mean: float | None = None
    score: Interval | None = None
    wide: Interval | None = None
    scores: dict[str, float | None] = {}
    interquartile_mean: float | None = None
    interquartile_interval: Interval | None = None
    optimality_gap: float | None = None
    rank: tuple[float, float] | None = None
    acceptability: float | None = None
    profile: list[float] = []
    curve: list[ExperiencePoint] = []
    tags: dict[str, float] = {}
    failures: int = 0
    cycles: int = 0
    seconds: float = 0.0
    model_bits: float = 0.0
    tuning: Tuning | None = None
    environments: dict[str, EnvironmentScore] = {}


class ScoredEnvironment(msgspec.Struct, kw_only=True):
    """One environment of a suite.

    Attributes:
        summary: one line.
        tags: what it tests.
        cycles: length of a life.
        description_bits: K in bits.
        description_hash: SHA-256 of the canonical description.
        lengths: description lengths in bits, by `coder/charging`.
        engines: what is free and yet large, such as a physics engine.
        anchors: average reward per cycle of `random`, `constant` (the best one) and `best`.
        sources: where each anchor comes from.
        constant_value: value of the best constant action.
        weights: its weight under each weighting; 0 where it is excluded.
        excluded: the error with which the environment failed, which excludes it for all agents; else None.
    """

    summary: str
    tags: tuple[str, ...]
    cycles: int
    description_bits: float
    description_hash: str
    lengths: dict[str, float]
    engines: list[str]
    anchors: dict[str, float]
    sources: dict[str, str]
    constant_value: float
    weights: dict[str, float]
    excluded: str | None = None


class Pair(msgspec.Struct, kw_only=True):
    """Two agents, compared seed by seed.

    Attributes:
        first: agent in text form.
        second: the other.
        difference: of their scores, first less second.
        environments: of their values in each environment.
        improvement: probability that a life of the first earns more than one of the second.
        dominates: whether the mean value of the first is at least as great in every environment, so that it is ahead
            under every weighting of these means.
        dominates_surely: whether the intervals of all environments say so too.
        swap: least share of the weight that has to move for the order of the two to turn; None if none does.
    """

    first: str
    second: str
    difference: Interval | None
    environments: dict[str, Interval | None]
    improvement: float | None
    dominates: bool
    swap: float | None
    dominates_surely: bool = False


class Sensitivity(msgspec.Struct, kw_only=True):
    """How much the ranking hangs on the choice of weights.

    Attributes:
        settings: coder, charging and effective number of environments of each choice.
        scores: of the agents, in the order of the table, under each choice.
        tau: Kendall's tau-b between the rankings of each two choices; None where all agents tie.
        without: of the agents, without each environment.
    """

    settings: list[str]
    scores: list[list[float | None]]
    tau: list[list[float | None]]
    without: dict[str, list[float | None]]


class Failure(msgspec.Struct):
    """A life that failed."""

    agent: str
    environment: str
    seed: int
    cycles: int
    fault: Fault
    error: str


class Loss(msgspec.Struct):
    """A life that has no result, because whatever should have lived it was lost time and again."""

    agent: str
    environment: str
    seed: int
    reason: str


class ScoreResult(msgspec.Struct, kw_only=True):
    """A table of scores.

    Attributes:
        suite: name of the suite.
        suite_version: its version.
        summary: one line on it.
        quick: whether the suite is for trying out, and not for publication.
        weighting: which weights `score` uses.
        temperature: T of the tempered weights, in bits.
        effective_numbers: how many environments count in effect, by weighting.
        seeds: the seeds.
        relabel: whether each seed permuted discrete actions.
        thresholds: of the performance profiles.
        environments: by id.
        agents: by agent in text form.
        pairs: each two agents, the better one first.
        sensitivity: to the choice of weights.
        failures: lives that failed.
        lost: lives whose worker was lost time and again; they count as 0.
        missing: lives that Ctrl-C left out.
        left_out: stored lives that are not shown, by reason.
        precision: greatest half-width of a paired difference of scores; None for one agent.
        precision_asked: the one that seeds were to be added for; None if their number was given.
        stopped: why no more were added.
        kept: whether a store holds the lives.
        interrupted: whether Ctrl-C left lives out.
        seconds: time that the whole took.
        workers: lives at a time.
        stored: lives that were there already.
        command: that makes this table again.
        versions: of Python and the packages; `several` lists where lives differ.
        machine: that the table was made on.
        machines: processors that lives were lived on.
    """

    suite: str
    suite_version: int
    summary: str = ""
    quick: bool = False
    weighting: str = "tempered"
    temperature: float = 0.0
    effective_numbers: dict[str, float] = {}
    seeds: list[int] = []
    relabel: bool = True
    thresholds: list[float] = []
    environments: dict[str, ScoredEnvironment] = {}
    agents: dict[str, AgentScore] = {}
    pairs: list[Pair] = []
    sensitivity: Sensitivity | None = None
    failures: list[Failure] = []
    lost: list[Loss] = []
    missing: int = 0
    left_out: dict[str, int] = {}
    precision: float | None = None
    precision_asked: float | None = None
    stopped: Stopped | None = None
    kept: bool = False
    interrupted: bool = False
    seconds: float = 0.0
    workers: int = 1
    stored: int = 0
    command: str = ""
    versions: dict[str, str] = {}
    machine: dict[str, str | int] = {}
    machines: list[str] = []
