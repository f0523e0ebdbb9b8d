"""Networks saved and read back."""

import hashlib
import json

import pytest
import safetensors.torch
import torch

from aixi.errors import InvalidValueError, StateFileError
from aixi.predictors.neural.checkpoint import load_checkpoint, save_checkpoint
from aixi.predictors.neural.config import UNUSED, NetworkConfig
from aixi.predictors.neural.networks import make_network

CONFIG = NetworkConfig("transformer", vocabulary=6, width=16, groups=2)
TOKENS = torch.tensor([[0, 5, 1, 1, 4]])


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "net.safetensors"
    save_checkpoint(path, make_network(CONFIG, seed=3), {"data": "coin flips", "bits": 0.25})
    return path


def edit_card(path, **changes):
    card = json.loads(path.with_suffix(".json").read_text())
    path.with_suffix(".json").write_text(json.dumps({**card, **changes}))


def rewrite(path, weights):
    """Puts other weights into a checkpoint, with a card that vouches for them."""
    path.write_bytes(safetensors.torch.save(weights))
    edit_card(path, sha256=hashlib.sha256(path.read_bytes()).hexdigest())


@pytest.mark.parametrize("kind", UNUSED)
def test_a_network_comes_back_bit_for_bit(tmp_path, kind):
    config = NetworkConfig(kind, vocabulary=6, width=16, layers=2, actions=3)
    network = make_network(config, seed=3)
    path = tmp_path / "net.safetensors"
    save_checkpoint(path, network, {"data": "coin flips", "bits": 0.25})
    back, card = load_checkpoint(path, expected=config)
    assert type(back) is type(network)
    assert back.config == config
    assert (card["data"], card["bits"]) == ("coin flips", 0.25)
    assert card["versions"]["torch"] == torch.__version__
    ours, theirs = network.state_dict(), back.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(value, theirs[name]) for name, value in ours.items())
    memory = [(net.encode(TOKENS),) if hasattr(net, "encode") else () for net in (network, back)]
    first, second = (net(TOKENS, *before) for net, before in zip((network, back), memory, strict=True))
    torch.testing.assert_close(first, second, rtol=0.0, atol=0.0)


def test_a_card_read_back_can_be_written_again(saved):
    network, card = load_checkpoint(saved)
    with torch.no_grad():
        network.head.weight.add_(1.0)
    save_checkpoint(saved, network, {**card, "bits": 0.125})
    again, later = load_checkpoint(saved)
    assert torch.equal(again.head.weight, network.head.weight)
    assert later["bits"] == 0.125
    assert later["data"] == card["data"]
    assert later["sha256"] != card["sha256"]
    assert sorted(path.name for path in saved.parent.iterdir()) == ["net.json", "net.safetensors"]


def test_another_architecture_is_named(saved):
    expected = NetworkConfig("transformer", vocabulary=6, width=32, groups=1)
    with pytest.raises(InvalidValueError, match="holds another network: width is 16, not 32; groups is 2, not 1"):
        load_checkpoint(saved, expected)


def test_altered_bytes_are_noticed(saved):
    content = bytearray(saved.read_bytes())
    content[-1] ^= 1
    saved.write_bytes(content)
    with pytest.raises(InvalidValueError, match="not what its card describes: its hash is"):
        load_checkpoint(saved)


@pytest.mark.parametrize("content", [b"", b"not a file of weights at all", b"\xff" * 64])
def test_another_file_is_noticed_whatever_its_card_says(saved, content):
    saved.write_bytes(content)
    edit_card(saved, sha256=hashlib.sha256(content).hexdigest())
    with pytest.raises(InvalidValueError, match="is not a safetensors file"):
        load_checkpoint(saved)


def test_weights_that_are_not_finite_are_named(saved):
    network, _ = load_checkpoint(saved)
    weights = {name: value.clone() for name, value in network.state_dict().items()}
    weights["head.weight"][0, :2] = torch.tensor([torch.nan, torch.inf])
    rewrite(saved, weights)
    with pytest.raises(InvalidValueError, match=r"head.weight of .*net.safetensors has 2 that are not"):
        load_checkpoint(saved)
    network.load_state_dict(weights)
    with pytest.raises(InvalidValueError, match=r"head.weight of the network has 2 that are not"):
        save_checkpoint(saved, network, {})


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda w: w.pop("norm.weight"), r"norm.weight is missing, not float32\[16\]"),
        (lambda w: w.update(extra=torch.zeros(2)), r"extra is float32\[2\], not there"),
        (lambda w: w.update({"norm.weight": torch.ones(8)}), r"norm.weight is float32\[8\], not float32\[16\]"),
        (lambda w: w.update({"norm.weight": torch.ones(16).double()}), r"norm.weight is float64\[16\], not float32"),
    ],
)
def test_weights_that_are_none_of_the_network_are_named(saved, change, says):
    weights = dict(load_checkpoint(saved)[0].state_dict())
    change(weights)
    rewrite(saved, weights)
    with pytest.raises(InvalidValueError, match=says):
        load_checkpoint(saved)


@pytest.mark.parametrize("suffix", [".safetensors", ".json"])
def test_a_missing_file_is_named(saved, suffix):
    saved.with_suffix(suffix).unlink()
    with pytest.raises(InvalidValueError, match=rf"cannot read .*net\{suffix}: No such file"):
        load_checkpoint(saved)


@pytest.mark.parametrize(
    ("card", "says"),
    [
        ("{", "not a checkpoint's card"),
        ("[]", "it has no config"),
        ("{}", "it has no config"),
        ('{"config": {"kind": "gru", "vocabulary": 3}}', "it has no sha256"),
        ('{"config": {"kind": "gru"}, "sha256": ""}', "needs vocabulary"),
        ('{"config": {"kind": ["gru"], "vocabulary": 3}, "sha256": ""}', "kind must be one of"),
    ],
)
def test_a_card_that_is_none_is_refused(saved, card, says):
    saved.with_suffix(".json").write_text(card)
    with pytest.raises(InvalidValueError, match=says):
        load_checkpoint(saved)


def test_what_cannot_be_saved_is_refused(tmp_path):
    network = make_network(CONFIG, seed=0)
    with pytest.raises(InvalidValueError, match=r"must end in .safetensors, got .*net.pt"):
        save_checkpoint(tmp_path / "net.pt", network, {})
    with pytest.raises(InvalidValueError, match="the card must be JSON"):
        save_checkpoint(tmp_path / "net.safetensors", network, {"bits": float("nan")})
    assert not list(tmp_path.iterdir())
    with pytest.raises(StateFileError, match="cannot write to"):
        save_checkpoint(tmp_path / "none" / "net.safetensors", network, {})
