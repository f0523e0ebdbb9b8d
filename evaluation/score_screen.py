"""What the command line shows of scores: lives as they end, tables, searches, description lengths."""

import itertools
import math
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text

from aixi.evaluation.complexity import Description
from aixi.evaluation.intervals import Interval
from aixi.evaluation.records import Cell, CellResult
from aixi.evaluation.report.columns import Columns, print_columns
from aixi.evaluation.report.figures import short_count
from aixi.evaluation.report.page import letters, percent, rank, shorten, verdict
from aixi.evaluation.report.remarks import dominance, doubts, precision_told, remarks, seed_count, tuning_told
from aixi.evaluation.results import AgentScore, ScoredEnvironment, ScoreResult
from aixi.evaluation.screen import counted, duration, make_table, narrower, print_table, thousandths
from aixi.evaluation.tuning import TuneResult

_PARTS = {"1/8": 0.125, "1/4": 0.25, "1/2": 0.5}
_LARGEST = 3  # contributions of each agent
_MOST_PAIRS = 10
_MOST_REASONS = 6
_LEGEND = (
    "value: 0 random, 1 best known; K in bits; weight 2^(-K/T); literal: 2^-K",
    "of life: the score had all lives ended there; model bits: imagined percepts",
    "earns more: how likely a life is to; dominates: as good or better everywhere",
    "swap: least share of the weight that must move for the two to draw level",
)


class ScoreView:
    """Shows the lives of a score: a bar for each one that goes on, a line for each one that has ended.

    Args:
        screen: the console.
        cells: the lives that are known to come; there may be more.
        title: line to begin with, in markup, once the first thing is heard of them.
    """

    def __init__(self, screen: Console, cells: Sequence[Cell] = (), title: str = "") -> None:
        screen = narrower(screen)
        self._screen = screen
        self._title = title
        self._known = set(cells)
        self._planned = bool(cells)
        self._agent = max((len(cell.agent) for cell in cells), default=0)
        self._environment = max((len(cell.environment) for cell in cells), default=0)
        self._done = self._stored = 0
        self._tasks: dict[Cell, Any] = {}
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            _Count(),
            console=screen,
            transient=True,
            expand=True,
            disable=not screen.is_terminal,
        )
        self._all = self._bars.add_task("[bold]lives[/]", total=len(self._known))

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()
        if self._stored:
            self._screen.print(f"{self._stored} lives were stored already")

    def end(self, result: CellResult, stored: bool) -> None:
        """Shows a life that has ended; those that were stored already are only counted."""
        self._begin()
        self._done += 1
        self._stored += stored
        cell = result.cell
        self._meet(cell)
        if cell in self._tasks:
            self._bars.remove_task(self._tasks.pop(cell))
        self._bars.update(self._all, completed=self._done, total=len(self._known))
        if stored:
            return
        earned = "failed" if result.fault is not None else f"{result.average_reward:.4f}"
        total = len(self._known)
        number = f"{self._done:>{len(str(total))}}/{total}" if self._planned else f"{self._done:>4}"
        line = f"{number} {self._name(cell)} {earned:>9}"
        line += f" {duration(result.seconds):>8}"
        self._screen.print(Text(line), no_wrap=True, overflow="ellipsis")
        if result.error is not None:
            self._screen.print(Text(f"    {result.error}", style="red"))

    def tell(self, lives: dict[Cell, int]) -> None:
        """Shows the lives that go on."""
        self._begin()
        for cell, cycles in lives.items():
            self._meet(cell)
            if cell not in self._tasks:
                self._tasks[cell] = self._bars.add_task(escape(self._name(cell)), total=cell.cycles)
            self._bars.update(self._tasks[cell], completed=cycles)

    def _begin(self) -> None:
        if self._title:
            self._screen.print(self._title)
            self._title = ""

    def _meet(self, cell: Cell) -> None:
        self._known.add(cell)
        self._agent = max(self._agent, len(cell.agent))
        self._environment = max(self._environment, len(cell.environment))

    def _name(self, cell: Cell) -> str:
        return f"{cell.agent:{self._agent}} {cell.environment:{self._environment}} seed {cell.seed}"


class _Count(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.completed:,.0f}/{task.total or 0:,.0f}", justify="right")


