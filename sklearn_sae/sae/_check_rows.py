"""What rows an autoencoder takes."""

import numpy as np
from sklearn.utils import assert_all_finite
from sklearn.utils.validation import validate_data

from sklearn_sae.utils._chunked import mapped
from sklearn_sae.utils._validation import refuse_texts

_DTYPES = [np.float64, np.float32, np.float16]
_ROWS_CHECKED = 2**14


def check_rows(sae, X, *, name="X", **checks):
    """Return `X` as an array that may lie on disk, or say what is wrong with it.

    Parameters
    ----------
    sae : TopKSAETransformer
    X : array-like of shape (n_samples, n_features)
    name : str, default="X"
        What to call it in an error.
    **checks
        What `validate_data` of scikit-learn takes, such as ``reset``.
    """
    with refuse_texts(name):
        X = validate_data(sae, mapped(X), dtype=_DTYPES, ensure_all_finite=False, **checks)
    for start in range(0, len(X), _ROWS_CHECKED):  # of half precision all at once, the check would need more memory
        assert_all_finite(X[start : start + _ROWS_CHECKED], estimator_name=type(sae).__name__, input_name=name)
    return X
