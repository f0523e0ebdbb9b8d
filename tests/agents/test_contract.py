"""What holds for every agent, in a continuing world and in one of episodes."""

import json
import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import contract_agents
import numpy as np
import pytest
from contract_agents import CYCLES, NAMES, RESUMABLE, WORLDS, actions_of, newborn, record, replay
from gymnasium import spaces

from aixi.agents.base import Agent, RewardRange
from aixi.environments import make
from aixi.errors import StateFileError, UnsupportedSpaceError
from aixi.state import load_state, save_state

every_agent = pytest.mark.parametrize("name", NAMES)
every_resumable_agent = pytest.mark.parametrize("name", RESUMABLE)
every_world = pytest.mark.parametrize("world", WORLDS)

KNOWN_DIAGNOSTICS = {"percepts", "percept_bits", "simulations", "model_bits", "invalid_rewards", "rewards_outside"}
OWN_DIAGNOSTICS = {"action_bits", "network_weight", "return_bits", "returns", "searches", "training_steps"}

# Spaces that differ from a world's own in one thing, and who refuses them.
BOX = spaces.Box(0.0, 1.0, (2,))
STRANGE: dict[str, dict[str, spaces.Space[Any]]] = {
    "box of observations": {"observation_space": BOX},
    "text as observation": {"observation_space": spaces.Text(3)},
    "graph as observation": {"observation_space": spaces.Graph(spaces.Discrete(2), None)},
    "box of actions": {"action_space": BOX},
    "several actions at once": {"action_space": spaces.MultiDiscrete([2, 3])},
    "actions from 5 on": {"action_space": spaces.Discrete(3, start=5)},
}
PLANNERS_REFUSE = {"graph as observation"}
REFUSED = {
    **dict.fromkeys(NAMES, PLANNERS_REFUSE),
    "random": set(),
    "constant": set(),
    "freq": set(),  # it looks at nothing
}


@pytest.fixture(scope="module")
def checks(request: pytest.FixtureRequest) -> Iterator[list[str]]:
    """The checks that ran, whose number is printed at the end."""
    ran: list[str] = []
    yield ran
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print(f"\nagent contract: {len(ran)} checks ran on {len(NAMES)} agents in {len(WORLDS)} worlds")


@pytest.fixture(autouse=True)
def _count(checks: list[str], request: pytest.FixtureRequest) -> None:
    checks.append(request.node.name)


@every_world
@every_agent
def test_same_seed_same_actions(name: str, world: str) -> None:
    lives = [record(newborn(name, world, seed), world)[0] for seed in (1, 1, 2)]
    assert lives[0] == lives[1]
    assert (actions_of(lives[0]) == actions_of(lives[2])) == (name == "constant")
    assert set(actions_of(lives[0])) <= set(range(make(world).action_space.n))  # type: ignore[attr-defined]  # Discrete


@every_world
@every_agent
def test_an_agent_lives_again_after_reset(name: str, world: str) -> None:
    agent = newborn(name, world, 1)
    first, _ = record(agent, world)
    env = make(world)
    rewards = RewardRange.finite(*contract_agents.ENVIRONMENTS[world].rewards)
    agent.reset(
        env.observation_space,
        env.action_space,
        rewards,
        np.random.SeedSequence(1),
        cycles=CYCLES,
        episodic=contract_agents.ENVIRONMENTS[world].episodic,
    )
    assert record(agent, world)[0] == first


@every_world
@every_resumable_agent
def test_every_state_goes_on_bit_for_bit(name: str, world: str, tmp_path: Path) -> None:
    events, states = record(newborn(name, world, 3), world, states=True)
    ends = [at for at, event in enumerate(events) if event[0] == "observe" and (event[4] or event[5])]
    assert bool(ends) == (world == "FrozenLake-v1")
    final = newborn(name, world, 3)
    replay(final, events)
    # After each event of the first cycles, in the middle of each episode's end, and here and there.
    for at in sorted({*range(6), *ends, *range(0, len(events), 17)}):
        save_state(tmp_path / "agent.state", states[at])
        agent = newborn(name, world, 99)  # another seed: everything must come from the state
        agent.load_state_dict(load_state(tmp_path / "agent.state"))
        rest = events[at + 1 :]
        assert replay(agent, rest) == actions_of(rest)
        assert agent.diagnostics() == final.diagnostics()
        np.testing.assert_equal(agent.state_dict(), final.state_dict())


