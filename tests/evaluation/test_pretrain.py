"""Pre-training: what is learnt from, what is kept, and what is refused."""

import itertools
import json
import math
import os
import signal
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from aixi.agents.base import RewardRange
from aixi.agents.percepts import PerceptCodec
from aixi.errors import InvalidValueError, StateFileError, TrainingFaultError
from aixi.evaluation import training
from aixi.evaluation.cli import app
from aixi.evaluation.experiments.pretraining import PretrainingResult, pretraining
from aixi.evaluation.pretrain import make_config, pretrain
from aixi.evaluation.training import Schedule, token_bits
from aixi.evaluation.training_data import LifeData, SourceData, make_data, random_life
from aixi.evaluation.world import World
from aixi.predictors.neural.checkpoint import load_checkpoint
from aixi.predictors.neural.config import NetworkConfig
from aixi.predictors.neural.networks import make_network
from aixi.predictors.neural.sources import Sources

SMALL = NetworkConfig("transformer", vocabulary=4, width=8, heads=2)
SHORT = Schedule(steps=8, batch=4, window=16, warm_up=2)
RESULTS = Path(__file__).parents[2] / "benchmarks" / "results" / "experiment-pretraining.json"


def press():
    os.kill(os.getpid(), signal.SIGINT)


def test_a_life_is_what_its_own_environment_shows():
    tokens, begins = random_life("aixi/Tiger-v0", 60, seed=3)
    world = World("aixi/Tiger-v0", 3, relabel=True, record=False)
    row = world.row
    codec = PerceptCodec(world.observation_space, RewardRange(*row.reward_range, row.rewards))
    bits = codec.percept_bits

    def written(words):
        return [int(words[0]) >> bit & 1 for bit in range(bits)]

    assert tokens[: begins[0]].tolist() == written(codec.encode_first(world.begin()[0]))
    assert np.diff(begins, append=len(tokens)).tolist() == [2 + bits] * 60  # three actions take two bits
    actions = set()
    for begin in begins.tolist():
        low, high = (int(token) - 2 for token in tokens[begin : begin + 2])
        actions.add(low + 2 * high)
        observation, reward, *_ = world.step(low + 2 * high)
        assert tokens[begin + 2 : begin + 2 + bits].tolist() == written(codec.encode(observation, reward))
    world.close()
    assert actions == {0, 1, 2}


def test_every_environment_has_its_share_and_no_held_out_life_is_learnt_from():
    data = LifeData({"aixi/CoinFlip-v0": 300, "aixi/Tiger-v0": 40}, lives=2)
    drawn = data.draw(np.random.default_rng(0), 400, 12)
    assert drawn.shape == (400, 13)
    learnt = [
        {tuple(tokens[begin : begin + 13]) for begin in begins}
        for name, cycles in (("aixi/CoinFlip-v0", 300), ("aixi/Tiger-v0", 40))
        for tokens, begins in [tuple(part.tolist() for part in random_life(name, cycles, seed)) for seed in (0, 1)]
    ]
    coins = [any(tuple(row) in life for life in learnt[:2]) for row in drawn.tolist()]
    tigers = [any(tuple(row) in life for life in learnt[2:]) for row in drawn.tolist()]
    assert all(coin or tiger for coin, tiger in zip(coins, tigers, strict=True))
    assert 150 < sum(coins) < 250  # half, 5 standard errors either way
    (tokens, begins) = random_life("aixi/Tiger-v0", 40, seed=2)
    last = {tuple(tokens[begin : begin + 13].tolist()) for begin in begins}
    held_out = data.held_out(12)
    assert np.array_equal(held_out, data.held_out(12))
    assert all(tuple(row) in last for row in held_out[32:].tolist())


def test_only_percept_bits_are_learnt():
    network = make_network(SMALL, 0)
    stretches = torch.tensor([[3, 2, 0, 1, 3, 1], [2, 2, 1, 1, 2, 0]])
    bits = token_bits(network, stretches)
    logits = network.logits(network(stretches[:, :-1]))
    expected = [
        -math.log2(torch.softmax(logits[row, place - 1, :2], 0)[token].item())
        for row, tokens in enumerate(stretches.tolist())
        for place, token in enumerate(tokens)
        if place and token < 2
    ]
    assert len(expected) == 6
    assert bits.tolist() == pytest.approx(expected, rel=1e-5)
    bits.sum().backward()
    moved = network.head.weight.grad.abs().sum(dim=1)
    assert (moved[:2] > 0).all()
    assert (moved[2:] == 0).all()


