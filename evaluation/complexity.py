"""K: how long an environment's description is.

The description is the environment's canonical source: its dynamics and the data they use, in a form that no
longer depends on prose, layout or names. Its length is what a general compressor makes of it. An upper bound
on Kolmogorov complexity, for a machine that knows Python, NumPy and the Gymnasium API.

Canonical source, step by step:

1. Start from `__init__`, `reset` and `step` of the class, and follow every name: methods, class attributes,
   base classes, functions and constants, through every module of the environment's own package. Python, NumPy
   and Gymnasium's API are free. A name from anywhere else is an error, so that no import hides a description.
2. Leave out documentation, annotations, rendering, warnings, checks of arguments (a condition that only
   raises), and assignments to what is never read.
3. Rename every identifier that the source binds, in order of first use. Names of Gymnasium's protocol stay.
4. Indent by one space. Add the arguments of the registry row, and its time limit.
"""

import ast
import builtins
import copy
import importlib
import importlib.util
import itertools
import keyword
import lzma
import string
from collections.abc import Iterable, Mapping
from typing import Any

import gymnasium

from aixi.environments.registry import EnvironmentRow
from aixi.evaluation.closure import PROTOCOL, Closure, Definition, Imports, bound_names

# Raw LZMA1 has no header: an empty text takes 10 bytes, and every environment pays them alike. lc=3, lp=0 and
# pb=0 are the settings for text: three high bits of the last byte as context, no alignment.
LZMA_FILTERS = ({"id": lzma.FILTER_LZMA1, "preset": 9 | lzma.PRESET_EXTREME, "lc": 3, "lp": 0, "pb": 0},)


def code_length(text: str) -> int:
    """Returns the length of a text in bits under raw LZMA1.

    Example:
        >>> code_length("")
        80
    """
    return 8 * len(lzma.compress(text.encode(), format=lzma.FORMAT_RAW, filters=LZMA_FILTERS))


def description_bits(row: EnvironmentRow) -> int:
    """Returns K of an environment in bits.

    Raises:
        InvalidValueError: if the description leaves its package for one that is not free.
    """
    return code_length(canonical_source(row.entry_point, row.kwargs, _time_limit(row.name)))


def canonical_source(
    entry_point: str, arguments: Mapping[str, Any] | None = None, time_limit: int | None = None
) -> str:
    """Returns the canonical source of an environment.

    Args:
        entry_point: `module:Class`.
        arguments: keyword arguments that the registry row passes.
        time_limit: cycles after which Gymnasium truncates an episode.
    """
    module, _, name = entry_point.partition(":")
    home = getattr(importlib.import_module(module), name).__module__
    closure = Closure(home, name)
    while closure.collect():  # what is dead depends on what is reached, and the other way round
        pass
    definitions = [_one_spelling(node, imports) for node, imports in closure.definitions()]
    renaming = _Renaming(definitions)
    lines = [ast.unparse(ast.fix_missing_locations(renaming.visit(node))) for node in definitions]
    source = "\n".join(_narrow(line) for text in lines for line in text.split("\n") if line)
    extras = [f"{renaming.short(key)}={value!r}" for key, value in sorted((arguments or {}).items())]
    if time_limit is not None:
        extras.append(f"TimeLimit({time_limit})")
    return "\n".join([source, *extras])


def _time_limit(name: str) -> int | None:
    return gymnasium.spec(name).max_episode_steps if name in gymnasium.registry else None


def _narrow(line: str) -> str:
    text = line.lstrip(" ")
    return " " * ((len(line) - len(text)) // 4) + text


def _one_spelling(definition: Definition, imports: Imports) -> Definition:
    """Returns a copy that writes free names by their last part, however imported; NumPy's stay."""

    class Spell(ast.NodeTransformer):
        def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
            root: ast.expr = node
            while isinstance(root, ast.Attribute):
                root = root.value
            if isinstance(root, ast.Name) and root.id in imports and isinstance(node.ctx, ast.Load):
                origin, attribute = imports[root.id]
                if not origin.startswith("numpy") and attribute is None:
                    return ast.Name(node.attr, ast.Load())
            self.generic_visit(node)
            return node

    spelt: Definition = Spell().visit(copy.deepcopy(definition))
    return spelt


class _Renaming(ast.NodeTransformer):
    """Gives every identifier that the source binds the shortest free name, in order of first use."""

    def __init__(self, definitions: Iterable[ast.AST]) -> None:
        self._names: set[str] = set()  # bound as a name: a variable, argument, function or class
        self._members: set[str] = set()  # bound as an attribute: of self, or in a class body
        used: set[str] = set()
        for node in itertools.chain.from_iterable(map(ast.walk, definitions)):
            if isinstance(node, ast.Name):
                (used if isinstance(node.ctx, ast.Load) else self._names).add(node.id)
            elif isinstance(node, ast.arg):
                self._names.add(node.arg)
            elif isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load):
                self._members.add(node.attr)
            elif isinstance(node, ast.FunctionDef | ast.ClassDef):
                self._names.add(node.name)
                if isinstance(node, ast.ClassDef):
                    self._members.update(name for member in node.body for name in bound_names(member))
        taken = (used - self._names) | set(dir(builtins)) | set(keyword.kwlist)
        letters = string.ascii_letters
        words = ("".join(word) for size in itertools.count(1) for word in itertools.product(letters, repeat=size))
        self._free = (word for word in words if word not in taken)
        self._short: dict[str, str] = {}

    def short(self, name: str) -> str:
        """Returns the new name of a bound identifier; one of the protocol keeps its own."""
        if name in PROTOCOL or name.startswith("__"):
            return name
        if name not in self._short:
            self._short[name] = next(self._free)
        return self._short[name]

    def _defined(self, node: Any) -> Any:
        node.name = self.short(node.name)
        return self.generic_visit(node)

    visit_FunctionDef = visit_ClassDef = _defined

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id in self._names:
            node.id = self.short(node.id)
        return node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.arg = self.short(node.arg)
        return node

    def visit_keyword(self, node: ast.keyword) -> ast.AST:
        if node.arg in self._names:
            node.arg = self.short(node.arg)
        return self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        self.generic_visit(node)
        if node.attr in self._members:
            node.attr = self.short(node.attr)
        return node

    def visit_Global(self, node: Any) -> ast.AST:
        node.names = [self.short(name) for name in node.names]
        return self.generic_visit(node)

    visit_Nonlocal = visit_Global
