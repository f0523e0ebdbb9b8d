"""Learners of a Markov decision process: Dirichlet counts of what followed each action, and planning by dynamic
programming.

The observation is taken for the state. A percept is the next observation and the reward. What follows an action in a
state has a Dirichlet prior, spread evenly over all percepts that the spaces allow. Observations that were not seen yet
differ in nothing, so that one of them stands for all.

Where an episode ends by its rules nothing more is to be had; where it is cut by a time limit, the state that it was
cut in counts as any other.
"""

import math
from abc import abstractmethod
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from numpy.typing import NDArray

from aixi.agents.base import ActionMask, Agent, Hints, RewardRange
from aixi.agents.codes import chosen_codes, code_option
from aixi.agents.history import History
from aixi.agents.percepts import ActionCodec
from aixi.agents.tabular import unit
from aixi.errors import at_least, require
from aixi.state import State

_END = -1  # in place of a state
_TOLERANCE = 1e-4  # share of the range of rewards that values of a settled plan still move by
_MOST_SWEEPS = 10_000


class Counts(NamedTuple):
    """What was seen. A pair is of state and action; the unseen state comes first, the end of an episode last.

    Attributes:
        pairs: int64[outcomes], the pair that an outcome followed.
        following: int64[outcomes], the state that it led to.
        rewards: float64[outcomes], its reward; the average of them where rewards are no finite set.
        times: float64[outcomes], how often it came.
        visits: float64[pairs], how often the pair did.
    """

    pairs: NDArray[np.int64]
    following: NDArray[np.int64]
    rewards: NDArray[np.float64]
    times: NDArray[np.float64]
    visits: NDArray[np.float64]


class Process(NamedTuple):
    """A Markov decision process over the states seen.

    Attributes:
        rewards: float64[pairs], expected reward.
        pairs: int64[outcomes], the pair that an outcome follows.
        following: int64[outcomes], the state that it leads to.
        weights: float64[outcomes], its probability.
        spread: float64[pairs], probability that the next state is any of all states, each alike.
    """

    rewards: NDArray[np.float64]
    pairs: NDArray[np.int64]
    following: NDArray[np.int64]
    weights: NDArray[np.float64]
    spread: NDArray[np.float64]


