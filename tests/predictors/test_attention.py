"""Attention against references written out head by head, and the cache against the full pass."""

import pytest
import torch

from aixi.errors import InvalidValueError
from aixi.predictors.neural.attention import Cache, GroupedQueryAttention, LatentAttention, read, rotate, rotation
from aixi.predictors.neural.config import NetworkConfig
from aixi.predictors.neural.networks import make_network

WIDTH, HEADS, SIZE = 64, 4, 16
TOLERANCE = {"rtol": 0.0, "atol": 1e-5}
VARIANTS = {
    "multi-head": {},
    "grouped-query": {"groups": 2},
    "multi-query": {"groups": 1},
    "latent": {"latent": 32, "rotary": 8},
}


@pytest.fixture(autouse=True)
def _one_thread():
    """These networks are too small to share: with other processes about, threads wait for one another."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def configured(kind="transformer", **options):
    return NetworkConfig(kind, vocabulary=11, **{"width": WIDTH, "heads": HEADS, "layers": 2, **options})


def randomly(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def random_tokens(rows, length, seed=0):
    return torch.randint(11, (rows, length), generator=torch.Generator().manual_seed(seed))


def filled(module, seed=0):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            fan_in = parameter.shape[1] if parameter.dim() > 1 else 1
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * fan_in**-0.5)
    return module


def turned(x, base=10000.0):
    """Rotates x, [B, H, T, size], as complex numbers x_i + i x_{i + size / 2}."""
    half = x.shape[-1] // 2
    angles = torch.arange(x.shape[-2])[:, None] * base ** (-torch.arange(half) / half)
    z = torch.complex(x[..., :half], x[..., half:]) * torch.polar(torch.ones_like(angles), angles)
    return torch.cat((z.real, z.imag), dim=-1)


def attended(queries, keys, values, scale, causal=True):
    """Attention of [B, H, T, n] to as many heads of keys and values."""
    scores = torch.einsum("bhtn,bhsn->bhts", queries, keys) * scale
    if causal:
        scores = scores.masked_fill(torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1), -torch.inf)
    mixed = torch.einsum("bhts,bhsn->bthn", torch.exp(scores - scores.logsumexp(-1, keepdim=True)), values)
    return mixed.reshape(*mixed.shape[:2], -1)


def per_head(weight, heads):
    return weight.reshape(heads, -1, weight.shape[1])


def projected(x, linear):
    return torch.einsum("btw,hnw->bhtn", x, per_head(linear.weight, HEADS))


def normed(x, norm):
    """Zhang and Sennrich 2019, equation 4."""
    return x / torch.sqrt((x**2).mean(-1, keepdim=True) + 1e-6) * norm.weight


def fed_forward(x, layer):
    return x + torch.clamp(normed(x, layer.feed_forward_norm) @ layer.feed_forward.up.weight.T, min=0) @ (
        layer.feed_forward.down.weight.T
    )


def multi_head(x, attention, causal=True):
    """Vaswani et al. 2017: every head its own query, key and value."""
    queries, keys, values = (projected(x, m) for m in (attention.query, attention.key, attention.value))
    return attended(turned(queries), turned(keys), values, SIZE**-0.5, causal) @ attention.output.weight.T


def multi_query(x, attention):
    """Shazeer 2019: one key and value for all heads."""
    queries = projected(x, attention.query)
    keys, values = (torch.einsum("btw,nw->btn", x, m.weight)[:, None] for m in (attention.key, attention.value))
    keys, values = turned(keys).repeat(1, HEADS, 1, 1), values.repeat(1, HEADS, 1, 1)
    return attended(turned(queries), keys, values, SIZE**-0.5) @ attention.output.weight.T


def multi_head_latent(x, attention):
    """DeepSeek-V2, section 2.1, keys and values built."""
    latent = torch.einsum("btw,cw->btc", x, attention.down_latent.weight)
    latent = normed(latent, attention.norm)
    keys, values = projected(latent, attention.up_key), projected(latent, attention.up_value)
    shared = turned(torch.einsum("btw,rw->btr", x, attention.rotary_key.weight)[:, None]).repeat(1, HEADS, 1, 1)
    queries, rotary = projected(x, attention.query), projected(x, attention.rotary_query)
    queries, keys = torch.cat((queries, turned(rotary)), -1), torch.cat((keys, shared), -1)
    return attended(queries, keys, values, (SIZE + 8) ** -0.5) @ attention.output.weight.T


def whole(attention, x, size, absorbed=False):
    reading, _ = read(torch.zeros(x.shape[:2], dtype=torch.int64), None, None, size, causal=True, absorbed=absorbed)
    return attention(x, reading, layer=0)


@pytest.mark.parametrize(
    ("groups", "reference"), [(0, multi_head), (HEADS, multi_head), (1, multi_query)], ids=["H", "G=H", "G=1"]
)
def test_grouped_query_attention_ends_in_its_two_special_cases(groups, reference):
    attention = filled(GroupedQueryAttention(configured(groups=groups)))
    x = randomly(3, 9, WIDTH)
    torch.testing.assert_close(whole(attention, x, SIZE), reference(x, attention), **TOLERANCE)


def test_two_groups_are_multi_head_attention_whose_heads_repeat():
    grouped, repeated = filled(GroupedQueryAttention(configured(groups=2))), GroupedQueryAttention(configured())
    with torch.no_grad():
        for name in ("key", "value"):
            weight = getattr(grouped, name).weight
            getattr(repeated, name).weight.copy_(per_head(weight, 2).repeat_interleave(2, dim=0).reshape(WIDTH, WIDTH))
        for name in ("query", "output"):
            getattr(repeated, name).weight.copy_(getattr(grouped, name).weight)
    x = randomly(3, 9, WIDTH)
    torch.testing.assert_close(whole(grouped, x, SIZE), multi_head(x, repeated), **TOLERANCE)


@pytest.mark.parametrize("absorbed", [False, True])
def test_latent_attention_in_either_form_is_its_definition(absorbed):
    attention = filled(LatentAttention(configured(latent=32, rotary=8)))
    x = randomly(3, 9, WIDTH)
    torch.testing.assert_close(whole(attention, x, 8, absorbed), multi_head_latent(x, attention), **TOLERANCE)


@torch.no_grad()
def test_a_transformer_is_its_equations():
    network = filled(make_network(configured(), seed=0))
    tokens = random_tokens(2, 7)
    x = network.embedding.weight[tokens]
    for block in network.blocks:
        x = fed_forward(x + multi_head(normed(x, block.attention_norm), block.attention), block)
    expected = normed(x, network.norm) @ network.head.weight.T
    torch.testing.assert_close(network.logits(network(tokens)), expected, **TOLERANCE)


@torch.no_grad()
def test_an_encoder_decoder_is_its_equations():
    network = filled(make_network(configured("encoder-decoder"), seed=0))
    history, tokens = random_tokens(2, 5), random_tokens(2, 7, seed=1)
    x = network.embedding.weight[history]
    for block in network.encoder:
        x = fed_forward(x + multi_head(normed(x, block.attention_norm), block.attention, causal=False), block)
    states = normed(torch.cat((network.start.repeat(2, 1, 1), x), dim=1), network.memory_norm)
    x = network.embedding.weight[tokens]
    for block in network.blocks:
        x = x + multi_head(normed(x, block.attention_norm), block.attention)
        queries = projected(normed(x, block.cross_norm), block.cross.query)
        keys, values = projected(states, block.cross.key), projected(states, block.cross.value)
        x = x + attended(queries, keys, values, SIZE**-0.5, causal=False) @ block.cross.output.weight.T
        x = fed_forward(x, block)
    expected = normed(x, network.norm) @ network.head.weight.T
    torch.testing.assert_close(network.logits(network(tokens, network.encode(history))), expected, **TOLERANCE)


@pytest.mark.parametrize("causal", [True, False])
def test_no_token_sees_nothing(causal):
    """A softmax over nothing is NaN on some devices, and NaN gradients spread from padding to weights."""
    padding = torch.tensor([[True, True, False], [True, True, True], [False, True, True]])
    reading, _ = read(random_tokens(3, 3), padding, None, SIZE, causal)
    assert reading.mask.any(dim=-1).all()


def test_rotated_dot_products_depend_on_the_distance_alone_and_norms_stay():
    query, key = randomly(SIZE, seed=1), randomly(SIZE, seed=2)
    positions = torch.arange(50)
    queries, keys = (rotate(x.expand(50, SIZE), rotation(positions, SIZE)) for x in (query, key))
    products = queries @ keys.T
    for distance in range(-49, 50):
        diagonal = products.diagonal(distance)
        torch.testing.assert_close(diagonal, diagonal[:1].expand_as(diagonal), **TOLERANCE)
    torch.testing.assert_close(queries.norm(dim=1), query.norm().expand(50), **TOLERANCE)
    assert not torch.allclose(products[0, 0], products[0, 1], **TOLERANCE)


class CountingCache(Cache):
    """Counts the numbers that layers hold."""

    floats = 0

    def append(self, layer, *new):
        held = super().append(layer, *new)
        self.floats += sum(x.numel() for x in held)
        return held


@pytest.mark.parametrize(("variant", "floats"), list(zip(VARIANTS, [256, 128, 64, 80], strict=True)))
@pytest.mark.parametrize("kind", ["transformer", "encoder-decoder"])
def test_a_cached_token_takes_what_the_variant_promises(kind, variant, floats):
    network = make_network(configured(kind, **VARIANTS[variant]), seed=0)
    assert network.cache_floats_per_token == floats
    cache = CountingCache()
    reader(network)(random_tokens(1, 7), cache=cache)
    assert cache.floats == 7 * floats


def reader(network):
    """Returns the forward of a network, an encoder-decoder's after a history of its own."""
    if network.config.kind == "transformer":
        return network
    memory = network.encode(random_tokens(1, 5, seed=9))
    return lambda tokens, **options: network(tokens, memory, **options)


