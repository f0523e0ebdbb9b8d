"""Agents over networks: hooks, systems 1 and 2, torch against compiled, the mixture, and what is refused at once."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from aixi.agents.base import RewardRange
from aixi.agents.neural import ROLL_OUTS_UNTIL, TorchSearch
from aixi.agents.planning import RhoUCT
from aixi.agents.planning.puct import PUCT
from aixi.agents.registry import make_agent
from aixi.environments import ENVIRONMENTS, make
from aixi.errors import InvalidValueError
from aixi.predictors.model_mixture import ModelMixture
from aixi.predictors.neural.checkpoint import save_checkpoint
from aixi.predictors.neural.config import NetworkConfig
from aixi.predictors.neural.networks import make_network

SMALL: dict[str, Any] = {"width": 8, "window": 4, "batch": 2, "train_steps": 2, "horizon": 3, "simulations": 8}
NAMES = ("mc-aixi-transformer", "mc-aixi-lstm", "mc-aixi-mix")


def born(name: str, world: str = "aixi/Tiger-v0", seed: int = 0, cycles: int = 200, **options: Any) -> tuple[Any, Any]:
    agent, env, row = make_agent(name, **SMALL | options), make(world), ENVIRONMENTS[world]
    rewards = RewardRange.finite(*row.rewards)
    agent.reset(env.observation_space, env.action_space, rewards, np.random.SeedSequence(seed), cycles=cycles)
    agent.begin(env.reset(seed=seed)[0], {})
    return agent, env


def live(agent: Any, env: Any, cycles: int) -> list[int]:
    actions = []
    for _ in range(cycles):
        actions.append(int(agent.act()))
        observation, reward, *_ = env.step(actions[-1])
        agent.observe(actions[-1], observation, float(reward), False, False)
    return actions


@pytest.mark.parametrize("name", NAMES)
def test_training_drops_the_tree_and_is_told(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    agent, env = born(name)
    forgotten: list[int] = []
    monkeypatch.setattr(agent._planner, "forget", lambda: forgotten.append(agent._percepts))
    live(agent, env, 35)
    told = agent.diagnostics()
    # Every 10 percepts; the life's first one, which follows no action, is a percept of the model's too.
    assert forgotten == [9, 19, 29]
    assert told["training_steps"] == pytest.approx(2 * 30**0.5, abs=1)
    assert told["percepts"] == 35
    assert told["searches"] * 8 == told["simulations"] > 0


def test_planners_are_those_asked_for() -> None:
    kinds = {
        RhoUCT: {},
        PUCT: {"planner": "puct"},
        TorchSearch: {"inference": "torch", "rows": 4},
    }
    for kind, options in kinds.items():
        agent, env = born("mc-aixi-transformer", **options)
        assert type(agent._planner) is kind
        live(agent, env, 12)


def test_roll_outs_give_way_to_the_value_head() -> None:
    agent, env = born("mc-aixi-transformer", planner="puct", exploration=0.0)
    live(agent, env, 3)
    assert agent._planner.rollout_weight == 1.0 - 2 / ROLL_OUTS_UNTIL
    agent._searches = 2 * ROLL_OUTS_UNTIL
    live(agent, env, 1)
    assert agent._planner.rollout_weight == 0.0


def test_searches_train_the_heads() -> None:
    """In a bandit, the policy of the searches becomes the policy that acts without them."""
    options = {"planner": "puct", "learning_rate": 0.01, "train_steps": 10, "simulations": 24, "horizon": 2}
    agent, env = born("mc-aixi-lstm", "aixi/Bandit-v0", cycles=400, **options)
    live(agent, env, 400)
    found = agent.last_search.policy
    assert found.max() > 0.5
    said = agent.policy(np.ones(found.size, np.bool_))
    assert said.argmax() == found.argmax()
    assert said.max() > 1.5 / found.size


def test_a_search_that_visits_no_action_is_no_target() -> None:
    agent, env = born("mc-aixi-lstm", planner="puct", simulations=1, exploration=0.0)
    live(agent, env, 20)
    assert agent.diagnostics()["searches"] == 20


def test_system_1_never_searches_and_auto_where_it_is_unsure() -> None:
    searches = {}
    for system, threshold in (("1", 0.5), ("auto", 1.0), ("auto", 0.0), ("2", 0.5)):
        agent, env = born("mc-aixi-lstm", planner="puct", system=system, threshold=threshold, exploration=0.0)
        live(agent, env, 15)
        searches[system, threshold] = agent.diagnostics()["searches"]
        assert agent.diagnostics()["simulations"] == 8 * searches[system, threshold]
    assert searches == {("1", 0.5): 0, ("auto", 1.0): 0, ("auto", 0.0): 15, ("2", 0.5): 15}


def test_a_mask_leaves_the_policy_among_what_is_allowed() -> None:
    agent, _ = born("mc-aixi-lstm", system="1", exploration=0.0)
    for allowed in ([True, False, True], [False, True, False]):
        policy = agent.policy(np.array(allowed))
        assert policy.sum() == pytest.approx(1.0)
        assert (policy[~np.array(allowed)] == 0.0).all()
        assert allowed[int(agent.act(np.array(allowed)))]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("mc-aixi-transformer", {}),
        ("mc-aixi-transformer", {"encoder_decoder": True}),
        ("mc-aixi-lstm", {"cell": "gru"}),
    ],
)
def test_torch_and_compiled_lives_are_alike(name: str, options: dict[str, Any]) -> None:
    """One simulation at a time, from the same generators: percepts differ where rounding decides, which is rare."""
    lives = []
    for inference in ("compiled", "torch"):
        agent, env = born(name, inference=inference, rows=1, exploration=0.0, **options)
        live(agent, env, 8)
        lives.append(agent)
    compiled, batched = (agent.diagnostics() for agent in lives)
    assert compiled["percept_bits"] == pytest.approx(batched["percept_bits"], abs=1e-3)
    np.testing.assert_allclose(*(agent.last_search.visits for agent in lives), atol=1)


def test_torch_lives_go_on_exactly() -> None:
    agent, env = born("mc-aixi-transformer", inference="torch", rows=4, planner="puct")
    live(agent, env, 25)
    twin, _ = born("mc-aixi-transformer", seed=9, inference="torch", rows=4, planner="puct")
    twin.load_state_dict(agent.state_dict())
    for _ in range(15):
        action = agent.act()
        assert twin.act() == action
        observation, reward, *_ = env.step(action)
        for each in (agent, twin):
            each.observe(action, observation, float(reward), False, False)
    np.testing.assert_equal(twin.state_dict(), agent.state_dict())


def test_the_mixture_tells_whom_it_follows() -> None:
    agent, env = born("mc-aixi-mix")
    live(agent, env, 40)
    assert isinstance(agent._models[0], ModelMixture)
    told = agent.diagnostics()
    assert 0.0 < told["network_weight"] < 41.0
    network, trees = agent._mixture.members
    assert (network.percept_bits, network.actions) == (trees.percept_bits, trees.actions) == (4, 3)


def test_a_checkpoint_is_where_it_begins(tmp_path: Path) -> None:
    path = tmp_path / "network.safetensors"
    network = make_network(NetworkConfig("gru", vocabulary=4, width=8), seed=5)
    save_checkpoint(path, network, {"trained on": "nothing"})
    options = {"cell": "gru", "tokens": "shared", "train_every": 0, "checkpoint": str(path), "width": None}
    agent, env = born("mc-aixi-lstm", **options)
    live(agent, env, 3)
    for name, weights in agent._models[0].network.state_dict().items():
        assert torch.equal(weights, network.state_dict()[name])
    with pytest.raises(InvalidValueError, match="vocabulary"):
        born("mc-aixi-lstm", **options | {"tokens": "components"})
    with pytest.raises(InvalidValueError, match="kind"):
        born("mc-aixi-lstm", **options | {"cell": "lstm"})


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_checkpoint_is_refused_at_once(name: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidValueError, match="cannot read"):
        make_agent(name, checkpoint=str(tmp_path / "none.safetensors"))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("mc-aixi-transformer", {"width": 0}, "width must be at least 1, got 0"),
        ("mc-aixi-transformer", {"heads": 3}, r"multiple of the heads \(3\)"),
        ("mc-aixi-transformer", {"latent": 8}, "rotary must be even and above 0"),
        ("mc-aixi-transformer", {"tokens": "words"}, "style must be one of components, bits, shared, got 'words'"),
        ("mc-aixi-transformer", {"window": 1}, "window must be at least 2, got 1"),
        ("mc-aixi-transformer", {"planner": "alpha"}, "planner must be one of rho-uct, puct, got 'alpha'"),
        ("mc-aixi-transformer", {"system": "3"}, "system must be one of 1, 2, auto, got '3'"),
        ("mc-aixi-transformer", {"threshold": 1.5}, r"threshold must be within \[0, 1\], got 1.5"),
        ("mc-aixi-transformer", {"inference": "onnx"}, "inference must be one of auto, compiled, torch, got 'onnx'"),
        ("mc-aixi-transformer", {"device": "tpu"}, "device must be cpu, cuda or cuda:N, got 'tpu'"),
        ("mc-aixi-transformer", {"inference": "compiled", "device": "cuda"}, "inference=compiled runs on the CPU"),
        ("mc-aixi-transformer", {"rows": 0}, "rows must be at least 1, got 0"),
        ("mc-aixi-transformer", {"constant": -1.0}, "must be finite and at least 0, got -1.0"),
        (
            "mc-aixi-transformer",
            {"encoder_decoder": True, "planner": "puct"},
            "need heads, which a network of kind enc",
        ),
        ("mc-aixi-lstm", {"cell": "additive-lstm", "system": "1"}, "need heads, which a network of kind additive"),
        ("mc-aixi-lstm", {"cell": "elman"}, "cell must be one of lstm, gru, rnn, additive-lstm, got 'elman'"),
        ("mc-aixi-lstm", {"learning_rate": 0.0}, "learning_rate must be above 0"),
        ("mc-aixi-lstm", {"batch": 0}, "batch must be at least 1, got 0"),
        ("mc-aixi-mix", {"depth": 0}, "depth must be at least 1, got 0"),
        ("mc-aixi-mix", {"horizon": 0}, "horizon must be at least 1, got 0"),
    ],
)
def test_bad_options_are_refused_at_once(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        type(make_agent(name))(**options)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_refused_before_life_begins() -> None:
    with pytest.raises(InvalidValueError, match="device cuda was asked for, but torch sees 0 CUDA devices"):
        make_agent("mc-aixi-transformer", device="cuda")
