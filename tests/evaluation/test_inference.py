"""Standard errors, intervals and effect sizes: against statsmodels and SciPy, and by simulation."""

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.optimize import brentq
from scipy.stats import chi2, kstest, t, ttest_ind
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_effectsize

from sklearn_sae import evaluate_hypotheses
from sklearn_sae.evaluation._permutation import partial_permutation_pvalues, permutation_pvalue
from sklearn_sae.evaluation._regression import fit_firth, fit_least_squares, fit_logistic
from sklearn_sae.evaluation._separation import separation


def clustered(rng, n_groups=40, n_rows=10, effect=0.0):
    """Rows whose annotations and targets both go with the group."""
    groups = np.repeat(np.arange(n_groups), n_rows)
    share = rng.beta(0.4, 0.6, size=n_groups)[groups]
    A = (rng.random((len(groups), 2)) < np.c_[share, np.full(len(groups), 0.4)]).astype(float)
    y = effect * A[:, 0] + rng.normal(size=n_groups)[groups] + rng.normal(size=len(groups))
    return A, y, groups


@pytest.fixture
def data():
    return clustered(np.random.default_rng(0), effect=0.8)


OPTIONS = [
    ({}, {}),
    ({"robust": True}, {"cov_type": "HC3"}),
    ({"groups": True}, {"cov_type": "cluster"}),
    ({"groups": True, "robust": True}, {"cov_type": "cluster"}),
]


@pytest.mark.parametrize(("options", "theirs"), OPTIONS)
@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_least_squares_has_the_errors_of_statsmodels(data, options, theirs, confidence):
    A, y, groups = data
    if "groups" in options:
        options = {**options, "groups": groups}
        theirs = {**theirs, "cov_kwds": {"groups": groups}}
    fit = sm.OLS(y, sm.add_constant(A)).fit(use_t=True, **theirs)
    table = evaluate_hypotheses(A, y, confidence=confidence, **options).table
    np.testing.assert_allclose(table["regression_coef"], fit.params[1:])
    # Groups count for as many as they are worth to a coefficient, here nearly all.
    near = {"rtol": 2e-3} if "groups" in options else {}
    np.testing.assert_allclose(table["regression_se"], fit.bse[1:], **near)
    np.testing.assert_allclose(table["regression_pvalue"], fit.pvalues[1:], rtol=0.15 if near else 1e-6)
    low_high = table[["regression_ci_low", "regression_ci_high"]]
    np.testing.assert_allclose(low_high, fit.conf_int(1 - confidence)[1:], **({"rtol": 0.01} if near else {}))


@pytest.mark.parametrize(("options", "theirs"), OPTIONS)
def test_logistic_has_the_errors_of_its_last_weighted_least_squares(data, options, theirs):
    # At the maximum, logistic regression is weighted least squares of a working target, whose HC3 statsmodels has.
    A, y, groups = data
    y = (y > 0.5).astype(float)
    X = sm.add_constant(A)
    logit = sm.Logit(y, X).fit(disp=0)
    p = logit.predict()
    working = X @ logit.params + (y - p) / (p * (1 - p))
    if "groups" in options:
        options = {**options, "groups": groups}
        theirs = {**theirs, "cov_kwds": {"groups": groups}}
    wls = sm.WLS(working, X, weights=p * (1 - p)).fit(use_t="groups" in options, **theirs)
    se = wls.bse[1:] if theirs else logit.bse[1:]
    table = evaluate_hypotheses(A, y, **options).table
    np.testing.assert_allclose(table["regression_coef"], logit.params[1:])
    near = 2e-3 if "groups" in options else 1e-5  # groups count for as many as they are worth, here nearly all
    np.testing.assert_allclose(table["regression_se"], se, rtol=near)
    df = 39 if "groups" in options else np.inf
    expected = 2 * t.sf(np.abs(logit.params[1:]) / se, df)
    np.testing.assert_allclose(table["regression_pvalue"], expected, rtol=0.05 if "groups" in options else 1e-4)
    np.testing.assert_allclose(table["regression_ci_high"], logit.params[1:] + t.ppf(0.975, df) * se, rtol=5 * near)
    if "groups" in options:
        clustered_logit = sm.Logit(y, X).fit(disp=0, cov_type="cluster", cov_kwds={"groups": groups})
        np.testing.assert_allclose(table["regression_se"], clustered_logit.bse[1:], rtol=near)


