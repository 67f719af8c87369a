"""Which texts hypotheses are found on, and which test them."""

import math

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.model_selection import train_test_split

from sklearn_sae.utils._targets import check_target_varies
from sklearn_sae.utils._validation import counted


def split(units, target, stratify, test_size, random_state, *, name, what, why):
    """Return the rows to find hypotheses on and the rows to test them on.

    Parameters
    ----------
    units : ndarray of int of shape (n_texts,)
        Rows of one unit, copies of a text or members of a group, stay on one side.
    target : Target
        Of `n_texts` values.
    stratify : bool
        Whether classes keep their shares.
    test_size : float
        Share of the units.
    random_state : int, RandomState instance or None
    name : str
        What to call the target in an error.
    what : (str, str)
        What to call one unit and several.
    why : list of str
        Sentences that say why there are so few units, which end an error.

    Returns
    -------
    train, test : ndarray of int

    Raises
    ------
    ValueError
        If there are too few units, or the target does not vary on a side.
    """
    first = np.unique(units, return_index=True)[1]
    labels = target.values[first] if stratify and target.classes is not None else None
    if labels is not None:
        counts = np.bincount(labels, minlength=len(target.classes))
        if counts.min() < 2:
            rare = target.classes.tolist()[counts.argmin()]
            raise ValueError(f"{name} has fewer than 2 texts of class {rare!r}; leave such classes out.")
    n_test = math.ceil(test_size * len(first))
    least = 2 if labels is None else len(target.classes)
    if min(n_test, len(first) - n_test) < least:
        are = "is" if len(first) == 1 else "are"
        few = (
            f"{counted(len(first), *what)} {are} too few to hold out a share of {test_size:g}: "
            f"both parts need at least {least}."
        )
        raise ValueError(" ".join([few, *why]))
    in_test = np.zeros(len(first), dtype=bool)
    places = np.arange(len(first))
    in_test[train_test_split(places, test_size=n_test, stratify=labels, random_state=random_state)[1]] = True
    train, test = np.flatnonzero(~in_test[units]), np.flatnonzero(in_test[units])
    for rows, done in ((train, "found"), (test, "tested")):
        part = target._replace(values=target.values[rows])
        check_target_varies(part, name=f"{name}, where hypotheses are {done},")
    return train, test


def joined(units, groups):
    """Return the unit of each row, in which groups that share a unit are joined to one; without groups the units."""
    if groups is None:
        return units
    n_units = units.max() + 1
    size = n_units + groups.max() + 1
    shared = coo_array((np.ones(len(units)), (units, n_units + groups)), shape=(size, size))
    return np.unique(connected_components(shared, directed=False)[1][units], return_inverse=True)[1]