def show_score(screen: Console, result: ScoreResult) -> None:
    """Prints the tables of a score: agents, pairs of them, environments, then what is to be known of all three.

    Agents go by their letters in the report, so that tables stay narrow.
    """
    screen.print()
    count = sum(environment.excluded is None for environment in result.environments.values())
    weighting = f"T = {result.temperature:g} bits" if result.weighting == "tempered" else f"weights {result.weighting}"
    effective = result.effective_numbers.get(result.weighting, 0.0)
    screen.print(
        f"[bold]{escape(result.suite)}[/] v{result.suite_version}  {seed_count(result)}  {escape(weighting)}: "
        f"{effective:.1f} of {count} environments count{'  interrupted' if result.interrupted else ''}"
    )
    if result.quick:
        screen.print("[yellow]quick: for trying out, not for publication[/]")
    if (precision := precision_told(result)) is not None:
        screen.print(precision)
    for show in (_show_agents, _show_pairs, _show_environments, _show_contributions):
        screen.print()
        show(screen, result)
    screen.print()
    for doubt in doubts(result):
        screen.print(Text(doubt, style="yellow"))
    _show_remarks(screen, result)
    for line in _LEGEND:
        screen.print(f"[dim]{line}[/]")


def _show_agents(screen: Console, result: ScoreResult) -> None:
    """Prints what there is to say of each agent, and the names that its table had to cut."""
    rows = result.agents.values()
    names = [f"{letters(slot)}  {shorten(' '.join(agent.split()))}" for slot, agent in enumerate(result.agents)]
    scores: Columns = {
        "score": [Text(thousandths(row.mean), style="bold") for row in rows],
        "95 % interval\nover seeds": [_interval(row.score) for row in rows],
        "95 % interval\nover seeds and\nenvironments": [_interval(row.wide) for row in rows],
        "rank": [rank(row.rank) for row in rows],
    }
    curve = {f"{part}\nof life": [thousandths(_after(row, share)) for row in rows] for part, share in _PARTS.items()}
    curve["all\nof life"] = [thousandths(row.mean) for row in rows]
    weightings = {
        f"{name}\nweights": [thousandths(row.scores.get(name)) for row in rows]
        for name in result.effective_numbers
        if name != result.weighting
    }
    costs: Columns = {
        "failed\nlives": [Text(f"{row.failures:,}", style="red" if row.failures else "") for row in rows],
        "cycles": [f"{row.cycles:,}" for row in rows],
        "time": [duration(row.seconds) for row in rows],
        "model\nbits": [short_count(row.model_bits) for row in rows],
        "tuning budget": [tuning_told(row.tuning) for row in rows],
    }
    print_columns(screen, "agent", names, scores, curve, weightings, costs)
    cut = [(slot, agent) for slot, agent in enumerate(result.agents) if shorten(agent) != agent]
    if cut:
        screen.print()
    for slot, agent in cut:
        screen.print(Text(f"{letters(slot)}  {agent}", style="dim"), overflow="fold")


def _after(row: AgentScore, share: float) -> float | None:
    """Returns the score of lives ended at a share of their length; None where that is not known."""
    return next((point.score.mean for point in row.curve if math.isclose(point.fraction, share)), None)


def _show_pairs(screen: Console, result: ScoreResult) -> None:
    """Prints the differences of agents; of many agents only those of neighbours in the table."""
    keys = {agent: letters(slot) for slot, agent in enumerate(result.agents)}
    agents = list(keys)
    pairs = result.pairs
    if len(pairs) > _MOST_PAIRS:
        neighbours = set(itertools.pairwise(agents))
        pairs = [pair for pair in pairs if (pair.first, pair.second) in neighbours]
    if not pairs:
        screen.print("[dim]no pairs: it takes two agents[/]")
        return
    columns = {
        "difference": [thousandths(None if pair.difference is None else pair.difference.mean) for pair in pairs],
        "95 % interval": [_interval(pair.difference) for pair in pairs],
        "the first is": [verdict(pair.difference) for pair in pairs],
        "earns\nmore": [percent(pair.improvement) for pair in pairs],
        "dominates": [dominance(pair) for pair in pairs],
        "swap of\nweight": ["none" if pair.swap is None else percent(pair.swap, 1) for pair in pairs],
    }
    print_columns(screen, "pair", [f"{keys[pair.first]} less {keys[pair.second]}" for pair in pairs], columns)
    if len(pairs) < len(result.pairs):
        screen.print(f"[dim]neighbours only; aixi report shows all {len(result.pairs):,} pairs[/]")


def _show_environments(screen: Console, result: ScoreResult) -> None:
    """Prints weights and values of the environments, the one that counts most first."""
    found = _by_weight(result)
    there = [environment.excluded is None for environment in found.values()]
    columns: dict[str, list[str]] = {
        "K": [f"{environment.description_bits:,.0f}" for environment in found.values()],
        "weight": [f"{_weight(result, name):.3f}" if kept else "out" for name, kept in zip(found, there, strict=True)],
        "best\nconst": [thousandths(environment.constant_value) for environment in found.values()],
    }
    for slot, row in enumerate(result.agents.values()):
        means = {name: score.mean for name, score in row.environments.items()}
        columns[f"value\n{letters(slot)}"] = [thousandths(means.get(name)) for name in found]
    names = [Text.assemble((name, "" if kept else "strike")) for name, kept in zip(found, there, strict=True)]
    print_columns(screen, "environment", names, columns)


