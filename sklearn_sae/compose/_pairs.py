"""Pairs as row numbers of one list of items, so that each item is transformed once."""

from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.utils import check_array

from sklearn_sae.utils._pair_text import columns_of_pairs, join_pair


class Pairs(NamedTuple):
    """The items of all pairs, and the rows of the first and second item of each pair."""

    items: Any  # distinct texts as a list of str, or vectors, the first ones above the second ones; or whole pairs
    first: np.ndarray  # (n_pairs,) row of the first item of each pair
    second: np.ndarray  # (n_pairs,)
    index: np.ndarray | None  # (n_items,) position in np.ravel(X) of each item, or its first text; None for vectors
    n_columns: int
    prompts: list | None = None  # of str, of each pair


def check_pairs(X):
    """Return `X`, pairs of texts or of vectors side by side, as `Pairs`."""
    if sparse.issparse(X):
        return _pairs_of_vectors(X)
    if isinstance(X, (str, bytes)):
        raise TypeError("X is a single string; pass a list of pairs of texts, [(text, text)], instead.")
    table = np.asarray(X) if hasattr(X, "__array__") else _as_table(X)
    if table.dtype.kind in "fiubc":
        return _pairs_of_vectors(table)
    if len(table) == 0:
        raise ValueError("X is empty: found 0 pairs while at least 1 is required.")
    *prompts, first, second = columns_of_pairs(X, table)
    texts = [text for pair in zip(first, second, strict=True) for text in pair]
    row = {}
    rows = np.array([row.setdefault(text, len(row)) for text in texts], dtype=np.intp)
    index = np.unique(rows, return_index=True)[1]
    return Pairs(list(row), rows[::2], rows[1::2], index, 2, prompts[0] if prompts else None)


def _as_table(X):
    """Return a sequence of pairs as an array: of numbers if all are, else of objects."""
    if not hasattr(X, "__len__"):
        raise TypeError(f"X must be a sequence of pairs of texts; got {type(X).__name__}.")
    for row, pair in enumerate(X):
        if isinstance(pair, (str, bytes)) or not hasattr(pair, "__len__"):
            raise TypeError(
                f"X has a value of type {type(pair).__name__} in row {row} where a pair of texts is needed."
            )
    lengths = {len(pair) for pair in X}
    if len(lengths) > 1:
        raise ValueError(f"X must be pairs of texts; it has rows of length {min(lengths)} and {max(lengths)}.")
    table = np.empty((len(X), *lengths), dtype=object)
    for row, pair in enumerate(X):
        table[row] = pair
    are_numbers = table.size and all(isinstance(value, (int, float, np.number)) for value in table.flat)
    return table.astype(np.float64) if are_numbers else table


def _pairs_of_vectors(X):
    X = check_array(X, accept_sparse="csr", dtype=[np.float64, np.float32], input_name="X")
    n_pairs, n_columns = X.shape
    if n_columns % 2:
        raise ValueError(f"X must be first and second vectors side by side; it has {n_columns} columns, an odd number.")
    stack = sparse.vstack if sparse.issparse(X) else np.vstack
    items = stack([X[:, : n_columns // 2], X[:, n_columns // 2 :]])
    if sparse.issparse(items):
        items = items.tocsr()
    first = np.arange(n_pairs)
    return Pairs(items, first, first + n_pairs, None, n_columns)


def in_both_orders(pairs):
    """Return pairs whose items are whole pairs: as they are given and, below them, with their sides swapped.

    Such an item is the two texts of a pair, or the first vector minus the second.
    """
    place = np.arange(len(pairs.first))
    if pairs.index is None:
        rows = pairs.items[pairs.first] - pairs.items[pairs.second]
        items = sparse.vstack([rows, -rows], format="csr") if sparse.issparse(rows) else np.vstack([rows, -rows])
        index = None
    else:
        rows = np.array(pairs.items, dtype=object)[np.column_stack([pairs.first, pairs.second])]
        items = np.vstack([rows, rows[:, ::-1]])
        index = np.concatenate([2 * place, 2 * place + 1])
    prompts = None if pairs.prompts is None else pairs.prompts * 2
    return Pairs(items, place, place + len(place), index, pairs.n_columns, prompts)


def as_texts(pairs):
    """Return pairs whose items are whole pairs, each as one text with its prompt."""
    prompts = pairs.prompts or [None] * len(pairs.items)
    return [join_pair(*item, prompt) for item, prompt in zip(pairs.items, prompts, strict=True)]


def target_of_items(pairs, target, weights=None):
    """Return for each item the mean over its pairs of the target as it would be, were the item in first place.

    Pairs count by their weights; those of an item that has none of any weight count alike.
    """
    values = target.values.astype(np.float64)
    if target.classes is not None:
        values = 2 * values - 1
    values = np.concatenate([values, -values])
    means = _means_of_items(pairs, values)
    if weights is None:
        return means
    both = np.concatenate([weights, weights])
    weighted, share = (_means_of_items(pairs, column) for column in (both * values, both))
    return np.divide(weighted, share, out=means, where=share > 0)


def weights_of_items(pairs, weights):
    """Return for each item the mean weight of its pairs, so that weights which are all the same change nothing."""
    return _means_of_items(pairs, np.concatenate([weights, weights]))


def _means_of_items(pairs, values):
    """Return the mean for each item of values, first of all first items and then of all second ones."""
    rows = np.concatenate([pairs.first, pairs.second])
    # Each item is in a pair, so no count is zero.
    return np.bincount(rows, weights=values) / np.bincount(rows)
