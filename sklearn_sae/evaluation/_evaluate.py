"""The tests of annotations against a checked target."""

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score, r2_score, roc_auc_score

from sklearn_sae.evaluation._adjusted import adjusted_separation
from sklearn_sae.evaluation._correlation import correlations
from sklearn_sae.evaluation._cross_fit import cross_fit_auc, cross_fit_r2
from sklearn_sae.evaluation._hypothesis_evaluation import HypothesisEvaluation
from sklearn_sae.evaluation._permutation import partial_permutation_pvalues
from sklearn_sae.evaluation._regression import effective_number, fit_least_squares, fit_logistic, independent_columns
from sklearn_sae.evaluation._separation import FEW, separation
from sklearn_sae.evaluation._subgroups import by_subgroup
from sklearn_sae.utils._controls import Adjustments
from sklearn_sae.utils._offset import names_beyond
from sklearn_sae.utils._targets import check_target_varies
from sklearn_sae.utils._validation import counted

FEW_GROUPS = 20
# Two hypotheses of this absolute correlation inflate the variance of each other's coefficient 2.8 times.
_NEARLY_SAME = 0.8
_MAX_NAMED = 200  # A note names hypotheses with so many characters, and counts the others.


def evaluate(
    A,
    hypotheses,
    target,
    *,
    correction,
    alpha,
    groups=None,
    robust=False,
    confidence=0.95,
    controls=None,
    weights=None,
    by=None,
    offset=None,
):
    """Return the `HypothesisEvaluation` of annotations for a target.

    Parameters
    ----------
    A : ndarray of shape (n_samples, n_hypotheses)
        Checked annotations.
    hypotheses : list of str
    target : Target
        Of `n_samples` values.
    groups : ndarray of int of shape (n_samples,) or None
    controls : Controls or None
    weights : ndarray of shape (n_samples,) or None
    by : Subgroups or None
    offset : Offset or None
    correction, alpha, robust, confidence
        As of `evaluate_hypotheses`, where all is told.
    """
    answered, of_all_rows = ~np.isnan(A).all(axis=1), {"annotations": A.copy(), "target": target}
    if not answered.any():
        raise ValueError("annotations has no answer: every entry is NaN.")
    if weights is not None:
        answered &= weights > 0
        if not answered.any():
            raise ValueError("sample_weight is zero for every row with an answer; give some a weight above zero.")
        weights = weights[answered] / weights[answered].mean()
    controls, by, offset = (None if each is None else each.take(answered) for each in (controls, by, offset))
    A, target = A[answered], target._replace(values=target.values[answered])
    check_target_varies(target)

    notes = Notes(hypotheses)
    n_varied = None
    if groups is not None:
        groups, n_varied = _count_groups(A, groups[answered], notes)
    options = {"groups": groups, "confidence": confidence}
    filled, tested = _design(A, weights, notes)
    same_for_all = {
        "prevalence": [_mean(np.abs(annotation), weights) for annotation in A.T],
        "max_correlation": _redundancy(A, notes),
    }
    shares = target.task != "regression"
    of_shares = shares and offset is None  # because what an offset leaves of a share is none
    weighted = Adjustments(None, weights, len(A))
    beyond = None if controls is None and offset is None else Adjustments(controls, weights, len(A))
    blocks, fits, of_subgroups = [], [], []
    for label, values, unit in one_against_rest(target):
        left = values if offset is None else values - offset.values / unit
        if weights is None:
            separations = [separation(column, values, shares=shares, **options) for column in A.T]
        else:
            separations = [adjusted_separation(one, values, weighted, shares=shares, **options)[0] for one in A.T]
        regression = {"robust": robust, "weights": weights, **options}
        statistics, fit = _joint_regression(filled, tested, values, target, label, notes, **regression)
        if groups is not None:
            statistics[1:, n_varied < 2] = np.nan
        of_class = {} if label is None else {"class": [label] * len(hypotheses)}
        estimates = _estimates(separations, statistics, unit)
        permuted = np.full(len(hypotheses), np.nan)
        if tested.any():
            permuted[tested] = partial_permutation_pvalues(filled[:, tested], values, groups, weights)
        estimates["joint_pvalue"] = np.where(np.isnan(statistics[2]), np.nan, np.fmax(statistics[2], permuted))
        if beyond is not None:
            controlled = [adjusted_separation(one, left, beyond, shares=of_shares, **options)[0] for one in A.T]
            what = _in_one_phrase(controls, offset)
            estimates.update(_controlled(controlled, separations, unit, label, notes, what))
        if by is not None:
            effects, tests, untested = by_subgroup(
                A, hypotheses, left, by, controls=controls, weights=weights, shares=of_shares, unit=unit, **options
            )
            estimates.update(tests)
            if label is not None:
                effects.insert(0, "class", label)
            of_subgroups.append(effects)
            if untested.any():
                few = f"Not tested by {by.name}, as fewer than two parts have {FEW} rows on each side"
                notes.add(few, untested, label=label)
        blocks.append(pd.DataFrame({**of_class, "hypothesis": hypotheses, **estimates, **same_for_all}))
        fits.append({**fit, **_cross_fit(A[:, tested], values, target, groups, weights)})
        reliable = np.array([each.reliable for each in separations])
        if not reliable.all():
            notes.add(
                f"The t-test of separation is not reliable, as a side has fewer than {FEW} rows or its target does not "
                "vary",
                ~reliable,
                label=label,
            )
    table = pd.concat(blocks, ignore_index=True)
    thresholds = {}
    for column, pvalues in (("significant", "pvalue"), ("significant_jointly", "joint_pvalue")):
        table[column], thresholds[column] = significance(table[pvalues].to_numpy(), correction, alpha)
    more, table_by = _significance_of_more(table, of_subgroups, correction, alpha)
    if target.task == "multiclass":
        few = [np.isnan(fit["auc_cv"]) and not np.isnan(fit["auc"]) for fit in fits]
        for label in table["class"].unique()[few]:
            notes.add("Too few rows for a cross-fitted AUC; left out of its mean", label=label)
    metrics = {key: float(_mean(np.array([fit[key] for fit in fits]))) for key in fits[0]}
    metrics.update(
        n_significant=int(table["significant"].sum()),
        n_significant_jointly=int(table["significant_jointly"].sum()),
        n_hypotheses=len(hypotheses),
        threshold=thresholds["significant"],
        threshold_jointly=thresholds["significant_jointly"],
        n_samples=len(A),
        **more,
    )
    if by is not None and (by.codes < 0).any():
        n_without = int((by.codes < 0).sum())
        are = "is" if n_without == 1 else "are"
        notes.add(f"{counted(n_without, 'row')} without {by.name} {are} left out of what is by {by.name}")
    if weights is not None:
        metrics["n_effective"] = float(effective_number(weights))
    if groups is not None:
        metrics["n_groups"] = int(groups.max()) + 1
    return HypothesisEvaluation(
        table,
        metrics,
        target.task,
        correction,
        alpha,
        notes.sentences(),
        standard_errors="clustered" if groups is not None else "HC3" if robust or weights is not None else "classical",
        confidence=confidence,
        class_metrics=class_metrics(table, target, fits) if target.task == "multiclass" else None,
        **of_all_rows,
        controls=names_beyond(controls, offset),
        offset="" if offset is None else offset.phrase,
        by=table_by,
    )


