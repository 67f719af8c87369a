"""Effects beyond controls, with weights, in subgroups and over time."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from sklearn_sae import evaluate_hypotheses
from sklearn_sae.evaluation._regression import fit_least_squares, fit_logistic

N = 400


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "age": rng.normal(size=N),
            "topic": rng.choice(["a", "b", "c"], size=N),
            "author": [f"author {i}" for i in rng.integers(0, 40, size=N)],
        }
    )
    A = (rng.random((N, 3)) < 0.4).astype(float)
    A[:, 1] = frame["age"] + rng.normal(size=N) > 0
    y = A[:, 0] + frame["age"] + (frame["topic"] == "b") + rng.normal(size=N)
    return A, y.to_numpy(), frame, rng.gamma(2, size=N)


def dummies(frame):
    parts = [frame[["age"]], *(pd.get_dummies(frame[name], drop_first=True) for name in ("topic", "author"))]
    return pd.concat(parts, axis=1).to_numpy(dtype=float)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("binary", [False, True])
def test_the_controlled_effect_is_that_of_least_squares_on_dummies(data, weighted, binary):
    A, y, frame, w = data
    y, w = (y > 0 if binary else y), (w if weighted else np.ones(N))
    table = evaluate_hypotheses(A, y, controls=frame, sample_weight=w if weighted else None).table
    for j, row in table.iterrows():
        X = sm.add_constant(np.column_stack([A[:, j], dummies(frame)]))
        theirs = sm.WLS(y.astype(float), X, weights=w / w.mean()).fit(cov_type="HC3")
        assert row["controlled_score"] == pytest.approx(theirs.params[1], rel=1e-6)
        margin = (row["controlled_ci_high"] - row["controlled_ci_low"]) / 2
        assert margin == pytest.approx(1.97 * theirs.bse[1], rel=0.01)  # of Student's t
        raw = sm.WLS(y.astype(float), sm.add_constant(A[:, j]), weights=w).fit()
        assert row["separation_score"] == pytest.approx(raw.params[1], rel=1e-6)


def test_errors_beyond_controls_are_clustered(data):
    A, y, frame, w = data
    groups = np.random.default_rng(1).integers(0, 80, size=N)
    controls = frame[["age", "topic"]]
    table = evaluate_hypotheses(A, y, controls=controls, sample_weight=w, groups=groups).table
    X = sm.add_constant(np.column_stack([A[:, 0], frame["age"], frame["topic"] == "b", frame["topic"] == "c"]))
    theirs = sm.WLS(y, X.astype(float), weights=w).fit(cov_type="cluster", cov_kwds={"groups": groups})
    margin = (table["controlled_ci_high"] - table["controlled_ci_low"])[0] / 2
    assert margin == pytest.approx(2.0 * theirs.bse[1], rel=0.02)


def test_effects_of_controls_are_taken_out_and_shown_beside_the_raw_ones(data):
    A, y, frame, _ = data
    evaluation = evaluate_hypotheses(A, y, controls=frame)
    assert evaluation.table["significant"].tolist() == [True, True, False]
    assert evaluation.table["significant_controlled"].tolist() == [True, False, False]
    assert evaluation.controls == ("age", "topic", "author")
    text = str(evaluation)
    assert "1 significant beyond age, topic and author" in text
    assert "controlled" in text
    plain = evaluate_hypotheses(A, y)
    assert not [name for name in plain.table if "controlled" in name]
    assert "controlled" not in str(plain)
    pd.testing.assert_frame_equal(plain.table, evaluation.table[plain.table.columns])


def test_a_control_that_is_the_annotation_leaves_nothing(data):
    A, y, _, _ = data
    evaluation = evaluate_hypotheses(A, y, controls=A[:, [0]], hypotheses=["one", "two", "three"])
    assert np.isnan(evaluation.table["controlled_score"][0])
    assert not evaluation.table["significant_controlled"][0]
    assert "The controls leave nothing of the annotation: 'one'." in evaluation.notes


def test_missing_answers_drop_the_row_for_that_hypothesis_only(data):
    A, y, frame, w = data
    A[::7, 0] = np.nan
    kept = ~np.isnan(A[:, 0])
    whole = evaluate_hypotheses(A, y, controls=frame[["age", "topic"]], sample_weight=w).table
    part = evaluate_hypotheses(A[kept], y[kept], controls=frame[["age", "topic"]][kept], sample_weight=w[kept]).table
    for name in ("controlled_score", "controlled_pvalue", "separation_score"):
        assert whole[name][0] == pytest.approx(part[name][0], rel=1e-9)


@pytest.mark.parametrize("task", ["regression", "binary", "multiclass"])
def test_a_row_of_weight_zero_is_no_row(data, task):
    A, y, frame, w = data
    y = {"regression": y, "binary": y > 0, "multiclass": np.array(["a", "b", "c"])[np.digitize(y, [0, 1])]}[task]
    w = np.where(np.arange(N) % 5 == 0, 0, w)
    options = {"groups": np.arange(N) // 4}
    one = evaluate_hypotheses(A, y, sample_weight=w, controls=frame["age"], **options)
    kept = w > 0
    options = {"groups": options["groups"][kept]}
    other = evaluate_hypotheses(A[kept], y[kept], sample_weight=7 * w[kept], controls=frame["age"][kept], **options)
    pd.testing.assert_frame_equal(one.table, other.table)
    assert one.metrics == pytest.approx(other.metrics)


def test_equal_weights_change_no_estimate(data):
    A, y, _, _ = data
    for target in (y, y > 0):
        one, other = evaluate_hypotheses(A, target, robust=True), evaluate_hypotheses(A, target, sample_weight=[3] * N)
        for name in ("separation_score", "regression_coef", "regression_se", "regression_pvalue", "prevalence"):
            np.testing.assert_allclose(one.table[name], other.table[name], rtol=1e-5)
        np.testing.assert_allclose(one.table["pvalue"], other.table["pvalue"], rtol=0.05)
        assert other.metrics["n_effective"] == N


def test_the_weighted_joint_regression_is_that_of_statsmodels(data):
    A, y, _, w = data
    w = w / w.mean()
    ours, theirs = fit_least_squares(A, y, weights=w), sm.WLS(y, sm.add_constant(A), weights=w).fit(cov_type="HC3")
    np.testing.assert_allclose(ours.coef, theirs.params[1:], rtol=1e-8)
    np.testing.assert_allclose(ours.se, theirs.bse[1:], rtol=1e-8)
    y = (y > 0).astype(float)
    groups = np.arange(N) // 4
    ours = fit_logistic(A, y, weights=w, groups=groups)
    theirs = sm.GLM(y, sm.add_constant(A), family=sm.families.Binomial(), freq_weights=w)
    theirs = theirs.fit(cov_type="cluster", cov_kwds={"groups": groups})
    np.testing.assert_allclose(ours.coef, theirs.params[1:], rtol=1e-6)
    np.testing.assert_allclose(ours.se, theirs.bse[1:], rtol=0.03)


def test_a_missing_answer_counts_as_the_weighted_mean_of_the_others(data):
    A, y, _, w = data
    A[::7, 0] = np.nan
    given = ~np.isnan(A[:, 0])
    filled = np.where(np.isnan(A), np.average(A[given, 0], weights=w[given]), A)
    theirs = sm.WLS(y, sm.add_constant(filled), weights=w).fit()
    ours = evaluate_hypotheses(A, y, sample_weight=w).table["regression_coef"]
    np.testing.assert_allclose(ours, theirs.params[1:], rtol=1e-8)


def test_weighted_classes_that_are_separated_have_no_log_odds(data):
    A, _, _, w = data
    evaluation = evaluate_hypotheses(A, A[:, 0], sample_weight=w)
    assert evaluation.table["regression_pvalue"].isna().all()
    assert any("the weighted regression has no finite log-odds" in note for note in evaluation.notes)
    assert evaluation.table["significant"][0]


def test_effects_by_subgroup(data):
    A, y, frame, _ = data
    y = y + np.where(frame["topic"] == "b", -3, 0) * A[:, 0]
    evaluation = evaluate_hypotheses(A, y, by=frame["topic"], controls=frame["age"])
    by, table = evaluation.by, evaluation.table
    assert list(by.columns[:3]) == ["hypothesis", "topic", "n_samples"]
    assert by["topic"].tolist() == ["a", "b", "c"] * 3
    for _, row in by[:3].iterrows():
        rows = frame["topic"] == row["topic"]
        alone = evaluate_hypotheses(A[rows], y[rows], controls=frame["age"][rows]).table
        assert row["effect"] == pytest.approx(alone["controlled_score"][0])
        assert row["pvalue"] == pytest.approx(alone["controlled_pvalue"][0])
        assert row["prevalence_ci_low"] < row["prevalence"] < row["prevalence_ci_high"]
    assert table["significant_interaction"].tolist() == [True, False, False]
    assert table["sign_turns"].tolist() == [True, False, False]
    assert "By topic (3): the effect of 1 differs, 1 sign turns" in str(evaluation)


def test_a_multiclass_target_has_a_block_a_class_by_subgroup(data):
    A, y, frame, _ = data
    target = np.array(["lo", "mid", "hi"])[np.digitize(y, [0, 1])]
    evaluation = evaluate_hypotheses(A, target, by=frame["topic"].to_numpy())
    assert evaluation.by.groupby("class", sort=False).size().tolist() == [9, 9, 9]
    assert list(evaluation.by.columns[:3]) == ["class", "hypothesis", "subgroup"]
    assert len(evaluation.table) == 9


def test_trends_over_periods(data):
    A, y, frame, _ = data
    rng = np.random.default_rng(0)
    dates = pd.Series(pd.date_range("2020-01-01", periods=N, freq="D"), name="date")
    years = np.arange(N) / N
    A[:, 2] = rng.random(N) < 0.2 + 0.6 * years
    y = y + 3 * years * A[:, 0]
    evaluation = evaluate_hypotheses(A, y, by=dates.dt.to_period("M"), controls=frame["age"])
    table = evaluation.table
    assert table["significant_effect_trend"].tolist() == [True, False, False]
    assert table["significant_prevalence_trend"].tolist() == [False, False, True]
    assert table["effect_trend"][0] == pytest.approx(3 * 30.4 / N, abs=0.1)
    assert table["prevalence_trend"][2] == pytest.approx(0.6 * 30.4 / N, abs=0.02)
    assert len(evaluation.by) == 3 * 14
    assert "a trend in the effect of 1, in the prevalence of 1" in " ".join(str(evaluation).split())


@pytest.mark.parametrize(
    ("by", "message"),
    [
        (pd.Series(pd.date_range("2020-01-01", periods=N)), r"by holds dates; pass periods, .*to_period"),
        (np.arange(N), "by has 400 values, too many"),
        ([f"{i // 40}.{i % 40}.{i % 3}" for i in range(N)], "by has 400 values, too many"),  # of an app
        (["a"] * N, "by has 1 value"),
        (["a"], "by must be one value a row"),
    ],
)
def test_a_bad_column_of_subgroups_gets_one_sentence(data, by, message):
    with pytest.raises(ValueError, match=message):
        evaluate_hypotheses(*data[:2], by=by)


@pytest.mark.parametrize(("n", "are"), [(50, "50 rows without topic are"), (1, "1 row without topic is")])
def test_rows_of_no_subgroup_are_left_out_and_said(data, n, are):
    A, y, frame, _ = data
    topic = frame["topic"].where(np.arange(N) >= n)
    evaluation = evaluate_hypotheses(A, y, by=topic)
    assert evaluation.by["n_samples"][:3].sum() == N - n
    assert f"{are} left out of what is by topic." in evaluation.notes


def test_authors_in_several_subgroups_are_heeded():
    """Each author is in both subgroups alike, so that the effects move together and their difference is sure."""
    rng = np.random.default_rng(0)
    author = np.repeat(np.arange(100), 4)
    holds, region = np.repeat(np.arange(100) % 2, 4), np.tile([0, 0, 1, 1], 100)
    y = rng.normal(size=100)[author] + 0.4 * holds * region + 0.3 * rng.normal(size=400)
    table = evaluate_hypotheses(holds[:, None], y, by=region, groups=author).table
    assert table["interaction_pvalue"][0] < 1e-6
    assert evaluate_hypotheses(holds[:, None], y, by=region).table["interaction_pvalue"][0] > 1e-3


@pytest.mark.parametrize("options", [{"controls": np.arange(N) % 7}, {"sample_weight": 1 + np.arange(N) % 3}])
def test_a_side_of_one_group_has_no_t_test(options):
    author = np.arange(N) // 10
    y = np.random.default_rng(0).normal(size=N // 10)[author]
    row = evaluate_hypotheses((author[:, None] == 0).astype(float), y, groups=author, **options).table.iloc[0]
    kind = "controlled" if "controls" in options else "separation"
    assert np.isfinite(row[f"{kind}_score"])
    assert row[[f"{kind}_ci_low", f"{kind}_ci_high", "separation_pvalue"]].isna().all()
    assert row["controlled_pvalue" if "controls" in options else "pvalue"] > 0.02  # that of the permutation


def test_numbers_in_a_column_of_objects_are_numbers(data):
    A, y, frame, _ = data
    numbers = frame["age"].where(np.arange(N) >= 5)
    objects = numbers.astype(object)
    one, other = (evaluate_hypotheses(A, y, controls=each) for each in (numbers, objects))
    pd.testing.assert_frame_equal(one.table, other.table)


def test_subgroups_of_true_and_false_are_in_order(data):
    A, y, _, _ = data
    assert evaluate_hypotheses(A, y, by=np.arange(N) % 2 == 0).by["subgroup"].tolist() == [False, True] * 3


def test_a_prevalence_of_none_is_as_sure_as_its_rows_are_worth():
    """The interval is Wilson's for so many rows of equal weight."""
    rng = np.random.default_rng(0)
    weights, half = rng.gamma(0.5, size=N), np.arange(N) % 2
    A = (half & (rng.random(N) < 0.4)).astype(float)[:, None]
    by = evaluate_hypotheses(A, rng.normal(size=N), by=half, sample_weight=weights).by
    w = weights[half == 0]
    worth = w.sum() ** 2 / (w**2).sum()
    assert by["prevalence"][0] == 0
    assert by["prevalence_ci_high"][0] == pytest.approx(1.959964**2 / (worth + 1.959964**2))


