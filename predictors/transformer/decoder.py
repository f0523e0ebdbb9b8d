"""A frozen one-layer decoder-only Transformer (Vaswani et al. 2017) that reads a binary stream.

Tokens are the bits 0 and 1, and `2 + a` for side symbol a, an action. Each token passes RMS normalisation
(Zhang and Sennrich 2019), causal attention with rotary positions (Su et al. 2021, equation 34), and a ReLU
block, both with residual connections; one logit says how likely the next bit is a 1. An empty context
predicts 1/2.

Keys and values of the tokens read are cached, so that a token costs one pass whatever the context. Imagined
tokens are appended like real ones and undone by resetting the length: what lies beyond it is never read. A
real bit that makes the context longer than the window slides it: the latter half is read anew from position
0, so that the state is always that of a fresh pass over the tokens held. Imagined tokens go beyond the window
and never slide it.

Numbers are float64: the model exists to be checked, and rounding then stays far below every tolerance.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from aixi.errors import at_least, require
from aixi.predictors.base import Predictor
from aixi.predictors.intrinsics import kernel
from aixi.predictors.model import call, source_tag
from aixi.state import State

Floats = NDArray[np.float64]


class Decoder(NamedTuple):
    """Weights, cache and tokens; d is the width of the residual stream, C the capacity in tokens.

    Attributes:
        embedding: float64[2 + side symbols, d].
        attention_in: float64[d, 3d], to queries, keys and values, each float64[heads, d / heads].
        attention_out: float64[d, d].
        up: float64[d, 4d].
        down: float64[4d, d].
        head: float64[d, 1].
        cache: float64[2, heads, C, d / heads], rotated keys, then values.
        tokens: int64[C], the tokens read.
        logits: float64[C + 1], log odds of a 1 after the first i tokens.
        length: int64[1], the number of tokens read.
        residual, mixed, attended, hidden, scores: float64[d], [3d], [d], [4d] and [C], what a pass works in.
        window: tokens of context beyond which a real bit slides it.
        percept_bits: width of a percept, in bits.
        source: see `aixi.predictors.model.source_tag`.
    """

    embedding: Floats
    attention_in: Floats
    attention_out: Floats
    up: Floats
    down: Floats
    head: Floats
    cache: Floats
    tokens: NDArray[np.int64]
    logits: Floats
    length: NDArray[np.int64]
    residual: Floats
    mixed: Floats
    attended: Floats
    hidden: Floats
    scores: Floats
    window: int
    percept_bits: int
    source: NDArray[Any] = source_tag(__file__)


WEIGHTS = ("embedding", "attention_in", "attention_out", "up", "down", "head")


def random_decoder(side_symbols: int, percept_bits: int, window: int, width: int, heads: int, seed: int) -> Decoder:
    """Returns a decoder of random weights that has read nothing.

    Weights are normal with variance 1 / fan-in; logits then vary by about 1.
    """
    at_least("side_symbols", side_symbols, 0)
    at_least("percept_bits", percept_bits, 1)
    at_least("window", window, 2)
    at_least("heads", heads, 1)
    require(
        width > 0 and width % (2 * heads) == 0,
        f"width must be a multiple of twice the heads ({2 * heads}), got {width}",
    )
    rng = np.random.default_rng(seed)

    def normal(fan_in: int, *shape: int) -> Floats:
        return rng.normal(0.0, fan_in**-0.5, shape)

    return Decoder(
        embedding=normal(1, 2 + side_symbols, width),
        attention_in=normal(width, width, 3 * width),
        attention_out=normal(width, width, width),
        up=normal(width, width, 4 * width),
        down=normal(4 * width, 4 * width, width),
        head=normal(width, width, 1),
        cache=np.zeros((2, heads, window, width // heads)),
        tokens=np.zeros(window, np.int64),
        logits=np.zeros(window + 1),
        length=np.zeros(1, np.int64),
        residual=np.zeros(width),
        mixed=np.zeros(3 * width),
        attended=np.zeros(width),
        hidden=np.zeros(4 * width),
        scores=np.zeros(window),
        window=window,
        percept_bits=percept_bits,
    )


@kernel
def _dot(x: Floats, y: Floats) -> float:
    total = 0.0
    for i in range(x.size):
        total += x[i] * y[i]
    return total


@kernel
def _project_normalised(x: Floats, matrix: Floats, out: Floats) -> None:
    """Writes the RMS-normalised x times a matrix."""
    out[:] = 0.0
    _add_product(1.0 / math.sqrt(_dot(x, x) / x.size + 1e-6), x, matrix, out)


@kernel
def _add_product(scale: float, x: Floats, matrix: Floats, out: Floats) -> None:
    for i in range(x.size):
        factor = scale * x[i]
        for j in range(out.size):
            out[j] += factor * matrix[i, j]


@kernel
def _rotate(x: Floats, position: int) -> None:
    half = x.size // 2
    for i in range(half):
        angle = position * 10000.0 ** (-i / half)
        cosine, sine = math.cos(angle), math.sin(angle)
        x[i], x[half + i] = x[i] * cosine - x[half + i] * sine, x[i] * sine + x[half + i] * cosine


@kernel
def _attend(query: Floats, keys: Floats, values: Floats, scores: Floats, out: Floats) -> None:
    """Writes the mean of the values, float64[positions, size], weighted by the softmax of query times key.

    `scores`, float64[positions], is worked in.
    """
    highest = -math.inf
    for t in range(scores.size):
        scores[t] = _dot(query, keys[t]) / math.sqrt(query.size)
        highest = max(highest, scores[t])
    total = 0.0
    for t in range(scores.size):
        scores[t] = math.exp(scores[t] - highest)
        total += scores[t]
    out[:] = 0.0
    _add_product(1.0 / total, scores, values, out)


@kernel
def append(model: Decoder, token: int) -> None:
    """Reads one token after those read before."""
    position = model.length[0]
    if position >= model.tokens.size:
        raise IndexError("the Transformer's cache is full; reserve room before reading on")
    heads, size = model.cache.shape[1], model.cache.shape[3]
    x, mixed, attended, hidden = model.residual, model.mixed, model.attended, model.hidden
    for i in range(x.size):
        x[i] = model.embedding[token, i]
    _project_normalised(x, model.attention_in, mixed)
    for head in range(heads):
        first = head * size
        query = mixed[first : first + size]
        keys, values = model.cache[0, head, : position + 1], model.cache[1, head, : position + 1]
        for i in range(size):
            keys[position, i] = mixed[x.size + first + i]
            values[position, i] = mixed[2 * x.size + first + i]
        _rotate(query, position)
        _rotate(keys[position], position)
        _attend(query, keys, values, model.scores[: position + 1], attended[first : first + size])
    _add_product(1.0, attended, model.attention_out, x)
    _project_normalised(x, model.up, hidden)
    for i in range(hidden.size):
        hidden[i] = max(hidden[i], 0.0)
    _add_product(1.0, hidden, model.down, x)
    model.tokens[position] = token
    _project_normalised(x, model.head, model.logits[position + 1 : position + 2])
    model.length[0] = position + 1


@kernel
def code_length(model: Decoder, bit: int) -> float:
    """Returns -log2 P(bit | the tokens read), in bits."""
    logit = model.logits[model.length[0]]
    against = -logit if bit else logit  # log odds against the bit
    bits: float = (max(against, 0.0) + math.log1p(math.exp(-abs(against)))) / math.log(2.0)
    return bits


@kernel
def learn(model: Decoder, bit: int) -> float:
    """Reads a real bit, slides a context that has outgrown the window, and returns the bit's code length."""
    bits = code_length(model, bit)
    append(model, bit)
    length = model.length[0]
    if length > model.window:
        kept = model.window // 2
        model.length[0] = 0
        for i in range(length - kept, length):
            append(model, model.tokens[i])
    return bits


