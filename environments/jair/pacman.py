"""Partially observable Pacman: an arcade game seen through sixteen bits."""

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

MAZE = """
#################
#o......#......o#
#.##.##.#.##.##.#
#...............#
#.##.#.###.#.##.#
#....#..#..#....#
####.##.#.##.####
#...............#
#.##.##GGG##.##.#
#....###G###....#
####.#######.####
#.......#.......#
#.##.##.#.##.##.#
#o.#....P....#.o#
##.#.#.###.#.#.##
##...#.....#...##
#################
"""


class Pacman(gymnasium.Env[NDArray[np.int8], np.int64]):
    """Pacman gathers pellets in a maze with four ghosts, and sees only what lies around and straight ahead.

    ## Description
    Veness et al. (2011, section 7). Ghosts roam at random. One that comes within `chase_distance` of
    Pacman (Manhattan) heads for it for `chase_cycles`, then roams for at least `rest_cycles`. A power pill
    makes Pacman safe for a while: ghosts then only roam, and one that it meets is sent home.

    ## Action Space
    `Discrete(4)`: 0 left, 1 up, 2 right, 3 down. A move into a wall has no effect on the position.

    ## Observation Space
    `MultiBinary(16)`: four bits whether there is a wall, four whether a ghost is in line of sight, three
    whether there is a pellet within Manhattan distance 2, 3 and 4, four whether a pellet is in line of
    sight, and one whether a power pill works. Directions come in the order of the actions.

    ## Starting State
    Pacman on its start cell, the ghosts at home, every pill there, and on every other free cell a pellet with
    probability `pellet_probability` (drawn again should there be none at all).

    ## Rewards
    The sum of -1 for a move or -10 for bumping into a wall, 10 for a pellet, 100 for the last pellet, and
    -50 for meeting a ghost without a working pill. Pacman moves and eats first, then ghosts move unless it
    is caught already.

    ## Episode End
    Never. When Pacman is caught or all pellets are eaten, the game starts anew in the same cycle, and the
    observation shows the new game.

    ## Arguments
    `maze`: the map as lines of equal length with a closed border, `#` a wall, `.` a cell for a pellet, `o`
    a pill, `P` Pacman's start (exactly one), `G` a ghost's home (a ghost each). `pellet_probability` in (0,
    1], 0.5 in the paper, as `chase_distance`, 5. `chase_cycles` (10), `rest_cycles` (10) and `power_cycles`
    (15, with the one in which the pill is eaten), at least 0: the paper does not say them, nor how its map
    is drawn, what a pill does, or how a ghost chases; here it takes a step that brings it nearest in
    Manhattan distance.

    ## Version History
    v0: first version.

    Example:
        >>> env = Pacman()
        >>> env.reset(seed=0)[0]
        array([0, 1, 0, 1, 0, 0, 0, 0, 1, 1, 1, 1, 0, 1, 0, 0], dtype=int8)
        >>> env.step(np.int64(1))[1]
        -10.0
    """

    metadata: dict[str, Any] = gymnasium.Env.metadata | {
        "render_modes": ["ansi", "rgb_array"],
        "render_fps": 8,
    }

    def __init__(
        self,
        maze: str = MAZE,
        pellet_probability: float = 0.5,
        chase_distance: int = 5,
        chase_cycles: int = 10,
        rest_cycles: int = 10,
        power_cycles: int = 15,
        render_mode: str | None = None,
    ) -> None:
        lines = maze.split()
        marks = "".join(lines)
        if len({len(line) for line in lines}) != 1 or set(marks) - set("#.oPG"):
            raise ValueError(f"maze must be lines of equal length of '#', '.', 'o', 'P' and 'G', got {maze!r}")
        if set(lines[0] + lines[-1] + "".join(line[0] + line[-1] for line in lines)) != {"#"}:
            raise ValueError(f"maze must have a closed border of '#', got {maze!r}")
        if marks.count("P") != 1 or "." not in marks:
            raise ValueError(f"maze must have exactly one 'P' and at least one '.', got {maze!r}")
        if not 0 < pellet_probability <= 1:
            raise ValueError(f"pellet_probability must be in (0, 1], got {pellet_probability}")
        counts = {
            "chase_distance": chase_distance,
            "chase_cycles": chase_cycles,
            "rest_cycles": rest_cycles,
            "power_cycles": power_cycles,
        }
        for name, count in counts.items():
            if not count >= 0:
                raise ValueError(f"{name} must be at least 0, got {count}")
        self.pellet_probability = pellet_probability
        self.chase_distance = chase_distance
        self.chase_cycles = chase_cycles
        self.rest_cycles = rest_cycles
        self.power_cycles = power_cycles
        self.render_mode = render_mode
        self.observation_space = gymnasium.spaces.MultiBinary(16)
        self.action_space = gymnasium.spaces.Discrete(4)

        # A cell is its place in the text of the map.
        self.maze = "\n".join(lines)
        self.width = len(lines[0]) + 1
        self.moves = (-1, -self.width, 1, self.width)
        cells = [cell for cell, mark in enumerate(self.maze) if mark not in "#\n"]
        self.start = self.maze.index("P")
        self.homes = [cell for cell in cells if self.maze[cell] == "G"]
        self.pill_cells = [cell for cell in cells if self.maze[cell] == "o"]
        self.pellet_cells = [cell for cell in cells if self.maze[cell] == "."]
        self.exits = {cell: [cell + move for move in self.moves if self.maze[cell + move] != "#"] for cell in cells}
        self.rays = {cell: [self._ray(cell, move) for move in self.moves] for cell in cells}
        self.near = {
            cell: [{other for other in cells if self._distance(cell, other) <= reach} for reach in (2, 3, 4)]
            for cell in cells
        }
        self._place()

    def _ray(self, cell: int, move: int) -> set[int]:
        seen = set()
        while self.maze[cell + move] != "#":
            cell += move
            seen.add(cell)
        return seen

    def _distance(self, cell: int, other: int) -> int:
        rows = cell // self.width - other // self.width
        columns = cell % self.width - other % self.width
        return abs(rows) + abs(columns)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.int8], dict[str, Any]]:
        super().reset(seed=seed)
        self._restart()
        return self._observation(), {}

    def _place(self) -> None:
        self.cell = self.start
        self.ghosts = list(self.homes)
        self.clocks = [0] * len(self.homes)
        self.pills = set(self.pill_cells)
        self.pellets: set[int] = set()
        self.power = 0

    def _restart(self) -> None:
        self._place()
        while not self.pellets:
            chances = self.np_random.random(len(self.pellet_cells)) < self.pellet_probability
            self.pellets = {cell for cell, chosen in zip(self.pellet_cells, chances, strict=True) if chosen}

    def _observation(self) -> NDArray[np.int8]:
        bits = [self.maze[self.cell + move] == "#" for move in self.moves]
        bits += [not ray.isdisjoint(self.ghosts) for ray in self.rays[self.cell]]
        bits += [not near.isdisjoint(self.pellets) for near in self.near[self.cell]]
        bits += [not ray.isdisjoint(self.pellets) for ray in self.rays[self.cell]]
        return np.array([*bits, self.power > 0], np.int8)

    def step(self, action: np.int64) -> tuple[NDArray[np.int8], float, bool, bool, dict[str, Any]]:
        self.power = max(self.power - 1, 0)
        target = self.cell + self.moves[action]
        if self.maze[target] == "#":
            reward = -10.0
        else:
            reward = -1.0
            self.cell = target
        if self.cell in self.pills:
            self.pills.remove(self.cell)
            self.power = self.power_cycles
        if self.cell in self.pellets:
            self.pellets.remove(self.cell)
            reward += 10 if self.pellets else 110
        caught = self._meets_ghost()
        if not caught:
            self._move_ghosts()
            caught = self._meets_ghost()
        if caught:
            reward -= 50
        if caught or not self.pellets:
            self._restart()
        return self._observation(), reward, False, False, {}

    def _meets_ghost(self) -> bool:
        if self.cell not in self.ghosts:
            return False
        if not self.power:
            return True
        for ghost, home in enumerate(self.homes):
            if self.ghosts[ghost] == self.cell:
                self.ghosts[ghost] = home
        return False

    def _move_ghosts(self) -> None:
        chances = self.np_random.random(len(self.ghosts))
        for ghost, cell in enumerate(self.ghosts):
            if not self.clocks[ghost] and self._distance(cell, self.cell) <= self.chase_distance:
                self.clocks[ghost] = self.chase_cycles + self.rest_cycles
            options = self.exits[cell]
            if self.clocks[ghost] > self.rest_cycles and not self.power:
                distances = [self._distance(option, self.cell) for option in options]
                nearest = min(distances)
                options = [option for option, distance in zip(options, distances, strict=True) if distance == nearest]
            self.ghosts[ghost] = options[int(chances[ghost] * len(options))]
            self.clocks[ghost] = max(self.clocks[ghost] - 1, 0)

    def render(self) -> Any:
        text = ["#" if mark == "#" else "\n" if mark == "\n" else " " for mark in self.maze]
        for mark, cells in (
            (".", self.pellets),
            ("o", self.pills),
            ("g" if self.power else "G", self.ghosts),
        ):
            for cell in cells:
                text[cell] = mark
        text[self.cell] = "P"
        if self.render_mode == "ansi":
            return "".join(text)
        from aixi.environments.rendering import picture

        return picture("".join(text))
