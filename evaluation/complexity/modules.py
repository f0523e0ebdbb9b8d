"""Modules as text: found and parsed without being imported."""

import ast
import functools
import importlib.machinery
import importlib.util
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TypeAlias

from aixi.errors import InvalidValueError
from aixi.evaluation.complexity.cleaning import clean
from aixi.evaluation.complexity.trees import walk

Imports: TypeAlias = dict[str, tuple[str, str | None]]  # name -> module, attribute of it or None for itself


class Engine(NamedTuple):
    """Physics or an emulator behind an environment.

    Attributes:
        bits: its declared length: raw LZMA1 (see `coders`) of its C and C++ sources, comments and superfluous
            blanks taken out.
        source: of which version and files.
        data: the file beside the engine that holds what is the environment's own, with arguments of the environment
            in braces; it is charged as the environment's.
    """

    bits: float
    source: str
    data: str = ""


ENGINES = {
    "Box2D": Engine(369_752.0, "pybox2d 2.3.10-4-g0964332, folder Box2D: 92 files"),
    "pymunk": Engine(375_128.0, "Chipmunk2D 7.0.3-51-gf2f3d66, folders src and include: 63 files"),
    "mujoco": Engine(3_062_632.0, "MuJoCo 3.12.0-31-ga7255075b, engine, user, xml, thread and headers: 166 files"),
    "ale_py": Engine(
        1_301_016.0, "ALE 0.12.1-1-ga9a043e2, src/ale without its Python part: 354 files; no ROM", "roms/{game}.bin"
    ),
}


@functools.cache
def is_free(module: str) -> bool:
    """Whether a module is in the reference machine: Python, NumPy, Gymnasium's API, or an engine."""
    top = module.partition(".")[0]
    if top == "gymnasium":
        return not module.startswith("gymnasium.envs")
    return top == "numpy" or top in sys.stdlib_module_names or top in ENGINES


def locate(name: str) -> importlib.machinery.ModuleSpec | None:
    """Returns where a module is, or None if there is no such module; neither it nor its package is imported."""
    top, *parts = name.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except ValueError:  # a script that is being run
        return None
    for part in parts:
        if spec is None or spec.submodule_search_locations is None:
            return None
        spec = importlib.machinery.PathFinder.find_spec(f"{spec.name}.{part}", list(spec.submodule_search_locations))
    return spec


@dataclass
class Module:
    """The top level of a module of the environment's package.

    Attributes:
        name: its full name.
        path: its file.
        statements: those that bind or change a name of the module, by that name, in the order of the text; as
            they stand there, see `definitions`.
        imports: what it imports, anywhere.
    """

    name: str
    path: Path
    statements: dict[str, list[ast.stmt]] = field(default_factory=dict)
    imports: Imports = field(default_factory=dict)
    _cleaned: dict[int, list[ast.stmt]] = field(default_factory=dict)

    @classmethod
    def parse(cls, name: str) -> "Module":
        """Reads a module.

        Raises:
            InvalidValueError: if its source is not to be had, or it imports all names of a module that is charged.
        """
        spec = locate(name)
        if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
            raise InvalidValueError(f"the source of {name} is not to be had, so that its length is unknown")
        module = cls(name, Path(spec.origin))
        tree = ast.parse(module.path.read_text(encoding="utf-8"))
        package = name if spec.submodule_search_locations is not None else name.rpartition(".")[0]
        for node in walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                module._import(node, package)
        for statement in _units(tree.body):
            for bound in dict.fromkeys(bound_names(statement)).keys() - module.imports.keys():
                module.statements.setdefault(bound, []).append(statement)
        return module

    def definitions(self, name: str) -> list[ast.stmt]:
        """Returns what defines a name, clean."""
        for statement in self.statements[name]:
            if id(statement) not in self._cleaned:
                self._cleaned[id(statement)] = clean(statement)
        return [part for statement in self.statements[name] for part in self._cleaned[id(statement)]]

    def _import(self, node: ast.Import | ast.ImportFrom, package: str) -> None:
        if isinstance(node, ast.Import):
            for alias in node.names:
                bound = alias.asname or alias.name.partition(".")[0]
                self.imports[bound] = (alias.name if alias.asname else bound, None)
            return
        origin = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
        for alias in node.names:
            if alias.name == "*" and not is_free(origin):
                raise InvalidValueError(f"{self.name} imports all of {origin}; name what it needs")
            part = f"{origin}.{alias.name}"
            inner = not is_free(part) and locate(part) is not None
            self.imports[alias.asname or alias.name] = (part, None) if inner else (origin, alias.name)


def _units(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a module. A block is one statement, unless it holds a class: then each of its own is."""
    for node in body:
        inner = [part for name in ("body", "handlers", "orelse", "finalbody") for part in getattr(node, name, [])]
        if isinstance(node, ast.FunctionDef | ast.ClassDef) or not any(
            isinstance(leaf, ast.ClassDef) for part in inner for leaf in walk(part)
        ):
            yield node
        else:
            yield from _units([part for part in inner if isinstance(part, ast.stmt)])
            yield from _units(
                [part for handler in inner if isinstance(handler, ast.ExceptHandler) for part in handler.body]
            )


def bound_names(node: ast.AST) -> Iterator[str]:
    """The names that a statement of a module or class body binds, or whose objects it changes."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        yield node.name
        return
    for leaf in walk(node):
        if isinstance(leaf, ast.Name) and not isinstance(leaf.ctx, ast.Load):
            yield leaf.id
        elif isinstance(leaf, ast.FunctionDef):
            yield leaf.name
        elif isinstance(leaf, ast.Attribute | ast.Subscript) and not isinstance(leaf.ctx, ast.Load):
            yield from _head(leaf)
        elif isinstance(leaf, ast.Expr) and isinstance(leaf.value, ast.Call):
            yield from _head(leaf.value.func) if isinstance(leaf.value.func, ast.Attribute) else ()


def _head(node: ast.expr) -> Iterator[str]:
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    if isinstance(node, ast.Name):
        yield node.id


def member_names(node: ast.stmt) -> Iterator[str]:
    """The names that a statement of a class body binds; a bare name there declares a field."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Name):
        yield node.value.id
    yield from bound_names(node)
