"""Percept bits: layout by hand, round trips over generated spaces, total decoding, refusals."""

import math
from collections import OrderedDict

import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st

from aixi.agents.base import RewardRange
from aixi.agents.percepts import PerceptCodec, action_count, components, decode_action, encode_action
from aixi.errors import EnvironmentFaultError, InvalidValueError, UnsupportedSpaceError

COIN = RewardRange.finite(0, 1)

sizes = st.integers(1, 9)
leaves = st.one_of(
    st.builds(lambda n, start: spaces.Discrete(n, start=start), sizes, st.integers(-5, 5)),
    st.builds(lambda n: spaces.MultiBinary(n), st.integers(1, 4)),
    st.builds(lambda rows: spaces.MultiBinary((rows, 2)), st.integers(1, 3)),
    st.builds(lambda nvec: spaces.MultiDiscrete(nvec), st.lists(sizes, min_size=1, max_size=3)),
    st.builds(
        lambda n, start: spaces.MultiDiscrete([[n, 2], [3, n]], start=[[start, 0], [1, -start]]),
        sizes,
        st.integers(-3, 3),
    ),
)
nested = st.recursive(
    leaves,
    lambda parts: st.one_of(
        st.lists(parts, min_size=1, max_size=3).map(spaces.Tuple),
        st.dictionaries(st.sampled_from("zyxw"), parts, min_size=1, max_size=3).map(
            lambda named: spaces.Dict(OrderedDict(named))
        ),
    ),
    max_leaves=6,
)
reward_sets = st.lists(st.integers(-300, 300), min_size=1, max_size=12).map(lambda values: RewardRange.finite(*values))


def same(left, right) -> bool:
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, tuple):
        return len(left) == len(right) and all(map(same, left, right))
    return np.array_equal(left, right)


