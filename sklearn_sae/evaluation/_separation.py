"""The difference of the target between the rows where a hypothesis holds and those where it does not."""

from typing import NamedTuple

import numpy as np
from scipy.stats import t

from sklearn_sae.evaluation._permutation import permutation_pvalue
from sklearn_sae.evaluation._regression import effective_number
from sklearn_sae.utils._intervals import newcombe

FEW = 10  # A test is not reliable with fewer rows, or groups of rows, on a side.


class Separation(NamedTuple):
    """A difference of means, its test and its interval."""

    score: float  # NaN where a side has no row
    pvalue: float  # NaN where a side has one group, or fewer than FEW rows and one target, or both cancel
    low: float  # lower limit of the confidence interval, NaN where the p-value is NaN
    high: float  # upper limit
    effect_size: float  # Cohen's d, or Cohen's h of shares
    reliable: bool  # whether each side has FEW rows or more and a target that varies
    permutation_pvalue: float = np.nan  # NaN where a side has no row, or both cancel in each group

    @property
    def own_pvalue(self):
        """The larger p-value of both tests, or that of the permutation test where the t-test is not reliable."""
        return np.fmax(self.pvalue, self.permutation_pvalue) if self.reliable else self.permutation_pvalue


def separation(annotation, y, *, groups=None, confidence=0.95, shares=False):
    """Return the difference of the target's means, with Welch's t-test or a cluster-robust one.

    For pairs, rows where the hypothesis holds for the first text are compared with rows where it holds for the second.
    Rows where it holds for both or neither are not used because the first text may have an advantage as such, which
    cancels between the other two. Those differ by twice the effect, so the score is half their difference.

    Parameters
    ----------
    annotation : ndarray of shape (n_samples,)
        Numbers in [-1, 1], or NaN where no answer came. The hypothesis holds from 0.5 on. At -0.5 and below it holds
        for the second text of the pair.
    y : ndarray of shape (n_samples,)
    groups : ndarray of int of shape (n_samples,), optional
        Rows of one group may be alike. The test is then Welch's with groups in place of rows: the variance of a mean
        comes from the sums of its groups' residuals, and its degrees of freedom from how many groups of equal size
        would be worth as much. With a group a row it is Welch's test itself.
    confidence : float, default=0.95
        Level of the interval.
    shares : bool, default=False
        Whether `y` is 0 or 1, so that its means are shares and the effect size is Cohen's h. The interval is then
        Newcombe's, because that of the t-test is too short for few rows and shares near 0 or 1, and may pass them. With
        groups it is that of the test, cut there.

    Returns
    -------
    separation : Separation
        Where the target does not vary on either side, the p-value is 1 for equal and 0 for different means, which are
        the limits of the test.
    """
    high, low, share = sides_of(annotation)
    if not high.any() or not low.any():
        return Separation(*[np.nan] * 5, False)
    sides = y[high], y[low]
    sizes = np.array([len(side) for side in sides])
    means = np.array([side.mean() for side in sides])
    variances = np.array([0.0 if np.ptp(side) == 0 else side.var(ddof=1) for side in sides])
    difference = means[0] - means[1]
    effect_size = share * (_cohens_h(means) if shares else _cohens_d(difference, variances, sizes))
    varies = variances > 0
    reliable = bool((sizes >= FEW).all() and varies.all())
    permuted = permutation_pvalue(high, low, y, groups)
    few_groups = groups is not None and fewest_groups(groups, high, low) < 2
    cancels = groups is not None and np.isnan(permuted)  # both sides in each group, so nothing tells them apart
    if ((sizes < FEW) & ~varies).any() or few_groups or cancels:
        return Separation(share * difference, np.nan, np.nan, np.nan, effect_size, reliable, permuted)
    if varies.any():
        if groups is None:
            of_means = variances / sizes
            error, df = np.sqrt(of_means.sum()), of_means.sum() ** 2 / (of_means**2 / (sizes - 1).clip(1)).sum()
        else:
            error, df = _clustered_error(y, groups, (high, low), means, sizes)
        pvalue = 2 * t.sf(abs(difference) / error, df) if error > 0 else float(difference == 0)
        margin = error * t.isf((1 - confidence) / 2, df)
    else:
        pvalue, margin = float(sides[0][0] == sides[1][0]), 0.0
    limits = difference - margin, difference + margin
    if shares and groups is None:
        limits = newcombe(*(side.sum() for side in sides), *sizes, confidence)
    low, high = (share * float(limit) for limit in limits)
    if shares:
        low, high = within_shares((low, high), share * difference, share)
    return Separation(share * difference, float(pvalue), low, high, effect_size, reliable, permuted)


class Sides(NamedTuple):
    """The rows that a separation compares."""

    high: np.ndarray  # (n_samples,) bool; of pairs, where it holds for the first text
    low: np.ndarray  # where it does not hold; of pairs, where it holds for the second text
    share: float  # what the difference is multiplied by: a half between the sides of pairs


def sides_of(annotation):
    """Return the `Sides` of an annotation."""
    first, second, neither = annotation >= 0.5, annotation <= -0.5, np.abs(annotation) < 0.5
    if first.any() and second.any():
        return Sides(first, second, 0.5)
    return Sides(neither, second, 1.0) if second.any() else Sides(first, neither, 1.0)


def within_shares(limits, score, share):
    """Return limits of a difference of shares, cut where it ends: at `share`, or at its score if that is beyond."""
    end = np.fmax(share, abs(score))  # An estimate that controls or labels correct need not stay within.
    return np.clip(limits, -end, end).tolist()


def _clustered_error(y, groups, sides, means, sizes):
    """Return the cluster-robust standard error of a difference of means, and its degrees of freedom."""
    sums, n_groups = [], []
    for rows, mean, size in zip(sides, means, sizes, strict=True):
        n_groups.append(effective_number(np.bincount(groups[rows])))
        of_groups = np.bincount(groups[rows], (y[rows] - mean) / size, minlength=groups.max() + 1)
        sums.append(of_groups * np.sqrt(n_groups[-1] / (n_groups[-1] - 1)))
    of_means, df = (np.square(sums)).sum(axis=1), np.array(n_groups) - 1
    error = np.sqrt(np.square(sums[0] - sums[1]).sum())  # a group on both sides cancels in part
    return error, of_means.sum() ** 2 / (of_means**2 / df).sum()


def fewest_groups(groups, *sides):
    """Return how many groups there are on the side that has fewest."""
    return min(len(np.unique(groups[rows])) for rows in sides)


def _cohens_d(difference, variances, sizes):
    """Return the difference in standard deviations, pooled over the sides; NaN where these are zero."""
    pooled = np.sqrt((variances * (sizes - 1)).sum() / max(sizes.sum() - 2, 1))
    return difference / pooled if pooled > 0 else np.nan


def _cohens_h(shares):
    """Return the difference of two shares on the arcsine scale, where their variance does not depend on them."""
    return 2 * (np.arcsin(np.sqrt(shares[0])) - np.arcsin(np.sqrt(shares[1])))
