"""K: how long an environment's description is, and what it is made of."""

import functools
import hashlib
import importlib.resources
import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, get_args

import gymnasium
import msgspec

from aixi.environments import ENVIRONMENTS
from aixi.environments.registry import EnvironmentRow
from aixi.errors import InvalidValueError, UnknownNameError
from aixi.evaluation.complexity.canonical import Canonical, Wrapper, canonical, text_of
from aixi.evaluation.complexity.coders import CODERS, code_length
from aixi.evaluation.complexity.modules import ENGINES
from aixi.evaluation.complexity.tabular import table_text
from aixi.evaluation.world import import_modules
from aixi.registry import load_object

Charging: TypeAlias = Literal["all", "code", "names", "engine"]
CHARGINGS: tuple[Charging, ...] = get_args(Charging)
LANGUAGES = ("source", "table")
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
        coder: name in `CODERS`.
        charging: what was charged, see `describe`.
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
    coder: str
    charging: str
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
    """Stored lengths of one text: its SHA-256, and bits by coder."""

    sha256: str
    bits: dict[str, float]


class FrozenDescriptions(msgspec.Struct, frozen=True):
    """The data file of stored lengths.

    Attributes:
        coders: version of each coder.
        source: by environment and charging; under `engine` the text is that of `all`.
        table: by environment; those without a table are not there.
    """

    coders: dict[str, str]
    source: dict[str, dict[str, FrozenText]]
    table: dict[str, FrozenText]


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
            InvalidValueError: if Gymnasium knows it by a function, or does not know a wrapper's arguments.
        """
        if isinstance(environment, EnvironmentRow):
            return cls(environment.name, environment.entry_point, environment.kwargs, _wrappers(environment.name))
        module, colon, name = environment.rpartition(":")
        if colon:
            import_modules([module])
        if name in ENVIRONMENTS:
            return cls.find(ENVIRONMENTS[name])
        if name in gymnasium.registry:
            spec = gymnasium.registry[name]
            if not isinstance(spec.entry_point, str):
                raise InvalidValueError(
                    f"{name} is registered by {spec.entry_point!r}, whose source is not to be found; "
                    f"register it as 'module:Class'"
                )
            return cls(name, spec.entry_point, spec.kwargs, _wrappers(name))
        if colon:
            return cls(environment, environment)
        raise UnknownNameError(f"unknown environment {name!r}; give a registered id, module:id or module:Class")


def _wrappers(name: str) -> tuple[Wrapper, ...]:
    spec = gymnasium.registry.get(name)
    if spec is None:
        return ()
    limit = {"max_episode_steps": spec.max_episode_steps}
    found = [Wrapper("gymnasium.wrappers:TimeLimit", limit)] if spec.max_episode_steps is not None else []
    for wrapper in spec.additional_wrappers:
        if wrapper.kwargs is None:
            raise InvalidValueError(
                f"wrapper {wrapper.name} of {name} does not tell its arguments; derive it from "
                f"gymnasium.utils.RecordConstructorArgs"
            )
        found.append(Wrapper(wrapper.entry_point, wrapper.kwargs))
    return tuple(found)


@functools.cache
def _canonical(subject: Subject, charging: Charging) -> Canonical:
    return canonical(
        subject.entry_point,
        subject.kwargs,
        subject.wrappers,
        extras=charging != "code",
        rename=charging != "names",
    )


@functools.cache
def _table(subject: Subject) -> bytes | None:
    """The transition table, if the environment is one and nothing but a time limit is around it."""
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


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _length(content: bytes, coder: str, stored: FrozenText | None) -> float:
    """The length of a text: as stored, if it is the same text and the same coder, or the coder is not at hand."""
    chosen = CODERS[coder]
    if stored is None or stored.sha256 != _digest(content) or coder not in stored.bits:
        return code_length(content, coder)
    if chosen.installed and frozen_descriptions().coders.get(coder) != chosen.version:
        return code_length(content, coder)
    return stored.bits[coder]


@functools.cache
def _bits(subject: Subject, coder: str, charging: Charging) -> tuple[float, float | None]:
    """Lengths in both languages, that of the source with its engines if they are charged."""
    key = "all" if charging == "engine" else charging
    found = _canonical(subject, key)
    stored = frozen_descriptions()
    source = _length(found.content, coder, stored.source.get(subject.name, {}).get(key))
    if charging in ("code", "names"):
        return source, None
    source += sum(ENGINES[engine].bits for engine in found.engines) if charging == "engine" else 0.0
    table = _table(subject)
    return source, None if table is None else _length(table, coder, stored.table.get(subject.name))


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
    source, table = _bits(Subject.find(environment), coder, _checked(charging))
    if charging in ("code", "names"):
        return source
    return min(source, math.inf if table is None else table) + _LANGUAGE_BITS


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
    return _digest(_canonical(Subject.find(environment), "all").content)


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
    found = _canonical(subject, "all" if chosen == "engine" else chosen)
    source, table = _bits(subject, coder, chosen)
    parts = [Part("empty text", "coder", 0, code_length(b"", coder))]
    language, content = "source", found.content
    tabular = _table(subject) if table is not None else None
    if tabular is not None and table is not None and table < source:
        language, content = "table", tabular
        pieces = [("transition table", "table", tabular)]
    else:
        pieces = list(found.pieces)
    ends = itertools.accumulate(len(piece) for _, _, piece in pieces)
    spent = [parts[0].bits, *(code_length(content[:end], coder) for end in ends)]
    for (name, kind, piece), (before, after) in zip(pieces, itertools.pairwise(spent), strict=True):
        parts.append(Part(name, kind, len(piece), after - before))
    if chosen == "engine" and language == "source":
        parts += [Part(engine, "engine", 0, ENGINES[engine].bits) for engine in found.engines]
    if chosen in ("all", "engine"):
        parts.append(Part(f"{language}, of {len(LANGUAGES)} languages", "language", 0, _LANGUAGE_BITS))
    return Description(
        environment=subject.name,
        coder=coder,
        charging=chosen,
        sha256=description_hash(environment),
        bits=sum(part.bits for part in parts),
        language=language,
        source_bits=source,
        tabular_bits=table,
        languages=len(LANGUAGES) if chosen in ("all", "engine") else 1,
        parts=parts,
        free=found.free,
        engines=found.engines,
        text=text_of(content),
    )


class Lengths(msgspec.Struct, frozen=True):
    """An environment's description lengths under every choice of coder and charging.

    Attributes:
        sha256: as in `Description`.
        bits: K by `coder/charging`, for the coders that are at hand or whose lengths are stored.
        engines: as in `Description`.
    """

    sha256: str
    bits: dict[str, float]
    engines: list[str]


def lengths(environment: str | EnvironmentRow) -> Lengths:
    """Returns an environment's description lengths; faster than `describe`, since it knows no parts.

    Raises:
        UnknownNameError: if there is no such environment.
        InvalidValueError: if the description leaves its package for one that is not free.

    Example:
        >>> found = lengths("aixi/CoinFlip-v0")
        >>> found.bits["mixture/all"] == description_bits("aixi/CoinFlip-v0")
        True
    """
    subject = Subject.find(environment)
    stored = frozen_descriptions().source.get(subject.name, {})
    known = {
        charging: charging in stored and stored[charging].sha256 == _digest(_canonical(subject, charging).content)
        for charging in CHARGINGS
        if charging != "engine"
    }
    known["engine"] = known["all"]
    bits = {
        f"{coder.name}/{charging}": description_bits(environment, coder.name, charging)
        for coder in CODERS
        for charging in CHARGINGS
        if coder.installed or (known[charging] and coder.name in stored[_text(charging)].bits)
    }
    return Lengths(description_hash(environment), bits, _canonical(subject, "all").engines)


def _text(charging: Charging) -> Charging:
    """Which text is coded under a charging: engines are charged by constants."""
    return "all" if charging == "engine" else charging
