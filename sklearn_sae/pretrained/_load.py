"""The choice of the loader for a published SAE."""

import os
from numbers import Real
from pathlib import Path

import numpy as np

from sklearn_sae.pretrained import _goodfire, _sae_lens


def load_sparse_encoder(sae, *, activation_scale=None):
    """Load the encoder of a published SAE.

    Parameters
    ----------
    sae : str, path-like or (str, str)
        A folder that `sae-lens` saved, a local file in Goodfire's layout, or a release of `sae-lens` and an id in it,
        as a pair or as ``"release/id"``. A repository of the hub may take the place of the release. A folder or file
        is preferred to a release of the same name.
    activation_scale : float or None, default=None
        The factor by which each state is multiplied first. It is needed for an SAE that was trained on states of a
        fixed average norm (``normalize_activations="expected_average_only_in"``) and saved without this factor, and
        refused for any other.

    Returns
    -------
    encoder : SparseEncoder

    Raises
    ------
    TypeError
        If `sae` is no such name.
    ValueError
        If there is no such release or id; if `activation_scale` is missing, or not needed; if the SAE is a
        transcoder, or of another kind that does not encode each state with one product; if it encodes states of
        another site than the six of `SparseEncoder`; if a file is damaged, or would run code when opened.
    FileNotFoundError
        If a folder or file does not exist.
    NotOnHubError, PermissionError, ConnectionError, OSError
        If the hub does not give it; see `sklearn_sae.utils._hub.hub_errors`.
    ImportError
        If `sae-lens` is needed and not installed.
    """
    if activation_scale is not None and not (
        isinstance(activation_scale, Real) and not isinstance(activation_scale, bool) and 0 < activation_scale < np.inf
    ):
        raise ValueError(f"activation_scale must be a positive number or None, not {activation_scale!r}.")
    if isinstance(sae, tuple | list) and len(sae) == 2 and all(isinstance(part, str) for part in sae):
        return _sae_lens.load_release(sae, activation_scale)
    if not isinstance(sae, str | os.PathLike) or not os.fspath(sae):
        raise TypeError(f"sae must be a release and an id, a folder or a file, not {sae!r}.")
    path = Path(sae).expanduser()
    if path.is_dir():
        return _sae_lens.load_folder(path, activation_scale)
    if path.is_file():
        return _goodfire.load_file(path, activation_scale)
    if isinstance(sae, os.PathLike) or sae.startswith((".", "/", "~")) or path.suffix in (".pt", ".pth"):
        raise FileNotFoundError(f"sae is {str(sae)!r}, but there is no such file or folder.")
    return _sae_lens.load_release(sae, activation_scale)
