"""What goes wrong around a life: agents that fail, files, modules, signals, and arguments that cannot be."""

import json
import os
import signal

import evaluation_worlds
import numpy as np
import pytest
from gymnasium import spaces

from aixi.agents.registry import parse_options
from aixi.environments import ENVIRONMENTS
from aixi.errors import (
    AgentFaultError,
    EnvironmentFaultError,
    InvalidValueError,
    StateFileError,
    UnknownNameError,
    at_least,
)
from aixi.evaluation import LifeFaultError, Suite, run, score
from aixi.evaluation.cli import main
from aixi.state import load_state, save_state

SUITE = Suite(
    name="mishaps", version=1, summary="[/x] for tests", temperature=300.0, seeds=1, cycles={"aixi/CoinFlip-v0": 20}
)


def aixi(monkeypatch, *arguments):
    """Runs the command line in this process and returns its exit status."""
    monkeypatch.setattr("sys.argv", ["aixi", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


def test_an_agent_that_fails_leaves_what_it_lived(tmp_path, monkeypatch, capsys):
    with pytest.raises(
        LifeFaultError, match=r"agent clumsy raised ZeroDivisionError: slipped .*cycle 10, seed 0"
    ) as caught:
        run("clumsy", "test/Walk-v0", cycles=100)
    assert caught.value.result.cycles == 9
    assert aixi(monkeypatch, "run", "clumsy", "test/Walk-v0", "-n", 100, "--json", tmp_path / "life.json") == 2
    assert capsys.readouterr().err.startswith("aixi: agent clumsy raised ZeroDivisionError")
    assert json.loads((tmp_path / "life.json").read_text())["cycles"] == 9


def test_an_environment_that_cannot_be_made_is_named():
    with pytest.raises(EnvironmentFaultError, match=r"test/Unmade-v0 raised OSError when it was made: no floor"):
        run("random", "test/Unmade-v0", cycles=10)


def test_ctrl_c_between_lives_keeps_those_that_ended():
    result = score(["random"], SUITE, seeds=3, workers=1, on_cell=lambda *_: os.kill(os.getpid(), signal.SIGINT))
    assert result.interrupted
    assert len(result.agents["random"].environments["aixi/CoinFlip-v0"].seeds) == 1


def test_paths_that_cannot_be(tmp_path, monkeypatch, capsys):
    life = ("run", "random", "test/Walk-v0", "-n", 10)
    assert aixi(monkeypatch, *life, "--save", tmp_path / "x", "--json", tmp_path / "x") == 2
    assert "json, plot and save must be different files" in capsys.readouterr().err
    assert aixi(monkeypatch, *life, "--plot", tmp_path / "curve.png") == 2
    assert "plot must be a file that ends in .svg" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["1 / 0", "def", "raise SystemExit(3)", "import no_such_module_at_all"])
def test_a_module_that_cannot_be_imported(text, tmp_path, monkeypatch, capsys):
    (tmp_path / "broken_registrations.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    assert aixi(monkeypatch, "envs", "--import", "broken_registrations") == 2
    assert "aixi: cannot import 'broken_registrations' (" in capsys.readouterr().err


@pytest.mark.parametrize("lost", ["world", "agent", "reward"])
def test_a_state_that_lacks_a_part(lost, tmp_path):
    run("random", "test/Walk-v0", cycles=10, save=tmp_path / "state")
    state = load_state(tmp_path / "state")
    del state["life"][lost]
    save_state(tmp_path / "state", state)
    with pytest.raises(StateFileError, match=rf"is damaged, or was saved by another version .*{lost}"):
        run(None, None, cycles=20, resume=tmp_path / "state")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"agents": "random"}, "agents must be a list of texts, got the text 'random'"),
        ({"agents": []}, "a score needs at least one agent, got none"),
        ({"agents": ["random", "random"]}, "each agent must be given once, got random, random"),
        ({"seeds": []}, r"seeds must be distinct and at least one, got \[\]"),
        ({"seeds": [0, 0]}, r"seeds must be distinct and at least one, got \[0, 0\]"),
        ({"seeds": [-1]}, "seed must be at least 0, got -1"),
    ],
)
def test_scores_that_cannot_be(changes, message):
    with pytest.raises(InvalidValueError, match=message):
        score(**({"agents": ["random"], "suite": SUITE, "workers": 1} | changes))


def test_an_option_is_given_once():
    with pytest.raises(InvalidValueError, match="option depth must be given once, got 4 and 5"):
        parse_options(["depth=4", "depth=5"])


@pytest.mark.parametrize("value", [None, "a", 2.5, True, float("nan"), float("inf")])
def test_what_is_no_whole_number(value):
    with pytest.raises(InvalidValueError, match="depth must be a whole number"):
        at_least("depth", value, 1)
    assert at_least("depth", np.int64(3), 1) == at_least("depth", 3.0, 1) == 3


def test_a_score_whose_lives_failed_says_so_to_the_shell(tmp_path, monkeypatch, capsys):
    suite = tmp_path / "mishaps.toml"
    suite.write_text(
        'name = "[/x] mishaps"\nversion = 1\nsummary = "[/x] y"\ntemperature = 300.0\nseeds = 1\n'
        '[cycles]\n"aixi/CoinFlip-v0" = 20\n'
    )
    command = ("score", "--suite", suite, "--workers", 1, "--import", "evaluation_agents")
    assert aixi(monkeypatch, *command, "clumsy") == 1
    shown = capsys.readouterr().out
    assert shown.count("[/x] mishaps") == 2
    assert "[/x] y" in shown
    assert aixi(monkeypatch, *command, "random") == 0


