"""Codes of boxes: bins against exact arithmetic, quantiles that freeze, images."""

from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from generated_spaces import decoded, numbers_of, same
from gymnasium import spaces
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as numpy_st

from aixi.agents.codes import make_code


@st.composite
def boxes(draw, dtypes=(np.float32, np.float64, np.float16, np.uint8, np.int64, np.uint64, np.bool_), finite=True):
    dtype = np.dtype(draw(st.sampled_from(dtypes)))
    shape = draw(st.sampled_from([(), (0,), (1,), (3,), (2, 1)]))
    ends = numpy_st.from_dtype(dtype, allow_nan=False, allow_infinity=not finite)
    low, high = (draw(numpy_st.arrays(dtype, shape, elements=ends)) for _ in range(2))
    least, most = (np.asarray(end(low, high), dtype) for end in (np.minimum, np.maximum))  # no scalars of shape ()
    return spaces.Box(least, most, shape, dtype)


def values_in(draw, box):
    """A member of a Box, its bounds likely."""
    parts = []
    for low, high in zip(box.low.ravel().tolist(), box.high.ravel().tolist(), strict=True):
        if box.dtype == np.bool_:
            parts.append(draw(st.sampled_from(sorted({low, high}))))
        elif np.issubdtype(box.dtype, np.integer):
            parts.append(draw(st.integers(low, high)))
        else:
            width = box.dtype.itemsize * 8
            parts.append(draw(st.floats(low, high, width=width) | st.sampled_from([low, high])))
    return np.array(parts, box.dtype).reshape(box.shape)


@settings(max_examples=150, deadline=None)
@given(box=boxes(), bins=st.integers(1, 9), ends=st.integers(0, 1), data=st.data())
def test_what_equal_bins_decode_to_is_in_the_same_bin(box, bins, ends, data):
    code = make_code(box, {"": f"uniform bins={bins} ends={ends}"})
    one = values_in(data.draw, box)
    numbers = numbers_of(code, one)
    found = decoded(code, numbers)
    assert box.contains(found)
    assert found.dtype == box.dtype
    assert numbers_of(code, found) == numbers
    assert box.contains(decoded(code, [size - 1 for size in code.sizes]))
    lowest, highest = numbers_of(code, box.low), numbers_of(code, box.high)
    bounds_of = zip(box.low.ravel().tolist(), box.high.ravel().tolist(), strict=True)
    for (low, high), size, first, last in zip(bounds_of, code.sizes, lowest, highest, strict=True):
        if box.dtype.kind != "f":
            assert (size, first, last) == (min(bins, high - low + 1), 0, size - 1)
        elif low == high:
            assert size == 1
        elif high - low > 128 * np.spacing(
            box.dtype.type(max(abs(low), abs(high)) / 2)
        ):  # with fewer some bins are empty
            assert (size, first, last) == (bins, 0, bins - 1)


