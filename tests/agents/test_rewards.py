"""Numbers of rewards: declared sets, declared ranges, and rewards of which nothing is declared."""

import math
import warnings
from fractions import Fraction

import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st

from aixi.agents.base import Boundary, RewardRange
from aixi.agents.mc_aixi import MCAIXICTW
from aixi.agents.percepts import PerceptCodec
from aixi.agents.rewards import MOST_REWARD_BITS, RANGE_BITS, WARMUP, ListedRewards, RewardNumbers, reward_numbers
from aixi.errors import InvalidValueError
from aixi.state import load_state, save_state

UNDECLARED = RewardRange(-math.inf, math.inf)
NO_REWARDS = [math.nan, math.inf, -math.inf, None, "1", b"1", 1j, [1.0], np.array([1.0]), np.array(1.0), 10**400]

halves = st.integers(-2000, 2000).map(lambda number: number / 2)


@settings(max_examples=100, deadline=None)
@given(values=st.lists(halves, min_size=1, max_size=40), wider=st.integers(0, 3), other=halves)
def test_listed_rewards_have_their_rank(values, wider, other):
    ordered = sorted(set(values))
    numbers = reward_numbers(RewardRange.finite(*values), max((len(ordered) - 1).bit_length(), 1) + wider)
    assert [numbers.encode(reward) for reward in ordered] == list(range(len(ordered)))
    assert numbers.table[: len(ordered)].tolist() == ordered
    assert (numbers.table[len(ordered) :] == ordered[-1]).all()
    assert np.flatnonzero(numbers.valid).tolist() == list(range(len(ordered)))
    assert (numbers.low, numbers.high) == (ordered[0], ordered[-1])
    assert (numbers.encode(other) is None) == (other not in ordered)


def test_numbers_that_are_no_reward_decode_to_the_nearest():
    numbers = reward_numbers(RewardRange.finite(-1, 1, 6), 4, 2)
    #            number 0   1   2  3  4  5  6  7  8  (1 + 2 = 3, midway between 3 and 8 is 5.5; 2 is a tie)
    assert numbers.table.tolist() == [-1, -1, -1, 1, 1, 1, 6, 6, 6] + [6] * 7
    assert np.flatnonzero(numbers.valid).tolist() == [1, 3, 8]


@settings(max_examples=100, deadline=None)
@given(low=halves, span=st.integers(1, 4000), bits=st.integers(1, 10), share=st.fractions(0, 1))
def test_a_range_is_equal_steps_with_its_ends(low, span, bits, share):
    high = low + span / 2
    numbers = reward_numbers(RewardRange(low, high), bits)
    steps = (1 << bits) - 1
    assert numbers.table.shape == numbers.valid.shape == (steps + 1,)
    assert (numbers.table[0], numbers.table[-1]) == (low, high)
    assert (numbers.encode(low), numbers.encode(high)) == (0, steps)
    assert [numbers.encode(reward) for reward in numbers.table] == list(range(steps + 1))
    exact = (Fraction(low) + Fraction(span, 2) * share - Fraction(low)) / Fraction(span, 2) * steps
    number = numbers.encode(float(Fraction(low) + Fraction(span, 2) * share))
    assert abs(number - exact) <= Fraction(1, 2) + Fraction(1, 10**6)
    for outside in (math.nextafter(low, -math.inf), math.nextafter(high, math.inf)):
        assert numbers.encode(outside) is None
    assert numbers.valid.all()


def test_a_range_of_one_reward_is_that_reward():
    numbers = reward_numbers(RewardRange(2.5, 2.5))
    assert (numbers.bits, set(numbers.table.tolist())) == (RANGE_BITS, {2.5})
    assert numbers.encode(2.5) == 0
    assert numbers.encode(2.25) is None


@pytest.mark.parametrize("rewards", [RewardRange.finite(0, 1), RewardRange(0, 1), UNDECLARED, RewardRange(0, math.inf)])
def test_what_is_no_number_is_no_reward(rewards):
    numbers = reward_numbers(rewards)
    state = str(numbers.state_dict())
    for reward in NO_REWARDS:
        assert numbers.encode(reward) is None
    assert str(numbers.state_dict()) == state  # nor is it learnt
    for one in (1, True, 1.0, np.float32(1), np.int8(1), np.bool_(True), Fraction(1)):
        assert numbers.table[numbers.encode(one)] == 1.0


