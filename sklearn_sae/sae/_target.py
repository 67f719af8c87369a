"""The target as the linear head sees it."""

from typing import NamedTuple

import numpy as np


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
        """Return what `target` (a checked target) is like; `classes` where they are known beforehand."""
        if target.task == "regression":
            deviation = float(target.values.std())
            return cls("regression", None, float(target.values.mean()), deviation or 1.0, np.zeros(1, np.float32), 1.0)
        classes = target.classes if classes is None else np.unique(np.asarray(classes))
        task = "binary" if len(classes) == 2 else "multiclass"
        codes = class_codes(target, classes)
        share = (np.bincount(codes, minlength=len(classes)) + 0.5) / (len(codes) + 0.5 * len(classes))
        logits = np.log(share)
        start = logits[1:] - logits[:1] if task == "binary" else logits
        return cls(task, classes, 0.0, 1.0, start.astype(np.float32), float(-(share * np.log(share)).sum()))

    def encode(self, target):
        """Return a checked target as float32: standardized, or codes into `classes`."""
        if self.task == "regression":
            return ((target.values - self.mean) / self.scale).astype(np.float32)
        return class_codes(target, self.classes).astype(np.float32)


def class_codes(target, classes):
    """Return the index into `classes` of each value of a target.

    Raises
    ------
    ValueError
        If a value is not among `classes`.
    """
    known = {value: code for code, value in enumerate(classes.tolist())}
    unknown = [value for value in target.classes.tolist() if value not in known]
    if unknown:
        raise ValueError(f"y has a class that was not there at the first fit: {unknown[0]!r}; pass all as classes=.")
    return np.array([known[value] for value in target.classes.tolist()], dtype=np.int64)[target.values]
