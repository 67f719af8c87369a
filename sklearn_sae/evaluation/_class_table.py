"""The printed table of a multiclass target, with a row a hypothesis and a column a class."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from sklearn_sae.utils._tables import LEAST_ROOM, WIDTH, table_lines

_MAX_LABEL = 14  # The heading of a class is cut to so many characters.


class ClassColumns(NamedTuple):
    """The columns of the table: a heading and its cells each, of two lines a hypothesis and two of the class below."""

    names: tuple  # (str, list of str) which says what the lines are
    classes: list  # of (str, list of str)
    more: list  # of (str, list of str)
    sentences: list  # of str


def class_columns(table, class_metrics, more, *, names=("sep.", "coef")):
    """Return the statistics of the classes side by side, as str; hypotheses in the order of their first rows.

    Parameters
    ----------
    table, class_metrics : DataFrame
        Those of an evaluation.
    more : dict of str to list of str
        Columns that stand behind the classes, with one cell for each row of `table`.
    names : (str, str), default=("sep.", "coef")
        The names of the separation and of the coefficient. What is significant has a star, or for the coefficient
        a plus.

    Returns
    -------
    columns : ClassColumns
    """
    codes, classes = pd.factorize(table["class"])
    again = table.groupby([codes, "hypothesis"]).cumcount()  # tells hypotheses of one name apart
    hypothesis = table.groupby(["hypothesis", again], sort=False).ngroup().to_numpy()
    rows = np.unique(hypothesis, return_index=True)[1]
    cells = np.full((len(classes), len(rows)), "", dtype=object)
    cells[codes, hypothesis] = [
        f"{_number(separation)}{'*' if alone else ' '}\n{_number(coef)}{'+' if jointly else ' '}"
        for separation, alone, coef, jointly in table[
            ["separation_score", "significant", "regression_coef", "significant_jointly"]
        ].itertuples(index=False)
    ]
    of_class = {
        label: f"{n_samples} \n{_number(auc, '.2f')} "
        for label, n_samples, auc in class_metrics[["class", "n_samples", "auc_cv"]].itertuples(index=False)
    }
    return ClassColumns(
        names=("", ["\n".join(names)] * len(rows) + ["rows\nAUC"]),
        classes=[
            (" ".join(str(label).split()), [*some, of_class[label]]) for label, some in zip(classes, cells, strict=True)
        ],
        more=[(name, [*(column[row] for row in rows), ""]) for name, column in more.items()],
        sentences=[*table["hypothesis"].iloc[rows], "(of all hypotheses together, cross-fitted)"],
    )


def class_lines(columns, *, width=WIDTH):
    """Return the lines of a table with these `ClassColumns`; classes that do not fit follow in further parts."""
    names, classes, more, sentences = columns
    classes = [(_shortened(label), cells) for label, cells in classes]
    room = width - LEAST_ROOM - sum(map(_size, [names, *more]))
    lines = []
    while classes:
        n_fit = max(int((np.cumsum([_size(column) for column in classes]) <= room).sum()), 1)
        lines += ["", *table_lines([names, *classes[:n_fit], *more], sentences, width=width)]
        classes = classes[n_fit:]
    return lines[1:]


def _number(value, form="+.2f"):
    return "-" if np.isnan(value) else format(value, form)


def _shortened(label):
    return label if len(label) <= _MAX_LABEL else label[: _MAX_LABEL - 1] + "…"


def _size(column):
    """Return the width of a column and of the space behind it."""
    name, cells = column
    return 2 + max(len(line) for cell in (name, *cells) for line in cell.split("\n"))
