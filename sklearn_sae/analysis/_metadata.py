"""Features from metadata of documents."""

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from sklearn_sae.utils._validation import counted

_MAX_VALUES = 10  # Of at most so many distinct numbers, each is a feature of its own.
_N_BINS = 4


def metadata_features(metadata, n_documents):
    """Return columns of metadata as 0/1 features, and their labels.

    Parameters
    ----------
    metadata : DataFrame of n_documents rows
        Each value of a column of strings, categories or bool is a feature, and each of up to 10 distinct numbers; more
        numbers, and dates, are cut into quarters of equally many documents. A missing value has no feature.
    n_documents : int

    Returns
    -------
    features : csr_array of int32 of shape (n_documents, n_values)
    labels : list of str
    """
    if isinstance(metadata, pd.Series):
        metadata = metadata.to_frame()
    if not isinstance(metadata, pd.DataFrame):
        raise TypeError(f"metadata must be a DataFrame; got {type(metadata).__name__}.")
    if len(metadata) != n_documents:
        raise ValueError(f"metadata has {counted(len(metadata), 'row')} for {counted(n_documents, 'row')} of X.")
    labels, rows, columns = [], [], []
    for name, values in metadata.items():
        if pd.api.types.infer_dtype(values, skipna=True) in ("date", "datetime"):  # which a column of objects may hold
            values = pd.to_datetime(values)
        is_number = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
        relation = "="
        if pd.api.types.is_datetime64_any_dtype(values) or (is_number and values.nunique() > _MAX_VALUES):
            if is_number and np.isinf(values.to_numpy(dtype=np.float64, na_value=np.nan)).any():
                raise ValueError(f"metadata column {name!r} has infinite values; make them missing or a category.")
            values, relation = pd.qcut(values, _N_BINS, duplicates="drop"), "in"
        try:
            codes, found = pd.factorize(values, sort=isinstance(values.dtype, pd.CategoricalDtype) or is_number)
        except TypeError:
            raise TypeError(f"metadata column {name!r} has lists or the like; make each value a column.") from None
        rows.append(np.flatnonzero(codes >= 0))
        columns.append(len(labels) + codes[codes >= 0])
        labels += [f"{name} {relation} {value}" for value in found]
    if not labels:
        raise ValueError("metadata has no value: pass at least one column that is not all missing.")
    rows, columns = np.concatenate(rows), np.concatenate(columns)
    shape = n_documents, len(labels)
    return csr_array((np.ones(len(rows), dtype=np.int32), (rows, columns)), shape=shape), labels
