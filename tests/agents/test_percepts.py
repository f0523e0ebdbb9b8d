"""Percept bits: layout by hand, round trips over generated spaces, total decoding, masks, refusals."""

import math
import re
from collections import OrderedDict

import numpy as np
import pytest
from generated_spaces import BOUND, bounds, exact, member, numbered, same
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st

from aixi.agents.base import Boundary, RewardRange
from aixi.agents.codes import CODES, CodeSpec, make_code
from aixi.agents.history import History
from aixi.agents.percepts import PerceptCodec
from aixi.agents.space_codes import DiscreteCode, SpaceCode
from aixi.errors import EnvironmentFaultError, InvalidValueError
from aixi.state import load_state, save_state

COIN = RewardRange.finite(0, 1)
UNDECLARED = RewardRange(-math.inf, math.inf)

boundaries = st.sampled_from(Boundary)
reward_sets = st.lists(st.integers(-300, 300), min_size=1, max_size=12).map(lambda values: RewardRange.finite(*values))


def bits(codec: PerceptCodec, words: np.ndarray) -> list[int]:
    assert words.dtype == np.uint64
    assert words.shape == (codec.words,)
    return [int(words[i // 64]) >> i % 64 & 1 for i in range(64 * codec.words)]


@settings(max_examples=100, deadline=None)
@given(
    space=exact,
    rewards=reward_sets,
    episodic=st.booleans(),
    offset=st.booleans(),
    boundary=boundaries,
    seed=st.integers(0, 999),
)
def test_decoding_undoes_encoding(space, rewards, episodic, offset, boundary, seed):
    codec = PerceptCodec(space, rewards, episodic=episodic, reward_offset=300 if offset else None, codes=bounds(space))
    rng = np.random.default_rng(seed)
    for reward in rewards.values[:3]:
        observation = member(space, rng)
        words = codec.encode(observation, reward, boundary)
        assert not any(bits(codec, words)[codec.percept_bits :])
        again = codec.decode(words)
        assert same(again[0], observation)
        assert again[1:] == (reward, boundary if episodic else Boundary.NONE)


@settings(max_examples=100, deadline=None)
@given(
    space=exact,
    rewards=reward_sets,
    offset=st.booleans(),
    episodic=st.booleans(),
    wider=st.integers(0, 2),
    data=st.data(),
)
def test_every_bit_pattern_decodes_to_a_percept(space, rewards, offset, episodic, wider, data):
    codes = bounds(space)
    codec = PerceptCodec(
        space,
        rewards,
        episodic=episodic,
        observation_bits=[(size - 1).bit_length() + wider for size in make_code(space, codes).sizes],
        reward_offset=300 if offset else None,
        codes=codes,
    )
    pattern = st.lists(st.integers(0, 2**64 - 1), min_size=codec.words, max_size=codec.words)
    words = np.array(data.draw(pattern), np.uint64)
    observation, reward, boundary = codec.decode(words)
    assert space.contains(observation)
    assert reward in rewards.values
    last = bits(codec, words)[: codec.percept_bits][-2:]
    assert boundary == (min(last[0] + 2 * last[1], 2) if episodic else 0)


@settings(max_examples=100, deadline=None)
@given(space=numbered, rewards=reward_sets)
def test_widths_are_minimal(space, rewards):
    codec = PerceptCodec(space, rewards)
    assert codec.component_bits == tuple(math.ceil(math.log2(size)) for size in codec.code.sizes)
    assert codec.observation_bits == sum(codec.component_bits)
    assert codec.reward_bits == max(1, math.ceil(math.log2(len(rewards.values))))
    assert codec.percept_bits == codec.observation_bits + codec.reward_bits
    assert PerceptCodec(space, rewards, episodic=True).percept_bits == codec.percept_bits + 2


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
    # z[0] = 1; z[1] = 14 - 10 = 4; the two bits; nothing; 2 + 1 = 3; reward of rank 2; how the episode ended
    expected = [1, *(0, 0, 1), *(0, 1), *(1, 1), *(0, 1)]
    for boundary, code in ((Boundary.NONE, [0, 0]), (Boundary.TERMINATED, [1, 0]), (Boundary.TRUNCATED, [0, 1])):
        assert bits(codec, codec.encode(observation, 10, boundary))[:12] == expected + code


def test_percepts_of_more_than_one_word():
    codec = PerceptCodec(spaces.MultiBinary(70), RewardRange.finite(0, 1, 2), episodic=True)
    assert (codec.percept_bits, codec.words) == (74, 2)
    observation = np.zeros(70, np.int8)
    observation[[0, 63, 64, 69]] = 1
    words = codec.encode(observation, 1.0, Boundary.TERMINATED)
    assert words.tolist() == [1 | 1 << 63, 1 | 1 << 5 | 1 << 6 | 1 << 8]
    assert same(codec.decode(words), (observation, 1.0, Boundary.TERMINATED))


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


def test_a_percept_has_at_least_one_bit():
    codec = PerceptCodec(spaces.Discrete(1), RewardRange.finite(3))
    assert (codec.observation_bits, codec.reward_bits, codec.percept_bits) == (0, 1, 1)
    assert codec.decode(np.array([1], np.uint64)) == (0, 3.0, Boundary.NONE)


def test_a_component_beyond_its_space_decodes_to_its_greatest_value():
    codec = PerceptCodec(spaces.MultiDiscrete([3, 5], start=[1, 0]), COIN, observation_bits=(3, 3))
    codes = [(0, 0), (2, 4), (3, 5), (7, 7)]
    decoded = [codec.decode(np.array([a | b << 3], np.uint64))[0].tolist() for a, b in codes]
    assert decoded == [[1, 0], [3, 4], [3, 4], [3, 4]]


def test_encode_returns_a_fresh_array():
    codec = PerceptCodec(spaces.Discrete(4), COIN)
    codec.encode(2, 0.0)[:] = 0
    assert codec.encode(2, 0.0).tolist() == [2]


def test_only_episodic_percepts_say_how_an_episode_ended():
    for episodic in (False, True):
        codec = PerceptCodec(spaces.Discrete(4), COIN, episodic=episodic)
        assert codec.encode(3, 1, Boundary.TERMINATED).tolist() == [0b01111 if episodic else 0b111]
        assert codec.encode(3, 1, Boundary.TRUNCATED).tolist() == [0b10111 if episodic else 0b111]
        ended = Boundary.TRUNCATED if episodic else Boundary.NONE
        assert codec.decode(np.array([2**64 - 1], np.uint64)) == (3, 1.0, ended)


def test_a_code_of_ones_own_holds_for_a_lone_number(monkeypatch):
    monkeypatch.setattr(CODES, "_entries", dict(CODES._entries))
    CODES.register(CodeSpec("parity", f"{__name__}:Parity", "odd or even"))
    codec = PerceptCodec(spaces.Discrete(10, start=5), COIN, codes={"": "parity"})
    assert codec.observation_bits == 1
    assert [codec.encode(number, 0).tolist() for number in (5, 6, 7, 14)] == [[0], [1], [0], [1]]
    assert PerceptCodec(spaces.Discrete(10), COIN, codes={"": "ignore"}).encode(7, 1).tolist() == [1]
    monkeypatch.setattr(Parity, "modulus", 3)
    with pytest.raises(InvalidValueError, match=r"a code must give numbers in \[0, 2\), got 2 of 10 values"):
        codec.encode(7, 0)


class Parity(DiscreteCode):
    """Written by a third party, and wrong where `modulus` is not 2."""

    modulus = 2

    def __init__(self, space):
        super().__init__(space)
        self.sizes = (2,)

    def encode(self, member):
        return iter([(member - self._start) % self.modulus])


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
        (spaces.Text(2), "abc"),
        (spaces.Text(2, charset="ab"), "c"),
        (spaces.Sequence(spaces.Discrete(2)), (0, 2)),
        (spaces.Sequence(spaces.Discrete(2)), [0]),
        (spaces.Box(0, 1, (2,)), np.array([0.5, np.nan], np.float32)),
        (spaces.Box(0, 1, (2,)), np.array([0.5, 1.5], np.float32)),
        (spaces.Box(0, 255, (4, 4), np.uint8), np.full((4, 4), -1, np.int8)),
    ],
)
def test_observations_outside_their_space_are_faults(space, observation):
    codec = PerceptCodec(space, COIN, name="aixi/Odd-v0")
    with pytest.raises(EnvironmentFaultError, match=r"^aixi/Odd-v0 gave observation .* not in its space .*; correct"):
        codec.encode(observation, 0.0)


BOX = spaces.Box(0, 1, (2,))
WRONG = np.array([0.5, 0.5])  # float64


@pytest.mark.parametrize(
    ("space", "observation", "message"),
    [
        (BOX, WRONG, "(dtype float64 instead of float32)"),
        (BOX, np.zeros((2, 1), np.float32), "(shape (2, 1) instead of (2,))"),
        (spaces.MultiDiscrete([2, 2]), WRONG, "(dtype float64 instead of int64)"),
        (spaces.Discrete(2), np.array([1]), "(shape (1,) instead of ())"),
        (
            spaces.Dict(a=spaces.Tuple([spaces.Discrete(2), BOX])),
            {"a": (1, WRONG)},
            "(at 'a.1' dtype float64 instead of float32)",
        ),
        (spaces.Tuple([spaces.Discrete(2)]), (2,), "(at '0' 2 is not in Discrete(2))"),
        (spaces.Sequence(spaces.MultiBinary(2)), (np.zeros(3, np.int8),), "(at '0' shape (3,) instead of (2,))"),
        (spaces.Dict(a=spaces.Dict(b=BOX)), {"a": {"c": 0}}, "(at 'a' {'c': 0} is not in Dict("),
    ],
)
def test_faults_say_what_is_wrong_with_an_observation(space, observation, message):
    codes = {"a.1": "uniform"} if "a.1" in message else {}
    with pytest.raises(EnvironmentFaultError, match=re.escape(message)):
        PerceptCodec(space, COIN, codes=codes).encode(observation, 0.0)


def test_what_is_longer_than_its_code_is_no_fault_of_the_environment():
    codec = PerceptCodec(spaces.Sequence(spaces.Discrete(3)), COIN, codes={"": f"bound length={BOUND}"})
    with pytest.raises(InvalidValueError, match=f"at most {BOUND} items to be coded, got 5; .*'bound length=5'"):
        codec.encode((0,) * 5, 0.0)


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
        ({"reward_bits": 17}, "reward_bits must be at most 16, got 17"),
        ({"reward_offset": -1}, r"at least 0, got 0 \+ -1; use a greater offset"),
        ({"reward_offset": 1 << 16}, r"reward_bits must be at most 16, got 17; use rank codes \(no reward_offset\)$"),
        (
            {"rewards": RewardRange.finite(*range(10**6))},
            r"got 20; declare a range .* instead of a list$",
        ),
        ({"rewards": RewardRange.finite(0.5)}, None),
        (
            {"rewards": RewardRange.finite(0.5), "reward_offset": 1},
            r"whole number of at least 0, got 0\.5 \+ 1",
        ),
        ({"rewards": RewardRange(0.0, 1.0)}, None),
        (
            {"rewards": RewardRange(0.0, 1.0), "reward_offset": 1},
            r"finite reward set, got the interval \[0, 1\]; leave",
        ),
    ],
)
def test_bad_configurations_are_refused(arguments, message):
    settings_ = {"rewards": COIN, **arguments}
    if message is None:
        assert PerceptCodec(spaces.Discrete(3), **settings_).reward_bits in (1, 4)
        return
    with pytest.raises(InvalidValueError, match=message):
        PerceptCodec(spaces.Discrete(3), **settings_)


