"""Episodic environments as one stream: alone, and as copies under each of three ways at the end of an episode."""

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv

from aixi.environments import Continued, Continuing
from aixi.errors import InvalidValueError

WORLDS = ["FrozenLake-v1", "CartPole-v1", "Blackjack-v1"]
COPIES, CYCLES = 3, 400


def choices(world: str) -> list[list[Any]]:
    """The actions of each copy, by cycle."""
    count = int(gymnasium.make(world).action_space.n)  # type: ignore[attr-defined]  # Discrete
    return np.random.default_rng(7).integers(count, size=(COPIES, CYCLES)).tolist()


def plain(observation: Any) -> Any:
    return np.asarray(observation).tolist()


def alone(world: str) -> list[list[tuple[Any, float, int]]]:
    """The stream of each copy, lived by itself."""
    streams = []
    for copy, actions in enumerate(choices(world)):
        env: Continuing[Any, Any] = Continuing(gymnasium.make(world))
        stream = [(plain(env.reset(seed=copy)[0]), 0.0, 0)]
        for action in actions:
            observation, reward, terminated, truncated, info = env.step(action)
            assert not terminated
            assert not truncated
            stream.append((plain(observation), float(reward), info["boundary"]))
        streams.append(stream)
    return streams


@pytest.mark.parametrize("mode", AutoresetMode)
@pytest.mark.parametrize("kind", [SyncVectorEnv, AsyncVectorEnv])
@pytest.mark.parametrize("world", WORLDS)
def test_streams_are_the_same_however_copies_are_reset(world: str, kind: type, mode: AutoresetMode) -> None:
    if kind is AsyncVectorEnv and world != "FrozenLake-v1":
        pytest.skip("other processes are tried in one environment")
    envs: VectorEnv[Any, Any, Any] = kind([lambda: gymnasium.make(world)] * COPIES, autoreset_mode=mode)
    continued = Continued(envs)
    firsts = gymnasium.vector.utils.iterate(envs.observation_space, continued.reset(seed=0))
    streams = [[(plain(first), 0.0, 0)] for first in firsts]
    actions = choices(world)
    steps = 0
    while min(map(len, streams)) <= CYCLES:
        # A copy whose cycle is pending has not taken the next action yet.
        at = [len(stream) - 1 + int(late) for stream, late in zip(streams, continued.pending, strict=True)]
        batch = np.array([actions[copy][min(place, CYCLES - 1)] for copy, place in enumerate(at)])
        for stream, cycle in zip(streams, continued.step(batch), strict=True):
            if cycle is not None:
                stream.append((plain(cycle.observation), cycle.reward, cycle.boundary))
        steps += 1
    envs.close()
    wanted = alone(world)
    ends = sum(boundary > 0 for _, _, boundary in wanted[0])
    assert ends > 3
    assert (steps > CYCLES) == (mode is AutoresetMode.NEXT_STEP)
    for stream, own in zip(streams, wanted, strict=True):
        assert stream[: CYCLES + 1] == own


def test_the_last_observation_of_an_episode_is_told() -> None:
    env: Continuing[Any, Any] = Continuing(gymnasium.make("FrozenLake-v1", is_slippery=False))
    env.reset(seed=0)
    env.step(2)
    *_, info = env.step(1)
    assert (info["boundary"], info["final_observation"]) == (1, 5)
    limited: Continuing[Any, Any] = Continuing(gymnasium.make("FrozenLake-v1", max_episode_steps=2))
    limited.reset(seed=0)
    assert [limited.step(0)[4]["boundary"] for _ in range(4)] == [0, 2, 0, 2]


def test_a_vector_environment_that_hides_its_way_is_refused() -> None:
    envs = SyncVectorEnv([lambda: gymnasium.make("FrozenLake-v1")])
    envs.metadata = {}
    with pytest.raises(InvalidValueError, match="must be an AutoresetMode, got None"):
        Continued(envs)
