"""Predictions of a model that is already there, as an offset: what they leave of a target is looked at."""

from typing import NamedTuple

import numpy as np

from sklearn_sae.utils._numbers import parse_numbers
from sklearn_sae.utils._validation import counted, refuse_masked, row_labels

_LEAST_EXPLAINED, _LEAST_CHI2 = 0.1, 10  # of the variance, and so much that it is hardly chance among few rows
_NEAREST = 1e-6  # A probability counts as at most so near to 0 and 1, because of these the log-odds are infinite.


class Offset(NamedTuple):
    """Checked predictions of a target: numbers, or probabilities of the second of two classes."""

    values: np.ndarray  # (n_samples,) of float64
    name: str | None = None

    @property
    def phrase(self):
        """What to call them in a sentence."""
        return "the predictions" if self.name is None else f"the predictions in {self.name!r}"

    def take(self, rows):
        """Return the predictions of some rows."""
        return self._replace(values=self.values[rows])

    def log_odds(self):
        """Return the log-odds of probabilities."""
        p = np.clip(self.values, _NEAREST, 1 - _NEAREST)
        return np.log(p) - np.log1p(-p)


def names_beyond(controls, offset):
    """Return what tests are beyond: the predictions of an `Offset` and `Controls`, as their names."""
    return (*(() if offset is None else (offset.phrase,)), *(() if controls is None else controls.names))


def check_offset(offset, target):
    """Return the `Offset` of a target; None stays None.

    Parameters
    ----------
    offset : array-like of shape (n_samples,) or None
        Numbers, also written as text. A Series gives them its name.
    target : Target

    Raises
    ------
    ValueError
        If the target has more than two classes; if the length differs; if a prediction is no finite number, or no
        probability although there are two classes.
    """
    if offset is None:
        return None
    if target.task != "regression" and len(target.classes) > 2:
        raise ValueError(
            f"offset needs a target of numbers or of two classes; this one has {len(target.classes)} classes. Take one "
            "of them against the rest, and its probability."
        )
    refuse_masked(offset, "offset")
    name = getattr(offset, "name", None)
    given, n = np.asarray(offset), len(target.values)
    if given.shape != (n,):
        raise ValueError(f"offset must be one prediction a row: its shape is {given.shape} for {counted(n, 'row')}.")
    values, rows = _as_numbers(given), row_labels(offset, n)
    if not np.isfinite(values).all():
        row = int(np.argmin(np.isfinite(values)))
        raise ValueError(f"offset must be numbers; row {rows[row]} has {given[row]!s}.")
    outside = (values < 0) | (values > 1)
    if target.task != "regression" and outside.any():
        row = int(np.argmax(outside))
        raise ValueError(
            f"offset must be the probability of {target.classes[1]!s}, between 0 and 1; row {rows[row]} has "
            f"{values[row]:g}. Of log-odds take scipy.special.expit."
        )
    return Offset(values, name if isinstance(name, str) else None)


def notes_on_scale(offset, target):
    """Return a note where predictions are worse than the mean of a target, but a straight line of them is much better.

    Predictions that say nothing of the target get none, because no other scale would help them.
    """
    values, y = offset.values, target.values.astype(np.float64)
    if np.ptp(values) == 0 or np.ptp(y) == 0 or ((y - values) ** 2).mean() < y.var():
        return []
    explained = np.corrcoef(values / np.ptp(values), y / np.ptp(y))[0, 1] ** 2  # The square of a tiny number is 0.
    if explained < max(_LEAST_EXPLAINED, _LEAST_CHI2 / len(y)):
        return []
    question = "are they in another unit? Put them on the scale of the target"
    if target.classes is not None:
        question = f"are they probabilities of {target.classes[1]!s}? Calibrate them"
    return [
        f"{offset.phrase[0].upper()}{offset.phrase[1:]} (offset) miss the target by more than its mean does, but a "
        f"straight line of them explains {explained:.0%} of it: {question}."
    ]


def _as_numbers(given):
    if given.dtype.kind in "biuf":
        return given.astype(np.float64)
    values = list(given)
    if all(isinstance(value, str) for value in values):
        try:
            parsed = parse_numbers(values)
        except ValueError:  # Some are numbers, not all.
            parsed = None
        if parsed is not None:
            return parsed.values
    try:
        return np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(
            "offset must be numbers, the predictions of a model; of classes their probabilities."
        ) from None
