"""Statistical tests of hypotheses on annotated texts."""

from numbers import Real

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score, r2_score, roc_auc_score

from sklearn_sae.evaluation._check_annotations import check_annotations
from sklearn_sae.evaluation._correlation import correlations
from sklearn_sae.evaluation._cross_fit import cross_fit_auc, cross_fit_r2
from sklearn_sae.evaluation._hypothesis_evaluation import HypothesisEvaluation
from sklearn_sae.evaluation._regression import fit_least_squares, fit_logistic, independent_columns
from sklearn_sae.evaluation._separation import FEW, separation
from sklearn_sae.utils._sklearn_compat import Interval, StrOptions, validate_params
from sklearn_sae.utils._targets import check_target, check_target_varies
from sklearn_sae.utils._validation import check_groups

_FEW_GROUPS = 20
# Two hypotheses of this absolute correlation inflate the variance of each other's coefficient 2.8 times.
_NEARLY_SAME = 0.8
_MAX_PAIRS = 5  # A note names so many pairs.


@validate_params(
    {
        "annotations": "no_validation",
        "y": "no_validation",
        "hypotheses": "no_validation",
        "task": [StrOptions({"auto", "regression", "binary", "multiclass"})],
        "correction": [StrOptions({"bonferroni", "holm", "fdr_bh", "benjamini-hochberg"})],
        "alpha": [Interval(Real, 0, 1, closed="neither")],
        "groups": "no_validation",
        "robust": ["boolean"],
        "confidence": [Interval(Real, 0, 1, closed="neither")],
    },
    prefer_skip_nested_validation=True,
)
def evaluate_hypotheses(
    annotations,
    y,
    *,
    hypotheses=None,
    task="auto",
    correction="bonferroni",
    alpha=0.1,
    groups=None,
    robust=False,
    confidence=0.95,
):
    """Test which hypotheses predict a target, each alone and all together.

    Use texts on which the hypotheses were not found: on the texts that they come from, every p-value is too small.

    Parameters
    ----------
    annotations : array-like, DataFrame or sparse matrix of shape (n_samples, n_hypotheses)
        1 where a hypothesis holds for a text, 0 where it does not, any number between for a soft annotation, and NaN
        where no answer came. For pairs of texts, 1 where it holds for the first text only, -1 for the second only and 0
        for both or neither; the target is then whether the first wins (1 or 0), or its lead over the second.

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

    groups : array-like of shape (n_samples,), default=None
        Labels of what rows have in common, such as the author or the restaurant. Texts of one group tend to agree, and
        then tell less than as many texts of different groups. With `groups`, all p-values and intervals are
        cluster-robust, and the cross-fitted score keeps each group in one fold.

    robust : bool, default=False
        Whether the regression's standard errors hold where the target scatters more in some rows than in others (HC3).
        `groups` has that already. Separation does not assume equal scatter in any case.

    confidence : float, default=0.95
        Level of each confidence interval. The intervals are not corrected for the number of hypotheses.

    Returns
    -------
    evaluation : HypothesisEvaluation
        With `table`, `metrics` and `notes`; it prints as a table. See there for the columns.

    Raises
    ------
    ValueError
        If `annotations` is empty, not 2-D, has infinities or numbers outside [-1, 1], or no answer at all; if `y` is
        missing, constant on the rows with an answer, of another length, or has three classes where
        ``task="binary"``; if `hypotheses` has another length than `annotations` has columns; if `groups` has another
        length than `annotations` has rows, a missing label or only one.

    See Also
    --------
    discover : Finds hypotheses and tests them on texts held out.
    match_hypotheses : Compares hypotheses with known ones, without a target.
    sklearn.model_selection.permutation_test_score : Tests a whole pipeline by shuffling the target.
    statsmodels.stats.multitest.multipletests : The corrections.

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

    The *effect size* has no unit. For a regression it is Cohen's d, the separation in standard deviations of the
    target, pooled over both sides; for classes Cohen's h, the difference of the two shares on the arcsine scale [4]_.
    By Cohen's rule of thumb 0.2 is small, 0.5 medium and 0.8 large, for either. For pairs it is halved with the
    separation.

    *The joint regression* is ordinary least squares, or logistic regression for classes, of the target on all
    hypotheses, so each coefficient is what a hypothesis adds to the others. `significant` rests on it. By default it
    has the classical standard errors, which for least squares assume that the target scatters alike in all rows. Where
    it scatters more for the rarer value of an annotation, p-values are then too small, and where less, too large;
    ``robust=True`` does without that assumption [5]_.

    *Groups.* The variance of a separation or coefficient is CR1, with Student's t of one degree of freedom less than
    there are groups [6]_. It is good for many groups: with fewer than 20, p-values tend to be too small, and `notes`
    says so. So do they for a hypothesis whose annotation varies in few groups. `notes` names those of fewer than 10;
    with one, there is no p-value.

    *The fit* in-sample (`r2`, or `auc` and `auprc`) is to the rows that it is measured on, and so grows with the number
    of hypotheses. `r2_cv` or `auc_cv` is cross-fitted: the same regression, fitted to four fifths of the rows and
    scored on the last, five times; always the same folds for the same rows. R² is of all predictions together, AUC the
    mean of the folds. It is honest for hypotheses that were not found on these rows, and only for these.

    *Redundancy.* `max_correlation` is the largest absolute correlation of an annotation with that of another
    hypothesis. `notes` names pairs of 0.8 or more. They share one effect, and it may be that neither is significant
    where both are in the regression.

    What the regression cannot estimate is NaN and not significant, and `notes` says why:

    - A constant annotation is left out of it.
    - So is one that is a linear combination of those before it. Of duplicates the first carries the coefficient.
    - A missing answer counts as the mean of the hypothesis's other answers, so that one failed answer does not cost
      the row; a row without any answer is dropped. Separation and prevalence use answered rows only. With more than a
      few per cent missing, the regression's p-values are approximate.
    - With no more rows than coefficients nothing is estimated.
    - Where hypotheses separate the classes, fully or in part, log-odds have no finite estimate by maximum
      likelihood. All coefficients are then Firth's, which are finite, with penalized likelihood-ratio tests and the
      intervals that belong to these [1]_, and these are the same with ``robust=True``. There is no such test for rows
      in groups. With `groups` the hypotheses that hold (or do not) in one class only have neither p-value nor interval,
      and the others have clustered ones; where hypotheses separate the classes only together, none has any.
    - Where least squares fits exactly, p-values are 0, or 1 for a coefficient of zero.

    References
    ----------
    .. [1] Heinze & Schemper, "A solution to the problem of separation in logistic regression", Statistics in
       Medicine 21 (2002).
    .. [2] Movva, Peng, Garg, Kleinberg & Pierson, "Sparse autoencoders for hypothesis generation", ICML (2025): the
       statistics.
    .. [3] Benjamini & Hochberg, "Controlling the false discovery rate", Journal of the Royal Statistical Society B 57
       (1995).
    .. [4] Cohen, "Statistical power analysis for the behavioral sciences", 2nd edition (1988), sections 2.2 and 6.2.
    .. [5] Long & Ervin, "Using heteroscedasticity consistent standard errors in the linear regression model", The
       American Statistician 54 (2000).
    .. [6] Cameron & Miller, "A practitioner's guide to cluster-robust inference", Journal of Human Resources 50 (2015).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sae import evaluate_hypotheses
    >>> rng = np.random.default_rng(0)
    >>> annotations = rng.integers(0, 2, size=(200, 2))
    >>> stars = 3 + annotations[:, 0] + rng.normal(size=200)
    >>> evaluate_hypotheses(annotations, stars, hypotheses=["praises the food", "mentions parking"])
    1 of 2 hypotheses significant (bonferroni, alpha=0.1: p < 0.05)
    R² 0.091 cross-fitted, 0.116 in-sample; 200 rows
    separation  p (sep.)    coef  p (coef)  prevalence  significant  hypothesis
        +0.737     1e-06  +0.740     8e-07       54.5%          yes  praises the food
        -0.001     0.995  -0.045     0.756       56.0%               mentions parking
    """
    A, hypotheses = check_annotations(annotations, hypotheses)
    target = check_target(y, task=task, n_samples=len(A))
    groups = check_groups(groups, len(A))
    answered = ~np.isnan(A).all(axis=1)
    if not answered.any():
        raise ValueError("annotations has no answer: every entry is NaN.")
    A, target = A[answered], target._replace(values=target.values[answered])
    check_target_varies(target)

    notes = _Notes(hypotheses)
    n_varied = None
    if groups is not None:
        groups, n_varied = _count_groups(A, groups[answered], notes)
    options = {"groups": groups, "confidence": confidence}
    filled, tested = _design(A, notes)
    same_for_all = {
        "prevalence": [_mean(np.abs(annotation)) for annotation in A.T],
        "max_correlation": _redundancy(A, notes),
    }
    blocks, fits = [], []
    for label, values, unit in _one_against_rest(target):
        separations = [separation(column, values, shares=target.task != "regression", **options) for column in A.T]
        statistics, fit = _joint_regression(filled, tested, values, target, label, notes, robust=robust, **options)
        if groups is not None:
            statistics[1:, n_varied < 2] = np.nan
        of_class = {} if label is None else {"class": [label] * len(hypotheses)}
        estimates = _estimates(separations, statistics, unit)
        blocks.append(pd.DataFrame({**of_class, "hypothesis": hypotheses, **estimates, **same_for_all}))
        fits.append({**fit, **_cross_fit(A[:, tested], values, target, groups)})
        reliable = np.array([each.reliable for each in separations])
        if not reliable.all():
            notes.add(
                f"The t-test of separation is not reliable, as a side has fewer than {FEW} rows or its target does not "
                "vary",
                ~reliable,
                label=label,
            )
    table = pd.concat(blocks, ignore_index=True)
    table["significant"], threshold = _significance(table["regression_pvalue"].to_numpy(), correction, alpha)
    class_metrics = None
    if target.task == "multiclass":
        class_metrics = _class_metrics(table, target, fits, notes)
    metrics = {key: float(_mean(np.array([fit[key] for fit in fits]))) for key in fits[0]}
    metrics.update(
        n_significant=int(table["significant"].sum()),
        n_hypotheses=len(hypotheses),
        threshold=threshold,
        n_samples=len(A),
    )
    if groups is not None:
        metrics["n_groups"] = int(groups.max()) + 1
    return HypothesisEvaluation(
        table,
        metrics,
        target.task,
        correction,
        alpha,
        notes.sentences(),
        standard_errors="clustered" if groups is not None else "HC3" if robust else "classical",
        confidence=confidence,
        class_metrics=class_metrics,
    )


