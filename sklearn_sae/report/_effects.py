"""Effects of hypotheses, as numbers in the unit of the target."""

import numpy as np

from sklearn_sae.report._content import Estimate
from sklearn_sae.report._wording import is_share
from sklearn_sae.utils._decimals import number_form, written


def estimates_of(row, words):
    """Return the `Estimate` of a hypothesis on its own and of what it adds to the others.

    Parameters
    ----------
    row : Series
        Of the table of an evaluation.
    words : Wording
    """
    factor = words.sign * (100 if is_share(words) else 1)
    own = estimate(row, "separation_score", "separation_ci", "pvalue", "significant", factor)
    joint = estimate(row, "regression_coef", "regression_ci", "joint_pvalue", "significant_jointly", words.sign)
    return own, joint


def estimate(row, value, interval, pvalue, significant, factor):
    """Return the `Estimate` in some columns of a row, which are named."""
    limits = sorted(factor * row[f"{interval}_{side}"] for side in ("low", "high"))
    return Estimate(float(factor * row[value]), *map(float, limits), float(row[pvalue]), bool(row[significant]))


def form_of(estimates):
    """Return the format that suits all of some estimates."""
    return number_form([one.value for one in estimates], [(one.high - one.low) / 2 for one in estimates])


def signed(value, form):
    """Return a number with its sign, "-" for NaN."""
    return "-" if np.isnan(value) else written(value, "+" + form).replace("-", "−")


def positions(evaluation):
    """Return the rows of the table of each hypothesis, in the order given; several where there are classes."""
    n = evaluation.metrics["n_hypotheses"]
    return [range(i, len(evaluation.table), n) for i in range(n)]


def in_order(effects):
    """Return the places of hypotheses, the highest effect first and those without one last.

    With several classes an effect is the largest of any class.
    """
    best = [np.nanmax([-np.inf, *(effect.own.value for effect in some)]) for some in effects]
    return sorted(range(len(effects)), key=lambda i: -best[i])
