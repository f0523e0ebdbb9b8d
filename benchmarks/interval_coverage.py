"""How often the intervals hold: share of simulated samples whose 95 % interval contains the true score.

    python benchmarks/interval_coverage.py [--interquartile]

Values of each environment are drawn from distributions as bounded rewards show them: bell-shaped, one-sided, stuck in
two of five lives or one of ten, or all of that mixed; weights are tempered, eleven environments, of which 5.5
count in effect. Beside the intervals of the package stand those of Student, of Johnson (1978), of Hall (1992) as it is
and of the percentile bootstrap, and how often each is trustworthy by its own word. The intervals of the interquartile
mean come with environments that are alike and with such whose levels differ, since what it leaves out is then something
else. Writes `benchmarks/results/interval_coverage.json`, and prints the table of docs/scores.md; with `--interquartile`
that section alone is made anew.
"""

import argparse
import json
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aixi.evaluation.aggregates import interquartile_mean, interquartile_mean_interval
from aixi.evaluation.allocation import PILOT, next_seeds
from aixi.evaluation.intervals import (
    paired_difference,
    score_interval,
    score_interval_environments,
    student_t_quantile,
)
from aixi.evaluation.provenance import machine, versions
from aixi.evaluation.weights import effective_number, solve_temperature, strata_of, tempered

RESULTS = Path(__file__).parent / "results" / "interval_coverage.json"
SEED = 20260
SAMPLES = 10_000
STOPPED = 3_000
BOOTSTRAPPED = 1_000
POPULATION = 200_000  # lives of an environment that the true interquartile mean is taken from
LENGTHS = (1500, 1760, 2000, 2200, 2536, 2800, 3000, 3300, 3536, 4200, 5200)
SEEDS = (5, 10, 20)
SEEDS_ALONE = (5, 10, 20, 27, 30)
PRECISIONS = (1.0, 0.6, 0.4)  # half-width wanted, over the standard deviation of one seed's sum
MOST_SEEDS = 120

Array = NDArray[np.float64]
Draw = Callable[[np.random.Generator, tuple[int, ...]], Array]  # [..., environments, seeds] of mean 0


