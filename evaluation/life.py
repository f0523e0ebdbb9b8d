"""A life: one agent in one world, cycle by cycle, that can be left between any two of them and gone on with."""

import math
import time
from collections.abc import Callable
from typing import Any

from aixi.agents.base import Agent, Hints, RewardRange
from aixi.errors import AgentFaultError, AixiError, EnvironmentFaultError
from aixi.evaluation.curve import Curve, CurvePoint, Totals
from aixi.evaluation.interrupt import Interrupt
from aixi.evaluation.world import World, stream
from aixi.registry import load_object
from aixi.state import State

# What a life has to do next: everything but a fault leaves it between two cycles.
_ACT, _STEP, _BEGIN = "act", "step", "begin"


class Leave(Exception):
    """An agent's wish to end its life before the next cycle, raised by its `act`; the state of the life is kept."""


class ListenerError(Exception):
    """What `on_cycle` raised, which is no fault of the agent; the cause tells."""


class Life:
    """One agent in one world, cycle by cycle.

    Args:
        agent: the agent; its life begins here.
        world: its environment.
        cycles: cycles planned.
        on_cycle: called after each cycle.
        started: `time.perf_counter()` when the life was asked for.

    Raises:
        UnsupportedSpaceError: if the agent cannot live in these spaces.
        AgentFaultError: if it raises an error that is none of the suite's.

    Attributes:
        agent: the agent.
        world: its environment.
        cycles: cycles planned.
        reward: sum of the rewards so far.
        episodes: episodes that have ended.
        broken: whether the agent has raised.
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
        self.episodes = 0
        self.broken = False
        self.interrupt = Interrupt()
        self.first_action_seconds: float | None = None
        self._on_cycle = on_cycle
        self._curve = Curve()
        self._next = _BEGIN
        self._returns = 0.0  # sum of the rewards of the episodes that have ended
        self._action: Any = None
        self._mask: Any = None
        self._started = started
        row, seed = world.row, stream(world.seed, "agent")
        rewards = RewardRange(*(row.reward_range or (-math.inf, math.inf)), row.rewards)
        mask = load_object(row.mask) if row.mask else None
        try:
            agent.reset(
                world.observation_space,
                world.action_space,
                rewards,
                seed,
                cycles=cycles,
                episodic=row.episodic,
                hints=Hints(row.codes, mask, row.mask_part, world.labels),
            )
        except AixiError:
            raise
        except Exception as error:
            raise AgentFaultError(
                f"agent {type(agent).__name__} raised {type(error).__name__} in reset: {error} "
                f"(environment {world.name}, seed {world.seed})"
            ) from error

    @property
    def cycle(self) -> int:
        """Cycles lived."""
        return self.world.cycle

    @property
    def average_reward(self) -> float:
        """Average reward per cycle so far; 0 before the first."""
        return self.reward / self.cycle if self.cycle else 0.0

    @property
    def average_return(self) -> float | None:
        """Average return of the episodes that have ended; None before the first."""
        return self._returns / self.episodes if self.episodes else None

    @property
    def measured(self) -> float:
        """Average of what the environment's row measures.

        Before the first episode has ended its return is not known: the rewards so far, or what random actions earn if
        that is less, since not to come to an end must not pay.
        """
        if self.world.row.measure == "reward":
            return self.average_reward
        return self._unended if self.average_return is None else self.average_return

    @property
    def _unended(self) -> float:
        random = self.world.row.random
        return self.reward if random is None else min(self.reward, random.value)

    @property
    def bits_per_percept(self) -> float | None:
        """Average code length of the percepts so far, in bits; None where nothing was predicted."""
        *_, percepts, bits = self._totals()
        return bits / percepts if percepts else None

    @property
    def seconds(self) -> float:
        """Time lived."""
        return time.perf_counter() - self._started

    @property
    def curve(self) -> list[CurvePoint]:
        """The learning curve so far."""
        return self._curve.points(self._totals())

    def diagnostics(self) -> dict[str, float]:
        """Returns the agent's running totals; none where a broken agent cannot tell them any more."""
        try:
            return self.agent.diagnostics()
        except Exception:
            if not self.broken:
                raise
            return {}

    def coding(self) -> dict[str, str]:
        """Returns how the agent writes its percepts; nothing where a broken agent cannot tell."""
        try:
            return self.agent.coding()
        except Exception:
            if not self.broken:
                raise
            return {}

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
        act, observe, step = agent.act, agent.observe, world.step
        mask, reward_sum = self._mask, self.reward
        try:
            for _ in range(world.cycle, until):
                if interrupt.requested:
                    return
                action = act(mask) if self._next == _ACT else self._action
                try:
                    observation, reward, terminated, truncated, following = step(action)
                except EnvironmentFaultError:
                    self._next, self._action = _STEP, action
                    raise
                self._next = _ACT
                reward_sum += reward
                observe(action, observation, reward, terminated, truncated)
                mask = following
                if terminated or truncated:
                    self.episodes += 1
                    self._returns = reward_sum
                    self._begin()
                    mask = self._mask
                if on_cycle is not None:
                    self.reward, self._mask = reward_sum, mask
                    try:
                        on_cycle(self)
                    except Exception as error:
                        raise ListenerError from error
        finally:
            self.reward, self._mask = reward_sum, mask

    def _begin(self) -> None:
        self._next = _BEGIN
        observation, info, self._mask = self.world.begin()
        self.agent.begin(observation, info)
        self._next = _ACT

    def _totals(self) -> Totals:
        known = self.diagnostics()
        earned, units = self.reward, self.cycle
        if self.world.row.measure == "return":
            earned, units = (self._returns, self.episodes) if self.episodes else (self._unended, 0)
        return self.cycle, earned, units, known.get("percepts", 0.0), known.get("percept_bits", 0.0)

    def state_dict(self) -> State:
        """Returns everything that going on from here needs."""
        return {
            "reward": self.reward,
            "returns": self._returns,
            "episodes": self.episodes,
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
        self._returns, self.episodes = state["returns"], state["episodes"]
        self._started -= state["seconds"]