def with_room(model: Decoder, tokens: int) -> Decoder:
    """Returns the decoder with room for at least so many tokens more, in new arrays where it has not."""
    capacity = int(model.length[0]) + tokens
    more = capacity - model.tokens.size
    if more <= 0:
        return model
    return model._replace(
        cache=np.pad(model.cache, ((0, 0), (0, 0), (0, more), (0, 0))),
        tokens=np.pad(model.tokens, (0, more)),
        logits=np.pad(model.logits, (0, more)),
        scores=np.zeros(capacity),
    )


def decoder_state(model: Decoder) -> State:
    """Returns the weights and the tokens held; the cache follows from them."""
    weights = {name: getattr(model, name).copy() for name in WEIGHTS}
    tokens = model.tokens[: model.length[0]].copy()
    return {"window": model.window, "heads": model.cache.shape[1], "weights": weights, "tokens": tokens}


def restored(model: Decoder, state: State) -> Decoder:
    """Returns the decoder with the weights and tokens of a state."""
    for name, value in (("window", model.window), ("heads", model.cache.shape[1])):
        require(state[name] == value, f"{name} must be {value} as configured, got {state[name]}")
    weights: dict[str, Any] = {name: np.array(state["weights"][name], np.float64) for name in WEIGHTS}
    for name, array in weights.items():
        expected = getattr(model, name).shape
        require(array.shape == expected, f"{name} must have shape {expected} as configured, got {array.shape}")
    tokens, vocabulary = np.asarray(state["tokens"], np.int64), model.embedding.shape[0]
    require(
        bool(np.all((tokens >= 0) & (tokens < vocabulary))),
        f"tokens must be at least 0 and less than {vocabulary} as configured, got {np.unique(tokens)}",
    )
    model.length[0] = 0
    model = with_room(model._replace(**weights), tokens.size)
    for token in tokens:
        call(append, model, int(token))
    return model


