"""Pairs whose difference is taken before an autoencoder: `PairTransformer(order="before")`."""

import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler

from sklearn_sae import (
    EmbeddingTransformer,
    KeywordHypothesisAnnotator,
    LLMHypothesisAnnotator,
    NeuronSelector,
    PairTransformer,
    QuoteHypothesisAnnotator,
    TopKSAETransformer,
    evaluate_hypotheses,
    show_neurons,
)

PAIRS = [
    ("good food and wine", "bad food again"),
    ("bad soup again", "good soup and bread"),
    ("good food and wine", "bad soup again"),
    ("slow coffee again", "slow coffee again"),
]
WINNER = ["first", "second", "first", "second"]


class Recorder(TransformerMixin, BaseEstimator):
    """Changes nothing; keeps what `fit` was given in the list `calls`, which copies share."""

    def __init__(self, calls=None):
        self.calls = calls

    def __sklearn_clone__(self):
        return Recorder(self.calls)

    def fit(self, X, y=None):
        self.calls.append((X, y))
        return self

    def __sklearn_is_fitted__(self):
        return True

    def transform(self, X):
        return X


def dense(X):
    return np.asarray(X.todense() if sparse.issparse(X) else X)


def encoder(n_neurons=6):
    sae = TopKSAETransformer(32, 4, signed=True, target_weight=1.0, max_epochs=8, random_state=0)
    embed = make_pipeline(TfidfVectorizer(min_df=2), TruncatedSVD(32, random_state=0))
    return Pipeline([("embed", embed), ("sae", sae), ("select", NeuronSelector(n_neurons))])


# --- what the steps see ---------------------------------------------------------------------------


def test_the_first_step_gives_differences_and_the_others_are_fitted_on_both_orders():
    calls = []
    first = EmbeddingTransformer(lambda texts: [calls.append(text) or [len(text), 1] for text in texts], cache_dir=None)
    seen = []
    pair = PairTransformer(make_pipeline(first, Recorder(seen)), order="before").fit(PAIRS, WINNER)
    assert len(calls) == len(set(calls)) == 5
    differences = np.array([[len(a) - len(b), 0] for a, b in PAIRS])
    ((given, y),) = seen
    np.testing.assert_array_equal(given, np.vstack([differences, -differences]))
    assert y.tolist() == [-1, 1, -1, 1, 1, -1, 1, -1]  # "second" comes after "first", so it counts as 1
    np.testing.assert_array_equal(pair.transform(PAIRS), differences)
    pair.fit(PAIRS, [2.0, -3.0, 1.0, 0.0])
    assert seen[1][1].tolist() == [2, -3, 1, 0, -2, 3, -1, 0]
    assert np.ravel(PAIRS)[pair.text_index_].tolist() == [*np.array(PAIRS)[:, 0], *np.array(PAIRS)[:, 1]]


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_matrix, pd.DataFrame])
def test_of_vectors_the_difference_is_taken_straight(container):
    a, b = np.random.default_rng(0).normal(size=(2, 10, 4))
    X = container(np.hstack([a, b]))
    pair = PairTransformer(MaxAbsScaler(), order="before").fit(X)
    np.testing.assert_allclose(dense(pair.transform(X)), (a - b) / np.abs(a - b).max(axis=0))
    assert not hasattr(pair, "text_index_")


def test_more_than_two_classes_give_no_target():
    seen = []
    steps = make_pipeline(CountVectorizer(), Recorder(seen))
    PairTransformer(steps, order="before").fit(PAIRS, ["first", "second", "tie", "tie"])
    assert seen[0][1] is None


def test_half_of_what_the_orders_differ_by_is_returned():
    """Whatever the steps do, a swapped pair has the negative row."""
    steps = make_pipeline(CountVectorizer(), FunctionTransformer(lambda X: np.exp(X.toarray())))
    pair = PairTransformer(steps, order="before").fit(PAIRS)
    count = CountVectorizer().fit(np.ravel(PAIRS))
    first, second = (count.transform(side).toarray() for side in zip(*PAIRS, strict=True))
    np.testing.assert_allclose(pair.transform(PAIRS), np.sinh(first - second))


