"""Self-AIXI: predicts its own actions instead of planning them (Catt, Grau-Moya, Hutter et al. 2023).

With xi the mixture over environments and zeta the mixture over policies, both given the whole history, an action is
worth

    Q(h a) = sum_e xi(e | h a) [r + V(h a e)],    V(h) = sum_a zeta(a | h) Q(h a)

over the horizon, and the agent takes the greatest. There is no maximum over the future: what it will do there is
predicted from what it did, and as it always takes the best of what it foresees, its policy improves on itself.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aixi.agents.base import ActionMask, RewardRange
from aixi.agents.mc_aixi import MCAIXI
from aixi.agents.planning import MaskRule, RewardCode, SearchResult, TreeSearch
from aixi.agents.planning.planner import Worker
from aixi.agents.planning.search_tree import ROOT, SIMULATIONS, clear, random_action, ruling, take
from aixi.errors import at_least
from aixi.predictors.context_tree import bit_at
from aixi.predictors.factored import FactoredContextTreeModel
from aixi.predictors.intrinsics import Integer, inlined, kernel
from aixi.predictors.model import EnvironmentModel, call, condition, mark, rewind, sample
from aixi.state import State

_TRIES = 64
"""Draws of an action that is not allowed before one is taken uniformly; with probability 1/2 each, never in a life."""


@inlined
def _tell(policy: Any, number: Integer, bits: Integer) -> None:
    """Takes a number into the policy's history as context, lowest bit first; nothing is predicted or learnt."""
    for bit in range(bits):
        condition(policy, (number >> bit) & 1)


@inlined
def _own_action(
    policy: Any, allowed: ActionMask, action_bits: Integer, rng: NDArray[np.uint64], drawn: NDArray[np.uint64]
) -> Integer:
    """Draws an action from the policy given that it is allowed; the policy follows it."""
    action: Integer = 0
    for _ in range(_TRIES):
        before = mark(policy)
        sample(policy, rng, drawn)
        action = np.int64(drawn[0])
        if action < allowed.size and allowed[action]:
            return action
        rewind(policy, before)
    action = random_action(allowed, rng)
    _tell(policy, action, action_bits)
    return action


@kernel
def follow_policy(
    model: Any,
    policy: Any,
    tree: Any,
    scratch: Any,
    reward: Any,
    rule: Any,
    mask: ActionMask,
    rng: NDArray[np.uint64],
    model_rng: NDArray[np.uint64],
    drawn: NDArray[np.uint64],
    simulations: Integer,
    horizon: Integer,
    percept_bits: Integer,
    action_bits: Integer,
) -> None:
    """Averages returns under a policy after each action in turn; both models are left as they were.

    Args:
        model: a compiled model of the environment.
        policy: a compiled model whose percepts are actions, and whose actions are single bits of percepts.
        tree: a `SearchTree`, of which only the root is used.
        scratch: the `Scratch`.
        reward: the `RewardCode`.
        rule: the `MaskRule`, for what follows the first action.
        mask: bool[A], actions allowed now.
        rng: uint64[1], choices of actions.
        model_rng: uint64[1], percepts.
        drawn: uint64[1], scratch.
        simulations: how many, shared alike among the actions; those that remain begin at a random one.
        horizon: cycles looked ahead.
        percept_bits, action_bits: widths.
    """
    start, own = mark(model), mark(policy)
    first = random_action(mask, rng)
    for _ in range(simulations):
        allowed, action = mask, first
        total = 0.0
        _tell(policy, action, action_bits)
        for cycle in range(horizon):
            if cycle:
                for bit in range(percept_bits):
                    condition(policy, bit_at(scratch.words, bit))
                action = _own_action(policy, allowed, action_bits, rng, drawn)
            total += take(model, tree, reward, action, model_rng, scratch.words)
            allowed = rule.allowed[ruling(rule, scratch.words)]
        rewind(model, start)
        rewind(policy, own)
        tree.action_visits[ROOT, first] += 1
        mean = total / horizon
        tree.values[ROOT, first] += (mean - tree.values[ROOT, first]) / tree.action_visits[ROOT, first]
        first = (first + 1) % mask.size
        while not mask[first]:
            first = (first + 1) % mask.size
    tree.totals[SIMULATIONS] += simulations


