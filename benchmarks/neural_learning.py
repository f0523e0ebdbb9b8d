"""Do networks learn to act as context trees do? MC-AIXI over each, after 10,000 cycles at 200 simulations.

    python benchmarks/neural_learning.py [--agents ...] [--domains Tiger-v0 ...] [--workers 2]

Each agent lives 10,000 cycles in a domain with the same search and the same exploration, and is then evaluated with
exploration off and learning on, from the environment's starting state. Values are normalised so that 0 is the best
constant action and 1 what MC-AIXI-CTW reaches, the mean over its seeds; in the coin flip, where the constant action is
the best policy, they are the reward over CTW's. Bounds are one-sided, 95 %: Student's t over seeds, of the quotient by
the delta method, so that CTW's own uncertainty counts. Writes `benchmarks/results/neural_learning.json`.
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

from learning import born, live

from aixi.agents.registry import make_agent
from aixi.environments import ENVIRONMENTS
from aixi.evaluation.intervals import student_t_quantile
from aixi.evaluation.provenance import machine, versions

RESULTS = Path(__file__).parent / "results" / "neural_learning.json"
SEEDS = range(5)
CYCLES = 10_000
SIMULATIONS = 200

# Settings were picked for MC-AIXI-CTW on lives of other random streams than those of the results; all agents share
# them. evaluation: cycles, so many that the bound's half-width is small.
DOMAINS: dict[str, dict[str, Any]] = {
    "CoinFlip-v0": {"search": {"horizon": 1}, "depth": 4, "evaluation": 20_000},
    "Maze1D-v0": {"search": {"horizon": 8, "exploration": 0.9}, "depth": 32, "evaluation": 4_000},
    "BiasedRockPaperScissors-v0": {
        "search": {"horizon": 2, "exploration": 1.0, "exploration_decay": 1.0},
        "depth": 32,
        "evaluation": 20_000,
    },
    "Tiger-v0": {"search": {"horizon": 4, "exploration": 1.0}, "depth": 24, "evaluation": 10_000},
    "KuhnPoker-v0": {
        "search": {"horizon": 1, "exploration": 1.0, "exploration_decay": 1.0},
        "depth": 16,
        "evaluation": 60_000,
    },
}
AGENTS: dict[str, float] = {"mc-aixi-ctw": 1.0, "mc-aixi-mix": 0.95, "mc-aixi-transformer": 0.9}
"""What each must reach of CTW's value, by its lower bound."""


def agent_of(name: str, domain: str, **changes: Any) -> Any:
    plan = DOMAINS[domain]
    options = plan["search"] | {"simulations": SIMULATIONS} | changes
    if name != "mc-aixi-transformer":
        options["depth"] = plan["depth"]
    return make_agent(name, **options)


def one_life(name: str, domain: str, seed: int) -> dict[str, Any]:
    """Trains and evaluates one life."""
    started = time.process_time()
    learner = agent_of(name, domain)
    env = born(learner, domain, seed, 0, CYCLES)
    online = live(learner, env, CYCLES)
    trained = time.process_time()
    env.reset()
    evaluated = agent_of(name, domain, exploration=0.0, exploration_decay=1.0)
    born(evaluated, domain, seed, 1)
    evaluated.load_state_dict(learner.state_dict())
    before = evaluated.diagnostics()
    value = live(evaluated, env, DOMAINS[domain]["evaluation"])
    return {
        "seed": seed,
        "online": online,
        "value": value,
        "percept_bits": before["percept_bits"] / before["percepts"],
        "diagnostics": before,
        "training_cpu_seconds": trained - started,
        "evaluation_cpu_seconds": time.process_time() - trained,
    }


def normalised(lives: list[dict[str, Any]], reference: list[dict[str, Any]], constant: float) -> dict[str, float]:
    """Returns the mean of the values over that of the reference, both above a constant's, and its lower bound."""
    ours, theirs = ([life["value"] - constant for life in each] for each in (lives, reference))
    if lives is reference:
        return {"normalised": 1.0, "lower_bound_95": 1.0}
    one, other = statistics.mean(ours), statistics.mean(theirs)
    quotient = one / other
    error = math.hypot(statistics.stdev(ours) / other, quotient * statistics.stdev(theirs) / other)
    error /= math.sqrt(len(ours))
    return {"normalised": quotient, "lower_bound_95": quotient - student_t_quantile(0.95, len(ours) - 1) * error}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agents", nargs="+", default=list(AGENTS), choices=list(AGENTS))
    parser.add_argument("--domains", nargs="+", default=list(DOMAINS), choices=list(DOMAINS))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--first-seed", type=int, default=SEEDS.start, help="100 and up are for picking settings")
    arguments = parser.parse_args()
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"domains": {}}
    with ProcessPoolExecutor(arguments.workers, get_context("spawn")) as pool:
        jobs = {
            (domain, name): [pool.submit(one_life, name, domain, arguments.first_seed + seed) for seed in SEEDS]
            for domain in arguments.domains
            for name in arguments.agents
        }
        for (domain, name), running in jobs.items():
            row = ENVIRONMENTS[f"aixi/{domain}"]
            lives = [job.result() for job in running]
            found = results["domains"].setdefault(domain, {"agents": {}})
            span = row.best.value > row.constant.value
            constant = row.constant.value if span else 0.0
            found |= {"constant": constant, "settings": DOMAINS[domain], "needed": AGENTS}
            found["agents"][name] = {"lives": lives, "machine": machine(), "versions": versions()}
            reference = found["agents"].get("mc-aixi-ctw", {}).get("lives", [])
            shown = {"value": statistics.mean(life["value"] for life in lives)}
            if reference and [life["seed"] for life in reference] == [life["seed"] for life in lives]:
                shown |= normalised(lives, reference, constant)
            found["agents"][name] |= shown
            said = ", ".join(f"{key} {number:.4f}" for key, number in shown.items())
            cpu = statistics.mean(life["training_cpu_seconds"] + life["evaluation_cpu_seconds"] for life in lives)
            bits = statistics.mean(life["percept_bits"] for life in lives)
            print(f"{domain:27} {name:20} {said}, {bits:.4f} bits a percept, {cpu:.0f} CPU s a life", flush=True)
            if arguments.first_seed == SEEDS.start:
                RESULTS.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
