"""The code that an environment's dynamics reach, found without running it."""

import ast
import functools
import importlib.util
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from aixi.errors import InvalidValueError
from aixi.evaluation.canonical import clean, drop_dead, is_render

_ENTRY_METHODS = {"__init__", "reset", "step"}
PROTOCOL = _ENTRY_METHODS | {"action_space", "observation_space", "np_random", "seed", "options"}
Definition: TypeAlias = ast.FunctionDef | ast.ClassDef | ast.Assign
Imports: TypeAlias = dict[str, tuple[str, str | None]]  # name -> module, attribute of it or None for itself


@functools.cache
def _is_free(module: str) -> bool:
    """Whether a module is in the reference machine."""
    top = module.partition(".")[0]
    if top == "gymnasium":
        return not module.startswith("gymnasium.envs")
    return top == "numpy" or top in sys.stdlib_module_names


def _source(module: str) -> str:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        raise InvalidValueError(f"the source of {module} is not to be had, so that its length is unknown")
    return Path(spec.origin).read_text(encoding="utf-8")


def _is_package(module: str) -> bool:
    spec = importlib.util.find_spec(module)
    return spec is not None and spec.submodule_search_locations is not None


def _top_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a module, those under a condition or in a block among them."""
    for node in body:
        yield node
        if isinstance(node, ast.If | ast.Try | ast.With | ast.For | ast.While):
            for field_ in ("body", "orelse", "finalbody"):
                yield from _top_level(getattr(node, field_, []))
            for handler in getattr(node, "handlers", []):
                yield from _top_level(handler.body)


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # what should hold it is no package
        return False


@dataclass
class _Module:
    """The top level of a module of the environment's package."""

    definitions: dict[str, Definition] = field(default_factory=dict)
    imports: Imports = field(default_factory=dict)

    @classmethod
    def parse(cls, name: str) -> "_Module":
        module = cls()
        tree = clean(ast.parse(_source(name)))
        package = name if _is_package(name) else name.rpartition(".")[0]
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    bound = alias.asname or alias.name.partition(".")[0]
                    module.imports[bound] = (alias.name if alias.asname else bound, None)
            elif isinstance(node, ast.ImportFrom):
                origin = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
                for alias in node.names:
                    if alias.name == "*" and not _is_free(origin):
                        raise InvalidValueError(f"{name} imports all of {origin}; name what it needs")
                    part = f"{origin}.{alias.name}"
                    found = (part, None) if _is_module(part) else (origin, alias.name)
                    module.imports[alias.asname or alias.name] = found
        for node in _top_level(tree.body):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                module.definitions[node.name] = node
            elif isinstance(node, ast.Assign):
                for target in node.targets:
                    for leaf in ast.walk(target):
                        if isinstance(leaf, ast.Name):
                            module.definitions[leaf.id] = node
        return module


