"""An agent whose life is one stream of percepts, written as bits: what all that learn from such a stream share."""

from abc import abstractmethod
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from aixi.agents.base import ActionMask, Agent, Boundary, Hints, RewardRange, boundary_of
from aixi.agents.codes import chosen_codes, code_option
from aixi.agents.percepts import ActionCodec, PerceptCodec
from aixi.agents.planning import allowed_actions
from aixi.errors import require
from aixi.state import State


class PerceptAgent(Agent):
    """Each cycle it explores, that is acts at random, with a probability that decays, and otherwise chooses.

    Where lives have episodes, the percept that ends one holds the observation that begins the next, the reward of the
    last cycle and an end bit, so that every action is followed by exactly one percept. The first observation of the
    life is learnt as a percept of the reward nearest 0, or where no rewards are declared of that which comes first.

    Args:
        exploration: probability that the first action is random.
        exploration_decay: factor on it each cycle; None ties it to the length of the life, so that `left_at_half` of
            it is left at half the life (and nothing decays in a life of unknown length).
        observation_bits: widths of the observation's components; None for minimal ones.
        reward_bits: width of the reward; None for the minimal one.
        reward_offset: codes a reward as reward + offset; None codes it by its rank.
        codes: the code of every Box observed, in place of what the environment names; see `aixi.agents.codes`.

    Attributes:
        left_at_half: the share of the first exploration rate that a schedule tied to the life leaves at half of it.
    """

    left_at_half = 0.01

    def __init__(
        self,
        *,
        exploration: float = 0.5,
        exploration_decay: float | None = None,
        observation_bits: tuple[int, ...] | None = None,
        reward_bits: int | None = None,
        reward_offset: int | None = None,
        codes: str | None = None,
    ) -> None:
        require(0.0 <= exploration <= 1.0, f"exploration must be within [0, 1], got {exploration}")
        require(
            exploration_decay is None or 0.0 < exploration_decay <= 1.0,
            f"exploration_decay must be within (0, 1], got {exploration_decay}",
        )
        self.exploration, self.exploration_decay, self.codes = exploration, exploration_decay, code_option(codes)
        self._codes = {
            "observation_bits": observation_bits,
            "reward_bits": reward_bits,
            "reward_offset": reward_offset,
        }

    @abstractmethod
    def start(self, hints: Hints, model_seed: np.random.SeedSequence, choice_seed: np.random.SeedSequence) -> None:
        """Makes anew all that learns and chooses, for the spaces of `self._codec` and `self._action`."""

    @abstractmethod
    def choose(self, allowed: ActionMask) -> int:
        """Returns the index of the action to take, one of those allowed, bool[actions]."""

    @abstractmethod
    def learn(self, action: int | None, words: NDArray[np.uint64], reward: float) -> None:
        """Learns from a real cycle.

        Args:
            action: index of the action taken; None before the life's first percept.
            words: uint64[words], the percept that followed.
            reward: what was earned; the first percept's is none.
        """

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
        hints = hints or Hints()
        model_seed, choice_seed, exploration_seed = seed.spawn(3)
        self._action = ActionCodec(action_space)
        codes = chosen_codes(observation_space, hints, self.codes)
        self._codec = PerceptCodec(observation_space, reward_range, episodic=episodic, codes=codes, **self._codes)  # type: ignore[arg-type]  # a dict of its keywords
        self._rng = np.random.default_rng(exploration_seed)
        tied = 1.0 if cycles is None else self.left_at_half ** (2.0 / cycles)
        self._decay = tied if self.exploration_decay is None else self.exploration_decay
        # Action and reward of a cycle whose percept is not complete.
        self._ending: tuple[int, float, Boundary] | None = None
        self._born = False
        self._cycle = 0
        self.start(hints, model_seed, choice_seed)

    def begin(self, observation: Any, info: dict[str, Any]) -> None:
        if self._ending is not None:
            action, reward, boundary = self._ending
            self._ending = None
            self.learn(action, self._codec.encode(observation, reward, boundary), reward)
        elif not self._born:
            self.learn(None, self._codec.encode_first(observation), 0.0)
        self._born = True

    def act(self, mask: ActionMask | None = None) -> Any:
        allowed = allowed_actions(self._action.count, mask)
        rate = self.exploration_rate
        self._cycle += 1
        if self._rng.random() < rate:
            choices = np.flatnonzero(allowed)
            return self._action.decode(int(choices[self._rng.integers(choices.size)]))
        return self._action.decode(self.choose(allowed))

    def observe(self, action: Any, observation: Any, reward: float, terminated: bool, truncated: bool) -> None:
        index, boundary = self._action.encode(action), boundary_of(terminated, truncated)
        if boundary:
            self._ending = (index, reward, boundary)
        else:
            self.learn(index, self._codec.encode(observation, reward, boundary), reward)

    @property
    def exploration_rate(self) -> float:
        """Probability that the next action is random."""
        return self.exploration * self._decay**self._cycle

    def coding(self) -> dict[str, str]:
        return self._codec.words_of_coding() | {"action": self._action.words}

    def state_dict(self) -> State:
        return {
            "codec": self._codec.state_dict(),
            "rng": self._rng.bit_generator.state,
            "ending": None if self._ending is None else (*self._ending[:2], int(self._ending[2])),
            "born": self._born,
            "decay": self._decay,
            "cycle": self._cycle,
        }

    def load_state_dict(self, state: State) -> None:
        self._codec.load_state_dict(state["codec"])
        self._rng.bit_generator.state = state["rng"]
        ending = state["ending"]
        self._ending = None if ending is None else (ending[0], ending[1], Boundary(ending[2]))
        self._born, self._decay, self._cycle = state["born"], state["decay"], state["cycle"]
