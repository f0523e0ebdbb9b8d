"""Countdown's thoughts, compiled: what can become of some numbers, random plays, exhaustive truth.

A thought combines two numbers into one, by the rules of the suite's Countdown; a thought after a thought leaves one
number, which should be the target. A state packs its numbers into an int64, ten bits each, the greatest lowest, zeros
behind the last: so states compare as wholes, and a state below 1024 is complete. The bound on results is an argument:
31 gives the environment's own rules.
"""

import numpy as np
from numpy.typing import NDArray

from aixi.errors import require
from aixi.predictors.intrinsics import Integer, inlined, kernel, next_below

FIELD = 10
"""Bits of a number in a state."""
MOST_NUMBERS, LARGEST = 6, (1 << FIELD) - 1
MOST_CHILDREN = 2 * MOST_NUMBERS * (MOST_NUMBERS - 1)
MOST_PENDING = sum(2 * count * (count - 1) for count in range(2, MOST_NUMBERS + 1))
"""Children of one state at every depth, together: the room of a depth-first search."""


def pack(numbers: list[int]) -> int:
    """Returns the state of some numbers; zeros are none.

    Raises:
        InvalidValueError: if there are more than six, none, or one is not in [0, 1023].

    Example:
        >>> pack([2, 0, 3]) == 3 + 2 * 1024
        True
    """
    left = sorted((number for number in numbers if number), reverse=True)
    require(1 <= len(left) <= MOST_NUMBERS, f"a state holds 1 to {MOST_NUMBERS} numbers above 0, got {numbers}")
    require(left[-1] > 0 and left[0] <= LARGEST, f"numbers must be in [0, {LARGEST}], got {numbers}")
    return sum(number << FIELD * place for place, number in enumerate(left))


def unpack(state: Integer) -> list[int]:
    """Returns the numbers of a state, descending.

    Example:
        >>> unpack(pack([2, 0, 3]))
        [3, 2]
    """
    numbers, left = [], int(state)
    while left:
        numbers.append(left & LARGEST)
        left >>= FIELD
    return numbers


@inlined
def count_of(state: Integer) -> Integer:
    """Returns how many numbers a state holds."""
    count: Integer = 0
    while state:
        count += 1
        state >>= FIELD
    return count


@inlined
def number_at(state: Integer, place: Integer) -> Integer:
    """Returns the number in a place, 0 where there is none."""
    return (state >> (FIELD * place)) & LARGEST


@inlined
def _without(state: Integer, place: Integer) -> Integer:
    below = (np.int64(1) << (FIELD * place)) - 1
    return (state & below) | ((state >> FIELD) & ~below)


@inlined
def _with(state: Integer, number: Integer) -> Integer:
    place = 0
    while number_at(state, place) > number:
        place += 1
    below = (np.int64(1) << (FIELD * place)) - 1
    return (state & below) | (number << (FIELD * place)) | ((state & ~below) << FIELD)


@inlined
def _result(one: Integer, other: Integer, operation: Integer, greatest: Integer) -> Integer:
    """Returns the sum, difference, product or quotient of a number and one that is not above it; 0: not allowed."""
    result: Integer = 0
    if operation == 0:
        result = one + other
    elif operation == 1:
        result = one - other
    elif operation == 2:
        result = one * other
    elif one % other == 0:
        result = one // other
    return result if result <= greatest else 0


@kernel
def children(state: Integer, greatest: Integer, made: NDArray[np.int64]) -> Integer:
    """Writes what each action makes of a state, in the environment's order.

    Args:
        state: packed numbers.
        greatest: bound on results, at most 1023.
        made: int64[at least 2n(n - 1)] for n numbers; 0 where the action is not allowed.

    Returns:
        The number of actions.
    """
    count = count_of(state)
    actions = 0
    for second in range(1, count):
        other = number_at(state, second)
        one_less = _without(state, second)
        for first in range(second):
            one = number_at(state, first)
            rest = _without(one_less, first)
            for operation in range(4):
                result = _result(one, other, operation, greatest)
                made[actions] = _with(rest, result) if result else 0
                actions += 1
    return actions


@kernel
def thoughts(state: Integer, greatest: Integer, made: NDArray[np.int64]) -> Integer:
    """Writes the different states that one thought leads to, in the environment's order; returns their number.

    Args:
        state: packed numbers.
        greatest: bound on results, at most 1023.
        made: int64[at least 2n(n - 1)] for n numbers.
    """
    actions = children(state, greatest, made)
    kept = 0
    for action in range(actions):
        child = made[action]
        new = child != 0
        for each in range(kept):
            new &= made[each] != child
        if new:
            made[kept] = child
            kept += 1
    return kept


@inlined
def play(
    state: Integer, greatest: Integer, rng: NDArray[np.uint64], path: NDArray[np.int64], depth: Integer
) -> Integer:
    """Plays at random from a state, every allowed action as likely as another, and returns the last number.

    Args:
        state: packed numbers.
        greatest: bound on results, at most 1023.
        rng: uint64[1].
        path: int64[depth + n]; the states come to are written from `depth` on.
        depth: thoughts that came before.
    """
    count = count_of(state)
    while count > 1:
        # Drawn until one is allowed: there always is a sum, a difference, or the quotient of two equal numbers.
        action = next_below(rng, 2 * count * (count - 1))
        pair, second = action >> 2, 1
        while pair >= second:
            pair -= second
            second += 1
        result = _result(number_at(state, pair), number_at(state, second), action & 3, greatest)
        if result:
            state = _with(_without(_without(state, second), pair), result)
            count -= 1
            path[depth] = state
            depth += 1
    return state


@kernel
def hits(
    state: Integer,
    target: Integer,
    greatest: Integer,
    plays: Integer,
    rng: NDArray[np.uint64],
    path: NDArray[np.int64],
) -> Integer:
    """Returns how many of so many random plays from a state end with the target; `path` is room, int64[5]."""
    found = 0
    for _ in range(plays):
        found += play(state, greatest, rng, path, 0) == target
    return found


@kernel
def solvable(state: Integer, target: Integer, greatest: Integer, pending: NDArray[np.int64]) -> bool:
    """Returns whether any play from a state ends with the target, by trying all of them.

    Args:
        state: packed numbers.
        target: number to end with.
        greatest: bound on results, at most 1023.
        pending: int64[`MOST_PENDING`], room to work in.
    """
    waiting: Integer = 1
    pending[0] = state
    while waiting:
        waiting -= 1
        state = pending[waiting]
        if state == target:
            return True
        if state > LARGEST:
            waiting += thoughts(state, greatest, pending[waiting:])
    return False


@kernel
def draw_problems(
    states: NDArray[np.int64],
    targets: NDArray[np.int64],
    count: Integer,
    largest: Integer,
    greatest: Integer,
    least_target: Integer,
    greatest_target: Integer,
    rng: NDArray[np.uint64],
    path: NDArray[np.int64],
) -> None:
    """Draws problems as the environment does: numbers uniform, the target what a random play of them ended with.

    Args:
        states, targets: int64[problems], written.
        count: how many numbers, 2 to 6.
        largest: of the numbers drawn.
        greatest: bound on results, at most 1023.
        least_target, greatest_target: others are drawn anew, numbers and all.
        rng: uint64[1].
        path: int64[5], room to work in.
    """
    for problem in range(states.size):
        target: Integer = 0
        while not least_target <= target <= greatest_target:
            state: Integer = 0
            for _ in range(count):
                state = _with(state, 1 + next_below(rng, largest))
            target = play(state, greatest, rng, path, 0)
        states[problem], targets[problem] = state, target