def _show_contributions(screen: Console, result: ScoreResult) -> None:
    """Prints what the scores are made of, in the environments that are among the largest of any agent."""
    parts = [
        {name: found.contribution for name, found in row.environments.items() if found.contribution is not None}
        for row in result.agents.values()
    ]
    largest = {name for part in parts for name in sorted(part, key=lambda name: -abs(part[name]))[:_LARGEST]}
    names = [name for name in _by_weight(result) if name in largest]
    columns = {letters(slot): [thousandths(part.get(name)) for name in names] for slot, part in enumerate(parts)}
    print_columns(screen, "largest contributions", names, columns)


def _by_weight(result: ScoreResult) -> dict[str, ScoredEnvironment]:
    names = sorted(result.environments, key=lambda name: -_weight(result, name))
    return {name: result.environments[name] for name in names}


def _weight(result: ScoreResult, name: str) -> float:
    return result.environments[name].weights[result.weighting]


def _show_remarks(screen: Console, result: ScoreResult) -> None:
    for remark in remarks(result):
        screen.print(Text(remark.text, style="yellow"))
        for reason in remark.reasons[:_MOST_REASONS]:
            screen.print(Padding(Text(reason, style="red"), (0, 0, 0, 4)))
        if len(remark.reasons) > _MOST_REASONS:
            screen.print(f"    and {len(remark.reasons) - _MOST_REASONS:,} more, which --json lists")


def show_tuning(screen: Console, result: TuneResult) -> None:
    """Prints the configurations of each round, and the best one."""
    for number, table in enumerate(result.rounds, 1):
        screen.print()
        screen.print(f"round {number}: {counted(len(table.agents), 'configuration')}, {seed_count(table)}")
        rows = make_table(screen, "configuration", "score", "95 % interval", "time")
        for agent, row in table.agents.items():
            score = thousandths(row.mean)
            rows.add_row(escape(agent), score, _interval(row.score), duration(row.seconds))
        print_table(screen, rows)
        _show_remarks(screen, table)
    spent = result.tuning
    screen.print()
    best = "none, since no round has ended" if result.agent is None else f"[bold]{escape(result.agent)}[/]"
    screen.print(f"best: {best}{'  interrupted' if result.interrupted else ''}")
    screen.print(
        f"[dim]on {escape(spent.suite)}: {spent.configurations} configurations, {spent.cells} lives, "
        f"{spent.cycles:,} cycles, {duration(spent.seconds)}[/]"
    )
    if not result.kept:
        screen.print("[dim]not on record; with --store FILE scores would tell of it[/]")


def show_description(screen: Console, description: Description, every: dict[str, float], *, source: bool) -> None:
    """Prints what an environment's description is made of, and how long it is under each coder and charging."""
    screen.print(
        f"[bold]{escape(description.environment)}[/]  K = {description.bits:,.1f} bits, as {description.language}"
    )
    screen.print()
    table = make_table(screen, "charged", "kind", "bytes", "bits")
    for part in description.parts:
        table.add_row(escape(part.name), escape(part.kind), f"{part.bytes:,}", f"{part.bits:,.1f}")
    print_table(screen, table)
    screen.print()
    if description.tabular_bits is not None:
        screen.print(f"as source {description.source_bits:,.1f} bits, as table {description.tabular_bits:,.1f} bits")
    screen.print(f"choice among {description.languages} languages: {math.log2(description.languages):.1f} bits")
    screen.print(f"free: {escape(', '.join(description.free))}")
    if description.engines:
        screen.print(f"[yellow]engines, free but large: {escape(', '.join(description.engines))}[/]")
    screen.print()
    coders = list(dict.fromkeys(name.partition("/")[0] for name in every))
    chargings = list(dict.fromkeys(name.partition("/")[2] for name in every))
    table = make_table(screen, "bits by charging", *coders)
    for charging in chargings:
        table.add_row(charging, *(_bits(every.get(f"{coder}/{charging}")) for coder in coders))
    print_table(screen, table)
    screen.print(f"[dim]SHA-256 {description.sha256}[/]")
    if source:
        screen.print()
        screen.print(Text(description.text))


def _bits(length: float | None) -> str:
    return "–" if length is None else f"{length:,.1f}"


def _interval(found: Interval | None) -> str:
    if found is None:
        return "–"
    return f"{found.low:.3f} … {found.high:.3f}{'' if found.trustworthy else ' ?'}"
