"""Passes over syntax trees that leave only what an environment's dynamics need."""

import ast
from collections.abc import Container, Set
from typing import Any

from aixi.evaluation.complexity.trees import walk

_LOG_CALLS = {"critical", "debug", "deprecation", "error", "exception", "info", "log", "print", "warn", "warning"}
_HINT_DECORATORS = {"final", "override"}


def clean(statement: ast.stmt) -> list[ast.stmt]:
    """Drops documentation, annotations, imports, rendering, logging and argument checks from a statement, in place.

    Returns:
        What is left: no statement, itself, or several.
    """
    cleaned = _Clean().visit(statement)
    return cleaned if isinstance(cleaned, list) else [] if cleaned is None else [cleaned]


def shows(name: str) -> bool:
    """Whether something is called after rendering."""
    return name.lstrip("_").startswith("render")


class Usage:
    """What a function reads and writes.

    Attributes:
        reads: names read, or declared to be another scope's.
        writes: names and parameters bound.
        stores: attributes written.
        hints: whether it declares a variable by its annotation alone.
    """

    def __init__(self, function: ast.FunctionDef) -> None:
        self.reads: set[str] = set()
        self.writes: set[str] = set()
        self.stores: set[str] = set()
        self.hints = False
        for leaf in walk(function):
            if isinstance(leaf, ast.Name):
                (self.reads if isinstance(leaf.ctx, ast.Load) else self.writes).add(leaf.id)
            elif isinstance(leaf, ast.Global | ast.Nonlocal):
                self.reads.update(leaf.names)
            elif isinstance(leaf, ast.arg):
                self.writes.add(leaf.arg)
            elif isinstance(leaf, ast.Attribute) and isinstance(leaf.ctx, ast.Store):
                self.stores.add(leaf.attr)
            elif isinstance(leaf, ast.Expr) and isinstance(leaf.value, ast.Name):
                self.hints = True


def drop_dead(function: ast.FunctionDef, usage: Usage, read: Set[str], own: Set[str]) -> bool:
    """Drops assignments to what is never read from a function, in place; returns whether there were any.

    Args:
        function: the function; its parameters with defaults go too, if it is an `__init__` that does not use
            them.
        usage: what it reads and writes.
        read: attributes that are read somewhere, and so alive.
        own: names of the source's own definitions, which may do more than return a value, as may what the
            function's own variables hold.
    """
    if not usage.hints and usage.stores <= read and usage.writes <= usage.reads:
        return False
    pruner = _Prune(read, usage.reads, own | usage.writes)
    pruner.visit(function)
    if function.name == "__init__":
        pruner.changed |= _drop_parameters(function, usage.reads)
    return pruner.changed


def _drop_parameters(function: ast.FunctionDef, names: Container[str]) -> bool:
    arguments = function.args
    positional = arguments.posonlyargs + arguments.args
    first = len(positional) - len(arguments.defaults)
    dead = [argument for argument in positional[first:] if argument.arg not in names]
    arguments.defaults = [
        default
        for argument, default in zip(positional[first:], arguments.defaults, strict=True)
        if argument not in dead
    ]
    arguments.posonlyargs = [argument for argument in arguments.posonlyargs if argument not in dead]
    arguments.args = [argument for argument in arguments.args if argument not in dead]
    pairs = list(zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True))
    alive = [(argument, default) for argument, default in pairs if default is None or argument.arg in names]
    arguments.kwonlyargs = [argument for argument, _ in alive]
    arguments.kw_defaults = [default for _, default in alive]
    return bool(dead) or len(alive) < len(pairs)


class _Blocks(ast.NodeTransformer):
    """Keeps blocks legal when statements go: an empty one takes with it the statement that it belongs to."""

    def generic_visit(self, node: ast.AST) -> Any:
        super().generic_visit(node)
        for field in ("body", "orelse", "finalbody"):
            block = getattr(node, field, None)
            if isinstance(block, list):
                setattr(node, field, [statement for statement in block if not isinstance(statement, ast.Pass)])
        body = getattr(node, "body", None)
        if body == [] and isinstance(node, ast.If) and node.orelse:
            return ast.If(ast.UnaryOp(ast.Not(), node.test), node.orelse, [])
        if body == [] and isinstance(node, ast.If | ast.For | ast.While | ast.With):
            return None
        if body == [] and isinstance(node, ast.Try):
            return [*node.orelse, *node.finalbody] or None
        if body == [] and isinstance(node, ast.FunctionDef | ast.ClassDef | ast.ExceptHandler | ast.match_case):
            node.body = [ast.Pass()]
        return node


