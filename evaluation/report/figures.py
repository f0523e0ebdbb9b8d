"""Figures of a report as inline SVG: lines with bands, dots with whiskers, bars.

A figure holds no colours, only classes that the page's style gives colours to, in the light and in the dark. Texts
are escaped where they are put in. Coordinates are in pixels of the figure's own box.
"""

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from markupsafe import Markup

from aixi.evaluation.intervals import Interval

Point = tuple[float, float]
Span = tuple[float, float]

COLOURS = 6
"""Colours that the style has for agents; the next ones have the same again, with dashes."""
_STRIP = (8.0, 142.0)  # from where to where the axis of a column of whiskers runs
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True)
class Axis:
    """An axis: its name with unit, its ends, and where it is marked."""

    name: str
    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    log: bool = False

    def place(self, value: float, start: float, end: float) -> float:
        """Returns where a value lies, if the axis runs from pixel `start` to pixel `end`."""
        low, high = self.low, self.high
        if self.log:
            low, high, value = math.log(low), math.log(high), math.log(value)
        return start + (value - low) / (high - low) * (end - start)


@dataclass(frozen=True)
class Series:
    """What is drawn of one agent.

    Attributes:
        key: letter of the agent.
        label: its name, short enough to stand at a line.
        slot: its place in the table, from 0, which gives the colour.
        points: x and y.
        band: y from and to, at the x of each point.
    """

    key: str
    label: str
    slot: int
    points: Sequence[Point]
    band: Sequence[Span] = field(default=())


def number(value: float | None, digits: int = 2) -> str:
    """Returns a number with a true minus, a dash where there is none.

    Example:
        >>> number(-0.126), number(-0.001), number(None)
        ('−0.13', '0.00', '–')
    """
    if value is None:
        return "–"
    text = f"{value:.{digits}f}"
    return text[1:] if float(text) == 0 and text[0] == "-" else text.replace("-", "−")


def linear(name: str, values: Iterable[float], most: int = 6) -> Axis:
    """Returns an axis that holds all the values, marked at no more than `most` round ones.

    Example:
        >>> linear("score", [0.0, 0.93]).ticks
        ((0.0, '0'), (0.2, '0.2'), (0.4, '0.4'), (0.6, '0.6'), (0.8, '0.8'))
    """
    values = list(values)
    low, high = min(values), max(values)
    if low == high:
        low, high = low - 0.5, high + 0.5
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in _STEPS if factor * power >= rough * (1 - 1e-9))
    places = range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
    ticks = tuple((round(k * step, 12), f"{round(k * step, 12):g}".replace("-", "−")) for k in places)
    # Marks may stand at the very ends; a curve's last dot needs some room beyond it.
    room = 0.03 * (high - low)
    return Axis(
        name,
        low - room * (low != ticks[0][0] if ticks else 1),
        high + room * (high != ticks[-1][0] if ticks else 1),
        ticks,
    )


def decades(name: str, low: float, high: float) -> Axis:
    """Returns a logarithmic axis from `low` to `high`, marked at powers of ten.

    Example:
        >>> decades("cycle", 8, 2000).ticks
        ((10, '10'), (100, '100'), (1000, '1k'))
    """
    high = max(high, low * 2)
    powers = [10**k for k in range(math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9) + 1)]
    return Axis(name, low, high, tuple((power, short_count(power)) for power in powers), log=True)


def shares(name: str, low: float) -> Axis:
    """Returns a logarithmic axis of shares of a life, from `low` to 1, marked at fractions.

    Example:
        >>> shares("life", 1 / 16).ticks
        ((0.0625, '1/16'), (0.25, '1/4'), (1.0, '1'))
    """
    last = max(1, math.floor(-math.log2(low) + 1e-9))
    halves = range(last, -1, -(2 if last > 2 else 1))
    ticks = [(2.0**-k, f"1/{2**k}" if k else "1") for k in halves]
    if ticks[-1][0] != 1.0:
        ticks.append((1.0, "1"))
    return Axis(name, min(low, 0.5), 1.0, tuple(ticks), log=True)


