"""Every block of the authors' guide is executed, in order, in one folder."""

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from test_cli import aixi

GUIDE = Path(__file__).parents[2] / "docs" / "authors.md"
BLOCKS: list[tuple[str, str]] = re.findall(r"^```(\w+)\n(.*?)^```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
FILES = {
    "class Mirror": "guide_mirror.py",
    'name = "guide"': "guide_suite.toml",
    'id = "guide-v1"': "guide_weighting.toml",
}
"""Where a block that is a file goes, by what it holds."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a reader who has copied the files of the guide."""
    found = tmp_path_factory.mktemp("guide")
    for mark, name in FILES.items():
        (content,) = [block for _, block in BLOCKS if mark in block]
        (found / name).write_text(content)
    for line in commands(BLOCKS[0][1]):
        assert aixi(*line, cwd=found).returncode == 0
    return found


def commands(block: str) -> list[list[str]]:
    """The arguments of the command in each line of a block."""
    lines = [shlex.split(line) for line in block.splitlines()]
    assert all(line[:2] == ["$", "aixi"] for line in lines)
    return [line[2:] for line in lines]


def test_the_guide_has_blocks_of_three_kinds() -> None:
    assert {kind for kind, _ in BLOCKS} == {"console", "python", "toml"}


@pytest.mark.parametrize(
    "line",
    [line for kind, block in BLOCKS[1:] if kind == "console" for line in commands(block)],
    ids=" ".join,
)
def test_commands_do_what_they_say(line: list[str], folder: Path) -> None:
    done = aixi(*line, cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


@pytest.mark.parametrize("block", [block for kind, block in BLOCKS if kind == "python"], ids=lambda block: block[:30])
def test_python_runs(block: str, folder: Path) -> None:
    script = folder / "block_of_the_guide.py"
    script.write_text(block)
    # Imported, so that the classes of the block have a module with a name.
    command = [sys.executable, "-W", "error", "-c", "import block_of_the_guide"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")


def test_plugin_data_is_toml() -> None:
    (block,) = [block for kind, block in BLOCKS if kind == "toml" and "entry-points" in block]
    assert tomllib.loads(block) == {"project": {"entry-points": {"aixi.plugins": {"guide": "guide_mirror"}}}}
