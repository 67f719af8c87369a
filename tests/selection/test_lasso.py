"""The lasso path against scikit-learn's and against its own optimality conditions."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Lasso, lars_path

from sklearn_sae.selection._design import standardize, standardize_targets
from sklearn_sae.selection._lasso import lasso_path, lasso_scores
from sklearn_sae.selection._scores import correlation_scores


def correlations(design, Y):
    return correlation_scores(design, standardize_targets(Y, design.basis)[0])


def residuals(design):
    """Return the neurons as the path sees them, but with unit variance."""
    n_samples, n_neurons = design.values.shape
    return np.sqrt(n_samples) * np.column_stack([design.residual(j) for j in range(n_neurons)])


def path_of(X, y):
    design = standardize(X)
    c = correlations(design, y[:, None])[0]
    return design, c, list(lasso_path(c, lambda j: design.covariance(design.residual(j))))


def coefficients(segment, penalty, n_neurons):
    coef = np.zeros(n_neurons)
    coef[segment.active] = segment.at_zero - penalty * segment.slope
    return coef


def correlated(rng, n, m):
    mixing = rng.normal(size=(m, m)) * (rng.random((m, m)) < 0.4) + np.eye(m)
    return rng.normal(size=(n, m)) @ mixing


@pytest.mark.parametrize("seed", range(5))
def test_knots_are_those_of_lars_path(seed):
    rng = np.random.default_rng(seed)
    X = correlated(rng, 60, 25)
    y = X[:, :6] @ rng.normal(size=6) + rng.normal(size=60)
    _, c, segments = path_of(X, y)
    Z, t = (X - X.mean(0)) / X.std(0), (y - y.mean()) / y.std()
    alphas, _, coefs = lars_path(Z, t, method="lasso")
    ours = np.array([segment.lower for segment in segments])
    np.testing.assert_allclose(ours, alphas, atol=1e-8)
    for segment, coef in zip(segments, coefs.T, strict=True):
        np.testing.assert_allclose(coefficients(segment, segment.lower, len(c)), coef, atol=1e-6)
    sizes = [len(segment.active) for segment in segments]
    assert all(abs(b - a) == 1 for a, b in pairwise(sizes))


def test_a_neuron_leaves_the_path_and_the_rest_stays_exact():
    drops = 0
    for seed in range(8):
        rng = np.random.default_rng(seed)
        X = correlated(rng, 40, 15)
        *_, segments = path_of(X, X @ rng.normal(size=15) + rng.normal(size=40))
        drops += sum(len(b.active) < len(a.active) for a, b in pairwise(segments))
    assert drops > 3  # the case is met, so the comparison with lars_path above covers it


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(3, 12),
    m=st.integers(1, 12),
    levels=st.integers(1, 3),
    binary=st.booleans(),
)
def test_optimality_conditions_hold_on_every_segment_however_many_ties(seed, n, m, levels, binary):
    # Small integers: constant, duplicate and opposite columns, ties at a knot, singular Gram matrices.
    rng = np.random.default_rng(seed)
    X = rng.integers(0, levels + 1, size=(n, m)).astype(float)
    y = rng.integers(0, 2 if binary else 4, size=n).astype(float)
    if np.ptp(y) == 0:
        y[0] += 1
    design, c, segments = path_of(X, y)
    Z = residuals(design)
    t = (y - y.mean()) / y.std()
    assert segments[-1].lower == 0
    upper = np.abs(c).max()
    for segment in segments:
        assert segment.lower <= upper
        for share in (0.25, 0.75):
            penalty = upper * share + segment.lower * (1 - share)
            coef = coefficients(segment, penalty, m)
            residual = Z.T @ (t - Z @ coef) / n
            active = np.array(segment.active, dtype=int)
            np.testing.assert_allclose(residual[active], penalty * np.sign(residual[active]), atol=1e-7)
            assert np.all(coef[active] * np.sign(residual[active]) > -1e-7)
            assert np.all(np.abs(residual) <= penalty + 1e-7)
            assert design.live[active].all()
        upper = segment.lower


def test_scores_are_the_lasso_coefficients_at_a_penalty_with_exactly_n_active(make_activations):
    X = make_activations()
    rng = np.random.default_rng(1)
    y = X[:, :12] @ rng.normal(size=12) + rng.normal(size=X.shape[0])
    design = standardize(X)
    c = correlations(design, y[:, None])
    Z = residuals(design)
    t = (y - y.mean()) / y.std()
    for n in (1, 5, 20):
        coef = lasso_scores(design, c, n)[0]
        assert (coef != 0).sum() == n
        penalty = np.abs(Z.T @ (t - Z @ coef) / len(t)).max()
        theirs = Lasso(alpha=penalty, tol=1e-12, max_iter=10_000).fit(Z, t).coef_
        np.testing.assert_allclose(coef, theirs, atol=1e-6)


def test_targets_share_one_penalty(make_activations):
    X = make_activations()
    rng = np.random.default_rng(2)
    Y = X[:, :9] @ rng.normal(size=(9, 3)) + rng.normal(size=(X.shape[0], 3))
    design = standardize(X)
    coef = lasso_scores(design, correlations(design, Y), 8)
    assert (coef != 0).any(axis=0).sum() == 8
    Z = residuals(design)
    T = (Y - Y.mean(0)) / Y.std(0)
    penalties = np.abs(Z.T @ (T - Z @ coef.T) / len(T)).max(axis=0)
    np.testing.assert_allclose(penalties, penalties[0], atol=1e-10)


def test_a_neuron_that_the_active_ones_add_up_to_is_passed_over(recwarn):
    rng = np.random.default_rng(0)
    a, b, c = rng.normal(size=(3, 200))
    total = (a + b + c).astype(np.float32)  # a sum but for rounding, and its rounding predicts the target
    y = a + b + c + 1e6 * (total - (a + b + c)) + rng.normal(size=200)
    _, _, segments = path_of(np.column_stack([a, 2 * b, 3 * c, total]), y)
    assert all(len(segment.active) <= 3 for segment in segments)
    assert all(np.abs(segment.at_zero).max(initial=0) < 2 for segment in segments)
    assert not recwarn.list


def test_a_neuron_passed_over_joins_when_one_that_it_depended_on_leaves():
    rng = np.random.default_rng(0)
    centered = rng.normal(size=(40, 6))
    a, b, d, e, noise, rest = np.linalg.qr(centered - centered.mean(axis=0))[0].T
    c = (d + e + 0.5 * noise) / 1.5  # joins first, and leaves once d and e have joined
    total = (1.9999 * a + 2 * b - c) / 3 + 1e-5 * rest  # to be passed over while a, b and c are active
    X = np.column_stack([a, b, c, d, e, total])
    design, correlation, segments = path_of(X, 0.9 * a + 0.85 * b + d + 0.9 * e + 0.3 * rest - 0.2 * noise)
    Z = residuals(design)
    assert [2, 0, 1, 3, 4] in [segment.active for segment in segments]
    assert [0, 1, 3, 4, 5] in [segment.active for segment in segments]
    upper = np.abs(correlation).max()
    for segment in segments:
        penalty = (upper + segment.lower) / 2
        coef = coefficients(segment, penalty, 6)
        assert np.abs(correlation - Z.T @ (Z @ coef) / 40).max() <= penalty + 1e-5
        upper = segment.lower