def short_count(value: float) -> str:
    """Returns a count in three digits and the letter of its thousands.

    Example:
        >>> short_count(950), short_count(12_500), short_count(3_000_000_000)
        ('950', '12.5k', '3G')
    """
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size * 0.9995:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def line_chart(
    title: str,
    x: Axis,
    y: Axis,
    series: Sequence[Series],
    rules: Sequence[float] = (),
    labels: Literal["names", "keys", "crossings"] = "names",
    small: bool = False,
) -> Markup:
    """Returns lines with bands.

    Args:
        title: what the figure shows, for those who cannot see it too.
        x: the horizontal axis.
        y: the vertical axis.
        series: one for each agent.
        rules: levels to compare with.
        labels: `names` writes letter and name where a line ends; `keys` the letter alone; `crossings` the letter on
            the line, for lines that all end alike.
        small: for a phone, or one of many side by side.
    """
    width, height = (280.0, 190.0) if small else (680.0, 360.0)
    left, top, bottom = (38.0, 22.0, 36.0) if small else (48.0, 26.0, 46.0)
    right = {"names": 212.0, "keys": 22.0, "crossings": 10.0}[labels]
    across, upwards = (left, width - right), (height - bottom, top)
    parts = _axes(x, y, across, upwards, height)
    for level in rules:
        if y.low <= level <= y.high:
            at = y.place(level, *upwards)
            parts.append(_line("rule", left, at, across[1], at))
    ends = []
    for index, one in enumerate(series):
        spots = [(x.place(a, *across), y.place(b, *upwards)) for a, b in one.points]
        if one.band:
            edges = [
                [(spot[0], y.place(span[side], *upwards)) for spot, span in zip(spots, one.band, strict=True)]
                for side in (1, 0)
            ]
            parts.append(_shape("band", one, edges[0] + edges[1][::-1], "Z"))
        parts.append(_shape(f"line d{one.slot // COLOURS % 3}", one, spots))
        level = upwards[0] + (upwards[1] - upwards[0]) * (0.2 + 0.6 * (index + 0.5) / len(series))
        ends.append(_crossing(spots, level) if labels == "crossings" else spots[-1])
    if labels == "crossings":
        parts += [
            _text(f"key halo s{one.slot % COLOURS}", *end, one.key) for end, one in zip(ends, series, strict=True)
        ]
        return _svg(title, width, height, parts)
    start = across[1] + (14 if labels == "names" else 4)
    for at, end, one in zip(_apart([end[1] for end in ends], 10 if small else 15, upwards), ends, series, strict=True):
        if labels == "names":
            parts.append(_line(f"leader s{one.slot % COLOURS}", end[0] + 1, end[1], start - 2, at))
            parts.append(_text("label", start + 12 + 8 * len(one.key), at + 4, one.label))
        parts.append(_text(f"key s{one.slot % COLOURS}", start, at + 4, one.key))
    return _svg(title, width, height, parts)


def bar_chart(title: str, axis: Axis, series: Sequence[Series]) -> Markup:
    """Returns horizontal bars from 0, the number at the end of each, in one of many figures side by side.

    Args:
        title: what the figure shows.
        axis: the horizontal axis, which holds 0.
        series: one for each agent; a bar is as long as the y of its one point.
    """
    row, across = 14.0, (18.0, 240.0)
    bottom = 4 + row * len(series)
    parts = _horizontal(axis, across, (bottom, 0), bottom + 34)
    zero = axis.place(0.0, *across)
    for index, one in enumerate(series):
        length, at = one.points[0][1], 4 + row * index
        end = axis.place(length, *across)
        parts += [
            Markup('<rect class="s{}" x="{}" y="{}" width="{}" height="{}"/>').format(
                one.slot % COLOURS, _n(min(zero, end)), _n(at), _n(abs(end - zero)), _n(row - 4)
            ),
            _text(f"key s{one.slot % COLOURS}", 0, at + 9, one.key),
            _text("note", max(zero, end) + 4, at + 9, number(length)),
        ]
    parts.append(_line("zero", zero, 0, zero, bottom))
    return _svg(title, 280, bottom + 34, parts)


def whisker(mean: float | None, interval: Interval | None, axis: Axis, slot: int | None = None) -> Markup:
    """Returns a dot with its interval, to stand in a row of a table whose head has `scale` of the same axis."""
    if mean is None:
        return Markup("")
    parts = [
        _line("rule", at, 0, at, 20)
        for at in (axis.place(level, *_STRIP) for level in (0.0, 1.0) if axis.low <= level <= axis.high)
    ]
    style = "s-ink" if slot is None else f"s{slot % COLOURS}"
    said = number(mean, 3)
    if interval is not None:
        low, high = axis.place(interval.low, *_STRIP), axis.place(interval.high, *_STRIP)
        parts += [_line(f"whisker {style}{'' if interval.trustworthy else ' unsure'}", low, 10, high, 10)]
        parts += [_line(f"whisker {style}", end, 6, end, 14) for end in (low, high)]
        said += f", 95 % interval {number(interval.low, 3)} to {number(interval.high, 3)}"
    parts.append(Markup('<circle class="{}" cx="{}" cy="10" r="3"/>').format(style, _n(axis.place(mean, *_STRIP))))
    return _svg(said, _STRIP[1] + _STRIP[0], 20, parts, "strip")


