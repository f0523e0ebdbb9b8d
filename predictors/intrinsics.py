"""Machine operations that compiled code needs and NumPy has no name for, each with a plain twin of equal bits.

Randomness inside compiled code is SplitMix64 (Steele, Lea & Flood 2014): one uint64 word of state that the caller
owns, so that results depend on neither threads nor Numba's hidden global generator.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias, TypeVar

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic, overload
from numpy.typing import NDArray

from aixi.predictors.source_hash import suite_digest

Integer: TypeAlias = int | np.int64
"""What counts and positions are: Python's integers, or NumPy's where an array holds them."""

F = TypeVar("F", bound=Callable[..., Any])

# Kernels hold no references: counting them costs an atomic operation for every array that a function touches, a
# third of the time of a context-tree update. So they allocate nothing; what they need is given to them. Divisions
# follow IEEE 754, without Python's check for zero.
_PLAIN = {"nogil": True, "error_model": "numpy", "_nrt": False}
KERNEL_OPTIONS = _PLAIN | {"forceinline": True}
# Sums of floats vectorise only if they may be associated anew, the greatest of floats only if none is NaN. How they
# are associated is settled when the kernel is compiled, not when it runs.
_FAST = {"fastmath": {"reassoc", "contract", "arcp", "nsz", "nnan"}}


def _compiler(options: dict[str, Any]) -> Callable[[F], F]:
    """Returns a decorator that compiles a function, and keeps what it made on disk.

    Numba takes what it finds there for up to date if the function's own file has not changed. A kernel may call
    kernels of other files, or hold what was inlined from them: so it is bound to the sources of all kernels of the
    suite. What it finds may also name a model's class that is not there any more: then it is compiled anew.
    """
    compile = njit(cache=True, **options)

    def decorate(function: F) -> F:
        compiled = compile(function)
        if compiled is not function:  # else compilation is switched off
            index = compiled._cache._cache_file
            index._version = f"{index._version} {suite_digest().hex()}"  # compared before all else is read
            index._load_index = partial(_readable, index._load_index)
        return compiled

    return decorate


def _readable(load: Callable[[], dict[Any, Any]]) -> dict[Any, Any]:
    """Returns what is found on disk; nothing, if it names what cannot be imported."""
    try:
        return load()
    except (ImportError, AttributeError):
        return {}


kernel = _compiler(_PLAIN)
"""Compiles a function that is called from Python, or is too large to be worth inlining."""
inlined = _compiler(KERNEL_OPTIONS)
"""Compiles a function that disappears into its callers."""
float_kernel = _compiler(_PLAIN | _FAST)
"""`kernel` for arithmetic in single precision whose last bit matters less than its speed."""
float_inlined = _compiler(KERNEL_OPTIONS | _FAST)
"""`inlined` for such arithmetic."""

_MASK = 0xFFFF_FFFF_FFFF_FFFF
_GAMMA = 0x9E37_79B9_7F4A_7C15
_MIX_1 = 0xBF58_476D_1CE4_E5B9
_MIX_2 = 0x94D0_49BB_1331_11EB
_TO_UNIT = 2.0**-53


def leading_zeros(word: np.uint64) -> int:
    """Returns the number of zero bits above the highest set bit of a non-zero word, 0 to 63."""
    return 64 - int(word).bit_length()


@intrinsic
def _count_leading_zeros(typing_context, word):  # type: ignore[no-untyped-def]  # the form Numba calls
    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.ctlz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), generate


@overload(leading_zeros, inline="always")
def _leading_zeros(word):  # type: ignore[no-untyped-def]
    return lambda word: _count_leading_zeros(word)


def next_word(rng: NDArray[np.uint64]) -> np.uint64:
    """Advances the generator `rng`, uint64[1], and returns 64 uniform random bits."""
    # Python integers: NumPy's scalar uint64 would warn of the overflow that is meant here.
    state = (int(rng[0]) + _GAMMA) & _MASK
    rng[0] = state
    word = ((state ^ (state >> 30)) * _MIX_1) & _MASK
    word = ((word ^ (word >> 27)) * _MIX_2) & _MASK
    return np.uint64(word ^ (word >> 31))


@inlined
def _next_word_compiled(rng: NDArray[np.uint64]) -> np.uint64:
    state = rng[0] + np.uint64(_GAMMA)
    rng[0] = state
    word = (state ^ (state >> np.uint64(30))) * np.uint64(_MIX_1)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(_MIX_2)
    return word ^ (word >> np.uint64(31))


@overload(next_word, inline="always")
def _next_word(rng):  # type: ignore[no-untyped-def]
    return lambda rng: _next_word_compiled(rng)


@inlined
def next_float(rng: NDArray[np.uint64]) -> float:
    """Advances the generator and returns a float64 in [0, 1), a multiple of 2^-53."""
    return np.float64(next_word(rng) >> np.uint64(11)) * _TO_UNIT


@inlined
def next_below(rng: NDArray[np.uint64], count: Integer) -> Integer:
    """Advances the generator and returns an integer in [0, count), uniform to within count * 2^-53."""
    return np.int64(next_float(rng) * count)


def generator_state(seed: np.random.SeedSequence) -> NDArray[np.uint64]:
    """Returns a fresh generator for compiled code, uint64[1]."""
    return seed.generate_state(1, np.uint64).astype(np.uint64)
