"""MC-AIXI: Monte-Carlo tree search over a learnt model of the environment (Veness et al. 2011)."""

import tomllib
from abc import abstractmethod
from functools import cache
from importlib.resources import files
from typing import Any

import gymnasium
import numpy as np

from aixi.agents.base import ActionMask, Agent, Boundary, Hints, RewardRange, boundary_of
from aixi.agents.codes import chosen_codes, code_option
from aixi.agents.percepts import ActionCodec, PerceptCodec
from aixi.agents.planning import UCB_CONSTANT, MaskRule, RewardCode, RhoUCT, SearchResult, allowed_actions, check_search
from aixi.errors import InvalidValueError, at_least, require
from aixi.predictors.factored import FactoredContextTreeModel
from aixi.predictors.model import EnvironmentModel
from aixi.state import State

SIMULATIONS = 100
"""Default search budget of a cycle."""
_LAST_EXPLORATION = 0.01
"""What a schedule tied to the life leaves of the first exploration rate at half the life."""


class MCAIXI(Agent):
    """Learns a model of the environment from its percepts and acts by rho-UCT search in it.

    Each cycle it explores, that is acts at random, with a probability that decays, and otherwise searches. It learns
    from every real percept. Where lives have episodes, the percept that ends one holds the observation that begins
    the next, the reward of the last cycle and an end bit, so that every action is followed by exactly one percept.
    The first observation of the life is learnt as a percept of the reward nearest 0, or where no
    rewards are declared of that which comes first.

    Args:
        horizon: cycles that the search looks ahead.
        simulations: search budget a cycle; 100 where neither budget is given.
        milliseconds: search budget by the clock instead; results then depend on the machine.
        exploration: probability that the first action is random.
        exploration_decay: factor on it each cycle; None ties it to the length of the life, so that a hundredth is
            left at half the life (and nothing decays in a life of unknown length).
        ucb_constant: C of the search.
        reuse_tree: whether the search keeps its subtree.
        threads: root-parallel searches.
        observation_bits: widths of the observation's components; None for minimal ones.
        reward_bits: width of the reward; None for the minimal one.
        reward_offset: codes a reward as reward + offset; None codes it by its rank.
        codes: the code of every Box observed, in place of what the environment names; see `aixi.agents.codes`.
    """

    def __init__(
        self,
        *,
        horizon: int = 5,
        simulations: int | None = None,
        milliseconds: float | None = None,
        exploration: float = 0.5,
        exploration_decay: float | None = None,
        ucb_constant: float = UCB_CONSTANT,
        reuse_tree: bool = True,
        threads: int = 1,
        observation_bits: tuple[int, ...] | None = None,
        reward_bits: int | None = None,
        reward_offset: int | None = None,
        codes: str | None = None,
    ) -> None:
        if simulations is None and milliseconds is None:
            simulations = SIMULATIONS
        check_search(horizon, simulations, milliseconds, ucb_constant, threads)
        require(0.0 <= exploration <= 1.0, f"exploration must be within [0, 1], got {exploration}")
        require(
            exploration_decay is None or 0.0 < exploration_decay <= 1.0,
            f"exploration_decay must be within (0, 1], got {exploration_decay}",
        )
        self.exploration, self.exploration_decay, self.codes = exploration, exploration_decay, code_option(codes)
        self._search = {
            "horizon": horizon,
            "simulations": simulations,
            "milliseconds": milliseconds,
            "ucb_constant": ucb_constant,
            "reuse_tree": reuse_tree,
            "threads": threads,
        }
        self._threads = threads
        self._codes = {
            "observation_bits": observation_bits,
            "reward_bits": reward_bits,
            "reward_offset": reward_offset,
        }
        self.last_search: SearchResult | None = None

    @abstractmethod
    def make_model(self, actions: int, percept_bits: int, seed: np.random.SeedSequence) -> EnvironmentModel:
        """Returns a fresh model for so many actions and percepts of that width."""

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
        model_seed, planner_seed, choice_seed = seed.spawn(3)
        self._action = ActionCodec(action_space)
        codes = chosen_codes(observation_space, hints, self.codes)
        self._codec = PerceptCodec(observation_space, reward_range, episodic=episodic, codes=codes, **self._codes)  # type: ignore[arg-type]  # a dict of its keywords
        codec, actions = self._codec, self._action.count
        model = self.make_model(actions, codec.percept_bits, model_seed)
        self._models = [model, *(model.copy() for _ in range(1, self._threads))]
        reward = RewardCode(
            np.array([codec.observation_bits, codec.reward_bits], np.int64),
            codec.rewards.table,
            codec.rewards.valid,
        )
        masks = None if hints.mask is None else codec.mask_table(actions, hints.mask, hints.mask_part, hints.labels)
        self._masked = "" if hints.mask is None else "; masked in the search" if masks else "; masked at its root"
        self._planner = RhoUCT(
            actions,
            codec.percept_bits,
            reward,
            RewardRange(codec.rewards.low, codec.rewards.high),
            planner_seed,
            rule=None if masks is None else MaskRule(np.array(masks[:2], np.int64), masks[2]),
            **self._search,  # type: ignore[arg-type]
        )
        self._rng = np.random.default_rng(choice_seed)
        tied = 1.0 if cycles is None else _LAST_EXPLORATION ** (2.0 / cycles)
        self._decay = tied if self.exploration_decay is None else self.exploration_decay
        self._ending: tuple[int, float, Boundary] | None = (
            None  # action and reward of a cycle whose percept is not complete
        )
        self._born = False
        self._cycle, self._percepts, self._percept_bits = 0, 0, 0.0
        self.last_search = None

    def begin(self, observation: Any, info: dict[str, Any]) -> None:
        if self._ending is not None:
            action, reward, boundary = self._ending
            self._ending = None
            self._learn(action, observation, reward, boundary)
        elif not self._born:
            words = self._codec.encode_first(observation)
            for model in self._models:
                model.update(words)
        self._born = True

    def act(self, mask: ActionMask | None = None) -> Any:
        allowed = allowed_actions(self._action.count, mask)
        rate = self.exploration_rate
        self._cycle += 1
        if self._rng.random() < rate:
            choices = np.flatnonzero(allowed)
            index = int(choices[self._rng.integers(choices.size)])
        else:
            self.last_search = self._planner.search(self._models, allowed)
            index = self.last_search.action
        return self._action.decode(index)

    def observe(self, action: Any, observation: Any, reward: float, terminated: bool, truncated: bool) -> None:
        index, boundary = self._action.encode(action), boundary_of(terminated, truncated)
        if boundary:
            self._ending = (index, reward, boundary)
        else:
            self._learn(index, observation, reward, boundary)

    def _learn(self, action: int, observation: Any, reward: float, boundary: Boundary) -> None:
        rewards = self._codec.rewards
        words = self._codec.encode(observation, reward, boundary)
        if (rewards.low, rewards.high) != (self._planner.reward_range.low, self._planner.reward_range.high):
            self._planner.reward_range = RewardRange(rewards.low, rewards.high)
        for model in self._models:
            model.condition(action)
            bits = model.update(words)
        self._percepts += 1
        self._percept_bits += bits
        self._planner.advance(action, words)

    @property
    def exploration_rate(self) -> float:
        """Probability that the next action is random."""
        return self.exploration * self._decay**self._cycle

    def coding(self) -> dict[str, str]:
        return self._codec.words_of_coding() | {"action": self._action.words + self._masked}

    def diagnostics(self) -> dict[str, float]:
        totals = self._planner.totals
        return {
            "percepts": self._percepts,
            "percept_bits": self._percept_bits,
            "simulations": totals["simulations"],
            "model_bits": totals["percepts"] * self._codec.percept_bits,
            "invalid_rewards": totals["invalid_rewards"],
            "rewards_outside": self._codec.rewards.outside,
        }

    def state_dict(self) -> State:
        return {
            "models": [model.state_dict() for model in self._models],
            "planner": self._planner.state_dict(),
            "codec": self._codec.state_dict(),
            "rng": self._rng.bit_generator.state,
            "ending": None if self._ending is None else (*self._ending[:2], int(self._ending[2])),
            "born": self._born,
            "decay": self._decay,
            "cycle": self._cycle,
            "percepts": self._percepts,
            "percept_bits": self._percept_bits,
        }

    def load_state_dict(self, state: State) -> None:
        if len(state["models"]) != self._threads:
            raise InvalidValueError(f"the state is of {len(state['models'])} threads, this agent has {self._threads}")
        for model, saved in zip(self._models, state["models"], strict=True):
            model.load_state_dict(saved)
        self._planner.load_state_dict(state["planner"])
        self._codec.load_state_dict(state["codec"])
        self._planner.reward_range = RewardRange(self._codec.rewards.low, self._codec.rewards.high)
        self._rng.bit_generator.state = state["rng"]
        ending = state["ending"]
        self._ending = None if ending is None else (ending[0], ending[1], Boundary(ending[2]))
        self._born, self._decay, self._cycle = state["born"], state["decay"], state["cycle"]
        self._percepts, self._percept_bits = state["percepts"], state["percept_bits"]


