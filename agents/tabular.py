"""Learners that keep a table: temporal differences with traces, and the frequency of rewards.

A state is the last `memory` observations of an episode and the actions between them. A transition is learnt when the
next action is chosen, so that the actions allowed in the state that it led to are known; one that ends its episode
is learnt at once. Where an episode ends by its rules nothing more is to be had; where it is cut by a time limit, the
state that it was cut in counts as any other.
"""

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np

from aixi.agents.base import ActionMask, Agent, Hints, RewardRange
from aixi.agents.codes import chosen_codes, code_option
from aixi.agents.history import History
from aixi.agents.percepts import ActionCodec
from aixi.errors import at_least, require
from aixi.state import State

LEAST_TRACE = 1e-4
"""A trace that has decayed below this is over."""


class TabularAgent(Agent):
    """Acts by a table of values, at random with a probability that falls linearly over the first half of the life.

    Ties are broken uniformly. Masks hold in exploration, in the greedy choice and in the value of the next state. Of
    the state that an episode is cut in no mask is known, so that its value is that of the best, or of a chosen one, of
    all actions.

    Args:
        memory: observations in a state.
        initial_value: of every action in every state.
        exploration: probability that the first action is random.
        last_exploration: what it has fallen to at half the life; all through a life of unknown length.
        codes: the code of every Box observed, in place of what the environment names; see `aixi.agents.codes`.
    """

    def __init__(
        self,
        memory: int,
        initial_value: float,
        exploration: float,
        last_exploration: float,
        codes: str | None = None,
    ) -> None:
        require(math.isfinite(initial_value), f"initial_value must be finite, got {initial_value}")
        self.memory, self.initial_value, self.codes = at_least("memory", memory, 0), initial_value, code_option(codes)
        self.exploration = unit("exploration", exploration)
        self.last_exploration = unit("last_exploration", last_exploration)

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
        self._actions = ActionCodec(action_space)
        self._count = self._actions.count
        codes = chosen_codes(observation_space, hints, self.codes)
        self._history = History(observation_space, self.memory, codes)
        self._rng = np.random.default_rng(seed)
        self._half = 0.0 if cycles is None else cycles / 2
        self._cycle = 0
        self._values: list[float] = []  # of each pair of state and action; pair = state * actions + action
        self._traces: dict[int, float] = {}
        self._state = 0
        self._pending: tuple[int, float] | None = None  # pair and reward of a transition that is not learnt yet

    def begin(self, observation: Any, info: dict[str, Any]) -> None:
        self._traces = {}
        self._enter(self._history.begin(observation))

    def act(self, mask: ActionMask | None = None) -> Any:
        chosen, best = self._choose(None if mask is None else np.flatnonzero(mask).tolist())
        if self._pending is not None:
            self._learn(*self._pending, chosen, best)
            self._pending = None
        self._cycle += 1
        return self._actions.decode(chosen - self._state * self._count)

    def observe(self, action: Any, observation: Any, reward: float, terminated: bool, truncated: bool) -> None:
        index = self._actions.encode(action)
        pair = self._state * self._count + index
        self._enter(self._history.follow(index, observation))
        if terminated:
            self._learn(pair, reward, None, None)
        elif truncated:
            self._learn(pair, reward, *self._choose(None))
        else:
            self._pending = (pair, reward)

    @abstractmethod
    def _learn(self, pair: int, reward: float, chosen: int | None, best: int | None) -> None:
        """Learns from one transition.

        Args:
            pair: state and action.
            reward: what followed.
            chosen: the next state and the action taken there; None after the end.
            best: the next state and the best action there, `chosen` itself where that is as good.
        """

    def _enter(self, state: int) -> None:
        self._state = state
        missing = (state + 1) * self._count - len(self._values)
        if missing > 0:
            self._values.extend([self.initial_value] * missing)

    def _choose(self, allowed: Sequence[int] | None) -> tuple[int, int]:
        """Returns the pair of the action to take in this state and that of the best one."""
        first, random = self._state * self._count, self._rng.random
        row = self._values[first : first + self._count]
        if allowed is None:
            allowed = range(self._count)
            best = max(row)
        else:
            best = max([row[action] for action in allowed])
        ties = [action for action in allowed if row[action] == best]
        chosen = ties[0] if len(ties) == 1 else ties[int(random() * len(ties))]
        if random() < self.exploration_rate:
            explored = allowed[int(random() * len(allowed))]
            return first + explored, first + (explored if row[explored] == best else chosen)
        return first + chosen, first + chosen

    @property
    def exploration_rate(self) -> float:
        """Probability that the next action is random."""
        if self._cycle >= self._half:
            return self.last_exploration
        return self.exploration + (self.last_exploration - self.exploration) * self._cycle / self._half

    def coding(self) -> dict[str, str]:
        return {"observation": self._history.words, "action": self._actions.words}

    def state_dict(self) -> State:
        return {
            "history": self._history.state_dict(),
            "values": np.array(self._values, np.float64),
            "traces": [np.array(list(self._traces), np.int64), np.array(list(self._traces.values()), np.float64)],
            "state": self._state,
            "pending": self._pending,
            "half": self._half,
            "cycle": self._cycle,
            "rng": self._rng.bit_generator.state,
        }

    def load_state_dict(self, state: State) -> None:
        self._history.load_state_dict(state["history"])
        self._values = state["values"].tolist()
        self._traces = dict(zip(*(part.tolist() for part in state["traces"]), strict=True))
        self._pending = None if state["pending"] is None else (state["pending"][0], state["pending"][1])
        self._state, self._half, self._cycle = state["state"], state["half"], state["cycle"]
        self._rng.bit_generator.state = state["rng"]