@settings(max_examples=150, deadline=None)
@given(low=st.integers(-(2**63), 2**63 - 1), span=st.integers(0, 2**64 - 1), bins=st.integers(1, 12), data=st.data())
def test_equal_bins_of_whole_numbers_are_exact(low, span, bins, data):
    high = min(low + span, 2**63 - 1)
    code = make_code(spaces.Box(low, high, (1,), np.int64), {"": f"uniform bins={bins}"})
    value = data.draw(st.integers(low, high))
    count = high - low + 1
    assert code.sizes == (min(bins, count),)
    assert numbers_of(code, np.array([value])) == [(value - low) * code.sizes[0] // count]


@settings(max_examples=100, deadline=None)
@given(
    low=st.integers(-1000, 1000), span=st.integers(1, 500), scale=st.sampled_from([1.0, 0.125]), bins=st.integers(2, 9)
)
def test_with_ends_the_nearest_of_evenly_spaced_values_is_taken(low, span, scale, bins):
    box = spaces.Box(low * scale, (low + span) * scale, (1,), np.float64)
    code = make_code(box, {"": f"uniform bins={bins} ends=1"})
    marks = [Fraction(low) + Fraction(span * place, bins - 1) for place in range(bins)]
    assert [decoded(code, [place])[0] / scale for place in range(bins)] == pytest.approx(list(map(float, marks)))
    assert decoded(code, [0])[0] == box.low[0]
    assert decoded(code, [bins - 1])[0] == box.high[0]
    for step in range(17):
        value = Fraction(low) + Fraction(span * step, 16)
        distances = sorted((abs(value - mark), place) for place, mark in enumerate(marks))
        if distances[1][0] - distances[0][0] > Fraction(1, 10**6):  # midway either will do
            assert numbers_of(code, np.array([float(value) * scale])) == [distances[0][1]]


@pytest.mark.parametrize("ends", [0, 1])
@pytest.mark.parametrize("high", [5e-324, 1e-323, 1e-320])
def test_rounding_leaves_no_narrow_bounds(high, ends):
    box = spaces.Box(5e-324, high, (), np.float64)
    code = make_code(box, {"": f"uniform bins=3 ends={ends}"})
    assert all(box.contains(decoded(code, [place])) for place in range(code.sizes[0]))


def test_small_whole_numbers_are_their_own_bins():
    code = make_code(spaces.Box(np.array([3, 0]), np.array([5, 255]), dtype=np.uint8), {"": "uniform bins=4"})
    assert code.sizes == (3, 4)
    assert [decoded(code, [place, place]).tolist() for place in range(3)] == [[3, 31], [4, 95], [5, 159]]
    assert numbers_of(code, np.array([5, 63], np.uint8)) == [2, 0]
    assert numbers_of(code, np.array([5, 64], np.uint8)) == [2, 1]


@settings(max_examples=100, deadline=None)
@given(
    box=boxes(finite=False), bins=st.integers(1, 6), warmup=st.integers(1, 9), length=st.integers(1, 12), data=st.data()
)
def test_what_quantiles_decode_to_is_in_the_same_bin(box, bins, warmup, length, data):
    code = make_code(box, {"": f"quantiles bins={bins} warmup={warmup}"})
    assert box.contains(decoded(code, [0] * len(code.sizes)))
    assert numbers_of(code, box.high) == [0] * len(code.sizes)  # nothing is known
    for _ in range(length):
        code.learn(values_in(data.draw, box))
    one = values_in(data.draw, box)
    numbers = numbers_of(code, one)
    found = decoded(code, numbers)
    assert box.contains(found)
    assert numbers_of(code, found) == numbers
    assert box.contains(decoded(code, [bins - 1] * len(code.sizes)))


@pytest.mark.parametrize(("bins", "warmup"), [(4, 64), (4, 100), (3, 100), (7, 50)])
def test_quantiles_hold_equally_many_of_the_warm_up_and_then_stay(bins, warmup):
    rng = np.random.default_rng(0)
    code = make_code(spaces.Box(-np.inf, np.inf, (2,), np.float64), {"": f"quantiles bins={bins} warmup={warmup}"})
    seen = rng.normal(size=(warmup, 2)) * [1.0, 1000.0]
    for one in seen[:-1]:
        code.learn(one)
    before = [numbers_of(code, one) for one in seen]
    code.learn(seen[-1])
    frozen = [numbers_of(code, one) for one in seen]
    assert frozen != before  # the last of the warm-up still counts
    for column in zip(*frozen, strict=True):
        held = Counter(column)
        assert held.keys() == set(range(bins))
        assert max(held.values()) - min(held.values()) <= 1
    state = code.state_dict()
    for one in rng.normal(size=(300, 2)) + 50.0:
        code.learn(one)
    assert [numbers_of(code, one) for one in seen] == frozen
    after = code.state_dict()
    assert all(np.array_equal(after[key], state[key]) for key in state)
    assert state["seen"].size == 0


def test_quantiles_keep_a_copy_of_what_they_saw():
    code = make_code(spaces.Box(-np.inf, np.inf, (1,), np.float64), {"": "quantiles bins=2 warmup=2"})
    reused = np.zeros(1)
    for value in (1.0, 5.0):
        reused[:] = value
        code.learn(reused)
    assert [decoded(code, [place])[0] for place in (0, 1)] == [1.0, 5.0]


@settings(max_examples=50, deadline=None)
@given(box=boxes(dtypes=(np.float32, np.float64)), data=st.data())
def test_greater_values_never_have_lesser_bins(box, data):
    one, other = (values_in(data.draw, box) for _ in range(2))
    assume((one <= other).all())
    for text in ("uniform bins=5", "uniform bins=4 ends=1", "quantiles bins=4"):
        code = make_code(box, {"": text})
        for _ in range(3):
            code.learn(values_in(data.draw, box))
        assert all(less <= more for less, more in zip(numbers_of(code, one), numbers_of(code, other), strict=True))


def pooled(image: np.ndarray, rows: int, columns: int, levels: int) -> list[int]:
    """Grey levels by exact fractions."""
    height, width = image.shape[:2]
    rows, columns = min(rows, height), min(columns, width)
    found = []
    for row in range(rows):
        for column in range(columns):
            field = image[
                height * row // rows : height * (row + 1) // rows,
                width * column // columns : width * (column + 1) // columns,
            ]
            mean = Fraction(int(field.sum(dtype=np.int64)), field.size)
            # The first whole number of bin k is ceil(256 k / levels).
            found.append(max(k for k in range(levels) if mean >= -(-256 * k // levels)))
    return found


@settings(max_examples=60, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 9), st.integers(1, 9)) | st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3)),
    rows=st.integers(1, 5),
    columns=st.integers(1, 5),
    levels=st.sampled_from([2, 3, 4, 8, 200]),
    data=st.data(),
)
def test_images_are_pooled_to_the_grid_of_their_means(shape, rows, columns, levels, data):
    box = spaces.Box(0, 255, shape, np.uint8)
    image = data.draw(numpy_st.arrays(np.uint8, shape))
    options = f"rows={rows} columns={columns} levels={levels}"
    code = make_code(box, {"": f"image {options} bits=0"})
    grid = numbers_of(code, image)
    assert grid == pooled(image, rows, columns, levels)
    found = decoded(code, grid)
    assert box.contains(found)
    assert numbers_of(code, found) == grid
    hashed = make_code(box, {"": f"image {options} bits=9"})
    hashed.learn(image)
    number = numbers_of(hashed, image)
    assert hashed.sizes == (512,)
    assert same(decoded(hashed, number), found)
    assert numbers_of(hashed, decoded(hashed, number)) == number


def test_hashes_of_images_decode_to_the_last_grid_that_had_them():
    box = spaces.Box(0.0, 1.0, (2, 2), np.float32)
    code = make_code(box, {"": "image rows=2 columns=2 levels=4 bits=1"})
    images = np.random.default_rng(1).random((20, 2, 2), np.float32)
    assert box.contains(decoded(code, [1]))
    last = {}
    for image in images:
        code.learn(image)
        last[numbers_of(code, image)[0]] = image
    assert last.keys() == {0, 1}
    for number, image in last.items():
        assert np.abs(decoded(code, [number]) - image).max() <= 0.125 + 1e-6
