"""Algorithms of Stable-Baselines3 (Raffin et al. 2021) as agents, from the extra `aixi[sb3]`.

Their `learn` owns the loop, and a life does too. So `learn` runs in a thread of its own on an environment that hands
each action out and waits for its percept: it sees what it would see in the real one, and learns the same weights bit
for bit. One of the two threads always waits for the other. The global random generators that the algorithms draw from
are theirs alone while they run, and put back after.
"""

import contextlib
import random
import threading
import weakref
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import Any, ClassVar, NoReturn

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.random import mtrand

from aixi.agents.base import ActionMask, Agent, Hints, RewardRange
from aixi.agents.codes import make_code, parts_of
from aixi.agents.percepts import ActionCodec
from aixi.agents.space_codes import Space
from aixi.errors import InvalidValueError, StateFileError, UnsupportedSpaceError, require
from aixi.registry import load_object
from aixi.state import State

UNKNOWN_LIFE = 100_000
"""Cycles that schedules are tied to in a life of unknown length; it is gone on with after them."""
_BEGIN, _ACT, _FAULT = "begin", "act", "fault"  # what the thread asks for, or ends with
_LEAST_IMAGE = 36  # pixels a side that the convolutions of Mnih et al. (2015) need


class _EndedError(BaseException):
    """Ends the thread; nothing in between takes it for an error of its own."""


class _Proxy(gymnasium.Env[Any, Any]):
    """An environment that the life plays: it hands out actions and takes in percepts."""

    def __init__(self, observation_space: Space, action_space: Space) -> None:
        self.observation_space, self.action_space = observation_space, action_space
        self.requests: SimpleQueue[tuple[str, Any]] = SimpleQueue()
        self.percepts: SimpleQueue[Any] = SimpleQueue()

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        return self._ask(_BEGIN, None)

    def step(self, action: Any) -> Any:
        return self._ask(_ACT, action)

    def _ask(self, kind: str, what: Any) -> Any:
        self.requests.put((kind, what))
        percept = self.percepts.get()
        if percept is None:
            raise _EndedError
        return percept


