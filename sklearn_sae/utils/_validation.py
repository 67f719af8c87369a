"""What every stage asks of texts and targets."""

import contextlib
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from numbers import Number

import numpy as np

from sklearn_sae.utils._frames import TEXT, is_frame
from sklearn_sae.utils._notes import warn

# Marks that cannot be seen: of bytes and of direction, soft hyphens, and the joiners where they join nothing.
_UNSEEN = re.compile("[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
_JOINERS = " \t\r\n\f\v\u200c\u200d"


def check_texts(X, *, name="X"):
    """Return `X` as a list of str, or say which row is not a text.

    Parameters
    ----------
    X : sequence of str, 1-D array, Series, one-column array or frame, frame with a column "text", or ParquetTexts
        The last are checked already, and returned as they are where they are too many for a list.
    name : str, default="X"
        What to call the argument in an error.

    Returns
    -------
    texts : list of str or ParquetTexts

    Raises
    ------
    TypeError
        If `X` is one string, or an entry is not a string.
    ValueError
        If `X` is empty, has several columns of which none is called "text", or an entry is missing or blank.
    """
    from sklearn_sae.utils._parquet_texts import ParquetTexts, in_memory

    if isinstance(X, ParquetTexts) and len(X):
        return in_memory(X)
    if is_frame(X) and TEXT in list(X.columns):
        X = X[TEXT]
    if isinstance(X, (str, bytes)):
        raise TypeError(f"{name} is a single string; pass a list of texts, [text], instead.")
    if hasattr(X, "to_numpy") or hasattr(X, "dtype"):  # a Series, a frame or an array
        values = np.asarray(X, dtype=object)
    elif isinstance(X, Sequence):
        is_table = len(X) > 0 and all(isinstance(row, (list, tuple)) and len(row) == 1 for row in X)
        values = np.fromiter((row[0] for row in X) if is_table else X, dtype=object, count=len(X))
    else:
        raise TypeError(f"{name} must be a sequence of texts; got {type(X).__name__}.")
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        hint = f", and no column is called {TEXT!r}" if is_frame(X) else ""
        raise ValueError(f"{name} must be one column of texts; got an array of shape {values.shape}{hint}.")
    if len(values) == 0:
        raise ValueError(f"{name} is empty: found 0 texts while at least 1 is required.")
    for row, text in zip(row_labels(X, len(values)), values, strict=True):
        _check_text(text, row, name)
    return [str(text) for text in values]


def _check_text(text, row, name):
    if isinstance(text, str):
        if not visible(text):
            raise ValueError(f"{name} has an empty text in row {row}; drop it or fill it in.")
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ValueError(
                f"{name} has a text in row {row} that is not valid Unicode (half a surrogate pair)."
            ) from None
    elif is_missing(text):
        raise ValueError(f"{name} has a missing text in row {row}; drop it or fill it in.")
    else:
        raise TypeError(f"{name} has a value of type {type(text).__name__} in row {row} where a text (str) is needed.")


def refuse_masked(values, name):
    """Refuse an array whose mask hides values, because NumPy's functions would bring them back."""
    if isinstance(values, np.ma.MaskedArray) and np.ma.getmaskarray(values).any():
        row = int(np.ma.getmaskarray(values).reshape(len(values), -1).any(axis=1).argmax())
        raise ValueError(f"{name} contains NaN: row {row} is masked; drop the row, or fill it in.")


def row_labels(X, n_rows):
    """Return what to call each row in a message: its label in the index of pandas, else its number from 0."""
    index = getattr(X, "index", None)
    return index.tolist() if hasattr(index, "tolist") and len(index) == n_rows else range(n_rows)


def check_alignment(X, y, *, name="X", other_name="y"):
    """Refuse a target whose rows pandas names as those of `X`, but in another order; warn where the names differ.

    Rows belong together by their place, so an index says only whether they are likely to.

    Parameters
    ----------
    X, y : array-like
        Nothing is checked unless both have an index of pandas and are of one length.
    name : str, default="X"
        What to call `X` in an error.
    other_name : str, default="y"
        What to call `y`.

    Raises
    ------
    ValueError
        If both have the same labels in another order.

    Warns
    -----
    UserWarning
        If labels differ.
    """
    one, other = (getattr(data, "index", None) for data in (X, y))
    if not (hasattr(one, "equals") and hasattr(other, "equals")) or len(one) != len(other) or one.equals(other):
        return
    differ = (
        i
        for i, (a, b) in enumerate(zip(one, other, strict=True))
        if a is not b and (is_missing(a) or is_missing(b) or a != b)
    )
    row = next(differ, None)
    if row is None:  # times of two zones, say
        return
    where = f"row {row} is {_shown(one[row])} in {name} and {_shown(other[row])} in {other_name}"
    if Counter(one) == Counter(other):
        raise ValueError(
            f"{name} and {other_name} have the same index in different orders: {where}; align them by "
            f"{other_name}.loc[{name}.index]."
        )
    warn(f"{name} and {other_name} have different indexes: {where}; rows are taken to belong together by their place.")


def _shown(label):
    return repr(label.item() if isinstance(label, np.generic) else label)


def is_missing(value):
    """Return whether a value is None, NaN, NaT or NA."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, Number) and value != value


def visible(text):
    """Return `text` without characters that cannot be seen and without blanks at its ends; inside, one blank each."""
    if not text.isascii():
        text = _UNSEEN.sub("", text).strip(_JOINERS)
    return " ".join(text.split())


def text_identity(text):
    """Return what two texts share that are the same but for case, spaces, unseen characters and Unicode form.

    Copies of a text must not stand on both sides of a split, or what is tested has been seen.
    """
    folded = visible(text).casefold()
    # A capital i with a dot is an i and a dot in small letters.
    return folded if folded.isascii() else unicodedata.normalize("NFC", folded.replace("i\u0307", "i"))


def counted(n, what, plural=None):
    """Return a number with its noun: "1 group", "2,000 groups"."""
    return f"{n:,} {what if n == 1 else plural or what + 's'}"


def listed(parts, conjunction):
    """Return `a, b or c` for the parts a, b and c and the conjunction "or"."""
    *some, last = parts
    return f"{', '.join(some)} {conjunction} {last}" if some else last


def unique_names(names):
    """Return `names` as an array of distinct str: spaces collapsed, a name that comes again ends in " (2)"."""
    unique, seen = [], Counter()
    for given in names:
        name = base = " ".join(given.split())
        while name in seen:
            seen[base] += 1
            name = f"{base} ({seen[base]})"
        seen[name] += 1
        unique.append(name)
    return np.array(unique, dtype=object)


@contextlib.contextmanager
def refuse_texts(name="X"):
    """Say that `name` holds texts where scikit-learn's checks of arrays, run inside, would quote one.

    Raises
    ------
    ValueError
        If a string inside was no number, or strings were no table.
    """
    try:
        yield
    except ValueError as error:
        if not re.search(r"could not convert string|arrays of bytes/strings|array=\[['\"]", str(error)):
            raise
        raise ValueError(f"{name} holds texts where numbers are needed; embed them first.") from None


def check_groups(groups, n_samples):
    """Return labels of groups, one a row, as integers from 0; None stays None.

    Raises
    ------
    ValueError
        If `groups` has another length or a missing label.
    """
    if groups is None:
        return None
    import pandas as pd

    refuse_masked(groups, "groups")
    labels = np.asarray(groups, dtype=object)
    if labels.ndim != 1 or len(labels) != n_samples:
        raise ValueError(
            f"groups must be one label a row: its shape is {labels.shape} for {counted(n_samples, 'row')}."
        )
    codes = pd.factorize(labels)[0]
    if (codes < 0).any():
        raise ValueError(f"groups has no label in row {np.argmax(codes < 0)}; give every row one.")
    return codes
