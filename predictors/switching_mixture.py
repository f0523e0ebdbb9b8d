"""A mixture of predictors that follows whichever has become the best."""

import ast
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aixi.errors import InvalidValueError, require
from aixi.predictors.base import Predictor
from aixi.predictors.fixed_share import weighed
from aixi.state import State

MEMBERS = "context-tree-weighting:depth=16+transformer"


class SwitchingMixture(Predictor):
    """The Bayes mixture of predictors by fixed share (Herbster & Warmuth 1998), such as a network and context trees.

    What it costs beyond the best member, or the best that switch k times, is logarithmic in the number of symbols
    (`aixi.predictors.fixed_share`). Imagined symbols move the weights as real ones do, until they are rewound.

    Args:
        members: two predictors or more, of one alphabet, that belong to the mixture from now on; or their names in
            `PREDICTORS` joined by `+`, each with its options, as `name:key=value;key=value`.

    Raises:
        InvalidValueError: if they are fewer or of different alphabets, or the text cannot be read.
        UnknownNameError: if there is no predictor of a name.

    Example:
        >>> mixture = SwitchingMixture("context-tree-weighting:depth=1+context-tree-weighting:depth=8")
        >>> bits = mixture.update_many([0, 0, 1, 1] * 50)
        >>> [bool(weight > 0.9) for weight in mixture.weights]
        [False, True]
    """

    def __init__(self, members: Sequence[Predictor] | str = MEMBERS) -> None:
        self.members = _named(members) if isinstance(members, str) else tuple(members)
        require(len(self.members) >= 2, f"members must be two or more, got {len(self.members)}")
        sizes = [member.alphabet_size for member in self.members]
        require(len(set(sizes)) == 1, f"members must have one alphabet size, got {', '.join(map(str, sizes))}")
        self.alphabet_size = sizes[0]
        self._weights = np.full(len(sizes), 1.0 / len(sizes))
        self._seen, self._imagined = 0, 0
        self._position, self._learnt = 0, 0
        # By position: marks of the members, weights, symbols seen and imagined.
        self._marks: dict[int, tuple[list[int], NDArray[np.float64], int, int]] = {}

    @property
    def weights(self) -> NDArray[np.float64]:
        """The probability that each member is the one to follow, float64[members]."""
        return self._weights.copy()

    def log2_probs(self) -> NDArray[np.float64]:
        said = np.array([member.log2_probs() for member in self.members])
        greatest = said.max(axis=0)
        return np.asarray(greatest + np.log2(self._weights @ np.exp2(said - greatest)), np.float64)

    def update(self, symbol: int) -> float:
        if self._imagined:
            raise InvalidValueError("update must come after rewind, got one in the middle of imagination")
        bits = self._weigh([member.update(symbol) for member in self.members])
        self._learnt = self._position
        self._marks = {}
        return bits

    def imagine(self, symbol: int) -> float:
        bits = self._weigh([member.imagine(symbol) for member in self.members])
        self._imagined += 1
        return bits

    def _weigh(self, bits: list[float]) -> float:
        self._seen += 1
        self._position += 1
        mixed, self._weights = weighed(self._weights, bits, self._seen)
        return mixed

    def condition(self, symbol: int) -> None:
        for member in self.members:
            member.condition(symbol)
        self._position += 1

    def mark(self) -> int:
        marks = [member.mark() for member in self.members]
        self._marks[self._position] = marks, self._weights, self._seen, self._imagined
        return self._position

    def rewind(self, mark: int) -> None:
        if mark > self._position:
            raise InvalidValueError("mark must be of this predictor's past, got one that lies ahead")
        if mark < self._learnt or mark not in self._marks:
            raise InvalidValueError("mark must be taken after the last update, for what was learnt stays; got an older")
        marks, self._weights, self._seen, self._imagined = self._marks[mark]
        for member, its_mark in zip(self.members, marks, strict=True):
            member.rewind(its_mark)
        self._position = mark
        self._marks = {position: kept for position, kept in self._marks.items() if position <= mark}

    def state_dict(self) -> State:
        require(self._imagined == 0, "a state must not be taken while symbols are imagined: rewind first")
        return {
            "members": [member.state_dict() for member in self.members],
            "weights": self._weights.copy(),
            "seen": self._seen,
        }

    def load_state_dict(self, state: State) -> None:
        saved = state.get("members", ())
        require(
            len(saved) == len(self.members),
            f"the state is of {len(saved)} members, this mixture has {len(self.members)}; make it of the same",
        )
        before = [member.state_dict() for member in self.members]
        try:
            for member, its_state in zip(self.members, saved, strict=True):
                member.load_state_dict(its_state)
        except InvalidValueError:  # of another configuration: those loaded already go back
            for member, its_state in zip(self.members, before, strict=True):
                member.load_state_dict(its_state)
            raise
        self._weights, self._seen = np.array(state["weights"], np.float64), state["seen"]
        self._imagined, self._position, self._learnt, self._marks = 0, 0, 0, {}


def _named(text: str) -> tuple[Predictor, ...]:
    """Makes the predictors of a text, `name:key=value;key=value` joined by `+`."""
    from aixi.predictors.registry import make_predictor  # the table names this module, too

    members = []
    for part in text.split("+"):
        name, _, rest = part.partition(":")
        options: dict[str, Any] = {}
        for pair in rest.split(";") if rest else ():
            key, equals, value = pair.partition("=")
            require(bool(equals and key), f"an option of a member is written key=value, got {pair!r} of {name}")
            try:
                options[key] = ast.literal_eval(value)
            except (ValueError, SyntaxError):
                options[key] = value
        members.append(make_predictor(name, **options))
    return tuple(members)
