"""Texts so long that most neurons are active somewhere in nearly all of them."""

import numpy as np

from sklearn_sae.utils._notes import warn

_FEWEST_TEXTS = 10
_NEARLY_ALL = 0.95  # of the texts
_MANY = 0.5  # of the neurons


def warn_of_saturation(pooled, texts, aggregations):
    """Warn if half of the neurons are active in nearly all texts, so that they tell these hardly apart.

    Parameters
    ----------
    pooled : csr_array of shape (n_texts, len(aggregations) * n_neurons)
    texts : Texts
    aggregations : list of str
    """
    n_texts, n_columns = pooled.shape
    n_neurons = n_columns // len(aggregations)
    n_active = np.bincount(pooled.indices, minlength=n_columns)[:n_neurons]  # alike under every aggregation
    n_everywhere = int((n_active >= _NEARLY_ALL * n_texts).sum())
    if n_texts < _FEWEST_TEXTS or n_everywhere < _MANY * n_neurons:
        return
    n_words = np.median([len(spans) for spans in texts.spans])
    mean = "" if "mean" in aggregations else '; aggregation="mean" tells how active they are'
    warn(
        f"{n_everywhere:,} of {n_neurons:,} neurons are active in nearly all texts, which have a median of "
        f"{n_words:,.0f} words that count, so that no name can tell the texts apart; cut them into shorter ones with "
        f"ChunkTransformer, or raise n_components{mean}."
    )
