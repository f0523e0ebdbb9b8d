"""The report of a score: one HTML file that needs no network and no script.

`page.html.j2` says what a reader sees, in the order in which they ask; here is what it has to be told. Names and
error texts come from third parties: every text is escaped where it enters the page.
"""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from aixi.evaluation.aggregates import ranks
from aixi.evaluation.intervals import Interval
from aixi.evaluation.report import figures
from aixi.evaluation.report.figures import Axis, Series, number, short_count
from aixi.evaluation.report.remarks import dominance, precision_told, ranges, remarks, seed_count
from aixi.evaluation.results import AgentScore, ScoreResult
from aixi.evaluation.screen import duration

if TYPE_CHECKING:
    from jinja2 import Template

_FOLDER = Path(__file__).parent
_LONGEST_LABEL = 22
_SHADES = 5  # on each side of 0
_REASONS = 6  # of each remark that are open to the eye
_LEVELS = (0.0, 1.0)  # random and best known


@dataclass(frozen=True)
class Agent:
    """An agent as the page names it.

    Attributes:
        key: letter, by its place in the table.
        label: its name, cut to what fits at a line.
        text: its name in full.
        slot: its place in the table, from 0.
        row: its scores.
    """

    key: str
    label: str
    text: str
    slot: int
    row: AgentScore

    def series(self, points: Sequence[figures.Point], band: Sequence[figures.Span] = ()) -> Series:
        """Returns what a figure draws of it."""
        return Series(self.key, self.label, self.slot, points, band)


def html_report(result: ScoreResult) -> str:
    """Returns a page that says all that a table of scores says; the same table gives the same page.

    It holds no address and no script, so that it can be mailed, archived and printed.

    Example:
        >>> page = html_report(ScoreResult(suite="empty", suite_version=1))
        >>> page.startswith("<!doctype html>"), "<script" in page
        (True, False)
    """
    agents = [
        Agent(letters(slot), shorten(text), text, slot, row) for slot, (text, row) in enumerate(result.agents.items())
    ]
    kept = [name for name, environment in result.environments.items() if environment.excluded is None]
    intervals = [agent.row.score for agent in agents if agent.row.score is not None]
    return _template().render(
        result=result,
        agents=agents,
        by_text={agent.text: agent for agent in agents},
        kept=kept,
        best=_best(result),
        colours=figures.COLOURS,
        shades=_SHADES,
        seeds=seed_count(result),
        remarks=remarks(result),
        reasons=_REASONS,
        precision=precision_told(result),
        unsure=[agent for agent in agents if agent.row.score is not None and not agent.row.score.trustworthy],
        vague=any(agent.row.wide is not None and not agent.row.wide.trustworthy for agent in agents),
        untold=[agent for agent in agents if agent.row.mean is not None and agent.row.score is None],
        partial=[agent for agent in agents if agent.row.mean is None],
        score_axis=_axis("score", [agent.row.mean for agent in agents], intervals),
        pair_axis=_axis("difference", [0.0], [pair.difference for pair in result.pairs if pair.difference]),
        experience=_experience(agents),
        learning=_learning(result, agents),
        profiles=_profiles(result, agents),
        tags=_tags(agents),
        weights=_weights(result),
        rankings=_rankings(result),
    )


def letters(slot: int) -> str:
    """Returns the letter of a place: A to Z, then AA, AB and so on.

    Example:
        >>> letters(0), letters(25), letters(26)
        ('A', 'Z', 'AA')
    """
    text = ""
    slot += 1
    while slot:
        slot, rest = divmod(slot - 1, 26)
        text = chr(ord("A") + rest) + text
    return text


def shorten(text: str, longest: int = _LONGEST_LABEL) -> str:
    """Returns a text cut to a length, the cut marked."""
    return text if len(text) <= longest else text[: longest - 1] + "…"


@cache
def _template() -> "Template":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # the screen needs this module without it

    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": number,
        "percent": percent,
        "span": span,
        "shade": shade,
        "count": lambda count: f"{count:,}",
        "short_count": short_count,
        "duration": duration,
        "rank": rank,
        "verdict": verdict,
        "ranges": ranges,
        "dominance": dominance,
        "bits": lambda length: "–" if length is None else f"{length:,.1f}",
        "breakable": breakable,
    }
    environment.globals |= {"whisker": figures.whisker, "scale": figures.scale}
    return environment.get_template("page.html.j2")


