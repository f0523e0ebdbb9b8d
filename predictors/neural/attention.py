"""Causal self-attention with rotary positions, in the variants that differ in what a token leaves in the cache.

| variant | cached of a token and layer |
|---|---|
| multi-head (Vaswani et al. 2017) | 2 heads * size |
| multi-query (Shazeer 2019) | 2 size |
| grouped-query (Ainslie et al. 2023) | 2 groups * size |
| multi-head latent (DeepSeek-V2 2024) | latent + rotary |

Shapes: B rows, T tokens read now, S tokens seen (those cached, then those read now), H heads, G key-value heads.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from aixi.errors import require
from aixi.predictors.neural.config import EPSILON, ROTARY_BASE, NetworkConfig


class Rotation(NamedTuple):
    """Cosines and sines of rotary angles, float32[T, size / 2]."""

    cosines: Tensor
    sines: Tensor


def rotation(positions: Tensor, size: int) -> Rotation:
    """Returns the angles m 10000^(-2i / size) of positions m, int64[T], and pairs i (Su et al. 2021, equation 15)."""
    pairs = torch.arange(size // 2, dtype=torch.float64, device=positions.device)
    # In float32 the angle of position 1000 would be off by 1e-4.
    angles = torch.outer(positions.double(), ROTARY_BASE ** (-2.0 * pairs / size))
    return Rotation(angles.cos().float(), angles.sin().float())


def rotate(x: Tensor, angles: Rotation) -> Tensor:
    """Rotates x, float32[..., T, size], by its position: element i pairs with element i + size / 2.

    The dot product of two rotated vectors depends on the difference of their positions only (Su et al. 2021,
    equation 16).
    """
    first, second = x.chunk(2, dim=-1)
    cosines, sines = angles
    return torch.cat((first * cosines - second * sines, first * sines + second * cosines), dim=-1)


class Cache:
    """What attention keeps of the tokens read: a prefix that all rows share, then each row's own.

    Nothing held is ever written to: reading makes new tensors, and rewinding only resets the length. So a cache goes
    back bit for bit.

    Attributes:
        length: number of tokens read.
        padding: which of them are padding, bool[B, length]; None if none is.
    """

    def __init__(self) -> None:
        self.length = 0
        self.padding: Tensor | None = None
        self._prefix: dict[int, tuple[Tensor, ...]] = {}  # layer to float32[1, G, prefix, size] each
        self._own: dict[int, tuple[Tensor, ...]] = {}  # layer to float32[B, G, length - prefix, size] each
        self._prefix_length = 0

    def append(self, layer: int, *new: Tensor) -> tuple[Tensor, ...]:
        """Keeps what a layer makes of new tokens and returns what it holds with them.

        Args:
            layer: its index.
            *new: float32[B, G, T, size] each.

        Returns:
            float32[B, G, S, size] each.
        """
        if layer in self._own:
            own = self.length - self._prefix_length
            new = tuple(torch.cat((old[:, :, :own], x), dim=2) for old, x in zip(self._own[layer], new, strict=True))
        self._own[layer] = new
        if layer not in self._prefix:
            return new
        return tuple(
            torch.cat((shared[:, :, : self._prefix_length].expand(x.shape[0], -1, -1, -1), x), dim=2)
            for shared, x in zip(self._prefix[layer], new, strict=True)
        )

    def extend(self, tokens: int, padding: Tensor | None) -> None:
        """Counts tokens that every layer has appended; `padding` covers all held, bool[B, length + tokens]."""
        self.length += tokens
        self.padding = padding

    def rewind(self, length: int) -> None:
        """Forgets all tokens but the first `length`.

        Raises:
            InvalidValueError: if fewer have been read.
        """
        require(0 <= length <= self.length, f"length must be at least 0 and at most {self.length}, got {length}")
        self.length = length
        self._prefix_length = min(self._prefix_length, length)
        if self.padding is not None:
            self.padding = self.padding[:, :length]

    def expand(self, batch: int) -> "Cache":
        """Returns a cache of `batch` rows that hold what this one row holds, in the same memory.

        Raises:
            InvalidValueError: if rows have read different tokens, or might have.
        """
        other, own = Cache(), self.length - self._prefix_length
        other.length = other._prefix_length = self.length
        for layer in self._own.keys() | self._prefix.keys():
            parts = [[x[:, :, : self._prefix_length] for x in self._prefix[layer]]] if layer in self._prefix else []
            if own > 0:
                rows = self._own[layer][0].shape[0]
                require(rows == 1, f"only a cache of one row expands, got {rows} rows")
                parts.append([x[:, :, :own] for x in self._own[layer]])
            if parts:
                other._prefix[layer] = tuple(torch.cat(held, dim=2) for held in zip(*parts, strict=True))
        if self.padding is not None:
            other.padding = self.padding[:1].expand(batch, -1)
        return other


class Reading(NamedTuple):
    """What every layer of one pass shares.

    Attributes:
        angles: of the tokens read now.
        mask: which tokens a token sees, bool[T, S] or bool[B, 1, T, S]; None if all, or all before where `causal`.
        causal: whether a token sees only itself and those before, and no mask says so.
        cache: what to read on from and append to.
        absorbed: whether latent attention works on latents; see `LatentAttention`.
    """

    angles: Rotation
    mask: Tensor | None
    causal: bool = False
    cache: Cache | None = None
    absorbed: bool = False


def read(
    tokens: Tensor, padding: Tensor | None, cache: Cache | None, size: int, causal: bool, absorbed: bool = False
) -> tuple[Reading, Tensor | None]:
    """Returns what the layers share in reading tokens, int64[B, T], after those cached, and all padding, bool[B, S].

    Every token sees itself, padding too, so that no softmax is over nothing.
    """
    rows, new = tokens.shape
    old = cache.length if cache else 0
    positions = torch.arange(old, old + new, device=tokens.device)
    seen = torch.arange(old + new, device=tokens.device)
    before = cache.padding if cache else None
    if padding is not None or before is not None:
        none = torch.zeros(rows, old + new, dtype=torch.bool, device=tokens.device)
        padding = torch.cat(
            (none[:, :old] if before is None else before, none[:, old:] if padding is None else padding), dim=1
        )
    plain = causal and old == 0 and padding is None
    mask = seen <= positions[:, None] if causal and not plain and new > 1 else None  # [T, S]
    if padding is not None:
        real = ~padding[:, None, None] | (seen == positions[:, None])  # [B, 1, T, S]
        mask = real if mask is None else mask & real
    return Reading(rotation(positions, size), mask, plain, cache, absorbed), padding


def linear(inputs: int, outputs: int) -> nn.Linear:
    """Returns a linear map without a bias, as all are here."""
    return nn.Linear(inputs, outputs, bias=False)


class GroupedQueryAttention(nn.Module):
    """Attention whose H query heads share G keys and values (Ainslie et al. 2023).

    G = H is multi-head, G = 1 multi-query attention. Query head h attends to key-value head h // (H / G).
    Across to an encoder's states it has no positions: see `keys_values` and `across`.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.head_size = config.head_size
        self.grouped = config.key_value_heads < config.heads
        self.query = linear(config.width, config.width)
        self.key = linear(config.width, config.key_value_heads * config.head_size)
        self.value = linear(config.width, config.key_value_heads * config.head_size)
        self.output = linear(config.width, config.width)

    def _split(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:2], -1, self.head_size).transpose(1, 2)  # [B, T, H * size] -> [B, H, T, size]

    def keys_values(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Returns keys and values of x, float32[B, T, width], without positions: float32[B, G, T, size] each."""
        return self._split(self.key(x)), self._split(self.value(x))

    def forward(self, x: Tensor, reading: Reading, layer: int) -> Tensor:
        """Returns what each token, float32[B, T, width], takes from those it sees, float32[B, T, width]."""
        queries = rotate(self._split(self.query(x)), reading.angles)  # [B, H, T, size]
        keys, values = self.keys_values(x)
        keys = rotate(keys, reading.angles)
        if reading.cache is not None:
            keys, values = reading.cache.append(layer, keys, values)  # [B, G, S, size]
        return self._attend(queries, keys, values, reading.mask, reading.causal)

    def across(self, x: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
        """Attends from x, float32[B, T, width], to what `keys_values` made of other states.

        Args:
            x: the tokens that look.
            keys, values: float32[B or 1, G, S, size].
            mask: which states may be seen, bool[B, 1, 1, S]; None if all.
        """
        queries = self._split(self.query(x))
        shape = (x.shape[0], -1, -1, -1)
        return self._attend(queries, keys.expand(shape), values.expand(shape), mask, causal=False)

    def _attend(self, queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None, causal: bool) -> Tensor:
        mixed = functional.scaled_dot_product_attention(
            queries, keys, values, attn_mask=mask, is_causal=causal, enable_gqa=self.grouped
        )
        return self.output(mixed.transpose(1, 2).flatten(2))  # [B, H, T, size] -> [B, T, H * size]


class LatentAttention(nn.Module):
    """Multi-head latent attention (DeepSeek-AI 2024, DeepSeek-V2, section 2.1): one small latent a token is cached.

    With c = RMSNorm(x W_DKV) and one rotary key k_R = RoPE(x W_KR) that all heads share, head h has the key
    [c W_UK, k_R], the value c W_UV and the query [x W_Q, RoPE(x W_QR)]; scores are divided by sqrt(size + rotary).

    The absorbed form moves W_UK into the query and W_UV behind the softmax, so that all heads attend to the latents
    themselves and no key or value is ever built: (x W_Q) . (c W_UK) = (x W_Q W_UK^T) . c. Both forms cache the same.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.heads, self.head_size = config.heads, config.head_size
        self.latent, self.rotary = config.latent, config.rotary
        self.down_latent = linear(config.width, config.latent)  # W_DKV
        self.norm = nn.RMSNorm(config.latent, eps=EPSILON)
        self.rotary_key = linear(config.width, config.rotary)  # W_KR
        self.query = linear(config.width, config.width)  # W_Q
        self.rotary_query = linear(config.width, config.heads * config.rotary)  # W_QR
        self.up_key = linear(config.latent, config.width)  # W_UK
        self.up_value = linear(config.latent, config.width)  # W_UV
        self.output = linear(config.width, config.width)

    def forward(self, x: Tensor, reading: Reading, layer: int) -> Tensor:
        """Returns what each token, float32[B, T, width], takes from those it sees, float32[B, T, width]."""
        latents = self.norm(self.down_latent(x))[:, None]  # [B, 1, T, latent]
        shared = rotate(self.rotary_key(x)[:, None], reading.angles)  # [B, 1, T, rotary]
        if reading.cache is not None:
            latents, shared = reading.cache.append(layer, latents, shared)  # [B, 1, S, ...]
        queries = self._split(self.query(x))  # [B, H, T, size]
        turned = rotate(self._split(self.rotary_query(x)), reading.angles)  # [B, H, T, rotary]
        if reading.absorbed:
            queries = queries @ self._per_head(self.up_key)  # [B, H, T, latent]
            keys = torch.cat((latents, shared), dim=-1)  # [B, 1, S, latent + rotary]
            values = latents
        else:
            keys = self._split(self.up_key(latents[:, 0]))  # [B, H, S, size]
            keys = torch.cat((keys, shared.expand(-1, self.heads, -1, -1)), dim=-1)  # [B, H, S, size + rotary]
            values = self._split(self.up_value(latents[:, 0]))  # [B, H, S, size]
        mixed = functional.scaled_dot_product_attention(
            torch.cat((queries, turned), dim=-1),
            keys,
            values,
            attn_mask=reading.mask,
            is_causal=reading.causal,
            scale=(self.head_size + self.rotary) ** -0.5,
            enable_gqa=reading.absorbed,
        )
        if reading.absorbed:
            mixed = mixed @ self._per_head(self.up_value).transpose(1, 2)  # [B, H, T, latent] -> [B, H, T, size]
        return self.output(mixed.transpose(1, 2).flatten(2))  # [B, H, T, size] -> [B, T, H * size]

    def _split(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:2], self.heads, -1).transpose(1, 2)  # [B, T, H * n] -> [B, H, T, n]

    def _per_head(self, up: nn.Linear) -> Tensor:
        return up.weight.view(self.heads, self.head_size, -1)  # [H * size, latent] -> [H, size, latent]


def self_attention(config: NetworkConfig) -> GroupedQueryAttention | LatentAttention:
    """Returns the self-attention that a configuration asks for."""
    return LatentAttention(config) if config.latent else GroupedQueryAttention(config)
