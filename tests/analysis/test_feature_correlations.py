import datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array, csr_matrix
from scipy.stats import false_discovery_control, fisher_exact

from sklearn_sae.analysis import _cooccurrence, feature_correlations, npmi, plot_feature_correlations


def plain_npmi(A, B):
    """NPMI of each pair of columns by its definition; -1 where the two never co-occur."""
    n = len(A)
    together = (A.T.astype(float) @ B) / n
    first, second = A.mean(axis=0)[:, None], B.mean(axis=0)[None, :]
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.log(together / (first * second)) / -np.log(together)
    return np.where(together == 1, 1.0, np.where(together == 0, -1.0, value)), np.rint(together * n).astype(int)


def events(seed, n=60, n_features=12):
    rng = np.random.default_rng(seed)
    A = rng.random((n, n_features)) < rng.random(n_features) ** 2
    A[:, -1] = A[:, 0] | A[:, 1]
    return A


@pytest.fixture(params=["as it is", "in small pieces"])
def _pieces(request, monkeypatch):
    if request.param == "in small pieces":
        monkeypatch.setattr(_cooccurrence, "_STAGE", 3)
        monkeypatch.setattr(_cooccurrence, "_TABLE", 13)
        monkeypatch.setattr(_cooccurrence, "_ENTRIES", 7)


@pytest.mark.usefixtures("_pieces")
@pytest.mark.parametrize("form", [np.asarray, csr_array, csr_matrix, pd.DataFrame])
@pytest.mark.parametrize("seed", range(4))
def test_npmi_is_that_of_the_definition(form, seed):
    A = events(seed)
    expected, together = plain_npmi(A, A)
    matrix = npmi(form(A.astype(float)))
    assert matrix.shape == (12, 12)
    np.testing.assert_allclose(matrix.toarray(), np.where(together, expected, 0), atol=1e-12)
    B = events(seed + 10, n_features=7)
    expected, together = plain_npmi(A, B)
    np.testing.assert_allclose(
        npmi(form(A.astype(float)), form(B.astype(float))).toarray(), np.where(together, expected, 0), atol=1e-12
    )


