"""Texts, a target and what else is asked for, from a file of rows."""

import difflib
from numbers import Number

import numpy as np
import pandas as pd

from sklearn_sae.utils._decode import read_table
from sklearn_sae.utils._notes import warn
from sklearn_sae.utils._numbers import parse_numbers
from sklearn_sae.utils._validation import check_texts, is_missing, visible


def read_columns(path, text, target=None, others=(), *, encoding=None):
    """Return the columns of a file that are asked for, without the rows that lack a text or a target.

    Parameters
    ----------
    path : str
        As `read_table` takes it.
    text : str, or list of str
        The column of texts, or the columns of pairs. Numbers among them count as texts.
    target : str or None, default=None
        The column to predict.
    others : sequence of str or None, default=()
        More columns, all if None; what they lack is left as it is.
    encoding : str or None, default=None

    Returns
    -------
    table : DataFrame
        With the columns that were asked for, indexed by the numbers of the rows in the file.

    Warns
    -----
    UserWarning
        If rows are left out, says how many; if the encoding is a guess, says which; if two columns have the name of
        one that was asked for, says that the first was taken.

    Raises
    ------
    OSError, ValueError, TypeError, ImportError
        If the file cannot be read, a column is not there, or holds what it should not.
    """
    table, notes = read_table(str(path), encoding=encoding)
    name = "standard input" if str(path) == "-" else path
    texts = [text] if isinstance(text, str) else text
    wanted = [*texts, *([] if target is None else [target]), *(others or ())]
    columns = {column: find_column(list(table.columns), column, name) for column in dict.fromkeys(wanted)}
    notes += [
        f"{name} has several columns {column!r}; the first was taken, the second is {column + ' (2)'!r}."
        for column in columns
        if f"{column} (2)" in table.columns
    ]
    for note in notes:
        warn(note)
    if others is not None:
        table = table[list(dict.fromkeys(columns.values()))].set_axis(list(columns), axis=1)
    else:
        table = table.rename(columns={given: column for column, given in columns.items()})
    table = _without_gaps(table, texts, target, name)
    for column in texts:
        table[column] = _texts(table[column], column)
    return table.infer_objects()


def find_column(columns, column, name):
    """Return the name of a column; blanks around it, and what cannot be seen, do not count."""
    if visible(column) in columns and column not in columns:
        return visible(column)
    if column not in columns:
        raise ValueError(f"{name} has no column {column!r}; {_did_you_mean(column, columns)}")
    return column


def _without_gaps(table, texts, target, name):
    no_text = np.any([are_blank(table[text]) for text in texts], axis=0)
    no_target = no_text & False if target is None else are_blank(table[target])
    lacking = no_text | no_target
    if lacking.any():
        warn(describe_left_out(len(table), no_text.sum(), (no_target & ~no_text).sum()))
    if lacking.all():
        raise ValueError(f"{name} has no row with {'a text' if target is None else 'both a text and a target'}.")
    return table[~lacking].copy()


def describe_left_out(n_rows, n_no_text, n_no_target):
    """Return a sentence on the rows that are left out, of which there is at least one."""
    lacking = [(n_no_text, "without a text"), (n_no_target, "without a target")]
    parts = [f"{n:,} {what}" for n, what in lacking if n]
    return f"Left out {n_no_text + n_no_target:,} of {n_rows:,} rows: {' and '.join(parts)}."


def are_blank(values):
    """Return which values are missing, or text without a visible character."""
    return np.array([not visible(v) if isinstance(v, str) else is_missing(v) for v in values], dtype=bool)


def _texts(values, column):
    """Return texts as they are, and numbers among them as texts."""
    texts = [str(value) if isinstance(value, Number) else value for value in values]
    if all(isinstance(value, str) for value in texts):
        try:
            are_numbers = parse_numbers(texts) is not None
        except ValueError:  # most are numbers, not all
            are_numbers = False
        if are_numbers:
            raise ValueError(f"The column {column!r} holds only numbers; --text names the column that holds the texts.")
    check_texts(pd.Series(texts, index=values.index, dtype=object), name=f"the column {column!r}")
    return texts


def _did_you_mean(column, columns):
    plain = {"".join(str(name).split()).casefold(): name for name in columns}
    near = difflib.get_close_matches("".join(column.split()).casefold(), plain, n=1)
    listed = ", ".join(map(repr, columns[:20])) + (", ..." if len(columns) > 20 else "")
    return f"did you mean {plain[near[0]]!r}? It has {listed}." if near else f"it has {listed or 'no columns'}."
