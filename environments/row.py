"""What the suite has to know of one environment: a row of plain data."""

import math
from dataclasses import dataclass, field
from typing import Any, Literal

from aixi.errors import require

Measure = Literal["reward", "return"]
"""What a life in an environment is worth: average reward per cycle, or average return per episode."""


@dataclass(frozen=True)
class Anchor:
    """A known level of performance in one environment.

    Attributes:
        value: long-run average of what the environment's row measures.
        source: where the value comes from, for the reader of a report.
    """

    value: float
    source: str

    def __post_init__(self) -> None:
        require(math.isfinite(self.value), f"an anchor's value must be finite, got {self.value}")


@dataclass(frozen=True)
class EnvironmentRow:
    """What the suite has to know of one environment.

    An environment that only Gymnasium knows has a row with a name alone: agents can live in it, but without
    anchors it cannot be scored.

    Attributes:
        name: its Gymnasium id.
        summary: one line for people.
        entry_point: `module:class`, not imported before it is needed; of Gymnasium's own registry if empty.
        rewards: every reward that one cycle can give under `kwargs`, ascending; None if they are not listed.
        reward_range: least and greatest reward of a cycle; of listed rewards that of the list, None if unknown.
        random: anchor of uniformly random actions.
        constant: anchor of the best constant action.
        best: anchor of the best known policy; above `random`.
        kwargs: arguments of the class, plain JSON values.
        tags: what it tests, for selections.
        episodic: whether episodes end; a continuing environment neither terminates nor truncates.
        measure: what the anchors and values are averages of: `reward` of a cycle, or the `return` of an episode
            where every policy earns the same per cycle.
        return_range: least and greatest return of an episode, where that is measured.
        mask: `module:function` from an observation to bool[actions], where what is allowed follows from what is
            seen; the search then keeps to it too, as far as it can be tabulated: over parts of at most 16 bits, or
            20 where the function takes many rows at once and says so by an attribute `batched = True`.
        mask_part: path of the part of the observation that `mask` takes; `""` for all of it.
        codes: how parts of the observation are made finite, by their path (`""` for the whole); see
            `aixi.agents.percepts`. Parts that are not named have the usual code.
        package: the module whose import registers the environment with Gymnasium, where that is another package's.
        extra: the extra of aixi that installs this package.
    """

    name: str
    summary: str = ""
    entry_point: str = ""
    rewards: tuple[float, ...] | None = None
    random: Anchor | None = None
    constant: Anchor | None = None
    best: Anchor | None = None
    kwargs: dict[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    episodic: bool = False
    reward_range: tuple[float, float] | None = None
    measure: Measure = "reward"
    return_range: tuple[float, float] | None = None
    mask: str = ""
    mask_part: str = ""
    codes: dict[str, str] = field(default_factory=dict)
    package: str = ""
    extra: str = ""

    def __post_init__(self) -> None:
        if self.rewards is not None:
            ascending = bool(self.rewards) and self.rewards == tuple(sorted(set(self.rewards)))
            require(ascending, f"rewards of {self.name} must be ascending and at least one, got {self.rewards}")
            ends = (self.rewards[0], self.rewards[-1])
            require(
                self.reward_range in (None, ends),
                f"reward_range of {self.name} must be that of its rewards, got {self.reward_range}",
            )
            object.__setattr__(self, "reward_range", ends)
        for what, span in (("reward_range", self.reward_range), ("return_range", self.return_range)):
            require(
                span is None or -math.inf < span[0] <= span[1] < math.inf,
                f"{what} of {self.name} must be a finite least and greatest number, got {span}",
            )
        require(
            self.measure == "reward" or self.episodic,
            f"{self.name} measures the return of episodes, so that it must have them (episodic=True)",
        )
        if self.random is not None and self.best is not None:
            require(
                self.random.value < self.best.value,
                f"the best anchor of {self.name} must be above the random one, "
                f"got {self.best.value} and {self.random.value}",
            )

    @property
    def low(self) -> float:
        """The least reward of one cycle."""
        assert self.reward_range is not None
        return self.reward_range[0]

    @property
    def high(self) -> float:
        """The greatest reward of one cycle."""
        assert self.reward_range is not None
        return self.reward_range[1]

    @property
    def measured_range(self) -> tuple[float, float] | None:
        """Least and greatest of what is measured; None if unknown."""
        return self.reward_range if self.measure == "reward" else self.return_range
