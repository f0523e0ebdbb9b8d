"""The mixture of byte contexts: against its definition written with dictionaries, and as a code that can be decoded."""

import inspect
import itertools
import lzma
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_context_trees import same

from aixi.errors import InvalidValueError
from aixi.predictors import context_tree, estimators, logistic_mixing
from aixi.predictors.logistic_mixing import COST, FINAL, MIXER_RATE, ONE, SQUASH, STRETCH, mix, train
from aixi.predictors.mixture import MixturePredictor, code_length, code_length_units

TEXT = inspect.getsource(estimators).encode()[:700]
CERTAIN = 2**32 - 1


class Reference:
    """The same predictor with a dictionary for everything learnt, without undoing."""

    def __init__(self, order: int = 6) -> None:
        self.order = order
        self.text = bytes(6)
        self.match = self.matched = 0
        self.places: dict = {}
        self.contexts: dict = {}  # (order, context, partial) -> (frequency, seen, history)
        self.weights: dict = {}
        self.final = [ONE // 3] * 3
        self.histories: dict = {}  # (order, history) -> (probability, count)
        self.matches: dict = {}

    def code_length_units(self, text: bytes) -> int:
        return sum(self.update(byte) for byte in text)

    def update(self, byte: int) -> int:
        bits = f"{byte:08b}"
        cost = sum(self.bit(bits[:level], int(bits[level])) for level in range(8))
        self.condition(byte)
        return cost

    def history(self, order: int, bits: str) -> tuple[int, int]:
        said = 1 << 31
        for seen, bit in enumerate(bits):
            said += 2 * (int(bit) * CERTAIN - said) // min(2 * seen + 3, 5)
        return self.histories.get((order, bits), (said, 0))

    def bit(self, partial: str, bit: int) -> int:
        inputs, keys, seen_orders = [], [], 0
        for order in range(self.order + 1):
            key = (order, self.text[len(self.text) - order :], partial)
            frequency, seen, history = self.contexts.get(key, (1 << 31, 0, ""))
            keys.append(key)
            seen_orders += seen > 0
            probability = self.history(order, history)[0]
            inputs += [int(STRETCH[p >> 16]) if seen else 0 for p in (frequency, probability)]
        inputs += [0] * 2 * (6 - self.order)
        following = f"{self.text[self.match]:08b}" if self.match else ""
        expects = bool(following) and following.startswith(partial)
        matched = self.matched if expects else 0
        expected = expects and int(following[len(partial)])
        first = CERTAIN - 2 * CERTAIN // (2 * matched + 3)
        sure, matches = self.matches.get(matched, (first, 0))
        inputs += [int(STRETCH[sure >> 16]) * (1 if expected else -1) if expects else 0, 1 << 10]
        sets = [
            self.weights.setdefault(name, [1 << 13] * 16)
            for name in (
                ("confidence", seen_orders, (matched >= 1) + (matched >= 12) + (matched >= 24)),
                ("partial", partial),
                ("last", self.text[-1]),
            )
        ]

        def evidence(weights, values):
            total = sum(w * x for w, x in zip(weights, values, strict=True))
            return max(-(16 << 10), min(16 << 10, (total + (1 << 15)) >> 16))

        outputs = [evidence(weights, inputs) for weights in sets]
        said = int(SQUASH[evidence(self.final, outputs) + (16 << 10)])
        self.final = [
            w + (((bit << 16) - said) * x + (1 << 19) >> 20) for w, x in zip(self.final, outputs, strict=True)
        ]
        for weights, output in zip(sets, outputs, strict=True):
            error = (bit << 16) - int(SQUASH[output + (16 << 10)])
            weights[:] = [w + (error * x + (1 << 15) >> 16) for w, x in zip(weights, inputs, strict=True)]
        for order, key in enumerate(keys):
            frequency, seen, history = self.contexts.get(key, (1 << 31, 0, ""))
            if seen:
                p, count = self.history(order, history)
                p += (bit * CERTAIN - p) // (count + 64)
                self.histories[order, history] = (p, min(count + 1, 640))
            frequency += 2 * (bit * CERTAIN - frequency) // (2 * seen + 3)
            self.contexts[key] = (frequency, min(seen + 1, 30), (history + str(bit))[-6:])
        if expects:
            sure += ((bit == expected) * CERTAIN - sure) // (matches + 64)
            self.matches[matched] = (sure, min(matches + 1, 640))
        return int(COST[said if bit else ONE - said])

    def condition(self, byte: int) -> None:
        goes_on = self.match and self.text[self.match] == byte
        self.text += bytes([byte])
        self.match, self.matched = (self.match + 1, min(self.matched + 1, 31)) if goes_on else (0, 0)
        if not self.match and self.text[-6:] in self.places:
            self.match = self.places[self.text[-6:]]
            pairs = zip(self.text[: self.match][::-1], self.text[::-1], strict=False)
            self.matched = min(31, sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs)))
        self.places[self.text[-6:]] = len(self.text)


