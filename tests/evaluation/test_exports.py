"""Exports of a table of scores, and two agents on a screen."""

import csv
import importlib.util
import io
import re

import msgspec
import pytest
from report_tables import AGENTS, BROKEN, NAMES, interval, read, table
from rich.console import Console

from aixi.errors import InvalidValueError
from aixi.evaluation.report import COLUMNS, FORMATS, export, html_report, show_pair
from aixi.evaluation.report.compare import more_seeds
from aixi.evaluation.report.remarks import UNTRUSTED
from aixi.evaluation.results import Loss, ScoreResult


@pytest.fixture(scope="module")
def result():
    return table()


def test_csv_has_one_row_a_life_and_loses_no_bit(result):
    rows = list(csv.DictReader(io.StringIO(export(result, "csv").decode(), newline="")))
    assert list(rows[0]) == list(COLUMNS)
    assert all(column.meaning for column in COLUMNS.values())
    assert len(rows) == len(AGENTS) * len(NAMES) * 10
    for row in rows:
        life = result.agents[row["agent"]].environments[row["environment"]].seeds[int(row["seed"])]
        assert (float(row["value"]) if row["value"] else None) == life.value
        assert float(row["average_reward"]) == life.average_reward
        assert float(row["weight"]) == result.environments[row["environment"]].weights["tempered"]
        assert (row["error"] or None) == life.error
    assert [(row["agent"], row["seed"]) for row in rows if row["fault"] == "agent"] == [(AGENTS[1], "9")]
    assert {row["environment"] for row in rows if row["excluded"] == "True"} == {BROKEN}


def test_lives_that_are_lost_are_the_workers_fault():
    lost = [Loss(AGENTS[4], NAMES[6], 3, "its worker was killed 3 times")]
    rows = list(csv.DictReader(io.StringIO(export(table(lost=lost), "csv").decode(), newline="")))
    (row,) = (row for row in rows if row["fault"] == "worker")
    assert (row["agent"], row["environment"], row["seed"]) == (AGENTS[4], NAMES[6], "3")


def test_json_is_the_table_itself(result):
    assert msgspec.json.decode(export(result, "json"), type=ScoreResult) == result


def test_markdown_tables_hold_together(result):
    text = export(result, "md").decode()
    assert "not for publication" not in text
    assert "not for publication" in export(table(quick=True), "md").decode()
    blocks = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
    assert [len(block) for block in blocks] == [2 + len(AGENTS), 2 + len(NAMES)]
    for block in blocks:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block}) == 1
    for line, row in zip(blocks[0][2:], result.agents.values(), strict=True):
        assert read(re.split(r"(?<!\\)\|", line)[2].strip()) == pytest.approx(row.mean, abs=5.01e-4)
    names = [cell.strip() for cell in blocks[0][0].split("|")]
    few = export(table(seeds=3), "md").decode().split("\n\n")
    lines = next(block for block in few if block.startswith("| agent")).splitlines()[2:]
    place = names.index("its 95 % interval")
    for line, marked in zip(blocks[0][2:], lines, strict=True):
        shown, doubted = (re.split(r"(?<!\\)\|", text)[place].strip() for text in (line, marked))
        assert " … " in shown
        assert "?" not in shown
        assert doubted.endswith(" ?")
    assert '``third-party:path="a\\|b",quote=`x`,tag=<script>alert(1)</script>``' in text


def test_markdown_says_what_is_wrong():
    lost = [Loss("constant", NAMES[1], seed, "gone|away") for seed in range(3)]
    text = export(table(seeds=3, lost=lost, precision_asked=0.05, stopped="lives lost"), "md").decode()
    said = text.split("\n\n")
    assert "differences known to ±0.070 (asked ±0.05): not reached: lives lost" in said
    assert UNTRUSTED in said
    assert any(block.startswith("3 lives are lost") and "seeds 0–2: gone\\|away" in block for block in said)
    assert any("&lt;b&gt;no&lt;/b&gt; observation" in block for block in said)


