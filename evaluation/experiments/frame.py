"""What all experiments share: their table, estimates with intervals over seeds, and how they are told from outside."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol

import msgspec

from aixi.errors import UnknownNameError, at_least
from aixi.evaluation.intervals import student_t_quantile


class Tell(Protocol):
    """Called as an experiment goes on."""

    def __call__(self, what: str, done: int, steps: int, latest: float | None = None, /) -> None:
        """Tells what is done, the steps done of it, those there are, and the latest number, if there is one."""


class Estimate(msgspec.Struct, frozen=True):
    """A mean over seeds and its 95 % interval.

    Attributes:
        mean: of the values.
        low: lower end, Student's t; None for one seed.
        high: upper end.
        values: one a seed.

    Example:
        >>> found = Estimate.of([1.0, 2.0, 3.0])
        >>> found.mean, round(found.high, 3), Estimate.of([1.0]).low
        (2.0, 4.484, None)
    """

    mean: float
    low: float | None
    high: float | None
    values: list[float]

    @classmethod
    def of(cls, values: Sequence[float]) -> "Estimate":
        """Estimates the mean that independent values come from."""
        count = len(values)
        mean = math.fsum(values) / count
        if count == 1:
            return cls(mean, None, None, [float(values[0])])
        variance = math.fsum((value - mean) ** 2 for value in values) / (count - 1)
        half = student_t_quantile(0.975, count - 1) * math.sqrt(variance / count)
        return cls(mean, mean - half, mean + half, [float(value) for value in values])


@dataclass(frozen=True)
class Experiment:
    """An experiment that `aixi experiment` runs.

    Attributes:
        name: its name.
        summary: the question, one line.
        result: name of its result type in the module that is named like it.
    """

    name: str
    summary: str
    result: str

    @property
    def _module(self) -> Any:
        return import_module(f"aixi.evaluation.experiments.{self.name}")

    def run(self, *, quick: bool = False, seed: int = 0, on_step: Tell | None = None) -> msgspec.Struct:
        """Runs it.

        Args:
            quick: in a small way, to see that it runs.
            seed: of everything; further seeds count on from it.
            on_step: see `Tell`.
        """
        at_least("seed", seed, 0)
        result: msgspec.Struct = getattr(self._module, self.name)(quick=quick, seed=seed, on_step=on_step)
        return result

    def load(self, content: bytes) -> msgspec.Struct:
        """Reads a result from JSON.

        Raises:
            msgspec.ValidationError: if it is none of this experiment.
        """
        result: msgspec.Struct = msgspec.json.decode(content, type=getattr(self._module, self.result))
        return result

    def draw(self, result: msgspec.Struct) -> bytes:
        """Draws a result as SVG.

        Raises:
            InvalidValueError: if matplotlib is not installed.
        """
        drawings = import_module("aixi.evaluation.experiments.drawings")
        picture: bytes = getattr(drawings, f"draw_{self.name}")(result)
        return picture


EXPERIMENTS = {
    experiment.name: experiment
    for experiment in (
        Experiment(
            "attention", "What do attentions that cache less cost in loss, and save in time?", "AttentionResult"
        ),
        Experiment("recall", "Which networks still know what they read, the longer ago it was?", "RecallResult"),
        Experiment("scaling", "How does loss fall with parameters and data, down to a known entropy?", "ScalingResult"),
        Experiment("compute", "What does thinking longer earn, with a model that is learnt and kept?", "ComputeResult"),
        Experiment("pretraining", "What does pre-training bring, in context and by fine-tuning?", "PretrainingResult"),
        Experiment(
            "countdown", "Does judging steps find more than judging results, at equal search?", "CountdownResult"
        ),
    )
}
"""By name."""


def find_experiment(name: str) -> Experiment:
    """Returns an experiment.

    Raises:
        UnknownNameError: if there is none of this name.
    """
    if name not in EXPERIMENTS:
        raise UnknownNameError(f"unknown experiment {name!r}; known: {', '.join(EXPERIMENTS)}")
    return EXPERIMENTS[name]
