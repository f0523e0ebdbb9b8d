"""rho-UCT: Monte-Carlo tree search over a compiled model of the environment (Veness et al. 2011, section 4).

A simulation walks down the tree by UCB1 (Auer, Cesa-Bianchi & Fischer 2002) with percepts drawn from the model,
which follows along; where it leaves the tree it goes on with uniformly random actions up to the horizon. Then the
model is rewound, bit for bit.

Decision nodes are keyed by the whole raw percept, observation and reward bits alike, so that percepts that decode
alike never share a history. Chance nodes are the rows' columns: one for each action of a decision node. They hold
the mean reward per remaining cycle, so that

    UCB(h a) = (V(h a) - low) / (high - low) + C sqrt(log T(h) / T(h a))

is the paper's rule with returns normalised by remaining horizon times reward range, and a subtree that is kept when
the horizon moves on by a cycle stays on the same scale. (Its returns still come from the shorter horizon.)
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from aixi.agents.base import ActionMask, RewardRange
from aixi.agents.planning.planner import TreeSearch, Worker, check_search
from aixi.agents.planning.search_tree import (
    ROOT,
    SIMULATIONS,
    MaskRule,
    RewardCode,
    back_up,
    child_of,
    roll_out,
    ruling,
    select,
    take,
)
from aixi.predictors.intrinsics import Integer, kernel
from aixi.predictors.model import call, mark, rewind

UCB_CONSTANT = 1.0
"""Default C: `benchmarks/exploration.py`."""


@kernel
def simulate(
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
    low: float,
    span: float,
) -> None:
    """Runs simulations from the root; the model is left as it was.

    Args:
        model: a compiled model.
        tree: the `SearchTree`, with room for one more node a simulation.
        scratch: the `Scratch`.
        reward: the `RewardCode`.
        rule: the `MaskRule`, for what follows the root.
        mask: bool[A], actions allowed at the root.
        rng: uint64[1], choices of actions.
        model_rng: uint64[1], percepts.
        simulations: how many.
        horizon: cycles looked ahead.
        exploration: C.
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
            action = select(tree, node, allowed, rng, exploration, low, span)
            nodes[depth], chosen[depth] = node, action
            rewards[depth] = take(model, tree, reward, action, model_rng, words)
            allowed = rule.allowed[ruling(rule, words)]
            depth += 1
            if depth < horizon:  # what lies at the horizon is not counted (algorithm 1), nor kept
                node = child_of(tree, node, action, words)
        total = roll_out(model, tree, scratch, reward, rule, allowed, rng, model_rng, depth, horizon)
        rewind(model, start)
        if depth < horizon:
            tree.visits[node] += 1
        back_up(tree, nodes, chosen, rewards, depth, horizon, total)
    tree.totals[SIMULATIONS] += simulations


class RhoUCT(TreeSearch):
    """The planner: searches over one or several equal models, keeps its subtree, and merges in a fixed order.

    Args:
        actions: number of actions.
        percept_bits: width of a percept.
        reward: where the reward stands in it.
        reward_range: of a real cycle; `reward_range` may be set anew where it is learnt.
        seed: the only source of randomness.
        horizon: cycles looked ahead.
        simulations: budget of a search; or else
        milliseconds: budget by the clock, which makes results depend on the machine.
        ucb_constant: C of UCB on returns normalised to [0, 1].
        reuse_tree: whether the subtree behind the real percept is kept.
        threads: root-parallel searches, each over its own model; results depend on their number, not on timing.
        rule: which actions are allowed after a percept; all, if None.

    Raises:
        InvalidValueError: on a value out of its range, or if not exactly one budget is given.
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
        ucb_constant: float = UCB_CONSTANT,
        reuse_tree: bool = True,
        threads: int = 1,
        rule: MaskRule | None = None,
    ) -> None:
        check_search(horizon, simulations, milliseconds, ucb_constant, threads)
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
        )
        self.ucb_constant = ucb_constant

    def _simulate(self, worker: Worker, model: Any, mask: ActionMask, simulations: int) -> None:
        worker.reserve(simulations)
        call(
            simulate,
            model.compiled,
            worker.tree,
            worker.scratch,
            self._reward,
            self._rule,
            mask,
            worker.rng,
            worker.model_rng,
            simulations,
            self.horizon,
            self.ucb_constant,
            self.reward_range.low,
            self._span,
        )
