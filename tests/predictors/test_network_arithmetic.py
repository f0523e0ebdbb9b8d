"""What networks are made of, beside NumPy in double precision."""

import numpy as np
import pytest

from aixi.predictors.intrinsics import kernel
from aixi.predictors.model import call
from aixi.predictors.neural import arithmetic


@pytest.mark.parametrize(
    ("rows", "columns"), [(1, 1), (3, 8), (16, 16), (7, 24), (33, 40), (20, 64), (64, 100), (9, 203)]
)
def test_products_equal_numpy(rows, columns):
    rng = np.random.default_rng(rows)
    x, out = rng.normal(size=rows).astype(np.float32), np.full(columns + 16, 7.0, np.float32)
    matrix = rng.normal(size=(rows, columns + 9)).astype(np.float32)
    exact = x.astype(float) @ matrix[:, 1 : 1 + columns].astype(float)
    call(_multiply, x, matrix[:, 1:], columns, out, False)
    np.testing.assert_allclose(out[:columns], exact, atol=1e-5)
    call(_multiply, x, matrix[:, 1:], columns, out, True)
    np.testing.assert_allclose(out[:columns], 2.0 * exact, atol=1e-5)
    assert (out[arithmetic.padded(columns) :] == 7.0).all()


@kernel
def _multiply(x, matrix, columns, out, add):
    arithmetic.product(x, x.size, matrix, columns, out, add)


@kernel
def _curves(x, out):
    for i in range(x.size):
        out[0, i] = arithmetic.exp2_of_negative(-abs(x[i]))
        out[1, i] = arithmetic.sigmoid(x[i])
        out[2, i] = arithmetic.hyperbolic_tangent(x[i])


def test_exponentials_are_good_to_a_millionth():
    x = np.linspace(-30.0, 30.0, 100_001).astype(np.float32)
    out = np.zeros((3, x.size), np.float32)
    _curves(x, out)
    wide = x.astype(float)
    np.testing.assert_allclose(out[0], np.exp2(-abs(wide)), rtol=1e-6)
    np.testing.assert_allclose(out[1], 1.0 / (1.0 + np.exp(-wide)), rtol=4e-6)
    np.testing.assert_allclose(out[2], np.tanh(wide), atol=4e-7)
    scores = np.array([-300.0, 3.0, 2.0, -np.inf], np.float32)
    total = arithmetic.exponentials(scores, 3)
    assert total == pytest.approx(1.5)
    assert scores[:3].tolist() == pytest.approx([2.0**-126, 1.0, 0.5])
