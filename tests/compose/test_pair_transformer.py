"""Pairs of texts through the whole path, as a user meets them."""

import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn import config_context
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MaxAbsScaler

from sklearn_sae import (
    ChunkTransformer,
    EmbeddingTransformer,
    KeywordHypothesisAnnotator,
    NeuronSelector,
    PairTransformer,
    TopKSAETransformer,
    evaluate_hypotheses,
    make_hypothesis_pipeline,
)

PAIRS = [
    ("good food and wine", "bad food again"),
    ("bad soup again", "good soup and bread"),
    ("good food and wine", "bad soup again"),
    ("slow coffee again", "slow coffee again"),
]
WINNER = ["first", "second", "first", "second"]


class Recorder(TransformerMixin, BaseEstimator):
    """Hashed words; keeps what each call was given in the list `calls`, which copies share."""

    def __init__(self, calls=None):
        self.calls = calls

    def __sklearn_clone__(self):
        return Recorder(self.calls)

    def fit(self, X, y=None):
        self.calls.append((list(X), y))
        return self

    def fit_transform(self, X, y=None):
        self.calls.append((list(X), y))
        return self._hashed(X)

    def transform(self, X):
        self.calls.append((list(X), None))
        return self._hashed(X)

    def _hashed(self, X):
        return HashingVectorizer(n_features=32).transform(X).astype(np.float32)

    def get_feature_names_out(self, input_features=None):
        return np.array([f"h{i}" for i in range(32)], dtype=object)


def encoder(n_neurons=6, *, target_weight=1.0):
    return Pipeline(
        [
            ("embed", make_pipeline(TfidfVectorizer(min_df=2), TruncatedSVD(32, random_state=0))),
            ("sae", TopKSAETransformer(32, 4, target_weight=target_weight, max_epochs=8, random_state=0)),
            ("select", NeuronSelector(n_neurons)),
        ]
    )


def model():
    return LogisticRegression(fit_intercept=False)


# --- the contract -------------------------------------------------------------------------------


def same(one, other):
    one, other = (np.asarray(each.todense() if sparse.issparse(each) else each) for each in (one, other))
    np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("y", [None, WINNER])
def test_contract_of_a_transformer(y):
    estimator = PairTransformer(TfidfVectorizer())
    pair = clone(estimator)
    assert pair.fit(PAIRS, y) is pair
    state = joblib.hash(vars(pair))
    out = pair.transform(PAIRS)
    assert joblib.hash(vars(pair)) == state
    assert not hasattr(estimator.transformer, "vocabulary_")
    same(clone(estimator).fit_transform(PAIRS, y), out)
    same(clone(pair).fit(PAIRS, y).fit(PAIRS, y).transform(PAIRS), out)
    stored = pickle.dumps(pair)
    assert not any(text.encode() in stored for texts in PAIRS for text in texts)
    same(pickle.loads(stored).transform(PAIRS), out)
    same(pair.transform(PAIRS[::-1])[::-1], out)
    same(np.vstack([pair.transform([texts]).toarray() for texts in PAIRS]), out)
    assert pair.n_features_in_ == 2


def test_every_form_of_a_table_of_texts():
    pair = PairTransformer(CountVectorizer()).fit(PAIRS)
    out = pair.transform(PAIRS)
    frame = pd.DataFrame(PAIRS, columns=["headline_a", "headline_b"], index=list("abcd"))
    for form in (tuple(PAIRS), [list(p) for p in PAIRS], np.array(PAIRS), np.array(PAIRS, dtype=object), frame):
        same(pair.transform(form), out)
        same(clone(pair).fit(form).transform(form), out)


def test_output_is_first_minus_second():
    vectorizer = TfidfVectorizer().fit([text for texts in PAIRS for text in texts])
    first, second = (vectorizer.transform(side) for side in zip(*PAIRS, strict=True))
    pair = PairTransformer(FrozenEstimator(vectorizer)).fit(PAIRS)
    out = pair.transform(PAIRS)
    assert sparse.issparse(out)
    assert out.format == "csr"
    assert out.indices.dtype == np.int32
    same(out, first - second)
    assert out[[3]].nnz == 0
    same(pair.transform([(b, a) for a, b in PAIRS]), -out)
    np.testing.assert_array_equal(pair.get_feature_names_out(), vectorizer.get_feature_names_out())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_float_dtype_is_kept(dtype):
    assert PairTransformer(TfidfVectorizer(dtype=dtype)).fit_transform(PAIRS).dtype == dtype
    dense = PairTransformer(make_pipeline(TfidfVectorizer(dtype=dtype), TruncatedSVD(2))).fit_transform(PAIRS)
    assert isinstance(dense, np.ndarray)
    assert dense.dtype == dtype


