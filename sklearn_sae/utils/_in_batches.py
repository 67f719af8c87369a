"""The first step of an encoder over texts on disk: learned from some of them, and applied to all."""

from itertools import chain

import numpy as np
from scipy import sparse
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_memory

from sklearn_sae.utils._notes import warn
from sklearn_sae.utils._on_disk import write_to_disk
from sklearn_sae.utils._parquet_texts import ParquetTexts, sample_rows
from sklearn_sae.utils._sklearn_compat import safe_indexing


def fit_encoder(encoder, texts, y, fit):
    """Fit an encoder to texts on disk by ``fit(encoder, X, y)``; return what that makes of them.

    The step `embed` of a pipeline is fitted to a sample of the texts, and its vectors go to a file that the steps after
    it read. Another encoder is trained on the texts themselves, so it gets them as a list.
    """
    if not isinstance(encoder, Pipeline) or len(encoder) < 2 or encoder.steps[0][0] != "embed":
        warn(
            f"All {len(texts):,} texts were read into memory, because a sample of them is enough only for an encoder "
            "whose first step is called 'embed', as with unit='document' and without a reader."
        )
        return fit(encoder, texts.tolist(), y)
    embedded, _ = check_memory(encoder.memory).cache(_fit_embedder)(encoder[0], texts, y)
    return fit(encoder[1:], embedded, y)


def transform_in_batches(step, texts):
    """Return what `transform` gives for texts; for texts on disk as an array on disk, or a sparse matrix."""
    if not isinstance(texts, ParquetTexts):
        return step.transform(texts)
    chunks = (step.transform(batch) for batch in texts.batches())
    first = next(chunks)
    if sparse.issparse(first):
        return sparse.vstack([first, *chunks], format="csr")
    return write_to_disk(np.asarray(chunk, dtype=np.float32) for chunk in chain([first], chunks))


def _fit_embedder(embedder, texts, y):
    rows = sample_rows(len(texts))
    warn(
        f"The embedding, the names and the baselines were learned from {len(rows):,} of {len(texts):,} texts, drawn at "
        "random; the autoencoder and the selection from all."
    )
    embedder.fit(texts[rows].tolist(), None if y is None else safe_indexing(y, rows))
    return transform_in_batches(embedder, texts), embedder
