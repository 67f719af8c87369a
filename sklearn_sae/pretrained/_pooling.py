"""Pooling: from the active latents of tokens to one sparse row a text."""

from typing import NamedTuple

import numpy as np
from scipy import sparse

AGGREGATIONS = ("max", "mean", "sum", "count", "binarize")


class Pooled(NamedTuple):
    """The active latents of one text, pooled over its kept tokens: all that any aggregation needs."""

    latents: np.ndarray  # (n,) int32, ascending: the latents that are active on a kept token
    maximum: np.ndarray  # (n,) float32: the largest activation of each on a token
    total: np.ndarray  # (n,) float32: the sum of the activations of each over tokens
    count: np.ndarray  # (n,) int32: the number of tokens on which each is active
    n_tokens: int  # the number of kept tokens, whether a latent is active on them or not


def pool(texts, latents, values, n_tokens):
    """Pool the active entries of tokens into texts.

    Parameters
    ----------
    texts : ndarray of shape (n_entries,), int
        The number of each entry's text, from 0. A token in two windows of a text has entries from one of them only.
    latents : ndarray of shape (n_entries,), int
    values : ndarray of shape (n_entries,), float
        The activation of a latent on a token, above 0.
    n_tokens : sequence of int
        The number of kept tokens of each text.

    Returns
    -------
    pooled : list of Pooled
        One a text.

    Examples
    --------
    Two texts, of three tokens and of one:

    >>> import numpy as np
    >>> first, second = pool(np.array([0, 0, 1]), np.array([7, 7, 2]), np.array([1.0, 3.0, 0.5]), [3, 1])
    >>> first.latents, first.maximum, first.total, first.count, first.n_tokens
    (array([7], dtype=int32), array([3.], dtype=float32), array([4.], dtype=float32), array([2], dtype=int32), 3)
    """
    width = int(latents.max(initial=0)) + 1
    keys = texts.astype(np.int64) * width + latents
    order = np.argsort(keys, kind="stable")  # stable, so that the entries of a latent stay in the order of the tokens
    keys, values = keys[order], values[order]
    starts = np.flatnonzero(np.diff(keys, prepend=-1))
    columns = (
        (keys[starts] % width).astype(np.int32),
        _reduce(np.maximum, values, starts).astype(np.float32),
        _reduce(np.add, values.astype(np.float64), starts).astype(np.float32),
        np.diff(starts, append=len(keys)).astype(np.int32),
    )
    ends = np.searchsorted(keys[starts], width * np.arange(len(n_tokens) + 1))
    return [
        Pooled(*(column[start:end] for column in columns), int(n))
        for start, end, n in zip(ends[:-1], ends[1:], n_tokens, strict=True)
    ]


def _reduce(operation, values, starts):
    return operation.reduceat(values, starts) if len(starts) else values[:0]


def check_aggregations(aggregation):
    """Return one of `AGGREGATIONS`, or several, as a list.

    Raises
    ------
    ValueError
        If there are others, one comes twice, or there is none.
    """
    found = [aggregation] if isinstance(aggregation, str) else list(aggregation)
    if not found or any(one not in AGGREGATIONS for one in found) or len(set(found)) < len(found):
        raise ValueError(f"aggregation must be one or several, each once, of {', '.join(AGGREGATIONS)}.")
    return found


def aggregate(pooled, aggregation):
    """Return the value of each of `pooled.latents` under one of `AGGREGATIONS`, float32.

    Each aggregation is over all kept tokens, whether the latent is active on them or not.
    """
    if aggregation == "max":
        return pooled.maximum
    if aggregation == "sum":
        return pooled.total
    if aggregation == "mean":
        return pooled.total / np.float32(max(pooled.n_tokens, 1))
    if aggregation == "count":
        return pooled.count.astype(np.float32)
    return np.ones(len(pooled.latents), dtype=np.float32)


def stack(rows, n_latents):
    """Return a CSR array of rows that are given one after the other as (latents, values).

    Indices are int32. Row pointers are int32 too, unless there are too many entries for that.
    """
    indices, data, ends = np.empty(0, dtype=np.int32), np.empty(0, dtype=np.float32), [0]
    for latents, values in rows:
        start, end = ends[-1], ends[-1] + len(latents)
        if end > len(indices):
            for column in (indices, data):
                column.resize(end + end // 8, refcheck=False)  # in place, so that there is no second copy
        indices[start:end], data[start:end] = latents, values
        ends.append(end)
    for column in (indices, data):
        column.resize(ends[-1], refcheck=False)
    indptr = np.array(ends, dtype=np.int32 if ends[-1] <= np.iinfo(np.int32).max else np.int64)
    return sparse.csr_array((data, indices, indptr), shape=(len(ends) - 1, n_latents))
