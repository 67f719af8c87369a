"""Which hypotheses go together: a matrix of few, and the strongest pairs of any."""

from typing import NamedTuple

import numpy as np
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform

MOST_IN_MATRIX = 40
_LEAST = 0.1  # A smaller correlation is not listed.
_LEAST_DRAWN = 0.02
_MOST_PAIRS = 12


class Cell(NamedTuple):
    """A correlation as it is drawn."""

    row: int
    column: int
    value: float
    size: float  # of its sign, as a share of the cell
    shade: float  # its opacity


class Matrix(NamedTuple):
    """The correlations of all hypotheses, such that those that go together stand together."""

    hypotheses: tuple  # in the order of the rows and columns
    cells: tuple[Cell, ...]  # below the diagonal


def matrix_of(report):
    """Return the `Matrix` of a report, or None with one hypothesis or with too many."""
    n = len(report.hypotheses)
    if not 1 < n <= MOST_IN_MATRIX:
        return None
    known = np.nan_to_num(report.correlations)
    order = _order(known)
    cells = (
        Cell(i, j, value, round(0.95 * abs(value) ** 0.6, 3), round(0.4 + 0.6 * abs(value), 3))
        for i in range(n)
        for j in range(i)
        if abs(value := float(known[order[i], order[j]])) >= _LEAST_DRAWN
    )
    return Matrix(tuple(report.hypotheses[i] for i in order), tuple(cells))


def _order(correlations):
    """Return an order in which those that are correlated stand beside each other."""
    if len(correlations) == 2:
        return [0, 1]
    distance = np.clip(1 - np.abs(correlations), 0, None)
    np.fill_diagonal(distance, 0)
    tree = linkage(squareform((distance + distance.T) / 2, checks=False), "average", optimal_ordering=True)
    return leaves_list(tree).tolist()


def strongest_pairs(report):
    """Return (correlation, hypothesis, hypothesis) of the strongest pairs, the strongest first."""
    rows, columns = np.triu_indices(len(report.hypotheses), 1)
    values = np.nan_to_num(report.correlations[rows, columns])
    order = np.argsort(-np.abs(values), kind="stable")[:_MOST_PAIRS]
    return [
        (float(values[i]), report.hypotheses[rows[i]], report.hypotheses[columns[i]])
        for i in order
        if abs(values[i]) >= _LEAST
    ]
