"""The number of documents in which two features are active together, for all pairs that are frequent enough."""

import numpy as np

_STAGE = 4096  # So many columns share one choice of possible partners.
_TABLE = 2**19  # So many counts at a time stay in the cache of a processor.
_ENTRIES = 2**22  # So many active entries are counted at a time.


def npmi_of(both, first, second, n_documents):
    """Return the normalized pointwise mutual information of counts above 0.

    Parameters
    ----------
    both, first, second : ndarray of int
        Documents in which both features, the first and the second are active.
    n_documents : int

    Returns
    -------
    npmi : ndarray
        Numbers above -1 up to 1, which features have that are active in the same documents; independent features have
        0. Features that are active in all documents have 1, although the formula is 0 / 0 there.
    """
    log_n = np.log(n_documents)
    log_both, log_first, log_second = (np.log(np.asarray(count, dtype=np.float64)) for count in (both, first, second))
    # This order of the terms gives exactly 1 for two features that are active in the same documents.
    shared = (log_n - log_first) + (log_both - log_second)
    information = log_n - log_both
    return np.divide(shared, information, out=np.ones(shared.shape), where=information > 0)


def cooccurrences(X, Y=None, *, min_count=1, min_npmi=None):
    """Yield the pairs of features that are active together often enough, in parts.

    For some columns at a time, the features of their documents are counted in a small dense table, which is pruned at
    once. So memory grows with the number of pairs that are kept and not with the number of all pairs. Features too rare
    for `min_count` are not counted, nor are pairs whose frequencies differ too much to reach `min_npmi`.

    Parameters
    ----------
    X, Y : csr_array of int32 of shape (n_documents, n_features)
        1 where a feature is active. Without `Y`, each pair of different columns of `X` comes once.
    min_count : int, default=1
        The least number of documents in which both are active.
    min_npmi : float or None, default=None
        The least normalized pointwise mutual information; None keeps all pairs.

    Yields
    ------
    first, second, both : ndarray of int of shape (n_pairs,)
        Columns of `X` and of `Y`, `first` below `second` without `Y`, and the documents in which both are active.
    """
    n_documents = X.shape[0]
    rows, n_rows, of_rows = _by_frequency(X, min_count)
    columns, n_columns, of_columns = (rows, n_rows, of_rows) if Y is None else _by_frequency(Y, min_count)
    for start in range(0, columns.shape[1], _STAGE):
        stop = min(start + _STAGE, columns.shape[1])
        low, high = _partners(n_rows, n_columns[start], n_columns[stop - 1], n_documents, min_npmi)
        low = max(low, start) if Y is None else low
        if low >= high:
            continue
        partners = rows[:, low:high].tocsr()
        step = max(1, _TABLE // (high - low))
        for few in range(start, stop, step):
            i, j, both = _count(partners, columns, few, min(few + step, stop), min_count)
            i += low
            chosen = i > j if Y is None else np.ones(len(i), dtype=bool)
            if min_npmi is not None:
                chosen[chosen] = npmi_of(both[chosen], n_rows[i[chosen]], n_columns[j[chosen]], n_documents) >= min_npmi
            if chosen.any():
                first, second = of_rows[i[chosen]], of_columns[j[chosen]]
                if Y is None:
                    first, second = np.minimum(first, second), np.maximum(first, second)
                yield first, second, both[chosen]


def _count(partners, columns, start, stop, min_count):
    """Return the partners of some columns, these columns, and how many documents they share, if these are enough."""
    n_partners = partners.shape[1]
    entries = slice(*columns.indptr[[start, stop]])
    documents = columns.indices[entries]
    offsets = np.repeat(np.arange(stop - start) * n_partners, np.diff(columns.indptr[start : stop + 1]))
    lengths = np.diff(partners.indptr)[documents]
    parts = np.cumsum(lengths) // _ENTRIES
    table = np.zeros((stop - start) * n_partners, dtype=np.int64)
    for part in range(parts[-1] + 1):
        part = slice(*np.searchsorted(parts, [part, part + 1]))
        cells = np.repeat(offsets[part], lengths[part])
        cells += partners[documents[part]].indices
        table += np.bincount(cells, minlength=len(table))
    cells = np.flatnonzero(table >= min_count)
    return cells % n_partners, start + cells // n_partners, table[cells]


def _by_frequency(X, min_count):
    """Return the columns that are active often enough, rarest first, with their counts and their numbers in `X`."""
    n_active = np.bincount(X.indices, minlength=X.shape[1])
    order = np.argsort(n_active, kind="stable")
    order = order[n_active[order] >= min_count].astype(np.int32)
    return X.tocsc()[:, order].astype(np.int8), n_active[order], order


def _partners(n_rows, rarest, most_frequent, n_documents, min_npmi):
    """Return the range of rows that can reach `min_npmi` with one of the columns of such counts.

    Two features that are active in a <= b documents have at most the NPMI log(n/b) / log(n/a), where the rarer is never
    active alone.
    """
    if min_npmi is None or min_npmi <= 0:
        return 0, len(n_rows)
    slack = 1e-9  # for rounding errors
    lowest = n_documents * (rarest / n_documents) ** (1 / min_npmi) * (1 - slack)
    highest = n_documents * (most_frequent / n_documents) ** min_npmi * (1 + slack)
    return np.searchsorted(n_rows, lowest, side="left"), np.searchsorted(n_rows, highest, side="right")
