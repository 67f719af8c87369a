"""Arrays that are read chunk by chunk, of Zarr, HDF5 and Dask, and iterators of chunks."""

from collections.abc import Iterator

import numpy as np

from sklearn_sae.utils._on_disk import write_to_disk

_READ = 8192  # rows at a time, up to whole chunks


def mapped(X):
    """Return chunks, and arrays that have chunks, as one array in a file that is mapped into memory; others as given.

    Training reads rows in random order, for which a chunk would be decompressed, or a graph computed, for every row.

    Parameters
    ----------
    X : array-like, array with chunks (of Zarr, HDF5 or Dask), or iterator of arrays
    """
    if isinstance(X, Iterator):
        return write_to_disk(_as_numbers(chunk) for chunk in X)
    if hasattr(X, "blocks") and hasattr(X, "numblocks"):  # Dask, whose sizes may be unknown
        return write_to_disk(_as_numbers(X.blocks[i]) for i in range(X.numblocks[0]))
    if hasattr(X, "chunks") and hasattr(X, "dtype"):
        if len(X.shape) != 2:
            raise ValueError(f"X must have rows and columns; got an array of shape {X.shape}.")
        n = X.chunks[0] if X.chunks else _READ
        n *= max(1, _READ // n)
        return write_to_disk(_as_numbers(X[start : start + n]) for start in range(0, X.shape[0], n))
    return X


def _as_numbers(chunk):
    """Return a chunk as an array, whose whole numbers are float64, as all arrays of such are read."""
    chunk = np.asarray(chunk)
    if chunk.ndim != 2:
        raise ValueError(f"a chunk of X must have rows and columns; got one of shape {chunk.shape}.")
    if chunk.dtype.kind in "cmM":  # which a cast would take for numbers
        raise ValueError(f"X holds values of type {chunk.dtype} where real numbers are needed.")
    return chunk if chunk.dtype.kind == "f" else chunk.astype(np.float64)
