"""Stable-Baselines3 as agents: what it learns, that it disturbs nobody, and that its thread ends."""

import gc
import random
import subprocess
import sys
import threading
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from aixi.agents.base import RewardRange
from aixi.agents.registry import AGENTS, make_agent
from aixi.agents.sb3 import SB3A2C, SB3DQN, SB3PPO, SB3Agent
from aixi.errors import InvalidValueError, UnsupportedSpaceError

sb3 = pytest.importorskip("stable_baselines3")
contrib = pytest.importorskip("sb3_contrib")
torch = pytest.importorskip("torch")

NAMES = [spec.name for spec in AGENTS if spec.name.startswith("sb3-")]
SMALL = {"n_steps": 64, "settings": {"batch_size": 32, "n_epochs": 2}}
# Cycles of a life after which each has learnt several times, and its options.
LIVES: dict[str, tuple[Any, int, dict[str, Any]]] = {
    "sb3-ppo": (sb3.PPO, 192, SMALL),
    "sb3-a2c": (sb3.A2C, 100, {"n_steps": 10}),
    "sb3-dqn": (sb3.DQN, 160, {"settings": {"learning_starts": 40}}),
    "sb3-recurrent-ppo": (contrib.RecurrentPPO, 64, {"n_steps": 32, "settings": {"batch_size": 32, "n_epochs": 1}}),
}


@pytest.fixture(autouse=True)
def one_torch_thread() -> Any:
    """Sums of several threads may differ in their last bits."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def born(agent: SB3Agent, env: gymnasium.Env[Any, Any], seed: int = 0, cycles: int = 1000) -> SB3Agent:
    rewards, source = RewardRange(-1.0, 1.0), np.random.SeedSequence(seed)
    agent.reset(env.observation_space, env.action_space, rewards, source, cycles=cycles, episodic=True)
    return agent


def live(agent: SB3Agent, env: gymnasium.Env[Any, Any], cycles: int, seed: int = 0) -> list[Any]:
    actions = []
    agent.begin(env.reset(seed=seed)[0], {})
    for _ in range(cycles):
        actions.append(agent.act())
        observation, reward, terminated, truncated, _ = env.step(actions[-1])
        agent.observe(actions[-1], observation, float(reward), terminated, truncated)
        if terminated or truncated:
            agent.begin(env.reset()[0], {})
    return actions


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("SB3")]


@pytest.mark.parametrize("name", NAMES)
def test_weights_are_those_of_native_learning(name: str) -> None:
    algorithm, cycles, options = LIVES[name]
    agent = make_agent(name, **options)
    assert isinstance(agent, SB3Agent)
    born(agent, gymnasium.make("CartPole-v1"), cycles=cycles)
    untrained = {key: value.clone() for key, value in agent.model.policy.state_dict().items()}
    live(agent, gymnasium.make("CartPole-v1"), cycles, seed=agent.model.seed)
    policy = "MlpLstmPolicy" if "recurrent" in name else "MlpPolicy"
    native = algorithm(policy, gymnasium.make("CartPole-v1"), seed=agent.model.seed, device="cpu", **agent.settings)
    native.learn(cycles)
    learnt = agent.model.policy.state_dict()
    assert learnt.keys() == native.policy.state_dict().keys()
    assert all(torch.equal(value, native.policy.state_dict()[key]) for key, value in learnt.items())
    assert not all(torch.equal(value, untrained[key]) for key, value in learnt.items())
    agent.close()


def test_a_life_goes_on_after_its_planned_end() -> None:
    agent = born(SB3A2C(n_steps=5), env := gymnasium.make("CartPole-v1"), cycles=20)
    assert len(live(agent, env, 50)) == 50
    assert agent.model.num_timesteps == 50
    agent.close()


def test_global_generators_are_as_they_were_and_two_lives_do_not_meet() -> None:
    env, other = gymnasium.make("CartPole-v1"), gymnasium.make("CartPole-v1")
    alone = live(born(SB3PPO(**SMALL), env, 1), env, 100)
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002  # the global one is what is tested
    torch.manual_seed(5)
    states = random.getstate(), np.random.random(), torch.rand(1)  # noqa: NPY002
    random.setstate(states[0])
    np.random.seed(5)  # noqa: NPY002
    torch.manual_seed(5)
    first, second = born(SB3PPO(**SMALL), env, 1), born(SB3A2C(), other, 2)
    second.begin(other.reset(seed=3)[0], {})
    actions = []
    first.begin(env.reset(seed=0)[0], {})
    for _ in range(100):  # in turn
        actions.append(first.act())
        for agent, world, action in ((first, env, actions[-1]), (second, other, second.act())):
            observation, reward, terminated, truncated, _ = world.step(action)
            agent.observe(action, observation, float(reward), terminated, truncated)
            if terminated or truncated:
                agent.begin(world.reset()[0], {})
    assert actions == alone
    assert (random.getstate(), np.random.random(), torch.rand(1)) == states  # noqa: NPY002


@pytest.mark.parametrize("end", ["reset", "close", "forget"])
def test_the_thread_ends_with_the_life(end: str) -> None:
    gc.collect()
    before = len(threads())
    agent = born(SB3A2C(), env := gymnasium.make("CartPole-v1"))
    live(agent, env, 13)
    assert len(threads()) == before + 1
    if end == "reset":
        born(agent, env)
    elif end == "close":
        agent.close()
    else:
        del agent
        gc.collect()
    assert len(threads()) == before


class Broken(sb3.A2C):  # type: ignore[misc]  # of no type
    """Fails, or is interrupted, in the middle of learning."""

    error: BaseException = ZeroDivisionError("half way")

    def train(self) -> None:
        raise self.error


@pytest.mark.parametrize("error", [ZeroDivisionError("half way"), KeyboardInterrupt()])
def test_what_learning_raises_comes_to_the_life(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sb3, "A2C", Broken)
    monkeypatch.setattr(Broken, "error", error)
    before = len(threads())
    agent = born(SB3A2C(), env := gymnasium.make("CartPole-v1"))
    with pytest.raises(type(error)):
        live(agent, env, 6)
    assert len(threads()) == before
    monkeypatch.undo()
    live(born(agent, env), env, 6)  # and lives again
    agent.close()


def test_interrupted_processes_end() -> None:
    program = """
