"""What both meta-estimators do with the transformer that they hold."""

import numpy as np
from sklearn import config_context
from sklearn.base import clone
from sklearn.utils import check_array, get_tags

from sklearn_sae.utils._sklearn_compat import num_samples


def fit_inner(transformer, method, items, y):
    """Return a fitted clone of `transformer` and, where `method` is "fit_transform", its output, else None."""
    fitted = clone(transformer)
    with config_context(transform_output="default"):
        if method == "fit_transform" and hasattr(fitted, "fit_transform"):
            return fitted, _check_output(fitted.fit_transform(items, y), items)
        fitted = fitted.fit(items, y)
    return fitted, transform_inner(fitted, items) if method == "fit_transform" else None


def transform_inner(transformer, items):
    """Return the output of `transformer`: a CSR matrix or a dense array, float32 or float64, NaN allowed."""
    with config_context(transform_output="default"):
        return _check_output(transformer.transform(items), items)


def _check_output(output, items):
    shape, n_items = np.shape(output), num_samples(items)
    if len(shape) != 2 or shape[0] != n_items:
        raise ValueError(
            f"transformer must turn {n_items} samples into a table of as many rows; its output has shape {shape}."
        )
    checks = {"dtype": [np.float64, np.float32], "ensure_all_finite": False, "ensure_min_features": 0}
    return check_array(output, accept_sparse="csr", input_name="The transformer's output", **checks)


def inner_tags(tags, transformer):
    """Return `tags` of an estimator of texts that holds `transformer`."""
    tags.input_tags.string = True
    tags.transformer_tags.preserves_dtype = []
    inner = get_tags(transformer)
    tags.input_tags.sparse = inner.input_tags.sparse
    tags.target_tags.required = inner.target_tags.required
    tags.non_deterministic = inner.non_deterministic
    return tags
