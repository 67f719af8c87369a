import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array, csr_matrix
from scipy.stats import binomtest, false_discovery_control, hypergeom
from statsmodels.stats.proportion import confint_proportions_2indep

from sklearn_sae.analysis import diff_features, plot_diff_features


def plain(A, B, metric):
    """The difference of every feature as the dense computation has it."""
    first, second = (np.asarray(X) > 0 for X in (A, B))
    first, second = first.sum(axis=0) / len(first), second.sum(axis=0) / len(second)
    if metric == "absolute":
        return first - second
    larger = np.maximum(first, second)
    larger[larger == 0] = 1
    return first / larger - second / larger


def activations(seed, *sizes, n_features=8):
    rng = np.random.default_rng(seed)
    shares = rng.random(n_features) ** 2
    return [np.where(rng.random((size, n_features)) < shares, rng.random((size, n_features)), 0) for size in sizes]


@given(st.integers(0, 2**32 - 1), st.integers(2, 30), st.integers(2, 30))
@settings(max_examples=50)
def test_differences_are_exactly_those_of_the_dense_computation(seed, n, n_against):
    A, B = activations(seed, n, n_against)
    both = np.concatenate([A, B]) > 0
    varies = np.flatnonzero(both.any(axis=0) & ~both.all(axis=0))
    if not len(varies):
        return
    for forms in ((A, B), (csr_array(A), csr_matrix(B))):
        table = diff_features(*forms).sort_values("feature")
        assert table["feature"].tolist() == varies.tolist()
        assert (table["difference"] == plain(A, B, "absolute")[varies]).all()
        assert (table["relative_difference"] == plain(A, B, "relative")[varies]).all()


@given(st.integers(0, 2**32 - 1), st.integers(2, 40), st.integers(2, 40))
@settings(max_examples=30)
def test_pvalues_are_those_of_fishers_test(seed, n, n_against):
    A, B = activations(seed, n, n_against)
    try:
        table = diff_features(A, B)
    except ValueError:
        return
    for row in table.itertuples():
        k, total = (A[:, row.feature] > 0).sum(), (A[:, row.feature] > 0).sum() + (B[:, row.feature] > 0).sum()
        null = hypergeom(n + n_against, total, n)
        assert row.pvalue == pytest.approx(min(1, 2 * min(null.sf(k - 1), null.cdf(k))), rel=1e-7)
    np.testing.assert_allclose(table["pvalue_adjusted"], false_discovery_control(table["pvalue"]), rtol=1e-12)


def test_pvalues_hold_far_in_the_tail():
    A, B = np.zeros((100_000, 2)), np.zeros((100_000, 2))
    A[:400, 0], B[:40, 0], A[:50_000, 1], B[:49_000, 1] = 1, 1, 1, 1
    table = diff_features(csr_array(A), csr_array(B)).set_index("feature")
    for feature, k, total in ((0, 400, 440), (1, 50_000, 99_000)):
        terms = hypergeom.logpmf(np.arange(k, min(total, 100_000) + 1), 200_000, total, 100_000)
        assert np.log(table.loc[feature, "pvalue"]) == pytest.approx(np.log(2) + np.logaddexp.reduce(terms), rel=1e-6)


@given(st.integers(0, 60), st.integers(0, 60), st.sampled_from([0.8, 0.95, 0.99]))
@settings(max_examples=40, deadline=None)
def test_intervals_are_newcombes(k, k_against, confidence):
    A, B = np.zeros((60, 2)), np.zeros((80, 2))
    A[:k, 0], B[:k_against, 0], A[0, 1] = 1, 1, 1
    table = diff_features(A, B, confidence=confidence).set_index("feature")
    if 0 not in table.index:
        return
    expected = confint_proportions_2indep(k, 60, k_against, 80, method="newcomb", alpha=1 - confidence)
    np.testing.assert_allclose(table.loc[0, ["ci_low", "ci_high"]].astype(float), expected, atol=1e-10)


def from_counts(both, only_first, only_second, neither):
    cells = [(1, 1)] * both + [(1, 0)] * only_first + [(0, 1)] * only_second + [(0, 0)] * neither
    return (np.array(column)[:, None] for column in zip(*cells, strict=True))


@pytest.mark.parametrize(
    ("cells", "interval"),  # Newcombe (1998), Table III, method 10
    [
        ((36, 12, 2, 0), (0.0569, 0.3404)),
        ((20, 12, 2, 16), (0.0562, 0.3292)),
        ((18, 12, 2, 18), (0.0562, 0.3290)),
    ],
)
def test_paired_intervals_are_those_of_the_paper(cells, interval):
    table = diff_features(*from_counts(*cells), paired=True)
    np.testing.assert_allclose(table.loc[0, ["ci_low", "ci_high"]].astype(float), interval, atol=6e-4)
    assert table.loc[0, "pvalue"] == pytest.approx(binomtest(2, 14).pvalue)
    assert table.loc[0, "difference"] == pytest.approx(10 / sum(cells))


