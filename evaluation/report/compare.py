"""Two agents on a screen: which of them is better, and where."""

import math

from rich.console import Console
from rich.markup import escape
from rich.text import Text

from aixi.evaluation.intervals import Interval
from aixi.evaluation.report.columns import Columns, print_columns
from aixi.evaluation.report.figures import number
from aixi.evaluation.report.page import percent, span, verdict
from aixi.evaluation.report.remarks import UNTRUSTED, remarks, seed_count
from aixi.evaluation.results import Pair, ScoreResult

_MOST_SEEDS = 100_000
_STYLES = {"better": "green", "worse": "red"}


def show_pair(screen: Console, result: ScoreResult, pair: Pair) -> None:
    """Prints the difference of two agents' scores, then that of their values in each environment, largest first.

    Args:
        screen: the console.
        result: a table of scores that holds both.
        pair: one of its pairs.
    """
    first, second = result.agents[pair.first], result.agents[pair.second]
    kept = [name for name, environment in result.environments.items() if environment.excluded is None]
    names = sorted(kept, key=lambda name: _size(pair.environments.get(name)), reverse=True)
    differences = [pair.difference, *map(pair.environments.get, names)]
    means = [
        [row.mean, *(row.environments[name].mean if name in row.environments else None for name in names)]
        for row in (first, second)
    ]
    weights = [percent(result.environments[name].weights[result.weighting], 1) for name in names]
    screen.print()
    screen.print(
        f"[bold]{escape(pair.first)}[/] less [bold]{escape(pair.second)}[/] on [bold]{escape(result.suite)}[/] "
        f"v{result.suite_version}  {seed_count(result)}  weights {escape(result.weighting)}"
    )
    if result.quick:
        screen.print("[yellow]quick: for trying out, not for publication[/]")
    screen.print()
    said: Columns = {
        "difference": [Text("–" if d is None else number(d.mean, 3), style="bold") for d in differences],
        "95 % interval": [span(d) + ("" if d is None or d.trustworthy else " ?") for d in differences],
        "the first is": [Text(verdict(d), style=_STYLES.get(verdict(d), "dim")) for d in differences],
    }
    known: Columns = {
        "first": [number(mean, 3) for mean in means[0]],
        "second": [number(mean, 3) for mean in means[1]],
        "weight": ["", *weights],
        "more seeds": [_more(d) for d in differences],
    }
    print_columns(screen, "environment", [Text("score", style="bold"), *names], said, known)
    screen.print()
    screen.print(Text(_summary(pair)))
    for line in _doubts(pair):
        screen.print(Text(line, style="yellow"))
    for remark in remarks(result):
        for line in (remark.text, *(f"    {reason}" for reason in remark.reasons)):
            screen.print(Text(line, style="yellow"))
    screen.print(
        "[dim]value: 0 random, 1 best known; differences are paired by seed; more seeds: about so many until the "
        "interval excludes 0, if the difference stays[/]"
    )


def more_seeds(difference: Interval) -> int | None:
    """Returns about how many more seeds tell two agents apart, if their difference stays what it is.

    An interval shrinks with the root of the number of seeds, so n (half / |mean|)^2 of them end at 0.

    Returns:
        0 if they are told apart already; None if no number of seeds is enough, since there is no difference.

    Example:
        >>> more_seeds(Interval(0.1, -0.1, 0.3, 0.2, 0.08, 4, 5, True))
        15
    """
    if verdict(difference) != "not told apart":
        return 0
    if difference.mean == 0:
        return None
    return max(1, math.ceil(difference.seeds * (difference.half / difference.mean) ** 2 - 1e-9) - difference.seeds)


def _more(difference: Interval | None) -> str:
    more = None if difference is None else more_seeds(difference)
    if more is None:
        return "–"
    return "" if more == 0 else f"> {_MOST_SEEDS:,}" if more > _MOST_SEEDS else f"{more:,}"


def _summary(pair: Pair) -> str:
    """Returns what is to be said of the pair as a whole."""
    sentences = []
    if pair.improvement is not None:
        sentences.append(
            f"A life of {pair.first} earns more than one of {pair.second} with probability {pair.improvement:.2f}"
        )
        if pair.dominates:
            surely = "surely so" if pair.dominates_surely else "though not surely in each"
            sentences.append(
                "it is at least as good in every environment on average here, so that it is ahead under every "
                f"weighting of these means, {surely}"
            )
        elif pair.swap is not None:
            sentences.append(f"the two draw level if {percent(pair.swap, 1)} of the weight moves")
    return "; ".join(sentences) or f"{pair.first} and {pair.second} cannot be compared as a whole: lives are missing"


def _doubts(pair: Pair) -> list[str]:
    found = [difference for difference in (pair.difference, *pair.environments.values()) if difference is not None]
    if not found:
        return ["no interval: it takes two seeds that both agents have lived"]
    if not all(difference.trustworthy for difference in found):
        return [UNTRUSTED]
    return []


def _size(difference: Interval | None) -> float:
    return -1.0 if difference is None else abs(difference.mean)
