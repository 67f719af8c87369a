"""The joint regression on all hypotheses: least squares or logistic regression, with Firth's penalty if needed."""

import warnings
from typing import NamedTuple

import numpy as np
from scipy.stats import chi2, t

_COLLINEAR = 1e-5  # A column is independent if the columns before it leave this share of its length unexplained.
_EXACT = 1e-10  # A residual below this share of the target's spread is a rounding error.
_DIVERGED = 1e5  # Log-odds with a larger standard error, of a standardized column, have no finite estimate.


class Fit(NamedTuple):
    """A joint regression without its intercept."""

    coef: np.ndarray  # (n_columns,)
    se: np.ndarray  # (n_columns,) standard errors
    pvalues: np.ndarray  # (n_columns,)
    low: np.ndarray  # (n_columns,) lower limits of the confidence intervals
    high: np.ndarray  # (n_columns,) upper limits
    predicted: np.ndarray  # (n_samples,)
    penalized: bool = False  # whether the estimates are Firth's


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
        rest -= basis.T @ (basis @ rest)  # a second pass removes what rounding left
        length = np.linalg.norm(rest)
        if length > _COLLINEAR * max(np.linalg.norm(column), np.abs(A[:, j]).max()):
            orthonormal[kept.sum()] = rest / length
            kept[j] = True
    return kept


def fit_least_squares(A, y, *, robust=False, groups=None, confidence=0.95, weights=None):
    """Regress `y` on a constant and the independent columns of `A` by least squares.

    Standard errors are classical, HC3 (`robust`, or with `weights`) or clustered (`groups`, an ndarray of int from 0).
    """
    X, scale = _standardized(A)
    root = np.ones(len(y)) if weights is None else np.sqrt(weights)
    coef = least_squares(root[:, None] * X, root * y)
    predicted = X @ coef
    residuals, df = y - predicted, np.full(len(coef), X.shape[0] - X.shape[1])
    with np.errstate(all="ignore"):
        if groups is not None or robust or weights is not None:
            variances, df = sandwich(root[:, None] * X, root * residuals, np.ones(len(y)), groups)
        else:
            variances = np.diag(np.linalg.inv(X.T @ X)) * (residuals @ residuals / df)
    fit = _wald(coef, variances, predicted, df, confidence)
    if residuals.std() <= _EXACT * y.std() + 1e-14 * np.abs(y).max():
        # The fit is exact, so a coefficient is either certain or a rounding error.
        pvalues = np.where(np.abs(fit.coef) > 1e-6 * y.std(), 0.0, 1.0)
        fit = fit._replace(pvalues=pvalues, se=np.zeros_like(fit.se), low=fit.coef, high=fit.coef)
    return _unscaled(fit, scale)


def fit_logistic(A, y, *, robust=False, groups=None, confidence=0.95, weights=None):
    """Regress 0/1 `y` on a constant and the independent columns of `A` by logistic regression.

    Coefficients are those of maximum likelihood, with Wald tests. Standard errors are classical, HC3 (`robust`) or
    clustered (`groups`, an ndarray of int from 0). The likelihood has no finite maximum where a combination of the
    columns separates the classes fully or in part. Coefficients are then those of Firth's penalized likelihood, with
    likelihood-ratio tests and the intervals that these give. There is no such test for rows in groups, so with `groups`
    the columns that have a finite maximum get Wald tests and the others NaN. With `weights` standard errors are HC3 or
    clustered, and where there is no finite maximum all statistics are NaN.
    """
    X, scale = _standardized(A)
    if weights is not None:
        return _unscaled(_weighted_logistic(X, y, weights, groups, confidence), scale)
    coef, penalized = logistic(X, y)
    p = probabilities(X @ coef)
    weights = p * (1 - p)
    df = np.full(len(coef), np.inf)
    with np.errstate(all="ignore"):
        if groups is not None or (robust and not penalized):
            variances, df = sandwich(X, y - p, weights, groups)
        else:
            variances = np.diag(np.linalg.inv((X * weights[:, None]).T @ X))
    if penalized and groups is not None:
        variances[1:][_separating(A, y)] = np.nan
    fit = _wald(coef, variances, p, np.full(len(coef), np.inf) if groups is None else df, confidence)
    if penalized and groups is None:
        pvalues, low, high = _firth_tests(X, y, coef, confidence)
        fit = fit._replace(pvalues=pvalues, low=low, high=high)
    return _unscaled(fit._replace(penalized=penalized), scale)


