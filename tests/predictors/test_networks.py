"""Networks: what they see, what padding changes, and how they begin."""

import pytest
import torch

from aixi.errors import InvalidValueError
from aixi.predictors.neural.config import NetworkConfig
from aixi.predictors.neural.networks import make_network

VOCABULARY = 11
TOLERANCE = {"rtol": 0.0, "atol": 1e-5}
CONFIGS = {
    "multi-head": ("transformer", {}),
    "grouped-query": ("transformer", {"groups": 2}),
    "multi-query": ("transformer", {"groups": 1}),
    "latent": ("transformer", {"latent": 8, "rotary": 4}),
    "encoder-decoder": ("encoder-decoder", {"groups": 2}),
    "encoder-decoder-latent": ("encoder-decoder", {"latent": 8, "rotary": 4}),
    "rnn": ("rnn", {}),
    "lstm": ("lstm", {}),
    "gru": ("gru", {}),
    "additive-lstm": ("additive-lstm", {}),
}
TWO_PART = ("encoder-decoder", "additive-lstm")
RECURRENT = ("rnn", "lstm", "gru", "additive-lstm")


@pytest.fixture(autouse=True)
def _one_thread():
    """These networks are too small to share: with other processes about, threads wait for one another."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(params=CONFIGS)
def network(request):
    kind, options = CONFIGS[request.param]
    return built(kind, **options)


def built(kind, **options):
    """Returns a network whose logits spread as widely as a trained one's."""
    network = make_network(NetworkConfig(kind, VOCABULARY, layers=2, actions=3, **options), seed=5)
    with torch.no_grad():
        network.head.weight.mul_(20.0)
    return network


