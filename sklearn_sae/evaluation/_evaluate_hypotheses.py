"""Statistical tests of hypotheses on annotated texts."""

from numbers import Real

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn.metrics import average_precision_score, r2_score, roc_auc_score
from sklearn.utils import check_array
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from sklearn_sae._validation import check_target, check_target_varies
from sklearn_sae.evaluation._hypothesis_evaluation import HypothesisEvaluation
from sklearn_sae.evaluation._regression import fit_least_squares, fit_logistic, independent_columns
from sklearn_sae.evaluation._separation import FEW_ROWS, separation


@validate_params(
    {
        "annotations": "no_validation",
        "y": "no_validation",
        "hypotheses": "no_validation",
        "task": [StrOptions({"auto", "regression", "binary", "multiclass"})],
        "correction": [StrOptions({"bonferroni", "holm", "fdr_bh", "benjamini-hochberg"})],
        "alpha": [Interval(Real, 0, 1, closed="neither")],
    },
    prefer_skip_nested_validation=True,
)
def evaluate_hypotheses(annotations, y, *, hypotheses=None, task="auto", correction="bonferroni", alpha=0.1):
    """Test which hypotheses predict a target, each alone and all together.

    Use texts on which the hypotheses were not found: on the texts that they come from, every p-value is too small.

    Parameters
    ----------
    annotations : array-like, DataFrame or sparse matrix of shape (n_samples, n_hypotheses)
        1 where a hypothesis holds for a text and 0 where it does not, or any number between (a soft annotation). For
        pairs of texts, 1 where it holds for the first text only, -1 for the second only and 0 for both or neither; the
        target is then whether the first wins (1 or 0), or its lead over the second. NaN where no answer came.

    y : array-like of shape (n_samples,)
        Target: numbers, or labels of any kind.

    hypotheses : sequence of str of length n_hypotheses, default=None
        The sentences. By default the column names of a DataFrame, else "hypothesis 0", "hypothesis 1" and so on.

    task : {"auto", "regression", "binary", "multiclass"}, default="auto"
        What `y` is. "auto": two distinct values are binary; more, of strings or categories, multiclass; other
        numbers a regression. A binary target is its second class against its first, a multiclass target is each
        class against the rest.

    correction : {"bonferroni", "holm", "fdr_bh"}, default="bonferroni"
        Correction of the regression's p-values for their number. "bonferroni" and "holm" bound the probability of any
        false finding, "fdr_bh" (Benjamini-Hochberg, also "benjamini-hochberg") the expected share of false ones among
        the findings. Every row of the table counts as a test, those that could not be tested too.

    alpha : float, default=0.1
        Level of significance after correction, between 0 and 1.

    Returns
    -------
    evaluation : HypothesisEvaluation
        With `table`, `metrics` and `notes`; it prints as a table.

    Raises
    ------
    ValueError
        If `annotations` is empty, not 2-D, has infinities or numbers outside [-1, 1], or no answer at all; if `y` is
        missing, constant on the rows with an answer, of another length, or has three classes where
        ``task="binary"``; if `hypotheses` has another length than `annotations` has columns.

    Notes
    -----
    *Separation* is the mean of the target on the rows where the hypothesis holds (annotation 0.5 or more) minus its
    mean where it does not, tested by Welch's t-test; NaN where a side has no row. For pairs it is half the difference
    between the mean where it holds for the first text and the mean where it holds for the second (-0.5 or less): what
    it adds for the text that has it. An advantage that the first text has as such cancels. Rows where it holds for
    both or neither stand in for one of these that has no row, and then the difference is not halved.

    The t-test takes means for normal and the spread of each side for known well enough. With few rows on a side its
    p-values may be far too small, most of all where these happen to have one and the same target, as they often do if
    it is 0 or 1. So the p-value is NaN where a side has fewer than 10 rows and one target (a single row too), and
    `notes` names every hypothesis with fewer than 10 rows or one target on a side. With 10 rows or more and one target
    on each side the p-value is 1 for equal and 0 for different means.

    *The joint regression* is ordinary least squares, or logistic regression for classes, of the target on all
    hypotheses, so each coefficient is what a hypothesis adds to the others. `significant` rests on it. Its fit (`r2`,
    or `auc` and `auprc`) is to the rows given, and so grows with the number of hypotheses; for an honest figure fit a
    model on other rows and score it on these. Least squares has the classical standard errors: they assume that the
    target scatters alike in all rows. Where it scatters more for the rarer value of an annotation, p-values are too
    small, and where less, too large.

    What the regression cannot estimate is NaN and not significant, and `notes` says why:

    - A constant annotation is left out of it.
    - So is one that is a linear combination of those before it. Of duplicates the first carries the coefficient.
    - A missing answer counts as the mean of the hypothesis's other answers, so that one failed answer does not cost
      the row; a row without any answer is dropped. Separation and prevalence use answered rows only. With more than a
      few per cent missing, the regression's p-values are approximate.
    - With no more rows than coefficients nothing is estimated.
    - Where hypotheses separate the classes, fully or in part, log-odds have no finite estimate by maximum
      likelihood. All coefficients are then Firth's, which are finite, with penalized likelihood-ratio tests [1]_.
    - Where least squares fits exactly, p-values are 0, or 1 for a coefficient of zero.

    References
    ----------
    .. [1] Heinze & Schemper, "A solution to the problem of separation in logistic regression", Statistics in
       Medicine 21 (2002).
    .. [2] Movva, Peng, Garg, Kleinberg & Pierson, "Sparse autoencoders for hypothesis generation", ICML (2025): the
       statistics.
    .. [3] Benjamini & Hochberg, "Controlling the false discovery rate", Journal of the Royal Statistical Society B 57
       (1995).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sae import evaluate_hypotheses
    >>> rng = np.random.default_rng(0)
    >>> annotations = rng.integers(0, 2, size=(200, 2))
    >>> stars = 3 + annotations[:, 0] + rng.normal(size=200)
    >>> evaluate_hypotheses(annotations, stars, hypotheses=["praises the food", "mentions parking"])
    1 of 2 hypotheses significant (bonferroni, alpha=0.1: p < 0.05); R² 0.116 in-sample, 200 rows
    separation  p (sep.)    coef  p (coef)  prevalence  significant  hypothesis
        +0.737     1e-06  +0.740     8e-07       54.5%          yes  praises the food
        -0.001     0.995  -0.045     0.756       56.0%               mentions parking
    """
    A, hypotheses = _check_annotations(annotations, hypotheses)
    target = check_target(y, task=task, n_samples=len(A))
    answered = ~np.isnan(A).all(axis=1)
    if not answered.any():
        raise ValueError("annotations has no answer: every entry is NaN.")
    A, target = A[answered], target._replace(values=target.values[answered])
    check_target_varies(target)

    notes = _Notes(hypotheses)
    filled, tested = _design(A, notes)
    blocks, fits = [], []
    reliable = np.ones(A.shape[1], dtype=bool)
    for label, values, unit in _one_against_rest(target):
        block = pd.DataFrame({"hypothesis": hypotheses})
        if target.task == "multiclass":
            block.insert(0, "class", [label] * len(hypotheses))
        separations = [separation(annotation, values) for annotation in A.T]
        block["separation_score"] = [unit * each.score for each in separations]
        block["separation_pvalue"] = [each.pvalue for each in separations]
        reliable &= [each.reliable for each in separations]
        coef, pvalues, fit = _joint_regression(filled, tested, values, target, label, notes)
        block["regression_coef"], block["regression_pvalue"] = unit * coef, pvalues
        block["prevalence"] = [_mean(np.abs(annotation)) for annotation in A.T]
        blocks.append(block)
        fits.append(fit)
    if not reliable.all():
        notes.add(
            f"The t-test of separation is not reliable, as a side has fewer than {FEW_ROWS} rows or its target does "
            "not vary",
            ~reliable,
        )
    table = pd.concat(blocks, ignore_index=True)
    table["significant"], threshold = _significance(table["regression_pvalue"].to_numpy(), correction, alpha)
    metrics = {key: float(np.mean([fit[key] for fit in fits])) for key in fits[0]}
    metrics.update(
        n_significant=int(table["significant"].sum()),
        n_hypotheses=len(hypotheses),
        threshold=threshold,
        n_samples=len(A),
    )
    return HypothesisEvaluation(table, metrics, target.task, correction, alpha, tuple(notes.sentences))


