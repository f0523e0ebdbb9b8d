"""A network in torch as a model that follows many futures at once, and when that is the faster way.

The tokens of the real history are read once: all rows share what they left, a cache of keys and values or a recurrent
state. Then each token of a cycle costs one forward for all rows.
"""

import copy
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from aixi.errors import InvalidValueError, at_least, require
from aixi.predictors.intrinsics import kernel, next_float
from aixi.predictors.neural.attention import Cache
from aixi.predictors.neural.encoder_decoder import EncoderDecoder
from aixi.predictors.neural.networks import Network
from aixi.predictors.neural.recurrent import AdditiveLSTM
from aixi.predictors.neural.tokens import Tokens
from aixi.predictors.neural.transformer import Transformer

LARGEST_COMPILED = 500_000
"""Weights of the largest network that is followed compiled on a CPU.

Microseconds of one thread an imagined percept of two components, compiled and in batches of 64 (128 the Transformer):
LSTM of 36 k weights 7.5 and 35, of 1.06 M 251 and 213, of 4.2 M 2550 and 599; Transformer of 101 k weights 25 and 242,
of 399 k 84 and 478, of 1.58 M 499 and 878.
"""


def torch_device(name: str) -> torch.device:
    """Returns a device that torch can compute on here.

    Args:
        name: "cpu", "cuda", or "cuda:N".

    Raises:
        InvalidValueError: if there is no such device, or torch does not see it.

    Example:
        >>> torch_device("cpu")
        device(type='cpu')
    """
    kind, _, number = name.partition(":")
    if kind not in ("cpu", "cuda") or (number and not number.isdecimal()):
        raise InvalidValueError(f"device must be cpu, cuda or cuda:N, got {name!r}")
    if kind == "cuda":
        seen = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if int(number or 0) >= seen:
            raise InvalidValueError(f"device {name} was asked for, but torch sees {seen} CUDA devices here; use cpu")
    return torch.device(name)


def choose_inference(parameters: int, device: str) -> str:
    """Returns how a network's futures are followed faster: "compiled", one by one, or in "torch", in batches.

    Compiled code runs on the CPU only; there it wins as long as its weights stay in the caches.

    Args:
        parameters: number of weights.
        device: as of `torch_device`.

    Raises:
        InvalidValueError: if the device is not there.

    Example:
        >>> choose_inference(100_000, "cpu")
        'compiled'
    """
    at_least("parameters", parameters, 1)
    on_cpu = torch_device(device).type == "cpu"
    return "compiled" if on_cpu and parameters <= LARGEST_COMPILED else "torch"


@kernel
def _uniforms(rngs: NDArray[np.uint64], out: NDArray[np.float64]) -> None:
    """Fills float64[rows, draws] with each row's next numbers in [0, 1)."""
    for row in range(out.shape[0]):
        for draw in range(out.shape[1]):
            out[row, draw] = next_float(rngs[row : row + 1])


