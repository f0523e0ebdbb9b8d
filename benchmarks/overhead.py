"""What do runner, processes, store and progress cost, and what does a second worker gain?

    python benchmarks/overhead.py

Overhead: an agent whose work is calibrated to a thousand cycles a second lives in tiger, once as a cell of a score with
a store on disk and progress, and once in a bare loop of agent and environment, in turns; the ratio of wall times, the
median over pairs. What a score begins with, imports and the first life of a configuration, is told apart. Workers: a
whole score with one worker and with two, in turns, and beside it what two bare loops at once gain on this machine; the
gain is that of the least times, since neighbours only add to them, and the median of the rounds stands beside it.
Store: 10,000 results with curves of 256 points. Writes `benchmarks/results/overhead.json`.
"""

import argparse
import hashlib
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from rich.console import Console

from aixi.agents.base import ActionMask, RewardRange
from aixi.agents.baselines import RandomAgent
from aixi.agents.registry import AGENTS, AgentSpec
from aixi.environments import ENVIRONMENTS, make
from aixi.evaluation.provenance import machine, versions
from aixi.evaluation.records import Cell, CellResult, cell_key
from aixi.evaluation.schedule import live_cells
from aixi.evaluation.store import Store

RESULTS = Path(__file__).parent / "results" / "overhead.json"
ENVIRONMENT = "aixi/Tiger-v0"
CYCLES_PER_SECOND = 1000
PAIRS, PAIR_CYCLES = 9, 3000
ROUNDS, LIVES, LIFE_CYCLES = 5, 8, 1500
STORED = 10_000
_BLOCK = bytes(1 << 13)


class Calibrated(RandomAgent):
    """Acts at random after so many turns of compiled work; the pace of an empty loop hangs on where it lies."""

    def __init__(self, turns: int = 10) -> None:
        super().__init__()
        self.turns = turns

    def act(self, mask: ActionMask | None = None) -> Any:
        digest = hashlib.sha256()
        for _ in range(self.turns):
            digest.update(_BLOCK)
        return super().act(mask)


AGENTS.register(AgentSpec("calibrated", "overhead:Calibrated", "acts at random after some work"))


def bare(turns: int, cycles: int) -> float:
    """Returns the seconds of a loop of nothing but agent and environment."""
    env, agent = make(ENVIRONMENT), Calibrated(turns)
    rewards = RewardRange.finite(*ENVIRONMENTS[ENVIRONMENT].rewards)
    agent.reset(env.observation_space, env.action_space, rewards, np.random.SeedSequence(0), cycles=cycles)
    observation, info = env.reset(seed=0)
    agent.begin(observation, info)
    began = time.perf_counter()
    for _ in range(cycles):
        action = agent.act()
        observation, reward, terminated, truncated, _ = env.step(action)
        agent.observe(action, observation, float(reward), terminated, truncated)
    return time.perf_counter() - began


def calibrate() -> int:
    """Returns the turns with which a bare loop has the wanted pace."""
    turns, cycles = 100, 500
    for _ in range(5):
        seconds = min(bare(turns, cycles) for _ in range(3))
        turns = round(turns * cycles / CYCLES_PER_SECOND / seconds)
    return turns


def cells(turns: int, count: int, cycles: int) -> list[tuple[str, Cell]]:
    made = [Cell(f"calibrated:turns={turns}", ENVIRONMENT, seed, cycles) for seed in range(count)]
    return [(cell_key(cell), cell) for cell in made]


def overhead(turns: int, folder: str) -> dict[str, Any]:
    """Returns seconds of lives in a score and of bare loops in turns with them."""
    lived: list[float] = []
    alone: list[float] = []
    since = time.perf_counter()

    def turn(result: CellResult, stored: bool) -> None:
        nonlocal since
        lived.append(time.perf_counter() - since)
        alone.append(bare(turns, PAIR_CYCLES))
        since = time.perf_counter()

    with Store(Path(folder) / "overhead") as store:
        live_cells(cells(turns, PAIRS + 1, PAIR_CYCLES), store, imports=["overhead"], on_cell=turn, on_tick=len)
    return {
        "turns": turns,
        "cycles_per_second": PAIR_CYCLES / statistics.median(alone),
        "score_seconds": lived[1:],
        "bare_seconds": alone[1:],
        "first_life_more_seconds": lived[0] - statistics.median(lived[1:]),
        "overhead": statistics.median(a / b for a, b in zip(lived[1:], alone[1:], strict=True)) - 1.0,
        "overhead_of_least": min(lived[1:]) / min(alone[1:]) - 1.0,
    }


