"""The code that hashes arrays: it tells apart, it decodes to what it saw, and its state is all that it learnt."""

from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from aixi.agents.codes import make_code
from aixi.errors import InvalidValueError, UnsupportedSpaceError

SPACES = [
    spaces.Box(0, 255, (7, 7, 3), np.uint8),
    spaces.Box(2.0, 3.0, (4,), np.float32),
    spaces.Box(-np.inf, np.inf, (), np.float64),
    spaces.MultiDiscrete([3, 4], start=[5, -2]),
    spaces.MultiBinary((2, 3)),
]


def members(space: Any, count: int) -> list[Any]:
    space.seed(1)
    return [space.sample() for _ in range(count)]


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_what_was_seen_comes_back_and_everything_else_is_a_member(space: Any) -> None:
    code = make_code(space, {"": "hash bits=12"})
    assert code.sizes == (4096,)
    for member in members(space, 20):
        code.learn(member)
        (number,) = code.encode(member)
        assert 0 <= number < 4096
        decoded = code.decode(iter([number]))
        np.testing.assert_array_equal(decoded, member)
        assert decoded.dtype == space.dtype
    assert all(space.contains(code.decode(iter([number]))) for number in range(0, 4096, 37))


def test_different_arrays_have_different_hashes_if_there_is_room() -> None:
    space = spaces.Box(0, 255, (7, 7, 3), np.uint8)
    code = make_code(space, {"": "hash bits=32"})
    assert len({next(code.encode(member)) for member in members(space, 500)}) == 500


def test_changing_an_array_afterwards_changes_nothing() -> None:
    code = make_code(spaces.MultiBinary(4), {"": "hash bits=8"})
    member = np.array([1, 0, 1, 0], np.int8)
    code.learn(member)
    (number,) = code.encode(member)
    member[:] = 1
    code.decode(iter([number]))[:] = 0
    assert code.decode(iter([number])).tolist() == [1, 0, 1, 0]


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_state_is_all_that_was_learnt(space: Any) -> None:
    first, second = make_code(space, {"": "hash bits=6"}), make_code(space, {"": "hash bits=6"})
    second.load_state_dict(first.state_dict())  # nothing yet
    for member in members(space, 30):
        first.learn(member)
    second.load_state_dict(first.state_dict())
    for number in range(64):
        np.testing.assert_array_equal(first.decode(iter([number])), second.decode(iter([number])))


def test_what_cannot_be_hashed_is_told() -> None:
    with pytest.raises(UnsupportedSpaceError, match="code hash is for a Box, a MultiDiscrete or a MultiBinary"):
        make_code(spaces.Graph(spaces.Discrete(2), None), {"": "hash"})
    for bits in (0, 33):
        with pytest.raises(InvalidValueError, match=f"bits must be at .*got {bits}"):
            make_code(spaces.MultiBinary(4), {"": f"hash bits={bits}"})
