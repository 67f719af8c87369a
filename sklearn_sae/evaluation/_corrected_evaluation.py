"""The result of an evaluation that labels of people correct."""

from dataclasses import dataclass

import numpy as np

from sklearn_sae.evaluation._hypothesis_evaluation import HypothesisEvaluation
from sklearn_sae.utils._validation import counted

METHODS = {"dsl": "design-based supervised learning", "ppi": "prediction-powered inference"}


@dataclass(frozen=True, eq=False, repr=False)
class CorrectedEvaluation(HypothesisEvaluation):
    """Statistics of hypotheses corrected by labels of people, as `correct_annotations` returns them.

    It prints and shows as a `HypothesisEvaluation` does. Its parameters are its attributes.

    Parameters
    ----------
    table : DataFrame
        The columns of a `HypothesisEvaluation`, of what people would have labelled in all rows: both p-values of a
        hypothesis on its own are those of one test, and so are both beside all others. `prevalence` is corrected too;
        `max_correlation` is of the annotations. More columns:

        - `separation_se`: standard error of the separation.
        - `naive_separation_score`, `naive_separation_ci_low`, `naive_separation_ci_high`, `naive_significant`,
          `naive_regression_coef`: what the annotations give where they are taken for true.
        - `n_labels`: labels of the hypothesis.
        - `n_labels_holds`: labels that say it holds; of pairs, that it holds for the first text.

    metrics : dict
        - `r2`: of the joint regression on the labels of all rows, estimated; only for a regression.
        - `n_significant`, `n_significant_jointly`, `n_hypotheses`, `threshold`, `threshold_jointly`, `n_samples` and,
          with groups, `n_groups`.
        - `n_labelled`: rows with a label, and `n_labelled_jointly`, those with a label of each hypothesis that the
          joint regression has.

    task : str
        "regression", "binary" or "multiclass".
    correction : str
        The correction for multiple tests.
    alpha : float
        The level of significance after correction.
    notes : tuple of str
        Sentences that say why statistics are missing or not reliable.
    standard_errors : {"design-based", "clustered"}, default="design-based"
        The standard errors of everything; both count in the draw of the labels.
    confidence : float, default=0.95
        Level of each confidence interval.
    class_metrics : DataFrame or None, default=None
        For a multiclass target, as of `HypothesisEvaluation`; no class has an AUC.
    annotations : ndarray of shape (n_samples, n_hypotheses) or None, default=None
        The annotations of all rows.
    target : Target or None, default=None
        The target of these rows.
    target_name : str or None, default=None
        The name of the target.
    controls : tuple of str, default=()
        Empty, because effects are not corrected beyond controls.
    by : DataFrame or None, default=None
        None for the same reason.
    offset : str, default=""
        Empty for the same reason.
    method : {"dsl", "ppi"}, default="dsl"
        How annotations and labels were joined.
    human : ndarray of shape (n_samples, n_hypotheses) or None, default=None
        The labels, NaN where there is none.
    sampled : ndarray of shape (n_samples,) or None, default=None
        The probability of each row that was drawn, NaN for the others.

    See Also
    --------
    correct_annotations : Returns one.
    HypothesisEvaluation : That of annotations which are taken for true.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sae import correct_annotations
    >>> rng = np.random.default_rng(0)
    >>> truth = rng.integers(0, 2, size=(1000, 1))
    >>> stars = truth[:, 0] + rng.normal(size=1000)
    >>> annotations = np.where(rng.random((1000, 1)) < 0.2, 1 - truth, truth)
    >>> drawn = rng.permutation(1000) < 200
    >>> corrected = correct_annotations(annotations, np.where(drawn[:, None], truth, np.nan), drawn, stars)
    >>> corrected.table[["naive_separation_score", "separation_score"]].round(2)
       naive_separation_score  separation_score
    0                    0.64              1.19
    >>> corrected.metrics["n_labelled"], corrected.method
    (200, 'dsl')
    """

    standard_errors: str = "design-based"
    method: str = "dsl"
    human: np.ndarray | None = None
    sampled: np.ndarray | None = None

    def summary(self):
        """Return the counts, and by what the effects are corrected, a line each.

        Returns
        -------
        summary : str
        """
        m = self.metrics
        unit = ("hypothesis", "hypotheses") if self.task != "multiclass" else ("class-hypothesis pair",)
        fit = f"R² {m['r2']:.3f} estimated; " if "r2" in m else ""
        lines = [
            f"{m['n_significant']} of {counted(len(self.table), *unit)} significant, {m['n_significant_jointly']} "
            f"jointly ({self.correction}, alpha={self.alpha:g}: p < {m['threshold']:.2g})",
            f"{fit}{counted(m['n_samples'], 'row')}, of which people labelled {m['n_labelled']:,}",
            f"Corrected by {METHODS[self.method]}",
        ]
        if self.standard_errors == "clustered":
            lines.append(f"Standard errors: clustered by {counted(m['n_groups'], 'group')}")
        return "\n".join(lines)
