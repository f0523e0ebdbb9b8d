"""The loop: one agent, one environment, one seed, so many cycles."""

import os
import time
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from aixi.agents.base import Agent
from aixi.agents.registry import AGENTS, convert_options, make_agent, parse_agent, preset_options
from aixi.errors import EnvironmentFaultError, InvalidValueError, StateFileError, at_least, require
from aixi.evaluation.curve import CurvePoint
from aixi.evaluation.files import check_writable
from aixi.evaluation.life import Leave, Life, ListenerError
from aixi.evaluation.provenance import machine, versions
from aixi.evaluation.world import World, find_row
from aixi.state import State, load_state, save_state

_SAVED: dict[str, type] = {
    "agent": str,
    "options": dict,
    "preset": bool,
    "environment": str,
    "relabel": bool,
    "seed": int,
    "planned": int,
    "cycle": int,
    "life": dict,
}


class RunResult(msgspec.Struct, kw_only=True):
    """What a run showed.

    Attributes:
        environment: id of the environment.
        agent: name of the agent.
        options: the options it was given, a preset's among them.
        preset: whether the published settings for this environment were used.
        relabel: whether discrete actions were permuted, as far as there are any.
        seed: seed of the life.
        cycles: cycles lived.
        planned_cycles: cycles asked for.
        average_reward: average reward per cycle over the life.
        average_return: average return of the episodes that ended; None where none did.
        episodes: how many those are.
        measured: what the environment's row measures, one of these two.
        coding: how the agent wrote observations, actions and rewards, in words; empty if it takes them raw.
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
    average_return: float | None
    episodes: int
    measured: float
    coding: dict[str, str]
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
    """An environment, or the agent itself, failed in the middle of a life.

    Attributes:
        result: what the life showed until then.
        fault: whose fault it was, `agent` or `environment`.
    """

    def __init__(self, message: str, result: RunResult, fault: Literal["agent", "environment"]) -> None:
        super().__init__(message)
        self.result = result
        self.fault = fault


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
        options: options of the agent, in addition to those in its text form, which may not give them too.
        preset: whether to start from the published settings for this environment; `options` come on top.
        relabel: whether to permute discrete actions, by the seed; no unless resumed.
        on_cycle: called after each cycle.
        save: file that gets the state at the end, after Ctrl-C, or when the environment fails.
        resume: file with the state of a life to go on with. Bits are those of an uninterrupted life, provided
            that the agent does not tie a schedule to a length that changed.

    Raises:
        UnknownNameError: if there is no such agent or environment.
        InvalidValueError: if an option is wrong, a path cannot be written, or the saved life is another one.
        LifeFaultError: if the environment fails, after the state is saved, or if the agent does.
        AgentFaultError: if the agent fails before its first cycle.
        StateFileError: if a state cannot be read or written.

    Example:
        >>> result = run("random", "aixi/CoinFlip-v0", cycles=100, seed=1)
        >>> result.cycles, result.bits_per_percept is None, 0.3 < result.average_reward < 0.7
        (100, True, True)
    """
    if save is not None:
        check_writable(save)
        if isinstance(agent, str) and not AGENTS[parse_agent(agent)[0]].resumable:
            raise InvalidValueError(
                f"a life of {parse_agent(agent)[0]} cannot be saved and gone on with; leave out save"
            )
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
        twice = written.keys() & (options or {}).keys()
        require(not twice, f"options must be given once, got {', '.join(sorted(twice))} in {agent!r} and apart from it")
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
        if agent is None and identity["agent"] not in AGENTS:
            raise StateFileError(
                f"{resume} holds a life of {identity['agent']}, which no agent of this name can go on with; give the "
                "agent again, or use aixi play --resume where a person lived"
            )
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
            try:
                life.load_state_dict(saved["life"])
            except (KeyError, TypeError, IndexError, AttributeError, ValueError) as error:
                raise StateFileError(
                    f"{resume} is damaged, or was saved by another version ({type(error).__name__}: {error}); "
                    "use an earlier one"
                ) from error
        with life.interrupt:
            try:
                life.live()
            except ListenerError as error:
                raise error.__cause__ or error from None
            except Exception as error:
                if error is world.fault or isinstance(error, Leave):
                    result = _result(life, identity, interrupted=False)
                    message = str(error)
                    if save is not None:
                        try:
                            _save(save, life, identity)
                        except StateFileError as unsaved:
                            message += f"; {unsaved}"
                    raise LifeFaultError(message, result, "environment") from error
                # The agent's own fault: its state is worth nothing.
                life.broken = True
                what = f"agent {identity['agent']} raised {type(error).__name__}: {error}"
                message = f"{what} (environment {world.name}, cycle {world.cycle + 1}, seed {world.seed})"
                raise LifeFaultError(message, _result(life, identity, interrupted=False), "agent") from error
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
    if not all(isinstance(saved.get(key), kind) for key, kind in _SAVED.items()):
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
        average_return=life.average_return,
        episodes=life.episodes,
        measured=life.measured,
        coding=life.coding(),
        bits_per_percept=life.bits_per_percept,
        curve=life.curve,
        seconds=seconds,
        cycles_per_second=life.cycle / seconds,
        first_action_seconds=life.first_action_seconds,
        diagnostics=life.diagnostics(),
        percept_hash=life.world.hash,
        interrupted=interrupted,
        versions=versions(),
        machine=machine(),
    )