@cache
def _presets() -> dict[str, dict[str, Any]]:
    return tomllib.loads((files("aixi.agents") / "presets.toml").read_text())


class MCAIXICTW(MCAIXI):
    """MC-AIXI with factored action-conditional context tree weighting as its model.

    Args:
        depth: context depth in bits.
        estimator: `kt` or `zero-redundancy`.
        horizon: cycles that the search looks ahead.
        simulations: search budget a cycle; 100 where neither budget is given.
        milliseconds: search budget by the clock instead.
        exploration: probability that the first action is random.
        exploration_decay: factor on it each cycle; None ties it to the length of the life.
        ucb_constant: C of the search.
        reuse_tree: whether the search keeps its subtree.
        threads: root-parallel searches.
        observation_bits: widths of the observation's components; None for minimal ones.
        reward_bits: width of the reward; None for the minimal one.
        reward_offset: codes a reward as reward + offset; None codes it by its rank.
        codes: the code of every Box observed, in place of what the environment names; see `aixi.agents.codes`.
    """

    def __init__(
        self,
        *,
        depth: int = 32,
        estimator: str = "kt",
        horizon: int = 5,
        simulations: int | None = None,
        milliseconds: float | None = None,
        exploration: float = 0.5,
        exploration_decay: float | None = None,
        ucb_constant: float = UCB_CONSTANT,
        reuse_tree: bool = True,
        threads: int = 1,
        observation_bits: tuple[int, ...] | None = None,
        reward_bits: int | None = None,
        reward_offset: int | None = None,
        codes: str | None = None,
    ) -> None:
        super().__init__(
            horizon=horizon,
            simulations=simulations,
            milliseconds=milliseconds,
            exploration=exploration,
            exploration_decay=exploration_decay,
            ucb_constant=ucb_constant,
            reuse_tree=reuse_tree,
            threads=threads,
            observation_bits=observation_bits,
            reward_bits=reward_bits,
            reward_offset=reward_offset,
            codes=codes,
        )
        self.depth, self.estimator = at_least("depth", depth, 1), estimator
        FactoredContextTreeModel(1, 1, depth=depth, estimator=estimator)  # refuses what it cannot be made of

    def make_model(self, actions: int, percept_bits: int, seed: np.random.SeedSequence) -> EnvironmentModel:
        return FactoredContextTreeModel(actions, percept_bits, depth=self.depth, estimator=self.estimator)

    @classmethod
    def preset(cls, environment: str) -> dict[str, Any]:
        """Returns the settings of Veness et al. (2011), tables 1 to 3, for an environment.

        Raises:
            InvalidValueError: if the paper has no such domain.
        """
        presets = _presets()
        if environment not in presets:
            raise InvalidValueError(f"no preset for {environment}; there are {', '.join(presets)}")
        options = dict(presets[environment])
        options["observation_bits"] = tuple(options["observation_bits"])
        return options
