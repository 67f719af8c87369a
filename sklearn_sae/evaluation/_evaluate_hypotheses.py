"""Statistical tests of hypotheses on annotated texts."""

from dataclasses import replace
from numbers import Real

from sklearn_sae.evaluation._check_annotations import are_of_pairs, check_annotations
from sklearn_sae.evaluation._evaluate import evaluate
from sklearn_sae.utils._controls import check_controls, check_weights
from sklearn_sae.utils._notes import noted
from sklearn_sae.utils._offset import check_offset
from sklearn_sae.utils._pair_targets import first_wins
from sklearn_sae.utils._sklearn_compat import Interval, StrOptions, validate_params
from sklearn_sae.utils._subgroups import check_by
from sklearn_sae.utils._targets import TASKS, check_target
from sklearn_sae.utils._validation import check_alignment, check_groups, refuse_masked


@validate_params(
    {
        "annotations": "no_validation",
        "y": "no_validation",
        "hypotheses": "no_validation",
        "task": [StrOptions(set(TASKS))],
        "correction": [StrOptions({"bonferroni", "holm", "fdr_bh", "benjamini-hochberg"})],
        "alpha": [Interval(Real, 0, 1, closed="neither")],
        "groups": "no_validation",
        "robust": ["boolean"],
        "confidence": [Interval(Real, 0, 1, closed="neither")],
        "controls": "no_validation",
        "sample_weight": "no_validation",
        "by": "no_validation",
        "offset": "no_validation",
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
    alpha=0.05,
    groups=None,
    robust=False,
    confidence=0.95,
    controls=None,
    sample_weight=None,
    by=None,
    offset=None,
):
    """Test which hypotheses predict a target, each alone and all together.

    Use texts on which the hypotheses were not found: on the texts that they come from, every p-value is too small.

    Parameters
    ----------
    annotations : array-like, DataFrame or sparse matrix of shape (n_samples, n_hypotheses)
        1 where a hypothesis holds for a text, 0 where it does not, any number between for a soft annotation, and NaN
        where no answer came. For pairs of texts, 1 where it holds for the first text only, -1 for the second only and 0
        for both or neither; the target is then which of the two wins, or the lead of the first over the second.

    y : array-like of shape (n_samples,)
        Target: numbers, or labels of any kind. Of pairs, which of the two wins: 1 or True for the first and 0 or False
        for the second; or labels that end in first and second, a and b, 1 and 2 or left and right.

    hypotheses : sequence of str of length n_hypotheses, default=None
        The sentences. By default the column names of a DataFrame, else "hypothesis 0", "hypothesis 1" and so on.

    task : {"auto", "regression", "binary", "multiclass", "ordinal"}, default="auto"
        What `y` is. "auto": two distinct values are binary; more, of strings or categories, multiclass; other
        numbers a regression. A binary target is its second class against its first, a multiclass target is each
        class against the rest. "ordinal" is a regression on the places 1, 2, ... of classes that have an order.

    correction : {"bonferroni", "holm", "fdr_bh"}, default="bonferroni"
        Correction of the p-values of either question for their number. "bonferroni" and "holm" bound the probability
        of any false finding, "fdr_bh" (Benjamini-Hochberg, also "benjamini-hochberg") the expected share of false ones
        among the findings. Every row of the table counts as a test, those that could not be tested too.

    alpha : float, default=0.05
        Level of significance after correction, between 0 and 1. The paper of the method [2]_ takes 0.1 and counts
        `significant_jointly`.

    groups : array-like of shape (n_samples,), default=None
        Labels of what rows have in common, such as the author or the restaurant. Texts of one group tend to agree, and
        then tell less than as many texts of different groups. With `groups`, all p-values and intervals are
        cluster-robust, and the cross-fitted score keeps each group in one fold.

    robust : bool, default=False
        Whether the regression's standard errors hold where the target scatters more in some rows than in others (HC3).
        `groups` has that already. Separation does not assume equal scatter in any case.

    confidence : float, default=0.95
        Level of each confidence interval. The intervals are not corrected for the number of hypotheses.

    controls : DataFrame, Series or array-like of shape (n_samples,) or (n_samples, n_controls), default=None
        What else may explain the target, such as the age of the author, the topic or the length of the text. The table
        then has the effect of each hypothesis beyond the controls beside the raw one. Numbers enter as they are, text,
        categories and bool as an indicator a level; a category of more than 20 levels is taken out by demeaning
        (fixed effects). Missing values of a frame are a level, or the mean beside an indicator, and `notes` says so.

    sample_weight : array-like of shape (n_samples,), default=None
        How much each row counts, as in a survey. All estimates are weighted, and all standard errors are robust (HC3,
        or with `groups` clustered), as those of survey sampling are. Only proportions matter; a row of weight 0 is
        left out.

    by : array-like of shape (n_samples,), default=None
        A column of subgroups, such as the region, or of periods, such as ``dates.dt.to_period("M")``. `by` of the
        evaluation then has the effect in each, and the table whether it differs. Rows without a value are left out of
        that.

    offset : array-like of shape (n_samples,), default=None
        Predictions of a model of your own: numbers, or of two classes the probability of the second, between 0 and 1.
        The columns of effects beyond the controls are then of the target minus these: of what the model misses. They
        must come from rows that the model was not fitted to.

    Returns
    -------
    evaluation : HypothesisEvaluation
        With `table`, `metrics` and `notes`; it prints as a table. See there for the columns. A hypothesis is
        `significant` if it holds on its own, and `significant_jointly` if it adds to all the others.

    Raises
    ------
    ValueError
        If `annotations` is empty, not 2-D, has infinities or numbers outside [-1, 1], or no answer at all; if `y` is
        missing, constant on the rows with an answer, of another length, has three classes where ``task="binary"`` or no
        order where ``task="ordinal"``; if `hypotheses` has another length than `annotations` has columns; if `groups`
        has another length than `annotations` has rows, a missing label or only one; if `annotations` and `y` have the
        same index in different orders; if `controls`, `sample_weight`, `by` or `offset` has another length; if a
        control holds dates or has another value in each row, a weight is negative, `offset` is no number, or `by` has
        dates, one value or more than 20 that are no periods.

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
    it adds for the text that has it. Where the target is which of the two wins, that is the win rate of the text that
    has it, above or below one half: 0.05 means that it wins 55 % of the pairs. An advantage that the first text has as
    such cancels. Rows where it holds for both or neither stand in for one of these that has no row, and then the
    difference is not halved. The longer text often wins: pass the difference in length as one of the `controls`, as
    `discover` does.

    The t-test takes means for normal and the spread of each side for known well enough. With few rows on a side its
    p-values may be far too small, most of all where these happen to have one and the same target, as they often do if
    it is 0 or 1. So `separation_pvalue` is NaN where a side has fewer than 10 rows and one target (a single row too),
    and `notes` names every hypothesis with fewer than 10 rows or one target on a side. With 10 rows or more and one
    target on each side it is 1 for equal and 0 for different means.

    *A hypothesis on its own.* `significant` goes by `pvalue`, the larger p-value of the t-test and of a permutation
    test, and that of the permutation test alone where the t-test is not reliable. The permutation test is that of the
    difference of means, by the variance and the skewness which it has over all orders of the target [7]_. It is not
    misled by few rows or by a rare class; the t-test is not misled by sides that scatter unequally. With `groups`,
    these are permuted. See docs/evaluation.md for how often a false hypothesis passes.

    The *effect size* has no unit. For a regression it is Cohen's d, the separation in standard deviations of the
    target, pooled over both sides; for classes Cohen's h, the difference of the two shares on the arcsine scale [4]_.
    By Cohen's rule of thumb 0.2 is small, 0.5 medium and 0.8 large, for either. For pairs it is halved with the
    separation.

    *The joint regression* is ordinary least squares, or logistic regression for classes, of the target on all
    hypotheses, so each coefficient is what a hypothesis adds to the others. `significant_jointly` goes by
    `joint_pvalue`, the larger p-value of its test and of a permutation test of the parts that the others leave, and
    `significant` by the separation alone: hypotheses that say nearly the same may all hold, and none of them add to the
    others. By default it
    has the classical standard errors, which for least squares assume that the target scatters alike in all rows. Where
    it scatters more for the rarer value of an annotation, p-values are then too small, and where less, too large;
    ``robust=True`` does without that assumption [5]_.

    *Groups.* Variances are cluster-robust (CR1), with Student's t of one degree of freedom less than there are groups
    [6]_. Groups count for as many as they are worth to the estimate: a hypothesis that holds in two of a hundred groups
    rests on two [8]_. It is good for many groups: with fewer than 20, p-values tend to be too small, and `notes` says
    so. `notes` also names hypotheses whose annotation varies in fewer than 10; with one, a t-test has no p-value.

    *The fit* in-sample (`r2`, or `auc` and `auprc`) is to the rows that it is measured on, and so grows with the number
    of hypotheses. `r2_cv` or `auc_cv` is cross-fitted: the same regression, fitted to four fifths of the rows and
    scored on the last, five times; always the same folds for the same rows. R² is of all predictions together, AUC the
    mean of the folds. It is honest for hypotheses that were not found on these rows, and only for these.

    *Redundancy.* `max_correlation` is the largest absolute correlation of an annotation with that of another
    hypothesis. `notes` names pairs of 0.8 or more. They share one effect, and it may be that neither is significant
    where both are in the regression.

    *Controls.* `controlled_score` is the coefficient of least squares of the target on whether the hypothesis holds and
    on the controls, for classes too (a linear probability model), so that it has the unit of the separation. Without
    controls it would be the separation itself. Its standard error is HC3 [5]_, or CR1 with `groups`; with two or more
    categories taken out by demeaning HC1. `controlled_pvalue` is the larger p-value of its t-test and of Freedman and
    Lane's permutation test, in which what the controls leave of the target is permuted [9]_. The raw columns and the
    joint regression are without controls. Controls help against what was measured, and only against that.

    *Offset.* `controlled_score` is then of the target minus the predictions, of two classes of the indicator of the
    second minus its probability: by how much more the model errs where the hypothesis holds. For two classes the
    estimate is zero where the score of a logistic regression with the log-odds as offset is.

    *Weights.* The separation is then the same least squares without controls, and the joint regression a weighted one.
    A permutation moves a row's residual as it counts, with its weight.

    *Subgroups.* The controls are taken out within each subgroup. `interaction_pvalue` is that of Welch's test of
    several means for the effects in all subgroups where the hypothesis, and its absence, has 10 rows or more; it heeds
    that effects are dependent where `groups` have rows in several subgroups. Trends are coefficients of least squares:
    of whether the hypothesis holds on the number of the period, and of the target on that number where it holds, beside
    the hypothesis, a level for each period and the controls. All are corrected like the other p-values.

    What the regression cannot estimate is NaN and not significant jointly, and `notes` says why:

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
    .. [7] Mielke & Berry, "Permutation methods: a distance function approach", 2nd edition (2007).
    .. [8] Carter, Schnepel & Steigerwald, "Asymptotic behavior of a t-test robust to cluster heterogeneity", Review of
       Economics and Statistics 99 (2017).
    .. [9] Freedman & Lane, "A nonstochastic interpretation of reported significance levels", Journal of Business &
       Economic Statistics 1 (1983).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sae import evaluate_hypotheses
    >>> rng = np.random.default_rng(0)
    >>> annotations = rng.integers(0, 2, size=(200, 2))
    >>> stars = 3 + annotations[:, 0] + rng.normal(size=200)
    >>> evaluate_hypotheses(annotations, stars, hypotheses=["praises the food", "mentions parking"])
    1 of 2 hypotheses significant, 1 jointly (bonferroni, alpha=0.05: p < 0.025)
    R² 0.091 cross-fitted, 0.116 in-sample; 200 rows
    separation  holds  hypothesis
        +0.74*    55%  praises the food
         0.00     56%  mentions parking
    separation: mean target where the hypothesis holds minus where not, ±0.29 to ±0.30 (95%); *
    significant. More: .to_text(wide=True).

    Where something else, the price say, drives the stars and what is written, a control takes it out:

    >>> rng = np.random.default_rng(1)
    >>> price = rng.normal(size=200)
    >>> annotations[:, 1] = price + rng.normal(size=200) > 0
    >>> controlled = evaluate_hypotheses(annotations, stars + price, controls=price)
    >>> controlled.table[["significant", "significant_controlled"]]
       significant  significant_controlled
    0         True                    True
    1         True                   False
    """
    A, hypotheses = check_annotations(annotations, hypotheses)
    check_alignment(annotations, y, name="annotations")
    check_alignment(annotations, groups, name="annotations", other_name="groups")
    refuse_masked(annotations, "annotations")
    target = check_target(y, task=task, n_samples=len(A))
    if are_of_pairs(A):
        target = first_wins(target)
    with noted() as on_controls:
        controls = check_controls(controls, len(A), X=annotations, X_name="annotations")
    check_alignment(annotations, sample_weight, name="annotations", other_name="sample_weight")
    check_alignment(annotations, offset, name="annotations", other_name="offset")
    evaluation = evaluate(
        A,
        hypotheses,
        target,
        correction=correction,
        alpha=alpha,
        groups=check_groups(groups, len(A)),
        robust=robust,
        confidence=confidence,
        controls=controls,
        weights=check_weights(sample_weight, len(A)),
        by=check_by(by, len(A), annotations, "annotations"),
        offset=check_offset(offset, target),
    )
    target_name = y.name if isinstance(getattr(y, "name", None), str) else None
    return replace(evaluation, notes=(*target.notes, *on_controls, *evaluation.notes), target_name=target_name)
