"""A report as a workbook of Excel: sheets of hypotheses, examples and settings."""

import io
import re

import numpy as np

from sklearn_sae.report._excerpt import NO_MARKS, marked
from sklearn_sae.report._items import SIDES

_MOST_CHARACTERS = 32_767  # in a cell
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_WIDTHS = {
    "hypotheses": (6, 60),
    "examples": (6, 40, 24, 8, 14, 100, 100),
    "settings": (28, 100),
    "subgroups": (6, 40, 24),
}


def workbook_of(report):
    """Return the bytes of a workbook; a text in it is no formula, whatever it begins with."""
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    sheets = {"hypotheses": _hypotheses(report), "examples": _examples(report), "settings": _settings(report)}
    if report.by is not None:
        sheets["subgroups"] = _subgroups(report)
    for name, rows in sheets.items():
        _add_sheet(book, name, rows)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def _add_sheet(book, name, rows):
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    sheet = book.create_sheet(name)
    for place, width in enumerate(_WIDTHS[name], start=1):
        sheet.column_dimensions[get_column_letter(place)].width = width
    if name != "settings":
        sheet.freeze_panes = "C2"

    def cell(value, is_head):
        if isinstance(value, float) and np.isnan(value):
            return None
        if isinstance(value, str):
            value = _NOT_IN_XML.sub("", value)
            value = value if len(value) <= _MOST_CHARACTERS else value[: _MOST_CHARACTERS - 2] + " …"
        out = WriteOnlyCell(sheet, value)
        if isinstance(value, str):
            out.data_type = "s"  # also if it begins as a formula does
        if is_head:
            out.font = Font(bold=True)
        return out

    for place, row in enumerate(rows):
        sheet.append([cell(value, place == 0 and name != "settings") for value in row])


def _hypotheses(report):
    effects = [effect for one in report.hypotheses for effect in one.effects]
    has_classes = any(effect.of for effect in effects)
    has_seeds = any(one.back for one in report.hypotheses)
    joint_unit = "log-odds" if report.metric == "AUC" else report.unit
    yield [
        *(
            "number",
            "hypothesis",
            *["class"] * has_classes,
            f"effect ({report.unit})",
            "low",
            "high",
            "p",
            "significant",
        ),
        *(f"beside all others ({joint_unit})", "low", "high", "p", "significant"),
        *("holds for", "of", "fidelity (F1)", *["comes back"] * has_seeds, "in words"),
    ]
    for one in report.hypotheses:
        for effect in one.effects:
            numbers = [one.n_holds, one.n_answered, one.fidelity, *[one.back] * has_seeds]
            said = " ".join([effect.sentence, *one.facts])
            yield [one.number, one.name, *[effect.of] * has_classes, *effect.own, *effect.joint, *numbers, said]


def _subgroups(report):
    by = report.by
    has_classes = any(row.of for row in by.rows)
    yield [
        *("number", "hypothesis", *["class"] * has_classes, by.name, report.noun, "holds in (%)", "low", "high"),
        *(f"effect ({report.unit})", "low", "high", "p", "significant", "p that all are the same", "differs"),
        *(["change of the effect", "p", "change of the share (%)", "p"] if by.are_periods else []),
    ]
    for row in by.rows:
        trends = [number for one in row.trends for number in (one.value, one.pvalue)]
        for label, part in zip(by.labels, row.parts, strict=True):
            names = [row.number, row.short, *[row.of] * has_classes, label, part.n_samples]
            yield [*names, *part.share[:3], *part.effect, row.pvalue, row.differs, *trends]


def _examples(report):
    n_sides = max((len(example.excerpts) for _, _, example in _shown(report)), default=1)
    yield ["number", "hypothesis", "shows", "row", report.target, *(["text"] if n_sides == 1 else SIDES[-n_sides:])]
    for one, kind, example in _shown(report):
        texts = (marked(part, NO_MARKS) for part in example.excerpts)
        yield [one.number, one.short, kind, example.row, example.target, *texts]


def _shown(report):
    for one in report.hypotheses:
        for kind, examples in one.examples.items():
            for example in examples:
                yield one, kind, example


def _settings(report):
    yield ["title", report.title]
    yield from (["question", sentence] for sentence in report.question)
    yield from (["answer", sentence] for sentence in report.answer)
    yield from ([f"{report.metric}: {one.label}", one.value] for one in report.scores)
    yield ["confidence of intervals", report.confidence]
    yield ["significant", report.level]
    yield ["texts shown", report.texts]
    yield from (["note", note] for note in report.notes)
    yield ["methods", report.methods]
    yield from (["reference", one] for one in report.references)
    yield ["BibTeX", report.bibtex]
    yield from ([f"parameter {name}", value] for name, value in report.parameters)
    yield from ([f"version of {name}", value] for name, value in report.versions)
