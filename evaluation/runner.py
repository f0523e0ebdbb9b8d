"""The loop: one agent, one environment, one seed, so many cycles."""

import os
import time
from collections.abc import Callable
from typing import Any

import msgspec

from aixi.agents.base import Agent, RewardRange
from aixi.agents.registry import convert_options, make_agent, parse_agent, preset_options
from aixi.errors import EnvironmentFaultError, InvalidValueError, StateFileError, at_least, require
from aixi.evaluation.curve import Curve, CurvePoint
from aixi.evaluation.files import check_writable
from aixi.evaluation.interrupt import Interrupt
from aixi.evaluation.provenance import machine, versions
from aixi.evaluation.world import World, find_row, stream
from aixi.state import State, load_state, save_state

# What a life has to do next: everything but a fault leaves it between two cycles.
_ACT, _STEP, _BEGIN = "act", "step", "begin"


class RunResult(msgspec.Struct, kw_only=True):
    """What a run showed.

    Attributes:
        environment: id of the environment.
        agent: name of the agent.
        options: the options it was given, a preset's among them.
        preset: whether the published settings for this environment were used.
        relabel: whether discrete actions were permuted.
        seed: seed of the life.
        cycles: cycles lived.
        planned_cycles: cycles asked for.
        average_reward: average reward per cycle over the life.
        bits_per_percept: average code length of the percepts under the agent's model, in bits; None where the
            agent predicts nothing.
        curve: the learning curve.
        seconds: time lived, set-up and compilation included; over all parts of a resumed life.
        cycles_per_second: cycles over seconds.
        first_action_seconds: from the call to the end of the first cycle.
        diagnostics: the agent's running totals.
        percept_hash: CRC-32 of all percepts: equal lives have equal ones.
        interrupted: whether Ctrl-C ended the life early.
        versions: of Python and the packages.
        machine: system, processor and cores.
    """

    environment: str
    agent: str
    options: dict[str, Any]
    preset: bool
    relabel: bool
    seed: int
    cycles: int
    planned_cycles: int
    average_reward: float
    bits_per_percept: float | None
    curve: list[CurvePoint]
    seconds: float
    cycles_per_second: float
    first_action_seconds: float | None
    diagnostics: dict[str, float]
    percept_hash: int
    interrupted: bool
    versions: dict[str, str]
    machine: dict[str, str | int]


class LifeFaultError(EnvironmentFaultError):
    """An environment failed in the middle of a life.

    Attributes:
        result: what the life showed until then.
    """

    def __init__(self, message: str, result: RunResult) -> None:
        super().__init__(message)
        self.result = result


