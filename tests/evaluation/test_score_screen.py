"""A table of scores on screens of several widths."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_tables import AGENTS, BROKEN, ERROR, NAMES, interval, table
from rich.console import Console

from aixi.evaluation import score_screen
from aixi.evaluation.report.columns import print_columns
from aixi.evaluation.results import Loss, ScoreResult, Tuning
from aixi.evaluation.tuning import TuneResult

KEYS = "ABCDEF"


def shown(show, *arguments, width=80):
    console = Console(file=io.StringIO(), highlight=False, width=width)
    show(console, *arguments)
    return console.file.getvalue().splitlines()


def rows(lines, first):
    """The lines that begin with a text, joined: a row, wherever its columns are."""
    return " ".join(line for line in lines if line.startswith(first))


@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_tables_keep_every_number_at_every_width(width):
    result = table()
    lines = shown(score_screen.show_score, result, width=width)
    assert max(map(len, lines)) <= width
    for key, row in zip(KEYS, result.agents.values(), strict=True):
        line = rows(lines, f"{key}  ")
        told = [row.mean, row.score.low, row.score.high, row.wide.low, row.wide.high, row.scores["uniform"]]
        assert all(f"{number:.3f}" in line.split() for number in told)
        assert {f"{row.cycles:,}", "1:15", "3.2G"} <= set(line.split())
        assert f" {row.failures} " in line
    assert "24 tried, 12.5k cycles, 3.0 s" in rows(lines, "A  ")
    assert "not on record" in rows(lines, "B  ")
    for name, environment in result.environments.items():
        line = rows(lines, f"{name} ").split()
        numbers = [environment.constant_value, *(row.environments[name].mean for row in result.agents.values())]
        assert all(f"{number:.3f}" in line for number in numbers)
        assert f"{environment.description_bits:,.0f}" in line
        assert ("out" if name == BROKEN else f"{environment.weights['tempered']:.3f}") in line


def test_every_agent_has_its_largest_contributions():
    result = table()
    for row in result.agents.values():
        for found in row.environments.values():
            found.contribution = 0.001
        for place, name in enumerate(NAMES[:3]):
            row.environments[name].contribution = 0.4 + 0.1 * place
    result.agents[AGENTS[5]].environments[NAMES[7]].contribution = -0.777
    lines = shown(score_screen.show_score, result, width=120)
    part = lines[next(place for place, line in enumerate(lines) if line.startswith("largest contributions")) :]
    assert [line.split()[0] for line in part[1 : part.index("")]] == [*NAMES[:3], NAMES[7]]
    assert rows(part, NAMES[7]).split()[1:] == ["0.001"] * 5 + ["-0.777"]


def test_curve_is_told_at_halves():
    result = table(AGENTS[:1])
    row = result.agents[AGENTS[0]]
    row.curve[:] = [point for point in row.curve if point.fraction == 1.0]
    row.rank = (1.0, 1.0)
    assert rows(shown(score_screen.show_score, result), "A  ").split().count("–") == 3
    row.curve += [type(row.curve[0])(2.0**-k, interval(k / 9, 0.1)) for k in (3, 2, 1)]
    line = rows(shown(score_screen.show_score, result), "A  ")
    assert f"0.333 0.222 0.111 {row.mean:.3f}" in " ".join(line.split())


def test_pairs_are_all_shown_or_said_to_be_more():
    few = table(AGENTS[:3])
    few.pairs[1].dominates = True
    few.pairs[2].dominates = few.pairs[2].dominates_surely = True
    lines = shown(score_screen.show_score, few)
    pairs = [line for line in lines if " less " in line]
    assert [line.split()[:3] for line in pairs] == [["A", "less", "B"], ["A", "less", "C"], ["B", "less", "C"]]
    assert [word in line for line, word in zip(pairs, ["no", "on average", "surely"], strict=True)] == [True] * 3
    for line, pair in zip(pairs, few.pairs, strict=True):
        difference = pair.difference
        assert all(f"{number:.3f}" in line for number in (difference.mean, difference.low, difference.high))
        assert "12.3 %" in line
    lines = shown(score_screen.show_score, table())
    assert len([line for line in lines if " less " in line]) == len(AGENTS) - 1
    assert any("aixi report shows all 15 pairs" in line for line in lines)
    assert any("it takes two agents" in line for line in shown(score_screen.show_score, table(AGENTS[:1], pairs=[])))


def test_names_of_third_parties_are_texts_and_told_in_full():
    lines = shown(score_screen.show_score, table())
    assert rows(lines, "D  [red]markup[/]")
    assert f"C  {AGENTS[2]}" in lines
    assert " ".join(ERROR.split()) in " ".join(" ".join(lines).split())
    assert "E  constant" not in lines  # told in the tables already


def test_what_is_wrong_is_said():
    lost = [Loss("random", NAMES[0], seed, f"reason {seed}") for seed in range(9)]
    text = " ".join(
        shown(score_screen.show_score, table(seeds=3, lost=lost, precision_asked=0.01, stopped="lives lost"), width=200)
    )
    assert "core v3  3 seeds  T = 400 bits: 3.0 of 10 environments count" in text
    assert "differences known to ±0.070 (asked ±0.01): not reached: lives lost" in text
    assert "? : too few seeds for this interval to be trusted" in text
    assert "9 lives are lost" in text
    assert "with --store FILE the same command would go on" in text
    assert [f"reason {seed}" in text for seed in range(9)] == [True] * 6 + [False] * 3
    assert "and 3 more, which --json lists" in text


def test_table_of_nothing_is_shown():
    assert any(
        "0 seeds" in line for line in shown(score_screen.show_score, ScoreResult(suite="empty", suite_version=1))
    )


cells = st.text("abc123[]/ü", max_size=9)


@given(st.data(), st.integers(20, 90))
def test_columns_never_leave_the_screen_nor_get_lost(data, width):
    count = data.draw(st.integers(1, 3))
    sizes = data.draw(st.lists(st.integers(1, 5), max_size=4))
    number = iter(range(99))
    groups = [
        {f"h{next(number)}": data.draw(st.lists(cells, min_size=count, max_size=count)) for _ in range(size)}
        for size in sizes
    ]
    lines = shown(print_columns, "name", [f"row{k}" for k in range(count)], *groups, width=width)
    assert max(map(len, lines)) <= width
    headings = [line.split()[1:] for line in lines if line.startswith("name")]
    assert [heading for line in headings for heading in line] == [heading for group in groups for heading in group]
    for k in range(count):
        told = "".join(line.removeprefix(f"row{k}") for line in lines if line.startswith(f"row{k}"))
        assert told.replace(" ", "") == "".join(column[k] for group in groups for column in group.values())
    for group, size in zip(groups, sizes, strict=True):  # what has room for it stays together
        widest = sum(2 + max(len(cell) for cell in (heading, *column)) for heading, column in group.items())
        if widest <= width - 4 - 2:
            assert any(set(group) <= set(line) for line in headings), size


def test_search_without_a_winner_says_so():
    lost = [Loss("random", NAMES[0], 0, "its worker is gone")]
    spent = Tuning(suite="tuning v1", configurations=6, cells=66, cycles=123_456, seconds=75.0)
    result = TuneResult(agent=None, rounds=[table(lost=lost)], tuning=spent, interrupted=True)
    text = "\n".join(shown(score_screen.show_tuning, result, width=120))
    assert "round 1: 6 configurations, 10 seeds" in text
    assert "its worker is gone" in text
    assert "best: none, since no round has ended  interrupted" in text
    assert "on tuning v1: 6 configurations, 66 lives, 123,456 cycles, 1:15" in text
    assert "not on record" in text
    result.agent, result.kept = "random", True
    text = "\n".join(shown(score_screen.show_tuning, result, width=120))
    assert "best: random  interrupted" in text
    assert "not on record" not in text