@pytest.mark.usefixtures("_pieces")
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("min_npmi", "min_count"), [(0.0, 1), (0.1, 3), (0.3, 1), (0.7, 2), (1.0, 1)])
@pytest.mark.parametrize("two", [False, True])
def test_no_pair_is_lost_and_none_is_added_by_pruning(seed, min_npmi, min_count, two):
    A = events(seed, n_features=20)
    B = events(seed + 50, n_features=9) if two else A
    expected, together = plain_npmi(A, B)
    wanted = (expected >= min_npmi - 1e-12) & (together >= min_count)
    if not two:
        wanted = np.triu(wanted, 1)
    pairs = feature_correlations(A, B if two else None, min_npmi=min_npmi, min_count=min_count, n_pairs=None)
    close = np.abs(expected - min_npmi) < 1e-12  # rounding decides
    found = np.zeros_like(wanted)
    found[pairs["feature"], pairs["other"]] = True
    assert (found == wanted)[~close].all()
    assert len(pairs) == found.sum()
    i, j = pairs["feature"], pairs["other"]
    np.testing.assert_allclose(pairs["npmi"], expected[i, j], atol=1e-12)
    assert (pairs["count"] == together[i, j]).all()
    np.testing.assert_allclose(pairs["expected"], A.sum(axis=0)[i] * B.sum(axis=0)[j] / 60)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_pvalues_are_fishers_and_every_pair_counts_as_a_test(seed):
    A = events(seed, n=40, n_features=8)
    pairs = feature_correlations(A, min_npmi=0, min_count=2, n_pairs=None)
    for pair in pairs.itertuples():
        a, b = A[:, pair.feature], A[:, pair.other]
        table = [[(a & b).sum(), (a & ~b).sum()], [(~a & b).sum(), (~a & ~b).sum()]]
        assert pair.pvalue == pytest.approx(fisher_exact(table, alternative="greater").pvalue, rel=1e-9)
    n = (A.sum(axis=0) >= 2).sum()
    pvalues = np.concatenate([pairs["pvalue"], np.ones(n * (n - 1) // 2 - len(pairs))])
    np.testing.assert_allclose(pairs["pvalue_adjusted"], false_discovery_control(pvalues)[: len(pairs)], rtol=1e-12)


def test_planted_pairs_are_found_first_and_false_ones_are_rare():
    false_share = []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        A = rng.random((3000, 300)) < rng.beta(1, 15, size=300) + 0.01
        for pair in range(30):
            A[:, 2 * pair + 1] |= A[:, 2 * pair] & (rng.random(3000) < 0.6)
        pairs = feature_correlations(csr_array(A), min_npmi=0.0, min_count=1, n_pairs=None)
        true = (pairs["feature"] // 2 == pairs["other"] // 2) & (pairs["other"] < 60)
        assert true.head(20).all()
        assert (true & pairs["significant"]).sum() >= 27
        false_share.append((~true & pairs["significant"]).sum() / pairs["significant"].sum())
    assert np.mean(false_share) < 0.05


def test_the_significant_and_highest_come_first():
    pairs = feature_correlations(events(1, n=100, n_features=40), min_npmi=0.0, min_count=1, n_pairs=50)
    assert len(pairs) == 50
    assert pairs["significant"].is_monotonic_decreasing
    for _, part in pairs.groupby("significant"):
        assert part["npmi"].is_monotonic_decreasing


def test_labels_that_say_the_same_are_left_out():
    rng = np.random.default_rng(0)
    cause = rng.random((400, 1)) < 0.1
    X = np.hstack([cause] * 3 + [rng.random((400, 1)) < 0.1])
    labels = ["mentions cold soup", "mentions a cold soup", "complains about noise", "other"]
    found = [(0, 2), (1, 2)]

    def pairs(**options):
        table = feature_correlations(X, labels=labels, **options)
        return sorted(zip(table["feature"].tolist(), table["other"].tolist(), strict=True))

    assert pairs() == found
    assert pairs(max_label_similarity=1) == [(0, 1), *found]
    meanings = {labels[0]: [1, 0], labels[1]: [0, 1], labels[2]: [1, 0.1], labels[3]: [0, 1]}
    assert pairs(embedder=lambda texts: np.array([meanings[text] for text in texts])) == [(0, 1), (1, 2)]
    labels = {0: "mentions cold soup"}  # nothing to compare it with
    assert pairs() == [(0, 1), *found]
    counted = [f"topksaetransformer{i}" for i in range(4)]
    for names in (None, counted, ["--", "??", "!!", "."]):  # these and names that only count say nothing
        table = feature_correlations(X, labels=names)
        assert len(table) == 3
        assert table["label_similarity"].isna().all()


def test_pairs_left_out_for_their_labels_do_not_make_others_significant():
    # One weak pair among strong ones that say the same: with these as findings it would pass too easily.
    rng = np.random.default_rng(1)
    same = np.repeat(rng.random((200, 1)) < 0.2, 60, axis=1)
    weak = rng.random((200, 1)) < 0.2
    partner = (weak & (rng.random((200, 1)) < 0.38)) | (rng.random((200, 1)) < 0.12)
    X = np.hstack([same, weak, partner])
    labels = ["says the food is cold"] * 60 + ["a dog", "the rain"]
    tables = [
        feature_correlations(X, labels=labels, min_npmi=0.0, min_count=1, n_pairs=None, max_label_similarity=limit)
        for limit in (0.5, 1)
    ]
    weak = [table[(table["feature"] == 60) & (table["other"] == 61)].iloc[0] for table in tables]
    assert weak[0]["pvalue"] == weak[1]["pvalue"] < 0.05
    assert weak[0]["pvalue_adjusted"] > 100 * weak[1]["pvalue_adjusted"]
    assert weak[1]["significant"]
    assert not weak[0]["significant"]


def test_metadata_are_features_by_value_and_by_quarters():
    rng = np.random.default_rng(0)
    n = 800
    source = rng.choice(["forum", "mail"], size=n)
    length = rng.normal(size=n)
    X = np.stack([(source == "forum") & (rng.random(n) < 0.5), (length > 1) & (rng.random(n) < 0.8)], axis=1)
    metadata = pd.DataFrame(
        {
            "source": source,
            "length": length,
            "stars": rng.integers(1, 6, size=n),
            "is_reply": rng.random(n) < 0.5,
            "day": pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.integers(0, 300, size=n), unit="D"),
        },
        index=rng.permutation(n),
    )
    metadata.loc[metadata["source"] == "mail", "source"] = None
    table = feature_correlations(X, metadata=metadata, min_npmi=0.1, labels=["greets", "digresses"])
    assert table["label"].tolist() == ["digresses", "greets"]
    assert table["other_label"].tolist()[1] == "source = forum"
    assert table["other_label"][0].startswith("length in (")
    assert table["significant"].all()
    everything = feature_correlations(np.ones((n, 1)), metadata=metadata, min_npmi=0.0, n_pairs=None)
    names = everything["other_label"].str.split().str[0].value_counts()
    assert names.to_dict() == {"source": 1, "length": 4, "stars": 5, "is_reply": 2, "day": 4}
    assert "stars = 5" in everything["other_label"].tolist()
    assert (everything["pvalue"] == 1).all()


def test_dates_as_objects_are_dates():
    days = [datetime.date(2026, 1, 1) + datetime.timedelta(day) for day in range(40)]
    table = feature_correlations(np.ones((40, 1)), metadata=pd.DataFrame({"day": days}), min_npmi=0.0)
    assert table["count"].tolist() == [10] * 4
    assert table["other_label"].str.startswith("day in (").all()


@pytest.mark.parametrize(
    ("values", "kind", "message"),
    [([*range(20), np.inf], ValueError, "'c' has infinite values"), ([["a"]] * 21, TypeError, "'c' has lists")],
)
def test_metadata_that_cannot_be_features_are_refused(values, kind, message):
    with pytest.raises(kind, match=message):
        feature_correlations(np.ones((21, 1)), metadata=pd.DataFrame({"c": values}))


def test_nothing_in_common_is_an_empty_table():
    pairs = feature_correlations(np.eye(30))
    assert pairs.empty
    assert npmi(np.eye(3)).toarray().tolist() == np.eye(3).tolist()
    assert npmi(np.zeros((3, 2)), np.zeros((3, 4))).shape == (3 - 1, 4)


def test_the_input_is_left_as_it_was():
    X = csr_array(np.array([[1.0, 0.2, 0.0], [0.5, 0.0, 3.0], [1.0, 2.0, 0.0]]))
    before = X.copy()
    npmi(X, threshold=0.3)
    assert (X.data == before.data).all()
    np.testing.assert_allclose(npmi(X, threshold=0.3).toarray(), npmi(X.toarray() > 0.3).toarray())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"Y": np.ones((4, 2))}, "X has 3 rows and Y has 4"),
        ({"Y": np.eye(3), "metadata": pd.DataFrame({"a": [1, 2, 3]})}, "pass one"),
        ({"metadata": pd.DataFrame({"a": [1, 2]})}, "2 rows for 3"),
        ({"metadata": pd.DataFrame({"a": [None, None, None]})}, "no value"),
        ({"labels": ["a"]}, "1 labels for 3"),
        ({"Y": np.eye(3), "labels_Y": ["a"]}, "labels_Y has 1 labels"),
        ({"min_npmi": -0.5}, "min_npmi"),
        ({"min_count": 0}, "min_count"),
        ({"X": [["a text", "b"]]}, "X holds texts"),
    ],
)
def test_bad_input_gets_a_sentence(options, message):
    with pytest.raises(ValueError, match=message):
        feature_correlations(**{"X": np.eye(3), **options})


def test_too_many_pairs_say_what_to_raise(monkeypatch):
    monkeypatch.setattr("sklearn_sae.analysis._feature_correlations._MAX_KEPT", 10)
    with pytest.raises(ValueError, match=r"More than 10 pairs reach min_npmi=0 and min_count=1; raise either"):
        feature_correlations(np.ones((5, 9)), min_npmi=0, min_count=1)


def test_the_plot_shows_the_pairs_that_come_first():
    pytest.importorskip("matplotlib").use("agg")
    pairs = feature_correlations(events(2, n=100, n_features=30), min_npmi=0.0, min_count=1)
    ax = plot_feature_correlations(pairs, n_pairs=6)
    ax.figure.canvas.draw()
    assert [bar.get_width() for bar in ax.patches] == pytest.approx(pairs["npmi"].head(6).tolist())
    assert ax.get_yticklabels()[0].get_text() == f"{pairs['label'][0]}\n+ {pairs['other_label'][0]}"
    plot_feature_correlations(pairs.head(0)).figure.canvas.draw()
