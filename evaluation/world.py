"""An environment as the runner sees it: percepts checked and hashed, actions relabelled and recorded."""

import contextlib
import importlib
import math
import struct
import zlib
from array import array
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from aixi.agents.percepts import ActionCodec, misfit
from aixi.environments import ENVIRONMENTS, make
from aixi.environments.registry import EnvironmentRow
from aixi.errors import EnvironmentFaultError, InvalidValueError, StateFileError
from aixi.evaluation.members import encoder, membership

STREAMS = ("environment", "agent", "relabel")
_STATELESS_WRAPPERS = (gymnasium.wrappers.OrderEnforcing, gymnasium.wrappers.PassiveEnvChecker)
_TRUTHS = (bool, np.bool_)
_pack_reward = struct.Struct("<d?").pack


def stream(seed: int, name: str) -> np.random.SeedSequence:
    """Returns one of the named random streams of a life.

    Stream number i of `STREAMS` is `SeedSequence(seed, spawn_key=(i,))`, so that a new stream, which comes at
    the end, moves none of the others.
    """
    return np.random.SeedSequence(seed, spawn_key=(STREAMS.index(name),))


def import_modules(modules: Iterable[str]) -> None:
    """Imports third-party modules, for the registrations that they make.

    Raises:
        InvalidValueError: if one cannot be imported.
    """
    for module in modules:
        try:
            importlib.import_module(module)
        except (Exception, SystemExit) as error:  # whatever a stranger's module does wrong
            raise InvalidValueError(
                f"cannot import {module!r} ({type(error).__name__}: {error}); "
                "give the name of an installed module, or of a file here"
            ) from error


def find_row(environment: str) -> EnvironmentRow:
    """Returns the row of an environment given as `id`, or as `module:id`, where the module makes the
    registration; one that only Gymnasium knows has a row that declares nothing.

    Raises:
        UnknownNameError: if neither the suite nor Gymnasium knows the id.
    """
    module, colon, name = environment.rpartition(":")
    if colon:
        import_modules([module])
    if name not in ENVIRONMENTS and name in gymnasium.registry:
        spec = gymnasium.registry[name]
        entry_point = spec.entry_point if isinstance(spec.entry_point, str) else ""
        summary = "known to Gymnasium alone"
        return EnvironmentRow(name, summary, entry_point, kwargs=dict(spec.kwargs), episodic=True)
    return ENVIRONMENTS[name]


def relabelling(seed: int, actions: int) -> list[int]:
    """Returns the environment's index of each of the agent's actions: a permutation drawn from the seed."""
    permutation: list[int] = np.random.default_rng(stream(seed, "relabel")).permutation(actions).tolist()
    return permutation