def test_unsigned_counts_become_negative_where_the_second_has_more():
    out = PairTransformer(CountVectorizer(dtype=np.uint8)).fit_transform(PAIRS)
    assert out.min() == -1


@pytest.mark.parametrize("inner", [CountVectorizer(), make_pipeline(CountVectorizer(), TruncatedSVD(2))])
def test_pandas_output(inner):
    assert list(PairTransformer(inner).set_output(transform="pandas").fit_transform(PAIRS).index) == [0, 1, 2, 3]
    frame = pd.DataFrame(PAIRS, index=list("abcd"))
    pair = PairTransformer(inner).set_output(transform="pandas")
    out = pair.fit_transform(frame)
    pd.testing.assert_frame_equal(pair.transform(frame), out)
    assert list(out.index) == list("abcd")
    assert list(out.columns) == list(pair.get_feature_names_out())
    same(out, clone(pair).set_output(transform="default").fit(PAIRS).transform(PAIRS))
    with config_context(transform_output="pandas"):
        same(PairTransformer(inner).fit_transform(frame), out)


# --- what the transformer sees --------------------------------------------------------------------


def test_each_distinct_text_is_fitted_and_transformed_once():
    calls = []
    pair = PairTransformer(Recorder(calls)).fit(PAIRS)
    pair.transform(PAIRS)
    clone(pair).fit_transform(PAIRS)
    distinct = list(dict.fromkeys(text for texts in PAIRS for text in texts))
    assert [texts for texts, _ in calls] == [distinct] * 3
    assert np.ravel(PAIRS)[pair.text_index_].tolist() == distinct


def test_a_text_gets_the_mean_over_its_pairs_of_the_target_were_it_first():
    calls = []
    PairTransformer(Recorder(calls)).fit(PAIRS, WINNER)
    # "second" comes after "first", so it counts as 1
    given_to = dict(zip(*calls[0], strict=True))
    assert given_to == {
        "good food and wine": -1,
        "bad food again": 1,
        "bad soup again": 1,
        "good soup and bread": -1,
        "slow coffee again": 0,
    }
    lead = np.array([2.0, -3.0, 1.0, 5.0])
    PairTransformer(Recorder(calls)).fit(PAIRS, lead)
    assert calls[1][1].tolist() == [1.5, -2, -2, 3, 0]


def test_a_text_has_the_mean_weight_of_its_pairs_and_targets_count_by_it():
    class Weighed(Recorder):
        def fit(self, X, y=None, sample_weight=None):
            self.calls.append((y, sample_weight))
            return self

        def __sklearn_clone__(self):
            return Weighed(self.calls)

    calls, lead, weights = [], np.array([2.0, -3.0, 1.0, 5.0]), np.array([1.0, 2.0, 3.0, 0.0])
    PairTransformer(Weighed(calls)).fit(PAIRS, lead, sample_weight=weights)
    y, given_to = calls.pop()
    np.testing.assert_allclose(y, [5 / 4, -2, -9 / 5, 3, 0])
    np.testing.assert_allclose(given_to * 2, [2, 1, 2.5, 2, 0])  # they have a mean of 1, where there are any
    PairTransformer(Weighed(calls)).fit(PAIRS, lead, sample_weight=np.full(4, 7.0))
    y, given_to = calls.pop()
    np.testing.assert_allclose(y, [1.5, -2, -2, 3, 0])
    np.testing.assert_allclose(given_to, np.ones(5))
    PairTransformer(Weighed(calls), order="after").fit(PAIRS, WINNER, sample_weight=[0.1, 0.2, 0.3, 0.7])
    assert set(calls.pop()[0]) == {-1, 0, 1}
    with pytest.raises(ValueError, match="sample_weight must be one number a row"):
        PairTransformer(Weighed(calls)).fit(PAIRS, lead, sample_weight=[1, 2])
    with pytest.raises(TypeError, match="sample_weight"):
        PairTransformer(CountVectorizer()).fit(PAIRS, lead, sample_weight=weights)


@given(flips=st.lists(st.booleans(), min_size=4, max_size=4))
@settings(max_examples=16, deadline=None)
def test_swapping_pairs_and_their_target_changes_no_text(flips):
    calls = []
    y = [2.0, -3.0, 1.0, 5.0]
    swapped = [(b, a) if flip else (a, b) for (a, b), flip in zip(PAIRS, flips, strict=True)]
    for X, target in ((PAIRS, y), (swapped, [-lead if flip else lead for lead, flip in zip(y, flips, strict=True)])):
        PairTransformer(Recorder(calls)).fit(X, target)
    assert dict(zip(*calls[0], strict=True)) == dict(zip(*calls[1], strict=True))


def test_winners_that_all_stand_first_have_a_target_too():
    calls = []
    PairTransformer(Recorder(calls)).fit(PAIRS[:1], ["first"])
    assert calls[0][1].tolist() == [-1, 1]


