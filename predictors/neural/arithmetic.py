"""What networks are made of, in single precision: products, norms, exponentials, rotations.

A network of this size is bound by reading its weights: 100,000 of them lie in the second-level cache, and one token
reads each once. `product` keeps sums in registers and reads every weight once, in wide loads; LLVM does not find
that form in a loop nest by itself, so it is spelled out here as vectors of eight floats, which LLVM maps onto
whatever the machine has. The rest are plain loops that LLVM vectorises. Exponentials are polynomials, because a call
to the mathematics library stands in the way of that.

Sums are associated in one fixed order, given by the shapes alone: the same token after the same tokens gives the same
bits, by whichever way it was come to.
"""

import math
from typing import Any, TypeAlias

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload, register_jitable
from numpy.typing import NDArray

from aixi.predictors.intrinsics import KERNEL_OPTIONS, Integer, float_inlined, float_kernel

Floats: TypeAlias = NDArray[np.float32]

LANES = 8
"""Floats in a vector. Rows of matrices and vectors that are written to are padded to a multiple of it."""
_TILES = ((8, 1), (4, 2), (2, 4), (1, 8))
"""Vectors of columns and rows at a time: eight sums at once hide the latency of a multiply-add."""
_FLOAT, _INTEGER = ir.FloatType(), ir.IntType(64)
_POINTER = _FLOAT.as_pointer()
_VECTOR = ir.VectorType(_FLOAT, LANES)

LOG2_E = math.log2(math.e)
# 2^r on [-1/2, 1/2] through the Chebyshev points, lowest power first; its relative error is below 2e-7.
_C0, _C1, _C2, _C3, _C4, _C5 = (
    np.float32(each)
    for each in np.polynomial.Chebyshev.interpolate(np.exp2, 5, domain=(-0.5, 0.5))
    .convert(kind=np.polynomial.Polynomial)
    .coef
)
_LEAST_EXPONENT = np.float32(-126.0)  # of a normal number; what would be less counts as 2^-126 times the greatest
_HALF, _ONE, _TWO = np.float32(0.5), np.float32(1.0), np.float32(2.0)
_TO_BITS = np.float32(LOG2_E)


@register_jitable(**KERNEL_OPTIONS)
def padded(size: Integer) -> Integer:
    """Returns the least multiple of `LANES`, a power of two, that is at least `size`."""
    return (size + (LANES - 1)) & -LANES


def aligned(*shape: int) -> Floats:
    """Returns zeros that begin at a cache line, so that no wide load straddles two."""
    size = math.prod(shape)
    room = np.zeros(size + 16, np.float32)
    first = -room.ctypes.data % 64 // 4
    return room[first : first + size].reshape(shape)


def product(x: Floats, rows: Integer, matrix: Floats, columns: Integer, out: Floats, add: bool) -> None:
    """Multiplies a row vector by a matrix: out[:columns] = x[:rows] @ matrix[:rows, :columns], or += if `add`.

    Args:
        x: float32[at least rows].
        rows: how many.
        matrix: float32[at least rows, at least padded(columns)], each row contiguous.
        columns: how many.
        out: float32[at least padded(columns)]; what lies between `columns` and the padding is overwritten.
        add: whether to add to what `out` holds.
    """
    out[:columns] = x[:rows] @ matrix[:rows, :columns] + (out[:columns] if add else np.float32(0.0))


def _splat(builder: Any, value: Any) -> Any:
    """Returns a vector of one value."""
    nothing = ir.Constant(_VECTOR, ir.Undefined)
    one = builder.insert_element(nothing, value, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(one, nothing, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES))


def _vector_at(builder: Any, pointer: Any, offset: Any) -> Any:
    return builder.bitcast(builder.gep(pointer, [offset]), _VECTOR.as_pointer())


