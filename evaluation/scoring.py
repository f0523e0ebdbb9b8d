"""The score of agents: a pure function of what their lives earned, and of weights.

Value of a life: average reward per cycle, 0 at the random anchor, 1 at the best known. Score of an agent: the
weighted sum over environments of the mean value over seeds. A life that fails through the agent's fault has the
lower of 0 and the value it had earned, and its average reward and value by range follow from that; an environment
that fails is left out for all agents.
"""

import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from aixi.evaluation import aggregates, sensitivity
from aixi.evaluation.intervals import Interval, paired_difference, score_interval, score_interval_environments
from aixi.evaluation.records import CellResult
from aixi.evaluation.results import (
    AgentScore,
    EnvironmentScore,
    ExperiencePoint,
    Failure,
    Pair,
    ScoredEnvironment,
    ScoreResult,
    SeedValue,
    Sensitivity,
    Tuning,
)
from aixi.evaluation.suite import Suite
from aixi.evaluation.table import FRACTIONS, Lives, Weights, anchors_of, value
from aixi.evaluation.weights import effective_number, solve_temperature, tempered

Array = NDArray[np.float64]

THRESHOLDS = tuple(k / 20 for k in range(-10, 21))
"""Of the performance profiles: values from -0.5 to 1."""
_REPLICATES = 2000
_SAMPLES = 2000


def summarise(
    suite: Suite,
    agents: Sequence[str],
    results: Sequence[CellResult],
    *,
    weighting: str = "tempered",
    tunings: Mapping[str, Tuning] | None = None,
    pilot: int | None = None,
) -> ScoreResult:
    """Returns the table of scores of whatever lives there are.

    Args:
        suite: the suite.
        agents: in text form.
        results: what the lives earned, in any order; those of other agents and environments are left out.
        weighting: one of `WEIGHTINGS`, or the name or path of a value weighting.
        tunings: what was spent on finding each configuration, by agent in text form.
        pilot: seeds before the first look, if their number was chosen by looking at the lives.

    Returns:
        The table, the best agent first. Its `seconds`, `command` and the like are for the caller to fill.
    """
    results = [r for r in results if r.cell.agent in set(agents) and r.cell.environment in suite.cycles]
    lives = Lives(suite, agents, results)
    weights = Weights(suite, lives, weighting)
    scored = {agent: _score(lives, weights, index, pilot) for index, agent in enumerate(agents)}
    for agent, found in scored.items():
        found.tuning = (tunings or {}).get(agent)
    _rank(lives, weights, scored, agents)
    order = sorted(agents, key=lambda agent: _or_least(scored[agent].mean), reverse=True)
    pairs = [_pair(lives, weights, agents, *two, pilot) for two in itertools.combinations(order, 2)]
    halves = [pair.difference.half for pair in pairs if pair.difference is not None]
    return ScoreResult(
        suite=suite.name,
        suite_version=suite.version,
        summary=suite.summary,
        quick=suite.quick,
        weighting=weights.chosen,
        temperature=suite.temperature,
        effective_numbers={
            name: effective_number(weights.of(name)) for name in weights.columns if lives.included.any()
        },
        seeds=lives.seeds,
        relabel=all(result.cell.relabel for result in results),
        thresholds=list(THRESHOLDS),
        environments={name: _environment(lives, weights, e) for e, name in enumerate(lives.environments)},
        agents={agent: scored[agent] for agent in order},
        pairs=pairs,
        sensitivity=_sensitivity(lives, weights, agents, order),
        failures=[
            Failure(r.cell.agent, r.cell.environment, r.cell.seed, r.cycles, r.fault, r.error or "")
            for r in results
            if r.fault is not None
        ],
        precision=max(halves) if len(halves) == len(pairs) > 0 else None,
        versions=_common([result.versions for result in results]),
        machines=sorted({_machine(result) for result in results if result.machine}),
    )


def _score(lives: Lives, weights: Weights, agent: int, pilot: int | None) -> AgentScore:
    chosen = weights.of(weights.chosen)
    values = lives.last[agent]
    means = _row_means(values)
    whole = means.size > 0 and not np.isnan(means).any()
    mine = [result for (a, _, _), result in lives.results.items() if a == agent]
    scores = {name: _total(means, weights.of(name)) for name in weights.columns}
    found = AgentScore(
        options=mine[0].options if mine else {},
        mean=scores[weights.chosen],
        scores=scores,
        tags=_tags(lives, means, chosen),
        failures=sum(result.fault == "agent" for result in mine),
        cycles=sum(result.cycles for result in mine),
        seconds=math.fsum(result.seconds for result in mine),
        model_bits=math.fsum(result.model_bits for result in mine),
        environments={
            name: _environment_score(lives, weights, agent, e, pilot) for e, name in enumerate(lives.environments)
        },
    )
    if not whole:
        return found
    found.score = score_interval(values, chosen, pilot=pilot)
    found.optimality_gap = aggregates.optimality_gap(values)
    found.interquartile_mean = aggregates.interquartile_mean(values)
    found.profile = aggregates.performance_profile(values, THRESHOLDS).tolist()
    if len(chosen) > 2:
        found.wide = score_interval_environments(values, chosen, weights.strata)
    found.interquartile_interval = aggregates.interquartile_mean_interval(values, pilot=pilot)
    cut = lives.values[:, agent, lives.included]
    intervals = [score_interval(level, chosen, pilot=pilot) for level in cut]
    found.curve = [
        ExperiencePoint(fraction, interval)
        for fraction, interval in zip(FRACTIONS, intervals, strict=True)
        if interval is not None
    ]
    return found


