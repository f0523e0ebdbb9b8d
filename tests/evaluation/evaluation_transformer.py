"""An agent whose model is unlike a context tree."""

import numpy as np

from aixi.agents.mc_aixi import MCAIXI
from aixi.predictors.model import EnvironmentModel
from aixi.predictors.neural.model import NeuralModel


class Transformer(MCAIXI):
    """MC-AIXI over a small Transformer."""

    def __init__(self) -> None:
        super().__init__(horizon=2, simulations=4, exploration=0.3, exploration_decay=0.99)

    def make_model(self, actions: int, layout: tuple[int, ...], seed: np.random.SeedSequence) -> EnvironmentModel:
        return NeuralModel(actions, layout, width=8, train_every=20, train_steps=1, seed=int(seed.generate_state(1)[0]))
