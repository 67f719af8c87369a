import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import KFold

from sklearn_sae import PredictionPathDisplay, discover
from sklearn_sae.datasets import make_concept_texts

from .conftest import assert_nothing_overlaps

pytest.importorskip("matplotlib").use("agg")


@pytest.fixture(scope="module")
def reviews():
    return make_concept_texts(400, n_concepts=4, random_state=0)


@pytest.fixture(scope="module")
def found(reviews):
    return discover(reviews.data, pd.Series(reviews.target, name="stars"), n_hypotheses=4, random_state=0)


def test_of_a_discovery_the_last_point_is_its_score(reviews, found, keep):
    display = PredictionPathDisplay.from_estimator(found, reviews.data, reviews.target)
    assert_nothing_overlaps(keep(display.figure_))
    assert display.n_hypotheses.tolist() == [1, 2, 3, 4]
    assert display.scores.shape == (4, 1)
    assert display.scores[-1, 0] == pytest.approx(found.scores["r2"])
    assert display.word_scores[-1, 0] == pytest.approx(found.scores["r2_words"])
    assert display.reference in (found.scores.get("r2_embedding"), found.scores.get("r2_neurons"))
    np.testing.assert_array_equal(display.lines_[0].get_ydata(), display.scores[:, 0])
    assert display.bands_ == []
    with pytest.raises(ValueError, match="There are 100 texts; with a Discovery pass all 320 \\+ 80"):
        PredictionPathDisplay.from_estimator(found, reviews.data[:100], reviews.target[:100])


def test_hypotheses_that_make_the_target_predict_it(reviews, keep):
    display = PredictionPathDisplay.from_predictions(
        reviews.concepts, reviews.concepts @ reviews.coef, reviews.data, cv=KFold(3, shuffle=True, random_state=0)
    )
    assert_nothing_overlaps(keep(display.figure_))
    mean = display.scores.mean(axis=1)
    assert (np.diff(mean) > -0.01).all()
    assert mean[-1] == pytest.approx(1)
    assert (display.word_scores.mean(axis=1) < mean).all()
    low, high = np.array(display.bands_[0].get_paths()[0].vertices[:, 1].min()), mean.max()
    assert low <= mean.min() < high


@pytest.mark.parametrize("n_classes", [2, 3])
def test_classes(reviews, n_classes, keep):
    names = np.array(["bad $1$", "so so", "good"][:n_classes])
    edges = np.quantile(reviews.target, np.linspace(0, 1, n_classes + 1)[1:-1])
    y = names[np.digitize(reviews.target, edges)]
    display = PredictionPathDisplay.from_predictions(reviews.concepts, y, reviews.data, cv=3, sizes=[1, 4])
    assert_nothing_overlaps(keep(display.figure_))
    assert display.score_name == "AUC"
    assert display.scores.mean(axis=1)[-1] > 0.8
    assert display.n_hypotheses.tolist() == [1, 4]


def test_noise_predicts_nothing_and_what_is_far_below_is_marked(keep):
    rng = np.random.default_rng(0)
    display = PredictionPathDisplay.from_predictions(rng.random((40, 25)) < 0.3, rng.normal(size=40), cv=4)
    assert_nothing_overlaps(keep(display.figure_))
    assert display.word_scores is None
    assert display.scores.mean(axis=1).min() < -0.5
    assert display.ax_.get_ylim()[0] == -0.5
    assert any(line.get_marker() == "v" for line in display.ax_.lines)


def test_one_hypothesis_missing_answers_and_constant_ones(keep):
    rng = np.random.default_rng(0)
    y = rng.normal(size=60)
    annotations = np.column_stack([y > 0, np.ones(60), np.full(60, np.nan)]).astype(float)
    annotations[::7, 0] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        display = PredictionPathDisplay.from_predictions(annotations, y, cv=3)
        keep(display.figure_)
        one = PredictionPathDisplay.from_predictions(annotations[:, :1], y, cv=3)
        nothing = PredictionPathDisplay.from_predictions(annotations[:, 1:], y, cv=3)
        keep(nothing.figure_, "nothing")
    np.testing.assert_allclose(display.scores[-1], one.scores[-1])
    assert one.scores.mean() > 0.3
    assert np.isnan(nothing.scores).all()
    assert [text.get_text() for text in nothing.ax_.texts] == [
        "no score of hypotheses is known,\nas where none of them varies"
    ]
    assert not display.ax_.texts


def test_rows_of_a_group_are_in_one_fold(reviews):
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(40), 5)
    y = rng.normal(size=40)[groups]  # known once a row of the group is
    annotations = np.eye(40)[groups]
    apart = PredictionPathDisplay.from_predictions(annotations, y, groups=groups, cv=4, sizes=[40])
    mixed = PredictionPathDisplay.from_predictions(annotations, y, cv=4, sizes=[40])
    assert mixed.scores.mean() > 0.9
    assert apart.scores.mean() < 0.1


def test_sizes_must_be_there(reviews):
    for sizes in ([0, 1], [5], [], [1.5]):
        with pytest.raises(ValueError, match="sizes must be integers from 1 to 4"):
            PredictionPathDisplay.from_predictions(reviews.concepts, reviews.target, sizes=sizes)
