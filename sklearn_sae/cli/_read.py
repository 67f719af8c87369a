"""Texts and a target from a file of rows."""

import json
import warnings

import pandas as pd

from sklearn_sae.utils._optional import require
from sklearn_sae.utils._validation import check_texts

_MOSTLY = 0.5  # A column with a larger share of numbers is meant to be one of numbers.


def read_columns(path, text, target, *, classes=False):
    """Return the texts and the targets of a file, without the rows that lack either.

    Parameters
    ----------
    path : Path
        A .csv (separated by commas, semicolons or tabs), .tsv, .jsonl, .ndjson or .parquet file.
    text, target : str
        Columns.
    classes : bool, default=False
        Read a target of numbers as classes.

    Returns
    -------
    texts : list of str
    y : ndarray of shape (n_rows,)

    Warns
    -----
    UserWarning
        If rows are left out; says how many.

    Raises
    ------
    OSError, ValueError, TypeError, ImportError
        If the file cannot be read, a column is not there, or holds what it should not.
    """
    table = _read_table(path)
    for column in (text, target):
        if column not in table.columns:
            columns = ", ".join(map(repr, map(str, table.columns[:20]))) or "no columns"
            raise ValueError(f"{path} has no column {column!r}; it has {columns}.")
    no_text = table[text].isna() | (table[text].astype(str).str.strip() == "")
    no_target = table[target].isna()
    if (no_text | no_target).any():
        warnings.warn(
            f"Left out {(no_text | no_target).sum():,} of {len(table):,} rows: {no_text.sum():,} without a text, "
            f"{(no_target & ~no_text).sum():,} without a target.",
            stacklevel=2,
        )
    table = table[~(no_text | no_target)]
    if table.empty:
        raise ValueError(f"{path} has no row with both a text and a target.")
    texts = check_texts(table[text], name=f"the column {text!r}")
    return texts, _target_values(table[target].infer_objects(), target, classes=classes)


def _target_values(column, name, *, classes):
    nested = column.map(lambda value: isinstance(value, (list, dict)))
    if nested.any():
        raise TypeError(
            f"the column {name!r} holds a list or object in row {nested.idxmax()}; it must hold one value a row."
        )
    if classes:
        return column.astype(str).to_numpy(dtype=object)
    if column.dtype.kind not in "OUT" and not isinstance(column.dtype, pd.StringDtype):
        return column.to_numpy()
    values = pd.to_numeric(column, errors="coerce")
    if values.notna().all() and not column.map(lambda value: isinstance(value, bool)).any():
        return values.to_numpy()
    if values.notna().mean() > _MOSTLY:
        row = int(values.isna().to_numpy().argmax())
        raise ValueError(
            f"the column {name!r} holds {values.notna().sum():,} numbers and {values.isna().sum():,} other values, the "
            f"first {column.iloc[row]!r}; mend or empty those, or read all as classes (--classes)."
        )
    return column.to_numpy(dtype=object)


def _read_table(path):
    readers = {
        ".csv": _read_csv,
        ".tsv": _read_csv,
        ".jsonl": _read_jsonl,
        ".ndjson": _read_jsonl,
        ".parquet": _read_parquet,
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise ValueError(f"{path} is not one of {', '.join(readers)}; convert it, or rename it to what it is.")
    if not path.is_file():
        raise FileNotFoundError(f"{path} " + ("is a folder, not a file." if path.is_dir() else "does not exist."))
    try:
        return reader(path)
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not in UTF-8; save it again as UTF-8 text.") from None
    except PermissionError:
        raise PermissionError(f"{path} cannot be read: permission denied.") from None
    except (ValueError, OSError) as error:
        raise ValueError(f"{path} cannot be read as {path.suffix[1:]}: {str(error).strip()}") from None


def _read_csv(path):
    with path.open(encoding="utf-8-sig") as lines:
        header = lines.readline()
    separator = max(",;\t", key=header.count)  # because many spreadsheets write semicolons
    table = pd.read_csv(path, sep=separator, encoding="utf-8-sig")
    if not isinstance(table.index, pd.RangeIndex):
        raise ValueError("rows have more fields than the header; put texts that hold the separator in quotes.")
    return table


def _read_jsonl(path):
    rows = []
    with path.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                try:
                    rows.append(json.loads(line))
                except ValueError as error:
                    raise ValueError(f"line {number} is not JSON ({getattr(error, 'msg', error)}).") from None
                if not isinstance(rows[-1], dict):
                    raise ValueError(f'line {number} is not an object such as {{"text": "...", "target": 1}}.')
    return pd.DataFrame(rows)


def _read_parquet(path):
    require("pyarrow", extra="parquet", purpose="Reading a parquet file")
    return pd.read_parquet(path)
