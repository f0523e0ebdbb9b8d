"""Lives and weights in the form that statistics want: arrays over agents, environments and seeds."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from aixi.environments.registry import ENVIRONMENTS, Anchor, EnvironmentRow
from aixi.errors import require
from aixi.evaluation import weights
from aixi.evaluation.complexity import Description, describe, lengths
from aixi.evaluation.records import CellResult, curve_points
from aixi.evaluation.suite import Suite
from aixi.evaluation.weighting import Weighting, apply_weighting, load_weighting
from aixi.evaluation.world import find_row

Array = NDArray[np.float64]
Item = TypeVar("Item")
Reward = TypeVar("Reward", float, Array)

FRACTIONS = tuple(2.0 ** (-k / 2) for k in range(14, -1, -1))
"""Of a life, at which the score is told as a function of experience: 1/128 to 1."""
WEIGHTINGS = ("tempered", "literal", "strata", "uniform")
"""The weightings by description length that every score tells."""
_RANGE = 4.0  # weights whose ranges nobody gives are known to this factor either way


def anchors_of(row: EnvironmentRow) -> dict[str, Anchor]:
    """Returns the anchors by name, of which a score needs all.

    Raises:
        InvalidValueError: if one is missing.
    """
    anchors = {"random": row.random, "constant": row.constant, "best": row.best}
    known = {name: anchor for name, anchor in anchors.items() if anchor is not None}
    missing = ", ".join(name for name in anchors if name not in known)
    require(
        not missing,
        f"environment {row.name} lacks anchors ({missing}), so that a life in it has no value; give its row them, or "
        "leave it out",
    )
    return known


def value(average_reward: Reward, row: EnvironmentRow) -> Reward:
    """Maps an average reward per cycle to 0 at the random anchor and 1 at the best; nothing is clipped."""
    random, best = row.random, row.best
    if random is None or best is None:
        known = anchors_of(row)  # tells what is missing
        random, best = known["random"], known["best"]
    low, high = random.value, best.value
    require(high > low, f"best anchor of {row.name} must be above the random one, got {high} and {low}")
    return (average_reward - low) / (high - low)


class Lives:
    """Lives in the form that the statistics want.

    Args:
        suite: the suite.
        agents: in text form.
        results: their lives in its environments.

    Attributes:
        environments: ids, in the suite's order.
        rows: what is known of each.
        cycles: length of a life in each.
        seeds: ascending.
        results: by indices of agent, environment and seed.
        faults: the error of each environment that failed, by index.
        included: bool[environments], those that did not.
        values: float64[fractions, agents, environments, seeds], the value of each life cut off at `FRACTIONS`; NaN
            where no life is, or the environment failed.
    """

    def __init__(self, suite: Suite, agents: Sequence[str], results: Sequence[CellResult]) -> None:
        self.environments = list(suite.cycles)
        self.rows = [find_row(environment) for environment in self.environments]
        self.cycles = [suite.cycles[environment] for environment in self.environments]
        self.seeds = sorted({result.cell.seed for result in results})
        self.results: dict[tuple[int, int, int], CellResult] = {}
        self.faults: dict[int, str] = {}
        shape = (len(agents), len(self.environments), len(self.seeds))
        self.values = np.full((len(FRACTIONS), *shape), np.nan)
        places = [{item: k for k, item in enumerate(axis)} for axis in (agents, self.environments, self.seeds)]
        for result in results:
            cell = result.cell
            a, e, s = places[0][cell.agent], places[1][cell.environment], places[2][cell.seed]
            self.results[a, e, s] = result
            if result.fault == "environment":
                self.faults.setdefault(e, result.error or "failed")
                continue
            self.values[:, a, e, s] = _progress(result, self.rows[e])
        # An environment that failed for one agent would flatter those for which it did not.
        self.included = np.array([e not in self.faults for e in range(len(self.environments))])

    def kept(self, items: Iterable[Item]) -> list[Item]:
        """Returns those of one item an environment whose environment did not fail."""
        return [item for item, included in zip(items, self.included, strict=True) if included]

    @property
    def last(self) -> Array:
        """Values at the end of the lives, float64[agents, included environments, seeds]."""
        values: Array = self.values[-1][:, self.included]
        return values


class Weights:
    """The weights of the environments.

    Args:
        suite: the suite.
        lives: lives in it; an environment that failed has no weight.
        weighting: the one that scores are told by: one of `WEIGHTINGS`, or name or path of a value weighting.

    Attributes:
        chosen: its name.
        columns: float64[environments] by weighting, each summing to 1.
        ranges: least and greatest weight of each environment under the chosen weighting.
        strata: int64[included environments], the stratum of K of each.
        descriptions: description of each environment.
        lengths: description lengths of each, in bits, by `coder/charging`.
    """

    def __init__(self, suite: Suite, lives: Lives, weighting: str) -> None:
        self._lives = lives
        self.descriptions: list[Description] = [describe(row) for row in lives.rows]
        self.lengths = [lengths(row) for row in lives.rows]
        self._bits = np.array([description.bits for description in self.descriptions])
        rules: dict[str, Callable[[Array], Array]] = {
            "tempered": lambda bits: weights.tempered(bits, suite.temperature),
            "literal": weights.literal,
            "strata": weights.strata,
            "uniform": lambda bits: weights.uniform(len(bits)),
        }
        self.columns = {name: self._spread(rule) for name, rule in rules.items()}
        tempered = self.columns["tempered"]
        self.strata = weights.strata_of(self._bits[lives.included])
        self.ranges = [tempered / _RANGE, tempered * _RANGE]
        self.chosen = weighting
        if weighting not in self.columns:
            found = load_weighting(weighting)
            self.chosen = found.weighting.id
            self.columns[self.chosen], *self.ranges = self._valued(found, tempered)

    def of(self, name: str) -> Array:
        """Returns one weighting of the environments that are not left out."""
        column: Array = self.columns[name][self._lives.included]
        return column

    def _spread(self, rule: Callable[[Array], Array]) -> Array:
        column = np.zeros(len(self._bits))
        if self._lives.included.any():
            column[self._lives.included] = rule(self._bits[self._lives.included])
        return column

    def _valued(self, weighting: Weighting, tempered: Array) -> tuple[Array, Array, Array]:
        """Returns a value weighting of the environments that are not left out, and the range of each."""
        kept = self._lives.included
        tags = {row.name: row.tags for row in self._lives.kept(self._lives.rows)}
        applied = apply_weighting(weighting, tags, tempered[kept], {row.name: row.tags for row in ENVIRONMENTS})
        columns = np.zeros((3, len(kept)))
        columns[:, kept] = applied.weights, applied.low, applied.high
        return columns[0], columns[1], columns[2]


def _progress(result: CellResult, row: EnvironmentRow) -> Array:
    """Returns the value of a life cut off at each of `FRACTIONS`, float64[fractions]."""
    points = curve_points(result)
    asked = np.array(FRACTIONS) * result.cell.cycles
    cycles = np.concatenate([[0.0], points[:, 0]])
    earned = np.concatenate([[0.0], points[:, 0] * points[:, 1]])
    lived = np.maximum(np.minimum(asked, result.cycles), 1.0)
    averages: Array = np.interp(lived, cycles, earned) / lived
    if row.measure == "return" and len(points):  # an average over episodes, whose ends lie anywhere
        averages = np.interp(lived, points[:, 0], points[:, 1])
    values: Array = value(averages, row)
    # Without a curve only the end is known; with one, this is the same number without rounding.
    values[-1] = 0.0 if result.average_reward is None else value(result.average_reward, row)
    if result.fault is not None:
        # Failing must never pay: not above random, nor above what was earned until then.
        values[asked > result.cycles] = min(0.0, values[-1])
        values[-1] = min(0.0, values[-1])
    return values