def bits(codec: PerceptCodec, words: np.ndarray) -> list[int]:
    assert words.dtype == np.uint64
    assert words.shape == (codec.words,)
    return [int(words[i // 64]) >> i % 64 & 1 for i in range(64 * codec.words)]


@settings(max_examples=150, deadline=None)
@given(space=nested, rewards=reward_sets, episodic=st.booleans(), offset=st.booleans(), seed=st.integers(0, 999))
def test_decoding_undoes_encoding(space, rewards, episodic, offset, seed):
    codec = PerceptCodec(space, rewards, episodic=episodic, reward_offset=300 if offset else None)
    space.seed(seed)
    for reward in rewards.values:
        observation, ended = space.sample(), episodic and seed % 2 == 0
        words = codec.encode(observation, reward, ended)
        assert not any(bits(codec, words)[codec.percept_bits :])
        again = codec.decode(words)
        assert same(observation, again[0])
        assert again[1:] == (reward, ended)


@settings(max_examples=150, deadline=None)
@given(space=nested, rewards=reward_sets, offset=st.booleans(), data=st.data())
def test_every_bit_pattern_decodes_to_a_percept(space, rewards, offset, data):
    codec = PerceptCodec(
        space,
        rewards,
        observation_bits=[part.size.bit_length() for part in components(space)],  # wider than need be
        reward_offset=300 if offset else None,
    )
    pattern = st.lists(st.integers(0, 2**64 - 1), min_size=codec.words, max_size=codec.words)
    observation, reward, ended = codec.decode(np.array(data.draw(pattern), np.uint64))
    assert space.contains(observation)
    assert reward in rewards.values
    assert not ended


@settings(max_examples=100, deadline=None)
@given(space=nested, rewards=reward_sets)
def test_widths_are_minimal(space, rewards):
    codec = PerceptCodec(space, rewards)
    assert codec.component_bits == tuple(math.ceil(math.log2(part.size)) for part in components(space))
    assert codec.reward_bits == max(1, math.ceil(math.log2(len(rewards.values))))
    assert codec.percept_bits == codec.observation_bits + codec.reward_bits
    assert PerceptCodec(space, rewards, episodic=True).percept_bits == codec.percept_bits + 1


def test_layout_of_tiger():
    codec = PerceptCodec(
        spaces.Discrete(3),
        RewardRange.finite(-100, -1, 10),
        observation_bits=(2,),
        reward_bits=7,
        reward_offset=100,
    )
    # observation 1 is 10, least significant bit first; reward 10 is 110 = 0b1101110, which is 0111011.
    assert bits(codec, codec.encode(1, 10.0))[:9] == [1, 0, 0, 1, 1, 1, 0, 1, 1]
    assert bits(codec, codec.encode(2, -100.0))[:9] == [0, 1, 0, 0, 0, 0, 0, 0, 0]


def test_layout_of_a_nested_space_in_its_own_key_order():
    space = spaces.Dict(
        OrderedDict(
            z=spaces.MultiDiscrete([2, 5], start=[0, 10]),
            a=spaces.Tuple([spaces.MultiBinary(2), spaces.Discrete(1), spaces.Discrete(4, start=-1)]),
        )
    )
    codec = PerceptCodec(space, RewardRange.finite(0, 5, 10), episodic=True)
    assert codec.component_bits == (1, 3, 1, 1, 0, 2)
    observation = {"a": (np.array([0, 1], np.int8), 0, 2), "z": np.array([1, 14])}
    # z[0] = 1; z[1] = 14 - 10 = 4; the two bits; nothing; 2 + 1 = 3; reward of rank 2; the end
    expected = [1, *(0, 0, 1), *(0, 1), *(1, 1), *(0, 1), 1]
    assert bits(codec, codec.encode(observation, 10, ended=True))[:11] == expected


def test_percepts_of_more_than_one_word():
    codec = PerceptCodec(spaces.MultiBinary(70), RewardRange.finite(0, 1, 2), episodic=True)
    assert (codec.percept_bits, codec.words) == (73, 2)
    observation = np.zeros(70, np.int8)
    observation[[0, 63, 64, 69]] = 1
    words = codec.encode(observation, 1.0, ended=True)
    assert words.tolist() == [1 | 1 << 63, 1 | 1 << 5 | 1 << 6 | 1 << 8]
    assert same(codec.decode(words), (observation, 1.0, True))


def test_percepts_of_kuhn_poker_always_have_their_full_width():
    codec = PerceptCodec(
        spaces.Discrete(6),
        RewardRange.finite(-2, -1, 1, 2),
        observation_bits=(4,),
        reward_bits=3,
        reward_offset=2,
    )
    rng = np.random.default_rng(0)
    history = []
    drawn = [(int(rng.integers(6)), float(rng.choice([-2, -1, 1, 2]))) for _ in range(1000)]
    for observation, reward in drawn:
        history += bits(codec, codec.encode(observation, reward))[: codec.percept_bits]
    assert len(history) == 7000
    rows = np.array(history).reshape(1000, 7)
    assert [tuple(row) for row in rows @ [[1, 0], [2, 0], [4, 0], [8, 0], [0, 1], [0, 2], [0, 4]]] == [
        (observation, reward + 2) for observation, reward in drawn
    ]


def test_the_best_event_of_pacman_does_not_wrap_around():
    # From base 200 the rewards of clearing the board need 9 bits; in 8 bits 309 would look like 53.
    codec = PerceptCodec(spaces.Discrete(1 << 16), RewardRange.finite(-61, -51, -1, 9, 109), reward_offset=200)
    assert codec.reward_bits == 9
    assert codec.decode(codec.encode(65535, 109))[:2] == (65535, 109.0)
    with pytest.raises(InvalidValueError, match="reward_bits must be at least 9, got 8"):
        PerceptCodec(spaces.Discrete(1 << 16), RewardRange.finite(-61, 109), reward_bits=8, reward_offset=200)


def test_reward_table_takes_the_nearest_reward():
    codec = PerceptCodec(spaces.Discrete(2), RewardRange.finite(-1, 1, 6), reward_bits=4, reward_offset=2)
    #            code  0   1   2  3  4  5  6  7  8  (1 + 2 = 3, midway between 3 and 8 is 5.5; 2 is a tie)
    expected = [-1, -1, -1, 1, 1, 1, 6, 6, 6] + [6] * 7
    assert codec.reward_table.tolist() == expected
    assert np.flatnonzero(codec.reward_valid).tolist() == [1, 3, 8]
    ranked = PerceptCodec(spaces.Discrete(2), RewardRange.finite(0.5, 0.25, 0))
    assert ranked.reward_table.tolist() == [0, 0.25, 0.5, 0.5]
    assert ranked.reward_valid.tolist() == [True, True, True, False]


def test_a_percept_has_at_least_one_bit():
    codec = PerceptCodec(spaces.Discrete(1), RewardRange.finite(3))
    assert (codec.observation_bits, codec.reward_bits, codec.percept_bits) == (0, 1, 1)
    assert codec.decode(np.array([1], np.uint64)) == (0, 3.0, False)


def test_a_component_beyond_its_space_decodes_to_its_greatest_value():
    codec = PerceptCodec(spaces.MultiDiscrete([3, 5], start=[1, 0]), COIN, observation_bits=(3, 3))
    codes = [(0, 0), (2, 4), (3, 5), (7, 7)]
    decoded = [codec.decode(np.array([a | b << 3], np.uint64))[0].tolist() for a, b in codes]
    assert decoded == [[1, 0], [3, 4], [3, 4], [3, 4]]


def test_encode_returns_a_fresh_array():
    codec = PerceptCodec(spaces.Discrete(4), COIN)
    codec.encode(2, 0.0)[:] = 0
    assert codec.encode(2, 0.0).tolist() == [2]


def test_only_episodic_percepts_say_that_an_episode_is_over():
    for episodic in (False, True):
        codec = PerceptCodec(spaces.Discrete(4), COIN, episodic=episodic)
        assert codec.encode(3, 1, ended=True).tolist() == [0b1111 if episodic else 0b111]
        assert codec.decode(np.array([2**64 - 1], np.uint64)) == (3, 1.0, episodic)


@pytest.mark.parametrize(
    "space",
    [
        spaces.Box(0, 1, (2,)),
        spaces.Text(3),
        spaces.Sequence(spaces.Discrete(2)),
        spaces.Graph(spaces.Discrete(2), None),
        spaces.Tuple([spaces.Discrete(2), spaces.Dict(a=spaces.Box(0, 1, (1,)))]),
    ],
    ids=lambda space: type(space).__name__,
)
def test_spaces_without_a_code_are_refused(space):
    with pytest.raises(UnsupportedSpaceError, match=r"has no percept code; use Discrete, .* wrap"):
        PerceptCodec(space, COIN)
    with pytest.raises(UnsupportedSpaceError, match="has no percept code"):
        action_count(space)


@pytest.mark.parametrize(
    ("space", "observation"),
    [
        (spaces.Discrete(3), 3),
        (spaces.Discrete(3), -1),
        (spaces.Discrete(3, start=1), 0),
        (spaces.Discrete(3), 1.0),
        (spaces.Discrete(3), None),
        (spaces.Discrete(3), np.array([1])),
        (spaces.MultiDiscrete([2, 2]), np.array([1, 2])),
        (spaces.MultiDiscrete([2, 2]), np.array([1])),
        (spaces.MultiDiscrete([2, 2]), "ab"),
        (spaces.MultiBinary(2), [[1], [1, 0]]),
        (spaces.MultiBinary(2), np.array([np.nan, 1.0])),
        (spaces.Tuple([spaces.Discrete(2)]), (2,)),
        (spaces.Tuple([spaces.Discrete(2)]), 1),
        (spaces.Dict(a=spaces.Discrete(2)), {"b": 1}),
    ],
)
def test_observations_outside_their_space_are_faults(space, observation):
    codec = PerceptCodec(space, COIN, name="aixi/Odd-v0")
    with pytest.raises(EnvironmentFaultError, match=r"^aixi/Odd-v0 gave observation .* not in its space .*; correct"):
        codec.encode(observation, 0.0)


@pytest.mark.parametrize("reward", [2.0, -1.0, 0.5, math.nan, math.inf, None, np.array([1.0])])
def test_rewards_outside_their_set_are_faults(reward):
    codec = PerceptCodec(spaces.Discrete(2), COIN, name="aixi/Odd-v0")
    with pytest.raises(
        EnvironmentFaultError,
        match=r"^aixi/Odd-v0 gave reward .* one of the 2 rewards that it declares in \[0, 1\]",
    ):
        codec.encode(0, reward)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"observation_bits": (1,)}, r"observation_bits\[0\] must be at least 2, got 1"),
        ({"observation_bits": (2, 2)}, r"one width for each of the 1 components, got \(2, 2\)"),
        ({"reward_bits": 0}, "reward_bits must be at least 1, got 0"),
        ({"reward_bits": 21}, "reward_bits must be at most 20, got 21"),
        ({"reward_offset": -1}, r"at least 0, got 0 \+ -1; use a greater offset"),
        ({"reward_offset": 1 << 20}, "reward_bits must be at most 20, got 21; use rank codes"),
        ({"rewards": RewardRange.finite(0.5)}, None),
        (
            {"rewards": RewardRange.finite(0.5), "reward_offset": 1},
            r"whole number of at least 0, got 0\.5 \+ 1",
        ),
        ({"rewards": RewardRange(0.0, 1.0)}, r"finite reward set, got the interval \[0, 1\]; declare"),
    ],
)
def test_bad_configurations_are_refused(arguments, message):
    settings_ = {"rewards": COIN, **arguments}
    if message is None:
        assert PerceptCodec(spaces.Discrete(3), **settings_).reward_bits == 1
        return
    with pytest.raises(InvalidValueError, match=message):
        PerceptCodec(spaces.Discrete(3), **settings_)


def test_decode_wants_the_right_number_of_words():
    with pytest.raises(InvalidValueError, match=r"words must have shape \(1,\), got \(2,\)"):
        PerceptCodec(spaces.Discrete(3), COIN).decode(np.zeros(2, np.uint64))


@settings(max_examples=50, deadline=None)
@given(space=nested.filter(lambda space: math.prod(part.size for part in components(space)) <= 200))
def test_joint_actions_are_numbered_once_each(space):
    count = action_count(space)
    assert count == math.prod(part.size for part in components(space))
    for index in range(count):
        action = decode_action(space, index)
        assert space.contains(action)
        assert encode_action(space, action) == index


def test_actions_outside_their_range_are_refused():
    space = spaces.MultiDiscrete([3, 2])
    for index in (-1, 6):
        with pytest.raises(InvalidValueError, match=f"action index must be .* got {index}"):
            decode_action(space, index)
    with pytest.raises(InvalidValueError, match="action must be in"):
        encode_action(space, np.array([3, 0]))
    assert action_count(spaces.MultiBinary(16)) == 1 << 16
    with pytest.raises(UnsupportedSpaceError, match="more than 65536 joint actions"):
        action_count(spaces.MultiBinary(17))
