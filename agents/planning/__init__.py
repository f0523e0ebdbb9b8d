"""Planners: searches over a compiled model, or over a network in torch (`torch_batch.py`, imported where needed)."""

from aixi.agents.planning.batched import BATCH, BatchedSearch, BatchModel
from aixi.agents.planning.planner import SearchResult, TreeSearch, allowed_actions, check_search
from aixi.agents.planning.puct import PUCT, PUCT_CONSTANT, ROOT_MIXING
from aixi.agents.planning.rho_uct import UCB_CONSTANT, RhoUCT
from aixi.agents.planning.search_tree import MaskRule, RewardCode

__all__ = [
    "BATCH",
    "PUCT",
    "PUCT_CONSTANT",
    "ROOT_MIXING",
    "UCB_CONSTANT",
    "BatchModel",
    "BatchedSearch",
    "MaskRule",
    "RewardCode",
    "RhoUCT",
    "SearchResult",
    "TreeSearch",
    "allowed_actions",
    "check_search",
]
