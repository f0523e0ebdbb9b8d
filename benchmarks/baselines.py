"""What the agents that a user would compare with come to: the learner's greedy policy after a life, and its speed.

    python benchmarks/baselines.py          # tabular learners and counts, in about 10 minutes
    python benchmarks/baselines.py sb3      # PPO against native learning over 8,000 cycles of CartPole, in about 2

A life of 50,000 cycles, then 20,000 cycles of the same agent that neither explores nor learns. Writes
`benchmarks/results/baselines.json` and `benchmarks/results/baselines_sb3.json`.
"""

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

from aixi.agents.base import RewardRange
from aixi.agents.registry import make_agent, parse_agent
from aixi.environments import ENVIRONMENTS
from aixi.evaluation.provenance import machine, versions

RESULTS = Path(__file__).parent / "results"
SEEDS = range(5)
LEARNING, EVALUATION = 50_000, 20_000
PLANNED = 8000  # cycles of the lives that are compared with native learning
# What each is to reach on average, in reward per cycle; None where nothing is asked.
WANTED: dict[tuple[str, str], float | None] = {
    ("aixi/Tiger-v0", "q-learning:memory=4"): 0.4,
    ("Blackjack-v1", "q-learning"): -0.05,
    ("FrozenLake-v1", "q-learning"): 0.016,
    ("FrozenLake-v1", "sarsa"): None,
    ("FrozenLake-v1", "hlq"): None,
    ("FrozenLake-v1", "freq"): None,
    ("FrozenLake-v1", "psrl"): None,
    ("FrozenLake-v1", "r-max"): None,
}
# What keeps a learnt table as it is; counts go on by next to nothing in a life as long.
FROZEN = {"exploration": 0.0, "last_exploration": 0.0, "learning_rate": 0.0}


def live(agent: Any, env: gymnasium.Env[Any, Any], cycles: int, observation: Any, seed: int | None = None) -> Any:
    """Goes on for so many cycles; returns the average reward, the average return of whole episodes and the last
    observation, None before a first one."""
    if observation is None:
        observation, _ = env.reset(seed=seed)
        agent.begin(observation, {})
    total, returned, returns = 0.0, 0.0, []
    for _ in range(cycles):
        action = agent.act()
        observation, reward, terminated, truncated, _ = env.step(action)
        agent.observe(action, observation, float(reward), terminated, truncated)
        total += float(reward)
        returned += float(reward)
        if terminated or truncated:
            returns.append(returned)
            returned = 0.0
            observation, _ = env.reset()
            agent.begin(observation, {})
    return total / cycles, float(np.mean(returns)) if returns else None, observation


def tabular() -> Iterator[dict[str, Any]]:
    for (world, text), wanted in WANTED.items():
        name, options = parse_agent(text)
        runs = []
        for seed in SEEDS:
            agent: Any = make_agent(name, **options)
            env = gymnasium.make(world, disable_env_checker=True)
            row = ENVIRONMENTS[world]
            rewards = RewardRange.finite(*(row.rewards or ()))
            agent.reset(
                env.observation_space,
                env.action_space,
                rewards,
                np.random.SeedSequence(seed),
                cycles=LEARNING,
                episodic=row.episodic,
            )
            began, busy = time.perf_counter(), time.process_time()
            learning, _, observation = live(agent, env, LEARNING, None, seed)
            wall, cpu = time.perf_counter() - began, time.process_time() - busy
            for key in FROZEN.keys() & vars(agent).keys():
                setattr(agent, key, FROZEN[key])
            greedy, returned, _ = live(agent, env, EVALUATION, observation)
            runs.append(
                {
                    "seed": seed,
                    "learning": learning,
                    "greedy": greedy,
                    "greedy_return": returned,
                    "cycles_per_second": LEARNING / wall,
                    "cycles_per_cpu_second": LEARNING / cpu,
                }
            )
        mean = float(np.mean([run["greedy"] for run in runs]))
        least = min(run["greedy"] for run in runs)
        rate = float(np.median([run["cycles_per_cpu_second"] for run in runs]))
        asked = "" if wanted is None else f"  wanted {wanted}: {'reached' if mean >= wanted else 'MISSED'}"
        print(f"{world:15} {text:20} {mean:8.4f} (least {least:8.4f})  {rate:7.0f} cycles/CPU s{asked}", flush=True)
        yield {"environment": world, "agent": text, "wanted": wanted, "mean_greedy": mean, "runs": runs}


def native() -> Iterator[dict[str, Any]]:
    """PPO as an agent and by its own `learn`, over whole rollouts of 2,048 cycles."""
    import stable_baselines3
    import torch

    rounded = -(-PLANNED // 2048) * 2048
    for seed in SEEDS[:2]:
        agent: Any = make_agent("sb3-ppo")
        env: gymnasium.Env[Any, Any] = gymnasium.make("CartPole-v1")
        source = np.random.SeedSequence(seed)
        agent.reset(
            env.observation_space, env.action_space, RewardRange.finite(1.0), source, cycles=PLANNED, episodic=True
        )
        busy = time.process_time()
        live(agent, env, rounded, None, agent.model.seed)
        ours = time.process_time() - busy
        own = stable_baselines3.PPO("MlpPolicy", gymnasium.make("CartPole-v1"), seed=agent.model.seed, device="cpu")
        busy = time.process_time()
        own.learn(PLANNED)
        theirs = time.process_time() - busy
        agent.close()
        learnt = agent.model.policy.state_dict()
        equal = all(torch.equal(learnt[key], value) for key, value in own.policy.state_dict().items())
        print(
            f"PPO, seed {seed}: weights {'equal' if equal else 'DIFFER'}, {ours:.1f} and {theirs:.1f} CPU s", flush=True
        )
        yield {"seed": seed, "cycles": rounded, "equal": equal, "cpu_s": ours, "native_cpu_s": theirs}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "part", nargs="?", choices=("sb3",), help="those of Stable-Baselines3 instead of the tabular ones"
    )
    part, cells = ("baselines_sb3", native()) if parser.parse_args().part else ("baselines", tabular())
    settings = {"learning": LEARNING, "evaluation": EVALUATION} if part == "baselines" else {"planned": PLANNED}
    record = {"settings": settings, "cells": list(cells), "machine": machine(), "versions": versions()}
    (RESULTS / f"{part}.json").write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