def random_tokens(rows, length, seed=0):
    return torch.randint(VOCABULARY, (rows, length), generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def logits(network, tokens, padding=None, history=None, history_padding=None):
    options = {"padding": padding}
    if network.config.kind in TWO_PART:
        history = random_tokens(1, 5, seed=9) if history is None else history
        options |= {"memory": network.encode(history, history_padding), "memory_padding": history_padding}
    out = network(tokens, **options)
    return network.logits(out[0] if network.config.kind in RECURRENT else out)


def test_a_later_token_changes_nothing_before_it(network):
    tokens = random_tokens(1, 9)
    before = logits(network, tokens)
    for position in range(9):
        changed = tokens.clone()
        changed[0, position] = (changed[0, position] + 1) % VOCABULARY
        after = logits(network, changed)
        torch.testing.assert_close(after[:, :position], before[:, :position], **TOLERANCE)
        difference = (after - before).abs().amax(dim=(0, 2))
        assert (difference[position:] > 1e-5).all()  # and something of every prediction from it on


def test_padding_at_either_side_changes_no_real_position(network):
    lengths = (1, 4, 7)
    rows = [random_tokens(1, length, seed=length) for length in lengths]
    alone = [logits(network, row)[0] for row in rows]
    for side in ("left", "right"):
        tokens, padding = random_tokens(3, 7, seed=99), torch.ones(3, 7, dtype=torch.bool)
        places = [slice(7 - length, 7) if side == "left" else slice(0, length) for length in lengths]
        for row, place in enumerate(places):
            tokens[row, place], padding[row, place] = rows[row][0], False
        together = logits(network, tokens, padding)
        assert together.isfinite().all()
        for row, place in enumerate(places):
            torch.testing.assert_close(together[row, place], alone[row], **TOLERANCE)


@pytest.mark.parametrize("name", ["encoder-decoder", "encoder-decoder-latent", "additive-lstm"])
def test_a_padded_history_changes_nothing(name):
    kind, options = CONFIGS[name]
    network = built(kind, **options)
    lengths = (0, 1, 4, 6)
    tokens = random_tokens(4, 3, seed=1)
    histories = [random_tokens(1, length, seed=length) for length in lengths]
    alone = [logits(network, tokens[row : row + 1], history=histories[row])[0] for row in range(4)]
    for side in ("left", "right"):
        history, padding = random_tokens(4, 6, seed=99), torch.ones(4, 6, dtype=torch.bool)
        for row, length in enumerate(lengths):
            place = slice(6 - length, 6) if side == "left" else slice(0, length)
            history[row, place], padding[row, place] = histories[row][0], False
        together = logits(network, tokens, history=history, history_padding=padding)
        for row in range(4):
            torch.testing.assert_close(together[row], alone[row], **TOLERANCE)


@pytest.mark.parametrize("name", ["encoder-decoder", "encoder-decoder-latent"])
def test_every_token_of_a_history_sees_every_other(name):
    kind, options = CONFIGS[name]
    network = built(kind, **options)
    history = random_tokens(1, 6)
    changed = history.clone()
    changed[0, -1] = (changed[0, -1] + 1) % VOCABULARY
    with torch.no_grad():
        for (keys, _), (others, _) in zip(network.encode(history), network.encode(changed), strict=True):
            difference = (keys - others).abs().amax(dim=(0, 1, 3))
            assert difference[0] == 0  # the start is no part of the history
            assert (difference[1:] > 1e-5).all()


@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru", "additive-lstm"])
def test_a_recurrent_network_reads_on_from_its_state(kind):
    network = built(kind)
    tokens = random_tokens(3, 9)
    with torch.no_grad():
        before = (network.encode(random_tokens(1, 4, seed=3)),) if kind == "additive-lstm" else ()
        full, end = network(tokens, *before)
        state, parts = None, []
        for part in tokens.split([1, 5, 3], dim=1):
            features, state = network(part, *before, state=state)
            parts.append(features)
        torch.testing.assert_close(torch.cat(parts, dim=1), full, **TOLERANCE)
        torch.testing.assert_close(state, end, **TOLERANCE)
        # padding moves no state, a row of padding alone not even by rounding
        padding = torch.tensor([[False, True, True], [True, True, True], [True, False, False]])
        _, padded = network(random_tokens(3, 3, seed=2), *before, padding=padding, state=end)
        for row, count in enumerate((1, 0, 2)):
            kept = random_tokens(3, 3, seed=2)[row][~padding[row]][None]
            own = tuple(x[:, row : row + 1].contiguous() for x in end)
            expected = network(kept, *before, state=own)[1] if count else own
            for x, y in zip(padded, expected, strict=True):
                torch.testing.assert_close(x[:, row : row + 1], y, rtol=0.0, atol=1e-5 if count else 0.0)


def test_additive_attention_is_bahdanaus():
    """Equations 5 and 6 of Bahdanau et al. 2015, state by state."""
    network = built("additive-lstm")
    with torch.no_grad():
        history = random_tokens(1, 5)
        states, _ = network.encoder(network.embedding(history))
        states = [network.start[0], *states[0]]
        _, (hidden, cell) = network.encoder(network.embedding(history))
        expected = []
        tokens = random_tokens(1, 4, seed=1)
        for token in tokens[0]:
            energies = []
            for state in states:
                inner = torch.tanh(network.query.weight @ hidden[-1, 0] + network.key.weight @ state)
                energies.append(float(sum(v * t for v, t in zip(network.score.weight[0], inner, strict=True))))
            weights = torch.tensor(energies).exp() / torch.tensor(energies).exp().sum()
            context = sum(weight * state for weight, state in zip(weights, states, strict=True))
            x = torch.cat((network.embedding.weight[token], context))[None, None]
            out, (hidden, cell) = network.decoder(x, (hidden, cell))
            expected.append(out[0, 0])
        expected = torch.stack(expected)
        expected = expected / (expected.square().mean(-1, keepdim=True) + 1e-6).sqrt() * network.norm.weight
        features, _ = network(tokens, network.encode(history))
    assert weights.max() - weights.min() > 0.01
    torch.testing.assert_close(features[0], expected, **TOLERANCE)


@pytest.mark.parametrize(("kind", "options"), CONFIGS.values(), ids=CONFIGS)
def test_a_network_is_a_function_of_its_seed(kind, options):
    config = NetworkConfig(kind, VOCABULARY, layers=2, actions=3, **options)
    before = torch.random.get_rng_state()
    first, again, other = (make_network(config, seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.random.manual_seed(123)  # nor is the global generator read
    third = make_network(config, 1).state_dict()
    torch.random.set_rng_state(before)
    for name, value in first.items():
        assert value.isfinite().all()
        assert torch.equal(value, again[name])
        assert torch.equal(value, third[name])
        assert value.dim() == 1 or not torch.equal(value, other[name])
    assert make_network(config, 1).parameter_count == sum(value.numel() for value in first.values())


@pytest.mark.parametrize(("kind", "options"), CONFIGS.values(), ids=CONFIGS)
@pytest.mark.parametrize("width", [16, 64])
def test_an_untrained_network_says_close_to_uniform(kind, options, width):
    network = make_network(NetworkConfig(kind, VOCABULARY, width, layers=3, actions=3, **options), seed=0)
    log_probabilities = logits(network, random_tokens(20, 10)).log_softmax(-1) / torch.log(torch.tensor(2.0))
    bits = -log_probabilities.mean()
    assert abs(bits - torch.log2(torch.tensor(float(VOCABULARY)))) < 0.05
    assert log_probabilities.std() > 0.01  # and yet not the same whatever it has read


def test_the_residual_stream_does_not_grow_with_depth():
    """Each layer adds two outputs of variance 1 / (2 layers) at most; without that scale 16 layers would add 32."""
    network = make_network(NetworkConfig("transformer", VOCABULARY, width=64, layers=16), seed=0)
    streams = []
    network.norm.register_forward_hook(lambda _, inputs, __: streams.append(inputs[0]))
    logits(network, random_tokens(4, 20))
    assert 1.0 < streams[0].square().mean() < 3.0


def test_heads_read_features():
    network = built("transformer")
    features = network(random_tokens(2, 4))
    policy, value = network.heads(features)
    assert policy.shape == (2, 4, 3)
    assert value.shape == (2, 4)
    assert ((value > 0) & (value < 1)).all()
    with pytest.raises(InvalidValueError, match="set actions"):
        make_network(NetworkConfig("lstm", VOCABULARY), 0).heads(features)


@pytest.mark.parametrize(("kind", "options"), CONFIGS.values(), ids=CONFIGS)
def test_every_weight_learns(kind, options):
    network = built(kind, **options)
    tokens = random_tokens(2, 6)
    before = (network.encode(random_tokens(2, 4, seed=1)),) if kind in TWO_PART else ()
    out = network(tokens, *before)
    features = out[0] if kind in RECURRENT else out
    policy, value = network.heads(features)
    loss = torch.nn.functional.cross_entropy(network.logits(features[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())
    (loss + policy.log_softmax(-1)[..., 0].mean() + value.square().mean()).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize("seed", [-1, 2**63, 0.5])
def test_a_seed_out_of_range_is_refused(seed):
    with pytest.raises(InvalidValueError, match="seed must be"):
        make_network(NetworkConfig("gru", VOCABULARY), seed)
