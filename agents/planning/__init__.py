"""Planners: searches over a compiled model."""

from aixi.agents.planning.rho_uct import UCB_CONSTANT, RhoUCT, SearchResult, allowed_actions, check_search
from aixi.agents.planning.search_tree import MaskRule, RewardCode

__all__ = ["UCB_CONSTANT", "MaskRule", "RewardCode", "RhoUCT", "SearchResult", "allowed_actions", "check_search"]
