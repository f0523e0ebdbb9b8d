"""AIQI: a model-free universal agent that predicts its returns and searches nothing (Kim & Lee 2026)."""

import math
from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aixi.agents.base import ActionMask, Hints
from aixi.agents.percept_agent import PerceptAgent
from aixi.errors import at_least, require
from aixi.predictors.context_tree import (
    DENSE_DEPTH,
    LENGTH,
    bit_at,
    foresee,
    foresee_dense,
    learn,
    push,
    walk,
    walk_dense,
)
from aixi.predictors.forest import Forest
from aixi.predictors.intrinsics import Integer, inlined, kernel
from aixi.predictors.model import call
from aixi.state import State

MOST_BINS = 1024
_EQUAL = 1e-9
"""Returns that differ by less than this share of the greater are the same one, summed in another order."""


@inlined
def _push_action(trees: Any, action: Integer) -> None:
    for bit in range(trees.action_bits[0]):
        push(trees, (action >> bit) & 1)


@kernel
def _push_cycle(trees: Any, action: Integer, words: NDArray[np.uint64], percept_bits: Integer) -> Integer:
    """Takes an action, unless it is -1, and a percept into the history; returns the position between the two."""
    if action >= 0:
        _push_action(trees, action)
    position: Integer = trees.state[LENGTH]
    for bit in range(percept_bits):
        push(trees, bit_at(words, bit))
    return position


@kernel
def _learn_symbol(trees: Any, position: Integer, symbol: Integer, symbols: Integer, levels: Integer) -> float:
    """Learns a return at the context that ends at `position`, long past; returns its code length in bits.

    Args:
        trees: tree n - 1 decides at node n of a heap over 2^levels symbols, whose root is node 1.
        position: of the history.
        symbol: below `symbols`.
        symbols: how many are in use; a node whose upper half holds none of them decides nothing.
        levels: of the heap.
    """
    end = trees.state[LENGTH]
    trees.state[LENGTH] = position
    node: Integer = 1
    bits = 0.0
    for level in range(levels - 1, -1, -1):
        bit = (symbol >> level) & 1
        if ((symbol >> level) | 1) << level < symbols:
            if trees.depths[node - 1] <= DENSE_DEPTH:
                walk_dense(trees, node - 1, position)
            else:
                walk(trees, node - 1, position)
            bits -= math.log2(learn(trees, node - 1, bit, False))
        node = 2 * node + bit
    trees.state[LENGTH] = end
    return bits


@kernel
def _expect(
    trees: Any,
    values: NDArray[np.float64],
    symbols: Integer,
    levels: Integer,
    nodes: NDArray[np.float64],
    expected: NDArray[np.float64],
) -> None:
    """Writes the expected return of each action, float64[actions]; `nodes`, float64[2 * symbols], is scratch."""
    end = trees.state[LENGTH]
    leaves = 1 << levels
    for action in range(expected.size):
        _push_action(trees, action)
        position = trees.state[LENGTH]
        nodes[1] = 1.0
        first: Integer = 0  # of the upper half, less the node's first symbol
        start: Integer = 0
        for node in range(1, leaves):
            if node & (node - 1) == 0:  # the leftmost node of its level
                first = leaves // (2 * node)
                start = 0
            one = 0.0
            if start + first < symbols:
                if trees.depths[node - 1] <= DENSE_DEPTH:
                    one = foresee_dense(trees, node - 1, position)
                else:
                    one = foresee(trees, node - 1, position)
            nodes[2 * node] = nodes[node] * (1.0 - one)
            nodes[2 * node + 1] = nodes[node] * one
            start += 2 * first
        mean = 0.0
        for symbol in range(symbols):
            mean += nodes[leaves + symbol] * values[symbol]
        expected[action] = mean
        trees.state[LENGTH] = end


class ReturnSymbols:
    """Returns as finitely many symbols, each of a value; found as they come.

    A return that equals none of the values becomes a symbol of its own while any is free. From then on it is the
    nearest symbol, whose value is the mean of its returns. Where rewards are few numbers all returns are so told
    apart; elsewhere the first ones are a sample of their distribution, which is cut where they are dense.

    Args:
        bins: most symbols.
    """

    def __init__(self, bins: int) -> None:
        self.values = np.zeros(bins)
        self.counts = np.zeros(bins, np.int64)
        self.used = 0

    def of(self, value: float) -> int:
        """Returns the symbol of a real return, and counts it."""
        distances = np.abs(self.values[: self.used] - value)
        symbol = int(distances.argmin()) if self.used else 0
        unknown = not self.used or distances[symbol] > _EQUAL * max(abs(value), abs(self.values[symbol]))
        if unknown and self.used < self.values.size:
            symbol = self.used
            self.used += 1
        self.counts[symbol] += 1
        self.values[symbol] += (value - self.values[symbol]) / self.counts[symbol]
        return symbol

    def state_dict(self) -> State:
        """Returns values and counts; arrays are copies."""
        return {"values": self.values.copy(), "counts": self.counts.copy(), "used": self.used}

    def load_state_dict(self, state: State) -> None:
        """Goes on from a state."""
        self.values[:], self.counts[:], self.used = state["values"], state["counts"], state["used"]