class Closure:
    """The definitions that an environment's dynamics reach."""

    def __init__(self, home: str, entry: str) -> None:
        self._package = home.partition(".")[0]
        self._home = home
        self._entry = entry
        self._modules: dict[str, _Module] = {}
        self._reached: dict[tuple[str, str], None] = {}  # (module, name), in the order they were reached

    def collect(self) -> bool:
        """Reaches everything anew, and drops what is dead; returns whether anything was."""
        self._reached = {}
        self._attributes: set[str] = set()
        self._lineage: set[tuple[str, str]] = set()
        self._reach(self._home, self._entry, lineage=True)
        before = -1
        while before != (before := self._size()):
            for module, name in list(self._reached):
                node = self._module(module).definitions[name]
                if isinstance(node, ast.ClassDef):
                    for member in self._members(module, node):
                        self._follow(module, member)
        functions = [
            leaf for node, _ in self.definitions() for leaf in ast.walk(node) if isinstance(leaf, ast.FunctionDef)
        ]
        kept = self._attributes | PROTOCOL
        own = {name for module, name in self._reached}
        return any([drop_dead(function, kept, own) for function in functions])

    def definitions(self) -> list[tuple[Definition, Imports]]:
        """Returns what is reached, with its module's imports; the environment's own module comes last."""
        found: list[tuple[Definition, Imports]] = []
        order = sorted({module for module, _ in self._reached}, key=lambda module: (module == self._home, module))
        for module in order:
            names = {name for where, name in self._reached if where == module}
            # One statement may bind several names.
            nodes = {id(node): node for name, node in self._module(module).definitions.items() if name in names}
            for node in nodes.values():
                if isinstance(node, ast.ClassDef):
                    bases = [base.value if isinstance(base, ast.Subscript) else base for base in node.bases]
                    body = list(self._members(module, node)) or [ast.Pass()]
                    node = ast.ClassDef(node.name, bases, node.keywords, body, node.decorator_list)
                found.append((node, self._module(module).imports))
        return found

    def _size(self) -> int:
        return len(self._reached) + len(self._attributes)

    def _module(self, name: str) -> _Module:
        if name not in self._modules:
            self._modules[name] = _Module.parse(name)
        return self._modules[name]

    def _members(self, module: str, node: ast.ClassDef) -> Iterator[ast.stmt]:
        """The statements of a class body that count."""
        lineage = (module, node.name) in self._lineage
        for member in node.body:
            names = set(bound_names(member))
            if isinstance(member, ast.Expr):  # a field declared by its annotation alone
                wanted = not lineage
            elif lineage:
                wanted = bool(names & (self._attributes | _ENTRY_METHODS))
            else:
                wanted = bool(names & self._attributes) or any(name.startswith("__") for name in names)
            if wanted and not any(is_render(name) for name in names):
                yield member

    def _reach(self, module: str, name: str, *, lineage: bool = False) -> None:
        """Takes in one top-level definition and what it names."""
        found = self._module(module)
        if lineage:
            self._lineage.add((module, name))
        if (module, name) in self._reached:
            return
        if name in found.definitions:
            self._reached[module, name] = None
            node = found.definitions[name]
            if not isinstance(node, ast.ClassDef):
                self._follow(module, node)
                return
            for part in [*node.decorator_list, *(keyword_.value for keyword_ in node.keywords)]:
                self._follow(module, part)
            for base in node.bases:
                base = base.value if isinstance(base, ast.Subscript) else base
                if isinstance(base, ast.Name):
                    self._reach(module, base.id, lineage=lineage)
                else:
                    self._follow(module, base)
        elif name in found.imports:
            origin, attribute = found.imports[name]
            self._reach_import(origin, attribute, lineage=lineage)

    def _reach_import(self, origin: str, attribute: str | None, *, lineage: bool = False) -> None:
        if _is_free(origin):
            return
        if origin.partition(".")[0] != self._package:
            raise InvalidValueError(
                f"the description of {self._entry} uses {origin}, which is neither its own package nor free "
                f"(Python, NumPy, Gymnasium); write out what it needs"
            )
        if attribute is not None:
            self._reach(origin, attribute, lineage=lineage)

    def _follow(self, module: str, node: ast.AST) -> None:
        """Takes in every name that a piece of code reads."""
        imports = self._module(module).imports
        for leaf in ast.walk(node):
            if isinstance(leaf, ast.Attribute):
                if isinstance(leaf.ctx, ast.Load):
                    self._attributes.add(leaf.attr)
                if isinstance(leaf.value, ast.Name) and imports.get(leaf.value.id, ("", ""))[1] is None:
                    self._reach_import(imports[leaf.value.id][0], leaf.attr)
            elif isinstance(leaf, ast.Name) and isinstance(leaf.ctx, ast.Load):
                self._reach(module, leaf.id)


def bound_names(node: ast.AST) -> Iterator[str]:
    """The names that a statement of a class body binds."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Assign):
        for target in node.targets:
            yield from (leaf.id for leaf in ast.walk(target) if isinstance(leaf, ast.Name))