class MDPAgent(Agent):
    """Counts what follows, plans, and acts by the plan; ties are broken uniformly.

    Args:
        codes: the code of every Box observed, in place of what the environment names; see `aixi.agents.codes`.
    """

    def __init__(self, codes: str | None) -> None:
        self.codes = code_option(codes)

    def reset(
        self,
        observation_space: gymnasium.Space[Any],
        action_space: gymnasium.Space[Any],
        reward_range: RewardRange,
        seed: np.random.SeedSequence,
        *,
        cycles: int | None = None,
        episodic: bool = False,
        hints: Hints | None = None,
    ) -> None:
        self._codec = ActionCodec(action_space)
        self._actions = self._codec.count
        self._history = History(observation_space, 1, chosen_codes(observation_space, hints, self.codes))
        self._states = max(self._history.possible, 1.0)
        self._range = reward_range
        self._least, self._greatest = reward_range.low, reward_range.high
        if not math.isfinite(self._greatest - self._least):
            self._least = self._greatest = 0.0  # follows the rewards seen
        self._rng = np.random.default_rng(seed)
        # By pair, next state and, where rewards are a finite set, reward: times seen and sum of the rewards.
        self._outcomes: dict[tuple[int, int, float], tuple[int, float]] = {}
        self._visits: dict[int, int] = {}
        self._forbidden: set[int] = set()  # pairs that a mask forbade
        self._values = np.zeros((1, self._actions))  # of the plan: [0] of the unseen state, then of those seen
        self._state = 0
        self._stale = True

    def begin(self, observation: Any, info: dict[str, Any]) -> None:
        self._state = self._history.begin(observation)

    def act(self, mask: ActionMask | None = None) -> Any:
        first = self._state * self._actions
        if mask is not None:
            pairs = {first + action for action in range(self._actions)}
            self._forbidden = self._forbidden - pairs | {first + int(at) for at in np.flatnonzero(~np.asarray(mask))}
        if self._stale:
            self._plan()
            self._stale = False
        planned = self._state + 1 < len(self._values)
        row = self._values[self._state + 1 if planned else 0]
        if mask is not None:
            row = np.where(mask, row, -np.inf)
        ties = np.flatnonzero(row == row.max())
        return self._codec.decode(int(ties[self._rng.integers(ties.size)] if ties.size > 1 else ties[0]))

    def observe(self, action: Any, observation: Any, reward: float, terminated: bool, truncated: bool) -> None:
        index = self._codec.encode(action)
        pair = self._state * self._actions + index
        self._state = self._history.follow(index, observation)
        outcome = (pair, _END if terminated else self._state, 0.0 if self._range.values is None else float(reward))
        times, total = self._outcomes.get(outcome, (0, 0.0))
        self._outcomes[outcome] = (times + 1, total + reward)
        self._visits[pair] = self._visits.get(pair, 0) + 1
        if not math.isfinite(self._range.high - self._range.low):
            self._least, self._greatest = min(self._least, reward), max(self._greatest, reward)
        self._stale = self._stale or self._wants_plan(pair)

    @abstractmethod
    def _wants_plan(self, pair: int) -> bool:
        """Returns whether the plan is to be made anew after a percept."""

    @abstractmethod
    def _plan(self) -> None:
        """Fills `_values` from the counts."""

    def _counted(self) -> Counts:
        rows = self._rows()
        states = len(self._history)
        pairs = rows[:, 0].astype(np.int64) + self._actions
        following = np.where(rows[:, 1] == _END, states, rows[:, 1]).astype(np.int64) + 1
        visits = _summed(pairs, rows[:, 3], (states + 1) * self._actions)
        return Counts(pairs, following, rows[:, 4] / rows[:, 3], rows[:, 3], visits)

    def _rows(self) -> NDArray[np.float64]:
        """Returns the outcomes, float64[outcomes, 5]: pair, next state, reward, times and sum of the rewards."""
        return np.array([(*key, *seen) for key, seen in self._outcomes.items()], np.float64).reshape(-1, 5)

    def _solve(self, process: Process, discount: float, sweeps: int | None = None) -> None:
        """Fills `_values` by value iteration: so many sweeps from nothing, or from the last values to rest."""
        size = len(process.rewards)
        states = size // self._actions
        barred = np.array([pair + self._actions for pair in self._forbidden], np.int64)
        state_values = np.zeros(states + 1)  # the end's stays 0
        if sweeps is None and len(self._values) > 1:
            known = self._values.max(1)
            state_values[:states] = known[0]
            state_values[: len(known)] = known
        unseen = 1.0 - (states - 1) / self._states
        rest = _TOLERANCE * (self._greatest - self._least)
        spreads = bool(process.spread.any())
        for _ in range(_MOST_SWEEPS if sweeps is None else sweeps):
            future = _summed(process.pairs, process.weights * state_values[process.following], size)
            if spreads:
                future += process.spread * (unseen * state_values[0] + state_values[1:-1].sum() / self._states)
            values = process.rewards + discount * future
            allowed = values.copy() if barred.size else values
            allowed[barred] = -np.inf
            best = allowed.reshape(states, self._actions).max(1)
            moved = np.abs(best - state_values[:-1]).max()
            state_values[:-1] = best
            if sweeps is None and moved <= rest:
                break
        self._values = values.reshape(states, self._actions)

    def coding(self) -> dict[str, str]:
        return {"observation": self._history.words, "action": self._codec.words}

    def state_dict(self) -> State:
        return {
            "history": self._history.state_dict(),
            "outcomes": self._rows(),
            "forbidden": np.array(sorted(self._forbidden), np.int64),
            "values": self._values.copy(),
            "range": [self._least, self._greatest],
            "state": self._state,
            "stale": self._stale,
            "rng": self._rng.bit_generator.state,
        }

    def load_state_dict(self, state: State) -> None:
        self._history.load_state_dict(state["history"])
        self._outcomes, self._visits = {}, {}
        for pair, following, reward, times, total in state["outcomes"].tolist():
            self._outcomes[int(pair), int(following), reward] = (int(times), total)
            self._visits[int(pair)] = self._visits.get(int(pair), 0) + int(times)
        self._forbidden = set(state["forbidden"].tolist())
        self._values, self._state, self._stale = state["values"].copy(), state["state"], state["stale"]
        self._least, self._greatest = state["range"]
        self._rng.bit_generator.state = state["rng"]


