"""Networks as planners' models: scored before they learn, gone on with to the bit, undisturbed by imagination."""

import numpy as np
import pytest
import torch

from aixi.errors import InvalidValueError, TrainingFaultError
from aixi.predictors import model as contract
from aixi.predictors.neural.checkpoint import save_checkpoint
from aixi.predictors.neural.config import ENCODING, NetworkConfig
from aixi.predictors.neural.model import NeuralModel
from aixi.predictors.neural.networks import make_network
from aixi.state import load_state, save_state

LAYOUT = (1, 0, 2)
KINDS = ("transformer", "encoder-decoder", "lstm", "additive-lstm")
SMALL = {"width": 8, "window": 18, "horizon": 2, "train_every": 4, "train_steps": 4, "warm_up": 3, "batch": 2}


def make(kind: str = "lstm", **options) -> NeuralModel:
    return NeuralModel(2, LAYOUT, kind=kind, **{**SMALL, **options})


def drive(model: NeuralModel, first: int, last: int) -> list[float]:
    bits = []
    for cycle in range(first, last):
        if cycle:
            model.condition(cycle % 2)
        bits.append(model.update(np.array([cycle * 3 % 8], np.uint64)))
    return bits


@pytest.mark.parametrize("kind", KINDS)
def test_each_percept_is_scored_before_anything_is_learnt_from_it(kind):
    learning, frozen = make(kind), make(kind, train_every=0)
    got, untrained = drive(learning, 0, 24), drive(frozen, 0, 24)
    assert untrained[0] == pytest.approx(3.0, abs=0.1)  # an untrained network says close to uniform
    assert got[:4] == untrained[:4]
    assert all(a != b for a, b in zip(got[4:], untrained[4:], strict=True))
    encoded = 24 * (kind in ENCODING)  # each history that an encoder reads makes old futures stale
    assert (learning.version, frozen.version) == (6 + encoded, encoded)
    assert (learning.steps, frozen.steps) == (19, 0)


