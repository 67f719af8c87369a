"""What a fitted estimator holds: annotations and their names, an autoencoder."""

from sklearn import config_context
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import check_array

from sklearn_sae.annotation._base import BaseHypothesisAnnotator
from sklearn_sae.sae import TopKSAETransformer

# Attributes in which fitted estimators and a `Discovery` hold others.
_HOLDERS = ("pipeline", "best_estimator_", "encoder_", "transformer_", "sae_")


def inside(estimator):
    """Yield a fitted estimator and all that it holds, the outermost first."""
    yield estimator
    held = [getattr(estimator, holder) for holder in _HOLDERS if hasattr(estimator, holder)]
    if isinstance(estimator, FrozenEstimator):
        held.append(estimator.estimator)
    if isinstance(estimator, Pipeline):
        held += [step for _, step in estimator.steps]
    for one in held:
        if hasattr(one, "get_params"):  # some hold functions under these names
            yield from inside(one)


def autoencoder_in(estimator):
    """Return the fitted `TopKSAETransformer` that an estimator is or holds, the first if it holds several."""
    for one in inside(estimator):
        if isinstance(one, TopKSAETransformer) and hasattr(one, "components_"):
            return one
    raise ValueError(f"{type(estimator).__name__} holds no fitted TopKSAETransformer.")


def annotator_in(estimator):
    """Return the annotator that a fitted estimator is or holds, or None."""
    return next((one for one in inside(estimator) if isinstance(one, BaseHypothesisAnnotator)), None)


def annotated(estimator, texts):
    """Return the annotations of texts as an array, and the names of their columns.

    Parameters
    ----------
    estimator : estimator or Discovery
        An annotator, or what holds one. Of a pipeline all steps up to the annotator are applied; of one without an
        annotator, all but a last step that only predicts.
    texts : sequence
        What the estimator takes.

    Returns
    -------
    annotations : ndarray of shape (n_texts, n_hypotheses)
    names : list of str
    """
    annotate = _annotating(estimator)
    with config_context(transform_output="default"):
        annotations = annotate.transform(texts)
    if hasattr(annotations, "toarray"):
        annotations = annotations.toarray()
    annotations = check_array(annotations, ensure_all_finite="allow-nan", input_name="The annotations")
    return annotations, list(map(str, annotate.get_feature_names_out()))


def _annotating(estimator):
    for holder in ("pipeline", "best_estimator_"):
        if hasattr(estimator, holder):
            return _annotating(getattr(estimator, holder))
    if isinstance(estimator, FrozenEstimator):
        return _annotating(estimator.estimator)
    if isinstance(estimator, Pipeline):
        for i, (_, step) in enumerate(estimator.steps):
            if annotator_in(step) is not None:
                return estimator[: i + 1]
        return estimator if hasattr(estimator.steps[-1][1], "transform") else estimator[:-1]
    return estimator
