"""What controls, and the predictions of another model, leave of a target, for hypotheses to be found in."""

import numpy as np

from sklearn_sae.utils._controls import Adjustment
from sklearn_sae.utils._offset import notes_on_scale
from sklearn_sae.utils._targets import as_given


def has_residual(target):
    """Return whether what controls leave of a target is one number a row."""
    return target.task == "regression" or len(target.classes) == 2


def left_by_controls(target, controls, weights, *, offset=None, name="y"):
    """Return the target that hypotheses are found for: what an offset and the controls leave of it.

    Of two classes it is what they leave of the indicator of the second. Of more classes it is the target itself,
    because there are as many residuals as classes, and the tests alone are beyond the controls.

    Parameters
    ----------
    target : Target
    controls : Controls or None
    weights : ndarray of shape (n_samples,) or None
        Weights above 0.
    offset : Offset or None, default=None
    name : str

    Returns
    -------
    y : ndarray of float64 of shape (n_samples,), or Series of categories

    Raises
    ------
    ValueError
        If nothing is left.
    """
    if (controls is None and offset is None) or not has_residual(target):
        return as_given(target)
    weights = np.ones(len(target.values)) if weights is None else weights
    left = target.values.astype(np.float64)
    if offset is not None:
        left = left - offset.values
        if np.ptp(left) <= 1e-12 * max(1.0, np.abs(target.values).max()):
            raise ValueError(f"{offset.phrase} (offset) miss nothing of {name}: there is nothing to find.")
    left = Adjustment(controls, weights).residuals(left)
    if not left.any():
        of_what = name if offset is None else f"what {offset.phrase} (offset) miss of {name}"
        raise ValueError(f"{of_what} is a linear combination of the controls: they leave nothing of it to predict.")
    return left


def target_to_find_for(target, controls, weights, rows, *, offset=None, name="y"):
    """Return what an offset and the controls leave of the target of some rows, or None without these, and notes.

    Parameters
    ----------
    target : Target
    controls : Controls or None
    weights : ndarray of shape (n_samples,) or None
    rows : ndarray of int
        Those with a weight above 0 that hypotheses are found on.
    offset : Offset or None, default=None
        Of a target of numbers or of two classes.
    name : str
    """
    if controls is None and offset is None:
        return None, []
    if not has_residual(target):
        return None, [
            "Hypotheses are found without the controls, because the target has more than two classes; the tests are "
            "beyond them."
        ]
    target = target._replace(values=target.values[rows])
    controls, offset = (None if each is None else each.take(rows) for each in (controls, offset))
    weights = None if weights is None else weights[rows]
    notes = [] if offset is None else notes_on_scale(offset, target)
    return left_by_controls(target, controls, weights, offset=offset, name=name), notes
