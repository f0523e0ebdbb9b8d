"""Two agents on a screen: which of them is better, and where."""

import math

from rich.console import Console
from rich.markup import escape
from rich.text import Text

from aixi.evaluation.intervals import FEWEST_SEEDS, Interval
from aixi.evaluation.report.figures import number
from aixi.evaluation.report.page import percent, span, verdict
from aixi.evaluation.results import Pair, ScoreResult
from aixi.evaluation.screen import make_table, print_table

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
    seeds = f"{len(result.seeds)} seed{'s' if len(result.seeds) != 1 else ''}"
    screen.print()
    screen.print(
        f"[bold]{escape(pair.first)}[/] less [bold]{escape(pair.second)}[/] on [bold]{escape(result.suite)}[/] "
        f"v{result.suite_version}  {seeds}  weights {escape(result.weighting)}"
    )
    if result.quick:
        screen.print("[yellow]quick: for trying out, not for publication[/]")
    screen.print()
    table = make_table(
        screen, "environment", "weight", "first", "second", "difference", "95 % interval", "the first is", "more seeds"
    )
    table.add_row("[bold]score[/]", "", number(first.mean, 3), number(second.mean, 3), *_cells(pair.difference))
    kept = [name for name, environment in result.environments.items() if environment.excluded is None]
    for name in sorted(kept, key=lambda name: _size(pair.environments.get(name)), reverse=True):
        table.add_row(
            escape(name),
            percent(result.environments[name].weights[result.weighting], 1),
            *(number(row.environments[name].mean if name in row.environments else None, 3) for row in (first, second)),
            *_cells(pair.environments.get(name)),
        )
    print_table(screen, table)
    screen.print()
    screen.print(Text(_summary(pair)))
    for line in _warnings(result, pair):
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


def _cells(difference: Interval | None) -> tuple[str, str, str, str]:
    if difference is None:
        return "–", "–", "–", "–"
    said, more = verdict(difference), more_seeds(difference)
    style = _STYLES.get(said, "dim")
    seeds = "" if more == 0 else "–" if more is None else f"> {_MOST_SEEDS:,}" if more > _MOST_SEEDS else f"{more:,}"
    interval = span(difference) + ("" if difference.trustworthy else " ?")
    return f"[bold]{number(difference.mean, 3)}[/]", interval, f"[{style}]{said}[/]", seeds


def _summary(pair: Pair) -> str:
    """Returns what is to be said of the pair as a whole."""
    sentences = []
    if pair.improvement is not None:
        sentences.append(
            f"A life of {pair.first} earns more than one of {pair.second} with probability {pair.improvement:.2f}"
        )
        if pair.dominates:
            sentences.append("it is at least as good in every environment, so under every weighting")
        elif pair.swap is not None:
            sentences.append(f"the two draw level if {percent(pair.swap, 1)} of the weight moves")
    return "; ".join(sentences) or f"{pair.first} and {pair.second} cannot be compared as a whole: lives are missing"


def _warnings(result: ScoreResult, pair: Pair) -> list[str]:
    found = [difference for difference in (pair.difference, *pair.environments.values()) if difference is not None]
    lines = []
    if not found:
        lines.append("no interval: it takes two seeds that both agents have lived")
    elif not all(difference.trustworthy for difference in found):
        lines.append(
            f"intervals marked ? are not trustworthy: fewer than {FEWEST_SEEDS} seeds, or nearly all their spread "
            "comes from one environment"
        )
    lines += [
        f"{name} is left out for all agents, since it failed: {environment.excluded}"
        for name, environment in result.environments.items()
        if environment.excluded is not None
    ]
    return lines


def _size(difference: Interval | None) -> float:
    return -1.0 if difference is None else abs(difference.mean)
