"""Predictors: what comes next?

Names are imported when they are first used, so that listing what there is loads no compiler.
"""

from typing import TYPE_CHECKING

from aixi.registry import exported_from

if TYPE_CHECKING:
    from aixi.predictors.base import Predictor
    from aixi.predictors.ctw import ContextTreeWeighting
    from aixi.predictors.factored import FactoredContextTreeModel, FactoredContextTreeWeighting
    from aixi.predictors.mixture import MixturePredictor
    from aixi.predictors.model import EnvironmentModel, implements, source_tag
    from aixi.predictors.model_mixture import ModelMixture
    from aixi.predictors.neural.model import NeuralModel
    from aixi.predictors.neural.predictor import NeuralPredictor
    from aixi.predictors.registry import PREDICTORS, PredictorSpec, make_predictor
    from aixi.predictors.switching_mixture import SwitchingMixture

__all__ = [
    "PREDICTORS",
    "ContextTreeWeighting",
    "EnvironmentModel",
    "FactoredContextTreeModel",
    "FactoredContextTreeWeighting",
    "MixturePredictor",
    "ModelMixture",
    "NeuralModel",
    "NeuralPredictor",
    "Predictor",
    "PredictorSpec",
    "SwitchingMixture",
    "implements",
    "make_predictor",
    "source_tag",
]

__getattr__ = exported_from(
    __name__,
    {
        "base": ("Predictor",),
        "ctw": ("ContextTreeWeighting",),
        "factored": ("FactoredContextTreeModel", "FactoredContextTreeWeighting"),
        "mixture": ("MixturePredictor",),
        "model": ("EnvironmentModel", "implements", "source_tag"),
        "model_mixture": ("ModelMixture",),
        "registry": ("PREDICTORS", "PredictorSpec", "make_predictor"),
        "switching_mixture": ("SwitchingMixture",),
        "neural.model": ("NeuralModel",),
        "neural.predictor": ("NeuralPredictor",),
    },
)
