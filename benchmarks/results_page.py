"""Writes `docs/results.md` from the raw results: every figure there comes from a file in `benchmarks/results/`.

python benchmarks/results_page.py
"""

import argparse
import itertools
import json
import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import Any

COVERAGES = ("coverage", "student", "percentile_bootstrap")
RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).parents[1] / "docs" / "results.md"


def table(head: str, rows: Iterable[Iterable[Any]]) -> str:
    """Returns a Markdown table; `head` holds the columns' names between bars."""
    columns = head.split("|")
    lines = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    return "\n".join([*lines, *(f"| {' | '.join(str(cell) for cell in row)} |" for row in rows)])


def load(name: str) -> Any:
    return json.loads((RESULTS / f"{name}.json").read_text())


def origin(result: dict[str, Any]) -> str:
    machine, versions = result["machine"], result["versions"]
    listed = ", ".join(f"{name} {version}" for name, version in versions.items())
    return f"*{machine['processor']}, {machine['cores']} cores; {listed}.*"


def learning() -> str:
    domains = load("learning")["domains"]
    rows = []
    for name, found in domains.items():
        paper = found["settings"]["paper"]
        experience, simulations = found["settings"]["cycles"][0], found["settings"]["train"]["simulations"]
        rows.append(
            (
                name.removesuffix("-v0"),
                f"{experience:,}",
                simulations,
                found["settings"]["evaluate"]["simulations"],
                f"{found['reward']:.4f}",
                f"{found['optimum']:.4f}",
                f"{found['normalised']:.3f}",
                f"**{found['lower_bound_95']:.3f}**",
                found["needed"],
                "yes" if found["reached"] else "**no**",
                f"{found['true_model_normalised']:.3f}",
                f"{paper[1]:.2f} ({paper[0]:,})" if paper else "–",
            )
        )
    head = (
        "domain|cycles learnt|simulations then|simulations now|reward|optimum|value|95 % bound|needed|reached"
        "|true model|paper's reward (cycles)"
    )
    return f"{table(head, rows)}\n\n{origin(next(iter(domains.values())))} Seeds 0 to 4."


def curves() -> str:
    rows, found = [], {}
    for path in sorted(RESULTS.glob("curve-*.json")):
        found = json.loads(path.read_text())
        points = found["points"]
        edges = [round(tenth * len(points) / 10) for tenth in range(11)]
        means = [
            sum(point["reward"] for point in points[start:end]) / (end - start)
            for start, end in itertools.pairwise(edges)
        ]
        rows.append(
            (
                found["environment"],
                f"{points[-1]['cycle']:,}",
                f"{found['cpu_seconds'] / 60:.0f}",
                ", ".join(f"{mean:.2f}" for mean in means),
                f"{found['anchors']['random']:.2f}",
                f"{found['anchors']['best']:.2f}",
            )
        )
    return (
        f"{table('domain|cycles|CPU minutes|reward by tenths of the life|random|best known', rows)}\n\n{origin(found)}"
    )


def exploration() -> str:
    found = load("exploration")
    parts = []
    for domain in dict.fromkeys(cell["domain"] for cell in found["cells"]):
        cells = [cell for cell in found["cells"] if cell["domain"] == domain]
        budgets = list(dict.fromkeys(cell["simulations"] for cell in cells))
        rows = [
            (
                constant,
                *(
                    f"{sum(cell['rewards']) / len(cell['rewards']):.2f}"
                    for budget in budgets
                    for cell in cells
                    if (cell["C"], cell["simulations"]) == (constant, budget)
                ),
            )
            for constant in dict.fromkeys(cell["C"] for cell in cells)
        ]
        head = "|".join([f"{domain}: C", *(f"{budget} simulations" for budget in budgets)])
        parts.append(table(head, rows))
    return "\n\n".join([*parts, origin(found)])


def marks(name: str) -> str:
    found = load(name)
    rows = []
    for mark in found["marks"]:
        kind, bound = next(
            (key.replace("_", " "), mark[key]) for key in ("at_least", "at_most", "below") if key in mark
        )
        rows.append((mark["what"], f"{kind} {bound:g}", f"{mark['measured']:.3g}"))
    return f"{table('what|mark|measured', rows)}\n\n{origin(found)}"