class World:
    """One environment in one life.

    Every percept is checked against what the row and the spaces declare, and enters `hash`, a CRC-32 of all
    observations, rewards and episode ends so far, in order.

    Args:
        environment: `id` or `module:id`.
        seed: seed of the life.
        relabel: whether the agent's actions are a permutation of the environment's, where they are discrete.
        record: whether actions are recorded, which resuming by replay needs.

    Attributes:
        row: the environment's row.
        name: its id.
        observation_space: as the environment declares it.
        action_space: likewise.
        hash: running hash of the percepts, in [0, 2**32).
        cycle: cycles lived.
        fault: the environment's last fault; the same error raised by somebody else is theirs.
        actions: the agent's action indices so far, in the smallest type that holds them; None if not
            recorded.
    """

    def __init__(self, environment: str, seed: int, *, relabel: bool, record: bool) -> None:
        self.row = find_row(environment)
        self.name = self.row.name
        self.seed = seed
        self.cycle = 0
        try:
            self._env = make(self.row)
        except (Exception, SystemExit) as error:
            raise self._fault(f"raised {type(error).__name__} when it was made: {error}") from error
        self._stateful: Any = self._env.unwrapped  # get_state and set_state are not in Gymnasium's API
        self.observation_space: spaces.Space[Any] = self._env.observation_space
        self.action_space: spaces.Space[Any] = self._env.action_space
        self.hash = 0
        self.fault: EnvironmentFaultError | None = None
        self._begun = False
        self._legal = _legality(self.row)
        self._contains = membership(self.observation_space)
        self._encode = encoder(self.observation_space)
        self._step = self._env.step
        self._masks: Callable[[], Any] | None = None
        if self._env.has_wrapper_attr("action_masks"):
            self._masks = self._env.get_wrapper_attr("action_masks")
        self._labels: list[int] | None = None
        self.actions: array[int] | None = None
        self._taken: list[NDArray[Any]] | None = None  # actions that are not discrete, flat
        if isinstance(self.action_space, spaces.Discrete):
            count, start = int(self.action_space.n), int(self.action_space.start)
            self._start = start
            order = relabelling(seed, count) if relabel else range(count)
            self._labels = [start + index for index in order]
            if record:
                self.actions = array("B" if count <= 1 << 8 else "H" if count <= 1 << 16 else "I")
        elif record and self.action_space.is_np_flattenable:
            self._taken = []
        elif record and not self._has_state():
            raise InvalidValueError(
                f"a life in {self.name} cannot be saved: its actions have no fixed length, and it lacks get_state and "
                "set_state"
            )

    def begin(self) -> tuple[Any, dict[str, Any], Any]:
        """Starts an episode: the life's first is seeded, later ones go on with the same generator.

        Returns:
            The observation, the info, and its action mask in the agent's labels, None where there is none.
        """
        seed = None if self._begun else int(stream(self.seed, "environment").generate_state(1)[0])
        try:
            observation, info = self._env.reset(seed=seed)
        except (Exception, SystemExit) as error:
            raise self._fault(f"raised {type(error).__name__} in reset: {error}") from error
        if not self._contains(observation):
            raise self._fault(self._outside(observation))
        mask = self._mask(info)
        self._begun = True
        self.hash = zlib.crc32(self._encode(observation), self.hash)
        return observation, info, mask

    def step(self, action: Any) -> tuple[Any, float, bool, bool, Any]:
        """Takes the agent's action.

        Returns:
            The percept, checked: observation, reward, whether it ended the episode by its rules or by its time
            limit; and the next action mask in the agent's labels, None where there is none.
        """
        if self._labels is not None:
            index = action - self._start
            if not 0 <= index < len(self._labels):
                raise InvalidValueError(f"the agent acted {action!r} in {self.name}, outside {self.action_space}")
            action = self._labels[index]
        elif not self.action_space.contains(action):
            raise InvalidValueError(f"the agent acted {action!r} in {self.name}, outside {self.action_space}")
        try:
            observation, reward, terminated, truncated, info = self._step(action)
        except (Exception, SystemExit) as error:
            raise self._fault(f"raised {type(error).__name__}: {error}") from error
        try:
            legal = self._legal(reward)
        except (TypeError, ValueError):  # an array, or nothing like a number
            legal = False
        if not legal:
            raise self._fault(f"gave reward {reward!r}; {_declared(self.row)}")
        for flag in (terminated, truncated):
            if not isinstance(flag, _TRUTHS):
                raise self._fault(f"returned {flag!r} for terminated or truncated, neither True nor False")
        if not self._contains(observation):
            raise self._fault(self._outside(observation))
        ended = bool(terminated or truncated)
        if ended and not self.row.episodic:
            raise self._fault("ended an episode, and its row declares none (episodic=False)")
        mask = None if ended else self._mask(info)  # after the end nothing need be allowed
        reward = float(reward)
        self.hash = zlib.crc32(self._encode(observation) + _pack_reward(reward, terminated or truncated), self.hash)
        self.cycle += 1
        if self.actions is not None:
            self.actions.append(index)
        elif self._taken is not None:
            self._taken.append(np.array(spaces.flatten(self.action_space, action)))
        return observation, reward, bool(terminated), bool(truncated), mask

    @cached_property
    def _codec(self) -> ActionCodec:
        """The joint actions, which only masks ask for: not every space of actions has them."""
        return ActionCodec(self.action_space)

    @cached_property
    def labels(self) -> tuple[int, ...] | None:
        """The index of the environment's action that each of the agent's is; None where they are the same."""
        return None if self._labels is None else tuple(label - self._start for label in self._labels)

    def state(self, *, faulted: bool) -> dict[str, Any]:
        """Returns what `restore` needs; after a fault the environment's own state is not to be trusted."""
        try:
            own = None if faulted or not self._has_state() else self._stateful.get_state()
        except Exception as error:
            raise StateFileError(f"{self.name} raised {type(error).__name__} in get_state: {error}") from error
        actions = None if self.actions is None else np.array(self.actions)
        if self._taken is not None:
            width = spaces.flatdim(self.action_space)
            actions = np.array(self._taken).reshape(len(self._taken), width)
        if own is None and actions is None:
            raise StateFileError(f"{self.name} failed within a cycle and its actions cannot be replayed")
        return {"own": own, "actions": actions, "hash": self.hash, "cycle": self.cycle}

    def restore(self, state: dict[str, Any], *, between_episodes: bool) -> None:
        """Brings a fresh world to a saved state: by the environment's `set_state`, else by replaying its
        actions.

        Raises:
            StateFileError: if the replay gave other percepts than those of the life that was saved.
        """
        if state["own"] is not None:
            self.begin()
            self._stateful.set_state(state["own"])
            if self.actions is not None and state["actions"] is not None:
                self.actions.extend(state["actions"].tolist())
            elif self._taken is not None and state["actions"] is not None:
                self._taken.extend(state["actions"])
            self.hash, self.cycle = state["hash"], state["cycle"]
            return
        if self._labels is not None:
            actions = [self._start + index for index in state["actions"].tolist()]
        else:
            actions = [spaces.unflatten(self.action_space, row) for row in state["actions"]]
        if not (between_episodes and not actions):
            self.begin()
        for done, action in enumerate(actions, 1):
            _, _, terminated, truncated, _ = self.step(action)
            if (terminated or truncated) and not (between_episodes and done == len(actions)):
                self.begin()
        if self.hash != state["hash"]:
            raise StateFileError(
                f"replaying the {len(actions)} recorded actions in {self.name} gave other percepts than were "
                f"saved; the environment has changed or is not deterministic, so this life cannot be resumed"
            )

    def close(self) -> None:
        """Frees what the environment holds."""
        with contextlib.suppress(Exception):  # the life is over, and nothing that it showed hangs on this
            self._env.close()

    def _mask(self, info: Any) -> Any:
        """Returns the joint action mask of `info["action_mask"]`, or of the environment's `action_masks()`, in the
        agent's labels; None where there is none.
        """
        if not isinstance(info, dict):
            raise self._fault(f"returned info {info!r}, not a dictionary")
        given = info.get("action_mask")
        if given is None:
            if self._masks is None:
                return None
            given = self._masks()
        why = ""
        try:
            mask = joint_mask(self._codec, given)
        except ValueError as error:
            mask, why = np.zeros(1, np.bool_), f" ({error})"
        if not mask.any():
            count = self._codec.count
            raise self._fault(
                f"gave action_mask {given!r}; it must hold a truth value for each of {count} actions, at least one "
                f"of them True{why}"
            )
        return mask if self.labels is None else mask[list(self.labels)]

    def _outside(self, observation: Any) -> str:
        space = self.observation_space
        return (
            f"returned observation {observation!r}, outside {space}{misfit(space, observation)}; correct the "
            "environment or its observation_space"
        )

    def _has_state(self) -> bool:
        env: Any = self._env
        while isinstance(env, _STATELESS_WRAPPERS):
            env = env.env
        return not isinstance(env, gymnasium.Wrapper) and hasattr(env, "get_state") and hasattr(env, "set_state")

    def _fault(self, what: str) -> EnvironmentFaultError:
        self.fault = EnvironmentFaultError(f"environment {self.name} {what} (cycle {self.cycle + 1}, seed {self.seed})")
        return self.fault


