"""From a file to its rows: separators, and the kinds of files that people have."""

import csv
import gzip
import io
import json
import re
import sys
import zlib
from collections import Counter
from pathlib import Path

import pandas as pd

from sklearn_sae.utils._encodings import decode
from sklearn_sae.utils._optional import require
from sklearn_sae.utils._validation import counted, unique_names, visible

_TEXT_KINDS = (".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson")
_SEPARATORS = ",;\t|"
_LOOKED_AT = 50  # rows, to tell the separator


def read_table(path, *, encoding=None):
    """Return the rows of a file.

    Parameters
    ----------
    path : str
        A .csv, .tsv, .txt, .json, .jsonl, .ndjson, .xlsx or .parquet file, the first six also as .gz; "-" is standard
        input: JSON, or fields with separators, also compressed by gzip.
    encoding : str or None, default=None
        None: told by the mark at the beginning of the file, else UTF-8, else guessed.

    Returns
    -------
    table : DataFrame
        Indexed by the numbers of the rows in the file: of a table from 2, as a spreadsheet shows them; of lines from
        1. The values of text files are str; None where there is none. A column without a name is called by its number,
        "column 3"; a name that comes again ends in " (2)".
    notes : list of str

    Raises
    ------
    OSError, ValueError, ImportError
        If there is no such file, or it cannot be read as what its name says.
    """
    if "://" in path:
        raise ValueError(f"{path} is an address; download the file first.")
    if path == "-":
        name, kind, is_zipped = "standard input", None, False
        if not hasattr(sys.stdin, "buffer"):  # in a notebook
            raise ValueError("There is no standard input here; name a file.")
    else:
        name, (kind, is_zipped) = path, _kind(path)
    if encoding is not None and kind in (".xlsx", ".parquet"):
        raise ValueError(f"{path} is no text file; leave --encoding out.")
    try:
        if kind == ".xlsx":
            return _read_excel(path)
        if kind == ".parquet":
            return _read_parquet(path)
        data = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
        if kind is None:
            is_zipped = data.startswith(b"\x1f\x8b")
            _refuse_binary(data)
        return _read_text(_unzipped(data) if is_zipped else data, name, kind, encoding)
    except PermissionError:
        raise PermissionError(f"{path} cannot be read: permission denied.") from None
    except (ValueError, OSError) as error:
        why = str(error).strip()
        raise ValueError(f"{name} cannot be read{f' as {kind[1:]}' if kind else ''}: {why}") from None


def _refuse_binary(data):
    for start, kind in ((b"PK\x03\x04", "an .xlsx file or another archive"), (b"PAR1", "a .parquet file")):
        if data.startswith(start):
            raise ValueError(f"it is {kind}; name the file instead.")


def _unzipped(data):
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error):
        raise ValueError("its end is missing, or it is not compressed by gzip.") from None


def _kind(path):
    """Return the kind of a file by the end of its name, and whether it is compressed."""
    if Path(path).is_dir():
        raise IsADirectoryError(f"{path} is a folder, not a file.")
    suffixes = [suffix.lower() for suffix in Path(path).suffixes]
    is_zipped = suffixes[-1:] == [".gz"]
    kind = "".join(suffixes[-2:-1] if is_zipped else suffixes[-1:])
    if kind not in (_TEXT_KINDS if is_zipped else (*_TEXT_KINDS, ".xlsx", ".parquet")):
        raise ValueError(
            f"{path} is not one of {', '.join(_TEXT_KINDS)} (or these with .gz), .xlsx, .parquet; convert it, or "
            "rename it to what it is."
        )
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path} does not exist.")
    return kind, is_zipped


def _read_text(data, name, kind, encoding):
    text, notes = decode(data, name, encoding)
    if kind is None:
        kind = ".json" if text.lstrip()[:1] in ("{", "[") else ".csv"
    if kind in (".csv", ".tsv", ".txt"):
        return _read_csv(text, "," if kind == ".csv" else "\t"), notes
    return (_read_json(text) if kind == ".json" else _read_lines(text)), notes


