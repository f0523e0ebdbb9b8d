"""The scaling law L(N, D) = E + A / N^alpha + B / D^beta (Hoffmann et al. 2022, equation 2), fitted to losses.

For given exponents the law is linear in E, A and B, so least squares leaves a search over two numbers ("variable
projection", Golub & Pereyra 1973): a grid, then ever finer ones around its best point.
"""

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from aixi.errors import InvalidValueError, require

LEAST, MOST = 0.03, 3.0
"""Bounds of the exponents."""
_GRID, _ZOOMS = 25, 6
_END = 1.02  # an exponent within 2 % of its bounds is no minimum, but the bound


class LawFit(msgspec.Struct, kw_only=True):
    """The law fitted. Intervals are the middle 95 % over resampled trainings (bootstrap of cases).

    Attributes:
        fixed: whether E was held at the known entropy.
        floor: E, in bits a token.
        floor_interval: of it; None where it was held.
        amplitude_n: A, in bits a token.
        alpha: exponent of the weights.
        alpha_interval: of it.
        amplitude_d: B, in bits a token.
        beta: exponent of the data.
        beta_interval: of it.
        error: root mean square of the errors relative to the loss above the known entropy.
        resamples: sets of resampled trainings.
        at_bounds: how many of them had a best exponent at the bounds of the search.
    """

    fixed: bool
    floor: float
    floor_interval: tuple[float, float] | None
    amplitude_n: float
    alpha: float
    alpha_interval: tuple[float, float]
    amplitude_d: float
    beta: float
    beta_interval: tuple[float, float]
    error: float
    resamples: int
    at_bounds: int

    def loss(self, parameters: ArrayLike, tokens: ArrayLike) -> NDArray[np.float64]:
        """Returns the law's loss in bits a token."""
        n, d = np.asarray(parameters, float), np.asarray(tokens, float)
        losses: NDArray[np.float64] = self.floor + self.amplitude_n * n**-self.alpha + self.amplitude_d * d**-self.beta
        return losses


def fit_law(
    parameters: ArrayLike,
    tokens: ArrayLike,
    losses: ArrayLike,
    entropy: float,
    *,
    fixed: bool,
    rng: np.random.Generator,
    resamples: int = 400,
) -> LawFit:
    """Fits the law by least squares of errors relative to the loss above the entropy.

    Args:
        parameters: N of each training.
        tokens: D of each.
        losses: of each, in bits a token.
        entropy: known floor of the loss, in bits a token.
        fixed: whether E is held there.
        rng: of the bootstrap.
        resamples: of the bootstrap.

    Raises:
        InvalidValueError: if a loss is not above the entropy, or no exponents give positive A and B.

    Example:
        >>> n, d = np.meshgrid([1e3, 1e4, 1e5], [1e5, 1e6, 1e7])
        >>> losses = 0.5 + 9 / n**0.5 + 7 / d**0.25
        >>> rng = np.random.default_rng(0)
        >>> found = fit_law(n.ravel(), d.ravel(), losses.ravel(), 0.5, fixed=False, rng=rng, resamples=10)
        >>> round(found.floor, 3), round(found.alpha, 3), round(found.beta, 3)
        (0.5, 0.5, 0.25)
    """
    n, d, above = np.asarray(parameters, float), np.asarray(tokens, float), np.asarray(losses, float) - entropy
    require(above.min() > 0, f"every loss must be above the entropy, {entropy:g}, got {above.min() + entropy:g}")
    problem = _Problem(n, d, above, fixed)
    best = problem.solve(np.ones(n.size))
    if not np.isfinite(best).all():
        raise InvalidValueError(
            "losses must fall with parameters and with tokens, got no fit of positive A and B; add sizes"
        )
    drawn = rng.multinomial(n.size, np.full(n.size, 1 / n.size), resamples)
    found = np.array([problem.solve(counts.astype(float)) for counts in drawn])
    found = found[np.isfinite(found).all(axis=1)]
    exponents = found[:, :2]
    ends = np.percentile(found, (2.5, 97.5), axis=0)  # [2, alpha beta A B E]

    def interval(place: int, shift: float = 0.0) -> tuple[float, float]:
        return float(ends[0, place]) + shift, float(ends[1, place]) + shift

    alpha, beta, amplitude_n, amplitude_d, floor = map(float, best)
    at_bounds = ((exponents < LEAST * _END) | (exponents > MOST / _END)).any(axis=1)
    law = LawFit(
        fixed=fixed,
        floor=entropy + floor,
        floor_interval=None if fixed else interval(4, entropy),
        amplitude_n=amplitude_n,
        alpha=alpha,
        alpha_interval=interval(0),
        amplitude_d=amplitude_d,
        beta=beta,
        beta_interval=interval(1),
        error=0.0,
        resamples=resamples,
        at_bounds=int(at_bounds.sum()) + resamples - len(found),
    )
    law.error = float(np.sqrt(np.mean(((law.loss(n, d) - entropy) / above - 1.0) ** 2)))
    return law


