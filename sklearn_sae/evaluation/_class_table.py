"""The printed table of a multiclass target, with a row a hypothesis and a column a class."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from sklearn_sae.utils._decimals import written
from sklearn_sae.utils._tables import LEAST_ROOM, effects, fitted_table, headed

_MAX_LABEL = 14  # The heading of a class is cut to so many characters.


class ClassColumns(NamedTuple):
    """The columns of the table: a heading and its cells each, of two lines a hypothesis and two of the class below."""

    names: tuple  # (str, list of str) which says what the lines are
    classes: list  # of (str, list of str)
    more: list  # of (str, list of str)
    sentences: list  # of str


def class_columns(table, class_metrics, more, *, joint=True):
    """Return the statistics of the classes side by side, as str; hypotheses in the order of their first rows.

    Parameters
    ----------
    table, class_metrics : DataFrame
        Those of an evaluation.
    more : dict of str to list of str
        Columns that stand behind the classes, with one cell for each row of `table`.
    joint : bool, default=True
        Whether to show coefficients, each under its separation. What is significant has a star, or for the coefficient
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
    separations = effects(table, unit=100)
    cells[codes, hypothesis] = [
        f"{separation}\n{written(coef, '+.2f')}{'+' if jointly else ' '}" if joint else separation
        for separation, coef, jointly in zip(
            separations, table["regression_coef"], table["significant_jointly"], strict=True
        )
    ]
    of_class = {
        label: f"{n_samples} \n{written(auc, '.2f')} "
        for label, n_samples, auc in class_metrics[["class", "n_samples", "auc_cv"]].itertuples(index=False)
    }
    return ClassColumns(
        names=("", ["sep.\ncoef" if joint else ""] * len(rows) + ["rows\nAUC"]),
        classes=[
            (" ".join(str(label).split()), [*some, of_class[label]]) for label, some in zip(classes, cells, strict=True)
        ],
        more=[(name, [*(column[row] for row in rows), ""]) for name, column in more.items()],
        sentences=[*table["hypothesis"].iloc[rows], "(of all hypotheses together, cross-fitted)"],
    )


def class_lines(columns, *, width, n_lines):
    """Return how many names are cut, and the lines of a table with these `ClassColumns`.

    Classes that do not fit a line follow in further parts. `n_lines` are those for the hypotheses of each part.
    """
    names, classes, more, sentences = columns
    classes = [(_shortened(label), cells) for label, cells in classes]
    head, sentences = headed(sentences[:-1])[0], [*headed(sentences[:-1])[1], sentences[-1]]
    room = width - LEAST_ROOM - sum(map(_size, [names, *more]))
    n_cut, lines = 0, []
    while classes:
        n_fit = max(int((np.cumsum([_size(column) for column in classes]) <= room).sum()), 1)
        part = [names, *classes[:n_fit], *more]
        n_cut, of_part = fitted_table(part, sentences, head=head, width=width, n_lines=n_lines)
        lines += ["", *of_part]
        classes = classes[n_fit:]
    return n_cut, lines[1:]


def _shortened(label):
    return label if len(label) <= _MAX_LABEL else label[: _MAX_LABEL - 1] + "…"


def _size(column):
    """Return the width of a column and of the space behind it."""
    name, cells = column
    return 2 + max(len(line) for cell in (name, *cells) for line in cell.split("\n"))
