"""Environments played without any help, so that what they do wrong can be told apart."""

import contextlib
import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from aixi.agents.percepts import ActionCodec
from aixi.environments import EnvironmentRow, make
from aixi.evaluation.checks.battery import plain
from aixi.evaluation.checks.lives import digest
from aixi.evaluation.checks.masks import Masks

_KEPT = 100  # percepts that are kept, to be looked at again when the play is over
_ERRORS = 4.0  # standard errors that a measured mean may be off
_BATCHES = 100
_CHANCES = 10  # of the greatest reward: so many must be expected before none of them says anything
_TRUTHS = (bool, np.bool_)

Policy = Callable[[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64], np.random.Generator], int]


@dataclass
class Play:
    """What was seen while an environment was played.

    Attributes:
        rewards: of each cycle.
        returns: of each whole episode.
        ends: how many episodes ended.
        kept: the first observations and rewards, as copies.
        wrong: the first thing that was wrong, by the name of the check that it concerns.
        seconds: time spent in the environment's steps.
        elapsed: time of the cycles played, resets and checks included.
        resets: how many other seeds were begun with as well.
    """

    rewards: list[float] = field(default_factory=list)
    returns: list[float] = field(default_factory=list)
    ends: int = 0
    kept: list[tuple[Any, float]] = field(default_factory=list)
    wrong: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    elapsed: float = 0.0
    resets: int = 0


def at_random(
    allowed: NDArray[np.int64], sums: NDArray[np.float64], counts: NDArray[np.int64], rng: np.random.Generator
) -> int:
    """A policy: any allowed action. See `play`."""
    return int(allowed[rng.integers(len(allowed))])


def greedily(
    allowed: NDArray[np.int64], sums: NDArray[np.float64], counts: NDArray[np.int64], rng: np.random.Generator
) -> int:
    """A policy: the allowed action of the greatest mean reward so far, untried ones first. See `play`."""
    tried = counts[allowed]
    means = np.where(tried > 0, sums[allowed] / np.maximum(tried, 1), np.inf)
    return int(allowed[np.argmax(means)])


def play(row: EnvironmentRow, policy: Policy, *, cycles: int, seconds: float, seed: int = 1, resets: int = 0) -> Play:
    """Plays an environment and notes what it does wrong; goes on where it can.

    Args:
        row: the environment.
        policy: from the allowed actions, int64[allowed], the sum of rewards and the count of each action,
            float64[actions] and int64[actions], and a generator, to the index of the next action.
        cycles: most cycles played.
        seconds: after which no further cycle is played, and as long again for resets.
        seed: of the environment; actions are drawn from another stream.
        resets: afterwards, how many of the next seeds are begun with, to look at the first observation.
    """
    found = Play()
    env, rng = make(row), np.random.default_rng([seed, 1])
    actions = ActionCodec(env.action_space)
    sums, counts = np.zeros(actions.count), np.zeros(actions.count, np.int64)
    kept: list[tuple[Any, Any]] = []
    copies: list[tuple[Any, Any]] = []
    masks = Masks(row, env)
    total = 0.0

    def note(check: str, what: str) -> None:
        where = f"reset of seed {seed}" if found.resets else f"cycle {len(found.rewards)}, seed {seed}"
        found.wrong.setdefault(check, f"{what} ({where})")

    def take_in(observation: Any, info: Any) -> NDArray[np.int64]:
        if not isinstance(info, dict):
            raise TypeError(f"info must be a dictionary, got {info!r}")
        wrong = misfit(env.observation_space, observation)
        if wrong:
            note("observations", wrong)
        if len(kept) < _KEPT:
            kept.append((observation, info))
            copies.append(copy.deepcopy((observation, info)))
        allowed, wrong = masks.look(observation, info)
        if wrong:
            note("masks", wrong)
        return allowed

    started = time.perf_counter()
    try:
        allowed = take_in(*env.reset(seed=seed))
        while len(found.rewards) < cycles and (not found.rewards or time.perf_counter() - started < seconds):
            index = policy(allowed, sums, counts, rng)
            before = time.perf_counter()
            observation, reward, terminated, truncated, info = env.step(actions.decode(index))
            found.seconds += time.perf_counter() - before
            if not (isinstance(terminated, _TRUTHS) and isinstance(truncated, _TRUTHS)):
                raise TypeError(f"terminated and truncated must be True or False, got {terminated!r}, {truncated!r}")
            wrong = illegal(row, reward)
            if wrong:
                note("rewards", wrong)
            reward = float(reward)
            found.rewards.append(reward)
            allowed = take_in(observation, info)
            if len(found.kept) < _KEPT:
                found.kept.append((copy.deepcopy(observation), reward))
            sums[index] += reward
            counts[index] += 1
            total += reward
            if terminated or truncated:
                if not row.episodic:
                    note("ends", "an episode ended")
                found.ends += 1
                found.returns.append(total)
                total = 0.0
                allowed = take_in(*env.reset())
        found.elapsed = time.perf_counter() - started
        while found.resets < resets and time.perf_counter() - started - found.elapsed < seconds:
            seed, found.resets = seed + 1, found.resets + 1
            take_in(*env.reset(seed=seed))
    except (Exception, SystemExit) as error:  # whatever a stranger's environment does wrong
        note("play", f"{type(error).__name__}: {error}")
    for (observation, info), (observation_then, info_then) in zip(kept, copies, strict=True):
        for what, now, then in (("an observation", observation, observation_then), ("an info", info, info_then)):
            if digest(now) != digest(then):
                note("buffers", f"{what} changed after it had been returned, from {then!r} to {now!r}")
    with contextlib.suppress(Exception):  # the play is over, and nothing that it showed hangs on this
        env.close()
    return found