class QLearning(TabularAgent):
    """Q-learning (Watkins 1989), with replacing traces that an exploring action cuts: Watkins's Q(lambda).

    Q(s, a) += learning_rate * e(s, a) * (r + discount * max Q(s', .) - Q(s, a)); Sutton and Barto (2018), section
    12.10. Traces fall by discount * trace_decay each cycle.

    Args:
        memory: observations in a state.
        learning_rate: step towards the target.
        discount: of rewards to come, a cycle.
        trace_decay: lambda; 0 learns of one transition at a time.
        initial_value: of every action in every state.
        exploration: probability that the first action is random.
        last_exploration: what it has fallen to at half the life.
        codes: the code of every Box observed, in place of what the environment names; see `aixi.agents.codes`.

    Example:
        >>> from gymnasium.spaces import Discrete
        >>> agent = QLearning(exploration=0.0, last_exploration=0.0, initial_value=0.5)
        >>> agent.reset(Discrete(1), Discrete(2), RewardRange.finite(0, 1), np.random.SeedSequence(0))
        >>> agent.begin(0, {})
        >>> for _ in range(20):
        ...     action = agent.act()
        ...     agent.observe(action, 0, float(action), True, False)
        >>> action
        1
    """

    def __init__(
        self,
        *,
        memory: int = 1,
        learning_rate: float = 0.1,
        discount: float = 0.99,
        trace_decay: float = 0.0,
        initial_value: float = 0.0,
        exploration: float = 1.0,
        last_exploration: float = 0.05,
        codes: str | None = None,
    ) -> None:
        super().__init__(memory, initial_value, exploration, last_exploration, codes)
        self.learning_rate, self.discount = unit("learning_rate", learning_rate), unit("discount", discount)
        self.trace_decay = unit("trace_decay", trace_decay)

    def _learn(self, pair: int, reward: float, chosen: int | None, best: int | None) -> None:
        self._step(pair, reward, best)
        if chosen != best:
            self._traces = {}

    def _step(self, pair: int, reward: float, target: int | None) -> None:
        values, traces = self._values, self._traces
        goal = reward if target is None else reward + self.discount * values[target]
        change = self.learning_rate * (goal - values[pair])
        traces[pair] = 1.0
        for each, trace in traces.items():
            values[each] += change * trace
        fall = self.discount * self.trace_decay
        self._traces = {each: fall * trace for each, trace in traces.items() if fall * trace >= LEAST_TRACE}


class Sarsa(QLearning):
    """Sarsa(lambda) (Rummery and Niranjan 1994), with replacing traces: the target is the action really taken next.

    Args:
        memory: observations in a state.
        learning_rate: step towards the target.
        discount: of rewards to come, a cycle.
        trace_decay: lambda.
        initial_value: of every action in every state.
        exploration: probability that the first action is random.
        last_exploration: what it has fallen to at half the life.
        codes: the code of every Box observed, in place of what the environment names; see `aixi.agents.codes`.
    """

    def __init__(
        self,
        *,
        memory: int = 1,
        learning_rate: float = 0.1,
        discount: float = 0.99,
        trace_decay: float = 0.8,
        initial_value: float = 0.0,
        exploration: float = 1.0,
        last_exploration: float = 0.05,
        codes: str | None = None,
    ) -> None:
        super().__init__(
            memory=memory,
            learning_rate=learning_rate,
            discount=discount,
            trace_decay=trace_decay,
            initial_value=initial_value,
            exploration=exploration,
            last_exploration=last_exploration,
            codes=codes,
        )

    def _learn(self, pair: int, reward: float, chosen: int | None, best: int | None) -> None:
        self._step(pair, reward, chosen)