class _Notes:
    """Sentences that name hypotheses, in which one that holds for several classes occurs once."""

    def __init__(self, hypotheses):
        self.names = [repr(name if len(name) <= 60 else name[:59] + "…") for name in hypotheses]
        self._classes = {}  # the classes by sentence

    def add(self, sentence, which=(), *, label=None):
        names = ", ".join(self.names[j] for j in np.flatnonzero(which))
        classes = self._classes.setdefault(f"{sentence}: {names}." if names else f"{sentence}.", [])
        if label is not None:
            classes.append(str(label))

    def sentences(self):
        return tuple(
            f"Class{'es' * (len(classes) > 1)} {', '.join(classes)}: {sentence}" if classes else sentence
            for sentence, classes in self._classes.items()
        )


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


def _count_groups(A, groups, notes):
    """Return the groups numbered from 0, and in how many of them each annotation is not what it is elsewhere."""
    groups = np.unique(groups, return_inverse=True)[1]
    n_groups = groups.max() + 1
    if n_groups < 2:
        raise ValueError("groups has one label in all rows with an answer; standard errors need two groups or more.")
    if n_groups < _FEW_GROUPS:
        notes.add(f"With {n_groups} groups the p-values are approximate and tend to be too small")
    # The clustered error of an annotation that varies in a single group is near zero, whatever the true error.
    n_varied = np.array([min(len(np.unique(groups[~np.isnan(a) & (a != usual)])) for usual in (-1, 0, 1)) for a in A.T])
    few = (n_varied < FEW) & (n_varied > 0)
    if few.any():
        notes.add(f"The p-values are not reliable, as the annotation varies in fewer than {FEW} groups", few)
    return groups, n_varied