def test_firth_intervals_are_where_the_likelihood_ratio_test_stops_rejecting():
    rng = np.random.default_rng(0)
    A = (rng.random((120, 2)) < [0.1, 0.5]).astype(float)
    y = (rng.random(120) < 0.4 + 0.2 * A[:, 1]).astype(float)
    y[A[:, 0] == 1] = 1
    fit = fit_logistic(A, y, confidence=0.9)
    X = np.column_stack([np.ones(120), A])
    coef, best = fit_firth(X, y)
    np.testing.assert_allclose(fit.coef, coef[1:], atol=1e-6)
    for j in (1, 2):
        free = np.arange(3) != j

        def excess(value, free=free):
            return 2 * (best - fit_firth(X, y, free, fixed=value)[1]) - chi2.isf(0.1, 1)

        assert fit.low[j - 1] == pytest.approx(brentq(excess, coef[j] - 12, coef[j]), abs=0.01)
        assert fit.high[j - 1] == pytest.approx(brentq(excess, coef[j], coef[j] + 12), abs=0.01)


def test_firth_intervals_leave_zero_out_exactly_where_the_test_rejects():
    for seed in range(15):
        rng = np.random.default_rng(seed)
        A = (rng.random((80, 3)) < [0.08, 0.5, 0.3]).astype(float)
        y = rng.integers(0, 2, size=80).astype(float)
        y[A[:, 0] == 1] = 0
        fit = fit_logistic(A, y)
        assert fit.penalized
        np.testing.assert_array_equal((fit.low > 0) | (fit.high < 0), fit.pvalues < 0.05)
        assert ((fit.low < fit.coef) & (fit.coef < fit.high)).all()


def test_rows_in_groups_have_no_test_for_what_goes_with_one_class_only(data):
    A, y, groups = data
    y = y > 0.3
    rare = ((np.arange(400) % 37 == 0) & y).astype(float)
    result = evaluate_hypotheses(np.column_stack([A, rare]), y, groups=groups)
    assert np.isfinite(result.table["regression_coef"]).all()
    assert result.table["regression_pvalue"].isna().tolist() == [False, False, True]
    assert result.table["regression_ci_low"].isna().tolist() == [False, False, True]
    assert not result.table["significant_jointly"][2]
    kept = rare == 0  # for the others, it is as if its rows were not there
    without = evaluate_hypotheses(A[kept], y[kept], groups=groups[kept]).table
    np.testing.assert_allclose(result.table["regression_se"][:2], without["regression_se"], rtol=0.02)
    (note,) = [note for note in result.notes if "Firth" in note]
    assert note.endswith("what goes with one class only: 'hypothesis 2'.")


def test_rows_in_groups_have_no_test_where_hypotheses_separate_together(data):
    groups = data[2]
    soft = np.random.default_rng(0).random((400, 2))
    y = soft.sum(axis=1) > 1  # neither alone goes with a class
    rare = ((np.arange(400) % 31 == 0) & y).astype(float)
    for annotations in (soft, np.column_stack([soft, rare])):
        result = evaluate_hypotheses(annotations, y, groups=groups)
        assert result.table["regression_pvalue"].isna().all()
        (note,) = [note for note in result.notes if "Firth" in note]
        assert note.count("'hypothesis") == annotations.shape[1]


def test_robust_errors_do_not_change_firths_tests(data):
    A, y, _ = data
    A[:, 1] = y > 1.5
    plain, robust = evaluate_hypotheses(A, y > 1), evaluate_hypotheses(A, y > 1, robust=True)
    assert robust.notes[0].endswith("Firth's penalized one, its tests not the robust ones.")
    np.testing.assert_allclose(robust.table["regression_pvalue"], plain.table["regression_pvalue"])
    np.testing.assert_allclose(robust.table["regression_se"], plain.table["regression_se"])


def test_a_coefficient_of_a_single_row_has_no_robust_error():
    rng = np.random.default_rng(0)
    A = rng.integers(0, 2, size=(60, 2)).astype(float)
    single = (np.arange(60) == 7).astype(float)
    y = rng.normal(size=60)
    fit = fit_least_squares(np.column_stack([A, single]), y, robust=True)
    assert np.isnan(fit.se).tolist() == [False, False, True]
    assert np.isnan(fit.pvalues[2])
    rest = single == 0
    expected = sm.OLS(y[rest], sm.add_constant(A[rest])).fit(cov_type="HC3")
    np.testing.assert_allclose(fit.se[:2], expected.bse[1:])


# --- separation ---------------------------------------------------------------------------------------------------