def _environment_score(lives: Lives, weights: Weights, agent: int, e: int, pilot: int | None) -> EnvironmentScore:
    there = [s for s in range(len(lives.seeds)) if (agent, e, s) in lives.results]
    mine = [lives.results[agent, e, s] for s in there]
    row, values = lives.rows[e], lives.values[:, agent, e]
    curve = [mean(level[~np.isnan(level)].tolist()) for level in values]
    last = curve[-1]
    anchors = anchors_of(row)
    least, best, span = anchors["random"].value, anchors["best"].value, row.measured_range
    # The value is a straight line of the reward: so a failed life counts alike in both.
    average = None if last is None else least + last * (best - least)
    return EnvironmentScore(
        mean=last,
        value=score_interval(values[-1:], np.ones(1), pilot=pilot) if len(there) > 1 else None,
        range_value=None if average is None or span is None else (average - span[0]) / ((span[1] - span[0]) or 1.0),
        average_reward=average,
        bits_per_percept=mean([life.bits_per_percept for life in mine if life.bits_per_percept is not None]),
        contribution=None if last is None else float(weights.columns[weights.chosen][e] * last),
        curve=[
            (max(1, round(fraction * lives.cycles[e])), point)
            for fraction, point in zip(FRACTIONS, curve, strict=True)
            if point is not None
        ],
        seeds=[
            SeedValue(
                seed=life.cell.seed,
                value=_finite(values[-1, s]),
                average_reward=life.average_reward,
                bits_per_percept=life.bits_per_percept,
                percept_hash=life.percept_hash,
                seconds=life.seconds,
                error=life.error,
            )
            for s, life in zip(there, mine, strict=True)
        ],
    )


def _tags(lives: Lives, means: Array, chosen: Array) -> dict[str, float]:
    """Returns the weighted mean value in the environments of each tag that all have one."""
    rows = lives.kept(lives.rows)
    found = {}
    for tag in sorted({tag for row in rows for tag in row.tags}):
        has = np.array([tag in row.tags for row in rows])
        total = chosen[has].sum()
        if total > 0 and not np.isnan(means[has]).any():
            found[tag] = float(means[has] @ chosen[has] / total)
    return found


def _environment(lives: Lives, weights: Weights, e: int) -> ScoredEnvironment:
    row, description = lives.rows[e], weights.descriptions[e]
    anchors = anchors_of(row)
    return ScoredEnvironment(
        summary=row.summary,
        tags=row.tags,
        cycles=lives.cycles[e],
        description_bits=description.bits,
        description_hash=description.sha256,
        lengths=weights.lengths[e],
        engines=description.engines,
        anchors={name: anchor.value for name, anchor in anchors.items()},
        sources={name: anchor.source for name, anchor in anchors.items()},
        constant_value=value(anchors["constant"].value, row),
        weights={name: float(column[e]) for name, column in weights.columns.items()},
        excluded=lives.faults.get(e),
    )


def cube(
    suite: Suite, agents: Sequence[str], results: Sequence[CellResult], weighting: str = "tempered"
) -> tuple[Array, Array]:
    """Returns the values of lives and the weights of the environments.

    Returns:
        Values, float64[agents, environments, seeds], NaN where no life is; and weights, float64[environments], 0 for
        an environment that failed.
    """
    lives = Lives(suite, agents, results)
    weights = Weights(suite, lives, weighting)
    return lives.values[-1], weights.columns[weights.chosen]


def _rank(lives: Lives, weights: Weights, scored: Mapping[str, AgentScore], agents: Sequence[str]) -> None:
    """Fills in what is told of agents in relation to each other."""
    values = lives.last
    means = _row_means(values)
    whole = [index for index, row in enumerate(means) if row.size and not np.isnan(row).any()]
    if len(whole) < 2:
        return
    low, high = (column[lives.included] for column in weights.ranges)
    best = sensitivity.rank_acceptability(means[whole], low, high, _rng(), _SAMPLES)[:, 0]
    for index, share in zip(whole, best.tolist(), strict=True):
        scored[agents[index]].acceptability = share
    if (~np.isnan(values[whole])).sum(-1).min() < 2:
        return
    ranks = aggregates.rank_intervals(values[whole], weights.of(weights.chosen), _rng(), _REPLICATES)
    for index, (least, greatest) in zip(whole, ranks.tolist(), strict=True):
        scored[agents[index]].rank = (least, greatest)