class AIQI(PerceptAgent):
    """Predicts the return of the next `horizon` cycles from history and action, and takes the best expected one.

    There is neither a model of percepts nor a search: a cycle costs one prediction for each action. The return of a
    cycle is known `horizon` cycles later; it is that of the policy really followed, exploration included.

    The paper mixes over all computable predictors of returns; context tree weighting takes their place here, and the
    way a return enters the sequence is our own. History is the bits of actions and percepts alone, in which returns
    never stand: the symbol of cycle t's return is learnt, once it is known, at the context that ended with action t.
    A symbol is coded by binary decisions from the root of a heap down, by one context tree for each of its nodes
    (tree i looks at `depth` + i bits).

    Args:
        depth: context depth of the first tree, in bits.
        horizon: cycles whose rewards make a return.
        bins: most different returns that are told apart, a power of two; see `ReturnSymbols`.
        exploration: probability that the first action is random.
        exploration_decay: factor on it each cycle; None ties it to the length of the life, so that three tenths are
            left at half the life: what an action that is seldom taken is worth stays as it was when it was last
            taken, under a policy that was worse.
        codes: the code of every Box observed, in place of what the environment names; see `aixi.agents.codes`.
    """

    left_at_half = 0.3

    def __init__(
        self,
        *,
        depth: int = 32,
        horizon: int = 4,
        bins: int = 32,
        exploration: float = 0.1,
        exploration_decay: float | None = None,
        codes: str | None = None,
    ) -> None:
        super().__init__(exploration=exploration, exploration_decay=exploration_decay, codes=codes)
        self.depth, self.horizon = at_least("depth", depth, 1), at_least("horizon", horizon, 1)
        self.bins = at_least("bins", bins, 2)
        require(
            self.bins <= MOST_BINS and self.bins & (self.bins - 1) == 0,
            f"bins must be a power of two and at most {MOST_BINS}, got {bins}",
        )
        Forest(self.depth, self.bins - 1, "kt")  # refuses what is too deep

    def start(self, hints: Hints, model_seed: np.random.SeedSequence, choice_seed: np.random.SeedSequence) -> None:
        actions = self._action.count
        self._forest = Forest(self.depth, self.bins - 1, "kt", (actions - 1).bit_length())
        self._levels = self.bins.bit_length() - 1
        self._symbols = ReturnSymbols(self.bins)
        self._choices = np.random.default_rng(choice_seed)
        self._nodes, self._expected = np.zeros(2 * self.bins), np.zeros(actions)
        self._open: deque[int] = deque()  # positions of the cycles whose return is not known yet
        self._rewards: deque[float] = deque(maxlen=self.horizon)
        self._returns, self._return_bits = 0, 0.0

    def _reserve(self) -> None:
        action_bits = int(self._forest.trees.action_bits[0])
        self._forest.reserve(self._levels, 0, 2 * action_bits + self._codec.percept_bits)

    def expected_returns(self) -> NDArray[np.float64]:
        """Returns the expected sum of the next `horizon` rewards after each action, float64[actions]; all 0 at first.

        They are exact expectations of the predicted distribution.
        """
        self._reserve()
        symbols = self._symbols
        call(_expect, self._forest.trees, symbols.values, symbols.used, self._levels, self._nodes, self._expected)
        return self._expected.copy()

    def choose(self, allowed: ActionMask) -> int:
        expected = np.where(allowed, self.expected_returns(), -math.inf)
        best = np.flatnonzero(expected == expected.max())
        return int(best[0] if best.size == 1 else self._choices.choice(best))

    def learn(self, action: int | None, words: NDArray[np.uint64], reward: float) -> None:
        self._reserve()
        trees, bits = self._forest.trees, self._codec.percept_bits
        position = int(call(_push_cycle, trees, -1 if action is None else action, words, bits))
        if action is None:
            return
        self._open.append(position)
        self._rewards.append(reward)
        if len(self._rewards) == self.horizon:
            symbol = self._symbols.of(math.fsum(self._rewards))
            self._return_bits += call(
                _learn_symbol, trees, self._open.popleft(), symbol, self._symbols.used, self._levels
            )
            self._returns += 1

    def diagnostics(self) -> dict[str, float]:
        return {
            "returns": self._returns,
            "return_bits": self._return_bits,
            "rewards_outside": self._codec.rewards.outside,
        }

    def state_dict(self) -> State:
        return super().state_dict() | {
            "trees": self._forest.state_dict(),
            "symbols": self._symbols.state_dict(),
            "choices": self._choices.bit_generator.state,
            "open": list(self._open),
            "rewards": list(self._rewards),
            "returns": self._returns,
            "return_bits": self._return_bits,
        }

    def load_state_dict(self, state: State) -> None:
        super().load_state_dict(state)
        self._forest.load_state_dict(state["trees"])
        self._symbols.load_state_dict(state["symbols"])
        self._choices.bit_generator.state = state["choices"]
        self._open, self._rewards = deque(state["open"]), deque(state["rewards"], maxlen=self.horizon)
        self._returns, self._return_bits = state["returns"], state["return_bits"]
