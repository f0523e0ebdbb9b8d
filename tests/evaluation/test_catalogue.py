"""The page of environments says what the table says."""

import importlib
import importlib.util
from pathlib import Path

import pytest

from aixi.environments import EnvironmentRow
from aixi.environments.registry import FAMILIES
from aixi.evaluation.catalogue import environment_page

PAGE = Path(__file__).parents[2] / "docs" / "environments.md"
ROWS: list[EnvironmentRow] = [
    row for family in FAMILIES for row in importlib.import_module(f"aixi.environments.{family}").ROWS
]


def named(lines: list[str]) -> dict[str, str]:
    """The lines of a page's table by the environment's id."""
    return {line.split("`")[1]: line for line in lines if line.startswith("| `")}


@pytest.fixture(scope="module")
def written() -> dict[str, str]:
    """The table as it is written now."""
    return named(environment_page(ROWS).splitlines())


def test_the_page_names_every_environment() -> None:
    assert list(named(PAGE.read_text().splitlines())) == [row.name for row in ROWS]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_line_is_what_would_be_written_now(row: EnvironmentRow, written: dict[str, str]) -> None:
    if row.package and importlib.util.find_spec(row.package) is None:
        pytest.skip(f"{row.package} is not installed")
    assert named(PAGE.read_text().splitlines())[row.name] == written[row.name]


def test_every_source_is_listed() -> None:
    page = PAGE.read_text()
    sources = {anchor.source for row in ROWS for anchor in (row.random, row.constant, row.best) if anchor is not None}
    listed = {line.split(". ", 1)[1] for line in page.splitlines() if line[:1].isdigit()}
    assert listed == sources