def scale(axis: Axis) -> Markup:
    """Returns the axis of a column of whiskers."""
    parts = [_line("axis", _STRIP[0], 17, _STRIP[1], 17)]
    for position, text in axis.ticks:
        at = axis.place(position, *_STRIP)
        parts += [_line("axis", at, 14, at, 17), _text("tick", at, 12, text, "middle")]
    return _svg(f"axis: {axis.name}", _STRIP[1] + _STRIP[0], 18, parts, "strip")


def _axes(x: Axis, y: Axis, across: Span, upwards: Span, height: float) -> list[Markup]:
    parts = _horizontal(x, across, upwards, height)
    for position, text in y.ticks:
        at = y.place(position, *upwards)
        parts += [_line("grid", across[0], at, across[1], at), _text("tick", across[0] - 6, at + 4, text, "end")]
    parts.append(_text("name", 2, 11, y.name))
    return parts


def _horizontal(x: Axis, across: Span, upwards: Span, height: float) -> list[Markup]:
    parts = [_line("axis", across[0], upwards[0], across[1], upwards[0])]
    for position, text in x.ticks:
        at = x.place(position, *across)
        parts += [
            _line("grid", at, upwards[0], at, upwards[1]),
            _text("tick", at, upwards[0] + 15, text, "middle"),
        ]
    parts.append(_text("name", across[1], height - 4, x.name, "end"))
    return parts


def _apart(heights: Sequence[float], step: float, upwards: Span) -> list[float]:
    """Returns where labels go: as near to where they belong as they can without touching.

    Example:
        >>> _apart([50, 20, 52], 10, (100, 0))
        [46.0, 20.0, 56.0]
    """
    bottom, top = upwards
    step = min(step, (bottom - top) / max(1, len(heights) - 1))

    def start(run: Sequence[int]) -> float:
        length = (len(run) - 1) * step
        centre = math.fsum(heights[index] for index in run) / len(run)
        return max(top, min(bottom - length, centre - length / 2))

    # A run of labels that touch is centred on the mean of their places.
    runs: list[list[int]] = []
    for index in sorted(range(len(heights)), key=lambda k: heights[k]):
        runs.append([index])
        while len(runs) > 1 and start(runs[-2]) + len(runs[-2]) * step > start(runs[-1]) + 1e-9:
            runs[-2:] = [runs[-2] + runs[-1]]
    places = [0.0] * len(heights)
    for run in runs:
        for k, index in enumerate(run):
            places[index] = start(run) + k * step
    return places


def _crossing(spots: Sequence[Point], level: float) -> Point:
    """Returns where a line first crosses a level; its middle if it does not.

    Example:
        >>> _crossing([(0, 0), (10, 0), (20, 10)], 5)
        (15.0, 5)
    """
    for (x1, y1), (x2, y2) in itertools.pairwise(spots):
        if y1 != y2 and min(y1, y2) <= level <= max(y1, y2):
            return x1 + (level - y1) / (y2 - y1) * (x2 - x1), level
    return spots[len(spots) // 2]


def _shape(style: str, one: Series, spots: Sequence[Point], close: str = "") -> Markup:
    path = "M" + "L".join(f"{_n(x)},{_n(y)}" for x, y in spots)
    return Markup('<path class="{} s{}" d="{}{}"/>').format(style, one.slot % COLOURS, path, close)


def _line(style: str, x1: float, y1: float, x2: float, y2: float) -> Markup:
    return Markup('<path class="{}" d="M{},{}L{},{}"/>').format(style, _n(x1), _n(y1), _n(x2), _n(y2))


def _text(style: str, x: float, y: float, text: str, anchor: str = "start") -> Markup:
    where = Markup("") if anchor == "start" else Markup(' text-anchor="{}"').format(anchor)
    return Markup('<text class="{}" x="{}" y="{}"{}>{}</text>').format(style, _n(x), _n(y), where, text)


def _svg(title: str, width: float, height: float, parts: Sequence[Markup], style: str = "chart") -> Markup:
    return Markup('<svg class="{}" role="img" viewBox="0 0 {} {}"><title>{}</title>{}</svg>').format(
        style, _n(width), _n(height), title, Markup("").join(parts)
    )


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