def _pair(lives: Lives, weights: Weights, agents: Sequence[str], first: str, second: str, pilot: int | None) -> Pair:
    a, b = (lives.values[-1][agents.index(agent)] for agent in (first, second))
    kept, chosen = lives.included, weights.of(weights.chosen)
    means = _row_means(np.stack([a[kept], b[kept]]))
    whole = means.size > 0 and not np.isnan(means).any()
    environments = {
        name: paired_difference(a[e : e + 1], b[e : e + 1], np.ones(1), pilot=pilot)
        for e, name in enumerate(lives.environments)
    }
    dominates = bool(whole and sensitivity.dominance(means)[0, 1])
    swap = None
    if whole and means[0] @ chosen >= means[1] @ chosen:
        swap = _finite(sensitivity.swap_distances(means, chosen).distances[0])
    return Pair(
        first=first,
        second=second,
        difference=paired_difference(a[kept], b[kept], chosen, pilot=pilot) if whole else None,
        environments=environments,
        improvement=aggregates.probability_of_improvement(a[kept], b[kept]) if whole else None,
        dominates=dominates,
        dominates_surely=dominates and all(map(_surely_not_behind, lives.kept(environments.values()))),
        swap=swap,
    )


def _surely_not_behind(difference: Interval | None) -> bool:
    """Returns whether a paired interval says so; lives that are equal seed by seed need no interval."""
    if difference is None:
        return False
    return difference.low == difference.high == 0 or (difference.trustworthy and difference.low >= 0)


def _sensitivity(lives: Lives, weights: Weights, agents: Sequence[str], order: Sequence[str]) -> Sensitivity | None:
    """Returns the scores under every coder, charging and number of environments that count."""
    count = int(lives.included.sum())
    if count < 3:
        return None
    means = _row_means(lives.last)[[agents.index(agent) for agent in order]]
    settings: dict[str, Array] = {}
    kept = lives.kept(weights.lengths)
    for name in kept[0]:
        if not all(name in length for length in kept):
            continue
        bits = [length[name] for length in kept]
        for target in sorted({2.0, count / 4, count / 2}):
            if bits.count(min(bits)) < target < count:
                settings[f"{name} {target:g}"] = tempered(bits, solve_temperature(bits, target))
    settings |= {name: weights.of(name) for name in weights.columns}
    scores = [[_total(row, column) for row in means] for column in settings.values()]
    tau: Array = np.full((len(settings), len(settings)), np.nan)
    if len(order) > 1 and not np.isnan(means).any():
        tau = sensitivity.rankings(means, settings).tau
    chosen = weights.of(weights.chosen)
    rest = {name: np.where(np.arange(count) == e, 0.0, chosen) for e, name in enumerate(lives.kept(lives.environments))}
    return Sensitivity(
        settings=list(settings),
        scores=scores,
        tau=[[_finite(item) for item in line] for line in tau],
        without={
            name: [_total(row, column / column.sum()) for row in means]
            for name, column in rest.items()
            if column.sum() > 0
        },
    )


def mean(values: Sequence[float]) -> float | None:
    """Returns the mean, None of nothing."""
    return math.fsum(values) / len(values) if values else None


def _row_means(values: Array) -> Array:
    """Returns the means over the last axis of what is there, NaN where nothing is."""
    there = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        means: Array = np.where(there, values, 0.0).sum(-1) / there.sum(-1)
    return means


def _total(means: Array, column: Array) -> float | None:
    """Returns the weighted sum; None where a mean is missing that counts."""
    counts = column > 0
    if not counts.any() or np.isnan(means[counts]).any():
        return None
    return float(means[counts] @ column[counts])


def _or_least(number: float | None) -> float:
    return -math.inf if number is None else number


def _finite(number: float) -> float | None:
    return float(number) if math.isfinite(number) else None


def _rng() -> np.random.Generator:
    """Returns the generator of every bootstrap: the same lives give the same table."""
    return np.random.default_rng(0)


def _common(records: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Returns versions by package; several where lives differ."""
    names = dict.fromkeys(name for record in records for name in record)
    return {name: ", ".join(sorted({record[name] for record in records if name in record})) for name in names}


def _machine(result: CellResult) -> str:
    return f"{result.machine.get('system')}, {result.machine.get('processor')}, {result.machine.get('cores')} cores"