def test_separation_has_the_interval_of_scipy_or_of_shares_newcombes(data):
    A, y, _ = data
    for values in (y, y > 0.5):
        table = evaluate_hypotheses(A, values, confidence=0.9).table
        for j in (0, 1):
            one, zero = (values[A[:, j] == side].astype(float) for side in (1, 0))
            test = ttest_ind(one, zero, equal_var=False)
            low, high = test.confidence_interval(0.9)
            if values.dtype == bool:
                np.testing.assert_allclose(
                    table.loc[j, ["separation_ci_low", "separation_ci_high"]], (low, high), atol=5e-3
                )
                counts = (one.sum(), len(one), zero.sum(), len(zero))
                low, high = confint_proportions_2indep(*counts, method="newcomb", alpha=0.1)
            assert table["separation_pvalue"][j] == pytest.approx(test.pvalue)
            assert table["separation_ci_low"][j] == pytest.approx(low)
            assert table["separation_ci_high"][j] == pytest.approx(high)


def test_separation_of_groups_is_the_clustered_regression_on_one_hypothesis(data):
    A, y, groups = data
    A[5, 0] = np.nan
    table = evaluate_hypotheses(A, y, groups=groups).table
    kept = ~np.isnan(A[:, 0])
    X = sm.add_constant(A[kept, 0])
    fit = sm.OLS(y[kept], X).fit(cov_type="cluster", cov_kwds={"groups": groups[kept]}, use_t=True)
    assert table["separation_score"][0] == pytest.approx(fit.params[1])
    assert table["separation_pvalue"][0] == pytest.approx(fit.pvalues[1], rel=0.2)  # groups are unevenly on the sides
    assert table.loc[0, ["separation_ci_low", "separation_ci_high"]].tolist() == pytest.approx(
        fit.conf_int()[1], rel=0.05
    )


def test_groups_of_one_row_are_no_groups(data):
    A, y, _ = data
    alone, grouped = (separation(A[:, 0], y, groups=groups) for groups in (None, np.arange(len(y))))
    assert grouped == pytest.approx(alone)


def test_interval_of_pairs_is_halved_with_the_score():
    rng = np.random.default_rng(0)
    a = rng.integers(-1, 2, size=300).astype(float)
    y = rng.normal(size=300) + a
    row = evaluate_hypotheses(a[:, None], y).table.loc[0]
    interval = ttest_ind(y[a == 1], y[a == -1], equal_var=False).confidence_interval()
    assert row["separation_ci_low"] == pytest.approx(interval.low / 2)
    assert row["separation_ci_high"] == pytest.approx(interval.high / 2)


def test_effect_sizes(data):
    A, y, _ = data
    one, zero = y[A[:, 0] == 1], y[A[:, 0] == 0]
    pooled = np.concatenate([one - one.mean(), zero - zero.mean()])
    d = (one.mean() - zero.mean()) / np.sqrt((pooled**2).sum() / (len(y) - 2))
    assert evaluate_hypotheses(A, y).table["effect_size"][0] == pytest.approx(d)
    assert evaluate_hypotheses(A, 1e9 * y).table["effect_size"][0] == pytest.approx(d)
    h = proportion_effectsize((one > 0.5).mean(), (zero > 0.5).mean())
    assert evaluate_hypotheses(A, y > 0.5).table["effect_size"][0] == pytest.approx(h)


# --- simulation ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [10, 20])
@pytest.mark.parametrize("rates", [(0.9, 0.1), (0.95, 0.9)])
def test_intervals_of_few_win_rates_cover_and_stay_within_all_and_none(n, rates):
    rng = np.random.default_rng(0)
    a = np.repeat([1.0, -1.0], n)  # the hypothesis holds for the first text, or for the second
    covered, truth = [], (rates[0] - rates[1]) / 2
    for _ in range(400):
        wins = (rng.random(2 * n) < np.repeat(rates, n)).astype(float)
        found = separation(a, wins, shares=True)
        assert -0.5 <= found.low < found.high <= 0.5
        covered.append(found.low <= truth <= found.high)
    assert np.mean(covered) > 0.93


@pytest.mark.parametrize("options", ["groups", "controls", "sample_weight", "by"])
def test_intervals_of_few_win_rates_stay_within_all_and_none(options):
    rng = np.random.default_rng(0)
    passed, a = 0, np.tile([1.0, 1.0, 0.0, 0.0, -1.0, -1.0], 4)
    for _ in range(20):
        wins = rng.random(24) < 0.5 + 0.45 * a
        given = {
            "groups": np.arange(24) // 2,
            "controls": rng.normal(size=24),
            "sample_weight": rng.uniform(0.5, 1.5, size=24),
            "by": np.tile(["a", "b"], 12),
        }
        found = evaluate_hypotheses(a[:, None], wins, **{options: given[options]})
        table = found.by if options == "by" else found.table
        what = {"controls": "controlled", "by": "effect"}.get(options, "separation")
        effects = table["effect" if options == "by" else f"{what}_score"].abs().clip(lower=0.5)
        low, high = table[f"{what}_ci_low"], table[f"{what}_ci_high"]
        assert not ((low < -effects) | (high > effects)).any()
        passed += (np.abs([low, high]) == 0.5).any()
    assert passed  # the test would go beyond


