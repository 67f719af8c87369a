"""Rows that are read chunk by chunk train the same autoencoder, in all bits, as the same rows in an array."""

import numpy as np
import pytest

from sklearn_sae import TopKSAETransformer

SAE = TopKSAETransformer(n_components=16, k=3, max_epochs=3, random_state=0)
ROWS = np.random.RandomState(0).randn(900, 12)


def of_zarr(X, folder):
    zarr = pytest.importorskip("zarr")
    array = zarr.create_array(str(folder / "rows.zarr"), shape=X.shape, chunks=(70, 5), dtype=X.dtype)
    array[:] = X
    return array


def of_hdf5(X, folder, **options):
    h5py = pytest.importorskip("h5py")
    return h5py.File(folder / "rows.h5", "w").create_dataset("rows", data=X, **options)


def of_hdf5_in_chunks(X, folder):
    return of_hdf5(X, folder, chunks=(64, 12), compression="gzip")


def of_dask(X, folder):
    return pytest.importorskip("dask.array").from_array(X, chunks=(250, 5))


def of_dask_of_unknown_length(X, folder):
    rows = of_dask(np.repeat(X, 2, axis=0), folder)
    return rows[pytest.importorskip("dask.array").from_array(np.arange(len(rows)) % 2 == 0, chunks=250)]


def of_chunks(X, folder):
    return (X[start : start + 250] for start in range(0, len(X), 250))


def of_map(X, folder):
    np.save(folder / "rows.npy", X)
    return np.load(folder / "rows.npy", mmap_mode="r")


KINDS = [of_zarr, of_hdf5, of_hdf5_in_chunks, of_dask, of_dask_of_unknown_length, of_chunks, of_map]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int16])
def test_the_fit_is_the_same_in_all_bits(kind, dtype, tmp_path):
    X = (10 * ROWS).astype(dtype)
    expected = SAE.fit(X)
    codes, score = expected.transform(X).toarray(), expected.score(X)
    params = [getattr(expected, name).copy() for name in ("components_", "encoder_weight_", "bias_", "density_")]
    fitted = SAE.fit(kind(X, tmp_path))
    for name, param in zip(("components_", "encoder_weight_", "bias_", "density_"), params, strict=True):
        np.testing.assert_array_equal(getattr(fitted, name), param)
    (tmp_path / "again").mkdir()
    np.testing.assert_array_equal(fitted.transform(kind(X, tmp_path / "again")).toarray(), codes)
    (tmp_path / "scored").mkdir()
    assert fitted.score(kind(X, tmp_path / "scored")) == score


def test_a_target_and_rows_to_validate_on_go_with_chunks(tmp_path):
    y = ROWS[:, 0] + ROWS[:, 1]
    sae = TopKSAETransformer(n_components=16, k=3, max_epochs=3, target_weight=0.2, random_state=0)
    expected = sae.fit_transform(ROWS, y, X_val=ROWS[:100]).toarray()
    codes = sae.fit_transform(of_chunks(ROWS, tmp_path), y, X_val=of_zarr(ROWS[:100], tmp_path))
    np.testing.assert_array_equal(codes.toarray(), expected)


@pytest.mark.parametrize(
    ("chunks", "error"),
    [
        ([], "found 0 rows"),
        ([ROWS[:5], ROWS[:5, :3]], "must be alike"),
        ([ROWS[0]], "a chunk of X must have rows and columns"),
        ([np.full((5, 4), np.nan)], "contains NaN"),
        ([np.array([["a"]])], "texts"),
        ([1j * ROWS], "values of type complex128 where real numbers are needed"),
        ([np.zeros((5, 4), "M8[s]")], "values of type datetime64"),
    ],
)
def test_chunks_that_are_no_rows_are_refused(chunks, error):
    with pytest.raises(ValueError, match=error):
        SAE.fit(iter(chunks))


def test_an_array_that_has_no_columns_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"must have rows and columns; got an array of shape \(\)"):
        SAE.fit(of_hdf5(1.0, tmp_path))
