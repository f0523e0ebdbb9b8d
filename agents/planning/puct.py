"""PUCT: tree search with a prior over actions and a value of where it ends (Silver et al. 2017, 2018; Rosin 2011).

The tree is that of rho-UCT: decision nodes keyed by whole raw percepts, chance nodes one an action, which hold the
mean reward per remaining cycle. But its rules ask the model, by the operation `evaluate`, what it makes of a decision
node: a prior P(h .) over actions, and a value, the mean reward per cycle that it expects from there on. A simulation
goes down by

    argmax over actions of  (V(h a) - low) / (high - low) + C P(a given h) sqrt(T(h)) / (1 + T(h a))

and ends at a node that none came to before, whose value stands in for the cycles that remain up to the horizon: no
roll-out, unless some weight is given to one. T(h) counts that first visit, so that the first action tried is the one
of the greatest prior.

The prior is taken among the actions that are allowed; if it gives them nothing, they are equally likely. At the root
a share of it is uniform, so that a prior which is wrong there is found out. An action that was not tried yet is worth
the mean of all that went through its node, the model's value of it included: it is as good as its parent until more
is known, whatever the scale of the rewards, and so no action need be tried at all whose prior is small. (0, as in the
pseudo-code of AlphaZero, would be the worst of values here: what was tried first would be kept.)

The action taken is the one visited most; values decide among equals, then the prior, then chance. For what a
search teaches the heads see `SearchResult`: its `policy`, the shares of visits, is what the prior is trained towards,
and its `value` what the value is.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aixi.agents.base import ActionMask, RewardRange
from aixi.agents.planning.planner import TreeSearch, Worker, check_search
from aixi.agents.planning.search_tree import (
    NO_NODE,
    ROOT,
    SIMULATIONS,
    MaskRule,
    RewardCode,
    back_up,
    child_of,
    mean_value,
    roll_out,
    ruling,
    take,
)
from aixi.errors import require
from aixi.predictors.intrinsics import Integer, inlined, kernel, next_below
from aixi.predictors.model import call, evaluate, mark, rewind

PUCT_CONSTANT = 1.0
"""Default C."""
ROOT_MIXING = 0.25
"""Default share of the root's prior that is uniform (Silver et al. 2017: 0.25, of noise)."""


@inlined
def select_by_prior(
    tree: Any,
    node: Integer,
    mask: ActionMask,
    rng: NDArray[np.uint64],
    exploration: float,
    mixing: float,
    low: float,
    span: float,
) -> Integer:
    """Returns the action of greatest PUCT at a judged node, ties uniform; `mixing` is the uniform share at the root."""
    mass, count = 0.0, 0
    for action in range(mask.size):
        if mask[action]:
            mass += tree.judgements[node, 1 + action]
            count += 1
    uniform = mixing if node == ROOT else 0.0
    scale = 0.0
    if mass > 0.0:
        scale = (1.0 - uniform) / mass
    else:
        uniform = 1.0
    bonus = exploration * math.sqrt(tree.visits[node])
    parent = mean_value(tree, node, 0.0)
    best, ties, greatest = NO_NODE, 0, -math.inf
    for action in range(mask.size):
        if mask[action]:
            visits = tree.action_visits[node, action]
            value = tree.values[node, action] if visits else parent
            prior = tree.judgements[node, 1 + action] * scale + uniform / count
            score = (value - low) / span + bonus * prior / (1 + visits)
            if score > greatest:
                best, ties, greatest = action, 1, score
            elif score == greatest:
                ties += 1
                if next_below(rng, ties) == 0:
                    best = action
    return best


