import warnings

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline

from sklearn_sae import TopKSAETransformer, TrainingHistoryDisplay, make_hypothesis_pipeline
from sklearn_sae.datasets import make_concept_texts

from .conftest import assert_nothing_overlaps

pytest.importorskip("matplotlib").use("agg")

X = np.random.default_rng(0).normal(size=(100, 8))


def test_it_draws_the_history(keep):
    sae = TopKSAETransformer(16, 2, max_epochs=30, patience=3, random_state=0).fit(X)
    display = TrainingHistoryDisplay.from_estimator(sae)
    assert_nothing_overlaps(keep(display.figure_))
    train, validation, dead = display.lines_
    np.testing.assert_allclose(train.get_ydata(), [row["train_loss"] for row in sae.history_])
    np.testing.assert_allclose(validation.get_ydata(), [row["validation_loss"] for row in sae.history_])
    np.testing.assert_allclose(dead.get_ydata(), [100 * row["dead_fraction"] for row in sae.history_])
    losses = [row["validation_loss"] for row in sae.history_]
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert f"lowest validation loss: epoch {1 + np.argmin(losses)}" in labels


def test_from_whatever_holds_an_autoencoder(keep):
    reviews = make_concept_texts(200, n_concepts=3, random_state=0)
    pipeline = make_hypothesis_pipeline(n_components=16, k=2, n_hypotheses=2, random_state=0)
    pipeline.fit(reviews.data, reviews.target)
    display = TrainingHistoryDisplay.from_estimator(pipeline)
    keep(display.figure_)
    for held in (pipeline["hypotheses"], FrozenEstimator(pipeline)):
        np.testing.assert_array_equal(TrainingHistoryDisplay.from_estimator(held).train_loss, display.train_loss)
    with pytest.raises(ValueError, match="Pipeline holds no fitted TopKSAETransformer"):
        TrainingHistoryDisplay.from_estimator(make_pipeline(TfidfVectorizer(), Ridge()))


def test_without_validation_and_with_one_epoch(keep):
    sae = TopKSAETransformer(16, 2, max_epochs=1, validation_fraction=0.0, random_state=0).fit(X)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        display = TrainingHistoryDisplay.from_estimator(sae)
        assert_nothing_overlaps(keep(display.figure_))
    assert [line.get_label() for line in display.lines_] == ["training", "dead neurons"]


@pytest.mark.parametrize("loss", [0.5, 0.0])
def test_a_constant_history_lies_flat(loss, keep):
    rounding = 1e-16 * np.arange(4)
    display = TrainingHistoryDisplay(epochs=[1, 2, 3, 4], train_loss=loss + rounding, validation_loss=[loss] * 4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        keep(display.plot().figure_)
    low, high = display.ax_.get_ylim()
    assert high - low > 0.05
    assert len(display.axes_) == 1


def test_an_autoencoder_without_history_is_refused():
    sae = TopKSAETransformer(16, 2, max_epochs=1, random_state=0).fit(X)
    sae.history_ = []  # as that of an autoencoder taken over from elsewhere
    with pytest.raises(ValueError, match="no history, because it was not trained here"):
        TrainingHistoryDisplay.from_estimator(sae)
