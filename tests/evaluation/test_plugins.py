"""Packages that join by the entry-point group `aixi.plugins`, as installed distributions."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from aixi.agents import AgentSpec
from aixi.errors import InvalidValueError, UnknownNameError
from aixi.registry import Registry

GOOD = """
from aixi.agents import AGENTS, AgentSpec
from aixi.environments import Anchor, EnvironmentRow, register
from aixi.predictors import PREDICTORS, PredictorSpec

print("imported")
assert len(AGENTS) > 0  # a plugin may look at what there is
AGENTS.register(AgentSpec("plugged", "aixi.agents.baselines:RandomAgent", "of a plugin"))
PREDICTORS.register(PredictorSpec("plugged", "aixi.predictors.ctw:ContextTreeWeighting", "of a plugin"))
register(
    EnvironmentRow(
        name="plugged/Coin-v0",
        entry_point="aixi.environments.jair.coin_flip:CoinFlip",
        rewards=(0.0, 1.0),
        random=Anchor(0.5, "exact"),
        constant=Anchor(0.8, "exact"),
        best=Anchor(0.8, "exact"),
    )
)
"""
BROKEN = {
    "raises": "raise RuntimeError('no licence')",
    "exits": "raise SystemExit(3)",
    "lacks": "import a_module_that_nobody_has",
}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder in which distributions are installed."""
    return tmp_path


def install(site: Path, name: str, code: str) -> None:
    """Installs a distribution of one module, as pip leaves it."""
    (site / f"{name}_plugin.py").write_text(code)
    info = site / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[aixi.plugins]\n{name} = {name}_plugin\n")


def python(site: Path, code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(site)},
        timeout=120,
    )


LIST = "from aixi.{0}s import {1}; print([entry.name for entry in {1} if 'plugged' in entry.name], 'plugged' in {1})"


@pytest.mark.parametrize(
    ("code", "output"),
    [
        ("from aixi.agents import make_agent; print(type(make_agent('plugged')).__name__)", "RandomAgent"),
        ("from aixi.environments import make; print(type(make('plugged/Coin-v0')).__name__)", "CoinFlip"),
        ("from aixi.evaluation import run; print(run('plugged', 'plugged/Coin-v0', cycles=5).cycles)", "5"),
        (LIST.format("agent", "AGENTS"), "['plugged'] True"),
        (LIST.format("predictor", "PREDICTORS"), "['plugged'] True"),
        ("from aixi.environments import ENVIRONMENTS as E; print([e.name for e in E][-1])", "plugged/Coin-v0"),
    ],
)
def test_names_of_plugins_are_there_when_they_are_asked_for(site: Path, code: str, output: str) -> None:
    install(site, "good", GOOD)
    done = python(site, code)
    assert (done.stdout.splitlines(), done.stderr) == (["imported", output], "")


def test_plugins_are_not_imported_before(site: Path) -> None:
    install(site, "good", GOOD)
    known = "from aixi.agents import make_agent; from aixi.environments import make; make('aixi/Tiger-v0')"
    done = python(site, f"{known}; make_agent('random')")
    assert (done.stdout, done.stderr) == ("", "")


