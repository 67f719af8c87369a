"""The score of the joint regression on rows to which it was not fitted."""

import numpy as np
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

from sklearn_sae.evaluation._regression import independent_columns, least_squares, logistic, probabilities

_N_FOLDS = 5


def cross_fit_r2(A, y, groups=None, weights=None):
    """Return R² of least squares, each fold predicted by a fit to the others.

    Parameters
    ----------
    A : ndarray of shape (n_samples, n_columns)
        NaN where no answer came. The mean of the column in the training folds takes its place.
    y : ndarray of shape (n_samples,)
    groups : ndarray of int of shape (n_samples,), optional
        Rows of one group stay in one fold.
    weights : ndarray of shape (n_samples,), optional
        Those of the fits and of the score.

    Returns
    -------
    r2 : float
        The score is of all rows at once because folds may be small. It is NaN where there are too few rows for the
        columns.
    """
    n_folds = min(_N_FOLDS, len(y) if groups is None else groups.max() + 1)
    folds = GroupKFold(n_folds) if groups is not None else KFold(n_folds, shuffle=True, random_state=0)
    predicted = np.empty(len(y))
    for train, test in folds.split(A, y, groups):
        X, X_test = _designs(A[train], A[test])
        if X.shape[1] >= len(X):
            return np.nan
        root = np.ones(len(X)) if weights is None else np.sqrt(weights[train])
        predicted[test] = X_test @ least_squares(root[:, None] * X, root * y[train])
    return float(r2_score(y, predicted, sample_weight=weights))


def cross_fit_auc(A, y, groups=None, weights=None):
    """Return the AUC of logistic regression, each fold predicted by a fit to the others.

    Parameters are those of `cross_fit_r2`, with `y` of 0 and 1.

    Returns
    -------
    auc : float
        The mean over the folds that have both classes, because predictions of different fits cannot be ranked
        together. It is NaN where there are too few rows.
    """
    n_folds = min(_N_FOLDS, *np.bincount(y.astype(int)), *([] if groups is None else [groups.max() + 1]))
    if n_folds < 2:
        return np.nan
    kind = StratifiedKFold if groups is None else StratifiedGroupKFold
    aucs = []
    for train, test in kind(n_folds, shuffle=True, random_state=0).split(A, y, groups):
        if 0 < y[train].mean() < 1 and len(test) and 0 < y[test].mean() < 1:
            X, X_test = _designs(A[train], A[test])
            if X.shape[1] >= len(X):
                return np.nan
            of_train, of_test = (None if weights is None else weights[rows] for rows in (train, test))
            predicted = probabilities(X_test @ logistic(X, y[train], of_train)[0])
            aucs.append(roc_auc_score(y[test], predicted, sample_weight=of_test))
    return float(np.mean(aucs)) if aucs else np.nan


def _designs(train, test):
    """Return both parts with a column of ones and without NaN or the columns that `train` cannot tell apart."""
    answered = ~np.isnan(train)
    means = np.where(answered, train, 0).sum(axis=0) / np.maximum(answered.sum(axis=0), 1)
    train, test = (np.where(np.isnan(rows), means, rows) for rows in (train, test))
    kept = independent_columns(train)
    center, scale = train[:, kept].mean(axis=0), train[:, kept].std(axis=0)
    return tuple(np.column_stack([np.ones(len(rows)), (rows[:, kept] - center) / scale]) for rows in (train, test))
