"""A life's learning curve in bounded memory."""

import itertools
from typing import TypeAlias

import msgspec
import numpy as np

from aixi.state import State

_MOST_POINTS = 256

Totals: TypeAlias = tuple[int, float, int, float, float]
"""Cycles; sum of what is measured, and over how many cycles or episodes (none: what stands for the first one's return);
percepts predicted, and their bits."""


class CurvePoint(msgspec.Struct, frozen=True):
    """One point of a learning curve.

    Attributes:
        cycle: cycles lived up to here.
        average_reward: average since the previous point of what the environment measures, reward per cycle or return
            per episode.
        cumulative_average: the same since the life began.
        bits_per_percept: average code length of the percepts since the previous point, in bits; None where
            nothing was predicted.
    """

    cycle: int
    average_reward: float
    cumulative_average: float
    bits_per_percept: float | None


class Curve:
    """Running totals at every `stride` cycles; whenever the points become too many, every second one goes.

    So the points depend on the cycles lived and on nothing else: not on the length planned, nor on where the
    life was saved and resumed. There are 128 to 256 of them, and fewer only in a shorter life.

    Attributes:
        stride: cycles between points, a power of 2.
    """

    def __init__(self) -> None:
        self.stride = 1
        self._totals: list[Totals] = [(0, 0.0, 0, 0.0, 0.0)]

    def add(self, *totals: *Totals) -> None:
        """Takes in the life's running totals; they are kept at a new multiple of the stride."""
        if totals[0] % self.stride or totals[0] <= self._totals[-1][0]:
            return
        self._totals.append(totals)
        if len(self._totals) > _MOST_POINTS:
            self._totals = self._totals[::2]
            self.stride *= 2

    def points(self, now: Totals | None = None) -> list[CurvePoint]:
        """Returns the curve; `now` are the totals where the life has come to."""
        totals = list(self._totals)
        if now is not None and now[0] > totals[-1][0]:
            totals.append(now)
        points = []
        for before, after in itertools.pairwise(totals):
            _, earned, units, percepts, bits = (b - a for a, b in zip(before, after, strict=True))
            average = after[1] / max(after[2], 1)
            if not before[2]:  # what was told before the first episode ended is none of its return
                earned = after[1]
            rate = bits / percepts if percepts else None
            points.append(CurvePoint(after[0], earned / units if units else average, average, rate))
        return points

    def state_dict(self) -> State:
        """Returns the totals, float64[points, 5], and the stride."""
        return {"stride": self.stride, "totals": np.array(self._totals, np.float64)}

    def load_state_dict(self, state: State) -> None:
        """Goes on from a saved curve."""
        self.stride = state["stride"]
        self._totals = [(int(row[0]), row[1], int(row[2]), row[3], row[4]) for row in state["totals"].tolist()]