@pytest.mark.parametrize("environment", ["aixi/Tiger-v0", "FrozenLake-v1"])
def test_rewards_are_those_of_cycles_alone(environment):
    """A reset gives no reward and takes no cycle (the peers count the first percept's)."""
    rewards = []
    result = run("random", environment, cycles=400, seed=2, on_cycle=lambda life: rewards.append(life.reward))
    assert len(rewards) == result.cycles == 400
    steps = np.diff([0.0, *rewards])
    row = {"aixi/Tiger-v0": {-100.0, -1.0, 10.0}, "FrozenLake-v1": {0.0, 1.0}}[environment]
    assert set(steps) <= row
    assert result.average_reward == rewards[-1] / 400


def test_score_holds_on_a_model_unlike_a_tree():
    suite = Suite(
        name="unlike",
        version=1,
        summary="for tests",
        temperature=300.0,
        seeds=2,
        cycles={"aixi/Tiger-v0": 25, "FrozenLake-v1": 25},
    )
    once, again = (score(["transformer", "random"], suite, imports=["evaluation_agents"]) for _ in range(2))
    for agent, found in once.agents.items():
        assert found.failures == 0
        assert found.score == again.agents[agent].score


def test_a_state_whose_parts_are_of_other_kinds(tmp_path):
    run("random", "test/Walk-v0", cycles=10, save=tmp_path / "state")
    state = load_state(tmp_path / "state")
    for key, value in [("cycle", "10"), ("planned", None), ("options", [1]), ("life", 3), ("agent", {})]:
        save_state(tmp_path / "state", state | {key: value})
        with pytest.raises(StateFileError, match="is not the state of a life that `run` saved"):
            run(None, None, cycles=20, resume=tmp_path / "state")


def test_a_broken_agent_need_not_tell_its_totals(monkeypatch):
    def fail(self):
        raise ZeroDivisionError("no totals")

    monkeypatch.setattr(evaluation_worlds.Clumsy, "diagnostics", fail)
    with pytest.raises(LifeFaultError, match="agent clumsy raised ZeroDivisionError: no totals") as caught:
        run("clumsy", "test/Walk-v0", cycles=100)
    assert caught.value.result.diagnostics == {}


@pytest.mark.parametrize("fails", ["get_state", "close"])
def test_a_world_that_fails_after_its_life_is_named(fails, tmp_path, monkeypatch):
    def fail(self):
        raise OSError("it is late")

    monkeypatch.setattr(evaluation_worlds.Stateful, fails, fail)
    if fails == "close":  # nothing hangs on it
        assert run("random", "test/Stateful-v0", cycles=10, save=tmp_path / "state").cycles == 10
        return
    with pytest.raises(StateFileError, match="test/Stateful-v0 raised OSError in get_state: it is late"):
        run("random", "test/Stateful-v0", cycles=10, save=tmp_path / "state")


def test_a_fault_that_cannot_be_saved_still_has_its_result(tmp_path, monkeypatch):
    monkeypatch.setattr(evaluation_worlds.Faulty, "get_state", lambda self: {}, raising=False)
    monkeypatch.setattr(evaluation_worlds.Faulty, "set_state", lambda self, state: None, raising=False)
    init = evaluation_worlds.Walk.__init__

    def continuous(self, episodic=False):
        init(self, episodic)
        self.action_space = spaces.Sequence(spaces.Discrete(2))

    monkeypatch.setattr(evaluation_worlds.Walk, "__init__", continuous)
    with pytest.raises(LifeFaultError, match=r"the wall is hot .*; .* its actions cannot be replayed") as caught:
        run("random", "test/Raise-v0", cycles=100, save=tmp_path / "state")
    assert caught.value.result.cycles == evaluation_worlds.LIVES_BEFORE_FAULT


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["score", "random", "random"], "each agent must be given once, got random, random"),
        (["score", "randm"], "did you mean random?"),
        (["score", "random", "--seeds", "0"], "seeds must be at least 1, got 0"),
        (["score", "random", "--workers", "0"], "workers must be at least 1, got 0"),
        (["run", "constant:action=1", "aixi/CoinFlip-v0", "-o", "action=0"], "options must be given once, got action"),
    ],
)
def test_mistakes_are_told_before_anything_is_shown(arguments, message, monkeypatch, capsys):
    assert aixi(monkeypatch, *arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert message in shown.err


def test_names_unlike_any_other_bring_the_list():
    assert "did you mean aixi/Tiger-v0?" in str(unknown("aixi/Tigr-v0"))
    for name in ("aixi/Snake-v0", "aixi/Pong-v0", "aixi/Chess-v0", "aixi/Sokoban-v0"):
        assert "known: aixi/CoinFlip-v0, " in str(unknown(name)), name


def unknown(name):
    with pytest.raises(UnknownNameError) as caught:
        ENVIRONMENTS[name]
    return caught.value


@pytest.mark.parametrize("fails", ["__init__", "reset"])
def test_an_agent_that_fails_before_its_life_is_named(fails, monkeypatch):
    def fail(self, *arguments, **keywords):
        raise ZeroDivisionError("no legs")

    monkeypatch.setattr(evaluation_worlds.Clumsy, fails, fail)
    with pytest.raises(AgentFaultError, match=r"agent \w+ raised ZeroDivisionError.*: no legs"):
        run("clumsy", "test/Walk-v0", cycles=10)
