"""How the target differs between the rows where a hypothesis holds and those where it does not."""

import numpy as np
from scipy.stats import ttest_ind_from_stats


def separation(annotation, y, opposite):
    """Return the difference of the target's means and its p-value by Welch's t-test.

    Parameters
    ----------
    annotation : ndarray of shape (n_samples,)
        Numbers in [-1, 1], or NaN where no answer came. It holds from 0.5 on; at -0.5 and below it holds for the other
        text of the pair, and the row counts as one where it holds and the target is `opposite`.
    y, opposite : ndarrays of shape (n_samples,)

    Returns
    -------
    score, pvalue : float
        NaN where a side has no row; the p-value also where one has a single row. Where the target does not vary on
        either side the p-value is 1 for equal and 0 for different means, the limits of the test.
    """
    holds, reversed_, not_ = annotation >= 0.5, annotation <= -0.5, np.abs(annotation) < 0.5
    with_, without = np.concatenate([y[holds], opposite[reversed_]]), y[not_]
    if len(with_) == 0 or len(without) == 0:
        return np.nan, np.nan
    score = with_.mean() - without.mean()
    if len(with_) == 1 or len(without) == 1:
        return score, np.nan
    stds = [0.0 if np.ptp(values) == 0 else values.std(ddof=1) for values in (with_, without)]
    if max(stds) == 0:
        return score, float(with_[0] == without[0])
    test = ttest_ind_from_stats(
        with_.mean(), stds[0], len(with_), without.mean(), stds[1], len(without), equal_var=False
    )
    return score, test.pvalue
