"""Stepwise selection against a refit of every candidate at every step."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from sklearn.linear_model import LinearRegression

from sklearn_sae.selection._design import standardize, standardize_targets
from sklearn_sae.selection._scores import correlation_scores
from sklearn_sae.selection._stepwise import stepwise_scores


def stepwise(X, Y, n_steps):
    design = standardize(X)
    targets, spread = standardize_targets(Y, design.basis)
    coef, chosen = stepwise_scores(design, correlation_scores(design, targets), n_steps)
    return coef * spread[:, None], chosen


def residual_sum_of_squares(X, Y, chosen):
    """Return it as the sum over targets of unit variance."""
    design = np.column_stack([np.ones(len(X)), X[:, chosen]])
    Y = (Y - Y.mean(axis=0)) / Y.std(axis=0)
    return ((Y - design @ np.linalg.lstsq(design, Y, rcond=None)[0]) ** 2).sum()


def stepwise_by_refits(X, Y, n_steps):
    chosen = []
    for _ in range(n_steps):
        free = [j for j in range(X.shape[1]) if j not in chosen]
        chosen.append(min(free, key=lambda j: residual_sum_of_squares(X, Y, [*chosen, j])))
    return chosen


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), n_targets=st.integers(1, 3), correlated=st.booleans())
def test_choice_is_that_of_refits_and_scores_are_least_squares(seed, n_targets, correlated):
    rng = np.random.default_rng(seed)
    X = rng.exponential(size=(40, 9)) * (rng.random((40, 9)) < 0.5)
    if correlated:
        X = X @ (rng.normal(size=(9, 9)) + 2)
    Y = X @ rng.normal(size=(9, n_targets)) + rng.normal(size=(40, n_targets))
    expected = stepwise_by_refits(X, Y, 6)
    for form in (csr_matrix(X), X):
        coef, chosen = stepwise(form, Y, 6)
        assert chosen == expected
        least_squares = LinearRegression().fit(X[:, chosen], Y).coef_ * X[:, chosen].std(axis=0)
        np.testing.assert_allclose(coef[:, chosen], least_squares, rtol=1e-6, atol=1e-9)
        assert np.count_nonzero(coef) == 6 * n_targets


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(3, 10), m=st.integers(1, 8), levels=st.integers(1, 2))
def test_every_step_is_the_best_however_many_ties(seed, n, m, levels):
    # Small integers: constant, duplicate and opposite columns, exact fits.
    rng = np.random.default_rng(seed)
    X = rng.integers(0, levels + 1, size=(n, m)).astype(float)
    y = rng.integers(0, 4, size=(n, 1)).astype(float)
    if np.ptp(y) == 0:
        y[0] += 1
    _, chosen = stepwise(X, y, m)
    scale = residual_sum_of_squares(X, y, [])
    for step, j in enumerate(chosen):
        before = residual_sum_of_squares(X, y, chosen[:step])
        candidates = [residual_sum_of_squares(X, y, [*chosen[:step], k]) for k in range(m)]
        assert candidates[j] <= min(candidates) + 1e-8 * scale
        assert candidates[j] < before
    assert residual_sum_of_squares(X, y, chosen) == pytest.approx(
        residual_sum_of_squares(X, y, list(range(m))), abs=1e-8 * scale
    )


def test_nothing_is_chosen_where_nothing_correlates():
    X = np.array([[1.0], [-1.0], [1.0], [-1.0]])
    coef, chosen = stepwise(X, np.array([[1.0], [1.0], [-1.0], [-1.0]]), 1)
    assert chosen == []
    assert (coef == 0).all()


def test_finds_a_pair_that_says_nothing_alone():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 500))
    decoys = a[:, None] + 0.8 * rng.normal(size=(500, 4))
    X = np.column_stack([decoys, a, b, a + b])
    _, chosen = stepwise(X, (a + 0.1 * b)[:, None], 2)
    assert chosen[0] == 4
    assert chosen[1] in (5, 6)  # the decoys correlate with the target far more than b does
