import json
import os
import subprocess
import sys
from pathlib import Path

import evaluation_worlds
import gymnasium
import numpy as np
import pytest
from evaluation_checks import same

from aixi.agents.registry import AGENTS, AgentSpec
from aixi.errors import InvalidValueError, StateFileError
from aixi.evaluation.runner import LifeFaultError, run
from aixi.state import load_state, save_state

MC = "mc-aixi-ctw:depth=8,horizon=3,simulations=10,exploration=0.5,exploration_decay=0.99"

# Resumes a life in a new process and prints what a result is compared by.
CHILD = """
import json, sys
import evaluation_worlds, msgspec
from aixi.evaluation.runner import run
evaluation_worlds.register_agents()
result = run(None, None, cycles=int(sys.argv[2]), resume=sys.argv[1])
print(json.dumps(msgspec.to_builtins(result)))
"""


def resume_in_new_process(path, cycles):
    """Returns the result of a resumed life as plain values."""
    here = str(Path(evaluation_worlds.__file__).parent)
    child = subprocess.run(
        [sys.executable, "-c", CHILD, str(path), str(cycles)],
        env=os.environ | {"PYTHONPATH": here},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(child.stdout)


@pytest.mark.parametrize(
    ("agent", "environment", "relabel"),
    [
        ("random", "aixi/Tiger-v0", True),
        ("random", "test/Episodes-v0", False),
        ("random", "FrozenLake-v1", True),
        ("random", "test/Masked-v0", True),
        ("random", "test/Stateful-v0", False),
        (MC, "aixi/Tiger-v0", True),
        (MC, "FrozenLake-v1", False),
        ("transformer", "aixi/Tiger-v0", True),
        ("transformer", "FrozenLake-v1", False),
    ],
)
def test_resumed_life_equals_an_uninterrupted_one(tmp_path, agent, environment, relabel):
    path = tmp_path / "life.state"
    whole = run(agent, environment, cycles=900, seed=5, relabel=relabel)
    run(agent, environment, cycles=389, seed=5, relabel=relabel, save=path)
    part = resume_in_new_process(path, 900)
    assert same(whole, part)
    assert (part["agent"], part["seed"], part["relabel"]) == (whole.agent, 5, relabel)


def test_life_is_resumed_many_times(tmp_path):
    path = tmp_path / "life.state"
    run("random", "test/Episodes-v0", cycles=1, seed=5, save=path)
    for cycles in (2, 3, 100, 101, 300):
        result = run(None, None, cycles=cycles, save=path, resume=path)
    assert same(result, run("random", "test/Episodes-v0", cycles=300, seed=5))


def test_environment_with_a_state_is_not_replayed(tmp_path):
    path = tmp_path / "life.state"
    run("random", "test/Stateful-v0", cycles=200, save=path)
    before = evaluation_worlds.Stateful.steps
    run(None, None, cycles=250, resume=path)
    assert evaluation_worlds.Stateful.steps - before == 50


@pytest.mark.parametrize(
    "name", ["Raise", "NaN", "Reward", "Outside", "Reset", "Exit", "Info", "Flags", "Mask", "Forbidden"]
)
def test_life_goes_on_where_a_fault_was_cured(tmp_path, monkeypatch, name):
    path = tmp_path / "life.state"
    with pytest.raises(LifeFaultError) as caught:
        run("random", f"test/{name}-v0", cycles=400, seed=2, save=path)
    with pytest.raises(LifeFaultError) as again:
        run(None, None, save=path, resume=path)
    assert same(caught.value.result, again.value.result)
    monkeypatch.setattr(evaluation_worlds.Faulty, "cured", True)
    assert same(run(None, None, resume=path), run("random", f"test/{name}-v0", cycles=400, seed=2))


def test_replay_of_a_changed_environment_is_noticed(tmp_path, monkeypatch):
    path = tmp_path / "life.state"
    run("random", "test/Walk-v0", cycles=200, save=path)
    step = evaluation_worlds.Walk.step
    monkeypatch.setattr(evaluation_worlds.Walk, "step", lambda self, action: step(self, 1 - action))
    with pytest.raises(StateFileError, match="200 recorded actions in test/Walk-v0 gave other percepts"):
        run(None, None, cycles=300, resume=path)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"agent": "constant"}, "holds a life with agent 'random', got 'constant'"),
        ({"environment": "aixi/CoinFlip-v0"}, "holds a life with environment 'aixi/Tiger-v0'"),
        ({"seed": 4}, "holds a life with seed 3, got 4"),
        ({"relabel": True}, "holds a life with relabel False, got True"),
        ({"cycles": 19}, "cycles must be at least 20, those already lived in .*, got 19"),
    ],
)
def test_another_life_is_refused(tmp_path, given, message):
    path = tmp_path / "life.state"
    run("random", "aixi/Tiger-v0", cycles=20, seed=3, save=path)
    asked = {"agent": "random", "environment": "aixi/Tiger-v0", "cycles": 40} | given
    with pytest.raises(InvalidValueError, match=message):
        run(resume=path, **asked)


