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
    from aixi.predictors.registry import PREDICTORS, PredictorSpec, make_predictor
    from aixi.predictors.transformer import FrozenTransformer, FrozenTransformerModel

__all__ = [
    "PREDICTORS",
    "ContextTreeWeighting",
    "EnvironmentModel",
    "FactoredContextTreeModel",
    "FactoredContextTreeWeighting",
    "FrozenTransformer",
    "FrozenTransformerModel",
    "MixturePredictor",
    "Predictor",
    "PredictorSpec",
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
        "registry": ("PREDICTORS", "PredictorSpec", "make_predictor"),
        "transformer": ("FrozenTransformer", "FrozenTransformerModel"),
    },
)
