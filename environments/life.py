"""Any environment as one stream of percepts, without episodes that a learner would have to begin anew."""

from typing import Any, Generic, NamedTuple, TypeVar

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv

from aixi.errors import InvalidValueError

Observation = TypeVar("Observation")
Action = TypeVar("Action")

NOT_ENDED, TERMINATED, TRUNCATED = range(3)


class Continuing(gymnasium.Wrapper[Observation, Action, Observation, Action], Generic[Observation, Action]):
    """An episodic environment as a continuing one.

    A cycle that ends an episode begins the next one, too: its observation is the first of the new episode, its
    reward the last of the old one, and `info["boundary"]` says how that ended: 0 not at all, 1 terminated, 2
    truncated. The new episode goes on with the generator of the old one; the last observation is in
    `info["final_observation"]`.

    Args:
        env: any environment.

    Example:
        >>> env = Continuing(gymnasium.make("FrozenLake-v1", is_slippery=False))
        >>> _ = env.reset(seed=0)
        >>> [int(env.step(action)[0]) for action in (2, 1, 2)]  # right, down into a hole, right from the start
        [1, 0, 1]
    """

    def step(self, action: Action) -> tuple[Observation, Any, bool, bool, dict[str, Any]]:
        observation, reward, terminated, truncated, info = self.env.step(action)
        boundary = TERMINATED if terminated else TRUNCATED if truncated else NOT_ENDED
        if boundary:
            last = observation
            observation, info = self.env.reset()
            info = info | {"final_observation": last}
        return observation, reward, False, False, info | {"boundary": boundary}


class Cycle(NamedTuple):
    """One cycle of one of several environments: the observation is the next episode's first where one ended."""

    observation: Any
    reward: float
    boundary: int


class Continued:
    """Several copies of an environment, each as one stream; whatever the vector environment does at an episode's end.

    Gymnasium has three ways. With `SAME_STEP` the next episode's first observation comes at once. With `DISABLED`
    ended copies are reset here. With `NEXT_STEP` it comes with the next step, which takes no action of that copy: the
    cycle that ended is then complete a step later. The streams are the same in all three.

    Args:
        envs: a vector environment.

    Attributes:
        pending: bool[copies], those whose last cycle is not complete yet, so that the next step takes no action of
            theirs.

    Raises:
        InvalidValueError: if it does not say what it does at an episode's end.

    Example:
        >>> streams = Continued(gymnasium.make_vec("FrozenLake-v1", 2, is_slippery=False))
        >>> streams.reset(seed=0).tolist()
        [0, 0]
        >>> for action in (2, 1, 0):
        ...     cycles = streams.step(np.array([action, 2]))
        >>> [None if cycle is None else (int(cycle.observation), cycle.boundary) for cycle in cycles]
        [(0, 1), (3, 0)]
    """

    def __init__(self, envs: VectorEnv[Any, Any, Any]) -> None:
        self.envs = envs
        mode = envs.metadata.get("autoreset_mode")
        if not isinstance(mode, AutoresetMode):
            raise InvalidValueError(
                f"metadata['autoreset_mode'] of {envs} must be an AutoresetMode, got {mode!r}; set it when it is made"
            )
        self._mode = mode
        self.pending = np.zeros(envs.num_envs, np.bool_)
        self._held: list[tuple[float, int]] = [(0.0, NOT_ENDED)] * envs.num_envs

    def reset(self, *, seed: int | list[int | None] | None = None) -> Any:
        """Begins all streams; returns the first observations, a batch."""
        self.pending[:] = False
        observations, _ = self.envs.reset(seed=seed)  # type: ignore[arg-type]  # a list is one, too
        return observations

    def step(self, actions: Any) -> list[Cycle | None]:
        """Takes an action in each copy, but in those pending.

        Returns:
            The cycle of each copy; None where it is not complete before the next step.
        """
        observations, rewards, terminations, truncations, _ = self.envs.step(actions)
        ends = np.where(terminations, TERMINATED, np.where(truncations, TRUNCATED, NOT_ENDED)).tolist()
        results = list(zip(np.array(rewards, np.float64).tolist(), ends, strict=True))
        ended = np.array(ends) != NOT_ENDED
        if ended.any() and self._mode is AutoresetMode.DISABLED:
            observations, _ = self.envs.reset(options={"reset_mask": ended})
        seen = gymnasium.vector.utils.iterate(self.envs.observation_space, observations)
        late = ended & (self._mode is AutoresetMode.NEXT_STEP)
        cycles: list[Cycle | None] = []
        for copy, (observation, result) in enumerate(zip(seen, results, strict=True)):
            whole = self._held[copy] if self.pending[copy] else result
            cycles.append(None if late[copy] else Cycle(observation, *whole))
            self._held[copy] = result
        self.pending = late
        return cycles
