"""Exact tests of many counts at a time, and their false-discovery rate."""

import numpy as np
from scipy.special import gammaln
from scipy.stats import binom

_NEGLIGIBLE = 1e-17  # Terms below this share of a sum no longer change it.


def enrichment_pvalues(both, first, second, n_documents):
    """Return the probability of so many documents, or more, with both of two independent features.

    The number of documents with both is hypergeometric, given how many have each: Fisher's exact test, one-sided.

    Parameters
    ----------
    both, first, second : ndarray of int of shape (n_tests,)
        Documents in which both features, the first and the second are active.
    n_documents : int

    Returns
    -------
    pvalues : ndarray of shape (n_tests,)
    """
    both, first, second = (np.asarray(count, dtype=np.float64) for count in (both, first, second))
    above_mean = both > first * second / n_documents
    pvalues = np.empty(len(both))
    pvalues[above_mean] = _upper_tail(both[above_mean], first[above_mean], second[above_mean], n_documents)
    # Below the mean the other tail is the shorter sum. It counts documents with the first and without the second.
    rest = ~above_mean
    without = first[rest] - both[rest] + 1
    pvalues[rest] = 1 - _upper_tail(without, first[rest], n_documents - second[rest], n_documents)
    return np.clip(pvalues, 0, 1)


def fisher_pvalues(active, active_against, n, n_against):
    """Return the two-sided p-values of Fisher's exact test, which are twice the smaller tail.

    Parameters
    ----------
    active, active_against : ndarray of int of shape (n_features,)
        Documents in which a feature is active, in a data set and in the one that it is compared with.
    n, n_against : int
        Documents in the two data sets.
    """
    # Many features have the same two counts, so each pair of counts is tested once.
    pairs, where = np.unique(active * (n_against + 1) + active_against, return_inverse=True)
    k, k_against = np.divmod(pairs, n_against + 1)
    upper = enrichment_pvalues(k, k + k_against, np.full(len(k), n), n + n_against)
    lower = enrichment_pvalues(k_against, k + k_against, np.full(len(k), n_against), n + n_against)
    return np.minimum(1, 2 * np.minimum(upper, lower))[where]


def mcnemar_pvalues(only_first, only_second):
    """Return the two-sided p-values of McNemar's exact test, the binomial test of the documents that differ."""
    return np.minimum(1, 2 * binom.cdf(np.minimum(only_first, only_second), only_first + only_second, 0.5))


def adjusted_pvalues(pvalues, n_tests):
    """Return p-values adjusted by Benjamini and Hochberg.

    Parameters
    ----------
    pvalues : ndarray of shape (n_kept,)
    n_tests : int
        The number of tests that were made. Those that are not among `pvalues` count as tests with a p-value of 1.
    """
    order = np.argsort(pvalues)
    scaled = pvalues[order] * n_tests / np.arange(1, len(pvalues) + 1)
    adjusted = np.empty(len(pvalues))
    adjusted[order] = np.minimum(1, np.minimum.accumulate(scaled[::-1])[::-1])
    return adjusted


def _upper_tail(k, first, second, n):
    """Return P(X >= k) of hypergeometric counts; it is fast for k above the mean because terms fall steeply there."""
    last = np.minimum(first, second)
    term = np.where(k <= last, np.exp(_log_pmf(np.minimum(k, last), first, second, n)), 0.0)
    total = term.copy()
    going = np.flatnonzero(term > 0)
    k, first, second = (values[going].copy() for values in (k, first, second))
    term = term[going]
    while len(going):
        term *= (first - k) * (second - k) / ((k + 1) * (n - first - second + k + 1))
        total[going] += term
        k += 1
        more = term > _NEGLIGIBLE * total[going]
        if not more.all():
            going, term, k, first, second = (values[more] for values in (going, term, k, first, second))
    return total


def _log_pmf(k, first, second, n):
    return _log_choose(first, k) + _log_choose(n - first, second - k) - _log_choose(np.asarray(n, dtype=float), second)


def _log_choose(n, k):
    return gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
