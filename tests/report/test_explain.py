"""Why a pipeline predicts what it predicts for one text."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, PoissonRegressor, RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_sae import LLMHypothesisAnnotator, discover, explain, make_hypothesis_pipeline
from sklearn_sae._persistence import load_model, save_model
from sklearn_sae.cli import main
from sklearn_sae.datasets import make_concept_texts
from sklearn_sae.utils._minilm import has_minilm

SMALL = {"n_components": 32, "k": 4, "n_hypotheses": 5, "random_state": 0}
HOSTILE = {
    "emoji and controls": "\U0001f600\u202e \x1b[31mred\x00 bad food \u0007 great",
    "no word": "!!! ??? \U0001f600",
    "100 kB": "The food was great, not bad. " * 3500,
    "one word of 100 kB": "a" * 100_000,
    "markup": "<script>alert(1)</script> great *food* <<here>>",
}


@pytest.fixture(scope="module")
def reviews():
    return make_concept_texts(500, n_concepts=5, noise=0.1, random_state=0)


@pytest.fixture(scope="module")
def targets(reviews):
    stars = pd.Series(reviews.target)
    return {
        "regression": stars,
        "binary": pd.Series(np.where(stars > 3, "good", "bad")),
        "multiclass": pd.cut(stars, [-99, 2.5, 3.5, 99], labels=["bad", "fair", "good"]).astype(str),
        "places": pd.Categorical.from_codes(np.digitize(stars, [2.5, 3.5]), ["bad", "fair", "good"], ordered=True),
    }


@pytest.fixture(scope="module")
def found(reviews, targets):
    options = {"ordinal": {"task": "ordinal"}}
    kinds = {"regression": "regression", "binary": "binary", "multiclass": "multiclass", "ordinal": "places"}
    return {task: discover(reviews.data, targets[of], **SMALL, **options.get(task, {})) for task, of in kinds.items()}


@pytest.mark.parametrize("task", ["regression", "binary", "multiclass", "ordinal"])
def test_contributions_and_baseline_are_the_prediction(found, reviews, task, tmp_path):
    pipeline, texts = found[task].pipeline, reviews.data[:30]
    explained = explain(found[task], texts)
    assert [one.prediction for one in explained] == pipeline.predict(texts).tolist()
    annotations = pipeline["hypotheses"].transform(texts)
    names = pipeline["hypotheses"].get_feature_names_out().tolist()
    for i, one in enumerate(explained):
        assert one.total == pytest.approx(one.baseline + one.table["contribution"].sum())
        says = one.table.set_index("hypothesis")["holds"][names]
        np.testing.assert_array_equal(says, annotations[i])
        without = one.table["contribution"][one.table["holds"] == 0].to_numpy()
        assert not without.any()
        assert not np.signbit(without).any()
        assert one.table["contribution"].abs().is_monotonic_decreasing
    total = [one.total for one in explained]
    if task in ("regression", "ordinal"):
        np.testing.assert_allclose(total, pipeline.predict(texts))
    elif task == "binary":
        p = pipeline.predict_proba(texts)[:, 1]
        np.testing.assert_allclose(total, np.log(p / (1 - p)))
        np.testing.assert_allclose([one.probability for one in explained], p)
        other = explain(pipeline, texts[0], target_class="bad")
        assert other.total == pytest.approx(-total[0])
        assert other.probability == pytest.approx(1 - p[0])
        assert {one.unit for one in explained} == {"log-odds"}
    else:
        scores = pipeline.decision_function(texts)
        np.testing.assert_allclose(total, scores.max(axis=1))
        assert {one.unit for one in explained} == {"logit"}  # the log-odds of its probability are others
        assert explain(pipeline, texts[0], target_class="fair").total == pytest.approx(scores[0, 1])
    save_model(pipeline, tmp_path / "model.json", {})
    again = explain(load_model(tmp_path / "model.json")[0], texts)
    for one, other in zip(explained, again, strict=True):
        pd.testing.assert_frame_equal(one.table, other.table)
        assert str(one) == str(other)


def test_the_words_that_did_it_are_shown(found, reviews):
    row = next(row for row, text in enumerate(reviews.data) if explain(found["regression"], text).table["holds"][0])
    one = explain(found["regression"], reviews.data[row])
    first = one.table.iloc[0]
    words = [word.strip("*.,!?") for word in first["evidence"].split() if word.startswith("*")]
    assert words
    assert all(word.lower()[:4] in first["hypothesis"] for word in words[:1])
    assert (one.table["evidence"] != "").tolist() == (one.table["holds"] > 0).tolist()
    assert len(explain(found["regression"], reviews.data[row], max_words=3).table["evidence"][0]) < 60


@pytest.mark.parametrize("width", [80, 100])
@pytest.mark.parametrize("task", ["regression", "binary", "multiclass"])
def test_it_prints_in_lines_of_the_width(found, reviews, task, width):
    for one in explain(found[task], reviews.data[:10]):
        printed = one.to_text(width=width)
        assert max(map(len, printed.splitlines())) <= width
        n_holds = int(one.table["holds"].sum())
        assert f"{n_holds} of {len(one.table)} hypotheses hold" in printed
        assert ("probability" in printed) == (task != "regression")


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_any_text_is_explained(found, text):
    one = explain(found["regression"], text)
    assert one.prediction == pytest.approx(found["regression"].pipeline.predict([text])[0])
    shown = one.to_text(width=80) + one._repr_html_()
    assert not set("\x00\x1b\x07\u202e") & set(shown)
    assert "<script>alert" not in one._repr_html_()


def test_what_holds_a_pipeline_is_taken(reviews):
    pipeline = make_hypothesis_pipeline(**SMALL)
    search = GridSearchCV(pipeline, {"hypotheses__encoder__sae__k": [4]}, cv=2).fit(reviews.data, reviews.target)
    assert explain(search, reviews.data[0]).table.equals(explain(search.best_estimator_, reviews.data[0]).table)


def test_other_models(found, reviews, targets):
    annotator = found["regression"].pipeline["hypotheses"]
    A, stars = annotator.transform(reviews.data), reviews.target
    scaled = make_pipeline(annotator, StandardScaler(), LinearRegression())
    scaled[1:].fit(A, stars)
    one = explain(scaled, reviews.data[0])
    assert one.total == pytest.approx(scaled.predict(reviews.data[:1])[0])
    ridge = make_pipeline(annotator, RidgeClassifier())
    ridge[1:].fit(A, targets["binary"])
    one = explain(ridge, reviews.data[0])
    assert one.unit == "decision"
    assert one.probability is None
    assert "Decision of good" in str(one)
    for model, message in (
        (RandomForestRegressor(3), "RandomForestRegressor has no coef_"),
        (PoissonRegressor(), "The coefficients of a PoissonRegressor do not add up to its predictions"),
    ):
        other = make_pipeline(annotator, model)
        other[1:].fit(A, np.abs(stars))
        with pytest.raises(TypeError, match=message):
            explain(other, reviews.data[0])


@pytest.mark.parametrize(
    ("make", "text", "options", "error", "message"),
    [
        (lambda p: p, "", {}, ValueError, "empty text in row 0"),
        (lambda p: p, [3], {}, TypeError, "row 0"),
        (lambda p: p, None, {}, TypeError, "must be a sequence of texts"),
        (lambda p: p, "Good.", {"max_words": 0}, ValueError, "max_words=0 must be an integer, at least 1, or None"),
        (lambda p: p, "Good.", {"target_class": "good"}, ValueError, "the model predicts numbers, and has no classes"),
        (lambda p: p["hypotheses"], "Good.", {}, TypeError, "got a KeywordHypothesisAnnotator without one"),
        (lambda p: p[1:], "Good.", {}, TypeError, "got a HypothesisPipeline without one"),
        (lambda p: LinearRegression(), "Good.", {}, TypeError, "got a LinearRegression without one"),
    ],
)
def test_what_cannot_be_explained_is_said(found, make, text, options, error, message):
    with pytest.raises(error, match=message):
        explain(make(found["regression"].pipeline), text, **options)


def test_an_unknown_class_is_said(found):
    with pytest.raises(
        ValueError, match=r"target_class='great' is no class of the model; choose from \['bad', 'good'\]"
    ):
        explain(found["binary"], "Good.", target_class="great")


@pytest.mark.parametrize("rationale", [False, True])
def test_a_language_model_is_asked_only_if_that_is_said(openai_server, rationale):
    openai_server.reply = lambda body: json.dumps({"reason": "it says so", "answer": "yes"}) if rationale else "Yes"
    given = LLMHypothesisAnnotator(
        hypotheses=["mentions rude", "mentions cold"], base_url=openai_server.base_url, rationale=rationale
    )
    pipeline = make_pipeline(given, SimpleImputer(strategy="constant", fill_value=0, keep_empty_features=True))
    pipeline.steps.append(("model", LinearRegression()))
    pipeline[1:].fit(np.array([[0, 0], [1, 0], [0, 1], [1, 1]]), [3.0, 1, 2, 0])
    one = explain(pipeline, "A rude waiter and cold soup.")
    assert not openai_server.requests
    assert one.table["holds"].isna().all()
    assert one.total == one.baseline == pytest.approx(3)
    assert one.notes == (
        "For 2 hypotheses no answer is stored; ask=True asks the language model. What is not answered adds nothing.",
    )
    one = explain(pipeline, "A rude waiter and cold soup.", ask=True)
    n_asked = len(openai_server.requests)
    assert n_asked == 2
    assert one.table["holds"].tolist() == [1, 1]
    assert one.notes == ()
    assert one.total == pytest.approx(0)
    assert one.table["evidence"].tolist() == ["it says so" * rationale] * 2
    again = explain(pipeline, "A rude waiter and cold soup.")
    assert len(openai_server.requests) == n_asked
    pd.testing.assert_frame_equal(again.table, one.table)


def test_the_command_line(found, reviews, tmp_path, capsys):
    for task, name in (("regression", "stars"), ("binary", "kind")):
        save_model(found[task].pipeline, tmp_path / name, {"name": name})
    assert main(["explain", str(tmp_path / "stars"), reviews.data[0]]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("The target is stars.\nPrediction ")
    assert printed.rstrip().endswith(("hypotheses hold.", "hypotheses holds."))
    assert main(["explain", str(tmp_path / "kind"), reviews.data[0], "--class", "bad"]) == 0
    assert "Log-odds of bad" in " ".join(capsys.readouterr().out.split())
    for options, message in (
        (["--class", "great"], "is no class of the model"),
        (["--base-url", "http://localhost"], "--base-url is for a model whose annotator is a language model"),
    ):
        assert main(["explain", str(tmp_path / "kind"), reviews.data[0], *options]) == 1
        assert message in capsys.readouterr().err
    assert main(["explain", str(tmp_path / "kind"), " "]) == 1
    assert "TEXT is empty" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(not has_minilm(), reason="needs all-MiniLM-L6-v2: the extra minilm")
def test_sentences_that_come_closest_to_quotes_are_shown_on_real_text(yelp, tmp_path):
    rows = np.argsort([len(text) for text in yelp[0]])[:150]
    texts, stars = [yelp[0][row] for row in rows], yelp[1][rows]
    found = discover(texts, stars, naming="quotes", n_hypotheses=4, residual_rounds=1, random_state=0)
    assert set(found.table["round"]) == {1, 2}
    some = [texts[row] for row in found.test[:20]]
    explained = explain(found, some)
    assert sum(one.table["holds"].sum() for one in explained) > 5
    for one, text in zip(explained, some, strict=True):
        assert one.prediction == pytest.approx(found.pipeline.predict([text])[0])
        for holds, evidence in zip(one.table["holds"], one.table["evidence"], strict=True):
            assert bool(evidence) == bool(holds)
            assert not evidence or "<<" in evidence
    save_model(found.pipeline, tmp_path / "model.json", {})
    again = explain(load_model(tmp_path / "model.json")[0], some[:5])
    for one, other in zip(explained, again, strict=False):
        assert str(one) == str(other)