class AIXIMDP(MDPAgent):
    """AIXI with the mixture over all Markov decision processes in place of the one over all programs.

    The mixture's prediction of the next percept is its posterior mean: (times seen + prior / percepts) / (visits +
    prior). The expectimax over the next `horizon` cycles is done by backward induction with that prediction held as it
    is, so that what the plan itself would teach is not reckoned with; the prior alone makes it explore. After Hutter,
    Quarel and Catt (2024), An Introduction to Universal Artificial Intelligence.

    Args:
        horizon: cycles that the plan looks ahead.
        prior: total mass of a pair's Dirichlet prior, in visits.
        codes: the code of every Box observed, in place of what the environment names; see `aixi.agents.codes`.

    Example:
        >>> from gymnasium.spaces import Discrete
        >>> agent = AIXIMDP(horizon=3)
        >>> agent.reset(Discrete(1), Discrete(2), RewardRange.finite(0, 1), np.random.SeedSequence(0))
        >>> agent.begin(0, {})
        >>> for _ in range(20):
        ...     action = agent.act()
        ...     agent.observe(action, 0, float(action), False, False)
        >>> action
        1
    """

    def __init__(self, *, horizon: int = 32, prior: float = 1.0, codes: str | None = None) -> None:
        super().__init__(codes)
        self.horizon, self.prior = at_least("horizon", horizon, 1), positive("prior", prior)

    def _wants_plan(self, pair: int) -> bool:
        return True

    def _plan(self) -> None:
        counts = self._counted()
        total = counts.visits + self.prior
        values = self._range.values or (self._least, self._greatest)
        sums = _summed(counts.pairs, counts.times * counts.rewards, total.size)
        process = Process(
            (sums + self.prior * sum(values) / len(values)) / total,
            counts.pairs,
            counts.following,
            counts.times / total[counts.pairs],
            self.prior / total,
        )
        self._solve(process, 1.0, self.horizon)


