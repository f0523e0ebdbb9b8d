"""What the planner is held against: tiny worlds, expectimax, and rho-UCT as the paper writes it down.

A percept is one whole number here, bit i of it being the percept's bit i.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from aixi.agents.base import RewardRange
from aixi.agents.models.finite import FinitePOMDP
from aixi.agents.planning import RewardCode, RhoUCT
from aixi.predictors.intrinsics import next_below
from aixi.predictors.model import condition, mark, rewind, sample

Steps = list[list[list[tuple[float, int, int]]]]
"""For each state and action, the outcomes: probability, next state, percept."""


def words_of(percept: int, bits: int) -> np.ndarray:
    """A percept's words, uint64[ceil(bits / 64)]."""
    return np.array([percept >> shift & (2**64 - 1) for shift in range(0, bits, 64)], np.uint64)


def world(steps: Steps, bits: int, belief: Sequence[float] = (1.0,), kind: type = FinitePOMDP) -> FinitePOMDP:
    """A model of percepts of so many bits, whose state is drawn from the belief; percept 0 came first."""
    model: FinitePOMDP = kind(
        bits,
        [[[(p, state, words_of(percept, bits)) for p, state, percept in row] for row in rows] for rows in steps],
        [(p, state, words_of(0, bits)) for state, p in enumerate(belief)],
    )
    model.update(words_of(0, bits))
    return model


def planner(
    model: FinitePOMDP,
    rewards: Sequence[float],
    *,
    first: int = 0,
    valid: Sequence[bool] | None = None,
    span: tuple[float, float] | None = None,
    seed: int = 0,
    **options: Any,
) -> RhoUCT:
    """A planner over a world whose reward's code, counted from 0, begins at bit `first` of the percept."""
    low, high = span or (min(rewards), max(rewards))
    return RhoUCT(
        model.actions,
        model.percept_bits,
        reward_code(rewards, first, valid),
        RewardRange(low, high),
        np.random.SeedSequence(seed),
        **({"horizon": 1, "simulations": 100} | options),
    )


def reward_code(rewards: Sequence[float], first: int, valid: Sequence[bool] | None) -> RewardCode:
    width = (len(rewards) - 1).bit_length()
    known = [True] * len(rewards) if valid is None else list(valid)
    return RewardCode(np.array([first, width]), np.array(rewards, np.float64), np.array(known))


def arms(*percepts: int) -> Steps:
    """A single state; each action always gives its percept."""
    return [[[(1.0, 0, percept)] for percept in percepts]]