def percent(share: float | None, digits: int = 0) -> str:
    """Returns a share in percent; what is not 0 does not read as 0.

    Example:
        >>> percent(0.256), percent(3e-5), percent(0.0), percent(None)
        ('26 %', '< 1 %', '0 %', '–')
    """
    if share is None:
        return "–"
    least = 10.0**-digits
    if 0 < share * 100 < least / 2:
        return f"< {least:g} %"
    return f"{share * 100:.{digits}f} %"


def span(interval: Interval | Sequence[float] | None, digits: int = 3) -> str:
    """Returns an interval from its low end to its high end."""
    if interval is None:
        return "–"
    low, high = (interval.low, interval.high) if isinstance(interval, Interval) else interval
    return f"{number(low, digits)} … {number(high, digits)}"


def rank(ends: Sequence[float] | None) -> str:
    """Returns a rank, or from which to which.

    Example:
        >>> rank((1.0, 1.0)), rank((1.0, 2.5)), rank(None)
        ('1', '1–2.5', '–')
    """
    return "–" if ends is None else "–".join(dict.fromkeys(f"{end:g}" for end in ends))


def shade(value: float | None) -> str:
    """Returns the style of a cell: steps of 0.2 from 0, where random is, to 1; below 0 the other colour.

    Example:
        >>> shade(0.55), shade(-0.3), shade(4.0), shade(None)
        ('p3', 'm2', 'p5', 'none')
    """
    if value is None:
        return "none"
    step = min(_SHADES, round(abs(value) * _SHADES))
    return f"{'m' if value < 0 else 'p'}{step}" if step else "p0"


def verdict(difference: Interval | None) -> str:
    """Returns whether an interval of a difference tells two agents apart."""
    if difference is None:
        return "–"
    if difference.low > 0:
        return "better"
    return "worse" if difference.high < 0 else "not told apart"


def breakable(text: str) -> Markup:
    """Returns a long name that may be broken after the signs between its parts.

    Example:
        >>> breakable("a:b=<1>")
        Markup('a:<wbr>b=<wbr>&lt;1&gt;')
    """
    escaped = "".join(f"{sign}\0" if sign in ":,=/" else sign for sign in text.replace("\0", "\ufffd"))
    return Markup(Markup.escape(escaped).replace("\0", Markup("<wbr>")))


def _axis(name: str, means: Iterable[float | None], intervals: Iterable[Interval]) -> Axis:
    """Returns the axis of a column of whiskers, with 0 on it."""
    ends = [end for interval in intervals for end in (interval.low, interval.high)]
    return figures.linear(name, [0.0, *ends, *(mean for mean in means if mean is not None)], most=4)


def _best(result: ScoreResult) -> dict[str, float | None]:
    """Returns the best value in each environment that is not left out."""
    found = {
        name: [row.environments[name].mean for row in result.agents.values() if name in row.environments]
        for name, environment in result.environments.items()
        if environment.excluded is None
    }
    return {
        name: max((value for value in found.get(name, []) if value is not None), default=None)
        for name in result.environments
    }


def _experience(agents: Sequence[Agent]) -> list[Markup] | None:
    """Returns the score as a function of experience, wide and narrow; None where no agent has one."""
    series = [
        agent.series(
            [(point.fraction, point.score.mean) for point in agent.row.curve],
            [(point.score.low, point.score.high) for point in agent.row.curve],
        )
        for agent in agents
        if len(agent.row.curve) > 1
    ]
    if not series:
        return None
    title = "Score against experience"
    x = figures.shares("share of a life lived (log scale)", min(one.points[0][0] for one in series))
    heights = [height for one in series for ends in one.band for height in ends]
    y = figures.linear("score (0 random, 1 best known)", [0.0, *heights])
    return [
        figures.line_chart(title, x, y, series, _LEVELS),
        figures.line_chart(title, x, y, series, _LEVELS, "keys", small=True),
    ]


def _learning(result: ScoreResult, agents: Sequence[Agent]) -> dict[str, Markup]:
    """Returns the learning curves of each environment that has any, by its id."""
    charts = {}
    for name, environment in result.environments.items():
        found = [(agent, agent.row.environments[name].curve) for agent in agents if name in agent.row.environments]
        series = [agent.series(curve) for agent, curve in found if len(curve) > 1]
        if not series:
            continue
        heights = [height for one in series for _, height in one.points]
        charts[name] = figures.line_chart(
            f"Learning curves in {name}",
            figures.decades("cycle (log scale)", min(one.points[0][0] for one in series), environment.cycles),
            figures.linear("value of rewards so far", [0.0, 1.0, *heights], most=4),
            series,
            _LEVELS,
            "keys",
            small=True,
        )
    return charts


