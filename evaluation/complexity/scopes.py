"""Which binding each name in a piece of Python means: local, member of a class, or of the module."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["module", "class", "function"]


@dataclass(eq=False)
class Scope:
    """A region in which names are bound: the module, a class body, or a function, lambda or comprehension.

    Attributes:
        kind: which of these.
        parent: the region around it; None for the module.
        function: the function, lambda or class that opens it.
        names: what it binds.
        elsewhere: names that it declares global or nonlocal, and which of the two.
    """

    kind: Kind
    parent: "Scope | None" = None
    function: ast.AST | None = None
    names: dict[str, None] = field(default_factory=dict)
    elsewhere: dict[str, str] = field(default_factory=dict)

    def binder(self, name: str) -> "Scope":
        """Returns the scope whose binding a name means when it is used here."""
        where: Scope = self
        while where.parent is not None:
            declared = where.elsewhere.get(name)
            if declared == "global":
                break
            if declared is None and name in where.names and (where is self or where.kind != "class"):
                return where
            where = where.parent
        while where.parent is not None:
            where = where.parent
        return where


@dataclass
class Use:
    """One place where a name stands.

    Attributes:
        node: the node that holds it.
        field: attribute of the node; in `Global` and `Nonlocal` a list.
        name: the name.
        scope: where it stands.
        index: place in the list, if it is one.
    """

    node: Any
    field: str
    name: str
    scope: Scope
    index: int | None = None

    @property
    def binder(self) -> Scope:
        """The scope that binds it."""
        return self.scope.binder(self.name)

    def rename(self, name: str) -> None:
        """Writes another name in its place."""
        if self.index is None:
            setattr(self.node, self.field, name)
        else:
            getattr(self.node, self.field)[self.index] = name


class Scopes(ast.NodeVisitor):
    """Every use of a variable's name in a definition, in the order of the text.

    Args:
        definition: a statement of a module, or of a class body.
        members: names that the class body binds, if it is of one.

    Attributes:
        uses: names of variables, parameters, functions and classes.
        calls: calls, with the scope that each stands in.
        attributes: reads and writes of attributes, likewise.
    """

    def __init__(self, definition: ast.AST, members: Iterable[str] | None = None) -> None:
        self.uses: list[Use] = []
        self.calls: list[tuple[ast.Call, Scope]] = []
        self.attributes: list[tuple[ast.Attribute, Scope]] = []
        self._scope = self.module = Scope("module")
        if members is not None:
            self._scope = Scope("class", self.module, names=dict.fromkeys(members))
        self.visit(definition)

    def free(self) -> Iterator[Use]:
        """Yields the uses that no scope of the definition binds: of its module, or of Python."""
        return (use for use in self.uses if use.binder is self.module)

    def _bind(self, node: Any, field_: str, name: str, scope: Scope | None = None) -> None:
        scope = scope or self._scope
        if scope.kind != "module":
            scope.names.setdefault(name)
        self.uses.append(Use(node, field_, name, scope))

    def _visit_all(self, nodes: Any) -> None:
        for node in nodes:
            if node is not None:
                self.visit(node)

    def _within(self, kind: Kind, function: ast.AST) -> "_Within":
        return _Within(self, Scope(kind, self._scope, function))

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self.uses.append(Use(node, "id", node.id, self._scope))
        else:
            self._bind(node, "id", node.id)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        scope = self._scope
        while isinstance(scope.function, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            assert scope.parent is not None  # a comprehension always stands in another scope
            scope = scope.parent
        self._bind(node.target, "id", node.target.id, scope)
        self.visit(node.value)

    def visit_FunctionDef(self, node: Any) -> None:
        self._visit_all(node.decorator_list)
        self._bind(node, "name", node.name)
        self._function(node, node.body)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._function(node, [node.body])

    def _function(self, node: Any, body: list[Any]) -> None:
        arguments = node.args
        self._visit_all([*arguments.defaults, *arguments.kw_defaults])
        with self._within("function", node):
            for parameter in parameters(node):
                self._bind(parameter, "arg", parameter.arg)
            self._visit_all(body)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._visit_all([*node.decorator_list, *node.bases, *node.keywords])
        self._bind(node, "name", node.name)
        with self._within("class", node):
            for member in node.body:
                if isinstance(member, ast.Expr) and isinstance(member.value, ast.Name):  # declares a field
                    self._scope.names.setdefault(member.value.id)
            self._visit_all(node.body)

    def _comprehension(self, node: Any) -> None:
        first, *others = node.generators
        self.visit(first.iter)
        with self._within("function", node):
            self._visit_all([first.target, *first.ifs, *others])
            self._visit_all([node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt])

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _comprehension

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        self._visit_all([node.type])
        if node.name:
            self._bind(node, "name", node.name)
        self._visit_all(node.body)

    def visit_MatchAs(self, node: Any) -> None:
        self._visit_all([getattr(node, "pattern", None)])
        if node.name:
            self._bind(node, "name", node.name)

    visit_MatchStar = visit_MatchAs

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:
        self.generic_visit(node)
        if node.rest:
            self._bind(node, "rest", node.rest)

    def _elsewhere(self, node: Any) -> None:
        for index, name in enumerate(node.names):
            self._scope.elsewhere[name] = type(node).__name__.lower()
            self.uses.append(Use(node, "names", name, self._scope, index))

    visit_Global = visit_Nonlocal = _elsewhere

    def visit_Call(self, node: ast.Call) -> None:
        self.calls.append((node, self._scope))
        self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.attributes.append((node, self._scope))
        self.generic_visit(node)


class _Within:
    """The time spent in a scope."""

    def __init__(self, scopes: Scopes, scope: Scope) -> None:
        self._scopes = scopes
        self._scope = scope

    def __enter__(self) -> None:
        self._scopes._scope = self._scope

    def __exit__(self, *_: object) -> None:
        assert self._scope.parent is not None
        self._scopes._scope = self._scope.parent


def parameters(function: Any) -> list[ast.arg]:
    """Returns every parameter of a function or lambda, in the order of the text."""
    arguments = function.args
    found = [*arguments.posonlyargs, *arguments.args, arguments.vararg, *arguments.kwonlyargs, arguments.kwarg]
    return [parameter for parameter in found if parameter is not None]
