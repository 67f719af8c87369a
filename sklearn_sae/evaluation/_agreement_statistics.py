"""How well answers agree, as functions of sums over texts, so that texts can be weighted and drawn again."""

import numpy as np

_VALUES = np.array([-1, 0, 1])


def signs(answers):
    """Return answers as -1, 0 and 1: whether a hypothesis holds, for pairs for which text; NaN stays."""
    return np.where(np.isnan(answers), np.nan, np.sign(answers) * (np.abs(answers) >= 0.5))


def confusion(annotation, label):
    """Return a row a text with 1 at the place of its answers among all nine, and zeros where one is missing.

    Parameters
    ----------
    annotation, label : ndarray of shape (n_samples,)
        Of -1, 0, 1 and NaN.

    Returns
    -------
    rows : ndarray of shape (n_samples, 9)
        The annotation goes before the label.
    """
    return (_one_hot(annotation)[:, :, None] * _one_hot(label)[:, None, :]).reshape(len(label), 9)


def coincidences(answers):
    """Return the parts of Krippendorff's alpha for each text: its disagreement, and its answers of each value.

    Parameters
    ----------
    answers : ndarray of shape (n_raters, n_samples)
        Of -1, 0, 1 and NaN. A text with fewer than two answers counts for nothing.

    Returns
    -------
    rows : ndarray of shape (n_samples, 4)
    """
    counts = sum(_one_hot(of_rater) for of_rater in answers)
    n_answers = counts.sum(axis=1, keepdims=True)
    unlike = (counts * (n_answers - counts)).sum(axis=1, keepdims=True)
    return np.where(n_answers >= 2, np.hstack([unlike / np.maximum(n_answers - 1, 1), counts]), 0.0)


def cohens_kappa(confusions):
    """Return Cohen's kappa [1]_ of summed confusions (..., 9); NaN where both always give one and the same answer.

    References
    ----------
    .. [1] Cohen, "A coefficient of agreement for nominal scales", Educational and Psychological Measurement 20 (1960).
    """
    table = confusions.reshape(*confusions.shape[:-1], 3, 3)
    total = table.sum(axis=(-2, -1))
    agreed = np.trace(table, axis1=-2, axis2=-1)
    chance = (table.sum(axis=-1) * table.sum(axis=-2)).sum(axis=-1)
    return _ratio(agreed * total - chance, total**2 - chance)


def krippendorffs_alpha(sums):
    """Return Krippendorff's alpha [1]_ for nominal data of summed coincidences (..., 4); NaN if one value has all.

    References
    ----------
    .. [1] Krippendorff, "Content analysis: an introduction to its methodology", 4th edition (2019), chapter 12.
    """
    unlike, counts = sums[..., 0], sums[..., 1:]
    total = counts.sum(axis=-1)
    chance = total**2 - (counts**2).sum(axis=-1)
    return 1 - _ratio(unlike * (total - 1), chance)


def precision_recall_f1(confusions):
    """Return precision, recall and F1 of the annotations, stacked behind; an answer of the other sign is wrong."""
    table = confusions.reshape(*confusions.shape[:-1], 3, 3)
    right = table[..., 0, 0] + table[..., 2, 2]
    claimed = table.sum(axis=(-2, -1)) - table[..., 1, :].sum(axis=-1)
    true = table.sum(axis=(-2, -1)) - table[..., :, 1].sum(axis=-1)
    return np.stack([_ratio(right, claimed), _ratio(right, true), _ratio(2 * right, claimed + true)], axis=-1)


def majority(answers):
    """Return the answer that most raters gave to each text, NaN where none did or two are given as often.

    Parameters
    ----------
    answers : ndarray of shape (n_raters, n_samples)
    """
    counts = sum(_one_hot(of_rater) for of_rater in answers)
    most = counts.max(axis=1, keepdims=True)
    is_clear = ((counts == most).sum(axis=1) == 1) & (most[:, 0] > 0)
    return np.where(is_clear, _VALUES[counts.argmax(axis=1)], np.nan)


def _one_hot(answers):
    return (answers[:, None] == _VALUES).astype(np.float64)


def _ratio(part, whole):
    whole = np.where(np.abs(whole) > 1e-9, whole, np.nan)
    return part / whole
