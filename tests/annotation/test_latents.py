"""Naming the latents of a published SAE: with the words marked, and only where the label that there is does badly."""

import re

import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_sae import ChunkTransformer, LLMHypothesisAnnotator, NeuronSelector, make_hypothesis_pipeline


class WordReader(TransformerMixin, BaseEstimator):
    """What an annotator knows of a PretrainedSAETransformer: latent i is active on word i."""

    def __init__(self, words, labels):
        self.words = words
        self.labels = labels

    def fit(self, X, y=None):
        self.feature_labels_ = dict(self.labels)
        return self

    def transform(self, X):
        return CountVectorizer(vocabulary=self.words, dtype=np.float32).transform(X)

    def highlight(self, texts, latent):
        return [re.sub(rf"\b{self.words[latent]}\b", r"<<\g<0>>>", text) for text in texts]


@pytest.fixture
def reader(planted):
    right, wrong = f"mentions {planted.words[0]}", f"mentions {planted.words[0]}"
    return WordReader(planted.words, {0: right, 1: wrong})


def asked_to_interpret(server):
    users = [request["body"]["messages"][-1]["content"] for request in server.requests if "messages" in request["body"]]
    return [user for user in users if "Group A" in user]


def annotator(server, encoder, **params):
    defaults = {"base_url": server.base_url, "n_examples": 10, "n_scoring_examples": 20, "random_state": 0}
    return LLMHypothesisAnnotator(encoder, **defaults | params)


def form(reader, shape):
    if shape == "alone":
        return reader
    select = NeuronSelector(len(reader.words))
    return {
        "selected": make_pipeline(reader, select),
        "nested": Pipeline([("read", Pipeline([("words", reader), ("no", "passthrough")])), ("select", select)]),
        "frozen": make_pipeline(FrozenEstimator(reader.fit(None)), select),
    }[shape]


@pytest.mark.parametrize("shape", ["alone", "selected", "nested", "frozen"])
def test_the_interpreter_sees_on_which_words_a_latent_is_active(rule_server, planted, reader, shape):
    annotator(rule_server, form(reader, shape)).fit(planted.texts, planted.y)
    prompts = asked_to_interpret(rule_server)
    assert len(prompts) == len(planted.words)
    marked = [set(re.findall(r"<<(\w+)>>", prompt)) for prompt in prompts]
    assert sorted(marked, key=sorted) == sorted(({word} for word in planted.words), key=sorted)
    for prompt in prompts:
        assert "<<" not in prompt.partition("Group B")[2]
    systems = [r["body"]["messages"][0]["content"] for r in rule_server.requests if "messages" in r["body"]]
    assert sum("between << and >>" in system for system in systems) == len(prompts)


def test_a_good_label_is_kept_and_a_bad_one_replaced(rule_server, planted, reader):
    fitted = annotator(rule_server, reader, min_label_score=0.9).fit(planted.texts)
    names = fitted.hypotheses_["interpretation"].tolist()
    assert names[0] == f"mentions {planted.words[0]}"
    for word, name in zip(planted.words, names, strict=True):
        assert word in name
    assert len(asked_to_interpret(rule_server)) == len(planted.words) - 1  # the first was not asked for
    assert (fitted.hypotheses_["fidelity_f1"] > 0.9).all()


def test_a_bad_label_stays_where_no_new_name_is_better(rule_server, planted, reader):
    reader.labels[1] = f"mentions {planted.words[1]}"
    answer = rule_server.reply
    rule_server.reply = lambda body: "speaks of nothing" if "Group A" in str(body) else answer(body)
    fitted = annotator(rule_server, reader, min_label_score=1.0, scoring="correlation").fit(planted.texts)
    names = dict(zip(fitted.hypotheses_["neuron"], fitted.hypotheses_["interpretation"], strict=True))
    assert names[0] == reader.labels[0]
    assert names[1] == reader.labels[1]
    assert names[2] == "speaks of nothing"


def test_no_label_is_asked_about_unless_wanted(rule_server, planted, reader):
    fitted = annotator(rule_server, reader).fit(planted.texts)
    assert len(asked_to_interpret(rule_server)) == len(planted.words)
    assert len(fitted.hypotheses_) == len(planted.words)


def test_behind_anything_but_a_selector_latents_are_neurons_like_others(rule_server, planted, reader):
    encoder = make_pipeline(reader, StandardScaler(with_mean=False))
    annotator(rule_server, encoder, min_label_score=0.5).fit(planted.texts)
    prompts = asked_to_interpret(rule_server)
    assert len(prompts) == len(planted.words)
    assert not any("<<" in prompt for prompt in prompts)


