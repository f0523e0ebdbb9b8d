"""What a compiled network has read: its tokens, the memo of imagined ones, and how far each has been computed."""

from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from aixi.predictors.neural.arithmetic import Floats, aligned, padded
from aixi.predictors.neural.tokens import Tokens

Integers: TypeAlias = NDArray[np.int64]

# Rows of `Sequence.history`.
TOKENS, NODES, CACHED = range(3)
# Fields of `Sequence.state`: what changes, what is counted, and what stays.
LENGTH, RESOLVED, READY, LEARNT, ROOT, USED, STAMP, SPARE = range(8)
FORWARDS, HITS, PLACED = range(8, 11)
WINDOW, VOCABULARY, ACTION_OFFSET, ACTION_TOKENS, ACTIONS, FEATURES_AT, WEIGHTS_AT = range(11, 18)
STATE_FIELDS = 18
# Columns of `Memo.nodes`, and what `KNOWN` says of a node.
KEY, KNOWN, FIRST, COUNT = range(4)
NOTHING, ROW, FEATURES = range(3)


class Memo(NamedTuple):
    """A trie of N nodes, numbers 1 to N; number 0 is the root at first, number N + 1 serves a token without a node.

    Attributes:
        table: int32[power of two], open-addressing hash table of nodes by their key; 0 is free.
        nodes: int64[N + 2, 4]: `KEY`, parent * vocabulary + token; what is `KNOWN`; `FIRST` token and `COUNT` of the
            prediction kept.
        totals: float64[N + 2], sum of the kept prediction's weights.
        floats: float32[N + 2, ...]: the row; from `FEATURES_AT` on the features; from `WEIGHTS_AT` on the kept
            prediction, probabilities times their total.
    """

    table: NDArray[np.int32]
    nodes: Integers
    totals: NDArray[np.float64]
    floats: Floats


class Sequence(NamedTuple):
    """Tokens read by a network, C at most.

    Attributes:
        history: int64[3, C], of each position: `TOKENS`, the token read; `NODES`, the memo's node of it, or a stamp;
            `CACHED`, the node or stamp whose row the cache holds there, 0 for none.
        state: int64[STATE_FIELDS]: `LENGTH` in tokens; of these, how many have nodes (`RESOLVED`), and how many from
            the first on have their row in the cache (`READY`); how many are real (`LEARNT`, all but actions taken
            since); the memo's `ROOT`, its nodes in `USED`; the last `STAMP` given, and the one that node N + 1 serves
            (`SPARE`). Counted over the model's life: `FORWARDS` run, `HITS`, predictions that the memo knew, and rows
            `PLACED`. Fixed: `WINDOW` in tokens, `VOCABULARY`, `ACTION_OFFSET`, `ACTION_TOKENS`, `ACTIONS` of the
            heads, `FEATURES_AT` and `WEIGHTS_AT`.
        components: int64[components, 4]: first token, number of tokens, first bit in the percept, bits.
        head: float32[width, vocabulary + actions + 1, padded], from features to logits of tokens and of actions, both
            of base 2, and to that of a value, of base e.
        memo: what was imagined.
    """

    history: Integers
    state: Integers
    components: Integers
    head: Floats
    memo: Memo


def make_sequence(
    tokens: Tokens, head: Floats, row: int, actions: int, window: int, capacity: int, nodes: int
) -> Sequence:
    """Returns a sequence that has read nothing.

    Args:
        tokens: the code of percepts and actions.
        head: see `Sequence`.
        row: floats of a token's row.
        actions: of the policy head, 0 for none.
        window: most real tokens held.
        capacity: most tokens held.
        nodes: of the memo.
    """
    widths = np.array(tokens.widths, np.int64)
    counts = np.left_shift(1, widths)
    features_at = padded(row)
    weights_at = features_at + padded(head.shape[0])
    floats = weights_at + padded(max(int(counts.max()), actions + 1))
    state = np.zeros(STATE_FIELDS, np.int64)
    fixed = (window, tokens.vocabulary, tokens.action_offset, tokens.action_tokens, actions, features_at, weights_at)
    state[WINDOW:] = fixed
    return Sequence(
        history=np.zeros((3, capacity), np.int64),
        state=state,
        components=np.stack([tokens.offsets, counts, np.cumsum(widths) - widths, widths], axis=1),
        head=head,
        memo=Memo(
            table=np.zeros(1 << (2 * nodes + 1).bit_length(), np.int32),
            nodes=np.zeros((nodes + 2, 4), np.int64),
            totals=np.zeros(nodes + 2),
            floats=aligned(nodes + 2, -(-floats // 16) * 16),
        ),
    )
