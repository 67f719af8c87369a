"""Texts with planted words, an encoder that sees them, and a server that names and judges by rule."""

import json
import re
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer

from sklearn_sae import LLMHypothesisAnnotator

PLANTED = ["cheap", "cold", "music", "rude"]  # in alphabetical order: the columns of the encoder
_PHRASES = {
    "cheap": ["a cheap lunch", "cheap drinks and a cheap bill", "surprisingly cheap"],
    "cold": ["the soup came cold", "cold fries, cold coffee", "our plates were cold"],
    "music": ["loud music all night", "lovely music", "music, and more music"],
    "rude": ["a rude waiter", "a rude host and a rude cook", "rude staff"],
}
_FILLERS = ["We came on {day}.", "Dinner for {n} people.", "Table {n} by the window on {day}.", "Second visit, {day}."]
_DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"]


def make_texts(n_texts, seed):
    """Return distinct texts, which of PLANTED stands in each (bool), and a target that two of them move."""
    rng = np.random.RandomState(seed)
    has = rng.rand(n_texts, len(PLANTED)) < 0.3
    texts = []
    for i, row in enumerate(has):
        parts = [rng.choice(_FILLERS).format(day=rng.choice(_DAYS), n=i + 2)]
        parts += [
            rng.choice(_PHRASES[word]).capitalize() + "." for word, there in zip(PLANTED, row, strict=True) if there
        ]
        texts.append(f"{' '.join(parts)} Visit number {i + 2}.")
    y = 1.0 * has[:, 0] - 2.0 * has[:, 3] + 0.1 * rng.randn(n_texts)
    return texts, has, y


@pytest.fixture(scope="session")
def planted():
    texts, has, y = make_texts(120, seed=0)
    return SimpleNamespace(texts=texts, has=has, y=y, words=PLANTED, make=make_texts)


@pytest.fixture
def encoder():
    """One neuron for each planted word; its activation is how often the word stands in the text."""
    return CountVectorizer(vocabulary=PLANTED, dtype=np.float32)


@pytest.fixture
def rule_server(openai_server):
    """The server, answering as a model that reads words would."""
    openai_server.reply = rule_based_reply
    return openai_server


@pytest.fixture
def annotator(rule_server, encoder):
    """An annotator over the planted words that asks the rule-based server."""
    return LLMHypothesisAnnotator(
        encoder, n_scoring_examples=6, base_url=rule_server.base_url, max_retries=0, random_state=0
    )


@pytest.fixture
def given(rule_server):
    """An annotator of hypotheses that a person wrote."""
    return LLMHypothesisAnnotator(hypotheses=["mentions rude", "mentions cold"], base_url=rule_server.base_url)


def rule_based_reply(body):
    """Name a group by the word that most sets it apart; judge "mentions WORD" by the word."""
    _, user = _said(body)
    groups = re.findall(r"<text-\w+ ([AB])\d+>\n(.*?)\n</text", user, re.DOTALL)
    if groups:
        count = Counter()
        for group, text in groups:
            for word in _words(text):
                count[word] += 1 if group == "A" else -1
        return f"mentions {min(count, key=lambda word: (-count[word], word))}"
    text = re.search(r"<text-\w+>\n(.*?)\n</text", user, re.DOTALL).group(1)
    concepts = re.findall(r'"([^"]*)"', user[user.index("</text") :])
    answers = ["yes" if concept.split()[-1] in _words(text) else "no" for concept in concepts]
    if len(answers) == 1:
        return answers[0].capitalize()
    return json.dumps({str(i): answer for i, answer in enumerate(answers, 1)})


def _said(body):
    if "messages" in body:
        return [message["content"] for message in body["messages"]]
    return body["instructions"], body["input"]


def _words(text):
    return re.findall(r"[a-z]{4,}", text.lower())
