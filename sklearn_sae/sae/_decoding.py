"""From codes back to rows, and the error of these, over NumPy and SciPy arrays."""

import numpy as np

_CHUNK_ENTRIES = 2**20  # the entries of X that are compared together


def decode(codes, components, bias):
    """Return ``codes @ components + bias``, for CSR or dense codes."""
    return np.asarray(codes @ components + bias)


def reconstruction_r2(X, codes, components, bias):
    """Return 1 - ||X - reconstruction||^2 / ||X - mean of X||^2, chunk by chunk in float64.

    If the rows of `X` are all equal it is 1.0 for a perfect reconstruction and 0.0 for any other.
    """
    chunk = max(1, _CHUNK_ENTRIES // X.shape[1])
    slices = [slice(start, start + chunk) for start in range(0, len(X), chunk)]
    mean = sum(X[rows].sum(axis=0, dtype=np.float64) for rows in slices) / len(X)
    left = sum(
        float(np.square(X[rows] - decode(codes[rows], components, bias), dtype=np.float64).sum()) for rows in slices
    )
    total = sum(float(np.square(X[rows] - mean).sum()) for rows in slices)
    if total == 0:
        return 1.0 if left == 0 else 0.0
    return 1.0 - left / total
