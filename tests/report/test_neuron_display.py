import warnings

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer

from sklearn_sae import KeywordHypothesisAnnotator, NeuronDisplay, discover
from sklearn_sae.datasets import make_concept_texts

from .conftest import HARD_NAMES, assert_nothing_overlaps

pytest.importorskip("matplotlib").use("agg")

TEXTS = [f"{name} cold {'cold ' * (i % 4)}soup" for i, name in enumerate(HARD_NAMES)] + ["Nothing.", "No such thing."]


def test_it_counts_activations_and_shows_texts(keep):
    activations = np.array([0, 0, 1.2, 1.8, 0, 3.0])
    texts = ["Cold soup.", "Good soup.", "Rude staff.", "They were rude.", "Fine.", "RUDE, rude, rude!"]
    display = NeuronDisplay.from_predictions(activations, texts, name='mentions "rude"', n=2)
    assert_nothing_overlaps(keep(display.figure_))
    assert sum(bar.get_width() for bar in display.bars_) == 3
    assert display.examples.tolist()[:2] == [5, 3]
    assert [text.get_text() for text in display.texts_] == [texts[i] for i in display.examples]
    assert display.ax_.get_title(loc="left") == 'mentions "rude"'
    for text, row in zip(display.texts_, display.examples, strict=True):
        assert text.xy[1] == pytest.approx(
            display.ax_.transAxes.inverted().transform(display.ax_.transData.transform((0, activations[row])))[1]
        )


@pytest.mark.filterwarnings("ignore:No installed font")
def test_hard_texts_do_not_overlap(keep):
    encoder = CountVectorizer(vocabulary=["cold"], dtype=np.float32)
    annotator = KeywordHypothesisAnnotator(encoder, n_scoring_examples=0).fit(TEXTS)
    display = NeuronDisplay.from_estimator(annotator, TEXTS, 0, n=6)
    assert_nothing_overlaps(keep(display.figure_))
    assert display.name.startswith('mentions "cold')
    assert len(display.texts) == 6 + 6 + 2


@pytest.mark.filterwarnings("ignore:No installed font")
def test_texts_fit_on_axes_that_are_given(keep):
    from matplotlib import pyplot

    figure, ax = pyplot.subplots(figsize=(9, 4), layout="constrained")
    activations = np.arange(len(TEXTS), dtype=float)
    NeuronDisplay.from_predictions(activations, TEXTS, name=HARD_NAMES[-1], n=4, ax=ax)
    assert_nothing_overlaps(keep(figure))


def test_of_a_discovery_and_of_a_bare_encoder(keep):
    reviews = make_concept_texts(300, n_concepts=3, random_state=0)
    found = discover(reviews.data, reviews.target, n_hypotheses=2, random_state=0)
    neuron = int(found.table["neuron"].iloc[0])
    display = NeuronDisplay.from_estimator(found, reviews.data, neuron)
    keep(display.figure_)
    assert display.name == found.table["hypothesis"].iloc[0]
    counts = CountVectorizer().fit(reviews.data)
    column = counts.vocabulary_["staff"]
    assert NeuronDisplay.from_estimator(counts, reviews.data, column).name == "staff"
    with pytest.raises(ValueError, match="100000"):
        NeuronDisplay.from_estimator(counts, reviews.data, 100000)


@pytest.mark.parametrize(
    "activations", [[0, 0, 0], [1, 0, 1], [np.nan, 1, np.nan], [np.nan] * 3, [2.5, 2.5, 2.5], [1e-12, 5e9, 0]], ids=str
)
def test_odd_activations(activations, keep):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        display = NeuronDisplay.from_predictions(activations, ["One.", "Two.", "Three."])
        keep(display.figure_)
    known = np.array(activations)[~np.isnan(activations)]
    assert sum(bar.get_width() for bar in display.bars_) == np.count_nonzero(known)
    low, high = display.ax_.get_ylim()
    assert all(low < bar.get_y() and bar.get_y() + bar.get_height() < high for bar in display.bars_ if bar.get_width())


def test_pairs_have_both_sides(keep):
    pairs = [("cold soup", "warm soup"), ("fine", "rude"), ("same", "same"), ("a", "b")]
    display = NeuronDisplay.from_predictions([1.0, -2.0, 0.0, 0.5], pairs, n=1)
    assert_nothing_overlaps(keep(display.figure_))
    assert display.texts == ["cold soup | warm soup", "same | same", "fine | rude"]
    assert sum(bar.get_width() for bar in display.bars_) == 3
    assert display.ax_.get_ylim()[0] < -2


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="one number a text"):
        NeuronDisplay.from_predictions([1.0, 2.0], ["One."])
