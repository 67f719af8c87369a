"""Our own warnings, and how they are told apart from those of other libraries."""

import warnings
from contextlib import contextmanager


class Note(UserWarning):
    """What one should know of the texts, the target or the names in order to read a result."""


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