def test_clustered_intervals_cover_where_the_plain_ones_fail():
    rng = np.random.default_rng(0)
    covered = {key: [] for key in ("plain separation", "separation", "plain coef", "coef")}
    for _ in range(300):
        A, y, groups = clustered(rng, effect=0.5)
        for key, chosen in (("plain ", None), ("", groups)):
            alone = separation(A[:, 0], y, groups=chosen)
            joint = fit_least_squares(A, y, groups=chosen)
            covered[f"{key}separation"].append(alone.low < 0.5 < alone.high)
            covered[f"{key}coef"].append(joint.low[0] < 0.5 < joint.high[0])
    share = {key: np.mean(values) for key, values in covered.items()}
    assert share["plain separation"] < 0.8
    assert share["plain coef"] < 0.8
    assert 0.91 < share["separation"] < 0.98
    assert 0.91 < share["coef"] < 0.98


def test_clustered_log_odds_cover_where_the_plain_ones_fail():
    rng = np.random.default_rng(0)
    plain, heeded = [], []
    for _ in range(200):
        A, y, groups = clustered(rng)
        y = (y + rng.normal(size=len(y)) > 0).astype(float)  # the first hypothesis has no effect
        for pvalues, chosen in ((plain, None), (heeded, groups)):
            pvalues.append(fit_logistic(A, y, groups=chosen).pvalues[0])
    assert np.mean(np.array(plain) < 0.05) > 0.12
    assert np.mean(np.array(heeded) < 0.05) < 0.09


def test_robust_intervals_cover_where_the_scatter_differs():
    rng = np.random.default_rng(0)
    covered = {False: [], True: []}
    for _ in range(400):
        A = (rng.random((120, 2)) < [0.15, 0.5]).astype(float)
        y = A[:, 0] + rng.normal(size=120) * (1 + 3 * A[:, 0])
        for robust in covered:
            fit = fit_least_squares(A, y, robust=robust)
            covered[robust].append(fit.low[0] < 1 < fit.high[0])
    assert np.mean(covered[False]) < 0.8
    assert 0.91 < np.mean(covered[True]) < 0.98


def test_firth_intervals_cover_a_rare_hypothesis():
    rng = np.random.default_rng(0)
    covered = []
    while len(covered) < 100:
        a = (rng.random(150) < 0.05).astype(float)
        y = (rng.random(150) < 1 / (1 + np.exp(-1.5 * a))).astype(float)
        if np.ptp(a):
            fit = fit_logistic(a[:, None], y)
            covered.append(fit.low[0] < 1.5 < fit.high[0])
    assert np.mean(covered) > 0.9


@pytest.mark.parametrize("options", [{}, {"robust": True}, {"groups": True}])
@pytest.mark.parametrize("binary", [False, True])
def test_pvalues_are_uniform_under_the_null(options, binary):
    rng = np.random.default_rng(1)
    pvalues = []
    for _ in range(250):
        A = (rng.random((400, 2)) < 0.4).astype(float)
        groups = rng.integers(0, 100, size=400)
        y = rng.normal(size=400) + rng.normal(size=100)[groups] * bool("groups" in options)
        y = (y > 0).astype(float) if binary else y
        chosen = {"groups": groups} if "groups" in options else options
        joint = (fit_logistic if binary else fit_least_squares)(A, y, **chosen).pvalues[0]
        pvalues.append([joint, separation(A[:, 1], y, groups=chosen.get("groups")).pvalue])
    for column in np.transpose(pvalues):
        assert kstest(column, "uniform").pvalue > 0.01


# --- groups -------------------------------------------------------------------------------------------------------


def test_few_groups_are_noted_and_one_is_no_test():
    rng = np.random.default_rng(0)
    groups = np.repeat(list("abcdefgh"), 25)
    A = np.column_stack([groups == "c", rng.random(200) < 0.5, (groups == "c") | (groups == "d")]).astype(float)
    y = rng.normal(size=200)
    result = evaluate_hypotheses(A, y, groups=groups, hypotheses=["one", "many", "two"])
    assert result.metrics["n_groups"] == 8
    assert result.notes[0] == "With 8 groups the p-values are approximate and tend to be too small."
    assert result.notes[1] == (
        "The p-values are not reliable, as the annotation varies in fewer than 10 groups: 'one', 'many', 'two'."
    )
    for column in ("separation_pvalue", "separation_ci_low", "regression_pvalue", "regression_ci_high"):
        assert result.table[column].isna().tolist() == [True, False, False]
    assert str(result).splitlines()[2] == "Standard errors: clustered by 8 groups"
    assert str(evaluate_hypotheses(A, y, robust=True)).splitlines()[2] == "Standard errors: HC3"


