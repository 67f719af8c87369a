"""What the outputs of an encoder are called, and what they were selected by."""

import numpy as np
from sklearn.utils import check_array

from sklearn_sae.utils._sklearn_compat import num_samples


def steps_of(encoder, *, frozen):
    """Return the steps of an encoder that may be pipelines within each other, with those that are frozen or without."""
    if type(encoder).__name__ == "FrozenEstimator":
        return steps_of(encoder.estimator, frozen=True) if frozen else []
    if not hasattr(encoder, "steps"):
        return [encoder]
    steps = [step for _, step in encoder.steps if step not in (None, "passthrough")]
    return [part for step in steps for part in steps_of(step, frozen=frozen)]


def last_step(encoder):
    """Return the last step of an encoder that may be pipelines within each other."""
    while hasattr(encoder, "steps") or type(encoder).__name__ == "FrozenEstimator":
        encoder = encoder.steps[-1][1] if hasattr(encoder, "steps") else encoder.estimator
    return encoder


def check_output(output, X):
    """Return the output of an encoder of `X` as an array or a sparse array, or say what is wrong with it."""
    shape, n_samples = np.shape(output), num_samples(X)
    if len(shape) != 2 or shape[0] != n_samples or not shape[1]:
        raise ValueError(
            f"encoder must turn {n_samples} texts into an array with as many rows and one column for each "
            f"neuron; its output has shape {shape}."
        )
    return check_array(output, accept_sparse=("csr", "csc"), input_name="The encoder's output")


def output_names(encoder, n_outputs):
    """Return the names of an encoder's outputs, "x0" and so on if it has none."""
    try:
        names = np.asarray(encoder.get_feature_names_out(), dtype=object)
    except (AttributeError, TypeError, ValueError):  # a step without names, or that needs the names before it
        names = np.array([], dtype=object)
    return names if len(names) == n_outputs else np.array([f"x{i}" for i in range(n_outputs)], dtype=object)


def selection_of(encoder, n_outputs):
    """Return the scores by which the encoder's last step selected its outputs, and the classes that they are of.

    Empty if it is no selector; classes only if it scored several.
    """
    last = last_step(encoder)
    if not (hasattr(last, "scores_") and hasattr(last, "get_support")):
        return {}
    scores, support = np.asarray(last.scores_, dtype=np.float64), last.get_support()
    if scores.shape != support.shape or support.sum() != n_outputs:
        return {}
    selection = {"selection_score": scores[support]}
    if hasattr(last, "class_scores_"):
        selection["selection_class"] = last.classes_[np.abs(last.class_scores_[:, support]).argmax(axis=0)]
    return selection
