"""Chunks of words from documents, and rows of documents from rows of chunks."""

import re

import numpy as np
from scipy import sparse

from sklearn_sae.utils._words import WORD_IN_TEXT

_SENTENCE_END = re.compile(r"[.!?…。！？।؟][\"'”’»)\]]*$")


def split_words(text, max_words, overlap=0):
    """Return `text` in chunks of at most `max_words` words and of similar length.

    A chunk ends with a sentence or a line if one ends in the second half of the words that it may have, else after any
    word. It begins with the last `overlap` words of the chunk before.
    """
    spans = [match.span() for match in WORD_IN_TEXT.finditer(text)]
    if len(spans) <= max_words:
        return [text]
    breaks = np.flatnonzero(_ends_sentence(text, spans)) + 1
    chunks, start = [], 0
    while len(spans) - start > max_words:
        n_left = len(spans) - start - overlap
        n_chunks = -(-n_left // (max_words - overlap))
        fair = start + overlap + -(-n_left // n_chunks)
        earliest = start + overlap + -(-(max_words - overlap) // 2)
        possible = breaks[(breaks >= earliest) & (breaks <= start + max_words)]
        end = possible[np.abs(possible - fair).argmin()] if len(possible) else fair
        chunks.append(text[spans[start][0] : spans[end - 1][1]])
        start = end - overlap
    chunks.append(text[spans[start][0] : spans[-1][1]])
    return chunks


def _ends_sentence(text, spans):
    """Return for each word whether a sentence or a line ends with it."""
    following = [start for start, _ in spans[1:]] + [len(text)]
    return [
        bool(_SENTENCE_END.search(text[start:end])) or "\n" in text[end:after]
        for (start, end), after in zip(spans, following, strict=True)
    ]


def pool_mean(values, starts):
    """Return the mean of each run of rows, of which run i begins at row ``starts[i]``, without densifying."""
    n_rows = values.shape[0]
    lengths = np.diff(np.append(starts, n_rows))
    if not sparse.issparse(values):
        return np.add.reduceat(values, starts) / lengths[:, None].astype(values.dtype)
    weights = np.repeat(1 / lengths, lengths).astype(values.dtype)
    indices, indptr = np.arange(n_rows, dtype=np.int32), np.append(starts, n_rows).astype(np.int32)
    averaging = sparse.csr_array((weights, indices, indptr), shape=(len(starts), n_rows))
    return type(values)(averaging @ values)


def pool_max(values, starts):
    """Return the maximum of each run of rows, of which run i begins at row ``starts[i]``, without densifying."""
    if not sparse.issparse(values):
        return np.maximum.reduceat(values, starts)
    n_rows, n_columns = values.shape
    lengths = np.diff(np.append(starts, n_rows))
    document = np.repeat(np.repeat(np.arange(len(starts)), lengths), np.diff(values.indptr))
    entry = document * n_columns + values.indices  # of the result, for each stored value
    entries, which, counts = np.unique(entry, return_inverse=True, return_counts=True)
    maxima = np.full(len(entries), -np.inf, dtype=values.dtype)
    with np.errstate(invalid="ignore"):  # because NaN may be among the values, and stays
        np.maximum.at(maxima, which, values.data)
    document, column = np.divmod(entries, n_columns)
    # A chunk without a stored value has a zero there.
    maxima = np.where(counts < lengths[document], np.maximum(maxima, 0), maxima)
    pooled = type(values)((maxima, (document, column)), shape=(len(starts), n_columns), dtype=values.dtype)
    pooled.eliminate_zeros()
    return pooled
