"""Names that do not depend on the author: every identifier that a source binds gets the shortest free word.

Variables are renamed scope by scope, so that it makes no difference whether two functions share a name. Words
are given in the order of the text: capitals to what modules define, small letters to variables and, apart
from them, to members. A parameter that a call names keeps one word, with a line after it, through all functions
which that call may mean.

A member is known by its spelling, since the text does not tell an object's type: an attribute of NumPy's that is
spelled like one of the source's own is renamed with it.
"""

import ast
import builtins
import functools
import itertools
import keyword
import string
from collections.abc import Container, Hashable, Iterator
from typing import Any, NamedTuple, TypeAlias

from aixi.evaluation.complexity.closure import Closure, Definition, Target, dotted
from aixi.evaluation.complexity.modules import locate
from aixi.evaluation.complexity.scopes import Scope, Scopes, Use, parameters
from aixi.evaluation.complexity.trees import duplicate

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda

_COPYING = {"replace", "_replace"}  # of a named tuple or data class: their keywords are its fields


class Local(NamedTuple):
    """A variable: the scope that binds it, and its name."""

    scope: Scope
    name: str


class Member(NamedTuple):
    """An attribute of an object, or a name of a class body."""

    name: str


class Naming:
    """The definitions of a closure in canonical names.

    Args:
        closure: what is reached; it is not changed.
        rename: False keeps the author's names, and only spells free names in one way.

    Attributes:
        definitions: renamed copies of the closure's statements.
    """

    def __init__(self, closure: Closure, *, rename: bool = True) -> None:
        self._closure = closure
        self._settled: dict[int, Target] = {}  # what a Name node stands for, by its identity
        self._free = _free_spellings(closure)
        copies = [self._spelt(item) for item in closure.definitions]
        self.definitions = [item.node for item in copies]
        self._words: dict[Hashable, str] = {}
        self._functions: dict[Hashable, list[Function]] = {}  # what a called name may mean
        self._scope_of: dict[int, Scope] = {}  # of each function that has parameters
        if rename:
            places = [(item, Scopes(item.node)) for item in copies]
            for item, scopes in places:
                self._survey(item, scopes)
            self._rename(places)

    def word(self, entry: int) -> str:
        """Returns the name of one of the closure's entry classes."""
        target = self._closure.entries[entry]
        return self._words.get(target, target.name)

    def argument(self, key: str, entry: int = 0) -> str:
        """Returns the word of a parameter of an entry class's constructor."""
        for function in self._functions.get(self._closure.entries[entry], []):
            scope = self._scope_of.get(id(function))
            if scope is not None and Local(scope, key) in self._words:
                return self._words[Local(scope, key)]
        return key

    def _spelt(self, item: Definition) -> Definition:
        """Returns a copy in which one name stands for each dotted name of a module's."""
        scopes = Scopes(item.node)
        found: dict[int, Target] = {}
        candidates: list[tuple[ast.expr, Scope]] = [*scopes.attributes]
        candidates += [(use.node, use.scope) for use in scopes.uses if isinstance(use.node, ast.Name)]
        for chain, scope in candidates:
            names = dotted(chain)
            target = self._closure.resolve(item.module, chain) if names else None
            if names and target is not None and scope.binder(names[0]) is scopes.module:
                found[id(chain)] = target

        def spelling(part: Any) -> ast.Name | None:
            target = found.get(id(part))
            if target is None:
                return None
            name = ast.Name(target.name if target.module else self._free[target.name], part.ctx)
            self._settled[id(name)] = target
            return name

        return Definition(duplicate(item.node, spelling), item.module, item.names)

    # What calls may mean

    def _survey(self, item: Definition, scopes: Scopes) -> None:
        for use in scopes.uses:
            if isinstance(use.node, ast.arg):
                self._scope_of[id(use.scope.function)] = use.scope
            if isinstance(use.node, ast.FunctionDef):
                entity = self._entity(item, scopes, use)
                self._functions.setdefault(entity, []).append(use.node)
        if isinstance(item.node, ast.ClassDef):
            target = Target(item.module.name, item.node.name)
            made: list[Function] = [
                part for part in item.node.body if isinstance(part, ast.FunctionDef) and part.name == "__init__"
            ]
            for base in item.node.bases:
                made += [] if made else self._functions.get(self._settled.get(id(base)), [])
            self._functions[target] = made

    def _called(self, item: Definition, call: ast.Call, scope: Scope, scopes: Scopes) -> list[Function] | None:
        """The own functions that a call may mean; None for the constructor of a class without one, or a copy."""
        function = call.func
        if isinstance(function, ast.Attribute):
            return None if function.attr in _COPYING else self._functions.get(Member(function.attr), [])
        if not isinstance(function, ast.Name):
            return []
        use = Use(function, "id", function.id, scope)
        if self._closure.resolve(item.module, function) and function.id in _COPYING:
            return None
        entity = self._entity(item, scopes, use)
        found = self._functions.get(entity, [])
        return found if found or not isinstance(entity, Target) or entity not in self._functions else None

    # Entities and words

    def _entity(self, item: Definition, scopes: Scopes, use: Use) -> Hashable | None:
        """What a name stands for: a definition, a variable or a member; None for what is free."""
        if id(use.node) in self._settled:
            target = self._settled[id(use.node)]
            return target if target.module is not None else None
        binder = use.binder
        if binder.kind == "class":
            return Member(use.name)
        if binder.kind == "function":
            return Local(binder, use.name)
        return Target(item.module.name, use.name) if use.name in item.module.statements else None

    def _rename(self, places: list[tuple[Definition, Scopes]]) -> None:
        uses = [(self._entity(item, scopes, use), use) for item, scopes in places for use in scopes.uses]
        reads = [node for _, scopes in places for node, _ in scopes.attributes]
        members = {node.attr for node in reads if not isinstance(node.ctx, ast.Load)}
        members |= {entity.name for entity, _ in uses if isinstance(entity, Member)}
        members = {name for name in members if not (name.startswith("__") or name in self._closure.protocol)}
        groups = _Groups()
        keywords: list[tuple[ast.keyword, Hashable]] = []
        for item, scopes in places:
            for call, scope in scopes.calls:
                called = self._called(item, call, scope, scopes)
                for part in call.keywords:
                    entity = self._parameter(part.arg, called, groups, members)
                    if entity is not None:
                        keywords.append((part, entity))
        self._give_words([entity for entity, _ in uses], reads, members, groups)
        for entity, use in uses:
            if entity in self._words:
                use.rename(self._words[entity])
        for part, entity in keywords:
            part.arg = self._words.get(entity, part.arg)
        for node in reads:
            node.attr = self._words.get(Member(node.attr), node.attr)

    def _parameter(
        self, name: str | None, called: list[Function] | None, groups: "_Groups", members: Container[str]
    ) -> Hashable | None:
        """What the keyword of a call names; the parameters that it may mean become one."""
        if name is None:
            return None
        if called is None:
            return Member(name) if name in members else None
        found = [
            Local(self._scope_of[id(function)], name)
            for function in called
            if any(parameter.arg == name for parameter in parameters(function))
        ]
        for entity in found:
            groups.join(found[0], entity)
        return found[0] if found else None

    def _give_words(
        self, entities: list[Hashable | None], reads: list[ast.Attribute], members: Container[str], groups: "_Groups"
    ) -> None:
        order = dict.fromkeys(entity for entity in entities if entity is not None)
        reset = {id(function) for function in self._functions.get(Member("reset"), [])}
        fixed = {
            groups.head(entity): entity.name
            for entity in order
            if isinstance(entity, Local) and id(entity.scope.function) in reset and entity.name in ("seed", "options")
        }
        taken = {*dir(builtins), *keyword.kwlist, *fixed.values()}
        taken |= {spelling.partition(".")[0] for spelling in self._free.values()}
        small, capital = _words(string.ascii_lowercase, taken), _words(string.ascii_uppercase, taken)
        called = _words(string.ascii_lowercase, taken)
        own: dict[Scope, list[Local]] = {}
        for entity in order:
            if isinstance(entity, Target):
                self._words[entity] = next(capital)
            elif isinstance(entity, Local) and (head := groups.head(entity)) in fixed:
                self._words[entity] = fixed[head]
            elif isinstance(entity, Local) and groups.joined(entity):
                if groups.head(entity) not in self._words:
                    self._words[groups.head(entity)] = f"{next(called)}_"
                self._words[entity] = self._words[groups.head(entity)]
            elif isinstance(entity, Local):
                own.setdefault(entity.scope, []).append(entity)
        first: list[str] = []

        @functools.cache
        def bound_above(scope: Scope | None) -> int:
            """How many variables of the scopes around must keep other words."""
            count = 0
            while scope is not None:
                count += len(own.get(scope, ()))
                scope = scope.parent
            return count

        for scope, locals_ in own.items():
            start = bound_above(scope.parent)
            first += itertools.islice(small, max(0, start + len(locals_) - len(first)))
            self._words.update(zip(locals_, first[start:], strict=False))
        letters = _words(
            string.ascii_lowercase, {*keyword.kwlist, *(node.attr for node in reads if node.attr not in members)}
        )
        mentioned = [entity.name for entity in order if isinstance(entity, Member)] + [node.attr for node in reads]
        for name in dict.fromkeys(mentioned):
            if name in members:
                self._words[Member(name)] = next(letters)


