"""Our own warnings, where they point to, and how they are told apart from those of other libraries."""

import sys
import warnings
from contextlib import contextmanager

_BETWEEN = {"sklearn_sae", "sklearn", "joblib"}  # packages whose lines the user has not written


class Note(UserWarning):
    """What one should know of the texts, the target or the names in order to read a result."""


def warn(message, category=Note):
    """Warn of the line that called this package, also where scikit-learn stands between.

    Parameters
    ----------
    message : str
    category : type of Warning, default=Note
    """
    level, frame = 2, sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _BETWEEN:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


@contextmanager
def noted():
    """Collect the notes that are issued in a `with` block, and pass all other warnings on.

    If the block fails, the notes are passed on too, because they may say why.

    Yields
    ------
    notes : list of str
        Filled at the end of the block, each note once.
    """
    notes, failed = [], True
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", Note)
            yield notes
        failed = False
    finally:
        for one in caught:
            if failed or not issubclass(one.category, Note):
                warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
            elif str(one.message) not in notes:
                notes.append(str(one.message))
