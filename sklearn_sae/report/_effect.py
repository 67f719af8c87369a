"""Which way the target goes with a neuron, and how far."""

from typing import NamedTuple

import numpy as np

from sklearn_sae.utils._decimals import shortened


class Effect(NamedTuple):
    """A difference, and what it is in words."""

    size: float
    words: str


def effect_of(active, other, target, name, *, where):
    """Return the `Effect` of being in `active` rows and not in `other` ones, or None if either has no row.

    Parameters
    ----------
    active, other : ndarray of bool of shape (n_rows,)
    target : Target
    name : str
        The name of the target.
    where : tuple of (str, str)
        What the two kinds of rows are called.
    """
    if not active.any() or not other.any():
        return None
    if target.classes is None:
        high, low = target.values[active].mean(), target.values[other].mean()
        means = f"{shortened(high, 3)} {where[0]}, {shortened(low, 3)} {where[1]}"
        return Effect(high - low, f"mean {name} {means} ({shortened(high - low, 3, '+')})")
    n_classes = len(target.classes)
    high, low = (np.bincount(target.values[rows], minlength=n_classes) / rows.sum() for rows in (active, other))
    best = 1 if n_classes == 2 else int(np.abs(high - low).argmax())
    difference = high[best] - low[best]
    words = f"{name} is {label(target.classes[best])} in {high[best]:.0%} {where[0]}, {low[best]:.0%} {where[1]}"
    return Effect(difference, f"{words} ({100 * difference:+.0f} points)")


def value_of(target, row):
    """Return a row's value of a target, as str."""
    value = target.values[row]
    return label(value if target.classes is None else target.classes[value])


def label(value):
    """Return a number or the name of a class as str."""
    return shortened(value, 4) if isinstance(value, (float, np.floating)) else str(value)


def selection_effect(facts):
    """Return the score by which a neuron was selected as an `Effect`, or None."""
    if "selection_score" not in facts or np.isnan(facts["selection_score"]):
        return None
    of = f" for {label(facts['selection_class'])}" if "selection_class" in facts else ""
    return Effect(facts["selection_score"], f"selection score{of} {facts['selection_score']:+.3g}")
