"""`evaluate_hypotheses` as a user meets it."""

import pickle
import re
import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array, csr_matrix
from scipy.stats import ttest_ind
from sklearn.metrics import average_precision_score, roc_auc_score
from statsmodels.stats.multitest import multipletests

from sklearn_sae import HypothesisEvaluation, evaluate_hypotheses

COLUMNS = [
    "hypothesis",
    "separation_score",
    "separation_pvalue",
    "regression_coef",
    "regression_pvalue",
    "prevalence",
    "significant",
]
STATISTICS = COLUMNS[1:-1]


@pytest.fixture
def clean():
    rng = np.random.default_rng(0)
    A = (rng.random((250, 4)) < [0.5, 0.3, 0.7, 0.1]).astype(float)
    return A, 3 + A @ [1.0, -0.6, 0.0, 0.2] + rng.normal(size=250)


@pytest.fixture(autouse=True)
def _no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def test_regression_agrees_with_statsmodels_and_scipy(clean):
    A, y = clean
    result = evaluate_hypotheses(A, y)
    table = result.table
    ols = sm.OLS(y, sm.add_constant(A)).fit()
    assert list(table.columns) == COLUMNS
    assert table["hypothesis"].tolist() == [f"hypothesis {i}" for i in range(4)]
    np.testing.assert_allclose(table["regression_coef"], ols.params[1:])
    np.testing.assert_allclose(table["regression_pvalue"], ols.pvalues[1:])
    np.testing.assert_allclose(table["prevalence"], A.mean(axis=0))
    for j in range(4):
        one, zero = y[A[:, j] == 1], y[A[:, j] == 0]
        assert table["separation_score"][j] == pytest.approx(one.mean() - zero.mean())
        assert table["separation_pvalue"][j] == pytest.approx(ttest_ind(one, zero, equal_var=False).pvalue)
    assert table["significant"].tolist() == (ols.pvalues[1:] < 0.1 / 4).tolist()
    assert table["significant"].dtype == bool
    assert result.metrics == {
        "r2": pytest.approx(ols.rsquared),
        "n_significant": 2,
        "n_hypotheses": 4,
        "threshold": 0.1 / 4,
        "n_samples": 250,
    }
    assert (result.task, result.correction, result.alpha, result.notes) == ("regression", "bonferroni", 0.1, ())


def test_binary_agrees_with_statsmodels_and_scikit_learn(clean):
    A, y = clean
    high = y > 3.3
    logit = sm.Logit(high.astype(float), sm.add_constant(A)).fit(disp=0)
    for labels in (high, high.astype(int), np.where(high, "won", "lost"), pd.Series(np.where(high, 2.5, -1))):
        result = evaluate_hypotheses(A, labels)
        assert result.task == "binary"
        np.testing.assert_allclose(result.table["regression_coef"], logit.params[1:])
        np.testing.assert_allclose(result.table["regression_pvalue"], logit.pvalues[1:])
        one = A[:, 0] == 1
        assert result.table["separation_score"][0] == pytest.approx(high[one].mean() - high[~one].mean())
        if labels is high:
            assert "r2" not in result.metrics
        assert result.metrics["auc"] == pytest.approx(roc_auc_score(high, logit.predict()))
        assert result.metrics["auprc"] == pytest.approx(average_precision_score(high, logit.predict()))


def test_multiclass_is_one_block_a_class_against_the_rest(clean):
    A, y = clean
    labels = np.array(["low", "mid", "top"])[np.digitize(y, [2.7, 4])]
    result = evaluate_hypotheses(A, labels, correction="holm")
    assert result.task == "multiclass"
    assert list(result.table.columns) == ["class", *COLUMNS]
    assert result.table["class"].tolist() == ["low"] * 4 + ["mid"] * 4 + ["top"] * 4
    blocks = [evaluate_hypotheses(A, labels == label) for label in ("low", "mid", "top")]
    for column in STATISTICS:
        np.testing.assert_allclose(result.table[column], np.concatenate([block.table[column] for block in blocks]))
    assert result.metrics["auc"] == pytest.approx(np.mean([block.metrics["auc"] for block in blocks]))
    assert result.metrics["n_hypotheses"] == 4
    assert evaluate_hypotheses(A, labels).metrics["threshold"] == pytest.approx(0.1 / 12)