def test_states_go_on_in_a_new_process(tmp_path: Path) -> None:
    wanted = {}
    for name in RESUMABLE:
        for world in WORLDS:
            events, states = record(newborn(name, world, 4), world, states=True)
            ends = [at for at, event in enumerate(events) if event[0] == "observe" and (event[4] or event[5])]
            at = ends[0] if ends else len(events) // 2
            path = tmp_path / f"{len(wanted)}.json"
            path.write_text(json.dumps({"name": name, "world": world, "events": events[at + 1 :]}))
            save_state(path.with_suffix(".state"), states[at])
            wanted[path.stem] = actions_of(events[at + 1 :])
    script = str(Path(contract_agents.__file__))
    done = subprocess.run([sys.executable, script, str(tmp_path)], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == wanted


@every_world
@every_resumable_agent
def test_state_is_a_copy(name: str, world: str) -> None:
    agent = newborn(name, world, 6)
    events, states = record(agent, world, states=True)
    twin = newborn(name, world, 6)
    replay(twin, events[:31])
    np.testing.assert_equal(states[30], twin.state_dict())


@pytest.mark.parametrize("name", sorted(set(NAMES) - set(RESUMABLE)))
def test_an_agent_that_cannot_be_saved_says_so(name: str) -> None:
    agent = newborn(name, WORLDS[0], 6)
    for use in (agent.state_dict, lambda: agent.load_state_dict({})):
        with pytest.raises(StateFileError, match="cannot be saved or resumed"):
            use()


@every_world
@every_agent
def test_mask_is_kept(name: str, world: str) -> None:
    agent, env = newborn(name, world, 7), make(world)
    rng = np.random.default_rng(8)
    agent.begin(env.reset(seed=1)[0], {})
    masks = rng.random((CYCLES, env.action_space.n)) < 0.4  # type: ignore[attr-defined]  # Discrete
    taken = set()
    for mask in masks:
        mask[rng.integers(mask.size)] = True
        action = agent.act(mask)
        assert mask[action]
        taken.add(int(action))
        observation, reward, terminated, truncated, _ = env.step(action)
        agent.observe(action, observation, float(reward), terminated, truncated)
        if terminated or truncated:
            agent.begin(env.reset()[0], {})
    assert taken == set(range(masks.shape[1]))


@pytest.mark.parametrize("case", STRANGE)
@every_agent
def test_a_space_is_lived_in_or_refused(name: str, case: str) -> None:
    world = "aixi/Tiger-v0"
    if case in REFUSED.get(name, ()):
        with pytest.raises(UnsupportedSpaceError):
            newborn(name, world, 9, **STRANGE[case])
        return
    agent = newborn(name, world, 9, **STRANGE[case])
    env = make(world)
    observed = STRANGE[case].get("observation_space", env.observation_space)
    allowed = STRANGE[case].get("action_space", env.action_space)
    observed.seed(1)
    agent.begin(observed.sample(), {})
    for _ in range(20):
        action = agent.act()
        assert action in allowed
        agent.observe(action, observed.sample(), -1.0, False, False)


@every_world
@every_agent
def test_diagnostics_are_running_totals(name: str, world: str) -> None:
    agent = newborn(name, world, 10)
    events, _ = record(agent, world)
    totals = agent.diagnostics()
    assert totals.keys() <= KNOWN_DIAGNOSTICS | OWN_DIAGNOSTICS
    assert all(math.isfinite(value) and value >= 0 for value in totals.values())
    before = newborn(name, world, 10)
    replay(before, events[: len(events) // 2])
    assert all(value <= totals[key] for key, value in before.diagnostics().items())
    if name.startswith("mc-aixi"):
        assert totals["percepts"] == CYCLES
        assert totals["percept_bits"] > 0
        assert 0 < totals["simulations"] < 5 * CYCLES  # it explored now and then
        assert totals["simulations"] % 5 == 0
        bits = {"aixi/Tiger-v0": 2 + 2, "FrozenLake-v1": 4 + 1 + 2}[world]
        assert totals["model_bits"] == totals["simulations"] * 3 * bits
        assert (totals["invalid_rewards"] > 0) == (world == "aixi/Tiger-v0")  # three rewards in two bits


def test_every_registered_agent_is_here() -> None:
    assert all(isinstance(newborn(name, WORLDS[0], 0), Agent) for name in NAMES)