def _redundancy(A, notes):
    """Return the largest absolute correlation of each hypothesis with another, and note the pairs above a limit."""
    between = np.abs(correlations(A, A))
    np.fill_diagonal(between, np.nan)
    pairs = np.argwhere(np.triu(np.nan_to_num(between)) >= _NEARLY_SAME)
    pairs = sorted(pairs.tolist(), key=lambda pair: -between[tuple(pair)])
    if pairs:
        named = [f"{notes.names[i]} and {notes.names[j]} ({between[i, j]:.2f})" for i, j in pairs[:_MAX_PAIRS]]
        more = f"; and {len(pairs) - _MAX_PAIRS} more pairs" if len(pairs) > _MAX_PAIRS else ""
        notes.add(f"Annotations nearly the same or opposite (absolute correlation): {'; '.join(named)}{more}")
    return np.fmax.reduce(between, axis=1)


def _one_against_rest(target):
    """Yield (class or None, y, unit of y) for the target, or for each of its classes against the rest."""
    if target.task == "regression":
        # The unit is a power of two, so that nothing is rounded. In it no square leaves the range of floats.
        unit = np.ldexp(1.0, np.frexp(np.abs(target.values).max())[1] - 1)
        yield None, target.values / unit, unit
    else:
        is_multiclass = target.task == "multiclass"
        for code in np.unique(target.values) if is_multiclass else [1]:
            yield target.classes[code] if is_multiclass else None, (target.values == code).astype(np.float64), 1.0


