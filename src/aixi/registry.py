"""The one registry mechanism that predictors, agents and environments share."""

import difflib
import importlib
from collections.abc import Callable, Iterator
from typing import Any, Generic, Protocol, TypeVar

from aixi.errors import UnknownNameError


class Entry(Protocol):
    """What a registry holds: anything with a name and a line of summary."""

    @property
    def name(self) -> str: ...

    @property
    def summary(self) -> str: ...


E = TypeVar("E", bound=Entry)


class Registry(Generic[E]):
    """Entries by name, in the order they came.

    Args:
        noun: what the entries are called in messages, for example `agent`.
        entries: the entries to start with.
    """

    def __init__(self, noun: str, *entries: E) -> None:
        self.noun = noun
        self._entries: dict[str, E] = {}
        for entry in entries:
            self.register(entry)

    def register(self, entry: E) -> None:
        """Adds an entry; one of the same name is replaced, so that a module can be imported twice."""
        self._entries[entry.name] = entry

    def __getitem__(self, name: str) -> E:
        """Returns the entry.

        Raises:
            UnknownNameError: with the nearest names, or all of them when none is near.
        """
        try:
            return self._entries[name]
        except KeyError:
            raise UnknownNameError(self._unknown(name)) from None

    def _unknown(self, name: str) -> str:
        by_folded = {known.lower(): known for known in self._entries}
        near = [by_folded[key] for key in difflib.get_close_matches(name.lower(), by_folded, n=3, cutoff=0.8)]
        hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(self._entries)}"
        return f"unknown {self.noun} {name!r}; {hint}"

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[E]:
        return iter(self._entries.values())

    def __len__(self) -> int:
        return len(self._entries)


def load_object(entry_point: str) -> Any:
    """Imports `module:attribute`, so that a registry can name a class without importing it."""
    module, _, attribute = entry_point.partition(":")
    return getattr(importlib.import_module(module), attribute)


def exported_from(package: str, homes: dict[str, tuple[str, ...]]) -> Callable[[str], Any]:
    """Returns a package's `__getattr__`: a name is imported from its module when it is first used.

    Args:
        package: `__name__` of the package.
        homes: names by the module that they live in.
    """

    def find(name: str) -> Any:
        for home, names in homes.items():
            if name in names:
                return getattr(importlib.import_module(f"{package}.{home}"), name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return find
