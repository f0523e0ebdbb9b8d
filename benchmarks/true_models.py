"""Registered environments as exact models for the planner, read off their own `step`."""

from typing import Any

import gymnasium
import numpy as np
from optima import Draws
from optima import _state as state_of

from aixi.agents.models.finite import FinitePOMDP, Outcome
from aixi.agents.percepts import PerceptCodec


def true_model(env: gymnasium.Env[Any, Any], codec: PerceptCodec, first_reward: float) -> FinitePOMDP:
    """Runs a continuing environment through every outcome of every random draw.

    Args:
        env: a bare environment of whole-number state (`make(name).unwrapped`), which is used up.
        codec: its percepts' code; one that is not episodic.
        first_reward: the reward that the agent puts into the first percept; MC-AIXI takes that nearest 0.
    """
    draws = Draws()
    env.np_random = draws  # type: ignore[assignment]  # it offers what these environments ask of a generator
    numbers: dict[Any, int] = {}

    def outcome(observation: Any, reward: float) -> Outcome:
        return (
            draws.probability,
            numbers.setdefault(state_of(env), len(numbers)),
            codec.encode(observation, reward),
        )

    start = [outcome(env.reset()[0], first_reward) for _ in draws]
    steps: list[list[list[Outcome]]] = []
    while len(steps) < len(numbers):
        state = list(numbers)[len(steps)]
        steps.append([])
        for action in range(env.action_space.n):  # type: ignore[attr-defined]  # all of them are Discrete
            outcomes = []
            for _ in draws:
                for name, value in state:
                    setattr(env, name, list(value) if isinstance(value, tuple) else value)
                observation, reward, *_ = env.step(np.int64(action))
                outcomes.append(outcome(observation, float(reward)))
            steps[-1].append(outcomes)
    return FinitePOMDP(codec.percept_bits, steps, start)
