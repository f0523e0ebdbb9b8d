"""One contract for every registered predictor: each goes through each check."""

import itertools
from collections import Counter

import numpy as np
import pytest
from test_context_trees import same

from aixi.errors import InvalidValueError, UnknownNameError
from aixi.predictors.base import Predictor
from aixi.predictors.registry import PREDICTORS, make_predictor
from aixi.state import load_state, save_state

# Arguments of each predictor, and others that differ in what a state depends on.
CONFIGURATIONS = {
    "context-tree-weighting": ({"depth": 14}, {"depth": 9}),
    "factored-context-tree-weighting": (
        {"depth": 11, "percept_bits": 3},
        {"depth": 11, "percept_bits": 2},
    ),
    "frozen-transformer": ({"window": 32, "seed": 5}, {"window": 31, "seed": 5}),
    "mixture": ({}, {"order": 5}),
}
BITS = np.random.default_rng(0).integers(0, 2, 200).tolist()
RAN: Counter[str] = Counter()


def make(name: str, configuration: int = 0) -> Predictor:
    return make_predictor(name, **CONFIGURATIONS[name][configuration])


def trained(name: str, bits: int = 50) -> Predictor:
    predictor = make(name)
    for index, bit in enumerate(BITS[:bits]):
        if index % 7 == 0:
            predictor.condition(index % 2)
        predictor.update(bit)
    return predictor


def check_probabilities_sum_to_one(name):
    predictor = trained(name, 0)
    for bit in BITS:
        said = predictor.log2_probs()
        assert said.shape == (predictor.alphabet_size,)
        assert said.dtype == np.float64
        assert np.exp2(said).sum() == pytest.approx(1.0, abs=1e-12)
        predictor.update(bit)


def check_chain_rule(name):
    predictor = trained(name)
    start = predictor.mark()
    longest = 8 if predictor.alphabet_size == 2 else 1
    for length in range(1, longest + 1):
        total = 0.0
        for string in itertools.product(range(predictor.alphabet_size), repeat=length):
            total += 2.0 ** -sum(predictor.imagine(symbol) for symbol in string)
            predictor.rewind(start)
        assert total == pytest.approx(1.0, abs=1e-12)


def check_code_length_is_what_was_said(name):
    predictor = trained(name)
    for bit in BITS[50:]:
        said = predictor.log2_probs()
        assert (said < 0.0).all()
        start = predictor.mark()
        for symbol in range(predictor.alphabet_size):
            assert predictor.imagine(symbol) == pytest.approx(-said[symbol], abs=1e-12)
            predictor.rewind(start)
        assert predictor.update(bit) == pytest.approx(-said[bit], abs=1e-12)


def check_log2_probs_changes_nothing(name):
    predictor = trained(name)
    before = predictor.state_dict()
    first, second = predictor.log2_probs(), predictor.log2_probs()
    assert np.array_equal(first, second)
    assert same(predictor.state_dict(), before)
    first[:] = 7.0  # the caller's own copy
    assert np.array_equal(predictor.log2_probs(), second)


def check_update_many_sums_updates(name):
    one, many = trained(name), trained(name)
    total = many.update_many(np.array(BITS[50:], np.uint8))
    assert sum(one.update(bit) for bit in BITS[50:]) == pytest.approx(total, abs=1e-9)
    assert same(one.state_dict(), many.state_dict())
    assert many.update_many([]) == 0.0


def check_nested_rewinds(name):
    predictor = trained(name)
    before, marks = predictor.state_dict(), []
    for index, bit in enumerate(BITS[:60]):
        if index % 6 == 0:
            marks.append((predictor.mark(), predictor.log2_probs()))
        predictor.condition(1 - bit) if index % 5 == 4 else predictor.imagine(bit)
    for mark, said in reversed(marks[2:]):
        predictor.rewind(mark)
        assert np.array_equal(predictor.log2_probs(), said)
    predictor.rewind(marks[0][0])  # past the mark between
    assert same(predictor.state_dict(), before)


def check_rewinding_to_the_present_changes_nothing(name):
    predictor = trained(name)
    before = predictor.state_dict()
    predictor.rewind(predictor.mark())
    assert same(predictor.state_dict(), before)