class Notes:
    """Sentences that name hypotheses, in which one that holds for several classes occurs once."""

    def __init__(self, hypotheses):
        self.names = [repr(name if len(name) <= 40 else name[:39] + "…") for name in hypotheses]
        self._classes = {}  # the classes by sentence

    def add(self, sentence, which=(), *, label=None):
        names = _listed([self.names[j] for j in np.flatnonzero(which)], ", ", "{} more")
        classes = self._classes.setdefault(f"{sentence}: {names}." if names else f"{sentence}.", [])
        if label is not None:
            classes.append(str(label))

    def sentences(self):
        return tuple(
            f"Class{'es' * (len(classes) > 1)} {', '.join(classes)}: {sentence}" if classes else sentence
            for sentence, classes in self._classes.items()
        )


def _listed(items, separator, rest):
    """Return the first items of a list as text, and how many follow; at least one stands there."""
    sizes = np.cumsum([len(item) for item in items])
    shown = items[: max(1, int((sizes <= _MAX_NAMED).sum()))]
    more = [f"and {rest.format(len(items) - len(shown))}"] * (len(items) > len(shown))
    return separator.join([*shown, *more])


def _design(A, weights, notes):
    """Return the annotations without NaN, and which columns the joint regression can tell apart."""
    missing = np.isnan(A)
    means = np.array([_mean(column, weights) for column in A.T])
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
        notes.add(f"The regression is not estimated: {_too_many(varies.sum(), len(A))}")
    elif (varies & ~tested).any():
        notes.add("Left out of the regression, as a linear combination of hypotheses before it", varies & ~tested)
    return filled, tested


