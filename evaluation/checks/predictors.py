"""The battery for predictors: the contract of `aixi.predictors.base.Predictor`, point by point."""

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from aixi.errors import InvalidValueError
from aixi.evaluation.checks.battery import Battery, Finding, Mismatch, expect, plain, same
from aixi.evaluation.checks.lives import digest, global_seeds, global_states, through_a_file
from aixi.evaluation.checks.options import named_predictor
from aixi.predictors.base import Predictor
from aixi.state import State

_LEARNT, _SYMBOLS = 50, 200
_OTHER = "name an option that is a whole number, as my-predictor:order=4; in Python, give `other`"
_CLOSE = 1e-12  # of probabilities, and of bits of one symbol
_TRIED = 8  # symbols that are imagined in one place
_LONGEST = 8  # binary strings whose probabilities are summed


class Sequences:
    """A predictor that is checked, and the symbols it is checked on.

    Args:
        make: returns it, new.
        other: returns one of another configuration, whose states it must refuse; None if there is no other.
    """

    def __init__(self, make: Callable[[], Predictor], other: Callable[[], Predictor] | None = None) -> None:
        self.make, self.other = make, other

    @functools.cached_property
    def symbols(self) -> list[int]:
        """Symbols to learn, each of the alphabet alike."""
        drawn: list[int] = np.random.default_rng(0).integers(0, self.make().alphabet_size, _SYMBOLS).tolist()
        return drawn

    def trained(self, count: int = _LEARNT) -> Predictor:
        """Returns a predictor that has learnt some symbols, with side information among them."""
        predictor = self.make()
        for index, symbol in enumerate(self.symbols[:count]):
            if index % 7 == 0:
                predictor.condition(index % 2)
            predictor.update(symbol)
        return predictor


PREDICTOR_CHECKS = Battery[Sequences]()
_check = PREDICTOR_CHECKS.check


def _unchanged(predictor: Predictor, before: State, what: str) -> None:
    expect(same(predictor.state_dict(), before), f"another state after {what}")


@_check(
    "made",
    "it can be made, and is a Predictor",
    "correct the constructor or its options, or the entry point of its PredictorSpec",
)
def _made(subject: Sequences) -> str:
    predictor = subject.make()
    a = f"a {type(predictor).__name__}"
    expect(isinstance(predictor, Predictor), a, "derive its class from aixi.predictors.Predictor")
    expect(predictor.alphabet_size >= 2, f"alphabet_size {predictor.alphabet_size}", "set alphabet_size to 2 or more")
    return f"{type(predictor).__name__}, {predictor.alphabet_size} symbols"


@_check(
    "probabilities",
    "log2_probs gives float64[alphabet_size], and the probabilities sum to 1",
    "normalise what log2_probs returns",
    after=("made",),
)
def _probabilities(subject: Sequences) -> str:
    predictor, worst = subject.trained(0), 0.0
    for symbol in subject.symbols:
        said = predictor.log2_probs()
        expect(said.shape == (predictor.alphabet_size,), f"shape {said.shape}")
        expect(said.dtype == np.float64, f"dtype {said.dtype}")
        worst = max(worst, abs(float(np.exp2(said).sum()) - 1.0))
        expect(worst <= _CLOSE, f"a sum of {plain(np.exp2(said).sum())}")
        predictor.update(symbol)
    return f"sums within {worst:.1g} of 1"


@_check(
    "chain rule",
    "the probabilities of all strings of a length, imagined symbol by symbol, sum to 1",
    "let imagine follow each symbol as update would",
    after=("probabilities",),
)
def _chain_rule(subject: Sequences) -> str:
    predictor = subject.trained()
    start, longest = predictor.mark(), _LONGEST if predictor.alphabet_size == 2 else 1
    for length in range(1, longest + 1):
        total = 0.0
        for string in itertools.product(range(predictor.alphabet_size), repeat=length):
            total += 2.0 ** -sum(predictor.imagine(symbol) for symbol in string)
            predictor.rewind(start)
        expect(abs(total - 1.0) <= _CLOSE, f"a sum of {total!r} over strings of length {length}")
    return f"strings up to length {longest}"


@_check(
    "code lengths",
    "update and imagine return -log2 of the probability that log2_probs said before, which is never 1",
    "return the code length of the symbol before it is learnt, in bits",
    after=("probabilities",),
)
def _code_lengths(subject: Sequences) -> str:
    predictor, rng = subject.trained(), np.random.default_rng(0)
    size = predictor.alphabet_size
    for symbol in subject.symbols[_LEARNT:]:
        said = predictor.log2_probs()
        expect((said < 0.0).all(), f"certainty of symbol {int(said.argmax())}")
        start = predictor.mark()
        for imagined in rng.permutation(size)[:_TRIED].tolist():
            bits = predictor.imagine(imagined)
            expect(
                abs(bits + said[imagined]) <= _CLOSE,
                f"imagine returned {plain(bits)}, said was {plain(-said[imagined])}",
            )
            predictor.rewind(start)
        bits = predictor.update(symbol)
        expect(abs(bits + said[symbol]) <= _CLOSE, f"update returned {plain(bits)}, said was {plain(-said[symbol])}")
    return f"{_SYMBOLS - _LEARNT} symbols"


