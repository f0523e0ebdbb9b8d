"""A row of context trees with its configuration, and room that grows with what is learnt and imagined."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from aixi.errors import InvalidValueError, at_least
from aixi.predictors.context_tree import (
    DENSE_DEPTH,
    ESTIMATOR,
    LEARNT,
    LENGTH,
    MAX_DEPTH,
    PADDING,
    PENDING,
    SLOTS,
    STATE_FIELDS,
    UNDO,
    ContextTrees,
    bit_at,
    count,
    new_leaf,
)
from aixi.predictors.estimators import ESTIMATORS
from aixi.predictors.intrinsics import kernel
from aixi.predictors.model import call
from aixi.state import State

# A mark is LENGTH * 2^28 + UNDO: both stay far below their share of an int64 for as long as memory lasts.
MARK_BITS = 28


@kernel
def settle(trees: Any) -> None:
    """Counts the imagined percept that was drawn last. Until something follows it, nothing depends on its counts:
    the last percept of every simulation is never counted at all."""
    bits = trees.state[PENDING]
    if bits:
        trees.state[PENDING] = 0
        position = trees.state[LENGTH] - bits
        for tree in range(bits):
            count(trees, tree, position + tree, bit_at(trees.history, position + tree))


class Forest:
    """Context trees with their configuration, and room that grows."""

    def __init__(self, depth: int, trees: int, estimator: str, action_bits: int = 0) -> None:
        depth = at_least("depth", depth, 1)
        trees = at_least("percept_bits", trees, 1)
        if depth + trees - 1 > MAX_DEPTH:
            raise InvalidValueError(f"depth + percept_bits - 1 must be at most {MAX_DEPTH}, got {depth + trees - 1}")
        if estimator not in ESTIMATORS:
            raise InvalidValueError(f"estimator must be one of {', '.join(ESTIMATORS)}, got {estimator!r}")
        self.configuration: State = {
            "depth": depth,
            "trees": trees,
            "estimator": estimator,
            "action_bits": action_bits,
        }
        depths = depth + np.arange(trees, dtype=np.int64)  # tree i sees depth + i bits (Veness et al. 2011, 5.2)
        sizes = np.where(depths <= DENSE_DEPTH, 1 << np.minimum(depths + 1, DENSE_DEPTH + 1), 2)
        roots = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
        state = np.zeros(STATE_FIELDS, np.int64)
        state[LENGTH] = state[LEARNT] = PADDING
        state[SLOTS], state[ESTIMATOR] = sizes.sum(), ESTIMATORS[estimator]
        self._resize(state, depths, roots, int(sizes.sum()) + 64, PADDING + 512, 64, action_bits)
        self.trees.ratios[1 : 2 * int(sizes.sum()) : 2] = 1.0
        for root in roots[depths > DENSE_DEPTH]:
            tree = int(np.flatnonzero(roots == root)[0])
            new_leaf(self.trees, int(root), PADDING, int(depths[tree]))

    def _resize(
        self,
        state: NDArray[np.int64],
        depths: NDArray[np.int64],
        roots: NDArray[np.int64],
        slots: int,
        history_bits: int,
        records: int,
        action_bits: int,
    ) -> None:
        """Allocates zeroed arrays of the given sizes."""
        # Aligning nodes to cache lines made no measurable difference.
        arena = np.zeros(2 * slots, np.float64)
        widest = int(depths.max()) + 2
        self.trees = ContextTrees(
            counts=arena.view(np.uint32),
            ratios=arena,
            history=np.zeros(history_bits // 64 + 3, np.uint64),
            state=state,
            depths=depths,
            roots=roots,
            undo=np.zeros(records, np.int64),
            undo_ratio=np.zeros(records, np.float64),
            path=np.zeros((depths.size, widest), np.int64),
            path_size=np.zeros((depths.size, 2), np.int64),
            path_own=np.zeros((depths.size, widest), np.float64),
            path_share=np.zeros((depths.size, widest), np.float64),
            action_bits=np.array([action_bits], np.int64),
        )

    def reserve(self, learnt: int, imagined: int = 0, pushed: int = 0) -> None:
        """Makes room for so many more bits counted for good, counted in imagination, and pushed as context."""
        trees = self.trees
        state = trees.state
        self._settle()
        slots = int(state[SLOTS]) + 4 * (learnt + imagined)
        history_bits = int(state[LENGTH]) + learnt + imagined + pushed + 128
        records = int(state[UNDO]) + imagined * (int(trees.depths.max()) + 2)
        if slots <= trees.ratios.size // 2 and history_bits <= 64 * trees.history.size and records <= trees.undo.size:
            return
        if history_bits >= 1 << 32 or slots >= 1 << 32 or records >= 1 << MARK_BITS:
            raise InvalidValueError(
                "a context tree holds at most 2^32 bits of history, 2^32 slots and 2^28 undo records; "
                f"asked for {history_bits}, {slots} and {records}; imagine less between rewinds, or start a new life"
            )

        def room(have: int, need: int) -> int:
            return have if need <= have else max(need, have + have // 2)

        self._resize(
            state,
            trees.depths,
            trees.roots,
            room(trees.ratios.size // 2, slots),
            room(64 * trees.history.size, history_bits),
            room(trees.undo.size, records),
            int(trees.action_bits[0]),
        )
        for name in ("ratios", "history", "undo", "undo_ratio"):
            old = getattr(trees, name)
            getattr(self.trees, name)[: old.size] = old

    def _settle(self) -> None:
        """Counts a percept that waits for it: what is needed to do so is neither kept nor saved."""
        if self.trees.state[PENDING]:
            call(settle, self.trees)

    @property
    def imagining(self) -> bool:
        """Whether anything imagined has not been undone."""
        return bool(self.trees.state[UNDO] or self.trees.state[PENDING])

    def state_dict(self) -> State:
        """Returns the used part of the arrays; what lies behind the end of the history reads as zeros."""
        self._settle()
        state = self.trees.state
        words, bits = divmod(int(state[LENGTH]), 64)
        history = self.trees.history[: words + 1].copy()
        history[words] &= np.uint64((1 << bits) - 1)  # what was imagined there is still in the buffer
        return {
            "configuration": dict(self.configuration),
            "arena": self.trees.counts[: 4 * int(state[SLOTS])].copy(),
            "history": history,
            "state": state.copy(),
            "undo": self.trees.undo[: int(state[UNDO])].copy(),
            "undo_ratio": self.trees.undo_ratio[: int(state[UNDO])].copy(),
        }

    def load_state_dict(self, state: State) -> None:
        """Takes over a state of equal configuration."""
        if state.get("configuration") != self.configuration:
            raise InvalidValueError(
                f"the state is of {state.get('configuration')}, this predictor is of {self.configuration}; "
                "build it with the same arguments"
            )
        self._resize(
            np.array(state["state"], np.int64),
            self.trees.depths,
            self.trees.roots,
            state["arena"].size // 4 + 64,
            64 * state["history"].size + 512,
            state["undo"].size + 64,
            self.configuration["action_bits"],
        )
        self.trees.counts[: state["arena"].size] = state["arena"]
        for name in ("history", "undo", "undo_ratio"):
            getattr(self.trees, name)[: state[name].size] = state[name]

    @property
    def nodes(self) -> int:
        """Number of nodes in use."""
        dense = self.trees.depths <= DENSE_DEPTH
        heap = int((1 << (self.trees.depths[dense] + 1)).sum())
        return heap + (int(self.trees.state[SLOTS]) - heap) // 2
