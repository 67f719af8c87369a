"""Sparse output in a frame."""

import numpy as np
import pandas as pd

from sklearn_sae.utils._containers import zero_filled


def test_what_is_not_stored_is_zero():
    columns = [np.array([np.nan, 1.5, np.nan], np.float32), np.array([2, np.nan, np.nan], np.float32)]
    missing = pd.DataFrame({i: pd.arrays.SparseArray(column) for i, column in enumerate(columns)}, index=[7, 8, 9])
    assert np.isnan(missing.to_numpy()).sum() == 4  # as pandas 3.0 makes a sparse matrix into a frame
    filled = zero_filled(missing)
    np.testing.assert_array_equal(filled.to_numpy(), np.array([[0, 2], [1.5, 0], [0, 0]], np.float32))
    assert (filled.index == missing.index).all()
    assert set(filled.dtypes) == {pd.SparseDtype(np.float32, 0)}
    assert filled.sparse.density == 2 / 6