def test_a_score_beyond_its_range_is_refused(planted, reader):
    with pytest.raises(ValueError, match="min_label_score"):
        LLMHypothesisAnnotator(reader, min_label_score=1.5).fit(planted.texts)


def test_a_label_is_scored_on_texts(planted, reader):
    with pytest.raises(ValueError, match="min_label_score needs texts to score a label on"):
        LLMHypothesisAnnotator(reader, min_label_score=0.5, n_scoring_examples=0).fit(planted.texts)


def test_the_scoring_of_labels_is_counted(rule_server, planted, reader):
    asked = annotator(rule_server, reader, min_label_score=1.0, concepts_per_call=1)
    reader.labels |= {i: f"mentions {i}" for i in range(len(planted.words))}  # all to be scored, none to be kept
    estimate = asked.estimate_cost(0, n_neurons=len(planted.words))["requests"]
    n_requests = len([1 for _ in rule_server.requests])
    asked.fit(planted.texts)
    assert len(rule_server.requests) - n_requests <= estimate
    assert estimate > asked.set_params(min_label_score=None).estimate_cost(0, n_neurons=len(planted.words))["requests"]


def test_a_text_that_is_cut_before_what_activates_a_latent_is_not_shown(rule_server, planted, reader):
    fillers = " ".join(f"Some words, {i} of them." for i in range(20))
    late = [
        f"Number {i} is long. {fillers} {text}" if row[0] and i % 2 else text
        for i, (text, row) in enumerate(zip(planted.texts, planted.has, strict=True))
    ]
    with pytest.warns(UserWarning, match="are cut"):
        annotator(rule_server, reader, max_words=60, n_examples=20, neurons=[0]).fit(late)
    [prompt] = asked_to_interpret(rule_server)
    shown = re.findall(r"<text-\w+ A\d+>\n(.*?)\n</text", prompt, re.DOTALL)
    assert 2 < len(shown) < 10
    assert all("<<cheap>>" in text.lower() for text in shown)


@pytest.mark.parametrize("is_selected", [False, True])
def test_the_interpreter_sees_which_sentences_activate_a_neuron_and_their_neighbors(rule_server, planted, is_selected):
    ends = "Nothing more to say. Not a single thing. We went home by bus. That took us a while."
    texts = [f"{text} {ends}" for text in planted.texts]
    encoder = ChunkTransformer(CountVectorizer(vocabulary=planted.words, dtype=np.float32), unit="sentence")
    encoder = make_pipeline(encoder, NeuronSelector(2)) if is_selected else encoder
    fitted = annotator(rule_server, encoder, remove_boilerplate=False).fit(texts, planted.y)
    prompts = asked_to_interpret(rule_server)
    assert len(prompts) == len(fitted.hypotheses_) == (2 if is_selected else 4)
    assert fitted.hypotheses_["fidelity_f1"].tolist() == [1] * len(prompts)
    for prompt in prompts:
        with_it, _, without = prompt.partition("Group B")
        marked = re.findall(r"<<(.*?)>>", with_it)
        assert any(all(word in one.lower() for one in marked) for word in planted.words)
        assert len(marked) >= 5
        assert all(one.endswith(".") for one in marked)
        assert "[…]" in with_it
        assert "That took us" not in with_it
        assert "That took us" in without
        assert "<<" not in without
    systems = [r["body"]["messages"][0]["content"] for r in rule_server.requests if "messages" in r["body"]]
    assert sum("between << and >>" in system for system in systems) == len(prompts)


def test_what_the_sentences_of_the_standard_pipeline_activate_is_marked_too(
    rule_server, planted, tiny_sentence_transformer
):
    texts = [f"{text} Nothing more to say. Not a single thing. We went home by bus." for text in planted.texts]
    naming = LLMHypothesisAnnotator(base_url=rule_server.base_url, n_scoring_examples=0, random_state=0)
    pipeline = make_hypothesis_pipeline(
        tiny_sentence_transformer, naming=naming, n_hypotheses=2, n_components=16, k=2, random_state=0
    )
    pipeline["hypotheses"].fit(texts, planted.y)
    prompts = asked_to_interpret(rule_server)
    assert len(prompts) >= 2
    assert all("<<" in prompt.partition("Group B")[0] for prompt in prompts)
