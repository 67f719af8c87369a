"""The files that results are written to."""

import json
import re

import pandas as pd

from sklearn_sae.utils._notes import warn
from sklearn_sae.utils._validation import counted

_MOST_CHARACTERS = 32_767  # in a cell of a spreadsheet
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def write_discovery(discovery, path):
    """Write the table of hypotheses to a .csv or .xlsx file, or the table and all scores to a .json file.

    Parameters
    ----------
    discovery : Discovery
    path : Path
    """
    if path.suffix.lower() != ".json":
        write_table(discovery.table, path)
        return
    from sklearn_sae._discovery import labelled_scores

    metric, scores = labelled_scores(discovery)
    metrics, classes = discovery.evaluation.metrics, discovery.evaluation.class_metrics
    content = {
        f"held_out_{metric}": scores,
        "joint_regression_in_sample": _jsonable({k: v for k, v in metrics.items() if not k.endswith("_cv")}),
        "joint_regression_cross_fitted": _jsonable({k: v for k, v in metrics.items() if k.endswith("_cv")}),
        **({} if classes is None else {"classes": _records(classes)}),
        "notes": list(discovery.notes),
        "hypotheses": _records(discovery.table),
    }
    _write_json(content, path)


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
        _write_json(_records(table), path)
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


def _write_json(content, path):
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _records(table):
    return json.loads(table.to_json(orient="records"))


def _jsonable(metrics):
    return json.loads(pd.Series(metrics, dtype=object).to_json())  # turns NaN into null