def speeds() -> str:
    rows = []
    for cell in load("predictors")["cells"]:
        speed, ratios = cell["speeds"], cell["ratios"]
        rows.append(
            (
                cell["depth"],
                f"{cell['bits']:,}",
                f"{speed['aixi']['update'] / 1e6:.2f}",
                f"{speed['aixi']['rewound'] / 1e6:.2f}",
                f"{ratios['aixi / C plain']['update']:.2f}",
                f"{ratios['aixi / C compressed']['update']:.2f}",
                f"{ratios['aixi / pyaixi']['update']:.0f}" if "aixi / pyaixi" in ratios else "–",
                cell["nodes"],
            )
        )
    head = "depth|bits|update, Mbit/s|update + rewind, Mbit/s|to C plain|to C compressed|to pyaixi (update)|nodes"
    return table(head, rows)


def searches() -> str:
    found = load("planner")["simulations_per_second"]
    rows = [(name, f"{speed['agent']:,.0f}", f"{speed['search']:,.0f}") for name, speed in found.items()]
    return table("domain, 50 simulations a cycle|simulations/s, whole agent|simulations/s, search alone", rows)


def scores() -> str:
    from aixi.evaluation.cells import rescore

    result = rescore(Path(__file__).parents[1] / "evaluation" / "reference" / "core.sqlite", "core", reference=False)
    agents = [
        (
            agent,
            f"{row.mean:.3f}",
            f"{row.score.low:.3f} to {row.score.high:.3f}" if row.score else "",
            *(f"{row.scores[name]:.3f}" for name in ("literal", "strata", "uniform") if row.scores[name] is not None),
            f"{row.interquartile_mean:.3f}",
            f"{row.seconds / 60:.1f}",
        )
        for agent, row in result.agents.items()
    ]
    values = [
        (
            name,
            f"{environment.description_bits:,.1f}",
            f"{environment.weights['tempered']:.3f}",
            f"{environment.constant_value:.3f}",
            *(f"{row.environments[name].mean:.3f}" for row in result.agents.values()),
        )
        for name, environment in result.environments.items()
    ]
    head = "agent | score | 95 % | literal | strata | uniform | interquartile mean | minutes"
    second = f"environment | K, bits | weight | best constant | {' | '.join(result.agents)}"
    seeds = f"{len(result.seeds)} seeds, {', '.join(result.machines)}."
    return f"{table(head, agents)}\n\n{table(second, values)}\n\n{seeds}"


def coverage() -> str:
    result = load("interval_coverage")
    rows = [
        (row["design"], row["environments"], row["seeds"], *(f"{100 * row[key]:.1f}" for key in COVERAGES))
        for row in (*result["fixed_seeds"], *result["one_environment"])
    ]
    stopped = [
        (row["design"], f"{row['precision_over_deviation']:g}", f"{row['stages']:.1f}", f"{100 * row['coverage']:.1f}")
        for row in result["stopped"]
    ]
    found = result["interquartile_mean"]
    seeds = list(dict.fromkeys(row["seeds"] for row in found))
    middle = [
        (
            design,
            f"0 to {levels:g}" if levels else "alike",
            *(f"{100 * row['coverage']:.1f}" for row in found if (row["design"], row["levels"]) == (design, levels)),
        )
        for design, levels in dict.fromkeys((row["design"], row["levels"]) for row in found)
    ]
    head = "values|environments|seeds|ours|Student's t|percentile bootstrap"
    second = "values|half-width wanted, in standard deviations of a seed's score|looks|ours"
    third = f"interquartile mean of values|levels of environments|{'|'.join(f'{count} seeds' for count in seeds)}"
    return f"{table(head, rows)}\n\n{table(second, stopped)}\n\n{table(third, middle)}\n\n{origin(result)}"