def _tile(builder: Any, arguments: Any, first: Any, sums: list[Any], vectors: int, rows: int) -> None:
    """Emits the product for `vectors` vectors of columns from `first` on, with `rows` sums for each."""
    x, count, matrix, stride, out, add = arguments
    # A plain multiplication and addition may not be fused; this one is wherever the machine can.
    fused = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(_VECTOR, [_VECTOR] * 3), f"llvm.fmuladd.v{LANES}f32"
    )
    for each in sums[: vectors * rows]:
        builder.store(ir.Constant(_VECTOR, [0.0] * LANES), each)
    columns = builder.gep(matrix, [first])

    def add_row(row: Any, group: int) -> None:
        factor = _splat(builder, builder.load(builder.gep(x, [row])))
        weights = builder.gep(columns, [builder.mul(row, stride)])
        for vector in range(vectors):
            loaded = builder.load(_vector_at(builder, weights, _INTEGER(vector * LANES)), align=4)
            place = sums[group * vectors + vector]
            builder.store(builder.call(fused, [factor, loaded, builder.load(place)]), place)

    whole = builder.and_(count, _INTEGER(-rows))
    with cgutils.for_range_slice(builder, _INTEGER(0), whole, _INTEGER(rows), _INTEGER, inc=True) as (row, _):
        for group in range(rows):
            add_row(builder.add(row, _INTEGER(group)), group)
    with cgutils.for_range_slice(builder, whole, count, _INTEGER(1), _INTEGER, inc=True) as (row, _):
        add_row(row, 0)
    for vector in range(vectors):
        parts = [builder.load(sums[group * vectors + vector]) for group in range(rows)]
        while len(parts) > 1:
            parts = [builder.fadd(one, other) for one, other in zip(parts[::2], parts[1::2], strict=True)]
        place = _vector_at(builder, out, builder.add(first, _INTEGER(vector * LANES)))
        before = builder.select(add, builder.load(place, align=4), ir.Constant(_VECTOR, [0.0] * LANES))
        builder.store(builder.fadd(before, parts[0]), place, align=4)


def _product_function(module: Any) -> Any:
    """Returns the LLVM function of `product`: x, rows, matrix, floats from row to row, out, whether to
    add, columns."""
    kinds = [_POINTER, _INTEGER, _POINTER, _INTEGER, _POINTER, ir.IntType(1), _INTEGER]
    function = cgutils.get_or_insert_function(module, ir.FunctionType(ir.VoidType(), kinds), "aixi_product")
    if not function.is_declaration:
        return function
    function.linkage = "linkonce_odr"  # every module that calls it brings its own, and the linker keeps one
    function.attributes.add("noinline")
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    *arguments, columns = function.args
    sums = [builder.alloca(_VECTOR) for _ in range(max(vectors * rows for vectors, rows in _TILES))]
    done = builder.alloca(_INTEGER)
    builder.store(_INTEGER(0), done)
    for vectors, rows in _TILES:
        test, body, after = (builder.append_basic_block(f"{name}_{vectors}") for name in ("test", "body", "after"))
        builder.branch(test)
        builder.position_at_end(test)
        first = builder.load(done)
        enough = vectors * LANES if vectors > 1 else 1  # the last vector may be part padding
        builder.cbranch(builder.icmp_signed(">=", builder.sub(columns, first), _INTEGER(enough)), body, after)
        builder.position_at_end(body)
        _tile(builder, arguments, first, sums, vectors, rows)
        builder.store(builder.add(first, _INTEGER(vectors * LANES)), done)
        builder.branch(test)
        builder.position_at_end(after)
    builder.ret_void()
    return function


@intrinsic
def _product_compiled(typing_context, x, rows, matrix, columns, out, add):  # type: ignore[no-untyped-def]  # Numba's form
    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        arrays = {
            place: context.make_array(signature.args[place])(context, builder, arguments[place]) for place in (0, 2, 4)
        }
        stride = builder.udiv(cgutils.unpack_tuple(builder, arrays[2].strides)[0], _INTEGER(4))
        function = _product_function(builder.module)
        add = context.cast(builder, arguments[5], signature.args[5], types.boolean)
        add = builder.trunc(add, ir.IntType(1)) if add.type != ir.IntType(1) else add
        pointers = (arrays[0].data, arguments[1], arrays[2].data, stride, arrays[4].data)
        builder.call(function, [*pointers, add, arguments[3]])
        return context.get_dummy_value()

    return types.void(x, types.int64, matrix, types.int64, out, types.boolean), generate


