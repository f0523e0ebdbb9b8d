"""How fast does MC-AIXI-CTW search?

    python benchmarks/planner.py [--prototype numba_fac.py]

Simulations per second with the model as learnt in 1,000 cycles: of the whole agent, which acts, steps its
environment and learns, and of its searches alone; the planner's share of a search; and what a second thread gains.
`--prototype` names a program to compare with, one fused kernel of search and model, on tiger and cheese maze.

What is compared runs in turns on processor time (on the wall's clock where threads are), and ratios are medians
over pairs, because a machine's pace drifts. Writes `benchmarks/results/planner.json`.
"""

import argparse
import importlib.util
import json
import math
import os
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from learning import born, live
from logged_model import LoggedModel, replay
from rich.console import Console
from rich.table import Table

from aixi.agents.base import RewardRange
from aixi.agents.mc_aixi import MCAIXICTW
from aixi.agents.percepts import ActionCodec, PerceptCodec
from aixi.agents.planning import RewardCode, RhoUCT
from aixi.environments import ENVIRONMENTS
from aixi.evaluation.provenance import machine, versions
from aixi.predictors.factored import FactoredContextTreeModel
from aixi.predictors.model import call
from aixi.state import State

RESULTS = Path(__file__).parent / "results" / "planner.json"
SIMULATIONS, TRAINING, SEED = 50, 1000, 0
PAIRS, PAIR_CYCLES = 15, 60
PROCESSES = 7
WARM = 5  # searches before the clock counts: they compile, and take the room that is kept
DOMAINS: dict[str, dict[str, Any]] = {
    "CoinFlip-v0": {"depth": 4, "horizon": 6, "exploration": 0.1, "exploration_decay": 0.995},
    **{name: MCAIXICTW.preset(f"aixi/{name}") for name in ("KuhnPoker-v0", "Tiger-v0", "CheeseMaze-v0")},
}
PROTOTYPE = {"Tiger-v0": "tiger", "CheeseMaze-v0": "cheese"}
"""What the prototype calls a domain."""
SHARED = {"simulations": SIMULATIONS, "ucb_constant": math.sqrt(2.0)}  # as in the prototype


class Life:
    """An agent in its environment, from whose present state searches can be repeated."""

    def __init__(self, domain: str, **options: Any) -> None:
        self.settings = DOMAINS[domain] | SHARED | options
        self.agent = MCAIXICTW(**self.settings)
        self.env = born(self.agent, domain, SEED, 0)
        names = ("observation_bits", "reward_bits", "reward_offset")
        codes: dict[str, Any] = {name: self.settings.get(name) for name in names}
        self.rewards = RewardRange.finite(*ENVIRONMENTS[f"aixi/{domain}"].rewards)
        self.codec = PerceptCodec(self.env.observation_space, self.rewards, **codes)
        self.go(TRAINING)
        self.agent.exploration = 0.0

    def go(self, cycles: int) -> float:
        """Lives on and returns the processor time it took, in seconds."""
        start = time.process_time()
        live(self.agent, self.env, cycles)
        return time.process_time() - start

    def model(self, state: State) -> FactoredContextTreeModel:
        """Returns a model in a state of the agent."""
        actions = ActionCodec(self.env.action_space).count
        model = FactoredContextTreeModel(actions, self.codec.percept_bits, depth=self.settings["depth"])
        model.load_state_dict(state["models"][0])
        return model

    def planner(self, state: State | None = None, **options: Any) -> RhoUCT:
        """Returns a planner as the agent's; in a state of the agent, or of an empty tree."""
        code = RewardCode(
            np.array([self.codec.observation_bits, self.codec.reward_bits], np.int64),
            self.codec.rewards.table,
            self.codec.rewards.valid,
        )
        budget = {"horizon": self.settings["horizon"], "simulations": self.settings["simulations"]} | options
        planner = RhoUCT(
            ActionCodec(self.env.action_space).count,
            self.codec.percept_bits,
            code,
            self.rewards,
            np.random.SeedSequence(SEED),
            ucb_constant=self.settings["ucb_constant"],
            **budget,
        )
        if state is not None:
            planner.load_state_dict(state["planner"])
        return planner


def timed(clock: Callable[[], float], function: Callable[..., Any], *arguments: Any) -> tuple[float, Any]:
    """Returns the seconds that a call took, and what it returned."""
    start = clock()
    result = function(*arguments)
    return clock() - start, result


