"""The one table of environments: entry point, arguments, rewards and anchors of each.

Importing `aixi.environments` registers every row of our own with Gymnasium, so that `gymnasium.make` knows
it too. An environment of a third party needs one file and one call of `register`.

Anchors are rewards per cycle in the long run. Where a source says "exact", `benchmarks/optima.py` has
computed the value; `benchmarks/results/optima.json` holds all of them in full.
"""

import math
from dataclasses import dataclass, field, replace
from typing import Any

import gymnasium

from aixi.errors import require
from aixi.registry import Registry


@dataclass(frozen=True)
class Anchor:
    """A known level of performance in one environment.

    Attributes:
        value: long-run average reward per cycle.
        source: where the value comes from, for the reader of a report.
    """

    value: float
    source: str

    def __post_init__(self) -> None:
        require(math.isfinite(self.value), f"an anchor's value must be finite, got {self.value}")


@dataclass(frozen=True)
class EnvironmentRow:
    """What the suite has to know of one environment.

    Attributes:
        name: its Gymnasium id.
        summary: one line for people.
        entry_point: `module:class`, not imported before it is needed.
        rewards: every reward that one cycle can give under `kwargs`, ascending.
        random: anchor of uniformly random actions.
        constant: anchor of the best constant action.
        best: anchor of the best known policy; above `random`.
        kwargs: arguments of the class, plain JSON values.
        tags: what it tests, for selections.
        episodic: whether episodes end; a continuing environment neither terminates nor truncates.
    """

    name: str
    summary: str
    entry_point: str
    rewards: tuple[float, ...]
    random: Anchor
    constant: Anchor
    best: Anchor
    kwargs: dict[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    episodic: bool = False

    def __post_init__(self) -> None:
        ascending = bool(self.rewards) and self.rewards == tuple(sorted(set(self.rewards)))
        require(ascending, f"rewards of {self.name} must be ascending and at least one, got {self.rewards}")
        require(
            self.random.value < self.best.value,
            f"the best anchor of {self.name} must be above the random one, "
            f"got {self.best.value} and {self.random.value}",
        )

    @property
    def low(self) -> float:
        """The least reward of one cycle."""
        return self.rewards[0]

    @property
    def high(self) -> float:
        """The greatest reward of one cycle."""
        return self.rewards[-1]


ENVIRONMENTS: Registry[EnvironmentRow] = Registry("environment")


def register(row: EnvironmentRow) -> None:
    """Adds a row to the table, and to Gymnasium's registry unless that holds the same environment already.

    Gymnasium's checking wrappers are left out: whoever runs the environment checks each percept itself.
    """
    ENVIRONMENTS.register(row)
    known = gymnasium.registry.get(row.name)
    if known is None or (known.entry_point, known.kwargs) != (row.entry_point, row.kwargs):
        gymnasium.register(
            row.name,
            row.entry_point,
            order_enforce=False,
            disable_env_checker=True,
            kwargs=dict(row.kwargs),
        )


def make(name: str, **kwargs: Any) -> gymnasium.Env[Any, Any]:
    """Makes an environment of the table, with no wrapper but the time limit it may declare.

    Args:
        name: id of a row.
        kwargs: arguments of the class, on top of the row's; `render_mode` is one of them.

    Raises:
        UnknownNameError: if the table has no such row.

    Example:
        >>> import aixi.environments
        >>> env = aixi.environments.make("aixi/CoinFlip-v0", probability=0.9)
        >>> env.unwrapped.probability
        0.9
    """
    row = ENVIRONMENTS[name]
    spec = gymnasium.spec(row.name)
    # Gymnasium's order and percept checks cost more than most dynamics here, and the runner checks anyway.
    return gymnasium.make(replace(spec, order_enforce=False), disable_env_checker=True, **kwargs)


_EXACT = "exact: average over the limiting distribution of the environment's own Markov chain"
_BEST = "exact: value iteration over beliefs on the environment's own transitions"
_PLAYED = "200,000 cycles played with seed 2011, 95 % interval of"
_LAKE = "exact: reward per episode over cycles per episode, from the environment's own table"

_ROWS = (
    EnvironmentRow(
        name="aixi/CoinFlip-v0",
        summary="bet on a biased coin",
        entry_point="aixi.environments.jair.coin_flip:CoinFlip",
        rewards=(0.0, 1.0),
        random=Anchor(0.5, _EXACT),
        constant=Anchor(0.8, _EXACT),
        best=Anchor(0.8, _BEST),
        tags=("jair", "continuing", "stochastic", "memoryless"),
    ),
    EnvironmentRow(
        name="aixi/Maze1D-v0",
        summary="find the goal in a corridor, blind",
        entry_point="aixi.environments.jair.maze_1d:Maze1D",
        rewards=(0.0, 1.0),
        random=Anchor(0.25, _EXACT),
        constant=Anchor(0.0, _EXACT),
        best=Anchor(0.5, _BEST),
        tags=("jair", "continuing", "planning", "memory"),
    ),
    EnvironmentRow(
        name="aixi/CheeseMaze-v0",
        summary="find the cheese by the walls around you",
        entry_point="aixi.environments.jair.cheese_maze:CheeseMaze",
        rewards=(-10.0, -1.0, 10.0),
        random=Anchor(-5.75, _EXACT),
        constant=Anchor(-10.0, _EXACT),
        best=Anchor(1.5581395349, _BEST),
        tags=("jair", "continuing", "planning", "memory"),
    ),
    EnvironmentRow(
        name="aixi/Tiger-v0",
        summary="listen before you open one of two doors",
        entry_point="aixi.environments.jair.tiger:Tiger",
        rewards=(-100.0, -1.0, 10.0),
        random=Anchor(-30.3333333333, _EXACT),
        constant=Anchor(-1.0, _EXACT),
        best=Anchor(1.0837887068, _BEST),
        tags=("jair", "continuing", "stochastic", "memory", "information"),
    ),
    EnvironmentRow(
        name="aixi/ExtendedTiger-v0",
        summary="listen sitting, open a door standing",
        entry_point="aixi.environments.jair.extended_tiger:ExtendedTiger",
        rewards=(-100.0, -1.0, 30.0),
        random=Anchor(-6.6666666667, _EXACT),
        constant=Anchor(-1.0, _EXACT),
        best=Anchor(4.7793696275, _BEST),
        tags=("jair", "continuing", "stochastic", "memory", "information", "planning"),
    ),
    EnvironmentRow(
        name="aixi/Grid4x4-v0",
        summary="find the corner of a square, blind",
        entry_point="aixi.environments.jair.grid:Grid4x4",
        rewards=(0.0, 1.0),
        random=Anchor(0.0205078125, _EXACT),
        constant=Anchor(0.0, _EXACT),
        best=Anchor(0.2419354839, _BEST),
        tags=("jair", "continuing", "planning", "memory"),
    ),
    EnvironmentRow(
        name="aixi/TicTacToe-v0",
        summary="beat a random player at tic-tac-toe",
        entry_point="aixi.environments.jair.tic_tac_toe:TicTacToe",
        rewards=(-3.0, -2.0, 0.0, 1.0, 2.0),
        random=Anchor(-0.7892318318, _EXACT),
        constant=Anchor(-1.5, _EXACT),
        best=Anchor(0.6288998358, _BEST),
        tags=("jair", "continuing", "stochastic", "game", "planning"),
    ),
    EnvironmentRow(
        name="aixi/BiasedRockPaperScissors-v0",
        summary="beat a player with a lucky rock",
        entry_point="aixi.environments.jair.rock_paper_scissors:BiasedRockPaperScissors",
        rewards=(-1.0, 0.0, 1.0),
        random=Anchor(0.0, _EXACT),
        constant=Anchor(0.0, _EXACT),
        best=Anchor(0.25, _BEST),
        tags=("jair", "continuing", "stochastic", "game", "planning"),
    ),
    EnvironmentRow(
        name="aixi/KuhnPoker-v0",
        summary="play poker with three cards against an equilibrium",
        entry_point="aixi.environments.jair.kuhn_poker:KuhnPoker",
        rewards=(-2.0, -1.0, 1.0, 2.0),
        random=Anchor(-0.1333333333, _EXACT),
        constant=Anchor(-0.1111111111, _EXACT),
        best=Anchor(0.0555555556, _BEST),
        tags=("jair", "continuing", "stochastic", "game"),
    ),
    EnvironmentRow(
        name="aixi/Pacman-v0",
        summary="gather pellets and flee ghosts, seeing sixteen bits",
        entry_point="aixi.environments.jair.pacman:Pacman",
        rewards=(-60.0, -51.0, -41.0, -10.0, -1.0, 9.0, 59.0, 109.0),
        random=Anchor(-4.79509, f"{_PLAYED} +-0.031"),
        constant=Anchor(-9.85691, f"{_PLAYED} +-0.008"),
        best=Anchor(
            2.49695,
            f"{_PLAYED} +-0.051: not an optimum, but a player that is shown the whole game (PacmanExpert)",
        ),
        tags=("jair", "continuing", "stochastic", "planning", "memory", "information"),
    ),
    EnvironmentRow(
        name="FrozenLake-v1",
        summary="cross a slippery lake without falling in",
        entry_point="gymnasium.envs.toy_text.frozen_lake:FrozenLakeEnv",
        rewards=(0.0, 1.0),
        random=Anchor(0.0018168276, _LAKE),
        constant=Anchor(0.0093717459, _LAKE),
        best=Anchor(0.0179736208, f"{_LAKE}, by bisection over backward induction on 100 cycles"),
        kwargs={"map_name": "4x4"},
        tags=("gymnasium", "stochastic", "planning"),
        episodic=True,
    ),
    # Variants that no suite scores: configurations are searched on them (suite `tuning`).
    EnvironmentRow(
        name="aixi/HeldOutCoinFlip-v0",
        summary="bet on a coin biased the other way",
        entry_point="aixi.environments.jair.coin_flip:CoinFlip",
        rewards=(0.0, 1.0),
        random=Anchor(0.5, _EXACT),
        constant=Anchor(0.65, _EXACT),
        best=Anchor(0.65, _BEST),
        kwargs={"probability": 0.35},
        tags=("held-out", "continuing", "stochastic", "memoryless"),
    ),
    EnvironmentRow(
        name="aixi/HeldOutMaze1D-v0",
        summary="find the goal in a longer corridor, blind",
        entry_point="aixi.environments.jair.maze_1d:Maze1D",
        rewards=(0.0, 1.0),
        random=Anchor(0.0833333333, _EXACT),
        constant=Anchor(0.0, _EXACT),
        best=Anchor(0.3076923077, _BEST),
        kwargs={"maze": "..-.*."},
        tags=("held-out", "continuing", "planning", "memory"),
    ),
    EnvironmentRow(
        name="aixi/HeldOutCheeseMaze-v0",
        summary="find the cheese in a ring by the walls around you",
        entry_point="aixi.environments.jair.cheese_maze:CheeseMaze",
        rewards=(-10.0, -1.0, 10.0),
        random=Anchor(-4.9392523364, _EXACT),
        constant=Anchor(-10.0, _EXACT),
        best=Anchor(2.8823529412, _BEST),
        kwargs={"maze": ".....\n.#*#.\n....."},
        tags=("held-out", "continuing", "planning", "memory"),
    ),
    EnvironmentRow(
        name="aixi/HeldOutTiger-v0",
        summary="listen through a thicker door to a smaller tiger",
        entry_point="aixi.environments.jair.tiger:Tiger",
        rewards=(-20.0, -1.0, 5.0),
        random=Anchor(-5.3333333333, _EXACT),
        constant=Anchor(-1.0, _EXACT),
        best=Anchor(-0.1666666666, _BEST),
        kwargs={"accuracy": 0.75, "tiger_reward": -20.0, "gold_reward": 5.0},
        tags=("held-out", "continuing", "stochastic", "memory", "information"),
    ),
    EnvironmentRow(
        name="aixi/HeldOutKuhnPoker-v0",
        summary="play poker with three cards against another equilibrium",
        entry_point="aixi.environments.jair.kuhn_poker:KuhnPoker",
        rewards=(-2.0, -1.0, 1.0, 2.0),
        random=Anchor(-0.1111111111, _EXACT),
        constant=Anchor(-0.1111111111, _EXACT),
        best=Anchor(0.0555555556, _BEST),
        kwargs={"gamma": 0.5},
        tags=("held-out", "continuing", "stochastic", "game"),
    ),
)

for _row in _ROWS:
    register(_row)