class PSRL(MDPAgent):
    """Posterior sampling (Strens 2000; Osband, Russo and Van Roy 2013): follows the optimal plan of a sampled process.

    A new one is sampled as in Ouyang, Gagrani, Nayyar and Jain (2017): once the visits of a pair have doubled, or the
    sample has lasted a cycle longer than the one before. Of the percepts that have not followed a pair yet, a sample
    gives the whole prior's share to one, drawn evenly.

    Args:
        discount: of rewards to come, a cycle; below 1.
        prior: total mass of a pair's Dirichlet prior, in visits.
        codes: the code of every Box observed, in place of what the environment names; see `aixi.agents.codes`.
    """

    def __init__(self, *, discount: float = 0.95, prior: float = 0.1, codes: str | None = None) -> None:
        super().__init__(codes)
        self.discount, self.prior = below_one(discount), positive("prior", prior)

    def reset(
        self,
        observation_space: gymnasium.Space[Any],
        action_space: gymnasium.Space[Any],
        reward_range: RewardRange,
        seed: np.random.SeedSequence,
        *,
        cycles: int | None = None,
        episodic: bool = False,
        hints: Hints | None = None,
    ) -> None:
        super().reset(
            observation_space, action_space, reward_range, seed, cycles=cycles, episodic=episodic, hints=hints
        )
        self._age, self._last_age = 0, 0  # cycles by this sample and by the one before
        self._gained: dict[int, int] = {}  # visits of pairs since this sample

    def _wants_plan(self, pair: int) -> bool:
        self._age += 1
        gained = self._gained[pair] = self._gained.get(pair, 0) + 1
        return self._age > self._last_age or 2 * gained > self._visits[pair]

    def _plan(self) -> None:
        self._age, self._last_age, self._gained = 0, self._age, {}
        counts, rng = self._counted(), self._rng
        size = counts.visits.size
        shares, novel = rng.standard_gamma(counts.times), rng.standard_gamma(np.full(size, self.prior))
        total = _summed(counts.pairs, shares, size) + novel
        novel, total = np.where(total > 0, novel, 1.0), np.where(total > 0, total, 1.0)
        # The novel percept: one of all states, most of which may be unseen, and a reward.
        is_seen = rng.random(size) * self._states < len(self._history)
        novelties = np.where(is_seen, rng.integers(1, len(self._history) + 1, size), 0)
        values = self._range.values
        rewards = rng.choice(values, size) if values else rng.uniform(self._least, self._greatest, size)
        process = Process(
            (_summed(counts.pairs, shares * counts.rewards, size) + novel * rewards) / total,
            np.concatenate([counts.pairs, np.arange(size)]),
            np.concatenate([counts.following, novelties]),
            np.concatenate([shares, novel]) / np.concatenate([total[counts.pairs], total]),
            np.zeros(size),
        )
        self._solve(process, self.discount)

    def state_dict(self) -> State:
        gained = np.array([*self._gained.items()], np.int64).reshape(-1, 2)
        return super().state_dict() | {"ages": [self._age, self._last_age], "gained": gained}

    def load_state_dict(self, state: State) -> None:
        super().load_state_dict(state)
        self._age, self._last_age = state["ages"]
        self._gained = dict(state["gained"].tolist())


class RMax(MDPAgent):
    """R-max (Brafman and Tennenholtz 2002): a pair visited less than `known_visits` times promises the greatest reward
    forever; the others count as they were seen.

    Where no greatest reward is declared, it is that of those seen.

    Args:
        known_visits: visits after which a pair is known.
        discount: of rewards to come, a cycle; below 1.
        codes: the code of every Box observed, in place of what the environment names; see `aixi.agents.codes`.
    """

    def __init__(self, *, known_visits: int = 10, discount: float = 0.95, codes: str | None = None) -> None:
        super().__init__(codes)
        self.known_visits, self.discount = at_least("known_visits", known_visits, 1), below_one(discount)

    def _wants_plan(self, pair: int) -> bool:
        return self._visits[pair] == self.known_visits

    def _plan(self) -> None:
        counts = self._counted()
        known = counts.visits >= self.known_visits
        total = np.where(known, counts.visits, 1.0)
        sums = _summed(counts.pairs, counts.times * counts.rewards, total.size)
        process = Process(
            np.where(known, sums / total, self._greatest / (1.0 - self.discount)),
            counts.pairs,
            counts.following,
            np.where(known[counts.pairs], counts.times / total[counts.pairs], 0.0),
            np.zeros(total.size),
        )
        self._solve(process, self.discount)


def positive(name: str, value: float) -> float:
    """Returns a number that must be finite and above 0."""
    require(0.0 < value < math.inf, f"{name} must be finite and above 0, got {value}")
    return value


def below_one(discount: float) -> float:
    """Returns a discount that must be within [0, 1)."""
    require(unit("discount", discount) < 1.0, f"discount must be below 1, got {discount}")
    return discount


def _summed(pairs: NDArray[np.int64], numbers: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Returns the sums of numbers by pair, float64[size]."""
    return np.bincount(pairs, numbers, size).astype(np.float64, copy=False)  # of no numbers the sums are integers