def test_decode_wants_the_right_number_of_words():
    with pytest.raises(InvalidValueError, match=r"words must have shape \(1,\), got \(2,\)"):
        PerceptCodec(spaces.Discrete(3), COIN).decode(np.zeros(2, np.uint64))


def test_percepts_of_learning_codes_resume_bit_for_bit(tmp_path):
    space = spaces.Dict(
        x=spaces.Box(-np.inf, np.inf, (2,)), y=spaces.Discrete(3), z=spaces.Box(0, 255, (8, 8, 3), np.uint8)
    )
    rng = np.random.default_rng(0)
    life = [(member(space, rng), float(np.round(rng.normal(), 1))) for _ in range(200)]
    codecs = [
        PerceptCodec(space, UNDECLARED, reward_bits=3, codes={"x": "quantiles bins=8 warmup=150"}) for _ in range(2)
    ]
    for observation, reward in life[:100]:
        codecs[0].encode(observation, reward)
    save_state(tmp_path / "state", codecs[0].state_dict())
    codecs[1].load_state_dict(load_state(tmp_path / "state"))
    different = set()
    for observation, reward in life[100:]:
        one, two = (codec.encode(observation, reward).tolist() for codec in codecs)
        assert one == two
        decoded = [codec.decode(np.array(one, np.uint64)) for codec in codecs]
        assert same(*decoded)
        different.add(tuple(one))
    assert len(different) > 50
    assert codecs[0].words_of_coding() == codecs[1].words_of_coding()


