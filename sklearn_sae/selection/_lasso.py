"""The lasso path by homotopy, with exact knots and the Gram rows of active neurons only."""

from functools import cache
from itertools import count
from typing import NamedTuple

import numpy as np

_TIE = 1e-9  # Two penalties of a smaller relative difference are the same.
_COLLINEAR = 1e-9  # The active neurons must leave this share of the variance of another one unexplained.


class Segment(NamedTuple):
    """A linear piece of the path, on which the coefficients are ``at_zero - penalty * slope``."""

    lower: float  # the penalty at which the piece ends
    active: list  # neurons in order of entry
    at_zero: np.ndarray  # (n_active,)
    slope: np.ndarray  # (n_active,)


def lasso_path(correlation, gram_row):
    """Yield the segments of a lasso path from the highest penalty down to 0.

    Between knots the coefficients of the active neurons are linear in the penalty, and so is the correlation of every
    neuron with the residual. The next knot is the highest penalty at which the correlation of an inactive neuron
    reaches the penalty (the neuron joins) or the coefficient of an active one reaches zero (the neuron leaves). Each
    segment is solved anew, so errors do not add up. Of events at one penalty the one of the smallest index comes first,
    which breaks ties by index and cannot cycle (Murty's rule). A neuron that is a linear combination of the active ones
    up to rounding is skipped.

    Parameters
    ----------
    correlation : ndarray of shape (n_neurons,)
        Correlations of the standardized neurons with the target; 0 for a neuron that must not join.
    gram_row : callable
        ``gram_row(j)`` is row j of the neurons' correlation matrix.

    Yields
    ------
    segment : Segment
        The last segment has ``lower=0``.
    """
    n_neurons = len(correlation)
    floor = _TIE * np.abs(correlation).max()  # a smaller correlation is a rounding error
    active, signs, passed_over = [], [], []
    rows = np.empty((0, n_neurons))  # rows of the correlation matrix, one for each active neuron
    penalty = np.inf
    for n_knots in count():
        gram = rows[:, active]
        at_zero, slope = np.linalg.solve(gram, np.column_stack([correlation[active], signs])).T
        # The correlation of a neuron with the residual is residual + penalty * drift.
        residual, drift = correlation - at_zero @ rows, slope @ rows

        knots = np.zeros(n_neurons)
        joins_as = np.ones(n_neurons)
        for sign in (1.0, -1.0):
            gap = 1 - sign * drift
            knot = np.divide(sign * residual, gap, out=np.zeros(n_neurons), where=gap > _TIE)
            joins_as[knot > knots] = sign
            np.maximum(knots, knot, out=knots)
        knots[active + passed_over] = 0
        shrinks = signs * slope < 0
        knots[np.array(active, dtype=int)[shrinks]] = at_zero[shrinks] / slope[shrinks]
        knots = np.minimum(knots, penalty)

        lower = knots.max()
        if lower <= floor or n_knots == 10 * n_neurons + 100:  # real paths have far fewer knots
            break
        j = int(np.argmax(knots >= lower * (1 - _TIE)))
        if j in active:
            yield Segment(lower, list(active), at_zero, slope)
            place = active.index(j)
            del active[place], signs[place]
            rows = np.delete(rows, place, axis=0)
            passed_over = []
        else:
            row = gram_row(j)
            if 1 - row[active] @ np.linalg.solve(gram, row[active]) < _COLLINEAR:
                passed_over.append(j)
                continue
            yield Segment(lower, list(active), at_zero, slope)
            active.append(j)
            signs.append(joins_as[j])
            rows = np.vstack([rows, row])
        penalty = lower
    yield Segment(0.0, list(active), at_zero, slope)


def lasso_scores(design, correlations, n_active):
    """Return the coefficients where the paths first have `n_active` neurons active between them.

    One penalty serves all targets and falls until enough neurons have a coefficient for at least one of them.

    Parameters
    ----------
    design : Standardized
    correlations : ndarray of shape (n_targets, n_neurons)
    n_active : int

    Returns
    -------
    coef : ndarray of shape (n_targets, n_neurons)
        Coefficients of standardized neurons for standardized targets, in the middle of the segment. Fewer than
        `n_active` neurons have one if the paths end before, and more if several join at one penalty.
    """

    @cache
    def gram_row(j):
        return design.covariance(design.residual(j))

    paths = [lasso_path(correlation, gram_row) for correlation in correlations]
    segments = [next(path) for path in paths]
    upper = np.inf
    while True:
        ends_first = max(range(len(paths)), key=lambda t: segments[t].lower)
        lower = segments[ends_first].lower
        enough = len(set().union(*(segment.active for segment in segments))) >= n_active
        if lower == 0 or (enough and lower < upper * (1 - _TIE)):
            break
        upper = lower
        segments[ends_first] = next(paths[ends_first])

    coef = np.zeros_like(correlations)
    for row, segment in zip(coef, segments, strict=True):
        if segment.active:
            row[segment.active] = segment.at_zero - (lower + upper) / 2 * segment.slope
    return coef
