"""What a reader must know before trusting a table of scores: sentences that the screen and every file share."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from aixi.evaluation.intervals import Interval
from aixi.evaluation.report.figures import short_count
from aixi.evaluation.results import Failure, Loss, Pair, ScoreResult, Tuning
from aixi.evaluation.screen import counted, duration

_WHEN = re.compile(r" \((?:environment [^\s,()]+, )?(?:cycle \d+, )?seed \d+\)|[;,] (?:cycle \d+, )?seed \d+(?=\))")
"""What a reason says of where and when, all of it in brackets or their end."""
UNTRUSTED = "? : too few seeds for this interval to be trusted"


@dataclass(frozen=True)
class Remark:
    """A sentence, and what it rests on, line by line."""

    text: str
    reasons: Sequence[str] = ()


def remarks(result: ScoreResult) -> list[Remark]:
    """Returns what is to be known of the lives: which are left out, failed, or are missing.

    Example:
        >>> from aixi.evaluation.results import Loss
        >>> lost = [Loss("random", "aixi/Tiger-v0", seed, "its worker was killed 3 times") for seed in (0, 1, 2)]
        >>> (remark,) = remarks(ScoreResult(suite="toy", suite_version=1, lost=lost, kept=True))
        >>> remark.text
        '3 lives are lost and not stored: each counts as 0; the same command goes on with them'
        >>> remark.reasons
        ['random in aixi/Tiger-v0, seeds 0–2: its worker was killed 3 times']
    """
    return list(_remarks(result))


def _remarks(result: ScoreResult) -> Iterator[Remark]:
    for name, environment in result.environments.items():
        if environment.excluded is not None:
            yield Remark(f"{name} is left out for all agents, since it failed itself: {_line(environment.excluded)}")
    failures = [failure for failure in result.failures if failure.fault == "agent"]
    if failures:
        said = f"{_lives(len(failures), 'failed', 'failed')} through the agent's fault"
        yield Remark(f"{said}: each counts with the lower of 0 and what it had earned", _reasons(failures))
    for agent, row in result.agents.items():
        kept = [found for name, found in row.environments.items() if result.environments[name].excluded is None]
        lives = [life for found in kept for life in found.seeds]
        failed = sum(life.error is not None for life in lives)
        if 2 * failed > len(lives):
            yield Remark(
                f"{failed:,} of {len(lives):,} lives of {agent} failed: what its intervals are sure of is how failures "
                "count, not how well it acts"
            )
    on = "the same command goes on" if result.kept else "with --store FILE the same command would go on"
    if result.lost:
        said = f"{_lives(len(result.lost), 'is', 'are')} lost and not stored: each counts as 0"
        yield Remark(f"{said}; {on} with {_them(len(result.lost))}", _reasons(result.lost))
    if result.missing:
        yield Remark(f"{_lives(result.missing, 'is', 'are')} missing, since the run was interrupted; {on}")
    if result.left_out:
        count = sum(result.left_out.values())
        reasons = [f"{number:,}: {reason}" for reason, number in result.left_out.items()]
        yield Remark(f"{count:,} stored {'life is' if count == 1 else 'lives are'} left out", reasons)


def doubts(result: ScoreResult) -> list[str]:
    """Returns what is to be known of the intervals; those that are not to be trusted are marked with ?."""
    said = []
    rows = result.agents
    if not _trusted(row.score for row in rows.values()) or not _trusted(pair.difference for pair in result.pairs):
        said.append(UNTRUSTED)
    if not _trusted(row.wide for row in rows.values()):
        said.append("? over environments: too few count in effect, or too few seeds, to be trusted")
    if untold := [agent for agent, row in rows.items() if row.mean is not None and row.score is None]:
        said.append(f"no interval for {', '.join(untold)}: it takes at least two seeds in each environment")
    if partial := [agent for agent, row in rows.items() if row.mean is None]:
        said.append(f"no score for {', '.join(partial)}: some environments that count have no life of it")
    return said


def seed_count(result: ScoreResult) -> str:
    """Returns how many seeds the environments that count have, from the fewest to the most.

    Example:
        >>> seed_count(ScoreResult(suite="toy", suite_version=1, seeds=[0, 1, 2]))
        '3 seeds'
    """
    counts = {
        sum(life.value is not None for life in row.environments[name].seeds)
        for row in result.agents.values()
        for name, environment in result.environments.items()
        if environment.excluded is None and name in row.environments
    } or {len(result.seeds)}
    least, most = min(counts), max(counts)
    return counted(most, "seed") if least == most else f"{least:,} to {counted(most, 'seed')}"


def precision_told(result: ScoreResult) -> str | None:
    """Returns how well the differences between agents are known, and whether that is what was asked for.

    Example:
        >>> print(precision_told(ScoreResult(suite="toy", suite_version=1, precision=0.0412, precision_asked=0.05,
        ...                                  stopped="precision reached")))
        differences known to ±0.041 (asked ±0.05): reached
        >>> precision_told(ScoreResult(suite="toy", suite_version=1)) is None
        True
    """
    if result.precision is None and result.precision_asked is None:
        return None
    known = "differences not known" if result.precision is None else f"differences known to ±{result.precision:.3f}"
    if result.precision_asked is None:
        return known
    end = "reached" if result.stopped == "precision reached" else f"not reached: {result.stopped}"
    return f"{known} (asked ±{result.precision_asked:g}): {end}"


def tuning_told(spent: Tuning | None) -> str:
    """Returns what was spent on finding a configuration.

    Example:
        >>> tuning_told(Tuning(suite="tuning v1", configurations=24, cells=480, cycles=12_500, seconds=75.0))
        '24 tried, 12.5k cycles, 1:15'
    """
    if spent is None:
        return "not on record"
    return f"{spent.configurations:,} tried, {short_count(spent.cycles)} cycles, {duration(spent.seconds)}"


def dominance(pair: Pair) -> str:
    """Returns whether the first of two agents is at least as good in every environment, and how surely."""
    return "surely" if pair.dominates_surely else "on average" if pair.dominates else "no"


def ranges(numbers: Sequence[int]) -> str:
    """Returns ascending whole numbers, runs of them by their ends.

    Example:
        >>> ranges([0, 1, 2, 3, 7]), ranges([])
        ('0–3, 7', 'none')
    """
    runs: list[list[int]] = []
    for item in numbers:
        if runs and item == runs[-1][-1] + 1:
            runs[-1][1:] = [item]
        else:
            runs.append([item])
    return ", ".join("–".join(map(str, run)) for run in runs) or "none"


def _reasons(lives: Iterable[Failure | Loss]) -> list[str]:
    """Returns why lives have failed or are lost, those of an agent in an environment with the same reason together."""
    groups: dict[tuple[str, str, str], list[int]] = {}
    for life in lives:
        reason = life.error if isinstance(life, Failure) else life.reason
        same = _WHEN.sub("", _line(reason))  # what differs from seed to seed would part what belongs together
        groups.setdefault((life.agent, life.environment, same), []).append(life.seed)
    return [
        f"{agent} in {environment}, seed{'s' if len(seeds) > 1 else ''} {ranges(sorted(seeds))}: {reason}"
        for (agent, environment, reason), seeds in groups.items()
    ]


def _lives(number: int, one: str, several: str) -> str:
    return f"{number:,} {'life' if number == 1 else 'lives'} {one if number == 1 else several}"


def _them(number: int) -> str:
    return "it" if number == 1 else "them"


def _line(text: str) -> str:
    return " ".join(text.split())


def _trusted(intervals: Iterable[Interval | None]) -> bool:
    return all(interval is None or interval.trustworthy for interval in intervals)