def _read_csv(text, usual):
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    first, _, rest = text.partition("\n")
    separator = None
    if first.strip().lower()[:4] == "sep=" and len(first.strip()) == 5:  # as Excel writes and reads it
        separator, text = first.strip()[4], rest
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    rows = list(_rows(text, separator or _separator(text, usual)))
    if not rows:
        raise ValueError("it is empty.")
    (_, header), *rows = rows
    for number, row in rows:
        if any(cell.strip() for cell in row[len(header) :]):
            raise ValueError(
                f"row {number} has {counted(len(row), 'field')} where the header has {len(header)}; put texts "
                "that hold the separator in quotes."
            )
    cells = [[cell or None for cell in row[: len(header)]] + [None] * (len(header) - len(row)) for _, row in rows]
    return _table(cells, header, [number for number, _ in rows])


def _rows(text, separator):
    """Return the number of each row that is not blank, as a spreadsheet counts them, and its fields."""
    ways = [{"strict": True}]
    if '\\"' in text:  # as databases write a quotation mark
        ways.append({"strict": True, "escapechar": "\\"})
    ways.append({})  # text after a closing mark
    for way in ways:
        found = []
        try:
            found.extend(csv.reader(io.StringIO(text, newline=""), delimiter=separator, **way))
        except csv.Error as error:
            if "unexpected end" in str(error) and way is ways[-2]:
                raise ValueError(
                    f"a quotation mark is opened and never closed; see row {len(found) + 1}, or before."
                ) from None
            continue
        break
    return [(number, row) for number, row in enumerate(found, 1) if any(cell.strip() for cell in row)]


def _separator(text, usual):
    """Return the separator by which most of the first rows have as many fields as the header, and the most of these."""
    head = "\n".join(text.splitlines()[: 4 * _LOOKED_AT])

    def fit(separator):
        rows = [row for row in csv.reader(io.StringIO(head, newline=""), delimiter=separator) if row][:_LOOKED_AT]
        n_fields = len(rows[0]) if rows else 0
        as_many = sum(len(row) == n_fields for row in rows)
        return n_fields > 1, as_many, n_fields, separator == usual

    return max(_SEPARATORS, key=fit)


def _read_lines(text):
    rows, numbers = [], []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            row = _parsed(line, number)
            if not isinstance(row, dict):
                raise ValueError(f'line {number} is not an object such as {{"text": "...", "target": 1}}.')
            rows.append(row)
            numbers.append(number)
    return _records(rows, numbers)


