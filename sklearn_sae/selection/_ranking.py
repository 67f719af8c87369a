"""The order of neurons by a method of scoring, beyond controls and with weights."""

from typing import NamedTuple

import numpy as np

from sklearn_sae.selection._design import standardize, standardize_targets
from sklearn_sae.selection._lasso import lasso_scores
from sklearn_sae.selection._scores import association_pvalues, correlation_scores, separation_scores
from sklearn_sae.selection._stepwise import stepwise_scores
from sklearn_sae.utils._controls import intercept_and_controls


class Ranking(NamedTuple):
    """The scores of the neurons on some rows, and the order that follows."""

    scores: np.ndarray  # (n_targets, n_features)
    strongest: np.ndarray  # (n_features,) index of the target with the score of largest magnitude
    best_first: np.ndarray  # (n_features,) indices of the neurons
    n_selectable: int  # number of neurons that can be kept
    pvalues: np.ndarray  # (n_features,)

    def top(self, n_neurons):
        """Return the mask of the best."""
        mask = np.zeros(len(self.best_first), dtype=bool)
        mask[self.best_first[: min(n_neurons, self.n_selectable)]] = True
        return mask


def rank_neurons(X, values, Y, controls, sample_weight, *, method, n_neurons, n_top):
    """Score and order the neurons on some rows.

    Parameters
    ----------
    X : sparse or dense array of shape (n_samples, n_neurons)
    values : ndarray of shape (n_samples,)
        The target as a callable `method` gets it.
    Y : ndarray of shape (n_samples, n_targets)
        The target, or an indicator for each of its classes.
    controls : ndarray of shape (n_samples, n_controls) or None
    sample_weight : ndarray of shape (n_samples,)
        Weights above 0.
    method, n_neurons, n_top
        Parameters of `NeuronSelector`.

    Returns
    -------
    ranking : Ranking or None
        None if the controls leave nothing of the target to predict.
    """
    basis = intercept_and_controls(X.shape[0], controls, sample_weight)
    targets, spread = standardize_targets(Y, basis)
    if not spread.any():
        return None
    design = standardize(X, basis)
    correlations = correlation_scores(design, targets)
    pvalues = association_pvalues(correlations, targets, sample_weight.sum() - basis.shape[1])
    tie_break = np.abs(correlations).max(axis=0)
    chosen = []
    if method == "lasso":
        scores = lasso_scores(design, correlations, n_neurons) * spread[:, None]
    elif method == "stepwise":
        scores, chosen = stepwise_scores(design, correlations, n_neurons)
        scores *= spread[:, None]
    elif method == "correlation":
        scores = correlations
    else:
        tie_break = np.zeros(X.shape[1])
        if method == "separation":
            residuals = targets * spread / basis[:, :1]  # in the units of the target
            scores = separation_scores(X, residuals, n_top, sample_weight)
        else:
            scores = _called_scores(method, X, values)

    defined = ~np.isnan(scores).any(axis=0)
    if not callable(method):
        scores = np.where(defined & design.live, scores, 0.0)
    magnitudes = np.abs(np.where(defined, scores, 0.0))
    selectable = design.live & defined
    entry = np.full(X.shape[1], len(chosen))
    entry[chosen] = np.arange(len(chosen))
    return Ranking(
        scores=scores,
        strongest=magnitudes.argmax(axis=0),
        best_first=np.lexsort((-tie_break, -magnitudes.max(axis=0), entry, ~selectable)),
        n_selectable=int(selectable.sum()),
        pvalues=np.where(design.live, pvalues, np.nan),
    )


def _called_scores(method, X, y):
    scores = np.asarray(method(X, y))
    if scores.shape != (X.shape[1],) or scores.dtype.kind not in "biuf":
        raise ValueError(
            f"method must return one number for each neuron, shape ({X.shape[1]},); "
            f"it returned an array of {scores.dtype} of shape {scores.shape}."
        )
    return scores[None].astype(np.float64)
