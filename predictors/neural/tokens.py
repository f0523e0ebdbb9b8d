"""Percepts and actions as the tokens that a network reads."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from aixi.errors import InvalidValueError, at_least, require

WIDEST = 8
"""Most bits of one token: a softmax over 256 values."""


@dataclass(frozen=True)
class Tokens:
    """The code between cycles and tokens.

    A cycle is the action's tokens, then one token for each component of the percept. The prediction after the
    action's last token is of component 0, and after component c of component c + 1; after the last component comes
    an action, and nothing is predicted.

    - Not shared: every component and the action have tokens of their own. Value v of component c is
      `offsets[c] + v`, action a is `offsets[-1] + 2 ** widths[-1] + a`.
    - Shared: a bit of a percept is token 0 or 1, a bit of an action token 2 or 3, lowest first: one network reads
      every environment.

    Args:
        widths: bits of each component, 1 to 8, in order; the first holds the percept's lowest bits.
        actions: number of actions.
        shared: whether bits share their tokens; every width is then 1.

    Raises:
        InvalidValueError: if a width or the number of actions is out of range.

    Example:
        >>> tokens = Tokens.of((2, 3), actions=4, style="components")
        >>> tokens.vocabulary, tokens.cycle_tokens
        (16, 3)
        >>> tokens.of_action(3), tokens.of_percept(np.array([0b101_10], np.uint64))
        (array([15]), array([2, 9]))
    """

    widths: tuple[int, ...]
    actions: int
    shared: bool = False

    def __post_init__(self) -> None:
        require(len(self.widths) > 0, "widths must hold at least one component, got none")
        for width in self.widths:
            require(
                at_least("width of a component", width, 1) <= WIDEST,
                f"width of a component must be at most {WIDEST} bits, got {width}; split it with Tokens.of",
            )
            require(not self.shared or width == 1, f"shared tokens are bits: every width must be 1, got {width}")
        at_least("actions", self.actions, 1)

    @classmethod
    def of(cls, layout: Iterable[int], actions: int, style: str = "components") -> "Tokens":
        """Returns the tokens of a percept of the given component widths.

        Args:
            layout: bits of each component, from the percept's lowest bits on. A width of 0 is left out, one above 8
                is split into pieces of at most 8 bits, lowest first.
            actions: number of actions.
            style: "components", one token a component; "bits", one a bit; "shared", bits that share their tokens.

        Example:
            >>> Tokens.of((0, 11, 2), actions=2).widths
            (8, 3, 2)
        """
        pieces = {"components": WIDEST, "bits": 1, "shared": 1}
        if style not in pieces:
            raise InvalidValueError(f"style must be one of {', '.join(pieces)}, got {style!r}")
        most = pieces[style]
        widths = tuple(
            min(most, width - low)
            for width in (at_least("width of a component", width, 0) for width in layout)
            for low in range(0, width, most)
        )
        require(len(widths) > 0, "layout must hold at least one bit, got none")
        return cls(widths, actions, style == "shared")

    @property
    def percept_bits(self) -> int:
        """Width of a percept, in bits."""
        return sum(self.widths)

    @cached_property
    def offsets(self) -> NDArray[np.int64]:
        """The token of value 0 of each component, int64[components]; not to be written."""
        firsts = (
            [0] * len(self.widths) if self.shared else list(accumulate((2**w for w in self.widths), initial=0))[:-1]
        )
        return _constant(firsts)

    @property
    def action_offset(self) -> int:
        """The token of action 0, or of an action's bit 0."""
        return 2 if self.shared else sum(2**width for width in self.widths)

    @property
    def vocabulary(self) -> int:
        """Number of tokens."""
        return self.action_offset + (2 if self.shared else self.actions)

    @property
    def action_tokens(self) -> int:
        """Number of tokens that an action takes."""
        return max(1, (self.actions - 1).bit_length()) if self.shared else 1

    @property
    def cycle_tokens(self) -> int:
        """Number of tokens that a cycle takes."""
        return self.action_tokens + len(self.widths)

    @cached_property
    def predicted(self) -> NDArray[np.int64]:
        """What the prediction after each token of a cycle is of: int64[cycle_tokens, 2]; not to be written.

        A row is the first token and the number of tokens that may come next; number 0 where an action, or a further
        token of one, comes and nothing is predicted.

        Example:
            >>> Tokens((2, 3), actions=4).predicted.tolist()
            [[0, 4], [4, 8], [0, 0]]
        """
        rows = [[0, 0]] * (self.action_tokens - 1)
        rows += [[int(first), 2**width] for first, width in zip(self.offsets, self.widths, strict=True)]
        return _constant([*rows, [0, 0]])

    def of_percept(self, words: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Returns the tokens of a percept, int64[components].

        Args:
            words: its bits, uint64[ceil(percept_bits / 64)], bit i in bit i % 64 of word i // 64.

        Raises:
            InvalidValueError: if it has another number of words, or bits beyond its width.
        """
        shape = (-(-self.percept_bits // 64),)
        require(
            words.shape == shape and words.dtype == np.uint64,
            f"words must be uint64{list(shape)}, got {words.dtype}{list(words.shape)}; pack the percept's bits",
        )
        bits = int.from_bytes(words.astype("<u8").tobytes(), "little")
        require(
            bits >> self.percept_bits == 0,
            f"words must hold {self.percept_bits} bits and zeros above them, got {bits:#x}",
        )
        values = np.empty(len(self.widths), np.int64)
        for component, width in enumerate(self.widths):
            values[component] = bits & (2**width - 1)
            bits >>= width
        return self.offsets + values

    def of_action(self, action: int) -> NDArray[np.int64]:
        """Returns the tokens of an action, int64[action_tokens].

        Raises:
            InvalidValueError: if there is no such action.
        """
        require(
            action in range(self.actions),
            f"action must be at least 0 and less than {self.actions}, got {action}",
        )
        values = [action >> bit & 1 for bit in range(self.action_tokens)] if self.shared else [action]
        return self.action_offset + np.array(values, np.int64)


def _constant(values: list[int] | list[list[int]]) -> NDArray[np.int64]:
    array = np.array(values, np.int64)
    array.flags.writeable = False
    return array
