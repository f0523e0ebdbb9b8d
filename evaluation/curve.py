"""A life's learning curve in bounded memory."""

import itertools

import msgspec
import numpy as np

from aixi.state import State

_MOST_POINTS = 256


class CurvePoint(msgspec.Struct, frozen=True):
    """One point of a learning curve.

    Attributes:
        cycle: cycles lived up to here.
        average_reward: average reward per cycle since the previous point.
        cumulative_average: average reward per cycle since the life began.
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
        self._totals: list[tuple[int, float, float, float]] = [(0, 0.0, 0.0, 0.0)]

    def add(self, cycle: int, reward: float, percepts: float, percept_bits: float) -> None:
        """Takes in the life's running totals; they are kept at a new multiple of the stride."""
        if cycle % self.stride or cycle <= self._totals[-1][0]:
            return
        self._totals.append((cycle, reward, percepts, percept_bits))
        if len(self._totals) > _MOST_POINTS:
            self._totals = self._totals[::2]
            self.stride *= 2

    def points(self, *now: float) -> list[CurvePoint]:
        """Returns the curve; `now` is (cycle, reward, percepts, percept_bits) where the life has come to."""
        totals = list(self._totals)
        if now and now[0] > totals[-1][0]:
            totals.append((int(now[0]), now[1], now[2], now[3]))
        points = []
        for before, after in itertools.pairwise(totals):
            cycles, reward, percepts, bits = (b - a for a, b in zip(before, after, strict=True))
            rate = bits / percepts if percepts else None
            points.append(CurvePoint(after[0], reward / cycles, after[1] / after[0], rate))
        return points

    def state_dict(self) -> State:
        """Returns the totals, float64[points, 4], and the stride."""
        return {"stride": self.stride, "totals": np.array(self._totals, np.float64)}

    def load_state_dict(self, state: State) -> None:
        """Goes on from a saved curve."""
        self.stride = state["stride"]
        self._totals = [(int(row[0]), row[1], row[2], row[3]) for row in state["totals"].tolist()]
