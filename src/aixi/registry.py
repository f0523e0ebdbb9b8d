"""The one registry mechanism that predictors, agents and environments share, and the plugins that fill it.

A package joins by an entry point of the group `aixi.plugins`, whose value is a module that registers when it is
imported. In its pyproject.toml:

    [project.entry-points."aixi.plugins"]
    my-worlds = "my_worlds.registrations"

Plugins are imported once a process, when a name is asked for that nobody has registered, or a registry is listed.
"""

import difflib
import importlib
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any, Generic, Protocol, TypeVar

from aixi.errors import UnknownNameError

PLUGINS = "aixi.plugins"
"""The group of entry points."""


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
        if name in self:
            return self._entries[name]
        raise UnknownNameError(self._unknown(name))

    def _unknown(self, name: str) -> str:
        by_folded = {known.lower(): known for known in self._entries}
        near = [by_folded[key] for key in difflib.get_close_matches(name.lower(), by_folded, n=3, cutoff=0.8)]
        hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(self._entries)}"
        return f"unknown {self.noun} {name!r}; {hint}"

    def __contains__(self, name: object) -> bool:
        if name not in self._entries:
            load_plugins()
        return name in self._entries

    def __iter__(self) -> Iterator[E]:
        load_plugins()
        return iter(self._entries.values())

    def __len__(self) -> int:
        load_plugins()
        return len(self._entries)


class _Plugins:
    """Whether the plugins of this process are loaded, or being loaded."""

    # Other threads wait until all names are there; a plugin that looks something up itself does not wait for itself.
    lock = threading.RLock()
    loaded = False


def load_plugins() -> None:
    """Imports what installed packages name in the group `aixi.plugins`, the first time that it is called.

    One that cannot be imported costs its own registrations alone: a warning names it.
    """
    with _Plugins.lock:
        if _Plugins.loaded:
            return
        _Plugins.loaded = True
        from importlib.metadata import entry_points  # not needed by whoever names only what the suite has

        for plugin in entry_points(group=PLUGINS):
            try:
                plugin.load()
            except (Exception, SystemExit) as error:  # whatever a stranger's module does wrong
                warnings.warn(
                    f"plugin {plugin.name} ({plugin.value}) cannot be imported ({type(error).__name__}: {error}), so "
                    "that its names are missing; correct or uninstall its package",
                    stacklevel=3,
                )


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
