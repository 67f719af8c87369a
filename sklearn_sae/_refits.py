"""Hypotheses found again, and how many of the first ones are among them."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn import config_context
from sklearn.base import clone

from sklearn_sae.annotation._outputs import check_output, last_step
from sklearn_sae.annotation._selection_params import fit_with_params
from sklearn_sae.evaluation._correlation import correlations
from sklearn_sae.evaluation._match_hypotheses import pairs_of
from sklearn_sae.utils._notes import noted
from sklearn_sae.utils._sklearn_compat import set_random_states

FROM = 0.7  # A hypothesis comes back if annotations correlate by more than this.


class Refit(NamedTuple):
    """What one fit finds, on texts that it was not fitted on."""

    values: np.ndarray  # (n_texts, n_found) annotations, or activations
    names: list  # of str


def costs_nothing(annotator):
    """Return whether an annotator names and annotates without asking a model that has to be paid."""
    return getattr(annotator, "_annotates_freely", False)


def refit(annotator, texts, y, unseen, *, seed=None, of="names", params=None):
    """Fit a clone of the annotator, or of its encoder alone, and apply it to other texts.

    Parameters
    ----------
    annotator : annotator with an encoder
    texts, y : sequence of str and array-like
        What to fit on.
    unseen : sequence of str
    seed : int or None, default=None
        Takes the place of all seeds inside. None: they stay.
    of : {"names", "neurons"}, default="names"
        Whether neurons are named, and names annotate. Else their activations are what is returned.
    params : dict or None, default=None
        What the selection of neurons takes beside texts and a target, such as ``by``.

    Returns
    -------
    found : Refit
    """
    fitted = clone(annotator if of == "names" else annotator.encoder)
    if seed is not None:
        set_random_states(fitted, seed)
    with noted(), config_context(transform_output="default"):  # the notes of the first fit say the same
        if of == "names":
            values = fitted.fit(texts, y, **(params or {})).transform(unseen)
            return Refit(values, fitted.get_feature_names_out().tolist())
        fit_with_params(fitted, texts, y, params)
        output = check_output(fitted.transform(unseen), unseen)
    neurons = _wanted(fitted, output.shape[1])
    return Refit(activations_of(output, neurons), [f"neuron {i}" for i in neurons])


def activations_of(output, neurons):
    """Return some columns of what an encoder returns as a dense array."""
    some = output[:, neurons]
    return np.asarray(some.toarray() if hasattr(some, "toarray") else some, dtype=np.float64)


def come_back(first, refits):
    """Return how well each hypothesis of the first fit comes back in each of the others.

    Parameters
    ----------
    first : ndarray of shape (n_texts, n_hypotheses)
    refits : list of ndarray of shape (n_texts, n_found)

    Returns
    -------
    correlations : ndarray of shape (n_refits, n_hypotheses)
        With the one that it is paired with, one to one as in `match_hypotheses`; 0 without one.
    """
    found = np.zeros((len(refits), first.shape[1]))
    for i, values in enumerate(refits):
        between = correlations(values, first)
        rows, columns = pairs_of(between)
        found[i, columns] = between[rows, columns]
    return found


def table_of(names, found):
    """Return how often each hypothesis comes back, as a table of `hypothesis`, `comes_back` and `mean_correlation`."""
    return pd.DataFrame(
        {"hypothesis": names, "comes_back": (found > FROM).mean(axis=0), "mean_correlation": found.mean(axis=0)}
    )


def _wanted(encoder, n_outputs):
    """Return the outputs of a fitted encoder that are wanted, without the spare ones of a selector."""
    last = last_step(encoder)
    if not getattr(last, "n_spare", 0):
        return list(range(n_outputs))
    return np.flatnonzero(last.ranking_[last.get_support()] <= last.n_neurons).tolist()
