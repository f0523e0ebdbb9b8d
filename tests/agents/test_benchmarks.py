"""What a user would compare the planner with comes to what was asked: as recorded, and one life of it lived here."""

import importlib
import json
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

import aixi.environments  # noqa: F401  # registers
from aixi.agents.base import RewardRange
from aixi.agents.registry import make_agent, parse_agent
from aixi.environments import ENVIRONMENTS

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
TIGER = ("aixi/Tiger-v0", "q-learning:memory=4")


@pytest.fixture(scope="module")
def baselines() -> Any:
    """The script that records them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        yield importlib.import_module("baselines")


def recorded(part: str) -> Any:
    return json.loads((BENCHMARKS / "results" / f"{part}.json").read_text())


def test_recorded_policies_reach_what_is_asked_of_them(baselines: Any) -> None:
    record = recorded("baselines")
    cells = {(cell["environment"], cell["agent"]): cell for cell in record["cells"]}
    assert {name: cell["wanted"] for name, cell in cells.items()} == baselines.WANTED
    assert record["settings"] == {"learning": baselines.LEARNING, "evaluation": baselines.EVALUATION}
    assert sum(cell["wanted"] is not None for cell in cells.values()) >= 3
    for name, cell in cells.items():
        greedy = [run["greedy"] for run in cell["runs"]]
        assert [run["seed"] for run in cell["runs"]] == list(baselines.SEEDS)
        assert cell["mean_greedy"] == pytest.approx(np.mean(greedy), abs=1e-12), name
        assert cell["wanted"] is None or cell["mean_greedy"] >= cell["wanted"], name


def test_recorded_weights_of_ppo_are_those_of_native_learning(baselines: Any) -> None:
    record = recorded("baselines_sb3")
    assert record["settings"] == {"planned": baselines.PLANNED}
    assert len(record["cells"]) >= 2
    for cell in record["cells"]:
        assert cell["cycles"] >= baselines.PLANNED
        assert cell["equal"] is True


def test_q_learning_listens_before_it_opens_a_door(baselines: Any) -> None:
    world, text = TIGER
    name, options = parse_agent(text)
    agent: Any = make_agent(name, **options)
    env = gymnasium.make(world, disable_env_checker=True)
    rewards = RewardRange.finite(*(ENVIRONMENTS[world].rewards or ()))
    source = np.random.SeedSequence(7)
    agent.reset(env.observation_space, env.action_space, rewards, source, cycles=baselines.LEARNING)
    _, _, observation = baselines.live(agent, env, baselines.LEARNING, None, 7)
    for key, value in baselines.FROZEN.items():
        setattr(agent, key, value)
    greedy, _, _ = baselines.live(agent, env, baselines.EVALUATION, observation)
    assert greedy >= baselines.WANTED[TIGER]