@pytest.fixture(
    params=[(kind, variant) for kind in ("transformer", "encoder-decoder") for variant in VARIANTS], ids=str
)
def network(request):
    kind, variant = request.param
    return filled(make_network(configured(kind, **VARIANTS[variant]), seed=0))


def forms(network):
    return (False, True) if network.config.latent else (False,)


@torch.no_grad()
def test_any_split_read_through_a_cache_equals_the_full_pass(network):
    tokens = random_tokens(3, 12)
    read_all = reader(network)
    full = network.logits(read_all(tokens))
    assert full.std() > 0.3
    for absorbed in forms(network):
        for cuts in ([12], [1] * 12, [5, 7], [1, 3, 1, 1, 6], [11, 1]):
            cache = Cache()
            parts = [read_all(part, cache=cache, absorbed=absorbed) for part in tokens.split(cuts, dim=1)]
            torch.testing.assert_close(network.logits(torch.cat(parts, dim=1)), full, **TOLERANCE)
            assert cache.length == 12


@torch.no_grad()
def test_rows_that_share_a_prefix_equal_the_full_pass(network):
    read_all = reader(network)
    prefix, futures, further = random_tokens(1, 6), random_tokens(4, 5, seed=1), random_tokens(4, 2, seed=2)
    shared = prefix.expand(4, -1)
    for absorbed in forms(network):
        trunk = Cache()
        read_all(prefix, cache=trunk, absorbed=absorbed)
        rows = trunk.expand(4)
        parts = [read_all(x, cache=rows, absorbed=absorbed) for x in (futures[:, :2], futures[:, 2:])]
        full = read_all(torch.cat((shared, futures), dim=1))
        torch.testing.assert_close(torch.cat(parts, dim=1), full[:, 6:], **TOLERANCE)
        # back to within the rows' own tokens, then to within the prefix
        for length, kept in ((8, torch.cat((shared, futures[:, :2]), dim=1)), (4, shared[:, :4])):
            rows.rewind(length)
            full = read_all(torch.cat((kept, further), dim=1))
            torch.testing.assert_close(read_all(further, cache=rows, absorbed=absorbed), full[:, length:], **TOLERANCE)
            rows.rewind(length)
        # rows that are back at what they share expand, and so does what has not been read on
        rows.rewind(4)
        for again in (rows.expand(4), trunk.expand(2).expand(4)):
            length = again.length
            full = read_all(torch.cat((shared[:, :length], further), dim=1))
            torch.testing.assert_close(read_all(further, cache=again, absorbed=absorbed), full[:, length:], **TOLERANCE)
        again.rewind(0)
        torch.testing.assert_close(read_all(shared, cache=again.expand(4)), read_all(shared), **TOLERANCE)
        # the trunk saw nothing of it, and a row's cache of one row expands again
        assert trunk.length == 6
        one = trunk.expand(1)
        read_all(futures[:1], cache=one, absorbed=absorbed)
        one.rewind(8)
        rows = one.expand(4)
        full = read_all(torch.cat((shared, futures[:1, :2].expand(4, -1), further), dim=1))
        torch.testing.assert_close(read_all(further, cache=rows, absorbed=absorbed), full[:, 8:], **TOLERANCE)