class SB3Agent(Agent):
    """A life as the training of an algorithm of Stable-Baselines3.

    Observations and actions are given as they are where the algorithm takes them. Other observations are flattened,
    and those that cannot be are written as their numbers; other actions are joint actions by index. Images have the
    convolutional policy. The algorithms know no masks: where one forbids the action, a random allowed one is played in
    its stead, and the algorithm takes it for its own.

    Such a life cannot be saved: Stable-Baselines3 does not go on exactly from what it saves.

    Args:
        learning_rate: None for the algorithm's own.
        gamma: discount; None for the algorithm's own.
        settings: further keyword arguments of the algorithm.

    Attributes:
        model: the algorithm, from `reset` on.
        replaced: actions that a mask forbade.
    """

    algorithm: ClassVar[str]
    policies: ClassVar[tuple[str, str]] = ("MlpPolicy", "CnnPolicy")
    takes: ClassVar[tuple[type[Space], ...]] = (spaces.Box, spaces.MultiDiscrete, spaces.MultiBinary)

    def __init__(
        self,
        *,
        learning_rate: float | None = None,
        gamma: float | None = None,
        settings: dict[str, Any] | None = None,
    ) -> None:
        self.settings = dict(settings or {})
        self._set(learning_rate=learning_rate, gamma=gamma)
        self.model: Any = None
        self._end: Any = None

    def _set(self, **given: Any) -> None:
        self.settings |= {key: value for key, value in given.items() if value is not None}

    def reset(
        self,
        observation_space: gymnasium.Space[Any],
        action_space: gymnasium.Space[Any],
        reward_range: RewardRange,
        seed: np.random.SeedSequence,
        *,
        cycles: int | None = None,
        episodic: bool = False,
        hints: Hints | None = None,
    ) -> None:
        self.close()
        package = self.algorithm.partition(":")[0]
        try:
            algorithm = load_object(self.algorithm)
        except ImportError as error:
            raise InvalidValueError(
                f"{type(self).__name__} needs the package {package}, which cannot be imported ({error}); "
                "install aixi[sb3]"
            ) from error
        model_seed, mask_seed = seed.spawn(2)
        self._rng = np.random.default_rng(mask_seed)
        self._space, self._codec = action_space, None if self._native(action_space) else ActionCodec(action_space)
        self._observe_as(observation_space, hints)
        taken = action_space if self._codec is None else spaces.Discrete(self._codec.count)
        self._proxy = _Proxy(self._seen, taken)
        self._cycles = cycles or UNKNOWN_LIFE
        self._randomness = _Randomness()
        state = random.getstate()  # it is seeded here, and then never drawn from
        try:
            with self._randomness.theirs():
                self.model = algorithm(
                    self.policies[_is_image(self._seen)],
                    self._proxy,
                    **{"seed": int(model_seed.generate_state(1)[0]), "device": "cpu"} | self.settings,
                )
        finally:
            random.setstate(state)
        self._asked = ""
        self._action: Any = None
        self._played: Any = None
        self.replaced = 0

    def _native(self, space: Space) -> bool:
        return isinstance(space, self.takes) and (isinstance(space, spaces.Box) or _counts_from_0(space))

    def _observe_as(self, space: Space, hints: Hints | None) -> None:
        """Chooses the space that the algorithm observes, and how it is come to."""
        self._see: Callable[[Any], Any]
        if space.is_np_flattenable and not spaces.flatdim(space):
            raise UnsupportedSpaceError(
                f"{type(self).__name__} must have something to observe, got {space}, which holds no number; give it a "
                "part, such as Discrete(1)"
            )
        if isinstance(space, spaces.Box) or _counts_from_0(space):
            self._seen, self._see, self._words = space, lambda observation: observation, "as it is"
            return
        # Gymnasium flattens nothing that has a part without numbers.
        if space.is_np_flattenable and all(spaces.flatdim(part) for _, part in parts_of(space)):
            self._seen, self._words = spaces.flatten_space(space), "flattened"
            self._see = lambda observation: spaces.flatten(space, observation)
            return
        code = make_code(space, hints.codes if hints else None)
        self._seen, self._words = spaces.MultiDiscrete(list(code.sizes)), code.words

        def numbers(observation: Any) -> Any:
            code.learn(observation)
            return np.fromiter(code.encode(observation), np.int64, len(code.sizes))

        self._see = numbers

    def begin(self, observation: Any, info: dict[str, Any]) -> None:
        if self._end is None:
            work = (self.model, self._proxy, self._cycles)
            thread = threading.Thread(target=_learn, args=work, name=type(self).__name__, daemon=True)
            # The thread holds the algorithm but not the agent, so that it ends when nobody holds the agent.
            self._end = weakref.finalize(self, _end, self._proxy, thread)
            with self._randomness.theirs():
                thread.start()
                self._take(self._proxy.requests.get())
        self._give(_BEGIN, (self._see(observation), {}))

    def act(self, mask: ActionMask | None = None) -> Any:
        action = self._action if self._codec is None else self._codec.decode(int(self._action))
        if mask is not None:
            codec = self._codec or ActionCodec(self._space)
            if not mask[codec.encode(action)]:
                allowed = np.flatnonzero(mask)
                action = codec.decode(int(allowed[self._rng.integers(allowed.size)]))
                self.replaced += 1
        self._played = action
        return action

    def observe(self, action: Any, observation: Any, reward: float, terminated: bool, truncated: bool) -> None:
        require(
            bool(np.all(action == self._played)),
            f"{type(self).__name__} learns from its own actions alone, acted {self._played!r}, got {action!r}",
        )
        self._give(_ACT, (self._see(observation), float(reward), bool(terminated), bool(truncated), {}))

    def _give(self, kind: str, percept: Any) -> None:
        """Hands a percept over and waits for what is asked next."""
        require(self._asked == kind, f"{type(self).__name__} waits for {self._asked or 'reset'}, got {kind}")
        self._asked = ""  # should Ctrl-C come while it waits, then nothing fits any more
        with self._randomness.theirs():
            self._proxy.percepts.put(percept)
            self._take(self._proxy.requests.get())

    def _take(self, request: tuple[str, Any]) -> None:
        self._asked, what = request
        if self._asked == _FAULT:
            self.close()
            raise what
        self._action = what

    def close(self) -> None:
        """Ends the thread, once it has done what it is at; a life that is over needs no more."""
        if self._end is not None:
            self._end()
            self._end = None

    def coding(self) -> dict[str, str]:
        return {"observation": self._words, "action": "as it is" if self._codec is None else self._codec.words}

    def state_dict(self) -> State:
        self._refuse()

    def load_state_dict(self, state: State) -> None:
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise StateFileError(
            f"a life of {type(self).__name__} cannot be saved or resumed, for Stable-Baselines3 does not go on exactly "
            "from what it saves; live it in one go, or keep the policy alone by agent.model.save(path)"
        )


