"""Residuals of sparse activations and targets beyond an intercept and controls, without filling in the zeros."""

from typing import NamedTuple

import numpy as np
from scipy.sparse import csc_array, issparse

from sklearn_sae.utils._controls import intercept_and_controls

_CONSTANT = 1e-9  # A spread below this share of the mean is a rounding error.
_EXPLAINED = 1e-9  # The controls explain a variance fully if they leave less than this share of it.


class Standardized(NamedTuple):
    """Activations whose residuals beyond `basis` have unit norm in every live column.

    The residuals themselves are dense, so `basis` is taken out of the vectors with which products are formed. Rows are
    scaled by the root of their share of the weight, so that sums of squares are weighted variances.
    """

    values: csc_array | np.ndarray  # (n, M) float64; dead columns are zero
    basis: np.ndarray  # (n, 1 + n_independent_controls)
    loadings: np.ndarray  # (1 + n_independent_controls, M): basis.T @ values
    live: np.ndarray  # (M,) bool, whether the neuron varies beyond the controls

    def residual(self, j):
        """Return the residual of neuron `j` beyond the basis, a dense vector of norm 1."""
        residual = -self.basis @ self.loadings[:, j]
        if issparse(self.values):
            entries = slice(self.values.indptr[j], self.values.indptr[j + 1])
            residual[self.values.indices[entries]] += self.values.data[entries]
        else:
            residual += self.values[:, j]
        return residual

    def covariance(self, residuals):
        """Return the neurons' covariances (M,) or (M, n_targets) with vectors that are orthogonal to the basis."""
        # Residuals are orthogonal to the basis up to rounding, which matters where means are large.
        rounding = self.loadings.T @ (self.basis.T @ residuals)
        return self.values.T @ residuals - rounding


def standardize(X, basis=None):
    """Scale the columns of `X` so that the residual of each beyond `basis` has unit norm.

    Parameters
    ----------
    X : sparse or dense array of shape (n_samples, n_neurons)
    basis : ndarray of shape (n_samples, 1 + n_independent_controls) or None
        The basis from `intercept_and_controls`; None is an intercept alone.

    Returns
    -------
    design : Standardized
    """
    if basis is None:
        basis = intercept_and_controls(X.shape[0])
    n_samples, n_neurons = X.shape
    root = basis[:, 0]
    share = root**2
    if issparse(X):
        values = csc_array(X, dtype=np.float64, copy=True)
        values.sum_duplicates()
        filled = np.diff(values.indptr)
        columns = np.repeat(np.arange(n_neurons), filled)
        weight = share[values.indices]
        mean = np.bincount(columns, weight * values.data, n_neurons)
        squares = np.bincount(columns, weight * (values.data - mean[columns]) ** 2, n_neurons)
        unfilled = np.where(filled < n_samples, 1 - np.bincount(columns, weight, n_neurons), 0.0)
        std = np.sqrt(squares + np.maximum(unfilled, 0.0) * mean**2)
    else:
        values = np.array(X, dtype=np.float64)
        mean = share @ values
        std = np.sqrt(share @ (values - mean) ** 2)
    live = std > _CONSTANT * np.abs(mean)
    factor = np.divide(1.0, std, out=np.zeros(n_neurons), where=live)
    if issparse(X):
        values.data *= root[values.indices] * factor[columns]
    else:
        values *= root[:, None]
        values *= factor
    loadings = (mean * factor)[None]
    if basis.shape[1] > 1:
        controls = basis[:, 1:]
        on_controls = controls.T @ values - np.multiply.outer(root @ controls, loadings[0])
        unexplained = 1 - (on_controls**2).sum(axis=0)  # share of a variance of 1
        live &= unexplained > _EXPLAINED
        factor = np.divide(1.0, np.sqrt(np.maximum(unexplained, 0.0)), out=np.zeros(n_neurons), where=live)
        if issparse(X):
            values.data *= factor[columns]
        else:
            values *= factor
        loadings = np.vstack([loadings, on_controls]) * factor
    return Standardized(values, basis, loadings, live)


def standardize_targets(Y, basis):
    """Return the residuals of the targets beyond `basis`, scaled to unit norm, and their spread.

    Parameters
    ----------
    Y : ndarray of shape (n_samples, n_targets)
    basis : ndarray of shape (n_samples, 1 + n_independent_controls)

    Returns
    -------
    targets : ndarray of shape (n_samples, n_targets)
        The residuals, with rows scaled as those of `Standardized`; 0 where no residual is left.
    spread : ndarray of shape (n_targets,)
        The standard deviation of the residuals in units of the target.
    """
    root = basis[:, 0]
    centered = root[:, None] * (Y - root**2 @ Y)
    residuals = centered - basis @ (basis.T @ centered)
    spread = np.linalg.norm(residuals, axis=0)
    is_left = (np.ptp(Y, axis=0) > 0) & (spread**2 > _EXPLAINED * (centered**2).sum(axis=0))
    spread = np.where(is_left, spread, 0.0)
    return np.divide(residuals, spread, out=np.zeros_like(residuals), where=is_left), spread
