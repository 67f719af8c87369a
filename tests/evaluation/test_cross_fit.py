"""The cross-fitted score, and redundancy, as a user meets them."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold, cross_val_predict, cross_val_score

from sklearn_sae import evaluate_hypotheses
from sklearn_sae.evaluation._correlation import correlations


@pytest.fixture(autouse=True)
def _no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    A = (rng.random((300, 4)) < [0.5, 0.3, 0.7, 0.2]).astype(float)
    return A, A @ [1.0, -0.6, 0.0, 0.2] + rng.normal(size=300)


def test_r2_is_that_of_scikit_learns_cross_validated_predictions(data):
    A, y = data
    predicted = cross_val_predict(LinearRegression(), A, y, cv=KFold(5, shuffle=True, random_state=0))
    expected = 1 - ((y - predicted) ** 2).sum() / ((y - y.mean()) ** 2).sum()
    assert evaluate_hypotheses(A, y).metrics["r2_cv"] == pytest.approx(expected)
    groups = np.arange(300) % 23
    predicted = cross_val_predict(LinearRegression(), A, y, cv=GroupKFold(5), groups=groups)
    expected = 1 - ((y - predicted) ** 2).sum() / ((y - y.mean()) ** 2).sum()
    assert evaluate_hypotheses(A, y, groups=groups).metrics["r2_cv"] == pytest.approx(expected)


def test_auc_is_that_of_scikit_learns_cross_validation(data):
    A, y = data
    model, folds = LogisticRegression(C=1e8, tol=1e-8), StratifiedKFold(5, shuffle=True, random_state=0)
    expected = cross_val_score(model, A, y > 0, cv=folds, scoring="roc_auc").mean()
    assert evaluate_hypotheses(A, y > 0).metrics["auc_cv"] == pytest.approx(expected, abs=1e-6)


def test_of_noise_it_is_near_nothing_where_the_in_sample_fit_is_not():
    rng = np.random.default_rng(0)
    A, y = rng.integers(0, 2, size=(150, 30)), rng.normal(size=150)
    metrics = evaluate_hypotheses(A, y).metrics
    assert metrics["r2"] > 0.15
    assert metrics["r2_cv"] < 0.02
    metrics = evaluate_hypotheses(A, y > 0).metrics
    assert metrics["auc"] > 0.7
    assert metrics["auc_cv"] < 0.6


def test_what_only_the_group_explains_is_not_counted():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(12), 25)
    A = np.eye(12)[groups][:, :11]  # a hypothesis for each author
    y = rng.normal(size=12)[groups] + 0.5 * rng.normal(size=300)
    assert evaluate_hypotheses(A, y).metrics["r2_cv"] > 0.5
    assert evaluate_hypotheses(A, y, groups=groups).metrics["r2_cv"] < 0.05
    labels = y > 0
    assert evaluate_hypotheses(A, labels).metrics["auc_cv"] > 0.7
    assert evaluate_hypotheses(A, labels, groups=groups).metrics["auc_cv"] < 0.6


def test_missing_answers_take_the_mean_of_the_rows_fitted_to(data):
    A, y = data
    A[np.random.default_rng(1).random(A.shape) < 0.2] = np.nan
    predicted = np.empty(300)
    for train, test in KFold(5, shuffle=True, random_state=0).split(A):
        means = np.nanmean(A[train], axis=0)
        model = LinearRegression().fit(np.where(np.isnan(A[train]), means, A[train]), y[train])
        predicted[test] = model.predict(np.where(np.isnan(A[test]), means, A[test]))
    expected = 1 - ((y - predicted) ** 2).sum() / ((y - y.mean()) ** 2).sum()
    assert evaluate_hypotheses(A, y).metrics["r2_cv"] == pytest.approx(expected)


def test_a_hypothesis_of_one_row_or_class_does_not_break_it(data):
    A, y = data
    A = np.column_stack([A, np.arange(300) == 5, y > 1.5])
    for target, key in (
        (y, "r2_cv"),
        (y > 0, "auc_cv"),
        (np.array(["low", "mid", "up", "top"])[np.digitize(y, [-1, 0, 2.5])], "auc_cv"),
    ):
        result = evaluate_hypotheses(A, target)
        assert 0.2 < result.metrics[key] <= 1


def test_a_class_of_one_row_has_no_cross_fitted_auc():
    A = np.random.default_rng(0).integers(0, 2, size=(40, 2))
    assert np.isnan(evaluate_hypotheses(A, np.arange(40) == 3).metrics["auc_cv"])


def test_it_is_the_same_at_every_call(data):
    A, y = data
    assert evaluate_hypotheses(A, y).metrics == evaluate_hypotheses(A, y).metrics


# --- redundancy ---------------------------------------------------------------------------------------------------


def test_redundancy_is_the_largest_absolute_correlation_and_near_copies_are_named(data):
    A, y = data
    A = np.column_stack([A, 1 - A[:, 1], np.zeros(300)])
    A[:9, 4] = 1 - A[:9, 4]
    A[40:60, 1] = np.nan
    result = evaluate_hypotheses(A, y, hypotheses=["a", "b", "c", "d", "not b", "never"])
    both = ~np.isnan(A[:, 1])
    expected = abs(np.corrcoef(A[both, 1], A[both, 4])[0, 1])
    assert result.table["max_correlation"][[1, 4]].tolist() == pytest.approx([expected] * 2)
    assert np.isnan(result.table["max_correlation"][5])
    assert result.table["max_correlation"][[0, 2, 3]].max() < 0.3
    (note,) = [note for note in result.notes if "nearly the same" in note]
    assert note == f"Annotations nearly the same or opposite (absolute correlation): 'b' and 'not b' ({expected:.2f})."
    assert np.isnan(evaluate_hypotheses(A[:, :1], y).table["max_correlation"][0])


def test_correlations_with_gaps_are_those_of_pandas():
    rng = np.random.default_rng(0)
    A = rng.integers(-1, 2, size=(60, 5)) + 0.1
    A[rng.random((60, 5)) < 0.2 + 0.3 * (A > 0)] = np.nan  # gaps that shift the means
    A[:, 4] = np.where(np.isnan(A[:, 0]), 1.0, np.nan)  # no row in common with the first
    np.testing.assert_allclose(correlations(A, A), pd.DataFrame(A).corr(), atol=1e-12)
    np.testing.assert_array_equal(correlations(A[:, :2], A), correlations(A, A)[:2])


def test_of_many_near_copies_five_pairs_are_named(data):
    A, y = data
    result = evaluate_hypotheses(np.repeat(A[:, :1], 6, axis=1), y)
    (note,) = [note for note in result.notes if "nearly the same" in note]
    assert note.count(" and 'hypothesis") == 5
    assert note.endswith("; and 10 more pairs.")