def test_words_say_how_percepts_are_coded():
    space = spaces.Dict(door=spaces.Discrete(3), speed=spaces.Box(-1, 1, (2,)))
    assert PerceptCodec(space, COIN).words_of_coding() == {
        "observation": "door: 3 values; speed: 2 numbers in 4 equal bins; 6 bits",
        "reward": "2 values in 1 bits",
    }
    assert PerceptCodec(space, RewardRange(0, 1)).words_of_coding()["reward"] == "[0, 1] in 16 steps"
    assert "undeclared" in PerceptCodec(space, UNDECLARED).words_of_coding()["reward"]


def test_rewards_rounded_to_less_than_a_float_are_told():
    codec = PerceptCodec(spaces.Discrete(2), RewardRange.finite(0.0, 0.1), name="aixi/Odd-v0")
    for kind in (np.float32, np.float16):
        with pytest.raises(EnvironmentFaultError, match=r"declared reward 0\.1 rounded to float.*as a Python float"):
            codec.encode(0, kind(0.1))
        with pytest.raises(EnvironmentFaultError, match="not one of the 2 rewards"):
            codec.encode(0, kind(0.2))
    assert codec.encode(0, np.float64(0.1)) == codec.encode(0, 0.1)


class Short(SpaceCode):
    """Written by a third party, and wrong: it declares two numbers and gives one."""

    sizes, words = (2, 2), "short of one"

    def __init__(self, space) -> None:
        pass

    def encode(self, member):
        yield 0

    def decode(self, numbers):
        return next(numbers) + next(numbers)


def test_codes_that_give_too_few_numbers_are_told(monkeypatch):
    monkeypatch.setattr(CODES, "_entries", dict(CODES._entries))
    CODES.register(CodeSpec("short", f"{__name__}:Short", "too few numbers"))
    message = "code short of one must give 2 numbers, got 1"
    codec = PerceptCodec(spaces.Discrete(3), COIN, codes={"": "short"})
    with pytest.raises(InvalidValueError, match=message):
        codec.encode(0, 1.0)
    with pytest.raises(InvalidValueError, match=message):
        History(spaces.Discrete(3), 1, {"": "short"}).begin(0)
