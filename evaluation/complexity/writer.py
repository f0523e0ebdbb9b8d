"""Syntax trees as text: the same bytes from every Python version.

`ast.unparse` may choose other quotes, brackets or blanks in every release, and `repr` of a text follows the
release's Unicode tables. This writer depends on neither. Its text is short, legal Python: parsed again, it gives
the tree it came from. Fields that newer versions add to known nodes have no influence; type parameters are such.
"""

import ast
import math
from collections.abc import Callable, Iterable, Sequence
from contextlib import contextmanager
from typing import Any

from aixi.errors import InvalidValueError

# How tightly an expression binds, in the order of Python's grammar; a looser one stands in brackets.
_TUPLE, _TEST, _OR, _AND, _NOT, _COMPARISON, _BIT_OR, _BIT_XOR, _BIT_AND, _SHIFT, _SUM, _TERM, _FACTOR = range(13)
_POWER, _AWAIT, _ATOM = 13, 14, 15

_BINARY = {
    ast.BitOr: ("|", _BIT_OR),
    ast.BitXor: ("^", _BIT_XOR),
    ast.BitAnd: ("&", _BIT_AND),
    ast.LShift: ("<<", _SHIFT),
    ast.RShift: (">>", _SHIFT),
    ast.Add: ("+", _SUM),
    ast.Sub: ("-", _SUM),
    ast.Mult: ("*", _TERM),
    ast.Div: ("/", _TERM),
    ast.FloorDiv: ("//", _TERM),
    ast.Mod: ("%", _TERM),
    ast.MatMult: ("@", _TERM),
    ast.Pow: ("**", _POWER),
}
_UNARY = {ast.Not: ("not ", _NOT), ast.USub: ("-", _FACTOR), ast.UAdd: ("+", _FACTOR), ast.Invert: ("~", _FACTOR)}
_COMPARE = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Is: " is ",
    ast.IsNot: " is not ",
    ast.In: " in ",
    ast.NotIn: " not in ",
}
_QUOTES = ("'", '"', "'''", '"""')
_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_LARGEST_DECIMAL_BITS = 4096  # above it hexadecimal: Python refuses decimals of more than 4300 digits


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
    return writer.expression(tree, _TUPLE)


class _NoQuoteFits(Exception):
    """A text within an f-string cannot be written with the quotes that are left."""


