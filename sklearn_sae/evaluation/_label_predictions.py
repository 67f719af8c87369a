"""What annotations and the target say of labels that people did not give."""

import numpy as np

_N_FOLDS = 5


def cross_fit_labels(labels, annotation, y, design, groups=None):
    """Return what labels of all rows are predicted to be, each by a fit to the labels of other folds.

    A prediction may be as bad as it likes: what it misses is measured on the labelled rows. The target is among what it
    is made of because errors of an annotation may depend on it.

    Parameters
    ----------
    labels : ndarray of shape (n_drawn, n_columns)
        Functions of the labels of a hypothesis.
    annotation : ndarray of shape (n_samples,)
        Without NaN.
    y : ndarray of shape (n_samples,)
    design : Design
    groups : ndarray of int of shape (n_samples,), optional
        Rows of one group are in one fold.

    Returns
    -------
    predicted : ndarray of shape (n_samples, n_columns)
        Within the range of the labels.
    """
    features = _features(annotation, y)
    rng = np.random.default_rng(0)
    units = np.arange(len(y)) if groups is None else groups
    folds = rng.permutation(np.arange(units.max() + 1) % _N_FOLDS)[units]
    root = np.sqrt(design.weights[design.drawn])[:, None]
    predicted = np.empty((len(y), labels.shape[1]))
    for fold in range(_N_FOLDS):
        learned = folds[design.drawn] != fold
        X, T, r = features[design.drawn][learned], labels[learned], root[learned]
        coef = np.linalg.lstsq(X * r, T * r, rcond=1e-8)[0] if learned.any() else np.zeros((4, labels.shape[1]))
        predicted[folds == fold] = features[folds == fold] @ coef
    return predicted.clip(labels.min(axis=0), labels.max(axis=0))


def _features(annotation, y):
    spread = y.std()
    y = (y - y.mean()) / (spread if spread > 0 else 1)
    return np.column_stack([np.ones(len(y)), annotation, y, annotation * y])


def filled(values, missing):
    """Return values with the mean of the others where they are missing, and 0 where all are."""
    return np.where(missing, values[~missing].mean() if not missing.all() else 0.0, values)