class HLQ(TabularAgent):
    """HLQ(lambda), Q-learning whose learning rate follows from visits (Hutter and Legg 2007, section 5).

    With N(s, a) the visits so far, those of the past discounted by lambda, and accumulating traces E, a transition to
    the pair (s', a') of the best next action moves every pair by

        Q(s, a) += E(s, a) / N(s, a) * N(s', a') / (N(s', a') - discount * E(s', a')) * (r + discount * Q(s', a') - Q)

    where Q is the value of the pair that was left. An exploring action cuts the traces. Visits begin at 1. The
    defaults are those of Legg and Veness (2011) for lives of 1,000 cycles; they had the discount grow and the
    exploration fall in longer ones, to 0.95 and 0.005 at 100,000.

    Args:
        memory: observations in a state.
        discount: of rewards to come, a cycle; below 1.
        trace_decay: lambda.
        initial_value: of every action in every state.
        exploration: probability that the first action is random.
        last_exploration: what it has come to at half the life.
        codes: the code of every Box observed, in place of what the environment names; see `aixi.agents.codes`.
    """

    def __init__(
        self,
        *,
        memory: int = 1,
        discount: float = 0.7,
        trace_decay: float = 0.95,
        initial_value: float = 0.0,
        exploration: float = 0.04,
        last_exploration: float = 0.04,
        codes: str | None = None,
    ) -> None:
        super().__init__(memory, initial_value, exploration, last_exploration, codes)
        self.discount, self.trace_decay = unit("discount", discount), unit("trace_decay", trace_decay)
        require(discount < 1.0, f"discount must be below 1, got {discount}")

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
        # All visits decay each cycle. A pair's are brought up to date when it is used, from the time that it last was.
        self._visits: dict[int, tuple[float, int]] = {}
        self._learnt = 0

    def _learn(self, pair: int, reward: float, chosen: int | None, best: int | None) -> None:
        values, traces = self._values, self._traces
        now = self._learnt
        traces[pair] = traces.get(pair, 0.0) + 1.0
        self._visits[pair] = (self._visited(pair) + 1.0, now)
        change, share = reward - values[pair], 1.0
        if best is not None:
            change += self.discount * values[best]
            if best in traces:
                visits = self._visited(best)
                share = visits / (visits - self.discount * traces[best])
        for each, trace in traces.items():
            values[each] += share * trace / self._visited(each) * change
        fall = self.discount * self.trace_decay if chosen == best else 0.0
        self._traces = {each: fall * trace for each, trace in traces.items() if fall * trace >= LEAST_TRACE}
        self._learnt += 1

    def _visited(self, pair: int) -> float:
        """Returns N of a pair, decayed until now."""
        visits, then = self._visits.get(pair, (1.0, 0))
        return visits * self.trace_decay ** (self._learnt - then)

    def state_dict(self) -> State:
        rows = [(pair, *visits) for pair, visits in self._visits.items()]
        return super().state_dict() | {"visits": np.array(rows, np.float64).reshape(-1, 3), "learnt": self._learnt}

    def load_state_dict(self, state: State) -> None:
        super().load_state_dict(state)
        self._visits = {int(pair): (visits, int(then)) for pair, visits, then in state["visits"].tolist()}
        self._learnt = state["learnt"]


class Freq(TabularAgent):
    """Takes the action of the greatest average reward so far, whatever is observed (Legg and Veness 2011).

    As in their code, each action counts as if it had once given a reward of 0. The default is theirs for lives of
    1,000 cycles.

    Args:
        exploration: probability that an action is random.
    """

    def __init__(self, *, exploration: float = 0.07) -> None:
        super().__init__(0, 0.0, exploration, exploration)

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
        self._visits = [1] * self._count

    def _learn(self, pair: int, reward: float, chosen: int | None, best: int | None) -> None:
        self._visits[pair] += 1
        self._values[pair] += (reward - self._values[pair]) / self._visits[pair]

    def state_dict(self) -> State:
        return super().state_dict() | {"visits": np.array(self._visits, np.int64)}

    def load_state_dict(self, state: State) -> None:
        super().load_state_dict(state)
        self._visits = state["visits"].tolist()


def unit(name: str, value: float) -> float:
    """Returns a number that must be within [0, 1]."""
    require(0.0 <= value <= 1.0, f"{name} must be within [0, 1], got {value}")
    return value
