"""Which texts were drawn for people to label, how many each stands for, and what the draw adds to errors."""

from typing import NamedTuple

import numpy as np
from scipy.stats import t

from sklearn_sae.evaluation._regression import effective_number
from sklearn_sae.utils._validation import counted

_KNOWN_FROM = 5  # rows that are expected to be drawn of a stratum
_TOO_FAR = 5  # standard deviations of the number of texts that the labelled ones stand for


class Design(NamedTuple):
    """A random draw of rows whose labels are known."""

    drawn: np.ndarray  # (n_samples,) bool, whether the label of a row is known
    weights: np.ndarray  # (n_samples,) for how many rows a drawn one stands, else 0; they add up to n_samples
    strata: np.ndarray  # (n_drawn,) int; rows that are drawn with the same probability are one stratum


def check_sampled(sampled, has_label):
    """Return the probabilities with which rows were drawn, NaN where a row was not drawn.

    Parameters
    ----------
    sampled : array-like of shape (n_samples,)
        As `correct_annotations` takes it.
    has_label : ndarray of bool of shape (n_samples,)
        Whether a row has any label.

    Returns
    -------
    probabilities : ndarray of shape (n_samples,)

    Raises
    ------
    ValueError
        If `sampled` is not one number a row, a labelled row has no probability above 0 and up to 1, no row is labelled,
        or the labelled rows stand for a number of rows that no such draw would give.
    """
    n = len(has_label)
    given = np.asarray(sampled)
    if given.shape != (n,):
        raise ValueError(f"sampled must be one value a row: its shape is {given.shape} for {counted(n, 'row')}.")
    try:
        values = given.astype(np.float64)
    except (TypeError, ValueError):
        raise ValueError(
            "sampled must hold the probability with which each row was drawn, or True where it was drawn."
        ) from None
    if not has_label.any():
        raise ValueError("human has no label: every entry is NaN.")
    is_mask = given.dtype.kind in "biu" or bool(np.isin(values, (0, 1)).all())
    if is_mask:
        if not np.isin(values, (0, 1)).all():
            raise ValueError("sampled must hold probabilities, or True where a row was drawn; found other integers.")
        _refuse(has_label & (values == 0), "is labelled, but sampled says that it was not drawn")
        return np.where(values == 1, values.mean(), np.nan)
    _refuse(has_label & np.isnan(values), "is labelled, but sampled has no probability for it")
    _refuse(
        ~np.isnan(values) & ~((values > 0) & (values <= 1)),
        "has a probability that is not above 0 and up to 1; leave out rows that could not be drawn",
    )
    probabilities = np.where(has_label, values, np.nan)
    p = values[has_label]
    stands_for = (1 / p).sum()
    if abs(stands_for - n) > _TOO_FAR * np.sqrt(((1 - p) / p**2).sum()) + 0.5:
        raise ValueError(
            f"The labelled rows stand for {stands_for:,.0f} rows by their probabilities, but there are {n:,}; sampled "
            "must hold the probability with which each row was drawn."
        )
    return probabilities if np.isnan(values).any() else _of_known_strata(probabilities, values)


def _of_known_strata(probabilities, values):
    """Return probabilities by how many rows were drawn of a stratum whose size is known.

    If each row was drawn on its own, numbers vary, and the share that was drawn is closer than the probability. A
    stratum of which hardly any row is drawn keeps its probability.
    """
    strata = np.unique(values.round(9), return_inverse=True)[1]
    sizes, n_drawn = np.bincount(strata), np.bincount(strata, ~np.isnan(probabilities))
    is_known = (np.bincount(strata, values) >= _KNOWN_FROM) & (n_drawn > 0)
    of_stratum = np.where(is_known, n_drawn / sizes, np.nan)[strata]
    return np.where(np.isnan(probabilities) | np.isnan(of_stratum), probabilities, of_stratum)


def _refuse(rows, why):
    if rows.any():
        raise ValueError(f"Row {int(rows.argmax())} {why}.")


def make_design(probabilities, answered):
    """Return the `Design` of the rows that were drawn and answered.

    Within a stratum those that were answered stand for those that were not. If none was in a stratum, the other strata
    stand for it.

    Parameters
    ----------
    probabilities : ndarray of shape (n_samples,)
        NaN where a row was not drawn.
    answered : ndarray of bool of shape (n_samples,)
    """
    sampled = ~np.isnan(probabilities)
    strata = np.full(len(probabilities), -1)
    strata[sampled] = np.unique(probabilities[sampled].round(9), return_inverse=True)[1]
    drawn = sampled & answered
    weights = np.zeros(len(probabilities))
    stands_for = np.bincount(strata[sampled], 1 / probabilities[sampled])
    n_answered = np.bincount(strata[drawn], minlength=len(stands_for))
    weights[drawn] = (stands_for / np.maximum(n_answered, 1))[strata[drawn]]
    if drawn.any():
        weights *= len(weights) / weights.sum()
    return Design(drawn, weights, strata[drawn])


