"""How an autoencoder is trained on the states of words: its sizes, its passes over them, and their scale."""

import math

import numpy as np

from sklearn_sae.sae import TopKSAETransformer
from sklearn_sae.sae._settings import check_encoder, resolve_settings

_WORDS_A_NEURON = 100
_LARGEST, _LEAST = 1024, 16  # numbers of neurons; docs/reader.md says what was measured
_WORDS_TRAINED_ON = 300_000  # in all epochs
_MOST_EPOCHS, _FEWEST_EPOCHS = 25, 3
_ROWS_AT_ONCE = 2**14
_LEAST_DEVIATION = 1e-3  # of states whose numbers are about 1


def suggest_n_components(n_words):
    """Return the power of two next to a hundredth of the number of words, from 16 to 1024."""
    return int(np.clip(2 ** round(math.log2(max(n_words, 1) / _WORDS_A_NEURON)), _LEAST, _LARGEST))


def suggest_k(n_components):
    """Return a 64th of the number of neurons, but at least 4, and at most a quarter."""
    return max(1, min(n_components // 4, max(4, n_components // 64)))


def suggest_epochs(n_words):
    """Return the number of passes that come to 300,000 words, from 3 to 25."""
    return int(np.clip(math.ceil(_WORDS_TRAINED_ON / n_words), _FEWEST_EPOCHS, _MOST_EPOCHS))


def plan_autoencoder(n_words, sae_params, *, n_components, k, **parameters):
    """Return the autoencoder that will be trained on so many words, after all checks for which none need be read.

    Parameters
    ----------
    n_words : int
    sae_params : dict
        More parameters of the autoencoder.
    n_components, k : int or "auto"
    **parameters
        Others, which `sae_params` may not hold.

    Returns
    -------
    sae : TopKSAETransformer
        Not fitted.

    Raises
    ------
    ValueError
        If there are fewer than two words; if `sae_params` holds a name that is unknown or has a parameter of its own;
        if a value is refused, or values contradict each other.
    """
    known = TopKSAETransformer().get_params()
    for name in sae_params:
        if name in ("n_components", "k", *parameters):
            raise ValueError(f"sae_params holds {name!r}, which is a parameter of its own; set that.")
        if name not in known:
            raise ValueError(f"sae_params holds {name!r}, which is no parameter of TopKSAETransformer.")
    check_enough(n_words)
    if n_components == "auto":
        n_components = max(suggest_n_components(n_words), 1 if k == "auto" else k)
    k = suggest_k(n_components) if k == "auto" else k
    settings = {"max_epochs": suggest_epochs(n_words)} | sae_params
    sae = TopKSAETransformer(n_components, k, **parameters, **settings)
    sae._validate_params()
    check_encoder(sae)
    resolve_settings(sae, n_words, fitted=False)
    return sae


def check_enough(n_words):
    """Refuse texts of fewer than two words that count."""
    if n_words < 2:
        raise ValueError(f"The texts have {n_words} words that count; two or more are needed to train on.")


def scale_columns(states):
    """Divide the columns of an array that vary more than most by their standard deviations, in place.

    In decoders the variance of a few dimensions is as large as that of all others together, so that an autoencoder
    would work for these alone. What varies less than most stays as small as it is, because it is noise more often.

    Parameters
    ----------
    states : ndarray of shape (n_words, width), floating
        Also memory-mapped; it is read and written in parts.

    Returns
    -------
    scale : ndarray of shape (width,), float32
        What the columns were divided by: their standard deviations, and at least the median of these, or 1 where the
        median is next to nothing.
    """
    parts = [slice(start, start + _ROWS_AT_ONCE) for start in range(0, len(states), _ROWS_AT_ONCE)]
    mean = sum(states[part].sum(axis=0, dtype=np.float64) for part in parts) / len(states)
    variance = sum(np.square(states[part] - mean).sum(axis=0) for part in parts) / len(states)
    deviations = np.sqrt(variance)
    least = np.median(deviations)
    # Where hardly anything varies, rounding errors would grow beyond float16.
    scale = np.maximum(deviations, least if least > _LEAST_DEVIATION else 1.0).astype(np.float32)
    for part in parts:
        states[part] = states[part] / scale
    return scale
