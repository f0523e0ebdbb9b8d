"""Syntax trees as text: the same bytes from every Python version.

`ast.unparse` may choose other quotes, brackets or blanks in every release, and `repr` of a text follows the
release's Unicode tables. This writer depends on neither. Its text is short, legal Python: parsed again, it gives
the tree it came from. Fields that newer versions add to known nodes have no influence; type parameters are such.
"""

import ast
from collections.abc import Iterable, Sequence
from typing import Any

from aixi.evaluation.complexity.expressions import ATOM, BINARY, TUPLE, Expressions


def write(tree: ast.AST) -> str:
    r"""Returns the text of a module, statement or expression; lines are indented by one blank a level.

    Raises:
        InvalidValueError: if the tree holds a node that Python 3.11 does not know.

    Example:
        >>> write(ast.parse("if (a  and not(b)) :\n    x = ( 0x10 , \"it's\" 'new', f'{a!r:>{b}}' )"))
        'if a and not b:\n x=16,"it\'snew",f\'{a!r:>{b}}\''
    """
    writer = _Writer()
    if isinstance(tree, ast.Module):
        return "\n".join(writer.block(tree.body, 0))
    if isinstance(tree, ast.stmt):
        return "\n".join(writer.block([tree], 0))
    return writer.expression(tree, TUPLE)


