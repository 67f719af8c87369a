"""The labels of a sheet that people filled in."""

import re
from typing import NamedTuple

import numpy as np
import pandas as pd

from sklearn_sae.evaluation._answers import DATES, answer
from sklearn_sae.evaluation._sample_for_labelling import COMMENT, FORMULA, KEY, TEXT
from sklearn_sae.evaluation._sheet_key import from_key
from sklearn_sae.utils._decode import read_table
from sklearn_sae.utils._notes import warn
from sklearn_sae.utils._sklearn_compat import StrOptions, validate_params
from sklearn_sae.utils._validation import check_texts, counted, listed, text_identity

_MAX_NAMED = 10
_COMPARED = 30_000  # characters, because a cell of a spreadsheet holds 32,767


class Labels(NamedTuple):
    """Labels of people, and how the texts were drawn that have them, as `read_labels` returns them.

    Parameters
    ----------
    human : DataFrame of shape (n_samples, n_hypotheses)
        1, 0, or NaN where there is no label; a row for each of all texts.
    sampled : ndarray of shape (n_samples,)
        The probability with which a labelled text was drawn, NaN for the others.

    See Also
    --------
    read_labels : Returns one.

    Examples
    --------
    >>> from sklearn_sae import sample_for_labelling, read_labels
    >>> texts = ["Good food", "Slow service"]
    >>> sheet = sample_for_labelling(texts, [[1], [0]], hypotheses=["praises the food"], random_state=0)
    >>> sheet["praises the food"] = [text.startswith("Good") for text in sheet["text"]]
    >>> human, sampled = read_labels(sheet, texts)
    >>> human["praises the food"].tolist(), sampled.tolist()
    ([1.0, 0.0], [1.0, 1.0])
    """

    human: pd.DataFrame
    sampled: np.ndarray


@validate_params(
    {
        "sheet": "no_validation",
        "texts": "no_validation",
        "hypotheses": "no_validation",
        "blank": [StrOptions({"missing", "no"})],
    },
    prefer_skip_nested_validation=True,
)
def read_labels(sheet, texts, *, hypotheses=None, blank="missing"):
    """Read the labels of a sheet that people filled in.

    Parameters
    ----------
    sheet : str, path-like or DataFrame
        A sheet of `sample_for_labelling`: a .csv or .xlsx file, or one that is open. Its rows and columns may be in any
        order, and some of its rows may be gone.

    texts : sequence of str of length n_samples
        All texts, as the sheet was drawn from.

    hypotheses : sequence of str, default=None
        The columns to read, by the headings they were written with. By default all but `key`, `text` and `comment`.

    blank : {"missing", "no"}, default="missing"
        What an empty cell says: that there is no label, or, where people marked only what holds, that it does not hold.
        With "no", a row without any mark is labelled too.

    Returns
    -------
    labels : Labels
        The labels and the probabilities, `human` and `sampled`, which `correct_annotations` and `agreement` take.

    Raises
    ------
    ValueError
        If the sheet does not say what is meant, with a sentence for each problem: a key that is damaged or comes twice,
        a text that is not the one that was drawn, a cell that is neither yes nor no, a date that a spreadsheet made, a
        column that is not there, or has marks and blanks only.
    FileNotFoundError
        If there is no such file.

    Warns
    -----
    UserWarning
        If rows are gone or without an answer, or cells are blank, says how many.

    See Also
    --------
    sample_for_labelling : Draws texts and writes the sheet.
    correct_annotations : Effects that the labels correct.
    agreement : How well annotations and labels agree.

    Notes
    -----
    Yes is 1, yes, y, true, x or a tick, no is 0, no, n or false, and so are the words for these in German, French,
    Spanish and Portuguese that are no others in English; case does not matter. "?", "-" and "NA" are no answer.

    Where rows are gone or have no answer, the others of their stratum stand for them, and the probabilities say so.
    That is right if what is gone is like what is there: rows that were not reached in a sheet in random order, but not
    rows that were hard to answer.

    Examples
    --------
    >>> from sklearn_sae import read_labels, sample_for_labelling
    >>> texts = ["Good food", "Slow service", "Good bread", "We waited"]
    >>> sheet = sample_for_labelling(
    ...     texts, [[1], [0], [1], [0]], n_texts=4, hypotheses=["praises the food"], random_state=0
    ... )
    >>> sheet["praises the food"] = ["yes" if "Good" in text else "no" for text in sheet["text"]]
    >>> labels = read_labels(sheet, texts)
    >>> labels.human["praises the food"].tolist()
    [1.0, 0.0, 1.0, 0.0]
    """
    index = getattr(texts, "index", None)
    texts = check_texts(texts, name="texts")
    if isinstance(sheet, pd.DataFrame):
        table, name = sheet.set_axis(range(1, len(sheet) + 1)), "The sheet"
    else:
        table, notes = read_table(str(sheet))
        name = str(sheet)
        for note in notes:
            warn(note)
    table = table.rename(columns={column: _plain(str(column)) for column in table.columns})
    columns = _columns(table, hypotheses, name)
    problems = []
    places, drawn = _drawn(table, texts, problems)
    answers, is_blank = _answers(table, columns, blank, problems)
    if problems:
        more = [f"and {len(problems) - _MAX_NAMED:,} more problems"] * (len(problems) > _MAX_NAMED)
        raise ValueError("\n".join([f"{name} cannot be read:", *problems[:_MAX_NAMED], *more]))
    answers, is_blank = answers[places], is_blank[places]
    if len(drawn) == 0 or np.isnan(answers).all():
        raise ValueError(f"{name} has no label: every cell to fill in is blank.")
    sampled = _probabilities(drawn, ~np.isnan(answers).all(axis=1), len(texts), name)
    _note_blanks(is_blank & ~np.isnan(answers).all(axis=1, keepdims=True), blank, name)
    human = np.full((len(texts), len(columns)), np.nan)
    human[[one.row for one in drawn]] = answers
    keeps_index = isinstance(index, pd.Index) and len(index) == len(texts)
    return Labels(pd.DataFrame(human, columns=columns, index=index if keeps_index else None), sampled)


