"""Texts, a target and what else is asked for, from a file of rows."""

import difflib
import warnings

from sklearn_sae.cli._decode import read_table
from sklearn_sae.utils._validation import check_texts, is_missing


def read_columns(path, text, target=None, others=(), *, encoding=None):
    """Return the columns of a file that are asked for, without the rows that lack a text or a target.

    Parameters
    ----------
    path : str
        As `read_table` takes it.
    text : str
        The column of texts.
    target : str or None, default=None
        The column to predict.
    others : sequence of str, default=()
        More columns; what they lack is left as it is.
    encoding : str or None, default=None

    Returns
    -------
    table : DataFrame
        With the columns that were asked for, indexed by the numbers of the rows in the file.

    Warns
    -----
    UserWarning
        If rows are left out, says how many; if the encoding is a guess, says which.

    Raises
    ------
    OSError, ValueError, TypeError, ImportError
        If the file cannot be read, a column is not there, or holds what it should not.
    """
    table, notes = read_table(str(path), encoding=encoding)
    for note in notes:
        warnings.warn(note, stacklevel=2)
    wanted = [text, *([] if target is None else [target]), *others]
    for column in wanted:
        if column not in table.columns:
            raise ValueError(f"{path} has no column {column!r}; {_did_you_mean(column, list(table.columns))}")
    table = table[list(dict.fromkeys(wanted))]
    no_text = table[text].map(_is_blank).astype(bool)
    no_target = table[target].map(_is_blank).astype(bool) if target is not None else no_text & False
    lacking = no_text | no_target
    if lacking.any():
        warnings.warn(
            f"Left out {lacking.sum():,} of {len(table):,} rows: {no_text.sum():,} without a text"
            + (f", {(no_target & ~no_text).sum():,} without a target." if target is not None else "."),
            stacklevel=2,
        )
    table = table[~lacking]
    if table.empty:
        raise ValueError(f"{path} has no row with {'a text' if target is None else 'both a text and a target'}.")
    check_texts(table[text], name=f"the column {text!r}")
    return table.infer_objects()


def _is_blank(value):
    return value.strip() == "" if isinstance(value, str) else is_missing(value)


def _did_you_mean(column, columns):
    plain = {"".join(str(name).split()).casefold(): name for name in columns}
    near = difflib.get_close_matches("".join(column.split()).casefold(), plain, n=1)
    listed = ", ".join(map(repr, columns[:20])) or "no columns"
    return f"did you mean {plain[near[0]]!r}? It has {listed}." if near else f"it has {listed}."