@torch.no_grad()
def test_a_rewound_cache_replays_bit_for_bit(network):
    read_all, cache = reader(network), Cache()
    history, imagined, other = random_tokens(1, 9), random_tokens(1, 4, seed=1), random_tokens(1, 6, seed=2)
    for absorbed in forms(network):
        cache.rewind(0)
        read_all(history, cache=cache, absorbed=absorbed)
        first = [read_all(token, cache=cache, absorbed=absorbed) for token in imagined.split(1, dim=1)]
        for detour in (1, 6):
            cache.rewind(9)
            read_all(other[:, :detour], cache=cache, absorbed=absorbed)
            cache.rewind(9)
            again = [read_all(token, cache=cache, absorbed=absorbed) for token in imagined.split(1, dim=1)]
            assert all(map(torch.equal, first, again))


@torch.no_grad()
def test_a_cache_remembers_padding(network):
    """Futures of different lengths are read together, padded, and read on."""
    read_all, cache = reader(network), Cache()
    history, futures, further = random_tokens(1, 4), random_tokens(2, 3, seed=1), random_tokens(2, 2, seed=2)
    read_all(history, cache=cache)
    rows = cache.expand(2)
    padding = torch.tensor([[True, True, False], [False, False, False]])
    read_all(futures, padding=padding, cache=rows)
    last = read_all(further, cache=rows)
    shared = history.expand(2, -1)
    without = torch.tensor([[True] * 4 + [False, False, True, True, True], [True] * 9])
    full = torch.cat((shared, futures, further), dim=1)
    for row in range(2):
        # the same tokens at the same positions, seen through a mask instead of a cache
        expected = read_all(full[row : row + 1], padding=~without[row : row + 1])
        torch.testing.assert_close(last[row], expected[0, 7:], **TOLERANCE)
    rows.rewind(4)
    torch.testing.assert_close(
        read_all(further, cache=rows), read_all(torch.cat((shared, further), dim=1))[:, 4:], **TOLERANCE
    )


