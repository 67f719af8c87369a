"""Which few sentences stand for a neuron, and how close to them a text must come."""

from typing import NamedTuple

import numpy as np

from sklearn_sae.annotation._quotable import overlap

_N_STARTS = 5  # first quotes that are tried
_LEAST_GAIN = 0.005  # of agreement, by a further quote
# A further quote alone reaches so much of the agreement of the best one, and is as similar to the first (cosine), lest
# it only shifts the mean of the quotes and says nothing to a reader.
_LEAST_OWN, _LEAST_ALIKE = 0.7, 0.3
_MOST_ALIKE, _MOST_SHARED = 0.85, 0.7  # cosine, and share of the words, of two quotes; more say the same twice
_RARITY = 0.1  # is added to the share of texts in the denominator of a correlation, so that a rare name must fit better
_LEAST_CLOSE = 0.1  # what has a smaller cosine is not alike, whatever few training texts say


class Choice(NamedTuple):
    """Some of the candidates, and from which cosine on a sentence is close to them."""

    chosen: list  # of int, in order of choice
    direction: np.ndarray  # (n_dims,) their mean
    threshold: float
    agreement: float


def discriminating(vectors, sentences, activation, use):
    """Return how much each sentence points to where those of activating texts lie, on average, and others do not.

    Parameters
    ----------
    vectors : ndarray of shape (n_distinct, n_dims)
    sentences : Sentences
    activation : ndarray of shape (n_texts,)
        A text weighs as the square root of its activation, however many sentences it has.
    use : ndarray of bool of shape (n_texts,)
        The texts to look at.

    Returns
    -------
    scores : ndarray of shape (n_distinct,)
    """
    per_sentence = use / np.bincount(sentences.text)
    sides = np.sqrt(np.maximum(activation, 0)) * per_sentence, (activation <= 0) * per_sentence
    inside, outside = (
        np.bincount(sentences.place, weights=side[sentences.text], minlength=len(vectors))
        @ vectors
        / max(side.sum(), 1e-12)
        for side in sides
    )
    return vectors @ (inside - outside)


def choose_quotes(candidates, words, n_quotes, closest, active):
    """Choose a few candidates, so that a text is active where one of its sentences is close to their mean.

    Parameters
    ----------
    candidates : ndarray of shape (n_candidates, n_dims)
        Vectors of length 1.
    words : list of str
        The candidates.
    n_quotes : int
        The most to choose.
    closest : callable
        From directions to how close each text's closest sentence comes to each, (n_texts, n_directions).
    active : ndarray of bool of shape (n_texts,)

    Returns
    -------
    choice : Choice
        That of the best agreement.
    """
    alone, thresholds = best_thresholds(closest(candidates), active)
    alike = candidates @ candidates.T
    choices = []
    for first in np.argsort(-alone, kind="stable")[:_N_STARTS].tolist():
        best = Choice([first], candidates[first], thresholds[first], alone[first])
        fit = (alone >= _LEAST_OWN * alone.max()) & (alike[first] >= _LEAST_ALIKE)
        while len(best.chosen) < n_quotes:
            free = [
                i
                for i in np.flatnonzero(fit & (alike[best.chosen].max(axis=0) <= _MOST_ALIKE))
                if max(overlap(words[i], words[j]) for j in best.chosen) <= _MOST_SHARED
            ]
            if not free:
                break
            means = (candidates[best.chosen].sum(axis=0) + candidates[free]) / (len(best.chosen) + 1)
            scores, limits = best_thresholds(closest(means), active)
            i = int(np.argmax(scores))
            if scores[i] < best.agreement + _LEAST_GAIN:
                break
            best = Choice([*best.chosen, int(free[i])], means[i], limits[i], scores[i])
        choices.append(best)
    return max(choices, key=lambda choice: choice.agreement)


def best_thresholds(closeness, active):
    """Return for each column how well "at least so close" agrees with being active, and the threshold where best.

    Agreement is the correlation, in which a rare name counts for less. (F1 would make most names hold too often.)

    Parameters
    ----------
    closeness : ndarray of shape (n_texts, n_columns)
    active : ndarray of bool of shape (n_texts,)

    Returns
    -------
    agreement, threshold : ndarray of shape (n_columns,)
        A threshold lies midway between two texts, so that rounding turns no answer, but is at least 0.1.
    """
    n_texts, share_active = len(active), active.mean()
    order = np.argsort(-closeness, axis=0, kind="stable")
    ranked = np.take_along_axis(closeness, order, axis=0).astype(np.float64)
    following = np.vstack([ranked[1:], ranked[-1:] - 1])
    share = np.arange(1, n_texts + 1)[:, None] / n_texts  # of the texts for which the name holds
    covariance = np.cumsum(active[order], axis=0) / n_texts - share * share_active
    spread = np.sqrt((share + _RARITY) * (1 - share) * share_active * (1 - share_active))
    agreement = np.divide(covariance, spread, out=np.zeros_like(covariance), where=spread > 0)
    parts = (ranked - following > 1e-6) & (ranked >= _LEAST_CLOSE)  # elsewhere is no threshold
    agreement = np.where(parts, agreement, -1)
    best, columns = agreement.argmax(axis=0), np.arange(closeness.shape[1])
    thresholds = (ranked[best, columns] + following[best, columns]) / 2
    return agreement[best, columns], np.maximum(thresholds, _LEAST_CLOSE)
