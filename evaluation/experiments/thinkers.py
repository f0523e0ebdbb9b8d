"""Agents that only think: a model that has learnt and learns no more, and a search over it of any kind."""

import math
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aixi.agents.base import ActionMask, RewardRange
from aixi.agents.mc_aixi import MCAIXI, Planner
from aixi.agents.planning import MaskRule, RewardCode
from aixi.agents.planning.planner import TreeSearch, Worker
from aixi.agents.planning.search_tree import ROOT, SIMULATIONS, random_action, roll_out, ruling, take
from aixi.errors import InvalidValueError
from aixi.predictors.context_tree import DENSE_DEPTH, LEARNT, LENGTH, bit_at, foresee, foresee_dense, push
from aixi.predictors.factored import FactoredContextTreeModel
from aixi.predictors.intrinsics import Integer, kernel
from aixi.predictors.model import EnvironmentModel, call, mark, rewind

MODELS = ("context trees", "transformer")
"""What learns: factored context tree weighting, or a Transformer."""
NEURAL_HORIZON = 8
"""Cycles that a network's model has room to imagine."""
METHODS = ("rho-UCT", "flat Monte-Carlo", "best of N")
"""Searches: a tree; the greatest mean return of random plans by their first action; the one best random plan."""


@kernel
def _follow(model: Any, words: NDArray[np.uint64]) -> float:
    """Reads a real percept and returns its code length in bits; nothing is counted."""
    bits = 0.0
    for tree in range(model.depths.size):
        if model.depths[tree] <= DENSE_DEPTH:
            one = foresee_dense(model, tree, model.state[LENGTH])
        else:
            one = foresee(model, tree, model.state[LENGTH])
        bit = bit_at(words, tree)
        bits -= math.log2(one if bit else 1.0 - one)
        push(model, bit)
    model.state[LEARNT] = model.state[LENGTH]
    return bits


class FrozenContextTreeModel(FactoredContextTreeModel):
    """FAC-CTW that reads on and learns no more."""

    def update(self, words: NDArray[np.uint64]) -> float:
        self.reserve(0)
        return float(call(_follow, self.compiled, words))


@kernel
def _imagine(
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
    greatest: Integer,
) -> None:
    """Plays random plans from the root; the model is left as it was.

    Args:
        model, tree, scratch, reward, rule, mask, rng, model_rng, simulations, horizon: as of rho-UCT's `simulate`; of
            the tree only the root is used.
        greatest: 1 to keep the greatest return of each first action, 0 the mean.
    """
    start = mark(model)
    for _ in range(simulations):
        action = random_action(mask, rng)
        total = take(model, tree, reward, action, model_rng, scratch.words)
        allowed = rule.allowed[ruling(rule, scratch.words)]
        total += roll_out(model, tree, scratch, reward, rule, allowed, rng, model_rng, 1, horizon)
        rewind(model, start)
        value, visits = total / horizon, tree.action_visits[ROOT, action] + 1
        tree.visits[ROOT] += 1
        tree.action_visits[ROOT, action] = visits
        if greatest:
            tree.values[ROOT, action] = value if visits == 1 else max(value, tree.values[ROOT, action])
        else:
            tree.values[ROOT, action] += (value - tree.values[ROOT, action]) / visits
    tree.totals[SIMULATIONS] += simulations


class FlatSearch(TreeSearch):
    """Plays plans of uniformly random actions, and takes the first action of the best.

    Args:
        greatest: whether the best is the plan of the greatest return that was imagined (best of N); else the first
            action of the greatest mean return (flat Monte-Carlo).
        actions, percept_bits, reward, reward_range, seed, horizon, simulations, rule: as of `RhoUCT`.
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
        simulations: int,
        greatest: bool,
        rule: MaskRule | None,
    ) -> None:
        super().__init__(
            actions,
            percept_bits,
            reward,
            reward_range,
            seed,
            horizon=horizon,
            simulations=simulations,
            milliseconds=None,
            reuse_tree=False,
            threads=1,
            rule=rule,
        )
        self._greatest = int(greatest)

    def _simulate(self, worker: Worker, model: Any, mask: ActionMask, simulations: int) -> None:
        call(
            _imagine,
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
            self._greatest,
        )


class Learner(MCAIXI):
    """Acts at random, and learns a model.

    Args:
        kind: one of `MODELS`.
        depth: context depth in bits, of context trees.

    Raises:
        InvalidValueError: if there is no such kind.
    """

    _model: EnvironmentModel
    _frozen: EnvironmentModel

    def __init__(self, kind: str, depth: int) -> None:
        if kind not in MODELS:
            raise InvalidValueError(f"kind must be one of {', '.join(MODELS)}, got {kind!r}")
        super().__init__(horizon=1, simulations=1, exploration=1.0, exploration_decay=1.0)
        self._kind, self._depth = kind, depth

    def make_model(self, actions: int, layout: tuple[int, ...], seed: np.random.SeedSequence) -> EnvironmentModel:
        if self._kind == "context trees":
            self._model = FactoredContextTreeModel(actions, sum(layout), depth=self._depth)
            self._frozen = FrozenContextTreeModel(actions, sum(layout), depth=self._depth)
        else:
            from aixi.predictors.neural.model import NeuralModel

            make = partial(NeuralModel, actions, layout, horizon=NEURAL_HORIZON, seed=int(seed.generate_state(1)[0]))
            self._model, self._frozen = make(train_every=20, train_steps=5, batch=16), make(train_every=0)
        return self._model

    def learnt(self) -> EnvironmentModel:
        """Returns what it has learnt, as a model that learns no more."""
        state = self._model.state_dict()
        if "training" in state:  # a network's, which differs in how it goes on
            state["training"] = self._frozen.state_dict()["training"]
        self._frozen.load_state_dict(state)
        return self._frozen


class Thinker(MCAIXI):
    """Never explores and never learns: it searches in a given model.

    Args:
        model: what has been learnt; each life begins with a copy of it.
        method: one of `METHODS`.
        horizon: cycles looked ahead.
        simulations: budget of a cycle.
        ucb_constant: C of rho-UCT; the others have none.

    Raises:
        InvalidValueError: if there is no such method.
    """

    def __init__(
        self, model: EnvironmentModel, method: str, *, horizon: int, simulations: int, ucb_constant: float = 1.0
    ) -> None:
        if method not in METHODS:
            raise InvalidValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
        super().__init__(horizon=horizon, simulations=simulations, exploration=0.0, ucb_constant=ucb_constant)
        self._learnt, self._method, self._horizon, self._simulations = model, method, horizon, simulations

    def make_model(self, actions: int, layout: tuple[int, ...], seed: np.random.SeedSequence) -> EnvironmentModel:
        return self._learnt.copy()

    def make_planner(
        self,
        actions: int,
        percept_bits: int,
        reward: RewardCode,
        reward_range: RewardRange,
        seed: np.random.SeedSequence,
        rule: MaskRule | None,
    ) -> Planner:
        if self._method == "rho-UCT":
            return super().make_planner(actions, percept_bits, reward, reward_range, seed, rule)
        return FlatSearch(
            actions,
            percept_bits,
            reward,
            reward_range,
            seed,
            horizon=self._horizon,
            simulations=self._simulations,
            greatest=self._method == "best of N",
            rule=rule,
        )