@pytest.mark.parametrize("form", [csr_matrix, csr_array, pd.DataFrame, lambda A: A.astype(bool), lambda A: A.tolist()])
def test_any_form_of_annotations_gives_the_same(clean, form):
    A, y = clean
    names = list("abcd")
    expected = evaluate_hypotheses(A, y, hypotheses=names).table
    pd.testing.assert_frame_equal(evaluate_hypotheses(form(A), y, hypotheses=names).table, expected)


def test_names_come_from_columns_unless_given(clean):
    A, y = clean
    frame = pd.DataFrame(A, columns=["likes it", "is long", "is old", 7])
    assert evaluate_hypotheses(frame, y).table["hypothesis"].tolist() == ["likes it", "is long", "is old", "7"]
    assert evaluate_hypotheses(frame, y, hypotheses=list("abcd")).table["hypothesis"].tolist() == list("abcd")
    nullable = frame.astype("boolean")
    nullable.iloc[3, 0] = pd.NA
    assert evaluate_hypotheses(nullable, y).table["prevalence"][0] == pytest.approx(np.delete(A[:, 0], 3).mean())


# --- corrections --------------------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    correction=st.sampled_from(["bonferroni", "holm", "fdr_bh", "benjamini-hochberg"]),
    alpha=st.sampled_from([0.01, 0.1, 0.3]),
)
def test_significance_is_the_corrected_pvalue_and_the_threshold_cuts_there(seed, correction, alpha):
    rng = np.random.default_rng(seed)
    A = rng.integers(0, 2, size=(80, 8)).astype(float)
    y = A @ rng.normal(scale=0.5, size=8) + rng.normal(size=80)
    result = evaluate_hypotheses(A, y, correction=correction, alpha=alpha)
    p = result.table["regression_pvalue"].to_numpy()
    reject = multipletests(p, alpha, correction.replace("benjamini-hochberg", "fdr_bh"))[0]
    np.testing.assert_array_equal(result.table["significant"], reject)
    np.testing.assert_array_equal(p < result.metrics["threshold"], reject)
    assert result.metrics["n_significant"] == reject.sum()
    assert alpha / 8 <= result.metrics["threshold"] <= alpha


@pytest.mark.parametrize("correction", ["bonferroni", "holm", "fdr_bh"])
def test_hypotheses_that_cannot_be_tested_count_as_tests(clean, correction):
    A, y = clean
    padded = np.column_stack([A[:, 3:4], np.zeros((250, 500)), np.ones((250, 1))])
    alone = evaluate_hypotheses(A[:, 3:4], A[:, 3] * 0.5 + y, correction=correction)
    among = evaluate_hypotheses(padded, A[:, 3] * 0.5 + y, correction=correction)
    assert alone.metrics["n_significant"] == 1
    assert among.metrics["n_significant"] == 0
    assert among.metrics["threshold"] == pytest.approx(0.1 / 502)
    assert among.table["regression_pvalue"][0] == pytest.approx(alone.table["regression_pvalue"][0])


# --- what degenerates ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("binary", [False, True])
def test_constant_annotations_are_left_out(clean, binary):
    A, y = clean
    y = y > 3.3 if binary else y
    expected = evaluate_hypotheses(A[:, :2], y).table
    table = evaluate_hypotheses(np.column_stack([np.ones(250), A[:, 0], np.zeros(250), A[:, 1]]), y).table
    assert table["prevalence"][[0, 2]].tolist() == [1, 0]
    assert table.loc[[0, 2], STATISTICS[:-1]].isna().all(axis=None)
    assert not table["significant"][[0, 2]].any()
    np.testing.assert_allclose(table["regression_pvalue"][[1, 3]], expected["regression_pvalue"])


