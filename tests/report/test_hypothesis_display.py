import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GridSearchCV

from sklearn_sae import (
    HypothesisDisplay,
    KeywordHypothesisAnnotator,
    PairTransformer,
    discover,
    evaluate_hypotheses,
    make_hypothesis_pipeline,
)
from sklearn_sae.datasets import make_concept_texts

from .conftest import HARD_NAMES, assert_nothing_overlaps, texts_on

pytest.importorskip("matplotlib").use("agg")

rng = np.random.default_rng(0)
ANNOTATIONS = rng.random((500, 40)) < 0.3
TARGET = ANNOTATIONS[:, :10] @ np.linspace(-2, 2, 10) + rng.normal(size=500)
THREE = np.array(["bad_$1$", "so so", "very good indeed, and more so because of it"])[np.digitize(TARGET, [-1, 1])]


@pytest.fixture(scope="module")
def reviews():
    return make_concept_texts(400, n_concepts=4, random_state=0)


@pytest.fixture(scope="module")
def found(reviews):
    return discover(reviews.data, pd.Series(reviews.target, name="stars"), n_hypotheses=4, random_state=0)


def _drawn(display, ax=None):
    """Return the effects that are drawn on axes, by row."""
    lines = [line for line in (ax or display.ax_).lines if line.get_marker() in "oD" and line in display.points_]
    return {(line.get_marker(), round(y)): x for line in lines for x, y in zip(*line.get_data(), strict=True)}


def test_it_draws_the_estimates_of_an_evaluation(keep):
    evaluation = evaluate_hypotheses(ANNOTATIONS[:, :10], TARGET)
    display = HypothesisDisplay.from_evaluation(evaluation, target_name="stars")
    keep(display.figure_)
    table = evaluation.table.sort_values("separation_score", ascending=False)
    assert texts_on(display.ax_) == table["hypothesis"].tolist()
    drawn = _drawn(display)
    np.testing.assert_allclose([drawn["o", row] for row in range(10)], table["separation_score"])
    np.testing.assert_allclose([drawn["D", row] for row in range(10)], table["regression_coef"])
    (own, _) = display.intervals_
    ends = np.array([path.vertices[:, 0] for path in own.get_paths()])
    np.testing.assert_allclose(ends, table[["separation_ci_low", "separation_ci_high"]])
    n_filled = len(display.points_[0].get_xdata())
    assert 0 < n_filled == evaluation.metrics["n_significant"] < 10
    assert display.points_[1].get_markerfacecolor() == "white"


def test_40_hard_names_do_not_overlap(keep):
    with pytest.warns(UserWarning, match="No installed font has") as said:
        display = HypothesisDisplay.from_predictions(ANNOTATIONS, TARGET, hypotheses=HARD_NAMES)
    assert len(said) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        keep(display.figure_)
        assert_nothing_overlaps(display.figure_)
    assert len(texts_on(display.ax_)) == 40
    assert any("$5 to $10, as x_1^2" in name for name in texts_on(display.ax_))


@pytest.mark.parametrize("n_names", [7, 40])
def test_names_do_not_overlap_on_small_axes_that_are_given(n_names, keep):
    from matplotlib import pyplot

    names = HARD_NAMES[-n_names:] if n_names == 7 else [name for name in HARD_NAMES if name.isascii()] + ["x"] * 3
    figure, ax = pyplot.subplots(figsize=(6, 4), layout="constrained")
    HypothesisDisplay.from_predictions(ANNOTATIONS[:, : len(names)], TARGET, hypotheses=names, ax=ax)
    assert_nothing_overlaps(keep(figure))


@pytest.mark.parametrize("effect", ["own", "joint", "both"])
def test_each_class_has_a_panel(effect, keep):
    display = HypothesisDisplay.from_predictions(ANNOTATIONS[:, :8], THREE, effect=effect)
    assert_nothing_overlaps(keep(display.figure_))
    assert len(display.axes_) == (6 if effect == "both" else 3)
    titles = [ax.get_title().replace("\n", " ") for ax in display.axes_]
    assert titles[0] == "bad_$1$, " + ("beside all others" if effect == "joint" else "on its own")
    assert np.shape(display.own) == (3, 8, 3)


def test_a_class_can_be_chosen(keep):
    evaluation = evaluate_hypotheses(ANNOTATIONS[:, :5], THREE)
    display = HypothesisDisplay.from_evaluation(evaluation, classes=["so so"])
    keep(display.figure_)
    block = evaluation.table[evaluation.table["class"] == "so so"]
    np.testing.assert_allclose(np.asarray(display.own)[:, 0], block["separation_score"])
    with pytest.raises(ValueError, match="'none such', which is none of 'bad_"):
        HypothesisDisplay.from_evaluation(evaluation, classes=["none such"])


def test_two_classes_have_a_panel_for_each_unit(keep):
    target = pd.Series(np.where(TARGET > 0, "good", "bad"), name="verdict_$")
    display = HypothesisDisplay.from_predictions(ANNOTATIONS[:, :6], target)
    assert_nothing_overlaps(keep(display.figure_))
    own, joint = (ax.get_xlabel().replace("\n", " ") for ax in display.axes_)
    assert own.startswith("difference in share of verdict_$: good")
    assert joint.startswith("log-odds of verdict_$: good")


