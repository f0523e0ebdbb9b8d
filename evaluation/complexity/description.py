"""K: how long an environment's description is, and what it is made of."""

import functools
import hashlib
import importlib.resources
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, get_args

import gymnasium
import msgspec

from aixi.environments import ENVIRONMENTS
from aixi.environments.registry import EnvironmentRow, import_package
from aixi.errors import InvalidValueError, UnknownNameError
from aixi.evaluation.complexity.canonical import Canonical, Wrapper, canonical, reach, text_of, time_limited
from aixi.evaluation.complexity.closure import Closure
from aixi.evaluation.complexity.coders import CODERS, code_length
from aixi.evaluation.complexity.modules import ENGINES
from aixi.evaluation.complexity.tabular import table_text
from aixi.evaluation.world import import_modules
from aixi.registry import load_object

Charging: TypeAlias = Literal["all", "code", "names", "engine"]
CHARGINGS: tuple[Charging, ...] = get_args(Charging)
LANGUAGES = ("source", "table")
_CHOOSING = ("all", "engine")  # chargings under which the shortest of the languages counts
_LANGUAGE_BITS = math.log2(len(LANGUAGES))  # to say in which language a description is written


class Part(msgspec.Struct, frozen=True):
    """A part of a description, and what it costs after all that stands before it.

    Attributes:
        name: what it describes, in the author's words.
        kind: definition, argument, wrapper or data of the canonical source; table; engine; language; or coder, for
            what the coder spends on an empty text.
        bytes: length of its text in bytes; 0 where it has none.
        bits: what the coder spends on it.
    """

    name: str
    kind: str
    bytes: int
    bits: float


class Description(msgspec.Struct, frozen=True):
    """An environment's description length and how it comes about.

    Attributes:
        environment: id, or entry point.
        sha256: of the canonical source with everything that is charged under `all`; the environment's identity.
        bits: K, the sum of the parts.
        language: the shorter one, `source` or `table`.
        source_bits: length of the canonical source, without the choice of the language.
        tabular_bits: length of the transition table; None if there is none.
        languages: number of languages that the choice was among.
        parts: what was charged, in the order of the text.
        free: packages used that cost nothing.
        engines: engines used; they cost something under `engine` only.
        text: the text that was coded, bytes that are no UTF-8 escaped.
    """

    environment: str
    sha256: str
    bits: float
    language: str
    source_bits: float
    tabular_bits: float | None
    languages: int
    parts: list[Part]
    free: list[str]
    engines: list[str]
    text: str


class FrozenText(msgspec.Struct, frozen=True):
    """Stored lengths of one text.

    Attributes:
        sha256: of the text.
        bits: by coder: for an empty text, and for each piece.
    """

    sha256: str
    bits: dict[str, list[float]]


class FrozenDescription(msgspec.Struct, frozen=True):
    """Stored lengths of one environment.

    Attributes:
        source: by charging; under `engine` the text is that of `all`.
        table: of the transition table; None if there is none.
    """

    source: dict[str, FrozenText]
    table: FrozenText | None = None


class FrozenDescriptions(msgspec.Struct, frozen=True):
    """The data file of stored lengths.

    Attributes:
        coders: version of each coder.
        environments: by id.
    """

    coders: dict[str, str]
    environments: dict[str, FrozenDescription]


@dataclass(frozen=True)
class Subject:
    """What is described.

    Attributes:
        name: id, or entry point.
        entry_point: `module:Class`.
        kwargs: its arguments.
        wrappers: what Gymnasium puts around it, from the inside out.
    """

    name: str
    entry_point: str
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    wrappers: tuple[Wrapper, ...] = ()

    def __hash__(self) -> int:
        return hash((self.name, self.entry_point))

    @classmethod
    def find(cls, environment: str | EnvironmentRow) -> "Subject":
        """Returns the subject of a row, of an id, of `module:id`, or of an entry point `module:Class`.

        Raises:
            UnknownNameError: if there is no such environment.
            InvalidValueError: if Gymnasium knows it by a function, or does not know a wrapper's arguments; or if the
            package that it comes from is not installed.
        """
        if isinstance(environment, EnvironmentRow):
            import_package(environment)
            name = environment.name
            if not environment.entry_point:
                return cls._registered(name)
            return cls(name, environment.entry_point, environment.kwargs, _wrappers(name))
        module, colon, name = environment.rpartition(":")
        if colon:
            import_modules([module])
        if name in ENVIRONMENTS:
            return cls.find(ENVIRONMENTS[name])
        if name in gymnasium.registry:
            return cls._registered(name)
        if colon:
            return cls(environment, environment)
        raise UnknownNameError(f"unknown environment {name!r}; give a registered id, module:id or module:Class")

    @classmethod
    def _registered(cls, name: str) -> "Subject":
        spec = gymnasium.spec(name)
        if not isinstance(spec.entry_point, str):
            raise InvalidValueError(
                f"{name} is registered by {spec.entry_point!r}, whose source is not to be found; "
                f"register it as 'module:Class'"
            )
        return cls(name, spec.entry_point, spec.kwargs, _wrappers(name))