def test_a_row_without_an_answer_takes_its_group_along(data):
    A, y, groups = data
    labels = np.array([f"author {g}" for g in groups], dtype=object)
    A[groups == 3] = np.nan
    result = evaluate_hypotheses(A, y, groups=labels)
    kept = groups != 3
    expected = evaluate_hypotheses(A[kept], y[kept], groups=labels[kept])
    assert result.metrics == expected.metrics
    assert result.metrics["n_groups"] == 39
    np.testing.assert_allclose(result.table["regression_se"], expected.table["regression_se"])


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ([1, 2, 3], r"groups must be one label a row: its shape is \(3,\) for 400 rows"),
        (np.ones((400, 2)), r"its shape is \(400, 2\)"),
        ("author", r"its shape is \(\)"),
        ([None] + ["a", "b", "c"] * 133, "groups has no label in row 0"),
        (["a"] * 400, "groups has one label in all rows"),
    ],
)
def test_bad_groups_get_one_sentence(data, groups, message):
    A, y, _ = data
    with pytest.raises(ValueError, match=message):
        evaluate_hypotheses(A, y, groups=groups)


# --- a hypothesis on its own --------------------------------------------------------------------------------------


def test_the_permutation_test_has_the_pvalue_of_many_permutations():
    rng = np.random.default_rng(0)
    for y in (rng.normal(size=60), rng.exponential(size=60), (rng.random(60) < 0.2).astype(float)):
        first = rng.random(60) < 0.3
        scores = [abs(v[first].mean() - v[~first].mean()) for v in [y, *(rng.permutation(y) for _ in range(4000))]]
        expected = np.mean(np.array(scores[1:]) >= scores[0] - 1e-9)
        assert permutation_pvalue(first, ~first, y) == pytest.approx(expected, abs=0.15 if set(y) == {0, 1} else 0.05)


@pytest.mark.parametrize("target", ["skewed", "rare class"])
@pytest.mark.parametrize("n_rows", [1, 5])
def test_false_hypotheses_hold_on_their_own_no_more_often_than_they_may(target, n_rows):
    """Five of a hundred units hold; by the t-test alone up to a third of the rare class's are below 0.01."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(100), n_rows)
    pvalues, of_t = [], []
    for _ in range(600):
        a = (rng.permutation(100) < 5).astype(float)[groups]
        y = (rng.exponential(size=100) if target == "skewed" else (rng.random(100) < 0.1).astype(float))[groups]
        alone = separation(a, y, groups=groups if n_rows > 1 else None)
        pvalues.append(alone.own_pvalue)
        of_t.append(alone.pvalue)
    for limit in (0.05, 0.01):
        assert np.mean(np.array(pvalues) < limit) < 1.8 * limit
    assert target == "rare class" or np.mean(np.array(of_t) < 0.01) > 0.02


@pytest.mark.parametrize("n_rows", [1, 5])
def test_false_hypotheses_add_to_others_no_more_often_than_they_may(n_rows):
    """The target is skewed, and the second of two hypotheses holds in a few units and adds nothing."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(100), n_rows)
    called = {"joint_pvalue": 0}
    for _ in range(300):
        A = np.column_stack([rng.random(100) < 0.4, rng.permutation(100) < 6]).astype(float)[groups]
        y = A[:, 0] + rng.exponential(size=100)[groups]
        table = evaluate_hypotheses(A, y, groups=groups if n_rows > 1 else None).table
        for column in called:
            called[column] += table[column][1] < 0.01
    assert called["joint_pvalue"] <= 8


def test_the_partial_permutation_test_finds_what_a_hypothesis_adds():
    rng = np.random.default_rng(0)
    A = (rng.random((200, 3)) < 0.4).astype(float)
    A[:, 1] = np.where(rng.random(200) < 0.9, A[:, 0], A[:, 1])
    y = A[:, 0] + rng.normal(size=200)
    pvalues = partial_permutation_pvalues(A, y)
    fit = fit_least_squares(A, y)
    np.testing.assert_allclose(pvalues, fit.pvalues, atol=0.05)
