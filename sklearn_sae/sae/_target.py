"""The target as numbers, the same in every call that sees some of it."""

from typing import NamedTuple

import numpy as np

_SMALLEST, _LARGEST = 1e-30, 1e30  # of numbers, so that coefficients are within float32
_FARTHEST = 1e15  # standard deviations


class TargetForm(NamedTuple):
    """What kind of target it is, learned from that of the first fit."""

    task: str  # "regression", "binary" or "multiclass"
    classes: np.ndarray | None
    mean: float  # of a regression's target; 0 for classes
    scale: float  # its standard deviation; 1 for classes

    @classmethod
    def of(cls, target, classes=None):
        """Return the form of `target`, a checked target that varies; `classes` where they are known beforehand.

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
    def read_as(self):
        """The task that a further target is to be checked for, which may have fewer classes."""
        return "regression" if self.task == "regression" else "multiclass"

    @property
    def n_outputs(self):
        """One, or of several classes one each."""
        return len(self.classes) if self.task == "multiclass" else 1

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
            if np.abs(values).max() > _FARTHEST:
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
        """Return encoded values as one column, or of several classes an indicator each: (n_samples, n_outputs)."""
        if self.task == "multiclass":
            return (values[:, None] == np.arange(len(self.classes))).astype(np.float64)
        return values[:, None]