def variances(predicted, missed, sensitivity, design, groups=None):
    """Return variances of estimates that are sums of influences over all rows, and their degrees of freedom.

    An estimate is the sum of what is predicted of each row's influence and, for each row drawn, of its weight times
    what the prediction missed. The sandwich of these sums takes each row to be drawn or not on its own [1]_. A stratum,
    though, has exactly its number of labels, and what is certain for that reason is taken off [2]_.

    Parameters
    ----------
    predicted : ndarray of shape (n_samples, n_estimates)
        Predicted influences.
    missed : ndarray of shape (n_drawn, n_estimates)
        True influences minus the predicted ones.
    sensitivity : ndarray of shape (n_drawn, n_estimates)
        How much each estimate would move with the target of a row.
    design : Design
    groups : ndarray of int of shape (n_samples,), optional
        Rows of one group may be alike.

    Returns
    -------
    variances : ndarray of shape (n_estimates,)
    df : ndarray of shape (n_estimates,)
        Satterthwaite's: the error of the draw rests on the labels, the rest on all rows.

    References
    ----------
    .. [1] Egami, Hinck, Stewart & Wei, "Using imperfect surrogates for downstream inference: design-based supervised
       learning for social science applications of large language models", NeurIPS (2023).
    .. [2] Särndal, Swensson & Wretman, "Model assisted survey sampling" (1992), chapters 3 and 6.
    """
    w = design.weights[design.drawn][:, None]
    parts = predicted.copy()
    parts[design.drawn] += w * missed
    df_groups = np.inf
    if groups is not None:
        parts = np.column_stack([np.bincount(groups, column) for column in parts.T])
        df_groups = effective_number(np.bincount(groups)) - 1
        parts *= np.sqrt((df_groups + 1) / df_groups)
    with np.errstate(divide="ignore", invalid="ignore"):
        df = effective_number((w * sensitivity) ** 2) - 1
        unsure = w * (w - 1).clip(0)
        centered, n_in_stratum = _centered(missed, design.strata)
        of_draw = (unsure * centered**2 * n_in_stratum / (n_in_stratum - 1).clip(1)).sum(axis=0)
        total = (parts**2).sum(axis=0) - (unsure * missed**2).sum(axis=0) + of_draw
        total, of_draw = np.maximum(total, of_draw) + of_draw / df, of_draw * (1 + 1 / df)
        df = np.where(of_draw > 0, df * (total / of_draw) ** 2, np.inf)
    return total, np.minimum(df, df_groups)


def tuning_of(true, guessed, design):
    """Return how far to rely on the annotations, from 0 to 1, by which the errors of the draw are least [1]_.

    Parameters
    ----------
    true, guessed : ndarray of shape (n_drawn, n_estimates)
        What each labelled row moves the estimates by, with its label and with its annotation.
    design : Design

    References
    ----------
    .. [1] Angelopoulos, Duchi & Zrnic, "PPI++: efficient prediction-powered inference", arXiv:2311.01453 (2023).
    """
    w = design.weights[design.drawn]
    true, guessed = (_centered(part, design.strata)[0] for part in (true, guessed))
    unsure = w * (w - 1).clip(0)
    spread = unsure @ (guessed**2).sum(axis=1)
    return float(np.clip(unsure @ (true * guessed).sum(axis=1) / spread, 0, 1)) if spread > 0 else 0.0


def tests(estimate, variance, df, confidence):
    """Return standard errors, p-values and limits by Student's t; NaN where an estimate rests on a label or two."""
    known = df >= 1
    se, df = np.where(known, np.sqrt(variance), np.nan), np.where(known, df, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        pvalue = 2 * t.sf(np.abs(estimate) / se, df)
        margin = t.isf((1 - confidence) / 2, df) * se
    return se, pvalue, estimate - margin, estimate + margin


def _centered(missed, strata):
    """Return rows minus the mean of their stratum, except for rows alone in it, and how many rows that has."""
    sizes = np.bincount(strata)
    means = np.column_stack([np.bincount(strata, column) / sizes.clip(1) for column in missed.T])
    n = sizes[strata][:, None]
    return np.where(n > 1, missed - means[strata], missed), n
