"""Checks of a whole pipeline, before minutes of work."""

from sklearn_sae._pipeline import autoencoder_of
from sklearn_sae._text_pairs import annotator_of
from sklearn_sae.annotation import LLMHypothesisAnnotator
from sklearn_sae.embedding import EmbeddingTransformer
from sklearn_sae.pretrained._pooling import check_aggregations
from sklearn_sae.sae._settings import resolve_settings
from sklearn_sae.utils._device import check_device
from sklearn_sae.utils.server import check_engine, find_key, resolve_base_url


def check_pipeline(pipeline, texts):
    """Raise now for parameters, sizes, a device or a missing key for which the steps would raise after minutes of work.

    A number of neurons that is "auto" becomes that of the hypotheses where it would be less.

    Parameters
    ----------
    pipeline : Pipeline
        As `make_hypothesis_pipeline` builds it; not fitted.
    texts : list of str
        Those to fit it on.
    """
    annotator = annotator_of(pipeline)
    encoder = annotator.encoder
    select, trained = encoder["select"], autoencoder_of(encoder)
    for step in (annotator, *(step for _, step in encoder.steps), trained):
        if hasattr(step, "_parameter_constraints"):
            step._validate_params()
    for name, step in pipeline.get_params().items():
        if isinstance(step, (EmbeddingTransformer, type(trained))):
            check_device(step.device, name=f"{name}__device")
    n_components = _n_neurons(encoder, texts)
    if select.n_neurons > n_components:
        if trained.n_components == "auto":
            trained.set_params(n_components=select.n_neurons)
            return check_pipeline(pipeline, texts)
        raise ValueError(
            f"n_hypotheses is too large: n_neurons={select.n_neurons} is more than the {n_components} neurons "
            "of the autoencoder; lower n_hypotheses, or train with more components."
        )
    if isinstance(annotator, LLMHypothesisAnnotator) and not annotator.cached_only:
        if annotator.server is not None:
            check_engine(annotator.server)
        else:
            find_key(resolve_base_url(annotator.base_url), annotator.api_key_env)


def _n_neurons(encoder, texts):
    """Return how many neurons an encoder will have, after the checks of their numbers."""
    if "read" not in encoder.named_steps:
        sae, n_rows = autoencoder_of(encoder), len(texts)
        if "sentences" in encoder.named_steps:
            n_rows = encoder["sentences"].n_rows(texts)
            sae = encoder["sentences"].sized(n_rows, len(texts))["sae"]
        return resolve_settings(sae, n_rows, fitted=False)[0]
    reader = encoder["read"]
    n_words = sum(map(len, reader._count(texts).spans))
    n_aggregations = len(check_aggregations(reader.aggregation))
    return n_aggregations * reader._plan(min(n_words, reader.max_tokens)).n_components
