"""Memory: what was seen a while ago tells what to do now."""

from aixi.environments.row import Anchor, EnvironmentRow

_EXACT = "exact: long-run average of the environment's own Markov chain"
_BEST = "exact: best long-run average over beliefs on the environment's own transitions"

ROWS = (
    EnvironmentRow(
        name="aixi/TMaze-v0",
        summary="turn as the sign at the entrance told",
        entry_point="aixi.environments.memory.t_maze:TMaze",
        rewards=(-0.1, 0.0, 4.0),
        random=Anchor(-0.0298611111, _EXACT),
        constant=Anchor(-0.1, _EXACT),
        best=Anchor(0.6666666667, _BEST),
        tags=("memory", "continuing", "stochastic", "planning"),
    ),
    EnvironmentRow(
        name="aixi/LongTMaze-v0",
        summary="turn as the sign at the entrance of a long corridor told",
        entry_point="aixi.environments.memory.t_maze:TMaze",
        rewards=(-0.1, 0.0, 4.0),
        random=Anchor(-0.0500566893, _EXACT),
        constant=Anchor(-0.1, _EXACT),
        best=Anchor(0.1904761905, _BEST),
        kwargs={"length": 20},
        tags=("memory", "continuing", "stochastic", "planning"),
    ),
    EnvironmentRow(
        name="aixi/RepeatPrevious-v0",
        summary="say what was shown three cycles ago",
        entry_point="aixi.environments.memory.repeat_previous:RepeatPrevious",
        rewards=(0.0, 1.0),
        random=Anchor(0.25, _EXACT),
        constant=Anchor(0.25, _EXACT),
        best=Anchor(1.0, _BEST),
        tags=("memory", "continuing", "stochastic"),
    ),
    EnvironmentRow(
        name="aixi/RepeatLast-v0",
        summary="say which bit was shown a cycle ago",
        entry_point="aixi.environments.memory.repeat_previous:RepeatPrevious",
        rewards=(0.0, 1.0),
        random=Anchor(0.5, _EXACT),
        constant=Anchor(0.5, _EXACT),
        best=Anchor(1.0, _BEST),
        kwargs={"delay": 1, "symbols": 2},
        tags=("memory", "continuing", "stochastic"),
    ),
)
