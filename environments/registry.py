"""The one table of environments: entry point, arguments, rewards and anchors of each.

Importing `aixi.environments` registers every row of our own with Gymnasium, so that `gymnasium.make` knows
it too. An environment of a third party needs one file and one call of `register`.

Anchors are rewards per cycle in the long run, or returns of episodes where the row says so. `benchmarks/optima.py` has
computed those of our own environments and `benchmarks/anchors.py` those of other packages; the files of their names in
`benchmarks/results` hold all of them in full.
"""

import importlib
from dataclasses import replace
from typing import Any

import gymnasium

from aixi.environments.row import Anchor, EnvironmentRow
from aixi.errors import InvalidValueError
from aixi.registry import Registry

__all__ = ["ENVIRONMENTS", "FAMILIES", "Anchor", "EnvironmentRow", "make", "register"]

FAMILIES = ("jair", "sequences", "bandits", "chains", "memory", "grids", "games", "switching", "reasoning", "external")
"""The modules and packages beside this one that hold rows."""

ENVIRONMENTS: Registry[EnvironmentRow] = Registry("environment")


def register(row: EnvironmentRow) -> None:
    """Adds a row to the table, and to Gymnasium's registry unless that holds the same environment already.

    Gymnasium's checking wrappers are left out: whoever runs the environment checks each percept itself.
    """
    ENVIRONMENTS.register(row)
    if row.package or not row.entry_point:  # somebody else registers it with Gymnasium
        return
    known = gymnasium.registry.get(row.name)
    if known is None or (known.entry_point, known.kwargs) != (row.entry_point, row.kwargs):
        gymnasium.register(
            row.name,
            row.entry_point,
            order_enforce=False,
            disable_env_checker=True,
            kwargs=dict(row.kwargs),
        )


def import_package(row: EnvironmentRow) -> None:
    """Imports the package that registers an environment with Gymnasium, where that is another package's.

    Raises:
        InvalidValueError: if it is not installed.
    """
    if row.package:
        try:
            importlib.import_module(row.package)
        except ImportError:
            raise InvalidValueError(f"{row.name} needs the package {row.package}; install aixi[{row.extra}]") from None


def make(environment: str | EnvironmentRow, **kwargs: Any) -> gymnasium.Env[Any, Any]:
    """Makes an environment of the table, with no wrapper but the time limit it may declare.

    Args:
        environment: id of a row, or a row.
        kwargs: arguments of the class, on top of the row's; `render_mode` is one of them.

    Raises:
        UnknownNameError: if the table has no such row.
        InvalidValueError: if the package that it comes from is not installed.

    Example:
        >>> import aixi.environments
        >>> env = aixi.environments.make("aixi/CoinFlip-v0", probability=0.9)
        >>> env.unwrapped.probability
        0.9
    """
    row = ENVIRONMENTS[environment] if isinstance(environment, str) else environment
    import_package(row)
    spec = gymnasium.spec(row.name)
    # Gymnasium's order and percept checks cost more than most dynamics here, and the runner checks anyway.
    return gymnasium.make(replace(spec, order_enforce=False), disable_env_checker=True, **kwargs)


for _family in FAMILIES:
    for _row in importlib.import_module(f"aixi.environments.{_family}").ROWS:
        register(_row)
