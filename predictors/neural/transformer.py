"""A decoder-only Transformer (Vaswani et al. 2017; Radford et al. 2019), pre-norm, with rotary positions."""

from torch import Tensor, nn
from torch.nn import functional

from aixi.errors import require
from aixi.predictors.neural.attention import (
    Cache,
    Reading,
    linear,
    read,
    self_attention,
)
from aixi.predictors.neural.config import EPSILON, NetworkConfig
from aixi.predictors.neural.networks import Network


class FeedForward(nn.Module):
    """ReLU(x W_up) W_down."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.up = linear(config.width, config.hidden_width)
        self.down = linear(config.hidden_width, config.width)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(functional.relu(self.up(x)))


class Block(nn.Module):
    """Self-attention, then feed-forward; each reads the RMS norm of the residual stream and adds to it."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.attention_norm = nn.RMSNorm(config.width, eps=EPSILON)
        self.attention = self_attention(config)
        self.feed_forward_norm = nn.RMSNorm(config.width, eps=EPSILON)
        self.feed_forward = FeedForward(config)

    def forward(self, x: Tensor, reading: Reading, layer: int) -> Tensor:
        x = x + self.attention(self.attention_norm(x), reading, layer)
        return x + self.feed_forward(self.feed_forward_norm(x))


def rotary_size(config: NetworkConfig) -> int:
    """Returns the width of what is rotated in one head."""
    return config.rotary or config.head_size


class Transformer(Network):
    """A stack of causal blocks over embedded tokens.

    Attributes:
        blocks: the layers.

    Example:
        >>> import torch
        >>> from aixi.predictors.neural.networks import make_network
        >>> network = make_network(NetworkConfig("transformer", vocabulary=6, width=16), seed=0)
        >>> features = network(torch.tensor([[0, 5, 1]]))
        >>> network.logits(features).shape
        torch.Size([1, 3, 6])
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))

    def forward(
        self, tokens: Tensor, padding: Tensor | None = None, cache: Cache | None = None, absorbed: bool = False
    ) -> Tensor:
        """Returns the features of each token, float32[B, T, width]; at padding they mean nothing.

        Args:
            tokens: int64[B, T], each from 0 to vocabulary - 1.
            padding: bool[B, T], true where a token is none and is ignored, at the left or at the right.
            cache: tokens read before, after which these are read, and to which they are added.
            absorbed: whether latent attention works on latents, the cheaper form for few new tokens.

        Raises:
            InvalidValueError: if `absorbed` is asked of an attention without latents.
        """
        require(not absorbed or self.config.latent > 0, "absorbed needs latent attention; set latent and rotary")
        reading, held = read(tokens, padding, cache, rotary_size(self.config), causal=True, absorbed=absorbed)
        x = self.embedding(tokens)  # [B, T, width]
        for layer, block in enumerate(self.blocks):
            x = block(x, reading, layer)
        if cache is not None:
            cache.extend(tokens.shape[1], held)
        return self.norm(x)
