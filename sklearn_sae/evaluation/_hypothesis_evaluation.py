"""The result of an evaluation, and how it is shown."""

import textwrap
from dataclasses import dataclass
from html import escape

import numpy as np
import pandas as pd

_WIDTH = 100  # columns of a printed line
_MAX_LINES = 4  # of a hypothesis; the table itself holds the whole
MAX_ROWS = 60


@dataclass(frozen=True, eq=False, repr=False)
class HypothesisEvaluation:
    """Statistics of hypotheses, as `evaluate_hypotheses` returns them.

    It prints as a table of 100 columns (more if that leaves a hypothesis under 30) and of at most four lines a
    hypothesis, and shows as HTML in a notebook.
    Its parameters are its attributes.

    Parameters
    ----------
    table : DataFrame
        One row a hypothesis, in the order given; for a multiclass target one block a class. Columns:

        - `class`: the class against the rest; only for a multiclass target.
        - `hypothesis`: its sentence or name.
        - `separation_score`: mean target where it holds minus mean target where it does not, in units of the target;
          for classes a difference of proportions. For pairs, half the difference between holding for the first text
          and for the second.
        - `separation_pvalue`: of Welch's t-test for that difference, or of one that heeds groups.
        - `separation_ci_low`, `separation_ci_high`: its confidence interval, from the same test.
        - `effect_size`: the separation without a unit; Cohen's d, for classes Cohen's h.
        - `regression_coef`: in the joint regression on all hypotheses; for classes, log-odds.
        - `regression_se`: standard error of that coefficient.
        - `regression_pvalue`: of that coefficient, before correction.
        - `regression_ci_low`, `regression_ci_high`: its confidence interval.
        - `prevalence`: share of the answered rows where it holds.
        - `max_correlation`: the largest absolute correlation of its annotation with that of another hypothesis.
        - `significant`: bool; whether `regression_pvalue`, corrected, is below `alpha`.

    metrics : dict
        - `r2` for a regression, else `auc` and `auprc` (for a multiclass target their means over classes): how well the
          joint regression fits the same rows, in-sample.
        - `r2_cv` or `auc_cv`: how well it predicts rows that it was not fitted to, by five-fold cross-fitting.
        - `n_significant`: number of rows of `table` that are significant.
        - `n_hypotheses`: number of hypotheses.
        - `threshold`: the uncorrected p-value below which a row is significant.
        - `n_samples`: number of rows of the data with at least one answer; `n_groups`, with groups, of these.

    task : str
        "regression", "binary" or "multiclass".
    correction : str
        The correction for multiple tests.
    alpha : float
        The level that it keeps to.
    notes : tuple of str
        Why statistics are missing or come from another method, one sentence each.
    standard_errors : {"classical", "HC3", "clustered"}, default="classical"
        Those of the joint regression; "clustered" ones are of the separation too.
    confidence : float, default=0.95
        Level of each confidence interval.
    """

    table: pd.DataFrame
    metrics: dict
    task: str
    correction: str
    alpha: float
    notes: tuple = ()
    standard_errors: str = "classical"
    confidence: float = 0.95

    def summary(self):
        """Return the counts, the fit and, unless they are classical, the standard errors, a line each."""
        m = self.metrics
        unit = "hypotheses" if self.task != "multiclass" else "pairs of class and hypothesis"
        if "r2" in m:
            fit = f"R² {m['r2_cv']:.3f} cross-fitted, {m['r2']:.3f} in-sample"
        else:
            fit = f"AUC {m['auc_cv']:.3f} cross-fitted, {m['auc']:.3f} in-sample; AUPRC {m['auprc']:.3f} in-sample"
        lines = [
            f"{m['n_significant']} of {len(self.table)} {unit} significant "
            f"({self.correction}, alpha={self.alpha:g}: p < {m['threshold']:.2g})",
            f"{fit}; {m['n_samples']} rows",
        ]
        if self.standard_errors != "classical":
            groups = f" by {m['n_groups']} groups" if "n_groups" in m else ""
            lines.append(f"Standard errors: {self.standard_errors}{groups}")
        return "\n".join(lines)

    def __repr__(self):
        shown = self.table.head(MAX_ROWS)
        lines = [self.summary(), *table_lines(_figures(shown), shown["hypothesis"])]
        if len(self.table) > MAX_ROWS:
            lines.append(f"... and {len(self.table) - MAX_ROWS} more rows in .table")
        return "\n".join([*lines, *(f"Note: {note}" for note in self.notes)])

    def _repr_html_(self):
        columns = {}
        for head, column in _figures(self.table).items():
            columns[head] = column
            if head in ("separation", "coef"):
                columns[f"{100 * self.confidence:g}% CI ({head})"] = _intervals(self.table, head)
            if head == "p (sep.)":
                columns["effect size"] = numbers(self.table["effect_size"])
        shown = pd.DataFrame(columns).assign(hypothesis=self.table["hypothesis"].tolist())
        notes = "".join(f"<p>Note: {escape(note)}</p>" for note in self.notes)
        with pd.option_context("display.max_colwidth", None):
            summary = escape(self.summary()).replace("\n", "<br>")
            return f"<p>{summary}</p>{shown.to_html(index=False, escape=True)}{notes}"