@pytest.mark.parametrize("binary", [False, True])
def test_of_duplicates_and_combinations_the_first_carry_the_coefficients(clean, binary):
    A, y = clean
    y = y > 3.3 if binary else y
    expected = evaluate_hypotheses(A[:, :2], y).table
    doubled = np.column_stack([A[:, :2], A[:, 0], 1 - A[:, 1], 0.5 * A[:, 0] + 0.25 * A[:, 1]])
    result = evaluate_hypotheses(doubled, y)
    np.testing.assert_allclose(result.table["regression_coef"][:2], expected["regression_coef"])
    np.testing.assert_allclose(result.table["regression_pvalue"][:2], expected["regression_pvalue"])
    assert result.table["regression_coef"][2:].isna().all()
    assert not result.table["significant"][2:].any()
    assert result.table["separation_score"][2] == expected["separation_score"][0]
    assert result.table["separation_score"][3] == pytest.approx(-expected["separation_score"][1])
    (note,) = result.notes
    assert note.endswith("linear combination of hypotheses before it: 'hypothesis 2', 'hypothesis 3', 'hypothesis 4'.")


def test_a_hypothesis_equal_to_the_target_is_significant_and_finite():
    rng = np.random.default_rng(0)
    A = rng.integers(0, 2, size=(60, 3)).astype(float)
    result = evaluate_hypotheses(A, A[:, 1])
    assert result.table["significant"].tolist() == [False, True, False]
    assert np.isfinite(result.table[STATISTICS].to_numpy()).all()
    assert result.table["separation_score"][1] == 1
    assert result.table["separation_pvalue"][1] == 0
    assert result.metrics["auc"] == 1
    assert "Firth" in result.notes[0]
    exact = evaluate_hypotheses(A, 5 * A[:, 1] + A[:, 0])
    assert exact.table["significant"].tolist() == [True, True, False]
    assert exact.metrics["r2"] == 1


def test_missing_answers_cost_their_own_hypothesis_only(clean):
    A, y = clean
    rng = np.random.default_rng(1)
    gaps = rng.random(A.shape) < 0.02
    gaps[:, 3] = True
    gaps[7] = True  # no answer at all: the row goes
    holed = np.where(gaps, np.nan, A)
    result = evaluate_hypotheses(holed, y)
    keep = np.delete(np.arange(250), 7)
    answered = holed[keep, 0]
    one, zero = y[keep][answered == 1], y[keep][answered == 0]
    assert result.metrics["n_samples"] == 249
    assert result.table["separation_score"][0] == pytest.approx(one.mean() - zero.mean())
    assert result.table["prevalence"][0] == pytest.approx(np.nanmean(answered))
    filled = np.where(np.isnan(holed[keep, :3]), np.nanmean(holed[keep, :3], axis=0), holed[keep, :3])
    ols = sm.OLS(y[keep], sm.add_constant(filled)).fit()
    np.testing.assert_allclose(result.table["regression_coef"][:3], ols.params[1:])
    assert result.table.loc[3, STATISTICS].isna().all()
    assert not result.table["significant"][3]
    assert result.notes[0] == "Left out of the regression, as no answer came: 'hypothesis 3'."
    assert re.match(r"\d\.\d% of the answers are missing", result.notes[1])


@pytest.mark.parametrize("n_hypotheses", [9, 10, 30])
@pytest.mark.parametrize("binary", [False, True])
def test_too_many_hypotheses_for_the_rows_are_not_estimated(n_hypotheses, binary):
    rng = np.random.default_rng(0)
    A = rng.random((10, n_hypotheses))
    y = rng.normal(size=10)
    result = evaluate_hypotheses(A, y > 0 if binary else y)
    assert result.table[["regression_coef", "regression_pvalue"]].isna().all(axis=None)
    assert result.metrics["n_significant"] == 0
    assert np.isnan(result.metrics["auc" if binary else "r2"])
    assert result.notes == (f"The regression is not estimated: {n_hypotheses} hypotheses are too many for 10 rows.",)
    assert "R² nan" in str(result) or "AUC nan" in str(result)


def test_sides_of_few_rows_have_a_score_and_a_pvalue_where_there_is_one():
    y = np.array([1.0, 2.0, 2.0, 5.0, 5.0, 2.0])
    A = np.array([[0, 0, 0, 1, 0, 0], [0, 1, 1, 0, 0, 0], [0, 1, 0, 0, 0, 1], [0, 0, 0, 1, 1, np.nan]]).T
    table = evaluate_hypotheses(A[:5], y[:5]).table
    assert table["separation_score"][0] == 2.5
    assert np.isnan(table["separation_pvalue"][0])  # one row on one side
    assert table["separation_pvalue"][1] == pytest.approx(
        ttest_ind([2, 2 + 1e-13], y[[0, 3, 4]], equal_var=False).pvalue
    )
    steps = evaluate_hypotheses(np.array([[0, 0, 1, 1]]).T, [2.0, 2.0, 5.0, 5.0]).table
    assert steps["separation_pvalue"][0] == 0
    flat = evaluate_hypotheses(np.array([[0, 0, 1, 1, np.nan], [0, 0, 0, 1, 1]]).T, [2.0, 2.0, 2.0, 2.0, 5.0]).table
    assert flat["separation_pvalue"][0] == 1
    assert flat["separation_score"][0] == 0


