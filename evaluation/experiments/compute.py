"""Test-time compute: what does an agent earn that thinks longer, with one model that is learnt and then kept?

A model, of context trees or a network, learns from random play, and from then on it is only read and searched in, so
that more simulations change nothing but the plan (were it to learn on, they would change what it sees as well). The
search is rho-UCT with several C; beside it are searches without a tree: flat Monte-Carlo, and the best of N imagined
plans. Known curves rise with the logarithm of the budget until the model's quality is reached (Silver et al. 2017;
Jones 2021); a curve of one C alone measures that C as well.
"""

import time
from typing import Any

import msgspec

from aixi.agents.base import Agent
from aixi.environments import ENVIRONMENTS
from aixi.errors import InvalidValueError
from aixi.evaluation.experiments.frame import Estimate, Tell
from aixi.evaluation.experiments.thinkers import METHODS, Learner, Thinker
from aixi.evaluation.life import Life
from aixi.evaluation.provenance import machine, versions
from aixi.evaluation.world import World
from aixi.predictors.model import EnvironmentModel

CONSTANTS = (0.1, 0.3, 1.0, 3.0)
"""C of rho-UCT, on returns normalised by the reward range."""
_LIFE = 500_000  # seeds of the lives that are measured begin here


class Domain(msgspec.Struct, frozen=True, kw_only=True):
    """Where it is measured.

    Attributes:
        environment: its id.
        model: what learns, one of `aixi.evaluation.experiments.thinkers.MODELS`.
        depth: of context trees, in bits.
        horizon: cycles that the search looks ahead.
        learning: cycles of random play that the model learns from.
        cycles: of each life that is measured.
        budgets: simulations of a cycle.
    """

    environment: str
    model: str = "context trees"
    depth: int = 24
    horizon: int
    learning: int
    cycles: int
    budgets: tuple[int, ...]


DOMAINS = (
    Domain(
        environment="aixi/Tiger-v0",
        depth=24,
        horizon=4,
        learning=10_000,
        cycles=200,
        budgets=(1, 4, 16, 64, 256, 1024),
    ),
    Domain(
        environment="aixi/CheeseMaze-v0",
        depth=32,
        horizon=8,
        learning=10_000,
        cycles=100,
        budgets=(1, 4, 16, 64, 256, 1024),
    ),
    Domain(
        environment="aixi/Tiger-v0",
        model="transformer",
        horizon=4,
        learning=5_000,
        cycles=200,
        budgets=(1, 4, 16, 64, 256, 1024),
    ),
)


class ComputeRow(msgspec.Struct, kw_only=True):
    """What one search earns at one budget.

    Attributes:
        environment: its id.
        model: what learnt.
        method: of the search, one of `aixi.evaluation.experiments.thinkers.METHODS`.
        constant: C; None of a search without one.
        simulations: of a cycle.
        reward: a cycle, over seeds, each with its own model.
        value: the same, 0 what random actions earn and 1 the best known.
        milliseconds: CPU time of a cycle, the least of all seeds.
    """

    environment: str
    model: str
    method: str
    constant: float | None
    simulations: int
    reward: Estimate
    value: Estimate
    milliseconds: float


class Anchors(msgspec.Struct, kw_only=True):
    """What is known to be earned a cycle by random actions, the best constant action, and the best known agent."""

    environment: str
    random: float
    constant: float
    best: float


class ComputeResult(msgspec.Struct, kw_only=True):
    """What the experiment showed.

    Attributes:
        quick: whether it was run in a small way, to see that it runs.
        seeds: of models and lives.
        domains: where it was measured.
        anchors: of each.
        rows: by domain, search and budget.
        versions: of Python and the packages.
        machine: system, processor and cores.
    """

    quick: bool
    seeds: list[int]
    domains: list[Domain]
    anchors: list[Anchors]
    rows: list[ComputeRow]
    versions: dict[str, str]
    machine: dict[str, str | int]


def compute(*, quick: bool = False, seed: int = 0, on_step: Tell | None = None) -> ComputeResult:
    """Measures what searches earn as their budget grows.

    Args:
        quick: a small run, to see that it runs.
        seed: the first of five.
        on_step: see `Tell`; the number is the reward per cycle of the latest life.
    """
    seeds = list(range(seed, seed + (2 if quick else 5)))
    domains, constants = list(DOMAINS), list(CONSTANTS)
    if quick:
        domains = [msgspec.structs.replace(each, learning=200, cycles=20, budgets=(1, 4)) for each in DOMAINS[::2]]
        constants = [1.0]
    searches = [(METHODS[0], constant) for constant in constants] + [(method, None) for method in METHODS[1:]]
    rows = []
    for domain in domains:
        rewards: dict[Any, list[float]] = {}
        spent: dict[Any, list[float]] = {}
        for place, each in enumerate(seeds):
            model = learnt_model(domain, each)
            for method, constant in searches:
                for budget in domain.budgets:
                    extra = {} if constant is None else {"ucb_constant": constant}
                    thinker = Thinker(model, method, horizon=domain.horizon, simulations=budget, **extra)
                    began = time.process_time()
                    reward = _lived(thinker, domain.environment, _LIFE + each, domain.cycles)
                    key = method, constant, budget
                    rewards.setdefault(key, []).append(reward)
                    spent.setdefault(key, []).append(time.process_time() - began)
                    if on_step:
                        on_step(
                            f"{domain.environment}, {domain.model}, {method}, {budget} simulations",
                            place + 1,
                            len(seeds),
                            reward,
                        )
        anchors = _anchors(domain.environment)
        for (method, constant, budget), found in rewards.items():
            values = [(reward - anchors.random) / (anchors.best - anchors.random) for reward in found]
            rows.append(
                ComputeRow(
                    environment=domain.environment,
                    model=domain.model,
                    method=method,
                    constant=constant,
                    simulations=budget,
                    reward=Estimate.of(found),
                    value=Estimate.of(values),
                    milliseconds=1e3 * min(spent[method, constant, budget]) / domain.cycles,
                )
            )
    return ComputeResult(
        quick=quick,
        seeds=seeds,
        domains=domains,
        anchors=[_anchors(domain.environment) for domain in domains],
        rows=rows,
        versions=versions(),
        machine=machine(),
    )


def learnt_model(domain: Domain, seed: int) -> EnvironmentModel:
    """Returns a model that has learnt from random play, and learns no more."""
    learner = Learner(domain.model, domain.depth)
    _lived(learner, domain.environment, seed, domain.learning)
    return learner.learnt()


def _lived(agent: Agent, environment: str, seed: int, cycles: int) -> float:
    """Lets an agent live and returns its reward per cycle."""
    world = World(environment, seed, relabel=False, record=False)
    try:
        life = Life(agent, world, cycles, None, 0.0)
        life.live()
    finally:
        world.close()
    return life.average_reward


def _anchors(environment: str) -> Anchors:
    row = ENVIRONMENTS[environment]
    if row.random is None or row.constant is None or row.best is None:
        raise InvalidValueError(f"{environment} must declare what random, constant and best agents earn")
    return Anchors(environment=environment, random=row.random.value, constant=row.constant.value, best=row.best.value)
