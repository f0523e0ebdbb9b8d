"""The code that an environment's dynamics reach, found without running it."""

import ast
import builtins
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from aixi.errors import InvalidValueError
from aixi.evaluation.complexity.cleaning import Usage, drop_dead, shows
from aixi.evaluation.complexity.data import read_files
from aixi.evaluation.complexity.modules import ENGINES, Module, bound_names, is_free, locate, member_names
from aixi.evaluation.complexity.scopes import Scope, Scopes
from aixi.evaluation.complexity.trees import walk

_METHODS = ("__init__", "reset", "step")  # those that are called from outside
_WRAPPER_METHODS = (*_METHODS, "action", "observation", "reward")
_SHOWING = {"close", "metadata"}  # of an environment
_PROTOCOL = ("action_space", "observation_space", "np_random", "unwrapped", "spec", "env")


class Target(NamedTuple):
    """What a dotted name stands for.

    Attributes:
        module: the own module that defines it; None for what is free.
        name: its name there; the full dotted name of what is free.
    """

    module: str | None
    name: str


@dataclass
class Definition:
    """A statement of a module that is reached; of a class, what of it is reached.

    Attributes:
        node: the statement.
        module: where it stands.
        names: the names of the module that it binds.
    """

    node: ast.stmt
    module: Module
    names: tuple[str, ...]


class _Facts(NamedTuple):
    """What a piece of code says: names it uses, attributes it reads, and its functions."""

    targets: list[Target]
    attributes: list[str]
    functions: list[tuple[ast.FunctionDef, Usage]]