def test_pairing_finds_what_independent_groups_would_miss():
    rng = np.random.default_rng(0)
    first = rng.random((400, 1)) < 0.5
    second = first | (rng.random((400, 1)) < 0.1)
    paired, apart = (diff_features(first, second, paired=paired) for paired in (True, False))
    assert paired.loc[0, "pvalue"] < 0.01 < 0.05 < apart.loc[0, "pvalue"]
    width = [table.loc[0, "ci_high"] - table.loc[0, "ci_low"] for table in (paired, apart)]
    assert width[0] < 0.5 * width[1]


@pytest.mark.parametrize("paired", [False, True])
def test_intervals_cover_the_truth(paired):
    rng = np.random.default_rng(0)
    common = rng.random((80, 3000)) < 0.1  # features are replicates of one experiment
    A, B = (common * paired | (rng.random((80, 3000)) < share) for share in (0.2, 0.1))
    truth = 0.1 * (0.9 if paired else 1)
    table = diff_features(A, B, paired=paired)
    assert 0.94 < ((table["ci_low"] <= truth) & (truth <= table["ci_high"])).mean() < 0.985


@pytest.mark.parametrize("paired", [False, True])
def test_planted_differences_are_found_first_and_false_ones_are_rare(paired):
    false_share = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        shares = rng.beta(0.5, 10, size=2000) + 0.002
        other = shares.copy()
        other[:40] += 0.15
        table = diff_features(rng.random((500, 2000)) < other, rng.random((500, 2000)) < shares, paired=paired)
        found = table["feature"][table["significant"]]
        assert (table["feature"].head(25) < 40).all()
        assert (found < 40).sum() >= 35
        false_share.append((found >= 40).mean())
    assert np.mean(false_share) < 0.05


def test_nothing_is_found_where_there_is_no_difference():
    found = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        shares = rng.beta(0.5, 10, size=500)
        found += diff_features(rng.random((60, 500)) < shares, rng.random((200, 500)) < shares)["significant"].any()
    assert found <= 5  # 2 expected of 40 at alpha 0.05, were the tests not conservative


def test_the_significant_and_largest_come_first_by_either_metric():
    A, B = activations(3, 200, 300, n_features=50)
    for metric, column in (("absolute", "difference"), ("relative", "relative_difference")):
        table = diff_features(A, B, metric=metric)
        assert table["significant"].is_monotonic_decreasing
        for _, part in table.groupby("significant"):
            assert part[column].abs().is_monotonic_decreasing


def test_swapping_the_data_sets_turns_the_signs():
    A, B = activations(4, 50, 70)
    one, other = (diff_features(*order).sort_values("feature", ignore_index=True) for order in ((A, B), (B, A)))
    np.testing.assert_allclose(one["difference"], -other["difference"])
    np.testing.assert_allclose(one["ci_low"], -other["ci_high"])
    np.testing.assert_allclose(one["pvalue"], other["pvalue"], rtol=1e-9)


def test_several_data_sets_are_each_compared_with_the_rest():
    A, B, C = activations(5, 40, 60, 80)
    table = diff_features({"a": A, "b": B, "c": C})
    for name, one, rest in (("a", A, [B, C]), ("b", B, [A, C]), ("c", C, [A, B])):
        alone = diff_features(one, np.concatenate(rest)).sort_values("feature")
        part = table[table["data_set"] == name].sort_values("feature")
        assert set(part["against"]) == {"rest"}
        for column in ("feature", "frequency", "frequency_against", "difference", "ci_low", "ci_high", "pvalue"):
            assert (part[column].to_numpy() == alone[column].to_numpy()).all()
    np.testing.assert_allclose(table["pvalue_adjusted"], false_discovery_control(table["pvalue"]), rtol=1e-12)


def test_a_list_a_dict_and_groups_say_the_same():
    A, B, C = activations(6, 40, 60, 80)
    table = diff_features([A, B, C])
    pd.testing.assert_frame_equal(table, diff_features({"A": A, "B": B, "C": C}))
    groups = np.repeat(["B", "C", "A", None], [60, 80, 40, 10])
    X = np.concatenate([B, C, A, np.ones((10, 8))])  # rows without a label are left out
    pd.testing.assert_frame_equal(table, diff_features(csr_array(X), groups=groups))


@pytest.mark.parametrize("paired", [False, True])
def test_a_reference_is_what_the_others_are_compared_with(paired):
    A, B, C = activations(7, 60, 60, 60)
    table = diff_features({"a": A, "base": B, "c": C}, reference="base", paired=paired)
    assert set(zip(table["data_set"], table["against"], strict=True)) == {("a", "base"), ("c", "base")}
    alone = diff_features(C, B, paired=paired).set_index("feature")
    part = table[table["data_set"] == "c"].set_index("feature").loc[alone.index]
    assert (part["pvalue"] == alone["pvalue"]).all()
    assert (part["ci_low"] == alone["ci_low"]).all()


