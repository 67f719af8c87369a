"""Where neurons come from: the annotator in an estimator, and the encoder behind it."""

import copy
from typing import Any, NamedTuple

from sklearn import config_context
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from sklearn_sae.annotation._base import BaseHypothesisAnnotator
from sklearn_sae.annotation._neurons import as_columns
from sklearn_sae.annotation._outputs import output_names, selection_of

_FACTS = ["short", "fidelity_f1", "selection_score", "selection_class"]  # columns of `hypotheses_` that are shown


class Source(NamedTuple):
    """What is looked at."""

    annotator: Any  # what names the neurons, or None
    encoder: Any  # from X to activations; None: X is the activations
    annotates: bool = False  # whether the encoder is the annotator itself, because its neurons are not at hand


def source_of(estimator):
    """Return the `Source` in a fitted estimator.

    An annotator may be a step of a pipeline, stand in a `PairTransformer` or a `ChunkTransformer`, or be in a search or
    a `Discovery`. The encoder is then its own, with all that stands before and around it. Where there is no annotator,
    the estimator itself is the encoder, without a last step that only predicts.
    """
    if isinstance(estimator, FrozenEstimator):
        return source_of(estimator.estimator)
    for holder in ("best_estimator_", "pipeline"):  # of a search, and of a Discovery
        if hasattr(estimator, holder):
            return source_of(getattr(estimator, holder))
    if isinstance(estimator, BaseHypothesisAnnotator):
        check_is_fitted(estimator)
        annotates = estimator._takes_texts() and not hasattr(estimator, "encoder_")
        return Source(estimator, estimator if annotates else getattr(estimator, "encoder_", None), annotates)
    if isinstance(estimator, Pipeline):
        return _source_of_pipeline(estimator)
    if hasattr(estimator, "transformer_"):
        inner = source_of(estimator.transformer_)
        if inner.annotator is not None:
            around = copy.copy(estimator)
            around.transformer_ = inner.encoder
            return inner._replace(encoder=around)
    return Source(None, estimator)


def _source_of_pipeline(pipeline):
    for i, (_, step) in enumerate(pipeline.steps):
        inner = source_of(step)
        if inner.annotator is not None:
            parts = [pipeline[:i]] * (i > 0) + [inner.encoder] * (inner.encoder is not None)
            steps = [(f"part{place}", part) for place, part in enumerate(parts)]
            return inner._replace(encoder=Pipeline(steps) if len(parts) > 1 else parts[0] if parts else None)
    return Source(None, pipeline if hasattr(pipeline.steps[-1][1], "transform") else pipeline[:-1])


def encode(encoder, X):
    """Return the activations as a csc_array; NaN is where no answer came."""
    if encoder is not None:
        with config_context(transform_output="default"):
            X = encoder.transform(X)
    forms = {"accept_sparse": ("csr", "csc"), "ensure_all_finite": "allow-nan"}
    return as_columns(check_array(X, input_name="The activations", **forms))


def facts_of(source, X, n_features):
    """Return what is known of each column of the activations, a dict each, and which columns have a name.

    A dict has the `feature` and the `name`, and may have what a selector or an annotator knows.
    """
    features = _features(source.encoder, X, n_features)
    facts = [{"feature": feature, "name": feature} for feature in features]
    selection = {} if source.encoder is None else selection_of(source.encoder, n_features)
    for key, values in selection.items():
        for one, value in zip(facts, values, strict=True):
            one[key] = value
    if source.annotator is None:
        return facts, []
    names, table = source.annotator.get_feature_names_out(), getattr(source.annotator, "hypotheses_", None)
    if table is None:
        columns, rows = range(len(names)), [{}] * len(names)
    else:
        columns = range(len(names)) if source.annotates else table["neuron"].tolist()
        rows = [row.dropna().to_dict() for _, row in table.reindex(columns=_FACTS).iterrows()]
    named = {}  # A neuron that was named in two rounds has its first name here.
    for column, name, row in zip(columns, names, rows, strict=True):
        named.setdefault(column, {**row, "name": name})
    for column, known in named.items():
        facts[column].update(known)
    return facts, list(named)


def _features(encoder, X, n_features):
    if encoder is not None:
        return output_names(encoder, n_features)
    columns = getattr(X, "columns", None)
    if columns is not None and all(isinstance(column, str) for column in columns):
        return list(columns)
    return [f"neuron {i}" for i in range(n_features)]