def check_imagination_does_not_teach(name):
    imagining, plain = trained(name), trained(name)
    for bit in BITS[50:100]:
        start = imagining.mark()
        for imagined in (1, 1, 0):
            imagining.condition(imagined)
            imagining.imagine(imagined)
        imagining.rewind(start)
        assert imagining.update(bit) == plain.update(bit)
    assert same(imagining.state_dict(), plain.state_dict())


def check_update_in_imagination_is_refused(name):
    predictor, plain = trained(name), trained(name)
    start = predictor.mark()
    predictor.imagine(1)
    with pytest.raises(InvalidValueError, match="rewind"):
        predictor.update(0)
    predictor.rewind(start)
    assert predictor.update(0) == plain.update(0)


def check_rewind_before_an_update_is_refused(name):
    predictor = trained(name)
    start = predictor.mark()
    predictor.update(1)
    before = predictor.state_dict()
    with pytest.raises(InvalidValueError, match="mark must be"):
        predictor.rewind(start)
    assert same(predictor.state_dict(), before)


def check_conditioning_is_context(name):
    """It is free of charge, it matters, and its order matters."""
    said = []
    for side in ((), (1,), (0, 1), (1, 0)):
        predictor = trained(name)
        for symbol in side:
            assert predictor.condition(symbol) is None
        said.append(predictor.log2_probs()[0])
    assert len(set(said)) == 4


def check_symbols_outside_the_alphabet_are_refused(name):
    predictor = trained(name)
    before = predictor.state_dict()
    for operation in (predictor.update, predictor.imagine, predictor.condition):
        for symbol in (predictor.alphabet_size, -1, 0.5):
            with pytest.raises(InvalidValueError, match=f"got {symbol}"):
                operation(symbol)
    assert same(predictor.state_dict(), before)


def check_saved_state_goes_on_exactly(name):
    predictor, restored = trained(name), make(name)
    restored.update_many(BITS[:9])
    saved = predictor.state_dict()
    restored.load_state_dict(saved)
    assert same(restored.state_dict(), saved)
    for bit in BITS[50:]:
        predictor.condition(bit)
        restored.condition(bit)
        assert restored.update(bit) == predictor.update(bit)
    assert same(restored.state_dict(), predictor.state_dict())


def check_state_is_a_copy(name):
    predictor, plain = trained(name), trained(name)
    saved = predictor.state_dict()
    restored = make(name)
    restored.load_state_dict(saved)
    for value in _arrays(saved):
        value[...] = 0
    assert predictor.update(1) == plain.update(1) == restored.update(1)


def _arrays(state):
    for value in state.values():
        if isinstance(value, dict):
            yield from _arrays(value)
        elif isinstance(value, np.ndarray):
            yield value


def check_state_survives_a_file(name, tmp_path):
    predictor, restored = trained(name), make(name)
    save_state(tmp_path / "state", predictor.state_dict())
    restored.load_state_dict(load_state(tmp_path / "state"))
    assert same(restored.state_dict(), predictor.state_dict())
    assert restored.update_many(BITS) == predictor.update_many(BITS)


def check_state_of_another_configuration_is_refused(name):
    predictor, other = trained(name), make(name, 1)
    before = other.state_dict()
    with pytest.raises(InvalidValueError, match=r"as configured|same arguments"):
        other.load_state_dict(predictor.state_dict())
    assert same(other.state_dict(), before)


def check_equal_arguments_give_equal_bits(name):
    assert same(trained(name).state_dict(), trained(name).state_dict())


CHECKS = {name: check for name, check in globals().items() if name.startswith("check_")}


@pytest.fixture(scope="module", autouse=True)
def _report(request):
    yield
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        print(f"\npredictor contract: {RAN.total()} checks passed, on {len(RAN)} predictors: {', '.join(RAN)}")


def test_every_registered_predictor_has_a_configuration():
    assert set(CONFIGURATIONS) == {spec.name for spec in PREDICTORS}


def test_unknown_names_come_with_a_suggestion():
    with pytest.raises(UnknownNameError, match="did you mean context-tree-weighting"):
        make_predictor("context-tree-wieghting", depth=3)


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", [spec.name for spec in PREDICTORS])
def test_contract(name, check, tmp_path):
    if check == "check_state_survives_a_file":
        check_state_survives_a_file(name, tmp_path)
    else:
        CHECKS[check](name)
    RAN[name] += 1
