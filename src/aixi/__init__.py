"""AIXI approximations: predictors, agents, environments, and the score that measures them."""