@_check(
    "asking",
    "log2_probs changes nothing and returns an array of the caller's own",
    "return a copy, and compute without writing",
    after=("made",),
)
def _asking(subject: Sequences) -> str:
    predictor = subject.trained()
    before = predictor.state_dict()
    first, second = predictor.log2_probs(), predictor.log2_probs()
    expect(np.array_equal(first, second), "two answers to one question")
    _unchanged(predictor, before, "log2_probs")
    kept = second.copy()
    first[:] = 7.0
    own = np.array_equal(second, kept) and np.array_equal(predictor.log2_probs(), kept)
    expect(own, "another answer once the caller wrote into the array")
    return "nothing changed"


@_check(
    "runs",
    "update_many is a run of updates",
    "correct update_many, or leave it to the base class",
    after=("made",),
)
def _runs(subject: Sequences) -> str:
    one, many = subject.trained(), subject.trained()
    total = many.update_many(np.array(subject.symbols[_LEARNT:], np.int64))
    by_one = sum(one.update(symbol) for symbol in subject.symbols[_LEARNT:])
    expect(abs(by_one - total) <= 1e-9, f"{plain(total)} bits in a run, {plain(by_one)} one by one")
    expect(same(one.state_dict(), many.state_dict()), "another state after the run")
    expect(many.update_many([]) == 0.0, "bits for no symbol at all")
    return f"{total:.1f} bits"


@_check(
    "rewinding",
    "marks nest, and rewind restores predictions and state bit for bit",
    "undo exactly what imagine and condition did: keep old values, subtract nothing",
    after=("made",),
)
def _rewinding(subject: Sequences) -> str:
    predictor = subject.trained()
    before, marks = predictor.state_dict(), []
    predictor.rewind(predictor.mark())
    _unchanged(predictor, before, "a rewind to the present")
    for index, symbol in enumerate(subject.symbols[:60]):
        if index % 6 == 0:
            marks.append((predictor.mark(), predictor.log2_probs()))
        predictor.condition(1 - symbol % 2) if index % 5 == 4 else predictor.imagine(symbol)
    for mark, said in reversed(marks[2:]):
        predictor.rewind(mark)
        expect(np.array_equal(predictor.log2_probs(), said), "other predictions after a rewind")
    predictor.rewind(marks[0][0])  # past the mark between
    _unchanged(predictor, before, "a rewind past other marks")
    return f"{len(marks)} marks"


@_check(
    "imagination",
    "what was imagined and rewound teaches nothing",
    "learn in update alone",
    after=("rewinding",),
)
def _imagination(subject: Sequences) -> str:
    imagining, plain = subject.trained(), subject.trained()
    for symbol in subject.symbols[_LEARNT : 2 * _LEARNT]:
        start = imagining.mark()
        for imagined in (1, 1, 0):
            imagining.condition(imagined)
            imagining.imagine(imagined)
        imagining.rewind(start)
        expect(imagining.update(symbol) == plain.update(symbol), "another code length after imagination")
    expect(same(imagining.state_dict(), plain.state_dict()), "another state after imagination")
    return f"{_LEARNT} symbols"


@_check(
    "order of calls",
    "update during imagination, and a rewind to before an update, are refused with InvalidValueError and do nothing",
    "raise aixi.errors.InvalidValueError and say what to do: rewind first; take a newer mark",
    after=("rewinding",),
)
def _order(subject: Sequences) -> str:
    predictor, plain = subject.trained(), subject.trained()
    start = predictor.mark()
    predictor.imagine(1)
    _refused(lambda: predictor.update(0), "update during imagination")
    predictor.rewind(start)
    expect(predictor.update(0) == plain.update(0), "another code length after a refused update")
    before = predictor.state_dict()
    _refused(lambda: predictor.rewind(start), "a rewind to before an update")
    _unchanged(predictor, before, "a refused rewind")
    return "both refused"


@_check(
    "side information",
    "condition returns nothing, and predictions depend on what it gave and in which order",
    "let condition lengthen the context; harmless where the predictor has none",
    after=("made",),
)
def _side_information(subject: Sequences) -> str:
    said = set()
    for side in ((), (1,), (0, 1), (1, 0)):
        predictor = subject.trained()
        condition: Any = predictor.condition
        for symbol in side:
            result = condition(symbol)
            expect(result is None, f"condition returned {result!r}")
        said.add(float(predictor.log2_probs()[0]))
    if len(said) < 4:
        raise Mismatch(f"{len(said)} predictions after four histories of side information", level="warning")
    return "it matters"


