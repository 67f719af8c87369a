"""Which of very many texts are copies of one another, as `copies` says it of a few, in bounded memory."""

import zlib

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from sklearn_sae.utils._copies import COMMON, SIMILAR, shingles_of
from sklearn_sae.utils._on_disk import write_to_disk
from sklearn_sae.utils._parquet_texts import sample_rows

_BANDS, _ROWS = 16, 4  # of the hashes, as in `copies`
_ORDERS = 2  # in which the rows that share a band are looked at
_SLOTS = 2**27  # counters of shingles, a byte each; shingles that share one look repeated, which costs comparisons only
_CHUNK = 2**12  # texts that are hashed together
_LIKELY = 0.5  # pairs of which fewer hashes agree are not compared: one in some thousands that are similar has so few


def copies_of_many(texts):
    """Return the number of the group of copies that each text is in, from 0 in the order of first texts.

    Shingles are known by hashes of 32 bits, which are on disk; what most texts share is found in a sample.

    Parameters
    ----------
    texts : ParquetTexts

    Returns
    -------
    groups : ndarray of int of shape (n_texts,)
    """
    common = _common_hashes(texts)
    lengths, counts = [], np.zeros(_SLOTS, np.uint8)
    hashes = write_to_disk(_hashes(texts, common, lengths, counts))
    starts = np.concatenate([[0], np.cumsum(np.concatenate(lengths))])
    rows = _rows_that_repeat(hashes, starts, counts)
    del counts
    left, right = _pairs(hashes, starts, rows)
    graph = coo_array((np.ones(len(left), np.int8), (left, right)), shape=(len(texts),) * 2)
    labels = connected_components(graph, directed=False)[1]
    order = np.argsort(np.unique(labels, return_index=True)[1])
    return np.argsort(order)[labels]


def _hashed(text):
    return np.unique(np.fromiter(map(zlib.crc32, shingles_of(text)), dtype=np.uint32))


def _common_hashes(texts):
    sample = texts[sample_rows(len(texts))[:_CHUNK]]
    found, counts = np.unique(np.concatenate([_hashed(text) for text in sample]), return_counts=True)
    return found[counts > COMMON * len(sample)]


def _hashes(texts, common, lengths, counts):
    """Yield the hashes of the shingles of each text, and count them in `lengths` and, up to 2, in `counts`."""
    for batch in texts.batches():
        hashes = [_hashed(text) for text in batch]
        if len(common):
            hashes = [some if np.isin(some, common).all() else np.setdiff1d(some, common) for some in hashes]
        lengths.append(list(map(len, hashes)))
        hashes = np.concatenate(hashes)
        slots, times = np.unique(hashes % _SLOTS, return_counts=True)
        counts[slots] = np.minimum(counts[slots] + times, 2)
        yield hashes


def _rows_that_repeat(hashes, starts, counts):
    """Return the texts whose shingles other texts have too, as those of a copy; equal texts are among them."""
    shares = [
        np.add.reduceat((counts[hashes[starts[first] : starts[last]] % _SLOTS] > 1).astype(np.int64), of_chunk)
        / np.diff(starts[first : last + 1])
        for first, last, of_chunk in _chunks(starts)
    ]
    return np.flatnonzero(np.concatenate(shares) >= SIMILAR)


def _chunks(starts):
    """Yield the first and the end of some texts, and where each begins among the hashes of these."""
    n_texts = len(starts) - 1
    for first in range(0, n_texts, _CHUNK):
        last = min(first + _CHUNK, n_texts)
        yield first, last, starts[first:last] - starts[first]


def _minhashes(hashes, starts, rows):
    """Return the least of each of 64 hashes over the shingles of some texts: (n_rows, 64)."""
    rng = np.random.RandomState(1)
    factors = rng.randint(0, 2**63, size=_BANDS * _ROWS, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    least = np.empty((len(rows), _BANDS * _ROWS), np.uint32)
    for first, last, of_chunk in _chunks(starts):
        some = _spread(hashes[starts[first] : starts[last]].astype(np.uint64))
        here = slice(*np.searchsorted(rows, [first, last]))
        for i, factor in enumerate(factors):
            least[here, i] = np.minimum.reduceat((some * factor) >> np.uint64(32), of_chunk)[rows[here] - first]
    return least


def _spread(hashes):
    """Return 64 bits that depend on all 32 of each hash, because crc32 is linear (the finalizer of SplitMix64)."""
    hashes = (hashes + np.uint64(0x9E3779B97F4A7C15)) * np.uint64(0xBF58476D1CE4E5B9)
    hashes = (hashes ^ (hashes >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return hashes ^ (hashes >> np.uint64(31))


def _pairs(hashes, starts, rows):
    """Return pairs of similar texts that join all copies, each as two arrays of row numbers."""
    least = _minhashes(hashes, starts, rows)
    bands = [
        _spread(least[:, i].astype(np.uint64) << np.uint64(32) | least[:, i + 1])
        ^ (least[:, i + 2].astype(np.uint64) << np.uint64(32) | least[:, i + 3])
        for i in range(0, _BANDS * _ROWS, _ROWS)
    ]
    left, right = [], []
    seen = set()
    for b, band in enumerate(bands):
        for step in range(1, _ORDERS + 1):  # ties stand in the order of another band, so that the most alike meet
            order = np.lexsort([bands[(b + step) % _BANDS], band])
            one, other = order[:-1], order[1:]
            agrees = band[one] == band[other]
            one, other = one[agrees], other[agrees]
            likely = _agreement(least, one, other) >= _LIKELY
            for i, j in zip(rows[one[likely]].tolist(), rows[other[likely]].tolist(), strict=True):
                pair = (i, j) if i < j else (j, i)
                if pair not in seen and _jaccard(hashes, starts, i, j) >= SIMILAR:
                    left.append(i)
                    right.append(j)
                seen.add(pair)
    return left, right


def _agreement(least, one, other):
    """Return the share of hashes that agree, of each pair of rows."""
    parts = [slice(start, start + _CHUNK) for start in range(0, len(one), _CHUNK)]
    return np.concatenate([np.empty(0), *((least[one[some]] == least[other[some]]).mean(axis=1) for some in parts)])


def _jaccard(hashes, starts, i, j):
    a, b = (hashes[starts[row] : starts[row + 1]] for row in (i, j))
    n_both = len(np.intersect1d(a, b, assume_unique=True))
    return n_both / (len(a) + len(b) - n_both)
