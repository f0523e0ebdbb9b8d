"""A predictor by its text form, and another configuration of it."""

import ast
import contextlib
import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from aixi.agents.registry import parse_agent
from aixi.errors import InvalidValueError
from aixi.predictors.base import Predictor
from aixi.predictors.registry import PREDICTORS, make_predictor
from aixi.registry import load_object

Maker = Callable[[], Predictor]


def named_predictor(text: str) -> tuple[Maker, Maker | None]:
    """Returns what makes a predictor, and what makes one of another configuration.

    Args:
        text: `name` or `name:key=value,key=value`, whose values are Python's or else texts.

    Returns:
        The other has one whole number more, of the options named or else of the defaults; None if there is none that
        it can be made with.

    Raises:
        UnknownNameError: if there is no such predictor.
        InvalidValueError: if it has no such option.

    Example:
        >>> make, other = named_predictor("context-tree-weighting:depth=4")
        >>> make().depth, other().depth
        (4, 5)
    """
    name, written = parse_agent(text)
    options = {key: _value(part) for key, part in written.items()}
    defaults = _defaults(name)
    if defaults is not None:
        for key in options.keys() - defaults.keys():
            raise InvalidValueError(f"{name} has no option {key!r} (its options: {', '.join(defaults) or 'none'})")
    return functools.partial(make_predictor, name, **options), _another(name, options, defaults or {})


def _value(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _defaults(name: str) -> dict[str, Any] | None:
    """Returns the options with their defaults; None where they cannot be told."""
    entry_point = PREDICTORS[name].entry_point
    try:
        parameters = inspect.signature(load_object(entry_point)).parameters
    except (ImportError, AttributeError):  # the class is not where the table says: the check `made` tells
        return None
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return None
    return {key: parameter.default for key, parameter in parameters.items()}


def _another(name: str, options: Mapping[str, Any], defaults: Mapping[str, Any]) -> Maker | None:
    for key, value in [*options.items(), *(item for item in defaults.items() if item[0] not in options)]:
        if isinstance(value, int) and not isinstance(value, bool):
            another = functools.partial(make_predictor, name, **{**options, key: value + 1})
            with contextlib.suppress(Exception):  # it may be a number that others must match
                another()
                return another
    return None