def _check_annotations(annotations, hypotheses):
    """Return the annotations as a dense float64 array, and the hypotheses as a list of str."""
    if hypotheses is None and hasattr(annotations, "columns"):
        hypotheses = [str(column) for column in annotations.columns]
    if isinstance(annotations, pd.DataFrame):  # two columns may have one name
        annotations = annotations.set_axis(range(annotations.shape[1]), axis="columns")
    shape = np.shape(annotations)
    if len(shape) != 2:
        raise ValueError(f"annotations must be 2-D, one row a text and one column a hypothesis; its shape is {shape}.")
    A = check_array(
        annotations,
        accept_sparse=["csr", "csc"],
        dtype=np.float64,
        ensure_all_finite="allow-nan",
        input_name="annotations",
    )
    A = A.toarray() if issparse(A) else A
    outside = np.argwhere(np.abs(A) > 1)
    if len(outside):
        row, column = outside[0]
        raise ValueError(
            f"annotations must be numbers from -1 to 1, or NaN; found {A[row, column]:g} in row {row}, column {column}."
        )
    if hypotheses is None:
        hypotheses = [f"hypothesis {i}" for i in range(A.shape[1])]
    if isinstance(hypotheses, str) or not all(isinstance(hypothesis, str) for hypothesis in hypotheses):
        raise ValueError("hypotheses must be a sequence of str, one for each column of annotations.")
    if len(hypotheses) != A.shape[1]:
        raise ValueError(f"hypotheses has {len(hypotheses)} sentences for {A.shape[1]} columns of annotations.")
    return A, [str(hypothesis) for hypothesis in hypotheses]