def test_a_discovery_knows_its_second_class(reviews):
    verdict = np.where(reviews.target > np.median(reviews.target), "good", "bad")
    found = discover(reviews.data, verdict, n_hypotheses=2, random_state=0)
    assert HypothesisDisplay.from_evaluation(found).classes == ["good"]
    assert HypothesisDisplay.from_evaluation(found.evaluation).classes == ["the second class"]


def test_what_is_not_known_is_marked(keep):
    nan = np.nan
    own = [[0.5, nan, nan], [nan, nan, nan], [-0.2, -0.4, 0.1]]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        display = HypothesisDisplay(hypotheses=list("abc"), own=own, joint=np.full((3, 3), nan)).plot()
        assert_nothing_overlaps(keep(display.figure_))
        HypothesisDisplay(hypotheses=["a"], own=[[nan] * 3], significant=[False]).plot().figure_.canvas.draw()
    assert texts_on(display.ax_) == ["a", "c", "b"]
    assert len(display.intervals_[0].get_paths()) == 1
    crosses = [line for line in display.ax_.lines if line.get_marker() == "x"]
    assert len(crosses) == 1 + 3


def test_one_hypothesis_and_constant_annotations(keep):
    display = HypothesisDisplay.from_predictions(ANNOTATIONS[:, :1], TARGET, hypotheses=HARD_NAMES[-1:])
    assert_nothing_overlaps(keep(display.figure_, "one"))
    constant = np.column_stack([np.ones(500), np.full(500, np.nan)[:]])
    constant[0, 1] = 1
    display = HypothesisDisplay.from_predictions(constant, TARGET)
    assert np.isnan(np.asarray(display.own)[:, 1:]).all()
    keep(display.figure_, "constant")


def test_an_interval_without_end_leaves_the_others_to_be_seen(keep):
    own = [[0.5, -1e6, 1e6], [0.4, 0.3, 0.5]]
    display = HypothesisDisplay(hypotheses=["wide", "narrow"], own=own).plot()
    keep(display.figure_)
    assert np.abs(display.ax_.get_xlim()).max() < 3
    assert sorted(line.get_marker() for line in display.ax_.lines if line.get_marker() in "<>") == ["<", ">"]


def test_of_many_hypotheses_the_largest_effects_are_drawn(keep):
    effects = np.linspace(-1, 1, 1000)
    own = effects[:, None] + [0, -0.1, 0.1]
    display = HypothesisDisplay(hypotheses=[f"h{i}" for i in range(1000)], own=own).plot(max_hypotheses=10)
    keep(display.figure_)
    assert set(texts_on(display.ax_)) == {f"h{i}" for i in [*range(5), *range(995, 1000)]}
    assert "10 of 1,000, the largest effects" in [text.get_text() for text in display.ax_.get_legend().get_texts()]


def test_from_whatever_holds_an_annotator(reviews, found, keep):
    """Texts in place of annotations give what the annotations do."""
    texts = [reviews.data[i] for i in found.test]
    y = pd.Series(reviews.target[found.test], name="stars")
    annotator = found.pipeline["hypotheses"]
    given = HypothesisDisplay.from_predictions(
        annotator.transform(texts), y, hypotheses=annotator.get_feature_names_out().tolist()
    )
    for estimator in (annotator, found.pipeline, found):
        display = HypothesisDisplay.from_estimator(estimator, texts, y)
        np.testing.assert_array_equal(display.own, given.own)
        assert display.target_name == "stars"
    keep(display.figure_)
    of_result = HypothesisDisplay.from_evaluation(found)
    assert of_result.target_name == "stars"
    assert sorted(of_result.hypotheses) == sorted(given.hypotheses)


def test_from_a_search_and_from_pairs(reviews, keep):
    pipeline = make_hypothesis_pipeline(n_components=16, k=2, n_hypotheses=2, random_state=0)
    sizes = {"hypotheses__encoder__sae__k": [2]}
    search = GridSearchCV(pipeline, sizes, cv=2).fit(reviews.data[:200], reviews.target[:200])
    display = HypothesisDisplay.from_estimator(search, reviews.data[200:], reviews.target[200:])
    assert len(display.hypotheses) == 2
    pairs = np.array(reviews.data, dtype=object).reshape(-1, 2)
    first_wins = np.where(reviews.target[::2] > reviews.target[1::2], "first", "second")
    inner = KeywordHypothesisAnnotator(pipeline["hypotheses"].encoder, random_state=0)
    transformer = PairTransformer(inner).fit(pairs, first_wins)
    display = HypothesisDisplay.from_estimator(transformer, pairs, first_wins)
    assert_nothing_overlaps(keep(display.figure_))


def test_options_are_those_of_the_evaluation():
    display = HypothesisDisplay.from_predictions(ANNOTATIONS[:, :3], TARGET, confidence=0.5)
    assert display.confidence == 0.5
    assert "50 % confidence" in display.ax_.get_xlabel()
    with pytest.raises(ValueError, match='effect=\'all\' must be "own", "joint" or "both"'):
        display.plot(effect="all")
    with pytest.raises(TypeError, match="alhpa"):
        HypothesisDisplay.from_predictions(ANNOTATIONS[:, :3], TARGET, alhpa=0.1)
