"""Which neurons are named, and which names are offered."""

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.pipeline import make_pipeline

from sklearn_sae import KeywordHypothesisAnnotator, LLMHypothesisAnnotator, NeuronSelector
from sklearn_sae.annotation._fidelity import Fidelity
from sklearn_sae.annotation._sampling import Examples
from sklearn_sae.annotation._succession import Named, offer, sentence_on

WORDS = ["cold", "kind", "rude", "slow"]


def named(place, sentence, f1=0.8, says=None, n_scored=20):
    return Named(place, sentence, Fidelity(f1, f1, f1, f1), Examples([], [], np.arange(n_scored)), says)


def test_of_names_that_say_the_same_the_one_of_the_better_neuron_is_offered():
    says = np.arange(40) % 2
    some = [
        named(0, "A"),
        named(1, "a "),
        named(2, "B", says=says),
        named(3, "C", says=1 - says),
        named(4, "D", f1=0.1),
    ]
    kept, passed = offer([], some, rank=np.array([2, 1, 3, 4, 5]))
    assert [one.place for one in kept] == [1, 2]
    assert [(one.place, why.split()[-1]) for one, why in passed] == [(0, "has"), (3, "same"), (4, "fit")]
    assert sentence_on(passed, 2, 4) == (
        "Neurons were passed over: 1 whose name another has, 1 whose name says nearly the same, "
        "1 whose name does not fit (F1 below 0.4); 2 of 4 hypotheses are left."
    )
    assert sentence_on([*passed, (some[0], "whose name is long")], 4, 4).endswith(
        "1 whose name does not fit (F1 below 0.4), 1 whose name is long."
    )
    assert sentence_on([], 4, 4) == ""


def test_a_fidelity_on_few_texts_does_not_count():
    assert len(offer([], [named(0, "A", f1=0, n_scored=4)], rank=np.array([1]))[0]) == 1


@pytest.fixture
def visits():
    rng = np.random.RandomState(0)
    has = rng.rand(300, 4) < 0.3
    texts = [f"Visit {i} " + " ".join(np.array(WORDS)[row]) for i, row in enumerate(has)]
    return texts, has @ [1.0, 2.0, -3.0, 0.5] + 0.1 * rng.rand(300)


def test_no_more_neurons_are_named_by_a_language_model_than_are_missing(visits, openai_server):
    texts, y = visits
    answers = iter(["mentions rude", "mentions rude", "mentions cold", "mentions slow"])
    asked = []

    def reply(body):
        if body["model"] == "gpt-5.2":
            asked.append(body)
            return next(answers)
        said = str(body)
        return "yes" if any(said.count(word) > 1 for word in WORDS) else "no"

    openai_server.reply = reply
    encoder = make_pipeline(CountVectorizer(vocabulary=WORDS, dtype=np.float32), NeuronSelector(2, n_spare=2))
    annotator = LLMHypothesisAnnotator(
        encoder, base_url=openai_server.base_url, n_scoring_examples=4, max_concurrency=1, random_state=0
    )
    with pytest.warns(UserWarning, match="passed over for the next best: 1 whose name another has"):
        annotator.fit(texts, y)
    assert len(asked) == 3  # two, and one in place of the second
    assert annotator.get_feature_names_out().tolist() in (
        ["mentions rude", "mentions cold"],
        ["mentions cold", "mentions rude"],
    )
    assert [one["reason"] for one in annotator.passed_over_] == ["whose name another has"]


def test_without_spare_neurons_all_are_named(visits):
    texts, y = visits
    doubled = make_pipeline(CountVectorizer(vocabulary=WORDS, dtype=np.float32), NeuronSelector(4))
    annotator = KeywordHypothesisAnnotator(doubled, random_state=0).fit(texts, y)
    assert len(annotator.hypotheses_) == 4
    assert annotator.passed_over_ == []


def test_a_function_of_ones_own_selects_neurons_and_not_names(visits):
    texts, y = visits
    words = CountVectorizer(vocabulary=WORDS, dtype=np.float32)
    merit = np.linspace(1, 2, len(WORDS))  # known by the place of a neuron, and so for no other number of them
    encoder = make_pipeline(words, NeuronSelector(2, method=lambda X, y: merit, n_spare=2))
    named = KeywordHypothesisAnnotator(encoder, random_state=0).fit(texts, y).hypotheses_
    assert len(named) == 2
