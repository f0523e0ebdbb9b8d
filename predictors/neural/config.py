"""What a network is: its kind and its sizes."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from aixi.errors import InvalidValueError, at_least, require

EPSILON = 1e-6
"""Added to the mean square in every RMS norm."""

ROTARY_BASE = 10000.0
"""Base of the rotary frequencies."""

_SIZES = ("vocabulary", "width", "layers", "heads", "groups", "latent", "rotary", "hidden", "actions")
_ATTENTION = ("heads", "groups", "latent", "rotary", "hidden")
UNUSED = {
    "transformer": (),
    "encoder-decoder": (),
    "rnn": _ATTENTION,
    "lstm": _ATTENTION,
    "gru": _ATTENTION,
    "additive-lstm": _ATTENTION,
}
"""The kinds of network, each with the sizes that mean nothing for it and must keep their defaults."""


ENCODING = ("encoder-decoder", "additive-lstm")
"""Kinds whose encoder reads the history, and whose decoder begins anew behind it."""


@dataclass(frozen=True)
class NetworkConfig:
    """Kind and sizes of a network.

    Args:
        kind: "transformer", "encoder-decoder", "rnn", "lstm", "gru" or "additive-lstm".
        vocabulary: number of tokens.
        width: of the residual stream, or of a recurrent layer's state.
        layers: number of layers; encoder and decoder have as many each.
        heads: query heads of an attention.
        groups: key-value heads that the query heads share: 0 is one each (multi-head), 1 one for all (multi-query),
            between grouped-query.
        latent: width of the latent that keys and values are made of (multi-head latent attention); 0 is none.
        rotary: width of the latent attention's shared rotary key, even; 0 without a latent.
        hidden: width of the feed-forward layer; 0 is 4 times `width`.
        actions: number of actions of the policy and value heads; 0 is no such heads.

    Raises:
        InvalidValueError: if sizes do not fit together, or a size is set that the kind does not use.

    Example:
        >>> config = NetworkConfig("transformer", vocabulary=10, width=64, groups=2)
        >>> config.head_size, config.key_value_heads, config.hidden_width
        (16, 2, 256)
        >>> NetworkConfig.from_dict(config.to_dict()) == config
        True
    """

    kind: str
    vocabulary: int
    width: int = 32
    layers: int = 1
    heads: int = 4
    groups: int = 0
    latent: int = 0
    rotary: int = 0
    hidden: int = 0
    actions: int = 0

    def __post_init__(self) -> None:
        if self.kind not in list(UNUSED):  # a list: a card may hold what has no hash
            raise InvalidValueError(f"kind must be one of {', '.join(UNUSED)}, got {self.kind!r}")
        for name in _SIZES:
            lowest = 1 if name in ("vocabulary", "width", "layers", "heads") else 0
            object.__setattr__(self, name, at_least(name, getattr(self, name), lowest))  # 32.0 is 32
        for field in fields(self):
            value = getattr(self, field.name)
            require(
                field.name not in UNUSED[self.kind] or value == field.default,
                f"{field.name} means nothing for kind {self.kind!r} and must be {field.default}, got {value}",
            )
        if not UNUSED[self.kind]:
            self._check_attention()

    def _check_attention(self) -> None:
        require(self.width % self.heads == 0, f"width must be a multiple of the heads ({self.heads}), got {self.width}")
        require(
            self.heads % self.key_value_heads == 0,
            f"groups must divide the heads ({self.heads}), or be 0 for one each, got {self.groups}",
        )
        if self.latent:
            require(self.groups == 0, f"groups must be 0 with a latent, got {self.groups}")
            require(
                self.rotary > 0 and self.rotary % 2 == 0,
                f"rotary must be even and above 0 with a latent, got {self.rotary}",
            )
        else:
            require(self.rotary == 0, f"rotary must be 0 without a latent, got {self.rotary}; set latent")
            require(
                self.head_size % 2 == 0,
                f"width must be a multiple of twice the heads ({2 * self.heads}), for rotary pairs, got {self.width}",
            )

    @property
    def head_size(self) -> int:
        """Width of a head's query, key and value, the rotary part of a latent attention apart."""
        return self.width // self.heads

    @property
    def key_value_heads(self) -> int:
        """Number of key-value heads."""
        return self.groups or self.heads

    @property
    def hidden_width(self) -> int:
        """Width of the feed-forward layer."""
        return self.hidden or 4 * self.width

    def to_dict(self) -> dict[str, Any]:
        """Returns every field by name, as JSON holds it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "NetworkConfig":
        """Returns the configuration of `to_dict`.

        Raises:
            InvalidValueError: if a field is unknown, missing or out of range.
        """
        names = [field.name for field in fields(cls)]
        unknown = sorted(set(values) - set(names))
        require(not unknown, f"a network has no field {', '.join(unknown)}; its fields are {', '.join(names)}")
        missing = [name for name in ("kind", "vocabulary") if name not in values]
        require(not missing, f"a network needs {' and '.join(missing)}, got neither value nor default")
        return cls(**values)
