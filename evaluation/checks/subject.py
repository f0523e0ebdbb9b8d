"""An environment that is checked, and what was seen of it so far."""

import functools
from typing import Any

from aixi.environments import EnvironmentRow, make
from aixi.environments.registry import ENVIRONMENTS
from aixi.evaluation.checks.battery import Mismatch
from aixi.evaluation.checks.lives import LIFE, LIFE_SECONDS, SHORTEST_LIFE
from aixi.evaluation.checks.play import Play, at_random, greedily, play
from aixi.evaluation.screen import counted
from aixi.evaluation.world import find_row

_GREEDY_CYCLES = 5_000  # at most
_RESETS = 20


class Environment:
    """An environment that is checked, and what was seen of it so far.

    Args:
        environment: `id` or `module:id`.
        cycles: of random play, and the most of greedy play.
        seconds: after which random play stops, and greedy play likewise.

    Attributes:
        row: its row.
        listed: whether that is one of the table, not made up for an environment that only Gymnasium knows.
    """

    def __init__(self, environment: str, *, cycles: int = 20_000, seconds: float = 20.0) -> None:
        self.environment = environment
        self.row: EnvironmentRow = find_row(environment)
        self.listed = self.row.name in ENVIRONMENTS
        self._cycles, self._seconds = cycles, seconds

    def make(self) -> Any:
        """Returns it, new."""
        return make(self.row)

    @functools.cached_property
    def random_play(self) -> Play:
        """Long play of random actions."""
        return play(self.row, at_random, cycles=self._cycles, seconds=self._seconds, resets=_RESETS)

    @functools.cached_property
    def greedy_play(self) -> Play:
        """Long play of the action that has earned most so far."""
        cycles = min(_GREEDY_CYCLES, self._cycles)
        return play(self.row, greedily, cycles=cycles, seconds=self._seconds, seed=2)

    @functools.cached_property
    def life_cycles(self) -> int:
        """Length of a life that is compared with another: shorter where random play was slow."""
        found = self.random_play
        return max(SHORTEST_LIFE, min(LIFE, int(LIFE_SECONDS * len(found.rewards) / found.elapsed)))

    def kept(self, check: str) -> str:
        """Returns how much was played, if nothing concerned a check; raises `Mismatch` with what did."""
        plays = (("random", self.random_play), ("greedy", self.greedy_play))
        for policy, found in plays:
            if check in found.wrong:
                raise Mismatch(f"{found.wrong[check]}, in {policy} play")
        told = [f"{counted(len(found.rewards), 'cycle')} of {policy} play" for policy, found in plays]
        return ", ".join([*told, counted(self.random_play.resets, "reset")])
