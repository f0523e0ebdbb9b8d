"""`aixi new`: what it writes is complete, and takes part in everything without another edit."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from test_cli import aixi

from aixi.errors import InvalidValueError
from aixi.evaluation.new import new

KINDS = ("environment", "predictor", "agent")
SUITE = """
name = "mine"
version = 1
summary = "one of mine and one of theirs"
temperature = 300.0
seeds = 2
[cycles]
"lit_buttons:my/LitButtons-v0" = 60
"aixi/CoinFlip-v0" = 60
"""


@pytest.mark.parametrize("kind", KINDS)
def test_its_test_passes_as_written(kind: str, tmp_path: Path) -> None:
    files = new(kind, f"my_{kind}", tmp_path)
    assert [path.name for path in files] == [f"my_{kind}.py", f"test_my_{kind}.py"]
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "--doctest-modules", "."]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{3 if kind == 'predictor' else 2} passed" in done.stdout


def test_it_is_clean_and_typed(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    for kind in KINDS:
        new(kind, f"my_{kind}", tmp_path)
    config = ["--config", str(root / "pyproject.toml")]
    bin_folder = Path(sys.executable).parent
    for command in (["ruff", "check", *config, "."], ["ruff", "format", *config, "--check", "."]):
        done = subprocess.run([bin_folder / command[0], *command[1:]], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


def test_a_new_environment_takes_part_in_everything(tmp_path: Path) -> None:
    assert aixi("new", "environment", "lit_buttons", cwd=tmp_path).stdout.splitlines() == [
        "lit_buttons.py",
        "test_lit_buttons.py",
        "aixi check lit_buttons:my/LitButtons-v0",
    ]
    name = "lit_buttons:my/LitButtons-v0"
    checked = aixi("check", name, "-n", 2000, "--json", "check.json", cwd=tmp_path)
    assert (checked.returncode, checked.stderr) == (0, "")
    findings = json.loads((tmp_path / "check.json").read_text())["findings"]
    assert {finding["level"] for finding in findings} == {"ok"}
    assert f"{len(findings)} checks" in checked.stdout
    assert "my/LitButtons-v0" in aixi("envs", "--import", "lit_buttons", cwd=tmp_path).stdout
    aixi("complexity", name, "--json", "k.json", cwd=tmp_path)
    bits = json.loads((tmp_path / "k.json").read_text())["description"]["bits"]
    assert bits > 0
    page = aixi("envs", name, "--format", "md", cwd=tmp_path).stdout
    (row,) = [line for line in page.splitlines() if line.startswith("| `my/LitButtons-v0`")]
    assert f"| 0.225 (1) | 0.225 (2) | 0.9 (3) | {bits:,.0f} |" in row
    (tmp_path / "mine.toml").write_text(SUITE)
    scored = aixi("score", "random", "--suite", "mine.toml", "--json", "score.json", cwd=tmp_path)
    assert (scored.returncode, scored.stderr) == (0, "")
    environments = json.loads((tmp_path / "score.json").read_text())["environments"]
    assert environments[name]["description_bits"] == bits


def test_what_was_found_before_an_interrupt_is_kept(tmp_path: Path) -> None:
    (path, _) = new("environment", "lit_buttons", tmp_path)
    mark = "        pays = "
    stop = "        if self.np_random.random() < 0.01:\n            signal.raise_signal(signal.SIGINT)\n"
    path.write_text(f"import signal\n{path.read_text().replace(mark, stop + mark)}")
    done = aixi("check", "lit_buttons:my/LitButtons-v0", "--json", "check.json", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (130, "")
    written = json.loads((tmp_path / "check.json").read_text())
    assert written["interrupted"]
    assert [finding["check"] for finding in written["findings"]] == ["made", "actions"]
    lines = done.stdout.splitlines()
    assert [line.split()[:2] for line in lines[:-1]] == [["ok", "made"], ["ok", "actions"]]
    assert lines[-1] == "2 checks, interrupted"


def test_what_was_written_is_told_as_json_too(tmp_path: Path) -> None:
    aixi("new", "predictor", "last_bits", "--json", "new.json", cwd=tmp_path)
    assert json.loads((tmp_path / "new.json").read_text()) == {
        "files": ["last_bits.py", "test_last_bits.py"],
        "check": "aixi check --predictor last-bits:order=4 --import last_bits",
    }


def test_a_mistyped_predictor_is_one_line(tmp_path: Path) -> None:
    done = aixi("check", "--predictor", "context-tree-waiting", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "aixi: unknown predictor 'context-tree-waiting'; did you mean context-tree-weighting?\n"


def test_a_check_that_fails_says_how_to_mend_it(tmp_path: Path) -> None:
    (path, _) = new("environment", "lit_buttons", tmp_path)
    path.write_text(path.read_text().replace("rewards=(0.0, 1.0)", "rewards=(0.0, 2.0)"))
    done = aixi("check", "lit_buttons:my/LitButtons-v0", "-n", 500, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    (at,) = [number for number, line in enumerate(lines) if line.startswith("error rewards")]
    assert "reward 1, which is not among the 2 declared" in lines[at]
    assert lines[at + 1] == "expected each reward is one that the row declares"
    assert lines[at + 2] == "to mend correct the rewards, or `rewards` or `reward_range` of the row"
    assert lines[-1] == "19 checks, 1 error, 3 skipped"


def test_agents_and_predictors_are_checked_by_name(tmp_path: Path) -> None:
    for kind in ("agent", "predictor"):
        new(kind, f"my_{kind}", tmp_path)
        done = aixi("check", f"--{kind}", f"my-{kind}", "--import", f"my_{kind}", cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
    assert "--agent and --predictor must not come together" in aixi("check", "x", "--agent", "--predictor").stderr
    assert "--world is where an agent lives" in aixi("check", "aixi/Tiger-v0", "--world", "aixi/Tiger-v0").stderr


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("world", "mine", "kind must be one of environment, predictor, agent, got 'world'"),
        ("agent", "Mine", "lower case with underscores, as my_agent, got 'Mine'"),
        ("agent", "../mine", "got '../mine'"),
        ("agent", "class", "got 'class'"),
        ("agent", "test_mine", "name must not begin with test_"),
        ("agent", "q_learning", "that of a registered agent, which 'q_learning' would be as q-learning"),
        ("predictor", "context_tree_weighting", "would be as context-tree-weighting; give another"),
        ("agent", "numpy", "name must not be that of a module that there is already, got 'numpy'"),
    ],
)
def test_names_that_do_not_do_are_refused(kind: str, name: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidValueError, match=message):
        new(kind, name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text("precious")
    with pytest.raises(InvalidValueError, match=r"test_mine.py exists already"):
        new("agent", "mine", tmp_path)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["precious"]
