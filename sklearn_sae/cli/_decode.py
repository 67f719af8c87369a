"""From the bytes of a file to its rows: encodings, separators, and the kinds of files that people have."""

import csv
import gzip
import io
import json
import sys
from pathlib import Path
from zipfile import BadZipFile

import pandas as pd

from sklearn_sae.utils._optional import require

_MARKS = {  # what a file may begin with, the longest first
    b"\xff\xfe\x00\x00": "utf-32",
    b"\x00\x00\xfe\xff": "utf-32",
    b"\xef\xbb\xbf": "utf-8-sig",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
# The encodings that are guessed among, since a guess among all is worse.
_ENCODINGS = ["cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1256", "gb18030", "big5", "shift_jis", "euc_kr"]
_GUESSED_FROM = 200_000  # bytes
_SEPARATORS = ",;\t|"
_LOOKED_AT = 50  # rows, to tell the separator


def read_table(path, *, encoding=None):
    """Return the rows of a file.

    Parameters
    ----------
    path : str
        A .csv, .tsv, .json, .jsonl, .ndjson, .xlsx or .parquet file, the first five also as .gz; "-" is standard
        input: JSON, or fields with separators.
    encoding : str or None, default=None
        None: told by the mark at the beginning of the file, else UTF-8, else guessed.

    Returns
    -------
    table : DataFrame
        Indexed by the numbers of the rows in the file: of a table from 2, as a spreadsheet shows them; of lines from
        1. The values of text files are str; None where there is none.
    notes : list of str

    Raises
    ------
    OSError, ValueError, ImportError
        If there is no such file, or it cannot be read as what its name says.
    """
    if "://" in path:
        raise ValueError(f"{path} is an address; download the file first.")
    if path == "-":
        return _read_text(sys.stdin.buffer.read(), "standard input", None, encoding)
    file = Path(path)
    suffixes = [suffix.lower() for suffix in file.suffixes]
    is_zipped = suffixes[-1:] == [".gz"]
    kind = "".join(suffixes[-2:-1] if is_zipped else suffixes[-1:])
    binary = {} if is_zipped else {".xlsx": _read_excel, ".parquet": _read_parquet}
    known = [".csv", ".tsv", ".json", ".jsonl", ".ndjson"]
    if kind not in [*known, *binary]:
        raise ValueError(
            f"{path} is not one of {', '.join(known)} (or these with .gz), .xlsx, .parquet; convert it, or rename it "
            "to what it is."
        )
    if not file.is_file():
        raise FileNotFoundError(f"{path} " + ("is a folder, not a file." if file.is_dir() else "does not exist."))
    try:
        if kind in binary:
            return binary[kind](file)
        data = gzip.decompress(file.read_bytes()) if is_zipped else file.read_bytes()
        return _read_text(data, path, kind, encoding)
    except PermissionError:
        raise PermissionError(f"{path} cannot be read: permission denied.") from None
    except (ValueError, OSError, EOFError, BadZipFile) as error:
        raise ValueError(f"{path} cannot be read as {kind[1:]}: {str(error).strip()}") from None


def _read_text(data, name, kind, encoding):
    text, notes = _decoded(data, name, encoding)
    if kind is None:
        kind = ".json" if text.lstrip()[:1] in ("{", "[") else ".csv"
    if kind in (".csv", ".tsv"):
        return _read_csv(text, "\t" if kind == ".tsv" else ","), notes
    return (_read_json(text) if kind == ".json" else _read_lines(text)), notes


def _decoded(data, name, encoding):
    """Return the text of a file, and a note if its encoding is a guess."""
    marked = next((code for mark, code in _MARKS.items() if data.startswith(mark)), None)
    if encoding is None or marked is not None:
        try:
            return data.decode(marked or "utf-8"), []
        except UnicodeDecodeError:
            if marked is not None:
                raise ValueError(f"it begins as {marked.upper()} and goes on as something else.") from None
    else:
        try:
            return data.decode(encoding), []
        except LookupError:
            raise ValueError(f"there is no encoding {encoding!r}.") from None
        except UnicodeDecodeError as error:
            line = data[: error.start].count(b"\n") + 1
            raise ValueError(f"line {line} is not in {encoding}; name another with --encoding.") from None
    from charset_normalizer import from_bytes

    guess = from_bytes(data[:_GUESSED_FROM], cp_isolation=_ENCODINGS).best()
    for code in ([] if guess is None else [guess.encoding]) + ["cp1252", "latin-1"]:
        try:
            text = data.decode(code)
        except UnicodeDecodeError:
            continue
        return text, [f"{name} is not in UTF-8 and was read as {code}, which is a guess; --encoding names another."]
    raise ValueError("its encoding is unknown; name it with --encoding.")


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
    header = [name.strip() for name in header]
    for number, row in rows:
        if len(row) > len(header) and any(cell.strip() for cell in row[len(header) :]):
            raise ValueError(
                f"row {number} has {len(row)} fields where the header has {len(header)}: rows have more fields than "
                "the header; put texts that hold the separator in quotes."
            )
    cells = [[cell or None for cell in row[: len(header)]] + [None] * (len(header) - len(row)) for _, row in rows]
    return _table(cells, header, [number for number, _ in rows])


def _rows(text, separator):
    """Yield the number of each row that is not blank, as a spreadsheet counts them, and its fields."""
    try:
        found = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True))
    except csv.Error as error:
        if "unexpected end" in str(error):
            raise ValueError("a quotation mark is opened and never closed.") from None
        found = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator))  # text after a closing mark
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
            try:
                row = json.loads(line)
            except ValueError as error:
                raise ValueError(f"line {number} is not JSON ({getattr(error, 'msg', error)}).") from None
            if not isinstance(row, dict):
                raise ValueError(f'line {number} is not an object such as {{"text": "...", "target": 1}}.')
            rows.append(row)
            numbers.append(number)
    return _records(rows, numbers)