def _parsed(text, line=None):
    """Return what JSON holds; `line` is its number in the file if it is one line."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("its lists and objects are nested too deeply.") from None
    except ValueError as error:
        line = getattr(error, "lineno", 1) if line is None else line
        raise ValueError(f"line {line} is not JSON ({getattr(error, 'msg', error)}).") from None


def _read_json(text):
    try:
        data = _parsed(text)
    except ValueError:
        if re.match(r"\s*\{.*\}\s*\n\s*\{", text):  # an object on each of the first two lines
            return _read_lines(text)
        raise
    rows = _objects(data) if isinstance(data, dict) else data
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError('it is neither lines nor a list of objects such as {"text": "...", "target": 1}.')
    return _records(rows, range(1, len(rows) + 1))


def _objects(data):
    """Return the list of rows that an object of JSON stands for, as programs write tables."""
    lists = [value for value in data.values() if value and isinstance(value, list)]
    tables = [some for some in lists if all(isinstance(row, dict) for row in some)]
    if len(tables) == 1:  # {"data": [{...}, ...], ...}
        return tables[0]
    columns, rows = data.get("columns"), data.get("data")
    if isinstance(columns, list) and isinstance(rows, list) and all(isinstance(row, list) for row in rows):
        return [dict(zip(map(str, columns), row, strict=False)) for row in rows]
    if len(lists) == len(data) and len({len(column) for column in lists}) == 1:  # {"text": [...], "target": [...]}
        return [dict(zip(data, row, strict=True)) for row in zip(*lists, strict=True)]
    if data and all(isinstance(column, dict) for column in data.values()):  # {"text": {"0": ...}, "target": {"0": ...}}
        keys = dict.fromkeys(key for column in data.values() for key in column)
        return [{name: column.get(key) for name, column in data.items()} for key in keys]
    return [data]


def _flat(row, depth=5):
    """Return a row in which what an object holds stands under names such as "body.text"."""
    flat = {}
    for name, value in row.items():
        if isinstance(value, dict) and value and depth:
            flat |= {f"{name}.{inner}": one for inner, one in _flat(value, depth - 1).items()}
        else:
            flat[name] = value
    return flat


def _records(rows, numbers):
    rows = [_flat(row) for row in rows]
    names = list(dict.fromkeys(name for row in rows for name in row))
    return _table([[row.get(name) for name in names] for row in rows], names, numbers)


def _table(cells, names, numbers):
    """Return rows of values as a DataFrame; columns without a name and without a value are left out."""
    index = pd.Index(list(numbers), dtype="int64", name="row")
    columns, seen = {}, Counter()
    for place, name in enumerate(names):
        values = [row[place] for row in cells]
        plain = "" if name is None else visible(str(name))
        if not plain and all(value is None for value in values):
            continue
        plain = plain or f"column {place + 1}"
        seen[plain] += 1
        unique = plain if seen[plain] == 1 else f"{plain} ({seen[plain]})"
        columns[unique] = pd.Series(values, index=index, dtype=object)
    return pd.concat(columns, axis=1) if columns else pd.DataFrame(index=index)


def _read_excel(path):
    require("openpyxl", extra="excel", purpose="Reading an .xlsx file")
    import openpyxl

    try:
        name, others, rows = _sheet(openpyxl, path, data_only=True)
    except Exception as error:  # what a broken file raises is of many kinds
        raise ValueError(f"it is no workbook, or one with a password ({type(error).__name__}).") from error
    notes = [f"{path} has {len(others) + 1} sheets; the first, {name!r}, was read."] if others else []
    numbers = [number for number, row in enumerate(rows, 1) if any(value is not None for value in row)]
    if not numbers:
        raise ValueError(f"its {'first ' if others else ''}sheet is empty.")
    if any(None in rows[number - 1] for number in numbers):
        notes += _note_on_formulas(path, rows, _sheet(openpyxl, path, data_only=False)[2])
    width = max(map(len, rows))
    header, *cells = ([*rows[number - 1], *[None] * (width - len(rows[number - 1]))] for number in numbers)
    return _table(cells, header, numbers[1:]), notes


def _note_on_formulas(path, rows, formulas):
    """Say how many formulas have no result, because the program that wrote the file does not calculate."""
    n_open = sum(
        value is None and isinstance(formula, str) and formula.startswith("=")
        for row, those in zip(rows, formulas, strict=True)
        for value, formula in zip(row, those, strict=True)
    )
    if not n_open:
        return []
    formulas = counted(n_open, "formula whose result is", "formulas whose results are")
    return [f"{path} has {formulas} not in it; open it in a spreadsheet and save it."]


def _sheet(openpyxl, path, *, data_only):
    """Return the name of the first sheet, those of the others, and its rows; blank text counts as none."""
    with open(path, "rb") as file:  # a workbook that is read in parts keeps its file open
        book = openpyxl.load_workbook(file, read_only=True, data_only=data_only)
        first, *others = book.worksheets
        first.reset_dimensions()  # which some programs write wrongly
        rows = [
            [None if isinstance(value, str) and not value.strip() else value for value in row]
            for row in first.iter_rows(values_only=True)
        ]
        return first.title, [sheet.title for sheet in others], rows


def _read_parquet(path):
    require("pyarrow", extra="parquet", purpose="Reading a parquet file")
    try:
        table = pd.read_parquet(path)
    except Exception as error:  # what a broken file raises is of many kinds
        raise ValueError(str(error).strip().partition("\n")[0]) from error
    named = [name for name in table.index.names if name is not None and name not in table.columns]
    table = table.reset_index(level=named) if named else table
    table.columns = unique_names([visible(str(name)) for name in table.columns])
    table.index = pd.RangeIndex(1, len(table) + 1, name="row")
    return table, []