def test_more_than_two_classes_give_no_target():
    calls = []
    PairTransformer(Recorder(calls)).fit(PAIRS, ["first", "second", "tie", "tie"])
    assert calls[0][1] is None
    needs_y = PairTransformer(make_pipeline(TfidfVectorizer(), NeuronSelector(2)))
    with pytest.raises(ValueError, match="requires y") as caught:
        needs_y.fit(PAIRS, ["first", "second", "tie", "tie"])
    assert "more than two classes" in caught.value.__notes__[0]


def test_texts_of_test_pairs_are_never_in_fit(reviews):
    calls = []
    pairs, y = reviews
    cross_val_score(make_pipeline(PairTransformer(Recorder(calls)), model()), pairs, y, cv=2, error_score="raise")
    for (fitted, _), (scored, _) in zip(calls[::2], calls[1::2], strict=True):
        assert not set(fitted) & set(scored)
        assert set(fitted) | set(scored) == set(pairs.ravel())


def test_a_frozen_transformer_is_used_as_it_is():
    vectorizer = CountVectorizer().fit(["good", "bad"])
    assert PairTransformer(FrozenEstimator(vectorizer)).fit(PAIRS).transform(PAIRS).shape == (4, 2)


# --- pairs of vectors ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "container", [np.asarray, sparse.csr_matrix, sparse.csc_array, pd.DataFrame, np.ndarray.tolist]
)
def test_pairs_of_vectors_side_by_side(container):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 10, 4))
    X = container(np.hstack([a, b]))
    pair = PairTransformer(MaxAbsScaler()).fit(X)
    scale = np.abs(np.vstack([a, b])).max(axis=0)
    same(pair.transform(X), (a - b) / scale)
    assert sparse.issparse(pair.transform(X)) == sparse.issparse(X)
    assert pair.n_features_in_ == 8
    with pytest.raises(ValueError, match="X has 4 features, but PairTransformer is expecting 8 features"):
        pair.transform(np.hstack([a[:, :2], b[:, :2]]))
    with pytest.raises(ValueError, match="odd number"):
        pair.fit(np.hstack([a, b])[:, :7])


def test_a_fit_to_vectors_forgets_the_texts():
    pair = PairTransformer(CountVectorizer()).fit(PAIRS)
    pair.set_params(transformer=MaxAbsScaler()).fit(np.eye(4))
    assert not hasattr(pair, "text_index_")


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("X", "kind", "message"),
    [
        ("a text", TypeError, "X is a single string"),
        (3, TypeError, "X must be a sequence of pairs of texts; got int"),
        ([], ValueError, "X is empty"),
        (["a text", "another"], TypeError, "type str in row 0 where a pair"),
        ([("a", "b"), None], TypeError, "type NoneType in row 1 where a pair"),
        ([("a", "b", "c", "d")], ValueError, r"two columns, .*; got an array of shape \(1, 4\)"),
        ([("a", "b"), ("a",)], ValueError, "rows of length 1 and 2"),
        ([("a", "b"), ("a", " ")], ValueError, "column 1 of X has an empty text in row 1"),
        ([("a", "b"), (None, "b")], ValueError, "column 0 of X has a missing text in row 1"),
        ([(np.nan, np.nan), ("a", "b")], ValueError, "column 0 of X has a missing text in row 0"),
        ([("a", "b"), ("a", 7)], TypeError, "column 1 of X has a value of type int in row 1"),
        (np.array(["a", "b"]), ValueError, r"two columns, .*; got an array of shape \(2,\)"),
        (np.ones((2, 2), dtype=complex), ValueError, "Complex data not supported"),
    ],
)
def test_what_is_no_table_of_pairs(X, kind, message):
    fitted = PairTransformer(CountVectorizer()).fit(PAIRS)
    for method in (clone(fitted).fit, fitted.transform):
        with pytest.raises(kind, match=message):
            method(X)


def test_other_errors():
    with pytest.raises(ValueError, match="y has 3 values for 4 rows"):
        PairTransformer(CountVectorizer()).fit(PAIRS, [0, 1, 0])
    with pytest.raises(ValueError, match="'transformer' parameter of PairTransformer"):
        PairTransformer("tfidf").fit(PAIRS)
    with pytest.raises(ValueError, match="NeuronSelector requires y"):
        PairTransformer(make_pipeline(CountVectorizer(), NeuronSelector(2))).fit(PAIRS)
    with pytest.raises(ValueError, match=r"transformer must turn 6 samples into a table .* shape \(2,\)"):
        PairTransformer(Constant()).fit_transform([("a", "b"), ("c", "d"), ("e", "f")])


