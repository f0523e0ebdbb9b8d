"""MC-AIXI: Monte-Carlo tree search over a learnt model of the environment (Veness et al. 2011)."""

import tomllib
from abc import abstractmethod
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from aixi.agents.base import ActionMask, Hints, RewardRange
from aixi.agents.percept_agent import PerceptAgent
from aixi.agents.planning import UCB_CONSTANT, MaskRule, RewardCode, RhoUCT, SearchResult, check_search
from aixi.errors import InvalidValueError, at_least
from aixi.predictors.factored import FactoredContextTreeModel
from aixi.predictors.model import EnvironmentModel
from aixi.state import State

SIMULATIONS = 100
"""Default search budget of a cycle."""


class Planner(Protocol):
    """What an agent asks of a search over its model.

    Attributes:
        reward_range: of a real cycle; set anew where it is learnt.
    """

    reward_range: RewardRange

    def search(self, models: Sequence[EnvironmentModel], mask: ActionMask | None = None) -> SearchResult:
        """Searches from the present history; the models are left as they were."""

    def advance(self, action: int, words: NDArray[np.uint64]) -> None:
        """Moves on behind a real action and percept."""

    def forget(self) -> None:
        """Drops what was found so far, because the model has changed."""

    @property
    def totals(self) -> dict[str, int]:
        """Totals of the planner's life: `simulations`, `percepts` and `invalid_rewards` drawn."""

    def state_dict(self) -> State:
        """Returns everything needed to go on exactly; arrays are copies."""

    def load_state_dict(self, state: State) -> None:
        """Goes on from a state."""


class MCAIXI(PerceptAgent):
    """Learns a model of the environment from its percepts and acts by rho-UCT search in it.

    It learns from every real percept; how its life is one stream of them, and how it explores, says `PerceptAgent`.

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
        super().__init__(
            exploration=exploration,
            exploration_decay=exploration_decay,
            observation_bits=observation_bits,
            reward_bits=reward_bits,
            reward_offset=reward_offset,
            codes=codes,
        )
        self._search: dict[str, Any] = {
            "horizon": horizon,
            "simulations": simulations,
            "milliseconds": milliseconds,
            "ucb_constant": ucb_constant,
            "reuse_tree": reuse_tree,
            "threads": threads,
        }
        self._threads = threads
        self.last_search: SearchResult | None = None

    @abstractmethod
    def make_model(self, actions: int, layout: tuple[int, ...], seed: np.random.SeedSequence) -> EnvironmentModel:
        """Returns a fresh model.

        Args:
            actions: number of actions.
            layout: widths in bits of the parts of a percept, in order; see `PerceptCodec.layout`.
            seed: the only source of the model's randomness.
        """

    def make_planner(
        self,
        actions: int,
        percept_bits: int,
        reward: RewardCode,
        reward_range: RewardRange,
        seed: np.random.SeedSequence,
        rule: MaskRule | None,
    ) -> Planner:
        """Returns a fresh planner; its arguments are those of `RhoUCT`, which it is unless overridden."""
        return RhoUCT(actions, percept_bits, reward, reward_range, seed, rule=rule, **self._search)

    def start(self, hints: Hints, model_seed: np.random.SeedSequence, choice_seed: np.random.SeedSequence) -> None:
        codec, actions = self._codec, self._action.count
        model = self.make_model(actions, codec.layout, model_seed)
        self._models = [model, *(model.copy() for _ in range(1, self._threads))]
        reward = RewardCode(
            np.array([codec.observation_bits, codec.reward_bits], np.int64),
            codec.rewards.table,
            codec.rewards.valid,
        )
        masks = None if hints.mask is None else codec.mask_table(actions, hints.mask, hints.mask_part, hints.labels)
        self._masked = "" if hints.mask is None else "; masked in the search" if masks else "; masked at its root"
        rule = None if masks is None else MaskRule(np.array(masks[:2], np.int64), masks[2])
        known = RewardRange(codec.rewards.low, codec.rewards.high)
        self._planner = self.make_planner(actions, codec.percept_bits, reward, known, choice_seed, rule)
        self._percepts, self._percept_bits = 0, 0.0
        self.last_search = None

    def choose(self, allowed: ActionMask) -> int:
        self.last_search = self._planner.search(self._models, allowed)
        return self.last_search.action

    def learn(self, action: int | None, words: NDArray[np.uint64], reward: float) -> None:
        if action is None:
            for model in self._models:
                model.update(words)
            return
        rewards = self._codec.rewards
        if (rewards.low, rewards.high) != (self._planner.reward_range.low, self._planner.reward_range.high):
            self._planner.reward_range = RewardRange(rewards.low, rewards.high)
        version = self._models[0].version
        for model in self._models:
            model.condition(action)
            bits = model.update(words)
        self._percepts += 1
        self._percept_bits += bits
        self._planner.advance(action, words)
        if self._models[0].version != version:  # what was found in the model as it was holds no longer
            self._planner.forget()

    def coding(self) -> dict[str, str]:
        coding = super().coding()
        return coding | {"action": coding["action"] + self._masked}

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
        return super().state_dict() | {
            "models": [model.state_dict() for model in self._models],
            "planner": self._planner.state_dict(),
            "percepts": self._percepts,
            "percept_bits": self._percept_bits,
        }

    def load_state_dict(self, state: State) -> None:
        if len(state["models"]) != self._threads:
            raise InvalidValueError(f"the state is of {len(state['models'])} threads, this agent has {self._threads}")
        super().load_state_dict(state)
        for model, saved in zip(self._models, state["models"], strict=True):
            model.load_state_dict(saved)
        self._planner.load_state_dict(state["planner"])
        self._planner.reward_range = RewardRange(self._codec.rewards.low, self._codec.rewards.high)
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

    def make_model(self, actions: int, layout: tuple[int, ...], seed: np.random.SeedSequence) -> EnvironmentModel:
        return FactoredContextTreeModel(actions, sum(layout), depth=self.depth, estimator=self.estimator)

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
