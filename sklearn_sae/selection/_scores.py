"""Scores of neurons taken one by one: correlation and separation, from sparse or dense activations."""

from typing import NamedTuple

import numpy as np
from scipy.sparse import csc_array, issparse

_CONSTANT = 1e-9  # a spread below this share of the mean is rounding, not signal


class Standardized(NamedTuple):
    """Activations with unit variance in every live column; centring is left to the vectors they meet."""

    values: csc_array | np.ndarray  # (n, M) float64; dead columns are zero
    mean: np.ndarray  # (M,) of `values`
    live: np.ndarray  # (M,) bool: the neuron varies

    def centered_column(self, j):
        """Return neuron `j` as a dense vector of mean 0 and variance 1."""
        if not issparse(self.values):
            return self.values[:, j] - self.mean[j]
        column = np.full(self.values.shape[0], -self.mean[j])
        entries = slice(self.values.indptr[j], self.values.indptr[j + 1])
        column[self.values.indices[entries]] += self.values.data[entries]
        return column

    def covariance(self, centered):
        """Return the covariances (M,) or (M, n_targets) with vectors of mean 0."""
        rounding = np.multiply.outer(self.mean, centered.mean(axis=0))  # of that mean; it counts where ours is large
        return self.values.T @ centered / self.values.shape[0] - rounding


def standardize(X):
    """Divide each column of `X` by its standard deviation, without filling in the zeros of a sparse one."""
    n_samples, n_neurons = X.shape
    if issparse(X):
        values = csc_array(X, dtype=np.float64, copy=True)
        values.sum_duplicates()
        filled = np.diff(values.indptr)
        columns = np.repeat(np.arange(n_neurons), filled)
        mean = np.bincount(columns, values.data, n_neurons) / n_samples
        squares = np.bincount(columns, (values.data - mean[columns]) ** 2, n_neurons)
        std = np.sqrt((squares + (n_samples - filled) * mean**2) / n_samples)
    else:
        values = np.array(X, dtype=np.float64)
        mean, std = values.mean(axis=0), values.std(axis=0)
    live = std > _CONSTANT * np.abs(mean)
    factor = np.divide(1.0, std, out=np.zeros(n_neurons), where=live)
    if issparse(X):
        values.data *= factor[columns]
    else:
        values *= factor
    return Standardized(values, mean * factor, live)


def correlation_scores(design, Y):
    """Return Pearson's correlations of the neurons with each target.

    Parameters
    ----------
    design : Standardized
    Y : ndarray of shape (n_samples, n_targets)

    Returns
    -------
    scores : ndarray of shape (n_targets, n_neurons)
        0 for a neuron that does not vary.
    """
    Y = (Y - Y.mean(axis=0)) / Y.std(axis=0)
    return np.clip(design.covariance(Y).T, -1, 1)


def separation_scores(X, Y, n_top):
    """Return how far the target's mean on the top rows lies from its mean on the rows of zero activation.

    Parameters
    ----------
    X : sparse or dense array of shape (n_samples, n_neurons)
    Y : ndarray of shape (n_samples, n_targets)
    n_top : int
        Rows of highest activation that count; only positive activations do, and of equal ones the earlier rows.

    Returns
    -------
    scores : ndarray of shape (n_targets, n_neurons)
        NaN for a neuron without a positive or without a zero activation.
    """
    X = csc_array(X, copy=True)
    X.sum_duplicates()
    X.eliminate_zeros()
    n_samples, n_neurons = X.shape
    filled = np.diff(X.indptr)
    columns = np.repeat(np.arange(n_neurons), filled)
    by_activation = np.lexsort((-X.data, columns))
    place = np.arange(len(columns)) - np.repeat(X.indptr[:-1], filled)  # within the column, highest first
    top = by_activation[(place < n_top) & (X.data[by_activation] > 0)]
    n_tops = np.bincount(columns[top], minlength=n_neurons)
    n_zeros = n_samples - filled
    defined = (n_tops > 0) & (n_zeros > 0)

    scores = np.full((Y.shape[1], n_neurons), np.nan)
    for score, y in zip(scores, (Y - Y.mean(axis=0)).T, strict=True):
        top_sum = np.bincount(columns[top], y[X.indices[top]], n_neurons)
        zero_sum = -np.bincount(columns, y[X.indices], n_neurons)  # y sums to zero over all rows
        score[defined] = top_sum[defined] / n_tops[defined] - zero_sum[defined] / n_zeros[defined]
    return scores
