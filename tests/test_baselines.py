"""The scores that hypotheses are set beside."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.linear_model import RidgeCV
from sklearn.preprocessing import StandardScaler

from sklearn_sae._baselines import _PENALTIES, WordPresence, _ridge_predictions, ridge_score
from sklearn_sae.datasets import ParquetTexts, make_concept_texts
from sklearn_sae.utils._targets import check_target


def words_of_texts(n_texts, n_columns, rng):
    """Return a sparse matrix of texts by words, of which the first few move a target."""
    X = sparse.random(n_texts, n_columns, density=10 / n_columns, format="csr", random_state=rng)
    X = sparse.csr_matrix(sparse.hstack([sparse.csr_matrix(rng.rand(n_texts, 3)), X]))
    return X, X[:, :3].toarray() @ [3.0, -2.0, 1.0] + 0.1 * rng.randn(n_texts)


def test_a_wide_sparse_embedding_stays_sparse(peak_bytes):
    X, y = words_of_texts(200, 100_000, np.random.RandomState(0))
    learned, held_out = (check_target(some, task="regression") for some in (y[:150], y[150:]))
    found, peak = peak_bytes(lambda: ridge_score(X[:150], X[150:], learned, held_out))
    assert peak < 150 * X.shape[1] * 8 / 4  # of a dense copy
    assert np.isfinite(found)


def test_ridge_regression_makes_no_copy_of_all_rows_in_double_precision(peak_bytes):
    rng = np.random.RandomState(0)
    X = rng.rand(60_000, 32).astype(np.float32)
    y = X @ rng.rand(32) + rng.rand(len(X))
    learned, held_out = (check_target(some, task="regression") for some in (y[:30_000], y[30_000:]))
    found, peak = peak_bytes(lambda: ridge_score(X[:30_000], X[30_000:], learned, held_out))
    assert peak < 1.5 * 30_000 * X.shape[1] * 8
    assert 0.5 < found < 1


def test_one_long_text_on_disk_takes_no_room_for_the_others(peak_bytes, tmp_path):
    pytest.importorskip("pyarrow")
    reviews = make_concept_texts(200, n_concepts=5, random_state=0)
    in_memory = np.array([*reviews.data, "very " * 20_000], dtype=object)
    pd.DataFrame({"text": in_memory}).to_parquet(tmp_path / "part.parquet")
    on_disk, target = ParquetTexts(tmp_path, "text"), check_target(np.arange(201), task="regression")
    expected = WordPresence(in_memory).score(5, target, in_memory, target, model=None)
    found, peak = peak_bytes(lambda: WordPresence(on_disk).score(5, target, on_disk, target, model=None))
    assert found == expected
    assert peak < len(on_disk) * len(in_memory[-1])  # of an array in which each text has the room of the longest


def test_many_rows_are_predicted_as_by_scikit_learn():
    rng = np.random.RandomState(0)
    X, Y = rng.randn(9000, 6) + 1, rng.randn(9000, 2)
    Y[:, 0] += X[:, 0]
    scaler = StandardScaler(with_mean=False).fit(X)
    expected = RidgeCV(_PENALTIES).fit(scaler.transform(X), Y).predict(scaler.transform(X[:5000]))
    np.testing.assert_allclose(_ridge_predictions(X, Y, X[:5000], scaler), expected, atol=1e-10)


@pytest.mark.parametrize("n_targets", [1, 3])
def test_both_ways_of_ridge_regression_predict_the_same(n_targets):
    rng = np.random.RandomState(0)
    X, y = words_of_texts(60, 3000, rng)
    Y = y if n_targets == 1 else np.stack([y, -y, rng.randn(60)], axis=1)
    scaler = StandardScaler(with_mean=False).fit(X)
    wide = _ridge_predictions(X[:40], Y[:40], X[40:], scaler)
    np.testing.assert_allclose(wide, _ridge_predictions(X[:40].toarray(), Y[:40], X[40:].toarray(), scaler), atol=1e-8)
