"""What the command line shows: a live line or bars on a terminal, plain lines without one, final tables."""

import itertools
import math
import time
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from aixi.environments.registry import EnvironmentRow
from aixi.evaluation.life import Life
from aixi.evaluation.runner import RunResult

_PLAIN_WIDTH = 120  # columns without a terminal
_PLAIN_SECONDS = 5.0  # between plain lines of one life
_LIVE_SECONDS = 0.1
_BLOCKS = "▁▂▃▄▅▆▇█"


def console() -> Console:
    """Returns the console of standard output."""
    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=_PLAIN_WIDTH)


def narrower(screen: Console) -> Console:
    """Returns a console for bars: the terminal's own ^C must fit behind them, or it spoils their erasure."""
    return Console(highlight=False, width=screen.width - 2) if screen.is_terminal else screen


def duration(seconds: float) -> str:
    """Returns a time in the coarsest form that still tells something.

    Example:
        >>> duration(3.21), duration(75), duration(7322)
        ('3.2 s', '1:15', '2:02:02')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def sparkline(values: Sequence[float], width: int) -> str:
    """Returns values as a line of at most `width` blocks, from the least to the greatest.

    Example:
        >>> sparkline([0, 1, 2, 3, 3, 3], 6)
        '▁▃▆███'
    """
    groups = min(width, len(values))
    edges = [round(index * len(values) / groups) for index in range(groups + 1)]
    means = [math.fsum(values[a:b]) / (b - a) for a, b in itertools.pairwise(edges)]
    low, span = min(means), max(means) - min(means)
    return "".join(_BLOCKS[round((item - low) / span * (len(_BLOCKS) - 1)) if span else 0] for item in means)


def counted(number: int, noun: str) -> str:
    """Returns a number of things.

    Example:
        >>> counted(1, "seed"), counted(1200, "seed")
        ('1 seed', '1,200 seeds')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def thousandths(value: float | None) -> str:
    """Returns a number to three digits, a dash where there is none."""
    return "–" if value is None else f"{value:.3f}"


class LifeView:
    """Shows a life as it is lived; its `tell` is a runner's `on_cycle`."""

    def __init__(self, screen: Console) -> None:
        screen = narrower(screen)
        self._screen = screen
        self._every = _LIVE_SECONDS if screen.is_terminal else _PLAIN_SECONDS
        self._due = 0.0
        self._first: tuple[float, int] | None = None
        self._bar = Progress(
            BarColumn(bar_width=None),
            TextColumn("{task.fields[line]}"),
            console=screen,
            transient=True,
            auto_refresh=False,
            expand=True,
            disable=not screen.is_terminal,
        )
        self._task = self._bar.add_task("", line="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def tell(self, life: Life) -> None:
        """Shows where a life has come to, if it is time to."""
        now = time.monotonic()
        if now < self._due:
            return
        self._due = now + self._every
        if self._first is None:  # there is no speed to tell of yet
            self._first = (now, life.cycle)
            return
        lived, spent = life.cycle - self._first[1], now - self._first[0]
        speed = f"{lived / spent:,.0f}" if lived and spent else "–"
        left = duration((life.cycles - life.cycle) * spent / lived) if lived and spent else "–"
        line = f"{life.cycle:,}/{life.cycles:,}  reward {life.average_reward:.3f}"
        if (rate := life.bits_per_percept) is not None:
            line += f"  bits {thousandths(rate)}"
        line += f"  {speed} cycles/s  {left} left"
        if self._screen.is_terminal:
            self._bar.update(self._task, completed=life.cycle, total=life.cycles, line=line, refresh=True)
        else:
            self._screen.print(line)


def show_run(screen: Console, result: RunResult, row: EnvironmentRow) -> None:
    """Prints the final table of a run."""
    screen.print()
    screen.print(f"[bold]{escape(result.agent)}[/] in [bold]{escape(result.environment)}[/], seed {result.seed}")
    table = Table.grid(padding=(0, 3))
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    why = ", interrupted" if result.interrupted else ""
    of = f" of {result.planned_cycles:,}{why}" if result.cycles < result.planned_cycles else ""
    if result.options:
        table.add_row("options", Text("  ".join(f"{key}={value}" for key, value in result.options.items())))
    table.add_row("cycles", f"{result.cycles:,}{of}")
    late = _late(result) if row.measure == "reward" else ""
    table.add_row("average reward", f"[bold]{result.average_reward:.4f}[/]{late}")
    if result.average_return is not None:
        table.add_row(
            "average return", f"[bold]{result.average_return:.4f}[/] over {counted(result.episodes, 'episode')}"
        )
    anchors = {"random": row.random, "constant": row.constant, "best": row.best}
    known = [f"{name} {anchor.value:.4g}" for name, anchor in anchors.items() if anchor is not None]
    table.add_row("known values", "   ".join(known) or "none")
    for part, words in result.coding.items():
        table.add_row(part, Text(words))
    outside = int(result.diagnostics.get("rewards_outside", 0))
    if outside:
        table.add_row("rewards outside", f"{outside:,}, taken for the nearest")
    table.add_row("bits per percept", thousandths(result.bits_per_percept))
    table.add_row("time", f"{duration(result.seconds)}   {result.cycles_per_second:,.0f} cycles/s")
    if len(result.curve) > 1:
        rewards = [point.average_reward for point in result.curve]
        table.add_row("learning curve", sparkline(rewards, max(20, min(60, screen.width - 24))))
    print_table(screen, table)


def _late(result: RunResult) -> str:
    """What the last tenth of the life brought, if it was long enough to have one."""
    points = result.curve
    start = result.cycles * 9 // 10
    late = [(b.average_reward, b.cycle - a.cycle) for a, b in itertools.pairwise(points) if a.cycle >= start]
    cycles = sum(count for _, count in late)
    if result.cycles < 100 or not cycles:
        return ""
    return f"   [dim]last tenth[/] {math.fsum(reward * count for reward, count in late) / cycles:.4f}"


def print_table(screen: Console, table: Table) -> None:
    """Prints a table; where no terminal shows it, without the blanks that fill its columns."""
    if screen.is_terminal:
        screen.print(table)
        return
    with screen.capture() as shown:
        screen.print(table)
    for line in shown.get().splitlines():
        screen.print(Text(line.rstrip()), no_wrap=True, crop=False)


def make_table(screen: Console, *columns: str) -> Table:
    """Returns an empty table: the first column to the left, numbers to the right."""
    gap = 2 if screen.width >= 100 else 1
    table = Table(box=None, padding=(0, gap, 0, 0), pad_edge=False, header_style="dim")
    table.add_column(columns[0], overflow="fold")
    for column in columns[1:]:
        table.add_column(column, justify="right", overflow="fold")
    return table


def show_list(screen: Console, rows: Iterable[tuple[str, str]]) -> None:
    """Prints names and what there is to say of each."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for name, text in rows:
        table.add_row(Text(name), Text(text))
    print_table(screen, table)
