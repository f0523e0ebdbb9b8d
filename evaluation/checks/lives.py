"""Lives that are compared with each other: of one process, or of two."""

import contextlib
import hashlib
import math
import random
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from aixi.agents.percepts import ActionCodec
from aixi.environments import EnvironmentRow, make, register
from aixi.evaluation.checks.interpreter import call_elsewhere
from aixi.evaluation.checks.masks import Masks
from aixi.evaluation.world import find_row
from aixi.state import load_state, save_state

LIFE = 300
"""Cycles of a life that is compared with another, where a step is fast."""
LIFE_SECONDS = 2.0
"""Time that such a life may take."""
SHORTEST_LIFE = 20
"""Cycles that it has however long they take."""


def digest(value: Any) -> str:
    """Returns a text that tells values apart, whatever the process."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{digest(item)}" for key, item in value.items()) + "}"
    if isinstance(value, tuple | list):
        return "(" + ",".join(map(digest, value)) + ")"
    if isinstance(value, np.ndarray) and value.dtype != object:
        return f"{value.dtype}{value.shape}{hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()}"
    return repr(value.item() if isinstance(value, np.generic) else value)


@contextlib.contextmanager
def global_seeds(seed: int) -> Iterator[None]:
    """Seeds the random state that all of a process shares, and puts it back afterwards."""
    before = global_states()
    np.random.seed(seed)  # noqa: NPY002  # the very state that nobody should use
    random.seed(seed)
    try:
        yield
    finally:
        np.random.set_state(before[0])  # noqa: NPY002  # likewise
        random.setstate(before[1])


def global_states() -> tuple[Any, Any]:
    """Returns the random state that all of a process shares, of NumPy and of Python."""
    return np.random.get_state(legacy=False), random.getstate()  # noqa: NPY002  # the very state nobody should use


def life(env: Any, row: EnvironmentRow, seed: int, cycles: int = LIFE, seconds: float = math.inf) -> list[str]:
    """Returns the digests of the percepts of a life of random actions, its reset's first.

    Args:
        env: an environment, new or used.
        row: its row.
        seed: of the environment; actions are drawn from another stream.
        cycles: length.
        seconds: after which it ends, once it has the shortest length.
    """
    rng = np.random.default_rng([seed, 2])
    observation, info = env.reset(seed=seed)
    return [digest(observation), *go_on(env, row, rng, observation, info, cycles, seconds)[0]]


def go_on(
    env: Any,
    row: EnvironmentRow,
    rng: np.random.Generator,
    observation: Any,
    info: dict[str, Any],
    cycles: int,
    seconds: float = math.inf,
) -> tuple[list[str], Any, dict[str, Any]]:
    """Takes further random actions; returns the digests of their percepts, the last observation and info."""
    actions = ActionCodec(env.action_space)
    masks = Masks(row, env)
    percepts: list[str] = []
    started = time.perf_counter()
    for cycle in range(cycles):
        if cycle >= SHORTEST_LIFE and time.perf_counter() - started > seconds:
            break
        allowed, _ = masks.look(observation, info)
        action = actions.decode(int(allowed[rng.integers(len(allowed))]))
        observation, reward, terminated, truncated, info = env.step(action)
        percepts.append(digest((observation, float(reward), bool(terminated), bool(truncated))))
        if terminated or truncated:
            observation, info = env.reset()
            percepts[-1] += digest(observation)
    return percepts, observation, info


def through_a_file(state: Any) -> Any:
    """Returns a state as a file gives it back."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state"
        save_state(path, {"state": state})
        return load_state(path)["state"]


def lives_elsewhere(rows: Mapping[str, EnvironmentRow], seed: int = 1) -> dict[str, list[str] | str]:
    """Returns the lives of environments in a fresh interpreter.

    Args:
        rows: of the environments, by `id` or `module:id`.
        seed: of each life.

    Returns:
        The digests of the percepts of `life`, fewer where they take long, or in words what was raised.

    Raises:
        FreshInterpreterError: if the interpreter itself ended.
    """
    plain = {environment: msgspec.to_builtins(row) for environment, row in rows.items()}
    lives: dict[str, list[str] | str] = call_elsewhere(f"{__name__}:_lives", rows=plain, seed=seed)
    return lives


def _lives(rows: dict[str, dict[str, Any]], seed: int) -> dict[str, list[str] | str]:
    lives: dict[str, list[str] | str] = {}
    for environment, plain in rows.items():
        try:
            row = msgspec.convert(plain, EnvironmentRow)
            if row.entry_point and not row.package:
                register(row)
            else:
                row = find_row(environment)
            with global_seeds(0):
                lives[environment] = life(make(row), row, seed, seconds=LIFE_SECONDS)
        except (Exception, SystemExit) as error:  # whatever a stranger's environment does wrong
            lives[environment] = f"{type(error).__name__}: {error}"
    return lives
