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

from aixi.errors import InvalidValueError, UnknownNameError

PLUGINS = "aixi.plugins"
"""The group of entry points."""

_LISTED_BY = {"agent": "aixi agents", "environment": "aixi envs", "predictor": "aixi predictors"}
_OWN = {"environment": "; one of your own file is written module:id, or comes with --import MODULE"}
_OF_THE_SUITE = ("aixi.", "gymnasium.")  # where its own entries come from
_FEW = 5  # names in a message, where a verb lists all


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
        """Adds an entry; one of the same name and origin is replaced, so that a module can be imported twice.

        Raises:
            InvalidValueError: if something else has the name.
        """
        known = self._entries.get(entry.name)
        if known is not None and not _same_origin(known, entry):
            raise InvalidValueError(
                f"{self.noun} {entry.name!r} must be one thing, got {_origin(entry) or 'one without entry point'} "
                f"where {_origin(known) or 'one without entry point'} is registered already; give it another name"
            )
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
        hint = f"did you mean {' or '.join(near)}?" if near else self._known()
        return f"unknown {self.noun} {name!r}; {hint}"

    def _known(self) -> str:
        names = list(self._entries)
        verb = _LISTED_BY.get(self.noun)
        if verb is None or len(names) <= _FEW:
            return f"known: {', '.join(names)}"
        known = f"known: {', '.join(names[:_FEW])} and {len(names) - _FEW} more ({verb} lists them)"
        # Whoever misspells a name of a module that was just imported looks for what that module registered.
        origins = {name: _origin(entry) for name, entry in self._entries.items()}
        others = [name for name, origin in origins.items() if origin and not origin.startswith(_OF_THE_SUITE)]
        others = others[: -_FEW - 1 : -1]
        return known + (f"; registered last by others: {', '.join(others)}" if others else _OWN.get(self.noun, ""))

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


def _origin(entry: Entry) -> str:
    """Returns `module:attribute` of what an entry stands for; empty where it names none."""
    return getattr(entry, "entry_point", "")


def _same_origin(one: Entry, two: Entry) -> bool:
    """Whether two entries stand for one thing; those that name no origin must be equal."""
    if not (_origin(one) and _origin(two)):
        return one == two
    # A script that then imports itself by its name registers the very same class twice.
    return _origin(one) in (_origin(two), f"__main__:{_origin(two).partition(':')[2]}")


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