def baselines() -> str:
    """Returns what agents to compare with have learnt, and that one of Stable-Baselines3 is the same as by itself."""
    found, native = load("baselines"), load("baselines_sb3")
    rows = []
    for cell in found["cells"]:
        greedy = [run["greedy"] for run in cell["runs"]]
        learning = statistics.mean(run["learning"] for run in cell["runs"])
        speed = statistics.median(run["cycles_per_cpu_second"] for run in cell["runs"])
        rows.append(
            (
                cell["environment"],
                f"`{cell['agent']}`",
                f"{learning:.4f}",
                f"**{cell['mean_greedy']:.4f}**",
                f"{min(greedy):.4f} to {max(greedy):.4f}",
                "–" if cell["wanted"] is None else f"{cell['wanted']:g}",
                f"{speed:,.0f}",
            )
        )
    seeds = len(found["cells"][0]["runs"])
    settings = found["settings"]
    head = "environment|agent|reward while learning|reward, greedy|over seeds|wanted|cycles per CPU second"
    second = "seed|cycles|weights equal|as an agent, CPU s|by itself, CPU s"
    lives = [
        (
            cell["seed"],
            f"{cell['cycles']:,}",
            "yes" if cell["equal"] else "**no**",
            f"{cell['cpu_s']:.1f}",
            f"{cell['native_cpu_s']:.1f}",
        )
        for cell in native["cells"]
    ]
    return (
        f"{table(head, rows)}\n\n{origin(found)} {seeds} seeds; {settings['learning']:,} cycles of learning, then "
        f"{settings['evaluation']:,} without.\n\nPPO of Stable-Baselines3 in CartPole-v1, as an agent of this package "
        f"and by its own `learn`:\n\n{table(second, lives)}\n\n{origin(native)}"
    )


def runner() -> str:
    again = load("rescoring")
    seconds = statistics.median(again["wall_seconds"])
    return f"{marks('overhead')}\n\nA table of {again['cells']:,} stored lives takes {seconds:.2f} s."


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    PAGE.write_text(
        f"""# Results

Made by `benchmarks/results_page.py` from `benchmarks/results/`; each section names the script behind it. Speeds are of
one noisy two-core machine: quote ratios, which come from interleaved runs.

## Learning

`benchmarks/learning.py`. MC-AIXI-CTW after training, exploration off and learning on. Value is 0 at the best constant
action and 1 at the exact optimum; at the coin flip, where the two are one, it is the reward. The bound is one-sided,
over five seeds. The true model is the same planner over an exact filter of the environment, at the same budget.

Extended tiger misses its mark. Two of five lives stay at the constant action's value. In the one that was looked at
the agent, sitting, tries doors for ever: that costs 1 a cycle, no more than listening does, and is safe, while the plan
that pays takes four cycles, of which a wrong one costs 100. The history then holds nothing else, and the model learns
nothing that would call it away.

{learning()}

`benchmarks/long_curves.py`. One life each, an hour by the clock on a machine shared with other work, at 200 simulations
a cycle.

{curves()}

## Scores of the suite core

`benchmarks/reference.py`; the lives come with the package. One configuration of each agent, the default one.

{scores()}

## Agents to compare with

`benchmarks/baselines.py`. Average reward per cycle of tabular agents, while they learn and then, with what they have
learnt kept as it is, greedy.

{baselines()}

## How often intervals hold

`benchmarks/interval_coverage.py`. Share of simulated scores, in per cent, whose 95 % interval holds the true one. Ours
is Student's with Hall's correction for skewness. It does not hold where few seeds show nothing of a rare failure: see
one environment whose agent is stuck in 1 of 10 lives.

{coverage()}

## What the runner costs

`benchmarks/overhead.py`, `benchmarks/rescoring.py`.

{runner()}

## What C does

`benchmarks/exploration.py`. The planner over the true model, average reward per cycle.

{exploration()}

## Speed of predictors

`benchmarks/predictors.py`. Ratios to a C reference compiled with `gcc -O3 -march=native`, plain (a node a level) and
path-compressed, and to pyaixi. pyaixi does not update the leaf at small depths, so its ratio is fair at depth 96 only.

{speeds()}

{marks("predictors")}

## Speed of search

`benchmarks/planner.py`. After 1,000 cycles of learning, with the paper's depths, horizons and codes.

{searches()}

{marks("planner")}
"""
    )


if __name__ == "__main__":
    main()
