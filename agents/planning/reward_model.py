"""A learned judge of partial states of Countdown, compiled: a perceptron of two hidden layers on features of a state.

Trained on what random completions of each state came to (Wang et al. 2024, "Math-Shepherd"), it is a process reward
model; trained on how whole plays ended, it is supervised by outcomes (Uesato et al. 2022). The features are the same.
"""

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from aixi.agents.planning.thoughts import LARGEST, MOST_NUMBERS, number_at
from aixi.errors import require
from aixi.predictors.intrinsics import Integer, inlined, kernel
from aixi.predictors.model import source_tag

Floats: TypeAlias = NDArray[np.float32]

PLACES = MOST_NUMBERS - 1
"""Numbers that a judged state holds at most: what a problem begins with needs no judgement."""
_COMMON, _PER_PLACE = 8, 4  # multiples of 4, see `_layer`
FEATURES = _COMMON + PLACES * _PER_PLACE
HIDDEN = (64, 32)
"""Widths of the hidden layers."""
_SHAPES: dict[str, tuple[int, ...]] = {
    "first": (FEATURES, HIDDEN[0]),
    "first_bias": (HIDDEN[0],),
    "second": HIDDEN,
    "second_bias": (HIDDEN[1],),
    "last": (HIDDEN[1],),
    "last_bias": (1,),
}
_NEAR, _FAR = 5.0, 50.0  # distances over which closeness falls by e


class RewardModel(NamedTuple):
    """The judge's weights, tables of what would be calls to the mathematics library, and room to work in.

    Attributes:
        first, first_bias, second, second_bias, last: float32, of the layers, inputs before outputs.
        last_bias: float32[1].
        logs: float32[1024], ln(1 + number) / ln(1024).
        near, far: float32[1024], e^(-distance / 5) and e^(-distance / 50).
        features, hidden, upper: float32[F], [64], [32], room.
        source: tag of the code, by which compiled searches are told from those of other code.
    """

    first: Floats
    first_bias: Floats
    second: Floats
    second_bias: Floats
    last: Floats
    last_bias: Floats
    logs: Floats
    near: Floats
    far: Floats
    features: Floats
    hidden: Floats
    upper: Floats
    source: NDArray[Any]


def reward_model(weights: dict[str, NDArray[np.float32]]) -> RewardModel:
    """Returns a judge of given weights.

    Args:
        weights: float32 arrays by the names of `RewardModel`'s first six attributes.

    Raises:
        InvalidValueError: if one is missing, of another shape, or not finite.
    """
    held = {}
    for name, shape in _SHAPES.items():
        given = weights.get(name)
        require(
            given is not None and given.shape == shape and bool(np.isfinite(given).all()),
            f"{name} must be finite numbers of shape {shape}, got "
            f"{'nothing' if given is None else f'shape {given.shape} or numbers that are not finite'}",
        )
        held[name] = np.ascontiguousarray(given, np.float32)
    numbers = np.arange(LARGEST + 1)
    return RewardModel(
        **held,
        logs=(np.log1p(numbers) / np.log(LARGEST + 1)).astype(np.float32),
        near=np.exp(-numbers / _NEAR).astype(np.float32),
        far=np.exp(-numbers / _FAR).astype(np.float32),
        features=np.zeros(FEATURES, np.float32),
        hidden=np.zeros(HIDDEN[0], np.float32),
        upper=np.zeros(HIDDEN[1], np.float32),
        source=source_tag(__file__),
    )


def blank() -> RewardModel:
    """Returns a judge that says the same of every state: the tables that `describe` reads, and no opinion."""
    return reward_model({name: np.zeros(shape, np.float32) for name, shape in _SHAPES.items()})


@inlined
def _apart(one: Integer, other: Integer) -> Integer:
    return one - other if one > other else other - one


@inlined
def describe(model: Any, state: Integer, target: Integer, greatest: Integer, features: Floats) -> None:
    """Writes the features of a state of two to five numbers, float32[F]."""
    features[:] = np.float32(0.0)
    logs, near, far = model.logs, model.near, model.far
    one = np.float32(1.0)
    count: Integer = 0
    reached: Integer = 0
    least: Integer = LARGEST
    at = _COMMON
    while number_at(state, count):
        number = number_at(state, count)
        distance = _apart(number, target)
        features[at] = logs[number]
        features[at + 1] = near[distance]
        features[at + 2] = far[distance]
        features[at + 3] = one if target % number == 0 else np.float32(0.0)
        at += _PER_PLACE
        for before in range(count):
            other = number_at(state, before)  # not below `number`
            gap: Integer = min(_apart(other + number, target), _apart(other - number, target), LARGEST)
            product = other * number
            if product <= greatest:
                gap = min(gap, _apart(product, target))
            if target * number == other:
                gap = 0
            reached += gap == 0
            least = min(least, gap)
        count += 1
    features[count - 2] = one
    features[PLACES - 1] = logs[target]
    features[PLACES] = np.float32(min(reached, 3))
    features[PLACES + 1] = near[least]
    features[PLACES + 2] = far[least]


@inlined
def _layer(inputs: Floats, weights: Floats, biases: Floats, outputs: Floats) -> None:
    """Writes max(0, inputs times weights plus biases), four inputs at a time, unless all four are 0."""
    for column in range(outputs.size):
        outputs[column] = biases[column]
    zero = np.float32(0.0)
    for row in range(0, inputs.size, 4):
        a, b, c, d = inputs[row], inputs[row + 1], inputs[row + 2], inputs[row + 3]
        if a != zero or b != zero or c != zero or d != zero:
            for column in range(outputs.size):
                outputs[column] += (a * weights[row, column] + b * weights[row + 1, column]) + (
                    c * weights[row + 2, column] + d * weights[row + 3, column]
                )
    for column in range(outputs.size):
        outputs[column] = max(outputs[column], np.float32(0.0))


@inlined
def judge(model: Any, state: Integer, target: Integer, greatest: Integer) -> np.float32:
    """Returns the natural-log odds that the judge gives a state of two to five numbers."""
    features, hidden, upper = model.features, model.hidden, model.upper
    describe(model, state, target, greatest, features)
    _layer(features, model.first, model.first_bias, hidden)
    _layer(hidden, model.second, model.second_bias, upper)
    odds = model.last_bias[0]
    for each in range(upper.size):
        odds += upper[each] * model.last[each]
    return odds


@kernel
def describe_all(
    model: Any,
    states: NDArray[np.int64],
    targets: NDArray[np.int64],
    greatest: Integer,
    features: Floats,
) -> None:
    """Writes the features of many states, float32[states, F]."""
    for each in range(states.size):
        describe(model, states[each], targets[each], greatest, features[each])


@kernel
def judge_all(
    model: Any,
    states: NDArray[np.int64],
    targets: NDArray[np.int64],
    greatest: Integer,
    odds: Floats,
) -> None:
    """Writes the log odds of many states, float32[states]."""
    for each in range(states.size):
        odds[each] = judge(model, states[each], targets[each], greatest)
