"""Controls: what else may explain a target, as numbers and levels, and what they leave of other columns."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.utils import check_array

from sklearn_sae.utils._notes import warn
from sklearn_sae.utils._numbers import parse_numbers
from sklearn_sae.utils._validation import (
    check_alignment,
    counted,
    is_missing,
    listed,
    refuse_masked,
    row_labels,
    visible,
)

MOST_INDICATORS = 20  # A category of more levels is taken out by demeaning, without a column a level.
_CONSTANT = 1e-9  # A spread below this share of the mean is a rounding error.
_DEPENDENT = 1e-7  # A singular value below this share of the largest is a rounding error.
_MAX_SWEEPS = 2000  # of demeaning by several categories in turn
_SETTLED = 1e-10  # A sweep that moves no value by more, in standard deviations, is the last.


_MOST_NAMED = 4


class Controls(NamedTuple):
    """Checked controls."""

    values: np.ndarray  # (n_samples, n_columns) float64: numbers, and indicators of categories
    factors: tuple  # of ndarray of int of shape (n_samples,): levels from 0 of categories that have many
    names: tuple  # of str, what to call each control

    def take(self, rows):
        """Return the controls of some rows."""
        factors = (np.unique(levels[rows], return_inverse=True)[1] for levels in self.factors)
        return Controls(self.values[rows], tuple(factors), self.names)


def check_controls(controls, n_samples, *, absorb=True, X=None, X_name="X"):
    """Return the `Controls` of a frame, a Series or an array; None stays None.

    Parameters
    ----------
    controls : DataFrame, Series or array-like of shape (n_samples,) or (n_samples, n_controls), or None
        Numbers are taken as they are, also where they are written as text. All else is categories, with an indicator
        for each level but the first.
    n_samples : int
    absorb : bool, default=True
        Whether categories of more than 20 levels are kept as levels, to be taken out by demeaning.
    X : object, optional
        What the controls belong to. An index of pandas must not have another order.
    X_name : str, default="X"

    Raises
    ------
    ValueError
        If the lengths differ, an array of numbers has NaN, a number is infinite, or a control holds dates or a
        category with a level for each row.

    Warns
    -----
    Note
        If values are missing. They are a level of a category; of numbers they become the mean, beside an indicator.
        If a control is the same in all rows.
    """
    if controls is None:
        return None
    check_alignment(X, controls, name=X_name, other_name="controls")
    refuse_masked(controls, "controls")
    frame = _as_frame(controls)
    if len(frame) != n_samples:
        raise ValueError(
            f"controls has {len(frame)} rows for the {n_samples} rows of {X_name}; "
            "found input variables with inconsistent numbers of samples."
        )
    columns, factors = [np.empty((n_samples, 0))], []
    for i in range(frame.shape[1]):
        name, values = str(frame.columns[i]), frame.iloc[:, i]
        missing = np.array([is_missing(one) or (isinstance(one, str) and not visible(one)) for one in values], bool)
        numbers = _numbers(values, missing, name)
        if numbers is not None:
            columns.append(numbers[:, None])
            if missing.any():
                columns.append(missing[:, None].astype(np.float64))
                as_what = "they take the mean, beside an indicator that they are missing"
        else:
            levels = _levels(values, missing, name)
            as_what = "they count as a category of their own"
            if absorb and levels.max() >= MOST_INDICATORS:
                factors.append(levels)
            else:
                columns.append(np.eye(levels.max() + 1)[levels][:, 1:])
        if not missing.any() and np.ptp(levels if numbers is None else numbers) == 0:
            warn(f"The control {name!r} is the same in all rows, so that it takes nothing out.")
        if missing.any():
            warn(f"The control {name!r} is missing in {missing.sum():,} of {n_samples:,} rows; {as_what}.")
    return Controls(np.hstack(columns), tuple(factors), tuple(map(str, frame.columns)))


def named_controls(names):
    """Return the names of controls as part of a sentence."""
    if len(names) <= _MOST_NAMED:
        return listed(list(names), "and")
    return f"{', '.join(names[: _MOST_NAMED - 1])} and {len(names) - _MOST_NAMED + 1} more controls"


def _as_frame(controls):
    if isinstance(controls, pd.Series):
        return controls.to_frame("control" if controls.name is None else controls.name)
    if hasattr(controls, "to_pandas") and not isinstance(controls, pd.DataFrame):  # of polars
        return _as_frame(controls.to_pandas())
    if isinstance(controls, pd.DataFrame):
        return controls
    values = controls.toarray() if hasattr(controls, "toarray") else np.asarray(controls)
    values = values[:, None] if values.ndim == 1 else values
    if values.dtype.kind in "biuf":
        values = check_array(
            values, dtype=np.float64, ensure_min_features=0, ensure_min_samples=0, input_name="controls"
        )
    elif values.ndim != 2:
        raise ValueError(f"controls must have a row for each text and a column a control; its shape is {values.shape}.")
    return pd.DataFrame(values, columns=[f"control {i}" for i in range(values.shape[1])]).infer_objects()


def _numbers(values, missing, name):
    """Return a column as float64, its mean where it is missing, or None if it holds categories."""
    given = values[~missing].infer_objects()
    kind = getattr(given.dtype, "kind", "O")
    if kind in "mM" or str(values.dtype).startswith("period"):
        raise ValueError(
            f"The control {name!r} holds dates; pass the days since the first for a trend, or the month or year as "
            "text for a category."
        )
    if isinstance(values.dtype, pd.CategoricalDtype) or not len(given):
        return None if len(given) else np.zeros(len(values))
    if kind in "biuf":
        found = given.to_numpy(dtype=np.float64)
    elif all(isinstance(one, str) for one in given):
        try:
            parsed = parse_numbers(given.tolist())
        except ValueError:  # Some are numbers, so that all are categories.
            parsed = None
        if parsed is None:
            return None
        found = parsed.values
    else:
        return None
    if not np.isfinite(found).all():
        raise ValueError(f"The control {name!r} has an infinite value; mend it, or leave it empty.")
    numbers = np.full(len(values), found.mean())
    numbers[~missing] = found
    return numbers


def _levels(values, missing, name):
    """Return the level of each row from 0, missing values as one of them."""
    named = [visible(one) if isinstance(one, str) else one for one in values.astype(object)]
    levels = np.empty(len(named), dtype=np.int64)
    levels[~missing] = pd.factorize(np.array([*named, None], dtype=object)[:-1][~missing])[0]
    levels[missing] = levels[~missing].max(initial=-1) + 1
    levels = np.unique(levels, return_inverse=True)[1]
    if len(levels) > 2 and levels.max() + 1 == len(levels):
        raise ValueError(f"The control {name!r} has another value in each row, which leaves nothing to explain.")
    return levels


def intercept_and_controls(n_samples, controls=None, sample_weight=None):
    """Return an orthonormal basis of the intercept and the controls.

    Parameters
    ----------
    n_samples : int
    controls : ndarray of shape (n_samples, n_controls) or None
        Controls that are constant, or combinations of others, add nothing to the basis.
    sample_weight : ndarray of shape (n_samples,) or None
        Weights above 0.

    Returns
    -------
    basis : ndarray of shape (n_samples, 1 + n_independent_controls)
        The first column, for the intercept, holds the roots of the rows' shares of the weight.
    """
    if sample_weight is None:
        sample_weight = np.ones(n_samples)
    share = sample_weight / sample_weight.sum()
    root = np.sqrt(share)[:, None]
    if controls is None:
        return root
    mean = share @ controls
    centered = root * (controls - mean)
    spread = np.linalg.norm(centered, axis=0)
    return np.hstack([root, _orthonormal(centered[:, spread > _CONSTANT * np.abs(mean)])])


def _orthonormal(columns):
    columns = columns / np.linalg.norm(columns, axis=0)
    directions, singular, _ = np.linalg.svd(columns, full_matrices=False)
    return directions[:, singular > _DEPENDENT * singular.max(initial=0)]


class Adjustment:
    """What controls leave of other columns, by weighted least squares; the levels of `factors` by demeaning.

    Parameters
    ----------
    controls : Controls or None
        None is an intercept alone.
    weights : ndarray of shape (n_samples,)
        Weights above 0.

    Attributes
    ----------
    n_parameters : int
        The number of independent columns that are taken out, the intercept among them. With several factors it may
        count a few too many.
    leverage : ndarray of shape (n_samples,) or None
        How far each row determines its own fit; None with several factors, where it is not known.
    """

    def __init__(self, controls, weights):
        self.weights = weights
        self._root = np.sqrt(weights)[:, None]
        self._factors = () if controls is None else controls.factors
        if controls is None:
            values = np.empty((len(weights), 0))
        elif not self._factors:
            values = controls.values
        else:
            spread = controls.values.std(axis=0)
            values = self._without_means(controls.values / np.where(spread > 0, spread, 1))
        if self._factors:
            rows = self._root / np.linalg.norm(self._root) * values
            self._basis = _orthonormal(rows[:, np.linalg.norm(rows, axis=0) > _DEPENDENT])
        else:
            self._basis = intercept_and_controls(len(weights), values, weights)[:, 1:]
        n_levels = [levels.max() + 1 for levels in self._factors]
        self.n_parameters = 1 + self._basis.shape[1] + int(sum(n_levels)) - len(n_levels)
        self.leverage = None
        if len(self._factors) < 2:
            totals = np.bincount(self._levels, weights)[self._levels]
            self.leverage = weights / totals + (self._basis**2).sum(axis=1)

    @property
    def _levels(self):
        return self._factors[0] if self._factors else np.zeros(len(self.weights), dtype=np.int64)

    def residuals(self, Y):
        """Return what is left of columns.

        Parameters
        ----------
        Y : ndarray of shape (n_samples,) or (n_samples, n_columns)

        Returns
        -------
        residuals : ndarray of the shape of `Y`
            Exactly 0 where a column has nothing beyond the controls but rounding errors.
        """
        columns = Y.reshape(len(Y), -1).astype(np.float64)
        left = self._without_means(columns)
        for _ in range(2):  # a second pass removes what rounding left
            left = left - self._basis @ (self._basis.T @ (self._root * left)) / self._root
        size = np.sqrt(self.weights @ (columns - self.weights @ columns / self.weights.sum()) ** 2)
        left[:, np.sqrt(self.weights @ left**2) <= 1e-6 * size + 1e-12 * np.abs(columns).max(axis=0)] = 0.0
        return left.reshape(Y.shape)

    def n_parameters_beside(self, groups):
        """Return `n_parameters` without the levels that lie within groups, because cluster-robust errors allow them."""
        nested = [levels for levels in self._factors if _is_within(levels, groups)]
        return self.n_parameters - sum(int(levels.max()) for levels in nested)

    def _without_means(self, columns):
        """Return columns minus their means in the levels of each factor; without factors, minus their mean."""
        if not columns.shape[1]:
            return columns
        factors = self._factors or (self._levels,)
        totals = [np.bincount(levels, self.weights) for levels in factors]
        spread = np.maximum(columns.std(axis=0), 1e-300)
        for _ in range(1 if len(factors) == 1 else _MAX_SWEEPS):
            moved = 0.0
            for levels, total in zip(factors, totals, strict=True):
                means = [np.bincount(levels, self.weights * column) / total for column in columns.T]
                step = np.column_stack(means)[levels]
                columns = columns - step
                moved = max(moved, (np.abs(step) / spread).max(initial=0.0))
            if moved < _SETTLED:
                break
        return columns


class Adjustments:
    """The `Adjustment` of any rows; that of the rows asked for last is kept, because most hypotheses have the same.

    Parameters
    ----------
    controls : Controls or None
    weights : ndarray of shape (n_samples,) or None
    n_samples : int
    """

    def __init__(self, controls, weights, n_samples):
        self._controls = controls
        self._weights = np.ones(n_samples) if weights is None else weights
        self._rows, self._last = None, None

    def of(self, rows):
        """Return the `Adjustment` of the rows of a mask."""
        if self._rows is None or not np.array_equal(rows, self._rows):
            controls = None if self._controls is None else self._controls.take(rows)
            self._rows, self._last = rows, Adjustment(controls, self._weights[rows])
        return self._last


def _is_within(levels, groups):
    """Return whether each level is in one group."""
    return len(np.unique(np.column_stack([levels, groups]), axis=0)) == levels.max() + 1


def check_weights(sample_weight, n_samples):
    """Return weights as float64 of mean 1 over the rows that have any; None stays None.

    Raises
    ------
    ValueError
        If `sample_weight` has another length, is negative or missing somewhere, or 0 everywhere.
    """
    if sample_weight is None:
        return None
    refuse_masked(sample_weight, "sample_weight")
    weights = np.asarray(sample_weight)
    if weights.shape != (n_samples,):
        raise ValueError(
            f"sample_weight must be one number a row: its shape is {weights.shape} for {counted(n_samples, 'row')}."
        )
    weights = weights.astype(np.float64)
    if not np.isfinite(weights).all() or (weights < 0).any():
        row = int(np.argmax(~np.isfinite(weights) | (weights < 0)))
        label = row_labels(sample_weight, n_samples)[row]
        raise ValueError(f"sample_weight must be numbers from 0; row {label} has {weights[row]:g}.")
    if not weights.any():
        raise ValueError("sample_weight is zero for every row; give some row a weight above zero.")
    return weights / weights[weights > 0].mean()
