"""Searches that run many simulations in lockstep, for models that answer many questions at once.

K simulations go down the tree side by side, a cycle at a time. Each chooses by the rules of rho-UCT, or of PUCT where
the model judges, and a simulation under way counts as a visit of what it has passed through, while values are of
finished ones only: the statistics of WU-UCT (Liu et al. 2020, equation 4). So those that follow turn elsewhere, but
not, as with a virtual loss (Chaslot et al. 2008), because what they turn from looks worse than it is. An action that
only unfinished simulations went through is worth what its node is. When all have come to the horizon, or to a leaf
that the model judged, they count in their order.

With K = 1 no simulation is under way while another chooses: trees are those of `RhoUCT` and `PUCT`, bit for bit, given
a model that draws the same percepts. A large K searches a little worse per simulation, and asks the model K times less
often.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from aixi.agents.base import ActionMask, RewardRange
from aixi.agents.planning.planner import SearchResult, TreeSearch, Worker, check_search
from aixi.agents.planning.puct import PUCT_CONSTANT, ROOT_MIXING, check_heads, select_by_prior
from aixi.agents.planning.rho_uct import UCB_CONSTANT
from aixi.agents.planning.search_tree import (
    PERCEPTS,
    ROOT,
    SIMULATIONS,
    MaskRule,
    RewardCode,
    back_up,
    child_of,
    mean_value,
    random_action,
    reward_of,
    ruling,
    select,
)
from aixi.errors import at_least, require
from aixi.predictors.intrinsics import Integer, kernel
from aixi.predictors.model import call, source_tag
from aixi.state import State

BATCH = 32
"""Default simulations in lockstep."""
MOST_BATCH = 1 << 16


class BatchModel(Protocol):
    """A model of the environment that follows many imagined futures at once.

    Attributes:
        actions: number of actions.
        percept_bits: width of a percept.
    """

    actions: int
    percept_bits: int

    def reserve(self, cycles: int) -> None:
        """Makes room for so many imagined cycles."""

    def begin(self, rows: int) -> None:
        """Begins that many futures at the present history, each a row."""

    def condition(self, actions: NDArray[np.int64]) -> None:
        """Takes each row's action, int64[rows], into its future."""

    def sample(self, rngs: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Draws a percept for each row by its own generator, uint64[rows], follows it, and returns uint64[rows, W]."""

    def evaluate(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Returns each row's prior, float64[rows, A], and value, float64[rows], in [0, 1] of the reward range."""

    def end(self) -> None:
        """Forgets all futures: the model is where it was before `begin`."""


class Flight(NamedTuple):
    """Simulations under way: K rows of up to H cycles. A row is inside the tree until it comes to a new node.

    Attributes:
        now: int64[K], each row's decision node; `ROOT` is where all begin.
        depths: int64[K], cycles inside the tree.
        inside: bool[K], whether it still is.
        allowed: bool[K, A], actions allowed now.
        actions: int64[K], chosen now.
        nodes, chosen: int64[K, H], decision node and action of each cycle inside the tree.
        rewards: float64[K, H].
    """

    now: NDArray[np.int64]
    depths: NDArray[np.int64]
    inside: NDArray[np.bool_]
    allowed: NDArray[np.bool_]
    actions: NDArray[np.int64]
    nodes: NDArray[np.int64]
    chosen: NDArray[np.int64]
    rewards: NDArray[np.float64]
    source: NDArray[Any] = source_tag(__file__)


def _flight(rows: int, actions: int, horizon: int) -> Flight:
    return Flight(
        now=np.zeros(rows, np.int64),
        depths=np.zeros(rows, np.int64),
        inside=np.zeros(rows, np.bool_),
        allowed=np.zeros((rows, actions), np.bool_),
        actions=np.zeros(rows, np.int64),
        nodes=np.zeros((rows, horizon), np.int64),
        chosen=np.zeros((rows, horizon), np.int64),
        rewards=np.zeros((rows, horizon), np.float64),
    )


@kernel
def depart(flight: Any, mask: ActionMask, rows: Integer) -> None:
    """Puts so many rows at the root, where `mask` says what is allowed."""
    for row in range(rows):
        flight.now[row], flight.depths[row], flight.inside[row] = ROOT, 0, True
        for action in range(mask.size):
            flight.allowed[row, action] = mask[action]


@kernel
def arrivals(flight: Any, tree: Any, rows: Integer) -> Integer:
    """Returns how many rows stand at a node that no simulation came to before."""
    count = 0
    for row in range(rows):
        if flight.inside[row] and tree.visits[flight.now[row]] == 0:
            count += 1
    return count


@kernel
def choose(
    flight: Any,
    tree: Any,
    rng: NDArray[np.uint64],
    priors: NDArray[np.float64],
    values: NDArray[np.float64],
    rows: Integer,
    rolling: bool,
    exploration: float,
    mixing: float,
    low: float,
    span: float,
) -> Integer:
    """Chooses the next action of each row, in their order, and counts it as a visit.

    Args:
        flight: the `Flight`.
        tree: the `SearchTree`.
        rng: uint64[1], choices of actions.
        priors, values: float64[K, A] and float64[K], the model's judgement of where each row is; read where the tree
            keeps judgements and a row stands at a new node.
        rows: how many.
        rolling: whether rows go on at random outside the tree; otherwise they take action 0, for nothing.
        exploration: C.
        mixing: uniform share of the root's prior.
        low, span: least reward, and greatest less least.

    Returns:
        How many rows still need a percept.
    """
    judged = tree.judgements.shape[1] > 0
    alive = 0
    for row in range(rows):
        node, allowed = flight.now[row], flight.allowed[row]
        action: Integer = 0
        if flight.inside[row] and tree.visits[node] == 0:
            flight.inside[row] = False
            if judged:
                tree.judgements[node, 0] = low + span * values[row]
                for action in range(allowed.size):
                    tree.judgements[node, 1 + action] = priors[row, action]
            tree.visits[node] += 1
        if flight.inside[row]:
            if judged:
                action = select_by_prior(tree, node, allowed, rng, exploration, mixing, low, span)
            else:
                action = select(tree, node, allowed, rng, exploration, low, span)
            if tree.action_visits[node, action] == 0:
                tree.values[node, action] = mean_value(tree, node, low + 0.5 * span)
            tree.visits[node] += 1
            tree.action_visits[node, action] += 1
            depth = flight.depths[row]
            flight.nodes[row, depth], flight.chosen[row, depth] = node, action
            flight.depths[row] = depth + 1
            alive += 1
        elif rolling:
            action = random_action(allowed, rng)
            alive += 1
        flight.actions[row] = action
    return alive


@kernel
def follow(
    flight: Any,
    tree: Any,
    reward: Any,
    rule: Any,
    words: NDArray[np.uint64],
    rows: Integer,
    cycle: Integer,
    rolling: bool,
) -> None:
    """Takes in each row's percept, uint64[K, W], of that cycle; not of rows that have ended."""
    horizon = flight.rewards.shape[1]
    for row in range(rows):
        if not (flight.inside[row] or rolling):
            continue
        percept = words[row]
        flight.rewards[row, cycle] = reward_of(tree, reward, percept)
        ruled = ruling(rule, percept)
        for action in range(flight.allowed.shape[1]):
            flight.allowed[row, action] = rule.allowed[ruled, action]
        if flight.inside[row] and cycle + 1 < horizon:
            flight.now[row] = child_of(tree, flight.now[row], flight.actions[row], percept)
        tree.totals[PERCEPTS] += 1


@kernel
def land(flight: Any, tree: Any, rows: Integer, rollout_weight: float) -> None:
    """Takes back the visits of simulations under way, and counts those that are finished, in their order."""
    horizon = flight.rewards.shape[1]
    judged = tree.judgements.shape[1] > 0
    for row in range(rows):
        for cycle in range(flight.depths[row]):
            node, action = flight.nodes[row, cycle], flight.chosen[row, cycle]
            tree.visits[node] -= 1
            tree.action_visits[node, action] -= 1
            if tree.action_visits[node, action] == 0:
                tree.values[node, action] = 0.0
    for row in range(rows):
        depth = flight.depths[row]
        total = 0.0
        if depth < horizon:
            if rollout_weight > 0.0:
                for cycle in range(horizon - 1, depth - 1, -1):
                    total += flight.rewards[row, cycle]
            if judged:
                judgement = (1.0 - rollout_weight) * (horizon - depth) * tree.judgements[flight.now[row], 0]
                total = judgement + rollout_weight * total
        back_up(tree, flight.nodes[row], flight.chosen[row], flight.rewards[row], depth, horizon, total)
    tree.totals[SIMULATIONS] += rows


class BatchedSearch(TreeSearch):
    """The planner over a `BatchModel`: rho-UCT, or PUCT where the model's heads are asked.

    Trees, budgets, masks, a kept subtree and saved states are as in `RhoUCT` and `PUCT`. Results depend on `batch`,
    and on nothing of the machine unless the budget is the clock's.

    Args:
        actions: number of actions.
        percept_bits: width of a percept.
        reward: where the reward stands in it.
        reward_range: of a real cycle; `reward_range` may be set anew where it is learnt.
        seed: the only source of randomness.
        horizon: cycles looked ahead.
        simulations: budget of a search; or else
        milliseconds: budget by the clock, looked at after each batch.
        batch: K, simulations in lockstep.
        heads: whether the model's priors and values guide the search, as in `PUCT`.
        constant: C of UCB or PUCT on returns normalised to [0, 1]; None for the default of that rule.
        root_mixing: with heads, uniform share of the root's prior, in [0, 1].
        rollout_weight: with heads, l in [0, 1]; a leaf is worth l times a roll-out's return and 1 - l times the
            model's value. May be set anew between searches.
        reuse_tree: whether the subtree behind the real percept is kept.
        rule: which actions are allowed after a percept; all, if None.
        view: makes the `BatchModel` at its present history of what `search` is given; None where it is given one.

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
        batch: int = BATCH,
        heads: bool = False,
        constant: float | None = None,
        root_mixing: float = ROOT_MIXING,
        rollout_weight: float = 0.0,
        reuse_tree: bool = True,
        rule: MaskRule | None = None,
        view: Callable[[Any], BatchModel] | None = None,
    ) -> None:
        if constant is None:
            constant = PUCT_CONSTANT if heads else UCB_CONSTANT
        check_search(horizon, simulations, milliseconds, constant, threads=1, name="constant")
        check_heads(root_mixing, rollout_weight)
        self.batch = at_least("batch", batch, 1)
        require(batch <= MOST_BATCH, f"batch must be at most {MOST_BATCH}, got {batch}")
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
            threads=1,
            rule=rule,
            judgements=1 + actions if heads else 0,
            rows=batch,
        )
        self.heads, self.constant = heads, constant
        self.root_mixing, self.rollout_weight = root_mixing, rollout_weight
        self._chunk, self._view = batch, view
        self._flight = _flight(batch, actions, horizon)
        self._priors, self._values = np.zeros((batch, actions)), np.zeros(batch)

    def search(self, models: Sequence[Any], mask: ActionMask | None = None) -> SearchResult:
        """Searches from the present history.

        Args:
            models: one `BatchModel`, or what the planner has a view of as one; it is left as it was.
            mask: bool[A], the actions allowed now; None allows all.
        """
        return super().search(models if self._view is None else [self._view(model) for model in models], mask)

    def _simulate(self, worker: Worker, model: BatchModel, mask: ActionMask, simulations: int) -> None:
        worker.reserve(simulations)
        for done in range(0, simulations, self.batch):
            rows = min(self.batch, simulations - done)
            model.begin(rows)
            try:
                self._fly(worker, model, mask, rows)
            finally:
                model.end()

    def _fly(self, worker: Worker, model: BatchModel, mask: ActionMask, rows: int) -> None:
        """Runs one simulation in each row."""
        flight, tree = self._flight, worker.tree
        weight = self.rollout_weight if self.heads else 1.0
        rolling = weight > 0.0
        low, span = self.reward_range.low, self._span
        call(depart, flight, mask, rows)
        for cycle in range(self.horizon):
            if self.heads and call(arrivals, flight, tree, rows):
                self._priors[:rows], self._values[:rows] = model.evaluate()
            rest = (rows, rolling, self.constant, self.root_mixing, low, span)
            if not call(choose, flight, tree, worker.rng, self._priors, self._values, *rest):
                break
            model.condition(flight.actions[:rows].copy())
            words = model.sample(worker.model_rng[:rows])
            call(follow, flight, tree, self._reward, self._rule, words, rows, cycle, rolling)
        call(land, flight, tree, rows, weight)

    def load_state_dict(self, state: State) -> None:
        """Goes on from a state of as large a batch."""
        batch = len(state["workers"][0]["model_rng"])
        require(batch == self.batch, f"the state is of a batch of {batch}, this planner has {self.batch}")
        super().load_state_dict(state)
