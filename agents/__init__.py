"""Agents: what to do?

Names are imported when they are first used, so that listing what there is loads no compiler.
"""

from typing import TYPE_CHECKING

from aixi.registry import exported_from

if TYPE_CHECKING:
    from aixi.agents.base import Agent, RewardRange
    from aixi.agents.baselines import ConstantAgent, RandomAgent
    from aixi.agents.mc_aixi import MCAIXI, MCAIXICTW
    from aixi.agents.percepts import PerceptCodec
    from aixi.agents.registry import AGENTS, AgentSpec, make_agent

__all__ = [
    "AGENTS",
    "MCAIXI",
    "MCAIXICTW",
    "Agent",
    "AgentSpec",
    "ConstantAgent",
    "PerceptCodec",
    "RandomAgent",
    "RewardRange",
    "make_agent",
]

__getattr__ = exported_from(
    __name__,
    {
        "base": ("Agent", "RewardRange"),
        "baselines": ("ConstantAgent", "RandomAgent"),
        "mc_aixi": ("MCAIXI", "MCAIXICTW"),
        "percepts": ("PerceptCodec",),
        "registry": ("AGENTS", "AgentSpec", "make_agent"),
    },
)
