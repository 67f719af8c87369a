"""A warning names the line of the user, however deep in the package it arises."""

import warnings

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline

from sklearn_sae import KeywordHypothesisAnnotator, NeuronSelector, discover, evaluate_hypotheses
from sklearn_sae.datasets import make_concept_texts


def _select():
    X = np.zeros((20, 4))
    X[:10, 0] = 1
    make_pipeline(NeuronSelector(3, method="correlation"), LinearRegression()).fit(X, np.arange(20) % 10)


def _name():
    texts = ["The soup <br> was cold.", "Rude staff!", "A rude waiter.", "Great soup.", "Cold soup.", "So rude."]
    activations = np.array([[1, 0], [0, 1], [0, 1], [1, 0], [1, 0], [0, 1]])
    KeywordHypothesisAnnotator().fit(activations, texts=texts)


def _evaluate():
    evaluate_hypotheses([[0.0], [1.0], [0.0], [1.0], [1.0]], np.array([[1.0], [2.0], [1.5], [2.5], [2.0]]))


def _discover():
    reviews = make_concept_texts(120, n_concepts=3, random_state=0)
    discover(reviews.data, reviews.target, n_hypotheses=3, random_state=0)


@pytest.mark.parametrize("call", [_select, _name, _evaluate, _discover])
def test_a_warning_names_the_line_of_the_user(call):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    ours = [one for one in caught if one.category.__module__ in ("sklearn_sae.utils._notes", "sklearn.exceptions")]
    assert ours
    assert {one.filename for one in ours} == {__file__}
