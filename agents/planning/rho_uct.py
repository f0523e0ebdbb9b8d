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

import math
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aixi.agents.base import ActionMask, RewardRange
from aixi.agents.planning.search_tree import (
    INVALID_REWARDS,
    NO_NODE,
    NODES,
    PERCEPTS,
    ROOT,
    SIMULATIONS,
    MaskRule,
    RewardCode,
    Scratch,
    SearchTree,
    best_action,
    clear,
    descend,
    index,
    simulate,
)
from aixi.errors import InvalidValueError, at_least, require
from aixi.predictors.intrinsics import generator_state
from aixi.predictors.model import EnvironmentModel, call
from aixi.state import State

UCB_CONSTANT = 1.0
"""Default C: `benchmarks/exploration.py`."""

# Far beyond any use, and within what arrays can hold.
MOST_HORIZON, MOST_THREADS, MOST_SIMULATIONS = 1024, 256, 1 << 24
_CHUNK = 32  # simulations between two looks at the clock
_SAVED = ("visits", "action_visits", "values", "parents", "percepts")


@dataclass(frozen=True)
class SearchResult:
    """What a search says about its root.

    Attributes:
        action: the action of the greatest value.
        visits: int64[A], simulations through each action, those of a kept subtree included.
        values: float64[A], mean reward per cycle over the horizon; NaN where an action was not visited.
        simulations: run by this search.
        nodes: decision nodes in all trees.
    """

    action: int
    visits: NDArray[np.int64]
    values: NDArray[np.float64]
    simulations: int
    nodes: int


def allowed_actions(actions: int, mask: ActionMask | None) -> ActionMask:
    """Returns a mask as bool[actions], all True where there is none.

    Raises:
        InvalidValueError: if it is of another length, or allows nothing.
    """
    allowed = np.ones(actions, np.bool_) if mask is None else np.array(mask, np.bool_)
    if allowed.shape != (actions,) or not allowed.any():
        raise InvalidValueError(
            f"mask must be one truth value for each of {actions} actions, at least one of them True, got {mask}"
        )
    return allowed


def check_search(
    horizon: int, simulations: int | None, milliseconds: float | None, ucb_constant: float, threads: int
) -> None:
    """Refuses what no search can be made of.

    Raises:
        InvalidValueError: on a value out of its range, or if not exactly one budget is given.
    """
    at_least("horizon", horizon, 1)
    require(horizon <= MOST_HORIZON, f"horizon must be at most {MOST_HORIZON}, got {horizon}")
    at_least("threads", threads, 1)
    require(threads <= MOST_THREADS, f"threads must be at most {MOST_THREADS}, got {threads}")
    require(
        (simulations is None) != (milliseconds is None),
        "a search budget is either simulations or milliseconds, "
        f"got simulations={simulations} and milliseconds={milliseconds}",
    )
    if simulations is not None:
        at_least("simulations", simulations, 1)
        require(simulations <= MOST_SIMULATIONS, f"simulations must be at most {MOST_SIMULATIONS}, got {simulations}")
    if milliseconds is not None:
        require(0 < milliseconds < math.inf, f"milliseconds must be finite and above 0, got {milliseconds}")
    require(0 <= ucb_constant < math.inf, f"ucb_constant must be finite and at least 0, got {ucb_constant}")


class _Worker:
    """One search tree with its random states."""

    def __init__(self, actions: int, words: int, horizon: int, seed: np.random.SeedSequence) -> None:
        choices, percepts = seed.spawn(2)
        self.rng, self.model_rng = generator_state(choices), generator_state(percepts)
        self.totals = np.zeros(4, np.int64)
        self.scratch = Scratch(
            words=np.zeros(words, np.uint64),
            nodes=np.zeros(horizon, np.int64),
            chosen=np.zeros(horizon, np.int64),
            rewards=np.zeros(horizon, np.float64),
        )
        self._shape = (actions, words)
        self.tree = self._allocate(64)
        clear(self.tree)

    def _allocate(self, nodes: int) -> SearchTree:
        actions, words = self._shape
        return SearchTree(
            visits=np.zeros(nodes, np.int32),
            action_visits=np.zeros((nodes, actions), np.int32),
            values=np.zeros((nodes, actions), np.float64),
            parents=np.zeros(nodes, np.int64),
            percepts=np.zeros((nodes, words), np.uint64),
            table=np.full(1 << (2 * nodes).bit_length(), NO_NODE, np.int32),
            totals=self.totals,
        )

    def reserve(self, more: int) -> None:
        """Makes room for so many more nodes."""
        old, used = self.tree, int(self.totals[NODES])
        if used + more <= old.visits.size:
            return
        self.tree = self._allocate(max(used + more, 2 * old.visits.size))
        self._fill(old._asdict(), used)

    def _fill(self, arrays: dict[str, Any], used: int) -> None:
        for name in _SAVED:
            getattr(self.tree, name)[:used] = arrays[name][:used]
        index(self.tree)

    def state_dict(self) -> State:
        used = int(self.totals[NODES])
        saved: State = {name: getattr(self.tree, name)[:used].copy() for name in _SAVED}
        return saved | {
            "totals": self.totals.copy(),
            "rng": self.rng.copy(),
            "model_rng": self.model_rng.copy(),
        }

    def load_state_dict(self, state: State) -> None:
        self.totals[:] = state["totals"]
        self.rng[:], self.model_rng[:] = state["rng"], state["model_rng"]
        used = int(self.totals[NODES])
        self.tree = self._allocate(max(64, 2 * used))
        self._fill(state, used)


