"""Confidence intervals of a difference of two shares, Newcombe's hybrid of Wilson's intervals."""

import numpy as np
from scipy.stats import norm


def wilson(count, n, confidence):
    """Return the limits of Wilson's score interval of a share."""
    z = norm.isf((1 - confidence) / 2)
    share = count / n
    center = share + z**2 / (2 * n)
    margin = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    low, high = (center - margin) / (1 + z**2 / n), (center + margin) / (1 + z**2 / n)
    return np.where(count == 0, 0, low), np.where(count == n, 1, high)


def newcombe(active, active_against, n, n_against, confidence, correlation=0.0):
    """Return the limits of Newcombe's score interval of the difference of two shares.

    Parameters
    ----------
    active, active_against : int or ndarray of int of shape (n_features,)
        How many rows have what is counted, on one side and on the other.
    n, n_against : int
        How many rows there are on each.
    confidence : float
        Level of the intervals.
    correlation : float or ndarray of shape (n_features,), default=0.0
        Correlation of the two over paired rows; 0 for independent ones.
    """
    share, against = active / n, active_against / n_against
    low, high = wilson(active, n, confidence)
    low_against, high_against = wilson(active_against, n_against, confidence)

    def margin(one, other):
        return np.sqrt(np.maximum(one**2 - 2 * correlation * one * other + other**2, 0))

    down, up = margin(share - low, high_against - against), margin(high - share, against - low_against)
    return share - against - down, share - against + up


def paired_correlation(both, first, second, n):
    """Return Newcombe's estimate of the correlation of two activities over the same documents.

    A positive correlation is corrected for continuity, which widens the interval.
    """
    determinant = both * n - first * second  # of the 2 x 2 table
    corrected = np.where(determinant > 0, np.maximum(determinant - n / 2, 0), determinant)
    scale = np.sqrt(first * (n - first)) * np.sqrt(second * (n - second))
    return np.divide(corrected, scale, out=np.zeros(len(scale)), where=scale > 0)
