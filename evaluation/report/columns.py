"""Tables on a screen that may have more columns than it has room for."""

from collections.abc import Mapping, Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.text import Text

from aixi.evaluation.screen import make_table, print_table

Cell = str | Text
Columns = Mapping[str, Sequence[Cell]]
"""Cells by heading."""


def print_columns(screen: Console, name: str, rows: Sequence[Cell], *groups: Columns) -> None:
    """Prints a table; columns that the screen has no room for come in tables below, with the same first column.

    A group of columns stays together if the screen has room for it at all.

    Args:
        screen: the console.
        name: of the first column.
        rows: its cells; texts are no markup.
        groups: the other columns, a cell for each row, by heading; headings may have several lines.

    Example:
        >>> screen = Console(width=20, color_system=None)
        >>> print_columns(screen, "agent", ["random"], {"score": ["0.012"]}, {"cycles": ["3,000"], "time": ["0.6 s"]})
        agent  score
        random 0.012
        <BLANKLINE>
        agent  cycles  time
        random  3,000 0.6 s
    """
    gap = make_table(screen, "").padding[1]
    room = screen.width - _width(name, rows)
    chunks: list[dict[str, Sequence[Cell]]] = [{}]
    left = room
    for group in groups:
        widths = {heading: gap + _width(heading, cells) for heading, cells in group.items()}
        whole = sum(widths.values()) <= room
        for place, (heading, cells) in enumerate(group.items()):
            needed = widths[heading] if place or not whole else sum(widths.values())
            if chunks[-1] and needed > left:
                chunks.append({})
                left = room
            chunks[-1][heading] = cells
            left -= widths[heading]
    for number, chunk in enumerate(chunks):
        if number:
            screen.print()
        table = make_table(screen, *map(escape, (name, *chunk)))
        for column in table.columns:
            column.vertical = "bottom"
        for cells in zip(rows, *chunk.values(), strict=True):
            table.add_row(*map(_text, cells))
        print_table(screen, table)


def _width(heading: str, cells: Sequence[Cell]) -> int:
    return max(cell_len(line) for cell in (heading, *cells) for line in _text(cell).plain.split("\n"))


def _text(cell: Cell) -> Text:
    return Text(cell) if isinstance(cell, str) else cell
