"""Repeated matrix games against opponents that remember what was played."""

from aixi.environments.row import Anchor, EnvironmentRow

_ENTRY = "aixi.environments.games.repeated_game:RepeatedGame"
_EXACT = "exact: average over the limiting distribution of the environment's own Markov chain"
_BEST = "exact: value iteration over beliefs on the environment's own transitions"
_TAGS = ("games", "continuing", "game", "memory")

ROWS = (
    EnvironmentRow(
        name="aixi/PrisonersDilemma-v0",
        summary="cooperate with one who does unto you as you did",
        entry_point=_ENTRY,
        rewards=(0.0, 1.0, 3.0, 5.0),
        random=Anchor(2.25, _EXACT),
        constant=Anchor(3.0, _EXACT),
        best=Anchor(3.0, _BEST),
        tags=_TAGS,
    ),
    EnvironmentRow(
        name="aixi/GrimTrigger-v0",
        summary="never defect on one who forgives a tenth of the time",
        entry_point=_ENTRY,
        rewards=(0.0, 1.0, 3.0, 5.0),
        random=Anchor(1.1363636364, _EXACT),
        constant=Anchor(3.0, _EXACT),
        best=Anchor(3.0, _BEST),
        kwargs={"opponent": [1, 0.1, 0.1, 0.1]},
        tags=(*_TAGS, "stochastic", "planning"),
    ),
    EnvironmentRow(
        name="aixi/TitForTwoTats-v0",
        summary="exploit one who answers only the second defection in a row",
        entry_point=_ENTRY,
        rewards=(0.0, 1.0, 3.0, 5.0),
        random=Anchor(3.125, _EXACT),
        constant=Anchor(3.0, _EXACT),
        best=Anchor(4.0, _BEST),
        kwargs={"opponent": [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1, 0, 0]},
        tags=_TAGS,
    ),
    EnvironmentRow(
        name="aixi/MatchingPennies-v0",
        summary="match the penny of one who stays after a win and shifts after a loss, mostly",
        entry_point=_ENTRY,
        rewards=(-1.0, 1.0),
        random=Anchor(0.0, _EXACT),
        constant=Anchor(-0.6, _EXACT),
        best=Anchor(0.6, _BEST),
        kwargs={"payoffs": [1, -1, -1, 1], "opponent": [0.2, 0.2, 0.8, 0.8]},
        tags=(*_TAGS, "stochastic"),
    ),
    EnvironmentRow(
        name="aixi/PatternPennies-v0",
        summary="match the penny of one who expects what you did two rounds ago, mostly",
        entry_point=_ENTRY,
        rewards=(-1.0, 1.0),
        random=Anchor(0.0, _EXACT),
        constant=Anchor(-0.6, _EXACT),
        best=Anchor(0.6, _BEST),
        kwargs={
            "payoffs": [1, -1, -1, 1],
            "opponent": [0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8],
        },
        tags=(*_TAGS, "stochastic"),
    ),
    EnvironmentRow(
        name="aixi/StagHunt-v0",
        summary="hunt stags with one who trusts who has hunted them twice in a row",
        entry_point=_ENTRY,
        rewards=(0.0, 3.0, 4.0),
        random=Anchor(2.1, _EXACT),
        constant=Anchor(3.6, _EXACT),
        best=Anchor(3.6, _BEST),
        kwargs={
            "payoffs": [4, 0, 3, 3],
            "opponent": [0.9, 0.9, 0.1, 0.1, 0.9, 0.9, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1],
        },
        tags=(*_TAGS, "stochastic", "planning"),
    ),
)
