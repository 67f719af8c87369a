"""The result of an evaluation, which prints as a table."""

import math
from dataclasses import dataclass
from textwrap import wrap

import numpy as np
import pandas as pd

from sklearn_sae.evaluation._check_annotations import are_of_pairs
from sklearn_sae.evaluation._class_table import class_columns, class_lines
from sklearn_sae.evaluation._more_lines import (
    columns_of_tests,
    legend_of_controls,
    more_lines,
    naive_column,
    unit_of,
    what_of_pairs,
)
from sklearn_sae.utils._tables import (
    fitted_table,
    headed,
    lines_for,
    margins_in_words,
    names_cut,
    note_lines,
    percent,
    terminal_width,
)
from sklearn_sae.utils._targets import Target
from sklearn_sae.utils._validation import counted

MAX_ROWS = 60


@dataclass(frozen=True, eq=False, repr=False)
class HypothesisEvaluation:
    """Statistics of hypotheses, as `evaluate_hypotheses` returns them.

    It prints as a table that is as wide as the terminal, at most 120 columns (100 where there is none), and shows as
    HTML in a notebook; `to_text` has more. For a multiclass target both have a row a hypothesis and a column a class;
    what they leave out is in `table`, and in the notebook behind each class. Its parameters are its attributes.

    Parameters
    ----------
    table : DataFrame
        One row a hypothesis, in the order given; for a multiclass target one block a class. Columns:

        - `class`: the class against the rest; only for a multiclass target.
        - `hypothesis`: its sentence or name.
        - `separation_score`: mean target where it holds minus mean target where it does not, in units of the target;
          for classes a difference of proportions. For pairs, half the difference between holding for the first text
          and for the second: by how much the text that has it leads or, if the target is which of the two wins, how far
          its win rate is above one half.
        - `pvalue`: the p-value of that difference: the larger one of the t-test and of a permutation test, or that of
          the permutation test alone where the t-test is not reliable.
        - `separation_pvalue`: the p-value of Welch's t-test for that difference, or of a cluster-robust one.
        - `separation_ci_low`, `separation_ci_high`: its confidence interval, from the same test; for
          classes Newcombe's, or with `groups` or weights that of the test, cut where a difference of shares ends.
        - `effect_size`: the separation without a unit; Cohen's d, for classes Cohen's h.
        - `regression_coef`: its coefficient in the joint regression on all hypotheses; for classes, log-odds.
        - `regression_se`: standard error of that coefficient.
        - `regression_pvalue`: the p-value of that coefficient, before correction.
        - `regression_ci_low`, `regression_ci_high`: its confidence interval.
        - `joint_pvalue`: the larger p-value of that and of a permutation test of what the hypothesis adds.
        - `prevalence`: share of the answered rows where it holds.
        - `max_correlation`: the largest absolute correlation of its annotation with that of another hypothesis.
        - `significant`: bool; whether it holds on its own: `pvalue`, corrected, is below `alpha`.
        - `significant_jointly`: bool; whether it adds to all the others: `joint_pvalue`, corrected, is below `alpha`.
        - With controls or an offset, `controlled_score`, `controlled_pvalue`, `controlled_ci_low`,
          `controlled_ci_high`, `controlled_effect_size` and `significant_controlled`: the same as `separation_score`,
          `pvalue` and so on, of what these leave.
        - With ``by=``, `interaction_pvalue` and `significant_interaction`: whether the effect differs between
          subgroups; `sign_turns`: whether it is significant in `by` with either sign.
        - With ``by=`` periods, `prevalence_trend` and `effect_trend`, by how much both change from a period to the
          next, with `prevalence_trend_pvalue`, `significant_prevalence_trend` and so on.

    metrics : dict
        - `r2` for a regression, else `auc` and `auprc`: how well the joint regression fits the same rows, in-sample.
        - `r2_cv` or `auc_cv`: how well it predicts rows that it was not fitted to, by five-fold cross-fitting.
          For a multiclass target all these are means over the classes that have one.
        - `n_significant`, `n_significant_jointly`: number of rows of `table` that are significant, on their own and
          beside all the others. The paper of the method counts the latter at ``alpha=0.1``.
        - `n_hypotheses`: number of hypotheses.
        - `threshold`, `threshold_jointly`: the uncorrected p-values below which a row is significant.
        - `n_samples`: number of rows of the data with at least one answer; with groups also `n_groups`, their number,
          and with weights `n_effective`, how many rows of equal weight they are worth.
        - With controls or ``by=``, `n_significant_controlled`, `threshold_controlled` and so on.

    task : str
        "regression", "binary" or "multiclass".
    correction : str
        The correction for multiple tests.
    alpha : float
        The level of significance after correction.
    notes : tuple of str
        Sentences that say why statistics are missing or come from another method.
    standard_errors : {"classical", "HC3", "clustered"}, default="classical"
        The standard errors of the joint regression; "clustered" ones are those of the separation too.
    confidence : float, default=0.95
        Level of each confidence interval.
    class_metrics : DataFrame or None, default=None
        For a multiclass target, one row a class in the order of `table`: `class`, `n_samples` (rows of the class),
        `auc`, `auprc` and `auc_cv` of the class against the rest, `n_significant` and `n_significant_jointly`.
    annotations : ndarray of shape (n_samples, n_hypotheses) or None, default=None
        What was tested, the rows without any answer too. NaN is where no answer came.
    target : Target or None, default=None
        The target of these rows: its `task`, its `values` (of classes their codes), its `classes` and, if it is
        ordinal, its `scale`.
    target_name : str or None, default=None
        The name of the target.
    controls : tuple of str, default=()
        The names of the controls, and what an offset is called.
    by : DataFrame or None, default=None
        With ``by=`` the effects by subgroup or period, one row a hypothesis (and class) and subgroup: `hypothesis`, the
        subgroup under the name of the column that was passed (or `subgroup`), `n_samples` (rows with an answer),
        `prevalence`, `effect` (as `separation_score`, or with controls as `controlled_score`) and `pvalue`, intervals
        of both as `prevalence_ci_low` and so on, and `significant`, corrected for the number of rows.
    offset : str, default=""
        What an offset is called.

    See Also
    --------
    evaluate_hypotheses : Returns one.
    Discovery : Holds one, beside the pipeline that found the hypotheses.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sae import evaluate_hypotheses
    >>> annotations = np.tile([[0, 1], [1, 0], [1, 1], [0, 0]], (25, 1))
    >>> evaluation = evaluate_hypotheses(annotations, 3 + annotations[:, 0] + np.arange(100) / 100)
    >>> evaluation.table[["hypothesis", "separation_score", "significant"]].round(2)
         hypothesis  separation_score  significant
    0  hypothesis 0              1.00         True
    1  hypothesis 1             -0.01        False
    >>> evaluation.metrics["n_significant"], evaluation.notes
    (1, ())
    """

    table: pd.DataFrame
    metrics: dict
    task: str
    correction: str
    alpha: float
    notes: tuple = ()
    standard_errors: str = "classical"
    confidence: float = 0.95
    class_metrics: pd.DataFrame | None = None
    annotations: np.ndarray | None = None
    target: Target | None = None
    target_name: str | None = None
    controls: tuple = ()
    by: pd.DataFrame | None = None
    offset: str = ""

    @property
    def of_pairs(self):
        """Whether pairs of texts were annotated."""
        return self.annotations is not None and are_of_pairs(self.annotations)

    def to_html(self, path, *, texts=None, source=None, target_name=None, max_words=50):
        """Write a page that shows the hypotheses, their tests and, with texts, what they hold for.

        The page is one file that loads nothing. See docs/report.md.

        Parameters
        ----------
        path : str or path-like
            The file to write, in a folder that exists; a file that is there is replaced.
        texts : sequence of str, of (str, str) or of (str, str, str), default=None
            The texts, or pairs of texts, with or without the prompt of each, that were annotated, a row each. None: the
            page shows no text. The names of hypotheses are shown in any case.
        source : estimator, default=None
            The fitted annotator, or what holds one, as of `show_neurons`: then what makes a hypothesis hold is marked
            also where names are no keywords.
        target_name : str, default=None
            What to call the target. None: by the name of the `y` that was tested.
        max_words : int or None, default=50
            Of a longer text so many words are shown, around what is marked. None: all.

        Returns
        -------
        path : Path
            The file.

        Raises
        ------
        FileNotFoundError
            If the folder does not exist.
        TypeError, ValueError
            If `texts` are others than were annotated in number, a text is missing, empty or no str, or `max_words` is
            wrong.
        """
        # Only here does a stage know of reports, so that who has a result need not know where pages are made.
        from sklearn_sae.report._report_of import report_of_evaluation
        from sklearn_sae.report._write import check_folder, write_page

        path = check_folder(path)
        options = {"source": source, "target_name": target_name, "max_words": max_words}
        return write_page(report_of_evaluation(self, texts, **options), path)

    def summary(self):
        """Return the counts, the fit and, unless they are classical, the standard errors, a line each.

        Returns
        -------
        summary : str
        """
        m = self.metrics
        unit = ("hypothesis", "hypotheses") if self.task != "multiclass" else ("class-hypothesis pair",)
        if "r2" in m:
            fit = f"R² {m['r2_cv']:.3f} cross-fitted, {m['r2']:.3f} in-sample"
        else:
            fit = f"AUC {m['auc_cv']:.3f} cross-fitted, {m['auc']:.3f} in-sample; AUPRC {m['auprc']:.3f} in-sample"
        lines = [
            f"{m['n_significant']} of {counted(len(self.table), *unit)} significant, "
            f"{m['n_significant_jointly']} jointly ({self.correction}, alpha={self.alpha:g}: {_below(m)})",
            f"{fit}; {counted(m['n_samples'], 'row')}",
        ]
        if self.task == "multiclass":
            lines.append(f"Both are means over {len(self.class_metrics)} classes, each against the rest")
        if self.standard_errors != "classical":
            groups = f" by {counted(m['n_groups'], 'group')}" if "n_groups" in m else ""
            lines.append(f"Standard errors: {self.standard_errors}{groups}")
        return "\n".join([*lines, *more_lines(self)])

    def to_text(self, *, width=None, wide=False, full=False):
        """Return what is printed, or more of it.

        Parameters
        ----------
        width : int or None, default=None
            The width of a line. None: that of the terminal, at most 120; 100 where there is none.
        wide : bool, default=False
            Whether to show also p-values, margins and the joint regression.
        full : bool, default=False
            Whether to show all that `wide` does, and all rows, names and notes whole.

        Returns
        -------
        text : str
        """
        width = terminal_width() if width is None else width
        wide = wide or full
        n_hypotheses = self.metrics["n_hypotheses"]
        n_rows = n_hypotheses if full else min(n_hypotheses, MAX_ROWS)
        by_class = self.task == "multiclass"
        shown = self.table.groupby("class", sort=False).head(n_rows) if by_class else self.table.head(n_rows)
        n_lines = (math.inf, math.inf) if full else lines_for(n_rows, width, wide)
        n_cut, lines = self._lines(shown, width, wide, n_lines)
        if n_rows < n_hypotheses:
            lines.append(f"... and {n_hypotheses - n_rows} more {'hypotheses' if by_class else 'rows'} in .table")
        legend = self._legend(wide) + names_cut(n_cut, ".to_text(full=True)")
        summary = [part for line in self.summary().splitlines() for part in wrap(line, width)]
        lines = [*summary, *lines, *wrap(legend, width)]
        n_taken = 0 if wide else len(lines)
        notes = note_lines(self.notes, width, where=".to_text(full=True)", n_taken=n_taken, full=full)
        return "\n".join([*lines, *notes])

    def __repr__(self):
        return self.to_text()

    def _lines(self, table, width, wide, n_lines):
        """Return how many names are cut, and the lines of a table."""
        holds = [percent(share, 0) for share in table["prevalence"]]
        if self.task == "multiclass":
            columns = class_columns(table, self.class_metrics, {"holds": holds}, joint=wide)
            return class_lines(columns, width=width, n_lines=n_lines)
        columns = columns_of_tests(table, self.task, own="separation", joint="coef", wide=wide)
        columns[1 + wide : 1 + wide] = naive_column(table, self.task)
        columns.append(("differs" if self.of_pairs else "holds", holds))
        head, names = headed(table["hypothesis"])
        return fitted_table(columns, names, head=head, width=width, n_lines=n_lines)

    def _legend(self, wide):
        """Return what the columns are."""
        what = {
            "regression": "mean target where the hypothesis holds minus where not",
            "binary": "share of the positive class where the hypothesis holds minus where not, in points of percentage",
            "multiclass": "share of the class where the hypothesis holds minus where not, in points of percentage",
        }[self.task]
        what = what_of_pairs(self) or what
        beyond = legend_of_controls(self.controls if self.task != "multiclass" else ())
        if "naive_separation_score" in self.table and self.task != "multiclass":
            beyond += " naive: by the annotations alone."
        if not wide:
            margins = margins_in_words(self.table, unit=unit_of(self.task), confidence=self.confidence)
            return f"separation: {what}{margins}; * significant.{beyond} More: .to_text(wide=True)."
        margins = "" if self.task == "multiclass" else f", ± its {100 * self.confidence:g}% interval"
        what_of_classes = "" if self.task == "regression" else ", in log-odds"
        return (
            f"{'sep.' if self.task == 'multiclass' else 'separation'}: {what}{margins}; * significant.{beyond} "
            f"coef: the same beside all other hypotheses{what_of_classes}; + significant."
        )

    def _repr_html_(self):
        from sklearn_sae.report._notebook import evaluation_html

        return evaluation_html(self)


def _below(metrics):
    """Return the p-values below which a row is significant, as str; one if both questions have the same."""
    limits = dict.fromkeys(f"p < {metrics[key]:.2g}" for key in ("threshold", "threshold_jointly"))
    return " and ".join(limits)
