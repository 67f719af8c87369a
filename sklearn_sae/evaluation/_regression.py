"""The joint regression on all hypotheses: least squares, or logistic with Firth's penalty under separation."""

import warnings
from typing import NamedTuple

import numpy as np
from scipy.stats import chi2

_COLLINEAR = 1e-5  # share of a column's length that the columns before it must leave unexplained
_EXACT = 1e-10  # share of the target's spread below which a residual is rounding


class Fit(NamedTuple):
    """A joint regression."""

    coef: np.ndarray  # (n_columns,) of the columns, the intercept left out
    pvalues: np.ndarray  # (n_columns,)
    predicted: np.ndarray  # (n_samples,)
    penalized: bool = False  # by Firth's method


def independent_columns(A):
    """Return which columns are not a linear combination of a constant and the columns before them.

    Parameters
    ----------
    A : ndarray of shape (n_samples, n_columns)

    Returns
    -------
    kept : ndarray of bool of shape (n_columns,)
    """
    centered = A - A.mean(axis=0)
    orthonormal = np.empty((min(A.shape), len(A)))
    kept = np.zeros(A.shape[1], dtype=bool)
    for j, column in enumerate(centered.T):
        basis = orthonormal[: kept.sum()]
        rest = column - basis.T @ (basis @ column)
        rest -= basis.T @ (basis @ rest)  # once more, for what rounding left
        length = np.linalg.norm(rest)
        if length > _COLLINEAR * max(np.linalg.norm(column), np.abs(A[:, j]).max()):
            orthonormal[kept.sum()] = rest / length
            kept[j] = True
    return kept


def fit_least_squares(A, y):
    """Regress `y` on a constant and the independent columns of `A` by ordinary least squares."""
    import statsmodels.api as sm

    with np.errstate(all="ignore"):
        result = sm.OLS(y, _with_constant(A)).fit()
        coef, pvalues = result.params[1:], result.pvalues[1:]
    if result.resid.std() <= _EXACT * y.std() + 1e-14 * np.abs(y).max():
        # No error is left to compare with: a coefficient is certain, or rounding.
        pvalues = np.where(np.abs(coef) * A.std(axis=0) > 1e-6 * y.std(), 0.0, 1.0)
    return Fit(coef, pvalues, result.fittedvalues)


def fit_logistic(A, y):
    """Regress 0/1 `y` on a constant and the independent columns of `A` by logistic regression.

    Maximum likelihood with Wald tests; where it has no finite maximum, because a combination of the columns separates
    the classes fully or in part, Firth's penalized likelihood with likelihood-ratio tests.
    """
    import statsmodels.api as sm
    from statsmodels.tools.sm_exceptions import PerfectSeparationError

    scale = A.std(axis=0)
    X = _with_constant((A - A.mean(axis=0)) / scale)  # the same model, better conditioned
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            result = sm.Logit(y, X).fit(disp=False, maxiter=50)
        except (np.linalg.LinAlgError, PerfectSeparationError):
            result = None
    if result is not None and result.mle_retvals["converged"]:
        return Fit(result.params[1:] / scale, result.pvalues[1:], _probabilities(result.fittedvalues))
    coef, best = fit_firth(X, y)
    pvalues = np.empty(X.shape[1])
    for j in range(1, X.shape[1]):
        free = np.arange(X.shape[1]) != j
        # A likelihood is flat at its maximum, so a looser tolerance gives the same.
        without = fit_firth(X, y, free, start=coef, tol=1e-5)[1]
        pvalues[j] = chi2.sf(2 * max(best - without, 0.0), 1)
    return Fit(coef[1:] / scale, pvalues[1:], _probabilities(X @ coef), penalized=True)


def fit_firth(X, y, free=None, *, start=None, max_iter=200, tol=1e-8):
    """Maximize Firth's penalized likelihood: the log-likelihood plus half the log-determinant of the information.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_columns)
        With its column of ones.
    y : ndarray of shape (n_samples,)
        0 or 1.
    free : ndarray of bool of shape (n_columns,), optional
        Coefficients to estimate; the others are 0. The penalty is that of all columns.
    start : ndarray of shape (n_columns,), optional
        Coefficients to start from, 0 by default; those of a fit to more columns save most of the steps.

    Returns
    -------
    coef : ndarray of shape (n_columns,)
    penalized_loglikelihood : float

    References
    ----------
    Heinze & Schemper, "A solution to the problem of separation in logistic regression", Statistics in Medicine 21
    (2002).
    """
    free = np.ones(X.shape[1], dtype=bool) if free is None else free
    coef = np.zeros(X.shape[1]) if start is None else np.where(free, start, 0.0)
    value = _penalized_loglikelihood(X, y, coef)
    for _ in range(max_iter):
        p = _probabilities(X @ coef)
        weighted = X * np.sqrt(p * (1 - p))[:, None]
        information = weighted.T @ weighted
        leverage = (weighted * np.linalg.solve(information, weighted.T).T).sum(axis=1)
        gradient = X.T @ (y - p + leverage * (0.5 - p))
        step = np.zeros_like(coef)
        # The gradient is that of 1 + leverage observations a row, so that is the curvature to step by.
        curvature = (weighted[:, free] * (1 + leverage)[:, None]).T @ weighted[:, free]
        step[free] = np.linalg.solve(curvature, gradient[free])
        step *= min(1.0, 5.0 / max(np.abs(X @ step).max(), 1e-300))  # in log-odds, so as not to overshoot
        for _ in range(30):  # halve until the likelihood does not fall
            new_value = _penalized_loglikelihood(X, y, coef + step)
            if new_value >= value - 1e-12 * abs(value):
                break
            step /= 2
        coef, value = coef + step, new_value
        if np.abs(X @ step).max() < tol:
            break
    return coef, value


def _penalized_loglikelihood(X, y, coef):
    eta = X @ coef
    p = _probabilities(eta)
    information = (X * (p * (1 - p))[:, None]).T @ X
    sign, log_determinant = np.linalg.slogdet(information)
    if sign <= 0:
        return -np.inf
    return float(y @ eta - np.logaddexp(0, eta).sum() + 0.5 * log_determinant)


def _probabilities(eta):
    return 0.5 * (1 + np.tanh(eta / 2))


def _with_constant(A):
    return np.column_stack([np.ones(len(A)), A])
