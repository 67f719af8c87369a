"""The sentences of texts, and their vectors."""

from typing import NamedTuple

import numpy as np
from scipy import sparse
from sklearn import config_context

from sklearn_sae.utils._sentences import split_sentences
from sklearn_sae.utils._words import plain_text


class Sentences(NamedTuple):
    """The distinct sentences of some texts, and where they stand."""

    distinct: list  # of str
    place: np.ndarray  # (n_sentences,) of each sentence, text after text, among the distinct ones
    text: np.ndarray  # (n_sentences,) the text that it is of
    starts: np.ndarray  # (n_texts,) the first sentence of each text


def divide(texts):
    """Return the `Sentences` of texts, without HTML tags, entities and addresses; each text has at least one."""
    divided = [split_sentences(plain_text(text)) or [text] for text in texts]
    lengths = np.array([len(some) for some in divided], dtype=np.intp)
    known = {}
    place = np.array([known.setdefault(one, len(known)) for some in divided for one in some], dtype=np.intp)
    return Sentences(list(known), place, np.repeat(np.arange(len(texts)), lengths), np.cumsum(lengths) - lengths)


def embedder_of(encoder, *, is_first=False):
    """Return what turns texts into vectors in an encoder, fitted or not, or None if there is no such thing.

    It is the first step, or that of what a transformer of chunks applies, or of what is frozen; or all that a first
    step applies to pairs. One that reads words in context is none.

    Parameters
    ----------
    encoder : estimator or None
    is_first : bool, default=False
        Whether it is a first step, and so the embedder as a whole.
    """
    if type(encoder).__name__ == "FrozenEstimator":
        return embedder_of(encoder.estimator, is_first=is_first)
    if hasattr(encoder, "transformer"):
        inner = getattr(encoder, "transformer_", encoder.transformer)
        is_whole = is_first and type(encoder).__name__ == "PairTransformer"
        return embedder_of(inner, is_first=is_whole or not hasattr(inner, "steps"))
    if is_first:
        return None if hasattr(encoder, "token_activations") or isinstance(encoder, str) else encoder
    return embedder_of(encoder.steps[0][1], is_first=True) if hasattr(encoder, "steps") else None


def no_embedder(why):
    """Return the error that there is no embedder, because of `why`."""
    return ValueError(
        'pass embedder=, what turns sentences into vectors, such as EmbeddingTransformer("all-MiniLM-L6-v2"), because '
        f"{why}."
    )


def embed(embedder, sentences):
    """Return the vectors of sentences.

    Parameters
    ----------
    embedder : estimator
        Fitted.
    sentences : list of str

    Returns
    -------
    vectors : ndarray of shape (n_sentences, n_dims), float32
        Of length 1.
    """
    with config_context(transform_output="default"):
        vectors = embedder.transform(sentences)
    name = type(embedder).__name__
    if sparse.issparse(vectors):
        raise no_embedder(f"{name} gives sparse vectors, which count words")
    vectors = np.asarray(vectors)
    if vectors.dtype.kind not in "fiu" or vectors.ndim != 2 or len(vectors) != len(sentences):
        raise no_embedder(f"{name} does not give one vector a sentence")
    if not np.isfinite(vectors).all():
        raise ValueError(f"embedder, a {name}, gives a vector that is not finite.")
    return unit(vectors.astype(np.float32))


def unit(vectors):
    """Return rows of length 1; rows of zeros stay."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
