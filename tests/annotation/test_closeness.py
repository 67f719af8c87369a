"""Choice of a few sentences, and how close to them a text must come."""

import numpy as np
import pytest

from sklearn_sae.annotation._closeness import best_thresholds, choose_quotes, discriminating
from sklearn_sae.annotation._sentence_vectors import Sentences, unit


def circle(*degrees):
    """Return vectors of length 1 at these angles."""
    angles = np.radians(degrees)
    return np.column_stack([np.cos(angles), np.sin(angles)])


def one_sentence_each(n_texts):
    rows = np.arange(n_texts)
    return Sentences([f"sentence {i}" for i in rows], rows, rows, rows)


def test_the_threshold_parts_active_texts_from_others():
    closeness = np.array([[0.9, 0.2], [0.8, 0.9], [0.4, 0.8], [0.3, 0.7]])
    agreement, threshold = best_thresholds(closeness, np.array([True, True, False, False]))
    assert threshold[0] == pytest.approx(0.6)
    assert agreement[0] > agreement[1]
    # All others come closer in the second column: any threshold is worse than none.
    assert agreement[1] < 0.6


def test_the_threshold_is_the_best_of_all():
    rng = np.random.RandomState(0)
    active = rng.rand(60) < 0.4
    closeness = rng.uniform(0.1, 1, size=(60, 5)) + 0.3 * active[:, None]
    agreement, threshold = best_thresholds(closeness, active)

    def agreement_at(column, limit):
        says = closeness[:, column] >= limit
        covariance = np.mean(says & active) - says.mean() * active.mean()
        return covariance / np.sqrt((says.mean() + 0.1) * (1 - says.mean()) * active.mean() * (1 - active.mean()))

    for column in range(5):
        assert agreement_at(column, threshold[column]) == pytest.approx(agreement[column])
        limits = closeness[:, column][closeness[:, column] > closeness[:, column].min()]
        assert agreement[column] == pytest.approx(max(agreement_at(column, limit) for limit in limits))


def test_texts_that_are_equally_close_are_not_parted():
    closeness = np.array([[0.7], [0.7], [0.7], [0.2]])
    _, threshold = best_thresholds(closeness, np.array([True, False, False, False]))
    assert threshold[0] == pytest.approx(0.45)


def test_what_is_not_alike_at_all_is_not_close():
    _, threshold = best_thresholds(np.array([[0.9], [-0.9]]), np.array([True, False]))
    assert threshold[0] == pytest.approx(0.1)


@pytest.mark.parametrize("active", [[True, True], [False, False]])
def test_nothing_to_tell_apart(active):
    agreement, threshold = best_thresholds(np.array([[0.9], [0.3]]), np.array(active))
    assert agreement[0] == 0
    assert np.isfinite(threshold[0])


def test_discriminating_sentences_point_to_the_active_texts():
    vectors = circle(0, 10, 170, 180)
    scores = discriminating(vectors, one_sentence_each(4), np.array([1.0, 2.0, 0.0, 0.0]), np.ones(4, dtype=bool))
    assert np.argsort(-scores)[:2].tolist() in ([0, 1], [1, 0])
    assert (scores[:2] > 0).all()
    assert (scores[2:] < 0).all()


def test_texts_that_are_not_used_have_no_say():
    vectors = circle(0, 10, 90, 180)
    use = np.array([True, True, False, True])
    scores = discriminating(vectors, one_sentence_each(4), np.array([1.0, 1.0, 50.0, 0.0]), use)
    without = discriminating(vectors[use], one_sentence_each(3), np.array([1.0, 1.0, 0.0]), np.ones(3, dtype=bool))
    np.testing.assert_allclose(scores[use], without)


def choose(vectors, active, n_quotes, words=None):
    words = words or [f"{letter}one {letter}two {letter}three" for letter in "abcdefgh"[: len(vectors)]]
    return choose_quotes(
        vectors[active],
        [w for w, a in zip(words, active, strict=True) if a],
        n_quotes,
        lambda directions: vectors @ directions.T,
        active,
    )


def test_the_mean_of_quotes_is_better_than_one():
    # No single active vector has all active ones nearer than the silent ones at both sides; their middle has.
    vectors = circle(-40, 40, -75, 75)
    active = np.array([True, True, False, False])
    assert len(choose(vectors, active, 1).chosen) == 1
    choice = choose(vectors, active, 3)
    assert len(choice.chosen) == 1  # the two are not alike enough to be one thing (cosine 0.17)
    vectors = circle(-30, 30, -75, 75)
    choice = choose(vectors, active, 3)
    assert sorted(choice.chosen) == [0, 1]
    np.testing.assert_allclose(choice.direction, vectors[:2].mean(axis=0))
    np.testing.assert_array_equal(vectors @ choice.direction >= choice.threshold, active)


def test_quotes_do_not_say_the_same_words():
    vectors, active = circle(-30, 30, -75, 75), np.array([True, True, False, False])
    words = ["the soup was cold", "the soup was so cold", "x y z", "u v w"]
    assert len(choose(vectors, active, 3, words).chosen) == 1


def test_unit_keeps_zeros():
    np.testing.assert_allclose(unit(np.array([[3.0, 4.0], [0.0, 0.0]])), [[0.6, 0.8], [0, 0]])