class SB3PPO(SB3Agent):
    """Proximal policy optimisation (Schulman et al. 2017). It first learns after `n_steps` cycles, 2,048 of its own.

    Args:
        n_steps: cycles between two times of learning; None for the algorithm's own.
        learning_rate: None for the algorithm's own.
        gamma: discount; None for the algorithm's own.
        settings: further keyword arguments of the algorithm.
    """

    algorithm = "stable_baselines3:PPO"

    def __init__(
        self,
        *,
        n_steps: int | None = None,
        learning_rate: float | None = None,
        gamma: float | None = None,
        settings: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(learning_rate=learning_rate, gamma=gamma, settings=settings)
        self._set(n_steps=n_steps)


class SB3A2C(SB3PPO):
    """Advantage actor-critic (Mnih et al. 2016), learning every `n_steps` cycles, 5 of its own."""

    algorithm = "stable_baselines3:A2C"


class SB3RecurrentPPO(SB3PPO):
    """Proximal policy optimisation with an LSTM, learning every `n_steps` cycles, 128 of its own."""

    algorithm = "sb3_contrib:RecurrentPPO"
    policies = ("MlpLstmPolicy", "CnnLstmPolicy")


class SB3DQN(SB3Agent):
    """Deep Q-network (Mnih et al. 2015); its exploration falls over the first tenth of the life."""

    algorithm = "stable_baselines3:DQN"
    takes = ()


class _Randomness:
    """The global random generators of NumPy and torch, as an algorithm draws from them."""

    def __init__(self) -> None:
        self._numpy = np.random.MT19937()
        self._torch: Any = None

    @contextlib.contextmanager
    def theirs(self) -> Iterator[None]:
        """Puts the algorithm's generators in place, and those of everybody else back."""
        import torch

        # NumPy's generator is exchanged and not its state, which takes a quarter of a cycle to copy.
        others = mtrand.get_bit_generator(), torch.get_rng_state()
        mtrand.set_bit_generator(self._numpy)
        if self._torch is not None:
            torch.set_rng_state(self._torch)
        try:
            yield
        finally:
            self._torch = torch.get_rng_state()
            mtrand.set_bit_generator(others[0])
            torch.set_rng_state(others[1])


def _learn(model: Any, proxy: _Proxy, cycles: int) -> None:
    """Learns until it is ended: what the thread does."""
    import torch

    torch.set_num_threads(1)  # these networks are small: more threads only wait for each other
    fresh = True
    try:
        while True:
            model.learn(cycles, reset_num_timesteps=fresh)
            fresh = False
    except _EndedError:
        pass
    except BaseException as error:  # whatever it is, the life must hear of it
        proxy.requests.put((_FAULT, error))


def _end(proxy: _Proxy, thread: threading.Thread) -> None:
    proxy.percepts.put(None)
    # The collector may run this in any thread, this one too.
    if thread is not threading.current_thread() and thread.is_alive():
        thread.join()


def _counts_from_0(space: Space) -> bool:
    """Returns whether a space is of a number, or a row of numbers, from 0 on."""
    finite = isinstance(space, spaces.Discrete | spaces.MultiDiscrete | spaces.MultiBinary)
    return finite and len(space.shape or ()) <= 1 and not np.any(getattr(space, "start", 0))


def _is_image(space: Space) -> bool:
    """Returns whether a space is of images that convolutions can be made for."""
    if not isinstance(space, spaces.Box) or len(space.shape) != 3:
        return False
    image: bool = load_object("stable_baselines3.common.preprocessing:is_image_space")(space)
    return image and sorted(space.shape)[1] >= _LEAST_IMAGE
