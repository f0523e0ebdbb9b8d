"""What C of UCB does: value of the planner over the true model, so that nothing but the search can miss.

    python benchmarks/exploration.py

Tiger and extended tiger, average reward per cycle by C and simulations. Writes `benchmarks/results/exploration.json`.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from learning import TrueModelAgent, born, live
from true_models import true_model

from aixi.agents.base import RewardRange
from aixi.agents.percepts import PerceptCodec
from aixi.environments import ENVIRONMENTS, make
from aixi.evaluation.provenance import machine, versions

RESULTS = Path(__file__).parent / "results" / "exploration.json"
CONSTANTS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0)
BUDGETS = (100, 500, 2500)
HORIZON, CYCLES, SEEDS = 4, 1000, range(1)


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    cells: list[dict[str, Any]] = []
    for domain in ("Tiger-v0", "ExtendedTiger-v0"):
        row = ENVIRONMENTS[f"aixi/{domain}"]
        bare = make(row.name).unwrapped
        codec = PerceptCodec(bare.observation_space, RewardRange.finite(*row.rewards))
        model = true_model(bare, codec, min(row.rewards, key=abs))
        print(f"{domain}, optimum {row.best.value:.4f}, horizon {HORIZON}: C against simulations {BUDGETS}")
        for constant in CONSTANTS:
            rewards = []
            for simulations in BUDGETS:
                values = []
                for seed in SEEDS:
                    agent = TrueModelAgent(
                        model, horizon=HORIZON, simulations=simulations, ucb_constant=constant, exploration=0.0
                    )
                    values.append(live(agent, born(agent, domain, seed, 3), CYCLES))
                rewards.append(sum(values) / len(values))
                cells.append({"domain": domain, "C": constant, "simulations": simulations, "rewards": values})
            print(f"  {constant:5}  " + "  ".join(f"{reward:8.3f}" for reward in rewards), flush=True)
    settings = {"horizon": HORIZON, "cycles": CYCLES, "seeds": len(SEEDS)}
    record = {"settings": settings, "cells": cells, "machine": machine(), "versions": versions()}
    RESULTS.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
