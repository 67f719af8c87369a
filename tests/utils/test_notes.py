"""A warning names the line of the user, however deep in the package it arises, and notes are collected."""

import warnings

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline

from sklearn_sae import KeywordHypothesisAnnotator, NeuronSelector, discover, evaluate_hypotheses
from sklearn_sae.datasets import make_concept_texts
from sklearn_sae.utils._notes import noted, warn


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


def test_notes_are_collected_and_other_warnings_passed_on():
    with warnings.catch_warnings(record=True) as caught, noted() as notes:
        warnings.simplefilter("always")
        warn("a note")
        warn("a note")
        warn("a loss", RuntimeWarning)
        warnings.warn("of another library", UserWarning, stacklevel=1)
    assert notes == ["a note"]
    assert [str(one.message) for one in caught] == ["a loss", "of another library"]
    assert {one.filename for one in caught} == {__file__}


def test_notes_are_passed_on_before_an_error_that_they_may_explain():
    def fail():
        with noted():
            warn("a note")
            raise ValueError("an error")

    with pytest.warns(UserWarning, match="a note"), pytest.raises(ValueError, match="an error"):
        fail()
