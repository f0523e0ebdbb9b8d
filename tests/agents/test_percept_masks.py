"""Masks that follow from what is observed, as tables over its bits."""

from collections import OrderedDict

import numpy as np
import pytest
from gymnasium import spaces

from aixi.agents.base import RewardRange
from aixi.agents.percepts import PerceptCodec
from aixi.errors import InvalidValueError

COIN = RewardRange.finite(0, 1)
MASKED = spaces.Dict(
    OrderedDict(
        before=spaces.MultiDiscrete([3, 5]),
        cards=spaces.Tuple([spaces.Discrete(3, start=1), spaces.MultiBinary(2)]),
        after=spaces.Discrete(2),
    )
)


def legal(cards) -> list[bool]:
    """Action i is allowed where it is above the first number, and the last one with both bits."""
    number, pair = cards
    return [number <= 1, number <= 2 and bool(pair[0]), bool(pair.all())]


@pytest.mark.parametrize("widths", [None, (2, 3, 3, 2, 1, 4)])
def test_masks_follow_from_the_bits_of_a_part(widths):
    codec = PerceptCodec(MASKED, COIN, observation_bits=widths)
    first, width, table = codec.mask_table(3, legal, "cards")
    assert (first, width) == ((5, 4) if widths is None else (5, 6))
    assert table.shape == (1 << width, 3)
    rng = np.random.default_rng(0)
    seen = set()
    for _ in range(300):
        pattern = int(rng.integers(1 << codec.observation_bits))
        expected = legal(codec.decode_observation(pattern)["cards"])
        found = table[pattern >> first & ((1 << width) - 1)].tolist()
        assert found == (expected if any(expected) else [True] * 3)
        seen.add(tuple(expected))
    assert len(seen) == 7
    real = {"before": np.array([2, 4]), "cards": (1, np.array([1, 0], np.int8)), "after": 1}
    number = int(codec.encode(real, 1.0)[0]) >> first & ((1 << width) - 1)
    assert table[number].tolist() == legal(real["cards"]) == [True, True, False]


def test_masks_of_the_whole_of_parts_without_bits_and_of_wide_ones():
    codec = PerceptCodec(spaces.Discrete(4, start=2), COIN)
    first, width, table = codec.mask_table(2, lambda number: [number < 4, number > 2])
    assert (first, width) == (0, 2)
    assert table.tolist() == [[True, False], [True, True], [False, True], [False, True]]
    codec = PerceptCodec(spaces.Tuple([spaces.Discrete(2), spaces.Discrete(1)]), COIN)
    first, width, table = codec.mask_table(2, lambda number: [False, number == 0], "1")
    assert (width, table.tolist()) == (0, [[False, True]])
    assert PerceptCodec(spaces.MultiBinary(17), COIN).mask_table(2, lambda _: [True, True]) is None


def test_bad_masks_are_refused():
    codec = PerceptCodec(spaces.Discrete(4), COIN, name="aixi/Odd-v0")
    with pytest.raises(InvalidValueError, match=r"mask of aixi/Odd-v0 must be .* each of 3 actions, got shape \(2,\)"):
        codec.mask_table(3, lambda _: [True, False])
    with pytest.raises(InvalidValueError, match="there is no part 'cards' in 4 values"):
        codec.mask_table(3, lambda _: [True] * 3, "cards")