def _read_json(text):
    try:
        data = json.loads(text)
    except ValueError:
        return _read_lines(text)
    if isinstance(data, dict) and data and all(isinstance(column, list) for column in data.values()):
        if len(data) == 1 and all(isinstance(row, dict) for row in next(iter(data.values()))):
            data = next(iter(data.values()))  # {"data": [{...}, ...]}
        elif len({len(column) for column in data.values()}) == 1:
            names = list(data)
            data = [dict(zip(names, row, strict=True)) for row in zip(*data.values(), strict=True)]
    if isinstance(data, dict):
        data = [data]
    if not isinstance(data, list) or not all(isinstance(row, dict) for row in data):
        raise ValueError('it is neither lines nor a list of objects such as {"text": "...", "target": 1}.')
    return _records(data, range(1, len(data) + 1))


def _records(rows, numbers):
    names = list(dict.fromkeys(name for row in rows for name in row))
    return _table([[row.get(name) for name in names] for row in rows], names, numbers)


def _table(cells, names, numbers):
    index = pd.Index(list(numbers), dtype="int64", name="row")
    table = pd.DataFrame(index=index)
    columns = {}
    for place, name in enumerate(names):
        columns.setdefault(name, pd.Series([row[place] for row in cells], index=index, dtype=object))
    return pd.concat(columns, axis=1) if columns else table


def _read_excel(path):
    require("openpyxl", extra="excel", purpose="Reading an .xlsx file")
    with pd.ExcelFile(path, engine="openpyxl") as book:
        sheets = book.sheet_names
        table = pd.read_excel(book, sheets[0], dtype=object, keep_default_na=False, na_values=[""])
    table.columns = [str(name).strip() for name in table.columns]
    table.index = pd.RangeIndex(2, len(table) + 2, name="row")
    some = [f"{path} has {len(sheets)} sheets; the first, {sheets[0]!r}, was read."] if len(sheets) > 1 else []
    return table, some


def _read_parquet(path):
    require("pyarrow", extra="parquet", purpose="Reading a parquet file")
    table = pd.read_parquet(path)
    table.columns = [str(name) for name in table.columns]
    table.index = pd.RangeIndex(1, len(table) + 1, name="row")
    return table, []