@pytest.mark.parametrize("kind", ["transformer", "rnn", "lstm", "gru"])
def test_learning_shortens_the_code(kind):
    config = NetworkConfig(kind, vocabulary=4, width=16)
    schedule = Schedule(steps=60, batch=8, window=32, learning_rate=1e-2, warm_up=5)
    _, result = pretrain(LifeData({"aixi/Periodic-v0": 200}, lives=1, relabel=False), config, schedule, save_every=30)
    first, _, last = (point.held_out_bits for point in result.curve)
    assert first > 0.9
    assert last < 0.7 * first
    assert result.held_out_bits == last
    assert 0.0 < result.curve[-1].bits < 0.8


@pytest.mark.parametrize("kind", ["transformer", "lstm"])
def test_a_training_that_is_left_and_gone_on_with_gives_the_same_bits(tmp_path, kind):
    config = NetworkConfig(kind, vocabulary=4, width=8)
    schedule = Schedule(steps=9, batch=4, window=16, warm_up=2, weight_decay=0.1)
    whole, parts = tmp_path / "whole.safetensors", tmp_path / "parts.safetensors"
    _, once = pretrain(SourceData(2), config, schedule, out=whole, save_every=4)
    _, left = pretrain(
        SourceData(2), config, schedule, out=parts, save_every=4, on_step=lambda step, _: step == 5 and press()
    )
    assert (left.interrupted, left.steps, [point.step for point in left.curve]) == (True, 5, [0, 4, 5])
    assert parts.read_bytes() != whole.read_bytes()
    _, gone_on = pretrain(SourceData(2), config, schedule, out=parts, save_every=4, resume=True)
    assert parts.read_bytes() == whole.read_bytes()
    assert gone_on.curve == once.curve
    assert not gone_on.interrupted
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".json", ".json", ".safetensors", ".safetensors"]
    with pytest.raises(StateFileError, match=r"nothing to resume: the training of .*parts.safetensors is finished"):
        pretrain(SourceData(2), config, schedule, out=parts, resume=True)


def test_same_seed_same_weights():
    one, other, another = (
        torch.cat([value.ravel() for value in pretrain(SourceData(2), SMALL, plan)[0].state_dict().values()])
        for plan in (SHORT, SHORT, msgspec.structs.replace(SHORT, seed=1))
    )
    assert torch.equal(one, other)
    assert not torch.equal(one, another)


def test_threads_of_torch_come_back():
    before = torch.get_num_threads()
    seen = []
    pretrain(SourceData(2), SMALL, SHORT, threads=1, on_step=lambda *_: seen.append(torch.get_num_threads()))
    assert (set(seen), torch.get_num_threads()) == ({1}, before)


def test_a_training_that_explodes_is_ended():
    wild = msgspec.structs.replace(SHORT, learning_rate=1e25, warm_up=0)
    with pytest.raises(TrainingFaultError, match=r"must be finite, got (nan|inf) at step 1; nothing was saved"):
        pretrain(SourceData(2), SMALL, wild)


@pytest.mark.parametrize("learning", [True, False])
def test_a_loss_that_is_no_number_leaves_the_last_save_as_it_was(tmp_path, monkeypatch, learning):
    out, saves = tmp_path / "net.safetensors", {}

    def failing(network, stretches):
        """Gives no number once the sixth step is reached, in learning or in the measure after it."""
        bits = token_bits(network, stretches)
        return bits * math.nan if 5 in saves and torch.is_grad_enabled() is learning else bits

    def note(step, _):
        saves[step] = out.exists() and out.read_bytes()

    monkeypatch.setattr(training, "token_bits", failing)
    what = "loss" if learning else "held-out loss"
    rule = rf"^{what} must be finite, got nan at step \d; .*net.safetensors keeps the last save, of step 4: go on from"
    with pytest.raises(TrainingFaultError, match=rule):
        pretrain(SourceData(2), SMALL, SHORT, out=out, save_every=2, on_step=note)
    assert out.read_bytes() == saves[4] == saves[5] != saves[2]
    _, card = load_checkpoint(out)  # refuses what is not finite
    assert card["steps"] == 4


def test_the_card_tells_how_the_network_came_to_be(tmp_path):
    out = tmp_path / "net.safetensors"
    network, result = pretrain(SourceData(2), SMALL, SHORT, out=out)
    loaded, card = load_checkpoint(out, expected=SMALL)
    for name, value in network.state_dict().items():
        assert torch.equal(value, loaded.state_dict()[name])
    assert (card["data"], card["steps"], card["tokens"], card["schedule"]["seed"]) == (
        "sources:depth=2",
        8,
        "shared",
        0,
    )
    assert card["held_out_bits"] == result.held_out_bits
    assert result.held_out_bits == pytest.approx(
        token_bits(loaded, torch.from_numpy(SourceData(2).held_out(16))).mean().item(), rel=1e-5
    )


