"""Checks of a matrix of activations, its active entries and the labels of its columns."""

import re
from collections.abc import Mapping
from numbers import Integral

import numpy as np
import pandas as pd
from scipy.sparse import csr_array, issparse
from sklearn.utils import check_array

from sklearn_sae.utils._validation import refuse_texts

_NUMBERED = re.compile(r"\w*?[ _]?\d+")


def check_activations(X, *, name="X"):
    """Return activations as a dense array or as a CSR array without duplicate entries.

    Parameters
    ----------
    X : array-like, DataFrame or sparse matrix of shape (n_documents, n_features)
    name : str, default="X"
        What to call the argument in an error.

    Raises
    ------
    ValueError
        If `X` is empty or not 2-D, or has texts, NaN or infinities.
    """
    with refuse_texts(name):
        X = check_array(X, accept_sparse="csr", input_name=name)
    if issparse(X):
        X = csr_array(X, dtype=np.float32 if X.dtype == np.float16 else None)  # because scipy cannot index float16
        if not X.has_canonical_format:
            X = X.copy()
            X.sum_duplicates()
    return X


def active(X, threshold=0.0, *, name="X"):
    """Return 1 where an activation is above a threshold, as a CSR array of int32.

    Parameters
    ----------
    X : array-like, DataFrame or sparse matrix of shape (n_documents, n_features)
    threshold : float, default=0.0
        A threshold of 0 or more, so that an entry that is not stored is never active.
    name : str, default="X"
        What to call `X` in an error.
    """
    X = check_activations(X, name=name)
    if not issparse(X):
        return csr_array(np.greater(X, threshold), dtype=np.int32)
    kept = X.data > threshold
    indices, indptr = X.indices, X.indptr
    if not kept.all():
        indices, indptr = indices[kept], np.concatenate([[0], np.cumsum(kept)])[indptr].astype(indptr.dtype)
    return csr_array((np.ones(len(indices), dtype=np.int32), indices, indptr), shape=X.shape)


def counts(active):
    """Return the number of documents in which each feature is active, (n_features,) int64."""
    return np.bincount(active.indices, minlength=active.shape[1])


def feature_labels(X, labels, *, name="labels"):
    """Return the label of each column of `X`, and whether the label has a meaning.

    Parameters
    ----------
    X : array-like, DataFrame or sparse matrix of shape (n_documents, n_features)
    labels : sequence of str of length n_features, mapping from int to str, or None
        The labels; None takes the column names of a frame. A feature without a label, or with a missing or an empty
        one, is called "feature 7".
    name : str, default="labels"
        What to call `labels` in an error.

    Returns
    -------
    labels : ndarray of object of shape (n_features,)
    is_labelled : ndarray of bool of shape (n_features,)
        Whether the label has a meaning: False without a label, for a label that has no letter or digit, and for
        "feature 7" of feature 7.
    """
    n_features = X.shape[1] if hasattr(X, "shape") else np.shape(X)[1]
    if labels is None:
        labels = {i: name for i, name in enumerate(getattr(X, "columns", ())) if isinstance(name, str)}
    if isinstance(labels, str):
        raise TypeError(f"{name} is a single string; pass one label a feature.")
    if not isinstance(labels, Mapping):
        labels = list(labels)
        if len(labels) != n_features:
            raise ValueError(f"{name} has {len(labels)} labels for {n_features} features.")
        labels = dict(enumerate(labels))
    out = np.array([f"feature {feature}" for feature in range(n_features)], dtype=object)
    is_labelled = np.zeros(n_features, dtype=bool)
    for feature, label in labels.items():
        if not isinstance(feature, Integral):
            raise ValueError(f"{name} has a label for {feature!r}; by number, the keys are column numbers (int).")
        if not 0 <= feature < n_features:
            raise ValueError(f"{name} has a label for feature {feature!r}; the features are 0 to {n_features - 1}.")
        if label is None or label is pd.NA or label != label or label == "":
            continue
        if not isinstance(label, str):
            raise TypeError(f"{name} has a {type(label).__name__} for feature {feature} where a label (str) is needed.")
        is_labelled[feature] = label != out[feature] and re.search(r"\w", label) is not None
        out[feature] = label
    return out, is_labelled


def only_count(labels):
    """Return which labels are names that only count: "feature 7", "topksaetransformer7"."""
    return np.array([_NUMBERED.fullmatch(label) is not None for label in labels], dtype=bool)