class PolicyRollOuts(TreeSearch):
    """The planner of Self-AIXI: flat Monte-Carlo over the model, with actions drawn from a policy that is learnt.

    The policy is a model with the roles swapped: its percepts are the agent's actions, and what it is conditioned on
    are single bits, those of a percept one after another, lowest first, so that percepts may be as wide as they like.
    It learns every action really taken, those of exploration too. The first action of a roll-out is given to it as
    context. An action that is not allowed is drawn anew.

    Args:
        actions: number of actions.
        percept_bits: width of a percept.
        reward: where the reward stands in it.
        reward_range: of a real cycle.
        seed: the only source of randomness.
        policy: over 2 actions, whose percepts have as many bits as `action_bits` says.
        horizon: cycles looked ahead.
        simulations: roll-outs in all, shared among the actions; or else
        milliseconds: budget by the clock, which makes results depend on the machine.
        rule: which actions are allowed after a percept; all, if None.
    """

    def __init__(
        self,
        actions: int,
        percept_bits: int,
        reward: RewardCode,
        reward_range: RewardRange,
        seed: np.random.SeedSequence,
        policy: EnvironmentModel,
        *,
        horizon: int,
        simulations: int | None = None,
        milliseconds: float | None = None,
        rule: MaskRule | None = None,
    ) -> None:
        super().__init__(
            actions,
            percept_bits,
            reward,
            reward_range,
            seed,
            horizon=horizon,
            simulations=simulations,
            milliseconds=milliseconds,
            reuse_tree=False,
            threads=1,
            rule=rule,
        )
        self.policy, self.percept_bits, self.action_bits = policy, percept_bits, action_bits(actions)
        self.learnt_bits = 0.0
        self._drawn = np.zeros(1, np.uint64)

    def search(self, models: Sequence[Any], mask: ActionMask | None = None) -> SearchResult:
        self.forget()  # a search asked for twice begins anew
        return super().search(models, mask)

    def _simulate(self, worker: Worker, model: Any, mask: ActionMask, simulations: int) -> None:
        self.policy.reserve(self.horizon * (self.percept_bits + self.action_bits))  # each bit is an action to it
        call(
            follow_policy,
            model.compiled,
            self.policy.compiled,
            worker.tree,
            worker.scratch,
            self._reward,
            self._rule,
            mask,
            worker.rng,
            worker.model_rng,
            self._drawn,
            simulations,
            self.horizon,
            self.percept_bits,
            self.action_bits,
        )

    def advance(self, action: int, words: NDArray[np.uint64]) -> None:
        self.learnt_bits += self.policy.update(np.array([action], np.uint64))
        self.hear(words)
        for worker in self._workers:
            clear(worker.tree)

    def hear(self, words: NDArray[np.uint64]) -> None:
        """Takes a real percept into the policy's history."""
        for bit in range(self.percept_bits):
            self.policy.condition(int(bit_at(words, bit)))

    def state_dict(self) -> State:
        return super().state_dict() | {"policy": self.policy.state_dict(), "learnt_bits": self.learnt_bits}

    def load_state_dict(self, state: State) -> None:
        super().load_state_dict(state)
        self.policy.load_state_dict(state["policy"])
        self.learnt_bits = state["learnt_bits"]


def action_bits(actions: int) -> int:
    """Returns the bits of an action as a policy predicts it, at least one.

    Example:
        >>> [action_bits(actions) for actions in (1, 2, 3, 5)]
        [1, 1, 2, 3]
    """
    return max(1, (actions - 1).bit_length())


class SelfAIXI(MCAIXI):
    """Self-AIXI with context trees for environment and policy: FAC-CTW both times, with the roles swapped.

    Args:
        depth: context depth of the model's first tree, in bits.
        policy_depth: that of the policy's.
        horizon: cycles that roll-outs last.
        simulations: roll-outs a cycle, shared among the actions; 100 where neither budget is given.
        milliseconds: budget by the clock instead.
        exploration: probability that the first action is random.
        exploration_decay: factor on it each cycle; None ties it to the length of the life.
        codes: the code of every Box observed, in place of what the environment names; see `aixi.agents.codes`.
    """

    def __init__(
        self,
        *,
        depth: int = 32,
        policy_depth: int = 32,
        horizon: int = 5,
        simulations: int | None = None,
        milliseconds: float | None = None,
        exploration: float = 0.5,
        exploration_decay: float | None = None,
        codes: str | None = None,
    ) -> None:
        super().__init__(
            horizon=horizon,
            simulations=simulations,
            milliseconds=milliseconds,
            exploration=exploration,
            exploration_decay=exploration_decay,
            codes=codes,
        )
        self.depth, self.policy_depth = at_least("depth", depth, 1), at_least("policy_depth", policy_depth, 1)
        for deep in (self.depth, self.policy_depth):
            FactoredContextTreeModel(1, 1, depth=deep)  # refuses what it cannot be made of

    def make_model(self, actions: int, layout: tuple[int, ...], seed: np.random.SeedSequence) -> EnvironmentModel:
        return FactoredContextTreeModel(actions, sum(layout), depth=self.depth)

    def make_policy(self, bits: int, seed: np.random.SeedSequence) -> EnvironmentModel:
        """Returns a fresh model over two actions, single bits, of percepts of so many bits: the agent's actions."""
        return FactoredContextTreeModel(2, bits, depth=self.policy_depth)

    def make_planner(
        self,
        actions: int,
        percept_bits: int,
        reward: RewardCode,
        reward_range: RewardRange,
        seed: np.random.SeedSequence,
        rule: MaskRule | None,
    ) -> PolicyRollOuts:
        policy_seed, choice_seed = seed.spawn(2)
        budget = {key: self._search[key] for key in ("horizon", "simulations", "milliseconds")}
        policy = self.make_policy(action_bits(actions), policy_seed)
        self._policy = PolicyRollOuts(
            actions, percept_bits, reward, reward_range, choice_seed, policy, rule=rule, **budget
        )
        return self._policy

    def learn(self, action: int | None, words: NDArray[np.uint64], reward: float) -> None:
        super().learn(action, words, reward)
        if action is None:
            self._policy.hear(words)

    def diagnostics(self) -> dict[str, float]:
        return super().diagnostics() | {"action_bits": self._policy.learnt_bits}
