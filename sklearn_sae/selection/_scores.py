"""Scores and tests of single neurons, from sparse or dense activations."""

import numpy as np
from scipy.sparse import csc_array
from scipy.special import betainc
from scipy.stats import false_discovery_control

_DEPENDENT = 1e-9  # A smaller eigenvalue of the correlations of the targets is a rounding error.


def correlation_scores(design, targets):
    """Return the correlations of the neurons with each target; with controls, the partial correlations.

    Parameters
    ----------
    design : Standardized
    targets : ndarray of shape (n_samples, n_targets)
        The targets from `standardize_targets`, with the basis of `design`.

    Returns
    -------
    scores : ndarray of shape (n_targets, n_neurons)
        0 for a neuron, or a target, that does not vary.
    """
    return np.clip(design.covariance(targets).T, -1, 1)


def association_pvalues(correlations, targets, n_free):
    """Return the p-value of the association of each neuron with all targets together.

    A neuron's share of variance that `rank` independent targets explain has a beta distribution under the null
    hypothesis, as in the F test of a regression; for one target this is the t test of its correlation.

    Parameters
    ----------
    correlations : ndarray of shape (n_targets, n_neurons)
    targets : ndarray of shape (n_samples, n_targets)
        The targets from `standardize_targets`.
    n_free : float
        Number of rows minus the columns of the basis.

    Returns
    -------
    pvalues : ndarray of shape (n_neurons,)
        NaN where the rows are too few.
    """
    eigenvalues, directions = np.linalg.eigh(targets.T @ targets)
    independent = eigenvalues > _DEPENDENT
    rank = independent.sum()
    if n_free <= rank:
        return np.full(correlations.shape[1], np.nan)
    explained = (directions.T[independent] @ correlations) ** 2 / eigenvalues[independent][:, None]
    return betainc((n_free - rank) / 2, rank / 2, np.clip(1 - explained.sum(axis=0), 0, 1))


def passes_fdr(pvalues, max_fdr):
    """Return which p-values the Benjamini-Hochberg procedure rejects at a rate; NaN never passes.

    Parameters
    ----------
    pvalues : ndarray of shape (n_neurons,)
    max_fdr : float

    Returns
    -------
    passes : ndarray of bool of shape (n_neurons,)
    """
    passes = ~np.isnan(pvalues)
    if passes.any():
        passes[passes] = false_discovery_control(pvalues[passes]) <= max_fdr
    return passes


def separation_scores(X, Y, n_top, sample_weight=None):
    """Return the mean of the target on the top rows minus its mean on the rows of zero activation.

    Parameters
    ----------
    X : sparse or dense array of shape (n_samples, n_neurons)
    Y : ndarray of shape (n_samples, n_targets)
    n_top : int
        Number of rows of highest activation that count. Only positive activations count, and of equal ones those of
        earlier rows.
    sample_weight : ndarray of shape (n_samples,) or None
        How many rows each row stands for, above 0. The last of the top rows may count in part.

    Returns
    -------
    scores : ndarray of shape (n_targets, n_neurons)
        NaN for a neuron without a positive or without a zero activation.
    """
    X = csc_array(X, copy=True)
    X.sum_duplicates()
    X.eliminate_zeros()
    n_samples, n_neurons = X.shape
    if sample_weight is None:
        sample_weight = np.ones(n_samples)
    filled = np.diff(X.indptr)
    columns = np.repeat(np.arange(n_neurons), filled)
    by_activation = np.lexsort((-X.data, columns))
    weight = sample_weight[X.indices[by_activation]]
    up_to = np.concatenate([[0.0], np.cumsum(weight)])
    before = up_to[:-1] - up_to[X.indptr[columns]]  # weight of the rows of higher activation
    counted = np.clip(n_top - before, 0, weight) * (X.data[by_activation] > 0)
    top = by_activation[counted > 0]
    counted = counted[counted > 0]
    top_weight = np.bincount(columns[top], counted, n_neurons)
    zero_weight = sample_weight.sum() - np.bincount(columns, sample_weight[X.indices], n_neurons)
    defined = (top_weight > 0) & (filled < n_samples) & (zero_weight > 0)

    scores = np.full((Y.shape[1], n_neurons), np.nan)
    for score, y in zip(scores, (Y - np.average(Y, axis=0, weights=sample_weight)).T, strict=True):
        top_sum = np.bincount(columns[top], counted * y[X.indices[top]], n_neurons)
        # The sum over all rows is zero, so the rows of zero activation have the negative of the others' sum.
        zero_sum = -np.bincount(columns, (sample_weight * y)[X.indices], n_neurons)
        score[defined] = top_sum[defined] / top_weight[defined] - zero_sum[defined] / zero_weight[defined]
    return scores
