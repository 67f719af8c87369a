"""The states and the activations of words as they are stored: one value a text."""

from typing import NamedTuple

import numpy as np
from scipy import sparse

from sklearn_sae.pretrained._pooling import aggregate, pool, stack
from sklearn_sae.pretrained._word_states import WordStates, ends_unread


class WordActivations(NamedTuple):
    """The active neurons of the words of one text that count and are read."""

    is_read: np.ndarray  # (n_counted,) bool, as in `WordStates`
    n_active: np.ndarray  # (n_words,) uint16: how many neurons are active on each word that is read
    neurons: np.ndarray  # (n_active.sum(),) int32, word by word
    values: np.ndarray  # (n_active.sum(),) float32, above 0

    @property
    def words(self):
        """The place of each entry's word among the words that count."""
        return np.repeat(np.flatnonzero(self.is_read), self.n_active)


def split_codes(codes, is_read):
    """Return the `WordActivations` of each text, from the codes of all words that are read, text by text."""
    codes = sparse.csr_array(codes)
    n_active = np.diff(codes.indptr).astype(np.uint16)
    rows = np.cumsum([0, *(some.sum() for some in is_read)])
    parts = []
    for read, start, end in zip(is_read, rows[:-1], rows[1:], strict=True):
        entries = slice(codes.indptr[start], codes.indptr[end])
        neurons, values = codes.indices[entries].astype(np.int32), codes.data[entries].astype(np.float32)
        parts.append(WordActivations(read, n_active[start:end], neurons, values))
    return parts


def pool_words(activations, aggregations, n_neurons):
    """Pool the activations of words to texts.

    Parameters
    ----------
    activations : iterable of WordActivations
        Those of each text.
    aggregations : list of str
        Of `AGGREGATIONS`.
    n_neurons : int

    Returns
    -------
    pooled : CSR array of shape (n_texts, len(aggregations) * n_neurons), float32
        All neurons under the first aggregation, then all under the second, and so on.
    is_cut : ndarray of shape (n_texts,), bool
        Whether the last word of a text is not read.
    """
    rows, is_cut = [[] for _ in aggregations], []
    for one in activations:
        (pooled,) = pool(np.zeros(len(one.neurons), np.int64), one.neurons, one.values, [len(one.n_active)])
        for column, aggregation in zip(rows, aggregations, strict=True):
            column.append((pooled.latents, aggregate(pooled, aggregation)))
        is_cut.append(ends_unread(one.is_read))
    blocks = [stack(column, n_neurons) for column in rows]
    whole = blocks[0] if len(blocks) == 1 else sparse.csr_array(sparse.hstack(blocks, format="csr"))
    return whole, np.array(is_cut)


def states_to_bytes(states):
    """Return `WordStates` as bytes."""
    return _bits(states.is_read) + states.states.astype("<f2").tobytes()


def states_from_bytes(value, n_counted, width, path):
    """Return the `WordStates` of a text of which `n_counted` words count.

    Raises
    ------
    OSError
        If the value is damaged.
    """
    is_read, rest = _read_bits(value, n_counted, path, "states")
    n = int(is_read.sum())
    if len(rest) != 2 * n * width:
        raise _damaged(path, "states")
    return WordStates(is_read, np.frombuffer(rest, "<f2").reshape(n, width))


def activations_to_bytes(activations):
    """Return `WordActivations` as bytes."""
    return (
        _bits(activations.is_read)
        + activations.n_active.astype("<u2").tobytes()
        + activations.neurons.astype("<i4").tobytes()
        + activations.values.astype("<f4").tobytes()
    )


def activations_from_bytes(value, n_counted, n_neurons, path):
    """Return the `WordActivations` of a text of which `n_counted` words count.

    Raises
    ------
    OSError
        If the value is damaged.
    """
    is_read, rest = _read_bits(value, n_counted, path, "activations")
    n_words = int(is_read.sum())
    if len(rest) < 2 * n_words:
        raise _damaged(path, "activations")
    n_active = np.frombuffer(rest[: 2 * n_words], "<u2")
    n = int(n_active.sum())
    if len(rest) == 2 * n_words + 8 * n:
        neurons = np.frombuffer(rest, "<i4", n, 2 * n_words)
        if n == 0 or (neurons.min() >= 0 and neurons.max() < n_neurons):
            return WordActivations(is_read, n_active, neurons, np.frombuffer(rest, "<f4", n, 2 * n_words + 4 * n))
    raise _damaged(path, "activations")


def _bits(is_read):
    return np.packbits(is_read).tobytes()


def _read_bits(value, n, path, what):
    length = -(-n // 8)
    if len(value) < length:
        raise _damaged(path, what)
    return np.unpackbits(np.frombuffer(value[:length], np.uint8), count=n).astype(bool), value[length:]


def _damaged(path, what):
    return OSError(f"The cache file {path} holds damaged {what}; move it away, or pass another cache_dir.")
