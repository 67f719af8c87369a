"""The tests of what people would have labelled against a checked target."""

import numpy as np
import pandas as pd

from sklearn_sae.evaluation._corrected_evaluation import CorrectedEvaluation
from sklearn_sae.evaluation._corrected_regression import corrected_regression, identified
from sklearn_sae.evaluation._corrected_separation import corrected_separation
from sklearn_sae.evaluation._evaluate import FEW_GROUPS, Notes, class_metrics, evaluate, one_against_rest, significance
from sklearn_sae.evaluation._sampling_design import make_design
from sklearn_sae.evaluation._separation import FEW
from sklearn_sae.utils._targets import check_target_varies

_LABELS_A_COEFFICIENT = 10  # With fewer the errors of a regression tend to be too small.


def correct(A, labels, hypotheses, probabilities, target, *, method, correction, alpha, groups=None, confidence=0.95):
    """Return the `CorrectedEvaluation` of annotations for a target.

    Parameters
    ----------
    A, labels : ndarray of shape (n_samples, n_hypotheses)
        Checked annotations, and labels with NaN where there are none.
    hypotheses : list of str
    probabilities : ndarray of shape (n_samples,)
        Of being drawn; NaN for rows that were not.
    target : Target
        Of `n_samples` values.
    groups : ndarray of int of shape (n_samples,) or None
    method, correction, alpha, confidence
        As of `correct_annotations`, where all is told.
    """
    check_target_varies(target)
    notes, sampled = Notes(hypotheses), ~np.isnan(probabilities)
    answered = ~np.isnan(labels) & sampled[:, None]
    if groups is not None:
        _note_groups(groups, notes)
    _note_blanks(answered, sampled, notes)
    designs = [make_design(probabilities, column) for column in answered.T]
    tested, joint_design = _joint_design(labels, answered, probabilities, notes)
    options = {"method": method, "groups": groups, "confidence": confidence}
    is_classes = target.task != "regression"
    blocks, scores = [], []
    for label, values, unit in one_against_rest(target):
        separations = [
            corrected_separation(*columns, values, design, shares=is_classes, **options)
            for *columns, design in zip(labels.T, A.T, designs, strict=True)
        ]
        statistics, r2 = np.full((5, len(hypotheses)), np.nan), np.nan
        if tested.any():
            joint = labels[:, tested], A[:, tested], values, joint_design
            *found, r2 = corrected_regression(*joint, logistic=is_classes, **options)
            statistics[:, tested] = found
            if np.isnan(found).any():
                notes.add("The joint regression is not estimated, as it has no solution with these labels", label=label)
        of_class = {} if label is None else {"class": [label] * len(hypotheses)}
        estimates = _estimates(separations, statistics, unit, is_classes)
        blocks.append(pd.DataFrame({**of_class, "hypothesis": hypotheses, **estimates}))
        scores.append(r2)
    few = np.array([min(each.n_sides) < FEW for each in separations])
    if few.any():
        notes.add(f"Not reliable, as fewer than {FEW} labels say that it holds, or that it does not", few)
    table = pd.concat(blocks, ignore_index=True)
    options = {"correction": correction, "alpha": alpha, "groups": groups, "confidence": confidence}
    naive = evaluate(A, hypotheses, target, **options).table
    if target.task == "multiclass":  # A class of which no row has an annotation is not among the naive ones.
        naive = _by_class(naive).reindex(_by_class(table).index).reset_index(drop=True)
    table["max_correlation"] = naive["max_correlation"]
    thresholds = {}
    for column, pvalues in (("significant", "pvalue"), ("significant_jointly", "joint_pvalue")):
        table[column], thresholds[column] = significance(table[pvalues].to_numpy(), correction, alpha)
    for column in ("separation_score", "separation_ci_low", "separation_ci_high", "significant", "regression_coef"):
        table[f"naive_{column}"] = naive[column]
    table["n_labels"] = np.tile(answered.sum(axis=0), len(blocks))
    table["n_labels_holds"] = [each.n_sides[0] for each in separations] * len(blocks)
    unscored = [dict.fromkeys(("auc", "auprc", "auc_cv"), np.nan)] * len(blocks)
    metrics = {
        **({} if is_classes else {"r2": float(scores[0])}),
        "n_significant": int(table["significant"].sum()),
        "n_significant_jointly": int(table["significant_jointly"].sum()),
        "n_hypotheses": len(hypotheses),
        "threshold": thresholds["significant"],
        "threshold_jointly": thresholds["significant_jointly"],
        "n_samples": len(A),
        "n_labelled": int(answered.any(axis=1).sum()),
        "n_labelled_jointly": int(joint_design.drawn.sum()),
        **({} if groups is None else {"n_groups": int(groups.max()) + 1}),
    }
    return CorrectedEvaluation(
        table,
        metrics,
        target.task,
        correction,
        alpha,
        notes.sentences(),
        standard_errors="design-based" if groups is None else "clustered",
        confidence=confidence,
        class_metrics=class_metrics(table, target, unscored) if target.task == "multiclass" else None,
        annotations=A,
        target=target,
        method=method,
        human=labels,
        sampled=probabilities,
    )


