"""The permutation test of a difference of means, by the moments of the permutation distribution."""

import numpy as np
from scipy.stats import pearson3

_NO_SKEW = 1e-9


def permutation_pvalue(first, second, y, groups=None):
    """Return the two-sided p-value of the difference between the means of `y` on two sides.

    Were the hypothesis about nothing, any order of the targets were as likely. The variance and the skewness that the
    difference then has are known exactly, and a Pearson type III distribution with these stands for the permutation
    distribution [1]_. Unlike a t-test, that is not misled by few rows on a side, or by a rare class of which a side
    happens to have none. Groups are permuted whole: the means of the targets between groups, and the targets within
    each.

    Parameters
    ----------
    first, second : ndarray of bool of shape (n_samples,)
        The sides.
    y : ndarray of shape (n_samples,)
    groups : ndarray of int of shape (n_samples,) or None
        Groups from 0.

    Returns
    -------
    pvalue : float
        NaN where a side has no row or the target does not vary.

    References
    ----------
    .. [1] P. W. Mielke and K. J. Berry (2007). Permutation Methods: A Distance Function Approach. 2nd edition.
    """
    rows = first | second
    y, weights = y[rows], np.where(first, 1 / max(first.sum(), 1), -1 / max(second.sum(), 1))[rows]
    if not first.any() or not second.any() or np.ptp(y) == 0:
        return np.nan
    return pvalue_of_product(weights, y, None if groups is None else groups[rows])


def partial_permutation_pvalues(A, y, groups=None, weights=None):
    """Return for each column of `A` the p-value of what it adds to a linear model of all the others.

    The parts of `y` that the others leave are permuted against the parts of the column that they leave [1]_.

    Parameters
    ----------
    A : ndarray of shape (n_samples, n_columns)
        Linearly independent of each other and of a constant.
    y : ndarray of shape (n_samples,)
    groups : ndarray of int of shape (n_samples,) or None
    weights : ndarray of shape (n_samples,) or None
        Those of the model. A part of `y` is then permuted with the weight that its row has.

    Returns
    -------
    pvalues : ndarray of shape (n_columns,)

    References
    ----------
    .. [1] D. Freedman and D. Lane (1983). A nonstochastic interpretation of reported significance levels. Journal of
       Business & Economic Statistics 1(4), 292-298.
    """
    weights = np.ones(len(y)) if weights is None else weights
    centered = (A - np.average(A, axis=0, weights=weights)) / A.std(axis=0)
    inverse = np.linalg.pinv(centered.T * weights @ centered)
    left_of_columns = centered @ inverse / np.diag(inverse)
    coef = inverse @ (centered.T @ (weights * y))
    left = y - np.average(y, weights=weights) - centered @ coef
    return np.array(
        [
            pvalue_of_product(part - part.mean(), weights * (left + b * part), groups)
            for part, b in zip(left_of_columns.T, coef, strict=True)
        ]
    )


def pvalue_of_product(weights, y, groups, n_parameters=1):
    """Return the two-sided p-value of the sum of products over all orders of `y`. The sum of `weights` is 0.

    Residuals scatter less than errors do, by the share of the `n_parameters` that were fitted to them.
    """
    spread = y.std()
    if spread == 0:
        return np.nan
    y = (y - y.mean()) / spread
    if groups is None:
        observed, variance, third = weights @ y, *_moments(weights, y)
    else:
        group = np.unique(groups, return_inverse=True)[1]
        sizes = np.bincount(group)
        means, shares = np.bincount(group, y) / sizes, np.bincount(group, weights)
        observed, (variance, third) = weights @ y, _moments(shares, means - means.mean())
        scatter = [np.bincount(group, (v - (np.bincount(group, v) / sizes)[group]) ** 2) for v in (weights, y)]
        variance += (scatter[0] * scatter[1] / np.maximum(sizes - 1, 1)).sum()
    if variance <= 0:
        return np.nan
    variance *= (len(y) - 1) / (len(y) - n_parameters)
    z, skew = abs(observed) / np.sqrt(variance), third / variance**1.5
    skew = skew if abs(skew) > _NO_SKEW else 0.0
    return float(min(pearson3.sf(z, skew) + pearson3.cdf(-z, skew), 1.0))


def _moments(weights, values):
    """Return the second and third moment of the sum of products, over all orders of `values`.

    `weights` and `values` have the sum 0.
    """
    n = len(values)
    second = (weights**2).sum() * (values**2).sum() / max(n - 1, 1)
    third = (weights**3).sum() * (values**3).sum() * n / max((n - 1) * (n - 2), 1)
    return second, third