def _weighted_logistic(X, y, weights, groups, confidence):
    coef, finite = logistic(X, y, weights)
    p = probabilities(X @ coef)
    variances, df = np.full(len(coef), np.nan), np.full(len(coef), np.inf)
    if finite:
        with np.errstate(all="ignore"):
            variances, df_groups = sandwich(X, weights * (y - p), weights * p * (1 - p), groups)
        df = df if groups is None else df_groups
    fit = _wald(coef, variances, p, df, confidence)
    return fit if finite else fit._replace(coef=np.full(len(coef) - 1, np.nan), penalized=True)


def _separating(A, y):
    """Return which columns have no finite log-odds because they hold, or do not hold, in one class only.

    The maximum likelihood of the others is that without these columns, and without the rows where these columns differ
    from their usual value. If that is not finite either, all columns are returned.
    """
    finite, rows = np.ones(A.shape[1], dtype=bool), np.ones(len(y), dtype=bool)
    for j, column in enumerate(A.T):
        for usual in (-1, 0, 1):
            other = column != usual
            if other.any() and np.ptp(y[other]) == 0:
                finite[j] = False
                rows &= ~other
    if finite.all() or not rows.any() or np.ptp(y[rows]) == 0:
        return np.ones_like(finite)
    finite[finite] = independent_columns(A[np.ix_(rows, finite)])
    if not finite.any() or finite.sum() + 1 >= rows.sum():
        return np.ones_like(finite)
    penalized = logistic(_standardized(A[np.ix_(rows, finite)])[0], y[rows])[1]
    return np.ones_like(finite) if penalized else ~finite


def least_squares(X, y):
    """Return the coefficients of `y` on the independent columns of `X`."""
    return np.linalg.lstsq(X, y, rcond=None)[0]


def logistic(X, y, weights=None):
    """Return the log-odds of 0/1 `y` on the independent columns of `X`, and whether they are Firth's.

    With `weights` they are those of maximum likelihood in any case, and what is returned beside is whether it is
    finite.
    """
    if weights is not None:
        return _newton(X, y, weights)
    import statsmodels.api as sm
    from statsmodels.tools.sm_exceptions import PerfectSeparationError

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            result = sm.Logit(y, X).fit(disp=False, maxiter=50)
        except (np.linalg.LinAlgError, PerfectSeparationError):
            result = None
    # A flat likelihood counts as converged far out, because its steps are small there.
    if result is not None and result.mle_retvals["converged"] and result.bse.max() < _DIVERGED:
        return result.params, False
    return fit_firth(X, y)[0], True


def _newton(X, y, weights, max_iter=50):
    """Return the log-odds of greatest weighted likelihood, and whether they are finite."""
    coef = np.zeros(X.shape[1])
    for _ in range(max_iter):
        p = probabilities(X @ coef)
        information = (X * (weights * p * (1 - p))[:, None]).T @ X
        if np.linalg.cond(information) > 1 / np.finfo(float).eps:
            return coef, False
        step = np.linalg.solve(information, X.T @ (weights * (y - p)))
        coef = coef + step * min(1.0, 5.0 / max(np.abs(X @ step).max(), 1e-300))  # at most 5 in log-odds
        if np.abs(X @ step).max() < 1e-10:
            break
    return coef, bool(np.sqrt(np.diag(np.linalg.inv(information)).max()) < _DIVERGED)