def test_fine_tuning_goes_on_from_weights_and_leaves_them_as_they_are(tmp_path):
    out = tmp_path / "net.safetensors"
    base, trained = pretrain(SourceData(2), SMALL, SHORT, out=out)
    before = {name: value.clone() for name, value in base.state_dict().items()}
    _, tuned = pretrain(SourceData(2), base, SHORT, out=tmp_path / "tuned.safetensors")
    assert tuned.curve[0].held_out_bits == trained.held_out_bits
    assert tuned.origin == json.loads((tmp_path / "net.json").read_text())["sha256"]
    assert all(torch.equal(value, before[name]) for name, value in base.state_dict().items())


def test_what_is_refused(tmp_path):
    out = tmp_path / "net.safetensors"
    pretrain(SourceData(2), SMALL, SHORT, out=out, on_step=lambda step, _: step == 3 and press())
    with pytest.raises(InvalidValueError, match=r"net.training is there already; resume that training"):
        pretrain(SourceData(2), SMALL, SHORT, out=out)
    with pytest.raises(InvalidValueError, match=r"with data 'sources:depth=2', got 'sources:depth=3'; leave data as"):
        pretrain(SourceData(3), SMALL, SHORT, out=out, resume=True)
    with pytest.raises(InvalidValueError, match=r"out must end in \.safetensors"):
        pretrain(SourceData(2), SMALL, SHORT, out=tmp_path / "net")
    with pytest.raises(InvalidValueError, match="resume needs out"):
        pretrain(SourceData(2), SMALL, SHORT, resume=True)
    with pytest.raises(StateFileError, match="there is no state file"):
        pretrain(SourceData(2), SMALL, SHORT, out=tmp_path / "other.safetensors", resume=True)
    with pytest.raises(InvalidValueError, match="kind must be one of transformer, rnn, lstm, gru"):
        pretrain(SourceData(2), NetworkConfig("encoder-decoder", 4), SHORT)
    with pytest.raises(InvalidValueError, match="vocabulary must be 4"):
        pretrain(SourceData(2), NetworkConfig("lstm", 5), SHORT)
    with pytest.raises(InvalidValueError, match="device must be one of cpu, cuda, got 'tpu'"):
        pretrain(SourceData(2), SMALL, SHORT, device="tpu")
    with pytest.raises(InvalidValueError, match="window must be at least 6 tokens, which a cycle of aixi/Tiger-v0"):
        pretrain(LifeData({"aixi/Tiger-v0": 9}), SMALL, msgspec.structs.replace(SHORT, window=5))
    with pytest.raises(InvalidValueError, match="window must be less than the 58 tokens of a life of aixi/Tiger-v0"):
        pretrain(LifeData({"aixi/Tiger-v0": 9}), SMALL, msgspec.structs.replace(SHORT, window=58))
    (tmp_path / "net.training").write_bytes(b"nothing")
    with pytest.raises(StateFileError, match="truncated or damaged"):
        pretrain(SourceData(2), SMALL, SHORT, out=out, resume=True)


def test_cuda_that_is_not_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InvalidValueError, match="device is cuda, and torch finds none on this machine; use device cpu"):
        pretrain(SourceData(2), SMALL, SHORT, device="cuda")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"steps": 0}, "steps must be at least 1, got 0"),
        ({"learning_rate": 0.0}, "learning_rate must be above 0 and finite, got 0.0"),
        ({"clip": math.inf}, "clip must be above 0 and finite, got inf"),
        ({"weight_decay": -1.0}, "weight_decay must be at least 0 and finite, got -1.0"),
    ],
)
def test_schedules_that_are_none(wrong, message):
    with pytest.raises(InvalidValueError, match=message):
        Schedule(**wrong)


def test_the_rate_rises_and_falls_to_nothing():
    schedule = Schedule(steps=100, warm_up=10, learning_rate=0.5)
    rates = [schedule.rate(step) for step in range(100)]
    assert max(rates) == rates[9] == rates[10] == 0.5
    assert all(a < b for a, b in itertools.pairwise(rates[:10]))
    assert all(a > b for a, b in itertools.pairwise(rates[10:]))
    assert rates[-1] < 1e-3


