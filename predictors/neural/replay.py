"""The tokens of a life, kept to learn from."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aixi.state import State

Tokens32 = NDArray[np.int32]
_FIRST_ROOM = 1024


class _Row:
    """An array that grows at its end."""

    def __init__(self, dtype: type, *shape: int) -> None:
        self._array: NDArray[np.generic] = np.zeros((_FIRST_ROOM, *shape), dtype)
        self._size = 0

    @property
    def values(self) -> NDArray[np.generic]:
        return self._array[: self._size]

    def extend(self, values: ArrayLike) -> None:
        new = np.asarray(values)
        size = self._size + len(new)
        if size > len(self._array):
            wider = np.zeros((max(size, 2 * len(self._array)), *self._array.shape[1:]), self._array.dtype)
            wider[: self._size] = self.values
            self._array = wider
        self._array[self._size : size] = new
        self._size = size

    def replace(self, values: ArrayLike) -> None:
        self._size = 0
        self.extend(values)


class Replay:
    """All tokens of a life, where its cycles begin, and what searches found.

    Args:
        actions: of the policies kept; 0 if none are.

    Example:
        >>> replay = Replay()
        >>> replay.take([4, 0, 2])
        >>> replay.take([5, 1, 3])
        >>> replay.size, replay.starts.tolist()
        (6, [0, 3])
    """

    def __init__(self, actions: int = 0) -> None:
        self._tokens, self._starts = _Row(np.int32), _Row(np.int64)
        self._guided, self._policies, self._values = _Row(np.int64), _Row(np.float32, actions), _Row(np.float32)

    @property
    def size(self) -> int:
        """Number of tokens."""
        return len(self._tokens.values)

    @property
    def tokens(self) -> Tokens32:
        """The tokens, int32[size]; a view."""
        return self._tokens.values  # type: ignore[return-value]  # of the dtype it was made with

    @property
    def starts(self) -> NDArray[np.int64]:
        """Where cycles begin, int64[cycles]; a view."""
        return self._starts.values  # type: ignore[return-value]  # of the dtype it was made with

    @property
    def guided(self) -> int:
        """Number of policies and values kept."""
        return len(self._guided.values)

    def take(self, tokens: ArrayLike, cycles: int = 1, before: int = 0) -> None:
        """Takes in cycles.

        Args:
            tokens: integers[before + cycles * n], n of each cycle.
            cycles: how many.
            before: further tokens that the first cycle begins with.
        """
        new = np.asarray(tokens)
        each = (len(new) - before) // cycles
        starts = self.size + before + each * np.arange(cycles)
        starts[0] -= before
        self._starts.extend(starts)
        self._tokens.extend(new)

    def guide(self, policy: NDArray[np.float64], value: float) -> None:
        """Keeps what a search found after the last token."""
        self._guided.extend([self.size - 1])
        self._policies.extend(policy[None])
        self._values.extend([value])

    def last(self, most: int) -> Tokens32:
        """Returns the last tokens from where a cycle begins, at most so many, int32[n]."""
        first = self.starts[np.searchsorted(self.starts, self.size - most) :]
        return self.tokens[int(first[0]) if first.size else self.size :].copy()

    def windows(self, rng: np.random.Generator, rows: int, length: int) -> NDArray[np.int64]:
        """Draws stretches of life that begin where a cycle does, each start alike.

        Args:
            rng: draws the starts.
            rows: how many, R.
            length: tokens in each; fewer while life is shorter.

        Returns:
            int64[R, T], the places of their tokens.
        """
        length = min(length, self.size)
        possible = int(np.searchsorted(self.starts, self.size - length, side="right"))
        drawn = self.starts[rng.integers(0, possible, rows)]
        return drawn[:, None] + np.arange(length)

    def found(self, places: NDArray[np.int64]) -> tuple[NDArray[np.bool_], NDArray[np.float32], NDArray[np.float32]]:
        """Returns what searches found at places, int64[...].

        Returns:
            Whether one did, bool[...]; of those places in turn, the policies, float32[n, actions], and the values,
            float32[n].
        """
        guided = self._guided.values
        row = np.searchsorted(guided, places)
        known = np.append(guided, -1)[row] == places
        chosen = row[known]
        return known, self._policies.values[chosen], self._values.values[chosen]

    def state_dict(self) -> State:
        """Returns everything kept; arrays are copies."""
        return {name: getattr(self, f"_{name}").values.copy() for name in _ROWS}

    def load_state_dict(self, state: State) -> None:
        """Goes on from a state."""
        for name in _ROWS:
            getattr(self, f"_{name}").replace(state[name])


_ROWS = ("tokens", "starts", "guided", "policies", "values")
