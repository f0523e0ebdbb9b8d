"""A player of `aixi/Pacman-v0` that is shown the whole game: where every ghost, pellet and pill is.

It stands for the best known value of that world until a better one is known. Each cycle it looks through
every walk of a few moves, with ghosts on the hunt taking the steps they would take, and ghosts that roam
spread over the cells where they may be by then; at a walk's end it counts the way to the nearest pellet.
"""

from collections import deque
from functools import cached_property

from aixi.environments.jair.pacman import Pacman


class PacmanExpert:
    """Chooses actions in games on one map; what it needs to know of the map is worked out at the first move.

    The defaults were found by trial, on seeds other than the one whose result is reported.

    Args:
        depth: moves that a walk looks ahead.
        patience: what a reward is worth one cycle later, in (0, 1].
        hunger: what each cell on the way to the nearest pellet costs at the end of a walk.
        fear: what being caught costs in the search; the game itself takes 50.
    """

    def __init__(self, depth: int = 4, patience: float = 0.85, hunger: float = 0.6, fear: float = 60.0) -> None:
        self.depth = depth
        self.patience = patience
        self.hunger = hunger
        self.fear = fear
        self.game = Pacman()

    @cached_property
    def paths(self) -> dict[int, dict[int, int]]:
        """Lengths of the shortest ways between any two cells."""
        return {cell: self._paths_from(cell) for cell in self.game.exits}

    def _paths_from(self, cell: int) -> dict[int, int]:
        lengths = {cell: 0}
        queue = deque([cell])
        while queue:
            here = queue.popleft()
            for there in self.game.exits[here]:
                if there not in lengths:
                    lengths[there] = lengths[here] + 1
                    queue.append(there)
        return lengths

    @cached_property
    def roams(self) -> dict[int, list[dict[int, float]]]:
        """For each cell, the probability of each cell for a ghost that roams from it 0, 1, 2 ... cycles."""
        return {cell: self._roams_from(cell) for cell in self.game.exits}

    def _roams_from(self, cell: int) -> list[dict[int, float]]:
        spread = [{cell: 1.0}]
        for _ in range(self.depth):
            after: dict[int, float] = {}
            for here, mass in spread[-1].items():
                for there in self.game.exits[here]:
                    after[there] = after.get(there, 0.0) + mass / len(self.game.exits[here])
            spread.append(after)
        return spread

    def act(self, game: Pacman) -> int:
        """Returns the first action of the best walk."""
        self.game = game
        hunters, roamers = [], []
        for cell, clock in zip(game.ghosts, game.clocks, strict=True):
            near = game._distance(cell, game.cell) <= game.chase_distance + 1
            left = clock - game.rest_cycles if clock else near * game.chase_cycles
            if left > 0:
                hunters.append((cell, left))
            else:
                roamers.append(self.roams[cell])
        # A cell that ghosts may have come to by then, to the probability of meeting one there.
        self.hazards: list[dict[int, float]] = []
        for cycle in range(self.depth + 1):
            hazard: dict[int, float] = {}
            for roamer in roamers:
                for cell, mass in roamer[cycle].items():
                    hazard[cell] = 1 - (1 - hazard.get(cell, 0.0)) * (1 - mass)
            self.hazards.append(hazard)
        _, target = self._walk(game.cell, 0, hunters, game.power, frozenset())
        return game.moves.index(target - game.cell)

    def _walk(
        self, cell: int, cycle: int, hunters: list[tuple[int, int]], power: int, eaten: frozenset[int]
    ) -> tuple[float, int]:
        """Returns the value of the best walk from here, and the cell that it goes to next."""
        game = self.game
        if cycle == self.depth:
            left = game.pellets - eaten
            paths = self.paths[cell]
            return -self.hunger * min((paths[pellet] for pellet in left), default=0), cell
        best = (-1e9, cell)
        for target in game.exits[cell]:
            value = self._step(target, cycle, hunters, max(power - 1, 0), eaten)
            if value > best[0]:
                best = (value, target)
        return best

    def _step(
        self, target: int, cycle: int, hunters: list[tuple[int, int]], power: int, eaten: frozenset[int]
    ) -> float:
        """Returns the value of going to `target` and on from there in the best way."""
        game = self.game
        reward = -1.0
        if target in game.pills and target not in eaten:
            eaten |= {target}
            power = game.power_cycles
        if target in game.pellets and target not in eaten:
            eaten |= {target}
            if game.pellets <= eaten:
                return 109.0
            reward = 9.0
        moved = hunters
        safe = 1.0
        if not power:
            moved = []
            for ghost, left in hunters:
                if ghost == target:
                    return reward - self.fear
                options = game.exits[ghost]
                nearest = min(options, key=lambda option: game._distance(option, target))
                if nearest == target:
                    return reward - self.fear
                if left > 1:
                    moved.append((nearest, left - 1))
            safe = 1 - self.hazards[cycle].get(target, 0.0)
            safe *= 1 - self.hazards[cycle + 1].get(target, 0.0)
        ahead, _ = self._walk(target, cycle + 1, moved, power, eaten)
        return reward - self.fear * (1 - safe) + safe * self.patience * ahead
