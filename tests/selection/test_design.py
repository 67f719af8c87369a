"""Residuals of sparse activations against least squares on dense ones."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from sklearn_sae.selection._design import standardize, standardize_targets
from sklearn_sae.utils._controls import intercept_and_controls


def residuals_by_least_squares(columns, controls, weight):
    root = np.sqrt(weight / weight.sum())[:, None]
    # Beside an intercept centered controls explain the same, and large means do not cost digits.
    centered = controls - np.average(controls, axis=0, weights=weight)
    outside = root * np.column_stack([np.ones(len(columns)), centered])
    return root * columns - outside @ np.linalg.lstsq(outside, root * columns, rcond=None)[0]


def unit(columns):
    return columns / np.linalg.norm(columns, axis=0)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10**6), n_controls=st.integers(0, 4), shift=st.sampled_from([0.0, 1e4]))
@example(seed=17541, n_controls=3, shift=1e4)
def test_residuals_are_those_of_least_squares(seed, n_controls, shift):
    rng = np.random.default_rng(seed)
    controls = rng.normal(size=(30, n_controls)) * 10.0 ** rng.integers(-3, 4, size=n_controls) + shift
    X = rng.random((30, 7)) * (rng.random((30, 7)) < 0.5) + 0.3 * np.tanh(controls.sum(axis=1, keepdims=True))
    X[0] += 1  # no column is constant
    Y = rng.normal(size=(30, 2)) + shift
    weight = rng.random(30) + 0.1
    basis = intercept_and_controls(30, controls, weight)
    np.testing.assert_allclose(basis.T @ basis, np.eye(1 + n_controls), atol=1e-8)
    targets, spread = standardize_targets(Y, basis)
    expected = residuals_by_least_squares(Y, controls, weight)
    np.testing.assert_allclose(spread, np.linalg.norm(expected, axis=0))
    np.testing.assert_allclose(targets, unit(expected), atol=1e-6)
    expected = unit(residuals_by_least_squares(X, controls, weight))
    for form in (csr_matrix(X), X):
        design = standardize(form, basis)
        assert design.live.all()
        Z = np.column_stack([design.residual(j) for j in range(7)])
        np.testing.assert_allclose(Z, expected, atol=1e-6)
        np.testing.assert_allclose(design.covariance(Z), expected.T @ expected, atol=1e-6)


@pytest.mark.parametrize("form", [np.asarray, csr_matrix])
def test_neurons_that_are_combinations_of_controls_are_dead(form):
    rng = np.random.default_rng(0)
    controls = rng.normal(size=(50, 2)) + 3
    X = np.column_stack([controls @ [1, -2] + 5, rng.random(50), controls[:, 0], np.full(50, 7.0)])
    basis = intercept_and_controls(50, controls)
    design = standardize(form(X), basis)
    assert design.live.tolist() == [False, True, False, False]
    assert (design.covariance(design.residual(1))[[0, 2, 3]] == 0).all()
    targets, spread = standardize_targets(X[:, [0, 1]], basis)
    assert spread[0] == 0 < spread[1]
    assert (targets[:, 0] == 0).all()


def test_constant_and_dependent_controls_add_nothing(recwarn):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 40))
    full = intercept_and_controls(40, np.column_stack([a, b]))
    more = intercept_and_controls(40, np.column_stack([a, np.full(40, 0.1), b, a - 3 * b + 1, np.zeros(40), a * 1e9]))
    assert full.shape == more.shape == (40, 3)
    np.testing.assert_allclose(more @ more.T, full @ full.T, atol=1e-12)
    for empty in (np.ones((40, 2)), np.empty((40, 0))):
        np.testing.assert_array_equal(intercept_and_controls(40, empty), intercept_and_controls(40))
    assert not recwarn.list
