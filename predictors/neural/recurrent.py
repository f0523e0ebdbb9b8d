"""Recurrent networks: Elman's, LSTM and GRU, and an LSTM encoder-decoder with additive attention.

Shapes: B rows, T tokens, S states of the memory, L layers.
"""

from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from aixi.predictors.neural.attention import linear
from aixi.predictors.neural.config import NetworkConfig
from aixi.predictors.neural.networks import Network, with_start

State: TypeAlias = tuple[Tensor, ...]
"""The outputs of each layer, and for an LSTM its cells: float32[L, B, width] each."""

_CELLS: dict[str, type[nn.RNN] | type[nn.LSTM] | type[nn.GRU]] = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


def _step(cells: nn.RNNBase, x: Tensor | PackedSequence, state: State) -> tuple[Any, State]:
    """Returns outputs, in the form of x, and the state after them, whatever torch makes of one-tensor states."""
    if isinstance(cells, nn.LSTM):
        return cells(x, state)
    out, after = cells(x, state[0])
    return out, (after,)


def _run(cells: nn.RNNBase, x: Tensor, padding: Tensor | None, state: State) -> tuple[Tensor, State]:
    """Returns outputs, float32[B, T, width], and the state after each row's last token that is no padding.

    Args:
        cells: the layers.
        x: float32[B, T, inputs].
        padding: bool[B, T], true where a row stands still; None if it never does.
        state: where to begin.
    """
    if x.shape[1] == 0:  # torch refuses to read nothing
        return x.new_zeros(x.shape[0], 0, cells.hidden_size), state
    if padding is None:
        return _step(cells, x, state)
    # Real tokens go to the front of their row, in order, and their outputs back to where they were.
    order = padding.int().argsort(dim=1, stable=True)  # [B, T]
    lengths = (~padding).sum(dim=1)  # [B]
    front = x.gather(1, order[..., None].expand_as(x))  # [B, T, inputs]
    packed = pack_padded_sequence(front, lengths.clamp(min=1).cpu(), batch_first=True, enforce_sorted=False)
    packed_out, after = _step(cells, packed, state)
    out, _ = pad_packed_sequence(packed_out, batch_first=True, total_length=x.shape[1])  # [B, T, width]
    out = torch.zeros_like(out).scatter(1, order[..., None].expand_as(out), out)
    moved = (lengths > 0)[None, :, None]  # a row of padding alone keeps its state
    return out, tuple(torch.where(moved, new, old) for new, old in zip(after, state, strict=True))


def _zero_state(cells: nn.RNNBase, rows: int, like: Tensor) -> State:
    zeros = like.new_zeros(cells.num_layers, rows, cells.hidden_size)
    return (zeros, zeros) if isinstance(cells, nn.LSTM) else (zeros,)


