"""On which words of texts neurons are active, as tables of texts by words."""

import numpy as np
from scipy import sparse


def word_tables(words, activations, neurons):
    """Return how often each text has each word, and for each neuron how active it is on them, and how often.

    Parameters
    ----------
    words : list of list of str
        The words of each text that count.
    activations : iterable of WordActivations
        Those of each text.
    neurons : list of int

    Returns
    -------
    counts, vocabulary, active, times
        As `ReaderSAETransformer.word_activations` returns them.
    """
    place = {}
    ids = [np.array([place.setdefault(word, len(place)) for word in some], dtype=np.int64) for some in words]
    shape = len(words), len(place)
    rows = np.repeat(np.arange(shape[0]), [len(one) for one in ids])
    counts = sparse.csr_array((np.ones(len(rows), np.float32), (rows, np.concatenate(ids))), shape=shape)
    entries = [
        (one.neurons, np.full(len(one.neurons), row), ids[row][one.words], one.values)
        for row, one in enumerate(activations)
    ]
    entries = [np.concatenate(parts) for parts in zip(*entries, strict=True)]
    wanted = np.flatnonzero(np.isin(entries[0], neurons))
    wanted = wanted[np.argsort(entries[0][wanted], kind="stable")]
    of_entry, *entries = (part[wanted] for part in entries)
    active, times = [], []
    for neuron in neurons:
        start, end = np.searchsorted(of_entry, [neuron, neuron + 1])
        rows, columns, values = (part[start:end] for part in entries)
        active.append(sparse.csr_array((values, (rows, columns)), shape=shape))
        times.append(sparse.csr_array((np.ones_like(values), (rows, columns)), shape=shape))
    return counts, np.array(list(place), dtype=object), active, times


def activations_on_words(activations, neuron, n_words):
    """Return how active a neuron is on each word of a text that counts.

    Parameters
    ----------
    activations : WordActivations
    neuron : int
    n_words : int
        The number of words that count.

    Returns
    -------
    values : ndarray of shape (n_words,), float32
    """
    values = np.zeros(n_words, dtype=np.float32)
    of_neuron = activations.neurons == neuron
    values[activations.words[of_neuron]] = activations.values[of_neuron]
    return values
