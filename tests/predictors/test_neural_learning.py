"""Learning over a life: the loss is the code length, faults apply nothing, states go on to the bit."""

import math

import numpy as np
import pytest
import torch

from aixi.errors import InvalidValueError, TrainingFaultError
from aixi.predictors.neural.config import NetworkConfig
from aixi.predictors.neural.learning import Learner, Training, read_windows, slices
from aixi.predictors.neural.networks import make_network
from aixi.predictors.neural.replay import Replay
from aixi.predictors.neural.threads import torch_threads
from aixi.predictors.neural.tokens import Tokens

TOKENS = Tokens((1, 2), actions=2)
KINDS = ("transformer", "encoder-decoder", "rnn", "lstm", "gru", "additive-lstm")


def life(cycles: int, seed: int = 0, actions: int = 0) -> Replay:
    rng = np.random.default_rng(seed)
    replay = Replay(actions)
    replay.take(TOKENS.of_percept(np.array([5], np.uint64)))  # a first percept comes without an action
    for _ in range(cycles):
        action = TOKENS.of_action(int(rng.integers(2)))
        replay.take([*action, *TOKENS.of_percept(rng.integers(0, 8, 1, np.uint64))])
    return replay


def learner(kind: str = "lstm", actions: int = 0, length: int = 12, **options) -> Learner:
    config = NetworkConfig(kind, TOKENS.vocabulary, width=8, actions=actions)
    return Learner(make_network(config, seed=3), slices(TOKENS), Training(**options), length)


def flat(state: dict) -> list:
    return [flat(value) if isinstance(value, dict) else np.asarray(value).tolist() for value in state.values()]


def test_windows_begin_where_cycles_do_and_each_start_is_alike():
    replay = life(9)
    windows = replay.windows(np.random.default_rng(1), 4000, 6)
    assert windows.shape == (4000, 6)
    assert (np.diff(windows) == 1).all()
    starts, counts = np.unique(windows[:, 0], return_counts=True)
    assert starts.tolist() == [0, 2, 5, 8, 11, 14, 17, 20, 23]  # 29 tokens: the last window ends with the life
    # Chi-square with 8 degrees of freedom: beyond 31.8 once in 10,000 seeds.
    assert ((counts - 4000 / 9) ** 2 / (4000 / 9)).sum() < 31.8


def test_a_life_shorter_than_a_window_is_one():
    assert life(2).windows(np.random.default_rng(1), 3, 100).tolist() == [list(range(8))] * 3


def test_the_last_tokens_begin_where_a_cycle_does():
    replay = life(5)
    assert replay.last(7).tolist() == replay.tokens[-6:].tolist()
    assert replay.last(100).tolist() == replay.tokens.tolist()
    assert Replay().last(10).size == 0


def test_the_loss_is_the_code_length_of_each_component_among_its_own_values():
    replay, one = life(6), learner("transformer")
    with torch.no_grad():
        tokens = torch.from_numpy(replay.tokens.astype(np.int64))[None]
        logits = one.network.logits(one.network(tokens))[0].double().numpy()
    expected = []
    for place in range(replay.size - 1):
        following = int(replay.tokens[place + 1])
        first, count = (0, 2) if following < 2 else (2, 4)
        if following < 6:  # an action is not predicted
            values = logits[place, first : first + count]
            expected.append(math.log(np.exp(values).sum()) - values[following - first])
    windows = np.arange(replay.size)[None]
    assert len(expected) == 6 * 2 + 1
    assert one._loss(one.network, replay, windows, None).item() == pytest.approx(np.mean(expected), abs=1e-5)


def test_shared_bits_are_told_apart_from_each_other_only():
    assert slices(Tokens((1, 1), 3, shared=True)).tolist() == [[0, 2], [0, 2], [0, 0], [0, 0]]


