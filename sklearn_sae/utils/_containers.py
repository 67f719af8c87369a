"""Sparse output in the container that the user asked for."""

from scipy import sparse

from sklearn_sae.utils._sklearn_compat import output_container, uses_sparse_arrays


def in_container(estimator, values, X):
    """Return `values` such that scikit-learn can wrap them in the container that the user asked for.

    scikit-learn refuses to wrap a sparse matrix: pandas gets a frame of sparse columns, polars a dense array. By
    default a sparse array stays one only where scikit-learn is set to sparse arrays.

    Parameters
    ----------
    estimator : estimator
        The transformer whose output this is.
    values : ndarray or sparse array of shape (n_samples, n_features)
    X : object
        The input, whose index a frame keeps.

    Returns
    -------
    output : ndarray, sparse array or matrix, or DataFrame
    """
    if not sparse.issparse(values):
        return values
    container = output_container(estimator)
    if container == "pandas":
        import pandas as pd

        index = X.index if isinstance(X, (pd.DataFrame, pd.Series)) else None
        return sparse_frame(values, index, estimator.get_feature_names_out())
    if container == "polars":
        return values.toarray()
    return values if uses_sparse_arrays() else sparse.csr_matrix(values)


def sparse_frame(values, index, columns):
    """Return a frame of sparse columns whose entries that are not stored are 0."""
    import pandas as pd

    frame = pd.DataFrame.sparse.from_spmatrix(values, index=index)
    if any(dtype.fill_value != 0 for dtype in frame.dtypes):  # as in pandas 3.0, which takes them for missing
        frame = zero_filled(frame)
    return frame.set_axis(columns, axis=1)


def zero_filled(frame):
    """Return a frame of sparse columns, numbered from 0, with the same stored entries and 0 elsewhere."""
    import pandas as pd

    columns = {}
    for number, (_, column) in enumerate(frame.items()):
        stored = column.array
        dtype = pd.SparseDtype(stored.sp_values.dtype, 0)
        columns[number] = pd.arrays.SparseArray(stored.sp_values, stored.sp_index, dtype=dtype)
    return pd.DataFrame(columns, index=frame.index)