class Recurrent(Network):
    """Layers of one kind of cell over embedded tokens: Elman (1990), LSTM (Hochreiter and Schmidhuber 1997; Gers et
    al. 2000) or GRU (Cho et al. 2014), with torch's formulas and weight layout.

    Attributes:
        cells: the layers.

    Example:
        >>> from aixi.predictors.neural.networks import make_network
        >>> network = make_network(NetworkConfig("gru", vocabulary=6, width=8), seed=0)
        >>> features, state = network(torch.tensor([[0, 5]]))
        >>> further, state = network(torch.tensor([[1]]), state=state)
        >>> further.shape
        torch.Size([1, 1, 8])
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        self.cells = _CELLS[config.kind](config.width, config.width, config.layers, batch_first=True)

    def forward(
        self, tokens: Tensor, padding: Tensor | None = None, state: State | None = None
    ) -> tuple[Tensor, State]:
        """Returns the features of each token, float32[B, T, width], and the state after the last.

        Args:
            tokens: int64[B, T], each from 0 to vocabulary - 1.
            padding: bool[B, T], true where a token is none and is ignored, at the left or at the right; features mean
                nothing there.
            state: where the tokens read before led; zeros by default.
        """
        x = self.embedding(tokens)  # [B, T, width]
        out, after = _run(self.cells, x, padding, state or _zero_state(self.cells, len(tokens), x))
        return self.norm(out), after


class AdditiveMemory(NamedTuple):
    """What the LSTM encoder makes of a history; the first state is one that every history begins with.

    Attributes:
        states: m_j, float32[B, S, width]; S is one more than the history's tokens.
        keys: W_m m_j, float32[B, S, width].
        hidden, cell: the encoder's last state, where the decoder begins: float32[L, B, width] each.
    """

    states: Tensor
    keys: Tensor
    hidden: Tensor
    cell: Tensor


class AdditiveLSTM(Network):
    """An LSTM encoder-decoder with additive attention (Bahdanau et al. 2015, equations 5 and 6 and section A.1.2).

    Before each token the decoder looks at the encoder's states m_j with its last layer's output h:
    e_j = v . tanh(W_q h + W_m m_j), context = sum_j softmax(e)_j m_j. Its input is the token's embedding beside the
    context. A learnt state stands before the encoder's, so that there is one to look at before any history.

    Attributes:
        start: the state before all others, float32[1, width].
        encoder, decoder: the layers.
        query, key, score: W_q, W_m and v.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        width = config.width
        self.start = nn.Parameter(torch.empty(1, width))
        self.encoder = nn.LSTM(width, width, config.layers, batch_first=True)
        self.decoder = nn.LSTM(2 * width, width, config.layers, batch_first=True)
        self.query, self.key, self.score = linear(width, width), linear(width, width), linear(width, 1)

    def encode(self, history: Tensor, padding: Tensor | None = None) -> AdditiveMemory:
        """Returns the memory of tokens, int64[B, T]; T may be 0. Padding is as in `Recurrent.forward`."""
        x = self.embedding(history)  # [B, T, width]
        states, (hidden, cell) = _run(self.encoder, x, padding, _zero_state(self.encoder, len(history), x))
        states = torch.cat((self.start.expand(len(history), 1, -1), states), dim=1)  # [B, 1 + T, width]
        return AdditiveMemory(states, self.key(states), hidden, cell)

    def forward(
        self,
        tokens: Tensor,
        memory: AdditiveMemory,
        padding: Tensor | None = None,
        memory_padding: Tensor | None = None,
        state: State | None = None,
    ) -> tuple[Tensor, State]:
        """Returns the features of each token, float32[B, T, width], and the decoder's state after the last.

        Args:
            tokens: what follows the history, int64[B, T], T at least 1.
            memory: of the history; of one row, all rows share it.
            padding: as in `Recurrent.forward`.
            memory_padding: the history's padding, bool[B or 1, S - 1].
            state: where the tokens read before led; the encoder's last state by default.
        """
        rows = len(tokens)
        states, keys = memory.states.expand(rows, -1, -1), memory.keys.expand(rows, -1, -1)
        if state is None:
            state = tuple(x.expand(-1, rows, -1).contiguous() for x in (memory.hidden, memory.cell))
        ignored = with_start(memory_padding)
        outputs = []
        for step, x in enumerate(self.embedding(tokens).unbind(dim=1)):  # x: [B, width]
            context = self._context(state[0][-1], states, keys, ignored)
            out, after = _step(self.decoder, torch.cat((x, context), dim=-1)[:, None], state)  # out: [B, 1, width]
            if padding is not None:
                still = padding[None, :, step, None]  # [1, B, 1]
                after = tuple(torch.where(still, old, new) for old, new in zip(state, after, strict=True))
            outputs.append(out)
            state = after
        return self.norm(torch.cat(outputs, dim=1)), state

    def _context(self, h: Tensor, states: Tensor, keys: Tensor, padding: Tensor | None) -> Tensor:
        """Returns the mean of the states by how well they fit h, float32[B, width]."""
        scores = self.score(torch.tanh(self.query(h)[:, None] + keys)).squeeze(-1)  # [B, S, width] -> [B, S]
        if padding is not None:
            scores = scores.masked_fill(padding, -torch.inf)
        return (scores.softmax(dim=-1)[:, None] @ states).squeeze(1)  # [B, 1, S] @ [B, S, width]