def _by_class(table):
    """Return a table with the class and the place in its block as index."""
    return table.set_index([table["class"].astype(object), table.groupby("class", sort=False).cumcount()])


def _joint_design(labels, answered, probabilities, notes):
    """Return which hypotheses the joint regression has, and the draw of the rows with a label of each of them."""
    tested = answered.any(axis=0)
    design = make_design(probabilities, answered[:, tested].all(axis=1))
    if not tested.all():
        notes.add("Not estimated, as it has no label", ~tested)
    if not design.drawn.any():
        notes.add("The joint regression is not estimated, as no row has a label of each hypothesis")
        return np.zeros_like(tested), design
    kept = identified(labels[:, tested], design)
    if not kept.all():
        dropped = tested.copy()
        dropped[tested] = ~kept
        notes.add("Left out of the joint regression, as its labels do not vary, or say what others say", dropped)
        tested[tested] = kept
    n, n_coefficients = int(design.drawn.sum()), int(tested.sum()) + 1
    if n <= n_coefficients:
        notes.add(f"The joint regression is not estimated: {n} rows with all labels are too few")
        tested[:] = False
    elif n < _LABELS_A_COEFFICIENT * n_coefficients:
        notes.add(
            f"The joint regression has {n_coefficients} coefficients on {n} rows with all labels, so its intervals "
            "tend to be too short"
        )
    return tested, design


def _note_blanks(answered, sampled, notes):
    labelled = answered.any(axis=1)
    blank = ~answered[labelled]
    if blank.any():
        notes.add(
            f"{blank.mean():.1%} of the labels of labelled rows are missing; the others of the same probability stand "
            "for them"
        )
    n_unlabelled = int((sampled & ~labelled).sum())
    if n_unlabelled:
        notes.add(
            f"{n_unlabelled:,} rows were drawn and have no label; the others of the same probability stand for them"
        )


def _note_groups(groups, notes):
    n_groups = groups.max() + 1
    if n_groups < 2:
        raise ValueError("groups has one label in all rows; standard errors need two groups or more.")
    if n_groups < FEW_GROUPS:
        notes.add(f"With {n_groups} groups the p-values are approximate and tend to be too small")


def _estimates(separations, statistics, unit, is_classes):
    """Return the columns of a table of estimates, in the unit of the target."""
    coef, se, pvalue, low, high = statistics
    pvalues = [each.pvalue for each in separations]
    return {
        "separation_score": [unit * each.score for each in separations],
        "separation_se": [unit * each.se for each in separations],
        "pvalue": pvalues,
        "separation_pvalue": pvalues,
        "separation_ci_low": [unit * each.low for each in separations],
        "separation_ci_high": [unit * each.high for each in separations],
        "effect_size": [_cohens_h(each) if is_classes else each.score / each.spread for each in separations],
        "regression_coef": unit * coef,
        "regression_se": unit * se,
        "regression_pvalue": pvalue,
        "regression_ci_low": unit * low,
        "regression_ci_high": unit * high,
        "joint_pvalue": pvalue,
        "prevalence": [each.prevalence for each in separations],
    }


def _cohens_h(separation):
    """Return the difference of two shares on the arcsine scale, in the unit of the separation."""
    angles = 2 * np.arcsin(np.sqrt(np.clip(separation.means, 0, 1)))
    difference = separation.means[0] - separation.means[1]
    return (angles[0] - angles[1]) * (separation.score / difference if difference else 1.0)
