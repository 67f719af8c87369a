"""What subgroups make of a target: targets for which a neuron predicts whose effect differs between subgroups."""

import numpy as np

from sklearn_sae.utils._controls import Adjustment, Controls

_FEW = 10  # rows; a smaller subgroup says nothing of its own


def contrasts_of(subgroups, sample_weight):
    """Return what tells subgroups apart: each from the others, or periods by their order.

    Parameters
    ----------
    subgroups : Subgroups
    sample_weight : ndarray of shape (n_samples,)

    Returns
    -------
    contrasts : ndarray of shape (n_samples, n_contrasts)
        Of mean 0 and variance 1 over the rows that have a subgroup, 0 elsewhere. There is one for two subgroups and for
        periods. A subgroup of fewer than 10 rows has none.
    """
    known = subgroups.codes >= 0
    if subgroups.times is not None:
        columns = np.where(known, subgroups.times[subgroups.codes], 0.0)[:, None]
    else:
        sizes = np.bincount(subgroups.codes[known], minlength=len(subgroups.labels))
        codes = np.flatnonzero(sizes >= _FEW)
        codes = codes[1:] if len(codes) == 2 == np.count_nonzero(sizes) else codes
        columns = (subgroups.codes[:, None] == codes).astype(np.float64)
    share = np.where(known, sample_weight, 0.0)
    share = share / (share.sum() or 1.0)
    centered = np.where(known[:, None], columns - share @ columns, 0.0)
    spread = np.sqrt(share @ centered**2)
    return centered[:, spread > 0] / spread[spread > 0]


def interaction_targets(X, Y, controls, sample_weight, contrasts, on_the_whole):
    """Return the products of the contrasts with what neurons that predict on the whole leave of the target.

    An effect that is the same in all subgroups is none on such a product, because a contrast has the mean 0; one that
    differs is. What some neurons explain is taken out first, because it would be noise here.

    Parameters
    ----------
    X : sparse or dense array of shape (n_samples, n_neurons)
    Y : ndarray of shape (n_samples, n_targets)
    controls : ndarray of shape (n_samples, n_controls) or None
    sample_weight : ndarray of shape (n_samples,)
    contrasts : ndarray of shape (n_samples, n_contrasts)
    on_the_whole : ndarray of int
        The neurons that predict on the whole.

    Returns
    -------
    targets : ndarray of shape (n_samples, n_contrasts * n_targets)
    """
    neurons = X[:, on_the_whole]
    neurons = neurons.toarray() if hasattr(neurons, "toarray") else neurons
    explained = [contrasts, neurons, *([] if controls is None else [controls])]
    explained = Controls(np.hstack(explained).astype(np.float64), (), ())
    left = Adjustment(explained, sample_weight).residuals(Y)
    return (contrasts[:, :, None] * left[:, None, :]).reshape(len(Y), -1)