def test_coverage_bounds_are_of_all_documents_together():
    A, B = activations(8, 50, 150, n_features=60)
    coverage = (np.concatenate([A, B]) > 0).mean(axis=0)
    table = diff_features(A, B, min_coverage=0.1, max_coverage=0.5)
    assert sorted(table["feature"]) == np.flatnonzero((coverage >= 0.1) & (coverage <= 0.5)).tolist()
    np.testing.assert_allclose(table["pvalue_adjusted"], false_discovery_control(table["pvalue"]), rtol=1e-12)


def test_coverage_bounds_that_rounding_would_miss():
    A, B = np.zeros((50, 2)), np.zeros((50, 2))
    A[:7, 0], A[:29, 1] = 1, 1  # 0.07 * 100 is above 7, and 0.29 * 100 below 29
    table = diff_features(A, B, min_coverage=0.07, max_coverage=0.29)
    assert sorted(table["feature"]) == [0, 1]


def test_a_threshold_says_what_is_active():
    A, B = activations(9, 50, 50)
    low, high = diff_features(A, B), diff_features(csr_array(A), csr_array(B), threshold=0.5)
    pd.testing.assert_frame_equal(high, diff_features(np.where(A > 0.5, 1, 0), np.where(B > 0.5, 1, 0)))
    assert low["frequency"].max() > high["frequency"].max()


def test_labels_come_from_a_list_a_mapping_or_a_frame():
    A, B = [[1, 0, 1], [0, 1, 1]], [[1, 1, 0], [1, 0, 0]]
    names = ["x", "y", "z"]
    frames = [pd.DataFrame(X, columns=names) for X in (A, B)]
    tables = [diff_features(A, B, labels=names), diff_features(frames[0], B), diff_features(csr_array(A), frames[1])]
    for table in tables:
        assert [names[feature] for feature in table["feature"]] == table["label"].tolist()
    for missing in (None, float("nan"), pd.NA):
        assert set(diff_features(A, B, labels={1: "y", 2: missing})["label"]) == {"feature 0", "y", "feature 2"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"B": np.ones((3, 4))}, "3, 4 columns"),
        ({"B": None}, "one data set"),
        ({"A": [np.eye(3)], "B": None}, "two or more"),
        ({"groups": [1, 2, 2]}, "leave out B"),
        ({"B": None, "groups": [1, 2]}, "one label a row"),
        ({"B": None, "groups": [1, 1, 1]}, "two or more"),
        ({"B": None, "groups": [1, 2, 2], "paired": True}, "one matrix a data set"),
        ({"B": np.eye(4)[:, :3], "paired": True}, "as many rows; they have 3, 4"),
        ({"A": [np.eye(3)] * 3, "B": None, "paired": True}, "name one as the reference"),
        ({"A": {"a": np.eye(3)}}, "several data sets: leave out B"),
        ({"A": {"a": np.eye(3)}, "B": None, "groups": [1, 2, 2]}, "several data sets: leave out B and groups"),
        (
            {name: pd.DataFrame(np.eye(3), columns=list(order)) for name, order in {"A": "xyz", "B": "zyx"}.items()},
            "A and B have",
        ),
        ({"labels": {"0": "a"}}, "keys are column numbers"),
        ({"reference": "C"}, "none of the data sets 'A', 'B'"),
        ({"A": np.zeros((3, 3)), "B": np.zeros((3, 3))}, "No feature is left"),
        ({"min_coverage": 0.9}, "No feature is left"),
        ({"metric": "ratio"}, "metric"),
        ({"alpha": 1.0}, "alpha"),
        ({"B": [[np.nan, 0, 0]]}, "Input B contains NaN"),
        ({"B": [["a", "text", "here"]]}, "B holds texts"),
    ],
)
def test_bad_input_gets_a_sentence(options, message):
    with pytest.raises(ValueError, match=message):
        diff_features(**{"A": np.eye(3), "B": 1 - np.eye(3), **options})


def test_the_plots_show_the_features_that_come_first():
    pytest.importorskip("matplotlib").use("agg")
    A, B, C = activations(10, 90, 90, 90, n_features=30)
    table = diff_features(A, B)
    ax = plot_diff_features(table, n_features=5)
    ax.figure.canvas.draw()
    first = table.head(5).sort_values("difference", ascending=False)
    assert [label.get_text() for label in ax.get_yticklabels()] == first["label"].tolist()
    dots = ax.collections[1].get_offsets()
    assert sorted(dots[:, 0]) == pytest.approx(sorted(100 * first["difference"]))
    several = plot_diff_features(diff_features({"$^$": A, "B": B, "C": C}), n_features=5)
    several.figure.canvas.draw()
    legend = {text.get_text() for text in several.get_legend().get_texts()}
    assert legend == {"$^$ against rest", "B against rest", "C against rest"}
    plot_diff_features(table.head(0)).figure.canvas.draw()
