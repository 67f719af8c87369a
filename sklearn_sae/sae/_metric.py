"""The metric of target-aware training: distances count more along the directions that predict the target.

The loss of principal covariates regression is ``|x - z|^2 + w * |B (x - z)|^2``, where B are the coefficients of a
ridge regression of the target on the rows. With the singular value decomposition ``sqrt(w) * B = U diag(s) V``, it
equals ``|S (x - z)|^2`` for ``S = I + V.T (diag(sqrt(1 + s^2)) - I) V``. So it is the plain squared error of rows that
are multiplied by S, which scales their parts along the directions V by ``sqrt(1 + s^2)``.

Shapes: n rows, d features, C outputs of the target, R = min(C, d) directions. The rows are centered and scaled so that
their total variance is 1.
"""

from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

_CHUNK_ROWS = 2**13
_PENALTIES = np.logspace(-4, 3, 29)  # in units of the mean variance of a feature
_LEAST_RESIDUAL = 1e-5  # in units of an output's variance; less is rounding error, because products are float32


class Metric(NamedTuple):
    """A linear model of the target, and the directions and factors of the metric that it defines."""

    coef: np.ndarray  # (C, d) float64, the coefficients of the outputs
    intercept: np.ndarray  # (C,)
    directions: np.ndarray  # (R, d) float32, orthonormal
    factors: np.ndarray  # (R,) float32, at least 1
    spread: float  # the root of the total variance of the rows in the metric


def apply_metric(rows, metric, power=1):
    """Return float32 rows whose parts along the directions of a metric are multiplied by a power of its factors."""
    directions, factors = (array.astype(np.float64) for array in (metric.directions, metric.factors))
    with threadpool_limits(1, user_api="blas"):  # because the bits of a product depend on the number of threads
        return (rows + (rows @ directions.T * (factors**power - 1)) @ directions).astype(np.float32)


def second_moments(X, index, values, encoding, mean, spread):
    """Return the sum over rows of the products of (1, x, y) with itself, (1 + d + C, 1 + d + C), by reading in chunks.

    Parameters
    ----------
    X : ndarray of shape (n_samples, d)
    index : ndarray of shape (n,)
        The rows to sum over.
    values : ndarray of shape (n_samples,)
        The target, encoded by `encoding`.
    encoding : TargetEncoding
    mean : ndarray of shape (d,)
    spread : float
        The rows are centered by the one and divided by the other.
    """
    with threadpool_limits(1, user_api="blas"):
        return sum(
            _products(X[rows], encoding.outputs(values[rows]), mean, spread)
            for rows in (index[start : start + _CHUNK_ROWS] for start in range(0, len(index), _CHUNK_ROWS))
        )


def _products(X, outputs, mean, spread):
    x = (X.astype(np.float32) - mean) * np.float32(1 / spread)
    both = np.hstack([np.ones((len(x), 1), np.float32), x, outputs.astype(np.float32)])
    return (both.T @ both).astype(np.float64)


def learn_metric(moments, n_features, weight):
    """Return the `Metric` for the second moments of (1, x, y) and the weight of the target.

    The outputs are standardized first, and an output that does not vary is left out. The penalty of the ridge
    regression is the one of least generalized cross-validation error over all outputs (Golub, Heath & Wahba 1979). If
    nothing predicts the target, the coefficients are then close to 0 and the factors close to 1, given about a hundred
    rows.
    """
    n, means = moments[0, 0], moments[0, 1:] / moments[0, 0]
    covariance = moments[1:, 1:] / n - np.outer(means, means)
    within, across = covariance[:n_features, :n_features], covariance[:n_features, n_features:]
    deviations = np.sqrt(np.diag(covariance)[n_features:].clip(0))
    varies = deviations > 1e-6
    with threadpool_limits(1, user_api="blas"):
        standardized = np.zeros(across.shape)
        standardized[:, varies] = _ridge(within, across[:, varies] / deviations[varies], n)
        weighted = standardized.T * np.sqrt(weight / max(1, varies.sum()))
        _, sizes, directions = np.linalg.svd(weighted, full_matrices=False)
        explained = np.einsum("cd,de,ce->", weighted, within, weighted, optimize=True)
        coef = standardized.T * deviations[:, None]
        return Metric(
            coef,
            means[n_features:] - coef @ means[:n_features],
            directions.astype(np.float32),
            np.sqrt(1 + sizes**2).astype(np.float32),
            float(np.sqrt(1 + explained)),
        )


def _ridge(within, across, n):
    """Return the coefficients (d, C) for outputs of variance 1, from their covariances with the features."""
    variances, axes = np.linalg.eigh(within)
    variances = variances.clip(0)
    on_axes = axes.T @ across
    best, coef = np.inf, np.zeros_like(across)
    for penalty in _PENALTIES * (variances.mean() or 1.0):
        shrunk = on_axes / (variances + penalty)[:, None]
        left = across.shape[1] - 2 * (on_axes * shrunk).sum() + (variances[:, None] * shrunk**2).sum()
        degrees = 1 + (variances / (variances + penalty)).sum()
        error = max(left, _LEAST_RESIDUAL * across.shape[1]) / max(1 - degrees / n, 1e-9) ** 2
        if error < best:
            best, coef = error, axes @ shrunk
    return coef
