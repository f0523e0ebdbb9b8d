"""A neural network as a predictor of one sequence."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aixi.errors import InvalidValueError, at_least, require
from aixi.predictors import model as contract
from aixi.predictors.base import Predictor
from aixi.predictors.intrinsics import Integer, kernel
from aixi.predictors.model import call
from aixi.predictors.neural.config import ENCODING
from aixi.predictors.neural.learning import Training
from aixi.predictors.neural.online import OnlineNetwork, network_of
from aixi.predictors.neural.sequence import predict, push, settle
from aixi.predictors.neural.tokens import WIDEST, Tokens
from aixi.state import State

_FLOOR = 2.0**-40
"""Added to every probability: float32 weights can make a network certain, and a certain predictor can be infinitely
wrong."""
_RUN = 1024
"""Symbols learnt in one call, so that room and time between two interrupts are bounded."""


@kernel
def _probabilities(model: Any, weights: NDArray[np.float32], out: NDArray[np.float64]) -> None:
    """Writes the probabilities of the next symbol, float64[alphabet], which sum to 1 in double precision."""
    predict(model, 0, weights.size, weights)
    total = 0.0
    for symbol in range(weights.size):
        total += np.float64(weights[symbol])
    for symbol in range(weights.size):
        out[symbol] = (np.float64(weights[symbol]) / total + _FLOOR) / (1.0 + _FLOOR * weights.size)


@kernel
def _follow(
    model: Any, symbols: NDArray[np.int64], real: Integer, weights: NDArray[np.float32], out: NDArray[np.float64]
) -> float:
    """Reads symbols in turn, for good if `real`, and returns their total code length in bits."""
    bits = 0.0
    for index in range(symbols.size):
        _probabilities(model, weights, out)
        bits -= math.log2(out[symbols[index]])
        push(model, symbols[index])
        if real:
            settle(model)
    return bits


@kernel
def _push(model: Any, token: Integer) -> None:
    push(model, token)


@kernel
def _rewind(model: Any, mark: int) -> None:
    contract.rewind(model, mark)


class NeuralPredictor(Predictor):
    """A network that learns a sequence as it comes: each symbol is scored before anything is learnt from it.

    After each `train_every` symbols AdamW makes steps on windows of the sequence so far; see
    `aixi.predictors.neural.learning`.

    Args:
        alphabet_size: number of symbols, 2 to 256.
        side_symbols: number of symbols that `condition` takes, at least 1.
        kind: "transformer", "rnn", "lstm" or "gru".
        width, layers, heads, groups, latent, rotary, hidden: sizes of the network; see `NetworkConfig`. None is the
            default, two heads, or what the checkpoint has.
        window: most real symbols, side information among them, that a prediction looks back on, at least 4.
        train_every, train_steps, learning_rate, weight_decay, batch, warm_up, clip, memory: see `Training`, a symbol
            being a cycle; with `train_every` 0 the weights stay as they are.
        seed: of the weights and of what is drawn to learn from, at least 0 and below 2^63.
        checkpoint: of a saved network that it starts from; random weights by default.

    Raises:
        InvalidValueError: if a number is out of range, or the saved network is another than asked for.

    Example:
        >>> predictor = NeuralPredictor(kind="lstm", width=16, window=16)
        >>> predictor.update(1)
        1.0
        >>> bits = predictor.update_many([0, 1] * 300)
        >>> predictor.update(0) < 0.05
        True
    """

    def __init__(
        self,
        alphabet_size: int = 2,
        side_symbols: int = 2,
        kind: str = "transformer",
        *,
        width: int | None = None,
        layers: int | None = None,
        heads: int | None = None,
        groups: int | None = None,
        latent: int | None = None,
        rotary: int | None = None,
        hidden: int | None = None,
        window: int = 64,
        train_every: int = 16,
        train_steps: int = 10,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.01,
        batch: int = 8,
        warm_up: int = 50,
        clip: float = 1.0,
        memory: int = 9,
        seed: int = 0,
        checkpoint: str | None = None,
    ) -> None:
        at_least("alphabet_size", alphabet_size, 2)
        require(alphabet_size <= 1 << WIDEST, f"alphabet_size must be at most {1 << WIDEST}, got {alphabet_size}")
        at_least("side_symbols", side_symbols, 1)
        require(
            kind not in ENCODING,
            f"kind must be one without an encoder, which needs an action before what it predicts, got {kind!r}",
        )
        self.alphabet_size, self.side_symbols = alphabet_size, side_symbols
        training = Training(train_every, train_steps, learning_rate, weight_decay, batch, warm_up, clip, memory)
        tokens = Tokens(((alphabet_size - 1).bit_length(),), side_symbols)
        sizes = {"width": width, "layers": layers, "heads": heads, "groups": groups} | {
            "latent": latent,
            "rotary": rotary,
            "hidden": hidden,
        }
        network = network_of(kind, tokens.vocabulary, 0, checkpoint, seed, sizes)
        slices = np.zeros((tokens.vocabulary, 2), np.int64)
        slices[:alphabet_size, 1] = alphabet_size
        self._side = tokens.action_offset
        self._online = OnlineNetwork(network, tokens, slices, training, window=window, ahead=0, seed=seed)
        self._work = np.zeros(alphabet_size, np.float32), np.zeros(alphabet_size)
        self._imagined_from: int | None = None  # the mark where imagination began
        self._dropped = 0  # tokens that the window has left behind

    def log2_probs(self) -> NDArray[np.float64]:
        weights, out = self._work
        call(_probabilities, self._online.compiled, weights, out)
        return np.log2(out)

    def update(self, symbol: int) -> float:
        return self.update_many([self._checked("symbol", symbol, self.alphabet_size)])

    def update_many(self, symbols: Iterable[int]) -> float:
        """Learns a run of real symbols and returns their total code length in bits.

        Raises:
            InvalidValueError: if one is not of the alphabet, before any is learnt, or in the middle of imagination.
            TrainingFaultError: if training went out of range: the symbols up to there are learnt.
        """
        values = np.array([self._checked("symbol", symbol, self.alphabet_size) for symbol in symbols], np.int64)
        require(self._imagined_from is None, "update must not follow imagine: rewind to the mark first")
        online, bits, done = self._online, [], 0
        while done < values.size:
            run = values[done : done + min(online.until_due(), _RUN)]
            before = self.mark()
            online.reserve(1)
            bits.append(call(_follow, online.compiled, run, True, *self._work))
            self._dropped = before + run.size - online.held
            online.learn(run, run.size)
            done += run.size
        return math.fsum(bits)

    def condition(self, symbol: int) -> None:
        token = self._side + self._checked("side symbol", symbol, self.side_symbols)
        if self._imagined_from is None:
            self._online.read(np.array([token], np.int64))
        else:
            self._online.reserve(1)
            call(_push, self._online.compiled, token)

    def imagine(self, symbol: int) -> float:
        run = np.array([self._checked("symbol", symbol, self.alphabet_size)], np.int64)
        if self._imagined_from is None:
            self._imagined_from = self.mark()
        self._online.reserve(1)
        return float(call(_follow, self._online.compiled, run, False, *self._work))

    def mark(self) -> int:
        return self._dropped + self._online.held

    def rewind(self, mark: int) -> None:
        online = self._online
        learnt = self._dropped + online.learnt
        require(
            learnt <= mark <= self.mark(),
            f"mark must be one taken since the last update and not beyond this state, got {mark}",
        )
        call(_rewind, online.compiled, mark - self._dropped)
        del online.pending[mark - learnt :]
        if self._imagined_from is not None and mark <= self._imagined_from:
            self._imagined_from = None

    def state_dict(self) -> State:
        require(self._imagined_from is None, "a state must not be taken while symbols are imagined: rewind first")
        return self._online.state_dict() | {"alphabet_size": self.alphabet_size, "dropped": self._dropped}

    def load_state_dict(self, state: State) -> None:
        if state.get("alphabet_size") != self.alphabet_size:
            raise InvalidValueError(
                f"alphabet_size must be {self.alphabet_size} as configured, got {state.get('alphabet_size')}"
            )
        self._online.load_state_dict(state)
        self._dropped, self._imagined_from = state["dropped"], None

    @property
    def network(self) -> Any:
        """The network of the weights that it predicts with; see `save_checkpoint`."""
        return self._online.network

    @staticmethod
    def _checked(name: str, symbol: int, count: int) -> int:
        require(symbol in range(count), f"{name} must be at least 0 and less than {count}, got {symbol}")
        return int(symbol)
