"""Which neurons are named, and on which texts they are active."""

from numbers import Integral

import numpy as np
from scipy import sparse

from sklearn_sae.utils._notes import warn


def as_columns(X):
    """Return checked activations as a csc_array of float32 or float64."""
    return sparse.csc_array(X if X.dtype in (np.float32, np.float64) else X.astype(np.float64))


def check_neurons(neurons, activations):
    """Return the columns of `activations` to name, in order."""
    n_neurons = activations.shape[1]
    if isinstance(neurons, str) and neurons == "all":
        return np.arange(n_neurons)
    if isinstance(neurons, Integral):
        if neurons > n_neurons:
            raise ValueError(f"neurons={neurons} is more than the {n_neurons} neurons that there are.")
        return np.sort(np.argsort(-density_of(activations), kind="stable")[:neurons])
    indices = np.asarray(neurons)
    if indices.ndim != 1 or not len(indices) or indices.dtype.kind not in "iu":
        raise ValueError('neurons must be "all", an int, or a 1-D array of at least one integer index.')
    outside = indices[(indices < 0) | (indices >= n_neurons)]
    if len(outside):
        raise ValueError(f"neurons has the index {outside[0]}, which is outside 0 to {n_neurons - 1}.")
    if len(np.unique(indices)) < len(indices):
        raise ValueError("neurons has an index twice.")
    return indices.astype(np.intp)


def warn_left_out(neurons, kept, why):
    """Warn of those of some neurons that are not kept."""
    left_out = np.delete(neurons, kept).tolist()
    if left_out:
        some = ", ".join(map(str, left_out[:5])) + (", ..." if len(left_out) > 5 else "")
        are = "is" if len(left_out) == 1 else "are"
        warn(f"{len(left_out)} of {len(neurons)} neurons {why} and {are} left out: {some}.")


def density_of(activations):
    """Return the share of rows on which each column of a csc_array is above 0."""
    of_column = np.repeat(np.arange(activations.shape[1]), np.diff(activations.indptr))
    return np.bincount(of_column, weights=activations.data > 0, minlength=activations.shape[1]) / activations.shape[0]


def column(activations, i):
    """Return column `i` of a csc_array as a 1-D array."""
    return activations[:, [i]].toarray().ravel()
