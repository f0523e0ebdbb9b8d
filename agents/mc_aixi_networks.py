"""MC-AIXI over a Transformer, over a recurrent network, and over a mixture of a Transformer and context trees."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from aixi.agents.neural import Inference, NeuralAgent, PlannerName, System
from aixi.agents.planning.batched import BATCH
from aixi.errors import InvalidValueError, at_least
from aixi.predictors.factored import FactoredContextTreeModel
from aixi.predictors.model import EnvironmentModel
from aixi.predictors.model_mixture import ModelMixture
from aixi.state import State


class MCAIXITransformer(NeuralAgent):
    """MC-AIXI with a Transformer as its model, decoder-only or with an encoder of the history.

    Args:
        width: of the residual stream; None is 32, or what the checkpoint has, as for the sizes that follow.
        layers: number of layers; None is 1.
        heads: attention heads; None is 2.
        groups: key-value heads that they share: 1 is multi-query, fewer than heads grouped-query attention.
        latent: width of the latent of multi-head latent attention, which needs `rotary` besides.
        rotary: width of the latent attention's rotary key.
        encoder_decoder: whether an encoder reads the history, and a decoder the futures.
        tokens: `components`, one token a part of the percept; `bits`; or `shared`, bits whose tokens are alike, with
            which one network fits every environment.
        window: cycles that a prediction looks back on.
        train_every: cycles from one training to the next; 0 never trains.
        train_steps: steps of training after n cycles, over the square root of n.
        learning_rate: of AdamW.
        batch: stretches of life in a step.
        checkpoint: of a saved network that it starts from.
        planner: `rho-uct`, or `puct` with policy and value heads trained from the searches.
        system: `2` searches every cycle; `1` acts by the policy alone; `auto` searches where the policy is unsure.
        threshold: for `auto`, the entropy of the policy over that of the uniform one, above which it searches.
        inference: `compiled`; `torch`, many simulations at once; `auto`, torch on a GPU or for a large network.
        device: "cpu", "cuda" or "cuda:N".
        rows: simulations at once with torch.
        horizon: cycles that the search looks ahead.
        simulations: search budget a cycle; 100 where neither budget is given.
        milliseconds: search budget by the clock instead.
        exploration: probability that the first action is random.
        exploration_decay: factor on it each cycle; None ties it to the length of the life.
        constant: C of the search; None for the planner's default.
        codes: the code of every Box observed, in place of what the environment names; see `aixi.agents.codes`.
    """

    def __init__(
        self,
        *,
        width: int | None = None,
        layers: int | None = None,
        heads: int | None = None,
        groups: int | None = None,
        latent: int | None = None,
        rotary: int | None = None,
        encoder_decoder: bool = False,
        tokens: str = "components",
        window: int = 16,
        train_every: int = 10,
        train_steps: int = 20,
        learning_rate: float = 3e-3,
        batch: int = 8,
        checkpoint: str | None = None,
        planner: PlannerName = "rho-uct",
        system: System = "2",
        threshold: float = 0.5,
        inference: Inference = "auto",
        device: str = "cpu",
        rows: int = BATCH,
        horizon: int = 5,
        simulations: int | None = None,
        milliseconds: float | None = None,
        exploration: float = 0.5,
        exploration_decay: float | None = None,
        constant: float | None = None,
        codes: str | None = None,
    ) -> None:
        super().__init__(
            {
                "kind": "encoder-decoder" if encoder_decoder else "transformer",
                "style": tokens,
                "width": width,
                "layers": layers,
                "heads": heads,
                "groups": groups,
                "latent": latent,
                "rotary": rotary,
                "train_every": train_every,
                "train_steps": train_steps,
                "learning_rate": learning_rate,
                "batch": batch,
                "checkpoint": checkpoint,
            },
            window=window,
            planner=planner,
            system=system,
            threshold=threshold,
            inference=inference,
            device=device,
            rows=rows,
            horizon=horizon,
            simulations=simulations,
            milliseconds=milliseconds,
            exploration=exploration,
            exploration_decay=exploration_decay,
            constant=constant,
            codes=codes,
        )


class MCAIXILSTM(NeuralAgent):
    """MC-AIXI with a recurrent network as its model.

    Args:
        cell: `lstm`, `gru`, `rnn`, or `additive-lstm`, an encoder-decoder with attention (Bahdanau et al. 2015).
        width: of a layer's state; None is 32, or what the checkpoint has.
        layers: number of layers; None is 1, or what the checkpoint has.
        tokens: `components`, one token a part of the percept; `bits`; or `shared`, bits whose tokens are alike.
        window: cycles that a prediction looks back on.
        train_every: cycles from one training to the next; 0 never trains.
        train_steps: steps of training after n cycles, over the square root of n.
        learning_rate: of AdamW.
        batch: stretches of life in a step.
        checkpoint: of a saved network that it starts from.
        planner: `rho-uct`, or `puct` with policy and value heads trained from the searches.
        system: `2` searches every cycle; `1` acts by the policy alone; `auto` searches where the policy is unsure.
        threshold: for `auto`, the entropy of the policy over that of the uniform one, above which it searches.
        inference: `compiled`; `torch`, many simulations at once; `auto`, torch on a GPU or for a large network.
        device: "cpu", "cuda" or "cuda:N".
        rows: simulations at once with torch.
        horizon: cycles that the search looks ahead.
        simulations: search budget a cycle; 100 where neither budget is given.
        milliseconds: search budget by the clock instead.
        exploration: probability that the first action is random.
        exploration_decay: factor on it each cycle; None ties it to the length of the life.
        constant: C of the search; None for the planner's default.
        codes: the code of every Box observed, in place of what the environment names; see `aixi.agents.codes`.
    """

    def __init__(
        self,
        *,
        cell: Literal["lstm", "gru", "rnn", "additive-lstm"] = "lstm",
        width: int | None = None,
        layers: int | None = None,
        tokens: str = "components",
        window: int = 16,
        train_every: int = 10,
        train_steps: int = 20,
        learning_rate: float = 3e-3,
        batch: int = 8,
        checkpoint: str | None = None,
        planner: PlannerName = "rho-uct",
        system: System = "2",
        threshold: float = 0.5,
        inference: Inference = "auto",
        device: str = "cpu",
        rows: int = BATCH,
        horizon: int = 5,
        simulations: int | None = None,
        milliseconds: float | None = None,
        exploration: float = 0.5,
        exploration_decay: float | None = None,
        constant: float | None = None,
        codes: str | None = None,
    ) -> None:
        if cell not in ("lstm", "gru", "rnn", "additive-lstm"):
            raise InvalidValueError(f"cell must be one of lstm, gru, rnn, additive-lstm, got {cell!r}")
        super().__init__(
            {
                "kind": cell,
                "style": tokens,
                "width": width,
                "layers": layers,
                "train_every": train_every,
                "train_steps": train_steps,
                "learning_rate": learning_rate,
                "batch": batch,
                "checkpoint": checkpoint,
            },
            window=window,
            planner=planner,
            system=system,
            threshold=threshold,
            inference=inference,
            device=device,
            rows=rows,
            horizon=horizon,
            simulations=simulations,
            milliseconds=milliseconds,
            exploration=exploration,
            exploration_decay=exploration_decay,
            constant=constant,
            codes=codes,
        )


class MCAIXIMix(NeuralAgent):
    """MC-AIXI with the mixture of context trees and a Transformer as its model, by rho-UCT; see `ModelMixture`.

    Args:
        depth: context depth of the first context tree, in bits.
        width: of the Transformer's residual stream; None is 32, or what the checkpoint has.
        layers: number of layers; None is 1, or what the checkpoint has.
        heads: attention heads; None is 2, or what the checkpoint has.
        tokens: `components`, one token a part of the percept; `bits`; or `shared`, bits whose tokens are alike.
        window: cycles that the Transformer looks back on.
        train_every: cycles from one training to the next; 0 never trains.
        train_steps: steps of training after n cycles, over the square root of n.
        learning_rate: of AdamW.
        batch: stretches of life in a step.
        checkpoint: of a saved network that it starts from.
        horizon: cycles that the search looks ahead.
        simulations: search budget a cycle; 100 where neither budget is given.
        milliseconds: search budget by the clock instead.
        exploration: probability that the first action is random.
        exploration_decay: factor on it each cycle; None ties it to the length of the life.
        constant: C of the search; None for the planner's default.
        codes: the code of every Box observed, in place of what the environment names; see `aixi.agents.codes`.
    """

    def __init__(
        self,
        *,
        depth: int = 32,
        width: int | None = None,
        layers: int | None = None,
        heads: int | None = None,
        tokens: str = "components",
        window: int = 16,
        train_every: int = 10,
        train_steps: int = 20,
        learning_rate: float = 3e-3,
        batch: int = 8,
        checkpoint: str | None = None,
        horizon: int = 5,
        simulations: int | None = None,
        milliseconds: float | None = None,
        exploration: float = 0.5,
        exploration_decay: float | None = None,
        constant: float | None = None,
        codes: str | None = None,
    ) -> None:
        super().__init__(
            {
                "kind": "transformer",
                "style": tokens,
                "width": width,
                "layers": layers,
                "heads": heads,
                "train_every": train_every,
                "train_steps": train_steps,
                "learning_rate": learning_rate,
                "batch": batch,
                "checkpoint": checkpoint,
            },
            window=window,
            inference="compiled",
            horizon=horizon,
            simulations=simulations,
            milliseconds=milliseconds,
            exploration=exploration,
            exploration_decay=exploration_decay,
            constant=constant,
            codes=codes,
        )
        self.depth = at_least("depth", depth, 1)
        FactoredContextTreeModel(1, 1, depth=depth)  # refuses what it cannot be made of

    def make_model(self, actions: int, layout: tuple[int, ...], seed: np.random.SeedSequence) -> EnvironmentModel:
        network = super().make_model(actions, layout, seed)
        self._mixture = ModelMixture(network, FactoredContextTreeModel(actions, sum(layout), depth=self.depth))
        self._followed = 0.0
        return self._mixture

    def learn(self, action: int | None, words: NDArray[np.uint64], reward: float) -> None:
        super().learn(action, words, reward)
        self._followed += float(self._mixture.weights[0])

    def diagnostics(self) -> dict[str, float]:
        return super().diagnostics() | {"network_weight": self._followed}

    def state_dict(self) -> State:
        return super().state_dict() | {"followed": self._followed}

    def load_state_dict(self, state: State) -> None:
        super().load_state_dict(state)
        self._followed = state["followed"]
