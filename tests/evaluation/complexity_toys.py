"""Environments written in other words: what must not change a description, and what must."""

import ast
import random
from importlib.util import find_spec

from aixi.environments import ENVIRONMENTS

# Other tests register environments of their own.
ROWS = [row for row in ENVIRONMENTS if row.extra or row.entry_point.startswith(("aixi.", "gymnasium."))]
SHIPPED = [row for row in ROWS if not row.package or find_spec(row.package)]  # no extra need be installed

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

# The same dynamics in other words: documented, annotated, drawn, checked, logged, renamed and put in another order.
WORDY = '''
"""A die."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, final
import logging
import warnings
import numpy as np
from gymnasium import Env
import gymnasium.spaces

if TYPE_CHECKING:
    from collections.abc import Sequence

LOG = logging.getLogger(__name__)
PICTURES = ["one", "two", "three", "four", "five", "six"]

def unused(x):
    return x + 17

@final
class Cube(Env[np.int64, np.int64]):
    """Guess the next throw."""

    metadata = {"render_modes": ["ansi"], "render_fps": 4}
    up: int

    def step(self, guess: int) -> Any:
        warnings.warn("a throw")
        LOG.info("guessed %d", guess)
        print(guess)
        gain = (self.prize if (guess == self.up) else 0.)
        if self.render_mode == "human":
            self.render()
        return self._roll(), gain, False, False, {}

    def _roll(self) -> int:
        self.up = self.np_random.integers(FACES)
        return self.up

    def __init__(self, prize: float = 1e0, render_mode: str | None = None, size: int = 40) -> None:
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

    def reset(me, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        if me.render_mode == "human":
            me.render()
        return me._roll(), {}

    def render(self) -> str:
        return PICTURES[self.up]

    def close(self) -> None:
        self.window = None

# how many sides it has
FACES: int = 0x6

if __name__ == "__main__":
    Cube().reset()
'''

_KEPT = {"__init__", "reset", "step", "action_space", "observation_space", "np_random", "seed", "options", "info"}


def reworded(source: str, seed: int) -> str:
    """Returns the same dynamics in other words: names, order of methods, prose, checks, logging and layout."""
    draw = random.Random(seed)
    tree = ast.parse(source)
    keywords = {node.arg for node in ast.walk(tree) if isinstance(node, ast.keyword)}
    members = {
        node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load)
    }
    globals_ = {name for node in tree.body for name in _bound(node)}
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            members |= {name for part in node.body for name in _bound(part)}
    fixed = _KEPT | {name for name in members | globals_ if name.startswith("__") or "render" in name}
    fixed |= {"close", "metadata"}
    rename = {name: _word(draw) for name in sorted((members | globals_) - fixed)}
    entry = next(node for node in tree.body if isinstance(node, ast.ClassDef) and "Env" in ast.unparse(node.bases[0]))
    rename.pop(entry.name)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in members:
            node.attr = rename.get(node.attr, node.attr)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    for function in functions:
        local = {leaf.arg for leaf in ast.walk(function) if isinstance(leaf, ast.arg)}
        local |= {leaf.id for leaf in ast.walk(function) if isinstance(leaf, ast.Name) and _stored(leaf)}
        own = {name: _word(draw) for name in sorted(local - keywords - _KEPT) if not name.startswith("__")}
        for leaf in ast.walk(function):
            if isinstance(leaf, ast.Name) and leaf.id in own:
                leaf.id = own[leaf.id]
            elif isinstance(leaf, ast.arg):
                leaf.arg = own.get(leaf.arg, leaf.arg)
        function.name = rename.get(function.name, function.name)
        first = function.body[0]
        prose = ast.get_docstring(function) is not None
        noise = ast.parse(f'"""{_word(draw)}"""\nassert {draw.random()} < 2\nprint("{_word(draw)}")').body
        function.body = noise + (function.body[1:] if prose and isinstance(first, ast.Expr) else function.body)
        function.returns = ast.Constant("object")
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            node.id = rename[node.id] if node.id in globals_ and node.id in rename else node.id
        elif isinstance(node, ast.ClassDef):
            node.name = rename.get(node.name, node.name)
            methods = [part for part in node.body if isinstance(part, ast.FunctionDef)]
            draw.shuffle(methods)
            node.body = [part for part in node.body if not isinstance(part, ast.FunctionDef)] + methods
    text = ast.unparse(ast.fix_missing_locations(tree))
    return text.replace("    ", "\t").replace("\n", "\n\n", draw.randrange(9)) + "\n# the end\n"


def _word(draw: random.Random) -> str:
    return "v_" + "".join(draw.choices("bcdfghjkm", k=12))


def _stored(node: ast.Name) -> bool:
    return not isinstance(node.ctx, ast.Load)


def _bound(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return {node.name}
    return {leaf.id for leaf in ast.walk(node) if isinstance(leaf, ast.Name) and _stored(leaf)}
