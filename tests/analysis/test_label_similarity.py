"""Labels ranked by a query."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import config_context
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline

from sklearn_sae import EmbeddingTransformer
from sklearn_sae.analysis import label_similarity, plot_label_similarity

LABELS = ["praises the food", "slow service", "food was cold", "mentions a dog"]


def letters(texts):
    """A real, tiny embedder: how often each letter occurs."""
    return np.array([[text.count(letter) for letter in "abcdefghijklmnopqrstuvwxyz"] for text in texts], dtype=float)


def test_ranks_by_shared_words_and_parts_of_words_by_default():
    ranking = label_similarity(LABELS, "cold food")
    assert ranking["label"].to_list()[:2] == ["food was cold", "praises the food"]
    assert ranking["similarity"].is_monotonic_decreasing
    assert sorted(ranking["feature"]) == [0, 1, 2, 3]
    best = label_similarity(LABELS, "praising").iloc[0]  # no word in common, but most letters of one
    assert best["label"] == "praises the food"
    assert best["similarity"] > 0


def test_similarity_is_the_cosine_of_the_embedders_vectors():
    ranking = label_similarity(LABELS, "dogs", embedder=letters).set_index("feature")["similarity"]
    vectors, query = letters(LABELS), letters(["dogs"])[0]
    expected = vectors @ query / np.linalg.norm(vectors, axis=1) / np.linalg.norm(query)
    np.testing.assert_allclose(ranking.loc[range(4)], expected)


def test_output_set_to_frames_changes_nothing():
    expected = label_similarity(LABELS, "cold food")
    with config_context(transform_output="pandas"):
        pd.testing.assert_frame_equal(label_similarity(LABELS, "cold food"), expected)


@pytest.mark.parametrize("embedder", [letters, EmbeddingTransformer(letters, cache_dir=None)])
def test_callable_and_embedding_transformer_agree(embedder):
    expected = label_similarity(LABELS, "a dog", embedder=letters)
    ranking = label_similarity(LABELS, "a dog", embedder=embedder)
    assert ranking["feature"].to_list() == expected["feature"].to_list()
    np.testing.assert_allclose(ranking["similarity"], expected["similarity"], rtol=1e-5)


def test_a_transformer_is_cloned_and_fitted_on_the_labels_and_a_frozen_one_used_as_it_is():
    words = CountVectorizer()
    assert label_similarity(LABELS, "dog", embedder=words)["feature"].iloc[0] == 3
    assert not hasattr(words, "vocabulary_")
    corpus = ["the waiter and the staff", "the staff, the waiter", "soup and bread", "bread with soup", "staff waiter"]
    lsa = make_pipeline(TfidfVectorizer(), TruncatedSVD(2, random_state=0)).fit(corpus)
    ranking = label_similarity(["waiter", "soup"], "staff", embedder=FrozenEstimator(lsa))
    assert ranking["label"].iloc[0] == "waiter"  # alike by the texts they stand in; the words share nothing
    assert ranking["similarity"].iloc[0] > 0.9


def test_labels_by_number_and_missing_labels():
    ranking = label_similarity({7: "a dog", 2: "a cat", 4: None, 5: "", 6: "--", 9: float("nan")}, "dog")
    assert ranking["feature"].to_list() == [7, 2]
    ranking = label_similarity(["a dog", pd.NA, "a cat"], "cat")
    assert ranking["feature"].to_list() == [2, 0]
    ranking = label_similarity(["feature 0", "a feature of a phone"], "feature")  # what has no label is called that
    assert ranking["feature"].to_list() == [1]
    ranking = label_similarity(["flu", "covid19", "2020", "G20"], "covid19")  # labels, though they end in a number
    assert ranking["feature"].to_list()[0] == 1
    assert len(ranking) == 4


@given(st.lists(st.text(min_size=1), min_size=1, max_size=8), st.text(min_size=1))
@settings(max_examples=40, deadline=None)
def test_any_text_is_a_label_or_refused_in_a_sentence(labels, query):
    try:
        ranking = label_similarity(labels, query)
    except ValueError as error:
        assert "label" in str(error) or "query" in str(error)  # noqa: PT017
    else:
        assert ranking["similarity"].between(-1e-9, 1 + 1e-9).all()


@pytest.mark.parametrize(
    ("labels", "query", "embedder", "kind", "message"),
    [
        ("a dog", "dog", None, TypeError, "labels is a single string"),
        ([3, "a"], "dog", None, TypeError, "int for feature 0"),
        ([None, ""], "dog", None, ValueError, "no label"),
        ([], "dog", None, ValueError, "no label"),
        ({"7": "a dog"}, "dog", None, ValueError, "keys are column numbers"),
        (LABELS, "dog", "all-MiniLM-L6-v2", TypeError, "embedder must be a function or a transformer; got str"),
        (LABELS, " ", None, ValueError, "query is empty"),
        (LABELS, 3, None, TypeError, "query must be a str"),
        (LABELS, "dog", lambda texts: np.ones(len(texts)), ValueError, "one vector a text"),
        (LABELS, "dog", lambda texts: np.ones((2, 3)), ValueError, "one vector a text"),
        (LABELS, "dog", lambda texts: np.full((len(texts), 3), np.nan), ValueError, "NaN"),
        (LABELS, "dog", lambda texts: np.ones((len(texts), len(texts))), ValueError, "4 dimensions for labels and 1"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(labels, query, embedder, kind, message):
    with pytest.raises(kind, match=message):
        label_similarity(labels, query, embedder=embedder)


def test_plot_draws_the_first_labels():
    pytest.importorskip("matplotlib").use("Agg")
    ranking = label_similarity([*LABELS, "a $label$ of " + "very " * 40 + "many words"], "cold food")
    ax = plot_label_similarity(ranking, n_labels=5)
    ax.figure.canvas.draw()
    assert len(ax.patches) == 5
    shown = [tick.get_text() for tick in ax.get_yticklabels()]
    assert shown[0] == "food was cold"
    assert all(len(label) <= 60 for label in shown)
    assert any(label.endswith("…") for label in shown)
    np.testing.assert_allclose([bar.get_width() for bar in ax.patches], ranking["similarity"])
