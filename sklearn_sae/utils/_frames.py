"""Frames of several columns, in which one holds the texts and others can be named."""

TEXT = "text"
_FEW_WORDS = 3  # of a title or a name
_MOST_SHOWN = 5  # names in an error, because a list of too few labels may be as long as the texts
_MAY_BE_SEVERAL = ("controls",)  # Of the others a list of str is one label a row, if perhaps too few.


def is_frame(X):
    """Return whether `X` is a frame of several columns."""
    return hasattr(X, "columns") and len(X.columns) > 1


def columns_named(X, **given):
    """Return what was given, with columns of a frame in the place of their names.

    Parameters
    ----------
    X : object
        Nothing is looked up unless it is a frame of several columns, or `ParquetTexts`.
    **given : object
        A str is the name of a column, a list of str those of several; all else stays as it is.

    Returns
    -------
    found : list
        In the order given.

    Raises
    ------
    ValueError
        If there is no such column, or `X` has no columns beside the texts.
    """
    return [_looked_up(X, name, value) for name, value in given.items()]


def without_named(X, given):
    """Return a frame without the columns that are named, which then hold no texts; one with a column "text" as it is.

    Parameters
    ----------
    X : object
    given : dict
        As in `columns_named`.
    """
    if not is_frame(X) or TEXT in list(X.columns):
        return X
    named = {one for value in given.values() for one in _names(X, value)}
    return X[[column for column in X.columns if column not in named]]


def note_on_columns(X):
    """Return a note, as a list, on columns beside "text" that look like texts too, because they are not read."""
    if not is_frame(X) or TEXT not in list(X.columns):
        return []
    others = [column for column in X.columns if column != TEXT and _holds_texts(X[column])]
    if not others:
        return []
    return [
        f"The texts are the column 'text' alone; {', '.join(map(repr, others))} {'is' if len(others) == 1 else 'are'} "
        "not read. For pairs of texts, rename 'text'."
    ]


def _holds_texts(column):
    values = list(column)
    if not all(isinstance(value, str) for value in values):
        return False
    n_long = sum(len(value.split()) > _FEW_WORDS for value in values)
    return min(len(set(values)), n_long) > len(values) / 2


def _names(X, value):
    """Return the names of columns that a value is, as a list; none if it is the values themselves."""
    if isinstance(value, str):
        return [value]
    several = isinstance(value, list | tuple) and len(value) > 0 and all(isinstance(one, str) for one in value)
    return list(value) if several and len(value) != len(X) else []


def _looked_up(X, name, value):
    names = _names(X, value)
    from sklearn_sae.utils._parquet_texts import ParquetTexts  # which checks what it reads with the help of this module

    if not (is_frame(X) or isinstance(X, ParquetTexts)):
        are_names = len(set(names)) == len(names) > 0 and name in _MAY_BE_SEVERAL  # Categories come again.
        if isinstance(value, str) or are_names:
            shown = ", ".join([*map(repr, names[:_MOST_SHOWN]), *["…"] * (len(names) > _MOST_SHOWN)])
            raise ValueError(
                f"{name} names the column{'s' * (len(names) > 1)} {shown}, and beside the texts "
                "there are no columns: pass a DataFrame with the texts in its column 'text', or the values themselves."
            )
        return value
    if not names:
        return value
    if isinstance(X, ParquetTexts):
        return X.read(names)[value if isinstance(value, str) else names]
    for one in names:
        if one not in list(X.columns):
            raise ValueError(f"{name} names the column {one!r}; X has {', '.join(map(repr, X.columns))}.")
    return X[value if isinstance(value, str) else names]