# --- the contract of a transformer ----------------------------------------------------------------


def test_contract_of_a_transformer(reviews):
    pairs, y = (part[:200] for part in reviews)
    estimator = PairTransformer(encoder(), order="before")
    assert clone(estimator).get_params()["order"] == "before"
    pair = clone(estimator).fit(pairs, y)
    state = joblib.hash(vars(pair))
    out = pair.transform(pairs)
    assert joblib.hash(vars(pair)) == state
    assert sparse.issparse(out)
    assert out.indices.dtype == np.int32
    assert out.shape == (200, 6)
    assert (dense(out) < 0).any()
    assert (dense(out) > 0).any()
    np.testing.assert_allclose(dense(clone(estimator).fit_transform(pairs, y)), dense(out), atol=1e-6)
    np.testing.assert_array_equal(dense(pair.transform(pairs[:, ::-1])), -dense(out))
    np.testing.assert_allclose(dense(pair.transform(pairs[::-1]))[::-1], dense(out), atol=1e-6)
    stored = pickle.dumps(pair)
    assert not any(text.encode() in stored for text in pairs.ravel())
    np.testing.assert_array_equal(dense(pickle.loads(stored).transform(pairs)), dense(out))
    assert all(name.startswith("topksaetransformer") for name in pair.get_feature_names_out())
    frame = pd.DataFrame(pairs, index=np.arange(200) + 7)
    table = pair.set_output(transform="pandas").transform(frame)
    assert list(table.index) == list(frame.index)
    assert list(table.columns) == list(pair.get_feature_names_out())
    np.testing.assert_array_equal(table.to_numpy(), dense(out))


def test_a_search_over_m_and_k_and_the_order(reviews):
    pairs, y = reviews
    search = GridSearchCV(
        Pipeline([("pair", PairTransformer(encoder())), ("model", LogisticRegression(fit_intercept=False))]),
        {"pair__order": ["after", "before"], "pair__transformer__sae__k": [2, 4]},
        cv=2,
        scoring="roc_auc",
        error_score="raise",
    ).fit(pairs, y)
    pair = search.best_estimator_["pair"]
    assert pair.transformer_["sae"].k_ == search.best_params_["pair__transformer__sae__k"]
    assert search.cv_results_["mean_test_score"].min() > 0.6


@pytest.mark.parametrize(
    ("transformer", "found"),
    [
        (CountVectorizer(), "a CountVectorizer"),
        (make_pipeline(CountVectorizer()), "a Pipeline of one step"),
        (KeywordHypothesisAnnotator(CountVectorizer()), "a CountVectorizer"),
        (LLMHypothesisAnnotator(hypotheses=["is good"]), "a LLMHypothesisAnnotator"),
        (FrozenEstimator(make_pipeline(CountVectorizer(), MaxAbsScaler()).fit(PAIRS[0])), "a FrozenEstimator"),
    ],
)
def test_no_first_step(transformer, found):
    with pytest.raises(ValueError, match=f'order="before" needs a first step, .* it is {found}'):
        PairTransformer(transformer, order="before").fit(PAIRS)


def test_unknown_order():
    with pytest.raises(ValueError, match="'order' parameter of PairTransformer"):
        PairTransformer(CountVectorizer(), order="between").fit(PAIRS)


# --- names ----------------------------------------------------------------------------------------


def test_names_from_pairs_predict_unseen_pairs(reviews):
    pairs, y = reviews
    pair = PairTransformer(KeywordHypothesisAnnotator(encoder(), random_state=0), order="before")
    annotations = pair.fit(pairs[:400], y[:400]).transform(pairs[400:])
    assert set(np.unique(annotations)) == {-1, 0, 1}
    np.testing.assert_array_equal(pair.transform(pairs[400:, ::-1]), -annotations)
    names = pair.get_feature_names_out()
    assert all(name.startswith("mentions ") for name in names)
    assert np.isfinite(pair.transformer_.hypotheses_["selection_score"]).all()
    assert evaluate_hypotheses(annotations, y[400:] == "first", hypotheses=names).metrics["auc"] > 0.6
    scores = cross_val_score(
        make_pipeline(clone(pair), LogisticRegression(fit_intercept=False)), pairs, y, cv=2, scoring="roc_auc"
    )
    assert scores.mean() > 0.6


