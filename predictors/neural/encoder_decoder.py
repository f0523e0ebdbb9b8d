"""An encoder-decoder Transformer (Vaswani et al. 2017): the encoder reads the real history, the decoder its futures.

The history is encoded once a cycle, every token of it seeing every other; the imagined tokens that follow see one
another causally, and the history across. Pre-norm, with rotary positions in both self-attentions and none across.
"""

from typing import TypeAlias

import torch
from torch import Tensor, nn

from aixi.errors import require
from aixi.predictors.neural.attention import Cache, GroupedQueryAttention, Reading, read, self_attention
from aixi.predictors.neural.config import EPSILON, NetworkConfig
from aixi.predictors.neural.networks import Network, with_start
from aixi.predictors.neural.transformer import Block, FeedForward, rotary_size

Memory: TypeAlias = tuple[tuple[Tensor, Tensor], ...]
"""Keys and values of the encoded history for each layer of the decoder, float32[B, G, S, size] each."""


class DecoderBlock(nn.Module):
    """Self-attention, cross-attention, feed-forward; each reads the RMS norm of the residual stream and adds to it."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.attention_norm = nn.RMSNorm(config.width, eps=EPSILON)
        self.attention = self_attention(config)
        self.cross_norm = nn.RMSNorm(config.width, eps=EPSILON)
        self.cross = GroupedQueryAttention(config)
        self.feed_forward_norm = nn.RMSNorm(config.width, eps=EPSILON)
        self.feed_forward = FeedForward(config)

    def forward(
        self, x: Tensor, reading: Reading, layer: int, memory: tuple[Tensor, Tensor], seen: Tensor | None
    ) -> Tensor:
        x = x + self.attention(self.attention_norm(x), reading, layer)
        x = x + self.cross.across(self.cross_norm(x), *memory, seen)
        return x + self.feed_forward(self.feed_forward_norm(x))


class EncoderDecoder(Network):
    """A bidirectional encoder and a causal decoder that looks across to it.

    A learnt state stands before the encoded ones, so that there is one to look at before any history.

    Attributes:
        start: the state before all others, float32[1, width].
        encoder: its layers.
        memory_norm: the RMS norm of the encoder's states.
        blocks: the decoder's layers.

    Example:
        >>> from aixi.predictors.neural.networks import make_network
        >>> network = make_network(NetworkConfig("encoder-decoder", vocabulary=6, width=16), seed=0)
        >>> memory = network.encode(torch.tensor([[0, 5, 1, 2]]))
        >>> network(torch.tensor([[4], [5]]), memory).shape
        torch.Size([2, 1, 16])
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        self.start = nn.Parameter(torch.empty(1, config.width))
        self.encoder = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.memory_norm = nn.RMSNorm(config.width, eps=EPSILON)
        self.blocks = nn.ModuleList(DecoderBlock(config) for _ in range(config.layers))

    def encode(self, history: Tensor, padding: Tensor | None = None) -> Memory:
        """Returns the memory of a history.

        Args:
            history: int64[B, T], each from 0 to vocabulary - 1; T may be 0.
            padding: bool[B, T], true where a token is none and is ignored, at the left or at the right.

        Returns:
            S is T + 1: the start, then the history's tokens.
        """
        reading, _ = read(history, padding, None, rotary_size(self.config), causal=False)
        x = self.embedding(history)  # [B, T, width]
        if history.shape[1] > 0:
            for layer, block in enumerate(self.encoder):
                x = block(x, reading, layer)
        states = self.memory_norm(torch.cat((self.start.expand(len(x), 1, -1), x), dim=1))  # [B, 1 + T, width]
        return tuple(block.cross.keys_values(states) for block in self.blocks if isinstance(block, DecoderBlock))

    def forward(
        self,
        tokens: Tensor,
        memory: Memory,
        padding: Tensor | None = None,
        memory_padding: Tensor | None = None,
        cache: Cache | None = None,
        absorbed: bool = False,
    ) -> Tensor:
        """Returns the features of each token after the history, float32[B, T, width]; at padding they mean nothing.

        Args:
            tokens: int64[B, T], each from 0 to vocabulary - 1; the first after the history has position 0.
            memory: of the history; of one row, all rows share it.
            padding: as in `encode`, of the tokens.
            memory_padding: the history's padding, bool[B or 1, S - 1].
            cache: tokens read before of the same future, after which these are read, and to which they are added.
            absorbed: whether latent attention works on latents.

        Raises:
            InvalidValueError: if `absorbed` is asked of an attention without latents.
        """
        require(not absorbed or self.config.latent > 0, "absorbed needs latent attention; set latent and rotary")
        reading, held = read(tokens, padding, cache, rotary_size(self.config), causal=True, absorbed=absorbed)
        ignored = with_start(memory_padding)
        seen = None if ignored is None else ~ignored[:, None, None]  # [B, 1, 1, S]
        x = self.embedding(tokens)  # [B, T, width]
        for layer, (block, keys_values) in enumerate(zip(self.blocks, memory, strict=True)):
            x = block(x, reading, layer, keys_values, seen)
        if cache is not None:
            cache.extend(tokens.shape[1], held)
        return self.norm(x)