class TorchBatchModel:
    """A network's imagined futures, many at once: a `BatchModel`.

    Results depend on `threads`, not on what torch is set to elsewhere; nor on other rows, but for the last bits of a
    product that a device sums in an order of its own.

    Args:
        network: of any kind. On the CPU its weights are shared; on another device they are copies.
        tokens: its code of percepts and actions.
        device: "cpu", "cuda" or "cuda:N".
        threads: torch's threads while it computes here.

    Raises:
        InvalidValueError: if the device is not there, or the vocabularies differ.

    Example:
        >>> from aixi.predictors.neural.config import NetworkConfig
        >>> from aixi.predictors.neural.networks import make_network
        >>> tokens = Tokens((2, 3), actions=2)
        >>> config = NetworkConfig("gru", vocabulary=tokens.vocabulary, width=8)
        >>> model = TorchBatchModel(make_network(config, seed=0), tokens)
        >>> model.follow([12, 3, 4])
        >>> model.begin(rows=5)
        >>> model.condition(np.array([0, 1, 0, 1, 1]))
        >>> model.sample(np.arange(5, dtype=np.uint64)).shape
        (5, 1)
        >>> model.end()
    """

    _state: Any  # of the rows: what `_forward` goes on from
    _features: Tensor | None  # float32[rows, width], of each row's last token; None before the first
    _prefix_features: Tensor | None  # float32[1, width], of the last real token

    def __init__(self, network: Network, tokens: Tokens, *, device: str = "cpu", threads: int = 1) -> None:
        self._device = torch_device(device)
        self._threads = at_least("threads", threads, 1)
        self._tokens = tokens
        self.actions, self.percept_bits = tokens.actions, tokens.percept_bits
        self._action_tokens = self._tensor(np.stack([tokens.of_action(action) for action in range(tokens.actions)]))
        self._first_bits = np.concatenate([[0], np.cumsum(tokens.widths)[:-1]]).tolist()
        self._outside: int | None = None  # torch's threads before `begin`
        self.load(network)

    def load(self, network: Network) -> None:
        """Takes over a network whose weights have changed, or another one; what the old ones made is dropped.

        Raises:
            InvalidValueError: if its vocabulary is not that of the tokens.
        """
        require(
            network.config.vocabulary == self._tokens.vocabulary,
            f"vocabulary of the network must be {self._tokens.vocabulary}, as its tokens have, "
            f"got {network.config.vocabulary}",
        )
        shared = self._device.type == "cpu"
        self._network: Any = network if shared else copy.deepcopy(network).to(self._device)
        self._forget()

    def _forget(self) -> None:
        self._read: list[int] = []
        self._encoded: list[int] | None = None
        self._memory: Any = None
        self._prefix: Any = self._nothing()
        self._prefix_features = None
        self._stop()

    def _nothing(self) -> Any:
        """Returns what has read no token."""
        return Cache() if isinstance(self._network, Transformer | EncoderDecoder) else None

    def follow(self, history: ArrayLike, encoded: ArrayLike = ()) -> None:
        """Makes a real history the present; of one that goes on from the last, only what is new is read.

        Args:
            history: int64[T], its tokens; for a network with an encoder, those after what is encoded.
            encoded: int64[S], for a network with an encoder, the tokens it encodes.

        Raises:
            InvalidValueError: if tokens are to be encoded that the network has no encoder for.
        """
        read, memory = np.asarray(history, np.int64).tolist(), np.asarray(encoded, np.int64).tolist()
        encodes = isinstance(self._network, EncoderDecoder | AdditiveLSTM)
        require(encodes or not memory, f"encoded must be empty for a network of kind {self._network.config.kind!r}")
        self._enter()
        try:
            with torch.inference_mode():
                if (encodes and memory != self._encoded) or read[: len(self._read)] != self._read:
                    self._forget()
                    if encodes:
                        self._encoded, self._memory = memory, self._network.encode(self._tensor([memory]))
                new = read[len(self._read) :]
                if new:
                    features, self._prefix = self._forward(self._tensor([new]), self._prefix)
                    self._prefix_features = features
                self._read = read
        finally:
            self.end()

    def reserve(self, cycles: int) -> None:
        """Does nothing: torch's tensors grow as they are read."""

    def begin(self, rows: int) -> None:
        self._enter()
        self._rows = rows
        self._pending = torch.zeros((rows, 0), dtype=torch.int64, device=self._device)
        with torch.inference_mode():
            if isinstance(self._prefix, Cache):
                self._state = self._prefix.expand(rows)
            elif self._prefix is not None:
                self._state = tuple(each.expand(-1, rows, -1).contiguous() for each in self._prefix)
            if self._prefix_features is not None:
                self._features = self._prefix_features.expand(rows, -1)

    def condition(self, actions: NDArray[np.int64]) -> None:
        self._pending = torch.cat((self._pending, self._action_tokens[self._tensor(actions)]), dim=1)

    @torch.inference_mode()
    def sample(self, rngs: NDArray[np.uint64]) -> NDArray[np.uint64]:
        tokens = self._tokens
        uniforms = np.empty((self._rows, len(tokens.widths)), np.float64)
        _uniforms(rngs, uniforms)
        drawn = torch.as_tensor(uniforms, device=self._device)
        values = []
        for component, width in enumerate(tokens.widths):
            self._catch_up()
            first, count = int(tokens.offsets[component]), 1 << width
            value = self._draw(drawn[:, component, None], first, count)
            self._pending = first + value
            values.append(value)
        return self._packed(torch.cat(values, dim=1).cpu().numpy())

    def _draw(self, uniforms: Tensor, first: int, count: int) -> Tensor:
        """Returns values of a component by inverse distribution functions, int64[rows, 1]."""
        if self._features is None:  # nothing is known before the first token
            return (uniforms * count).long()
        logits = self._network.logits(self._features)[:, first : first + count]
        sums = logits.double().softmax(dim=-1).cumsum(dim=-1)  # [rows, count]
        # The last sum is 1 but for rounding, and no value lies beyond it.
        return (uniforms >= sums[:, :-1]).sum(dim=-1, keepdim=True)

    @torch.inference_mode()
    def evaluate(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        self._catch_up()
        if self._features is None:
            return np.full((self._rows, self.actions), 1.0 / self.actions), np.full(self._rows, 0.5)
        logits, values = self._network.heads(self._features)
        return logits.double().softmax(dim=-1).cpu().numpy(), values.double().cpu().numpy()

    def end(self) -> None:
        self._stop()
        if self._outside is not None:
            torch.set_num_threads(self._outside)
            self._outside = None

    def _enter(self) -> None:
        if self._outside is None:
            self._outside = torch.get_num_threads()
            torch.set_num_threads(self._threads)
        self._stop()

    def _stop(self) -> None:
        """Drops all futures."""
        self._rows = 0
        self._state = self._nothing()
        self._features = None

    def _catch_up(self) -> None:
        """Reads what was conditioned on and drawn since the last prediction."""
        if self._pending.shape[1]:
            self._features, self._state = self._forward(self._pending, self._state)
            self._pending = self._pending[:, :0]

    def _forward(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Reads int64[rows, T] and returns the last token's features, float32[rows, width], and what is left of all."""
        memory = () if self._memory is None else (self._memory,)
        if isinstance(self._network, Transformer | EncoderDecoder):
            features = self._network(tokens, *memory, cache=state)
        else:
            features, state = self._network(tokens, *memory, state=state)
        return features[:, -1], state

    def _tensor(self, values: Any) -> Tensor:
        return torch.as_tensor(np.asarray(values, np.int64), device=self._device)

    def _packed(self, values: NDArray[np.int64]) -> NDArray[np.uint64]:
        """Returns the words, uint64[rows, W], of components' values, int64[rows, components]."""
        words = np.zeros((self._rows, -(-self.percept_bits // 64)), np.uint64)
        for component, (bit, width) in enumerate(zip(self._first_bits, self._tokens.widths, strict=True)):
            value = values[:, component].astype(np.uint64)
            words[:, bit >> 6] |= value << np.uint64(bit & 63)
            if (bit & 63) + width > 64:
                words[:, (bit >> 6) + 1] |= value >> np.uint64(64 - (bit & 63))
        return words
