"""Correlations between annotations, in which each pair of columns uses the rows where both have an answer."""

import numpy as np


def correlations(A, B):
    """Return Pearson's correlation of each column of `A` with each of `B`, on the rows where both have an answer.

    Parameters
    ----------
    A : ndarray of shape (n_samples, n_columns_a)
        `A` and `B` may have NaN.
    B : ndarray of shape (n_samples, n_columns_b)

    Returns
    -------
    correlations : ndarray of shape (n_columns_a, n_columns_b)
        NaN where one of the two is constant on these rows.
    """
    (a, in_a), (b, in_b) = _centered(A), _centered(B)
    n = np.maximum(in_a.T @ in_b, 1)
    sum_a, sum_b = a.T @ in_b, in_a.T @ b
    square_a, square_b = (a**2).T @ in_b - sum_a**2 / n, in_a.T @ b**2 - sum_b**2 / n
    varies = np.minimum(square_a, square_b) > 1e-14 * n
    product = np.sqrt(np.where(varies, square_a * square_b, 1.0))
    return np.where(varies, np.clip((a.T @ b - sum_a * sum_b / n) / product, -1, 1), np.nan)


def _centered(A):
    """Return the columns minus their means, with 0 in place of NaN, and an array with 1 where there is a number."""
    answered = ~np.isnan(A)
    means = np.where(answered, A, 0).sum(axis=0) / np.maximum(answered.sum(axis=0), 1)
    return np.where(answered, A - means, 0.0), answered.astype(np.float64)
