"""Environments of which each breaks one thing that the battery looks at, and nothing else."""

import time
from typing import Any

import gymnasium
import msgspec
import numpy as np
from gymnasium import spaces

from aixi.environments import Anchor, EnvironmentRow


class Sound(gymnasium.Env[Any, Any]):
    """Guess one of two faces of a coin, and see the one that fell."""

    def __init__(self) -> None:
        self.observation_space: spaces.Space[Any] = spaces.Discrete(2)
        self.action_space: spaces.Space[Any] = spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        return self.seen(0), {}

    def step(self, action: Any) -> Any:
        face = self.fall()
        return self.seen(face), float(action == face), False, False, {}

    def fall(self) -> int:
        return int(self.np_random.integers(2))

    def seen(self, face: int) -> Any:
        return face


class Unmade(Sound):
    def __init__(self) -> None:
        raise OSError("no coin")


class TooManyActions(Sound):
    def __init__(self) -> None:
        super().__init__()
        self.action_space = spaces.MultiDiscrete([100, 100, 100])

    def step(self, action: Any) -> Any:
        return super().step(action[0])


class Raises(Sound):
    """Fails in cycle 400, later than any comparison of lives."""

    lived = 0

    def step(self, action: Any) -> Any:
        self.lived += 1
        if self.lived == 400:
            raise RuntimeError("the coin is lost")
        return super().step(action)


class FourValues(Sound):
    def step(self, action: Any) -> Any:
        return super().step(action)[:4]


class Arrays(Sound):
    """The face as an array, float32[1]."""

    def __init__(self) -> None:
        super().__init__()
        self.observation_space = spaces.Box(0.0, 1.0, (1,))

    def seen(self, face: int) -> Any:
        return np.array([face], np.float32)


class WrongDtype(Arrays):
    def seen(self, face: int) -> Any:
        return np.array([face], np.float16)


class WrongShape(Arrays):
    def seen(self, face: int) -> Any:
        return np.array(face, np.float32)


class Outside(Sound):
    def seen(self, face: int) -> Any:
        return 2 * face


class Unbounded(Sound):
    def __init__(self) -> None:
        super().__init__()
        self.observation_space = spaces.Box(-np.inf, np.inf, (1,))

    def seen(self, face: int) -> Any:
        return np.array([face], np.float32)


class Networks(Sound):
    """The face as a graph of one node."""

    def __init__(self) -> None:
        super().__init__()
        self.observation_space = spaces.Graph(spaces.Discrete(2), None)

    def seen(self, face: int) -> Any:
        return spaces.GraphInstance(np.array([face]), None, None)


class Bonus(Sound):
    """Pays for the same action a thousand times in a row, which random play never does."""

    last, run = -1, 0

    def step(self, action: Any) -> Any:
        self.run = self.run + 1 if action == self.last else 1
        self.last = action
        observation, reward, *rest = super().step(action)
        return observation, reward + 5.0 * (self.run >= 1000), *rest


class NaNReward(Sound):
    def step(self, action: Any) -> Any:
        observation, _, *rest = super().step(action)
        return observation, float("nan"), *rest


class Ends(Sound):
    """Ends in cycle 400."""

    lived = 0

    def step(self, action: Any) -> Any:
        self.lived += 1
        observation, reward, *_ = super().step(action)
        return observation, reward, self.lived % 400 == 0, False, {}

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        self.lived = 0
        return super().reset(seed=seed)


class LongMask(Sound):
    def step(self, action: Any) -> Any:
        return *super().step(action)[:4], {"action_mask": np.ones(3, np.int8)}


class OtherMask(Sound):
    """Allows action 0 where the row's function allows both."""

    def step(self, action: Any) -> Any:
        return *super().step(0)[:4], {"action_mask": np.array([1, 0], np.int8)}


def both(face: Any) -> Any:
    return np.ones(2, np.bool_)


def raising(face: Any) -> Any:
    raise LookupError("no such face")


class LostMask(Sound):
    """Its row's function is nowhere."""


class RaisingMask(Sound):
    """Its row's function raises."""


