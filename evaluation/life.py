"""A life: one agent in one world, cycle by cycle, that can be left between any two of them and gone on with."""

import time
from collections.abc import Callable
from typing import Any

from aixi.agents.base import Agent, RewardRange
from aixi.errors import AgentFaultError, AixiError, EnvironmentFaultError
from aixi.evaluation.curve import Curve, CurvePoint
from aixi.evaluation.interrupt import Interrupt
from aixi.evaluation.world import World, stream
from aixi.state import State

# What a life has to do next: everything but a fault leaves it between two cycles.
_ACT, _STEP, _BEGIN = "act", "step", "begin"


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
        self.broken = False
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
        try:
            agent.reset(
                world.observation_space,
                world.action_space,
                rewards,
                seed,
                cycles=cycles,
                episodic=world.row.episodic,
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

    def diagnostics(self) -> dict[str, float]:
        """Returns the agent's running totals; none where a broken agent cannot tell them any more."""
        try:
            return self.agent.diagnostics()
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

    def _totals(self) -> tuple[int, float, float, float]:
        known = self.diagnostics()
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
