"""The canonical source: what changes it, what does not, and that it still runs as the environment does."""

import importlib
import sys
from operator import attrgetter
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from complexity_toys import PLAIN, SHIPPED, WORDY, reworded
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from aixi.environments import ENVIRONMENTS, make
from aixi.errors import InvalidValueError
from aixi.evaluation.complexity import canonical_source, code_length
from aixi.evaluation.complexity.canonical import Wrapper, canonical, reach, text_of
from aixi.evaluation.complexity.modules import locate
from aixi.evaluation.complexity.naming import Naming
from aixi.evaluation.complexity.writer import write
from aixi.registry import load_object

OWN = [row for row in SHIPPED if row.entry_point.startswith("aixi.") and not row.kwargs]


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Writes modules and files of a package `toys`, and returns the canonical source of an entry point there."""
    folder = tmp_path / "toys"
    folder.mkdir()
    (folder / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))

    def source(entry, arguments=None, wrappers=(), files=(), **modules):
        importlib.invalidate_caches()
        for name, text in modules.items():
            (folder / f"{name}.py").write_text(text)
        for name, content in dict(files).items():
            (folder / name).write_bytes(content)
        entry = f"toys.{entry}"
        return text_of(canonical(reach(entry, wrappers), arguments, wrappers).content)

    yield source
    assert not [name for name in sys.modules if name.partition(".")[0] == "toys"], "a description runs nothing"


def test_prose_names_and_rendering_cost_nothing(package):
    assert package("wordy:Cube", wordy=WORDY) == package("plain:Die", plain=PLAIN)


@pytest.mark.parametrize("row", OWN, ids=attrgetter("name"))
@settings(
    max_examples=5,
    deadline=None,
    phases=[Phase.reuse, Phase.generate],  # a seed has nothing to shrink
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(seed=st.integers(0, 2**32))
def test_other_words_cost_nothing(package, row, seed):
    module, _, name = row.entry_point.partition(":")
    source = Path(locate(module).origin).read_text()
    variant = reworded(source, seed)
    assert variant != source
    assert package(f"variant:{name}", variant=variant) == canonical_source(row.entry_point)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = 'it' \"'s\"", 'x = "it\'s"'),
        ("x = 1000.0", "x = 1_0e2"),
        ("x = ((1 + 2) * 3)", "x = (1 + (2)) * 3"),
        ("x = [i for i in range(3)] + [j for j in range(4)]", "x = [i for i in range(3)] + [i for i in range(4)]"),
        ("def f(n): return n\nx = f(n=3)", "def f(size): return size\nx = f(size=3)"),
        ("def f(n): return n\ndef g(m): return m\nx = f(1) + g(2)",
         "def f(n): return n\ndef g(n): return n\nx = f(1) + g(2)"),
        ("def f(n): return n\nx = f(2)", "x = f(2)\ndef f(n): return n"),
        ("import math\nx = math.floor(2.5)", "from math import floor as down\nx = down(2.5)"),
        ("import numpy as np\nx = np.abs(2)", "from numpy import abs as size\nx = size(2)"),
        ("x = 0", "x: int = 0"),
        ("x = f'a'", "x = 'a'"),
        ("from typing import NamedTuple\nclass R(NamedTuple):\n  a: int\nx = R(a=1).a",
         "import typing\nclass Rule(typing.NamedTuple):\n  size: 'int'\nx = Rule(size=1).size"),
        ("try:\n  import pygame\nexcept ImportError:\n  raise\nx = 2", "x = 2"),
        ("x = 5", "x = 5\nif __name__ == '__main__':\n  x = 6"),
        ("def f(n):\n  g = 0\n  return n\nx = f(2)", "def f(n):\n  return n\nx = f(2)"),
    ],
)  # fmt: skip
def test_one_meaning_has_one_text(package, one, other):
    def with_constant(name, text):
        return package(f"{name}:Die", **{name: PLAIN.replace("SIDES = 6", text).replace("SIDES", "x")})

    assert with_constant("one", one) == with_constant("other", other)


@pytest.mark.parametrize(
    "change",
    [("SIDES = 6", "SIDES = 7"), ("0.0", "-1.0"), ("==", "!="),
     ("Discrete(SIDES)", "Discrete(6)"), ("= self", "= -self")],
)  # fmt: skip
def test_dynamics_cost(package, change):
    assert package("other:Die", other=PLAIN.replace(*change)) != package("plain:Die", plain=PLAIN)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["action == {}", "self.face == {}", "self.np_random.random() * 9 < {}", "self.face + action > {}"]),
    st.integers(1, 5),
    st.sampled_from(["reward += {}.0", "reward = -{}.5", "self.face = {}", "reward *= {}.25"]),
    st.integers(1, 9),
)
def test_distractor_rules_cost(package, condition, first, effect, second):
    rule = f"        if {condition.format(first)}:\n            {effect.format(second)}\n"
    more = PLAIN.replace("        return self._throw(), reward", rule + "        return self._throw(), reward")
    plain = package("plain:Die", plain=PLAIN).encode()
    longer = package("more:Die", more=more).encode()
    for coder in ("mixture", "lzma"):
        assert code_length(longer, coder) > code_length(plain, coder)


@pytest.mark.parametrize("row", [*OWN, ENVIRONMENTS["FrozenLake-v1"]], ids=attrgetter("name"))
def test_canonical_source_runs_as_the_environment_does(row):
    closure = reach(row.entry_point)
    naming = Naming(closure)
    names = {"np": np, "gymnasium": gymnasium}
    for path in closure.free_names:
        module, _, name = path.rpartition(".")
        if module and not path.startswith("numpy."):
            names[name] = load_object(f"{module}:{name}")
    exec("\n".join(map(write, naming.definitions)), names)
    arguments = {naming.argument(key): value for key, value in row.kwargs.items()}
    copy, original = names[naming.word(0)](**arguments), make(row.name).unwrapped
    draw = np.random.default_rng(5)
    ended = True
    for cycle in range(400):
        if ended:
            percepts = [env.reset(seed=7 if cycle == 0 else None)[0] for env in (copy, original)]
            np.testing.assert_equal(*percepts)
        action = draw.integers(original.action_space.n)
        (seen, *rest, _), (expected, *known, _) = copy.step(action), original.step(action)
        np.testing.assert_equal(seen, expected)
        assert rest == known
        ended = rest[1]


def test_arguments_and_wrappers_are_charged(package):
    plain = package("plain:Die", plain=PLAIN)
    assert package("plain:Die", {"bonus": 3.0, "render_mode": "ansi"}) == plain + "\nb=3.0"
    assert package("plain:Die", None, [Wrapper("gymnasium.wrappers:TimeLimit", {"max_episode_steps": 9})]) == (
        plain + "\nTimeLimit(max_episode_steps=9)"
    )
    with pytest.raises(InvalidValueError, match="argument bonus must be made of numbers, texts"):
        package("plain:Die", {"bonus": object()})


def test_own_wrappers_are_charged_with_what_they_reach(package):
    text = "import gymnasium\nSCALE = 321\nclass Scaled(gymnasium.RewardWrapper):\n"
    text += " def __init__(self, env, by=SCALE):\n  super().__init__(env)\n  self.by = by\n"
    text += " def reward(self, reward):\n  return self.by * reward\n"
    found = package("plain:Die", None, [Wrapper("toys.wrap:Scaled", {"by": 5})], plain=PLAIN, wrap=text)
    assert "C=321\nclass D(RewardWrapper):" in found
    assert " def reward(a,b):\n  return a.d*b" in found
    assert found.endswith("\nD(c=5)")


def test_everything_reached_in_the_package_is_charged_and_nothing_else(package):
    base = PLAIN.replace("class Die", "class Base") + "\ndef far(x):\n    return 12345 + x\n"
    base += "\nclass Stranger:\n    secret = 67890\n"
    child = (
        "from toys.base import Base, Stranger, far as near\nfrom toys import base as other\n\n"
        "class Child(Base):\n    def step(self, action):\n"
        "        return super().step(near(action) + other.far(1))\n"
    )
    found = package("child:Child", base=base, child=child)
    assert "12345" in found
    assert "integers" in found
    assert "67890" not in found


def test_modules_that_call_different_things_by_one_name_are_told_apart(package):
    more = "from toys import deep\nSIZE = 77\ndef far():\n    return SIZE + deep.far()\n"
    text = PLAIN.replace("import gymnasium\n", "import gymnasium\nfrom toys import more\nSIZE = 55\n")
    text = text.replace("= 6", "= SIZE + more.far()")
    found = package("main:Die", main=text, more=more, deep="SIZE = 99\ndef far():\n    return SIZE\n")
    assert all(size in found for size in ("=77", "=55", "=99"))


def test_hidden_methods_of_a_base_are_free_until_asked_for(package):
    child = "from toys.base import Die\nclass Child(Die):\n    def step(self, action):\n        return {}\n"
    hidden = package("child:Child", base=PLAIN, child=child.format("self._throw(), 0.5, False, False, {}"))
    asked = package("asked:Child", base=PLAIN, asked=child.format("super().step(action)"))
    assert " else 0.0" not in hidden
    assert " else 0.0" in asked


def test_tables_filled_after_they_are_made_are_charged(package):
    table = "TABLE = {}\nfor i in range(654):\n    TABLE[i] = i\nTABLE.update(q=321)\n"
    found = package("table:Die", table=PLAIN.replace("SIDES = 6", table + "SIDES = TABLE[6]"))
    assert "for B in range(654):\n A[B]=B" in found
    assert "A.update(q=321)" in found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import scipy.special\nSIDES = int(scipy.special.comb(4, 2))",
         "uses scipy.* which is neither its own package nor free"),
        ("from toys.base import *", r"toys\.bad imports all of toys\.base"),
        ("from toys.base import absent as SIDES", r"toys\.base has no absent that can be found without running it"),
        ("SIDES = int(open('/etc/hostname').read())", "line 5.*reads what is no file of its package"),
        ("from pathlib import Path\nSIDES = len(Path(input()).read_text())", "reads what is no file of its package"),
        ("import mujoco\nSIDES = mujoco.MjModel.from_xml_path('x.xml')", "reads what is no file of its package"),
    ],
)  # fmt: skip
def test_what_cannot_be_charged_is_refused(package, text, message):
    with pytest.raises(InvalidValueError, match=message):
        package("bad:Die", base="OTHER = 6\n", bad=PLAIN.replace("SIDES = 6", text))


@pytest.mark.parametrize(
    "read",
    [
        'from importlib.resources import files\nMAP = (files("toys") / "map.txt").read_text()',
        'from importlib.resources import files\nMAP = files(__package__).joinpath("map.txt").read_text()',
        'from pathlib import Path\nHERE = Path(__file__).parent\nMAP = (HERE / "map.txt").read_text()',
        'from pathlib import Path\nMAP = Path(__file__).with_name("map" + ".txt").read_text()',
    ],
)
def test_files_are_charged_and_their_paths_are_not(package, read):
    text = PLAIN.replace("SIDES = 6", f"{read}\nSIDES = len(MAP)")
    found = package("reading:Die", reading=text, files={"map.txt": b"######\n#  #\n"})
    assert found.startswith("A=(0).read_text()\nB=len(A)\n")
    assert found.endswith("\n12:######\n#  #\n")


def test_xml_is_charged_without_comments_and_blanks(package):
    read = "import os\nimport xml.etree.ElementTree as tree\n"
    read += 'SIDES = len(tree.parse(os.path.join(os.path.dirname(__file__), "a.xml")).getroot())'
    xml = b"<a>\n  <!-- prose -->\n  <b y='2' x='1'/>\n</a>"
    assert package("xml:Die", xml=PLAIN.replace("SIDES = 6", read), files={"a.xml": xml}).endswith(
        '\n26:<a><b x="1" y="2"></b></a>'
    )


@pytest.mark.parametrize(
    ("value", "acts"),
    [
        ("self._throw()", True),
        ("np.abs(self._throw())", True),
        ("[self._throw() for _ in range(2)]", True),
        ("self.np_random.random()", True),
        ("1.0 - self.np_random.bit_generator.random_raw()", True),
        ("self.piles[0].pop()", True),
        ("np.abs(self.face)", False),
        ("[self.face, len(str(action))]", False),
    ],
)
def test_effects_of_an_unread_value_are_kept(package, value, acts):
    text = "import numpy as np\n" + PLAIN
    read = text.replace("        reward = self.bonus", f"        before = {value}\n        reward = self.bonus")
    assert (package("effect:Die", effect=read) != package("same:Die", same=text)) == acts
