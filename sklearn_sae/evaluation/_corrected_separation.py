"""The separation that labels of all rows would show, from labels of some and annotations of all."""

from typing import NamedTuple

import numpy as np

from sklearn_sae.evaluation._label_predictions import cross_fit_labels, filled
from sklearn_sae.evaluation._sampling_design import tests, tuning_of, variances
from sklearn_sae.evaluation._separation import within_shares


class CorrectedSeparation(NamedTuple):
    """A difference of means, its test and its interval."""

    score: float
    se: float
    pvalue: float
    low: float
    high: float
    means: tuple  # of the target on either side
    spread: float  # standard deviation of the target within the sides, pooled; NaN if it is none
    n_sides: tuple  # labels on either side
    prevalence: float  # share of the rows where it holds, for either text of a pair


def corrected_separation(labels, annotation, y, design, *, method, groups=None, confidence=0.95, shares=False):
    """Return what `separation` would be if all rows were labelled.

    Parameters
    ----------
    labels : ndarray of shape (n_samples,)
        Labels of the drawn rows; those of others are not looked at.
    annotation : ndarray of shape (n_samples,)
        NaN where no answer came.
    y : ndarray of shape (n_samples,)
    design : Design
    method : {"dsl", "ppi"}
    groups, confidence
        As of `correct_annotations`.
    shares : bool, default=False
        Whether `y` is 0 or 1. The interval is then cut where a difference of shares ends.
    """
    drawn = design.drawn
    given = labels[drawn]
    first, second = bool((given >= 0.5).any()), bool((given <= -0.5).any())
    truth = _sides(given, first, second)
    n_sides = tuple(truth.sum(axis=0).astype(int).tolist())
    if min(n_sides) == 0:
        holds = design.weights[drawn] @ (np.abs(given) >= 0.5) / len(y) if len(given) else np.nan
        return CorrectedSeparation(*[np.nan] * 5, (np.nan, np.nan), np.nan, n_sides, float(holds))
    share = 0.5 if first and second else 1.0
    missing = np.isnan(annotation)
    if method == "dsl":
        guess = cross_fit_labels(truth, filled(annotation, missing), y, design, groups)
    else:
        guess = np.column_stack([filled(side, missing) for side in _sides(annotation, first, second).T])

    tuning = 1.0
    if method == "ppi":
        _, _, true, guessed = _influences(truth, guess, y, design, 0.0)
        tuning = tuning_of(true[:, None], guessed[drawn, None], design)
    means, sizes, true, guessed = _influences(truth, guess, y, design, tuning)
    sensitivity = (truth / (design.weights[drawn] @ truth)).sum(axis=1)
    parts = tuning * guessed, true - tuning * guessed[drawn], sensitivity
    variance, df = variances(*(part[:, None] for part in parts), design, groups)
    score = share * (means[0] - means[1])
    statistics = tests(np.array([score]), share**2 * variance, df, confidence)
    held = np.clip(sizes / len(y), 0, 1)
    squares, *_ = _influences(truth, guess, y**2, design, tuning)
    within = np.average(squares - means**2, weights=held)
    spread = np.sqrt(within) if within > 0 else np.nan
    holds = held.sum() if first and second else held[1] if second else held[0]
    se, pvalue, low, high = (float(of[0]) for of in statistics)
    if shares:
        low, high = within_shares((low, high), score, share)
    return CorrectedSeparation(score, se, pvalue, low, high, tuple(means), float(spread), n_sides, float(holds))


def _influences(truth, guess, y, design, tuning):
    """Return means and sizes of both sides, and what each row moves their difference by.

    Parameters
    ----------
    truth : ndarray of shape (n_drawn, 2)
        Whether a row is on a side.
    guess : ndarray of shape (n_samples, 2)
        The same as predicted.
    y : ndarray of shape (n_samples,)
    design : Design
    tuning : float
        How far to rely on the predictions.

    Returns
    -------
    means, sizes : ndarray of shape (2,)
    true : ndarray of shape (n_drawn,)
    guessed : ndarray of shape (n_samples,)
    """
    drawn, w = design.drawn, design.weights[design.drawn]
    rest = tuning * (1 - design.weights)
    sizes = w @ truth + rest @ guess
    sizes = np.where(sizes > 0, sizes, np.nan)
    means = ((w * y[drawn]) @ truth + (rest * y) @ guess) / sizes
    of_side = np.array([1, -1]) / sizes
    true = (truth * (y[drawn, None] - means)) @ of_side
    guessed = (guess * (y[:, None] - means)) @ of_side
    return means, sizes, true, guessed


def _sides(answers, first, second):
    """Return which rows are on either side, as `separation` has them; `first` and `second` say what occurs."""
    neither = np.abs(answers) < 0.5
    high = neither if second and not first else answers >= 0.5
    low = answers <= -0.5 if second else neither
    return np.column_stack([high, low]).astype(np.float64)