def speeds(domain: str) -> dict[str, Any]:
    """Returns simulations per second of the whole agent and of its searches alone."""
    life = Life(domain)
    agent, alone = [], []
    for _ in range(PAIRS):
        agent.append(life.go(PAIR_CYCLES) / PAIR_CYCLES)
        state = life.agent.state_dict()
        model, planner = life.model(state), life.planner(state)
        planner.search([model])  # takes the room it needs
        planner.load_state_dict(state["planner"])
        alone.append(timed(time.process_time, planner.search, [model])[0])
    return {
        "agent": SIMULATIONS / statistics.median(agent),
        "search": SIMULATIONS / statistics.median(alone),
        "cycles": 1.0 / statistics.median(agent),
    }


def overhead(simulations: int) -> dict[str, Any]:
    """Returns the planner's share of a search in tiger, 1 - time of the model's calls / time of the search.

    A life goes on from the agent's state. Each of its searches is run three times from equal states: once with
    every call to the model written down, once timed, and once as those calls alone, which must draw the same
    percepts.
    """
    life = Life("Tiger-v0", simulations=simulations)
    horizon = life.settings["horizon"]
    state = life.agent.state_dict()
    model, planner = life.model(state), life.planner(state)
    shares, searching, replaying = [], [], []
    for pair in range(3 * PAIRS + WARM):
        now = {"planner": planner.state_dict()}
        logged = LoggedModel(model, simulations * horizon)
        witness = life.planner(now).search([logged])
        actions, percepts, _ = logged.log
        words, drawn = np.zeros(1, np.uint64), np.zeros_like(percepts)
        rng = now["planner"]["workers"][0]["model_rng"]
        search = (planner.search, [model])
        again = (call, replay, model.compiled, rng, words, actions, horizon, drawn)
        if pair % 2:  # which goes first changes with every pair
            search_time, result = timed(time.process_time, *search)
            replay_time, _ = timed(time.process_time, *again)
        else:
            replay_time, _ = timed(time.process_time, *again)
            search_time, result = timed(time.process_time, *search)
        if not np.array_equal(drawn, percepts) or not np.array_equal(result.visits, witness.visits):
            raise SystemExit("the replay must draw the percepts of the search, and did not: nothing was measured")
        if pair >= WARM:
            searching.append(search_time)
            replaying.append(replay_time)
            shares.append(1.0 - replay_time / search_time)
        observation, reward, *_ = life.env.step(np.int64(result.action))
        percept = life.codec.encode(observation, float(reward))
        model.condition(result.action)
        model.update(percept)
        planner.advance(result.action, percept)
    return {
        "simulations": simulations,
        "search_seconds": statistics.median(searching),
        "replay_seconds": statistics.median(replaying),
        "overhead": statistics.median(shares),
        "quartiles": [float(q) for q in np.quantile(shares, (0.25, 0.75))],
    }


def second_thread(simulations: int) -> dict[str, Any]:
    """Returns what two root-parallel searches gain over one of as many simulations, in tiger from an empty tree."""
    life = Life("Tiger-v0", simulations=simulations)
    state = life.agent.state_dict()
    one, two = life.model(state), [life.model(state) for _ in range(2)]
    wall, work = [], []
    for pair in range(PAIRS + 1):
        single, double = life.planner(), life.planner(threads=2)
        for planner, models in ((single, [one]), (double, two)):
            planner.search(models)  # starts the threads, and takes the room it needs
            planner.forget()
        start = time.process_time()
        single_wall, _ = timed(time.perf_counter, single.search, [one])
        between = time.process_time()
        double_wall, _ = timed(time.perf_counter, double.search, two)
        end = time.process_time()
        if pair:
            wall.append(single_wall / double_wall)
            work.append((end - between) / (between - start))
    return {
        "simulations": simulations,
        "speedup": statistics.median(wall),
        "best": max(wall),
        "work": statistics.median(work),
    }