def sandwich(X, residuals, weights, groups=None):
    """Return variances of coefficients that are valid where rows scatter unequally or are dependent within groups.

    They are HC3 [1]_, or CR1 with `groups` [2]_. statsmodels has these for least squares, but the "HC3" of its logistic
    regression is HC0. CR1 counts groups as if all bore on a coefficient alike. Where few do, as for a hypothesis that
    holds in few groups, it is far too small, so that for each coefficient the groups count for as many as they are
    worth [3]_: here `effective_number` of the sums of the influences that they would have on it at equal residuals.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_columns)
        The columns, with the column of ones.
    residuals : ndarray of shape (n_samples,)
        Residuals of the target itself, for logistic regression too.
    weights : ndarray of shape (n_samples,)
        Weights of the rows in the information: 1 for least squares, p (1 - p) for logistic regression.
    groups : ndarray of int of shape (n_samples,), optional
        Groups from 0 to their number less one.

    Returns
    -------
    variances : ndarray of shape (n_columns,)
        NaN for HC3 where a single row alone determines a coefficient.
    df : ndarray of shape (n_columns,)
        Degrees of freedom: one less than the groups count for, or the rows less the columns.

    References
    ----------
    .. [1] MacKinnon & White, "Some heteroskedasticity-consistent covariance matrix estimators with improved finite
       sample properties", Journal of Econometrics 29 (1985).
    .. [2] Cameron & Miller, "A practitioner's guide to cluster-robust inference", Journal of Human Resources 50
       (2015).
    .. [3] Carter, Schnepel & Steigerwald, "Asymptotic behavior of a t-test robust to cluster heterogeneity", Review of
       Economics and Statistics 99 (2017).
    """
    n, k = X.shape
    sensitivity = X @ np.linalg.inv((X * weights[:, None]).T @ X)  # of each coefficient to the residual of each row
    if groups is None:
        slack = 1 - weights * (sensitivity * X).sum(axis=1)  # 1 minus the leverage of the row
        alone = slack < 1e-9
        influences = sensitivity * (residuals / np.where(alone, 1, slack))[:, None]
        influences[alone] = np.where(np.abs(sensitivity[alone]) > 1e-9 * np.abs(sensitivity).max(axis=0), np.nan, 0)
        return (influences**2).sum(axis=0), np.full(k, n - k)
    influences = _sums(sensitivity * residuals[:, None], groups)
    n_groups = effective_number(_sums(np.abs(sensitivity) * np.sqrt(weights)[:, None], groups))
    return n_groups / (n_groups - 1) * (n - 1) / (n - k) * (influences**2).sum(axis=0), n_groups - 1


def effective_number(parts):
    """Return how many equal parts would add up to as uneven a total, for each column: Kish's number.

    Parameters
    ----------
    parts : ndarray of shape (n_parts,) or (n_parts, n_columns)
        Numbers from 0.
    """
    return parts.sum(axis=0) ** 2 / (parts**2).sum(axis=0)


def _sums(rows, groups):
    return np.column_stack([np.bincount(groups, column) for column in rows.T])


def _wald(coef, variances, predicted, df, confidence):
    """Return the fit without its intercept, with tests and intervals by Student's t (normal where `df` is infinite)."""
    coef, se, df = coef[1:], np.sqrt(variances[1:]), df[1:]
    with np.errstate(all="ignore"):
        pvalues = 2 * t.sf(np.abs(coef) / se, df)
    margin = se * t.isf((1 - confidence) / 2, df)
    return Fit(coef, se, pvalues, coef - margin, coef + margin, predicted)


