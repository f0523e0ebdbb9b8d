"""Tiny environments for the tests of lives: some sound, some faulty, one known to Gymnasium alone."""

import ctypes
import faulthandler
import mmap
import os
import signal
import sys
import time
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from aixi.agents.baselines import RandomAgent
from aixi.agents.registry import AGENTS, AgentSpec
from aixi.environments import Anchor, EnvironmentRow, register

LIVES_BEFORE_FAULT = 37
DEATHS = (
    "hang",
    "freeze",
    "deep",
    "segfault",
    "abort",
    "quit",
    "kill",
    "recursion",
    "print",
    "hoard",
    "crumbs",
    "share",
)


def take_shared_memory() -> None:
    """Takes 300 MB that other processes could share, and keeps them."""
    kept = []
    while True:
        if len(kept) < 300:
            kept.append(mmap.mmap(-1, 1 << 20))
            kept[-1].write(b"x" * (1 << 20))


class Walk(gymnasium.Env[np.int64, np.int64]):
    """A random walk on five cells that an action pushes to the left or right; the ends pay."""

    def __init__(self, episodic: bool = False) -> None:
        self.episodic = episodic
        self.observation_space = spaces.Discrete(5)
        self.action_space = spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        self.cell = int(self.np_random.integers(1, 4))
        return np.int64(self.cell), {}

    def step(self, action: np.int64) -> Any:
        push = 1 if self.np_random.random() < (0.8 if action == 1 else 0.2) else -1
        self.cell = min(4, max(0, self.cell + push))
        reward = {0: -1.0, 4: 2.0}.get(self.cell, 0.0)
        ended = self.episodic and reward != 0.0
        return np.int64(self.cell), reward, ended, False, {}


class Stateful(Walk):
    """A walk that can be saved; it counts the steps taken in this process."""

    steps = 0

    def step(self, action: np.int64) -> Any:
        Stateful.steps += 1
        return super().step(action)

    def get_state(self) -> dict[str, Any]:
        return {"cell": self.cell, "rng": self.np_random.bit_generator.state}

    def set_state(self, state: dict[str, Any]) -> None:
        self.cell = state["cell"]
        self.np_random.bit_generator.state = state["rng"]


class Faulty(Walk):
    """A walk that goes wrong after some cycles, unless `cured`."""

    cured = False

    def __init__(self, kind: str) -> None:
        super().__init__(episodic=kind == "reset")
        self.kind = kind
        self.lived = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        if self.kind == "reset" and self.lived > LIVES_BEFORE_FAULT and not Faulty.cured:
            raise RuntimeError("the floor is wet")
        return super().reset(seed=seed)

    def step(self, action: np.int64) -> Any:
        if self.lived >= LIVES_BEFORE_FAULT and not Faulty.cured:
            if self.kind == "raise":
                raise RuntimeError("the wall is hot")
            if self.kind == "nan":
                return np.int64(0), float("nan"), False, False, {}
            if self.kind == "reward":
                return np.int64(0), 7.5, False, False, {}
            if self.kind == "outside":
                return np.int64(5), 0.0, False, False, {}
            if self.kind == "ends":
                return np.int64(0), 0.0, True, False, {}
            if self.kind == "exit":
                raise SystemExit(3)
            if self.kind == "info":
                return np.int64(0), 0.0, False, False, None
            if self.kind == "flags":
                return np.int64(0), 0.0, np.zeros(2), False, {}
            if self.kind == "mask":
                return np.int64(0), 0.0, False, False, {"action_mask": [True, True, False]}
            if self.kind == "forbidden":
                return np.int64(0), 0.0, False, False, {"action_mask": [False, False]}
        self.lived += 1
        return super().step(action)


