"""What the Countdown experiment compares: its settings, its searches and its problems."""

from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from aixi.agents.planning.reward_model import RewardModel
from aixi.agents.planning.thought_search import NOT_SOLVED, PLAYS, PUCT, SAMPLES, UCT, Searches, search
from aixi.agents.planning.thoughts import MOST_NUMBERS, draw_problems

NARROW = "narrow"
"""Labels of process, of the targets below the held-out ones only."""


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """Which problems there are.

    Attributes:
        name: of the setting.
        numbers: how many.
        largest: of them, at the start.
        greatest: bound on results.
        targets: the least and the greatest.
        held_out: those of them that the narrow judge has not seen.
        training: problems that a judge learns from.
        plays: random completions behind a process label.
    """

    name: str
    numbers: int
    largest: int
    greatest: int
    targets: tuple[int, int]
    held_out: tuple[int, int]
    training: int
    plays: int


SETTINGS = (
    Setting(
        name="suite",
        numbers=5,
        largest=31,
        greatest=31,
        targets=(1, 31),
        held_out=(21, 31),
        training=2000,
        plays=64,
    ),
    Setting(
        name="broad",
        numbers=6,
        largest=31,
        greatest=1023,
        targets=(100, 999),
        held_out=(700, 999),
        training=4000,
        plays=256,
    ),
)


class Method(msgspec.Struct, frozen=True):
    """A search.

    Attributes:
        name: of the method.
        rule: one of `PLAYS`, `SAMPLES`, `UCT` and `PUCT`.
        judge: labels of the judge that it asks; None without one.
        explorations: values of C to choose from.
        temperatures: of the judge's policy, to choose from.
        shaping: worth of a near miss.
    """

    name: str
    rule: int
    judge: str | None = None
    explorations: tuple[float, ...] = (1.0,)
    temperatures: tuple[float, ...] = (1.0,)
    shaping: float = 0.0


_PUCT = ((0.02, 0.1, 0.5), (0.5, 1.0))
METHODS = (
    Method("best-of-N, random plays", PLAYS),
    Method("UCT, outcome only", UCT),
    Method("UCT, outcome and closeness", UCT, None, (0.1, 0.3, 1.0), shaping=1.0),
    Method("best-of-N, process judge", SAMPLES, "process", temperatures=(0.25, 0.35, 0.5, 1.0)),
    Method("PUCT, process judge", PUCT, "process", *_PUCT),
    Method("PUCT, fraction judge", PUCT, "fraction", *_PUCT),
    Method("PUCT, outcome judge", PUCT, "outcome", *_PUCT),
)
OUTCOME_ONLY = ("UCT, outcome only", "UCT, outcome and closeness")
PROCESS = "PUCT, process judge"
HELD_OUT = (
    *(method for method in METHODS if method.name in (*OUTCOME_ONLY, PROCESS)),
    Method("PUCT, narrow process judge", PUCT, NARROW),
)
"""What is tried on held-out targets; the last with the settings of `PROCESS`."""


class Problems(NamedTuple):
    """Packed states and their targets, int64[problems] each."""

    states: NDArray[np.int64]
    targets: NDArray[np.int64]

    def part(self, first: int, count: int) -> "Problems":
        """Returns so many problems from one on."""
        return Problems(self.states[first : first + count], self.targets[first : first + count])


def distinct_problems(
    setting: Setting, targets: tuple[int, int], count: int, seen: set[int], rng: NDArray[np.uint64]
) -> Problems:
    """Draws problems as the environment does; those whose numbers were seen before are drawn anew.

    Args:
        setting: which.
        targets: the least and the greatest.
        count: how many.
        seen: packed numbers; those of the problems are added.
        rng: uint64[1].
    """
    drawn = Problems(np.zeros(count, np.int64), np.zeros(count, np.int64))
    path = np.zeros(MOST_NUMBERS, np.int64)
    kept = 0
    while kept < count:
        more = Problems(np.zeros(count, np.int64), np.zeros(count, np.int64))
        draw_problems(*more, setting.numbers, setting.largest, setting.greatest, *targets, rng, path)
        for state, target in zip(more.states.tolist(), more.targets.tolist(), strict=True):
            if kept < count and state not in seen:
                seen.add(state)
                drawn.states[kept], drawn.targets[kept] = state, target
                kept += 1
    return drawn


def solve(
    problems: Problems,
    setting: Setting,
    method: Method,
    exploration: float,
    temperature: float,
    judge: RewardModel,
    budget: int,
    rng: NDArray[np.uint64],
) -> Searches:
    """Searches for the solutions of problems by a method with given C and temperature."""
    return search(
        *problems,
        method.rule,
        budget,
        judge,
        rng,
        greatest=setting.greatest,
        exploration=exploration,
        temperature=temperature,
        shaping=method.shaping,
    )


def solved_within(found: Searches, budgets: tuple[int, ...]) -> list[float]:
    """Returns the share of the problems solved within each budget."""
    return [float(((found.used != NOT_SOLVED) & (found.used <= budget)).mean()) for budget in budgets]
