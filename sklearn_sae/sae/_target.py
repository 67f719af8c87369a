"""The target as numbers, which are the same in every call that gets a part of it."""

from typing import NamedTuple

import numpy as np

from sklearn_sae.utils._targets import check_target, check_target_varies

_SMALLEST, _LARGEST = 1e-30, 1e30  # the magnitudes of a target for which coefficients are within float32
_LARGEST_DEVIATION = 1e15  # in standard deviations, so that its square is within float32


class TargetEncoding(NamedTuple):
    """How a target becomes numbers. It is learned from the target of the first fit."""

    task: str  # "regression", "binary" or "multiclass"
    classes: np.ndarray | None
    mean: float  # the mean of a regression's target, or 0 for classes
    scale: float  # the standard deviation of a regression's target, or 1 for classes

    @classmethod
    def of(cls, target, classes=None):
        """Return the encoding of a checked target that varies. `classes` are all its classes, if they are known.

        Raises
        ------
        ValueError
            If the mean or the standard deviation is beyond the range of float32.
        """
        if target.task == "regression":
            with np.errstate(over="ignore", invalid="ignore"):
                mean, deviation = float(target.values.mean()), float(target.values.std())
            if not (deviation >= _SMALLEST and abs(mean) + deviation <= _LARGEST):
                raise ValueError("y has values too large or too close together for float32; rescale it.")
            return cls("regression", None, mean, deviation)
        classes = target.classes if classes is None else classes
        return cls("binary" if len(classes) == 2 else "multiclass", classes, 0.0, 1.0)

    @property
    def checked_as(self):
        """The task that a further target is checked for, which may have fewer classes than the first one."""
        return "regression" if self.task == "regression" else "multiclass"

    def encode(self, target, *, name="y"):
        """Return a checked target as float64 (n_samples,): standardized, or codes into `classes`.

        Raises
        ------
        ValueError
            If a value is not among `classes`, or a number so far away that its square is beyond float32.
        """
        if self.task == "regression":
            with np.errstate(over="ignore"):
                values = (target.values - self.mean) / self.scale
            if np.abs(values).max() > _LARGEST_DEVIATION:
                raise ValueError(f"{name} has values too far from those that the scale was taken from; scale it alike.")
            return values
        known = {value: code for code, value in enumerate(self.classes.tolist())}
        unknown = [value for value in target.classes.tolist() if value not in known]
        if unknown and name == "y":
            raise ValueError(
                f"y has a class that was not there at the first fit: {unknown[0]!r}; pass all as classes=."
            )
        if unknown:
            raise ValueError(f"{name} has a class that y has not: {unknown[0]!r}; drop these rows.")
        return np.array([known[value] for value in target.classes.tolist()], dtype=np.float64)[target.values]

    def outputs(self, values):
        """Return encoded values as one column, or as indicators of several classes: (n_samples, n_outputs)."""
        if self.task == "multiclass":
            return (values[:, None] == np.arange(len(self.classes))).astype(np.float64)
        return values[:, None]


def require_target(y, n_samples, weight, *, task="auto"):
    """Return the checked target, or None where its weight is 0."""
    if not weight:
        return None
    if y is None:
        raise ValueError(f"target_weight={weight} requires y to be passed, but the target y is None.")
    return check_target(y, task=task, n_samples=n_samples)


def encode_whole_target(target, y_val=None, X_val=None):
    """Return the `TargetEncoding` of the checked target of a `fit`, and its values; None and None without a target.

    The target of the validation rows is encoded only to check it.
    """
    if target is None:
        return None, None
    check_target_varies(target)
    encoding = TargetEncoding.of(target)
    values = encoding.encode(target)
    if y_val is not None:
        encoding.encode(check_target(y_val, task=encoding.checked_as, n_samples=len(X_val), name="y_val"), name="y_val")
    return encoding, values


def encode_chunk_of_target(y, n_samples, weight, encoding, classes):
    """Return the `TargetEncoding` of a `partial_fit` and the values of its target; None and None without a weight.

    `encoding` is the one of the earlier calls. It is None in the first call, for which `classes` may name all classes.
    """
    if not weight:
        return None, None
    if encoding is not None:
        return encoding, encoding.encode(require_target(y, n_samples, weight, task=encoding.checked_as))
    if classes is None:
        target = require_target(y, n_samples, weight)
        if np.ptp(target.values) == 0:
            raise ValueError(
                "y has one distinct value in the first call of partial_fit, which settles what it is taken for; "
                "pass rows with several, or all classes as classes=."
            )
    else:
        classes = check_target(classes, task="multiclass", name="classes").classes
        if len(classes) < 2:
            raise ValueError(f"classes must name two or more classes; got {len(classes)}.")
        target = require_target(y, n_samples, weight, task="multiclass")
    encoding = TargetEncoding.of(target, classes)
    return encoding, encoding.encode(target)