class Deadly(Walk):
    """A walk that brings down the process it is walked in, most kinds after some cycles."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.lived = 0
        self.hoard: list[Any] = []

    def step(self, action: np.int64) -> Any:
        self.lived += 1
        if self.kind == "print":
            print("x" * 1000)
            os.write(1, b"y" * 1000)
            os.write(2, b"z" * 1000)
            assert sys.stdin.read() == ""
        if self.kind == "hoard":
            self.hoard.append(bytearray(1 << 20))
        if self.kind == "crumbs":
            self.hoard += [[index] for index in range(10**4)]
        if self.lived > LIVES_BEFORE_FAULT:
            if self.kind == "hang":
                while True:
                    pass
            if self.kind == "freeze":  # in C code, and nobody else gets to run Python
                ctypes.PyDLL(None).sleep(1000)
            if self.kind == "deep":
                self.hang_below(200)
            if self.kind == "segfault":
                ctypes.string_at(0)
            if self.kind == "abort":
                os.abort()
            if self.kind == "quit":
                os._exit(3)
            if self.kind == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if self.kind == "share":
                take_shared_memory()
            if self.kind == "recursion":
                return self.step(action)
        return super().step(action)

    def hang_below(self, depth: int) -> None:
        while not depth:
            pass
        self.hang_below(depth - 1)


class Unmade(Walk):
    """A walk that cannot even be made."""

    def __init__(self) -> None:
        raise OSError("no floor")


class Slow(Walk):
    """A walk at a thousand cycles a second at most."""

    def step(self, action: np.int64) -> Any:
        time.sleep(0.001)
        return super().step(action)


class Masked(gymnasium.Env[np.int64, np.int64]):
    """Each cycle allows two of four actions, and punishes whoever takes another."""

    def __init__(self) -> None:
        self.observation_space = spaces.Discrete(1)
        self.action_space = spaces.Discrete(4, start=-1)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        return np.int64(0), self._info()

    def _info(self) -> dict[str, Any]:
        self.allowed = np.zeros(4, np.int8)
        self.allowed[self.np_random.permutation(4)[:2]] = 1
        return {"action_mask": self.allowed}

    def step(self, action: np.int64) -> Any:
        reward = 1.0 if self.allowed[action + 1] else -1.0
        return np.int64(0), reward, False, False, self._info()


class Continuous(gymnasium.Env[np.ndarray, np.ndarray]):
    """Nothing in it is discrete but the reward."""

    def __init__(self) -> None:
        self.observation_space = spaces.Dict({"where": spaces.Box(-1, 1, (2,)), "flags": spaces.MultiBinary(3)})
        self.action_space = spaces.Box(-1, 1, (2,))

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        return self._look(), {}

    def _look(self) -> Any:
        return {"where": self.np_random.uniform(-1, 1, 2).astype(np.float32), "flags": np.ones(3, np.int8)}

    def step(self, action: np.ndarray) -> Any:
        return self._look(), float(action[0] > 0), False, False, {}


class Clumsy(RandomAgent):
    """Fails at its tenth act."""

    acts = 0

    def act(self, mask: Any = None) -> Any:
        self.acts += 1
        if self.acts == 10:
            raise ZeroDivisionError("slipped")
        return super().act(mask)


class Noted(RandomAgent):
    """Writes the seed of each life in the file `AIXI_TESTS_NOTES`, and takes `AIXI_TESTS_PACE` seconds for a cycle."""

    def reset(self, observation_space: Any, action_space: Any, reward_range: Any, seed: Any, **facts: Any) -> None:
        super().reset(observation_space, action_space, reward_range, seed, **facts)
        self.pace = float(os.environ.get("AIXI_TESTS_PACE", "0"))
        if "AIXI_TESTS_NOTES" in os.environ:
            with open(os.environ["AIXI_TESTS_NOTES"], "a") as file:
                file.write(f"{seed.entropy}\n")

    def act(self, mask: Any = None) -> Any:
        time.sleep(self.pace)
        return super().act(mask)


class Sluggish(RandomAgent):
    """Never comes to its tenth act, or ends its process there, or the one before it; or cannot tell its totals."""

    acts = 0

    def __init__(self, kind: str = "hang") -> None:
        super().__init__()
        self.kind = kind

    def act(self, mask: Any = None) -> Any:
        self.acts += 1
        while self.acts == 10 and self.kind == "hang":
            pass
        if self.acts == 10 and self.kind != "totals":
            self.end()
        return super().act(mask)

    def end(self) -> None:
        if self.kind == "exit":
            raise SystemExit(3)
        if self.kind == "quit":
            os._exit(70)
        if self.kind == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.kind == "silent":  # where no Python can see it
            ctypes.CDLL(None).kill(os.getpid(), signal.SIGKILL)
        if self.kind == "terminate":
            signal.raise_signal(signal.SIGTERM)
        if self.kind == "parent":
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(1000)
        if self.kind == "realtime":
            os.kill(os.getpid(), 40)
        if self.kind == "share":
            take_shared_memory()
        if self.kind == "deaf":
            faulthandler.cancel_dump_traceback_later()
            time.sleep(1000)

    def diagnostics(self) -> dict[str, float]:
        return {"model_bits": float("nan")} if self.kind == "totals" else super().diagnostics()


RETURNS = EnvironmentRow(
    name="test/Returns-v0",
    summary="for tests, by the return of its episodes",
    entry_point=f"{__name__}:Walk",
    rewards=(-1.0, 0.0, 2.0),
    random=Anchor(0.0, "made up"),
    constant=Anchor(1.0, "made up"),
    best=Anchor(4.0, "made up"),
    kwargs={"episodic": True},
    episodic=True,
    measure="return",
    return_range=(-20.0, 40.0),
)


def _row(name: str, of: str, rewards: tuple[float, ...] = (-1.0, 0.0, 2.0), **kwargs: Any) -> EnvironmentRow:
    return EnvironmentRow(
        name=f"test/{name}-v0",
        summary="for tests",
        entry_point=f"{__name__}:{of}",
        rewards=rewards,
        random=Anchor(0.0, "made up"),
        constant=Anchor(0.5, "made up"),
        best=Anchor(1.0, "made up"),
        kwargs={key: value for key, value in kwargs.items() if key != "ends"},
        episodic=bool(kwargs.get("ends", False)),
    )


for _made in (
    RETURNS,
    _row("Walk", "Walk"),
    _row("Episodes", "Walk", episodic=True, ends=True),
    _row("Stateful", "Stateful"),
    _row("Slow", "Slow"),
    _row("Masked", "Masked", (-1.0, 1.0)),
    _row("Continuous", "Continuous", (0.0, 1.0)),
    _row("Raise", "Faulty", kind="raise"),
    _row("NaN", "Faulty", kind="nan"),
    _row("Reward", "Faulty", kind="reward"),
    _row("Outside", "Faulty", kind="outside"),
    _row("Ends", "Faulty", kind="ends"),
    _row("Reset", "Faulty", kind="reset", ends=True),
    _row("Exit", "Faulty", kind="exit"),
    _row("Info", "Faulty", kind="info"),
    _row("Flags", "Faulty", kind="flags"),
    _row("Mask", "Faulty", kind="mask"),
    _row("Forbidden", "Faulty", kind="forbidden"),
    _row("Unmade", "Unmade"),
    *(_row(kind.capitalize(), "Deadly", kind=kind) for kind in DEATHS),
):
    register(_made)


def register_agents() -> None:
    """Registers the agents above: only while a test lives, since other tests go over all agents."""
    AGENTS.register(AgentSpec("clumsy", f"{__name__}:Clumsy", "fails at its tenth act"))
    AGENTS.register(AgentSpec("noted", f"{__name__}:Noted", "writes down each of its lives"))
    AGENTS.register(AgentSpec("sluggish", f"{__name__}:Sluggish", "never comes to its tenth act"))
    AGENTS.register(AgentSpec("transformer", "evaluation_transformer:Transformer", "a model unlike a context tree"))


if "test/Unlisted-v0" not in gymnasium.registry:
    gymnasium.register("test/Unlisted-v0", f"{__name__}:Walk")
