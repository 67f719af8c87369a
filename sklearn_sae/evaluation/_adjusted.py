"""The effect of a hypothesis beyond controls and with weights: a least-squares coefficient with robust errors."""

from typing import NamedTuple

import numpy as np
from scipy.stats import t

from sklearn_sae.evaluation._permutation import pvalue_of_product
from sklearn_sae.evaluation._regression import effective_number
from sklearn_sae.evaluation._separation import FEW, Separation, fewest_groups, sides_of, within_shares


class Coefficient(NamedTuple):
    """A least-squares coefficient beyond what an `Adjustment` takes out, and its test."""

    value: float  # NaN where nothing is left of the column
    se: float
    df: float
    pvalue: float
    permutation_pvalue: float
    influences: np.ndarray  # (n_samples,) or (n_groups,): their sum of squares is the variance

    def interval(self, confidence):
        """Return the limits of the confidence interval."""
        margin = self.se * t.isf((1 - confidence) / 2, self.df)
        return self.value - margin, self.value + margin


def coefficient(x, y, adjustment, groups=None):
    """Return the coefficient of `y` on `x` beyond controls, by weighted least squares.

    By the Frisch-Waugh-Lovell theorem it is that of what the controls leave of `y` on what they leave of `x`. Its
    standard error is HC3, which for weights is that of survey sampling; with several categories taken out by demeaning
    HC1, because how far a row determines its own fit is then not known; and with groups CR1. It allows the target to
    scatter unequally, as shares do. The degrees of freedom are one less than the number of rows, or groups, that the
    estimate is worth.

    The permutation test is Freedman and Lane's [1]_: what the controls leave of `y` is permuted against what they leave
    of `x`, groups as a whole. With weights a row's residual is permuted as it counts, weight and all.

    Parameters
    ----------
    x, y : ndarray of shape (n_samples,)
    adjustment : Adjustment
        Of the same rows.
    groups : ndarray of int of shape (n_samples,) or None

    Returns
    -------
    coefficient : Coefficient

    References
    ----------
    .. [1] D. Freedman and D. Lane (1983). A nonstochastic interpretation of reported significance levels. Journal of
       Business & Economic Statistics 1(4), 292-298.
    """
    weights = adjustment.weights
    x, y = adjustment.residuals(np.column_stack([x, y])).T
    information = weights @ x**2
    n, n_parameters = len(x), adjustment.n_parameters + 1
    if groups is not None:
        groups = np.unique(groups, return_inverse=True)[1]
        n_parameters = adjustment.n_parameters_beside(groups) + 1
    n_influences = n if groups is None else int(groups.max()) + 1
    if information == 0 or n <= adjustment.n_parameters + 1:
        return Coefficient(*[np.nan] * 5, np.full(n_influences, np.nan))
    value = weights @ (x * y) / information
    rest, sensitivity = y - value * x, weights * x / information
    influences = sensitivity * rest
    with np.errstate(all="ignore"):
        if groups is not None:
            influences = np.bincount(groups, influences)
            worth = effective_number(np.bincount(groups, np.abs(sensitivity)))
            influences *= np.sqrt(worth / (worth - 1) * (n - 1) / (n - n_parameters))
        else:
            worth = (sensitivity**2).sum() ** 2 / (sensitivity**4).sum()
            if adjustment.leverage is None:
                influences *= np.sqrt(n / (n - n_parameters))
            else:
                slack = 1 - adjustment.leverage - weights * x**2 / information
                # A row that alone determines a level of a category has no residual, and says nothing.
                influences = np.where(slack > 1e-9, influences / np.where(slack > 1e-9, slack, 1), 0.0)
            worth = min(worth, n - n_parameters + 1)
        se, df = float(np.sqrt((influences**2).sum())), float(worth - 1)
        pvalue = float(2 * t.sf(abs(value) / se, df)) if se > 0 else float(value == 0)
    permuted = pvalue_of_product(x - x.mean(), weights * y, groups, n_parameters - 1) if y.any() else np.nan
    if df <= 0 or not np.isfinite(se):
        return Coefficient(value, np.nan, np.nan, np.nan, permuted, np.full(n_influences, np.nan))
    return Coefficient(value, se, df, pvalue, permuted, influences)


def adjusted_separation(annotation, y, adjustments, *, groups=None, confidence=0.95, shares=False, rows=None):
    """Return the difference of the target between rows where a hypothesis holds and where not, beyond controls.

    Parameters
    ----------
    annotation, y, groups, confidence, shares
        As of `separation`.
    adjustments : Adjustments
        What is taken out of the rows that are compared.
    rows : ndarray of bool of shape (n_samples,), optional
        The rows to look at; all by default.

    Returns
    -------
    separation : Separation
        The effect size is the difference in standard deviations of what the controls and the hypothesis leave of the
        target, or Cohen's h of weighted shares without controls. With one group on a side there is no t-test.
    coefficient : Coefficient
    """
    high, low, share = sides_of(annotation if rows is None else np.where(rows, annotation, np.nan))
    compared = high | low
    if not high.any() or not low.any():
        return Separation(*[np.nan] * 5, False), None
    adjustment = adjustments.of(compared)
    x, y = high[compared] / share, y[compared]
    groups = None if groups is None else groups[compared]
    found = coefficient(x, y, adjustment, groups)
    if groups is not None and fewest_groups(groups, x > 0, x == 0) < 2:
        # The residuals of a group that is a side of its own add up to zero, so its part in the error is not known.
        unknown = np.full_like(found.influences, np.nan)
        found = found._replace(se=np.nan, df=np.nan, pvalue=np.nan, influences=unknown)
    sizes = np.array([high.sum(), low.sum()])
    varies = np.ptp(y[x > 0]) > 0 and np.ptp(y[x == 0]) > 0
    left = adjustment.residuals(y) - (found.value * adjustment.residuals(x) if np.isfinite(found.value) else 0)
    spread = np.sqrt(adjustment.weights @ left**2 / adjustment.weights.sum())
    effect_size = found.value / spread if spread > 0 else np.nan
    if shares and adjustment.n_parameters == 1:
        means = [np.average(y[side], weights=adjustment.weights[side]) for side in (x > 0, x == 0)]
        effect_size = share * 2 * float(np.subtract(*np.arcsin(np.sqrt(means))))
    reliable = bool((sizes >= FEW).all() and varies and np.isfinite(found.pvalue))
    low, high = found.interval(confidence)
    if shares:
        low, high = within_shares((low, high), found.value, share)
    return Separation(found.value, found.pvalue, low, high, effect_size, reliable, found.permutation_pvalue), found
