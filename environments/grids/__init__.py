"""Maps of tiles: dispensers, traps, portals and noise."""

from aixi.environments.row import Anchor, EnvironmentRow

_ENTRY = "aixi.environments.grids.tile_grid:TileGrid"
_EXACT = "exact: average over the limiting distribution of the environment's own Markov chain"
_BEST = "exact: value iteration over beliefs on the environment's own transitions"
_TAGS = ("grids", "continuing", "planning")

ROWS = (
    EnvironmentRow(
        name="aixi/TileRooms-v0",
        summary="find the middle of four rooms from any corner",
        entry_point=_ENTRY,
        rewards=(0.0, 1.0),
        random=Anchor(0.0166666667, _EXACT),
        constant=Anchor(0.0, _EXACT),
        best=Anchor(0.25, _BEST),
        kwargs={"tiles": "S.#.S\n..#..\n#.*.#\n..#..\nS.#.S"},
        tags=(*_TAGS, "stochastic"),
    ),
    EnvironmentRow(
        name="aixi/TileTrap-v0",
        summary="take the long way round a trap",
        entry_point=_ENTRY,
        rewards=(-1.0, 0.0, 1.0),
        random=Anchor(-0.0095238095, _EXACT),
        constant=Anchor(0.0, _EXACT),
        best=Anchor(0.1428571429, _BEST),
        kwargs={"tiles": "S.X*\n.##.\n...."},
        tags=_TAGS,
    ),
    EnvironmentRow(
        name="aixi/TileNoise-v0",
        summary="pass by a screen of noise on the way to a dispenser",
        entry_point=_ENTRY,
        rewards=(0.0, 1.0),
        random=Anchor(0.0084745763, _EXACT),
        constant=Anchor(0.0, _EXACT),
        best=Anchor(0.1666666667, _BEST),
        kwargs={"tiles": "S..?\n.#.#\nS#.*"},
        tags=(*_TAGS, "stochastic", "information"),
    ),
    EnvironmentRow(
        name="aixi/TilePortal-v0",
        summary="leave a room by a portal, for there is no door",
        entry_point=_ENTRY,
        rewards=(0.0, 1.0),
        random=Anchor(0.0216294160, _EXACT),
        constant=Anchor(0.0, _EXACT),
        best=Anchor(0.2307692308, _BEST),
        kwargs={"tiles": "S.O#..\n..S#.*\nS..#O."},
        tags=(*_TAGS, "stochastic"),
    ),
    EnvironmentRow(
        name="aixi/TileWorld-v0",
        summary="cross noise and a portal, and go round a trap, to a dispenser",
        entry_point=_ENTRY,
        rewards=(-1.0, 0.0, 1.0),
        random=Anchor(-0.0024183797, _EXACT),
        constant=Anchor(0.0, _EXACT),
        best=Anchor(0.1428571429, _BEST),
        kwargs={"tiles": "S.?#.X*\n.#..#..\nS.O#O?."},
        tags=(*_TAGS, "stochastic", "information"),
    ),
)