class ProductFit(msgspec.Struct, kw_only=True):
    """L = E + C / (N^alpha D^beta), E the known entropy: parameters and data make up for one another at every size.

    Attributes:
        amplitude: C, in bits a token.
        alpha: exponent of the weights.
        alpha_interval: middle 95 % over resampled trainings.
        beta: exponent of the data.
        beta_interval: of it.
        error: root mean square of the errors relative to the loss above the entropy.
    """

    amplitude: float
    alpha: float
    alpha_interval: tuple[float, float]
    beta: float
    beta_interval: tuple[float, float]
    error: float


def fit_product(
    parameters: ArrayLike,
    tokens: ArrayLike,
    losses: ArrayLike,
    entropy: float,
    *,
    rng: np.random.Generator,
    resamples: int = 400,
) -> ProductFit:
    """Fits a product of powers by least squares of logarithms; arguments are those of `fit_law`.

    Raises:
        InvalidValueError: if a loss is not above the entropy.

    Example:
        >>> n, d = np.meshgrid([1e3, 1e4, 1e5], [1e5, 1e6, 1e7])
        >>> losses = 0.5 + 50 / (n**0.3 * d**0.4)
        >>> found = fit_product(n.ravel(), d.ravel(), losses.ravel(), 0.5, rng=np.random.default_rng(0))
        >>> round(found.amplitude, 2), round(found.alpha, 3), round(found.beta, 3)
        (50.0, 0.3, 0.4)
    """
    above = np.asarray(losses, float) - entropy
    require(above.min() > 0, f"every loss must be above the entropy, {entropy:g}, got {above.min() + entropy:g}")
    columns = np.stack(
        [np.ones(above.size), -np.log(np.asarray(parameters, float)), -np.log(np.asarray(tokens, float))], axis=1
    )
    drawn = [np.arange(above.size), *rng.integers(0, above.size, (resamples, above.size))]
    found = np.array([np.linalg.lstsq(columns[rows], np.log(above[rows]), rcond=None)[0] for rows in drawn])
    ends = np.percentile(found[1:], (2.5, 97.5), axis=0)
    return ProductFit(
        amplitude=float(np.exp(found[0, 0])),
        alpha=float(found[0, 1]),
        alpha_interval=(float(ends[0, 1]), float(ends[1, 1])),
        beta=float(found[0, 2]),
        beta_interval=(float(ends[0, 2]), float(ends[1, 2])),
        error=float(np.sqrt(np.mean((np.exp(columns @ found[0]) / above - 1.0) ** 2))),
    )


class _Problem:
    """Least squares over trainings; losses are those above the known entropy."""

    def __init__(self, n: NDArray[np.float64], d: NDArray[np.float64], above: NDArray[np.float64], fixed: bool) -> None:
        self._above = above
        # Logarithms about their means: powers of about 1 keep the linear systems well conditioned.
        self._log_n, self._log_d = np.log(n), np.log(d)
        self._mean_n, self._mean_d = float(self._log_n.mean()), float(self._log_d.mean())
        self._columns = 2 if fixed else 3

    def solve(self, counts: NDArray[np.float64]) -> NDArray[np.float64]:
        """Returns alpha, beta, A, B and E less the entropy, of trainings that count so often; NaN without a fit."""
        low, high = np.full(2, np.log(LEAST)), np.full(2, np.log(MOST))
        found = np.full(5, np.nan)
        for _ in range(_ZOOMS):
            alphas, betas = np.exp(np.linspace(low, high, _GRID)).T
            grid = np.stack(np.meshgrid(alphas, betas, indexing="ij"), axis=-1).reshape(-1, 2)
            errors, solutions = self._linear(grid, counts)
            if not np.isfinite(errors).any():
                break
            best = int(errors.argmin())
            found = np.concatenate([grid[best], solutions[best]])
            reach = (high - low) / _GRID * 2
            centre = np.log(grid[best])
            low = np.maximum(centre - reach, np.log(LEAST))
            high = np.minimum(centre + reach, np.log(MOST))
        return found

    def _linear(
        self, grid: NDArray[np.float64], counts: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Returns squared errors, float64[G], infinite where A or B is not positive, and A, B, E, float64[G, 3]."""
        columns = np.ones((len(grid), self._above.size, self._columns))
        columns[..., 0] = np.exp(-grid[:, :1] * (self._log_n - self._mean_n))
        columns[..., 1] = np.exp(-grid[:, 1:] * (self._log_d - self._mean_d))
        columns /= self._above[:, None]  # errors are relative: the target is 1
        weighted = columns * counts[:, None]
        moments = np.einsum("grj,grk->gjk", weighted, columns)
        moments += 1e-12 * np.eye(self._columns)  # resampled trainings may leave one size
        right = weighted.sum(axis=1)  # [G, columns]
        solved = np.linalg.solve(moments, right[..., None])[..., 0]
        errors = counts.sum() - (right * solved).sum(axis=1)
        errors = np.where((solved[:, :2] > 0).all(axis=1), errors, np.inf)
        scale = np.exp(grid * (self._mean_n, self._mean_d))
        floor = solved[:, 2:] if self._columns == 3 else np.zeros((len(grid), 1))
        return errors, np.concatenate([solved[:, :2] * scale, floor], axis=1)
