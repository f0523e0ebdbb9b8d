"""Learning curves of MC-AIXI-CTW where an hour does not reach the paper's experience: tic-tac-toe and Pacman.

    python benchmarks/long_curves.py TicTacToe-v0 [--minutes 60]

One life of one seed, for so many minutes of processor time; an interrupt keeps what there is. After every point it
writes `benchmarks/results/curve-<domain>.json`: cycles, seconds, and the average reward since the point before.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

from learning import born, live

from aixi.agents.mc_aixi import MCAIXICTW
from aixi.environments import ENVIRONMENTS
from aixi.evaluation.provenance import machine, versions

# Exploration decays so that an hour sees its end; the paper's own decay is for 250,000 to 500,000 cycles.
DOMAINS: dict[str, dict[str, Any]] = {
    "TicTacToe-v0": {
        "depth": 64,
        "horizon": 9,
        "simulations": 200,
        "exploration": 0.9999,
        "exploration_decay": 0.9999,
        "estimator": "zero-redundancy",
    },
    "Pacman-v0": {
        "depth": 64,
        "horizon": 4,
        "simulations": 200,
        "exploration": 0.9999,
        "exploration_decay": 0.9999,
        "estimator": "zero-redundancy",
    },
}
SEED = 0
WINDOW = 1000  # cycles a point


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("domain", choices=list(DOMAINS))
    parser.add_argument("--minutes", type=float, default=60.0)
    arguments = parser.parse_args()
    row = ENVIRONMENTS[f"aixi/{arguments.domain}"]
    agent = MCAIXICTW(**DOMAINS[arguments.domain])
    env = born(agent, arguments.domain, SEED, 0)
    started, cpu, written = time.perf_counter(), time.process_time(), 0.0
    points: list[dict[str, float]] = []
    target = Path(__file__).parent / "results" / f"curve-{arguments.domain}.json"
    while (now := time.process_time() - cpu) < 60 * arguments.minutes:
        reward = live(agent, env, WINDOW)
        totals = agent.diagnostics()
        points.append(
            {
                "cycle": len(points) * WINDOW + WINDOW,
                "cpu_seconds": round(time.process_time() - cpu, 1),
                "reward": reward,
                "bits_per_percept": totals["percept_bits"] / totals["percepts"],
                "exploration": agent.exploration_rate,
            }
        )
        if now - written > 60:
            written = now
            print(f"{arguments.domain} cycle {points[-1]['cycle']}: reward {reward:.4f}", flush=True)
        record = {
            "environment": row.name,
            "settings": DOMAINS[arguments.domain],
            "seed": SEED,
            "anchors": {"random": row.random.value, "constant": row.constant.value, "best": row.best.value},
            "seconds": time.perf_counter() - started,
            "cpu_seconds": time.process_time() - cpu,
            "points": points,
            "machine": machine(),
            "versions": versions(),
        }
        target.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
