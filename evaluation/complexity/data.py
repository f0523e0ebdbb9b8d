"""Data files that dynamics read: found from constant paths, and charged."""

import ast
import os
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from aixi.errors import InvalidValueError
from aixi.evaluation.complexity.modules import ENGINES, Module, locate
from aixi.evaluation.complexity.trees import walk

FreeName: TypeAlias = Callable[[ast.expr], str | None]  # the full name of what Python or NumPy provides, or None

# Functions that read a file, and how many of their arguments name it.
_READERS = {
    "open": 1,
    "io.open": 1,
    "codecs.open": 1,
    "gzip.open": 1,
    "bz2.open": 1,
    "lzma.open": 1,
    "numpy.load": 1,
    "numpy.loadtxt": 1,
    "numpy.genfromtxt": 1,
    "numpy.fromfile": 1,
    "numpy.memmap": 1,
    "xml.etree.ElementTree.parse": 1,
    "importlib.resources.open_binary": 2,
    "importlib.resources.open_text": 2,
    "importlib.resources.read_binary": 2,
    "importlib.resources.read_text": 2,
    "pkgutil.get_data": 2,
}
_READING_METHODS = {"read_text", "read_bytes", "from_xml_path", "from_binary_path"}
_PATHS: dict[str, Callable[..., Any]] = {
    "str": str,
    "os.fspath": str,
    "pathlib.Path": Path,
    "pathlib.PurePath": Path,
    "os.path.join": os.path.join,
    "os.path.dirname": os.path.dirname,
    "os.path.abspath": os.path.abspath,
    "os.path.realpath": os.path.realpath,
}
_PATH_METHODS = {"joinpath", "with_name", "with_suffix", "resolve", "absolute"}


def read_files(node: ast.AST, module: Module, free_name: FreeName, files: dict[str, bytes]) -> None:
    """Puts the content of the files that a piece of code reads into `files`; a number replaces each path in the code.

    Args:
        node: the code; changed in place.
        module: the module in which it stands.
        free_name: tells the full name of a dotted name that the module imports, or of a builtin.
        files: content by path, in the order of the first reading.

    Raises:
        InvalidValueError: if what is read is no file of the package that a constant path names.
    """
    reader = _Reader(module, free_name)
    for call in [leaf for leaf in walk(node) if isinstance(leaf, ast.Call)]:
        function = call.func
        count = _READERS.get(free_name(function) or "", 0)
        if count and call.args:
            if _charged(call.args[0]):
                continue
            parts = [reader.value(argument) for argument in call.args[:count]]
            path = parts[0] if count == 1 else _join(_folder(parts[0]), parts[1:])
            call.args[:count] = [_number(reader.charge(path, call, files))]
        elif isinstance(function, ast.Attribute) and not _charged(function.value):
            path = reader.value(function.value)
            if function.attr in (*_READING_METHODS, "open") and isinstance(path, Path):
                function.value = _number(reader.charge(path, call, files))
            elif function.attr in _READING_METHODS:
                given = reader.value(call.args[0]) if call.args else None
                call.args[:1] = [_number(reader.charge(given, call, files))]


def engine_files(engines: Iterable[str], arguments: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
    """Yields name and content of the files that engines read for an environment of these arguments.

    Raises:
        InvalidValueError: if the arguments name no file.
    """
    for engine in engines:
        name, folder = ENGINES[engine].data, _folder(engine)
        if not name:
            continue
        path = Path(folder or "", name.format_map(defaultdict(str, arguments)))
        if folder is None or not path.is_file():
            raise InvalidValueError(
                f"the description reads {name} of {engine}, and {path} is no file; give its arguments"
            )
        yield path.name, path.read_bytes()


def _charged(node: ast.expr) -> bool:
    return hasattr(node, "file")


def _number(index: int) -> ast.Constant:
    constant = ast.Constant(index)
    constant.file = True  # type: ignore[attr-defined]  # a mark, so that the number is not read as a path
    return constant


def _folder(package: Any) -> Path | None:
    spec = locate(package) if isinstance(package, str) else None
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))


def _join(base: Any, parts: list[Any]) -> Any:
    return None if base is None or None in parts else Path(base, *parts)


class _Reader:
    def __init__(self, module: Module, free_name: FreeName) -> None:
        self._module = module
        self._free_name = free_name

    def charge(self, path: Any, call: ast.Call, files: dict[str, bytes]) -> int:
        """Returns the number of a file, read now if it is new."""
        root = _folder(self._module.name.partition(".")[0]) or self._module.path.parent
        if path is None or not (target := Path(path).resolve()).is_file() or root.resolve() not in target.parents:
            raise InvalidValueError(
                f"the description of {self._module.name} (line {call.lineno}) reads what is no file of its package, "
                f"so that its length is unknown; name the file by a constant path beside the module, such as "
                f'files(__package__) / "map.txt"'
            )
        name = str(target)
        if name not in files:
            files[name] = _canonical_bytes(target)
        return list(files).index(name)

    def value(self, node: ast.expr) -> Any:
        """Returns the text or path that an expression stands for, or None if that is not constant."""
        match node:
            case ast.Constant(value=str()):
                return node.value
            case ast.Name(id="__file__"):
                return str(self._module.path)
            case ast.Name(id="__name__"):
                return self._module.name
            case ast.Name(id="__package__" | "__spec__"):
                return self._module.name.rpartition(".")[0]
            case ast.Name(id=name) if name in self._module.statements:
                found = self._module.statements[name]
                return self.value(found[0].value) if len(found) == 1 and isinstance(found[0], ast.Assign) else None
            case ast.BinOp(op=ast.Div()):
                return _join(self._path(node.left), [self.value(node.right)])
            case ast.BinOp(op=ast.Add()):
                left, right = self.value(node.left), self.value(node.right)
                return left + right if isinstance(left, str) and isinstance(right, str) else None
            case ast.Attribute(attr="parent"):
                path = self._path(node.value)
                return None if path is None else path.parent
            case ast.Subscript(value=ast.Attribute(attr="parents", value=base), slice=ast.Constant(value=int(level))):
                path = self._path(base)
                return None if path is None else path.parents[level]
            case ast.Call():
                return self._call(node)
        return None

    def _path(self, node: ast.expr) -> Path | None:
        value = self.value(node)
        return value if isinstance(value, Path) else None

    def _call(self, node: ast.Call) -> Any:
        arguments = [self.value(argument) for argument in node.args]
        if None in arguments:
            return None
        name = self._free_name(node.func)
        if name == "importlib.resources.files":
            return _folder(arguments[0] if arguments else self._module.name.rpartition(".")[0])
        if name in _PATHS:
            return _PATHS[name](*arguments)
        if isinstance(node.func, ast.Attribute) and node.func.attr in _PATH_METHODS:
            base = self._path(node.func.value)
            return None if base is None else getattr(base, node.func.attr)(*arguments)
        return None


def _canonical_bytes(path: Path) -> bytes:
    """The content of a file; of XML, without comments, blanks between elements, and in one order of attributes."""
    content = path.read_bytes()
    if path.suffix.lower() == ".xml":
        return ElementTree.canonicalize(content.decode("utf-8"), strip_text=True).encode("utf-8")
    return content
