"""How well the annotations of a hypothesis agree with the neuron that it names."""

from typing import NamedTuple

import numpy as np


class Fidelity(NamedTuple):
    """Agreement of annotations with activations; all NaN where nothing could be compared."""

    f1: float
    precision: float
    recall: float
    correlation: float


def fidelity(annotations, activations):
    """Compare the annotations of some texts with a neuron's activations on them.

    Parameters
    ----------
    annotations : ndarray of shape (n_texts,)
        1, 0 or a probability of 1; NaN where there is none, which leaves the text out.
    activations : ndarray of shape (n_texts,)
        Above 0 where the neuron activates.

    Returns
    -------
    scores : Fidelity
        A score whose denominator is 0 (no text annotated 1, say) is 0.
    """
    answered = ~np.isnan(annotations)
    annotations, activations = annotations[answered], activations[answered]
    if not len(annotations):
        return Fidelity(*[np.nan] * 4)
    said, active = annotations >= 0.5, activations > 0
    both = np.sum(said & active)
    return Fidelity(
        f1=_ratio(2 * both, said.sum() + active.sum()),
        precision=_ratio(both, said.sum()),
        recall=_ratio(both, active.sum()),
        correlation=_correlation(annotations, activations),
    )


def _ratio(numerator, denominator):
    return float(numerator / denominator) if denominator else 0.0


def _correlation(a, b):
    a, b = a - a.mean(dtype=np.float64), b - b.mean(dtype=np.float64)
    return _ratio(a @ b, np.sqrt((a @ a) * (b @ b)))
