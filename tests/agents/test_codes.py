"""Codes of spaces: round trips over generated spaces, total decoding, bins against exact arithmetic, refusals."""

import math
from collections import OrderedDict
from collections.abc import Iterator

import numpy as np
import pytest
from generated_spaces import bounds, decoded, exact, member, numbered, numbers_of, same
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st

from aixi.agents.codes import CODES, CodeSpec, SpaceCode, make_code
from aixi.errors import InvalidValueError, UnknownNameError, UnsupportedSpaceError
from aixi.state import load_state, save_state

seeds = st.integers(0, 2**32 - 1)


@settings(max_examples=150, deadline=None)
@given(space=exact, seed=seeds)
def test_decoding_undoes_encoding(space, seed):
    code = make_code(space, bounds(space))
    rng = np.random.default_rng(seed)
    for _ in range(3):
        one = member(space, rng)
        found = decoded(code, numbers_of(code, one))
        assert space.contains(found)
        assert same(found, one)


@settings(max_examples=150, deadline=None)
@given(space=exact, seed=seeds)
def test_every_row_of_numbers_decodes_to_a_member(space, seed):
    code = make_code(space, bounds(space))
    rng = np.random.default_rng(seed)
    for numbers in ([0] * len(code.sizes), [size - 1 for size in code.sizes], rng.integers(code.sizes).tolist()):
        found = decoded(code, numbers)
        assert space.contains(found)
        assert same(decoded(code, numbers_of(code, found)), found)


def cardinality(space) -> int:
    match space:
        case spaces.Discrete():
            return int(space.n)
        case spaces.MultiDiscrete():
            return math.prod(space.nvec.ravel().tolist())
        case spaces.MultiBinary():
            return 1 << int(np.prod(space.shape))
    return math.prod(map(cardinality, space.spaces.values() if isinstance(space, spaces.Dict) else space.spaces))


@settings(max_examples=100, deadline=None)
@given(space=numbered)
def test_there_is_one_row_of_numbers_for_each_member(space):
    assert math.prod(make_code(space).sizes) == cardinality(space)


LEARNING = {
    "quantiles": (
        spaces.Dict({"a/b": spaces.Box(-np.inf, np.inf, (2,)), "a": spaces.Dict(b=spaces.Box(-9, 9, (), np.int64))}),
        {"*": "quantiles bins=5 warmup=37"},
    ),
    "image": (spaces.Tuple([spaces.Box(0, 255, (6, 5, 3), np.uint8), spaces.Discrete(2)]), {"0": "image bits=7"}),
    "items": (
        spaces.Sequence(spaces.Box(-np.inf, np.inf, (1,)), stack=True),
        {"": "bound length=3", "items": "quantiles bins=3 warmup=20"},
    ),
}


@pytest.mark.parametrize("saved", [0, 1, 20, 60])
@pytest.mark.parametrize("name", LEARNING)
def test_learning_codes_resume_bit_for_bit(name, saved, tmp_path):
    space, codes = LEARNING[name]
    rng = np.random.default_rng(saved)
    life = [member(space, rng) for _ in range(90)]
    one, two = make_code(space, codes), make_code(space, codes)
    for seen in life[:saved]:
        one.learn(seen)
    save_state(tmp_path / "state", one.state_dict())
    two.load_state_dict(load_state(tmp_path / "state"))
    for seen in life[saved:]:
        one.learn(seen)
        two.learn(seen)
        numbers = numbers_of(one, seen)
        assert numbers_of(two, seen) == numbers
        assert same(decoded(two, numbers), decoded(one, numbers))
    assert len({tuple(numbers_of(one, seen)) for seen in life}) > 8  # it tells members apart


def test_ignored_parts_take_no_numbers_and_no_randomness():
    space = spaces.Dict(a=spaces.Discrete(3), b=spaces.Graph(spaces.Discrete(2), None))
    code = make_code(space, {"b": "ignore"})
    assert code.sizes == (3,)
    space.seed(4)
    generator = space["b"].np_random
    before = generator.bit_generator.state
    one, two = decoded(code, [2]), decoded(code, [2])
    assert space["b"].np_random is generator
    assert generator.bit_generator.state == before
    assert space.contains(one)
    assert one["a"] == 2
    assert np.array_equal(one["b"].nodes, two["b"].nodes)