class Life:
    """One agent in one world, cycle by cycle.

    Args:
        agent: the agent; its life begins here.
        world: its environment.
        cycles: cycles planned.
        on_cycle: called after each cycle.
        started: `time.perf_counter()` when the life was asked for.

    Attributes:
        agent: the agent.
        world: its environment.
        cycles: cycles planned.
        reward: sum of the rewards so far.
    """

    def __init__(
        self,
        agent: Agent,
        world: World,
        cycles: int,
        on_cycle: "Callable[[Life], None] | None",
        started: float,
    ) -> None:
        self.agent = agent
        self.world = world
        self.cycles = cycles
        self.reward = 0.0
        self.interrupt = Interrupt()
        self.first_action_seconds: float | None = None
        self._on_cycle = on_cycle
        self._curve = Curve()
        self._next = _BEGIN
        self._action: Any = None
        self._mask: Any = None
        self._started = started
        rewards = RewardRange.finite(*world.row.rewards)
        seed = stream(world.seed, "agent")
        agent.reset(
            world.observation_space,
            world.action_space,
            rewards,
            seed,
            cycles=cycles,
            episodic=world.row.episodic,
        )

    @property
    def cycle(self) -> int:
        """Cycles lived."""
        return self.world.cycle

    @property
    def average_reward(self) -> float:
        """Average reward per cycle so far; 0 before the first."""
        return self.reward / self.cycle if self.cycle else 0.0

    @property
    def bits_per_percept(self) -> float | None:
        """Average code length of the percepts so far, in bits; None where nothing was predicted."""
        _, _, percepts, bits = self._totals()
        return bits / percepts if percepts else None

    @property
    def seconds(self) -> float:
        """Time lived."""
        return time.perf_counter() - self._started

    @property
    def curve(self) -> list[CurvePoint]:
        """The learning curve so far."""
        return self._curve.points(*self._totals())

    def live(self) -> None:
        """Lives until all cycles are done, or an interrupt is requested.

        Raises:
            EnvironmentFaultError: if the environment fails; the life can be saved, and tries again when
            resumed.
        """
        while self.cycle < self.cycles and not self.interrupt.requested:
            if self._next == _BEGIN:
                self._begin()
                self._curve.add(*self._totals())
            stride = self._curve.stride
            try:
                self._advance(min(self.cycles, (self.cycle // stride + 1) * stride))
            finally:
                if self._next != _BEGIN:  # an agent may learn an episode's last percept when the next one begins
                    self._curve.add(*self._totals())
            if self.first_action_seconds is None:
                self.first_action_seconds = self.seconds

    def _advance(self, until: int) -> None:
        agent, world, interrupt, on_cycle = self.agent, self.world, self.interrupt, self._on_cycle
        act, observe, step, find_mask = agent.act, agent.observe, world.step, world.mask
        mask, reward_sum = self._mask, self.reward
        try:
            for _ in range(world.cycle, until):
                if interrupt.requested:
                    return
                action = act(mask) if self._next == _ACT else self._action
                try:
                    observation, reward, terminated, truncated, info = step(action)
                except EnvironmentFaultError:
                    self._next, self._action = _STEP, action
                    raise
                self._next = _ACT
                reward_sum += reward
                observe(action, observation, reward, terminated, truncated)
                mask = find_mask(info)
                if terminated or truncated:
                    self._begin()
                    mask = self._mask
                if on_cycle is not None:
                    self.reward, self._mask = reward_sum, mask
                    on_cycle(self)
        finally:
            self.reward, self._mask = reward_sum, mask

    def _begin(self) -> None:
        self._next = _BEGIN
        observation, info = self.world.begin()
        self.agent.begin(observation, info)
        self._mask = self.world.mask(info)
        self._next = _ACT

    def _totals(self) -> tuple[int, float, float, float]:
        known = self.agent.diagnostics()
        return self.cycle, self.reward, known.get("percepts", 0.0), known.get("percept_bits", 0.0)

    def state_dict(self) -> State:
        """Returns everything that going on from here needs."""
        return {
            "reward": self.reward,
            "seconds": self.seconds,
            "next": self._next,
            "action": self._action if self._next == _STEP else None,
            "mask": self._mask,
            "curve": self._curve.state_dict(),
            "world": self.world.state(faulted=self._next != _ACT),
            "agent": self.agent.state_dict(),
        }

    def load_state_dict(self, state: State) -> None:
        """Goes on from a saved life."""
        self.world.restore(state["world"], between_episodes=state["next"] == _BEGIN)
        self.agent.load_state_dict(state["agent"])
        self._curve.load_state_dict(state["curve"])
        self.reward, self._next, self._action, self._mask = (state[key] for key in ("reward", "next", "action", "mask"))
        self._started -= state["seconds"]


def run(
    agent: str | Agent | None,
    environment: str | None,
    *,
    cycles: int | None = None,
    seed: int | None = None,
    options: dict[str, Any] | None = None,
    preset: bool = False,
    relabel: bool | None = None,
    on_cycle: Callable[[Life], None] | None = None,
    save: str | os.PathLike[str] | None = None,
    resume: str | os.PathLike[str] | None = None,
) -> RunResult:
    """Lets an agent live in an environment and returns what happened.

    Randomness comes in three streams, named and numbered in `aixi.evaluation.world.STREAMS`. The first Ctrl-C
    ends the life at the end of its cycle, with an exact state; a second one ends it at once, and then no
    state is saved.

    Args:
        agent: `name`, `name:key=value,...` or an agent; None for the one that was saved.
        environment: `id` or `module:id`; None for the one that was saved.
        cycles: length of the life in cycles; for a resumed one in total, the part before included, and the
            length that was planned if None.
        seed: seed of the life; 0 unless resumed.
        options: options of the agent, in addition to those in its text form.
        preset: whether to start from the published settings for this environment; `options` come on top.
        relabel: whether to permute discrete actions, by the seed; no unless resumed.
        on_cycle: called after each cycle.
        save: file that gets the state at the end, after Ctrl-C, or when the environment fails.
        resume: file with the state of a life to go on with. Bits are those of an uninterrupted life, provided
            that the agent does not tie a schedule to a length that changed.

    Raises:
        UnknownNameError: if there is no such agent or environment.
        InvalidValueError: if an option is wrong, a path cannot be written, or the saved life is another one.
        LifeFaultError: if the environment fails; the state is saved first.
        StateFileError: if a state cannot be read or written.

    Example:
        >>> result = run("random", "aixi/CoinFlip-v0", cycles=100, seed=1)
        >>> result.cycles, result.bits_per_percept is None, 0.3 < result.average_reward < 0.7
        (100, True, True)
    """
    if save is not None:
        check_writable(save)
    identity: dict[str, Any] = {
        "preset": preset,
        "relabel": relabel,
        "seed": seed,
        "environment": environment,
    }
    if isinstance(agent, Agent):
        require(not options and not preset, "options and presets belong to agents given by name")
        identity |= {"agent": type(agent).__name__, "options": {}}
    elif agent is not None:
        name, written = parse_agent(agent)
        chosen = convert_options(name, written | (options or {}))
        if preset:
            require(environment is not None, "a preset needs the name of the environment")
            chosen = preset_options(name, find_row(str(environment)).name) | chosen
        # Lists, as a state file gives them back: a resumed agent gets the very same options.
        plain = {key: list(value) if isinstance(value, tuple) else value for key, value in chosen.items()}
        identity |= {"agent": name, "options": plain}
    elif resume is None:
        raise InvalidValueError("agent and environment must be given, unless a saved life is resumed")
    saved = None if resume is None else load_state(resume)
    if saved is not None:
        identity = _agree(identity, saved, str(resume))
        cycles = saved["planned"] if cycles is None else cycles
    require(cycles is not None, "cycles must be given, unless a saved life is resumed")
    cycles = at_least("cycles", cycles or 0, 1)
    identity["seed"] = at_least("seed", identity["seed"] or 0, 0)
    identity["relabel"] = bool(identity["relabel"])
    require(identity["environment"] is not None, "environment must be given, unless a saved life is resumed")
    if saved is not None and saved["cycle"] > cycles:
        raise InvalidValueError(
            f"cycles must be at least {saved['cycle']}, those already lived in {resume}, got {cycles}"
        )

    started = time.perf_counter()
    body = agent if isinstance(agent, Agent) else make_agent(identity["agent"], **identity["options"])
    world = World(identity["environment"], identity["seed"], relabel=identity["relabel"], record=save is not None)
    life = Life(body, world, cycles, on_cycle, started)
    try:
        if saved is not None:
            life.load_state_dict(saved["life"])
        with life.interrupt:
            try:
                life.live()
            except EnvironmentFaultError as fault:
                result = _result(life, identity, interrupted=False)
                if save is not None:
                    _save(save, life, identity)
                raise LifeFaultError(str(fault), result) from fault
            except KeyboardInterrupt:  # the second one: the cycle was cut, so that its state is worth nothing
                return _result(life, identity, interrupted=True)
            if save is not None:
                _save(save, life, identity)
            return _result(life, identity, interrupted=life.interrupt.requested and life.cycle < cycles)
    finally:
        world.close()


def _save(path: str | os.PathLike[str], life: Life, identity: dict[str, Any]) -> None:
    save_state(path, identity | {"planned": life.cycles, "cycle": life.cycle, "life": life.state_dict()})


def _agree(asked: dict[str, Any], saved: State, path: str) -> dict[str, Any]:
    """Fills what was not asked for from a saved life, and refuses another one."""
    if not {"agent", "environment", "seed", "planned", "cycle", "life"} <= saved.keys():
        raise StateFileError(f"{path} is not the state of a life that `run` saved")
    asked = {key: value for key, value in asked.items() if value is not None}
    if asked.get("preset") is False:
        del asked["preset"]  # its options tell
    if "environment" in asked and find_row(asked["environment"]).name == find_row(saved["environment"]).name:
        del asked["environment"]
    if not asked.get("options"):
        asked.pop("options", None)
    for key, value in asked.items():
        if saved[key] != value:
            raise InvalidValueError(
                f"{path} holds a life with {key} {saved[key]!r}, got {value!r}; leave {key} out to go on"
            )
    return {key: saved[key] for key in ("agent", "options", "preset", "environment", "relabel", "seed")}


def _result(life: Life, identity: dict[str, Any], *, interrupted: bool) -> RunResult:
    seconds = life.seconds
    return RunResult(
        **(identity | {"environment": life.world.name}),
        cycles=life.cycle,
        planned_cycles=life.cycles,
        average_reward=life.average_reward,
        bits_per_percept=life.bits_per_percept,
        curve=life.curve,
        seconds=seconds,
        cycles_per_second=life.cycle / seconds,
        first_action_seconds=life.first_action_seconds,
        diagnostics=life.agent.diagnostics(),
        percept_hash=life.world.hash,
        interrupted=interrupted,
        versions=versions(),
        machine=machine(),
    )
