"""What people write where a sheet asks whether something holds."""

import datetime

import numpy as np

from sklearn_sae.utils._validation import is_missing, visible

_YES = {"1", "1.0", "1,0", "yes", "y", "true", "t", "x", "✓", "✔", "☑", "ja", "wahr", "oui", "vrai", "si", "sí", "sim"}
_NO = {"0", "0.0", "0,0", "no", "n", "false", "f", "✗", "✘", "☐", "nein", "falsch", "non", "faux", "não", "nao"}
_NEITHER = {"", "?", "??", "-", "–", "na", "n/a", "nan", "none", "null"}
DATES = (datetime.date, datetime.time)


def answer(cell):
    """Return 1, 0 or NaN for what a cell says, or None where it says something else.

    Parameters
    ----------
    cell : object
        A str, a number, a bool, a date or nothing.
    """
    if is_missing(cell):
        return np.nan
    if isinstance(cell, DATES):
        return None
    text = visible(str(cell)).casefold().removeprefix("'").rstrip(".!")
    return 1.0 if text in _YES else 0.0 if text in _NO else np.nan if text in _NEITHER else None