@overload(product, jit_options=KERNEL_OPTIONS)
def _product(x, rows, matrix, columns, out, add):  # type: ignore[no-untyped-def]
    return lambda x, rows, matrix, columns, out, add: _product_compiled(x, rows, matrix, columns, out, add)


def power_of_two(exponent: np.int32) -> np.float32:
    """Returns 2 to a whole number from -126 to 127, without a call to the mathematics library."""
    return np.float32(2.0 ** int(exponent))


@intrinsic
def _bits_as_float(typing_context, bits):  # type: ignore[no-untyped-def]
    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.bitcast(arguments[0], _FLOAT)

    return types.float32(types.int32), generate


@overload(power_of_two, jit_options=KERNEL_OPTIONS)
def _power_of_two(exponent):  # type: ignore[no-untyped-def]
    return lambda exponent: _bits_as_float(np.int32((exponent + np.int32(127)) << np.int32(23)))


@float_inlined
def exp2_of_negative(exponent: np.float32) -> np.float32:
    """Returns 2^x for x at most 0, with a relative error below 3e-7; for x below -126 it is 2^-126."""
    exponent = max(exponent, _LEAST_EXPONENT)
    whole = np.int32(exponent - _HALF)  # rounds to the nearest: the conversion cuts towards zero
    rest = exponent - np.float32(whole)
    series = _C0 + rest * (_C1 + rest * (_C2 + rest * (_C3 + rest * (_C4 + rest * _C5))))
    return np.float32(series * power_of_two(whole))


@float_kernel
def exponentials(scores: Floats, count: Integer) -> np.float32:
    """Replaces each of `count` scores by 2^(score - greatest) and returns their sum."""
    greatest = scores[0]
    for i in range(1, count):
        greatest = max(greatest, scores[i])
    total = np.float32(0.0)
    for i in range(count):
        weight = exp2_of_negative(scores[i] - greatest)
        scores[i] = weight
        total += weight
    return total


@float_inlined
def sigmoid(x: np.float32) -> np.float32:
    """Returns 1 / (1 + e^-x)."""
    small = exp2_of_negative(-abs(x) * _TO_BITS)
    return np.float32((_ONE if x >= np.float32(0.0) else small) / (_ONE + small))


@float_inlined
def hyperbolic_tangent(x: np.float32) -> np.float32:
    """Returns tanh x, to 2e-7."""
    small = exp2_of_negative(-abs(x) * (_TWO * _TO_BITS))
    size = (_ONE - small) / (_ONE + small)
    return np.float32(size if x >= np.float32(0.0) else -size)


@float_kernel
def normalise(x: Floats, first: Integer, size: Integer, epsilon: np.float32, out: Floats, at: Integer) -> None:
    """Writes x divided by its root mean square (Zhang & Sennrich 2019); gains are part of the matrix that follows."""
    total = np.float32(0.0)
    for i in range(size):
        total += x[first + i] * x[first + i]
    scale = _ONE / np.float32(math.sqrt(total / np.float32(size) + epsilon))
    for i in range(size):
        out[at + i] = x[first + i] * scale


@float_kernel
def rotate(x: Floats, first: Integer, cosines: Floats, sines: Floats) -> None:
    """Turns the pairs (i, i + half) of x from `first` on, float32[2 * half] (Su et al. 2021, equation 34)."""
    half = cosines.size
    for i in range(half):
        one, other = x[first + i], x[first + half + i]
        x[first + i] = one * cosines[i] - other * sines[i]
        x[first + half + i] = one * sines[i] + other * cosines[i]


@float_kernel
def rectify(x: Floats, size: Integer) -> None:
    """Replaces what is below 0 by 0."""
    for i in range(size):
        x[i] = max(x[i], np.float32(0.0))


@float_inlined
def total(values: Floats, count: Integer) -> float:
    """Returns the sum of `count` values in double precision."""
    whole = 0.0
    for i in range(count):
        whole += np.float64(values[i])
    return whole
