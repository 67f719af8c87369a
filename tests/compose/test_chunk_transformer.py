"""Long documents, as a user meets them."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn import config_context
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline

from sklearn_sae import (
    ChunkTransformer,
    EmbeddingTransformer,
    KeywordHypothesisAnnotator,
    NeuronSelector,
    TopKSAETransformer,
    evaluate_hypotheses,
)
from sklearn_sae.datasets import make_concept_texts

DOCUMENTS = [
    "The soup was cold. The bread was old. We liked the wine, though. Nobody asked us.",
    "Great wine and a great view!",
    "We waited an hour for a table\nand then another hour for the soup and the bread and the bill",
]


@pytest.mark.parametrize("pooling", ["max", "mean"])
def test_text_transformer_checks_with_a_target(pooling, check_text_transformer):
    dense = make_pipeline(TfidfVectorizer(), TruncatedSVD(2, random_state=0))
    check_text_transformer(ChunkTransformer(dense, max_words=6, overlap=2, pooling=pooling), DOCUMENTS, [1, 2, 3])


def test_output_is_the_pooled_output_of_the_chunks():
    chunked = ChunkTransformer(CountVectorizer(dtype=np.float32), max_words=6).fit(DOCUMENTS)
    out = chunked.transform(DOCUMENTS)
    assert out.format == "csr"
    assert out.dtype == np.float32
    assert chunked.chunk_document_.tolist() == [0, 0, 0, 0, 1, 2, 2, 2, 2]
    column = chunked.get_feature_names_out().tolist().index("the")
    assert out[:, [column]].toarray().ravel().tolist() == [1, 0, 2]
    mean = clone(chunked).set_params(pooling="mean").fit_transform(DOCUMENTS)
    np.testing.assert_allclose(mean[:, [column]].toarray().ravel(), [0.75, 0, 0.75])


def test_documents_that_need_no_chunks_come_out_as_without():
    plain = TfidfVectorizer().fit_transform(DOCUMENTS).toarray()
    for pooling in ("max", "mean"):
        out = ChunkTransformer(TfidfVectorizer(), pooling=pooling).fit_transform(DOCUMENTS)
        np.testing.assert_allclose(out.toarray(), plain)


def test_text_transformer_checks_of_sentences(check_text_transformer):
    dense = make_pipeline(TfidfVectorizer(), TruncatedSVD(2, random_state=0))
    check_text_transformer(ChunkTransformer(dense, unit="sentence"), DOCUMENTS, [1, 2, 3])


def test_a_chunk_may_be_a_sentence():
    chunked = ChunkTransformer(Recorder(), unit="sentence").fit(DOCUMENTS[:2])
    sentences, _ = chunked.transformer_.fitted_
    assert sentences == [
        "The soup was cold.",
        "The bread was old.",
        "We liked the wine, though.",
        "Nobody asked us.",
        "Great wine and a great view!",
    ]
    assert chunked.chunk_document_.tolist() == [0, 0, 0, 0, 1]


def test_each_distinct_sentence_is_transformed_once():
    asked = []

    class Length(Recorder):
        def transform(self, X):
            asked.append(list(X))
            return [[len(text)] for text in X]

    chunked = ChunkTransformer(Length(), unit="sentence").fit(DOCUMENTS)
    documents = ["It was cold. The soup was good.", "The soup was good. It was cold.", "The soup was good."]
    assert chunked.transform(documents).ravel().tolist() == [18, 18, 18]
    assert asked == [["It was cold.", "The soup was good."]]


class Recorder(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        self.fitted_ = list(X), y
        return self

    def transform(self, X):
        return HashingVectorizer(n_features=8).transform(X)


@pytest.mark.parametrize(
    "y",
    [
        [1, 2, 3],
        np.array(["a", "b", "a"]),
        pd.Series(["a", "b", "a"], index=[5, 6, 7], dtype="category"),
        None,
    ],
    ids=["list", "array", "categories", "none"],
)
def test_chunks_inherit_the_target(y):
    chunked = ChunkTransformer(Recorder(), max_words=6).fit(DOCUMENTS, y)
    chunks, inherited = chunked.transformer_.fitted_
    assert len(chunks) == len(chunked.chunk_document_) > len(DOCUMENTS)
    if y is None:
        assert inherited is None
    else:
        assert list(inherited) == [list(y)[row] for row in chunked.chunk_document_]
        assert getattr(inherited, "dtype", None) == getattr(y, "dtype", None)


def test_errors():
    with pytest.raises(ValueError, match="overlap=6 must be less than max_words=6"):
        ChunkTransformer(CountVectorizer(), max_words=6, overlap=6).fit(DOCUMENTS)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        ChunkTransformer(CountVectorizer()).fit(DOCUMENTS, [1, 2])
    with pytest.raises(ValueError, match='overlap=6 must be 0 with unit="sentence"'):
        ChunkTransformer(CountVectorizer(), unit="sentence", overlap=6).fit(DOCUMENTS)
    for bad in ({"max_words": 0}, {"overlap": -1}, {"pooling": "sum"}, {"unit": "page"}, {"transformer": None}):
        with pytest.raises(ValueError, match=f"'{next(iter(bad))}' parameter of ChunkTransformer"):
            ChunkTransformer(CountVectorizer()).set_params(**bad).fit(DOCUMENTS)
    fitted = ChunkTransformer(CountVectorizer()).fit(DOCUMENTS).set_params(pooling="sum")
    with pytest.raises(ValueError, match="'pooling' parameter"):
        fitted.transform(DOCUMENTS)


@pytest.fixture(scope="module")
def guides():
    """Documents of six planted reviews each, and the sum of their stars."""
    reviews = make_concept_texts(1200, n_concepts=6, noise=0.2, random_state=0)
    documents = ["\n".join(texts) for texts in np.array(reviews.data, dtype=object).reshape(-1, 6)]
    return documents, reviews.target.reshape(-1, 6).sum(axis=1)


def encoder():
    embed = make_pipeline(TfidfVectorizer(min_df=2), TruncatedSVD(32, random_state=0))
    return Pipeline([("embed", embed), ("sae", TopKSAETransformer(16, 2, max_epochs=8, random_state=0))])


def test_an_autoencoder_of_chunks_predicts_documents(guides):
    documents, stars = guides
    pipeline = Pipeline(
        [
            ("chunks", ChunkTransformer(encoder(), max_words=40, pooling="mean")),
            ("select", NeuronSelector(6)),
            ("model", LinearRegression()),
        ]
    )
    assert sparse.issparse(pipeline[:1].fit_transform(documents, stars))
    grid = {"chunks__max_words": [20, 40], "chunks__transformer__sae__k": [2]}
    search = GridSearchCV(pipeline, grid, cv=2, scoring="r2", error_score="raise").fit(documents, stars)
    assert search.best_score_ > 0.1
    with config_context(enable_metadata_routing=True, transform_output="pandas"):
        assert pipeline.fit(documents, stars).score(documents, stars) > 0


def test_hypotheses_named_from_documents_and_from_chunks(guides):
    documents, stars = guides
    chunks = ChunkTransformer(encoder(), max_words=40)
    of_documents = KeywordHypothesisAnnotator(make_pipeline(chunks, NeuronSelector(4)), random_state=0)
    of_chunks = ChunkTransformer(
        KeywordHypothesisAnnotator(make_pipeline(encoder(), NeuronSelector(4)), random_state=0), max_words=40
    )
    for annotator in (of_documents, of_chunks):
        annotations = annotator.fit(documents[:100], stars[:100]).transform(documents[100:])
        assert set(np.unique(annotations)) == {0, 1}
        names = annotator.get_feature_names_out()
        evaluation = evaluate_hypotheses(annotations, stars[100:], hypotheses=names)
        assert len(evaluation.table) == 4


def test_each_chunk_is_embedded_once():
    asked = []

    def embed(texts):
        asked.extend(texts)
        return [[len(text), text.count("e")] for text in texts]

    chunked = ChunkTransformer(EmbeddingTransformer(embed, cache_dir=None), max_words=6)
    assert chunked.fit_transform(DOCUMENTS).dtype == np.float32
    assert sorted(asked) == sorted(set(asked))
    assert len(asked) == len(chunked.chunk_document_)
