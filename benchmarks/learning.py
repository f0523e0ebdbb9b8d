"""Does MC-AIXI-CTW learn the domains of Veness et al. (2011)? Value after training, beside the true model's.

    python benchmarks/learning.py [--domains Tiger-v0 ...] [--workers 2]

Each domain is trained with no more experience and no more simulations than the paper, then evaluated with exploration
off and learning on, at no more than 2,500 simulations, over five seeds. The same planner on the true model, an exact
Bayes filter read off the environment itself, is given the evaluation's budget. Values are normalised so that 0 is the
best constant action and 1 the exact optimum; where the two are equal (coin flip) the reward itself stands there.
Evaluation starts from the environment's starting state: it is put back there, except that extended tiger's training
ends with a door opened in its last fiftieth, after which the environment starts anew by itself. The bound is
one-sided, 95 %, Student's t over seeds. Writes `benchmarks/results/learning.json`.
"""

import argparse
import json
import math
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from true_models import true_model

from aixi.agents.base import Agent, RewardRange
from aixi.agents.mc_aixi import MCAIXI, MCAIXICTW
from aixi.agents.percepts import PerceptCodec
from aixi.environments import ENVIRONMENTS, make
from aixi.evaluation.intervals import student_t_quantile
from aixi.evaluation.provenance import machine, versions
from aixi.predictors.model import EnvironmentModel

RESULTS = Path(__file__).parent / "results" / "learning.json"
SEEDS = range(5)

# Settings were picked on lives of other random streams than those of the results.
# cycles: of training and of evaluation; paper: its experience in cycles and its average reward there (tables 5, 6).
DOMAINS: dict[str, dict[str, Any]] = {
    "CoinFlip-v0": {
        "train": {"depth": 4, "horizon": 1, "simulations": 50, "exploration": 0.5},
        "evaluate": {"simulations": 100},
        "cycles": (5_000, 20_000),
        "needed": 0.785,
        "paper": None,
    },
    "Maze1D-v0": {
        "train": {"depth": 32, "horizon": 8, "simulations": 100, "exploration": 0.9},
        "evaluate": {"simulations": 500},
        "cycles": (5_000, 4_000),
        "needed": 0.9,
        "paper": (5_000, 0.50),
    },
    "CheeseMaze-v0": {
        "train": {
            "depth": 32,
            "horizon": 8,
            "simulations": 500,
            "exploration": 1.0,
            "exploration_decay": 0.999,
            "ucb_constant": 0.3,
            "estimator": "zero-redundancy",
        },
        "evaluate": {"simulations": 2500},
        "cycles": (2_500, 2_000),
        "needed": 0.9,
        "paper": (2_500, 1.28),
    },
    "Tiger-v0": {
        "train": {"depth": 24, "horizon": 4, "simulations": 200, "exploration": 1.0, "exploration_decay": 0.9998},
        "evaluate": {"simulations": 2500},
        "cycles": (25_000, 4_000),
        "needed": 0.75,
        "paper": (25_000, 1.12),
    },
    "ExtendedTiger-v0": {
        "train": {"depth": 24, "horizon": 4, "simulations": 400, "exploration": 1.0, "exploration_decay": 0.9999},
        "evaluate": {"simulations": 2500, "ucb_constant": 0.25},
        "cycles": (50_000, 3_000),
        "until": (-100.0, 30.0),
        "needed": 0.75,
        "paper": (50_000, 3.97),
    },
    "Grid4x4-v0": {
        "train": {
            "depth": 48,
            "horizon": 12,
            "simulations": 100,
            "exploration": 1.0,
            "exploration_decay": 0.9998,
            "estimator": "zero-redundancy",
        },
        "evaluate": {"simulations": 500, "ucb_constant": 0.3},
        "cycles": (25_000, 4_000),
        "needed": 0.9,
        "paper": (25_000, 0.24),
    },
    "BiasedRockPaperScissors-v0": {
        "train": {"depth": 32, "horizon": 2, "simulations": 100, "exploration": 1.0, "exploration_decay": 1.0},
        "evaluate": {"simulations": 1000},
        "cycles": (10_000, 10_000),
        "needed": 0.9,
        "paper": (10_000, 0.25),
    },
    "KuhnPoker-v0": {
        "train": {"depth": 16, "horizon": 1, "simulations": 50, "exploration": 1.0, "exploration_decay": 1.0},
        "evaluate": {"simulations": 200},
        "cycles": (300_000, 60_000),
        "needed": 0.9,
        "paper": (5_000_000, 0.06),
    },
}


class TrueModelAgent(MCAIXI):
    """The same planner over the environment's true dynamics."""

    def __init__(self, model: EnvironmentModel, **options: Any) -> None:
        super().__init__(**options)
        self._model = model

    def make_model(self, actions: int, layout: tuple[int, ...], seed: np.random.SeedSequence) -> EnvironmentModel:
        return self._model.copy()