def test_predictor_is_the_one_defined():
    text = TEXT + TEXT[100:180] + bytes(range(40)) + TEXT[300:400]
    assert MixturePredictor().code_length_units(text) == Reference().code_length_units(text)


@pytest.mark.parametrize("order", range(7))
@settings(max_examples=8, deadline=None)
@given(pieces=st.lists(st.tuples(st.booleans(), st.binary(max_size=12)), max_size=6))
def test_predictor_is_the_one_defined_for_every_order(order, pieces):
    predictor, reference = MixturePredictor(order), Reference(order)
    for real, piece in pieces * 2:
        if real:
            assert predictor.code_length_units(piece) == reference.code_length_units(piece)
        else:
            for byte in piece:
                predictor.condition(byte)
                reference.condition(byte)


def test_costs_are_logarithms_rounded_up():
    exact = np.array([-math.log2(p / ONE) * ONE for p in range(1, ONE + 1)])
    excess = COST[1:] - exact
    assert excess.min() > -1e-6  # the float's own error
    assert excess.max() < 2.0
    assert all(COST[1 << k] == (16 - k) << 16 for k in range(17))


def test_stretch_and_squash_are_inverse():
    p = np.arange(1, ONE)
    assert (np.diff(STRETCH[1:]) >= 0).all()
    assert np.array_equal(STRETCH[p], -STRETCH[ONE - p])
    assert np.abs(STRETCH[p] / 1024 - np.log2(p / (ONE - p))).max() < 1.01 / 1024
    evidence = np.arange(-(16 << 10), (16 << 10) + 1)
    assert np.abs(SQUASH / ONE - 1 / (1 + np.exp2(-evidence / 1024))).max() < 2e-4
    assert SQUASH[16 << 10] == ONE // 2
    assert (SQUASH.min(), SQUASH.max()) == (1, ONE - 1)


