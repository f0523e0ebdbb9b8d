"""Puzzles that reward nothing but the right conclusion."""

from aixi.environments.row import Anchor, EnvironmentRow

_ENTRY = "aixi.environments.reasoning.countdown:Countdown"
_EXACT = "exact: average over every start and every way to combine it"
_CONSTANT = f"{_EXACT}; where the action is not allowed, the first that is"
_BEST = "exact: every target can be reached, in the cycles that an episode has at the least"
_TAGS = ("reasoning", "stochastic", "planning", "mask")

ROWS = (
    EnvironmentRow(
        name="aixi/Countdown-v0",
        summary="make a target of three numbers",
        entry_point=_ENTRY,
        rewards=(0.0, 1.0),
        random=Anchor(0.0791327104, _EXACT),
        constant=Anchor(0.1001425776, _CONSTANT),
        best=Anchor(0.5, _BEST),
        tags=_TAGS,
        episodic=True,
        mask="aixi.environments.reasoning.masks:allowed",
        mask_part="1",
    ),
    EnvironmentRow(
        name="aixi/CountdownFour-v0",
        summary="make a target of four numbers",
        entry_point=_ENTRY,
        rewards=(0.0, 1.0),
        random=Anchor(0.0270232128, _EXACT),
        constant=Anchor(0.0340369575, _CONSTANT),
        best=Anchor(0.3333333333, _BEST),
        kwargs={"numbers": 4},
        tags=_TAGS,
        episodic=True,
        mask="aixi.environments.reasoning.masks:allowed",
        mask_part="1",
    ),
)
