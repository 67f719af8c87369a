"""`evaluate_hypotheses` as a user meets it."""

import pickle
import re
import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array, csr_matrix
from scipy.stats import ttest_ind
from sklearn.metrics import average_precision_score, roc_auc_score
from statsmodels.stats.multitest import multipletests

from sklearn_sae import HypothesisEvaluation, evaluate_hypotheses
from sklearn_sae.evaluation._separation import separation

COLUMNS = [
    "hypothesis",
    "separation_score",
    "pvalue",
    "separation_pvalue",
    "separation_ci_low",
    "separation_ci_high",
    "effect_size",
    "regression_coef",
    "regression_se",
    "regression_pvalue",
    "regression_ci_low",
    "regression_ci_high",
    "joint_pvalue",
    "prevalence",
    "max_correlation",
    "significant",
    "significant_jointly",
]
STATISTICS = COLUMNS[1:-2]


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
    result = evaluate_hypotheses(A, y, alpha=0.1)
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
    assert table["significant"].tolist() == (table["pvalue"] < 0.1 / 4).tolist()
    assert table["significant_jointly"].tolist() == (table["joint_pvalue"] < 0.1 / 4).tolist()
    assert (table["joint_pvalue"] >= ols.pvalues[1:] - 1e-12).all()
    assert table["significant"].dtype == table["significant_jointly"].dtype == bool
    assert result.metrics == {
        "r2": pytest.approx(ols.rsquared),
        "r2_cv": pytest.approx(ols.rsquared, abs=0.05),
        "n_significant": 2,
        "n_significant_jointly": 2,
        "n_hypotheses": 4,
        "threshold": 0.1 / 4,
        "threshold_jointly": 0.1 / 4,
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
    assert evaluate_hypotheses(A, labels).metrics["threshold"] == pytest.approx(0.05 / 12)


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


def test_columns_of_one_name_stay_apart(clean):
    A, y = clean
    frame = pd.DataFrame(A, columns=["same", "other", "same", "same"])
    for form in (frame, frame.astype("boolean"), frame.astype(pd.SparseDtype(float, 0))):
        table = evaluate_hypotheses(form, y).table
        assert table["hypothesis"].tolist() == ["same", "other", "same", "same"]
        np.testing.assert_allclose(table["regression_coef"], evaluate_hypotheses(A, y).table["regression_coef"])


@pytest.mark.parametrize("scale", [1e-300, 1e-9, 1e9, 1e300])
def test_a_target_may_be_of_any_size(clean, scale):
    A, y = clean
    expected, result = evaluate_hypotheses(A, y), evaluate_hypotheses(A, scale * y)
    for column in ("separation_score", "regression_coef"):
        np.testing.assert_allclose(result.table[column], scale * expected.table[column])
    for column in ("separation_pvalue", "regression_pvalue", "significant"):
        np.testing.assert_allclose(result.table[column], expected.table[column])
    assert result.metrics["r2"] == pytest.approx(expected.metrics["r2"])


def test_an_ordinal_target_is_its_places_and_its_reading_a_note(clean):
    A, y = clean
    places = np.digitize(y, [2, 3, 4])
    result = evaluate_hypotheses(A, np.array(["never", "rarely", "often", "always"])[places], task="ordinal")
    pd.testing.assert_frame_equal(result.table, evaluate_hypotheses(A, places + 1.0).table)
    assert result.notes[0] == "y counts as a number, the place on the scale from never (1) to always (4)."
    assert "Note: y counts as a number" in str(result)


def test_an_index_in_another_order_is_refused(clean):
    A, y = clean
    with pytest.raises(ValueError, match="annotations and y have the same index in different orders"):
        evaluate_hypotheses(pd.DataFrame(A), pd.Series(y).sort_values())


def test_hypotheses_that_overlap_hold_on_their_own_where_none_adds_to_the_others():
    rng = np.random.default_rng(0)
    cause = rng.random(300) < 0.5
    A = np.column_stack([cause ^ (rng.random(300) < 0.1) for _ in range(12)]).astype(float)
    result = evaluate_hypotheses(A, cause + 1.5 * rng.normal(size=300), alpha=0.05)
    assert result.metrics["n_significant"] >= 10
    assert result.metrics["n_significant_jointly"] <= 2
    assert "significant, " in str(result)


# --- corrections --------------------------------------------------------------------------------------------------


@settings(max_examples=20, deadline=None)
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
    for pvalues, how in (("pvalue", ""), ("joint_pvalue", "_jointly")):
        p = result.table[pvalues].to_numpy()
        reject = multipletests(p, alpha, correction.replace("benjamini-hochberg", "fdr_bh"))[0]
        np.testing.assert_array_equal(result.table[f"significant{how}"], reject)
        np.testing.assert_array_equal(p < result.metrics[f"threshold{how}"], reject)
        assert result.metrics[f"n_significant{how}"] == reject.sum()
        assert alpha / 8 <= result.metrics[f"threshold{how}"] <= alpha


@pytest.mark.parametrize("correction", ["bonferroni", "holm", "fdr_bh"])
def test_hypotheses_that_cannot_be_tested_count_as_tests(clean, correction):
    A, y = clean
    padded = np.column_stack([A[:, 3:4], np.zeros((250, 500)), np.ones((250, 1))])
    alone = evaluate_hypotheses(A[:, 3:4], A[:, 3] * 0.8 + y, correction=correction)
    among = evaluate_hypotheses(padded, A[:, 3] * 0.8 + y, correction=correction)
    assert alone.metrics["n_significant"] == alone.metrics["n_significant_jointly"] == 1
    assert among.metrics["n_significant"] == among.metrics["n_significant_jointly"] == 0
    assert among.metrics["threshold"] == among.metrics["threshold_jointly"] == pytest.approx(0.05 / 502)
    assert among.table["regression_pvalue"][0] == pytest.approx(alone.table["regression_pvalue"][0])


# --- what degenerates ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("binary", [False, True])
def test_constant_annotations_are_left_out(clean, binary):
    A, y = clean
    y = y > 3.3 if binary else y
    expected = evaluate_hypotheses(A[:, :2], y).table
    table = evaluate_hypotheses(np.column_stack([np.ones(250), A[:, 0], np.zeros(250), A[:, 1]]), y).table
    assert table["prevalence"][[0, 2]].tolist() == [1, 0]
    assert table.loc[[0, 2], STATISTICS].drop(columns="prevalence").isna().all(axis=None)
    assert not table.loc[[0, 2], ["significant", "significant_jointly"]].any(axis=None)
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
    assert not result.table["significant_jointly"][2:].any()
    assert result.table["separation_score"][2] == expected["separation_score"][0]
    assert result.table["separation_score"][3] == pytest.approx(-expected["separation_score"][1])
    note, redundant = result.notes
    assert redundant == (
        "Annotations nearly the same or opposite (absolute correlation): 'hypothesis 0' and 'hypothesis 2' (1.00); "
        "'hypothesis 1' and 'hypothesis 3' (1.00); 'hypothesis 0' and 'hypothesis 4' (0.91); "
        "'hypothesis 2' and 'hypothesis 4' (0.91)."
    )
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
    assert exact.table["significant_jointly"].tolist() == [True, True, False]
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
    assert not result.table.loc[3, ["significant", "significant_jointly"]].any()
    assert result.notes[0] == "Left out of the regression, as no answer came: 'hypothesis 3'."
    assert re.match(r"\d\.\d% of the answers are missing", result.notes[1])


def test_a_class_without_an_answer_has_no_rows_in_the_table(clean):
    A, y = clean
    labels = np.array(["low", "mid", "top"])[np.digitize(y, [2.7, 4])]
    A[labels == "mid"] = np.nan
    result = evaluate_hypotheses(A, labels)
    assert result.task == "multiclass"
    assert result.table["class"].tolist() == ["low"] * 4 + ["top"] * 4
    assert result.metrics["n_samples"] == (labels != "mid").sum()
    assert result.metrics["threshold"] == pytest.approx(0.05 / 8)
    assert np.isfinite(result.metrics["auc"])
    assert np.isfinite(result.table[STATISTICS].to_numpy()).all()


@pytest.mark.parametrize("n_hypotheses", [9, 10, 30])
@pytest.mark.parametrize("binary", [False, True])
def test_too_many_hypotheses_for_the_rows_are_not_estimated(n_hypotheses, binary):
    rng = np.random.default_rng(0)
    A = rng.random((10, n_hypotheses))
    y = rng.normal(size=10)
    result = evaluate_hypotheses(A, y > 0 if binary else y)
    assert result.table[["regression_coef", "regression_pvalue"]].isna().all(axis=None)
    assert result.metrics["n_significant_jointly"] == 0
    assert np.isnan(result.metrics["auc" if binary else "r2"])
    assert result.notes[0] == f"The regression is not estimated: {n_hypotheses} hypotheses are too many for 10 rows."
    assert np.isnan(result.metrics["auc_cv" if binary else "r2_cv"])
    assert "R² nan cross-fitted, nan in-sample" in str(result) or "AUC nan cross-fitted, nan in-sample" in str(result)


def test_separation_on_few_rows_is_noted_and_has_no_pvalue_where_their_target_is_one():
    y = np.r_[np.zeros(15), np.arange(15.0)]
    A = np.zeros((30, 6))
    A[20, 0] = 1  # a single row
    A[:9, 1] = 1  # nine rows of one target
    A[-9:, 2] = 1  # nine rows that vary
    A[:10, 3] = 1  # ten rows of one target
    A[5:20, 4] = 1  # well supported
    A[:, 5] = 0.3  # holds nowhere
    result = evaluate_hypotheses(A, y, hypotheses=["one", "nine", "varied", "ten", "many", "none"])
    table = result.table
    assert np.isfinite(table["separation_score"][:5]).all()
    assert np.isnan(table["separation_score"][5])
    assert table["separation_pvalue"].isna().tolist() == [True, True, False, False, False, True]
    for j, std in ((2, None), (3, 0.0)):
        one, zero = y[A[:, j] == 1], y[A[:, j] == 0]
        if std == 0:
            one = one + 1e-9 * np.arange(10)  # SciPy warns of a side without variance
        assert table["separation_pvalue"][j] == pytest.approx(ttest_ind(one, zero, equal_var=False).pvalue, rel=1e-6)
    (note,) = [note for note in result.notes if "t-test" in note]
    assert note == (
        "The t-test of separation is not reliable, as a side has fewer than 10 rows or its target does not vary: "
        "'one', 'nine', 'varied', 'ten', 'none'."
    )


def test_separation_of_a_target_that_varies_on_neither_side_is_certain():
    step = np.repeat([0.0, 1.0], 12)
    assert evaluate_hypotheses(step[:, None], 3 * step).table["separation_pvalue"][0] == 0
    flat = np.where(np.arange(24) == 5, np.nan, step)
    assert evaluate_hypotheses(np.c_[flat, step], np.arange(24) == 5).table["separation_pvalue"][0] == 1


def test_one_note_on_separation_for_all_classes():
    A = np.zeros((90, 2))
    A[::2, 0] = 1
    A[:5, 1] = 1
    result = evaluate_hypotheses(A, np.tile(["a", "b", "c"], 30))
    (note,) = [note for note in result.notes if "t-test" in note]
    assert note.endswith("vary: 'hypothesis 1'.")


def test_rare_annotations_of_no_effect_are_seldom_called_separate():
    rng = np.random.default_rng(0)
    pvalues = []
    for _ in range(400):
        a = rng.permutation(np.arange(100) < 5).astype(float)
        pvalues.append(separation(a, rng.integers(0, 2, size=100).astype(float)).pvalue)
    assert np.mean(np.array(pvalues) < 0.01) < 0.02  # 0.06, if sides of one target had a p-value


# --- pairs --------------------------------------------------------------------------------------------------------


def test_separation_of_pairs_is_half_the_difference_between_first_and_second():
    rng = np.random.default_rng(0)
    a = rng.integers(-1, 2, size=300).astype(float)
    wins = (rng.random(300) < 0.5 + 0.3 * a).astype(int)
    table = evaluate_hypotheses(a[:, None], wins).table
    first, second = wins[a == 1], wins[a == -1]
    assert table["separation_score"][0] == pytest.approx(np.mean([first.mean(), 1 - second.mean()]) - 1 / 2)
    assert table["separation_score"][0] == pytest.approx(0.3, abs=0.06)
    assert table["separation_pvalue"][0] == pytest.approx(ttest_ind(first, second, equal_var=False).pvalue)
    assert table["prevalence"][0] == np.mean(a != 0)
    mirrored = evaluate_hypotheses(-a[:, None], 1 - wins).table
    for column in STATISTICS:
        assert mirrored[column][0] == pytest.approx(table[column][0], nan_ok=True)
    for half, rest in ((a == 1, a == 0), (a == 0, a == -1)):  # of one side only: against the rows where it is even
        kept = half | rest
        score = evaluate_hypotheses(a[kept, None], wins[kept]).table["separation_score"][0]
        assert score == pytest.approx(wins[half].mean() - wins[rest].mean())


@pytest.mark.parametrize("shares", [(1 / 3, 1 / 3, 1 / 3), (0.15, 0.35, 0.5), (0.4, 0.6, 0)])
@pytest.mark.parametrize("binary", [True, False])
def test_separation_of_pairs_holds_its_level_where_the_first_text_has_an_advantage(shares, binary):
    rng = np.random.default_rng(0)
    pvalues = []
    for _ in range(400):
        a = rng.choice([-1.0, 0.0, 1.0], p=shares, size=300)
        y = (rng.random(300) < 0.7).astype(float) if binary else rng.normal(2, 1, size=300)
        pvalues.append(separation(a, y).pvalue)
    assert 0.02 < np.mean(np.array(pvalues) < 0.05) < 0.09


def test_soft_annotations_enter_the_regression_as_they_are(clean):
    A, y = clean
    soft = np.clip(np.abs(A - 0.2), 0, 1)
    result = evaluate_hypotheses(soft, y).table
    np.testing.assert_allclose(result["regression_coef"], sm.OLS(y, sm.add_constant(soft)).fit().params[1:])
    np.testing.assert_allclose(result["separation_score"], evaluate_hypotheses(A, y).table["separation_score"])
    np.testing.assert_allclose(result["prevalence"], soft.mean(axis=0))


@settings(max_examples=60, deadline=None)
@example(seed=4, n=5, m=5, target="binary", missing=0.0, lowest=-1, grouped=True, robust=False)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(3, 14),
    m=st.integers(1, 8),
    target=st.sampled_from(["regression", "binary", "multiclass"]),
    missing=st.sampled_from([0.0, 0.1, 0.6]),
    lowest=st.sampled_from([0, -1]),
    grouped=st.booleans(),
    robust=st.booleans(),
)
def test_no_small_table_breaks_it(seed, n, m, target, missing, lowest, grouped, robust):
    rng = np.random.default_rng(seed)
    A = rng.integers(lowest, 2, size=(n, m)).astype(float)
    A[rng.random((n, m)) < missing] = np.nan
    A[:3, 0] = [0, 1, 0]
    y = np.append([0, 1, 2], rng.integers(0, 3, size=n - 3)) if target != "binary" else np.arange(n) % 2
    groups = np.append([0, 1, 2], rng.integers(0, 4, size=n - 3)) if grouped else None
    result = evaluate_hypotheses(A, y, task=target, correction="fdr_bh", groups=groups, robust=robust)
    table = result.table
    assert len(table) == m * (3 if target == "multiclass" else 1)
    for column in ("separation_pvalue", "regression_pvalue"):
        assert table[column].dropna().between(0, 1).all()
    for kind, estimate in (("separation", "score"), ("regression", "coef")):
        low, high, value = table[f"{kind}_ci_low"], table[f"{kind}_ci_high"], table[f"{kind}_{estimate}"]
        assert (low.isna() == table[f"{kind}_pvalue"].isna()).all()
        assert (low.isna() | ((low <= value + 1e-9) & (value <= high + 1e-9))).all()
    untested = table["regression_coef"].isna()
    assert table["regression_pvalue"][untested].isna().all()
    if not grouped and not robust:
        assert table["regression_pvalue"][~untested].notna().all()
    assert not table["significant"][table["pvalue"].isna()].any()
    assert (table["separation_pvalue"].isna() | table["pvalue"].notna()).all()
    assert not table["significant_jointly"][table["regression_pvalue"].isna()].any()
    assert not np.isinf(table[STATISTICS].to_numpy()).any()
    assert table["prevalence"].dropna().between(0, 1).all()
    assert all(len(line) <= 100 for line in str(result).splitlines()[1:] if not line.startswith("Note"))


