"""How the target differs between the rows where a hypothesis holds and those where it does not."""

from typing import NamedTuple

import numpy as np
from scipy.stats import ttest_ind_from_stats

FEW_ROWS = 10  # on a side; with fewer the t-test is not to be relied on


class Separation(NamedTuple):
    """A difference of means and its test."""

    score: float  # NaN where a side has no row
    pvalue: float  # NaN where a side has fewer than FEW_ROWS rows and the target does not vary on it
    reliable: bool  # each side has FEW_ROWS rows or more, and the target varies on it


def separation(annotation, y):
    """Return the difference of the target's means and its p-value by Welch's t-test.

    For pairs, rows where it holds for the first text are compared with rows where it holds for the second. Rows of
    both or neither would be a fair measure only if the first text had no advantage as such; it cancels between the
    other two. As these differ by twice the effect, the score is half their difference.

    Parameters
    ----------
    annotation : ndarray of shape (n_samples,)
        Numbers in [-1, 1], or NaN where no answer came. It holds from 0.5 on; at -0.5 and below it holds for the other
        text of the pair.
    y : ndarray of shape (n_samples,)

    Returns
    -------
    separation : Separation
        Where the target does not vary on either side the p-value is 1 for equal and 0 for different means, the limits
        of the test.
    """
    first, second, neither = y[annotation >= 0.5], y[annotation <= -0.5], y[np.abs(annotation) < 0.5]
    if len(first) and len(second):
        high, low, share = first, second, 0.5
    else:
        high, low, share = (neither, second, 1.0) if len(second) else (first, neither, 1.0)
    if len(high) == 0 or len(low) == 0:
        return Separation(np.nan, np.nan, False)
    score = share * (high.mean() - low.mean())
    sizes = np.array([len(high), len(low)])
    stds = np.array([0.0 if np.ptp(values) == 0 else values.std(ddof=1) for values in (high, low)])
    if ((sizes < FEW_ROWS) & (stds == 0)).any():
        return Separation(score, np.nan, False)
    if (stds == 0).all():
        return Separation(score, float(high[0] == low[0]), False)
    test = ttest_ind_from_stats(high.mean(), stds[0], sizes[0], low.mean(), stds[1], sizes[1], equal_var=False)
    return Separation(score, test.pvalue, bool((sizes >= FEW_ROWS).all() and (stds > 0).all()))