@pytest.mark.slow
@pytest.mark.parametrize("binary", [False, True])
def test_few_of_those_called_significant_beyond_a_confounder_are_false(binary):
    rng, n_false, n_called, n_raw = np.random.default_rng(0), 0, 0, 0
    for _ in range(30):
        length, topic = rng.gamma(2, size=N), rng.integers(0, 25, size=N)
        of_topic = rng.normal(size=25)[topic]
        latent = rng.normal(size=(N, 8))
        latent[:, 2:5] += length[:, None]
        latent[:, 5:] += of_topic[:, None]
        A = (latent > 0.7).astype(float)
        y = A[:, :2].sum(axis=1) + length + of_topic + rng.normal(size=N)
        y = y > np.median(y) if binary else y
        controls = pd.DataFrame({"length": length, "topic": [f"topic {i}" for i in topic]})
        if binary:  # A share bends where it nears 0 or 1, so that a straight line does not take the length out.
            controls["range"] = pd.qcut(length, 10)
        table = evaluate_hypotheses(A, y, controls=controls).table
        n_called += table["significant_controlled"].sum()
        n_false += table["significant_controlled"][2:].sum()
        n_raw += table["significant"][2:].sum()
    assert n_called - n_false >= 45
    assert n_false <= 0.05 * n_called
    assert n_raw >= 60


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["rows", "groups", "weights", "classes"])
def test_effects_that_differ_are_found_and_those_that_do_not_are_not_called(kind):
    rng, found, false = np.random.default_rng(1), 0, 0
    for _ in range(40):
        A, half = (rng.random((N, 6)) < 0.4).astype(float), rng.integers(0, 2, size=N)
        groups = np.arange(N) // 4 if kind == "groups" else None
        noise = rng.normal(size=N) if groups is None else (rng.normal(size=N // 4)[groups] + rng.normal(size=N)) / 1.41
        options = {"by": half, "groups": groups, "sample_weight": rng.gamma(2, size=N) if kind == "weights" else None}
        for effect in (0.0, 0.9):
            y = effect * A[:, 0] * np.where(half, 1, -1) + noise
            table = evaluate_hypotheses(A, y > 0 if kind == "classes" else y, **options).table
            found += effect > 0 and table["significant_interaction"][0]
            false += effect == 0 and table["significant_interaction"].any()
    assert found >= 36
    assert false <= 5


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["plain", "controls", "weights", "controls and weights"])
def test_five_percent_of_null_hypotheses_on_clusters_are_called_at_five_percent(kind):
    rng, pvalues = np.random.default_rng(2), []
    for _ in range(60):
        author = np.arange(N) // 10
        A = rng.normal(size=(N // 10, 5))[author] + rng.normal(size=(N, 5)) > 0.6
        age = rng.normal(size=N // 10)[author]
        y = rng.normal(size=N // 10)[author] + rng.normal(size=N) + age
        options = {"controls": age if "controls" in kind else None}
        options["sample_weight"] = rng.gamma(2, size=N // 10)[author] if "weights" in kind else None
        table = evaluate_hypotheses(A.astype(float), y, groups=author, **options).table
        pvalues += table["controlled_pvalue" if "controls" in kind else "pvalue"].tolist()
    assert np.mean(np.array(pvalues) < 0.05) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 300)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["rare", "skewed", "many levels"])
def test_null_pvalues_beyond_controls_and_with_weights_are_not_too_small(kind):
    rng, pvalues = np.random.default_rng(3), []
    for _ in range(100):
        A = (rng.random((N, 4)) < (0.05 if kind == "rare" else 0.4)).astype(float)
        y = rng.exponential(size=N) ** 2 if kind == "skewed" else rng.normal(size=N)
        y = rng.random(N) < 0.1 if kind == "rare" else y
        controls = [f"level {i}" for i in rng.integers(0, 100, size=N)] if kind == "many levels" else rng.normal(size=N)
        weights = None if kind == "many levels" else rng.gamma(2, size=N)
        table = evaluate_hypotheses(A, y, controls=pd.Series(controls), sample_weight=weights).table
        pvalues += [*table["controlled_pvalue"], *(table["pvalue"] if weights is not None else [])]
    pvalues = np.array(pvalues)
    for level in (0.05, 0.01):
        assert np.mean(pvalues < level) <= level + 3 * np.sqrt(level * (1 - level) / 400)


def test_notes_say_what_effects_are_beyond():
    rng = np.random.default_rng(0)
    A, p, age = np.zeros((200, 1)), rng.normal(size=200), rng.normal(size=200)
    A[:5] = 1  # fewer than a t-test needs
    y = p + A[:, 0] + rng.normal(size=200)
    for given, beyond in (
        ({"offset": p}, "the predictions"),
        ({"offset": pd.Series(p, name="mine")}, "the predictions in 'mine'"),
        ({"controls": age}, "the controls"),
        ({"controls": age, "offset": p}, "the controls and the predictions"),
    ):
        notes = evaluate_hypotheses(A, y, **given).notes
        assert any(note.startswith(f"Beyond {beyond} only the permutation test counts") for note in notes)
