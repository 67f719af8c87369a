"""The words and phrases on which a reader's neurons are active."""

import numpy as np
from scipy import sparse

from sklearn_sae.annotation._keywords import variants

_LEAST_SHARE = 0.3  # of the texts with a term, in which the neuron is active on it; docs/annotation.md says why
_LEAST_TEXTS = 2


def link_words(vocabulary, terms):
    """Return which share of which term each word of a reader is, (n_vocabulary, n_terms) csr_array.

    Parameters
    ----------
    vocabulary : ndarray of str of shape (n_vocabulary,)
        Folded.
    terms : ndarray of str of shape (n_terms,)
        As `find_terms` returns them; the last word of each also stands for its variants.
    """
    place = {word: i for i, word in enumerate(vocabulary)}
    rows, columns, shares = [], [], []
    for column, term in enumerate(terms):
        *some, last = term.split()
        found = {place[word] for word in (*some, *variants(last)) if word in place}
        rows += found
        columns += [column] * len(found)
        shares += [1 / (len(some) + 1)] * len(found)
    return sparse.csr_array((np.array(shares, np.float32), (rows, columns)), shape=(len(place), len(terms)))


def active_terms(presence, links, times, *, use):
    """Return the terms on which a neuron is active in most of the texts that have them.

    Parameters
    ----------
    presence : csc_array of shape (n_texts, n_terms)
        As `find_terms` returns it.
    links : csr_array of shape (n_vocabulary, n_terms)
        As `link_words` returns it.
    times : csr_array of shape (n_texts, n_vocabulary)
        On how many of a word's places in a text the neuron is active.
    use : ndarray of bool of shape (n_texts,)
        The texts to look at.

    Returns
    -------
    terms : ndarray of int
        Columns of `presence`.
    """
    presence, times = presence[use], times[use]
    is_active = presence.multiply((times > 0).astype(np.float32) @ links > 1 - 1e-3)  # on each word of a phrase
    n_active = np.asarray(is_active.sum(axis=0)).ravel()
    n_texts = np.diff(sparse.csc_array(presence).indptr)
    return np.flatnonzero((n_active >= _LEAST_TEXTS) & (n_active >= _LEAST_SHARE * n_texts))
