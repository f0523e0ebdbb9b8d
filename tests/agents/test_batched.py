"""Searches in lockstep: their trees against the compiled searches', their values against expectimax, and torch."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from planner_oracles import Judge, judge_of, random_process, search_over
from planner_references import arms, expectimax, random_world, tree_of, words_of, world
from scipy.stats import chisquare

from aixi.agents.base import RewardRange
from aixi.agents.models.finite import FinitePOMDP
from aixi.agents.planning import MaskRule, RewardCode, RhoUCT
from aixi.agents.planning.batched import BatchedSearch
from aixi.agents.planning.puct import PUCT
from aixi.agents.planning.torch_batch import LARGEST_COMPILED, TorchBatchModel, choose_inference
from aixi.errors import InvalidValueError
from aixi.predictors.intrinsics import kernel
from aixi.predictors.model import call, condition, evaluate, sample
from aixi.predictors.neural.config import NetworkConfig
from aixi.predictors.neural.networks import make_network
from aixi.predictors.neural.tokens import Tokens


@kernel
def _condition(model: Any, action: int) -> None:
    condition(model, action)


@kernel
def _sample(model: Any, rng: np.ndarray, words: np.ndarray) -> None:
    sample(model, rng, words)


class Rows:
    """A compiled model as many: a copy a row."""

    def __init__(self, model: FinitePOMDP) -> None:
        self.model, self.actions, self.percept_bits = model, model.actions, model.percept_bits
        self.rows: list[FinitePOMDP] = []
        self.begun: list[int] = []

    def reserve(self, cycles: int) -> None:
        pass

    def begin(self, rows: int) -> None:
        assert not self.rows
        self.begun.append(rows)
        self.rows = [self.model.copy() for _ in range(rows)]

    def condition(self, actions: np.ndarray) -> None:
        for row, action in zip(self.rows, actions, strict=True):
            call(_condition, row.compiled, int(action))

    def sample(self, rngs: np.ndarray) -> np.ndarray:
        words = np.zeros((len(self.rows), -(-self.percept_bits // 64)), np.uint64)
        for index, row in enumerate(self.rows):
            call(_sample, row.compiled, rngs[index : index + 1], words[index])
        return words

    def evaluate(self) -> tuple[np.ndarray, np.ndarray]:
        priors = np.zeros((len(self.rows), self.actions))
        return priors, np.array([evaluate(row.compiled, prior) for row, prior in zip(self.rows, priors, strict=True)])

    def end(self) -> None:
        self.rows = []


RULES = [
    (RhoUCT, {}, {}),
    (PUCT, {}, {"heads": True}),
    (PUCT, {"rollout_weight": 0.3}, {"heads": True, "rollout_weight": 0.3}),
]


@pytest.mark.parametrize(("kind", "alone", "batched"), RULES)
def test_one_row_is_the_compiled_search_bit_for_bit(kind: type, alone: dict, batched: dict) -> None:
    for seed in range(3):
        process = random_process(seed)
        model = judge_of(process, temperature=0.1)
        rule = MaskRule(np.array([0, 1]), np.array([[True, True, False, True], [True, True, True, False]]))
        shared = {"horizon": 4, "simulations": 60, "rule": rule}
        one = search_over(kind, model, process.rewards, seed, **shared, **alone)
        other = search_over(BatchedSearch, model, process.rewards, seed, batch=1, **shared, **batched)
        mask = np.array([True, True, True, False])
        for _ in range(2):
            results = [one.search([model], mask), other.search([Rows(model)], mask)]
            assert results[0].action == results[1].action
            np.testing.assert_array_equal(results[0].values, results[1].values)
            assert tree_of(one) == tree_of(other)
            assert one.totals == other.totals
            action, percept = next(history for history in tree_of(one) if len(history) == 2)
            model.condition(action)
            model.update(words_of(percept, process.bits))
            for each in (one, other):
                each.advance(action, words_of(percept, process.bits))


@pytest.mark.parametrize("heads", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_value_of_a_batch_is_that_of_expectimax(seed: int, heads: bool) -> None:
    steps, belief, rewards = random_world(seed)
    exact = max(expectimax(steps, dict(enumerate(belief)), 2, rewards.__getitem__)) / 2
    model = Rows(world(steps, 4, belief, Judge))
    found = search_over(
        BatchedSearch, model, rewards, seed, horizon=2, simulations=4000, batch=16, heads=heads, constant=0.25
    )
    result = found.search([model])
    error = (max(rewards) - min(rewards)) / 2 / math.sqrt(result.visits[result.action])
    assert abs(result.value - exact) < 3 * error


@pytest.mark.parametrize("heads", [False, True])
def test_counts_are_whole_after_each_batch(heads: bool) -> None:
    process = random_process(4)
    model = Rows(judge_of(process, temperature=0.1))
    found = search_over(BatchedSearch, model, process.rewards, horizon=4, simulations=75, batch=16, heads=heads)
    result = found.search([model])
    assert model.begun == [16, 16, 16, 16, 11]
    assert model.rows == []
    tree = tree_of(found)
    assert result.simulations == 75 == tree[()][0]
    for history, (visits, action_visits, values) in tree.items():
        assert visits - sum(action_visits) == 1, history  # the first visit chose nothing
        assert all(value == 0.0 for value, count in zip(values, action_visits, strict=True) if count == 0)
        for action, count in enumerate(action_visits):
            behind = [node[0] for other, node in tree.items() if other[:-1] == (*history, action)]
            assert len(history) == 6 or sum(behind) == count
    # Rows that have come to a judged leaf ask no more of the model that counts.
    assert found.totals["percepts"] < 75 * 4 if heads else found.totals["percepts"] == 75 * 4


def test_simulations_under_way_turn_others_elsewhere() -> None:
    model = world(arms(0, 0, 0, 0), 1)
    found = search_over(BatchedSearch, model, [0.0, 1.0], horizon=1, simulations=9, batch=9, view=Rows)
    # One comes to an empty root; the others take each of four equal actions twice, none finished before the last.
    assert found.search([model]).visits.tolist() == [2, 2, 2, 2]


@pytest.mark.parametrize("heads", [False, True])
def test_state_goes_on_bit_for_bit(heads: bool) -> None:
    process = random_process(5)
    model = Rows(judge_of(process, temperature=0.1))
    options = {"horizon": 3, "simulations": 50, "batch": 8, "heads": heads}
    first = search_over(BatchedSearch, model, process.rewards, 1, **options)
    first.search([model])
    second = search_over(BatchedSearch, model, process.rewards, 2, **options)
    second.load_state_dict(first.state_dict())
    for each in (first, second):
        each.search([model])
    assert tree_of(first) == tree_of(second)
    with pytest.raises(InvalidValueError, match="the state is of a batch of 8, this planner has 1"):
        search_over(BatchedSearch, model, process.rewards, batch=1).load_state_dict(first.state_dict())


def test_bad_options_are_refused() -> None:
    model = world(arms(0, 1), 1)
    with pytest.raises(InvalidValueError, match="batch must be at least 1, got 0"):
        search_over(BatchedSearch, model, [0.0, 1.0], batch=0)
    with pytest.raises(InvalidValueError, match="constant must be finite and at least 0, got -1"):
        search_over(BatchedSearch, model, [0.0, 1.0], constant=-1)


KINDS: dict[str, dict[str, Any]] = {
    "multi-head": {"kind": "transformer", "layers": 2},
    "latent": {"kind": "transformer", "latent": 8, "rotary": 4},
    "encoder-decoder": {"kind": "encoder-decoder"},
    "lstm": {"kind": "lstm", "layers": 2},
    "gru": {"kind": "gru"},
    "additive": {"kind": "additive-lstm"},
}


def network(tokens: Tokens, **options: Any) -> Any:
    config = NetworkConfig(**({"width": 16, "actions": tokens.actions, "vocabulary": tokens.vocabulary} | options))
    made = make_network(config, seed=3)
    with torch.no_grad():
        for parameter in (made.head.weight, made.policy.weight, made.value.weight):
            parameter *= 20  # far from uniform
    return made


def history_of(tokens: Tokens, cycles: int) -> list[int]:
    rng = np.random.default_rng(1)
    read: list[int] = []
    for _ in range(cycles):
        read += tokens.of_action(int(rng.integers(tokens.actions))).tolist()
        read += (tokens.offsets + [rng.integers(1 << width) for width in tokens.widths]).tolist()
    return read


def features(net: Any, encoded: list[int], read: list[int]) -> torch.Tensor:
    """Of each token after what is encoded, in one pass over all."""
    memory = (net.encode(torch.tensor([encoded])),) if hasattr(net, "encode") else ()
    result = net(torch.tensor([read]), *memory)
    return (result if isinstance(result, torch.Tensor) else result[0])[0]


@pytest.mark.parametrize("style", ["components", "shared"])
@pytest.mark.parametrize("name", KINDS)
def test_percepts_are_drawn_from_what_a_full_pass_says(name: str, style: str) -> None:
    tokens = Tokens.of((2, 1), actions=3, style=style)
    net = network(tokens, **KINDS[name])
    past = history_of(tokens, 4)
    encoded, read = (past, []) if hasattr(net, "encode") else ([], past)
    model = TorchBatchModel(net, tokens)
    model.follow(read[: len(read) // 2], encoded)
    model.follow(read, encoded)  # goes on from there
    rows = 2000
    model.begin(rows)
    rngs = np.random.SeedSequence(5).generate_state(rows, np.uint64)
    futures = [[*read] for _ in range(4)]  # of the first rows
    drawn = []
    with torch.inference_mode():
        for cycle in range(2):
            taken = np.resize(np.roll([0, 1, 2, 2], cycle), rows)
            model.condition(taken)
            drawn.append(words := model.sample(rngs))
            for future, action, percept in zip(futures, taken, words, strict=False):
                future += [*tokens.of_action(int(action)).tolist(), *tokens.of_percept(percept).tolist()]
        priors, values = model.evaluate()
        model.end()
        # Judgements of whole futures.
        for row in range(4):
            policy, value = net.heads(features(net, encoded, futures[row])[-1])
            np.testing.assert_allclose(priors[row], policy.softmax(-1), atol=1e-4)
            assert values[row] == pytest.approx(value.item(), abs=1e-4)
        # How often each first percept followed action 2.
        counts = np.bincount(np.concatenate([drawn[0][2::4, 0], drawn[0][3::4, 0]]).astype(np.int64), minlength=8)
        expected = []
        for percept in range(8):
            whole = [*read, *tokens.of_action(2).tolist(), *tokens.of_percept(words_of(percept, 3)).tolist()]
            logits = net.logits(features(net, encoded, whole)).double()
            mass = 1.0
            for component, (first, width) in enumerate(zip(tokens.offsets, tokens.widths, strict=True)):
                at = len(whole) - len(tokens.widths) - 1 + component
                said = logits[at, first : first + (1 << width)].softmax(-1)
                mass *= said[whole[at + 1] - first].item()
            expected.append(mass)
    assert chisquare(counts, np.array(expected) * counts.sum()).pvalue > 1e-4
    assert max(expected) > 0.25  # 0.125 if nothing was said


@pytest.mark.parametrize("name", ["multi-head", "lstm"])
def test_search_over_torch_follows_its_seed_and_not_torchs_threads(name: str) -> None:
    tokens = Tokens((2, 1), actions=3)
    net, read = network(tokens, **KINDS[name]), history_of(tokens, 5)
    code = RewardCode(np.array([2, 1]), np.array([0.0, 1.0]), np.array([True, True]))
    outside, trees = torch.get_num_threads(), []
    state = torch.random.get_rng_state()
    try:
        for seed, threads in ((1, 1), (1, 2), (2, 1)):
            torch.set_num_threads(threads)
            model = TorchBatchModel(net, tokens)
            model.follow(read)
            found = BatchedSearch(
                3,
                3,
                code,
                RewardRange(0, 1),
                np.random.SeedSequence(seed),
                horizon=3,
                simulations=60,
                batch=16,
                heads=True,
            )
            found.search([model])
            trees.append(tree_of(found))
            assert torch.get_num_threads() == threads  # is as it was
    finally:
        torch.set_num_threads(outside)
    assert trees[0] == trees[1] != trees[2]
    assert torch.equal(state, torch.random.get_rng_state())


def test_new_weights_are_taken_over() -> None:
    tokens = Tokens((2, 1), actions=3)
    read = history_of(tokens, 3)
    net = network(tokens, kind="gru")
    model = TorchBatchModel(net, tokens)
    judged = []
    for _ in range(2):
        model.load(net)
        model.follow(read)
        model.begin(1)
        judged.append(model.evaluate()[1][0])
        model.end()
        with torch.no_grad():
            net.embedding.weight += 0.5
    assert abs(judged[0] - judged[1]) > 1e-3
    fresh = network(tokens, kind="gru")
    with torch.no_grad():
        fresh.embedding.weight += 0.5
        assert judged[1] == pytest.approx(fresh.heads(features(fresh, [], read)[-1])[1].item(), abs=1e-5)


def test_percepts_of_two_words_are_packed() -> None:
    tokens = Tokens((8,) * 7 + (7, 5), actions=2)  # the eighth component ends at bit 63, the ninth reaches over
    model = TorchBatchModel(network(tokens, kind="gru"), tokens)
    model.begin(3)
    values = np.stack([np.arange(9), np.array([255] * 7 + [127, 31]), np.array([0] * 8 + [21])])
    for words, row in zip(model._packed(values), values, strict=True):
        np.testing.assert_array_equal(tokens.of_percept(words), tokens.offsets + row)
    model.end()


def test_before_the_first_token_nothing_is_known() -> None:
    tokens = Tokens((2, 1), actions=3)
    model = TorchBatchModel(network(tokens, kind="lstm"), tokens)
    model.begin(2)
    priors, values = model.evaluate()
    np.testing.assert_array_equal(priors, np.full((2, 3), 1 / 3))
    np.testing.assert_array_equal(values, [0.5, 0.5])
    assert model.sample(np.array([1, 2], np.uint64)).max() < 8
    model.end()


def test_bad_devices_networks_and_histories_are_refused() -> None:
    tokens = Tokens((2, 1), actions=3)
    net = network(tokens, kind="gru")
    with pytest.raises(InvalidValueError, match="device must be cpu, cuda or cuda:N, got 'gpu'"):
        TorchBatchModel(net, tokens, device="gpu")
    absent = f"cuda:{torch.cuda.device_count()}"
    with pytest.raises(InvalidValueError, match=f"device {absent} was asked for, but torch sees .* use cpu"):
        TorchBatchModel(net, tokens, device=absent)
    with pytest.raises(InvalidValueError, match="vocabulary of the network must be 9, as its tokens have, got 10"):
        TorchBatchModel(network(tokens, kind="gru", vocabulary=10), tokens)
    with pytest.raises(InvalidValueError, match="encoded must be empty for a network of kind 'gru'"):
        TorchBatchModel(net, tokens).follow([0, 1], encoded=[2])


def test_inference_is_chosen_by_size_and_device() -> None:
    assert choose_inference(1000, "cpu") == choose_inference(LARGEST_COMPILED, "cpu") == "compiled"
    assert choose_inference(LARGEST_COMPILED + 1, "cpu") == "torch"
    with pytest.raises(InvalidValueError, match="was asked for, but torch sees"):
        choose_inference(1000, f"cuda:{torch.cuda.device_count()}")
