"""The writer: its text means what the tree says, and is the same from every Python version."""

import ast
import importlib.util
import json
import shutil
import subprocess
import sys
import sysconfig
import warnings
from pathlib import Path

import gymnasium
import pytest
from complexity_toys import SHIPPED

import aixi
from aixi.errors import InvalidValueError
from aixi.evaluation.complexity.description import Subject, description_hash
from aixi.evaluation.complexity.writer import write

STANDARD = Path(sysconfig.get_path("stdlib"))
HARD = ("test_fstring", "test_grammar", "test_patma", "test_unparse", "test_with", "test_positional_only_arg")

SYNTAX = r'''
x = (yield)
async def f(a, b=1, /, c=2, *d, e, f=(1, 2), **g):
    async with a as b, (c, d) as (e, f): pass
    async for (i, j) in await g: await h ** -i
    return *a, b
class A(B, *c, metaclass=D, **e):
    a: int; (b): int = 3; c.d: str
    @(lambda f: f)
    def g(self): global h; nonlocal_ = lambda: (yield)
with (a, b): pass
with ((a, b)): pass
with (open(a) as b, c): pass
try: x
except (A, B) as e: raise E from e
except: raise
else: y
finally: z
try: x
except* A: pass
for x, *y in (1,), : break
else: continue
while (n := n - 1): pass
if a: b
elif c: d
else:
    if e: f
    g
match x, :
    case [1, -2.5, *_] | {'a': None, **r} | C(x, y=(z | 3 as w)) if w: pass
    case (A() as b) | a.b | 1+2j: pass
    case _: pass
del a, (b, c), d[e]
a = b, = c = *d, e
a[b, *c] = a[()] = a[1:2, ::3] = a[b:=1,]
a @= b if c else d
assert (a, b), c
import a.b as c, d; from ..e import f as g; from . import *
-a ** -b ** c, (-a) ** b, not a == (not b), (a or b) and c or d, (a if b else c) if d else e, a - (b - c), (a < b) < c
{**a, 'b': c}, {*a}, {a: b for a, b in c if d if e}
[a async for b in c], f(a for a in b), f(*a, b, **c, d=e), f((a for b in c), d)
(1).real, 1.5.real, 1e400, 1e-7, 0xFFFF_FFFF, 12j, "\x00\ud800é\u2028'\"", b'\xff\'"', ..., None, 'a' 'b' f'{c}'
f"{a!r:>{b}}{{}}{c=}{'d'}{e:%H:%M}{ {1: 2}[1] }{x['y']}{(lambda: 1)()}\n\\"
f"""{f"{'a'}"}'"{b}""", f'{a:{b}.{c}}', rf"\{a}"
'''


def same(tree: ast.AST, text: str) -> bool:
    """Whether a text has a tree; types of parameters and the prefix of u'' have no part in it."""

    def plain(root: ast.AST) -> str:
        for node in ast.walk(root):
            for name, empty in (("kind", None), ("type_params", [])):
                if hasattr(node, name):
                    setattr(node, name, empty)
        return ast.dump(root)

    return plain(tree) == plain(ast.parse(text))


def test_text_means_the_tree():
    for line in ast.parse(SYNTAX).body:
        text = write(line)
        assert same(ast.Module([line], []), text), text
        assert write(ast.parse(text)) == text


def sample():
    """Every tenth file of the standard library, the hardest of its tests, and every environment."""
    files = sorted(STANDARD.glob("*.py"))[::10] + sorted((STANDARD / "asyncio").glob("*.py"))[::5]
    files += [path for name in HARD if (path := STANDARD / "test" / f"{name}.py").is_file()]
    files += sorted((Path(aixi.__file__).parent / "environments").glob("**/*.py"))
    return files + sorted((Path(gymnasium.__file__).parent / "envs").glob("**/*.py"))[::3]


def test_text_of_whole_libraries_means_their_trees():
    files = sample()
    assert len(files) > 40
    for path in files:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the files
            tree = ast.parse(path.read_text("utf-8"))
            assert same(tree, write(tree)), path


def test_newer_syntax_is_refused_and_newer_fields_are_ignored():
    class TypeAlias(ast.stmt):
        _fields = ()

    with pytest.raises(InvalidValueError, match=r"must keep to the syntax of Python 3\.11, got a node TypeAlias"):
        write(ast.Module([TypeAlias()], []))
    tree = ast.parse("def f(a): return a")
    tree.body[0].type_params = [ast.Name("T")]
    assert write(tree) == "def f(a):\n return a"


CHILD = """
import hashlib, json, sys
sys.path.insert(0, sys.argv[1])
sys.path.append(sys.argv[2])
from aixi.evaluation.complexity.canonical import Wrapper, canonical, reach
found = {}
for name, entry_point, kwargs, wrappers in json.loads(sys.argv[3]):
    wrappers = [Wrapper(*wrapper) for wrapper in wrappers]
    content = canonical(reach(entry_point, wrappers), kwargs, wrappers).content
    found[name] = hashlib.sha256(content).hexdigest()
assert not {"numpy", "gymnasium"} & set(sys.modules)
print(json.dumps([sys.version.split()[0], found]))
"""


def test_every_python_on_the_path_writes_the_same_bytes(capsys):
    names = ["python3", *(f"python3.{minor}" for minor in range(11, 20))]
    pythons = {str(Path(path).resolve()): path for name in names if (path := shutil.which(name))}
    subjects = [Subject.find(row) for row in SHIPPED]
    rows = [
        (item.name, item.entry_point, item.kwargs, [(part.entry_point, part.kwargs) for part in item.wrappers])
        for item in subjects
    ]
    expected = {item.name: description_hash(row) for item, row in zip(subjects, SHIPPED, strict=True)}
    source = Path(aixi.__file__).parents[1]
    site = Path(importlib.util.find_spec("gymnasium").origin).parents[1]
    outcomes = {}
    for python in [sys.executable, *pythons.values()]:
        command = [python, "-I", "-W", "error", "-c", CHILD, str(source), str(site), json.dumps(rows)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        lines = done.stderr.strip().splitlines() or [""]
        if done.returncode and _starts(python):
            pytest.fail(f"{python}: {done.stderr}")
        outcomes[python] = json.loads(done.stdout) if not done.returncode else (f"does not start: {lines[-1]}", None)
    with capsys.disabled():
        print("\ncanonical sources:", "; ".join(f"{path}: {version}" for path, (version, _) in outcomes.items()))
    assert outcomes[sys.executable][1] == expected
    assert all(found == expected for _, found in outcomes.values() if found is not None)


def _starts(python: str) -> bool:
    """Whether a Python of a supported version answers."""
    check = "import sys; sys.exit(sys.version_info < (3, 11))"
    return subprocess.run([python, "-I", "-c", check], capture_output=True, timeout=60).returncode == 0
