"""Latents of a published SAE, named, scored and annotated by the project's own annotators."""

import re

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline

from sklearn_sae import KeywordHypothesisAnnotator, LLMHypothesisAnnotator, NeuronSelector, PretrainedSAETransformer
from sklearn_sae.analysis import diff_features, top_documents

GOOD = ["the soup was great", "a great place", "great food and great staff", "the story was great"]
BAD = ["the soup was cold", "a cold place", "cold food and cold staff", "the story was plain"]
TEXTS = [f"{text} {i}" for i in range(10) for text in GOOD + BAD]
y = np.array(([1] * 4 + [0] * 4) * 10)


@pytest.fixture
def reader(make_goodfire_file, llama_reader):
    sae = make_goodfire_file(32, n_latents=300, name="tiny-l2.pt")
    return PretrainedSAETransformer(sae, model=llama_reader)


def balance(X, y):
    """Score latents by how near to half of the texts they are active in: most random ones are in all or in none."""
    return 0.5 - np.abs((X > 0).mean(axis=0) - 0.5).A1


@pytest.fixture
def balanced(reader):
    """Two latents that are active in some texts and not in others."""
    return np.argsort(-balance(reader.fit_transform(TEXTS), y))[:2]


def test_a_latent_is_named_from_the_tokens_on_which_it_is_active(reader, openai_server):
    openai_server.reply = lambda body: "mentions soup" if "Group A" in str(body) else "yes"
    annotator = LLMHypothesisAnnotator(
        make_pipeline(reader, NeuronSelector(3, method=balance)),
        base_url=openai_server.base_url,
        n_examples=6,
        n_scoring_examples=10,
        random_state=0,
    ).fit(TEXTS, y)
    assert annotator.hypotheses_["interpretation"].tolist() == ["mentions soup"] * 3
    assert annotator.hypotheses_["fidelity_recall"].tolist() == [1, 1, 1]
    latents = annotator.encoder_[-1].get_support(indices=True)
    prompts = [request["body"]["messages"][1]["content"] for request in openai_server.requests]
    prompts = [prompt for prompt in prompts if "Group A" in prompt]
    assert len(prompts) == 3
    shown = [re.findall(r"<text-\w+ A\d+>\n(.*?)\n</text", prompt, re.DOTALL) for prompt in prompts]
    expected = [
        reader.highlight([TEXTS[row] for row in some["activating"]], int(latent))
        for some, latent in zip(annotator.examples_, latents, strict=True)
    ]
    assert sorted(shown) == sorted(expected)
    assert all("<<" in text for texts in shown for text in texts)


def test_labels_that_the_sae_comes_with_are_scored_and_replaced_where_they_do_badly(reader, balanced, openai_server):
    bad, good = map(int, balanced)
    reader.set_params(feature_labels={bad: "speaks of nothing", good: "great"})

    def reply(body):
        if "Group A" in str(body):
            return "mentions soup"
        return "no" if "nothing" in body["messages"][1]["content"].partition("Property")[2] else "yes"

    openai_server.reply = reply
    annotator = LLMHypothesisAnnotator(
        reader,
        neurons=[bad, good],
        min_label_score=0.5,
        scoring="recall",
        base_url=openai_server.base_url,
        n_examples=6,
        n_scoring_examples=10,
        random_state=0,
    ).fit(TEXTS, y)
    names = dict(zip(annotator.hypotheses_["neuron"], annotator.hypotheses_["interpretation"], strict=True))
    assert names == {bad: "mentions soup", good: "great"}
    asked = [request for request in openai_server.requests if "Group A" in str(request["body"])]
    assert len(asked) == 1


def test_keywords_and_tables_name_them_too(reader):
    annotator = KeywordHypothesisAnnotator(make_pipeline(reader, NeuronSelector(3)), random_state=0)
    assert annotator.fit(TEXTS, y).transform(TEXTS).shape == (80, 3)
    X = reader.fit_transform(TEXTS)
    table = diff_features(X, groups=y, labels=reader.feature_labels_)
    assert table["difference"].abs().max() > 0.1
    latent = int(table.loc[0, "feature"])
    top = top_documents(X, latent, TEXTS, highlight=reader.highlight)
    assert top["highlighted"].str.contains("<<").all()