def test_mixer_by_hand():
    """Weights 1/2 and -1/4 on 2 and 3 bits of evidence: 1/4 bit; then an error of 3/8 moves them by 3/64 times that."""
    mixture = MixturePredictor()._mixture
    mixture.memory[FINAL : FINAL + 2] = ONE // 2, -ONE // 4
    inputs = np.array([2 << 10, 3 << 10])
    assert mix(mixture.memory, FINAL, inputs) == 256
    train(mixture, FINAL, inputs, 3 * ONE // 8, 10)
    assert mixture.memory[FINAL : FINAL + 2].tolist() == [ONE // 2 + 3 * ONE // 4, -ONE // 4 + 9 * ONE // 8]
    train(mixture, FINAL, np.array([1, -1]), 1 << 15, 16)  # half a unit each: to nearest, ties up
    assert mixture.memory[FINAL : FINAL + 2].tolist() == [ONE // 2 + 3 * ONE // 4 + 1, -ONE // 4 + 9 * ONE // 8]


def test_mixer_against_real_numbers():
    """Natural logarithms and a rate of 2^-6 / ln 2 there are base 2 and `MIXER_RATE` here."""
    mixture = MixturePredictor()._mixture
    mixture.memory[FINAL : FINAL + 2] = round(0.3 * ONE)
    weights, rate = np.array([0.3, 0.3]), 2.0**-6 / math.log(2)
    for probabilities, bit in ([(0.9, 0.6), 1], [(0.2, 0.4), 0], [(0.8, 0.3), 1]):
        p = np.array(probabilities)
        stretched = np.log(p / (1 - p))
        exact = 1 / (1 + math.exp(-float(weights @ stretched)))
        weights += rate * (bit - exact) * stretched
        inputs = STRETCH[np.round(p * ONE).astype(int)]
        said = int(SQUASH[mix(mixture.memory, FINAL, inputs) + (16 << 10)])
        train(mixture, FINAL, inputs, (bit << 16) - said, MIXER_RATE)
        assert said / ONE == pytest.approx(exact, abs=3e-4)
        assert mixture.memory[FINAL : FINAL + 2] / ONE == pytest.approx(weights, abs=3e-5)


def integer_probabilities(predictor: MixturePredictor) -> list[int]:
    """Returns P of each next byte in units of 2^-128, exactly."""
    predictor._reserve(1)
    said = np.empty((256, 8), np.int64)
    logistic_mixing.all_symbols(predictor._mixture, said, np.empty(8, np.int64))
    return [math.prod(map(int, row)) for row in said]


@pytest.mark.parametrize("text", [b"", b"a" * 300, TEXT, np.random.default_rng(1).bytes(200)])
def test_probabilities_sum_to_one_exactly(text):
    predictor = MixturePredictor()
    predictor.update_many(text)
    assert sum(integer_probabilities(predictor)) == 1 << 128


@pytest.mark.parametrize("text", [TEXT[:150] + TEXT[20:120], np.random.default_rng(2).bytes(50), b"\0" * 90])
def test_arithmetic_code_is_decoded(text):
    """In whole numbers of any size: the code is no longer than it was said to be, up to its rounding to bits."""
    encoder, decoder = MixturePredictor(), MixturePredictor()
    low, width = 0, 1
    for byte in text:
        probabilities = integer_probabilities(encoder)
        low = (low << 128) + width * sum(probabilities[:byte])
        width *= probabilities[byte]
        encoder.update(byte)
    unused = width.bit_length() - 2  # digits that no number in the interval needs
    code = (low >> unused) + 1
    assert low <= code << unused < low + width
    bits = 128 * len(text) - unused
    assert bits <= MixturePredictor().code_length_units(text) / ONE + 2

    read, rest = bytearray(), code << unused
    width = 1
    for remaining in range(len(text) - 1, -1, -1):
        probabilities = integer_probabilities(decoder)
        bounds = [width * bound for bound in itertools.accumulate(probabilities, initial=0)]
        digit = rest >> (128 * remaining)
        byte = next(byte for byte in range(256) if digit < bounds[byte + 1])
        rest -= bounds[byte] << (128 * remaining)
        width *= probabilities[byte]
        decoder.update(byte)
        read.append(byte)
    assert bytes(read) == text


def test_length_code_is_elias_delta():
    lengths = [code_length_units(bytes(n)) - MixturePredictor().code_length_units(bytes(n)) for n in range(16)]
    assert [units / ONE for units in lengths] == [1, 4, 4, 5, 5, 5, 5] + [8] * 8 + [9]
    assert code_length(b"") == 1.0


def test_code_lengths_are_whole_units_and_floats_agree():
    units = code_length_units(TEXT)
    assert code_length(TEXT) == units / ONE
    bits = MixturePredictor().update_many(TEXT)
    assert 0 <= MixturePredictor().code_length_units(TEXT) / ONE - bits < 2 * 8 * len(TEXT) / ONE


def test_random_bytes_cost_little_more_than_eight_bits():
    for seed in range(5):
        text = np.random.default_rng(seed).bytes(3000)
        assert 8 * 3000 < code_length(text) < 8.05 * 3000


def test_repeats_are_cheap():
    predictor = MixturePredictor()
    first, second = predictor.update_many(TEXT), predictor.update_many(TEXT)
    assert second < first / 30
    assert code_length(b"a" * 10_000) < 50


@pytest.mark.parametrize("module", [estimators, context_tree, logistic_mixing])
def test_sources_are_shorter_than_under_lzma(module):
    text = inspect.getsource(module).encode()
    filters = [{"id": lzma.FILTER_LZMA1, "preset": 9 | lzma.PRESET_EXTREME, "lc": 3, "lp": 0, "pb": 0}]
    assert code_length(text) < 0.9 * 8 * len(lzma.compress(text, format=lzma.FORMAT_RAW, filters=filters))


def test_runs_may_be_cut_anywhere():
    text = TEXT * 4  # more than is learnt between two looks at the room
    whole, cut = MixturePredictor(), MixturePredictor()
    total = whole.code_length_units(text)
    assert total == sum(cut.code_length_units(text[i : i + 97]) for i in range(0, len(text), 97))
    assert same(whole.state_dict(), cut.state_dict())


def test_room_that_grows_in_imagination_is_no_memory():
    """The look-up table is rebuilt in between, and what is undone after that was made before."""
    imagining, plain = MixturePredictor(), MixturePredictor()
    for predictor in (imagining, plain):
        predictor.update_many(TEXT[:50])
    start = imagining.mark()
    size = imagining._mixture.lookup.size
    for byte in TEXT[200:500]:
        imagining.imagine(byte)
    assert imagining._mixture.lookup.size > size
    imagining.rewind(start)
    assert same(imagining.state_dict(), plain.state_dict())
    assert imagining.code_length_units(TEXT[150:]) == plain.code_length_units(TEXT[150:])
    assert same(imagining.state_dict(), plain.state_dict())


def test_orders_out_of_range_and_states_in_imagination_are_refused():
    for order in (-1, 7, 1.5):
        with pytest.raises(InvalidValueError, match=f"order must be .*{order}"):
            MixturePredictor(order)
    predictor = MixturePredictor()
    predictor.imagine(1)
    with pytest.raises(InvalidValueError, match="rewind first"):
        predictor.state_dict()