class _Writer(Expressions):
    def block(self, body: Iterable[ast.stmt], depth: int) -> list[str]:
        """Returns the lines of statements at a depth."""
        lines: list[str] = []
        for statement in body:
            lines += self.method(statement)(statement, depth)
        return lines

    def _compound(self, depth: int, *clauses: tuple[str, Sequence[ast.stmt]]) -> list[str]:
        """Returns the lines of a statement of several clauses, each a head and a body; empty ones are left out."""
        lines = []
        for head, body in clauses:
            if body:
                lines += [f"{' ' * depth}{head}:", *self.block(body, depth + 1)]
        return lines

    def _FunctionDef(self, node: Any, depth: int, prefix: str = "") -> list[str]:
        returns = f"->{self.test(node.returns)}" if node.returns else ""
        head = f"{prefix}def {node.name}({self.parameters(node.args)}){returns}"
        return self._decorated(node, depth, head)

    def _AsyncFunctionDef(self, node: Any, depth: int) -> list[str]:
        return self._FunctionDef(node, depth, "async ")

    def _ClassDef(self, node: ast.ClassDef, depth: int) -> list[str]:
        arguments = self.arguments(node.bases, node.keywords)
        return self._decorated(node, depth, f"class {node.name}" + (f"({arguments})" if arguments else ""))

    def _decorated(self, node: Any, depth: int, head: str) -> list[str]:
        decorators = [f"{' ' * depth}@{self.test(decorator)}" for decorator in node.decorator_list]
        return [*decorators, *self._compound(depth, (head, node.body))]

    def _If(self, node: ast.If, depth: int) -> list[str]:
        clauses: list[tuple[str, Sequence[ast.stmt]]] = [(f"if {self.test(node.test)}", node.body)]
        rest = node.orelse
        while len(rest) == 1 and isinstance(rest[0], ast.If):
            clauses.append((f"elif {self.test(rest[0].test)}", rest[0].body))
            rest = rest[0].orelse
        return self._compound(depth, *clauses, ("else", rest))

    def _While(self, node: ast.While, depth: int) -> list[str]:
        return self._compound(depth, (f"while {self.test(node.test)}", node.body), ("else", node.orelse))

    def _For(self, node: Any, depth: int, prefix: str = "") -> list[str]:
        head = f"{prefix}for {self.bare(node.target)} in {self.bare(node.iter)}"
        return self._compound(depth, (head, node.body), ("else", node.orelse))

    def _AsyncFor(self, node: Any, depth: int) -> list[str]:
        return self._For(node, depth, "async ")

    def _With(self, node: Any, depth: int, prefix: str = "") -> list[str]:
        items = [
            self.test(item.context_expr) + (f" as {self.test(item.optional_vars)}" if item.optional_vars else "")
            for item in node.items
        ]
        if len(items) == 1 and isinstance(node.items[0].context_expr, ast.Tuple) and not node.items[0].optional_vars:
            items = [f"({items[0]})"]  # one pair of brackets would enclose several items
        return self._compound(depth, (f"{prefix}with {','.join(items)}", node.body))

    def _AsyncWith(self, node: Any, depth: int) -> list[str]:
        return self._With(node, depth, "async ")

    def _Try(self, node: Any, depth: int, star: str = "") -> list[str]:
        handlers = [
            (
                f"except{star}"
                + (f" {self.test(handler.type)}" if handler.type else "")
                + (f" as {handler.name}" if handler.name else ""),
                handler.body,
            )
            for handler in node.handlers
        ]
        return self._compound(depth, ("try", node.body), *handlers, ("else", node.orelse), ("finally", node.finalbody))

    def _TryStar(self, node: Any, depth: int) -> list[str]:
        return self._Try(node, depth, "*")

    def _Match(self, node: ast.Match, depth: int) -> list[str]:
        lines = [f"{' ' * depth}match {self.test(node.subject)}:"]
        for case in node.cases:
            guard = f" if {self.test(case.guard)}" if case.guard else ""
            lines += self._compound(depth + 1, (f"case {self._pattern(case.pattern)}{guard}", case.body))
        return lines

    def _simple(self, node: ast.stmt, depth: int) -> list[str]:
        return [" " * depth + self._text(node)]

    _Return = _Delete = _Assign = _AugAssign = _AnnAssign = _Raise = _Assert = _Import = _ImportFrom = _simple
    _Global = _Nonlocal = _Expr = _Pass = _Break = _Continue = _simple

    def _text(self, node: Any) -> str:
        match node:
            case ast.Return():
                return f"return {self.bare(node.value)}" if node.value else "return"
            case ast.Delete():
                return f"del {self.list_(node.targets)}"
            case ast.Assign():
                return "=".join(map(self.bare, [*node.targets, node.value]))
            case ast.AugAssign():
                return f"{self.test(node.target)}{BINARY[type(node.op)][0]}={self.bare(node.value)}"
            case ast.AnnAssign():
                target = self.test(node.target)
                bracketed = f"({target})" if isinstance(node.target, ast.Name) and not node.simple else target
                return f"{bracketed}:{self.test(node.annotation)}" + (f"={self.test(node.value)}" if node.value else "")
            case ast.Raise():
                cause = f" from {self.test(node.cause)}" if node.cause else ""
                return f"raise {self.test(node.exc)}{cause}" if node.exc else "raise"
            case ast.Assert():
                return f"assert {self.test(node.test)}" + (f",{self.test(node.msg)}" if node.msg else "")
            case ast.Import():
                return f"import {self._aliases(node.names)}"
            case ast.ImportFrom():
                return f"from {'.' * node.level}{node.module or ''} import {self._aliases(node.names)}"
            case ast.Global() | ast.Nonlocal():
                return f"{type(node).__name__.lower()} {','.join(node.names)}"
            case ast.Expr():
                return self.bare(node.value)
        return str(type(node).__name__.lower())

    def _aliases(self, names: Iterable[ast.alias]) -> str:
        return ",".join(alias.name + (f" as {alias.asname}" if alias.asname else "") for alias in names)

    # Patterns

    def _pattern(self, node: Any, *, closed: bool = False) -> str:
        """Returns the text of a pattern; one that must be closed stands in brackets if it is an `or` or an `as`."""
        match node:
            case ast.MatchValue():
                return self.test(node.value)
            case ast.MatchSingleton():
                return str(node.value)
            case ast.MatchSequence():
                return f"[{','.join(map(self._pattern, node.patterns))}]"
            case ast.MatchMapping():
                pairs = [
                    f"{self.test(key)}:{self._pattern(pattern)}"
                    for key, pattern in zip(node.keys, node.patterns, strict=True)
                ]
                return f"{{{','.join([*pairs, *([f'**{node.rest}'] if node.rest else [])])}}}"
            case ast.MatchClass():
                named = zip(node.kwd_attrs, node.kwd_patterns, strict=True)
                parts = [*map(self._pattern, node.patterns), *(f"{name}={self._pattern(part)}" for name, part in named)]
                return f"{self.expression(node.cls, ATOM)}({','.join(parts)})"
            case ast.MatchStar():
                return f"*{node.name or '_'}"
            case ast.MatchOr():
                text = "|".join(self._pattern(part, closed=True) for part in node.patterns)
            case ast.MatchAs(pattern=None):
                return str(node.name or "_")
            case _:
                text = f"{self._pattern(node.pattern, closed=isinstance(node.pattern, ast.MatchAs))} as {node.name}"
        return f"({text})" if closed else text
