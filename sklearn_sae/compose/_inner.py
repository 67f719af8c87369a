"""The parts of a meta-estimator that concern the transformer which it holds."""

import numpy as np
from sklearn import config_context
from sklearn.base import clone
from sklearn.utils import check_array, get_tags
from sklearn.utils.validation import check_is_fitted

from sklearn_sae.utils._sklearn_compat import num_samples
from sklearn_sae.utils._text_transformer import TextTransformerMixin


class InnerTransformerMixin(TextTransformerMixin):
    """Mixin for transformers of texts whose output is that of another one, their parameter `transformer`."""

    def get_feature_names_out(self, input_features=None):
        """Return the names that the transformer gives to its outputs.

        Parameters
        ----------
        input_features : ignored
            Present because scikit-learn passes it on.

        Returns
        -------
        names : ndarray of str of shape (n_features_out,)
        """
        check_is_fitted(self)
        return self.transformer_.get_feature_names_out()

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = get_tags(self.transformer)
        tags.input_tags.sparse = inner.input_tags.sparse
        tags.target_tags.required = inner.target_tags.required
        tags.non_deterministic = inner.non_deterministic
        return tags


def fit_inner(transformer, method, items, y, *, only_fit=None, **params):
    """Return a fitted clone of `transformer` and, where `method` is "fit_transform", its output, else None.

    `params` are for `fit` and for `transform`, and those in the dict `only_fit` for `fit`.
    """
    of_fit = {**params, **(only_fit or {})}
    fitted = clone(transformer)
    with config_context(transform_output="default"):
        if method == "fit_transform" and hasattr(fitted, "fit_transform"):
            return fitted, _check_output(fitted.fit_transform(items, y, **of_fit), items)
        fitted = fitted.fit(items, y, **of_fit)
    return fitted, transform_inner(fitted, items, **params) if method == "fit_transform" else None


def transform_inner(transformer, items, **params):
    """Return the output of `transformer`: a CSR matrix or a dense array, float32 or float64, NaN allowed."""
    with config_context(transform_output="default"):
        return _check_output(transformer.transform(items, **params), items)


def _check_output(output, items):
    shape, n_items = np.shape(output), num_samples(items)
    if len(shape) != 2 or shape[0] != n_items:
        raise ValueError(
            f"transformer must turn {n_items} samples into a table of as many rows; its output has shape {shape}."
        )
    checks = {"dtype": [np.float64, np.float32], "ensure_all_finite": False, "ensure_min_features": 0}
    return check_array(output, accept_sparse="csr", input_name="The transformer's output", **checks)