class _Groups:
    """Variables that must have one word."""

    def __init__(self) -> None:
        self._heads: dict[Local, Local] = {}

    def head(self, entity: Local) -> Local:
        """Returns the variable that stands for the group of another."""
        while (above := self._heads.get(entity, entity)) != entity:
            entity = above
        return entity

    def join(self, one: Local, other: Local) -> None:
        """Makes one group of two."""
        self._heads.setdefault(one, one)
        self._heads[self.head(other)] = self.head(one)

    def joined(self, entity: Local) -> bool:
        """Whether the variable is in a group."""
        return entity in self._heads


def _words(letters: str, taken: Container[str]) -> Iterator[str]:
    """Yields every word of these letters that is not taken, the shorter first."""
    for size in itertools.count(1):
        for word in map("".join, itertools.product(letters, repeat=size)):
            if word not in taken:
                yield word


def _free_spellings(closure: Closure) -> dict[str, str]:
    """How each free name is written: NumPy's after `np`, others by their last part as long as that is clear."""
    spellings: dict[str, str] = {}
    for path in closure.free_names:
        top, *parts = path.split(".")
        if top == "numpy":
            spellings[path] = ".".join(["np", *parts])
            continue
        known = top
        while parts and locate(f"{known}.{parts[0]}") is not None:
            known = f"{known}.{parts.pop(0)}"
        short = ".".join(parts) or path
        spellings[path] = path if hasattr(builtins, short.partition(".")[0]) else short
    several = {short for short in spellings.values() if sum(other == short for other in spellings.values()) > 1}
    return {path: path if short in several else short for path, short in spellings.items()}
