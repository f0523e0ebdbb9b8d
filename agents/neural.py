"""MC-AIXI over a neural network: what its agents share.

Where a planner or a system asks for it, the network has two heads besides: a policy, trained towards the visits of
each search, and a value, trained towards what the search found the moment to be worth (Silver et al. 2017). By PUCT
they are the prior and the leaf value of the searches to come; while they are new, roll-outs stand in for the value.
Acting by the policy alone is called System 1 here, searching System 2.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from aixi.agents.base import ActionMask, RewardRange
from aixi.agents.mc_aixi import MCAIXI, Planner
from aixi.agents.planning import UCB_CONSTANT, MaskRule, RewardCode, RhoUCT, SearchResult
from aixi.agents.planning.batched import BATCH, BatchedSearch
from aixi.agents.planning.puct import PUCT, PUCT_CONSTANT
from aixi.errors import InvalidValueError, at_least, require
from aixi.predictors.intrinsics import kernel
from aixi.predictors.model import EnvironmentModel, call, evaluate
from aixi.predictors.neural.config import ENCODING
from aixi.state import State

if TYPE_CHECKING:  # torch is loaded when an agent is made, not when agents are listed
    from aixi.predictors.neural.model import NeuralModel

ROLL_OUTS_UNTIL = 1000
"""Searches by PUCT over which roll-outs give way to the value head, in equal steps."""

PlannerName = Literal["rho-uct", "puct"]
System = Literal["1", "2", "auto"]
Inference = Literal["auto", "compiled", "torch"]


@kernel
def _judge(model: Any, prior: NDArray[np.float64]) -> float:
    return evaluate(model, prior)


class TorchSearch(BatchedSearch):
    """A batched search over the torch half of a `NeuralModel`.

    The history is read anew for each search, in one pass: what a search finds so follows from the history alone, not
    from how it came there, and a resumed life goes on exactly.

    Args:
        device: "cpu", "cuda" or "cuda:N".
        arguments: see `BatchedSearch`.
        options: see `BatchedSearch`.
    """

    def __init__(self, device: str, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._device = device
        self._half: Any = None

    def search(self, models: Sequence[Any], mask: ActionMask | None = None) -> SearchResult:
        from aixi.agents.planning.torch_batch import TorchBatchModel

        (model,) = models
        if self._half is None:
            self._half = TorchBatchModel(model.network, model.tokens, device=self._device)
        else:
            self._half.load(model.network)
        self._half.follow(*model.history())
        return super().search([self._half], mask)


class NeuralAgent(MCAIXI):
    """MC-AIXI over a network that learns online.

    Args:
        network: options of `NeuralModel`, its kind and sizes, how it learns, and the checkpoint it starts from.
        window: cycles that a prediction looks back on.
        planner: `rho-uct`, or `puct` with policy and value heads.
        system: `2` searches every cycle; `1` acts by the policy alone and never searches, so that it needs one that
            was trained; `auto` searches where the policy is unsure.
        threshold: for `auto`, the entropy of the policy over that of the uniform one, above which it searches.
        inference: `compiled`; `torch`, many simulations at once; `auto`, which is torch on a GPU or for a large
            network.
        device: "cpu", "cuda" or "cuda:N".
        rows: simulations at once with torch.
        constant: C of the search; None for the planner's default.
        options: see `MCAIXI`.
    """

    def __init__(
        self,
        network: dict[str, Any],
        *,
        window: int,
        planner: PlannerName = "rho-uct",
        system: System = "2",
        threshold: float = 0.5,
        inference: Inference = "auto",
        device: str = "cpu",
        rows: int = BATCH,
        constant: float | None = None,
        **options: Any,
    ) -> None:
        if constant is None:
            constant = UCB_CONSTANT if planner == "rho-uct" else PUCT_CONSTANT
        super().__init__(ucb_constant=constant, **options)
        for name, value, choices in (
            ("planner", planner, ("rho-uct", "puct")),
            ("system", system, ("1", "2", "auto")),
            ("inference", inference, ("auto", "compiled", "torch")),
        ):
            if value not in choices:
                raise InvalidValueError(f"{name} must be one of {', '.join(choices)}, got {value!r}")
        require(0.0 <= threshold <= 1.0, f"threshold must be within [0, 1], got {threshold}")
        require(
            not (planner == "puct" or system != "2") or network["kind"] not in ENCODING,
            f"planner=puct and system=1 or auto need heads, which a network of kind {network['kind']} does not have; "
            "take a decoder-only Transformer, lstm, gru or rnn",
        )
        require(
            inference != "compiled" or device == "cpu",
            f"inference=compiled runs on the CPU, got device={device}; leave one of them out",
        )
        self.window, self.rows = at_least("window", window, 2), at_least("rows", rows, 1)
        self.planner, self.system, self.threshold = planner, system, threshold
        self.inference, self.device = inference, device
        self.guided = planner == "puct" or system != "2"
        self._network = network
        _check_network(network, device)

    def make_model(self, actions: int, layout: tuple[int, ...], seed: np.random.SeedSequence) -> EnvironmentModel:
        self._neural = self.make_network(actions, layout, seed)
        return self._neural

    def make_network(self, actions: int, layout: tuple[int, ...], seed: np.random.SeedSequence) -> "NeuralModel":
        """Returns a fresh network as a model; arguments are those of `make_model`."""
        from aixi.predictors.neural.model import NeuralModel
        from aixi.predictors.neural.tokens import Tokens

        cycle = Tokens.of(layout, actions, self._network["style"]).cycle_tokens
        return NeuralModel(
            actions,
            layout,
            **self._network,
            guided=self.guided,
            window=self.window * cycle,
            horizon=self._search["horizon"],
            seed=int(seed.generate_state(1)[0]),
        )

    def make_planner(
        self,
        actions: int,
        percept_bits: int,
        reward: RewardCode,
        reward_range: RewardRange,
        seed: np.random.SeedSequence,
        rule: MaskRule | None,
    ) -> Planner:
        self._searches = 0
        wanted = (actions, percept_bits, reward, reward_range, seed)
        budget = {key: self._search[key] for key in ("horizon", "simulations", "milliseconds", "reuse_tree")}
        budget["rule"] = rule
        constant, judging = self._search["ucb_constant"], self.planner == "puct"
        if self.inference == "auto":
            from aixi.agents.planning.torch_batch import choose_inference

            inference = choose_inference(self._neural.network.parameter_count, self.device)
        else:
            inference = self.inference
        if inference == "torch":
            return TorchSearch(self.device, *wanted, batch=self.rows, heads=judging, constant=constant, **budget)
        if judging:
            return PUCT(*wanted, puct_constant=constant, **budget)
        return RhoUCT(*wanted, ucb_constant=constant, **budget)

    def choose(self, allowed: ActionMask) -> int:
        if self.system != "2":
            policy = self.policy(allowed)
            if self.system == "1" or self._sure(policy, allowed):
                best = np.flatnonzero(policy == policy.max())
                return int(best[0] if best.size == 1 else self._rng.choice(best))
        if isinstance(self._planner, PUCT | TorchSearch):
            self._planner.rollout_weight = max(0.0, 1.0 - self._searches / ROLL_OUTS_UNTIL)
        action = super().choose(allowed)
        self._searches += 1
        if self.guided and self.last_search is not None and self.last_search.visits.any():
            known = self._planner.reward_range
            value = (self.last_search.value - known.low) / ((known.high - known.low) or 1.0)
            self._neural.guide(self.last_search.policy, min(max(value, 0.0), 1.0))  # a sum may be a rounding off
        return action

    def policy(self, allowed: ActionMask) -> NDArray[np.float64]:
        """Returns the policy head's probabilities of the allowed actions, float64[actions]; 0 for the others."""
        prior = np.zeros(self._action.count)
        self._neural.reserve(0)
        call(_judge, self._neural.compiled, prior)
        prior = np.where(allowed, prior, 0.0)
        if not prior.any():
            prior = allowed.astype(np.float64)
        return np.asarray(prior / prior.sum(), np.float64)

    def _sure(self, policy: NDArray[np.float64], allowed: ActionMask) -> bool:
        count = int(allowed.sum())
        if count == 1:
            return True
        likely = policy[policy > 0.0]
        return bool(-(likely * np.log(likely)).sum() <= self.threshold * math.log(count))

    def diagnostics(self) -> dict[str, float]:
        return super().diagnostics() | {"searches": self._searches, "training_steps": self._neural.steps}

    def state_dict(self) -> State:
        return super().state_dict() | {"searches": self._searches}

    def load_state_dict(self, state: State) -> None:
        super().load_state_dict(state)
        self._searches = state["searches"]


def _check_network(network: dict[str, Any], device: str) -> None:
    """Refuses, before a life begins, what no network can be made of, and a device that is not there."""
    from aixi.agents.planning.torch_batch import torch_device
    from aixi.predictors.neural.model import NeuralModel

    torch_device(device)
    if network["checkpoint"] is None:
        NeuralModel(2, (1,), **network, window=8)
        return
    from aixi.predictors.neural.checkpoint import load_checkpoint

    load_checkpoint(network["checkpoint"])  # whether it fits the percepts is known when their widths are
