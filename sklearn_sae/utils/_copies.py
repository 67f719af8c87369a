"""Which texts are copies of one another: the same but for case and spaces, or nearly the same."""

import zlib
from collections import Counter
from itertools import chain

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from sklearn_sae.utils._words import words

_SHINGLE = 3  # words
SIMILAR = 0.7  # Jaccard similarity of the shingles of two copies
_BANDS, _ROWS = 16, 4  # of the hashes: a pair that is just similar enough shares a band with probability 0.99
_ORDERS = 4  # in which the rows that share a band are looked at
COMMON = 0.5  # a shingle of more than this share of the texts is a frame that they share, and tells no copies
_FEWEST = 20  # texts that a frame is looked for in


def copies(texts):
    """Return the number of the group of copies that each text is in, a group of its own for one without copies.

    Texts are copies if their shingles of three words have a Jaccard similarity of at least 0.7; copies of copies are
    copies. User names, "RT" and addresses do not count, and neither does what more than half of all texts have in
    common. Pairs are found by MinHash [1]_ and then compared exactly.

    Parameters
    ----------
    texts : list of str

    Returns
    -------
    groups : ndarray of int of shape (n_texts,)
        From 0, in the order of the first text of each group.

    References
    ----------
    .. [1] A. Z. Broder (1997). On the resemblance and containment of documents. Compression and Complexity of
       Sequences, 21-29.

    Examples
    --------
    >>> copies(["RT @a: So good! https://x.org/1", "Bad.", "so good", "So good! https://x.org/2"])
    array([0, 1, 0, 0])
    """
    from datasketch import MinHash

    shingles = [shingles_of(text) for text in texts]
    counts = Counter(chain.from_iterable(shingles))
    shingles = _without_common(shingles, counts)
    distinct = {}  # the first row of each set of shingles
    first = [distinct.setdefault(some, row) for row, some in enumerate(shingles)]
    # A copy shares most of its shingles with another text, so a text whose shingles are mostly its own is none.
    repeated = {one for one, n in counts.items() if n > 1}
    rows = [row for some, row in distinct.items() if len(some & repeated) / len(some) >= SIMILAR]
    hashes = MinHash.bulk([shingles[row] for row in rows], num_perm=_BANDS * _ROWS, hashfunc=zlib.crc32)
    candidates = _candidates(np.array([one.hashvalues for one in hashes]))
    pairs = [(rows[i], rows[j]) for i, j in candidates if _jaccard(shingles[rows[i]], shingles[rows[j]]) >= SIMILAR]
    left, right = zip(*enumerate(first), *pairs, strict=True)
    graph = coo_array((np.ones(len(left)), (left, right)), shape=(len(texts),) * 2)
    labels = connected_components(graph, directed=False)[1]
    order = np.argsort(np.unique(labels, return_index=True)[1])
    return np.argsort(order)[labels]


def _candidates(hashes):
    """Return the pairs of rows whose hashes agree in a whole band; of several rows, each with the one before."""
    pairs = set()
    bands = hashes.reshape(len(hashes), _BANDS, _ROWS).transpose(1, 0, 2)
    for b, band in enumerate(bands):
        for step in range(1, _ORDERS + 1):  # ties stand in the order of another band, so that the most alike meet
            order = np.lexsort([*bands[(b + step) % _BANDS].T, *band.T])
            agrees = (band[order[1:]] == band[order[:-1]]).all(axis=1)
            pairs.update(zip(order[:-1][agrees].tolist(), order[1:][agrees].tolist(), strict=True))
    return pairs


def shingles_of(text):
    """Return the shingles of a text, as a frozenset of bytes; a text without words is one."""
    found = [word for word in words(text) if word != "rt" and word[0] != "@"] or [text]
    return frozenset(" ".join(found[i : i + _SHINGLE]).encode() for i in range(max(1, len(found) - _SHINGLE + 1)))


def _without_common(shingles, counts):
    """Leave out the shingles that most texts have, unless a text has no others."""
    common = {one for one, n in counts.items() if n > COMMON * len(shingles)}
    if len(shingles) < _FEWEST or not common:
        return shingles
    return [some - common or some for some in shingles]


def _jaccard(a, b):
    return len(a & b) / len(a | b)