def _too_many(n_hypotheses, n_rows):
    are = "is" if n_hypotheses == 1 else "are"
    return f"{counted(n_hypotheses, 'hypothesis', 'hypotheses')} {are} too many for {counted(n_rows, 'row')}"


def _count_groups(A, groups, notes):
    """Return the groups numbered from 0, and in how many of them each annotation is not what it is elsewhere."""
    groups = np.unique(groups, return_inverse=True)[1]
    n_groups = groups.max() + 1
    if n_groups < 2:
        raise ValueError("groups has one label in all rows with an answer; standard errors need two groups or more.")
    if n_groups < FEW_GROUPS:
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
        named = [f"{notes.names[i]} and {notes.names[j]} ({between[i, j]:.2f})" for i, j in pairs]
        listed = _listed(named, "; ", "{} more pairs")
        notes.add(f"Annotations nearly the same or opposite (absolute correlation): {listed}")
    return np.fmax.reduce(between, axis=1)


def one_against_rest(target):
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
        "pvalue": [each.own_pvalue for each in separations],
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


def _in_one_phrase(controls, offset):
    """Return what effects are beyond, without the names of controls."""
    return " and ".join([*([] if controls is None else ["the controls"]), *([] if offset is None else [offset.phrase])])


def _controlled(controlled, separations, unit, label, notes, beyond):
    """Return the columns of effects beyond controls and an offset, in the unit of the target."""
    lost = [np.isnan(one.score) and not np.isnan(raw.score) for one, raw in zip(controlled, separations, strict=True)]
    if any(lost):
        notes.add("The controls leave nothing of the annotation", lost)
    reliable = np.array([one.reliable for one in controlled])
    if (~reliable & ~np.array(lost)).any():
        notes.add(
            f"Beyond {beyond} only the permutation test counts, as the t-test is not reliable",
            ~reliable & ~np.array(lost),
            label=label,
        )
    return {
        "controlled_score": [unit * one.score for one in controlled],
        "controlled_pvalue": [one.own_pvalue for one in controlled],
        "controlled_ci_low": [unit * one.low for one in controlled],
        "controlled_ci_high": [unit * one.high for one in controlled],
        "controlled_effect_size": [one.effect_size for one in controlled],
    }


