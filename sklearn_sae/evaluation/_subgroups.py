"""The effect of a hypothesis in each subgroup or period, and tests that it is not the same in all."""

import numpy as np
import pandas as pd
from scipy.stats import f, norm

from sklearn_sae.evaluation._adjusted import adjusted_separation, coefficient
from sklearn_sae.evaluation._regression import effective_number
from sklearn_sae.evaluation._separation import sides_of
from sklearn_sae.utils._controls import Adjustment, Adjustments, Controls


def by_subgroup(A, hypotheses, y, subgroups, *, controls, weights, groups, confidence, shares, unit):
    """Return effects by subgroup, tests that they differ, and what could not be tested.

    Parameters
    ----------
    A : ndarray of shape (n_samples, n_hypotheses)
    hypotheses : list of str
    y : ndarray of shape (n_samples,)
    subgroups : Subgroups
    controls : Controls or None
        Taken out within each subgroup.
    weights : ndarray of shape (n_samples,) or None
    groups : ndarray of int of shape (n_samples,) or None
    confidence : float
    shares : bool
    unit : float
        What effects are multiplied by.

    Returns
    -------
    by : DataFrame
        A row a hypothesis and subgroup.
    tests : dict of str to list
        Columns with a number a hypothesis.
    untested : ndarray of bool of shape (n_hypotheses,)
        Whether fewer than two subgroups have an effect that can be tested.
    """
    adjustments = Adjustments(controls, weights, len(y))
    of_means = Adjustments(None, weights, len(y))
    rows, found = [], []
    for code, label in enumerate(subgroups.labels):
        within = subgroups.codes == code
        for j, annotation in enumerate(A.T):
            options = {"groups": groups, "confidence": confidence, "shares": shares}
            effect, estimate = adjusted_separation(annotation, y, adjustments, rows=within, **options)
            answered = within & ~np.isnan(annotation)
            of_groups = None if groups is None else groups[answered]
            holds = np.abs(annotation[answered])
            share = _prevalence(holds, of_means.of(answered).weights, of_groups, confidence)
            rows.append(
                {
                    "place": j,
                    "hypothesis": hypotheses[j],
                    subgroups.name: label,
                    "n_samples": int(answered.sum()),
                    **dict(zip(("prevalence", "prevalence_ci_low", "prevalence_ci_high"), share, strict=True)),
                    "effect": unit * effect.score,
                    "effect_ci_low": unit * effect.low,
                    "effect_ci_high": unit * effect.high,
                    "pvalue": effect.own_pvalue,
                }
            )
            compared = None
            if groups is not None and estimate is not None:
                high, low, _ = sides_of(np.where(within, annotation, np.nan))
                compared = np.unique(groups[high | low])
            found.append((effect, estimate, compared))
    by = pd.DataFrame(rows).sort_values("place", kind="stable", ignore_index=True).drop(columns="place")
    n = A.shape[1]
    n_groups = 0 if groups is None else int(groups.max()) + 1
    pvalues = [_differ([one for one in found[j::n] if one[0].reliable], n_groups) for j in range(n)]
    tests = {"interaction_pvalue": pvalues}
    if subgroups.times is not None:
        tests.update(_trends(A, y, subgroups, controls, weights, groups, unit))
    return by, tests, np.isnan(pvalues)


def _prevalence(holds, weights, groups, confidence):
    """Return the share of rows where a hypothesis holds, and Wilson's interval for as many rows as these are worth."""
    if not len(holds):
        return np.nan, np.nan, np.nan
    share = np.average(holds, weights=weights)
    parts = weights * (holds - share) / weights.sum()
    n = len(holds)
    if groups is not None:
        parts, weights = np.bincount(groups, parts), np.bincount(groups, weights)
        n = np.count_nonzero(weights)
    variance = (parts**2).sum() * n / max(n - 1, 1)
    worth = share * (1 - share) / variance if variance > 0 else effective_number(weights)
    z = norm.isf((1 - confidence) / 2)
    center, margin = share + z**2 / (2 * worth), z * np.sqrt(share * (1 - share) / worth + z**2 / (4 * worth**2))
    return share, *((center + np.array([-margin, margin])) / (1 + z**2 / worth))


def _differ(found, n_groups):
    """Return the p-value of the hypothesis that all effects are the same, by Welch's test of several means.

    The effects are independent, unless groups have rows in several subgroups; then their covariance is that of the
    sums of the groups' influences.
    """
    if len(found) < 2:
        return np.nan
    estimates = [estimate for _, estimate, _ in found]
    values, df = (np.array([getattr(one, name) for one in estimates]) for name in ("value", "df"))
    if n_groups:
        influences = np.zeros((len(found), n_groups))
        for row, (_, estimate, groups) in zip(influences, found, strict=True):
            row[groups] = estimate.influences
        covariance = influences @ influences.T
    else:
        covariance = np.diag([one.se**2 for one in estimates])
    if not (np.diag(covariance) > 0).all():
        return np.nan
    contrasts = np.eye(len(found))[1:] - np.eye(len(found))[:1]
    differences, of_differences = contrasts @ values, contrasts @ covariance @ contrasts.T
    wald = differences @ np.linalg.pinv(of_differences) @ differences
    k, shares = len(found), 1 / np.diag(covariance)
    shares = shares / shares.sum()
    unevenness = ((1 - shares) ** 2 / df).sum()
    correction = 1 + 2 * (k - 2) / (k**2 - 1) * unevenness
    return float(f.sf(wald / (k - 1) / correction, k - 1, (k**2 - 1) / (3 * unevenness)))


def _trends(A, y, subgroups, controls, weights, groups, unit):
    """Return by how much prevalence and effect change from one period to the next, with p-values."""
    weights = np.ones(len(y)) if weights is None else weights
    times = subgroups.times[subgroups.codes]  # meaningless for rows of no period, which are left out
    trends = {name: [] for name in ("prevalence_trend", "effect_trend")}
    pvalues = {f"{name}_pvalue": [] for name in trends}
    for annotation in A.T:
        annotation = np.where(subgroups.codes < 0, np.nan, annotation)
        rows = ~np.isnan(annotation)
        of_groups = None if groups is None else groups[rows]
        prevalence = coefficient(times[rows], np.abs(annotation[rows]), Adjustment(None, weights[rows]), of_groups)
        effect = None
        high, low, share = sides_of(annotation)
        rows = high | low
        if high.any() and low.any():
            x, periods = high[rows] / share, np.unique(subgroups.codes[rows], return_inverse=True)[1]
            beside = Controls(np.empty((rows.sum(), 0)), (), ()) if controls is None else controls.take(rows)
            beside = Controls(np.column_stack([beside.values, x]), (*beside.factors, periods), ())
            of_groups = None if groups is None else groups[rows]
            centered = times[rows] - times[rows].mean()
            effect = coefficient(x * centered, y[rows], Adjustment(beside, weights[rows]), of_groups)
        for name, found, factor in (("prevalence_trend", prevalence, 1.0), ("effect_trend", effect, unit)):
            trends[name].append(np.nan if found is None else factor * found.value)
            larger = np.nan if found is None else np.fmax(found.pvalue, found.permutation_pvalue)
            pvalues[f"{name}_pvalue"].append(larger)
    return {**trends, **pvalues}