def _wrappers(name: str) -> tuple[Wrapper, ...]:
    spec = gymnasium.registry.get(name)
    if spec is None:
        return ()
    found = time_limited(spec.max_episode_steps)
    for wrapper in spec.additional_wrappers:
        if wrapper.kwargs is None:
            raise InvalidValueError(
                f"wrapper {wrapper.name} of {name} does not tell its arguments; derive it from "
                f"gymnasium.utils.RecordConstructorArgs"
            )
        found.append(Wrapper(wrapper.entry_point, wrapper.kwargs))
    return tuple(found)


@functools.cache
def _closure(subject: Subject) -> Closure:
    return reach(subject.entry_point, subject.wrappers)


@functools.cache
def source_of(subject: Subject, charging: str) -> Canonical:
    """Returns the canonical source under a charging."""
    if charging == "code":
        whole = source_of(subject, "all")
        return whole._replace(pieces=[piece for piece in whole.pieces if piece.kind == "definition"])
    return canonical(_closure(subject), subject.kwargs, subject.wrappers, rename=charging != "names")


@functools.cache
def table_of(subject: Subject) -> bytes | None:
    """Returns the transition table, if the environment is one and nothing but a time limit is around it."""
    limits = [wrapper.kwargs.get("max_episode_steps") for wrapper in subject.wrappers]
    if len(limits) > 1 or None in limits:
        return None
    text = table_text(load_object(subject.entry_point)(**subject.kwargs), limits[0] if limits else None)
    return None if text is None else text.encode()


@functools.cache
def frozen_descriptions() -> FrozenDescriptions:
    """Returns the stored lengths."""
    file = importlib.resources.files("aixi.evaluation") / "descriptions.json"
    return msgspec.json.decode(file.read_bytes(), type=FrozenDescriptions)


def _frozen(subject: Subject, coder: str) -> FrozenDescription | None:
    """What is stored of an environment, if it is of the same source and the same coder, or the coder is not at hand."""
    stored = frozen_descriptions().environments.get(subject.name)
    known = frozen_descriptions().coders.get(coder)
    if stored is None or known is None or stored.source["all"].sha256 != _digest(source_of(subject, "all").content):
        return None
    chosen = CODERS[coder]
    return stored if not chosen.installed or known == chosen.version else None


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _cost(pieces: Iterable[bytes], coder: str) -> list[float]:
    """Returns the bits that a coder spends on an empty text, and then on each piece in sequence; their sum is exact."""
    lengths = [code_length(end, coder) for end in itertools.accumulate(pieces, initial=b"")]
    return [lengths[0], *(after - before for before, after in itertools.pairwise(lengths))]


def frozen_text(pieces: Sequence[bytes], coders: Iterable[str] | None = None) -> FrozenText:
    """Returns what is stored of a text.

    Args:
        pieces: its pieces, in order.
        coders: names in `CODERS`, all if None.
    """
    names = [coder.name for coder in CODERS] if coders is None else coders
    return FrozenText(_digest(b"".join(pieces)), {name: _cost(pieces, name) for name in names})


@functools.cache
def _spent(subject: Subject, coder: str, charging: str) -> tuple[list[float], list[float] | None]:
    """Bits piece by piece, of the source without engines and of the table."""
    found = source_of(subject, charging)
    stored = _frozen(subject, coder)
    both = charging == "all"
    if stored is not None and stored.source[charging].sha256 == _digest(found.content):
        # The table follows from the source, which is the same.
        return stored.source[charging].bits[coder], stored.table.bits[coder] if both and stored.table else None
    table = table_of(subject) if both else None
    return _cost([piece.content for piece in found.pieces], coder), None if table is None else _cost([table], coder)


def _weigh(subject: Subject, coder: str, charging: Charging) -> tuple[list[float], list[float] | None, float]:
    """Bits piece by piece, of the source and of the table; and those of the engines, if they are charged."""
    source, table = _spent(subject, coder, "all" if charging == "engine" else charging)
    engines = source_of(subject, "all").engines if charging == "engine" else []
    return source, table, sum(ENGINES[engine].bits for engine in engines)


def _checked(charging: str) -> Charging:
    for known in CHARGINGS:
        if charging == known:
            return known
    raise InvalidValueError(f"charging must be one of {', '.join(CHARGINGS)}, got {charging!r}")


