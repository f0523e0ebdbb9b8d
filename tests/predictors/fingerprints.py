"""Results of kernels, to be compared with and without compilation: `python fingerprints.py` prints them."""

import hashlib
import json

import numpy as np
from references import C, P, bits, feedback_sequence, probability

from aixi.agents.base import RewardRange
from aixi.agents.planning import RewardCode, RhoUCT
from aixi.predictors import context_tree, factored, forest
from aixi.predictors.factored import FactoredContextTreeModel, FactoredContextTreeWeighting
from aixi.predictors.intrinsics import leading_zeros, next_below, next_float
from aixi.predictors.mixture import MixturePredictor
from aixi.predictors.neural.model import NeuralModel


def digest(value) -> str:
    """A hash of a state to the bit."""
    if isinstance(value, dict):
        text = "".join(f"{key}:{digest(value[key])}," for key in sorted(value)).encode()
    elif isinstance(value, np.ndarray):
        text = f"{value.dtype}{value.shape}".encode() + value.tobytes()
    else:
        text = repr(value).encode()
    return hashlib.sha256(text).hexdigest()[:16]


def random_numbers() -> list:
    rng = np.array([2**64 - 5], np.uint64)
    drawn = [(next_float(rng).hex(), int(next_below(rng, 7))) for _ in range(50)]
    return [drawn, [int(leading_zeros(np.uint64(2**k + 1))) for k in range(1, 64)]]


def predictions(depth: int, trees: int, estimator: str) -> list:
    predictor = FactoredContextTreeWeighting(depth, trees, estimator)
    total = predictor.update_many(feedback_sequence(200))
    start = predictor.mark()
    predictor.condition(1)
    imagined = [predictor.imagine(bit).hex() for bit in (1, 1, 0, 1)]
    said = [value.hex() for value in predictor.log2_probs().tolist()]
    predictor.rewind(start)
    return [total.hex(), imagined, said, digest(predictor.state_dict())]


def mixing() -> list:
    predictor = MixturePredictor()
    text = b"for i in range(9): print(i)\n" * 3 + bytes(np.random.default_rng(4).integers(0, 256, 60, np.uint8))
    units = predictor.code_length_units(text)
    predictor.condition(255)
    start = predictor.mark()
    imagined = [predictor.imagine(byte).hex() for byte in b"for i"]
    said = digest(predictor.log2_probs())
    predictor.rewind(start)
    return [units, imagined, said, digest(predictor.state_dict())]


def searching(model) -> list:
    rng = np.random.default_rng(1)
    reward = RewardCode(np.array([1, 2]), np.array([0.0, 1.0, 2.0, 3.0]), np.array([True, True, True, False]))
    planner = RhoUCT(3, 3, reward, RewardRange(0.0, 3.0), np.random.SeedSequence(5), horizon=4, simulations=20)
    found = []
    for _ in range(4):
        result = planner.search([model])
        found.append([result.action, result.visits.tolist(), [v.hex() for v in result.values.tolist()]])
        model.condition(result.action)
        words = rng.integers(0, 6, 1, np.uint64)
        found.append(model.update(words).hex())
        planner.advance(result.action, words)
    return [found, digest(planner.state_dict())]


def results() -> dict:
    """Everything that must not depend on compilation, to the bit."""
    found: dict[str, object] = {"random numbers": random_numbers()}
    for depth, trees, estimator in ((6, 1, "kt"), (11, 3, "kt"), (40, 1, "zero-redundancy"), (90, 2, "kt")):
        found[f"predictions {depth} {trees} {estimator}"] = predictions(depth, trees, estimator)
    found["mixture"] = mixing()
    for depth in (5, 30):
        model = FactoredContextTreeModel(3, 3, depth=depth)
        found[f"search {depth}"] = [searching(model), digest(model.state_dict())]
    transformer = NeuralModel(3, (3,), window=8, width=4, heads=1, train_every=0)
    found["search, Transformer"] = [step[:2] for step in searching(transformer)[0] if isinstance(step, list)]
    return found


def both_forms_of_shallow_trees() -> list:
    """Errors of heaps and of compressed trees; compiled code knows its constants for good, so not for it."""
    errors = []
    rng = np.random.default_rng(9)
    for depth in (1, 2, 3, 5, 8):
        stream = [(C if rng.random() < 0.2 else P, int(rng.integers(2))) for _ in range(25)] * 3
        exact = bits(probability(stream, depth, 2))
        for deepest in (0, 12):
            for module in (context_tree, factored, forest):
                module.DENSE_DEPTH = deepest
            predictor = FactoredContextTreeWeighting(depth, 2)
            total = 0.0
            for kind, bit in stream:
                if kind == C:
                    predictor.condition(bit)
                else:
                    said = -predictor.log2_probs()[bit]
                    cost = predictor.update(bit)
                    errors.append(abs(said - cost))
                    total += cost
            errors.append(abs(total - exact))
    return errors


if __name__ == "__main__":
    print(json.dumps({"results": results(), "errors": max(both_forms_of_shallow_trees())}))
