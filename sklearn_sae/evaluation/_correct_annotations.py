"""Effects of hypotheses that labels of people correct."""

from dataclasses import replace
from numbers import Real

import numpy as np
import pandas as pd

from sklearn_sae.evaluation._check_annotations import are_of_pairs, check_annotations
from sklearn_sae.evaluation._correct import correct
from sklearn_sae.evaluation._sampling_design import check_sampled
from sklearn_sae.utils._pair_targets import first_wins
from sklearn_sae.utils._sklearn_compat import Interval, StrOptions, validate_params
from sklearn_sae.utils._targets import TASKS, check_target
from sklearn_sae.utils._validation import check_alignment, check_groups, refuse_masked


@validate_params(
    {
        "annotations": "no_validation",
        "human": "no_validation",
        "sampled": "no_validation",
        "y": "no_validation",
        "method": [StrOptions({"dsl", "ppi"})],
        "hypotheses": "no_validation",
        "task": [StrOptions(set(TASKS))],
        "correction": [StrOptions({"bonferroni", "holm", "fdr_bh", "benjamini-hochberg"})],
        "alpha": [Interval(Real, 0, 1, closed="neither")],
        "groups": "no_validation",
        "confidence": [Interval(Real, 0, 1, closed="neither")],
    },
    prefer_skip_nested_validation=True,
)
def correct_annotations(
    annotations,
    human,
    sampled,
    y,
    *,
    method="dsl",
    hypotheses=None,
    task="auto",
    correction="bonferroni",
    alpha=0.05,
    groups=None,
    confidence=0.95,
):
    """Test which hypotheses predict a target, where people labelled a random part of the texts.

    Annotations have errors, and where these depend on the target, `evaluate_hypotheses` finds effects that are not
    there. Here annotations of all texts lend precision, and the labels of people make the estimates true. The texts to
    label must be drawn at random, with known probabilities, as by `sample_for_labelling`.

    Parameters
    ----------
    annotations : array-like, DataFrame or sparse matrix of shape (n_samples, n_hypotheses)
        Of all texts, as of `evaluate_hypotheses`: 1 where a hypothesis holds, 0 where it does not, numbers between, or
        NaN; for pairs of texts also -1.

    human : array-like or DataFrame of shape (n_samples, n_hypotheses)
        The labels, written as the annotations are, with NaN where there is none. Of a DataFrame with the names of the
        hypotheses as columns the order of columns does not matter.

    sampled : array-like of shape (n_samples,)
        True where a text was drawn, if all had the same probability; else the probability with which each text was
        drawn. Texts of one probability are one stratum. Texts that were not drawn may have NaN only if a fixed number
        was drawn of each stratum, because its size is then known from that.

    y : array-like of shape (n_samples,)
        Target of all texts: numbers, or labels of any kind.

    method : {"dsl", "ppi"}, default="dsl"
        "dsl": design-based supervised learning [1]_, which predicts labels from annotation and target. "ppi":
        prediction-powered inference [2]_, which takes the annotation as it is and weighs it by how good it is.

    hypotheses : sequence of str of length n_hypotheses, default=None
        The sentences. By default the column names of a DataFrame, else "hypothesis 0", "hypothesis 1" and so on.

    task : {"auto", "regression", "binary", "multiclass", "ordinal"}, default="auto"
        What `y` is, as of `evaluate_hypotheses`.

    correction : {"bonferroni", "holm", "fdr_bh"}, default="bonferroni"
        Correction of the p-values of either question for their number, as of `evaluate_hypotheses`.

    alpha : float, default=0.05
        Level of significance after correction, between 0 and 1.

    groups : array-like of shape (n_samples,), default=None
        Labels of what rows have in common, such as the author. Errors are then clustered.

    confidence : float, default=0.95
        Level of each confidence interval.

    Returns
    -------
    evaluation : CorrectedEvaluation
        A `HypothesisEvaluation`, which prints as a table, with the effects of what people would have labelled.

    Raises
    ------
    ValueError
        If `annotations`, `y`, `hypotheses` or `groups` are wrong as for `evaluate_hypotheses`; if `human` is not of the
        shape of `annotations`, names other hypotheses, or has no label; if `sampled` is not one value a row, has no
        probability for a labelled row, or its probabilities are not those of drawing so few texts.

    See Also
    --------
    sample_for_labelling : Draws the texts to label.
    read_labels : Reads the labels, and the probabilities.
    agreement : How well annotations and labels agree.
    evaluate_hypotheses : Takes annotations for the truth.

    Notes
    -----
    *What is estimated* is what `evaluate_hypotheses` would show if people had labelled all texts: the separation of
    each hypothesis, and the joint regression, least squares or, for classes, logistic. Labels are taken for the truth:
    with several coders, settle on one label first, and see `agreement`.

    *What is assumed.* Texts to label were drawn at random with the probabilities given, and none was out of reach.
    Nothing is assumed of the annotations: they may have any errors, which may depend on the target, on the text and on
    each other. Good ones make intervals shorter, useless ones do not make them wrong. Texts that were chosen because
    they are easy, interesting or the first in the file are no such draw, and no method mends that. A label that is
    missing is taken to be missing at random among texts of the same probability.

    *How.* The annotation is a regressor, so its errors enter the moments of the regressors with each other and with the
    target. Each row's estimating function is taken with a prediction of its label. To that comes, for each labelled
    row, the weighted difference between the function with the label and with the prediction, which is zero on average
    only if the predictions have no part in the errors [1]_, [3]_. "dsl" predicts labels by least squares from the
    annotation, the target and their product, cross-fitted in five folds, always the same for the same rows. "ppi"
    predicts the label by the annotation and multiplies this part by a number from 0 to 1, by which the error of the
    draw is least [4]_; one for each separation, and one for the joint regression.

    *Errors* are those of a sandwich that is valid with errors of any kind in the annotations and unequal scatter,
    clustered with `groups`, less what is certain because each stratum has a fixed number of labels [5]_. The degrees of
    freedom of Student's t go by the number of labels that an estimate rests on. Approximations, all of them: with fewer
    than 10 labels on a side, or 10 a coefficient, intervals tend to be too short, and `notes` says so. There is no
    permutation test here, so `pvalue` and `separation_pvalue` are one.

    A regression without a solution (too few labels, or labels that separate the classes) is NaN, and `notes` says so.

    References
    ----------
    .. [1] Egami, Hinck, Stewart & Wei, "Using imperfect surrogates for downstream inference: design-based supervised
       learning for social science applications of large language models", NeurIPS (2023).
    .. [2] Angelopoulos, Bates, Fannjiang, Jordan & Zrnic, "Prediction-powered inference", Science 382 (2023).
    .. [3] Egami, Hinck, Stewart & Wei, "Using large language model annotations for the social sciences: a general
       framework of using predicted variables in downstream analyses" (2024).
    .. [4] Angelopoulos, Duchi & Zrnic, "PPI++: efficient prediction-powered inference", arXiv:2311.01453 (2023).
    .. [5] Särndal, Swensson & Wretman, "Model assisted survey sampling" (1992).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sae import correct_annotations
    >>> rng = np.random.default_rng(0)
    >>> truth = rng.integers(0, 2, size=(2000, 2))
    >>> stars = 3 + truth[:, 0] + rng.normal(size=2000)

    The annotator thinks that whoever gives many stars mentions parking:

    >>> wrong = rng.random((2000, 2)) < np.column_stack([np.full(2000, 0.1), 0.3 * (stars > 3.5)])
    >>> annotations = np.where(wrong, [0, 1], truth)
    >>> drawn = rng.permutation(2000) < 300
    >>> human = np.where(drawn[:, None], truth, np.nan)
    >>> corrected = correct_annotations(
    ...     annotations, human, drawn, stars, hypotheses=["praises the food", "mentions parking"]
    ... )
    >>> corrected
    1 of 2 hypotheses significant, 1 jointly (bonferroni, alpha=0.05: p < 0.025)
    R² 0.250 estimated; 2,000 rows, of which people labelled 300
    Corrected by design-based supervised learning
    separation   naive  holds  hypothesis
        +1.12*  +0.92*    53%  praises the food
        -0.12   +0.19*    49%  mentions parking
    separation: mean target where the hypothesis holds minus where not, ±0.13 to ±0.14 (95%); *
    significant. naive: by the annotations alone. More: .to_text(wide=True).
    >>> corrected.table["naive_separation_score"].round(2).tolist()
    [0.92, 0.19]
    """
    A, hypotheses = check_annotations(annotations, hypotheses)
    check_alignment(annotations, y, name="annotations")
    check_alignment(annotations, human, name="annotations", other_name="human")
    check_alignment(annotations, groups, name="annotations", other_name="groups")
    refuse_masked(annotations, "annotations")
    refuse_masked(human, "human")
    labels = check_labels(human, hypotheses, len(A))
    probabilities = check_sampled(sampled, ~np.isnan(labels).all(axis=1))
    target = check_target(y, task=task, n_samples=len(A))
    if are_of_pairs(A):
        target = first_wins(target)
    evaluation = correct(
        A,
        labels,
        hypotheses,
        probabilities,
        target,
        method=method,
        correction=correction,
        alpha=alpha,
        groups=check_groups(groups, len(A)),
        confidence=confidence,
    )
    target_name = y.name if isinstance(getattr(y, "name", None), str) else None
    return replace(evaluation, notes=(*target.notes, *evaluation.notes), target_name=target_name)


def check_labels(human, hypotheses, n_samples, *, name="human"):
    """Return labels as a float64 array, with columns in the order of the hypotheses.

    Parameters
    ----------
    human : array-like or DataFrame of shape (n_samples, n_hypotheses)
    hypotheses : list of str
    n_samples : int
    name : str, default="human"
        What to call `human` in an error.

    Raises
    ------
    ValueError
        If `human` has another shape, or a DataFrame has columns by other names.
    """
    if isinstance(human, pd.DataFrame):
        columns = [str(column) for column in human.columns]
        if sorted(columns) == sorted(hypotheses) and len(set(columns)) == len(columns):
            human = human.set_axis(columns, axis=1)[hypotheses]
        elif not set(columns).isdisjoint(hypotheses):
            odd = next((column for column in columns if column not in hypotheses), columns[0])
            raise ValueError(f"{name} must have a column for each hypothesis and no other; see the column {odd!r}.")
    labels, _ = check_annotations(human, name=name)
    if labels.shape != (n_samples, len(hypotheses)):
        raise ValueError(
            f"{name} must have the shape of annotations, one row a text and one column a hypothesis, with NaN where "
            f"there is no label; its shape is {labels.shape}, that of annotations {(n_samples, len(hypotheses))}."
        )
    return labels
