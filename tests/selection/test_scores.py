"""Each score against a plain loop over columns."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csc_matrix, csr_array, csr_matrix
from scipy.stats import pearsonr

from sklearn_sae.selection._scores import correlation_scores, separation_scores, standardize


def separation_by_loop(X, y, n_top):
    scores = []
    for column in X.T:
        best = [i for i in np.argsort(-column, kind="stable")[:n_top] if column[i] > 0]
        zero = column == 0
        scores.append(y[best].mean() - y[zero].mean() if best and zero.any() else np.nan)
    return np.array(scores)


@pytest.mark.parametrize("form", [np.asarray, csr_matrix, csr_array, csc_matrix])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_correlation_is_pearsons(make_activations, form, dtype):
    X = make_activations(dtype=dtype).toarray()
    y = np.random.default_rng(0).normal(size=len(X)) + X[:, 3]
    scores = correlation_scores(standardize(form(X)), y[:, None])[0]
    expected = [pearsonr(column.astype(np.float64), y)[0] for column in X.T]
    np.testing.assert_allclose(scores, expected, atol=1e-12)


@pytest.mark.parametrize("form", [np.asarray, csr_matrix])
def test_correlation_survives_a_mean_far_above_the_spread(form):
    rng = np.random.default_rng(0)
    signal = rng.normal(size=(300, 1))
    y = signal[:, 0] + rng.normal(size=300)
    plain = correlation_scores(standardize(signal), y[:, None])
    shifted = correlation_scores(standardize(form(signal + 1e6)), 1e6 + y[:, None])
    np.testing.assert_allclose(shifted, plain, atol=1e-8)


@pytest.mark.parametrize("form", [np.asarray, csr_matrix])
def test_constant_columns_are_dead_and_do_not_warn(form, recwarn):
    X = np.column_stack([np.full(50, 0.1), np.zeros(50), np.full(50, 1e8), np.arange(50.0), np.eye(50)[0] * 1e-20])
    design = standardize(form(X))
    assert design.live.tolist() == [False, False, False, True, True]
    assert (correlation_scores(design, np.arange(50.0)[:, None])[0, :3] == 0).all()
    assert not recwarn.list


def test_a_column_is_centered_with_unit_variance(make_activations):
    X = make_activations()
    for design in (standardize(X), standardize(X.toarray())):
        Z = np.column_stack([design.centered_column(j) for j in range(X.shape[1])])
        np.testing.assert_allclose(Z.mean(axis=0), 0, atol=1e-12)
        np.testing.assert_allclose(Z.var(axis=0), 1)
        np.testing.assert_allclose(design.covariance(Z), np.corrcoef(X.toarray().T), atol=1e-12)


@settings(max_examples=80, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(2, 15), n_top=st.integers(1, 20), lowest=st.integers(-1, 1))
def test_separation_is_the_loop(seed, n, n_top, lowest):
    rng = np.random.default_rng(seed)
    X = rng.integers(lowest, 3, size=(n, 6)).astype(float)
    y = rng.normal(size=n)
    for form in (csr_matrix(X), X):
        np.testing.assert_allclose(
            separation_scores(form, y[:, None], n_top)[0], separation_by_loop(X, y, n_top), atol=1e-12
        )


def test_stored_zeros_and_repeated_entries_count_once():
    X = csr_matrix((np.array([1.0, 1.0, 0.0, 3.0]), np.array([0, 0, 0, 0]), np.array([0, 2, 3, 4, 4])), shape=(4, 1))
    y = np.array([1.0, 2.0, 4.0, 8.0])
    assert separation_scores(X, y[:, None], 1)[0, 0] == pytest.approx(4 - 5)
    expected = pearsonr([2, 0, 3, 0], y)[0]
    assert correlation_scores(standardize(X), y[:, None])[0, 0] == pytest.approx(expected)
