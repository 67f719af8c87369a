"""A table as a file that spreadsheets open, in which no text runs as a formula."""

import json
import re

import pandas as pd

from sklearn_sae.utils._notes import warn
from sklearn_sae.utils._validation import counted

_MOST_CHARACTERS = 32_767  # in a cell of a spreadsheet
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def write_table(table, path):
    """Write rows to a .csv, .json or .xlsx file.

    Parameters
    ----------
    table : DataFrame
    path : Path
    """
    kind = path.suffix.lower()
    if kind == ".csv":
        table.to_csv(path, index=False, encoding="utf-8-sig")  # by the mark Excel knows that it is UTF-8
    elif kind == ".json":
        write_json(records(table), path)
    else:
        _write_excel(table, path)


def _write_excel(table, path):
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell

    book = Workbook(write_only=True)
    sheet = book.create_sheet("hypotheses")
    n_cut = 0

    def cell(value):
        nonlocal n_cut
        if not isinstance(value, str):
            return None if pd.isna(value) else value
        n_cut += len(value) > _MOST_CHARACTERS
        text = WriteOnlyCell(sheet, _NOT_IN_XML.sub("", value)[:_MOST_CHARACTERS])
        text.data_type = "s"  # also if it begins as a formula does
        return text

    for row in [list(table.columns), *table.astype(object).to_numpy().tolist()]:
        sheet.append([cell(value) for value in row])
    book.save(path)
    if n_cut:
        warn(
            f"{counted(n_cut, 'text')} {'was' if n_cut == 1 else 'were'} cut: a cell of {path} holds "
            f"{_MOST_CHARACTERS:,} characters."
        )


def write_json(content, path):
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def records(table):
    """Return the rows of a table as what JSON holds, with None for NaN."""
    return json.loads(table.to_json(orient="records"))
