"""The fit of a pipeline that keeps what each costly step makes, so that it is made once."""

from sklearn import config_context
from sklearn.utils.validation import has_fit_parameter

from sklearn_sae._text_pairs import annotator_of, embedded_pairs, is_of_pairs
from sklearn_sae.annotation._base import BaseHypothesisAnnotator
from sklearn_sae.utils._notes import warn
from sklearn_sae.utils._validation import listed


class _FirstOutput:
    """Stands in for the memory of a pipeline and keeps what its first step makes."""

    location = None
    output = None

    def cache(self, function, **options):
        """Return `function`, which fits a step and transforms by it."""

        def call(*args, **kwargs):
            result = function(*args, **kwargs)
            self.output = result[0] if self.output is None else self.output
            return result

        return call


def selection_params(pipeline, sample_weight, by):
    """Return what the annotator of a pipeline passes on to the selection of neurons; warn of what it does not take."""
    params = {name: value for name, value in (("sample_weight", sample_weight), ("by", by)) if value is not None}
    annotator = annotator_of(pipeline)
    taken = {name: value for name, value in params.items() if takes_for_selection(annotator, name)}
    if len(taken) < len(params):
        left = listed([name for name in params if name not in taken], "and")
        warn(f"Neurons are selected without {left}, because fit of {type(annotator).__name__} takes no such parameter.")
    return taken


def takes_for_selection(annotator, name):
    """Return whether an annotator takes ``by`` or ``sample_weight`` in `fit`: ours pass them on, others may."""
    return isinstance(annotator, BaseHypothesisAnnotator) or has_fit_parameter(annotator, name)


def fit_once(pipeline, texts, y, *, found_for=None, sample_weight=None, by=None):
    """Fit the pipeline; return the embedding of the texts and their annotations.

    Parameters
    ----------
    pipeline : Pipeline
    texts : sequence of str, or array of pairs
    y : array-like
        What the model predicts.
    found_for : array-like or None, default=None
        What hypotheses are found for, if that is another target.
    sample_weight : ndarray or None, default=None
        Weights of the selection of neurons and of the model.
    by : ndarray or None, default=None
        The subgroup of each text, for the selection.
    """
    encoder = annotator_of(pipeline).encoder.set_params(memory=_FirstOutput())
    params = selection_params(pipeline, sample_weight, by)
    annotations = pipeline["hypotheses"].fit_transform(texts, y if found_for is None else found_for, **params)
    annotator = annotator_of(pipeline)
    embedded = annotator.encoder_.memory.output
    for each in (encoder, annotator.encoder, annotator.encoder_):
        each.set_params(memory=None)
    if is_of_pairs(pipeline):
        embedded = embedded_pairs(pipeline, texts)
    fit_model(pipeline, annotations, y, sample_weight)
    return embedded, annotations


def fit_model(pipeline, annotations, y, sample_weight=None):
    """Fit what follows the annotator."""
    weights = {} if sample_weight is None else {"model__sample_weight": sample_weight}
    with config_context(enable_metadata_routing=False):  # in which alone the name of a step says where weights go
        pipeline[1:].fit(annotations, y, **weights)


def leave_out_near_copies(pipeline, annotations, y, sample_weight):
    """Leave out hypotheses of which others say nearly the same, fit the model without them, and return the annotations.

    They are compared by the annotations of the texts that they were found on. These had to be made for the model, so
    that no language model is asked for more, and the texts held out and their target play no part in the choice.
    """
    annotator = annotator_of(pipeline)
    if not isinstance(annotator, BaseHypothesisAnnotator):
        return annotations
    kept = annotator._leave_out_near_copies(annotations)
    if len(kept) < annotations.shape[1]:
        fit_model(pipeline, annotations[:, kept], y, sample_weight)
    return annotations[:, kept]
