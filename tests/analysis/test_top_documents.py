import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import coo_array, csr_array, csr_matrix

from sklearn_sae.analysis import plot_top_documents, top_documents

X = np.array([[0.0, 3.0], [2.0, 0.0], [5.0, 1.0], [2.0, 0.0]])
TEXTS = ["one", "two", "three", "four"]


def sparse_frame(X):
    return pd.DataFrame.sparse.from_spmatrix(csr_matrix(X))


def sixteen_bits(X):
    X = csr_array(X)
    X.data = X.data.astype(np.float16)
    return X


@pytest.mark.parametrize("form", [np.asarray, csr_array, pd.DataFrame, sparse_frame, sixteen_bits])
def test_the_most_active_documents_come_first_and_the_earlier_of_equal_ones(form):
    table = top_documents(form(X), 0, TEXTS)
    assert table["document"].tolist() == [2, 1, 3]
    assert table["activation"].tolist() == [5, 2, 2]
    assert table["text"].tolist() == ["three", "two", "four"]


@given(st.integers(0, 2**32 - 1), st.integers(1, 8))
def test_it_is_the_sort_of_the_dense_column(seed, n_documents):
    rng = np.random.default_rng(seed)
    A = np.maximum(rng.integers(-3, 4, size=(12, 5)), 0).astype(np.float32)
    table = top_documents(csr_array(A), [3, 1], n_documents=n_documents)
    for feature in (3, 1):
        rows = [row for row in np.argsort(-A[:, feature], kind="stable") if A[row, feature] > 0][:n_documents]
        assert table.loc[table["feature"] == feature, "document"].tolist() == rows
    assert table["feature"].drop_duplicates().tolist() == [f for f in (3, 1) if A[:, f].any()]


def test_duplicate_entries_of_a_sparse_matrix_are_summed():
    doubled = coo_array(([1.0, 1.0, 1.5], ([0, 0, 1], [0, 0, 0])), shape=(2, 1))
    as_csr = csr_array(([1.0, 1.0, 1.5], [0, 0, 0], [0, 2, 3]), shape=(2, 1))
    for form in (doubled, as_csr):
        assert top_documents(form, 0)["activation"].tolist() == [2, 1.5]
    assert as_csr.nnz == 3  # the caller's matrix is left as it was


def test_features_are_found_by_label_and_only_the_shown_texts_are_highlighted():
    asked = []

    def highlight(text, feature):
        asked.append((text, feature))
        return f"<<{text}>>"

    table = top_documents(X, ["b", 0], TEXTS, labels={0: "a", 1: "b"}, n_documents=1, highlight=highlight)
    assert table["label"].tolist() == ["b", "a"]
    assert table["highlighted"].tolist() == ["<<one>>", "<<three>>"]
    assert asked == [("one", 1), ("three", 0)]


def test_a_frame_names_its_features_and_a_threshold_cuts():
    frame = pd.DataFrame(X, columns=["cold", "loud"])
    assert top_documents(frame, "loud", threshold=1)["document"].tolist() == [0]
    assert top_documents(X, 0)["label"].unique().tolist() == ["feature 0"]
    assert top_documents(np.zeros((3, 2)), [0, 1]).empty


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"feature": 2}, "feature 2 does not exist"),
        ({"feature": -1}, "feature -1 does not exist"),
        ({"feature": 1.0}, "feature 1.0 does not exist"),
        ({"feature": []}, "feature is empty"),
        ({"feature": "c"}, "'c' is no label"),
        ({"feature": "a", "labels": ["a", "a"]}, "stands for several"),
        ({"feature": 0, "labels": ["a"]}, "1 labels for 2 features"),
        ({"feature": 0, "labels": {7: "a"}}, "label for feature 7"),
        ({"feature": 0, "texts": ["one"]}, "1 text for 4 rows"),
        ({"feature": 0, "highlight": str.upper}, "pass texts"),
        ({"feature": 0, "n_documents": 0}, "n_documents"),
        ({"feature": 0, "threshold": -1}, "threshold"),
        ({"feature": 0, "X": [["a text"]]}, "holds texts"),
        ({"feature": 0, "X": ["a text"]}, "holds texts"),
        ({"feature": 0, "X": [1.0, 2.0]}, "2D"),
        ({"feature": 0, "X": [[np.nan]]}, "NaN"),
    ],
)
def test_bad_input_gets_a_sentence(options, message):
    with pytest.raises(ValueError, match=message):
        top_documents(**{"X": X, **options})


def test_the_plot_shows_the_words_around_the_mark():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    texts = ["word " * 60 + "cold soup", "x", "$5 or $6", "plain"]
    table = top_documents(X + 1, 0, texts, highlight=lambda text, _: text.replace("cold", "<<cold>>"))
    ax = plot_top_documents(table)
    ax.figure.canvas.draw()
    shown = [label.get_text() for label in ax.get_yticklabels()]
    assert shown[:1] == ["$5 or $6"]
    assert any(label.startswith("…word") and label.endswith("<<cold>> soup") for label in shown)
    assert [round(bar.get_width(), 6) for bar in ax.patches] == table["activation"].tolist()
    plot_top_documents(top_documents(np.zeros((3, 2)), 0)).figure.canvas.draw()