class Constant(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return np.zeros(2)


# --- the whole path -------------------------------------------------------------------------------


def test_named_hypotheses_predict_unseen_pairs(reviews):
    pairs, y = reviews
    pair = PairTransformer(KeywordHypothesisAnnotator(encoder(), random_state=0)).fit(pairs[:400], y[:400])
    annotations = pair.transform(pairs[400:])
    assert set(np.unique(annotations)) == {-1, 0, 1}
    names = pair.get_feature_names_out()
    evaluation = evaluate_hypotheses(annotations, y[400:] == "first", hypotheses=names)
    assert len(evaluation.table) == len(names) == 6
    assert evaluation.metrics["auc"] > 0.55
    scores = cross_val_score(make_pipeline(clone(pair), model()), pairs, y, cv=2, scoring="roc_auc")
    assert scores.mean() > 0.55


def test_examples_lead_back_to_the_texts(reviews):
    pairs, y = reviews
    pair = PairTransformer(KeywordHypothesisAnnotator(encoder(), random_state=0)).fit(pairs, y)
    sae = pair.transformer_.encoder_
    for column, shown in enumerate(pair.transformer_.examples_):
        texts = np.ravel(pairs)[pair.text_index_[shown["activating"]]]
        assert (sae.transform(texts.tolist())[:, [column]].toarray() > 0).all()


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_selection_behind_and_inside(weight, reviews):
    pairs, y = reviews
    whole = encoder(target_weight=weight)
    inside = make_pipeline(PairTransformer(whole), model())
    behind = make_pipeline(PairTransformer(whole[:-1]), NeuronSelector(6), model())
    for pipeline in (inside, behind):
        scores = cross_val_score(pipeline, pairs, y, cv=3, scoring="roc_auc", error_score="raise")
        assert scores.mean() > 0.6
        assert pipeline.fit(pairs, y)[-1].coef_.shape == (1, 6)


def test_neurons_chosen_from_differences_can_be_named_from_single_texts(reviews):
    pairs, y = reviews
    chosen = make_pipeline(PairTransformer(encoder()[:-1]), NeuronSelector(6)).fit(pairs, y)
    of_texts = make_pipeline(chosen[0].transformer_, chosen[1])
    pair = PairTransformer(KeywordHypothesisAnnotator(FrozenEstimator(of_texts), random_state=0)).fit(pairs, y)
    assert set(pair.transformer_.hypotheses_["feature"]) <= set(chosen.get_feature_names_out())
    assert np.isfinite(pair.transformer_.hypotheses_["selection_score"]).all()


def test_a_search_over_m_and_k(reviews):
    pairs, y = reviews
    search = GridSearchCV(
        Pipeline([("pair", PairTransformer(encoder())), ("model", model())]),
        {"pair__transformer__sae__n_components": [8, 16], "pair__transformer__sae__k": [2, 4]},
        cv=2,
        scoring="roc_auc",
        error_score="raise",
    ).fit(pairs, y)
    sae = search.best_estimator_["pair"].transformer_["sae"]
    assert sae.k_ == search.best_params_["pair__transformer__sae__k"]


def test_the_standard_pipeline_and_metadata_routing(reviews):
    pairs, y = reviews
    hypotheses = make_hypothesis_pipeline(n_hypotheses=4, random_state=0)[:1]
    pipeline = make_pipeline(PairTransformer(hypotheses), model())
    with config_context(enable_metadata_routing=True):
        assert pipeline.fit(pairs, y).score(pairs, y) > 0.5


def test_missing_answers_stay_missing():
    class Half(TransformerMixin, BaseEstimator):
        def fit(self, X, y=None):
            return self

        def transform(self, X):
            return np.array([[np.nan if "good" in text else float("bad" in text)] for text in X])

    out = PairTransformer(Half()).fit_transform(PAIRS)
    np.testing.assert_array_equal(out.ravel(), [np.nan, np.nan, np.nan, 0])


def test_pairs_of_long_documents_embed_each_chunk_once(tmp_path):
    asked = []

    def embed(texts):
        asked.extend(texts)
        return [[len(text), text.count("e")] for text in texts]

    chunks = ChunkTransformer(EmbeddingTransformer(embed, cache_dir=None), max_words=2)
    out = PairTransformer(chunks).fit_transform(PAIRS)
    assert out.shape == (4, 2)
    assert len(asked) == len(set(asked))
    assert "good food" in asked


# --- real text ------------------------------------------------------------------------------------


def test_twenty_neurons_predict_which_tweet_is_shared_more(tweets):
    """97 % of what a linear model on the differences of all 384 dimensions reaches (0.714) is 0.693."""
    (X, y), (X_val, y_val) = tweets
    sae = TopKSAETransformer(128, 16, target_weight=16, max_epochs=8, random_state=0)
    pair = PairTransformer(make_pipeline(sae, NeuronSelector(20)))
    fitted = make_pipeline(pair, model()).fit(X, y)
    assert roc_auc_score(np.array(y_val) == "second", fitted.decision_function(X_val)) > 0.68
