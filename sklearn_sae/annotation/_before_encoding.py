"""What of an encoder and a target can be known to be wrong before texts are embedded, which may be slow or paid for."""

import math
from numbers import Integral

from sklearn.utils import get_tags

from sklearn_sae.annotation._outputs import steps_of
from sklearn_sae.utils._device import check_device
from sklearn_sae.utils._targets import check_target, check_target_varies


def check_before_encoding(encoder, y, n_samples):
    """Raise now what the steps of an encoder would raise after the first of them has run.

    Parameters
    ----------
    encoder : estimator
        Not fitted. Frozen steps are left out.
    y : array-like of shape (n_samples,) or None
    n_samples : int

    Raises
    ------
    ValueError
        If a step needs the target and there is none, it is constant or cannot be read; if an autoencoder shall have
        more active neurons than neurons, or a selector shall keep more neurons than it has; if an autoencoder
        is to be trained on a device that is not there.
    """
    before = None
    for step in steps_of(encoder, frozen=False):
        if _size(step, "k") > _size(step, "n_components"):
            raise ValueError(f"k={step.k} is larger than n_components={step.n_components}.")
        columns = _size(before, "n_components") * _n_aggregations(before)
        if _size(step, "n_neurons") > columns:
            raise ValueError(
                f"n_neurons={step.n_neurons} is more than the {columns} neurons of the step before; lower "
                "n_neurons, or train with more components."
            )
        if before is not None and hasattr(step, "k") and hasattr(step, "device"):  # an autoencoder
            check_device(step.device)
        before = step
        if hasattr(step, "__sklearn_tags__") and get_tags(step).target_tags.required:
            if y is None:
                raise ValueError(f"{type(step).__name__} requires y to be passed, but the target y is None.")
            check_target_varies(check_target(y, task=getattr(step, "task", "auto"), n_samples=n_samples))


def _n_aggregations(step):
    """Return how many columns a step has for each neuron."""
    aggregation = getattr(step, "aggregation", "")
    return len(aggregation) if isinstance(aggregation, (list, tuple)) else 1


def _size(step, name):
    """Return a parameter that is a number, or NaN, with which every comparison is false."""
    value = getattr(step, name, None)
    return value if isinstance(value, Integral) else math.nan