def _arguments(annotations, y, **options):
    return {"annotations": annotations, "y": y, **options}


# --- bad input ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "form", [lambda A: A == 1, lambda A: (A == 1).astype(object), lambda A: A.astype(int).astype(str)]
)
def test_answers_that_are_true_or_false_or_digits_are_numbers(clean, form):
    A, y = clean
    np.testing.assert_array_equal(
        evaluate_hypotheses(form(A), y).table.drop(columns="hypothesis"),
        evaluate_hypotheses(A, y).table.drop(columns="hypothesis"),
    )


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
        (
            lambda A, y: _arguments(np.where(A == 1, "yes", "no"), y),
            "found the text '(yes|no)' in row 0, column 0; pass 1",
        ),
        (lambda A, y: _arguments(pd.DataFrame(np.where(A == 1, "Yes", None)), y), "found the text 'Yes' in row"),
        (lambda A, y: _arguments(A * np.nan, y), "annotations has no answer"),
        (lambda A, y: _arguments(A, y, hypotheses=["one"]), "hypotheses has 1 sentence for 4 columns"),
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


def test_it_prints_within_100_columns_and_cuts_only_what_is_very_long(clean):
    A, y = clean
    names = ["mentions " + "very " * 150 + "long queues", "short", "has\na line break", "<b>bold</b>"]
    result = evaluate_hypotheses(A, y, hypotheses=names)
    lines = str(result).splitlines()
    assert repr(result) == str(result)
    assert lines[0] == "2 of 4 hypotheses significant, 2 jointly (bonferroni, alpha=0.05: p < 0.013)"
    assert re.fullmatch(r"R² 0\.\d{3} cross-fitted, 0\.\d{3} in-sample; 250 rows", lines[1])
    assert max(map(len, lines)) <= 100
    assert re.search(r"^ +[+-]\d\.\d\d\* +\d\d%  mentions very very", lines[3])
    wide = result.to_text(wide=True)
    assert re.search(r"^[+-]\d\.\d\d ±0\.\d\d +\de-\d\d\* .*\+ .*  mentions very very", wide, re.MULTILINE)
    place = lines[2].index("hypothesis")
    end = next(i for i, line in enumerate(lines) if line.startswith("separation: "))
    printed = [line[place:] for line in lines[3:end]]
    first = " ".join(printed[:-3])
    assert names[0] in " ".join(line[place:] for line in result.to_text(full=True, width=2000).splitlines())
    assert first.endswith("very …") or names[0] == first
    assert names[0].startswith(first.removesuffix(" …"))
    assert printed[-3:] == ["short", "has a line break", "<b>bold</b>"]
    page = result._repr_html_()
    assert "&lt;b&gt;bold&lt;/b&gt;" in page
    assert "<b>" not in page
    assert names[0] in page
    assert "<th>95% CI (separation)</th>" in page
    low, high = result.table.loc[0, ["regression_ci_low", "regression_ci_high"]]
    assert f"{low:+.3f} to {high:+.3f}" in page.replace("\u00a0", " ")