class Prototypes(SpaceCode):
    """A learnt code as a third party would write it: the nearest of the first few members seen."""

    def __init__(self, space, count: int = 4) -> None:
        self._space, self._known = space, []
        self.sizes, self.words = (count,), f"the nearest of {count} prototypes"

    def learn(self, member):
        if len(self._known) < self.sizes[0] and not any(np.array_equal(member, known) for known in self._known):
            self._known.append(np.array(member))

    def encode(self, member) -> Iterator[int]:
        yield min(range(len(self._known)), key=lambda place: float(np.abs(self._known[place] - member).sum()))

    def decode(self, numbers):
        known = self._known or [np.zeros(self._space.shape, self._space.dtype)]
        return known[min(next(numbers), len(known) - 1)].copy()

    def state_dict(self):
        return {"known": np.array(self._known)}

    def load_state_dict(self, state):
        self._known = list(state["known"])


@pytest.fixture
def prototypes(monkeypatch):
    monkeypatch.setattr(CODES, "_entries", dict(CODES._entries))
    CODES.register(CodeSpec("prototypes", f"{__name__}:Prototypes", "the nearest of the members first seen"))


@pytest.mark.usefixtures("prototypes")
def test_codes_of_third_parties_are_used_by_path(tmp_path):
    space = spaces.Dict(
        plan=spaces.Tuple([spaces.Discrete(3), spaces.Dict(mood=spaces.Box(-np.inf, np.inf, (2,)))]),
        sky=spaces.Box(0, 1, (1,)),
    )
    code = make_code(space, {"plan.1.mood": "prototypes count=3", "sky": "uniform bins=2"})
    assert code.sizes == (3, 3, 2)
    first, part = code.part("plan.1.mood")
    assert (first, type(part)) == (1, Prototypes)
    rng = np.random.default_rng(0)
    for _ in range(20):
        one = member(space, rng)
        code.learn(one)
        numbers = numbers_of(code, one)
        assert space.contains(decoded(code, numbers))
        assert numbers_of(code, decoded(code, numbers)) == numbers
    again = make_code(space, {"plan.1.mood": "prototypes count=3", "sky": "uniform bins=2"})
    save_state(tmp_path / "state", code.state_dict())
    again.load_state_dict(load_state(tmp_path / "state"))
    for _ in range(20):
        one = member(space, rng)
        assert numbers_of(again, one) == numbers_of(code, one)
    # It serves any Box that is not named, and a number too.
    assert make_code(space, {"*": "prototypes"}).sizes == (3, 4, 4)
    assert type(make_code(spaces.Discrete(9), {"": "prototypes"})) is Prototypes


def test_parts_are_found_by_path():
    inner = spaces.Dict(c=spaces.Tuple([spaces.Discrete(5), spaces.Discrete(7)]))
    space = spaces.Dict(OrderedDict({"x.b": spaces.MultiBinary(2), "a": inner}))
    code = make_code(space)
    found = {path: code.part(path) for path in ("x.b", "a", "a.c", "a.c.1")}
    assert list(space.spaces) == ["x.b", "a"]
    assert {path: (first, part.sizes) for path, (first, part) in found.items()} == {
        "x.b": (0, (2, 2)),
        "a": (2, (5, 7)),
        "a.c": (2, (5, 7)),
        "a.c.1": (3, (7,)),
    }
    assert code.part("") == (0, code)
    for path in ("b", "x", "a.c.2", "a.c.1.0"):
        with pytest.raises(InvalidValueError, match="there is no part"):
            code.part(path)


BOX = spaces.Box(0, 1, (2,))
UNBOUNDED = spaces.Box(-np.inf, 1, (2,))