def live(agent: Agent, env: Any, cycles: int) -> float:
    """Returns the average reward of so many cycles."""
    total = 0.0
    for _ in range(cycles):
        action = agent.act()
        observation, reward, terminated, truncated, _ = env.step(action)
        agent.observe(action, observation, float(reward), terminated, truncated)
        total += float(reward)
    return total / cycles


def born(agent: Agent, domain: str, seed: int, stream: int, cycles: int | None = None) -> Any:
    """Begins a life and returns its environment."""
    row = ENVIRONMENTS[f"aixi/{domain}"]
    env = make(row.name)
    ours, theirs = np.random.SeedSequence((seed, stream)).spawn(2)
    observation, info = env.reset(seed=int(theirs.generate_state(1)[0]))
    rewards = RewardRange.finite(*row.rewards)
    agent.reset(env.observation_space, env.action_space, rewards, ours, cycles=cycles)
    agent.begin(observation, info)
    return env


def one_seed(domain: str, seed: int) -> dict[str, Any]:
    """Trains and evaluates one life, and plays one with the true model."""
    plan = DOMAINS[domain]
    training, evaluation = plan["cycles"]
    started = time.process_time()
    learner = MCAIXICTW(**plan["train"])
    env = born(learner, domain, seed, 0, training)
    online = live(learner, env, training - training // 50 if "until" in plan else training)
    if "until" in plan:
        for _ in range(training // 50):
            if live(learner, env, 1) in plan["until"]:
                break
    else:
        env.reset()
    trained = time.process_time()
    settings = plan["train"] | plan["evaluate"] | {"exploration": 0.0, "exploration_decay": 1.0}
    evaluated = MCAIXICTW(**settings)
    born(evaluated, domain, seed, 1)
    evaluated.load_state_dict(learner.state_dict())
    value = live(evaluated, env, evaluation)
    ended = time.process_time()

    row = ENVIRONMENTS[f"aixi/{domain}"]
    bare = make(row.name).unwrapped
    codec = PerceptCodec(bare.observation_space, RewardRange.finite(*row.rewards))
    model = true_model(bare, codec, min(row.rewards, key=abs))
    knowing = {key: option for key, option in settings.items() if key not in ("depth", "estimator")}
    aware = TrueModelAgent(model, **knowing)
    env = born(aware, domain, seed, 2)
    true_value = live(aware, env, evaluation)
    return {
        "seed": seed,
        "online": online,
        "value": value,
        "true_model_value": true_value,
        "percept_bits": learner.diagnostics()["percept_bits"] / learner.diagnostics()["percepts"],
        "training_cpu_seconds": trained - started,
        "evaluation_cpu_seconds": ended - trained,
    }


def summary(domain: str, seeds: list[dict[str, Any]]) -> dict[str, Any]:
    """Normalises the values of one domain and bounds their mean from below."""
    row, plan = ENVIRONMENTS[f"aixi/{domain}"], DOMAINS[domain]
    span = row.best.value - row.constant.value

    def normalised(key: str) -> list[float]:
        rewards = [seed[key] for seed in seeds]
        return [(reward - row.constant.value) / span for reward in rewards] if span > 0 else rewards

    values, true_values = normalised("value"), normalised("true_model_value")
    half = student_t_quantile(0.95, len(values) - 1) * statistics.stdev(values) / math.sqrt(len(values))
    bound = statistics.mean(values) - half
    return {
        "environment": row.name,
        "settings": {key: plan[key] for key in ("train", "evaluate", "cycles", "paper")},
        "constant": row.constant.value,
        "optimum": row.best.value,
        "reward": statistics.mean(seed["value"] for seed in seeds),
        "normalised": statistics.mean(values),
        "lower_bound_95": bound,
        "needed": plan["needed"],
        "reached": bound >= plan["needed"],
        "true_model_reward": statistics.mean(seed["true_model_value"] for seed in seeds),
        "true_model_normalised": statistics.mean(true_values),
        "seeds": seeds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--domains", nargs="+", default=list(DOMAINS), choices=list(DOMAINS))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--first-seed", type=int, default=SEEDS.start, help="100 and up are for picking settings")
    arguments = parser.parse_args()
    seeds = [arguments.first_seed + seed for seed in SEEDS]
    with ProcessPoolExecutor(arguments.workers, get_context("spawn")) as pool:
        jobs = {domain: [pool.submit(one_seed, domain, seed) for seed in seeds] for domain in arguments.domains}
        for domain, running in jobs.items():
            found = summary(domain, [job.result() for job in running])
            cpu = sum(seed["training_cpu_seconds"] + seed["evaluation_cpu_seconds"] for seed in found["seeds"])
            print(
                f"{domain:27} reward {found['reward']:8.4f} of {found['optimum']:.4f}, normalised "
                f"{found['normalised']:.3f}, bound {found['lower_bound_95']:.3f} (needed {found['needed']}), "
                f"true model {found['true_model_normalised']:.3f}, {cpu:.0f} CPU s",
                flush=True,
            )
            if arguments.first_seed == SEEDS.start:
                # Read anew each time: another process may be at other domains.
                results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"domains": {}}
                results["domains"][domain] = found | {"machine": machine(), "versions": versions()}
                RESULTS.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