def _significance_of_more(table, of_subgroups, correction, alpha):
    """Add what is significant beyond controls and by subgroup; return its metrics, and the table of the subgroups."""
    more, by = {}, None
    for what in ("controlled", "interaction", "prevalence_trend", "effect_trend"):
        if f"{what}_pvalue" in table:
            pvalues = table[f"{what}_pvalue"].to_numpy()
            table[f"significant_{what}"], more[f"threshold_{what}"] = significance(pvalues, correction, alpha)
            more[f"n_significant_{what}"] = int(table[f"significant_{what}"].sum())
    if of_subgroups:
        pvalues = np.concatenate([effects["pvalue"] for effects in of_subgroups])
        found = significance(pvalues, correction, alpha)[0]
        by = pd.concat(of_subgroups, ignore_index=True)
        by["significant"] = found
        signs = np.where(found, np.sign(by["effect"]), 0).reshape(len(table), -1)
        turns = (signs > 0).any(axis=1) & (signs < 0).any(axis=1)
        table["sign_turns"] = turns
        more["n_sign_turns"] = int(turns.sum())
    return more, by


def _joint_regression(filled, tested, y, target, label, notes, *, groups, robust, confidence, weights=None):
    """Return coefficients, errors, p-values and limits, NaN where there is no estimate, and the metrics of the fit."""
    statistics = np.full((5, len(tested)), np.nan)
    is_regression = target.task == "regression"
    if tested.sum() + 1 >= len(y):
        return statistics, dict.fromkeys(["r2"] if is_regression else ["auc", "auprc"], np.nan)
    regress = fit_least_squares if is_regression else fit_logistic
    fit = regress(filled[:, tested], y, groups=groups, robust=robust, confidence=confidence, weights=weights)
    statistics[:, tested] = fit.coef, fit.se, fit.pvalues, fit.low, fit.high
    if fit.penalized and weights is not None:
        notes.add("Hypotheses separate the classes, so the weighted regression has no finite log-odds", label=label)
    elif fit.penalized:
        sentence = "Hypotheses separate the classes, so the regression is Firth's penalized one"
        if groups is not None:
            sentence += "; for rows in groups that leaves without a p-value what goes with one class only"
        elif robust:
            sentence += ", its tests not the robust ones"
        notes.add(sentence, tested & np.isnan(statistics[2]), label=label)
    if is_regression:
        return statistics, {"r2": r2_score(y, fit.predicted, sample_weight=weights)}
    scores = {"auc": roc_auc_score, "auprc": average_precision_score}
    return statistics, {name: score(y, fit.predicted, sample_weight=weights) for name, score in scores.items()}


def _cross_fit(A, y, target, groups, weights):
    """Return the cross-fitted score, NaN where the regression itself is not estimated."""
    is_regression = target.task == "regression"
    score = cross_fit_r2 if is_regression else cross_fit_auc
    estimated = A.shape[1] + 1 < len(y)
    return {"r2_cv" if is_regression else "auc_cv": score(A, y, groups, weights) if estimated else np.nan}


def class_metrics(table, target, fits):
    """Return the fit of each class against the rest."""
    present, n_samples = np.unique(target.values, return_counts=True)
    labels = target.classes[present]
    counts = {
        f"n_{column}": table[column].to_numpy().reshape(len(labels), -1).sum(axis=1)
        for column in ("significant", "significant_jointly")
    }
    classes = pd.DataFrame({"class": list(labels), "n_samples": n_samples})
    return classes.assign(**pd.DataFrame(fits), **counts)


def significance(pvalues, correction, alpha):
    """Return which p-values are significant, and the uncorrected one below which they are."""
    from statsmodels.stats.multitest import multipletests

    method = {"benjamini-hochberg": "fdr_bh"}.get(correction, correction)
    n_tests = len(pvalues)
    adjusted = multipletests(np.where(np.isnan(pvalues), 1.0, pvalues), alpha, method)[1]
    significant = adjusted < alpha
    n_found = max(int(significant.sum()), 1)
    divisors = {"bonferroni": n_tests, "holm": n_tests - n_found + 1, "fdr_bh": n_tests / n_found}
    return significant, float(alpha / divisors[method])


def _mean(values, weights=None):
    """Return the mean of those that are not NaN, or NaN."""
    answered = ~np.isnan(values)
    if not answered.any():
        return np.nan
    return np.average(values[answered], weights=None if weights is None else weights[answered])