class _Clean(_Blocks):
    def visit_FunctionDef(self, node: ast.FunctionDef) -> Any:
        node.returns = None
        node.decorator_list = [part for part in node.decorator_list if _last_name(part) not in _HINT_DECORATORS]
        return self.generic_visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> Any:
        node.decorator_list = [part for part in node.decorator_list if _last_name(part) not in _HINT_DECORATORS]
        node.body = [part for part in node.body if not (isinstance(part, ast.FunctionDef) and shows(part.name))]
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> Any:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> Any:
        if node.value is None:  # the declaration of a field, or a hint
            return ast.Expr(node.target) if isinstance(node.target, ast.Name) else None
        return self.generic_visit(ast.Assign([node.target], node.value))

    def visit_Expr(self, node: ast.Expr) -> Any:
        value = node.value
        if isinstance(value, ast.Constant):
            return None
        if isinstance(value, ast.Call):
            chain = [leaf.attr for leaf in walk(value.func) if isinstance(leaf, ast.Attribute)]
            chain += [leaf.id for leaf in walk(value.func) if isinstance(leaf, ast.Name)]
            if _last_name(value.func) in _LOG_CALLS or any(map(shows, chain)):
                return None
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> Any:
        node.keywords = [part for part in node.keywords if part.arg is None or not shows(part.arg)]
        match node:
            case ast.Call(func=ast.Name("getattr"), args=[held, ast.Constant(str(name))]):
                return self.generic_visit(ast.Attribute(held, name, ast.Load()))
        return self.generic_visit(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> Any:
        if all(isinstance(part, ast.Constant) for part in node.values):
            return ast.Constant("".join(str(part.value) for part in node.values if isinstance(part, ast.Constant)))
        return self.generic_visit(node)

    def _gone(self, node: ast.stmt) -> Any:
        return None

    visit_Assert = visit_Raise = visit_Import = visit_ImportFrom = visit_TypeAlias = _gone

    def visit_If(self, node: ast.If) -> Any:
        mentioned = {leaf.attr for leaf in walk(node.test) if isinstance(leaf, ast.Attribute)}
        mentioned |= {leaf.id for leaf in walk(node.test) if isinstance(leaf, ast.Name)}
        if any(shows(name) for name in mentioned) or mentioned & {"__name__", "TYPE_CHECKING"}:
            rest = ast.If(node.test, [], node.orelse)
            self.generic_visit(rest)
            return rest.orelse or None
        return self.generic_visit(node)


class _Prune(_Blocks):
    def __init__(self, read: Container[str], names: Container[str], own: Container[str]) -> None:
        self.changed = False
        self._read = read
        self._names = names
        self._own = own

    def visit_Assign(self, node: ast.Assign) -> Any:
        return self._unless_dead(node, node.targets, node.value)

    def visit_AugAssign(self, node: ast.AugAssign) -> Any:
        return self._unless_dead(node, [node.target], node.value)

    def visit_Expr(self, node: ast.Expr) -> Any:
        if isinstance(node.value, ast.Name):  # a hint for a local variable
            self.changed = True
            return None
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> Any:
        return node  # its fields are declared like hints

    def _unless_dead(self, node: ast.stmt, targets: list[ast.expr], value: ast.expr) -> Any:
        if all(map(self._dead, targets)) and not self._acts(value):
            self.changed = True
            return None
        return node

    def _dead(self, target: ast.expr) -> bool:
        if isinstance(target, ast.Tuple | ast.List):
            return all(map(self._dead, target.elts))
        if isinstance(target, ast.Name):
            return target.id not in self._names
        return (
            isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name) and target.attr not in self._read
        )

    def _acts(self, value: ast.expr) -> bool:
        """Whether an expression may have an effect: it calls an own function, or a method of what a name holds."""
        calls = (_root(leaf.func) for leaf in walk(value) if isinstance(leaf, ast.Call))
        return any(root is None or root in self._own for root in calls)


def _root(node: ast.expr) -> str | None:
    """The name at the head of a chain of attributes, calls and items; empty for a literal, None if there is none."""
    while isinstance(node, ast.Attribute | ast.Call | ast.Subscript):
        node = node.func if isinstance(node, ast.Call) else node.value
    if isinstance(node, ast.Name):
        return node.id
    return "" if isinstance(node, ast.Constant | ast.JoinedStr) else None


def _last_name(node: ast.expr) -> str:
    """The last word of a dotted name, or nothing."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
