"""Masks that follow from what is observed, as tables over its bits."""

from collections import OrderedDict

import numpy as np
import pytest
from gymnasium import spaces

from aixi.agents.base import Hints, RewardRange
from aixi.agents.mc_aixi import MCAIXICTW
from aixi.agents.percepts import PerceptCodec
from aixi.environments import ENVIRONMENTS, make
from aixi.errors import InvalidValueError
from aixi.registry import load_object

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


def test_a_function_is_asked_once_for_all_lives():
    calls = []

    def mask(number):
        calls.append(number)
        return [number < 2, number > 0]

    space = spaces.Dict(a=spaces.Discrete(3), b=spaces.Discrete(3, start=5))
    first = PerceptCodec(space, COIN).mask_table(2, mask, "a")
    assert calls == [0, 1, 2, 2]
    again = PerceptCodec(space, COIN, reward_bits=4).mask_table(2, mask, "a", labels=(1, 0))
    assert len(calls) == 4
    np.testing.assert_array_equal(first[2], [[True, False], [True, True], [False, True], [False, True]])
    np.testing.assert_array_equal(again[2], first[2][:, ::-1])
    assert again[2].flags.c_contiguous
    again[2][:] = False  # nobody else's
    np.testing.assert_array_equal(PerceptCodec(space, COIN).mask_table(2, mask, "a")[2], first[2])
    # Other parts, widths and spaces have tables of their own.
    assert PerceptCodec(space, COIN).mask_table(2, mask, "b")[2].tolist() == [[False, True]] * 4
    assert PerceptCodec(space, COIN, observation_bits=(3, 2)).mask_table(2, mask, "a")[2].shape == (8, 2)
    assert PerceptCodec(spaces.Discrete(5), COIN).mask_table(2, mask)[2].shape == (8, 2)


def test_masks_of_many_members_at_once():
    def slow(numbers):
        return [numbers.sum() > 4, numbers[0] > numbers[1], numbers[1] == 7]

    def quick(numbers):
        return np.stack([numbers.sum(-1) > 4, numbers[..., 0] > numbers[..., 1], numbers[..., 1] == 7], -1)

    quick.batched = True
    codec = PerceptCodec(spaces.MultiDiscrete([3, 6], start=[0, 2]), COIN, observation_bits=(2, 4), name="aixi/Odd-v0")
    for one, other in zip(codec.mask_table(3, slow), codec.mask_table(3, quick), strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(InvalidValueError, match=r"mask of aixi/Odd-v0 .* of 4 actions, got shape \(64, 3\)"):
        codec.mask_table(4, quick)


@pytest.mark.parametrize("name", ["aixi/Countdown-v0", "aixi/CountdownFour-v0"])
def test_the_search_keeps_to_the_masks_of_countdown(name):
    env, row = make(name), ENVIRONMENTS[name]
    actions = int(env.action_space.n)
    labels = tuple(np.random.default_rng(0).permutation(actions).tolist())
    mask = load_object(row.mask)
    agent = MCAIXICTW(depth=2, horizon=2, simulations=2)
    agent.reset(
        env.observation_space,
        env.action_space,
        RewardRange.finite(*row.rewards),
        np.random.SeedSequence(0),
        episodic=True,
        hints=Hints(row.codes, mask, row.mask_part, labels),
    )
    assert agent.coding()["action"].endswith("masked in the search")
    observation, _ = env.reset(seed=1)
    words = agent._codec.encode(observation, 0.0)
    first, width, table = agent._codec.mask_table(actions, mask, row.mask_part, labels)
    number = int(words[0]) >> first & ((1 << width) - 1)
    assert table[number].tolist() == mask(observation[1])[list(labels)].tolist()
    assert not table[number].all()
