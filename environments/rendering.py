"""Pictures of worlds made of square cells, drawn from the same text that `ansi` rendering shows.

Each character stands for one sprite: a stack of shapes on a unit square, drawn at four times its size and
averaged, which smooths every edge.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

TILE = 32  # pixels along a cell's side
_OVERSAMPLING = 4

Colour: TypeAlias = tuple[int, int, int]
Plane: TypeAlias = NDArray[np.float64]
Shape: TypeAlias = Callable[[Plane, Plane], NDArray[np.bool_]]  # of x rightwards and y downwards, both in [-1, 1]

FLOOR: Colour = (24, 27, 42)
GROUT: Colour = (38, 43, 64)
WALL: Colour = (63, 94, 184)
WALL_LIGHT: Colour = (92, 128, 224)
YELLOW: Colour = (255, 209, 64)
CHEESE: Colour = (247, 178, 48)
RED: Colour = (238, 84, 97)
CYAN: Colour = (86, 204, 214)
PALE: Colour = (240, 226, 200)
BLUE: Colour = (92, 110, 255)
WHITE: Colour = (250, 250, 250)
INK: Colour = (20, 20, 30)


def _disc(radius: float, x0: float = 0.0, y0: float = 0.0) -> Shape:
    return lambda x, y: (x - x0) ** 2 + (y - y0) ** 2 <= radius**2


def _box(left: float, top: float, right: float, bottom: float) -> Shape:
    return lambda x, y: (left <= x) & (x <= right) & (top <= y) & (y <= bottom)


def _rounded(half: float, corner: float) -> Shape:
    """A square from -half to half with round corners."""

    def inside(x: Plane, y: Plane) -> NDArray[np.bool_]:
        across = np.maximum(np.abs(x) - half + corner, 0)
        along = np.maximum(np.abs(y) - half + corner, 0)
        return np.asarray(across**2 + along**2 <= corner**2)

    return inside


def _cross(x: Plane, y: Plane) -> NDArray[np.bool_]:
    return np.asarray((np.abs(np.abs(x) - np.abs(y)) < 0.2) & (np.maximum(np.abs(x), np.abs(y)) < 0.62))


def _ring(x: Plane, y: Plane) -> NDArray[np.bool_]:
    return np.asarray(np.abs(np.hypot(x, y) - 0.52) < 0.14)


def _mouth(x: Plane, y: Plane) -> NDArray[np.bool_]:
    return np.asarray((np.hypot(x, y) <= 0.74) & ~((x > 0) & (np.abs(y) < 0.62 * x)))


def _wedge(x: Plane, y: Plane) -> NDArray[np.bool_]:
    return np.asarray((y < 0.5) & (np.abs(x) < 0.72) & (y > 0.25 - 0.45 * (x + 0.72)))


def _ghost(x: Plane, y: Plane) -> NDArray[np.bool_]:
    head = np.hypot(x, y + 0.08) <= 0.62
    skirt = (np.abs(x) <= 0.62) & (y > -0.08) & (y < 0.56 + 0.12 * np.cos(x * 15.2))
    return np.asarray(head | skirt)


def _ghost_of(colour: Colour) -> list[tuple[Colour, Shape]]:
    eyes = [(WHITE, _disc(0.19, side * 0.25, -0.14)) for side in (-1, 1)]
    pupils = [(INK, _disc(0.09, side * 0.25 + 0.07, -0.12)) for side in (-1, 1)]
    return [(colour, _ghost), *eyes, *pupils]


_PAVED: list[tuple[Colour, Shape]] = [(GROUT, _rounded(0.94, 0.16))]

_SPRITES: dict[str, list[tuple[Colour, Shape]]] = {
    " ": [],
    "#": [(WALL_LIGHT, _rounded(0.96, 0.3)), (WALL, _rounded(0.84, 0.22))],
    "_": _PAVED,
    "-": _PAVED,
    ".": [(PALE, _disc(0.15))],
    "o": [(PALE, _disc(0.4))],
    "A": [*_PAVED, (YELLOW, _disc(0.62)), (INK, _disc(0.1, -0.22, -0.14)), (INK, _disc(0.1, 0.22, -0.14))],
    "*": [
        *_PAVED,
        (CHEESE, _wedge),
        (GROUT, _disc(0.13, 0.35, 0.1)),
        (GROUT, _disc(0.1, -0.1, 0.3)),
        (GROUT, _disc(0.08, 0.5, -0.1)),
    ],
    "X": [*_PAVED, (RED, _cross)],
    "O": [*_PAVED, (CYAN, _ring)],
    "P": [(YELLOW, _mouth)],
    "G": _ghost_of(RED),
    "g": _ghost_of(BLUE),
}


@lru_cache(maxsize=64)
def _sprite(mark: str) -> NDArray[np.uint8]:
    side = TILE * _OVERSAMPLING
    centres = (np.arange(side) + 0.5) * 2 / side - 1
    x, y = np.meshgrid(centres, centres)
    pixels = np.full((side, side, 3), FLOOR, np.float64)
    for colour, shape in _SPRITES[mark]:
        pixels[shape(x, y)] = colour
    # (side, side, 3) -> (TILE, over, TILE, over, 3), then the mean over both sampling axes
    blocks = pixels.reshape(TILE, _OVERSAMPLING, TILE, _OVERSAMPLING, 3)
    return np.asarray(blocks.mean((1, 3)).round(), np.uint8)


def picture(text: str) -> NDArray[np.uint8]:
    """Draws a text of equally long lines, a square cell a character.

    Characters: `#` wall, `_` and `-` paved cell, space bare floor, `.` pellet, `o` pill, `A` agent, `*`
    goal, `X` and `O` marks, `P` Pacman, `G` ghost, `g` ghost in fear.

    Returns:
        uint8[32 * lines, 32 * columns, 3], red, green and blue.

    Example:
        >>> picture("#A*#").shape
        (32, 128, 3)
    """
    return np.concatenate([np.concatenate([_sprite(mark) for mark in line], axis=1) for line in text.split("\n")])