def _profiles(result: ScoreResult, agents: Sequence[Agent]) -> list[Markup] | None:
    """Returns the share of lives above each value, wide and narrow; None where no agent has all its lives."""
    series = [
        agent.series(list(zip(result.thresholds, agent.row.profile, strict=True)))
        for agent in agents
        if agent.row.profile
    ]
    if not series or len(result.thresholds) < 2:
        return None
    x = figures.linear("value (0 random, 1 best known)", result.thresholds, most=8)
    y = figures.linear("share of lives above it", [0.0, 1.0], most=5)
    return [
        figures.line_chart("Performance profiles", x, y, series, labels="crossings", small=small)
        for small in (False, True)
    ]


def _tags(agents: Sequence[Agent]) -> dict[str, Markup]:
    """Returns the mean values in the environments of each tag that has any, by tag, all on the same axis."""
    lengths = [value for agent in agents for value in agent.row.tags.values()]
    axis = figures.linear("mean value (0 random, 1 best known)", [0.0, *lengths], most=5)
    return {
        tag: figures.bar_chart(
            f"Mean value in environments tagged {tag}",
            axis,
            [agent.series([(0.0, agent.row.tags[tag])]) for agent in agents if tag in agent.row.tags],
        )
        for tag in sorted({tag for agent in agents for tag in agent.row.tags})
    }


def _weights(result: ScoreResult) -> dict[str, Any]:
    """Returns what the table of weights has besides the environments: its weightings, and lengths by coder."""
    names = list(result.effective_numbers)
    settings = list(dict.fromkeys(name for row in result.environments.values() for name in row.lengths))
    coders = list(dict.fromkeys(name.partition("/")[0] for name in settings))
    return {
        "names": [result.weighting, *(name for name in names if name != result.weighting)] if names else [],
        "settings": [(coder, [name for name in settings if name.partition("/")[0] == coder]) for coder in coders],
    }


def _rankings(result: ScoreResult) -> dict[str, Any] | None:
    """Returns the different rankings that the choices of weights lead to; None where agents cannot be ranked."""
    found = result.sensitivity
    if found is None or len(result.agents) < 2 or not found.settings:
        return None
    places = [_ranks(row) for row in found.scores]
    if any(row is None for row in places):
        return None
    orders = [tuple(row) for row in places if row is not None]
    groups: dict[tuple[float, ...], list[int]] = {}
    for index, order in enumerate(orders):
        groups.setdefault(order, []).append(index)
    distinct = sorted(groups, key=lambda order: -len(groups[order]))
    firsts = [groups[order][0] for order in distinct]
    everything = _ranks([row.mean for row in result.agents.values()])
    return {
        "rows": [(_order(order), len(groups[order])) for order in distinct],
        "tau": [[found.tau[a][b] for b in firsts] for a in firsts],
        "settings": [
            (setting, distinct.index(order) + 1, list(zip(scores, order, strict=True)))
            for setting, order, scores in zip(found.settings, orders, found.scores, strict=True)
        ],
        "led": sum(len(groups[order]) for order in distinct if order[0] == min(order)),
        "without": [
            (name, list(zip(scores, left, everything, strict=True)))
            for name, scores in found.without.items()
            if everything is not None and (left := _ranks(scores)) is not None
        ],
    }


def _ranks(scores: Sequence[float | None]) -> list[float] | None:
    there = [score for score in scores if score is not None]
    if not there or len(there) < len(scores):
        return None
    found: list[float] = ranks(np.array(there)).tolist()
    return found


def _order(places: Sequence[float]) -> list[tuple[str, int]]:
    """Returns the agents of a ranking from the best on: the sign before each, and its place in the table.

    Example:
        >>> _order([2.5, 1.0, 2.5])
        [('', 1), ('›', 0), ('=', 2)]
    """
    slots = sorted(range(len(places)), key=lambda slot: places[slot])
    signs = ["=" if places[a] == places[b] else "›" for a, b in itertools.pairwise(slots)]
    return list(zip(["", *signs], slots, strict=True))