def joint_mask(codec: ActionCodec, given: Any) -> NDArray[np.bool_]:
    """Returns a mask as bool[joint actions], in the order of the codec.

    Args:
        codec: the joint actions of a space, Discrete or of several components.
        given: for one component its mask; for several a tuple of the mask of each, as Gymnasium's spaces take them, or
            these one after the other, as Stable-Baselines3 takes them, or bool[joint actions] where that cannot be
            mistaken for it.

    Raises:
        ValueError: if it is none of these, or could be two.

    Example:
        >>> joint_mask(ActionCodec(spaces.MultiDiscrete([2, 3])), [1, 0, 1, 0, 1]).tolist()
        [True, False, False, False, True, False]
    """
    each = isinstance(given, tuple)
    if each:
        given = np.concatenate([np.ravel(part) for part in given])
    mask = np.asarray(given, np.bool_).ravel()
    if len(codec.sizes) > 1 and mask.size == sum(codec.sizes):
        if mask.size == codec.count and not each:
            raise ValueError(
                f"{mask.size} truth values are the joint actions of {codec.space} as well as its components; give a "
                "tuple of the mask of each component"
            )
        parts = np.split(mask, np.cumsum(codec.sizes)[:-1])
        mask = np.ones(1, np.bool_)
        for part in parts:
            mask = np.outer(part, mask).ravel()
    if mask.size != codec.count:
        raise ValueError(f"{mask.size} truth values for {codec.count} actions")
    return mask


def _legality(row: EnvironmentRow) -> Callable[[Any], bool]:
    """Returns a function from rewards to whether the row allows them."""
    if row.rewards is not None:
        return frozenset(row.rewards).__contains__
    low, high = row.reward_range or (-math.inf, math.inf)
    return lambda reward: bool(low <= reward <= high) and math.isfinite(reward)


def _declared(row: EnvironmentRow) -> str:
    if row.reward_range is None:
        return "a reward is a finite number"
    if row.rewards is None:
        return f"its row declares {row.low:g} to {row.high:g}"
    if len(row.rewards) <= 12:
        return f"its row declares {', '.join(f'{reward:g}' for reward in row.rewards)}"
    return f"its row declares {len(row.rewards)} rewards from {row.low:g} to {row.high:g}"
