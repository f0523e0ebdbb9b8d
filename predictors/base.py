"""The contract of a sequence predictor."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from aixi.state import State


class Predictor(ABC):
    """One sequence over the alphabet {0, ..., alphabet_size - 1}, predicted symbol by symbol.

    Real symbols come by `update` and are learnt for good. Hypothetical ones come by `imagine` between a `mark` and
    its `rewind`, which restores everything bit for bit. Marks nest; `update` while anything is imagined is an error,
    and so is a rewind to before an `update`.
    Logarithms are to base 2 throughout, so code lengths are in bits.

    Attributes:
        alphabet_size: number of symbols, at least 2.
    """

    alphabet_size: int

    @abstractmethod
    def log2_probs(self) -> NDArray[np.float64]:
        """Returns log2 P(symbol | everything so far), float64[alphabet_size]; changes nothing."""

    @abstractmethod
    def update(self, symbol: int) -> float:
        """Learns the next real symbol and returns its code length in bits, -log2 P(symbol) before learning it."""

    @abstractmethod
    def condition(self, symbol: int) -> None:
        """Takes in side information, such as an action, as context: it is neither predicted nor learnt."""

    @abstractmethod
    def imagine(self, symbol: int) -> float:
        """Follows a hypothetical symbol and returns its code length in bits; undone by `rewind`."""

    @abstractmethod
    def mark(self) -> int:
        """Returns a token for the present state, to be given to `rewind`."""

    @abstractmethod
    def rewind(self, mark: int) -> None:
        """Undoes everything imagined or conditioned on since `mark`, bit for bit."""

    @abstractmethod
    def state_dict(self) -> State:
        """Returns everything needed to go on exactly from here; arrays are copies."""

    @abstractmethod
    def load_state_dict(self, state: State) -> None:
        """Goes on from a state that a predictor of the same configuration returned."""

    def update_many(self, symbols: Iterable[int]) -> float:
        """Learns a run of real symbols and returns their total code length in bits."""
        return math.fsum(self.update(symbol) for symbol in symbols)
