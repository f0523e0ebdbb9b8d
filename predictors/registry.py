"""The table of predictors."""

from dataclasses import dataclass
from typing import Any

from aixi.predictors.base import Predictor
from aixi.registry import Registry, load_object


@dataclass(frozen=True)
class PredictorSpec:
    """One row of the table.

    Attributes:
        name: what users type.
        entry_point: `module:Class` of a `Predictor`.
        summary: one line.
    """

    name: str
    entry_point: str
    summary: str


PREDICTORS: Registry[PredictorSpec] = Registry(
    "predictor",
    PredictorSpec(
        "context-tree-weighting",
        "aixi.predictors.ctw:ContextTreeWeighting",
        "all binary suffix trees (Willems et al. 1995)",
    ),
    PredictorSpec(
        "factored-context-tree-weighting",
        "aixi.predictors.factored:FactoredContextTreeWeighting",
        "a tree a percept bit (Veness et al. 2011)",
    ),
    PredictorSpec(
        "frozen-transformer",
        "aixi.predictors.transformer:FrozenTransformer",
        "one layer of random weights (Vaswani et al. 2017)",
    ),
    PredictorSpec(
        "mixture",
        "aixi.predictors.mixture:MixturePredictor",
        "logistic mixing of byte contexts (Mahoney 2005)",
    ),
)


def make_predictor(name: str, /, **options: Any) -> Predictor:
    """Makes a predictor by name; `options` are its constructor's arguments."""
    predictor: Predictor = load_object(PREDICTORS[name].entry_point)(**options)
    return predictor
