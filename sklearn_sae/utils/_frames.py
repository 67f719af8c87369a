"""Frames of several columns, in which one holds the texts and others can be named."""

TEXT = "text"


def is_frame(X):
    """Return whether `X` is a frame of several columns."""
    return hasattr(X, "columns") and len(X.columns) > 1


def columns_named(X, **given):
    """Return what was given, with columns of a frame in the place of their names.

    Parameters
    ----------
    X : object
        Nothing is looked up unless it is a frame of several columns.
    **given : object
        A str is the name of a column, a list of str those of several; all else stays as it is.

    Returns
    -------
    found : list
        In the order given.

    Raises
    ------
    ValueError
        If the frame has no such column.
    """
    if not is_frame(X):
        return list(given.values())
    return [_looked_up(X, name, value) for name, value in given.items()]


def _looked_up(X, name, value):
    several = isinstance(value, list | tuple) and len(value) > 0 and all(isinstance(one, str) for one in value)
    if not isinstance(value, str) and not (several and len(value) != len(X)):
        return value
    for one in [value] if isinstance(value, str) else value:
        if one not in list(X.columns):
            raise ValueError(f"{name} names the column {one!r}; X has {', '.join(map(repr, X.columns))}.")
    return X[value if isinstance(value, str) else list(value)]
