"""Planners: searches over a compiled model."""

from aixi.agents.planning.rho_uct import UCB_CONSTANT, RhoUCT, SearchResult, allowed_actions, check_search
from aixi.agents.planning.search_tree import RewardCode

__all__ = ["UCB_CONSTANT", "RewardCode", "RhoUCT", "SearchResult", "allowed_actions", "check_search"]