class FrozenTransformer(Predictor):
    """A Transformer of random weights that stay as they are: updating is reading.

    Args:
        side_symbols: number of symbols that `condition` takes.
        window: the most real tokens of context, at least 2; it slides to half of them.
        width: width of the residual stream, a multiple of twice the heads.
        heads: number of attention heads.
        seed: of the weights.

    Example:
        >>> predictor = FrozenTransformer(seed=1)
        >>> predictor.update(1)
        1.0
        >>> bool(np.isclose(np.exp2(predictor.log2_probs()).sum(), 1.0))
        True
    """

    def __init__(self, side_symbols: int = 2, window: int = 64, width: int = 16, heads: int = 2, seed: int = 0) -> None:
        self.alphabet_size = 2
        self.side_symbols = side_symbols
        self._model = random_decoder(side_symbols, 1, window, width, heads, seed)
        self._real: int | None = None  # tokens held when imagination began; None while nothing is imagined
        self._learnt = 0  # tokens held after the last update

    def log2_probs(self) -> Floats:
        return np.array([-call(code_length, self._model, bit) for bit in (0, 1)])

    def update(self, symbol: int) -> float:
        require(self._real is None, "update must not follow imagine: rewind to the mark first")
        bits = float(call(learn, self._roomy(), self._symbol("symbol", symbol, 2)))
        self._learnt = self.mark()
        return bits

    def condition(self, symbol: int) -> None:
        call(append, self._roomy(), 2 + self._symbol("side symbol", symbol, self.side_symbols))

    def imagine(self, symbol: int) -> float:
        bit = self._symbol("symbol", symbol, 2)
        if self._real is None:
            self._real = self.mark()
        bits = float(call(code_length, self._model, bit))
        call(append, self._roomy(), bit)
        return bits

    def mark(self) -> int:
        return int(self._model.length[0])

    def rewind(self, mark: int) -> None:
        require(
            self._learnt <= mark <= self.mark(),
            f"mark must be one taken since the last update and not beyond this state, got {mark}",
        )
        self._model.length[0] = mark
        if self._real is not None and mark <= self._real:
            self._real = None

    def state_dict(self) -> State:
        require(self._real is None, "a state must not be taken while symbols are imagined: rewind first")
        return decoder_state(self._model)

    def load_state_dict(self, state: State) -> None:
        self._model = restored(self._model, state)
        self._real = None
        self._learnt = self.mark()

    def _roomy(self) -> Decoder:
        """Returns the model with room for one token more; capacity doubles, so that growth stays cheap."""
        if self._model.length[0] == self._model.tokens.size:
            self._model = with_room(self._model, self._model.tokens.size)
        return self._model

    @staticmethod
    def _symbol(name: str, symbol: int, count: int) -> int:
        require(symbol in range(count), f"{name} must be at least 0 and less than {count}, got {symbol}")
        return int(symbol)