def _exponential(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return 1 - rng.exponential(size=shape)


def _stuck(chance: float) -> Draw:
    def draw(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        return (rng.random(shape) < 1 - chance) - (1 - chance) + 0.05 * rng.standard_normal(shape)

    return draw


def _beta(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return rng.beta(6, 0.8, shape) - 6 / 6.8


def _mixed(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """One-sided either way and stuck, of spreads from nothing to three tenths; the heaviest are the widest."""
    spreads = np.array([0.3, 0.02, 0.01, 0.25, 0.0, 0.05, 0.1, 0.02, 0.3, 0.3, 0.1])[:, None]
    kind = np.arange(shape[-2])[:, None] % 3
    shapes = np.where(kind == 0, _exponential(rng, shape), -_exponential(rng, shape))
    return spreads[: shape[-2]] * np.where(kind == 1, _stuck(0.2)(rng, shape) / 0.4, shapes)


def _common(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """A seed that is bad is so everywhere."""
    return 0.1 * _exponential(rng, (*shape[:-2], 1, shape[-1])) + 0.15 * _exponential(rng, shape)


DESIGNS: dict[str, Draw] = {
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "exponential": _exponential,
    "stuck in 2 of 5": _stuck(0.4),
    "stuck in 1 of 10": _stuck(0.1),
    "beta(6, 0.8)": _beta,
    "mixed": _mixed,
    "common to a seed": _common,
}


def _holds(interval: Any, truth: float) -> bool:
    return bool(interval.low <= truth <= interval.high)


def rivals(values: Array, weights: Array) -> dict[str, float]:
    """Returns the coverage of other intervals of the same values, float64[samples, environments, seeds]."""
    count = values.shape[2]
    sums = np.einsum("e,res->rs", weights, values)
    quantile = student_t_quantile(0.975, count - 1)
    error = sums.std(axis=1, ddof=1) / math.sqrt(count)
    studentised = sums.mean(axis=1) / error
    weighted = (values - values.mean(axis=2, keepdims=True)) * weights[:, None]
    second, third = ((weighted**power).mean(axis=2).sum(axis=1) for power in (2, 3))
    skewness = third / second**1.5 / math.sqrt(count)
    hall = studentised + skewness * studentised**2 / 3 + skewness**2 * studentised**3 / 27 + skewness / 6
    johnson = studentised + skewness / 6
    return {
        name: float(np.mean(np.abs(found) <= quantile))
        for name, found in (("student", studentised), ("johnson", johnson), ("hall", hall))
    }


def fixed_seeds(rng: np.random.Generator, weights: Array, seeds: Sequence[int]) -> list[dict[str, Any]]:
    """Returns the coverage with so many seeds in every environment."""
    rows = []
    for name, draw in DESIGNS.items():
        for count in seeds:
            values = draw(rng, (SAMPLES, len(weights), count))
            found = [score_interval(table, weights) for table in values]
            sums = np.einsum("e,res->rs", weights, values)
            student = student_t_quantile(0.975, count - 1) * sums.std(axis=1, ddof=1) / math.sqrt(count)
            means = np.sort(sums[:BOOTSTRAPPED, rng.integers(0, count, (500, count))].mean(axis=2), axis=1)
            rows.append(
                {
                    "design": name,
                    "environments": len(weights),
                    "seeds": count,
                    "coverage": float(np.mean([_holds(interval, 0.0) for interval in found])),
                    "trustworthy": all(interval is not None and interval.trustworthy for interval in found),
                    "width_over_student": float(np.mean([i.half for i in found if i]) / student.mean()),
                    **rivals(values, weights),
                    "percentile_bootstrap": float(np.mean((means[:, 12] <= 0) & (means[:, 487] >= 0))),
                }
            )
            print("fixed", rows[-1], flush=True)
    return rows


def stopped(rng: np.random.Generator, weights: Array) -> list[dict[str, Any]]:
    """Returns the coverage after lives stop when the paired difference of two agents is tight enough."""
    rows = []
    costs = np.linspace(1.0, 3.0, len(weights))
    for name, draw in DESIGNS.items():
        scale = float(np.einsum("e,es->s", weights, draw(rng, (len(weights), 20_000))).std())
        for tightness in PRECISIONS:
            held, trusted, plain, lives, looks = 0, 0, 0, 0, 0
            for _ in range(STOPPED):
                every = draw(rng, (len(weights), MOST_SEEDS))
                # Agent B is a constant: their paired difference keeps the shape of the design.
                cube = np.full((2, len(weights), MOST_SEEDS), np.nan)
                counts = np.zeros(len(weights), np.int64)
                while (more := next_seeds(cube, weights, costs, tightness * scale)).any():
                    counts = np.minimum(counts + more, MOST_SEEDS)
                    grown = np.arange(MOST_SEEDS) < counts[:, None]
                    cube[0], cube[1] = np.where(grown, every, np.nan), np.where(grown, 0.0, np.nan)
                    looks += 1
                    if counts.max() == MOST_SEEDS:
                        break
                difference = paired_difference(cube[0], cube[1], weights, pilot=PILOT)
                held += _holds(difference, 0.0)
                trusted += difference is not None and difference.trustworthy
                plain += _holds(paired_difference(cube[0], cube[1], weights), 0.0)
                lives += int(counts.sum())
            rows.append(
                {
                    "design": name,
                    "precision_over_deviation": tightness,
                    "coverage": held / STOPPED,
                    "trustworthy": trusted == STOPPED,
                    "without_capped_degrees": plain / STOPPED,
                    "lives_per_environment": lives / STOPPED / len(weights),
                    "stages": looks / STOPPED,
                }
            )
            print("stopped", rows[-1], flush=True)
    return rows


def unequal(rng: np.random.Generator, weights: Array) -> list[dict[str, Any]]:
    """Returns the coverage with numbers of seeds that differ, fixed beforehand."""
    rows = []
    counts = np.array([20, 16, 14, 12, 10, 9, 8, 7, 6, 5, 5])
    for name, draw in DESIGNS.items():
        values = draw(rng, (SAMPLES, len(weights), 20))
        values[:, np.arange(20) >= counts[:, None]] = np.nan
        found = [score_interval(table, weights) for table in values]
        rows.append({"design": name, "coverage": float(np.mean([_holds(interval, 0.0) for interval in found]))})
        print("unequal", rows[-1], flush=True)
    return rows


def interquartile(rng: np.random.Generator, environments: int) -> list[dict[str, Any]]:
    """Returns the coverage of the interquartile mean, which knows no weights, at levels alike and from 0 to 3."""
    rows = []
    for spread in (0.0, 3.0):
        levels = np.linspace(0.0, spread, environments)[:, None]
        for name, draw in DESIGNS.items():
            truth = interquartile_mean(draw(rng, (environments, POPULATION)) + levels)
            for count in SEEDS:
                values = draw(rng, (STOPPED, environments, count)) + levels
                found = [interquartile_mean_interval(table) for table in values]
                means = [interval.mean for interval in found if interval]
                rows.append(
                    {
                        "design": name,
                        "environments": environments,
                        "levels": spread,
                        "seeds": count,
                        "coverage": float(np.mean([_holds(interval, truth) for interval in found])),
                        "trustworthy": all(interval is not None and interval.trustworthy for interval in found),
                        "error_over_deviation": float(
                            np.mean([interval.standard_error for interval in found if interval]) / np.std(means)
                        ),
                    }
                )
                print("interquartile", rows[-1], flush=True)
    return rows


def environments(rng: np.random.Generator, weights: Array) -> list[dict[str, Any]]:
    """Returns the coverage over seeds and environments: others of the same lengths drawn anew each time."""
    rows = []
    strata = strata_of(LENGTHS)
    shapes: dict[str, Callable[[tuple[int, ...]], Array]] = {
        "normal": lambda shape: 0.3 * rng.standard_normal(shape),
        "beta(1, 1)": lambda shape: rng.random(shape) - 0.5,
        "solved in 3 of 5": lambda shape: (rng.random(shape) < 0.6) - 0.6,
        "beta(6, 0.8)": lambda shape: _beta(rng, shape),
    }
    for repeats in (1, 3):
        shares, bins = np.tile(weights, repeats) / repeats, np.tile(strata, repeats)
        for name, draw in shapes.items():
            values = draw((SAMPLES, len(shares), 1)) + 0.05 * rng.standard_normal((SAMPLES, len(shares), 10))
            found = [score_interval_environments(table, shares, bins) for table in values]
            percentile = [
                _percentile_environments(table.mean(axis=1), shares, bins, rng) for table in values[:BOOTSTRAPPED]
            ]
            rows.append(
                {
                    "design": name,
                    "environments": len(shares),
                    "coverage": float(np.mean([_holds(interval, 0.0) for interval in found])),
                    "half": float(np.mean([interval.half for interval in found if interval])),
                    "degrees": float(np.mean([interval.degrees for interval in found if interval])),
                    "percentile_bootstrap": float(np.mean([low <= 0 <= high for low, high in percentile])),
                }
            )
            print("environments", rows[-1], flush=True)
    return rows


def _percentile_environments(
    means: Array, weights: Array, strata: Array, rng: np.random.Generator
) -> tuple[float, float]:
    """Returns the percentile bootstrap interval, environments drawn within strata and weights normalised anew."""
    drawn = np.empty((500, len(means)), np.int64)
    for stratum in np.unique(strata):
        members = np.flatnonzero(strata == stratum)
        drawn[:, members] = members[rng.integers(0, len(members), (500, len(members)))]
    scores = (weights[drawn] * means[drawn]).sum(axis=1) / weights[drawn].sum(axis=1)
    low, high = np.quantile(scores, (0.025, 0.975))
    return float(low), float(high)


def markdown(record: dict[str, Any]) -> str:
    """Returns the table of coverages, in percent, ? where the interval is not trustworthy by its own word."""
    columns: list[tuple[str, list[dict[str, Any]]]] = [
        *((f"{n} seeds", [row for row in record["fixed_seeds"] if row["seeds"] == n]) for n in SEEDS),
        *(
            (f"±{tightness:g} σ", [row for row in record["stopped"] if row["precision_over_deviation"] == tightness])
            for tightness in PRECISIONS
        ),
        *((f"alone, {n}", [row for row in record["one_environment"] if row["seeds"] == n]) for n in SEEDS_ALONE),
    ]
    lines = [["values", *(title for title, _ in columns)], ["---", *("---:" for _ in columns)]]
    for place, name in enumerate(DESIGNS):
        rows = [found[place] for _, found in columns]
        lines.append([name, *(f"{100 * row['coverage']:.1f}{'' if row['trustworthy'] else ' ?'}" for row in rows)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--interquartile", action="store_true", help="make that section anew and leave the others")
    alone = parser.parse_args().interquartile
    started = time.perf_counter()
    rng = np.random.default_rng(SEED)
    temperature = solve_temperature(LENGTHS)
    weights = tempered(LENGTHS, temperature)
    record: dict[str, Any]
    if alone:
        record = json.loads(RESULTS.read_text())
    else:
        record = {
            "settings": {
                "confidence": 0.95,
                "seed": SEED,
                "samples": SAMPLES,
                "samples_stopped": STOPPED,
                "description_bits": LENGTHS,
                "temperature": temperature,
                "effective_number": effective_number(weights.tolist()),
                "pilot": PILOT,
            },
            "fixed_seeds": fixed_seeds(rng, weights, SEEDS),
            "one_environment": fixed_seeds(rng, np.ones(1), SEEDS_ALONE),
            "unequal_seeds": unequal(rng, weights),
            "stopped": stopped(rng, weights),
            "seeds_and_environments": environments(rng, weights),
        }
    # A stream of its own, so that alone it has the same samples.
    record["interquartile_mean"] = interquartile(np.random.default_rng([SEED, 1]), len(weights))
    if not alone:
        record |= {"seconds": time.perf_counter() - started, "machine": machine(), "versions": versions()}
    RESULTS.write_text(json.dumps(record, indent=1) + "\n")
    print(markdown(record))


if __name__ == "__main__":
    main()
