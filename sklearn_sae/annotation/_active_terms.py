"""The words and phrases on which a reader's neurons are active."""

import numpy as np
from scipy import sparse

from sklearn_sae.annotation._keywords import variants

LEAST_SHARE = 0.3  # of the texts with a term, in which the neuron is active on it; docs/annotation.md says why
LEAST_TEXTS = 2


def link_words(vocabulary, terms):
    """Return which words of a reader fill the same place in a term, and which share of which term a place is.

    Parameters
    ----------
    vocabulary : ndarray of str of shape (n_vocabulary,)
        Folded.
    terms : ndarray of str of shape (n_terms,)
        As `find_terms` returns them; the last word of each also stands for its variants.

    Returns
    -------
    slots : csr_array of shape (n_vocabulary, n_slots), float32
        1 where a word fills a slot: a word, or the variants of a last word.
    shares : csr_array of shape (n_slots, n_terms), float32
        One divided by the number of slots of a term. Words that are not in the vocabulary, as stop words, and a word
        that comes again take up none.
    """
    place = {word: i for i, word in enumerate(vocabulary)}
    slot_of, rows, columns, shares = {}, [], [], []
    for column, term in enumerate(terms):
        *some, last = term.split()
        slots = [{word} for word in some] + [variants(last)]
        found = [frozenset(place[word] for word in words if word in place) for words in slots]
        found = {slot_of.setdefault(words, len(slot_of)) for words in found if words}
        rows += found
        columns += [column] * len(found)
        shares += [1 / max(len(found), 1)] * len(found)
    ones = [(word, slot) for words, slot in slot_of.items() for word in words]
    words, slots = np.array(ones, dtype=np.intp).reshape(-1, 2).T
    return (
        sparse.csr_array((np.ones(len(ones), np.float32), (words, slots)), shape=(len(place), len(slot_of))),
        sparse.csr_array((np.array(shares, np.float32), (rows, columns)), shape=(len(slot_of), len(terms))),
    )


def active_terms(presence, links, times, *, use):
    """Return the terms on which a neuron is active in a good part of the texts that have them.

    Parameters
    ----------
    presence : csc_array of shape (n_texts, n_terms)
        As `find_terms` returns it.
    links : tuple of csr_array
        As `link_words` returns them.
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
    slots, shares = links
    is_filled = ((times > 0).astype(np.float32) @ slots > 0).astype(np.float32)
    is_active = presence.multiply(is_filled @ shares > 1 - 1e-3)  # on each word of a phrase
    n_active = np.asarray(is_active.sum(axis=0)).ravel()
    n_texts = np.diff(sparse.csc_array(presence).indptr)
    return np.flatnonzero((n_active >= LEAST_TEXTS) & (n_active >= LEAST_SHARE * n_texts))
