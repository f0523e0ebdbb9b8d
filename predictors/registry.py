"""The table of predictors."""

from collections.abc import Mapping
from dataclasses import dataclass, field
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
        options: arguments of the class that make it this predictor.
    """

    name: str
    entry_point: str
    summary: str
    options: Mapping[str, Any] = field(default_factory=dict)


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
        "lstm",
        "aixi.predictors.neural.predictor:NeuralPredictor",
        "learns online (Hochreiter and Schmidhuber 1997)",
        {"kind": "lstm"},
    ),
    PredictorSpec(
        "mixture",
        "aixi.predictors.mixture:MixturePredictor",
        "logistic mixing of byte contexts (Mahoney 2005)",
    ),
    PredictorSpec(
        "transformer",
        "aixi.predictors.neural.predictor:NeuralPredictor",
        "decoder-only, learns online (Vaswani et al. 2017)",
    ),
    PredictorSpec(
        "switching-mixture",
        "aixi.predictors.switching_mixture:SwitchingMixture",
        "whichever of several has become the best (Herbster and Warmuth 1998)",
    ),
)


def make_predictor(name: str, /, **options: Any) -> Predictor:
    """Makes a predictor by name; `options` are its constructor's arguments."""
    spec = PREDICTORS[name]
    predictor: Predictor = load_object(spec.entry_point)(**{**spec.options, **options})
    return predictor