def test_undeclared_rewards_are_numbered_as_they_come():
    numbers = reward_numbers(UNDECLARED, 2)
    held = numbers.table, numbers.valid
    assert not numbers.valid.any()
    assert [numbers.encode(reward) for reward in (5.0, 1.0, 5.0)] == [0, 1, 0]
    assert numbers.table.tolist() == [5.0, 1.0, 1.0, 1.0]  # what has not come promises no more than the least
    assert numbers.valid.tolist() == [True, True, False, False]
    assert (numbers.low, numbers.high) == (1.0, 5.0)
    assert numbers.words == "undeclared: 2 values so far, in 2 bits"
    assert [numbers.encode(reward) for reward in (-3.0, 7.0, 1.0)] == [2, 3, 1]
    assert numbers.table.tolist() == [5.0, 1.0, -3.0, 7.0]
    # One more than there are numbers: equal steps over all that was seen.
    assert numbers.encode(9.0) == 3
    assert numbers.table.tolist() == [-3.0, 1.0, 5.0, 9.0]
    assert numbers.valid.all()
    assert [numbers.encode(reward) for reward in (-3.0, 1.0, 2.0, 5.5)] == [0, 1, 1, 2]
    # The range still grows, in the arrays that planners hold.
    assert numbers.encode(-9.0) == 0
    assert numbers.table.tolist() == [-9.0, -3.0, 3.0, 9.0]
    assert (numbers.table, numbers.valid) == held or (numbers.table is held[0] and numbers.valid is held[1])
    assert numbers.words == "undeclared: [-9, 9] in 4 steps"
    assert numbers.outside == 0


def stepped(count: int) -> RewardNumbers:
    """Numbers that were given so many undeclared rewards within [-3, 9], and all of them as equal steps."""
    numbers = reward_numbers(UNDECLARED, 2, name="aixi/Odd-v0")
    for cycle in range(count):
        numbers.encode([-3.0, 1.0, 5.0, 9.0, 0.0][cycle % 5])
    return numbers


def test_the_range_stays_after_the_warm_up():
    numbers = stepped(WARMUP - 1)
    assert numbers.encode(12.0) == 3  # the last that may move it
    assert (numbers.low, numbers.high, numbers.outside) == (-3.0, 12.0, 0)
    table = numbers.table.tolist()
    with pytest.warns(
        UserWarning, match=r"^aixi/Odd-v0 gave reward 99 after 1001 .* outside \[-3, 12\].* Declare its"
    ) as told:
        assert numbers.encode(99.0) == 3
    assert len(told) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # it is not said twice
        assert [numbers.encode(reward) for reward in (-99.0, 99.0, 12.0)] == [0, 3, 3]
    assert numbers.outside == 3
    assert numbers.table.tolist() == table
    assert (numbers.low, numbers.high) == (-3.0, 12.0)


def test_steps_that_come_late_hold_the_reward_that_brought_them():
    numbers = reward_numbers(UNDECLARED, 1)
    for _ in range(WARMUP):
        numbers.encode(1.0)
        numbers.encode(2.0)
    assert numbers.encode(4.0) == 1
    assert numbers.table.tolist() == [1.0, 4.0]
    with pytest.warns(UserWarning, match="outside"):
        assert numbers.encode(5.0) == 1
    assert numbers.outside == 1


@pytest.mark.parametrize("lived", [0, 3, 4, 5, WARMUP - 1, WARMUP + 5])
def test_undeclared_rewards_resume_bit_for_bit(lived, tmp_path):
    one, two = stepped(lived), stepped(0)
    if lived > WARMUP:
        with pytest.warns(UserWarning, match="outside"):
            one.encode(50.0)
    held = two.table, two.valid
    save_state(tmp_path / "state", one.state_dict())
    two.load_state_dict(load_state(tmp_path / "state"))
    assert two.table is held[0]
    assert two.valid is held[1]
    rng = np.random.default_rng(lived)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for reward in rng.normal(3.0, 9.0, 60).round(1):
            assert one.encode(reward) == two.encode(reward)
            np.testing.assert_array_equal(one.table, two.table)
            np.testing.assert_array_equal(one.valid, two.valid)
    assert (one.low, one.high, one.outside, one.words) == (two.low, two.high, two.outside, two.words)
    assert str(one.state_dict()) == str(two.state_dict())
    assert len(told) in ((2,) if lived == WARMUP - 1 else (0,))  # once each, and where it was said before not again


