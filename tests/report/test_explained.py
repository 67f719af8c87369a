"""Three predictions that a report of a discovery explains."""

import numpy as np
import pandas as pd
import pytest

from sklearn_sae import discover, explain
from sklearn_sae.datasets import make_concept_texts
from sklearn_sae.report._markdown import markdown_of
from sklearn_sae.report._page import page_of
from sklearn_sae.report._report_of import report_of_discovery


@pytest.fixture(scope="module")
def reviews():
    return make_concept_texts(600, n_concepts=4, noise=0.3, random_state=0)


@pytest.fixture(scope="module")
def found(reviews):
    return discover(reviews.data, pd.Series(reviews.target, name="stars"), n_hypotheses=5, random_state=0)


def test_they_are_the_highest_the_lowest_and_the_furthest_off(found, reviews):
    explained = report_of_discovery(found).explained
    assert [one.title for one in explained] == ["Predicted highest", "Predicted lowest", "Furthest off"]
    predicted, truth = found.pipeline.predict(found.texts), reviews.target[found.test]
    rows = [int(np.flatnonzero(found.test == one.example.row)[0]) for one in explained]
    assert predicted[rows[0]] == predicted.max()
    assert predicted[rows[1]] == predicted.min()
    off = abs(truth - predicted)
    assert off[rows[2]] == np.delete(off, rows[:2]).max()


def test_they_say_what_explain_says(found):
    report = report_of_discovery(found)
    names = {one.number: one.name for one in report.hypotheses}
    for one in report.explained:
        text = found.texts[found.test.tolist().index(one.example.row)]
        table = explain(found, text).table
        table = table[table["contribution"] != 0]
        assert [names[number] for _, number, _ in one.parts] == table["hypothesis"].tolist()
        adds = [float(adds.replace("−", "-")) for adds, _, _ in one.parts]
        np.testing.assert_allclose(adds, table["contribution"], atol=0.006)
        marked = {part.text.lower() for some in one.example.excerpts[0].stretches for part in some if part.is_word}
        assert all(word in "".join(table["evidence"]).lower() for word in marked)


def test_no_text_is_shown_where_none_may(found):
    report = report_of_discovery(found, texts="none")
    assert [one.example.excerpts for one in report.explained] == [()] * 3
    page, markdown = page_of(report), markdown_of(report)
    assert 'id="explained"' in page
    assert "## Predictions explained" in markdown
    fragment = found.texts[found.test.tolist().index(report.explained[0].example.row)][:30]
    assert fragment not in page
    assert fragment not in markdown


def test_of_two_classes_they_are_log_odds(reviews):
    y = np.where(reviews.target > np.median(reviews.target), "good", "bad")
    found = discover(reviews.data, y, n_hypotheses=4, random_state=0)
    highest, lowest, off = report_of_discovery(found).explained
    likely = found.pipeline.predict_proba(found.texts)[:, 1]
    assert highest.said.startswith(f"The probability of “good” is {likely.max():.0%}; it is “")
    assert lowest.said.startswith(f"The probability of “good” is {likely.min():.0%}; it is “")
    row = found.test.tolist().index(off.example.row)
    assert (likely[row] > 0.5) == (y[off.example.row] == "bad")


def test_of_more_classes_there_are_none(reviews):
    y = np.array(["low", "middle", "high"])[np.digitize(reviews.target, np.quantile(reviews.target, [0.33, 0.67]))]
    found = discover(reviews.data, y, n_hypotheses=3, random_state=0)
    report = report_of_discovery(found)
    assert report.explained == ()
    assert 'id="explained"' not in page_of(report)