def test_examples_have_more_than_their_counterpart(reviews):
    pairs, y = reviews
    pair = PairTransformer(KeywordHypothesisAnnotator(encoder(), random_state=0), order="before").fit(pairs, y)
    encode = pair.transformer_.encoder_
    for column, shown in enumerate(pair.transformer_.examples_):
        for position in pair.text_index_[shown["activating"]]:
            row, side = divmod(position, 2)
            given = pairs[[row]] if side == 0 else pairs[[row], ::-1]
            assert encode.transform(given)[0, column] > 0


def test_a_neuron_can_judge_pairs(reviews):
    pairs, y = reviews
    annotator = KeywordHypothesisAnnotator(encoder(), judge="neuron", random_state=0)
    with pytest.warns(UserWarning, match="neuron"):
        pair = PairTransformer(annotator, order="before").fit(pairs, y)
    encode = pair.transformer_.encoder_.transform
    expected = (dense(encode(pairs)) > 0).astype(float) - (dense(encode(pairs[:, ::-1])) > 0)
    np.testing.assert_array_equal(pair.transform(pairs), expected)


def test_quotes_are_found_with_the_first_step(reviews):
    pairs, y = (part[:300] for part in reviews)
    pair = PairTransformer(QuoteHypothesisAnnotator(encoder(), random_state=0), order="before").fit(pairs, y)
    assert all(name.startswith("says something like ") for name in pair.get_feature_names_out())
    assert set(np.unique(pair.transform(pairs))) == {-1, 0, 1}
    assert hasattr(pair.transformer_.embedder_, "steps")  # all of it, not the vectorizer that it begins with


def test_a_language_model_names_from_pairs_and_judges_single_texts(openai_server):
    calls = []

    def reply(body):
        user = body["messages"][1]["content"]
        calls.append((body["model"], user))
        return "mentions cold" if body["model"] == "gpt-5.2" else ("Yes" if "cold soup" in user.lower() else "No")

    openai_server.reply = reply
    pairs = [(f"Cold soup, visit {i}.", f"A good day, visit {i}.")[:: (-1) ** i] for i in range(24)]
    words = make_pipeline(CountVectorizer(vocabulary=["cold"], dtype=np.float32), MaxAbsScaler())
    annotator = LLMHypothesisAnnotator(
        words, n_scoring_examples=6, base_url=openai_server.base_url, max_retries=0, random_state=0
    )
    pair = PairTransformer(annotator, order="before").fit(pairs)
    assert pair.get_feature_names_out().tolist() == ["mentions cold"]
    assert pair.transformer_.hypotheses_["fidelity_f1"].tolist() == [1]
    assert pair.transform(pairs).ravel().tolist() == [1, -1] * 12
    judged = [user for model, user in calls if model != "gpt-5.2"]
    assert len(judged) == len(set(judged)) == 48  # each text once


def test_neurons_of_pairs_are_shown(reviews):
    pairs, y = reviews
    for transformer in (encoder(), KeywordHypothesisAnnotator(encoder(), random_state=0)):
        pair = PairTransformer(transformer, order="before").fit(pairs, y)
        view = show_neurons(pair, pairs, y, neurons=2, n=1)
        assert "stronger in the first" in str(view)
        assert "stronger in the second" in str(view)
    assert {neuron.name for neuron in view.neurons} <= set(pair.get_feature_names_out())


# --- real text ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_twenty_signed_neurons_predict_as_ridge_which_tweet_is_shared_more(tweets):
    """A linear model on the differences of all 384 dimensions reaches 0.714."""
    (X, y), (X_val, y_val) = tweets
    sae = TopKSAETransformer(32, 4, signed=True, target_weight=2, random_state=0)
    pair = PairTransformer(make_pipeline(sae, NeuronSelector(20)), order="before")
    fitted = make_pipeline(pair, LogisticRegression(fit_intercept=False)).fit(X, y)
    assert roc_auc_score(np.array(y_val) == "second", fitted.decision_function(X_val)) > 0.705