def test_options_must_agree(tmp_path):
    path = tmp_path / "life.state"
    run("constant:action=1", "aixi/Tiger-v0", cycles=20, save=path)
    assert run("constant:action=1", None, resume=path).cycles == 20
    with pytest.raises(InvalidValueError, match=r"options \{'action': 1\}, got \{'action': 2\}"):
        run("constant:action=2", None, cycles=40, resume=path)


def test_damaged_state_files_are_refused(tmp_path):
    path = tmp_path / "life.state"
    run("random", "aixi/Tiger-v0", cycles=20, save=path)
    whole = path.read_bytes()
    for size in (0, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(StateFileError, match=r"life\.state is not a saved state"):
            run(None, None, cycles=40, resume=path)
    parts = {"json.npz": {"state.json": np.frombuffer(b"[", np.uint8)}, "bare.npz": {"other": np.zeros(2)}}
    for name, arrays in parts.items():
        np.savez(tmp_path / name, **arrays)
        with pytest.raises(StateFileError, match=f"{name} is not a saved state, or it is .*; use an earlier one$"):
            load_state(tmp_path / name)
    np.save(tmp_path / "objects.npy", np.array([{}], object))
    with pytest.raises(StateFileError, match=r"objects\.npy is not a saved state, or it is truncated or damaged; use"):
        load_state(tmp_path / "objects.npy")
    with pytest.raises(StateFileError, match="Is a directory; give another path"):
        load_state(tmp_path)
    save_state(path, {"something": "else"})
    with pytest.raises(StateFileError, match="is not the state of a life"):
        run(None, None, cycles=40, resume=path)
    with pytest.raises(StateFileError, match="there is no state file"):
        run(None, None, cycles=40, resume=tmp_path / "other.state")


def test_actions_are_recorded_in_one_byte_each(tmp_path):
    path = tmp_path / "life.state"
    run("random", "aixi/Tiger-v0", cycles=5000, save=path)
    actions = load_state(path)["life"]["world"]["actions"]
    assert (actions.dtype, len(actions)) == ("uint8", 5000)


@pytest.mark.parametrize("path", ["no/such/folder/life.state", "."])
def test_path_that_cannot_be_written_is_told_before_the_life(tmp_path, path):
    cycles = []
    with pytest.raises(InvalidValueError, match="cannot write to"):
        run("random", "aixi/Tiger-v0", cycles=5, save=tmp_path / path, on_cycle=lambda life: cycles.append(1))
    assert not cycles


def test_an_agent_that_cannot_be_resumed_is_not_saved(tmp_path, monkeypatch):
    fleeting = AgentSpec("fleeting", "aixi.agents.baselines:RandomAgent", "for tests", resumable=False)
    monkeypatch.setitem(AGENTS._entries, "fleeting", fleeting)
    assert run("fleeting", "aixi/Tiger-v0", cycles=5).cycles == 5
    with pytest.raises(InvalidValueError, match="a life of fleeting cannot be saved"):
        run("fleeting", "aixi/Tiger-v0", cycles=5, save=tmp_path / "life.state")


def test_actions_that_are_not_discrete_are_replayed(tmp_path):
    path = tmp_path / "life.state"
    whole = run("random", "test/Continuous-v0", cycles=30, seed=4)
    run("random", "test/Continuous-v0", cycles=12, seed=4, save=path)
    assert run(None, None, cycles=30, resume=path).percept_hash == whole.percept_hash


def test_life_that_could_not_be_resumed_is_not_begun(monkeypatch):
    init = evaluation_worlds.Continuous.__init__

    def endless(self):
        init(self)
        self.action_space = gymnasium.spaces.Sequence(gymnasium.spaces.Discrete(2))

    monkeypatch.setattr(evaluation_worlds.Continuous, "__init__", endless)
    with pytest.raises(InvalidValueError, match="Continuous-v0 cannot be saved"):
        run("random", "test/Continuous-v0", cycles=5, save="life.state")