@pytest.mark.parametrize("kind", ["encoder-decoder", "additive-lstm"])
def test_rows_with_histories_of_unlike_length_are_read_as_each_alone(kind):
    replay, network = life(6), learner(kind).network
    windows = np.arange(12) + np.array([[2], [5], [8]])
    ends = np.array([0, 3, 9])
    with torch.no_grad():
        features, places = read_windows(network, replay.tokens, windows, ends)
        done = 0
        for window, end in zip(windows, ends, strict=True):
            alone, own = read_windows(network, replay.tokens, window[None], end[None])
            assert own.tolist() == window[end:].tolist() == places[done : done + len(own)].tolist()
            torch.testing.assert_close(features[done : done + len(own)], alone, atol=1e-5, rtol=0)
            done += len(own)
    assert done == len(places)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_learns_what_repeats(kind):
    replay, rng = Replay(), np.random.default_rng(2)
    for cycle in range(40):
        replay.take([6 + cycle % 2, cycle % 2, 2 + (cycle // 2) % 4])
    one = learner(kind, learning_rate=0.01, warm_up=5, batch=4)
    first = one.train(replay, rng, 1)
    assert 0.9 < first / ((math.log(2) + math.log(4)) / 2) < 1.2  # an untrained network says close to uniform
    one.train(replay, rng, 120)
    assert one.train(replay, rng, 1) < 0.5 * first


def test_the_heads_learn_what_searches_found():
    replay, rng = life(0, actions=2), np.random.default_rng(3)
    for _ in range(30):
        replay.guide(np.array([0.9, 0.1]), 0.75)
        replay.take([6, 0, 2])
    one = learner("lstm", actions=2, learning_rate=0.02, warm_up=5)
    one.train(replay, rng, 120)
    features, places = read_windows(one.network, replay.tokens, np.arange(replay.size)[None], None)
    known, policies, values = replay.found(places)
    assert known.sum() == len(policies) == len(values) == 30
    policy, value = one.network.heads(features[torch.from_numpy(known)])
    assert policy.softmax(-1).detach().numpy()[:, 0] == pytest.approx(0.9, abs=0.1)
    assert value.detach().numpy() == pytest.approx(0.75, abs=0.1)


@pytest.mark.parametrize("fault", ["weights", "rate"])
def test_a_fault_applies_nothing_and_turns_learning_off(fault):
    one, replay, rng = learner(learning_rate=1e-3), life(20), np.random.default_rng(4)
    one.train(replay, rng, 3)
    before = flat(one.state_dict()["tensors"])
    if fault == "rate":  # each step is made, and what it leaves says nothing finite
        one.training = Training(learning_rate=1e38, warm_up=0)
    else:
        with torch.no_grad():
            one.network.head.weight[0, 0] = math.nan
        before = flat(one.state_dict()["tensors"])
    with pytest.raises(TrainingFaultError, match=r"stopped at step \d: the .* is (nan|inf); .* lower learning_rate"):
        one.train(replay, rng, 2)
    np.testing.assert_equal(flat(one.state_dict()["tensors"]), before)
    assert one.steps == 3
    assert one.fault


@pytest.mark.parametrize("kind", ["transformer", "additive-lstm"])
def test_a_state_goes_on_to_the_bit(kind):
    replay = life(20)
    one, other = learner(kind), learner(kind)
    one.train(replay, np.random.default_rng(5), 3)
    other.train(replay, np.random.default_rng(6), 2)  # has moments of its own, to be replaced
    state = one.state_dict()
    other.load_state_dict(state)
    one.train(replay, np.random.default_rng(7), 3)
    other.train(replay, np.random.default_rng(7), 3)
    assert flat(one.state_dict()) == flat(other.state_dict())
    assert flat(state) != flat(one.state_dict())  # what was returned are copies


def test_torch_is_left_as_it_was():
    threads, random = torch.get_num_threads(), torch.get_rng_state()
    learner().train(life(10), np.random.default_rng(8), 2)
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), random)
    with pytest.raises(KeyError), torch_threads(1):
        raise KeyError
    assert torch.get_num_threads() == threads


def test_predictions_come_from_averaged_weights():
    one, replay, rng = learner(memory=1), life(20), np.random.default_rng(9)
    seen = []
    for _ in range(4):
        one.train(replay, rng, 1)
        seen.append(one.network.head.weight.detach().numpy().copy())
    average = seen[0]
    for step, weights in enumerate(seen[1:], start=2):
        average = average + (weights - average) * 2 / (step + 1)
    np.testing.assert_allclose(one.average.head.weight.numpy(), average, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"learning_rate": 0.0}, "learning_rate must be above 0 and finite, got 0.0"),
        ({"clip": math.inf}, "clip must be above 0 and finite, got inf"),
        ({"weight_decay": -0.1}, "weight_decay must be at least 0 and finite, got -0.1"),
        ({"batch": 0}, "batch must be at least 1, got 0"),
        ({"train_every": -1}, "train_every must be at least 0, got -1"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(InvalidValueError, match=message):
        Training(**options)


def test_steps_are_due_by_the_square_root_of_time():
    training = Training(train_every=25, train_steps=20)
    assert sum(training.due(cycles) for cycles in range(1, 10001)) == 2000
    assert Training(train_every=0).due(100) == 0
