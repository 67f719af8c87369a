"""The joint regression against statsmodels, and Firth's method against closed forms."""

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.stats import chi2

from sklearn_sae.evaluation import _regression
from sklearn_sae.evaluation._regression import fit_firth, fit_least_squares, fit_logistic, independent_columns


def binary_data(seed=0, n=300, m=4):
    rng = np.random.default_rng(seed)
    A = rng.integers(0, 2, size=(n, m)).astype(float)
    eta = A @ np.linspace(-1, 1, m)
    return A, eta + rng.normal(size=n), (rng.random(n) < 1 / (1 + np.exp(-eta))).astype(float)


def test_least_squares_is_statsmodels():
    A, y, _ = binary_data()
    ours, theirs = fit_least_squares(A, y), sm.OLS(y, sm.add_constant(A)).fit()
    np.testing.assert_allclose(ours.coef, theirs.params[1:])
    np.testing.assert_allclose(ours.pvalues, theirs.pvalues[1:])


def test_logistic_is_statsmodels():
    A, _, y = binary_data()
    ours, theirs = fit_logistic(A, y), sm.Logit(y, sm.add_constant(A)).fit(disp=0)
    np.testing.assert_allclose(ours.coef, theirs.params[1:])
    np.testing.assert_allclose(ours.pvalues, theirs.pvalues[1:])
    assert not ours.penalized


def test_an_exact_fit_is_certain_of_what_matters_and_only_that():
    rng = np.random.default_rng(0)
    A = rng.integers(0, 2, size=(100, 6)).astype(float)
    for shift in (0, 1e3, -3.3):
        fit = fit_least_squares(A, shift + 2 * A[:, 1] - 0.3 * A[:, 4])
        assert fit.pvalues.tolist() == [1, 0, 1, 1, 0, 1]


@pytest.mark.parametrize("table", [(30, 10, 12, 25), (30, 0, 12, 25), (30, 0, 0, 25), (1, 0, 200, 100)])
def test_firth_adds_half_to_each_cell_of_a_two_by_two_table(table):
    # The known closed form for one 0/1 column, with cells empty or not.
    a, b, c, d = table
    x = np.repeat([1.0, 1.0, 0.0, 0.0], table)
    y = np.repeat([1.0, 0.0, 1.0, 0.0], table)
    coef, _ = fit_firth(np.column_stack([np.ones_like(x), x]), y)
    log_odds_ratio = np.log((a + 0.5) * (d + 0.5) / ((b + 0.5) * (c + 0.5)))
    np.testing.assert_allclose(coef, [np.log((c + 0.5) / (d + 0.5)), log_odds_ratio], atol=1e-7)


@pytest.mark.parametrize("free", [(True, True, True), (True, False, True)])
def test_firth_maximizes_the_penalized_likelihood(free):
    rng = np.random.default_rng(0)
    X = np.column_stack([np.ones(60), rng.integers(0, 2, size=(60, 2))]).astype(float)
    y = (X[:, 1] + (rng.random(60) > 0.6) > 0).astype(float)  # separated in part
    free = np.array(free)

    def loss(values):
        coef = np.zeros(3)
        coef[free] = values
        p = 1 / (1 + np.exp(-X @ coef))
        information = X.T @ (X * (p * (1 - p))[:, None])
        return -(y @ np.log(p) + (1 - y) @ np.log1p(-p) + 0.5 * np.linalg.slogdet(information)[1])

    best = minimize(loss, np.zeros(free.sum()), method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12})
    coef, value = fit_firth(X, y, free)
    np.testing.assert_allclose(coef[free], best.x, atol=1e-5)
    assert value == pytest.approx(-best.fun, abs=1e-8)


def test_separation_is_fitted_by_firth_with_finite_numbers(recwarn):
    rng = np.random.default_rng(0)
    A = rng.integers(0, 2, size=(80, 3)).astype(float)
    full = fit_logistic(A, A[:, 1])
    in_part = fit_logistic(A, np.where(A[:, 1] == 1, 1.0, (rng.random(80) > 0.5)))
    for fit in (full, in_part):
        assert fit.penalized
        assert np.isfinite(fit.coef).all()
        assert fit.pvalues[1] < 1e-4
        assert fit.pvalues[[0, 2]].min() > 0.01
    assert not recwarn.list


