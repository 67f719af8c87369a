"""Documents ranked for a property in words."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.metrics import average_precision_score

from sklearn_sae.analysis import PropertyRetriever, label_similarity, plot_search
from sklearn_sae.datasets import make_concept_texts

LABELS = ["complains about the food", "written in French", "complains about the bill", None, "praises the food"]


@pytest.fixture
def X():
    rng = np.random.default_rng(0)
    return sparse.csr_array(np.where(rng.random((200, 5)) < 0.3, rng.exponential(size=(200, 5)), 0))


def test_scores_are_the_weighted_sum_of_scaled_activations(X):
    retriever = PropertyRetriever(LABELS, n_features=2, temperature=0.3).fit(X)
    found = retriever.search("complaints", n=200).set_index("document")

    ranking = label_similarity(LABELS, "complaints").head(2)
    weight = np.exp((ranking["similarity"] - ranking["similarity"].max()) / 0.3).to_numpy()
    columns = X.toarray()[:, ranking["feature"]]
    scaled = columns / [column[column > 0].mean() for column in columns.T]
    expected = scaled @ weight
    assert len(found) == (expected > 0).sum()
    np.testing.assert_allclose(found["score"], expected[found.index], rtol=1e-5)
    assert found["score"].is_monotonic_decreasing
    assert found["score"].iloc[0] == pytest.approx(expected.max(), rel=1e-5)


def test_each_documents_explanation_adds_up_to_its_score(X):
    retriever = PropertyRetriever(LABELS).fit(X)
    found = retriever.search("complains about the food", n=30)
    matched = retriever.match("complains about the food").set_index("label")
    dense = X.toarray()
    for _, row in found.iterrows():
        assert sum(row["contributions"]) == pytest.approx(row["score"], rel=1e-5)
        assert list(row["contributions"]) == sorted(row["contributions"], reverse=True)
        active = {label for label in matched.index if dense[row["document"], matched.loc[label, "feature"]] > 0}
        assert set(row["labels"]) == active


def test_match_tells_which_labels_and_how_common(X):
    matched = PropertyRetriever(LABELS).fit(X).match("complains about the food")
    assert matched["label"].iloc[0] == "complains about the food"
    assert matched["weight"].iloc[0] == 1
    assert matched["similarity"].is_monotonic_decreasing
    assert 3 not in matched["feature"].to_list()
    np.testing.assert_allclose(matched["frequency"], (X.toarray() > 0).mean(axis=0)[matched["feature"]])


def test_a_small_temperature_trusts_the_best_label(X):
    cold = PropertyRetriever(LABELS, temperature=1e-6).fit(X).match("complains about the food")
    np.testing.assert_allclose(cold["weight"], [1, *[0] * (len(cold) - 1)], atol=1e-12)
    warm = PropertyRetriever(LABELS, temperature=1e6).fit(X).match("complains about the food")
    np.testing.assert_allclose(warm["weight"], 1, atol=1e-5)


def test_planted_concepts_are_found_by_their_names():
    texts = make_concept_texts(500, n_concepts=10, random_state=0)
    concepts = np.asarray(texts.concepts, dtype=float)
    noise = np.random.default_rng(0).permuted(concepts, axis=0)
    X = np.hstack([concepts * (1 + np.random.default_rng(1).random(concepts.shape)), noise])
    labels = [*texts.concept_names, *(f"feature {i}" for i in range(10))]
    retriever = PropertyRetriever(labels, temperature=0.05).fit(sparse.csr_array(X))
    for i, name in enumerate(texts.concept_names):
        found = retriever.search(name, n=500)
        scores = np.zeros(500)
        scores[found["document"]] = found["score"]
        assert average_precision_score(concepts[:, i], scores) > 0.95
        assert found["labels"].iloc[0][0] == name


def test_forms_of_X_agree(X):
    expected = PropertyRetriever(LABELS).fit(X).search("food")
    dense = X.toarray()
    before = X.copy()
    for form in (dense, dense.astype(np.float32), X.tocsc(), sparse.csr_matrix(X)):
        pd.testing.assert_frame_equal(PropertyRetriever(LABELS).fit(form).search("food"), expected)
    assert (before != X).nnz == 0
    named = pd.DataFrame(dense[:, [0, 1, 2, 4]], columns=[label for label in LABELS if label])
    pd.testing.assert_frame_equal(PropertyRetriever().fit(named).search("food"), expected)
    by_number = {i: label for i, label in enumerate(LABELS) if label}
    pd.testing.assert_frame_equal(PropertyRetriever(by_number).fit(X).search("food"), expected)
    again = pickle.loads(pickle.dumps(PropertyRetriever(LABELS).fit(X)))
    pd.testing.assert_frame_equal(again.search("food"), expected)


def test_neither_scale_nor_stored_duplicates_matter(X):
    expected = PropertyRetriever(LABELS).fit(X).search("food")
    for scale in (1e-300, 1e300):
        found = PropertyRetriever(LABELS).fit(X * scale).search("food")
        pd.testing.assert_frame_equal(found, expected)
    doubled = sparse.csr_array((np.repeat(X.data / 2, 2), np.repeat(X.indices, 2), 2 * X.indptr), shape=X.shape)
    retriever = PropertyRetriever(LABELS).fit(doubled)
    pd.testing.assert_frame_equal(retriever.search("food"), expected)
    pd.testing.assert_frame_equal(retriever.match("food"), PropertyRetriever(LABELS).fit(X).match("food"))
    assert doubled.nnz == 2 * X.nnz  # the caller's matrix is left as it was


def test_labels_are_embedded_once(X):
    asked = []

    def embedder(texts):
        asked.append(len(texts))
        return np.array([[text.count(letter) for letter in "abcdefgh"] for text in texts])

    retriever = PropertyRetriever(LABELS, embedder=embedder).fit(X)
    retriever.search("a")
    retriever.search("b")
    assert asked == [4, 1, 1]


def test_what_matches_nothing_finds_nothing(X):
    retriever = PropertyRetriever(LABELS).fit(X)
    assert len(retriever.match("zzz")) == 0
    found = retriever.search("zzz")
    assert list(found.columns) == ["document", "score", "labels", "contributions"]
    assert len(found) == 0


@pytest.mark.parametrize(
    ("query", "n", "kind", "message"),
    [("", 1, ValueError, "query is empty"), (["a"], 1, TypeError, "must be a str"), ("a", 0, ValueError, "n must be")],
)
def test_bad_searches_are_refused_in_a_sentence(X, query, n, kind, message):
    with pytest.raises(kind, match=message):
        PropertyRetriever(LABELS).fit(X).search(query, n)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"feature_labels": LABELS[:3]}, "3 labels for 5 features"),
        ({"feature_labels": [None] * 5}, "no label"),
        ({"temperature": 0}, "temperature"),
        ({"n_features": 0}, "n_features"),
    ],
)
def test_bad_parameters_are_refused_in_a_sentence(X, params, message):
    with pytest.raises(ValueError, match=message):
        PropertyRetriever(**{"feature_labels": LABELS, **params}).fit(X)


@pytest.mark.parametrize("query", ["complains about the food", "zzz"])
def test_plot_stacks_contributions_to_the_score(X, query):
    pytest.importorskip("matplotlib").use("Agg")
    found = PropertyRetriever(LABELS).fit(X).search(query, n=7)[2:]
    ax = plot_search(found, n_labels=1)
    ax.figure.canvas.draw()
    widths = np.zeros(len(found))
    for bars in ax.containers:
        widths += [bar.get_width() for bar in bars]
    np.testing.assert_allclose(widths, found["score"], rtol=1e-5)
