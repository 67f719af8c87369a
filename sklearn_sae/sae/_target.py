"""The target as the linear head sees it."""

from typing import NamedTuple

import numpy as np

_SMALLEST, _LARGEST = 1e-30, 1e30  # of numbers, so that the head's coefficients are within float32
_FARTHEST = 1e15  # standard deviations


class HeadTarget(NamedTuple):
    """What the head predicts, learned from the target of the first fit."""

    task: str  # "regression", "binary" or "multiclass"
    classes: np.ndarray | None
    mean: float  # of a regression's target; 0 for classes
    scale: float  # its standard deviation; 1 for classes
    start: np.ndarray  # (C,) float32, the best constant prediction
    constant_loss: float  # the loss of that

    @classmethod
    def of(cls, target, classes=None):
        """Return what `target` (a checked target that varies) is like; `classes` where they are known beforehand.

        In that case `target` may lack some, so that its shares say nothing: all classes count as equally frequent.

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
            return cls("regression", None, mean, deviation, np.zeros(1, np.float32), 1.0)
        if classes is None:
            classes = target.classes
            share = (np.bincount(target.values) + 0.5) / (len(target.values) + 0.5 * len(classes))
        else:
            share = np.full(len(classes), 1 / len(classes))
        task = "binary" if len(classes) == 2 else "multiclass"
        logits = np.log(share)
        start = logits[1:] - logits[:1] if task == "binary" else logits
        return cls(task, classes, 0.0, 1.0, start.astype(np.float32), float(-(share * np.log(share)).sum()))

    @property
    def read_as(self):
        """The task that a further target is to be checked for, which may have fewer classes."""
        return "regression" if self.task == "regression" else "multiclass"

    def encode(self, target, *, name="y"):
        """Return a checked target as float32: standardized, or codes into `classes`.

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
            return values.astype(np.float32)
        known = {value: code for code, value in enumerate(self.classes.tolist())}
        unknown = [value for value in target.classes.tolist() if value not in known]
        if unknown and name == "y":
            raise ValueError(
                f"y has a class that was not there at the first fit: {unknown[0]!r}; pass all as classes=."
            )
        if unknown:
            raise ValueError(f"{name} has a class that y has not: {unknown[0]!r}; drop these rows.")
        return np.array([known[value] for value in target.classes.tolist()], dtype=np.float32)[target.values]