class RareStart(Sound):
    """Shows a third face first under some seeds, of which few lives have one."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        return 2 * (seed is not None and seed % 11 == 7), {}


class Reuses(Sound):
    def __init__(self) -> None:
        super().__init__()
        self.observation_space = spaces.MultiBinary(1)
        self.buffer = np.zeros(1, np.int8)

    def seen(self, face: int) -> Any:
        self.buffer[0] = face
        return self.buffer


class OwnEntropy(Sound):
    def fall(self) -> int:
        return int(np.random.default_rng().integers(2))


class ForgetsSeed(Sound):
    """Seeds nothing: the same faces whatever the seed, and others after every reset."""

    def __init__(self) -> None:
        super().__init__()
        self.own = np.random.default_rng(7)

    def fall(self) -> int:
        return int(self.own.integers(2))


class Hashes(Sound):
    """The first face follows the hash of a text."""

    def __init__(self) -> None:
        super().__init__()
        self.observation_space = spaces.Discrete(1 << 40)

    def seen(self, face: int) -> Any:
        return hash("coin") % (1 << 39) + face


class GlobalRandomness(Sound):
    def fall(self) -> int:
        return int(np.random.randint(2))  # noqa: NPY002  # the mistake that is to be found


class Seeds(Sound):
    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        np.random.seed(7)  # noqa: NPY002  # the mistake that is to be found
        return super().reset(seed=seed)


class HalfState(Sound):
    """Its state lacks the generator."""

    def get_state(self) -> dict[str, Any]:
        return {}

    def set_state(self, state: dict[str, Any]) -> None:
        pass


class LiveState(Sound):
    """Its state goes on changing."""

    faces = 0

    def step(self, action: Any) -> Any:
        self.memory += 1
        return super().step(action)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        self.memory = np.zeros(1, np.int64)
        return super().reset(seed=seed)

    def get_state(self) -> dict[str, Any]:
        return {"memory": self.memory, "rng": self.np_random.bit_generator.state}

    def set_state(self, state: dict[str, Any]) -> None:
        self.memory = state["memory"].copy()
        self.np_random.bit_generator.state = state["rng"]


class Foreign(Sound):
    """Leaves its own package for another that is not free."""

    def seen(self, face: int) -> Any:
        return msgspec.json.decode(str(face))


class NoOptions(Sound):
    def reset(self, *, seed: int | None = None) -> Any:  # type: ignore[override]  # the mistake that is to be found
        return super().reset(seed=seed)


class Slow(Sound):
    """Slow in the first cycles of a life, so that lives which are compared do not take for ever."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        self.lived = 0
        return super().reset(seed=seed)

    def step(self, action: Any) -> Any:
        self.lived += 1
        if self.lived <= 30:
            time.sleep(0.012)
        return super().step(action)


CAUGHT = {
    Sound: "",
    Arrays: "",
    Unmade: "made",
    TooManyActions: "actions",
    Raises: "play",
    FourValues: "play",
    WrongDtype: "observations",
    WrongShape: "observations",
    Outside: "observations",
    RareStart: "observations",
    Unbounded: "coding",
    Networks: "coding",
    Bonus: "rewards",
    NaNReward: "rewards",
    Ends: "ends",
    LongMask: "masks",
    OtherMask: "masks",
    LostMask: "masks",
    RaisingMask: "masks",
    Reuses: "buffers",
    OwnEntropy: "determinism",
    ForgetsSeed: "seeding",
    Hashes: "processes",
    GlobalRandomness: "global randomness",
    Seeds: "global randomness",
    HalfState: "state",
    LiveState: "state",
    Foreign: "description",
    NoOptions: "gymnasium",
    Slow: "speed",
}
"""Each environment, and the one check that catches it."""


_MASKS = {OtherMask: "both", LostMask: "lost", RaisingMask: "raising"}


def row_of(kind: type[Sound], **changes: Any) -> EnvironmentRow:
    """The row of one of them, and what is different in it."""
    facts = {
        "name": f"broken/{kind.__name__}-v0",
        "summary": "for tests",
        "entry_point": f"{__name__}:{kind.__name__}",
        "rewards": (0.0, 1.0),
        "random": Anchor(0.5, "exact: a fair coin"),
        "constant": Anchor(0.5, "exact: a fair coin"),
        "best": Anchor(0.6, "made up, since it must be above random"),
        "tags": ("stochastic",),
        "mask": f"{__name__}:{_MASKS[kind]}" if kind in _MASKS else "",
    }
    return EnvironmentRow(**(facts | changes))  # type: ignore[arg-type]  # a table of many types