def table_lines(columns, sentences, *, head="hypothesis", width=_WIDTH):
    """Return the lines of a table whose last column, the hypotheses, is wrapped, and cut after four lines.

    Parameters
    ----------
    columns : dict of str to list of str
        The cells of the other columns, under their heads; set right, but for that of classes.
    sentences : iterable of str
    head : str, default="hypothesis"
        Of the last column.
    width : int, default=100
        Of a line. A hypothesis has room for 30 characters in any case.

    Returns
    -------
    lines : list of str
    """
    aligned = []
    for name, column in columns.items():
        cells = [name, *column]
        size = max(map(len, cells))
        aligned.append([cell.ljust(size) if name == "class" else cell.rjust(size) for cell in cells])
    lines = []
    for *cells, sentence in zip(*aligned, [head, *sentences], strict=True):
        start = "".join(f"{cell}  " for cell in cells)
        room = max(width - len(start), 30)
        wrapped = textwrap.wrap(
            " ".join(sentence.split()), room, break_on_hyphens=False, max_lines=_MAX_LINES, placeholder=" …"
        )
        for part in wrapped or [""]:
            lines.append((start + part).rstrip())
            start = " " * len(start)
    return lines


def _figures(table):
    """Return the table's columns but the hypotheses as lists of str, under the short heads they are shown with."""
    shown = {}
    if "class" in table:
        shown["class"] = [" ".join(str(value).split()) for value in table["class"]]
    shown["separation"] = numbers(table["separation_score"])
    shown["p (sep.)"] = [pvalue(value) for value in table["separation_pvalue"]]
    shown["coef"] = numbers(table["regression_coef"])
    shown["p (coef)"] = [pvalue(value) for value in table["regression_pvalue"]]
    shown["prevalence"] = ["-" if np.isnan(value) else f"{value:.1%}" for value in table["prevalence"]]
    shown["significant"] = ["yes" if value else "" for value in table["significant"]]
    return shown


def _intervals(table, head):
    """Return the confidence intervals of what is shown under `head` as str."""
    prefix = {"separation": "separation", "coef": "regression"}[head]
    limits = (numbers(table[f"{prefix}_ci_{side}"]) for side in ("low", "high"))
    return ["-" if low == "-" else f"{low} to {high}".replace(" ", "\u00a0") for low, high in zip(*limits, strict=True)]


def numbers(values):
    """Return a column of numbers as str, with three decimals unless they are very large or all small."""
    largest = values.abs().max()
    form = "+.3f" if 0.01 <= largest < 1e6 or largest == 0 else "+.1e"
    return ["-" if np.isnan(value) else format(value, form) for value in values]


def pvalue(value):
    """Return a p-value as str, "-" for NaN."""
    if np.isnan(value):
        return "-"
    return f"{value:.3f}" if value >= 1e-3 or value == 0 else f"{value:.0e}"
