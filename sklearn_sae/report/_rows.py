"""Which texts show what a neuron is about."""

import numpy as np

_QUARTILE = 0.25


def groups_of(activation, is_first, n, *, are_pairs):
    """Return the rows to show, by what they are of the neuron; nothing is drawn.

    Parameters
    ----------
    activation : ndarray of shape (n_rows,)
        NaN where it is not known.
    is_first : ndarray of bool of shape (n_rows,)
        Whether a row may be shown, because no row before it has the same text.
    n : int
        The most rows of a group.
    are_pairs : bool
        Whether rows are pairs, and an activation says in which of the two texts the neuron is stronger.

    Returns
    -------
    groups : dict of str to list of int
        Strongest first; those that do not activate are spread evenly over the rows.
    """
    shown = np.flatnonzero(is_first)
    value = activation[shown]
    up = shown[np.argsort(-np.nan_to_num(value), kind="stable")][: (value > 0).sum()]
    silent = shown[value == 0] if are_pairs else shown[value <= 0]
    spread = _evenly(silent, n)
    if are_pairs:
        down = shown[np.argsort(np.nan_to_num(value), kind="stable")][: (value < 0).sum()]
        return _filled({"stronger in the first": up[:n], "stronger in the second": down[:n], "alike in both": spread})
    if len(up) and activation[up[0]] == activation[up[-1]]:  # on or off
        return _filled({"active": _evenly(up, n), "not active": spread})
    start = max(n, int(_QUARTILE * len(up)))
    strong = up[start : start + n]
    return _filled({"most active": up[:n], "strong, upper quartile": strong, "not active": spread})


def _filled(groups):
    return {name: rows.tolist() for name, rows in groups.items() if len(rows)}


def _evenly(rows, n):
    """Return `n` of the rows, evenly spread, or all if there are no more."""
    n = min(n, len(rows))
    return rows[((np.arange(n) + 0.5) * len(rows) / max(n, 1)).astype(np.intp)]
