"""Anchors of Countdown, exactly, from every draw of its numbers and every way to combine them.

Random is the play of uniformly drawn allowed actions. It ends with each number as often as the play that sets the
target, so that of given numbers it hits with the sum of the squares of those probabilities. Constant takes one
action where it is allowed, else the first that is, in the environment's own order. Best solves every episode, since
every target was reached once, in as many cycles as an episode has at the least.
"""

from collections import Counter, defaultdict
from functools import cache
from itertools import combinations_with_replacement
from math import factorial, prod
from typing import TypeAlias

from aixi.environments.reasoning.countdown import Countdown, children

Numbers: TypeAlias = tuple[int, ...]


@cache
def endings(numbers: Numbers) -> dict[int, float]:
    """Probability of each last number, when allowed actions are drawn uniformly from `numbers` on."""
    if numbers[1] == 0:
        return {numbers[0]: 1.0}
    possible = [tuple(child) for child in children(list(numbers)) if child]
    chances: dict[int, float] = defaultdict(float)
    for child in possible:
        for last, chance in endings(child).items():
            chances[last] += chance / len(possible)
    return chances


def repeat(numbers: Numbers, action: int) -> int:
    """The last number when one action is taken wherever it is allowed, else the first that is."""
    left = list(numbers)
    while left[1]:
        makes = children(left)
        left = makes[action] or next(filter(None, makes))
    return left[0]


def countdown(env: Countdown) -> dict[str, float]:
    """Anchors in reward per cycle, and the number of starting positions that they are averages over."""
    starts = list(combinations_with_replacement(range(env.largest, 0, -1), env.count))
    random = 0.0
    hits = dict.fromkeys(range(len(children([0] * env.count))), 0.0)  # of constant actions
    for start in starts:
        orders = factorial(env.count) / prod(factorial(count) for count in Counter(start).values())
        weight = orders / env.largest**env.count
        chances = endings(start)
        random += weight * sum(chance**2 for chance in chances.values())
        for action in hits:
            hits[action] += weight * chances[repeat(start, action)]
    cycles = env.count - 1
    constant = max(hits.values()) / cycles
    return {"random": random / cycles, "constant": constant, "best": 1 / cycles, "states": len(starts)}
