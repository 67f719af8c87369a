"""The scores that hypotheses are set beside."""

import tracemalloc

import numpy as np
import pytest
from scipy import sparse

from sklearn_sae._baselines import _ridge_predictions, ridge_score
from sklearn_sae.utils._targets import check_target


def words_of_texts(n_texts, n_columns, rng):
    """Return a sparse matrix of texts by words, of which the first few move a target."""
    X = sparse.random(n_texts, n_columns, density=10 / n_columns, format="csr", random_state=rng)
    X = sparse.csr_matrix(sparse.hstack([sparse.csr_matrix(rng.rand(n_texts, 3)), X]))
    return X, X[:, :3].toarray() @ [3.0, -2.0, 1.0] + 0.1 * rng.randn(n_texts)


def test_a_wide_sparse_embedding_stays_sparse():
    X, y = words_of_texts(200, 100_000, np.random.RandomState(0))
    learned, held_out = (check_target(some, task="regression") for some in (y[:150], y[150:]))
    tracemalloc.start()
    found = ridge_score(X[:150], X[150:], learned, held_out)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 150 * X.shape[1] * 8 / 4  # of a dense copy
    assert np.isfinite(found)


@pytest.mark.parametrize("n_targets", [1, 3])
def test_both_ways_of_ridge_regression_predict_the_same(n_targets):
    rng = np.random.RandomState(0)
    X, y = words_of_texts(60, 3000, rng)
    Y = y if n_targets == 1 else np.stack([y, -y, rng.randn(60)], axis=1)
    wide = _ridge_predictions(X[:40], Y[:40], X[40:])
    np.testing.assert_allclose(wide, _ridge_predictions(X[:40].toarray(), Y[:40], X[40:].toarray()), atol=1e-8)