@_check(
    "alphabet",
    "symbols outside the alphabet are refused with InvalidValueError that says which, and do nothing",
    "check each symbol before anything is changed",
    after=("made",),
)
def _alphabet(subject: Sequences) -> str:
    predictor = subject.trained()
    before = predictor.state_dict()
    for name in ("update", "imagine", "condition"):
        for symbol in (predictor.alphabet_size, -1, 0.5):
            message = _refused(functools.partial(getattr(predictor, name), symbol), f"{name}({symbol})")
            expect(f"got {symbol}" in message, f"{name}({symbol}) refused with {message!r}", f"say: got {symbol}")
    _unchanged(predictor, before, "refused symbols")
    return "refused"


@_check(
    "state",
    "a state goes on exactly in another predictor, through a file too, and is a copy",
    "put everything into state_dict, as copies of arrays and plain values, and copy it back in load_state_dict",
    after=("made",),
)
def _state(subject: Sequences) -> str:
    predictor, restored, from_file = subject.trained(), subject.make(), subject.make()
    restored.update_many(subject.symbols[:9])
    saved = predictor.state_dict()
    restored.load_state_dict(saved)
    _unchanged(restored, saved, "load_state_dict")
    from_file.load_state_dict(through_a_file(saved))
    for array in _arrays(saved):
        array[...] = 0
    for symbol in subject.symbols[_LEARNT:]:
        for one in (predictor, restored, from_file):
            one.condition(symbol % 2)
        bits = [one.update(symbol) for one in (predictor, restored, from_file)]
        expect(bits[1] == bits[0], "another code length after load_state_dict")
        expect(bits[2] == bits[0], "another code length after save_state and load_state")
    _unchanged(restored, predictor.state_dict(), "going on from a state")
    _unchanged(from_file, predictor.state_dict(), "going on from a file")
    return f"{_SYMBOLS - _LEARNT} symbols after it"


@_check(
    "foreign states",
    "the state of another configuration is refused with InvalidValueError and changes nothing",
    "compare the configuration in the state with one's own before anything is loaded",
    after=("state",),
)
def _foreign_states(subject: Sequences) -> str:
    if subject.other is None:
        raise Mismatch("no other configuration to try", _OTHER, level="warning")
    predictor, other = subject.trained(), subject.other()
    before = other.state_dict()
    _refused(lambda: other.load_state_dict(predictor.state_dict()), "the state of another configuration")
    _unchanged(other, before, "a refused state")
    return "refused"


@_check(
    "determinism",
    "equal arguments and symbols give equal bits, and the process's own random state is neither used nor changed",
    "take a seed and draw from numpy.random.default_rng(seed)",
    after=("made",),
)
def _determinism(subject: Sequences) -> str:
    states = []
    for seed in (0, 0, 1):
        with global_seeds(seed):
            before = digest(global_states())
            states.append(subject.trained().state_dict())
            expect(digest(global_states()) == before, "np.random or random in another state")
    expect(same(states[0], states[1]), "two states after the same symbols")
    expect(same(states[0], states[2]), "another state under another global seed")
    return f"{_LEARNT} symbols"


def check_predictor(
    predictor: str | Callable[[], Predictor],
    *,
    other: Callable[[], Predictor] | None = None,
    checks: Iterable[str] | None = None,
    on_finding: Callable[[Finding], None] | None = None,
) -> list[Finding]:
    """Runs the battery on a predictor.

    Args:
        predictor: `name` or `name:key=value,key=value`, whose values are Python's or else texts; or a function that
            makes it.
        other: makes one of another configuration; by name, the first whole number among the options that may be one
            more.
        checks: names of checks, all if None.
        on_finding: called with each finding as it comes.

    Raises:
        UnknownNameError: if there is no such predictor or check.
        InvalidValueError: if it has no such option.

    Example:
        >>> findings = check_predictor("context-tree-weighting:depth=4", checks=["chain rule"])
        >>> [finding.level for finding in findings]
        ['ok', 'ok', 'ok']
    """
    if isinstance(predictor, str):
        predictor, another = named_predictor(predictor)
        other = other or another
    return PREDICTOR_CHECKS(Sequences(predictor, other), checks, on_finding)


def _refused(call: Callable[[], Any], what: str) -> str:
    """Returns the message of the InvalidValueError that a call raises."""
    try:
        call()
    except InvalidValueError as error:
        return str(error)
    raise Mismatch(f"{what} was taken without a word")


def _arrays(state: Any) -> Iterator[Any]:
    for value in state.values():
        if isinstance(value, dict):
            yield from _arrays(value)
        elif isinstance(value, np.ndarray):
            yield value