@pytest.mark.parametrize(
    ("rewards", "bits", "offset", "nearest"),
    [
        (RewardRange.finite(-3, -1, 2), None, None, -1.0),
        (RewardRange.finite(-3, -1, 2), None, 5, -1.0),
        (RewardRange.finite(5, 9), None, None, 5.0),
        (RewardRange(-1.0, 2.0), 2, None, 0.0),
        (RewardRange(1000.0, 1001.0), None, None, 1000.0),
        (RewardRange(-9.0, -8.0), None, None, -8.0),
    ],
)
def test_neutral_reward_is_that_nearest_0(rewards, bits, offset, nearest):
    numbers = reward_numbers(rewards, bits, offset)
    assert numbers.neutral == numbers.encode(nearest)
    assert numbers.table[numbers.neutral] == nearest


def test_a_percept_without_a_reward_teaches_nothing_of_undeclared_ones():
    codec = PerceptCodec(spaces.Discrete(2), UNDECLARED, episodic=True)
    state = str(codec.rewards.state_dict())
    words = codec.encode_first(1)
    assert str(codec.rewards.state_dict()) == state
    for reward in (1000.0, 1001.0):
        codec.encode(0, reward)
    assert (codec.rewards.low, codec.rewards.high) == (1000.0, 1001.0)
    assert codec.decode(words) == (1, 1000.0, Boundary.TERMINATED)


def test_the_planner_takes_no_reward_for_granted():
    agent = MCAIXICTW(depth=2, horizon=2, simulations=2)
    agent.reset(spaces.Discrete(2), spaces.Discrete(2), UNDECLARED, np.random.SeedSequence(0))
    agent.begin(0, {})
    for cycle in range(30):
        agent.observe(agent.act(), cycle % 2, 1000.0 + cycle % 2, False, False)
    assert (agent._planner.reward_range.low, agent._planner.reward_range.high) == (1000.0, 1001.0)


def test_rewards_of_a_million_values():
    with pytest.raises(InvalidValueError, match=r"got 20; declare a range of rewards \(reward_range\) instead of a"):
        reward_numbers(RewardRange.finite(*range(10**6)))
    assert isinstance(reward_numbers(RewardRange.finite(*range(1 << MOST_REWARD_BITS))), ListedRewards)
    assert reward_numbers(RewardRange(0, 10**6)).encode(10**6) == 15
    numbers = reward_numbers(UNDECLARED)
    for reward in range(WARMUP):
        numbers.encode(reward)
    assert (numbers.low, numbers.high, numbers.table.size) == (0.0, WARMUP - 1.0, 16)


@pytest.mark.parametrize(
    ("rewards", "bits", "offset", "message"),
    [
        (RewardRange.finite(0, 1, 2), 1, None, "reward_bits must be at least 2, got 1"),
        (RewardRange(0, 1), 0, None, "reward_bits must be at least 1, got 0"),
        (RewardRange(0, 1), 17, None, "reward_bits must be at most 16, got 17$"),
        (UNDECLARED, 1.5, None, "reward_bits must be a whole number, got 1.5"),
        (
            RewardRange(0, 1),
            None,
            3,
            r"reward_offset is for a finite reward set, got the interval \[0, 1\]; leave it out",
        ),
        (UNDECLARED, None, 3, r"got the interval \[-inf, inf\]"),
        (RewardRange.finite(0, 1 << 16), None, 0, r"got 17; use rank codes \(no reward_offset\)$"),
        (RewardRange.finite(0.5), None, 3, r"whole number of at least 0, got 0\.5 \+ 3"),
        (RewardRange.finite(-5), None, 3, r"at least 0, got -5 \+ 3; use a greater offset"),
    ],
)
def test_bad_configurations_are_refused(rewards, bits, offset, message):
    with pytest.raises(InvalidValueError, match=message):
        reward_numbers(rewards, bits, offset)
