"""Bandits: which arm pays best, and does it still?"""

from aixi.environments.row import Anchor, EnvironmentRow

_EXACT = "exact: long-run average of the environment's own Markov chain"
_BEST = "exact: best long-run average over beliefs on the environment's own transitions"

ROWS = (
    EnvironmentRow(
        name="aixi/Bandit-v0",
        summary="find the better of two arms",
        entry_point="aixi.environments.bandits.bernoulli:Bernoulli",
        rewards=(0.0, 1.0),
        random=Anchor(0.5, _EXACT),
        constant=Anchor(0.7, _EXACT),
        best=Anchor(0.7, _BEST),
        tags=("bandits", "continuing", "stochastic", "memoryless"),
    ),
    EnvironmentRow(
        name="aixi/TenArmedBandit-v0",
        summary="find the one better arm of ten",
        entry_point="aixi.environments.bandits.bernoulli:Bernoulli",
        rewards=(0.0, 1.0),
        random=Anchor(0.42, _EXACT),
        constant=Anchor(0.6, _EXACT),
        best=Anchor(0.6, _BEST),
        kwargs={"probabilities": [0.4, 0.4, 0.4, 0.4, 0.4, 0.4, 0.6, 0.4, 0.4, 0.4]},
        tags=("bandits", "continuing", "stochastic", "memoryless"),
    ),
    EnvironmentRow(
        name="aixi/DriftingBandit-v0",
        summary="stay with the arm that pays while it pays",
        entry_point="aixi.environments.bandits.drifting:Drifting",
        rewards=(0.0, 1.0),
        random=Anchor(0.5, _EXACT),
        constant=Anchor(0.5, _EXACT),
        best=Anchor(0.725, _BEST),
        tags=("bandits", "continuing", "stochastic", "memory", "information"),
    ),
    EnvironmentRow(
        name="aixi/FastDriftingBandit-v0",
        summary="stay with the arm that pays, for a short while",
        entry_point="aixi.environments.bandits.drifting:Drifting",
        rewards=(0.0, 1.0),
        random=Anchor(0.5, _EXACT),
        constant=Anchor(0.5, _EXACT),
        best=Anchor(0.65, _BEST),
        kwargs={"switch": 0.2},
        tags=("bandits", "continuing", "stochastic", "memory", "information"),
    ),
)
