"""What results show in a notebook: names, effects and scores as HTML, and no text of the corpus."""

from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.pipeline import make_pipeline

from sklearn_sae import KeywordHypothesisAnnotator, LLMHypothesisAnnotator, discover, evaluate_hypotheses
from sklearn_sae.datasets import make_concept_texts


class Table(HTMLParser):
    """The cells of all tables of a page, and the tags that are open at its end."""

    def __init__(self, page):
        super().__init__()
        self.rows, self.tags, self.open = [], [], []
        self.feed(page)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag != "br":
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data


@pytest.fixture(scope="module")
def found():
    reviews = make_concept_texts(600, n_concepts=4, random_state=0)
    texts = [f"{text} Unique{i}word." for i, text in enumerate(reviews.data)]
    return discover(texts, pd.Series(reviews.target, name="<i>stars</i>"), n_hypotheses=3, random_state=0), texts


def test_a_discovery_shows_what_is_printed_and_no_text(found):
    discovery, texts = found
    page = discovery._repr_html_()
    head, *rows = Table(page).rows
    assert [row[0] for row in rows[:3]] == discovery.table["hypothesis"].tolist()
    effects = [float(row[head.index("separation")].rstrip("*")) for row in rows[:3]]
    np.testing.assert_allclose(effects, discovery.table["separation_score"], atol=0.01)
    fidelity = [float(row[head.index("fidelity")]) for row in rows[:3]]
    np.testing.assert_allclose(fidelity, discovery.table["fidelity_f1"], atol=0.0051)
    assert any(row == [f"{discovery.scores['r2']:.3f}", "these 3 hypotheses"] for row in rows)
    assert "Unique" not in page
    assert not any(text[:40] in page for text in texts)
    assert "<i>" not in page
    assert "script" not in Table(page).tags


def test_shares_are_in_points():
    rng = np.random.default_rng(0)
    holds = rng.integers(2, size=(400, 2))
    result = evaluate_hypotheses(holds, rng.random(400) < 0.3 + 0.4 * holds[:, 0], hypotheses=["one", "other"])
    head, first, _ = Table(result._repr_html_()).rows
    shown = first[head.index("separation")]
    assert shown.endswith("*")
    assert float(shown.rstrip("*")) == pytest.approx(100 * result.table["separation_score"][0], abs=0.5)
    assert "points of percentage" in result._repr_html_()


def test_what_is_not_known_has_a_dash():
    holds = np.array([[1, 0], [1, 1], [1, 0], [1, 1]] * 10, dtype=float)
    page = evaluate_hypotheses(holds, np.arange(40.0), hypotheses=["always", "some"])._repr_html_()
    head, always, _ = Table(page).rows
    assert always[head.index("separation")] == always[head.index("95% CI (separation)")] == "-"


def test_an_annotator_shows_its_hypotheses_and_the_diagram():
    texts = [f"{text} No {i}." for i in range(20) for text in ("The soup was cold.", "<b>Rude</b> staff.", "Nice.")]
    annotator = KeywordHypothesisAnnotator(CountVectorizer(vocabulary=["cold", "rude"]), random_state=0)
    assert "sklearn-sae" not in annotator._repr_html_()
    annotator.fit(texts)
    for page in (annotator._repr_html_(), annotator._repr_mimebundle_()["text/html"]):
        shown = page[: page.index("</table>")]
        assert "mentions &#34;cold&#34;" in shown
        assert "sk-estimator" in page[page.index("</table>") :]  # scikit-learn's diagram
        assert "<b>Rude" not in page
    head, *rows = Table(page[: page.index("</table>") + len("</table></div>\n</div>")]).rows
    assert head == ["neuron", "hypothesis", "fidelity", "active in"]
    assert [row[0] for row in rows] == ["0", "1"]
    assert "sklearn-sae" not in clone(annotator)._repr_html_()
    assert "sk-estimator" in make_pipeline(annotator)._repr_html_()
    with config_context(display="text"):
        assert not hasattr(annotator, "_repr_html_")


def test_hypotheses_that_a_person_wrote_are_shown(openai_server):
    openai_server.reply = lambda body: "Yes"
    own = LLMHypothesisAnnotator(hypotheses=["is <u>long</u>"], base_url=openai_server.base_url).fit(["A text.", "B."])
    assert "is &lt;u&gt;long&lt;/u&gt;" in own._repr_html_()
