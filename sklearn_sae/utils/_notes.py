"""Our own warnings, and how they are told apart from those of other libraries."""

import warnings
from contextlib import contextmanager


class Note(UserWarning):
    """What one should know of the texts, the target or the names in order to read a result."""


@contextmanager
def noted():
    """Collect the notes that are issued in a `with` block, and pass all other warnings on.

    Yields
    ------
    notes : list of str
        Filled at the end of the block, each note once.
    """
    notes = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", Note)
        try:
            yield notes
        finally:
            notes += dict.fromkeys(str(one.message) for one in caught if issubclass(one.category, Note))
            others = [one for one in caught if not issubclass(one.category, Note)]
    for one in others:
        warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
