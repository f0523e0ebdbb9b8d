"""A second language for descriptions: the transition table of a finite environment.

The text, line by line:

1. `states actions reward limit`: their numbers, the commonest reward, and the time limit in cycles if there is one.
2. The start: one whole number a state, to which its probability is proportional; zeros at the end are left out.
   The numbers stand side by side if each has one digit, else commas part them.
3. One line a state, from state 0 on: its actions in order, parted by commas. An action lists its outcomes,
   parted by semicolons: `weight*` unless it is 1, the next state less the present one, `:reward` unless it is
   the commonest, and a full stop where the episode ends. Probabilities are proportional to the weights. The
   line of a state in which nobody can act is empty; such lines at the end are left out.

From it an environment with the same distribution of percepts can be rebuilt. What `info` holds beside the percept, such
as an action mask, is not in it.
"""

import math
from collections import Counter
from collections.abc import Iterable
from fractions import Fraction
from typing import Any, TypeAlias

from gymnasium import spaces

_LARGEST_DENOMINATOR = 10_000
_ROUNDING = 1e-12  # how far a float may be from the fraction that it stands for

Outcome: TypeAlias = tuple[int, float, bool]  # next state, reward, end of the episode
Row: TypeAlias = dict[Outcome, Fraction]


class _NotFinite(Exception):
    """The environment is not one table."""


def table_text(env: Any, time_limit: int | None) -> str | None:
    """Returns the transition table of an environment as text, or None if it is not one.

    The table is that of Gymnasium's toy texts: `P[state][action]` lists (probability, next state, reward, end), and
    `initial_state_distrib` holds the probability of each start. It counts if the observation is the state,
    and if `reset` and `step` do what it says for every state, action and outcome.

    Args:
        env: a fresh environment without wrappers; it is played with.
        time_limit: in cycles, None without.
    """
    try:
        rows, start = _read(env)
        _check(env)
    except (_NotFinite, AttributeError, IndexError, KeyError, TypeError, ValueError):
        return None  # whatever fails on the way: it is no such table
    states, actions = len(rows), len(rows[0])
    living = _living(rows, start)
    rewards = Counter(reward for state in living for row in rows[state] for _, reward, _ in row)
    common = max(rewards, key=lambda reward: (rewards[reward], -reward))
    head = [str(states), str(actions), _number(common)] + ([] if time_limit is None else [str(time_limit)])
    lines = [" ".join(head), _weights(start)]
    lines += [
        ",".join(_outcomes(row, state, common) for row in rows[state]) if state in living else ""
        for state in range(states)
    ]
    return "\n".join(lines).rstrip("\n")


def _read(env: Any) -> tuple[list[list[Row]], list[Fraction]]:
    """Returns the rows by state and action, and the start distribution."""
    observations, moves = env.observation_space, env.action_space
    if not (isinstance(observations, spaces.Discrete) and isinstance(moves, spaces.Discrete)):
        raise _NotFinite
    states, actions = int(observations.n), int(moves.n)
    if observations.start != 0 or moves.start != 0 or sorted(env.P) != list(range(states)):
        raise _NotFinite
    rows = []
    for state in range(states):
        if sorted(env.P[state]) != list(range(actions)):
            raise _NotFinite
        rows.append([_row(env.P[state][action]) for action in range(actions)])
    start = [_fraction(chance) for chance in env.initial_state_distrib]
    if sum(start) != 1 or len(start) != states:
        raise _NotFinite
    return rows, start


def _row(outcomes: Iterable[tuple[Any, Any, Any, Any]]) -> Row:
    row: Row = {}
    for chance, following, reward, end in outcomes:
        outcome = int(following), float(reward), bool(end)
        row[outcome] = row.get(outcome, Fraction(0)) + _fraction(chance)
    row = {outcome: chance for outcome, chance in row.items() if chance}
    if sum(row.values()) != 1:
        raise _NotFinite
    return row


def _fraction(chance: Any) -> Fraction:
    fraction = Fraction(float(chance)).limit_denominator(_LARGEST_DENOMINATOR)
    if abs(float(fraction) - float(chance)) > _ROUNDING:
        raise _NotFinite
    return fraction


class _Scripted:
    """Stands for a random generator: `random` gives what it is told, and anything else it does not have."""

    def __init__(self) -> None:
        self.value = 0.0

    def random(self) -> float:
        return self.value


def _check(env: Any) -> None:
    """Plays every outcome of every action in every state, after the first and after the last of the starts."""
    script = _Scripted()
    env.np_random = script
    starts = list(_middles(env.initial_state_distrib))
    for state, script.value in starts:
        if env.reset()[0] != state:
            raise _NotFinite
    for _, script.value in (starts[0], starts[-1]):
        env.reset()
        for state, actions in env.P.items():
            for action, outcomes in actions.items():
                for index, script.value in _middles([outcome[0] for outcome in outcomes]):
                    env.s = state
                    observation, reward, terminated, truncated, _ = env.step(action)
                    _, following, gain, end = outcomes[index]
                    if (observation, reward, terminated, truncated) != (following, gain, end, False):
                        raise _NotFinite


def _middles(chances: Iterable[Any]) -> Iterable[tuple[int, float]]:
    """Yields each index of a distribution that has a chance, and a number in [0, 1) at which it is drawn."""
    below = 0.0
    for index, chance in enumerate(chances):
        if chance > 0:
            yield index, below + float(chance) / 2
        below += float(chance)


def _living(rows: list[list[Row]], start: list[Fraction]) -> set[int]:
    """The states in which somebody may have to act."""
    found = {state for state, chance in enumerate(start) if chance}
    new = list(found)
    while new:
        state = new.pop()
        for following in {following for row in rows[state] for following, _, end in row if not end} - found:
            found.add(following)
            new.append(following)
    return found


def _outcomes(row: Row, state: int, common: float) -> str:
    unit = _unit(row.values())
    return ";".join(
        (f"{chance / unit}*" if chance != unit else "")
        + str(following - state)
        + (f":{_number(reward)}" if reward != common else "")
        + ("." if end else "")
        for (following, reward, end), chance in sorted(row.items())
    )


def _weights(chances: list[Fraction]) -> str:
    unit = _unit(chances)
    weights = [chance / unit for chance in chances]
    while not weights[-1]:
        weights.pop()
    return ("" if max(weights) < 10 else ",").join(map(str, weights))


def _unit(chances: Iterable[Fraction]) -> Fraction:
    """The greatest number of which all the chances are multiples."""
    shared = [chance for chance in chances if chance]
    denominator = math.lcm(*(chance.denominator for chance in shared))
    return Fraction(math.gcd(*(int(chance * denominator) for chance in shared)), denominator)


def _number(value: float) -> str:
    return str(int(value)) if value.is_integer() else repr(value)