def test_parquet_holds_what_csv_holds(result):
    pytest.importorskip("pyarrow")
    from pyarrow import parquet

    found = parquet.read_table(io.BytesIO(export(result, "parquet")))
    assert found.column_names == list(COLUMNS)
    rows = list(csv.DictReader(io.StringIO(export(result, "csv").decode(), newline="")))
    for row, life in zip(rows, found.to_pylist(), strict=True):
        assert row == {key: "" if item is None else str(item) for key, item in life.items()}
    assert found.schema.field("seconds").metadata == {b"meaning": b"time lived, in seconds"}


def test_formats_that_cannot_be_are_told(result, monkeypatch):
    assert set(FORMATS) == {"html", "csv", "json", "md", "parquet"}
    assert export(result, "html").decode() == html_report(result)
    with pytest.raises(InvalidValueError, match="format must be one of html, csv, json, md, parquet, got 'pdf'"):
        export(result, "pdf")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InvalidValueError, match=r"parquet needs pyarrow, .*pip install 'aixi\[parquet\]'"):
        export(result, "parquet")


def shown(result, pair):
    console = Console(file=io.StringIO(), highlight=False, width=140)
    show_pair(console, result, pair)
    return console.file.getvalue()


def test_pair_on_screen_is_sorted_by_size_and_says_who_is_better(result):
    pair = result.pairs[0]
    text = shown(result, pair)
    rows = text.partition("A life of")[0].splitlines()
    lines = {line.split()[0]: line for line in rows if line.startswith(("score", *NAMES))}
    order = [name for name in lines if name != "score"]
    kept = [name for name in NAMES if name != BROKEN]
    sizes = [abs(pair.environments[name].mean) for name in order]
    assert sorted(order) == sorted(kept)
    assert sizes == sorted(sizes, reverse=True)
    for name in kept:
        difference = pair.environments[name]
        verdict = "better" if difference.low > 0 else "worse" if difference.high < 0 else "not told apart"
        assert verdict in lines[name]
        assert f"{difference.mean:.3f}".replace("-", "−") in lines[name]
    assert {"better", "worse", "not told apart"} == {
        word for word in ("better", "worse", "not told apart") if any(word in lines[name] for name in kept)
    }
    assert "with probability 0.61" in text
    assert "12.3 % of the weight moves" in text
    assert f"{BROKEN} is left out for all agents" in text
    assert UNTRUSTED not in text


def test_pair_of_few_seeds_comes_with_a_warning():
    few = table(seeds=3)
    assert UNTRUSTED in shown(few, few.pairs[0])
    one = table(seeds=1)
    assert "no interval: it takes two seeds" in shown(one, one.pairs[0])
    names = next(pair for pair in few.pairs if pair.first == AGENTS[2] and pair.second == AGENTS[3])
    assert f"{AGENTS[2]} less {AGENTS[3]} on core v3" in shown(few, names)


def test_dominance_is_said_of_the_means_it_was_seen_in():
    pair = table().pairs[0]
    pair.dominates = True
    assert "under every weighting of these means, though not surely in each" in " ".join(shown(table(), pair).split())
    pair.dominates_surely = True
    assert "under every weighting of these means, surely so" in " ".join(shown(table(), pair).split())


def test_pair_fits_a_narrow_screen(result):
    console = Console(file=io.StringIO(), highlight=False, width=80)
    show_pair(console, result, result.pairs[0])
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert sum(line.startswith("aixi/CoinFlip-v0 ") for line in lines) == 2
    headings = " ".join(line for line in lines if line.startswith("environment"))
    assert all(name in headings for name in ("95 % interval", "the first is", "more seeds"))  # none is broken


def test_more_seeds_shrink_an_interval_until_it_ends_at_zero():
    assert more_seeds(interval(0.3, 0.2)) == 0
    assert more_seeds(interval(-0.1, 0.2)) == 30  # four times the seeds halve it
    assert more_seeds(interval(0.1, 0.1)) == 1
    assert more_seeds(interval(0.0, 0.1)) is None
