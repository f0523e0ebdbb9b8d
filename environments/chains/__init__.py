"""Chains of states, at whose far end the reward is that makes persistence worth while."""

from aixi.environments.row import Anchor, EnvironmentRow

_EXACT = "exact: long-run average of the environment's own Markov chain"
_BEST = "exact: best long-run average over beliefs on the environment's own transitions"

ROWS = (
    EnvironmentRow(
        name="aixi/RiverSwim-v0",
        summary="swim against the current to a large reward",
        entry_point="aixi.environments.chains.river_swim:RiverSwim",
        rewards=(0.0, 5.0, 10000.0),
        random=Anchor(2.8855494795, _EXACT),
        constant=Anchor(668.8073394495, _EXACT),
        best=Anchor(668.8073394495, _BEST),
        tags=("chains", "continuing", "stochastic", "planning", "exploration"),
    ),
    EnvironmentRow(
        name="aixi/DeepSea-v0",
        summary="dive four rows to a treasure",
        entry_point="aixi.environments.chains.deep_sea:DeepSea",
        rewards=(-0.0025, 0.0, 0.9975),
        random=Anchor(0.014375, _EXACT),
        constant=Anchor(0.0, _EXACT),
        best=Anchor(0.2475, _BEST),
        tags=("chains", "continuing", "planning", "exploration"),
    ),
    EnvironmentRow(
        name="aixi/DeepSea8-v0",
        summary="dive eight rows to a treasure",
        entry_point="aixi.environments.chains.deep_sea:DeepSea",
        rewards=(-0.00125, 0.0, 0.99875),
        random=Anchor(-0.0001367187, _EXACT),
        constant=Anchor(0.0, _EXACT),
        best=Anchor(0.12375, _BEST),
        kwargs={"right": "01101001"},
        tags=("chains", "continuing", "planning", "exploration"),
    ),
)