class _Writer:
    def __init__(self) -> None:
        self._quotes: Sequence[str] = _QUOTES  # those that a text may use here
        self._plain = False  # within an f-string's braces, where Python 3.11 takes no backslash

    # Statements

    def block(self, body: Iterable[ast.stmt], depth: int) -> list[str]:
        """Returns the lines of statements at a depth."""
        lines: list[str] = []
        for statement in body:
            lines += self._node(statement)(statement, depth)
        return lines

    def _node(self, node: ast.AST) -> Callable[..., Any]:
        method: Callable[..., Any] | None = getattr(self, f"_{type(node).__name__}", None)
        if method is None:
            raise InvalidValueError(
                f"a description must keep to the syntax of Python 3.11, got a node {type(node).__name__}; "
                f"write it in older words"
            )
        return method

    def _compound(self, depth: int, *clauses: tuple[str, Sequence[ast.stmt]]) -> list[str]:
        """Returns the lines of a statement of several clauses, each a head and a body; empty ones are left out."""
        lines = []
        for head, body in clauses:
            if body:
                lines += [f"{' ' * depth}{head}:", *self.block(body, depth + 1)]
        return lines

    def _FunctionDef(self, node: Any, depth: int, prefix: str = "") -> list[str]:
        returns = f"->{self._test(node.returns)}" if node.returns else ""
        head = f"{prefix}def {node.name}({self._parameters(node.args)}){returns}"
        return self._decorated(node, depth, head)

    def _AsyncFunctionDef(self, node: Any, depth: int) -> list[str]:
        return self._FunctionDef(node, depth, "async ")

    def _ClassDef(self, node: ast.ClassDef, depth: int) -> list[str]:
        arguments = self._arguments(node.bases, node.keywords)
        return self._decorated(node, depth, f"class {node.name}" + (f"({arguments})" if arguments else ""))

    def _decorated(self, node: Any, depth: int, head: str) -> list[str]:
        decorators = [f"{' ' * depth}@{self._test(decorator)}" for decorator in node.decorator_list]
        return [*decorators, *self._compound(depth, (head, node.body))]

    def _If(self, node: ast.If, depth: int) -> list[str]:
        clauses: list[tuple[str, Sequence[ast.stmt]]] = [(f"if {self._test(node.test)}", node.body)]
        rest = node.orelse
        while len(rest) == 1 and isinstance(rest[0], ast.If):
            clauses.append((f"elif {self._test(rest[0].test)}", rest[0].body))
            rest = rest[0].orelse
        return self._compound(depth, *clauses, ("else", rest))

    def _While(self, node: ast.While, depth: int) -> list[str]:
        return self._compound(depth, (f"while {self._test(node.test)}", node.body), ("else", node.orelse))

    def _For(self, node: Any, depth: int, prefix: str = "") -> list[str]:
        head = f"{prefix}for {self._bare(node.target)} in {self._bare(node.iter)}"
        return self._compound(depth, (head, node.body), ("else", node.orelse))

    def _AsyncFor(self, node: Any, depth: int) -> list[str]:
        return self._For(node, depth, "async ")

    def _With(self, node: Any, depth: int, prefix: str = "") -> list[str]:
        items = [
            self._test(item.context_expr) + (f" as {self._test(item.optional_vars)}" if item.optional_vars else "")
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
                + (f" {self._test(handler.type)}" if handler.type else "")
                + (f" as {handler.name}" if handler.name else ""),
                handler.body,
            )
            for handler in node.handlers
        ]
        return self._compound(depth, ("try", node.body), *handlers, ("else", node.orelse), ("finally", node.finalbody))

    def _TryStar(self, node: Any, depth: int) -> list[str]:
        return self._Try(node, depth, "*")

    def _Match(self, node: ast.Match, depth: int) -> list[str]:
        lines = [f"{' ' * depth}match {self._test(node.subject)}:"]
        for case in node.cases:
            guard = f" if {self._test(case.guard)}" if case.guard else ""
            lines += self._compound(depth + 1, (f"case {self._pattern(case.pattern)}{guard}", case.body))
        return lines

    def _simple(self, node: ast.stmt, depth: int) -> list[str]:
        return [" " * depth + self._text(node)]

    _Return = _Delete = _Assign = _AugAssign = _AnnAssign = _Raise = _Assert = _Import = _ImportFrom = _simple
    _Global = _Nonlocal = _Expr = _Pass = _Break = _Continue = _simple

    def _text(self, node: Any) -> str:
        match node:
            case ast.Return():
                return f"return {self._bare(node.value)}" if node.value else "return"
            case ast.Delete():
                return f"del {self._list(node.targets)}"
            case ast.Assign():
                return "=".join(map(self._bare, [*node.targets, node.value]))
            case ast.AugAssign():
                return f"{self._test(node.target)}{_BINARY[type(node.op)][0]}={self._bare(node.value)}"
            case ast.AnnAssign():
                target = self._test(node.target)
                bracketed = f"({target})" if isinstance(node.target, ast.Name) and not node.simple else target
                return f"{bracketed}:{self._test(node.annotation)}" + (
                    f"={self._test(node.value)}" if node.value else ""
                )
            case ast.Raise():
                cause = f" from {self._test(node.cause)}" if node.cause else ""
                return f"raise {self._test(node.exc)}{cause}" if node.exc else "raise"
            case ast.Assert():
                return f"assert {self._test(node.test)}" + (f",{self._test(node.msg)}" if node.msg else "")
            case ast.Import():
                return f"import {self._aliases(node.names)}"
            case ast.ImportFrom():
                return f"from {'.' * node.level}{node.module or ''} import {self._aliases(node.names)}"
            case ast.Global() | ast.Nonlocal():
                return f"{type(node).__name__.lower()} {','.join(node.names)}"
            case ast.Expr():
                return self._bare(node.value)
        return str(type(node).__name__.lower())

    def _aliases(self, names: Iterable[ast.alias]) -> str:
        return ",".join(alias.name + (f" as {alias.asname}" if alias.asname else "") for alias in names)

    # Patterns

    def _pattern(self, node: Any, *, closed: bool = False) -> str:
        """Returns the text of a pattern; one that must be closed stands in brackets if it is an `or` or an `as`."""
        match node:
            case ast.MatchValue():
                return self._test(node.value)
            case ast.MatchSingleton():
                return str(node.value)
            case ast.MatchSequence():
                return f"[{','.join(map(self._pattern, node.patterns))}]"
            case ast.MatchMapping():
                pairs = [
                    f"{self._test(key)}:{self._pattern(pattern)}"
                    for key, pattern in zip(node.keys, node.patterns, strict=True)
                ]
                return f"{{{','.join([*pairs, *([f'**{node.rest}'] if node.rest else [])])}}}"
            case ast.MatchClass():
                named = zip(node.kwd_attrs, node.kwd_patterns, strict=True)
                parts = [*map(self._pattern, node.patterns), *(f"{name}={self._pattern(part)}" for name, part in named)]
                return f"{self.expression(node.cls, _ATOM)}({','.join(parts)})"
            case ast.MatchStar():
                return f"*{node.name or '_'}"
            case ast.MatchOr():
                text = "|".join(self._pattern(part, closed=True) for part in node.patterns)
            case ast.MatchAs(pattern=None):
                return str(node.name or "_")
            case _:
                text = f"{self._pattern(node.pattern, closed=isinstance(node.pattern, ast.MatchAs))} as {node.name}"
        return f"({text})" if closed else text

    # Expressions

    def expression(self, node: Any, level: int) -> str:
        """Returns the text of an expression where one that binds less tightly than `level` needs brackets."""
        text, own = self._node(node)(node)
        return f"({text})" if own < level else text

    def _test(self, node: Any) -> str:
        return self.expression(node, _TEST)

    def _bare(self, node: ast.expr) -> str:
        """Returns the text of an expression where a tuple needs no brackets."""
        return self.expression(node, _TUPLE)

    def _list(self, nodes: Iterable[ast.expr]) -> str:
        return ",".join(map(self._test, nodes))

    def _NamedExpr(self, node: ast.NamedExpr) -> tuple[str, int]:
        return f"({node.target.id}:={self._test(node.value)})", _ATOM

    def _Yield(self, node: ast.Yield) -> tuple[str, int]:
        return f"(yield {self._bare(node.value)})" if node.value else "(yield)", _ATOM

    def _YieldFrom(self, node: ast.YieldFrom) -> tuple[str, int]:
        return f"(yield from {self._test(node.value)})", _ATOM

    def _Await(self, node: ast.Await) -> tuple[str, int]:
        return f"await {self.expression(node.value, _ATOM)}", _AWAIT

    def _Tuple(self, node: ast.Tuple) -> tuple[str, int]:
        if not node.elts:
            return "()", _ATOM
        return self._list(node.elts) + ("," if len(node.elts) == 1 else ""), _TUPLE

    def _Lambda(self, node: ast.Lambda) -> tuple[str, int]:
        parameters = self._parameters(node.args)
        return f"lambda{' ' if parameters else ''}{parameters}:{self._test(node.body)}", _TEST

    def _IfExp(self, node: ast.IfExp) -> tuple[str, int]:
        body, test = self.expression(node.body, _OR), self.expression(node.test, _OR)
        return f"{body} if {test} else {self._test(node.orelse)}", _TEST

    def _BoolOp(self, node: ast.BoolOp) -> tuple[str, int]:
        word, level = (" and ", _AND) if isinstance(node.op, ast.And) else (" or ", _OR)
        return word.join(self.expression(value, level + 1) for value in node.values), level

    def _UnaryOp(self, node: ast.UnaryOp) -> tuple[str, int]:
        word, level = _UNARY[type(node.op)]
        return word + self.expression(node.operand, level), level

    def _Compare(self, node: ast.Compare) -> tuple[str, int]:
        text = self.expression(node.left, _BIT_OR)
        for operator, value in zip(node.ops, node.comparators, strict=True):
            text += _COMPARE[type(operator)] + self.expression(value, _BIT_OR)
        return text, _COMPARISON

    def _BinOp(self, node: ast.BinOp) -> tuple[str, int]:
        word, level = _BINARY[type(node.op)]
        # Powers take an exponent with a sign; all others group from the left.
        left, right = (_AWAIT, _FACTOR) if level == _POWER else (level, level + 1)
        return self.expression(node.left, left) + word + self.expression(node.right, right), level

    def _Attribute(self, node: ast.Attribute) -> tuple[str, int]:
        value = self.expression(node.value, _ATOM)
        return (f"({value})" if value.isdecimal() else value) + f".{node.attr}", _ATOM

    def _Subscript(self, node: ast.Subscript) -> tuple[str, int]:
        return f"{self.expression(node.value, _ATOM)}[{self._bare(node.slice)}]", _ATOM

    def _Slice(self, node: ast.Slice) -> tuple[str, int]:
        lower, upper, step = ("" if part is None else self._test(part) for part in (node.lower, node.upper, node.step))
        return f"{lower}:{upper}" + (f":{step}" if node.step else ""), _ATOM

    def _Starred(self, node: ast.Starred) -> tuple[str, int]:
        return f"*{self.expression(node.value, _BIT_OR)}", _ATOM

    def _Call(self, node: ast.Call) -> tuple[str, int]:
        function = self.expression(node.func, _ATOM)
        if len(node.args) == 1 and not node.keywords and isinstance(node.args[0], ast.GeneratorExp):
            return function + self._test(node.args[0]), _ATOM
        return f"{function}({self._arguments(node.args, node.keywords)})", _ATOM

    def _arguments(self, positional: Iterable[ast.expr], keywords: Iterable[ast.keyword]) -> str:
        named = [
            f"{part.arg}={self._test(part.value)}" if part.arg else f"**{self.expression(part.value, _BIT_OR)}"
            for part in keywords
        ]
        return ",".join([*map(self._test, positional), *named])

    def _parameters(self, node: ast.arguments) -> str:
        def one(parameter: ast.arg, default: ast.expr | None = None, star: str = "") -> str:
            hint = f":{self._test(parameter.annotation)}" if parameter.annotation else ""
            return star + parameter.arg + hint + (f"={self._test(default)}" if default else "")

        positional = node.posonlyargs + node.args
        defaults = [*[None] * (len(positional) - len(node.defaults)), *node.defaults]
        parts = [one(parameter, default) for parameter, default in zip(positional, defaults, strict=True)]
        if node.posonlyargs:
            parts.insert(len(node.posonlyargs), "/")
        if node.vararg or node.kwonlyargs:
            parts.append(one(node.vararg, star="*") if node.vararg else "*")
        parts += [one(parameter, value) for parameter, value in zip(node.kwonlyargs, node.kw_defaults, strict=True)]
        return ",".join(parts + ([one(node.kwarg, star="**")] if node.kwarg else []))

    def _List(self, node: ast.List) -> tuple[str, int]:
        return f"[{self._list(node.elts)}]", _ATOM

    def _Set(self, node: ast.Set) -> tuple[str, int]:
        return f"{{{self._list(node.elts)}}}", _ATOM

    def _Dict(self, node: ast.Dict) -> tuple[str, int]:
        pairs = [
            f"{self._test(key)}:{self._test(value)}" if key else f"**{self.expression(value, _BIT_OR)}"
            for key, value in zip(node.keys, node.values, strict=True)
        ]
        return f"{{{','.join(pairs)}}}", _ATOM

    def _comprehension(self, element: str, generators: Iterable[ast.comprehension]) -> str:
        for part in generators:
            word = " async for " if part.is_async else " for "
            element += f"{word}{self._bare(part.target)} in {self.expression(part.iter, _OR)}"
            element += "".join(f" if {self.expression(test, _OR)}" for test in part.ifs)
        return element

    def _ListComp(self, node: ast.ListComp) -> tuple[str, int]:
        return f"[{self._comprehension(self._test(node.elt), node.generators)}]", _ATOM

    def _SetComp(self, node: ast.SetComp) -> tuple[str, int]:
        return f"{{{self._comprehension(self._test(node.elt), node.generators)}}}", _ATOM

    def _GeneratorExp(self, node: ast.GeneratorExp) -> tuple[str, int]:
        return f"({self._comprehension(self._test(node.elt), node.generators)})", _ATOM

    def _DictComp(self, node: ast.DictComp) -> tuple[str, int]:
        pair = f"{self._test(node.key)}:{self._test(node.value)}"
        return f"{{{self._comprehension(pair, node.generators)}}}", _ATOM

    def _Name(self, node: ast.Name) -> tuple[str, int]:
        return node.id, _ATOM

    # Literals

    def _Constant(self, node: ast.Constant) -> tuple[str, int]:
        value: Any = node.value
        if isinstance(value, str):
            return self._string(value), _ATOM
        if value is ...:
            return "...", _ATOM
        if isinstance(value, bytes):
            return f"b{self._string(value.decode('latin-1'), octets=True)}", _ATOM
        if isinstance(value, complex):
            return self._number(value.imag) + "j", _ATOM
        if isinstance(value, int | float) and not isinstance(value, bool):
            return self._number(value), _FACTOR if math.copysign(1, value) < 0 else _ATOM
        return str(value), _ATOM

    def _number(self, value: float) -> str:
        if isinstance(value, int) and value.bit_length() > _LARGEST_DECIMAL_BITS:
            return hex(value)
        return repr(value).replace("inf", "1e999")

    def _string(self, value: str, *, octets: bool = False) -> str:
        if self._plain:
            for quote in self._quotes:
                if _fits(value, quote, octets):
                    return quote + value + quote
            raise _NoQuoteFits
        quote = '"' if value.count("'") > value.count('"') else "'"
        return quote + _escaped(value, quote, octets) + quote

    def _JoinedStr(self, node: ast.JoinedStr) -> tuple[str, int]:
        for quote in self._quotes:
            try:
                return f"f{quote}{self._pieces(node.values, quote)}{quote}", _ATOM
            except _NoQuoteFits:
                continue
        if self._plain:
            raise _NoQuoteFits
        # Only since Python 3.12 can a source hold this: quotes and backslashes are free within braces.
        return f"f'{self._pieces(node.values, chr(39), modern=True)}'", _ATOM

    def _pieces(self, values: Iterable[ast.expr], quote: str, *, modern: bool = False) -> str:
        text = ""
        for value in values:
            if isinstance(value, ast.FormattedValue):
                with self._inside(quote, modern):
                    inner = self.expression(value.value, _OR)
                if not modern and quote in inner:
                    raise _NoQuoteFits
                text += "{" + (" " if inner.startswith("{") else "") + inner
                text += f"!{chr(value.conversion)}" if value.conversion != -1 else ""
                if isinstance(value.format_spec, ast.JoinedStr):
                    text += f":{self._pieces(value.format_spec.values, quote, modern=modern)}"
                text += "}"
            else:
                literal = str(getattr(value, "value", "")).replace("{", "{{").replace("}", "}}")
                if not self._plain:
                    literal = _escaped(literal, quote[0])
                elif not _fits(literal, quote):
                    raise _NoQuoteFits
                text += literal
        return text

    @contextmanager
    def _inside(self, quote: str, modern: bool) -> Any:
        """Within the braces of an f-string: the quotes that would end it are out of use."""
        before = self._quotes, self._plain
        if not modern:
            self._quotes, self._plain = [other for other in self._quotes if quote not in other], True
        try:
            yield
        finally:
            self._quotes, self._plain = before


def _fits(value: str, quote: str, octets: bool = False) -> bool:
    """Whether a text can stand between quotes as it is."""
    raw = _escaped(value, "", octets)
    if len(quote) == 3:
        raw = raw.replace("\\n", "\n")
    return raw == value and quote not in value and not value.endswith(quote[0])


def _escaped(value: str, quote: str, octets: bool = False) -> str:
    def one(character: str) -> str:
        code = ord(character)
        if character in _ESCAPES:
            return _ESCAPES[character]
        if code < 0x20 or code == 0x7F or (octets and code > 0x7F):
            return f"\\x{code:02x}"
        if 0xD800 <= code < 0xE000:  # half a surrogate pair has no place in a file
            return f"\\u{code:04x}"
        return f"\\{character}" if character == quote else character

    return "".join(map(one, value))