class RhoUCT:
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
        self.horizon, self.simulations, self.milliseconds = horizon, simulations, milliseconds
        self.ucb_constant, self.reuse_tree, self.threads = ucb_constant, reuse_tree, threads
        self._actions, self._reward = actions, reward
        self._rule = rule or MaskRule(np.zeros(2, np.int64), np.ones((1, actions), np.bool_))
        self.reward_range = reward_range
        words = -(-percept_bits // 64)
        choice, *workers = seed.spawn(threads + 1)
        self._rng = generator_state(choice)
        self._workers = [_Worker(actions, words, horizon, worker) for worker in workers]
        self._pool: ThreadPoolExecutor | None = None

    def search(self, models: Sequence[EnvironmentModel], mask: ActionMask | None = None) -> SearchResult:
        """Searches from the present history.

        Args:
            models: one for each thread, of equal history; they are left as they were.
            mask: bool[A], the actions allowed now; None allows all.
        """
        if len(models) != self.threads:
            raise InvalidValueError(f"search takes a model for each of {self.threads} threads, got {len(models)}")
        allowed = allowed_actions(self._actions, mask)
        for model in models:
            model.reserve(self.horizon)
        shares = self._shares()
        if self.threads == 1:
            done = self._run(0, models[0], allowed, shares[0])
        else:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self.threads)
            jobs = [
                self._pool.submit(self._run, worker, models[worker], allowed, share)
                for worker, share in enumerate(shares)
            ]
            done = sum(job.result() for job in jobs)
        visits = np.zeros(self._actions, np.int64)
        sums = np.zeros(self._actions, np.float64)
        for worker in self._workers:  # always in this order: sums of floats depend on it
            visits += worker.tree.action_visits[ROOT]
            sums += worker.tree.values[ROOT] * worker.tree.action_visits[ROOT]
        values = np.divide(sums, visits, out=np.full(self._actions, np.nan), where=visits > 0)
        action = int(best_action(visits, values, allowed, self._rng))
        nodes = sum(int(worker.totals[NODES]) for worker in self._workers)
        return SearchResult(action, visits, values, done, nodes)

    def _shares(self) -> list[int]:
        """Simulations of each thread; by the clock they are unlimited."""
        if self.simulations is None:
            return [0] * self.threads
        each, rest = divmod(self.simulations, self.threads)
        return [each + (worker < rest) for worker in range(self.threads)]

    def _run(self, index: int, model: EnvironmentModel, mask: ActionMask, simulations: int) -> int:
        worker = self._workers[index]
        if self.milliseconds is None:
            self._simulate(worker, model, mask, simulations)
            return simulations
        deadline = time.perf_counter() + self.milliseconds / 1000.0
        done = 0
        while done == 0 or time.perf_counter() < deadline:
            self._simulate(worker, model, mask, _CHUNK)
            done += _CHUNK
        return done

    def _simulate(self, worker: _Worker, model: EnvironmentModel, mask: ActionMask, simulations: int) -> None:
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
            (self.reward_range.high - self.reward_range.low) or 1.0,
        )

    def advance(self, action: int, words: NDArray[np.uint64]) -> None:
        """Moves the root behind a real action and percept, uint64[W]; call it after every real cycle."""
        for worker in self._workers:
            if self.reuse_tree:
                descend(worker.tree, action, words, np.empty(worker.totals[NODES], np.int64))
            else:
                clear(worker.tree)

    def forget(self) -> None:
        """Drops the tree, because the history went on in a way that it does not hold."""
        for worker in self._workers:
            clear(worker.tree)

    @property
    def totals(self) -> dict[str, int]:
        """Simulations, percepts drawn and invalid rewards drawn, over the planner's life."""
        summed = sum((worker.totals for worker in self._workers), np.zeros(4, np.int64))
        return {
            "simulations": int(summed[SIMULATIONS]),
            "percepts": int(summed[PERCEPTS]),
            "invalid_rewards": int(summed[INVALID_REWARDS]),
        }

    def state_dict(self) -> State:
        """Returns trees and random states; arrays are copies."""
        return {"rng": self._rng.copy(), "workers": [worker.state_dict() for worker in self._workers]}

    def load_state_dict(self, state: State) -> None:
        """Goes on from a state of as many threads."""
        if len(state["workers"]) != self.threads:
            raise InvalidValueError(f"the state is of {len(state['workers'])} threads, this planner has {self.threads}")
        self._rng[:] = state["rng"]
        for worker, saved in zip(self._workers, state["workers"], strict=True):
            worker.load_state_dict(saved)
