"""Expressions as text, see `writer`."""

import ast
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from aixi.errors import InvalidValueError

# How tightly an expression binds, in the order of Python's grammar; a looser one stands in brackets.
TUPLE, TEST, _OR, _AND, _NOT, _COMPARISON, _BIT_OR, _BIT_XOR, _BIT_AND, _SHIFT, _SUM, _TERM, _FACTOR = range(13)
_POWER, _AWAIT, ATOM = 13, 14, 15

BINARY = {
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


class _NoQuoteFits(Exception):
    """A text within an f-string cannot be written with the quotes that are left."""


class Expressions:
    """Writes expressions; a method of the name of each node returns its text and how tightly it binds."""

    def __init__(self) -> None:
        self._quotes: Sequence[str] = _QUOTES  # those that a text may use here
        self._plain = False  # within an f-string's braces, where Python 3.11 takes no backslash

    def method(self, node: ast.AST) -> Callable[..., Any]:
        """Returns what writes a node."""
        method: Callable[..., Any] | None = getattr(self, f"_{type(node).__name__}", None)
        if method is None:
            raise InvalidValueError(
                f"a description must keep to the syntax of Python 3.11, got a node {type(node).__name__}; "
                f"write it in older words"
            )
        return method

    def expression(self, node: Any, level: int) -> str:
        """Returns the text of an expression where one that binds less tightly than `level` needs brackets."""
        text, own = self.method(node)(node)
        return f"({text})" if own < level else text

    def test(self, node: Any) -> str:
        return self.expression(node, TEST)

    def bare(self, node: ast.expr) -> str:
        """Returns the text of an expression where a tuple needs no brackets."""
        return self.expression(node, TUPLE)

    def list_(self, nodes: Iterable[ast.expr]) -> str:
        return ",".join(map(self.test, nodes))

    def _NamedExpr(self, node: ast.NamedExpr) -> tuple[str, int]:
        return f"({node.target.id}:={self.test(node.value)})", ATOM

    def _Yield(self, node: ast.Yield) -> tuple[str, int]:
        return f"(yield {self.bare(node.value)})" if node.value else "(yield)", ATOM

    def _YieldFrom(self, node: ast.YieldFrom) -> tuple[str, int]:
        return f"(yield from {self.test(node.value)})", ATOM

    def _Await(self, node: ast.Await) -> tuple[str, int]:
        return f"await {self.expression(node.value, ATOM)}", _AWAIT

    def _Tuple(self, node: ast.Tuple) -> tuple[str, int]:
        if not node.elts:
            return "()", ATOM
        return self.list_(node.elts) + ("," if len(node.elts) == 1 else ""), TUPLE

    def _Lambda(self, node: ast.Lambda) -> tuple[str, int]:
        parameters = self.parameters(node.args)
        return f"lambda{' ' if parameters else ''}{parameters}:{self.test(node.body)}", TEST

    def _IfExp(self, node: ast.IfExp) -> tuple[str, int]:
        body, test = self.expression(node.body, _OR), self.expression(node.test, _OR)
        return f"{body} if {test} else {self.test(node.orelse)}", TEST

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
        word, level = BINARY[type(node.op)]
        # Powers take an exponent with a sign; all others group from the left.
        left, right = (_AWAIT, _FACTOR) if level == _POWER else (level, level + 1)
        return self.expression(node.left, left) + word + self.expression(node.right, right), level

    def _Attribute(self, node: ast.Attribute) -> tuple[str, int]:
        value = self.expression(node.value, ATOM)
        return (f"({value})" if value.isdecimal() else value) + f".{node.attr}", ATOM

    def _Subscript(self, node: ast.Subscript) -> tuple[str, int]:
        return f"{self.expression(node.value, ATOM)}[{self.bare(node.slice)}]", ATOM

    def _Slice(self, node: ast.Slice) -> tuple[str, int]:
        lower, upper, step = ("" if part is None else self.test(part) for part in (node.lower, node.upper, node.step))
        return f"{lower}:{upper}" + (f":{step}" if node.step else ""), ATOM

    def _Starred(self, node: ast.Starred) -> tuple[str, int]:
        return f"*{self.expression(node.value, _BIT_OR)}", ATOM

    def _Call(self, node: ast.Call) -> tuple[str, int]:
        function = self.expression(node.func, ATOM)
        if len(node.args) == 1 and not node.keywords and isinstance(node.args[0], ast.GeneratorExp):
            return function + self.test(node.args[0]), ATOM
        return f"{function}({self.arguments(node.args, node.keywords)})", ATOM

    def arguments(self, positional: Iterable[ast.expr], keywords: Iterable[ast.keyword]) -> str:
        named = [
            f"{part.arg}={self.test(part.value)}" if part.arg else f"**{self.expression(part.value, _BIT_OR)}"
            for part in keywords
        ]
        return ",".join([*map(self.test, positional), *named])

    def parameters(self, node: ast.arguments) -> str:
        def one(parameter: ast.arg, default: ast.expr | None = None, star: str = "") -> str:
            hint = f":{self.test(parameter.annotation)}" if parameter.annotation else ""
            return star + parameter.arg + hint + (f"={self.test(default)}" if default else "")

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
        return f"[{self.list_(node.elts)}]", ATOM

    def _Set(self, node: ast.Set) -> tuple[str, int]:
        return f"{{{self.list_(node.elts)}}}", ATOM

    def _Dict(self, node: ast.Dict) -> tuple[str, int]:
        pairs = [
            f"{self.test(key)}:{self.test(value)}" if key else f"**{self.expression(value, _BIT_OR)}"
            for key, value in zip(node.keys, node.values, strict=True)
        ]
        return f"{{{','.join(pairs)}}}", ATOM

    def _comprehension(self, element: str, generators: Iterable[ast.comprehension]) -> str:
        for part in generators:
            word = " async for " if part.is_async else " for "
            element += f"{word}{self.bare(part.target)} in {self.expression(part.iter, _OR)}"
            element += "".join(f" if {self.expression(test, _OR)}" for test in part.ifs)
        return element

    def _ListComp(self, node: ast.ListComp) -> tuple[str, int]:
        return f"[{self._comprehension(self.test(node.elt), node.generators)}]", ATOM

    def _SetComp(self, node: ast.SetComp) -> tuple[str, int]:
        return f"{{{self._comprehension(self.test(node.elt), node.generators)}}}", ATOM

    def _GeneratorExp(self, node: ast.GeneratorExp) -> tuple[str, int]:
        return f"({self._comprehension(self.test(node.elt), node.generators)})", ATOM

    def _DictComp(self, node: ast.DictComp) -> tuple[str, int]:
        pair = f"{self.test(node.key)}:{self.test(node.value)}"
        return f"{{{self._comprehension(pair, node.generators)}}}", ATOM

    def _Name(self, node: ast.Name) -> tuple[str, int]:
        return node.id, ATOM

    # Literals

    def _Constant(self, node: ast.Constant) -> tuple[str, int]:
        value: Any = node.value
        if isinstance(value, str):
            return self._string(value), ATOM
        if value is ...:
            return "...", ATOM
        if isinstance(value, bytes):
            return f"b{self._string(value.decode('latin-1'), octets=True)}", ATOM
        if isinstance(value, complex):
            return self._number(value.imag) + "j", ATOM
        if isinstance(value, int | float) and not isinstance(value, bool):
            return self._number(value), _FACTOR if math.copysign(1, value) < 0 else ATOM
        return str(value), ATOM

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
                return f"f{quote}{self._pieces(node.values, quote)}{quote}", ATOM
            except _NoQuoteFits:
                continue
        if self._plain:
            raise _NoQuoteFits
        # Only since Python 3.12 can a source hold this: quotes and backslashes are free within braces.
        return f"f'{self._pieces(node.values, chr(39), modern=True)}'", ATOM

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
    def _inside(self, quote: str, modern: bool) -> Iterator[None]:
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
