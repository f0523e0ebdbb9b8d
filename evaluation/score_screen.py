"""What the command line shows of scores: lives as they end, tables, searches, description lengths."""

import math
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text

from aixi.evaluation.complexity import Description
from aixi.evaluation.intervals import FEWEST_SEEDS, Interval
from aixi.evaluation.records import Cell, CellResult
from aixi.evaluation.results import ScoreResult
from aixi.evaluation.screen import counted, duration, make_table, narrower, print_table, thousandths
from aixi.evaluation.tuning import TuneResult


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
    """Prints the tables of a score: agents, then values by environment, then what is to be known of both."""
    screen.print()
    seeds = counted(len(result.seeds), "seed")
    count = sum(environment.excluded is None for environment in result.environments.values())
    weighting = f"T = {result.temperature:g} bits" if result.weighting == "tempered" else f"weights {result.weighting}"
    screen.print(
        f"[bold]{escape(result.suite)}[/] v{result.suite_version}  {seeds}  {escape(weighting)}: "
        f"{result.effective_numbers[result.weighting]:.1f} of {count} environments count"
        f"{'  interrupted' if result.interrupted else ''}"
    )
    if result.quick:
        screen.print("[yellow]quick: for trying out, not for publication[/]")
    screen.print()
    names = list(result.effective_numbers)
    others = [name for name in names if name != result.weighting]
    table = make_table(screen, "agent", "score", "95 % interval", "rank", *others, "cycles", "time")
    for agent, row in result.agents.items():
        failed = f" [red]{row.failures} failed[/]" if row.failures else ""
        rank = "–" if row.rank is None else "–".join(dict.fromkeys(f"{round(end)}" for end in row.rank))
        table.add_row(
            escape(agent) + failed,
            f"[bold]{thousandths(row.mean)}[/]",
            _interval(row.score),
            rank,
            *(thousandths(row.scores[name]) for name in others),
            f"{row.cycles:,}",
            duration(row.seconds),
        )
    print_table(screen, table)
    screen.print()
    table = make_table(screen, "environment", "K", "weight", "best\nconst", *map(escape, result.agents))
    for name, environment in result.environments.items():
        values = [agent.environments[name].mean for agent in result.agents.values()]
        table.add_row(
            escape(name) if environment.excluded is None else f"[strike]{escape(name)}[/]",
            f"{environment.description_bits:,.0f}",
            f"{environment.weights[result.weighting]:.3f}",
            thousandths(environment.constant_value),
            *map(thousandths, values),
        )
    print_table(screen, table)
    screen.print()
    for line in (_largest("weights", _weights(result)), *_contributions(result)):
        screen.print(Text(line, style="dim"))
    for line in _remarks(result):
        screen.print(Text(line, style="yellow"))
    screen.print("[dim]value: 0 random, 1 best known; K in bits; weight 2^(-K/T); literal: 2^-K[/]")


def _weights(result: ScoreResult) -> dict[str, float]:
    return {name: environment.weights[result.weighting] for name, environment in result.environments.items()}


def _contributions(result: ScoreResult) -> Iterable[str]:
    """What the score of the first agent is made of."""
    agent, row = next(iter(result.agents.items()))
    parts = {name: found.contribution for name, found in row.environments.items() if found.contribution is not None}
    if parts:
        yield _largest(f"contributions to {agent}", parts)


def _largest(what: str, numbers: dict[str, float], count: int = 3) -> str:
    """Returns the largest numbers, by size without sign."""
    chosen = sorted(numbers, key=lambda name: -abs(numbers[name]))[:count]
    return f"largest {what}: {', '.join(f'{name} {numbers[name]:.3f}' for name in chosen)}"


def _remarks(result: ScoreResult) -> Iterable[str]:
    """What a reader must know before trusting a table."""
    if not all(agent.score and agent.score.trustworthy for agent in result.agents.values() if agent.mean is not None):
        yield f"intervals marked ? are not trustworthy, since they are made of fewer than {FEWEST_SEEDS} seeds"
    for name, environment in result.environments.items():
        if environment.excluded is not None:
            yield f"{name} is left out for all agents, since it failed: {environment.excluded}"
    failures = sum(failure.fault == "agent" for failure in result.failures)
    if failures:
        yield f"{failures} lives failed through their agent's fault: each counts with the lower of 0 and what it had"
    if result.lost:
        yield f"{result.lost} lives are missing; the same command with the same store lives them"


def show_tuning(screen: Console, result: TuneResult) -> None:
    """Prints the configurations of each round, and the best one."""
    for number, table in enumerate(result.rounds, 1):
        screen.print()
        tried, seeds = counted(len(table.agents), "configuration"), counted(len(table.seeds), "seed")
        screen.print(f"round {number}: {tried}, {seeds}")
        rows = make_table(screen, "configuration", "score", "95 % interval", "time")
        for agent, row in table.agents.items():
            score = thousandths(row.mean)
            rows.add_row(escape(agent), score, _interval(row.score), duration(row.seconds))
        print_table(screen, rows)
    spent = result.tuning
    screen.print()
    screen.print(f"best: [bold]{escape(result.agent)}[/]{'  interrupted' if result.interrupted else ''}")
    screen.print(
        f"[dim]on {escape(spent.suite)}: {spent.configurations} configurations, {spent.cells} lives, "
        f"{spent.cycles:,} cycles, {duration(spent.seconds)}[/]"
    )


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
