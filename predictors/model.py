"""The compiled contract between a planner and the predictor that serves as its model of the environment.

A compiled model is a `NamedTuple` of arrays. Five operations are found by its class:

| operation | what it does |
|---|---|
| `condition(model, action)` | takes an action, an index, into the history; nothing is learnt |
| `sample(model, rng, words) -> bits` | draws a percept, writes its packed bits into `words`, follows it |
| `update(model, words) -> bits` | learns the real percept in `words` and returns its code length |
| `mark(model) -> mark` | a token for the present state |
| `rewind(model, mark)` | undoes everything conditioned on and sampled since, bit for bit |

A model that has learnt from searches may offer a sixth, for planners that ask for it:

| operation | what it does |
|---|---|
| `evaluate(model, prior) -> value` | writes a policy over the actions into `prior` and returns a value, both now |

A percept is `percept_bits` bits packed in `words`, uint64[ceil(percept_bits / 64)], bit i of the percept in bit
i % 64 of word i // 64; bits above the percept are zero. `rng` is the generator of `aixi.predictors.intrinsics`.

A plug-in registers each operation with `@implements(operation, Class)`: the same function serves as plain Python
(with `NUMBA_DISABLE_JIT=1`) and compiled. Its class carries `source: Array = source_tag(__file__)` as a field: an
empty record array whose dtype is named after a hash of the code. Numba keys its cache on disk by argument types and
by the time stamp of the planner's own file, so without the tag an edited model would silently run its old code, and
two classes of one name would share whichever was compiled first.

The suite's own kernels carry a hash of all its kernels besides (`aixi.predictors.intrinsics.kernel`). A kernel of a
plug-in that calls kernels of another file of its own must take a model, so that its cache entry changes with that file.
"""

import hashlib
import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import singledispatch
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numba.extending import overload
from numpy.typing import NDArray

from aixi.errors import InvalidValueError, require
from aixi.predictors.intrinsics import KERNEL_OPTIONS, Integer, kernel
from aixi.predictors.source_hash import digest, home, suite_digest
from aixi.state import State

F = TypeVar("F", bound=Callable[..., Any])


def source_tag(*files: str) -> NDArray[Any]:
    """Returns the field that makes a model's type change with its code.

    Args:
        *files: the file of the model's class, `__file__`; further files whose kernels it calls, if they lie neither
            beside it nor in its package.

    Returns:
        An array of no elements; its dtype is named after a hash of this suite's kernels and of those files, each
        with the Python files beside it, or with its outermost package where it lies in one.
    """
    tag = hashlib.sha256(suite_digest())
    for directory in sorted(set(map(home, files))):
        tag.update(str(directory).encode())  # two classes of one name in two places are two types
        tag.update(digest(directory))
    for file in sorted(Path(file).resolve() for file in files):
        tag.update(str(file).encode())
    return np.zeros(0, dtype=[(f"source_{tag.hexdigest()[:16]}", np.uint8)])


def _missing(operation: str, model: Any) -> TypeError:
    return TypeError(
        f"{type(model).__name__} implements no {operation}; register one with @implements({operation}, ...)"
    )


@singledispatch
def condition(model: Any, action: Integer) -> None:
    """Takes an action into the history as context."""
    raise _missing("condition", model)


@singledispatch
def sample(model: Any, rng: NDArray[np.uint64], words: NDArray[np.uint64]) -> float:
    """Draws a percept into `words`, follows it, and returns its code length in bits."""
    raise _missing("sample", model)


@singledispatch
def update(model: Any, words: NDArray[np.uint64]) -> float:
    """Learns the real percept in `words` and returns its code length in bits."""
    raise _missing("update", model)


@singledispatch
def mark(model: Any) -> int:
    """Returns a token for the present state, an int64."""
    raise _missing("mark", model)


@singledispatch
def rewind(model: Any, mark: int) -> None:
    """Undoes all that was conditioned on and sampled since `mark` was taken, bit for bit."""
    raise _missing("rewind", model)


@singledispatch
def evaluate(model: Any, prior: NDArray[np.float64]) -> float:
    """Writes a policy at the present state into `prior`, float64[actions], and returns the state's value.

    The policy sums to 1. The value is the mean reward per cycle, as a fraction of the reward range.
    """
    raise _missing("evaluate", model)