def _estimates(separations, statistics, unit):
    """Return the columns of a table of estimates, in the unit of the target."""
    coef, se, pvalue, low, high = statistics
    return {
        "separation_score": [unit * each.score for each in separations],
        "separation_pvalue": [each.pvalue for each in separations],
        "separation_ci_low": [unit * each.low for each in separations],
        "separation_ci_high": [unit * each.high for each in separations],
        "effect_size": [each.effect_size for each in separations],
        "regression_coef": unit * coef,
        "regression_se": unit * se,
        "regression_pvalue": pvalue,
        "regression_ci_low": unit * low,
        "regression_ci_high": unit * high,
    }


def _joint_regression(filled, tested, y, target, label, notes, *, groups, robust, confidence):
    """Return coefficients, errors, p-values and limits, NaN where there is no estimate, and the metrics of the fit."""
    statistics = np.full((5, len(tested)), np.nan)
    is_regression = target.task == "regression"
    if tested.sum() + 1 >= len(y):
        return statistics, dict.fromkeys(["r2"] if is_regression else ["auc", "auprc"], np.nan)
    regress = fit_least_squares if is_regression else fit_logistic
    fit = regress(filled[:, tested], y, groups=groups, robust=robust, confidence=confidence)
    statistics[:, tested] = fit.coef, fit.se, fit.pvalues, fit.low, fit.high
    if fit.penalized:
        sentence = "Hypotheses separate the classes, so the regression is Firth's penalized one"
        if groups is not None:
            sentence += "; for rows in groups that leaves without a p-value what goes with one class only"
        elif robust:
            sentence += ", its tests not the robust ones"
        notes.add(sentence, tested & np.isnan(statistics[2]), label=label)
    if is_regression:
        return statistics, {"r2": r2_score(y, fit.predicted)}
    return statistics, {"auc": roc_auc_score(y, fit.predicted), "auprc": average_precision_score(y, fit.predicted)}


def _cross_fit(A, y, target, groups):
    """Return the cross-fitted score, NaN where the regression itself is not estimated."""
    is_regression = target.task == "regression"
    score = cross_fit_r2 if is_regression else cross_fit_auc
    estimated = A.shape[1] + 1 < len(y)
    return {"r2_cv" if is_regression else "auc_cv": score(A, y, groups) if estimated else np.nan}


def _class_metrics(table, target, fits, notes):
    """Return the fit of each class against the rest, and note those that are too few to be scored."""
    present, n_samples = np.unique(target.values, return_counts=True)
    labels = target.classes[present]
    n_significant = table["significant"].to_numpy().reshape(len(labels), -1).sum(axis=1)
    for label, fit in zip(labels, fits, strict=True):
        if np.isnan(fit["auc_cv"]) and not np.isnan(fit["auc"]):
            notes.add("Too few rows for a cross-fitted AUC; left out of its mean", label=label)
    classes = pd.DataFrame({"class": list(labels), "n_samples": n_samples})
    return classes.assign(**pd.DataFrame(fits), n_significant=n_significant)


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