def _firth_tests(X, y, coef, confidence):
    """Return p-values and limits by the penalized likelihood ratio, without those of the intercept."""
    best = _penalized_loglikelihood(X, y, coef)
    p = probabilities(X @ coef)
    errors = np.sqrt(np.diag(np.linalg.inv((X * (p * (1 - p))[:, None]).T @ X)))
    out = []
    for j in range(1, X.shape[1]):
        free = np.arange(X.shape[1]) != j

        def root(value, free=free, start=coef):
            # The root of the likelihood ratio is nearly linear in the coefficient. The likelihood is flat at its
            # maximum, so a looser tolerance gives the same value.
            fixed, loglikelihood = fit_firth(X, y, free, start=start, fixed=value, tol=1e-5)
            return np.sqrt(2 * max(best - loglikelihood, 0.0)), fixed

        pvalue = chi2.sf(root(0.0)[0] ** 2, 1)
        target = np.sqrt(chi2.isf(1 - confidence, 1))
        out.append((pvalue, *(_limit(root, coef, j, side * errors[j], target) for side in (-1, 1))))
    return np.array(out).T


def _limit(root, coef, j, error, target):
    """Return where the root of the likelihood ratio reaches `target`, on the side that the sign of `error` names."""
    step, start = error * target, coef
    inner, at_inner, outer, at_outer = 0.0, 0.0, None, None  # steps, and the root after them
    for _ in range(40):
        reached, start = root(coef[j] + step, start=start)
        if abs(reached - target) < 1e-3 * target:
            break
        if reached < target:
            inner, at_inner = step, reached
        else:
            outer, at_outer = step, reached
        if outer is None:
            step *= min(max(1.05 * target / max(reached, 1e-3), 1.2), 4.0)
        else:  # the method of false position, kept away from both ends
            share = (target - at_inner) / (at_outer - at_inner)
            step = inner + (outer - inner) * min(max(share, 0.05), 0.95)
    return coef[j] + step


def fit_firth(X, y, free=None, *, start=None, fixed=0.0, max_iter=200, tol=1e-8):
    """Maximize Firth's penalized likelihood: the log-likelihood plus half the log-determinant of the information.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_columns)
        The columns, with the column of ones.
    y : ndarray of shape (n_samples,)
        Zeros and ones.
    free : ndarray of bool of shape (n_columns,), optional
        Which coefficients to estimate; the others are `fixed`. The penalty is that of all columns.
    start : ndarray of shape (n_columns,), optional
        Coefficients to start from, 0 by default. Those of a fit to more columns save most of the steps.
    fixed : float, default=0.0
        The value of the coefficients that are not free.

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
    coef = np.where(free, 0.0 if start is None else start, fixed)
    value = _penalized_loglikelihood(X, y, coef)
    for _ in range(max_iter):
        p = probabilities(X @ coef)
        weighted = X * np.sqrt(p * (1 - p))[:, None]
        information = weighted.T @ weighted
        leverage = (weighted * np.linalg.solve(information, weighted.T).T).sum(axis=1)
        gradient = X.T @ (y - p + leverage * (0.5 - p))
        step = np.zeros_like(coef)
        # The gradient is that of 1 + leverage observations a row, and so is the curvature.
        curvature = (weighted[:, free] * (1 + leverage)[:, None]).T @ weighted[:, free]
        step[free] = np.linalg.solve(curvature, gradient[free])
        step *= min(1.0, 5.0 / max(np.abs(X @ step).max(), 1e-300))  # at most 5 in log-odds
        for _ in range(30):  # The step is halved until the likelihood does not fall.
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
    p = probabilities(eta)
    information = (X * (p * (1 - p))[:, None]).T @ X
    sign, log_determinant = np.linalg.slogdet(information)
    if sign <= 0:
        return -np.inf
    return float(y @ eta - np.logaddexp(0, eta).sum() + 0.5 * log_determinant)


def probabilities(eta):
    """Return the probabilities that log-odds stand for."""
    return 0.5 * (1 + np.tanh(eta / 2))


def _standardized(A):
    """Return a column of ones beside the standardized columns, which are better conditioned, and the columns' units."""
    scale = A.std(axis=0)
    return np.column_stack([np.ones(len(A)), (A - A.mean(axis=0)) / scale]), scale


def _unscaled(fit, scale):
    return fit._replace(**{name: getattr(fit, name) / scale for name in ("coef", "se", "low", "high")})
