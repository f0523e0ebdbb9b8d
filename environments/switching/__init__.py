"""Tasks whose rule changes, unseen."""

from aixi.environments.row import Anchor, EnvironmentRow

_ENTRY = "aixi.environments.switching.switching:Switching"
_EXACT = "exact: average over the limiting distribution of the environment's own Markov chain"
_BEST = "exact: value iteration over beliefs on the environment's own transitions"
_TAGS = ("switching", "continuing", "stochastic", "memory")

ROWS = (
    EnvironmentRow(
        name="aixi/Switching-v0",
        summary="take the good one of two sides, which changes now and then",
        entry_point=_ENTRY,
        rewards=(0.0, 1.0),
        random=Anchor(0.5, _EXACT),
        constant=Anchor(0.5, _EXACT),
        best=Anchor(0.9, _BEST),
        tags=_TAGS,
    ),
    EnvironmentRow(
        name="aixi/SwitchingBlocks-v0",
        summary="take the good one of two sides, which changes after every tenth cycle or does not",
        entry_point=_ENTRY,
        rewards=(0.0, 1.0),
        random=Anchor(0.5, _EXACT),
        constant=Anchor(0.5, _EXACT),
        best=Anchor(0.95, _BEST),
        kwargs={"period": 10, "probability": 0.5},
        tags=_TAGS,
    ),
    EnvironmentRow(
        name="aixi/SwitchingCues-v0",
        summary="answer a cue by itself or by its opposite, which changes now and then",
        entry_point=_ENTRY,
        rewards=(0.0, 1.0),
        random=Anchor(0.5, _EXACT),
        constant=Anchor(0.5, _EXACT),
        best=Anchor(0.95, _BEST),
        kwargs={"cues": 2, "probability": 0.05},
        tags=_TAGS,
    ),
    EnvironmentRow(
        name="aixi/CardSorting-v0",
        summary="answer three cues by three rules, the next one after every tenth cycle",
        entry_point=_ENTRY,
        rewards=(0.0, 1.0),
        random=Anchor(0.3333333333, _EXACT),
        constant=Anchor(0.3333333333, _EXACT),
        best=Anchor(1.0, _BEST),
        kwargs={"answers": 3, "cues": 3, "period": 10, "probability": 1.0},
        tags=_TAGS,
    ),
)