def second_worker(turns: int) -> dict[str, Any]:
    """Returns wall seconds of whole scores with one and two workers, and of bare loops one by one and two at once."""
    seconds: dict[str, list[float]] = {name: [] for name in ("one worker", "two workers", "one loop", "two loops")}

    def take(name: str, call: Callable[[], object]) -> None:
        began = time.perf_counter()
        call()
        seconds[name].append(time.perf_counter() - began)

    def score(workers: int) -> None:
        with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "score") as store:
            live_cells(cells(turns, LIVES, LIFE_CYCLES), store, workers=workers, imports=["overhead"], on_tick=len)

    jobs = ([turns] * LIVES, [LIFE_CYCLES] * LIVES)
    with ProcessPoolExecutor(1, get_context("spawn")) as one, ProcessPoolExecutor(2, get_context("spawn")) as two:
        for pool in (one, two):
            list(pool.map(bare, [turns] * 4, [100] * 4))
        for _ in range(ROUNDS):
            take("one worker", lambda: score(1))
            take("two workers", lambda: score(2))
            take("one loop", lambda: list(one.map(bare, *jobs)))
            take("two loops", lambda: list(two.map(bare, *jobs)))
    ratios = {
        what: statistics.median(a / b for a, b in zip(seconds[f"one {what}"], seconds[f"two {what}s"], strict=True))
        for what in ("worker", "loop")
    }
    least = {what: min(seconds[f"one {what}"]) / min(seconds[f"two {what}s"]) for what in ratios}
    return {"seconds": seconds, "gain": ratios, "gain_of_least": least}


def storing(folder: str) -> dict[str, float]:
    """Returns seconds to store one result, and to read all of them."""
    rng = np.random.default_rng(0)
    template = CellResult(
        cell=Cell("random", ENVIRONMENT, 0, 10**5),
        cycles=10**5,
        average_reward=0.5,
        percept_hash=1,
        options={"depth": 8, "horizon": 5},
        versions=versions(),
        machine=machine(),
    )
    with Store(Path(folder) / "many") as store:
        began = time.perf_counter()
        for seed in range(STORED):
            cell = msgspec.structs.replace(template.cell, seed=seed)
            store.put(f"{seed:064x}", msgspec.structs.replace(template, cell=cell, curve=rng.bytes(256 * 24)))
        put = (time.perf_counter() - began) / STORED
    with Store(Path(folder) / "many", readonly=True) as store:
        began = time.perf_counter()
        found = store.get_many([f"{seed:064x}" for seed in range(STORED)])
        read = time.perf_counter() - began
    assert len(found) == STORED
    return {"results": STORED, "put_seconds": put, "get_many_seconds": read}


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    console = Console(width=110, highlight=False)
    turns = calibrate()
    with tempfile.TemporaryDirectory() as folder:
        record: dict[str, Any] = {"overhead": overhead(turns, folder), "store": storing(folder)}
    record["second_worker"] = second_worker(turns)
    marks: list[dict[str, Any]] = [
        {"what": "overhead at 1,000 cycles a second", "below": 0.05, "measured": record["overhead"]["overhead"]},
        {"what": "two workers to one", "at_least": 1.8, "measured": record["second_worker"]["gain_of_least"]["worker"]},
        {"what": "10,000 results read", "below": 0.5, "measured": record["store"]["get_many_seconds"]},
    ]
    for each in (*marks, record["second_worker"]["gain"], record["second_worker"]["gain_of_least"]):
        console.print(each)
    record |= {"marks": marks, "load_average": os.getloadavg()[0], "machine": machine(), "versions": versions()}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
