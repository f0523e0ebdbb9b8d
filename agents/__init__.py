"""Agents: what to do?

Names are imported when they are first used, so that listing what there is loads no compiler.
"""

from typing import TYPE_CHECKING

from aixi.registry import exported_from

if TYPE_CHECKING:
    from aixi.agents.aiqi import AIQI
    from aixi.agents.base import Agent, Boundary, Hints, RewardRange
    from aixi.agents.baselines import ConstantAgent, RandomAgent
    from aixi.agents.bayes_mdp import AIXIMDP, PSRL, RMax
    from aixi.agents.codes import CODES, CodeSpec, SpaceCode, make_code
    from aixi.agents.mc_aixi import MCAIXI, MCAIXICTW
    from aixi.agents.mc_aixi_networks import MCAIXILSTM, MCAIXIMix, MCAIXITransformer
    from aixi.agents.percept_agent import PerceptAgent
    from aixi.agents.percepts import ActionCodec, PerceptCodec
    from aixi.agents.registry import AGENTS, AgentSpec, make_agent
    from aixi.agents.self_aixi import SelfAIXI
    from aixi.agents.tabular import HLQ, Freq, QLearning, Sarsa

__all__ = [
    "AGENTS",
    "AIQI",
    "AIXIMDP",
    "CODES",
    "HLQ",
    "MCAIXI",
    "MCAIXICTW",
    "MCAIXILSTM",
    "PSRL",
    "ActionCodec",
    "Agent",
    "AgentSpec",
    "Boundary",
    "CodeSpec",
    "ConstantAgent",
    "Freq",
    "Hints",
    "MCAIXIMix",
    "MCAIXITransformer",
    "PerceptAgent",
    "PerceptCodec",
    "QLearning",
    "RMax",
    "RandomAgent",
    "RewardRange",
    "Sarsa",
    "SelfAIXI",
    "SpaceCode",
    "make_agent",
    "make_code",
]

__getattr__ = exported_from(
    __name__,
    {
        "aiqi": ("AIQI",),
        "base": ("Agent", "Boundary", "Hints", "RewardRange"),
        "baselines": ("ConstantAgent", "RandomAgent"),
        "bayes_mdp": ("AIXIMDP", "PSRL", "RMax"),
        "codes": ("CODES", "CodeSpec", "SpaceCode", "make_code"),
        "mc_aixi": ("MCAIXI", "MCAIXICTW"),
        "mc_aixi_networks": ("MCAIXILSTM", "MCAIXIMix", "MCAIXITransformer"),
        "percept_agent": ("PerceptAgent",),
        "percepts": ("ActionCodec", "PerceptCodec"),
        "registry": ("AGENTS", "AgentSpec", "make_agent"),
        "self_aixi": ("SelfAIXI",),
        "tabular": ("HLQ", "Freq", "QLearning", "Sarsa"),
    },
)