def misfit(space: spaces.Space[Any], value: Any) -> str:
    """Returns in words how a value misses its space, dtype and shape included; nothing if it does not.

    Example:
        >>> misfit(spaces.Box(0.0, 1.0, (2,)), np.zeros(2))
        'dtype float64 where the space has float32'
        >>> misfit(spaces.Discrete(2), 1)
        ''
    """
    if isinstance(space, spaces.Dict) and isinstance(value, dict) and value.keys() == space.spaces.keys():
        parts = [(str(key), part, value[key]) for key, part in space.spaces.items()]
    elif isinstance(space, spaces.Tuple) and isinstance(value, tuple) and len(value) == len(space.spaces):
        parts = [(str(key), part, value[key]) for key, part in enumerate(space.spaces)]
    else:
        if isinstance(space, spaces.Box | spaces.MultiBinary | spaces.MultiDiscrete):
            if not isinstance(value, np.ndarray):
                return f"{plain(value)}, a {type(value).__name__} where the space holds arrays"
            if value.shape != space.shape:
                return f"shape {value.shape} where the space has {space.shape}"
            if value.dtype != space.dtype:
                return f"dtype {value.dtype} where the space has {space.dtype}"
        return "" if space.contains(value) else f"{plain(value)}, which is not in {space}"
    wrong = [f"in part {key}: {found}" for key, part, item in parts if (found := misfit(part, item))]
    return "; ".join(wrong)


def illegal(row: EnvironmentRow, reward: Any) -> str:
    """Returns in words how a reward breaks what its row declares; nothing if it does not."""
    try:
        value = float(reward)
    except (TypeError, ValueError):
        return f"reward {reward!r}, which is no number"
    if not math.isfinite(value):
        return f"reward {plain(reward)}, which is not finite"
    if row.rewards is not None and value not in row.rewards:
        return f"reward {value:g}, which is not among the {len(row.rewards)} declared"
    if row.reward_range is not None and not row.low <= value <= row.high:
        return f"reward {value:g}, outside {row.low:g} to {row.high:g}"
    return ""


def measured(row: EnvironmentRow, found: Play) -> tuple[float, float]:
    """Returns the mean of what a row measures, and how far it may be from the true one; infinitely, if unknown."""
    samples = np.array(found.rewards if row.measure == "reward" else found.returns)
    count = min(_BATCHES, len(samples) // 2)
    if count < 5:
        return float(samples.mean()) if len(samples) else math.nan, math.inf
    # Means of batches are nearly independent, whatever one cycle has to do with the next.
    batches = samples[: len(samples) // count * count].reshape(count, -1).mean(1)
    low, high = row.measured_range or (float(samples.min()), float(samples.max()))
    error = _ERRORS * float(batches.std(ddof=1)) / math.sqrt(count) + _CHANCES * (high - low) / len(samples)
    return float(samples.mean()), error