@pytest.mark.parametrize(
    ("space", "codes", "message"),
    [
        (
            UNBOUNDED,
            {},
            r"equal bins need finite bounds, got Box.*; use the code 'quantiles' \(codes=quantiles of an agent\)",
        ),
        (
            spaces.Dict(a=spaces.Tuple([spaces.Discrete(2), UNBOUNDED])),
            {},
            r"need finite bounds.*'quantiles'.*the part is 'a\.1'",
        ),
        (
            spaces.Graph(spaces.Discrete(2), None),
            {},
            r"has no code of its own; name one .* \(codes that take it: ignore\), register yours .* or wrap",
        ),
        (spaces.Dict(g=spaces.Graph(BOX, BOX)), {}, "at 'g' has no code of its own; name one for the path 'g'"),
        (spaces.OneOf([BOX, BOX]), {}, "has no code of its own"),
        (spaces.Discrete(3), {"": "uniform"}, "code 'uniform' is for a Box, got Discrete"),
        (BOX, {"": "image"}, "two or three axes"),
        (spaces.Box(np.zeros((2, 2)), np.array([[1, 2], [1, 1]]), dtype=np.uint8), {}, "the same finite bounds"),
        (spaces.Box(0, 1, (5000,)), {}, "has 5000 components, more than 4096; give its large parts codes"),
    ],
)
def test_spaces_without_a_code_are_refused(space, codes, message):
    with pytest.raises(UnsupportedSpaceError, match=message):
        make_code(space, codes)


@pytest.mark.parametrize(
    ("space", "codes", "message"),
    [
        (BOX, {"b": "uniform"}, "codes must be of parts of Box.*, got 'b'"),
        (spaces.Dict(a=spaces.Dict(b=BOX)), {"a": "ignore", "a.b": "uniform"}, r"got 'a\.b'"),
        (BOX, {"": "uniform bins"}, "a code must be written name key=number .*, got 'uniform bins'"),
        (BOX, {"": "uniform bins=-1"}, "a code must be written"),
        (BOX, {"": "uniform bins=2 bins=3"}, "a code must be written"),
        (BOX, {"": " "}, "a code must be written"),
        (BOX, {"": "uniform levels=3"}, "code 'uniform' takes bins=number ends=number, got levels=3"),
        (BOX, {"": "uniform bins=0"}, "bins must be at least 1, got 0"),
        (BOX, {"": "uniform ends=2"}, "ends must be 0 or 1, got 2"),
        (BOX, {"": "quantiles bins=0"}, "bins must be at least 1, got 0"),
        (BOX, {"*": "bound length=2"}, "bound must be .* of a Sequence or a Text, got 'bound length=2' of Box"),
        (spaces.Discrete(2), {"": "bound length=2"}, "bound must be"),
        (spaces.Text(4), {"": "bound"}, "bound must be 'bound length=number'"),
        (spaces.Text(8, min_length=5), {"": "bound length=4"}, "length must be at least 5, got 4"),
        (spaces.Box(0, 255, (4, 4), np.uint8), {"": "image bits=33"}, "bits must be at most 32, got 33"),
        (spaces.Box(0, 255, (4, 4), np.uint8), {"": "image levels=1"}, "levels must be at least 2, got 1"),
    ],
)
def test_codes_that_do_not_fit_are_refused(space, codes, message):
    with pytest.raises(InvalidValueError, match=message):
        make_code(space, codes)


def test_unknown_codes_are_refused():
    with pytest.raises(UnknownNameError, match="unknown code 'quantile'; did you mean quantiles"):
        make_code(BOX, {"": "quantile"})


def test_bounds_of_sequences_and_texts():
    letters = "abc"
    code = make_code(spaces.Text(100, min_length=70, charset=letters))
    assert code.sizes == (1, *(3,) * 70)  # never shorter than a text can be
    with pytest.raises(InvalidValueError, match=r"at most 70 characters to be coded, got 71; .* 'bound length=71'"):
        list(code.encode("a" * 71))
    code = make_code(spaces.Sequence(spaces.Discrete(3)), {"": "bound length=2"})
    assert code.sizes == (3, 3, 3)
    assert numbers_of(code, (2,)) == [1, 2, 0]
    with pytest.raises(InvalidValueError, match=r"at most 2 items to be coded, got 3; .* 'bound length=3'"):
        list(code.encode((0, 1, 2)))
    assert decoded(make_code(spaces.Sequence(spaces.Discrete(3)), {"": "bound length=0"}), [0]) == ()