def implements(operation: Any, model_class: type) -> Callable[[F], F]:
    """Registers a function as an operation on a model class, as plain Python and for compiled callers.

    Args:
        operation: an operation of this module.
        model_class: a `NamedTuple` class with a field made by `source_tag`.

    An implementation allocates nothing: what it works in is part of the model.

    Raises:
        InvalidValueError: if the class has no such field, or the function takes other arguments than the operation.
    """
    defaults = getattr(model_class, "_field_defaults", {})
    if not any(getattr(value, "dtype", np.dtype("u1")).names for value in defaults.values()):
        raise InvalidValueError(
            f"{model_class.__name__} must be a NamedTuple with a field source = source_tag(__file__), "
            "so that compiled code changes with its source"
        )
    wanted = list(inspect.signature(operation).parameters)

    def install(function: F) -> F:
        given = list(inspect.signature(function).parameters)
        if given != wanted:
            raise InvalidValueError(
                f"{operation.__name__} of {model_class.__name__} must take ({', '.join(wanted)}), "
                f"got ({', '.join(given)})"
            )
        operation.register(model_class)(function)

        @overload(operation, strict=False, jit_options=KERNEL_OPTIONS)
        def choose(model, *rest):  # type: ignore[no-untyped-def]  # typed by Numba
            return function if getattr(model, "instance_class", None) is model_class else None

        return function

    return install


def call(kernel: Any, *arguments: Any) -> Any:
    """Calls a cached kernel whose arguments hold a model.

    Numba's index of a kernel names the model classes that it was compiled for. When one of them has been renamed
    or uninstalled since, loading the index fails for every model: then the index is dropped and built anew.
    """
    try:
        return kernel(*arguments)
    except (ImportError, AttributeError):
        stats = getattr(kernel, "stats", None)
        if stats is None:  # compilation is switched off
            raise
        stale = list(Path(stats.cache_path).glob(f"*.{kernel.__name__}-*.nbi"))
        if not stale:
            raise
        for index in stale:
            index.unlink(missing_ok=True)
        return kernel(*arguments)


@kernel
def _condition(model: Any, action: int) -> None:
    condition(model, action)


@kernel
def _update(model: Any, words: NDArray[np.uint64]) -> float:
    return update(model, words)


class EnvironmentModel(ABC):
    """The owner of a compiled model: it keeps room in its arrays, and saves, loads and copies them.

    Attributes:
        actions: number of actions.
        percept_bits: width of a percept.
        version: grows whenever learning changed what the model says of a history that it had read before, as a new
            set of weights does; what a search found until then holds no longer.
    """

    actions: int
    percept_bits: int
    version: int = 0

    @property
    @abstractmethod
    def compiled(self) -> Any:
        """The compiled model; valid until the next `reserve`."""

    @abstractmethod
    def reserve(self, percepts: int) -> None:
        """Makes room for a real percept and then `percepts` imagined ones."""

    @abstractmethod
    def state_dict(self) -> State:
        """Returns everything needed to go on exactly from here; arrays are copies."""

    @abstractmethod
    def load_state_dict(self, state: State) -> None:
        """Goes on from a state that a model of the same configuration returned."""

    @abstractmethod
    def copy(self) -> "EnvironmentModel":
        """Returns a model of equal state that shares no array, for a search in another thread."""

    def condition(self, action: int) -> None:
        """Takes a real action into the history.

        Raises:
            InvalidValueError: if there is no such action.
        """
        require(
            action in range(self.actions),
            f"action must be at least 0 and less than {self.actions}, got {action}",
        )
        self.reserve(0)
        call(_condition, self.compiled, int(action))

    def update(self, words: NDArray[np.uint64]) -> float:
        """Learns a real percept, uint64[words], and returns its code length in bits.

        Raises:
            InvalidValueError: if it has another number of words than a percept.
        """
        shape = (-(-self.percept_bits // 64),)
        require(
            words.shape == shape and words.dtype == np.uint64,
            f"words must be uint64{list(shape)}, got {words.dtype}{list(words.shape)}; pack the percept's bits",
        )
        self.reserve(0)
        return float(call(_update, self.compiled, words))
