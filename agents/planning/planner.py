"""What every tree search shares: budgets, threads, a kept subtree, merging in a fixed order, and saved state."""

import math
import time
from abc import ABC, abstractmethod
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
)
from aixi.errors import InvalidValueError, at_least, require
from aixi.predictors.intrinsics import generator_state, next_below
from aixi.state import State

# Far beyond any use, and within what arrays can hold.
MOST_HORIZON, MOST_THREADS, MOST_SIMULATIONS = 1024, 256, 1 << 24
_CHUNK = 32  # simulations between two looks at the clock
_SAVED = ("visits", "action_visits", "values", "parents", "percepts", "judgements")


@dataclass(frozen=True)
class SearchResult:
    """What a search says about its root.

    Attributes:
        action: the action to take: of the greatest value by rho-UCT, of the most visits by PUCT.
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

    @property
    def policy(self) -> NDArray[np.float64]:
        """Share of the simulations that went through each action, float64[A]: what a prior is trained towards.

        NaN where none went through any.
        """
        return np.divide(self.visits, self.visits.sum() or np.nan)

    @property
    def value(self) -> float:
        """Mean reward per cycle behind the action taken, which a value head is trained towards; NaN if not visited."""
        return float(self.values[self.action])


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
    horizon: int,
    simulations: int | None,
    milliseconds: float | None,
    constant: float,
    threads: int,
    name: str = "ucb_constant",
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
    require(0 <= constant < math.inf, f"{name} must be finite and at least 0, got {constant}")


class Worker:
    """One search tree, whose nodes hold so many `judgements`, with its random states: of choices, and of percepts
    in so many `rows`."""

    def __init__(
        self, actions: int, words: int, horizon: int, seed: np.random.SeedSequence, judgements: int, rows: int
    ) -> None:
        choices, percepts = seed.spawn(2)
        self.rng, self.model_rng = generator_state(choices), percepts.generate_state(rows, np.uint64).astype(np.uint64)
        self.totals = np.zeros(4, np.int64)
        self.scratch = Scratch(
            words=np.zeros(words, np.uint64),
            nodes=np.zeros(horizon, np.int64),
            chosen=np.zeros(horizon, np.int64),
            rewards=np.zeros(horizon, np.float64),
        )
        self._shape = (actions, words, judgements)
        self.tree = self._allocate(64)
        clear(self.tree)

    def _allocate(self, nodes: int) -> SearchTree:
        actions, words, judgements = self._shape
        return SearchTree(
            visits=np.zeros(nodes, np.int32),
            action_visits=np.zeros((nodes, actions), np.int32),
            values=np.zeros((nodes, actions), np.float64),
            parents=np.zeros(nodes, np.int64),
            percepts=np.zeros((nodes, words), np.uint64),
            judgements=np.zeros((nodes, judgements), np.float64),
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


class TreeSearch(ABC):
    """A planner that searches over one or several equal models, and keeps its subtree.

    Args:
        actions: number of actions.
        percept_bits: width of a percept.
        reward: where the reward stands in it.
        reward_range: of a real cycle; `reward_range` may be set anew where it is learnt.
        seed: the only source of randomness.
        horizon: cycles looked ahead.
        simulations: budget of a search; or else
        milliseconds: budget by the clock, which makes results depend on the machine.
        reuse_tree: whether the subtree behind the real percept is kept.
        threads: root-parallel searches, each over its own model; results depend on their number, not on timing.
        rule: which actions are allowed after a percept; all, if None.
        judgements: numbers that the model says of a decision node, and the tree keeps.
        rows: simulations of a thread that run side by side, each with its own random percepts.
    """

    _chunk = _CHUNK

    def __init__(
        self,
        actions: int,
        percept_bits: int,
        reward: RewardCode,
        reward_range: RewardRange,
        seed: np.random.SeedSequence,
        *,
        horizon: int,
        simulations: int | None,
        milliseconds: float | None,
        reuse_tree: bool,
        threads: int,
        rule: MaskRule | None,
        judgements: int = 0,
        rows: int = 1,
    ) -> None:
        self.horizon, self.simulations, self.milliseconds = horizon, simulations, milliseconds
        self.reuse_tree, self.threads = reuse_tree, threads
        self._actions, self._reward = actions, reward
        self._rule = rule or MaskRule(np.zeros(2, np.int64), np.ones((1, actions), np.bool_))
        self.reward_range = reward_range
        words = -(-percept_bits // 64)
        choice, *workers = seed.spawn(threads + 1)
        self._rng = generator_state(choice)
        self._workers = [Worker(actions, words, horizon, worker, judgements, rows) for worker in workers]
        self._pool: ThreadPoolExecutor | None = None

    @property
    def _span(self) -> float:
        """Greatest reward less least; 1 where all rewards are equal, so that it can be divided by."""
        return (self.reward_range.high - self.reward_range.low) or 1.0

    def search(self, models: Sequence[Any], mask: ActionMask | None = None) -> SearchResult:
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
        action = self._recommend(visits, values, allowed)
        nodes = sum(int(worker.totals[NODES]) for worker in self._workers)
        return SearchResult(action, visits, values, done, nodes)

    def _shares(self) -> list[int]:
        """Simulations of each thread; by the clock they are unlimited."""
        if self.simulations is None:
            return [0] * self.threads
        each, rest = divmod(self.simulations, self.threads)
        return [each + (worker < rest) for worker in range(self.threads)]

    def _run(self, index: int, model: Any, mask: ActionMask, simulations: int) -> int:
        worker = self._workers[index]
        if self.milliseconds is None:
            self._simulate(worker, model, mask, simulations)
            return simulations
        deadline = time.perf_counter() + self.milliseconds / 1000.0
        done = 0
        while done == 0 or time.perf_counter() < deadline:
            self._simulate(worker, model, mask, self._chunk)
            done += self._chunk
        return done

    @abstractmethod
    def _simulate(self, worker: Worker, model: Any, mask: ActionMask, simulations: int) -> None:
        """Runs so many simulations on a worker's tree; the model is left as it was."""

    def _recommend(self, visits: NDArray[np.int64], values: NDArray[np.float64], mask: ActionMask) -> int:
        """Returns the action to take: of the greatest value; where the model judges, that visited most.

        Among the latter the value decides, then the prior, then chance.
        """
        judgements = self._workers[0].tree.judgements[ROOT]
        if not judgements.size:
            return int(best_action(visits, values, mask, self._rng))
        candidates = np.flatnonzero(mask)
        for merit in (visits, np.nan_to_num(values, nan=-math.inf), judgements[1:]):
            among = merit[candidates]
            candidates = candidates[among == among.max()]
        return int(candidates[next_below(self._rng, candidates.size)])

    def advance(self, action: int, words: NDArray[np.uint64]) -> None:
        """Moves the root behind a real action and percept, uint64[W]; call it after every real cycle."""
        for worker in self._workers:
            if self.reuse_tree:
                descend(worker.tree, action, words, np.empty(worker.totals[NODES], np.int64))
            else:
                clear(worker.tree)

    def forget(self) -> None:
        """Drops the tree: the history went on in a way that it does not hold, or the model says other things now."""
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