class _Notes:
    """Collects sentences that name hypotheses."""

    def __init__(self, hypotheses):
        self.names = [repr(name if len(name) <= 60 else name[:59] + "…") for name in hypotheses]
        self.sentences = []

    def add(self, sentence, which=()):
        names = ", ".join(self.names[j] for j in np.flatnonzero(which))
        self.sentences.append(f"{sentence}: {names}." if names else f"{sentence}.")


def _design(A, notes):
    """Return the annotations without NaN, and which columns the joint regression can tell apart."""
    missing = np.isnan(A)
    means = np.array([_mean(column) for column in A.T])
    filled = np.where(missing, means, A)
    constant = np.fmin.reduce(A) == np.fmax.reduce(A)
    unanswered = missing.all(axis=0)
    varies = ~constant & ~unanswered
    tested = np.zeros(A.shape[1], dtype=bool)
    tested[varies] = independent_columns(filled[:, varies])
    if constant.any():
        notes.add("Left out of the regression, as the annotation is constant", constant)
    if unanswered.any():
        notes.add("Left out of the regression, as no answer came", unanswered)
    if missing[:, ~unanswered].any():
        share = missing[:, ~unanswered].mean()
        notes.add(f"{share:.1%} of the answers are missing; the regression takes the hypothesis's mean for them")
    if tested.sum() + 1 >= len(A):
        notes.add(f"The regression is not estimated: {varies.sum()} hypotheses are too many for {len(A)} rows")
    elif (varies & ~tested).any():
        notes.add("Left out of the regression, as a linear combination of hypotheses before it", varies & ~tested)
    return filled, tested


def _one_against_rest(target):
    """Yield (label, y, unit of y) of each question that the target poses."""
    if target.task == "regression":
        # A power of two, so that nothing is rounded; in this unit no square leaves the range of floats.
        unit = np.ldexp(1.0, np.frexp(np.abs(target.values).max())[1] - 1)
        yield None, target.values / unit, unit
    else:
        positives = np.unique(target.values) if target.task == "multiclass" else [1]
        for code in positives:
            yield target.classes[code], (target.values == code).astype(np.float64), 1.0


def _joint_regression(filled, tested, y, target, label, notes):
    """Return coefficients, p-values and the metrics of the fit; NaN where there is no estimate."""
    coef, pvalues = np.full((2, len(tested)), np.nan)
    is_regression = target.task == "regression"
    if tested.sum() + 1 >= len(y):
        return coef, pvalues, dict.fromkeys(["r2"] if is_regression else ["auc", "auprc"], np.nan)
    fit = (fit_least_squares if is_regression else fit_logistic)(filled[:, tested], y)
    coef[tested], pvalues[tested] = fit.coef, fit.pvalues
    if fit.penalized:
        of_class = f" of class {label!s}" if target.task == "multiclass" else ""
        notes.add(f"Hypotheses separate the classes, so the regression{of_class} is Firth's penalized one")
    if is_regression:
        return coef, pvalues, {"r2": r2_score(y, fit.predicted)}
    return coef, pvalues, {"auc": roc_auc_score(y, fit.predicted), "auprc": average_precision_score(y, fit.predicted)}


def _significance(pvalues, correction, alpha):
    """Return which p-values are significant, and the uncorrected one below which they are."""
    from statsmodels.stats.multitest import multipletests

    method = {"benjamini-hochberg": "fdr_bh"}.get(correction, correction)
    n_tests = len(pvalues)
    adjusted = multipletests(np.where(np.isnan(pvalues), 1.0, pvalues), alpha, method)[1]
    significant = adjusted < alpha
    n_found = max(int(significant.sum()), 1)
    divisors = {"bonferroni": n_tests, "holm": n_tests - n_found + 1, "fdr_bh": n_tests / n_found}
    return significant, float(alpha / divisors[method])


def _mean(values):
    """Return the mean of those that are not NaN, or NaN."""
    answered = values[~np.isnan(values)]
    return answered.mean() if len(answered) else np.nan
