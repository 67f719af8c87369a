"""The joint regression that labels of all rows would give, from labels of some and annotations of all."""

from typing import NamedTuple

import numpy as np

from sklearn_sae.evaluation._label_predictions import cross_fit_labels, filled
from sklearn_sae.evaluation._regression import independent_columns, probabilities
from sklearn_sae.evaluation._sampling_design import tests, tuning_of, variances

_SINGULAR = 0.02  # the least eigenvalue of the matrix, scaled to ones, of equations that are solved
_MAX_STEPS = 50


class CorrectedFit(NamedTuple):
    """A regression without its intercept."""

    coef: np.ndarray  # (n_columns,)
    se: np.ndarray
    pvalues: np.ndarray
    low: np.ndarray
    high: np.ndarray
    r2: float  # NaN for logistic regression


def corrected_regression(labels, annotations, y, design, *, method, logistic=False, groups=None, confidence=0.95):
    """Return the regression of `y` on labels, as if all rows were labelled; NaN where it has no solution.

    The equations to solve are those of a regression on two sets of rows: the labelled ones with their labels and
    weights, and all with what is predicted of their labels, where a labelled row has its weight taken off.

    Parameters
    ----------
    labels : ndarray of shape (n_samples, n_columns)
        Labels of the drawn rows, of which no column is a linear combination of others.
    annotations : ndarray of shape (n_samples, n_columns)
    y : ndarray of shape (n_samples,)
        0 and 1 for a logistic regression.
    design : Design
    method, logistic, groups, confidence
        As of `correct_annotations`, and whether the regression is logistic.
    """
    drawn, w = design.drawn, design.weights[design.drawn]
    center, scale = w @ labels[drawn] / w.sum(), labels[drawn].std(axis=0)
    truth = (labels[drawn] - center) / scale
    guess, more = _predicted((labels - center) / scale, (annotations - center) / scale, y, design, method, groups)
    more *= not logistic
    X = np.column_stack([np.ones(len(w) + len(y)), np.vstack([truth, guess])])
    more = np.vstack([np.zeros((len(w), X.shape[1])), np.column_stack([np.zeros(len(y)), more])])
    target = np.concatenate([y[drawn], y])
    n, tuning = len(w), 1.0
    link = probabilities if logistic else _identity
    if method == "ppi":
        coef, inverse = _solve(X[:n], target[:n], w, more[:n], link)
        if coef is not None:
            moved = _moments(X, target, more, coef, link) @ inverse
            tuning = tuning_of(moved[:n, 1:], moved[n:, 1:][drawn], design)
    coef, inverse = _solve(X, target, np.concatenate([w, tuning * (1 - design.weights)]), more, link)
    if coef is None:
        return CorrectedFit(*np.full((5, len(scale)), np.nan), np.nan)
    moved = _moments(X, target, more, coef, link) @ inverse
    guessed = tuning * moved[n:]
    variance, df = variances(guessed, moved[:n] - guessed[drawn], X[:n] @ inverse, design, groups)
    se, pvalues, low, high = tests(coef, variance, df, confidence)
    r2 = np.nan
    if not logistic:
        centered = y - y.mean()
        product = (w * centered[drawn]) @ truth + tuning * ((1 - design.weights) * centered) @ guess
        r2 = coef[1:] @ product / (centered @ centered)
    coef, se, low, high = (values[1:] / scale for values in (coef, se, low, high))
    return CorrectedFit(coef, se, pvalues[1:], low, high, r2)


def identified(labels, design):
    """Return which columns of labels a regression can tell apart."""
    given = labels[design.drawn]
    varies = np.ptp(given, axis=0) > 0
    varies[varies] = independent_columns(given[:, varies])
    return varies


def _predicted(labels, annotations, y, design, method, groups):
    """Return predictions of the labels, and by how much those of their squares are larger than squares of these."""
    guess = np.column_stack([filled(column, np.isnan(column)) for column in annotations.T])
    more = np.zeros_like(guess)
    if method == "dsl":
        for j, column in enumerate(labels[design.drawn].T):
            both = cross_fit_labels(np.column_stack([column, column**2]), guess[:, j], y, design, groups)
            guess[:, j] = both[:, 0]
            more[:, j] = np.maximum(both[:, 1] - both[:, 0] ** 2, 0)
    return guess, more


def _solve(X, y, weights, more, link):
    """Return the coefficients of a regression whose weights may be below 0, and its inverse information, or None twice.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_columns)
    y, weights : ndarray of shape (n_rows,)
    more : ndarray of shape (n_rows, n_columns)
        What the squares of `X` lack.
    link : callable
        From the linear predictor to what is expected: the identity, or probabilities.
    """
    coef = np.zeros(X.shape[1])
    for _ in range(_MAX_STEPS):
        slopes = weights
        if link is probabilities:
            p = link(X @ coef)
            slopes = weights * p * (1 - p)
        information = (X * slopes[:, None]).T @ X + np.diag(weights @ more)
        if not _is_solvable(information):
            return None, None
        step = np.linalg.solve(information, weights @ _moments(X, y, more, coef, link))
        if link is probabilities:
            step *= min(1.0, 2.0 / max(np.abs(step).max(), 1e-300))
        coef = coef + step
        if np.abs(step).max() < 1e-9 * max(1.0, np.abs(coef).max()):
            return coef, np.linalg.inv(information)
    return None, None


def _moments(X, y, more, coef, link):
    """Return the estimating function of each row."""
    return X * (y - link(X @ coef))[:, None] - more * coef


def _is_solvable(information):
    """Return whether a matrix, scaled to a diagonal of ones, has no eigenvalue near zero or below."""
    diagonal = np.diag(information)
    if not np.isfinite(information).all() or (diagonal <= 0).any():
        return False
    root = np.sqrt(diagonal)
    return np.linalg.eigvalsh(information / np.outer(root, root))[0] > _SINGULAR


def _identity(eta):
    return eta