def test_many_classes_and_gaps_print_in_line():
    rng = np.random.default_rng(0)
    A = rng.integers(0, 2, size=(300, 3)).astype(float)
    A[:, 1] = 1
    A[:, 2] = np.nan
    labels = np.array(["Ramen\nand more", "Pizza", "Café", "Sushi bar"])[rng.integers(0, 4, size=300)]
    names = ["a hypothesis of " + 8 * "some length " + 40 * "x", "always", "no answer"]
    lines = evaluate_hypotheses(A, labels, hypotheses=names).to_text(wide=True).splitlines()
    (end,) = [i for i, line in enumerate(lines) if line.startswith("sep.:")]
    head, *rows = lines[3:end]
    assert re.split(r"\s{2,}", head.strip()) == ["Café", "Pizza", "Ramen and more", "Sushi bar", "holds", "hypothesis"]
    place = head.index("hypothesis")
    assert max(map(len, rows)) <= max(100, place + 30)
    assert " ".join(row[place:] for row in rows).count("some length") == 8
    (gaps,) = [row[:place].split() for row in rows if row.endswith("always")]
    assert gaps == ["sep.", "-", "-", "-", "-", "100%"]
    assert all(len(row) <= place or row[place - 1] == " " != row[place] for row in rows)


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


def test_a_margin_is_the_longer_side_of_an_uneven_interval():
    holds, positive = np.arange(72) < 12, np.arange(72) < 13
    evaluation = evaluate_hypotheses(holds[:, None].astype(float), positive)
    low, high = evaluation.table.loc[0, ["separation_ci_low", "separation_ci_high"]] * 100
    assert (low, high) == pytest.approx((73.0, 99.7), abs=0.1)
    assert "±25 (95%)" in " ".join(repr(evaluation).split())
    assert "+98 ±25" in evaluation.to_text(wide=True)