def random_world(seed: int) -> tuple[Steps, list[float], list[float]]:
    """Three hidden states, two actions, two observations, in four layers that follow each other in a ring.

    Action and layer are part of the 4 bits of a percept and rewards are real numbers, so that no two returns
    within four cycles are equal, and no choice hangs on the last bit of a float.

    Returns:
        Steps, belief, and the reward of each percept.
    """
    rng = np.random.default_rng([seed, 2011])
    steps: Steps = []
    for state in range(12):
        layer = state // 3
        onward = (layer + 1) % 4 * 3
        steps.append(
            [
                [
                    (weight, onward + outcome // 2, outcome % 2 + 2 * action + 4 * layer)
                    for outcome, weight in enumerate(rng.dirichlet(np.full(6, 0.5)).tolist())
                ]
                for action in range(2)
            ]
        )
    return steps, rng.dirichlet(np.ones(3)).tolist() + [0.0] * 9, rng.normal(size=16).tolist()


Rule = Callable[[int], Sequence[bool]]
"""Which actions are allowed after a percept."""


def expectimax(
    steps: Steps, belief: dict[int, float], horizon: int, reward: Callable[[int], float], rule: Rule | None = None
) -> list[float]:
    """Greatest expected total reward behind each action, by going through everything that can happen."""
    values = []
    for action in range(len(steps[0])):
        masses: dict[int, dict[int, float]] = defaultdict(lambda: defaultdict(float))
        for state, weight in belief.items():
            for probability, following, percept in steps[state][action] if weight else ():
                masses[percept][following] += weight * probability
        value = 0.0
        for percept, posterior in masses.items():
            total = sum(posterior.values())
            value += total * reward(percept)
            if horizon > 1:
                after = {state: mass / total for state, mass in posterior.items()}
                allowed = rule(percept) if rule else [True] * len(steps[0])
                below = expectimax(steps, after, horizon - 1, reward, rule)
                value += total * max(value for value, may in zip(below, allowed, strict=True) if may)
        values.append(value)
    return values


class PaperNode:
    """T(h), T(h a) and V(h a), the mean of total rewards up to the horizon."""

    def __init__(self, actions: int) -> None:
        self.visits = 0
        self.action_visits = [0] * actions
        self.values = [0.0] * actions


class PaperSearch:
    """Algorithms 1 to 4 of Veness et al. (2011), one function each, on a dictionary of histories.

    It takes its random numbers in the planner's order, so that both must build the same tree.
    """

    def __init__(
        self,
        search: RhoUCT,
        model: FinitePOMDP,
        rewards: Sequence[float],
        mask: Any = None,
        rule: Rule | None = None,
    ) -> None:
        own = search._workers[0]
        self.rng, self.model_rng = own.rng.copy(), own.model_rng.copy()
        self.model, self.rewards = model.compiled, rewards
        self.horizon, self.exploration = search.horizon, search.ucb_constant
        self.span = max(rewards) - min(rewards)
        self.low = min(rewards)
        self.actions = model.actions
        self.mask = [True] * model.actions if mask is None else mask
        self.rule = rule or (lambda percept: [True] * model.actions)
        self.tree: dict[tuple[int, ...], PaperNode] = {(): PaperNode(self.actions)}

    def search(self, simulations: int) -> None:
        start = mark(self.model)
        for _ in range(simulations):
            self.decide((), self.horizon)
            rewind(self.model, start)

    def decide(self, history: tuple[int, ...], left: int) -> float:
        """Algorithm 1 at a decision node."""
        if left == 0:
            return 0.0
        node = self.tree[history]
        if node.visits == 0:
            total = self.roll_out(history, left)
        else:
            action = self.select(node, history, left)
            percept = self.percept(action)
            longer = (*history, action, percept)
            self.tree.setdefault(longer, PaperNode(self.actions))
            total = self.rewards[percept] + self.decide(longer, left - 1)
            count = node.action_visits[action]
            node.values[action] += (total - node.values[action]) / (count + 1)
            node.action_visits[action] += 1
        node.visits += 1
        return total

    def allowed(self, history: tuple[int, ...]) -> Sequence[bool]:
        return self.rule(history[-1]) if history else self.mask

    def percept(self, action: int) -> int:
        words = np.zeros(1, np.uint64)
        condition(self.model, action)
        sample(self.model, self.model_rng, words)
        return int(words[0])

    def select(self, node: PaperNode, history: tuple[int, ...], left: int) -> int:
        """Algorithm 3: an unvisited action, else the greatest of equation 14."""
        scores = {}
        for action in range(self.actions):
            if self.allowed(history)[action]:
                count = node.action_visits[action]
                scores[action] = math.inf
                if count:
                    value = (node.values[action] - left * self.low) / (left * self.span)
                    scores[action] = value + self.exploration * math.sqrt(math.log(node.visits) / count)
        best, ties, greatest = -1, 0, -math.inf
        for action, score in scores.items():
            if score > greatest:
                best, ties, greatest = action, 1, score
            elif score == greatest:
                ties += 1
                best = action if next_below(self.rng, ties) == 0 else best
        return best

    def roll_out(self, history: tuple[int, ...], left: int) -> float:
        """Algorithm 4: actions at random."""
        total = 0.0
        for _ in range(left):
            action = next_below(self.rng, self.actions)
            while not self.allowed(history)[action]:
                action = next_below(self.rng, self.actions)
            history = (*history, action, self.percept(action))
            total += self.rewards[history[-1]]
        return total


def tree_of(search: RhoUCT, worker: int = 0) -> dict[tuple[int, ...], tuple[int, list[int], list[float]]]:
    """A planner's tree: T(h), T(h a) and mean rewards per remaining cycle of each history."""
    tree = search._workers[worker].tree
    actions = tree.values.shape[1]
    histories: list[tuple[int, ...]] = []
    listed = {}
    for node in range(tree.totals[0]):
        history: tuple[int, ...] = ()
        if node:
            parent, action = divmod(int(tree.parents[node]), actions)
            percept = sum(int(word) << 64 * index for index, word in enumerate(tree.percepts[node]))
            history = (*histories[parent], action, percept)
        histories.append(history)
        listed[history] = (
            int(tree.visits[node]),
            tree.action_visits[node].tolist(),
            tree.values[node].tolist(),
        )
    return listed