def test_text_forms():
    assert make_config("gru:width=24,layers=2") == NetworkConfig("gru", 4, width=24, layers=2)
    lives = make_data("tuning:lives=1,cycles=30")
    assert lives.environments[0] == "aixi/HeldOutCoinFlip-v0"
    for text, message in (
        ("sources:lives=2", "sources takes depth, got lives"),
        ("tuning:depth=2", "tuning takes lives, cycles, first_seed, relabel, got depth"),
        ("sources:depth=deep", "depth must be a whole number, got 'deep'"),
        ("sources:depth=40", "depth must be at most 16, got 40"),
    ):
        with pytest.raises(InvalidValueError, match=message):
            make_data(text)


def aixi(*arguments):
    return CliRunner().invoke(app, ["pretrain", *map(str, arguments)])


def test_the_command(tmp_path):
    out, report = tmp_path / "net.safetensors", tmp_path / "report.json"
    options = ["--network", "lstm:width=8", "--batch", 2, "--window", 16, "--out", out]
    done = aixi("--data", "sources:depth=2", "--steps", 6, "--json", report, *options)
    assert done.exit_code == 0
    written = json.loads(report.read_text())
    assert (written["steps"], written["network"]["kind"], written["interrupted"]) == (6, "lstm", False)
    assert f"{written['held_out_bits']:.4f}" in done.output
    assert str(out) in done.output.replace("\n", "")
    again = aixi("--steps", 6, *options)
    assert isinstance(again.exception, InvalidValueError)
    assert "is there already; remove it, or give another name" in str(again.exception)
    tuned = aixi(
        "--data",
        "tuning:lives=1,cycles=30",
        "--start",
        out,
        "--steps",
        2,
        "--window",
        16,
        "--out",
        tmp_path / "t.safetensors",
    )
    assert (tuned.exit_code, "fine-tuned" in tuned.output) == (0, True)
    card = aixi("--json", tmp_path / "new.json", "--out", tmp_path / "new.safetensors")
    assert "json must be another file than those of" in str(card.exception)
    both = aixi("--start", out, "--network", "lstm", "--out", tmp_path / "u.safetensors")
    assert "brings its own network" in str(both.exception)


def test_the_command_goes_on_as_it_was_told(tmp_path):
    out = tmp_path / "net.safetensors"
    schedule = Schedule(steps=7, batch=2, window=16, seed=4)
    data = make_data("tuning:lives=1,cycles=30")
    pretrain(data, make_config("lstm:width=8"), schedule, out=out, on_step=lambda step, _: step == 3 and press())
    other = aixi("--resume", "--steps", 9, "--out", out)
    assert "leave schedule as it was" in str(other.exception)
    done = aixi("--resume", "--out", out)
    assert (done.exit_code, load_checkpoint(out)[1]["steps"]) == (0, 7)
    finished = aixi("--resume", "--out", out)
    assert "nothing to resume" in str(finished.exception)


def test_the_experiment_in_small():
    heard = []
    result = pretraining(quick=True, on_step=lambda *told: heard.append(told))
    assert msgspec.json.decode(msgspec.json.encode(result), type=PretrainingResult) == result
    assert {what for what, *_ in heard} >= {"transformer on sources", "lstm on sources", "transformer on random play"}
    assert all(0 < step <= steps and bits > 0 for _, step, steps, bits in heard)
    for network in result.networks.values():
        assert network.excess == pytest.approx(network.regret - result.ctw_regret)
        assert network.ratio == pytest.approx(network.regret / result.ctw_regret)
        assert network.ratio_low < network.ratio < network.ratio_high
        assert network.curve[-1] == pytest.approx(network.regret)
    (tuning,) = result.fine_tuning
    assert tuning.tuned[0] == min(point.held_out_bits for point in tuning.tuned_curve)
    assert tuning.difference.mean == pytest.approx(tuning.tuned[0] - tuning.scratch[0])


def test_the_kept_result_is_of_the_whole_experiment():
    kept = msgspec.json.decode(RESULTS.read_bytes(), type=PretrainingResult)
    assert not kept.quick
    assert kept.sources >= 2000
    # No predictor beats the Bayes mixture; what is below it is chance.
    for network in kept.networks.values():
        assert network.excess > -3.0 * network.excess_error
    rng = np.random.default_rng(np.random.SeedSequence(kept.seed, spawn_key=(2_000_000,)))
    _, one = Sources.draw(rng, kept.sources, kept.depth).sample(rng, kept.times[-1])
    entropy = -(one * np.log2(np.maximum(one, 1e-300)) + (1 - one) * np.log2(np.maximum(1 - one, 1e-300)))
    assert kept.source_bits == pytest.approx(entropy.sum(axis=1).mean(), abs=1.0)
