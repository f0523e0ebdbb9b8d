"""An agent whose model is unlike a context tree."""

import numpy as np

from aixi.agents.mc_aixi import MCAIXI
from aixi.predictors.model import EnvironmentModel
from aixi.predictors.transformer import FrozenTransformerModel


class Transformer(MCAIXI):
    """MC-AIXI over a frozen Transformer."""

    def __init__(self) -> None:
        super().__init__(horizon=2, simulations=4, exploration=0.3, exploration_decay=0.99)

    def make_model(self, actions: int, percept_bits: int, seed: np.random.SeedSequence) -> EnvironmentModel:
        return FrozenTransformerModel(actions, percept_bits, seed=int(seed.generate_state(1)[0]))