import os, signal, threading, time
import gymnasium, numpy as np, stable_baselines3
from aixi.agents import RewardRange, make_agent

def train(self):
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.5)

stable_baselines3.A2C.train = train
agent, env = make_agent("sb3-a2c"), gymnasium.make("CartPole-v1")
agent.reset(env.observation_space, env.action_space, RewardRange(0, 1), np.random.SeedSequence(0))
observation = env.reset(seed=0)[0]
agent.begin(observation, {})
try:
    for _ in range(6):
        agent.observe(agent.act(), observation, 0.0, False, False)
except KeyboardInterrupt:
    print("interrupted")
agent.reset(env.observation_space, env.action_space, RewardRange(0, 1), np.random.SeedSequence(0))
print([thread.name for thread in threading.enumerate()])
agent.begin(observation, {})  # and the process ends in the middle of a life
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert (done.stdout, done.returncode) == ("interrupted\n['MainThread']\n", 0), done.stderr


SPACES = {
    "a number": spaces.Discrete(4),
    "a number from 3 on": spaces.Discrete(4, start=3),
    "numbers": spaces.MultiDiscrete([2, 3]),
    "a grid of numbers": spaces.MultiDiscrete([[2, 3], [3, 2]]),
    "bits": spaces.MultiBinary(3),
    "a matrix": spaces.Box(-1.0, 1.0, (2, 3)),
    "a small image": spaces.Box(0, 255, (8, 8, 3), np.uint8),
    "an image": spaces.Box(0, 255, (36, 36, 3), np.uint8),
    "a hand": spaces.Tuple([spaces.Discrete(32), spaces.Discrete(11), spaces.Discrete(2)]),
    "nested": spaces.Dict(a=spaces.Dict(b=spaces.Box(0.0, 1.0, (2,))), c=spaces.Discrete(2)),
    "words": spaces.Text(4),
    "a sequence": spaces.Sequence(spaces.Discrete(3)),
}


@pytest.mark.parametrize("case", SPACES)
def test_every_observation_is_lived_with(case: str) -> None:
    space = SPACES[case]
    agent = SB3A2C()
    space.seed(0)
    agent.reset(space, spaces.Discrete(2), RewardRange(0.0, 1.0), np.random.SeedSequence(0), cycles=20)
    agent.begin(space.sample(), {})
    for _ in range(11):
        agent.observe(agent.act(), space.sample(), 1.0, False, False)
    agent.close()
    assert agent.model.num_timesteps == 11
    assert ("Cnn" in type(agent.model.policy).__name__) == (case == "an image")


@pytest.mark.parametrize("kind", [SB3A2C, SB3DQN])
@pytest.mark.parametrize("case", ["a number from 3 on", "numbers", "bits", "a matrix", "a hand"])
def test_every_action_space_is_lived_with_and_masked(kind: type[SB3Agent], case: str) -> None:
    space = SPACES[case]
    agent = kind(settings={"learning_starts": 4, "buffer_size": 100} if kind is SB3DQN else None)
    if case == "a matrix":
        space = spaces.Box(-1.0, 1.0, (2,))
    agent.reset(spaces.Discrete(2), space, RewardRange(0.0, 1.0), np.random.SeedSequence(0), cycles=20)
    agent.begin(0, {})
    for _ in range(11):
        action = agent.act()
        assert space.contains(action)
        agent.observe(action, 1, 1.0, False, False)
    agent.close()


def test_only_its_own_actions_and_only_in_order() -> None:
    agent = born(SB3A2C(), env := gymnasium.make("CartPole-v1"))
    agent.begin(observation := env.reset(seed=0)[0], {})
    action = agent.act()
    with pytest.raises(InvalidValueError, match="learns from its own actions alone"):
        agent.observe(1 - action, observation, 0.0, False, False)
    with pytest.raises(InvalidValueError, match="waits for act, got begin"):
        agent.begin(observation, {})
    agent.close()


def test_without_the_extra_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "stable_baselines3", None)
    with pytest.raises(InvalidValueError, match=r"SB3PPO needs the package stable_baselines3.*install aixi\[sb3\]"):
        born(SB3PPO(), gymnasium.make("CartPole-v1"))


@pytest.mark.parametrize("space", [spaces.Tuple(()), spaces.Dict(), spaces.MultiDiscrete([]), spaces.Box(0, 1, (0,))])
def test_nothing_to_observe_is_refused(space: Any) -> None:
    with pytest.raises(UnsupportedSpaceError, match=r"^SB3PPO must have something to observe, got .*; give it a part"):
        SB3PPO().reset(space, spaces.Discrete(2), RewardRange(0.0, 1.0), np.random.SeedSequence(0))


def test_a_part_without_numbers_is_no_hindrance() -> None:
    space = spaces.Tuple([spaces.Tuple(()), spaces.Discrete(3)])
    agent = SB3PPO()
    agent.reset(space, spaces.Discrete(2), RewardRange(0.0, 1.0), np.random.SeedSequence(0))
    agent.begin(((), 2), {})
    for seen in (0, 1):
        agent.observe(agent.act(), ((), seen), 1.0, False, False)
    agent.close()
