"""What all networks share, and how one is made."""

from importlib import import_module

import torch
from torch import Tensor, nn

from aixi.errors import InvalidValueError, at_least, require
from aixi.predictors.neural.config import EPSILON, UNUSED, NetworkConfig

_CLASSES = {
    "transformer": "transformer:Transformer",
    "encoder-decoder": "encoder_decoder:EncoderDecoder",
    "rnn": "recurrent:Recurrent",
    "lstm": "recurrent:Recurrent",
    "gru": "recurrent:Recurrent",
    "additive-lstm": "recurrent:AdditiveLSTM",
}
_SMALL = 0.1  # standard deviation of an untrained network's logits: it says close to uniform
_RESIDUAL = ("output", "down")  # the maps that write into the residual stream
_HEADS = ("head", "policy", "value")


class Network(nn.Module):
    """Tokens in, features out, and heads that read them.

    Attributes:
        config: kind and sizes.
        embedding: of the tokens.
        norm: the RMS norm that features come from.
        head: from features to the logits of the next token.
        policy, value: from features to logits of actions, and to the logit of a value; None without such heads.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocabulary, config.width)
        self.norm = nn.RMSNorm(config.width, eps=EPSILON)
        self.head = nn.Linear(config.width, config.vocabulary, bias=False)
        self.policy = nn.Linear(config.width, config.actions, bias=False) if config.actions else None
        self.value = nn.Linear(config.width, 1, bias=False) if config.actions else None

    @property
    def parameter_count(self) -> int:
        """Number of weights."""
        return sum(parameter.numel() for parameter in self.parameters())

    @property
    def cache_floats_per_token(self) -> int:
        """Numbers that a cache holds of one token, all layers together; 0 of a recurrent network."""
        config = self.config
        if UNUSED[config.kind]:
            return 0
        return config.layers * (config.latent + config.rotary or 2 * config.key_value_heads * config.head_size)

    def logits(self, features: Tensor) -> Tensor:
        """Returns natural-log odds of the next token up to a constant, float32[..., vocabulary].

        Args:
            features: what the network's forward returns, float32[..., width].
        """
        return self.head(features)

    def heads(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Returns logits of the actions, float32[..., actions], and the value, float32[...] in (0, 1).

        The value is a logistic function of a linear one: a mean reward per cycle as a fraction of the reward range.

        Raises:
            InvalidValueError: if the network has no such heads.
        """
        if self.policy is None or self.value is None:
            raise InvalidValueError("the network has no policy and value heads; set actions in its configuration")
        return self.policy(features), torch.sigmoid(self.value(features).squeeze(-1))


def with_start(padding: Tensor | None) -> Tensor | None:
    """Returns a history's padding, bool[B, S - 1], with the state before it, which is none: bool[B, S]."""
    return None if padding is None else nn.functional.pad(padding, (1, 0), value=False)


def make_network(config: NetworkConfig, seed: int) -> Network:
    """Returns a network of random weights, a function of the configuration and the seed alone.

    Weights are normal with variance 1 / fan-in; those that write into a residual stream are divided by
    sqrt(2 layers) (Radford et al. 2019), so that the stream's variance does not grow with the depth. Heads are small:
    an untrained network says close to uniform. Biases are 0, but for an LSTM's forget gate, 1 (Gers et al. 2000).

    Args:
        config: kind and sizes.
        seed: at least 0 and below 2^63. Torch's global generator is neither read nor moved.

    Example:
        >>> network = make_network(NetworkConfig("transformer", vocabulary=6, width=16), seed=0)
        >>> network.parameter_count
        3312
    """
    at_least("seed", seed, 0)
    require(seed < 2**63, f"seed must be below 2^63, got {seed}")
    module, name = _CLASSES[config.kind].split(":")
    with torch.device("meta"):  # torch's own initialisation draws from the global generator
        network: Network = getattr(import_module(f"aixi.predictors.neural.{module}"), name)(config)
    network = network.to_empty(device="cpu")
    _initialise(network, torch.Generator().manual_seed(seed))
    return network


@torch.no_grad()
def _initialise(network: Network, generator: torch.Generator) -> None:
    config = network.config
    for path, parameter in network.named_parameters():
        module, _, name = path.rpartition(".")
        kind = module.rpartition(".")[2]
        if name.startswith("bias"):
            parameter.zero_()
            if name.startswith("bias_ih") and config.kind.endswith("lstm"):
                parameter.view(4, -1)[1] = 1.0  # gates: input, forget, cell, output
        elif parameter.dim() == 1:
            parameter.fill_(1.0)  # the gain of a norm
        else:
            fan_in = 1 if kind == "embedding" else parameter.shape[1]
            scale = _SMALL if kind in _HEADS else (2 * config.layers) ** -0.5 if kind in _RESIDUAL else 1.0
            parameter.normal_(0.0, scale * fan_in**-0.5, generator=generator)
