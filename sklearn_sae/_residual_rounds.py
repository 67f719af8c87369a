"""Further hypotheses for what those found so far leave of the target."""

import copy

import numpy as np
import pandas as pd
from sklearn import config_context
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.pipeline import Pipeline

from sklearn_sae._beyond_controls import has_residual
from sklearn_sae.utils._notes import noted, warn
from sklearn_sae.utils._validation import counted

_ALIKE = 0.7  # A name whose annotations correlate by more with one of a round before says it again.
_N_FOLDS = 5


def per_round(n_hypotheses, n_rounds, target, annotator):
    """Return how many hypotheses each round is to find, or say why there can be no further round."""
    if not n_rounds:
        return n_hypotheses
    if not has_residual(target):
        raise ValueError(
            f"residual_rounds needs a target of numbers or of two classes; this one has {len(target.classes)} classes."
        )
    if not getattr(annotator, "_annotates_freely", False):
        raise ValueError(
            "residual_rounds needs names that cost nothing, of keywords or quotes. With others, find again what the "
            "first hypotheses miss: discover(texts, y, offset=their out-of-fold predictions)."
        )
    if n_hypotheses <= n_rounds:
        raise ValueError(f"n_hypotheses={n_hypotheses} is too few for {n_rounds + 1} rounds: each needs one.")
    return -(-n_hypotheses // (n_rounds + 1))


def refuse_beside_rounds(residual_rounds, others):
    """Say what further rounds do not go with; `others` has by name whether each is asked for."""
    for name, is_asked_for in others.items():
        if residual_rounds and is_asked_for:
            raise ValueError(f"residual_rounds does not go with {name}; leave one of them out.")


def further_rounds(annotator, texts, base, annotations, *, n_rounds, n_hypotheses, sample_weight=None):
    """Find hypotheses for what those before leave of a target, add them to the annotator, and return all annotations.

    Texts are not encoded by another autoencoder: neurons are selected and named anew.

    Parameters
    ----------
    annotator : annotator
        Fitted.
    texts : sequence of str
        Those that it was fitted on.
    base : ndarray of shape (n_texts,)
        What hypotheses are found for.
    annotations : ndarray of shape (n_texts, n_hypotheses)
    n_rounds : int
    n_hypotheses : int
        In all rounds together.
    sample_weight : ndarray or None, default=None
    """
    weights = {} if sample_weight is None else {"sample_weight": sample_weight}
    annotator.hypotheses_["round"] = 1
    for place in range(n_rounds):
        n_left = n_hypotheses - annotations.shape[1]
        left = base - _cross_fitted(annotations, base, sample_weight)
        size = -(-n_left // (n_rounds - place))
        steps = [(name, FrozenEstimator(step)) for name, step in annotator.encoder_.steps[:-1]]
        select = clone(annotator.encoder_[-1]).set_params(task="regression", n_neurons=size)
        again = clone(annotator).set_params(encoder=Pipeline([*steps, ("select", select)]))
        with noted() as said:
            again.fit(texts, left, **weights)
            says = again.transform(texts)
        for note in said:
            warn(of_round(note, place + 2))
        new = _unlike(annotations, says)
        if len(new) < says.shape[1]:
            n = says.shape[1] - len(new)
            names = counted(n, "name that says", "names that say")
            warn(f"Round {place + 2}: left out {names} nearly the same as one before.")
        if new:
            _join(annotator, again, new, place + 2)
            annotations = np.hstack([annotations, says[:, new]])
    return annotations


def of_round(note, number):
    """Return a note on neurons with the number of its round. Other notes hold for all rounds."""
    return f"Round {number}: n{note[1:]}" if note.startswith("Neurons were passed over") else note


def _cross_fitted(A, base, sample_weight):
    """Return what least squares on the annotations predicts for each text from the others."""
    weights = {} if sample_weight is None else {"sample_weight": sample_weight}
    folds = KFold(min(_N_FOLDS, len(base)), shuffle=True, random_state=0)
    with config_context(enable_metadata_routing=False):
        return cross_val_predict(LinearRegression(), np.nan_to_num(A), base, cv=folds, params=weights)


def _unlike(before, says):
    """Return the columns that say nearly the same as none before."""
    with np.errstate(invalid="ignore"):
        between = np.corrcoef(before, says, rowvar=False)[: before.shape[1], before.shape[1] :]
    return np.flatnonzero(~(np.abs(between) > _ALIKE).any(axis=0)).tolist()


def _join(annotator, again, new, number):
    """Add some hypotheses of another annotator, whose neurons are of the same autoencoder."""
    select, other = annotator.encoder_[-1], again.encoder_[-1]
    own, others = np.flatnonzero(select.get_support()), np.flatnonzero(other.get_support())
    both = np.union1d(own, others)
    joined = copy.copy(select)
    joined._support = np.isin(np.arange(len(select.get_support())), both)
    joined.scores_ = np.where(select.get_support(), select.scores_, other.scores_)
    annotator.encoder_ = Pipeline([*annotator.encoder_.steps[:-1], (annotator.encoder_.steps[-1][0], joined)])
    table = again.hypotheses_.iloc[new].assign(round=number)
    for one, kept in (
        (annotator.hypotheses_, own),
        (table, others),
        (annotator.candidates_, own),
        (again.candidates_, others),
    ):
        one["neuron"] = np.searchsorted(both, kept[one["neuron"]])
    for passed, kept in ((annotator.passed_over_, own), (again.passed_over_, others)):
        for one in passed:
            one["neuron"] = int(np.searchsorted(both, kept[one["neuron"]]))
    annotator.hypotheses_ = pd.concat([annotator.hypotheses_, table], ignore_index=True)
    annotator.candidates_ = pd.concat([annotator.candidates_, again.candidates_], ignore_index=True)
    annotator.passed_over_ = [*annotator.passed_over_, *again.passed_over_]
    annotator.examples_ = [*annotator.examples_, *(again.examples_[i] for i in new)]
    if hasattr(annotator, "_rules"):
        annotator._rules = {**again._rules, **annotator._rules}