def test_the_code_length_is_the_networks_own():
    model = make("transformer", train_every=0)
    got = drive(model, 0, 5)
    with torch.no_grad():
        tokens = torch.from_numpy(model.state_dict()["replay"]["tokens"].astype(np.int64))[None]
        logits = model.network.logits(model.network(tokens))[0].double()
    for cycle in range(1, 5):
        place = 2 + 3 * (cycle - 1)  # of the action
        binary, quaternary = (int(x) for x in tokens[0, place + 1 : place + 3])
        expected = -logits[place, :2].log_softmax(0)[binary] - logits[place + 1, 2:6].log_softmax(0)[quaternary - 2]
        assert got[cycle] == pytest.approx(float(expected) / np.log(2), abs=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_a_life_goes_on_to_the_bit_while_it_trains(kind, tmp_path):
    one, other = make(kind), make(kind, seed=9)
    drive(one, 0, 14)
    one.condition(0)  # in the middle of a cycle
    save_state(tmp_path / "state.npz", one.state_dict())
    other.load_state_dict(load_state(tmp_path / "state.npz"))
    copied = one.copy()
    percept = np.array([14 * 3 % 8], np.uint64)
    assert one.update(percept) == other.update(percept) == copied.update(percept)
    expected = drive(one, 15, 40)
    assert one.version == 10 + 40 * (kind in ENCODING)
    assert drive(other, 15, 40) == expected
    assert drive(copied, 15, 40) == expected
    np.testing.assert_equal(other.state_dict(), one.state_dict())


@pytest.mark.parametrize("kind", KINDS)
def test_room_and_imagination_leave_no_trace(kind):
    plain, planning = make(kind), make(kind)
    words, rng = np.zeros(1, np.uint64), np.array([8], np.uint64)
    for cycle in range(1, 24):
        planning.reserve(2 + cycle % 7)
        compiled = planning.compiled
        start = contract.mark(compiled)
        for action in range(2 + cycle % 7):
            contract.condition(compiled, action % 2)
            contract.sample(compiled, rng, words)
        with pytest.raises(InvalidValueError, match="after rewind"):
            planning.update(words)
        contract.rewind(compiled, start)
        assert drive(planning, cycle, cycle + 1) == drive(plain, cycle, cycle + 1)
    np.testing.assert_equal(planning.state_dict(), plain.state_dict())


def test_a_copy_shares_nothing():
    model = make()
    drive(model, 0, 10)
    before, twin = model.state_dict(), model.copy()
    drive(twin, 10, 20)
    np.testing.assert_equal(model.state_dict(), before)


def test_a_fault_stops_learning_and_the_life_goes_on():
    model = make(learning_rate=1e38, warm_up=0)
    drive(model, 0, 3)
    good = model.state_dict()["learner"]["tensors"]
    with pytest.raises(TrainingFaultError, match="lower learning_rate, which is 1e\\+38"):
        drive(model, 3, 4)
    np.testing.assert_equal(model.state_dict()["learner"]["tensors"], good)
    twin = model.copy()
    bits = drive(model, 4, 12)
    assert np.isfinite(bits).all()
    assert (model.version, model.steps) == (0, 0)
    assert drive(twin, 4, 12) == bits


def test_a_cycle_is_learnt():
    model = NeuralModel(2, LAYOUT, width=16, window=24, train_every=5, learning_rate=3e-3)
    bits = drive(model, 0, 400)
    assert np.mean(bits[:10]) > 2.0
    assert np.mean(bits[-50:]) < 0.1  # 3 bits a percept, which follow one another in a ring of 8


def test_a_checkpoint_is_where_it_starts(tmp_path):
    path = tmp_path / "saved.safetensors"
    trained = make("lstm", width=12)
    drive(trained, 0, 40)
    save_checkpoint(path, trained.network, {})
    frozen = make("lstm", width=None, checkpoint=str(path), train_every=0)
    tuned = make("lstm", width=None, checkpoint=str(path))
    for name, weight in trained.network.named_parameters():
        assert torch.equal(weight, dict(frozen.network.named_parameters())[name])
    assert drive(frozen, 0, 4) == drive(tuned, 0, 4)
    assert (frozen.version, tuned.version) == (0, 1)
    with pytest.raises(InvalidValueError, match="kind is 'lstm', not 'gru'"):
        make("gru", width=None, checkpoint=str(path))
    with pytest.raises(InvalidValueError, match="width is 12, not 8"):
        make("lstm", checkpoint=str(path))
    with pytest.raises(InvalidValueError, match="vocabulary is 8, not 10"):
        NeuralModel(4, LAYOUT, kind="lstm", checkpoint=str(path))
    with pytest.raises(InvalidValueError, match="actions is 0, not 2"):
        make("lstm", width=None, checkpoint=str(path), guided=True)


def test_one_network_of_shared_bits_fits_every_environment(tmp_path):
    path = tmp_path / "saved.safetensors"
    save_checkpoint(path, make_network(NetworkConfig("transformer", vocabulary=4, width=16, heads=2), seed=1), {})
    for actions, layout in ((2, (1,)), (5, (3, 9))):
        model = NeuralModel(actions, layout, style="shared", checkpoint=str(path), train_every=0)
        model.condition(actions - 1)
        assert 0.0 < model.update(np.array([1], np.uint64)) < 3.0 * sum(layout)


def test_heads_follow_what_searches_found():
    model = make(guided=True, learning_rate=0.02)
    for cycle in range(60):
        drive(model, cycle, cycle + 1)
        model.guide(np.array([0.9, 0.1]), 0.75)
    prior = np.zeros(2)
    value = contract.call(contract_evaluate, model.compiled, prior)
    assert prior[0] == pytest.approx(0.9, abs=0.1)
    assert value == pytest.approx(0.75, abs=0.1)
    for policy, fraction in ((np.ones(2), 0.5), (np.array([1.0]), 0.5), (np.array([0.5, 0.5]), 1.1)):
        with pytest.raises(InvalidValueError, match="must be"):
            model.guide(policy, fraction)
    with pytest.raises(InvalidValueError, match="guided must be False for kind 'encoder-decoder'"):
        make("encoder-decoder", guided=True)
    with pytest.raises(InvalidValueError, match="guided=True"):
        make().guide(np.array([0.5, 0.5]), 0.5)


def contract_evaluate(model, prior):
    return contract.evaluate(model, prior)


def test_a_foreign_state_is_refused_and_changes_nothing():
    model, other = make(), make(width=16)
    drive(model, 0, 6)
    before = model.state_dict()
    with pytest.raises(InvalidValueError, match=r"network must be .* as configured"):
        model.load_state_dict(other.state_dict())
    with pytest.raises(InvalidValueError, match="it has no network"):
        model.load_state_dict({})
    np.testing.assert_equal(model.state_dict(), before)
