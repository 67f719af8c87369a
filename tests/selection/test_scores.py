"""Each score against a plain loop over columns."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csc_matrix, csr_array, csr_matrix
from scipy.stats import f_oneway, false_discovery_control, pearsonr

from sklearn_sae.selection._design import standardize, standardize_targets
from sklearn_sae.selection._scores import association_pvalues, correlation_scores, passes_fdr, separation_scores
from sklearn_sae.utils._controls import intercept_and_controls


def correlations(X, y):
    design = standardize(X)
    return correlation_scores(design, standardize_targets(y[:, None], design.basis)[0])[0]


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
    scores = correlations(form(X), y)
    expected = [pearsonr(column.astype(np.float64), y)[0] for column in X.T]
    np.testing.assert_allclose(scores, expected, atol=1e-12)


@pytest.mark.parametrize("form", [np.asarray, csr_matrix])
def test_correlation_survives_a_mean_far_above_the_spread(form):
    rng = np.random.default_rng(0)
    signal = rng.normal(size=(300, 1))
    y = signal[:, 0] + rng.normal(size=300)
    plain = correlations(signal, y)
    shifted = correlations(form(signal + 1e6), 1e6 + y)
    np.testing.assert_allclose(shifted, plain, atol=1e-8)


@pytest.mark.parametrize("form", [np.asarray, csr_matrix])
def test_constant_columns_are_dead_and_do_not_warn(form, recwarn):
    X = np.column_stack([np.full(50, 0.1), np.zeros(50), np.full(50, 1e8), np.arange(50.0), np.eye(50)[0] * 1e-20])
    assert standardize(form(X)).live.tolist() == [False, False, False, True, True]
    assert (correlations(form(X), np.arange(50.0))[:3] == 0).all()
    assert not recwarn.list


def test_residuals_are_centered_with_unit_norm(make_activations):
    X = make_activations()
    for design in (standardize(X), standardize(X.toarray())):
        Z = np.column_stack([design.residual(j) for j in range(X.shape[1])])
        np.testing.assert_allclose(Z.sum(axis=0), 0, atol=1e-12)
        np.testing.assert_allclose((Z**2).sum(axis=0), 1)
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
    assert correlations(X, y)[0] == pytest.approx(expected)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(2, 12), n_top=st.integers(1, 12))
def test_separation_counts_a_row_as_often_as_its_weight_says(seed, n, n_top):
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 3, size=(n, 5)) * rng.random((n, 5))
    y, weight = rng.normal(size=n), rng.integers(1, 4, size=n)
    weighted = separation_scores(X, y[:, None], n_top, weight.astype(float))[0]
    repeated = separation_by_loop(np.repeat(X, weight, axis=0), np.repeat(y, weight), n_top)
    np.testing.assert_allclose(weighted, repeated, atol=1e-12)


def pvalues(X, Y, controls=None):
    basis = intercept_and_controls(len(X), controls)
    targets, _ = standardize_targets(Y, basis)
    correlation = correlation_scores(standardize(X, basis), targets)
    return association_pvalues(correlation, targets, len(X) - basis.shape[1])


def test_pvalues_are_of_t_tests_and_of_f_tests(make_activations):
    statsmodels = pytest.importorskip("statsmodels.api")
    X = make_activations(n_samples=80, n_neurons=12, k=5).toarray()
    rng = np.random.default_rng(0)
    y = X[:, 3] + rng.normal(size=80)
    np.testing.assert_allclose(pvalues(X, y[:, None]), [pearsonr(column, y).pvalue for column in X.T])
    controls = rng.normal(size=(80, 2)) + X[:, :2]
    fits = [statsmodels.OLS(y, statsmodels.add_constant(np.column_stack([column, controls]))).fit() for column in X.T]
    ours = pvalues(X, y[:, None], controls)
    np.testing.assert_allclose(ours[2:], [fit.pvalues[1] for fit in fits][2:])
    labels = rng.integers(0, 3, size=80)
    expected = [f_oneway(*(column[labels == label] for label in range(3))).pvalue for column in X.T]
    np.testing.assert_allclose(pvalues(X, np.eye(3)[labels]), expected)


def test_pvalues_keep_their_digits_when_tiny_and_are_nan_without_rows_to_spare():
    rng = np.random.default_rng(0)
    y = rng.normal(size=1000)
    X = np.column_stack([y + 0.8 * rng.normal(size=1000), y])
    tiny, none = pvalues(X, y[:, None])
    assert 0 < tiny < 1e-150
    assert np.log(tiny) == pytest.approx(np.log(pearsonr(X[:, 0], y).pvalue))
    assert none < 1e-300
    assert np.isnan(pvalues(X[:2], y[:2, None])).all()


def test_fdr_leaves_out_missing_pvalues():
    pvalues = np.array([0.2, np.nan, 0.001, 0.01, np.nan, 0.03])
    tested = ~np.isnan(pvalues)
    for rate in (0.003, 0.02, 0.04, 0.5):
        expected = false_discovery_control(pvalues[tested]) <= rate
        np.testing.assert_array_equal(passes_fdr(pvalues, rate)[tested], expected)
        assert not passes_fdr(pvalues, rate)[~tested].any()
    assert not passes_fdr(np.full(3, np.nan), 0.5).any()