def _columns(table, hypotheses, name):
    """Return the columns of labels, and refuse a sheet without what it must have."""
    if hypotheses is None:
        columns = [column for column in table.columns if column not in (KEY, TEXT, COMMENT)]
    else:
        columns = [" ".join(str(hypothesis).split()) for hypothesis in hypotheses]
    missing = [column for column in (KEY, TEXT, *columns) if column not in table.columns]
    if missing:
        raise ValueError(f"{name} has no column {listed([repr(column) for column in missing[:5]], 'or')}.")
    if not columns:
        raise ValueError(f"{name} has no column of labels.")
    repeated = [column for column in columns if list(table.columns).count(column) > 1]
    if repeated:
        raise ValueError(f"{name} has several columns {repeated[0]!r}; leave one.")
    return columns


def _drawn(table, texts, problems):
    """Return the places in the table of the texts that its keys stand for, and how these were drawn."""
    places, drawn, rows = [], [], {}
    wrong = []
    for place, (number, keys, text) in enumerate(zip(table.index, table[KEY], table[TEXT], strict=True)):
        if not isinstance(keys, str) or not keys.strip():
            problems.append(f"Row {number} has no key; copy it from the sheet that was written, or drop the row.")
            continue
        for key in keys.split():
            one = from_key(key)
            if one is None:
                problems.append(
                    f"Row {number} has a damaged key, {key[:40]!r}; copy it from the sheet that was written."
                )
            elif one.row in rows:
                problems.append(f"Rows {rows[one.row]} and {number} have the same key; drop one of them.")
            elif one.row >= len(texts) or not _is_same(texts[one.row], text):
                wrong.append(number)
                rows[one.row] = number
            else:
                rows[one.row] = number
                places.append(place)
                drawn.append(one)
    if len(wrong) > 3:
        problems.append(
            f"{len(wrong):,} rows, the first of them row {wrong[0]}, have another text than the one that was drawn; "
            "pass the texts in the order in which the sheet was drawn, and sort whole rows of a sheet only."
        )
    else:
        problems += [f"Row {number} has another text than the one that was drawn." for number in wrong]
    return np.array(places, dtype=int), drawn


def _is_same(text, shown):
    """Return whether a cell shows a text; marks that spreadsheets do not keep do not count."""
    if not isinstance(shown, str):
        return str(shown) == text
    return _letters(_plain(shown)) == _letters(text)


def _letters(text):
    letters = re.sub(r"[\W_]+", "", text_identity(text))
    return letters[:_COMPARED] or text_identity(text)


def _plain(text):
    """Return a cell without the apostrophe that keeps it from running as a formula."""
    return text[1:] if text[:1] == "'" and text[1:].startswith(FORMULA) else text


def _answers(table, columns, blank, problems):
    """Return what the cells say, and which are blank."""
    answers = np.full((len(table), len(columns)), np.nan)
    for j, column in enumerate(columns):
        for i, cell in enumerate(table[column]):
            said = answer(cell)
            if said is None:
                what = (
                    f"{cell}, a date that the spreadsheet made," if isinstance(cell, DATES) else f"{str(cell)[:40]!r}"
                )
                problems.append(f"Row {table.index[i]}, column {column!r}: {what} is neither 1 nor 0.")
            else:
                answers[i, j] = said
    is_blank = np.isnan(answers)
    if blank == "no":
        return np.where(is_blank, 0.0, answers), is_blank
    for column, values in zip(columns, answers.T, strict=True):
        if (values == 1).any() and not (values == 0).any() and np.isnan(values).any():
            problems.append(
                f"The column {column!r} has marks and blank cells only; write 0 where it does not hold, or pass "
                "blank='no' if that is what a blank cell says."
            )
    return answers, is_blank


def _probabilities(drawn, has_answer, n_texts, name):
    """Return the probability of having been drawn and answered, NaN where a text was not."""
    strata = {}
    for one, is_answered in zip(drawn, has_answer, strict=True):
        counts = strata.setdefault(one.stratum, [one.n_drawn, one.n_texts, 0])
        counts[2] += is_answered
    n_reached = sum(size for _, size, n_answered in strata.values() if n_answered)
    sampled = np.full(n_texts, np.nan)
    for one, is_answered in zip(drawn, has_answer, strict=True):
        if is_answered:
            _, size, n_answered = strata[one.stratum]
            sampled[one.row] = n_answered / size * min(n_reached / n_texts, 1)
    n_gone = sum(n_drawn for n_drawn, *_ in strata.values()) - len(drawn)
    n_unanswered = int((~has_answer).sum())
    if n_gone or n_unanswered:
        what = listed(
            [
                *([f"lacks {counted(n_gone, 'text')} that were drawn"] if n_gone else []),
                *([f"has {counted(n_unanswered, 'text')} without an answer"] if n_unanswered else []),
            ],
            "and",
        )
        warn(f"{name} {what}; the others stand for them.")
    if n_reached < n_texts:
        warn(
            f"{name} has no label of the strata of {counted(n_texts - n_reached, 'text')}, so the others stand for "
            "these, which may be unlike them."
        )
    return sampled


def _note_blanks(is_blank, blank, name):
    if is_blank.any():
        means = "no" if blank == "no" else "no label"
        warn(f"{name} has {counted(int(is_blank.sum()), 'blank cell')} in rows with answers; each counts as {means}.")