@kernel
def simulate_by_prior(
    model: Any,
    tree: Any,
    scratch: Any,
    reward: Any,
    rule: Any,
    mask: ActionMask,
    rng: NDArray[np.uint64],
    model_rng: NDArray[np.uint64],
    simulations: Integer,
    horizon: Integer,
    exploration: float,
    mixing: float,
    rollout_weight: float,
    low: float,
    span: float,
) -> None:
    """Runs simulations from the root; the model is left as it was.

    Args:
        model: a compiled model that implements `evaluate`.
        tree: the `SearchTree`, with 1 + A judgements a node, and room for one more node a simulation.
        scratch: the `Scratch`.
        reward: the `RewardCode`.
        rule: the `MaskRule`, for what follows the root.
        mask: bool[A], actions allowed at the root.
        rng: uint64[1], choices of actions.
        model_rng: uint64[1], percepts.
        simulations: how many.
        horizon: cycles looked ahead.
        exploration: C.
        mixing: uniform share of the root's prior.
        rollout_weight: of a roll-out's return, against the model's value.
        low, span: least reward, and greatest less least.
    """
    words, rewards = scratch.words, scratch.rewards
    nodes, chosen = scratch.nodes, scratch.chosen
    start = mark(model)
    for _ in range(simulations):
        node: Integer = ROOT
        depth: Integer = 0
        allowed = mask
        while depth < horizon and tree.visits[node]:
            action = select_by_prior(tree, node, allowed, rng, exploration, mixing, low, span)
            nodes[depth], chosen[depth] = node, action
            rewards[depth] = take(model, tree, reward, action, model_rng, words)
            allowed = rule.allowed[ruling(rule, words)]
            depth += 1
            if depth < horizon:
                node = child_of(tree, node, action, words)
        total = 0.0
        if depth < horizon:
            tree.judgements[node, 0] = low + span * evaluate(model, tree.judgements[node, 1:])
            tree.visits[node] += 1
            total = (1.0 - rollout_weight) * (horizon - depth) * tree.judgements[node, 0]
            if rollout_weight > 0.0:
                total += rollout_weight * roll_out(
                    model, tree, scratch, reward, rule, allowed, rng, model_rng, depth, horizon
                )
        rewind(model, start)
        back_up(tree, nodes, chosen, rewards, depth, horizon, total)
    tree.totals[SIMULATIONS] += simulations


def check_heads(root_mixing: float, rollout_weight: float) -> None:
    """Refuses shares that are none.

    Raises:
        InvalidValueError: on a value out of its range.
    """
    for name, share in (("root_mixing", root_mixing), ("rollout_weight", rollout_weight)):
        require(0.0 <= share <= 1.0, f"{name} must be within [0, 1], got {share}")


class PUCT(TreeSearch):
    """The planner of learnt priors and values, over models that implement `evaluate`.

    Trees, budgets, threads, masks, a kept subtree and saved states are as in `RhoUCT`. After the weights behind
    `evaluate` have changed, call `forget`: the tree holds what they said.

    Args:
        actions: number of actions.
        percept_bits: width of a percept.
        reward: where the reward stands in it.
        reward_range: of a real cycle; `reward_range` may be set anew where it is learnt.
        seed: the only source of randomness.
        horizon: cycles looked ahead.
        simulations: budget of a search; or else
        milliseconds: budget by the clock, which makes results depend on the machine.
        puct_constant: C on returns normalised to [0, 1].
        root_mixing: uniform share of the root's prior, in [0, 1].
        rollout_weight: l in [0, 1]; a leaf is worth l times a roll-out's return and 1 - l times the model's value.
            May be set anew between searches.
        reuse_tree: whether the subtree behind the real percept is kept.
        threads: root-parallel searches, each over its own model; results depend on their number, not on timing.
        rule: which actions are allowed after a percept; all, if None.

    Raises:
        InvalidValueError: on a value out of its range, or if not exactly one budget is given; and from `search` if
            the model does not implement `evaluate`.
    """

    def __init__(
        self,
        actions: int,
        percept_bits: int,
        reward: RewardCode,
        reward_range: RewardRange,
        seed: np.random.SeedSequence,
        *,
        horizon: int,
        simulations: int | None = None,
        milliseconds: float | None = None,
        puct_constant: float = PUCT_CONSTANT,
        root_mixing: float = ROOT_MIXING,
        rollout_weight: float = 0.0,
        reuse_tree: bool = True,
        threads: int = 1,
        rule: MaskRule | None = None,
    ) -> None:
        check_search(horizon, simulations, milliseconds, puct_constant, threads, name="puct_constant")
        check_heads(root_mixing, rollout_weight)
        super().__init__(
            actions,
            percept_bits,
            reward,
            reward_range,
            seed,
            horizon=horizon,
            simulations=simulations,
            milliseconds=milliseconds,
            reuse_tree=reuse_tree,
            threads=threads,
            rule=rule,
            judgements=1 + actions,
        )
        self.puct_constant, self.root_mixing, self.rollout_weight = puct_constant, root_mixing, rollout_weight

    def _simulate(self, worker: Worker, model: Any, mask: ActionMask, simulations: int) -> None:
        compiled = model.compiled
        require(
            evaluate.dispatch(type(compiled)) is not evaluate.dispatch(object),
            f"{type(compiled).__name__} has no heads: register evaluate for it, or search by rho-UCT",
        )
        worker.reserve(simulations)
        call(
            simulate_by_prior,
            compiled,
            worker.tree,
            worker.scratch,
            self._reward,
            self._rule,
            mask,
            worker.rng,
            worker.model_rng,
            simulations,
            self.horizon,
            self.puct_constant,
            self.root_mixing,
            self.rollout_weight,
            self.reward_range.low,
            self._span,
        )