def test_pairs_count_a_reversed_row_as_one_with_the_target_turned_round():
    rng = np.random.default_rng(0)
    a = rng.integers(-1, 2, size=300).astype(float)
    wins = (rng.random(300) < 0.5 + 0.3 * a).astype(int)
    table = evaluate_hypotheses(a[:, None], wins).table
    with_, without = np.concatenate([wins[a == 1], 1 - wins[a == -1]]), wins[a == 0]
    assert table["separation_score"][0] == pytest.approx(with_.mean() - without.mean())
    assert table["separation_pvalue"][0] == pytest.approx(ttest_ind(with_, without, equal_var=False).pvalue)
    assert table["prevalence"][0] == np.mean(a != 0)
    mirrored = evaluate_hypotheses(-a[:, None], 1 - wins).table
    assert mirrored["regression_coef"][0] == pytest.approx(table["regression_coef"][0])


def test_soft_annotations_enter_the_regression_as_they_are(clean):
    A, y = clean
    soft = np.clip(np.abs(A - 0.2), 0, 1)
    result = evaluate_hypotheses(soft, y).table
    np.testing.assert_allclose(result["regression_coef"], sm.OLS(y, sm.add_constant(soft)).fit().params[1:])
    np.testing.assert_allclose(result["separation_score"], evaluate_hypotheses(A, y).table["separation_score"])
    np.testing.assert_allclose(result["prevalence"], soft.mean(axis=0))


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(3, 14),
    m=st.integers(1, 8),
    target=st.sampled_from(["regression", "binary", "multiclass"]),
    missing=st.sampled_from([0.0, 0.1, 0.6]),
    lowest=st.sampled_from([0, -1]),
)
def test_no_small_table_breaks_it(seed, n, m, target, missing, lowest):
    rng = np.random.default_rng(seed)
    A = rng.integers(lowest, 2, size=(n, m)).astype(float)
    A[rng.random((n, m)) < missing] = np.nan
    A[:3, 0] = [0, 1, 0]
    y = np.append([0, 1, 2], rng.integers(0, 3, size=n - 3)) if target != "binary" else np.arange(n) % 2
    result = evaluate_hypotheses(A, y, task=target, correction="fdr_bh")
    table = result.table
    assert len(table) == m * (3 if target == "multiclass" else 1)
    for column in ("separation_pvalue", "regression_pvalue"):
        assert table[column].dropna().between(0, 1).all()
    assert (table["regression_coef"].isna() == table["regression_pvalue"].isna()).all()
    assert not table["significant"][table["regression_pvalue"].isna()].any()
    assert not np.isinf(table[STATISTICS].to_numpy()).any()
    assert table["prevalence"].dropna().between(0, 1).all()
    assert all(len(line) <= 120 for line in str(result).splitlines()[1:] if not line.startswith("Note"))


def _arguments(annotations, y, **options):
    return {"annotations": annotations, "y": y, **options}


