"""The metric of target-aware training equals ridge regression and the loss that it is made for."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge, RidgeCV
from threadpoolctl import threadpool_limits

from sklearn_sae.sae._metric import _PENALTIES, apply_metric, learn_metric, second_moments
from sklearn_sae.sae._scaling import Scaling, center_and_scale
from sklearn_sae.sae._target import TargetEncoding
from sklearn_sae.sae._weights import Weights
from sklearn_sae.utils._targets import check_target


def learn(X, y, weight=1.0, index=None):
    index = np.arange(len(X)) if index is None else index
    target = check_target(y)
    encoding, scaling = TargetEncoding.of(target), center_and_scale(X, index)
    moments = second_moments(X, index, encoding.encode(target), encoding, scaling.mean, scaling.spread)
    return scaling._replace(metric=learn_metric(moments, X.shape[1], weight)), encoding


def draw(n=400, d=12, seed=0):
    rng = np.random.default_rng(seed)
    X = (rng.normal(size=(n, d)) * rng.uniform(0.1, 2, d) + rng.normal(size=d)).astype(np.float32)
    return X, X[:, 0] - 2 * X[:, 3] + rng.normal(size=n)


@pytest.mark.parametrize("n", [60, 400, 9000])
def test_coefficients_are_those_of_ridge_regression_with_the_same_penalties(n):
    X, y = draw(n)
    scaling, encoding = learn(X, y)
    rows = (X - scaling.mean) / scaling.spread
    theirs = RidgeCV(_PENALTIES * n / X.shape[1]).fit(rows, encoding.encode(check_target(y)))  # leave-one-out errors
    alphas = _PENALTIES * n / X.shape[1]
    near = alphas[np.abs(np.log(alphas / theirs.alpha_)).argsort()[:3]]  # generalized ones choose it or its neighbors
    fits = [Ridge(alpha).fit(rows, encoding.encode(check_target(y))) for alpha in near]
    errors = [np.abs(fit.coef_ - scaling.metric.coef[0]).max() for fit in fits]
    assert min(errors) < 1e-4 * np.abs(theirs.coef_).max()
    assert scaling.metric.intercept[0] == pytest.approx(0, abs=1e-4)


@settings(max_examples=30, deadline=None)
@given(
    n=st.integers(3, 60),
    d=st.integers(1, 8),
    n_classes=st.integers(0, 5),
    weight=st.floats(0.01, 100),
    seed=st.integers(0, 99),
)
def test_the_squared_error_in_the_metric_is_that_of_the_rows_and_of_what_is_read(n, d, n_classes, weight, seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)).astype(np.float32)
    y = np.array(list("abcde"))[rng.integers(n_classes, size=n)] if n_classes else rng.normal(size=n)
    if len(np.unique(y)) == 1:
        y[0] = "f"
    scaling, encoding = learn(X, y, weight)
    rows, others = ((part - scaling.mean) / scaling.spread for part in (X, rng.normal(size=(n, d))))
    outputs = encoding.outputs(encoding.encode(check_target(y)))
    read = np.square((rows - others) @ scaling.metric.coef.T) / outputs.var(axis=0)
    expected = np.square(rows - others).sum(axis=1) + weight * read.mean(axis=1)
    error = np.square(apply_metric(rows, scaling.metric) - apply_metric(others, scaling.metric)).sum(axis=1)
    np.testing.assert_allclose(error, expected, rtol=1e-3, atol=1e-5)
    total = np.square(apply_metric(rows, scaling.metric)).sum(axis=1).mean()
    assert total == pytest.approx(scaling.metric.spread**2, rel=1e-3)
    assert (scaling.metric.factors >= 1).all()


def test_parameters_come_back_from_the_rows_as_they_are():
    X, y = draw()
    scaling, _ = learn(X, y, 5.0)
    rng = np.random.default_rng(0)
    components = rng.normal(size=(9, 12)).astype(np.float32)
    components /= np.linalg.norm(components, axis=1, keepdims=True)
    weights = Weights(
        encoder_weight=rng.normal(size=(9, 12)).astype(np.float32),
        encoder_bias=rng.normal(size=9).astype(np.float32),
        components=components,
        bias=rng.normal(size=12).astype(np.float32),
    )
    fitted = scaling.unscale(weights)
    rows = apply_metric((X - scaling.mean) / scaling.scale, scaling.metric)
    activations = (rows - weights.bias) @ weights.encoder_weight.T + weights.encoder_bias
    outside = (X - fitted.bias) @ fitted.encoder_weight.T + fitted.encoder_bias
    np.testing.assert_allclose(outside, activations * scaling.scale, rtol=1e-3, atol=1e-3)
    back = apply_metric((outside @ fitted.components + fitted.bias - scaling.mean) / scaling.scale, scaling.metric)
    np.testing.assert_allclose(back, activations @ components + weights.bias, rtol=1e-3, atol=1e-3)
    for array, expected in zip(scaling.scaled(fitted), weights, strict=True):
        np.testing.assert_allclose(array, expected, rtol=1e-3, atol=1e-4)

    other = learn(X, X[:, 5], 0.5)[0].scaled(fitted)  # by another metric: the same directions and activations
    np.testing.assert_allclose(np.linalg.norm(other.components, axis=1), 1, rtol=1e-5)


def test_without_a_metric_components_stay_as_they_are():
    scaling, eye = Scaling(np.ones(3, np.float32), 2.0), np.eye(3, dtype=np.float32)
    fitted = scaling.unscale(Weights(eye, np.ones(3, np.float32), eye, np.zeros(3, np.float32)))
    assert fitted.components is eye
    np.testing.assert_array_equal(fitted.encoder_bias, 2)
    np.testing.assert_array_equal(fitted.bias, 1)


def test_an_output_that_does_not_vary_has_no_part():
    X, y = draw()
    target = check_target(np.where(y > y.mean(), "high", "low"))
    encoding = TargetEncoding.of(target, np.array(["high", "low", "never"], dtype=object))
    scaling = center_and_scale(X, np.arange(len(X)))
    moments = second_moments(X, np.arange(len(X)), encoding.encode(target), encoding, scaling.mean, scaling.spread)
    metric = learn_metric(moments, X.shape[1], 1.0)
    assert metric.coef.shape == (3, 12)
    assert not metric.coef[2].any()
    np.testing.assert_allclose(metric.coef[0], -metric.coef[1], atol=1e-6)
    assert (metric.factors > 1.01).sum() == 1


@pytest.mark.parametrize("seed", range(8))
def test_what_nothing_predicts_hardly_scales_even_with_more_features_than_rows(seed):
    rng = np.random.default_rng(seed)
    X = (rng.normal(size=(50, 300)) * np.arange(1, 301) ** -0.5).astype(np.float32)
    scaling, _ = learn(X, rng.normal(size=50))
    assert scaling.metric.spread**2 - 1 < 0.2  # the share of the variance of y that the regression explains


def test_same_bits_whatever_the_number_of_threads():
    X, y = draw(3000, 200)
    results = []
    for n in (1, 2):
        with threadpool_limits(n, user_api="blas"):
            scaling, _ = learn(X, y)
            results.append([*scaling.metric[:4], apply_metric(X[:50], scaling.metric)])
    for a, b in zip(*results, strict=True):
        assert a.tobytes() == b.tobytes()
