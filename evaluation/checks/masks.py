"""Action masks of an environment that is checked."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aixi.agents.percepts import ActionCodec
from aixi.environments import EnvironmentRow
from aixi.evaluation.world import joint_mask
from aixi.registry import load_object


class Masks:
    """Action masks of an environment, as it gives them and as its row declares them.

    Args:
        row: its row.
        env: the environment itself.
    """

    def __init__(self, row: EnvironmentRow, env: Any) -> None:
        self._codec = ActionCodec(env.action_space)
        self._given = getattr(env.unwrapped, "action_masks", None)
        self._declared: Callable[[Any], Any] | None = None
        self._unfound = ""  # what is wrong with the name of the row's function
        if row.mask:
            try:
                self._declared = load_object(row.mask)
            except (Exception, SystemExit) as error:  # whatever a stranger's module does wrong
                self._unfound = f"the row's mask {row.mask!r} names no function ({type(error).__name__}: {error})"
        self._part = row.mask_part
        self._all = np.ones(self._codec.count, np.bool_)

    def look(self, observation: Any, info: dict[str, Any]) -> tuple[NDArray[np.int64], str]:
        """Returns the indices of the allowed actions, int64[allowed], and in words what is wrong with the mask.

        Where it is wrong, the row's function says what is allowed, and without one all is.
        """
        declared, wrong = self._all, self._unfound
        if self._declared is not None:
            try:
                declared = joint_mask(self._codec, self._declared(self._of(observation)))
            except (Exception, SystemExit) as error:  # whatever a stranger's function does wrong
                wrong = f"the row's function raises {type(error).__name__} at {observation!r}: {error}"
        given = info.get("action_mask")
        if given is None and self._given is not None:
            given = self._given()
        mask = declared
        if given is not None and not wrong:
            try:
                mask = joint_mask(self._codec, given)
            except ValueError as error:
                wrong = f"mask {given!r}: {error}"
            if self._declared is not None and not wrong and not np.array_equal(mask, declared):
                wrong = f"mask {mask.tolist()} where the row's function says {declared.tolist()}"
        if not wrong and not mask.any():
            wrong = "a mask that allows no action"
        allowed = np.flatnonzero(declared if wrong else mask)
        return (allowed if len(allowed) else np.flatnonzero(self._all)), wrong

    def _of(self, observation: Any) -> Any:
        """Returns the part of an observation that the row's function takes."""
        for key in self._part.split(".") if self._part else ():
            observation = observation[key] if isinstance(observation, dict) else observation[int(key)]
        return observation
