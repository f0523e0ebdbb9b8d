"""The style that figures of experiments share: axes, colours, lines with intervals, and labels at their ends."""

import importlib.util
import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from aixi.errors import InvalidValueError
from aixi.evaluation.experiments.frame import Estimate

INK, MUTED, GRID = "#1f2430", "#6b7280", "#e3e6ec"
COLOURS = ("#2f6fde", "#c2571a", "#17805b", "#8a3fb0", "#b3203a", "#7a6a00", "#0e7490", "#525866")
"""Told apart by hue and by lightness."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_STYLE: dict[str, Any] = {
    "svg.hashsalt": "aixi",
    "font.size": 12,
    "axes.titlesize": 12,
    "axes.titlelocation": "left",
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": GRID,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "legend.fontsize": 11,
}


def require_matplotlib() -> None:
    """Makes sure that figures can be drawn.

    Raises:
        InvalidValueError: if matplotlib is not installed.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise InvalidValueError(
            "a figure needs matplotlib, which is not installed: pip install 'aixi[plot]', or go without by --no-plot"
        )


class Figure:
    """A row of panels.

    Attributes:
        axes: of the panels.
        svg: the finished figure.
    """

    def __init__(self, figure: Any, axes: list[Any]) -> None:
        self.axes, self._figure, self.svg = axes, figure, b""

    def legend_below(self, axes: Any, columns: int) -> None:
        """Puts the legend of one panel, which holds for all, below them."""
        handles, labels = axes.get_legend_handles_labels()
        self._figure.legend(handles, labels, loc="outside lower center", ncols=columns)


@contextmanager
def figure(panels: int, *, width: float = 5.0, height: float = 4.2, **options: Any) -> Iterator[Figure]:
    """Draws a figure of so many panels side by side, each so many inches wide; then `svg` holds it.

    Args:
        panels: their number.
        width: of one, in inches.
        height: of all, in inches.
        options: of matplotlib's `subplots`.

    Raises:
        InvalidValueError: if matplotlib is not installed.
    """
    require_matplotlib()
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    with pyplot.rc_context(_STYLE):
        drawn, axes = pyplot.subplots(
            1, panels, squeeze=False, figsize=(width * panels, height), layout="constrained", **options
        )
        made = Figure(drawn, list(axes[0]))
        try:
            yield made
            target = io.BytesIO()
            drawn.savefig(target, format="svg", metadata={"Date": None})
        finally:
            pyplot.close(drawn)
    made.svg = target.getvalue()


def line(axes: Any, x: Sequence[float], found: Sequence[Estimate], place: int, label: str, dash: str = "-") -> None:
    """Draws means with their intervals as bars, in the colour and marker of a place in the legend."""
    colour, marker = COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)]
    means = [each.mean for each in found]
    axes.plot(x, means, dash, color=colour, marker=marker, markersize=6, linewidth=2, label=label)
    bars = [(at, each) for at, each in zip(x, found, strict=True) if each.low is not None and each.high is not None]
    axes.vlines(
        [at for at, _ in bars],
        [each.low for _, each in bars],
        [each.high for _, each in bars],
        colour,
        lw=1.2,
        alpha=0.7,
    )


def level(axes: Any, value: float, text: str, dash: str = "--", *, below: bool = False) -> None:
    """Draws a level that is known, with its name on it, or below it, at the right."""
    axes.axhline(value, color=MUTED, linewidth=1.2, linestyle=dash, zorder=1)
    axes.annotate(
        text,
        (1.0, value),
        xycoords=axes.get_yaxis_transform(),
        xytext=(-2, -13 if below else 3),
        textcoords="offset points",
        ha="right",
        color=MUTED,
        fontsize=10,
    )


def powers_of_two(axes: Any, values: Iterable[float]) -> None:
    """Makes the x axis logarithmic, with exactly these values on it, as whole numbers."""
    ticks = list(values)
    axes.set_xscale("log", base=2)
    axes.set_xticks(ticks, [f"{tick:,.0f}" for tick in ticks])
    axes.minorticks_off()