def test_a_rare_separating_hypothesis_is_judged_by_its_number_of_rows():
    # Where Wald's test never finds anything: four rows of 100 prove little, twenty a lot.
    y = np.repeat([0.0, 1.0], 50)
    for n_rows, low, high in [(4, 0.01, 0.2), (20, 0, 1e-5)]:
        x = np.zeros(100)
        x[-n_rows:] = 1
        fit = fit_logistic(x[:, None], y)
        assert fit.penalized
        assert low <= fit.pvalues[0] <= high


def test_firth_pvalues_hold_their_level_under_the_null():
    rng = np.random.default_rng(0)
    pvalues = []
    while len(pvalues) < 100:
        A = (rng.random((60, 2)) < [0.08, 0.5]).astype(float)
        fit = fit_logistic(A, rng.integers(0, 2, size=60).astype(float)) if np.ptp(A[:, 0]) else None
        if fit is not None and fit.penalized:
            pvalues.append(fit.pvalues[1])  # of the column that does not separate
    assert np.mean(np.array(pvalues) < 0.1) < 0.17


def test_large_log_odds_are_not_taken_for_separation(recwarn):
    # One row of each class on the wrong side: the estimate is finite, however steep.
    x = np.linspace(0, 1, 4001)
    y = (x > 0.5).astype(float)
    y[[1999, 2001]] = 1, 0
    ours = fit_logistic(x[:, None], y)
    assert not recwarn.list
    assert not ours.penalized
    assert np.abs(ours.coef[0]) * 0.5 > 100
    # The likelihood is at its maximum where these are zero.
    np.testing.assert_allclose(sm.add_constant(x).T @ (y - ours.predicted), 0, atol=1e-5)


@pytest.mark.parametrize("unit", [1e-5, 1.0])
def test_logistic_does_not_depend_on_the_unit_of_an_annotation(unit):
    A, _, y = binary_data()
    ours, theirs = fit_logistic(unit * A, y), fit_logistic(A, y)
    assert not ours.penalized
    np.testing.assert_allclose(unit * ours.coef, theirs.coef)
    np.testing.assert_allclose(ours.pvalues, theirs.pvalues)


def test_likelihood_ratio_tests_start_from_the_full_fit(monkeypatch):
    rng = np.random.default_rng(0)
    A = (rng.random((400, 10)) < 0.3).astype(float)
    y = (rng.random(400) < 1 / (1 + np.exp(1 - A[:, 1:].sum(axis=1)))).astype(float)
    y[A[:, 0] == 1] = 1
    scale = A.std(axis=0)
    X = np.column_stack([np.ones(400), (A - A.mean(axis=0)) / scale])
    evaluations = []

    def counted(*arguments):
        evaluations.append(arguments)
        return likelihood(*arguments)

    likelihood = _regression._penalized_loglikelihood
    monkeypatch.setattr(_regression, "_penalized_loglikelihood", counted)
    cold = []
    best = fit_firth(X, y)[1]
    for j in range(1, 11):
        cold.append(chi2.sf(2 * (best - fit_firth(X, y, np.arange(11) != j)[1]), 1))
    n_cold = len(evaluations)
    evaluations.clear()
    fit = fit_logistic(A, y)
    assert fit.penalized
    np.testing.assert_allclose(fit.pvalues, cold, rtol=1e-5)
    assert len(evaluations) < 3 * n_cold  # with twenty limits of intervals among them


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(2, 12), m=st.integers(1, 8))
def test_independent_columns_are_a_basis_and_the_first_such(seed, n, m):
    A = np.random.default_rng(seed).integers(0, 2, size=(n, m)).astype(float)
    kept = independent_columns(A)
    ranks = [np.linalg.matrix_rank(np.column_stack([np.ones(n), A[:, :j]])) for j in range(m + 1)]
    np.testing.assert_array_equal(kept, np.diff(ranks) > 0)
