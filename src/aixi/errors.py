"""The typed errors of the suite. Each message says the name, the rule, the value seen and the way out."""

import numbers
from typing import Any


class AixiError(Exception):
    """Base of every error that the suite raises on purpose."""


class UnknownNameError(AixiError, KeyError):
    """A registry was asked for a name that it does not hold."""

    def __str__(self) -> str:
        return str(self.args[0])  # KeyError would print the repr of the message


class InvalidValueError(AixiError, ValueError):
    """An argument breaks its rule."""


class UnsupportedSpaceError(AixiError, TypeError):
    """A Gymnasium space has no percept code."""


class EnvironmentFaultError(AixiError, RuntimeError):
    """An environment raised, or returned what its own declaration forbids."""


class AgentFaultError(AixiError, RuntimeError):
    """An agent raised what none of the suite's own errors says, before its life began."""


class TrainingFaultError(AixiError, RuntimeError):
    """A training step's loss or gradient was not finite; the weights are the last good ones."""


class StateFileError(AixiError, OSError):
    """A saved state cannot be written, or is not one that can be read back."""


def require(condition: bool, message: str) -> None:
    """Raises `InvalidValueError(message)` unless the condition holds."""
    if not condition:
        raise InvalidValueError(message)


def at_least(name: str, value: Any, lowest: int) -> int:
    """Returns `value` if it is a whole number of at least `lowest`.

    Example:
        >>> at_least("depth", 3, 1)
        3
        >>> at_least("depth", 0, 1)
        Traceback (most recent call last):
        ...
        aixi.errors.InvalidValueError: depth must be at least 1, got 0
    """
    if isinstance(value, bool) or not isinstance(value, int | float | numbers.Integral) or value % 1:
        raise InvalidValueError(f"{name} must be a whole number, got {value!r}")
    if value < lowest:
        raise InvalidValueError(f"{name} must be at least {lowest}, got {value}")
    return int(value)
