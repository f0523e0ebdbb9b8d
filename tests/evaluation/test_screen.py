"""What is shown where no terminal is: plain lines, each of which says something."""

import io

import pytest
from rich.console import Console

from aixi.environments import ENVIRONMENTS
from aixi.evaluation import Suite, run, score, score_screen, screen


@pytest.fixture
def plain():
    return Console(file=io.StringIO(), highlight=False, width=120)


def lines(console):
    return console.file.getvalue().splitlines()


def test_a_line_of_a_life_comes_with_its_numbers(plain, monkeypatch):
    now = iter(range(1000))
    monkeypatch.setattr(screen.time, "monotonic", lambda: next(now))
    with screen.LifeView(plain) as view:
        run("random", "aixi/CoinFlip-v0", cycles=12, on_cycle=view.tell)
    shown = lines(plain)
    assert [line.split()[0] for line in shown] == ["6/12", "11/12"]
    assert [line.partition("  ")[2].split("  ", 1)[1] for line in shown] == [
        "1 cycles/s  6.0 s left",
        "1 cycles/s  1.0 s left",
    ]


def test_no_line_ends_in_blanks(plain):
    suite = Suite("tests", 1, "", 500.0, 2, {"aixi/CoinFlip-v0": 200, "aixi/Tiger-v0": 200})
    screen.show_run(plain, run("random", "aixi/CoinFlip-v0", cycles=300), ENVIRONMENTS["aixi/CoinFlip-v0"])
    score_screen.show_score(plain, score(["random", "constant"], suite))
    screen.show_list(plain, [("short", "one"), ("much longer", "another one")])
    assert len(lines(plain)) > 20
    assert [line for line in lines(plain) if line != line.rstrip()] == []


@pytest.mark.parametrize("text", ["[/x]", "[red]", "\\[bold]"])
def test_text_of_users_is_no_markup(plain, text):
    screen.show_list(plain, [(text, f"is {text}")])
    assert lines(plain) == [f"{text}  is {text}"]