def test_a_score_finds_plugins_in_every_process(site: Path, tmp_path: Path) -> None:
    install(site, "good", GOOD)
    suite = tmp_path / "one.toml"
    suite.write_text('name="one"\nversion=1\nsummary=""\ntemperature=300.0\nseeds=2\n[cycles]\n"plugged/Coin-v0"=50\n')
    code = f"from aixi.evaluation import score\nr = score(['plugged'], {str(suite)!r})"
    code += "\nprint(r.failures, list(r.agents))"
    done = python(site, code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[] ['plugged']"


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_plugin_costs_its_own_names_alone(site: Path, kind: str) -> None:
    install(site, "good", GOOD)
    install(site, kind, BROKEN[kind])
    done = python(site, "from aixi.agents import make_agent; print(make_agent('plugged') is not None)")
    assert done.stdout.splitlines() == ["imported", "True"]
    warned = [line for line in done.stderr.splitlines() if "UserWarning" in line]
    assert len(warned) == 1
    assert f"plugin {kind} ({kind}_plugin) cannot be imported" in warned[0]
    assert "correct or uninstall its package" in warned[0]


THIEVES = {
    "agent": "from aixi.agents import AGENTS, AgentSpec; AGENTS.register(AgentSpec('random', 'thief_plugin:Mine', ''))",
    "environment": "from aixi.environments import EnvironmentRow, register\n"
    "register(EnvironmentRow('aixi/Tiger-v0', entry_point='thief_plugin:Mine'))",
    "environment of Gymnasium": "from aixi.environments import EnvironmentRow, register\n"
    "register(EnvironmentRow('FrozenLake-v1', episodic=True))",
}


@pytest.mark.parametrize("what", THIEVES)
def test_a_plugin_takes_no_name_that_is_taken(site: Path, what: str) -> None:
    install(site, "good", GOOD)
    install(site, "thief", THIEVES[what])
    names = "print(AGENTS['random'].entry_point, ENVIRONMENTS['aixi/Tiger-v0'].summary != '', 'plugged' in AGENTS)"
    listed = "len(AGENTS); print(ENVIRONMENTS['FrozenLake-v1'].random is not None)"
    code = f"from aixi.agents import AGENTS; from aixi.environments import ENVIRONMENTS; {listed}; {names}"
    done = python(site, code)
    assert done.stdout.splitlines() == ["imported", "True", "aixi.agents.baselines:RandomAgent True True"]
    (warned,) = [line for line in done.stderr.splitlines() if "UserWarning" in line]
    assert "plugin thief (thief_plugin) cannot be imported (InvalidValueError: " in warned
    assert "is registered already; give it another name" in warned


def test_a_name_stands_for_one_thing() -> None:
    table = Registry("agent", AgentSpec("mine", "my_agent:Mine", "first"))
    table.register(AgentSpec("mine", "my_agent:Mine", "imported again"))
    assert table["mine"].summary == "imported again"
    with pytest.raises(
        InvalidValueError, match="agent 'mine' must be one thing, got yours:Mine where my_agent:Mine is"
    ):
        table.register(AgentSpec("mine", "yours:Mine", "another"))
    assert table["mine"].entry_point == "my_agent:Mine"
    script = Registry("agent", AgentSpec("mine", "__main__:Mine", "of a script"))
    script.register(AgentSpec("mine", "my_agent:Mine", "the script, as it imports itself"))
    with pytest.raises(InvalidValueError, match="must be one thing"):
        script.register(AgentSpec("mine", "__main__:Mine", "of a script"))


def test_an_unknown_name_is_answered_with_few_names() -> None:
    few = [AgentSpec(f"agent-{index}", "aixi.agents.baselines:RandomAgent", "") for index in range(9)]
    table = Registry("environment", *few)
    with pytest.raises(UnknownNameError) as unknown:
        table["nothing"]
    assert str(unknown.value) == (
        "unknown environment 'nothing'; known: agent-0, agent-1, agent-2, agent-3, agent-4 and 4 more (aixi envs lists "
        "them); one of your own file is written module:id, or comes with --import MODULE"
    )
    table.register(AgentSpec("my/Lights-v0", "my_lights:Lights", ""))
    with pytest.raises(UnknownNameError, match=r"lists them\); registered last by others: my/Lights-v0$"):
        table["nothing"]


def test_environments_of_gymnasium_are_not_those_of_others(site: Path) -> None:
    code = "from aixi.environments import ENVIRONMENTS; ENVIRONMENTS['nowhere']"
    assert python(site, code).stderr.endswith(
        "(aixi envs lists them); one of your own file is written module:id, or comes with --import MODULE\n"
    )


def test_an_unknown_name_is_still_unknown(site: Path) -> None:
    install(site, "good", GOOD)
    done = python(site, "from aixi.agents import make_agent; make_agent('pluged')")
    assert "unknown agent 'pluged'; did you mean plugged?" in done.stderr
