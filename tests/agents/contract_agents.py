"""Small agents for the contract suite, and their recorded lives; as a script, it goes on with saved ones."""

import json
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from aixi.agents.base import Agent, RewardRange
from aixi.agents.mc_aixi import MCAIXI
from aixi.agents.registry import AGENTS, make_agent
from aixi.environments import ENVIRONMENTS, make
from aixi.predictors.model import EnvironmentModel
from aixi.predictors.neural.model import NeuralModel
from aixi.state import State, load_state

TRANSFORMER = "mc-aixi over a small transformer"
HAS_SB3 = find_spec("sb3_contrib") is not None
NAMES = [*(spec.name for spec in AGENTS if HAS_SB3 or not spec.name.startswith("sb3-")), TRANSFORMER]
RESUMABLE = [name for name in NAMES if name == TRANSFORMER or AGENTS[name].resumable]
WORLDS = ["aixi/Tiger-v0", "FrozenLake-v1"]
SMALL = {"horizon": 3, "simulations": 5, "exploration": 0.3}
NETWORK = {"width": 8, "window": 4, "batch": 2, "train_steps": 2, "train_every": 20}
ROLLOUT = {"n_steps": 16, "settings": {"batch_size": 16, "n_epochs": 1}}
OPTIONS: dict[str, dict[str, Any]] = {
    "mc-aixi-ctw": {"depth": 8, **SMALL},
    "mc-aixi-transformer": {**NETWORK, **SMALL},
    "mc-aixi-lstm": {**NETWORK, **SMALL},
    "mc-aixi-mix": {"depth": 8, **NETWORK, **SMALL},
    "self-aixi": {"depth": 8, "policy_depth": 8, **SMALL},
    "aiqi": {"depth": 8, "horizon": 3, "exploration": 0.3},
    "sb3-ppo": ROLLOUT,
    "sb3-recurrent-ppo": ROLLOUT,
    "sb3-dqn": {"settings": {"learning_starts": 20, "buffer_size": 100}},
}
CYCLES = 60

Event = list[Any]
"""`begin` and an observation; `act` and the action chosen; `observe` and its arguments."""


class MCAIXITransformer(MCAIXI):
    """MC-AIXI over a model that is not at all like a context tree."""

    def make_model(self, actions: int, layout: tuple[int, ...], seed: np.random.SeedSequence) -> EnvironmentModel:
        return NeuralModel(actions, layout, width=8, train_every=20, train_steps=1, seed=int(seed.generate_state(1)[0]))


def newborn(name: str, world: str, seed: int, **spaces: Any) -> Agent:
    """An agent at the beginning of a life."""
    agent = MCAIXITransformer(**SMALL) if name == TRANSFORMER else make_agent(name, **OPTIONS.get(name, {}))
    env, row = make(world), ENVIRONMENTS[world]
    agent.reset(
        spaces.get("observation_space", env.observation_space),
        spaces.get("action_space", env.action_space),
        RewardRange.finite(*row.rewards),
        np.random.SeedSequence(seed),
        cycles=CYCLES,
        episodic=row.episodic,
    )
    return agent


def record(agent: Agent, world: str, *, states: bool = False) -> tuple[list[Event], list[State]]:
    """Lives a life; returns its events, and the agent's state after each of them where that is asked for."""
    env = make(world)
    events: list[Event] = []
    kept: list[State] = []

    def note(*event: Any) -> None:
        events.append(list(event))
        if states:
            kept.append(agent.state_dict())

    def begin(observation: Any) -> None:
        agent.begin(observation, {})
        note("begin", int(observation))

    begin(env.reset(seed=5)[0])
    for _ in range(CYCLES):
        action = agent.act()
        note("act", int(action))
        observation, reward, terminated, truncated, _ = env.step(action)
        agent.observe(action, observation, float(reward), terminated, truncated)
        note("observe", int(action), int(observation), float(reward), terminated, truncated)
        if terminated or truncated:
            begin(env.reset()[0])
    return events, kept


def actions_of(events: list[Event]) -> list[int]:
    """The actions of a life."""
    return [event[1] for event in events if event[0] == "act"]


def replay(agent: Agent, events: list[Event]) -> list[int]:
    """Lives through the same percepts and returns the actions chosen."""
    actions = []
    for kind, *arguments in events:
        if kind == "act":
            actions.append(int(agent.act()))
        elif kind == "begin":
            agent.begin(*arguments, {})
        else:
            agent.observe(*arguments)
    return actions


def go_on(folder: Path) -> None:
    """Prints, for each life that was saved in the folder, the actions of its rest."""
    actions = {}
    for path in sorted(folder.glob("*.json")):
        life = json.loads(path.read_text())
        agent = newborn(life["name"], life["world"], seed=0)
        agent.load_state_dict(load_state(path.with_suffix(".state")))
        actions[path.stem] = replay(agent, life["events"])
    print(json.dumps(actions))


if __name__ == "__main__":
    go_on(Path(sys.argv[1]))