def prototype_life(path: Path, domain: str) -> Callable[[int, float, float], float]:
    """Returns a function that runs the prototype for cycles, exploration and its decay, and returns seconds."""
    spec = importlib.util.spec_from_file_location("prototype", path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"--prototype must be a Python file, got {path}")
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    number, actions, action_bits, observation_bits, reward_bits, low, high, depth, horizon, _, _ = module.DOM[
        PROTOTYPE[domain]
    ]
    width = observation_bits + reward_bits
    cycles = 2 * TRAINING + (PAIRS + 2) * PAIR_CYCLES
    model = module.alloc(
        2 * cycles * width + 4 * horizon * width + 1000,
        (cycles + horizon) * (width + action_bits) + 1024,
        (depth + width + 40) * width * (horizon + 1),
    )
    model[3][:2] = 512, 1 + width  # zeros before the history, and the first free node
    settings = np.array([actions, action_bits, observation_bits, reward_bits, depth, horizon, SIMULATIONS, 0], np.int64)
    room = SIMULATIONS * (horizon + 1) + 10
    whole, real, small = (np.zeros(room, kind) for kind in (np.int64, np.float64, np.int32))
    world = np.zeros(8, np.int64)
    if number == 2:  # the cheese maze begins in a corner
        world[:2] = 1
    rest = [
        settings,
        np.array([88172645463325252], np.uint64),
        np.zeros(400, np.int64),
        np.zeros(400),
        np.zeros(400),
        module.INV,
        module.P2,
        np.zeros((width * (horizon + 2), 2), np.int64),
        whole,
        real,
        np.zeros((room, actions), np.int32),
        whole.copy(),
        small,
        whole.copy(),
        real.copy(),
        small.copy(),
        np.zeros(4, np.int64),
        float(low),
        float(high),
        SHARED["ucb_constant"],
    ]

    def go(cycles: int, exploration: float, decay: float) -> float:
        arguments = (number, world, cycles, exploration, decay, True, *model, *rest)
        return timed(time.process_time, module.run_cycles, *arguments)[0]

    return go


def against_prototype(path: Path, domain: str) -> dict[str, Any]:
    """Returns how many times the prototype's pace the agent has, both at equal settings and equal age."""
    theirs = prototype_life(path, domain)
    theirs(TRAINING, DOMAINS[domain]["exploration"], DOMAINS[domain]["exploration_decay"])
    lives = {"fresh tree": Life(domain, reuse_tree=False), "kept tree": Life(domain)}
    seconds: dict[str, list[float]] = {name: [] for name in ("prototype", *lives)}
    for pair in range(PAIRS + 1):
        taken = {"prototype": theirs(PAIR_CYCLES, 0.0, 1.0)}
        taken |= {name: life.go(PAIR_CYCLES) for name, life in lives.items()}
        if pair:
            for name, time_taken in taken.items():
                seconds[name].append(time_taken)
    searched = PAIR_CYCLES * SIMULATIONS
    result: dict[str, Any] = {name: searched / statistics.median(times) for name, times in seconds.items()}
    for name in lives:
        ratios = [a / b for a, b in zip(seconds["prototype"], seconds[name], strict=True)]
        result[f"ratio, {name}"] = statistics.median(ratios)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prototype", type=Path, metavar="PATH")
    arguments = parser.parse_args()
    console = Console(width=110, highlight=False)
    record: dict[str, Any] = {
        "settings": {name: DOMAINS[name] | SHARED for name in DOMAINS},
        "seed": SEED,
        "training_cycles": TRAINING,
        "pairs": PAIRS,
    }
    record["simulations_per_second"] = {domain: speeds(domain) for domain in DOMAINS}
    table = Table("domain", "agent", "search alone", "cycles/s", title="simulations per second")
    for domain, found in record["simulations_per_second"].items():
        table.add_row(domain, f"{found['agent']:.3g}", f"{found['search']:.3g}", f"{found['cycles']:.0f}")
    console.print(table)
    # Where its arrays happen to lie moves a process's overhead by a few hundredths: the median over processes.
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as pool:
        record["overhead"] = list(pool.map(overhead, [500] * PROCESSES))
    share = statistics.median(found["overhead"] for found in record["overhead"])
    marks: list[dict[str, Any]] = [{"what": "planner overhead, tiger", "below": 0.1, "measured": share}]
    record["second_thread"] = [second_thread(simulations) for simulations in (500, 5000)]
    for found in record["second_thread"]:
        console.print("two threads:", {name: round(value, 3) for name, value in found.items()})
    if arguments.prototype:
        record["prototype"] = {domain: against_prototype(arguments.prototype, domain) for domain in PROTOTYPE}
        for domain, found in record["prototype"].items():
            console.print(domain, {name: float(f"{value:.4g}") for name, value in found.items()})
            measured = found["ratio, fresh tree"]
            marks.append({"what": f"agent to prototype, {domain}", "at_least": 1.3, "measured": measured})
    for each in marks:
        console.print(each)
    record |= {"marks": marks, "load_average": os.getloadavg()[0], "machine": machine(), "versions": versions()}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