class Closure:
    """The definitions that an environment's dynamics reach, in an order that does not depend on the files' own.

    Code is followed from the entry methods in the order of its calls: methods, class attributes, base classes,
    functions and constants, through every module of the environment's own package and of Gymnasium's environments,
    which others build upon.

    Args:
        entry_point: `module:Class` of the environment.
        wrappers: entry points of the wrappers around it that are not free.

    Attributes:
        definitions: what is reached; what a definition needs while its module is loaded stands before it.
        entries: the classes of the environment and the wrappers, as the module and name that define each.
        files: content of the data files read, by path, in the order of their reading.
        protocol: members whose names Gymnasium gives.
        free_names: full names of Python's, NumPy's and the engines' that are used.
        free: top packages used that cost nothing, sorted.
        engines: engines used, sorted.

    Raises:
        InvalidValueError: if it reaches what is neither in the package nor free, or what cannot be read.
    """

    def __init__(self, entry_point: str, wrappers: Sequence[str] = ()) -> None:
        points = [entry_point, *wrappers]
        self._class = entry_point.partition(":")[2]
        self._packages = {"gymnasium", *(point.partition(":")[0].partition(".")[0] for point in points)}
        self.protocol = {*(_WRAPPER_METHODS if wrappers else _METHODS), *_PROTOCOL}
        self._modules: dict[str, Module] = {}
        self._facts: dict[int, _Facts] = {}  # of each piece of code as it stands, by its identity
        self.files: dict[str, bytes] = {}
        self.entries = [self._resolve_in(*point.split(":", 1)) for point in points]
        while self._collect():  # what is dead depends on what is reached, and the other way round
            pass
        begun: set[int] = set()
        self.definitions = [item for entry in self.entries for item in self._arrange(entry, begun)]
        tops = {name.partition(".")[0] for name in self.free_names}
        self.engines = sorted(tops & ENGINES.keys())
        self.free = sorted(tops - ENGINES.keys())

    # Reaching

    def _collect(self) -> bool:
        """Reaches everything anew, and drops what is dead; returns whether anything was."""
        self._reached: dict[int, tuple[Module, ast.stmt]] = {}  # by the statement's identity
        self._members: dict[int, dict[int, ast.stmt]] = {}  # of each class reached, in the order of their reaching
        self._lineage: list[int] = []  # the environment's class and its bases, the nearest first; then the wrappers'
        self._mentioned: dict[str, None] = {}  # attributes read
        self.free_names: set[str] = set()
        self._queue: list[tuple[Module, ast.AST, ast.ClassDef | None]] = []
        for number, entry in enumerate(self.entries):
            before = len(self._lineage)
            self._reach(entry, lineage=True)
            for method in _WRAPPER_METHODS if number else _METHODS:
                for identity in self._lineage[before:]:
                    module, node = self._reached[identity]
                    if isinstance(node, ast.ClassDef) and self._admit(module, node, {method}):
                        break  # those that it hides count only if something asks for them
        for module, code, owner in self._queue:  # grows while it is read
            self._follow(module, code, owner)
        own = {name for _, node in self._reached.values() for name in bound_names(node)}
        kept = self._mentioned.keys() | self.protocol
        changed = {
            id(code)
            for _, code, _ in self._queue
            if any([drop_dead(function, usage, kept, own) for function, usage in self._facts[id(code)].functions])
        }
        for identity in changed:
            del self._facts[identity]
        return bool(changed)

    def _module(self, name: str) -> Module:
        if name not in self._modules:
            self._modules[name] = Module.parse(name)
        return self._modules[name]

    def _reach(self, target: Target, *, lineage: bool = False) -> None:
        """Takes in a definition."""
        if target.module is None:
            self.free_names.add(target.name)
            return
        module = self._module(target.module)
        for node in module.definitions(target.name):
            if lineage and id(node) not in self._lineage:
                self._lineage.append(id(node))
            elif id(node) in self._reached:
                continue
            known = id(node) in self._reached
            self._reached[id(node)] = module, node
            if not isinstance(node, ast.ClassDef):
                if not known:
                    self._queue.append((module, node, None))
                continue
            self._members.setdefault(id(node), {})
            for base in map(without_parameters, node.bases):
                found = self.resolve(module, base)
                if found is not None:
                    self._reach(found, lineage=lineage)
                else:
                    self._queue.append((module, base, None))
            self._queue += [(module, part, None) for part in [*node.decorator_list, *node.keywords]]
            if not lineage:
                self._admit(module, node)

    def _admit(self, module: Module, node: ast.ClassDef, asked: set[str] | None = None) -> bool:
        """Takes in the members of a class that count: those asked for, else those mentioned so far and special ones."""
        lineage = id(node) in self._lineage
        # The fields of a named tuple or data class are its constructor's parameters.
        record = not lineage and bool(node.decorator_list or node.bases)
        admitted = False
        for member in node.body:
            names = set(member_names(member))
            special = not lineage and any(name.startswith("__") for name in names)
            field_ = record and not isinstance(member, ast.FunctionDef | ast.ClassDef)
            wanted = names & (asked or self._mentioned.keys()) or special or field_
            hidden = lineage and (names & _SHOWING or isinstance(member, ast.Expr))
            if wanted and not hidden and not any(map(shows, names)):
                admitted = True
                if id(member) not in self._members[id(node)]:
                    self._members[id(node)][id(member)] = member
                    self._queue.append((module, member, node))
        return admitted

    def _follow(self, module: Module, code: ast.AST, owner: ast.ClassDef | None) -> None:
        """Takes in every name that a piece of code reads."""
        facts = self._facts.get(id(code))
        if facts is None:
            read_files(code, module, lambda node: self._free_name(module, node), self.files)
            members = None if owner is None else {name for member in owner.body for name in member_names(member)}
            scopes = Scopes(code, members)
            functions = [(leaf, Usage(leaf)) for leaf in walk(code) if isinstance(leaf, ast.FunctionDef)]
            facts = _Facts(list(self._targets(module, scopes)), list(_attributes(scopes, module)), functions)
            self._facts[id(code)] = facts
        for target in facts.targets:
            self._reach(target)
        for name in facts.attributes:
            if name not in self._mentioned:
                self._mentioned[name] = None
                for home, node in list(self._reached.values()):
                    if isinstance(node, ast.ClassDef):
                        self._admit(home, node, {name})

    def _targets(self, module: Module, scopes: Scopes) -> Iterator[Target]:
        """What the names in a piece of code stand for, where its own scopes do not bind them."""
        chains: list[ast.expr] = [use.node for use in scopes.free() if isinstance(use.node, ast.Name)]
        chains += [node for node, scope in scopes.attributes if _is_free_chain(node, scope, scopes)]
        for chain in chains:
            target = self.resolve(module, chain)
            if target is not None:
                yield target

    # Names

    def resolve(self, module: Module, node: ast.expr) -> Target | None:
        """Returns what a dotted name stands for at the top of a module, if that is a definition or free."""
        chain = dotted(node)
        if chain is None:
            return None
        head, *rest = chain
        if head not in module.imports:
            return Target(module.name, head) if head in module.statements and not rest else None
        origin, attribute = module.imports[head]
        while attribute is None and rest and not is_free(part := f"{origin}.{rest[0]}"):
            if locate(part) is None:
                attribute = rest[0]
            else:
                origin = part
            del rest[0]
        if is_free(origin):
            return Target(None, ".".join([origin, *([attribute] if attribute else []), *rest]))
        if attribute is None or rest:  # a module, or an attribute of a definition that a shorter name stands for
            self._own(origin)
            return None
        return self._resolve_in(origin, attribute)

    def _resolve_in(self, origin: str, name: str) -> Target:
        self._own(origin)
        module = self._module(origin)
        target = self.resolve(module, ast.Name(name))
        if target is None:
            raise InvalidValueError(
                f"{origin} has no {name} that can be found without running it; "
                f"import it from the module that defines it"
            )
        return target

    def _own(self, origin: str) -> None:
        if origin.partition(".")[0] not in self._packages:
            raise InvalidValueError(
                f"the description of {self._class} uses {origin}, which is neither its own package nor free "
                f"(Python, NumPy, Gymnasium); write out what it needs"
            )

    def _free_name(self, module: Module, node: ast.expr) -> str | None:
        """The full name of a function of Python or NumPy."""
        if isinstance(node, ast.Name) and node.id not in module.statements and node.id not in module.imports:
            return node.id if hasattr(builtins, node.id) else None
        target = self.resolve(module, node)
        return None if target is None or target.module is not None else target.name

    # Order

    def _arrange(self, target: Target, begun: set[int]) -> Iterator[Definition]:
        """Yields what a definition names, then the definition."""
        if target.module is None:
            return
        module = self._module(target.module)
        for node in module.definitions(target.name):
            if id(node) in begun:
                continue
            begun.add(id(node))
            reached = self._reached_part(node)
            for needed in self._targets(module, Scopes(reached)):
                yield from self._arrange(needed, begun)
            yield Definition(reached, module, tuple(dict.fromkeys(bound_names(node))))

    def _reached_part(self, node: ast.stmt) -> ast.stmt:
        """A class with the members that are reached: other statements as they stand, then methods as they came."""
        if not isinstance(node, ast.ClassDef):
            return node
        members = self._members[id(node)]
        body = [member for member in node.body if id(member) in members]
        methods = {member.name for member in body if isinstance(member, ast.FunctionDef)}
        others = [member for member in body if not isinstance(member, ast.FunctionDef)]
        if not any(isinstance(leaf, ast.Name) and leaf.id in methods for part in others for leaf in walk(part)):
            body = others + [member for member in members.values() if isinstance(member, ast.FunctionDef)]
        bases = [without_parameters(base) for base in node.bases]
        return ast.ClassDef(node.name, bases, node.keywords, body or [ast.Pass()], node.decorator_list)


def _is_free_chain(node: ast.expr, scope: Scope, scopes: Scopes) -> bool:
    """Whether a dotted name starts with a name that no scope of the code binds."""
    chain = dotted(node)
    return chain is not None and scope.binder(chain[0]) is scopes.module


def _attributes(scopes: Scopes, module: Module) -> Iterator[str]:
    """The attributes that a piece of code reads, of objects and not of modules."""
    for use in scopes.uses:
        if isinstance(use.node, ast.Name) and isinstance(use.node.ctx, ast.Load) and use.binder.kind == "class":
            yield use.name
    for node, scope in scopes.attributes:
        chain = dotted(node)
        imported = chain and chain[0] in module.imports
        if isinstance(node.ctx, ast.Load) and not (imported and _is_free_chain(node, scope, scopes)):
            yield node.attr


def dotted(node: ast.expr) -> tuple[str, ...] | None:
    """Returns the parts of a dotted name, or None if the expression is not one."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return (node.id, *reversed(parts)) if isinstance(node, ast.Name) else None


def without_parameters(base: ast.expr) -> ast.expr:
    """Returns a base class without its type arguments."""
    return base.value if isinstance(base, ast.Subscript) else base