# --- bad input ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda A, y: _arguments(A, np.ones(250)), "y is constant"),
        (lambda A, y: _arguments(A, ["yes"] * 250), "y is constant"),
        (lambda A, y: _arguments(A, y[:9]), "y has 9 values for 250 rows"),
        (lambda A, y: _arguments(A, None), "y is required"),
        (lambda A, y: _arguments(A, np.where(y > 3, y, np.nan)), "y contains NaN"),
        (lambda A, y: _arguments(A, np.digitize(y, [2, 4]), task="binary"), "3 classes where a binary"),
        (lambda A, y: _arguments(A, ["a", "b"] * 125, task="regression"), "y is not numeric"),
        (lambda A, y: _arguments(A[:0], y[:0]), r"0 sample\(s\)"),
        (lambda A, y: _arguments(A[:, :0], y), r"0 feature\(s\)"),
        (lambda A, y: _arguments([], []), "annotations must be 2-D"),
        (lambda A, y: _arguments(A[:, 0], y), "annotations must be 2-D"),
        (lambda A, y: _arguments(np.where(A == 1, np.inf, A), y), "annotations contains"),
        (lambda A, y: _arguments(A * 3, y), "from -1 to 1, or NaN; found 3 in row"),
        (lambda A, y: _arguments(A * np.nan, y), "annotations has no answer"),
        (lambda A, y: _arguments(A, y, hypotheses=["one"]), "hypotheses has 1 sentences for 4 columns"),
        (lambda A, y: _arguments(A, y, hypotheses="abcd"), "hypotheses must be a sequence of str"),
        (lambda A, y: _arguments(A, y, hypotheses=[1, 2, 3, 4]), "hypotheses must be a sequence of str"),
        (lambda A, y: _arguments(A, y, correction="sidak"), "'correction' parameter"),
        (lambda A, y: _arguments(A, y, alpha=1.5), "'alpha' parameter"),
        (lambda A, y: _arguments(A, y, task="ranking"), "'task' parameter"),
    ],
)
def test_bad_input_gets_one_sentence(clean, change, message):
    with pytest.raises(ValueError, match=message):
        evaluate_hypotheses(**change(*clean))


def test_a_target_that_is_constant_where_there_are_answers_is_refused(clean):
    A, y = clean
    A[y > 3] = np.nan
    with pytest.raises(ValueError, match="y is constant"):
        evaluate_hypotheses(A, y > 3)


# --- how it shows -------------------------------------------------------------------------------------------------


def test_it_prints_within_120_columns_and_cuts_no_hypothesis(clean):
    A, y = clean
    names = ["mentions " + "very " * 60 + "long queues", "short", "has\na line break", "<b>bold</b>"]
    result = evaluate_hypotheses(A, y, hypotheses=names)
    lines = str(result).splitlines()
    assert repr(result) == str(result)
    assert lines[0].startswith("2 of 4 hypotheses significant (bonferroni, alpha=0.1: p < 0.025); R² 0.")
    assert max(map(len, lines)) <= 120
    assert re.search(r" [+-]\d\.\d{3} +\de-\d\d .*  yes  mentions very very", lines[2])
    place = lines[1].index("hypothesis")
    printed = [line[place:] for line in lines[2:]]
    assert " ".join(printed) == " ".join(" ".join(names).split())
    assert printed[-3:] == ["short", "has a line break", "<b>bold</b>"]
    page = result._repr_html_()
    assert "&lt;b&gt;bold&lt;/b&gt;" in page
    assert "<b>" not in page
    assert names[0] in page


def test_a_long_table_is_cut_when_printed(clean):
    A, y = clean
    text = str(evaluate_hypotheses(np.tile(A, 20), y))
    assert "... and 20 more rows in .table" in text
    assert len(text.splitlines()) < 70


def test_the_result_pickles_and_cannot_be_reassigned(clean):
    result = pickle.loads(pickle.dumps(evaluate_hypotheses(*clean)))
    assert isinstance(result, HypothesisEvaluation)
    with pytest.raises(AttributeError):
        result.alpha = 0.5


def test_words_of_reviews(yelp):
    texts, stars, _ = yelp
    words = ["delicious", "rude", "worst", "amazing", "table"]
    annotations = pd.DataFrame({f"contains {word!r}": [word in text.lower() for text in texts] for word in words})
    result = evaluate_hypotheses(annotations, stars)
    table = result.table.set_index("hypothesis")
    assert table["significant"][["contains 'delicious'", "contains 'rude'", "contains 'worst'"]].all()
    assert table["separation_score"]["contains 'rude'"] < -1
    assert table["separation_score"]["contains 'amazing'"] > 0.5
    assert 0.1 < result.metrics["r2"] < 0.4
    five = evaluate_hypotheses(annotations, stars == 5)
    assert five.metrics["auc"] > 0.6
    by_star = evaluate_hypotheses(annotations, stars, task="multiclass")
    assert len(by_star.table) == 5 * len(np.unique(stars))
