import ast
import importlib
import lzma
import sys

import pytest

from aixi.environments import ENVIRONMENTS
from aixi.errors import InvalidValueError
from aixi.evaluation.complexity import canonical_source, code_length, description_bits

PLAIN = """
import gymnasium
from gymnasium import spaces

SIDES = 6

class Die(gymnasium.Env):
    def __init__(self, bonus=1.0):
        self.bonus = bonus
        self.action_space = spaces.Discrete(SIDES)
        self.observation_space = spaces.Discrete(SIDES)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self._throw(), {}

    def _throw(self):
        self.face = self.np_random.integers(SIDES)
        return self.face

    def step(self, action):
        reward = self.bonus if action == self.face else 0.0
        return self._throw(), reward, False, False, {}
"""

# The same dynamics in other words: documented, annotated, drawn, checked, logged and renamed.
WORDY = '''
"""A die."""
from typing import Any
import warnings
import numpy as np
from gymnasium import Env
import gymnasium.spaces

# how many sides it has
FACES: int = 6
PICTURES = ["one", "two", "three", "four", "five", "six"]

def unused(x):
    return x + 17

class Cube(Env[np.int64, np.int64]):
    """Guess the next throw."""

    metadata = {"render_modes": ["ansi"], "render_fps": 4}

    def __init__(self, prize: float = 1.0, render_mode: str | None = None, size: int = 40) -> None:
        """Makes one."""
        if prize < 0:
            raise ValueError(f"prize must not be negative, got {prize}")
        assert size > 0, "too small"
        for name, number in {"prize": prize, "size": size}.items():
            if number != number:
                raise ValueError(name)
        self.prize: float = prize
        self.action_space = gymnasium.spaces.Discrete(FACES)
        self.observation_space = gymnasium.spaces.Discrete(FACES)
        self.render_mode = render_mode
        self.size = size
        self.pixels = self.size * 2
        self.window = None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        if self.render_mode == "human":
            self.render()
        return self._roll(), {}

    def _roll(self) -> int:
        self.up = self.np_random.integers(FACES)
        return self.up

    def step(self, guess: int) -> Any:
        warnings.warn("a throw")
        gain = self.prize if guess == self.up else 0.0
        if self.render_mode == "human":
            self.render()
        return self._roll(), gain, False, False, {}

    def render(self) -> str:
        return PICTURES[self.up]

    def close(self) -> None:
        self.window = None
'''


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Writes modules of a package `toys` and returns its canonical sources."""
    folder = tmp_path / "toys"
    folder.mkdir()
    (folder / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))

    def source(entry, arguments=None, time_limit=None, **modules):
        for name in [name for name in sys.modules if name.partition(".")[0] == "toys"]:
            del sys.modules[name]
        for name, text in modules.items():
            (folder / f"{name}.py").write_text(text)
        importlib.invalidate_caches()
        return canonical_source(f"toys.{entry}", arguments, time_limit)

    yield source
    for name in [name for name in sys.modules if name.partition(".")[0] == "toys"]:
        del sys.modules[name]


def test_prose_names_and_rendering_cost_nothing(package):
    assert package("wordy:Cube", wordy=WORDY) == package("plain:Die", plain=PLAIN)


def test_dynamics_cost(package):
    plain = package("plain:Die", plain=PLAIN)
    for change in [
        ("SIDES = 6", "SIDES = 7"),
        ("0.0", "-1.0"),
        ("==", "!="),
        ("Discrete(SIDES)", "Discrete(6)"),
    ]:
        assert package(f"other{len(change[0])}:Die", **{f"other{len(change[0])}": PLAIN.replace(*change)}) != plain


def test_arguments_and_time_limits_are_charged(package):
    plain = package("plain:Die", plain=PLAIN)
    assert package("plain:Die", {"bonus": 3.0}) == plain + "\nd=3.0"
    assert package("plain:Die", None, 100) == plain + "\nTimeLimit(100)"


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


def test_base_of_a_package_costs_as_much_as_its_text(package):
    child = "from toys.base import Die\n\nclass Child(Die):\n    pass\n"
    inherited = package("child:Child", base=PLAIN, child=child)
    assert code_length(inherited) > code_length(package("plain:Die", plain=PLAIN))


def test_foreign_imports_are_refused(package):
    text = PLAIN.replace("SIDES = 6", "import scipy.special\nSIDES = int(scipy.special.comb(4, 2))")
    with pytest.raises(InvalidValueError, match="uses scipy, which is neither its own package nor free"):
        package("foreign:Die", foreign=text)


def test_definitions_in_a_block_are_charged(package):
    text = PLAIN.replace("SIDES = 6", "try:\n    SIDES = 654321\nexcept NameError:\n    pass\n")
    assert "654321" in package("block:Die", block=text)


def test_import_of_everything_is_refused(package):
    with pytest.raises(InvalidValueError, match=r"toys\.star imports all of toys\.base"):
        package("star:Die", base="SIDES = 6\n", star=PLAIN.replace("SIDES = 6", "from toys.base import *"))


def test_fields_of_a_helper_are_kept(package):
    text = PLAIN.replace("SIDES = 6", "from typing import NamedTuple\n\nclass Rule(NamedTuple):\n    sides: int\n")
    text = text.replace("Discrete(SIDES)", "Discrete(Rule(6).sides)").replace("integers(SIDES)", "integers(6)")
    found = package("fields:Die", fields=text)
    assert "(NamedTuple):\n b" in found


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


@pytest.mark.parametrize("row", ENVIRONMENTS, ids=lambda row: row.name)
def test_each_environment_has_a_description(row):
    source = canonical_source(row.entry_point, row.kwargs)
    names = {node.name for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)}
    assert {"__init__", "reset", "step"} <= names
    assert "render" not in source
    assert '"""' not in source
    assert description_bits(row) == description_bits(row)
    assert 1000 < description_bits(row) < 20_000


def test_frozen_lake_pays_for_its_map_and_its_time_limit():
    row = ENVIRONMENTS["FrozenLake-v1"]
    source = canonical_source(row.entry_point, row.kwargs, 100)
    assert "'FHFH'" in source
    assert "cumsum" in source  # its helper in another module of gymnasium.envs
    assert source.endswith("TimeLimit(100)")
    assert description_bits(row) == code_length(source)


def test_code_length_is_that_of_raw_lzma():
    text = "abc" * 100
    compressed = lzma.compress(
        text.encode(),
        format=lzma.FORMAT_RAW,
        filters=[{"id": lzma.FILTER_LZMA1, "preset": 9 | lzma.PRESET_EXTREME, "lc": 3, "lp": 0, "pb": 0}],
    )
    assert code_length(text) == 8 * len(compressed) < 8 * len(text)
