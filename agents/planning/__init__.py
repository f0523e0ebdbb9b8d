"""Planners: searches over a compiled model."""

from aixi.agents.planning.rho_uct import EXPLORATION, RhoUCT, SearchResult, allowed_actions
from aixi.agents.planning.search_tree import RewardCode

__all__ = ["EXPLORATION", "RewardCode", "RhoUCT", "SearchResult", "allowed_actions"]
