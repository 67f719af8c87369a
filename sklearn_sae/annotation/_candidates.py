"""The candidates for the names of neurons, scored on the texts that are held back."""

import numpy as np
import pandas as pd

from sklearn_sae.annotation._fidelity import Fidelity, fidelity
from sklearn_sae.annotation._neurons import column

UNCLEAR = "unclear"  # in the place of a name, where a language model finds none
_NO_SCORE = Fidelity(*[np.nan] * 4)


def score_candidates(annotate, texts, activations, examples, candidates):
    """Return the (sentence, Fidelity) of each candidate of each neuron; all are annotated in one go.

    Parameters
    ----------
    annotate : callable
        As `BaseHypothesisAnnotator._annotate`.
    texts : list of str
    activations : csc_array of shape (n_texts, n_neurons)
    examples : list of Examples
    candidates : list of list of str
        For each neuron.
    """
    pairs = [(i, sentence) for i, some in enumerate(candidates) for sentence in some if sentence != UNCLEAR]
    scored = [[(UNCLEAR, _NO_SCORE)] * some.count(UNCLEAR) for some in candidates]
    if not pairs:
        return scored
    scored_on = [examples[i].scoring for i, _ in pairs]
    rows, places = np.unique(np.concatenate(scored_on), return_inverse=True)
    mask = np.zeros((len(rows), len(pairs)), dtype=bool)
    mask[places, np.repeat(np.arange(len(pairs)), [len(some) for some in scored_on])] = True
    annotations = np.empty(mask.shape)
    if len(rows):
        annotations = annotate([texts[row] for row in rows], [sentence for _, sentence in pairs], mask)
    for j, (i, sentence) in enumerate(pairs):
        score = fidelity(annotations[mask[:, j], j], column(activations, i)[rows[mask[:, j]]])
        scored[i].append((sentence, score))
    return scored


def best_candidate(scored, scoring):
    """Return the (sentence, Fidelity) that scores best, the first of several; None if there is none."""
    return max(scored, key=lambda one: _rank(*one, scoring), default=None)


def is_good(scored, scoring, min_score):
    """Return whether a candidate scores at least `min_score`."""
    return any(_rank(*one, scoring)[1] >= min_score for one in scored)


def candidate_table(scored):
    """Return a DataFrame of candidates, given as (neuron, sentence, Fidelity), in the order of the neurons."""
    rows = sorted(scored, key=lambda one: one[0])
    table = pd.DataFrame({"neuron": [neuron for neuron, *_ in rows], "interpretation": [name for _, name, _ in rows]})
    scores = pd.DataFrame([score for *_, score in rows], columns=Fidelity._fields, dtype=np.float64)
    return table.join(scores.add_prefix("fidelity_"))


def _rank(sentence, score, scoring):
    value = getattr(score, scoring)
    return sentence != UNCLEAR, -np.inf if np.isnan(value) else value
