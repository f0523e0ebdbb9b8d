"""Countdown: combine numbers until one is left, which should be the target."""

from typing import Any, TypeAlias

import gymnasium
import numpy as np
from numpy.typing import NDArray

GREATEST = 31
Observation: TypeAlias = tuple[Any, ...]


def children(numbers: list[int]) -> list[list[int]]:
    """What each action makes of some numbers, descending and filled up with zeros.

    Returns:
        Numbers of the same form; an empty list where the action is not allowed.

    Example:
        >>> children([6, 3, 0])[:4]
        [[9, 0, 0], [3, 0, 0], [18, 0, 0], [2, 0, 0]]
        >>> children([6, 3, 0])[4:] == [[]] * 8
        True
    """
    made = []
    for second in range(1, len(numbers)):
        for first in range(second):
            one, other = numbers[first], numbers[second]
            quotient = one // other if other and one % other == 0 else 0
            for result in (one + other, one - other, one * other, quotient):
                rest = numbers[:first] + numbers[first + 1 : second] + numbers[second + 1 :]
                allowed = other and 0 < result <= GREATEST
                made.append([*sorted([result, *rest], reverse=True), 0] if allowed else [])
    return made


def allowed(numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which actions combine two numbers; all of them where none does, which is when one number is left.

    Args:
        numbers: int64[numbers], part 1 of the observation.

    Returns:
        bool[actions].

    Example:
        >>> allowed(np.array([3, 2])).tolist()
        [True, True, True, False]
    """
    mask = np.array([bool(child) for child in children(numbers.tolist())])
    return mask if mask.any() else ~mask


class Countdown(gymnasium.Env[Observation, np.int64]):
    """Some numbers and a target: two of the numbers become one by an operation, until one is left.

    ## Description
    After the numbers round of the television game Countdown (1982), all numbers to be used, as in the
    reasoning tasks of Gandhi et al. (2024). The target is what a random play of the same numbers ended with,
    so that there always is a way.

    ## Action Space
    `Discrete(2 * numbers * (numbers - 1))`: four for each pair of places, in the order 01, 02, 12, 03, 13,
    23: sum, difference, product, quotient of the number in the first place and that in the second. An
    operation is allowed if its result is a whole number from 1 to 31; other actions have no effect. The
    allowed ones are in `info["action_mask"]` and follow from the numbers by `allowed`.

    ## Observation Space
    `Tuple(Discrete(32), MultiDiscrete([32, ...]))`: the target; the numbers in descending order, and zeros in
    the places of those that are used up.

    ## Starting State
    The numbers are drawn uniformly from 1 to `largest`. From a copy of them allowed actions are drawn
    uniformly until one number is left: the target.

    ## Rewards
    1 when the one number left is the target, else 0.

    ## Episode End
    When one number is left, which is after `numbers - 1` allowed actions.

    ## Arguments
    `numbers`: how many, at least 2. `largest`: in [1, 31].

    ## Version History
    v0: first version.

    Example:
        >>> env = Countdown(render_mode="ansi")
        >>> env.reset(seed=1)[0]
        (np.int64(22), array([8, 6, 5]))
    """

    metadata: dict[str, Any] = gymnasium.Env.metadata | {"render_modes": ["ansi"], "render_fps": 4}

    def __init__(self, numbers: int = 3, largest: int = 10, render_mode: str | None = None) -> None:
        if numbers < 2 or not 1 <= largest <= GREATEST:
            raise ValueError(f"numbers must be at least 2 and largest in [1, 31], got {numbers} and {largest}")
        self.count = numbers
        self.largest = largest
        self.render_mode = render_mode
        self.observation_space = gymnasium.spaces.Tuple(
            (gymnasium.spaces.Discrete(GREATEST + 1), gymnasium.spaces.MultiDiscrete([GREATEST + 1] * numbers))
        )
        self.action_space = gymnasium.spaces.Discrete(2 * numbers * (numbers - 1))
        self.numbers: list[int] = []
        self.target = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        super().reset(seed=seed)
        self.numbers = sorted((1 + int(self.np_random.integers(self.largest)) for _ in range(self.count)), reverse=True)
        last = self.numbers
        while last[1]:
            possible = [child for child in children(last) if child]
            last = possible[self.np_random.integers(len(possible))]
        self.target = last[0]
        return self._percept()

    def _percept(self) -> tuple[Observation, dict[str, Any]]:
        numbers = np.array(self.numbers)
        return (np.int64(self.target), numbers), {"action_mask": allowed(numbers)}

    def step(self, action: np.int64) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        self.numbers = children(self.numbers)[action] or self.numbers
        observation, info = self._percept()
        ended = self.numbers[1] == 0
        return observation, float(ended and self.numbers[0] == self.target), ended, False, info

    def render(self) -> Any:
        return f"{' '.join(str(number) for number in self.numbers if number)} -> {self.target}"