def test_a_cache_refuses_what_it_cannot_do():
    network, cache = make_network(configured(), seed=0), Cache()
    network(random_tokens(2, 3), cache=cache)
    with pytest.raises(InvalidValueError, match="at most 3, got 4"):
        cache.rewind(4)
    with pytest.raises(InvalidValueError, match="got 2 rows"):
        cache.expand(5)
    with pytest.raises(InvalidValueError, match="absorbed needs latent attention"):
        network(random_tokens(1, 3), absorbed=True)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"heads": 3}, r"multiple of the heads \(3\), got 64"),
        ({"groups": 3}, r"groups must divide the heads \(4\)"),
        ({"latent": 8}, "rotary must be even and above 0"),
        ({"latent": 8, "rotary": 3}, "rotary must be even and above 0"),
        ({"latent": 8, "rotary": 4, "groups": 2}, "groups must be 0 with a latent, got 2"),
        ({"rotary": 4}, "rotary must be 0 without a latent"),
        ({"width": 12}, "multiple of twice the heads"),
        ({"kind": "lstm", "heads": 2}, "heads means nothing for kind 'lstm' and must be 4, got 2"),
        ({"kind": "mamba"}, "kind must be one of transformer"),
        ({"layers": 0}, "layers must be at least 1, got 0"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(options, says):
    with pytest.raises(InvalidValueError, match=says):
        configured(**options)


def test_a_configuration_is_read_back_or_refused():
    config = configured(latent=32, rotary=8, actions=3)
    assert NetworkConfig.from_dict(config.to_dict()) == config
    assert isinstance(NetworkConfig("gru", 3, width=16.0).width, int)
    with pytest.raises(InvalidValueError, match="no field depth; its fields are kind"):
        NetworkConfig.from_dict({**config.to_dict(), "depth": 3})
    with pytest.raises(InvalidValueError, match="needs vocabulary"):
        NetworkConfig.from_dict({"kind": "gru"})
    with pytest.raises(InvalidValueError, match="width must be a whole number, got '64'"):
        NetworkConfig.from_dict({"kind": "gru", "vocabulary": 3, "width": "64"})
