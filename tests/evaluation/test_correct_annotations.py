"""Effects corrected by labels of people, beside regressions of other packages and beside the truth."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from numpy.testing import assert_allclose

from sklearn_sae import CorrectedEvaluation, HypothesisEvaluation, correct_annotations, evaluate_hypotheses
from sklearn_sae.evaluation._corrected_regression import _identity, _solve
from sklearn_sae.evaluation._label_predictions import cross_fit_labels
from sklearn_sae.evaluation._regression import probabilities
from sklearn_sae.evaluation._sampling_design import make_design

NAMES = ["praises the food", "complains of a wait"]


def _texts(n=1200, n_labels=200, seed=0):
    """Truth, annotations whose errors go with the target, target, and which texts are labelled."""
    rng = np.random.default_rng(seed)
    truth = (rng.random((n, 2)) < [0.4, 0.3]).astype(float)
    y = truth @ [1.0, 0.0] + rng.normal(size=n)
    wrong = rng.random((n, 2)) < 0.3 * np.where(truth == 1, y[:, None] < 0, y[:, None] > 1)
    return truth, np.where(wrong, 1 - truth, truth), y, rng.permutation(n) < n_labels


def _human(truth, drawn):
    return np.where(drawn[:, None], truth, np.nan)


@pytest.mark.parametrize("method", ["dsl", "ppi"])
def test_all_labelled_is_the_regression_on_the_labels(method):
    truth, annotations, y, _ = _texts()
    corrected = correct_annotations(annotations, truth, np.ones(len(y), dtype=bool), y, method=method)
    known = evaluate_hypotheses(truth, y, robust=True)
    for column in ("separation_score", "regression_coef", "effect_size", "prevalence"):
        assert_allclose(corrected.table[column], known.table[column], rtol=2e-3 if column == "effect_size" else 1e-8)
    for column in ("separation_ci_low", "separation_ci_high", "regression_ci_low", "regression_ci_high"):
        assert_allclose(corrected.table[column], known.table[column], atol=0.004)
    assert corrected.metrics["r2"] == pytest.approx(known.metrics["r2"])


def test_true_annotations_lose_nothing():
    truth, _, y, drawn = _texts()
    corrected = correct_annotations(truth, _human(truth, drawn), drawn, y, method="ppi")
    known = evaluate_hypotheses(truth, y, robust=True)
    for column in ("separation_score", "regression_coef"):
        assert_allclose(corrected.table[column], known.table[column])
    assert_allclose(corrected.table["regression_se"], known.table["regression_se"], rtol=0.01)


@pytest.mark.parametrize("classes", [False, True])
def test_without_predictions_the_equations_are_those_of_a_weighted_regression(classes):
    truth, _, y, _ = _texts()
    y = (y > 0.5).astype(float) if classes else y
    weights = np.random.default_rng(0).uniform(1, 20, len(y))
    X = sm.add_constant(truth)
    link = probabilities if classes else _identity
    coef, inverse = _solve(X, y, weights, np.zeros_like(X), link)
    family = sm.families.Binomial() if classes else sm.families.Gaussian()
    fit = sm.GLM(y, X, family, freq_weights=weights).fit()
    assert_allclose(coef, fit.params, atol=1e-6)
    assert_allclose(inverse, fit.normalized_cov_params, rtol=1e-4)


def test_dsl_solves_its_corrected_equations():
    truth, annotations, y, drawn = _texts()
    found = correct_annotations(annotations, _human(truth, drawn), drawn, y).table["regression_coef"]
    design = make_design(np.where(drawn, drawn.mean(), np.nan), drawn)
    guess = np.column_stack(
        [cross_fit_labels(truth[drawn][:, [j]], annotations[:, j], y, design)[:, 0] for j in range(2)]
    )

    def products(Z):  # of each row; a label that is 0 or 1 is its own square
        X = np.column_stack([np.ones(len(Z)), Z])
        squares = X[:, :, None] * X[:, None, :]
        squares[:, [1, 2], [1, 2]] = Z
        return squares, X

    (of_guess, X), (of_truth, T) = products(guess), products(truth)
    weight = (drawn / drawn.mean())[:, None]
    S = (of_guess + weight[:, :, None] * (of_truth - of_guess)).sum(axis=0)
    s = ((X + weight * (T - X)) * y[:, None]).sum(axis=0)
    assert_allclose(found, np.linalg.solve(S, s)[1:], rtol=1e-6)


def test_a_prediction_never_sees_its_own_fold():
    truth, annotations, y, drawn = _texts()
    design = make_design(np.where(drawn, drawn.mean(), np.nan), drawn)
    labels = truth[drawn][:, [0]]
    before = cross_fit_labels(labels, annotations[:, 0], y, design)
    first = np.flatnonzero(drawn)[0]
    other = labels.copy()
    other[0] = 1 - other[0]
    after = cross_fit_labels(other, annotations[:, 0], y, design)
    assert after[first] == before[first]
    assert (after != before).any()


@pytest.mark.parametrize("method", ["dsl", "ppi"])
def test_the_errors_are_those_over_draws(method):
    """The standard error is the deviation of the estimate over draws of the labels from texts that stay."""
    truth, annotations, y, _ = _texts(n=600)
    rng = np.random.default_rng(0)
    estimates, errors = [], []
    for _ in range(120):
        drawn = rng.permutation(len(y)) < 150
        table = correct_annotations(annotations, _human(truth, drawn), drawn, y, method=method).table
        estimates.append(table["separation_score"])
        errors.append(table["separation_se"])
    # The texts themselves are a sample too, which adds what the regression on all labels has.
    of_texts = correct_annotations(truth, truth, np.ones(600, dtype=bool), y).table["separation_se"]
    expected = np.sqrt(np.var(estimates, axis=0) + of_texts**2)
    assert_allclose(np.mean(errors, axis=0), expected, rtol=0.12)


def test_what_annotations_make_up_is_taken_back():
    truth, annotations, y, drawn = _texts(n=4000, n_labels=400)
    corrected = correct_annotations(annotations, _human(truth, drawn), drawn, y, hypotheses=NAMES)
    row = corrected.table.iloc[1]
    assert row["naive_separation_score"] > 0.2
    assert row["separation_ci_low"] < 0 < row["separation_ci_high"]
    assert corrected.table["significant"].tolist() == [True, False]
    assert corrected.table["significant_jointly"].tolist() == [True, False]


def test_it_is_an_evaluation_that_prints_and_shows():
    truth, annotations, y, drawn = _texts()
    corrected = correct_annotations(annotations, _human(truth, drawn), drawn, y, hypotheses=NAMES)
    assert isinstance(corrected, CorrectedEvaluation)
    assert isinstance(corrected, HypothesisEvaluation)
    known = evaluate_hypotheses(annotations, y).table.columns
    assert set(known) <= set(corrected.table.columns)
    printed = repr(corrected)
    assert "1,200 rows, of which people labelled 200" in printed
    assert "design-based supervised learning" in printed
    assert max(map(len, printed.splitlines())) <= 100
    assert NAMES[0] in corrected._repr_html_()


def test_several_classes_have_a_block_each():
    truth, annotations, y, drawn = _texts(n=2000, n_labels=400)
    labels = np.array(["low", "middle", "high"])[np.digitize(y, [0, 1])]
    corrected = correct_annotations(annotations, _human(truth, drawn), drawn, labels, hypotheses=NAMES)
    assert corrected.table["class"].tolist() == ["high", "high", "low", "low", "middle", "middle"]
    assert corrected.table["significant"][0]
    binary = correct_annotations(annotations, _human(truth, drawn), drawn, labels == "high")
    for column in ("separation_score", "regression_coef", "regression_se"):
        assert_allclose(corrected.table[column][:2], binary.table[column])
    assert "class-hypothesis pairs" in repr(corrected)
    assert corrected._repr_html_()


def test_pairs_have_half_the_difference():
    rng = np.random.default_rng(0)
    truth = rng.integers(-1, 2, size=(2000, 1)).astype(float)
    y = 0.5 * truth[:, 0] + rng.normal(size=2000)
    annotations = np.where(rng.random((2000, 1)) < 0.2, rng.integers(-1, 2, size=(2000, 1)), truth)
    drawn = rng.permutation(2000) < 500
    table = correct_annotations(annotations, _human(truth, drawn), drawn, y).table
    known = evaluate_hypotheses(truth, y).table
    for column in ("separation_score", "regression_coef"):
        assert abs(table[column][0] - known[column][0]) < 0.15
    assert table["prevalence"][0] == pytest.approx(2 / 3, abs=0.05)
    everything = correct_annotations(annotations, truth, np.ones(2000, dtype=bool), y).table
    assert_allclose(everything["separation_score"], known["separation_score"])
    assert_allclose(everything["prevalence"], known["prevalence"])


@pytest.mark.parametrize("pairs", [False, True])
def test_intervals_of_shares_stay_within_all_and_none(pairs):
    passed = 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        truth = rng.choice([-1.0, 0.0, 1.0] if pairs else [0.0, 1.0], size=(200, 1))
        wins = rng.random(200) < np.where(truth[:, 0] > 0, 0.97, 0.03)
        annotations, drawn = np.where(rng.random((200, 1)) < 0.1, 0, truth), rng.permutation(200) < 40
        row = correct_annotations(annotations, _human(truth, drawn), drawn, wins).table.iloc[0]
        end = max(abs(row["separation_score"]), 0.5 if pairs else 1)
        assert -end <= row["separation_ci_low"] <= row["separation_score"] <= row["separation_ci_high"] <= end
        passed += row["separation_ci_high"] == end
    assert passed  # that of the test would go beyond


def test_rows_of_one_group_count_as_one():
    truth, annotations, y, drawn = _texts()
    alone = correct_annotations(annotations, _human(truth, drawn), drawn, y)
    again = np.repeat(np.arange(len(y)), 3)
    args = annotations[again], _human(truth, drawn)[again], drawn[again], y[again]
    clustered = correct_annotations(*args, groups=again)
    assert clustered.metrics["n_groups"] == len(y)
    assert_allclose(clustered.table["separation_se"], alone.table["separation_se"], rtol=0.1)
    assert (correct_annotations(*args).table["separation_se"] < 0.8 * alone.table["separation_se"]).all()
    assert "clustered by 1,200 groups" in repr(clustered)


def test_blank_labels_are_stood_for_by_others_of_the_stratum():
    truth, annotations, y, drawn = _texts(n=3000, n_labels=600)
    human = _human(truth, drawn)
    rows = np.flatnonzero(drawn)
    human[rows[::4], 0] = np.nan
    human[rows[1::10]] = np.nan
    corrected = correct_annotations(annotations, human, drawn, y)
    assert corrected.table["n_labels"].tolist() == [np.isfinite(human[:, j]).sum() for j in range(2)]
    assert corrected.metrics["n_labelled"] == np.isfinite(human).any(axis=1).sum()
    assert corrected.metrics["n_labelled_jointly"] == np.isfinite(human).all(axis=1).sum()
    assert "rows were drawn and have no label" in corrected.notes[1]
    known = evaluate_hypotheses(truth, y).table
    assert_allclose(corrected.table["separation_score"], known["separation_score"], atol=0.2)


def test_missing_annotations_are_predicted_by_the_mean():
    truth, annotations, y, drawn = _texts()
    gaps = annotations.copy()
    gaps[::3, 0] = np.nan
    gaps[::7] = np.nan
    corrected = correct_annotations(gaps, _human(truth, drawn), drawn, y)
    full = correct_annotations(annotations, _human(truth, drawn), drawn, y)
    assert corrected.metrics["n_samples"] == 1200
    assert (corrected.table["separation_se"] > 0.95 * full.table["separation_se"]).all()
    known = evaluate_hypotheses(truth, y).table["separation_score"]
    assert (np.abs(corrected.table["separation_score"] - known) < 3 * corrected.table["separation_se"]).all()


def test_what_cannot_be_estimated_is_nan_and_said():
    truth, annotations, y, drawn = _texts()
    human = np.column_stack([_human(truth, drawn), np.where(drawn, 1.0, np.nan), np.full(len(y), np.nan)])
    columns = np.column_stack([annotations, annotations[:, 0], annotations[:, 0]])
    corrected = correct_annotations(columns, human, drawn, y, hypotheses=["a", "b", "always", "never asked"])
    assert corrected.table["separation_score"].isna().tolist() == [False, False, True, True]
    assert corrected.table["regression_coef"].isna().tolist() == [False, False, True, True]
    assert not corrected.table["significant"][2:].any()
    notes = " ".join(corrected.notes)
    assert "no label: 'never asked'" in notes
    assert "Left out of the joint regression, as its labels do not vary, or say what others say: 'always'" in notes
    assert "fewer than 10 labels" in notes


@pytest.mark.parametrize("method", ["dsl", "ppi"])
def test_a_hypothesis_that_holds_in_no_label_is_not_estimated(method):
    truth, annotations, y, drawn = _texts()
    human = _human(np.column_stack([truth[:, 0], np.zeros(len(y))]), drawn)
    corrected = correct_annotations(annotations, human, drawn, y, method=method, hypotheses=["a", "never"])
    row = corrected.table.iloc[1]
    assert row[["separation_score", "separation_se", "pvalue", "regression_coef"]].isna().all()
    assert row[["n_labels", "n_labels_holds", "prevalence"]].tolist() == [200, 0, 0]
    assert any("fewer than 10 labels" in note and "'never'" in note for note in corrected.notes)


def test_a_class_without_annotations_has_no_naive_effects():
    truth, annotations, y, drawn = _texts(n=2000, n_labels=400)
    labels = np.array(["low", "middle", "high"])[np.digitize(y, [0, 1])]
    annotations[labels == "high"] = np.nan
    table = correct_annotations(annotations, _human(truth, drawn), drawn, labels).table
    naive = evaluate_hypotheses(annotations, labels).table
    assert table["class"].tolist() == ["high", "high", "low", "low", "middle", "middle"]
    for column in ("separation_score", "regression_coef"):
        assert table[f"naive_{column}"].tolist()[2:] == naive[column].tolist()
        assert table[f"naive_{column}"][:2].isna().all()
    assert np.isfinite(table["separation_score"]).all()


def test_classes_that_labels_separate_have_no_log_odds():
    truth, annotations, _, drawn = _texts()
    corrected = correct_annotations(annotations, _human(truth, drawn), drawn, truth[:, 0])
    assert corrected.table["regression_coef"].isna().all()
    assert "has no solution" in " ".join(corrected.notes)


def test_one_label_has_no_error():
    truth, annotations, y, _ = _texts()
    drawn = np.zeros(len(y), dtype=bool)
    drawn[np.r_[np.flatnonzero(truth[:, 0] == 1)[:1], np.flatnonzero(truth[:, 0] == 0)[:5]]] = True
    corrected = correct_annotations(annotations, _human(truth, drawn), drawn, y)
    assert corrected.table.loc[0, ["separation_se", "pvalue", "separation_ci_low"]].isna().all()
    assert np.isfinite(corrected.table["separation_score"][0])
    assert any("so its intervals tend to be too short" in note for note in corrected.notes)


def test_a_row_that_was_not_drawn_needs_no_probability():
    truth, annotations, y, drawn = _texts()
    one = correct_annotations(annotations, _human(truth, drawn), drawn, y)
    for sampled in (np.where(drawn, drawn.mean(), np.nan), np.full(len(y), drawn.mean()), drawn.astype(int)):
        pd.testing.assert_frame_equal(
            correct_annotations(annotations, _human(truth, drawn), sampled, y).table, one.table
        )


def test_columns_of_a_frame_go_by_their_names():
    truth, annotations, y, drawn = _texts()
    annotations = pd.DataFrame(annotations, columns=NAMES)
    human = pd.DataFrame(_human(truth, drawn), columns=NAMES)
    one = correct_annotations(annotations, human, drawn, y)
    other = correct_annotations(annotations, human[NAMES[::-1]], drawn, y)
    pd.testing.assert_frame_equal(one.table, other.table)
    with pytest.raises(ValueError, match="a column for each hypothesis and no other; see the column 'another'"):
        correct_annotations(annotations, human.rename(columns={NAMES[0]: "another"}), drawn, y)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"human": np.full((1200, 2), np.nan)}, "human has no label"),
        ({"human": np.zeros((1200, 3))}, "human must have the shape of annotations"),
        ({"sampled": np.ones(3, dtype=bool)}, r"its shape is \(3,\) for 1,200 rows"),
        ({"sampled": np.zeros(1200, dtype=bool)}, "is labelled, but sampled says that it was not drawn"),
        ({"sampled": np.full(1200, 0.5)}, "stand for 400 rows by their probabilities, but there are 1,200"),
        ({"sampled": np.r_[0.0, np.full(1199, 1 / 6)]}, "Row 0 has a probability that is not above 0"),
        ({"sampled": np.full(1200, np.nan)}, "is labelled, but sampled has no probability"),
        ({"sampled": np.full(1200, 5)}, "found other integers"),
        ({"sampled": ["yes"] * 1200}, "sampled must hold the probability"),
        ({"y": np.ones(1200)}, "y is constant"),
        ({"groups": np.ones(1200)}, "groups has one label in all rows"),
    ],
)
def test_what_is_wrong_is_said(change, message):
    truth, annotations, y, drawn = _texts()
    arguments = {"human": _human(truth, drawn), "sampled": drawn, "y": y, **change}
    with pytest.raises(ValueError, match=message):
        correct_annotations(annotations, **arguments)


@pytest.mark.slow
@pytest.mark.parametrize("stratified", [False, True])
@pytest.mark.parametrize("method", ["dsl", "ppi"])
def test_intervals_hold_the_truth_where_those_of_annotations_do_not(method, stratified):
    """Of 150 intervals 95 % hold the truth, give or take 1.8 points: 90 % is nearly three of these away."""
    held, naive, false = [], [], []
    for draw in range(150):
        truth, annotations, y, drawn = _texts(n=3000, n_labels=300, seed=draw)
        sampled = drawn
        if stratified:
            sampled = np.where(annotations[:, 1] == 1, 0.2, 0.07)
            drawn = np.random.default_rng([draw, 1]).random(len(y)) < sampled
        corrected = correct_annotations(annotations, _human(truth, drawn), sampled, y, method=method).table
        low, high = corrected["regression_ci_low"], corrected["regression_ci_high"]
        held.append((low <= [1.0, 0.0]) & (high >= [1.0, 0.0]))
        table = evaluate_hypotheses(annotations, y).table
        naive.append((table["regression_ci_low"] <= [1.0, 0.0]) & (table["regression_ci_high"] >= [1.0, 0.0]))
        false.append(corrected["pvalue"][1] < 0.05)
    assert (np.mean(held, axis=0) > 0.9).all()
    assert np.mean(held) < 0.99
    assert np.mean(naive) < 0.2
    assert np.mean(false) < 0.11


def test_a_stratum_of_known_size_goes_by_what_was_drawn_of_it():
    truth, annotations, y, _ = _texts()
    sampled = np.where(annotations[:, 0] == 1, 0.3, 0.1)
    drawn = np.random.default_rng(7).random(len(y)) < sampled
    human = _human(truth, drawn)
    found = np.array([drawn[sampled == p].mean() for p in (0.3, 0.1)])
    by_share = np.where(drawn, np.where(sampled == 0.3, *found), np.nan)
    assert abs(found - [0.3, 0.1]).max() > 0.001
    one, other = (correct_annotations(annotations, human, each, y).table for each in (sampled, by_share))
    pd.testing.assert_frame_equal(one, other)


def test_cohens_d_of_pairs_is_that_of_the_labels():
    rng = np.random.default_rng(0)
    truth = rng.integers(-1, 2, size=(900, 1)).astype(float)
    y = 2 * truth[:, 0] + rng.normal(size=900) * np.where(truth[:, 0] == 0, 5, 1)
    corrected = correct_annotations(truth, truth, np.ones(900, dtype=bool), y)
    known = evaluate_hypotheses(truth, y)
    assert_allclose(corrected.table["effect_size"], known.table["effect_size"], rtol=5e-3)
