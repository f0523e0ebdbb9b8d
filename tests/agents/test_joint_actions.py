"""Joint actions: numbered once each, values of a box, refusals."""

import math
from itertools import product

import numpy as np
import pytest
from generated_spaces import numbered
from gymnasium import spaces
from hypothesis import given, settings

from aixi.agents.codes import make_code
from aixi.agents.percepts import ActionCodec
from aixi.errors import InvalidValueError, UnsupportedSpaceError


@settings(max_examples=50, deadline=None)
@given(space=numbered.filter(lambda space: math.prod(make_code(space).sizes) <= 200))
def test_joint_actions_are_numbered_once_each(space):
    codec = ActionCodec(space)
    assert codec.count == math.prod(codec.sizes)
    for index in range(codec.count):
        action = codec.decode(index)
        assert space.contains(action)
        assert codec.encode(action) == index


def test_the_first_component_of_joint_actions_is_the_fastest():
    codec = ActionCodec(spaces.MultiDiscrete([3, 2], start=[0, 5]))
    assert [codec.decode(index).tolist() for index in range(6)] == [[a, b] for b, a in product((5, 6), range(3))]


def test_actions_of_a_box_are_five_values_each_with_the_bounds_among_them():
    codec = ActionCodec(spaces.Box(np.array([-2, 0], np.float32), np.array([2, 1], np.float32)))
    assert codec.count == 25
    expected = [[a, b] for b, a in product((0.0, 0.25, 0.5, 0.75, 1.0), (-2.0, -1.0, 0.0, 1.0, 2.0))]
    assert [codec.decode(index).tolist() for index in range(25)] == expected
    for index in range(25):
        assert codec.space.contains(codec.decode(index))
        assert codec.encode(codec.decode(index)) == index
    assert codec.encode(np.array([-0.6, 0.9], np.float32)) == 1 + 5 * 4  # the nearest: -1 and 1
    assert ActionCodec(codec.space, {"": "uniform bins=3 ends=1"}).count == 9
    pedal = ActionCodec(spaces.Dict(gear=spaces.Discrete(3), push=spaces.Box(0.0, 1.0, ())))
    assert pedal.count == 15
    assert pedal.words == "15 joint actions: gear: 3 values; push: 1 numbers in 5 equal bins"


def test_actions_outside_their_range_are_refused():
    codec = ActionCodec(spaces.MultiDiscrete([3, 2]))
    for index in (-1, 6):
        with pytest.raises(InvalidValueError, match=f"action index must be .* got {index}"):
            codec.decode(index)
    with pytest.raises(InvalidValueError, match="action must be in"):
        codec.encode(np.array([3, 0]))
    assert ActionCodec(spaces.MultiBinary(16)).count == 1 << 16
    for space in (spaces.MultiBinary(17), spaces.Box(-1, 1, (7,))):
        with pytest.raises(UnsupportedSpaceError, match="more than 65536 joint actions"):
            ActionCodec(space)
    with pytest.raises(
        UnsupportedSpaceError, match="must have finite bounds to be joint actions; give the action space"
    ):
        ActionCodec(spaces.Box(-np.inf, np.inf, (1,)))
