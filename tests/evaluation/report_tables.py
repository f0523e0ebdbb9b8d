"""A hand-made table of scores, with whatever third parties may put into one."""

import msgspec

from aixi.evaluation.intervals import Interval
from aixi.evaluation.results import (
    AgentScore,
    EnvironmentScore,
    ExperiencePoint,
    Failure,
    Pair,
    ScoredEnvironment,
    ScoreResult,
    SeedValue,
    Sensitivity,
    Tuning,
)

NAMES = [
    "aixi/CoinFlip-v0",
    "aixi/Maze1D-v0",
    "aixi/CheeseMaze-v0",
    "aixi/Tiger-v0",
    "aixi/ExtendedTiger-v0",
    "aixi/Grid4x4-v0",
    "aixi/TicTacToe-v0",
    "aixi/BiasedRockPaperScissors-v0",
    "aixi/KuhnPoker-v0",
    "aixi/Pacman-v0",
    "FrozenLake-v1",
]
AGENTS = [
    "mc-aixi-ctw:depth=48,horizon=6,simulations=500",
    "mc-aixi-ctw",
    'third-party:path="a|b",quote=`x`,tag=<script>alert(1)</script>',
    "[red]markup[/]",
    "constant",
    "random",
]
BROKEN = NAMES[9]
ERROR = 'ValueError: got <img src="http://example.org/x.png"> & "so",\nand more'


def interval(mean, half, seeds=10):
    return Interval(mean, mean - half, mean + half, half, half / 2.26, seeds - 1, seeds, seeds >= 5)


def value_of(agent, environment, seed):
    """The value of a life: agents and environments differ by tenths, seeds by hundredths."""
    return (7 * agent + 11 * environment + agent * environment) % 17 / 10 - 0.4 + 0.01 * seed


def table(agents=AGENTS, seeds=10, broken=BROKEN, **changes):
    """A score result in which every number is another one."""
    weights = [0.0 if name == broken else 2.0**-k for k, name in enumerate(NAMES)]
    weights = [weight / sum(weights) for weight in weights]
    environments = {
        name: ScoredEnvironment(
            summary=f"world number {k}",
            tags=("memory", "game") if k % 2 else ("stochastic",),
            cycles=1000 * (k + 1),
            description_bits=1200.5 + 100 * k,
            description_hash=f"{k:064x}",
            lengths={
                f"{coder}/{charging}": 1200.5 + 90 * k for coder in ("mixture", "lzma") for charging in ("all", "code")
            },
            engines=["toy engine 2.1"] if k == 4 else [],
            anchors={"random": -0.5 - k, "constant": 0.25 * k, "best": 1.5 + k},
            sources={"random": "exact", "constant": "exact", "best": f"Nobody (20{k:02}), <table> 2"},
            constant_value=0.01 * k - 0.05,
            weights={"tempered": weights[k], "uniform": 0.0 if name == broken else 0.1},
            excluded="EnvironmentFaultError: <b>no</b> observation" if name == broken else None,
        )
        for k, name in enumerate(NAMES)
    }
    rows = {}
    for a, agent in enumerate(agents):
        cells = {}
        for e, name in enumerate(NAMES):
            lives = [SeedValue(s, value_of(a, e, s), 0.1 * s, 1.25, 4_000_000_000 + s, 2.5, None) for s in range(seeds)]
            mean = sum(life.value for life in lives) / seeds
            if (a, name) == (0, broken):
                lives[0].value, lives[0].error = None, "EnvironmentFaultError: <b>no</b> observation"
            if (a, e) == (1, 3):
                lives[-1].error = ERROR
            cells[name] = EnvironmentScore(
                mean=mean,
                value=interval(mean, 0.04, seeds) if seeds > 1 else None,
                range_value=0.5 + mean / 10,
                average_reward=mean * 3,
                bits_per_percept=1.25,
                contribution=weights[e] * mean,
                curve=[(2**k, mean * k / 10) for k in range(3, 11)],
                seeds=lives,
            )
        score = sum(weights[e] * cells[name].mean for e, name in enumerate(NAMES))
        rows[agent] = AgentScore(
            options={"depth": 48, "style": "<i>"},
            mean=score,
            score=interval(score, 0.03 + 0.01 * a, seeds) if seeds > 1 else None,
            wide=interval(score, 0.2, seeds) if seeds > 1 else None,
            scores={"tempered": score, "uniform": score / 2},
            interquartile_mean=score + 0.011,
            interquartile_interval=interval(score + 0.011, 0.055, seeds) if seeds > 1 else None,
            optimality_gap=0.4,
            rank=(a + 1.0, a + 2.5) if len(agents) > 1 else None,
            acceptability=0.5**a if len(agents) > 1 else None,
            profile=[1.0, 0.75 - 0.1 * a, 0.0],
            curve=[ExperiencePoint(2.0**-k, interval(score / (k + 1), 0.05, seeds)) for k in (7, 4, 1, 0)]
            if seeds > 1
            else [],
            tags={"memory": score / 3, "stochastic": -score / 4},
            failures=int(a == 1),
            cycles=1_234_567 + a,
            seconds=75.0,
            model_bits=3.2e9,
            tuning=Tuning(suite="tuning v1", configurations=24, cells=480, cycles=12_500, seconds=3.0)
            if a == 0
            else None,
            environments=cells,
        )
    pairs = [
        Pair(
            first=one,
            second=two,
            difference=interval(rows[one].mean - rows[two].mean, 0.07, seeds) if seeds > 1 else None,
            environments={
                name: interval(rows[one].environments[name].mean - rows[two].environments[name].mean, 0.1, seeds)
                if seeds > 1
                else None
                for name in NAMES
            },
            improvement=0.61,
            dominates=False,
            swap=0.123,
        )
        for k, one in enumerate(agents)
        for two in agents[k + 1 :]
    ]
    scores = [[0.9 - 0.1 * a for a in range(len(agents))], [0.1 * a for a in range(len(agents))]]
    result = ScoreResult(
        suite="core",
        suite_version=3,
        summary="eleven worlds",
        temperature=400.0,
        effective_numbers={"tempered": 3.04, "uniform": 10.0},
        seeds=list(range(seeds)),
        thresholds=[-0.5, 0.25, 1.0],
        environments=environments,
        agents=rows,
        pairs=pairs,
        sensitivity=Sensitivity(
            settings=["mixture/all 2", "uniform", "lzma/all 2"],
            scores=[scores[0], scores[1], scores[0]],
            tau=[[1.0, -1.0, 1.0], [-1.0, 1.0, -1.0], [1.0, -1.0, 1.0]],
            without={NAMES[0]: scores[1]},
        ),
        failures=[Failure(agents[min(1, len(agents) - 1)], NAMES[3], seeds - 1, 777, "agent", ERROR)],
        precision=0.07,
        seconds=66.0,
        command="aixi score 'mc-aixi-ctw:depth=48' \"<x>\" --store run.sqlite",
        versions={"python": "3.11.2", "aixi": "0.1.0"},
        machine={"system": "Linux", "processor": "Toy & Co", "cores": 2},
        machines=["Linux, Toy & Co, 2 cores"],
    )
    return msgspec.structs.replace(result, **changes)


def read(text):
    """The number that a text shows, None for a dash."""
    return None if text == "–" else float(text.replace("−", "-").replace(",", ""))
