"""The folder of an autoencoder: the two files of SAELens, and two of our own.

``cfg.json`` and ``sae_weights.safetensors`` are what SAELens saves, so that it loads the folder.
``sklearn_sae.json`` and ``sklearn_sae.safetensors`` hold the parameters and the rest of the fitted state. No file holds
code.
"""

import json
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from sklearn_sae.utils.exchange._autoencoder import Autoencoder, check_weights

_CONFIG, _WEIGHTS = "cfg.json", "sae_weights.safetensors"
_STATE, _ARRAYS = "sklearn_sae.json", "sklearn_sae.safetensors"
CARD = "README.md"
FILES = (_WEIGHTS, _ARRAYS, CARD, _STATE, _CONFIG)  # in the order of writing
_FORMAT, _FORMAT_VERSION = "sklearn-sae autoencoder", 1
_SAELENS_VERSION = "6.54.0"  # of its format
_SETTINGS = ("k", "threshold", "normalization", "pursuit", "signed")


def write_folder(folder, autoencoder, *, kind, facts, arrays, metadata=None, card=None):
    """Write an autoencoder to a folder, from which `read_folder` and SAELens read it.

    Nothing there is touched before all files are written under other names. The two JSON files, without which nothing
    loads the folder, are then put in place last, so that what is loaded is never half old and half new. Other files
    of the folder stay.

    Parameters
    ----------
    folder : path-like
        It is made if it does not exist.
    autoencoder : Autoencoder
        If SAELens has no form for it, the file that SAELens needs is left out.
    kind : str
        The name of the estimator's class.
    facts : dict
        What `read_folder` returns with it, of values that JSON has, without NaN.
    arrays : dict of str to ndarray
        Likewise.
    metadata : dict or None, default=None
        The metadata of SAELens, such as `model_name`, `hook_name` and `prepend_bos`; None is left out.
    card : str or None, default=None
        The text of README.md. None writes none.

    Raises
    ------
    OSError
        If the folder cannot be written.
    """
    files = {
        _WEIGHTS: _saelens_weights(autoencoder),
        _ARRAYS: _safetensors(arrays),
        _STATE: _json(_state(autoencoder, kind, facts)),
    }
    if autoencoder.is_for_saelens:
        files[_CONFIG] = _json(_saelens_config(autoencoder, metadata or {}))
    if card is not None:
        files[CARD] = card.encode()
    folder = Path(folder).expanduser()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".part-", dir=folder) as part:
            for name, content in files.items():
                (Path(part) / name).write_bytes(content)
            for name in (_CONFIG, _STATE):
                (folder / name).unlink(missing_ok=True)
            for name in FILES:
                if name in files:
                    os.replace(Path(part) / name, folder / name)
    except OSError as error:
        raise type(error)(f"The autoencoder cannot be written to {folder} ({error.strerror or error}).") from None


def read_folder(folder, *, kind, what):
    """Read an autoencoder from a folder that `write_folder` wrote; no code is run from it.

    Parameters
    ----------
    folder : path-like
    kind : str
        The name of the estimator's class.
    what : str
        The subject of an error's sentence, as in "The autoencoder 'name'".

    Returns
    -------
    autoencoder : Autoencoder
    facts : dict
    arrays : dict of str to ndarray

    Raises
    ------
    FileNotFoundError
        If a file is missing.
    ValueError
        If a file is damaged, or of another estimator or a newer version.
    """
    folder = Path(folder)
    for name in (_STATE, _WEIGHTS, _ARRAYS):
        if not (folder / name).is_file():
            raise FileNotFoundError(f"{what} has no {name}: give a folder that to_saelens or push_to_hub wrote.")
    with damaged(what):
        state = json.loads((folder / _STATE).read_text("utf-8"))
        is_ours = state["format"] == _FORMAT
        version, found = state["format_version"], str(state["estimator"])
    if not is_ours:
        raise ValueError(f"{what} is not an autoencoder that sklearn-sae saved.")
    if version != _FORMAT_VERSION:
        raise ValueError(f"{what} was saved in a form that this version of sklearn-sae does not know; install another.")
    if found != kind:
        raise ValueError(f"{what} is of a {found[:80]}; load it by {found[:80]}.from_pretrained.")
    with damaged(what):
        weights, arrays = (_load_safetensors(folder / name) for name in (_WEIGHTS, _ARRAYS))
        autoencoder = _autoencoder(weights, state["autoencoder"])
        return autoencoder, dict(state["facts"]), arrays


@contextmanager
def damaged(what):
    """Replace an error of a damaged file within a `with` block by a ValueError of one sentence.

    Parameters
    ----------
    what : str
        The subject of the sentence.
    """
    from safetensors import SafetensorError

    try:
        yield
    except (
        AttributeError,
        KeyError,
        OverflowError,
        RecursionError,
        TypeError,
        ValueError,
        SafetensorError,
    ) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{what} is damaged, or was changed by hand ({type(error).__name__}: {reason}).") from None


def _state(autoencoder, kind, facts):
    from sklearn_sae import __version__

    return {
        "format": _FORMAT,
        "format_version": _FORMAT_VERSION,
        "sklearn_sae": __version__,
        "estimator": kind,
        "autoencoder": {name: getattr(autoencoder, name) for name in _SETTINGS},
        "facts": facts,
    }


def _saelens_config(autoencoder, metadata):
    n_components, n_features = autoencoder.encoder_weight.shape
    config = {
        "architecture": "jumprelu" if autoencoder.k is None else "topk",
        "d_in": n_features,
        "d_sae": n_components,
        "dtype": "float32",
        "device": "cpu",
        "apply_b_dec_to_input": True,
        "normalize_activations": autoencoder.normalization,
        "reshape_activations": "none",
    }
    if autoencoder.k is not None:
        config |= {"k": autoencoder.k, "rescale_acts_by_decoder_norm": False}
    known = {name: value for name, value in metadata.items() if value is not None}
    return config | {"metadata": {"sae_lens_version": _SAELENS_VERSION, **known}}


def _saelens_weights(autoencoder):
    arrays = {
        "W_enc": autoencoder.encoder_weight.T,
        "b_enc": autoencoder.encoder_bias,
        "W_dec": autoencoder.components,
        "b_dec": autoencoder.bias,
    }
    if autoencoder.k is None:
        arrays["threshold"] = np.full(len(autoencoder.components), autoencoder.threshold)
    return _safetensors({name: array.astype(np.float32) for name, array in arrays.items()})


def _autoencoder(weights, settings):
    encoder_weight, components = np.ascontiguousarray(weights["W_enc"].T), weights["W_dec"]
    settings = {"signed": False, **settings}  # files of before have no such setting
    autoencoder = Autoencoder(
        encoder_weight, weights["b_enc"], components, weights["b_dec"], *(settings[name] for name in _SETTINGS)
    )
    check_weights(autoencoder)
    n_components = len(components)
    k, threshold = autoencoder.k, autoencoder.threshold
    if k is not None and not (type(k) is int and 1 <= k <= n_components):
        raise ValueError(f"k is {k!r} of {n_components} neurons")
    are_bool = type(autoencoder.pursuit) is bool and type(autoencoder.signed) is bool
    if type(threshold) is not float or not 0 <= threshold < np.inf or not are_bool:
        raise ValueError("a setting is of another kind")
    return autoencoder


def _json(content):
    return (json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _safetensors(arrays):
    from safetensors.numpy import save

    return save({name: np.ascontiguousarray(array) for name, array in arrays.items()})


def _load_safetensors(path):
    from safetensors.numpy import load_file

    return load_file(path)
