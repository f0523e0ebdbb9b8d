"""K: how long an environment's description is.

The description is the environment's canonical source: its dynamics and the data they use, in a form that no longer
depends on prose, layout or names. Its length is what a coder makes of it: an upper bound on Kolmogorov complexity, for
a machine that knows Python, NumPy and the Gymnasium API.

Canonical source, step by step:

1. Start from `__init__`, `reset` and `step` of the class, and follow every name: methods, class attributes,
   base classes, functions and constants, through every module of the environment's own package, and of Gymnasium's
   environments if it builds on one (`closure`). Python, NumPy and Gymnasium's API are free, engines are free and
   flagged (`modules`). A name from anywhere else is an error, so that no import hides a description. Files that the
   code reads are charged, and those that an engine reads for it, such as a game's ROM (`data`).
2. Leave out documentation, annotations, rendering, logging, checks of arguments (a condition that only raises), and
   assignments to what is never read (`cleaning`).
3. Put definitions in the order of their use, so that neither their place nor their file matters (`closure`).
4. Rename every identifier that the source binds; names of Gymnasium's protocol stay (`naming`, `scopes`).
5. Write it with one blank a level (`writer`): the same bytes from every Python version. Add arguments, wrappers,
   the time limit among them, and data (`canonical`).

A local variable that only stands for another, such as `rng = self.rng`, is not seen through.
"""

from typing import TYPE_CHECKING

from aixi.registry import exported_from

if TYPE_CHECKING:
    from aixi.evaluation.complexity.canonical import canonical_source
    from aixi.evaluation.complexity.coders import CODERS, code_length
    from aixi.evaluation.complexity.description import (
        CHARGINGS,
        Description,
        Part,
        describe,
        description_bits,
        description_hash,
        lengths,
    )

__all__ = [
    "CHARGINGS",
    "CODERS",
    "Description",
    "Part",
    "canonical_source",
    "code_length",
    "describe",
    "description_bits",
    "description_hash",
    "lengths",
]

__getattr__ = exported_from(
    __name__,
    {
        "canonical": ("canonical_source",),
        "coders": ("CODERS", "code_length"),
        "description": (
            "CHARGINGS",
            "Description",
            "Part",
            "describe",
            "description_bits",
            "description_hash",
            "lengths",
        ),
    },
)