def description_bits(environment: str | EnvironmentRow, coder: str = "mixture", charging: str = "all") -> float:
    """Returns K of an environment in bits.

    Args:
        environment: its row, its id, `module:id`, or its entry point `module:Class`.
        coder: name in `CODERS`.
        charging: see `describe`.

    Raises:
        UnknownNameError: if there is no such environment or coder.
        InvalidValueError: if there is no such charging, the coder is not installed, or the description leaves its
            package for one that is not free.

    Example:
        >>> description_bits("aixi/CoinFlip-v0") < description_bits("aixi/Pacman-v0")
        True
    """
    chosen = _checked(charging)
    source, table, engines = _weigh(Subject.find(environment), coder, chosen)
    length = min(sum(source) + engines, math.inf if table is None else sum(table))
    return length + (_LANGUAGE_BITS if chosen in _CHOOSING else 0.0)


def lengths(environment: str | EnvironmentRow) -> dict[str, float]:
    """Returns K of an environment by every coder that is installed or stored and every charging, as `coder/charging`.

    Raises:
        UnknownNameError: if there is no such environment.
        InvalidValueError: if the description leaves its package for one that is not free.

    Example:
        >>> lengths("aixi/CoinFlip-v0")["lzma/code"]
        1664.0
    """
    subject = Subject.find(environment)
    coders = [coder.name for coder in CODERS if coder.installed or _frozen(subject, coder.name) is not None]
    return {
        f"{coder}/{charging}": description_bits(environment, coder, charging)
        for coder in coders
        for charging in CHARGINGS
    }


def description_hash(environment: str | EnvironmentRow) -> str:
    """Returns the SHA-256 of an environment's canonical source, arguments, wrappers and data included, in hexadecimal.

    Two environments of one hash have the same dynamics.

    Raises:
        UnknownNameError: if there is no such environment.
        InvalidValueError: if the description leaves its package for one that is not free.

    Example:
        >>> len(description_hash("aixi/CoinFlip-v0"))
        64
    """
    return _digest(source_of(Subject.find(environment), "all").content)


def describe(environment: str | EnvironmentRow, coder: str = "mixture", charging: str = "all") -> Description:
    """Returns an environment's description, part by part.

    K is the least length over the description languages, plus log2 of their number: the canonical source, and
    the transition table where the environment is one (see `tabular`).

    Args:
        environment: its row, its id, `module:id`, or its entry point `module:Class`.
        coder: name in `CODERS`.
        charging: what counts beside the definitions reached. `all`: arguments, wrappers and data files. `engine`: the
            engines too, by declared constants. `code`: nothing. `names`: as `all`, with identifiers as
            the author wrote them, which measures style. The last two know one language, the source.

    Raises:
        UnknownNameError: if there is no such environment or coder.
        InvalidValueError: if there is no such charging, the coder is not installed, or the description leaves its
            package for one that is not free.

    Example:
        >>> lake = describe("FrozenLake-v1")
        >>> lake.language, lake.bits == sum(part.bits for part in lake.parts)
        ('table', True)
    """
    subject, chosen = Subject.find(environment), _checked(charging)
    found = source_of(subject, "all" if chosen == "engine" else chosen)
    bits, table, engines = _weigh(subject, coder, chosen)
    source_bits, tabular_bits = sum(bits) + engines, None if table is None else sum(table)
    pieces: list[tuple[str, str, bytes]] = list(found.pieces)
    extras = [Part(engine, "engine", 0, ENGINES[engine].bits) for engine in found.engines if engines]
    language = "source"
    text = table_of(subject) if table is not None else None
    if text is not None and table is not None and tabular_bits is not None and tabular_bits < source_bits:
        language, pieces, bits, extras = "table", [("transition table", "table", text)], table, []
    if chosen in _CHOOSING:
        extras.append(Part(f"{language}, of {len(LANGUAGES)} languages", "language", 0, _LANGUAGE_BITS))
    parts = [Part("empty text", "coder", 0, bits[0])]
    parts += [Part(*piece[:2], len(piece[2]), cost) for piece, cost in zip(pieces, bits[1:], strict=True)]
    parts += extras
    return Description(
        environment=subject.name,
        sha256=description_hash(environment),
        bits=sum(part.bits for part in parts),
        language=language,
        source_bits=source_bits,
        tabular_bits=tabular_bits,
        languages=len(LANGUAGES) if chosen in _CHOOSING else 1,
        parts=parts,
        free=found.free,
        engines=found.engines,
        text=text_of(b"".join(piece for _, _, piece in pieces)),
    )
