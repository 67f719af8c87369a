"""The encoder of a published SAE: what it is, where it comes from and how it is run."""

import os
from numbers import Real
from pathlib import Path
from typing import NamedTuple

import numpy as np

_CHUNK = 2**24  # pre-activations held at once: 64 MiB in float32


class SparseEncoder(NamedTuple):
    """The encoder of an SAE, as arrays, and what it has to be fed with.

    A state ``x`` of the reader has the pre-activations ``weight @ (normalize(x) - input_bias) + bias``. Active are
    those above 0, above `threshold` where there is one, and among the `k` largest where there is a `k`; their
    values are the activations, and all others are 0.

    Attributes
    ----------
    weight : ndarray of shape (n_latents, width), float32
    bias : ndarray of shape (n_latents,), float32
    input_bias : ndarray of shape (width,) or None
        Subtracted from each normalized state.
    threshold : ndarray of shape (n_latents,) or None
        Of a JumpReLU or gated SAE.
    k : int or None
        Of a TopK SAE.
    normalization : {"none", "layer_norm", "constant_norm_rescale"}
        What is done to each state first.
    model_name : str or None
        Hub id of the reader, or None where the SAE does not say.
    layer : int
        Of the reader, from 0.
    site : {"resid_pre", "resid_mid", "resid_post", "attn_out", "mlp_out", "z"}
        Where in the layer the state is taken.
    prepend_bos : bool or None
        Whether texts begin with the BOS token; None: as the tokenizer does it.
    center : bool
        Whether the mean over the width is subtracted from each state before it is encoded, as in a LayerNorm reader
        whose writing weights are centered.
    source : str
        What was loaded.
    neuronpedia_id : str or None
        Name of these latents at neuronpedia.org.
    labels_file : str or None
        Their labels' file in the hub's data set nickjiang/feature_labels.
    """

    weight: np.ndarray
    bias: np.ndarray
    input_bias: np.ndarray | None
    threshold: np.ndarray | None
    k: int | None
    normalization: str
    model_name: str | None
    layer: int
    site: str
    prepend_bos: bool | None
    center: bool
    source: str
    neuronpedia_id: str | None = None
    labels_file: str | None = None


def load_sparse_encoder(sae, *, activation_scale=None):
    """Load the encoder of a published SAE.

    Parameters
    ----------
    sae : str, path-like or (str, str)
        A folder that `sae-lens` saved, a local file in Goodfire's layout, or a release of `sae-lens` and an id in it,
        as a pair or as ``"release/id"``; a repository of the hub may stand for the release. What exists on disk is
        taken before a release of the same name.
    activation_scale : float or None, default=None
        What each state is multiplied by first. Needed for, and only for, an SAE that was trained on states of a
        fixed average norm (``normalize_activations="expected_average_only_in"``) and saved without this scale.

    Returns
    -------
    encoder : SparseEncoder

    Raises
    ------
    TypeError
        If `sae` is no such name.
    ValueError
        If there is no such release or id; if `activation_scale` is missing, or not needed; if the SAE is a
        transcoder, or of another kind that does not encode each state with one product; if it reads the reader at
        another place than the six of `SparseEncoder`; if a file is damaged, or would run code when opened.
    OSError
        If a folder or file does not exist, or the hub does not give it.
    ImportError
        If `sae-lens` is needed and not installed.
    """
    if activation_scale is not None and not (
        isinstance(activation_scale, Real) and not isinstance(activation_scale, bool) and 0 < activation_scale < np.inf
    ):
        raise ValueError(f"activation_scale must be a positive number or None, not {activation_scale!r}.")
    if isinstance(sae, tuple | list) and len(sae) == 2 and all(isinstance(part, str) for part in sae):
        return _from_release(sae, activation_scale)
    if not isinstance(sae, str | os.PathLike) or not os.fspath(sae):
        raise TypeError(f"sae must be a release and an id, a folder or a file, not {sae!r}.")
    path = Path(sae).expanduser()
    if path.is_dir():
        from sklearn_sae.pretrained._sae_lens import read_folder

        return read_folder(path, activation_scale)
    if path.is_file():
        from sklearn_sae.pretrained._goodfire import read_local_file

        refuse_activation_scale(activation_scale, f"The SAE {path}")
        return read_local_file(path)
    if isinstance(sae, os.PathLike) or sae.startswith((".", "/", "~")) or path.suffix in (".pt", ".pth"):
        raise FileNotFoundError(f"sae is {str(sae)!r}, but there is no such file or folder.")
    return _from_release(sae, activation_scale)


def _from_release(name, activation_scale):
    from sklearn_sae.pretrained._sae_lens import read_release

    return read_release(name, activation_scale)


def refuse_activation_scale(activation_scale, what):
    """Raise a ValueError if a scale is given for an SAE, called `what`, that needs none."""
    if activation_scale is not None:
        raise ValueError(f"{what} needs no activation scale; leave activation_scale out.")


class TorchEncoder:
    """Encodes states with a `SparseEncoder`, on one device.

    Parameters
    ----------
    encoder : SparseEncoder
    device : str or torch.device
    """

    def __init__(self, encoder, device):
        import torch

        def move(array):
            return None if array is None else torch.as_tensor(array, device=device)

        self.weight = move(encoder.weight)
        self.bias = move(encoder.bias)
        self.input_bias = move(encoder.input_bias)
        self.threshold = move(encoder.threshold)
        self.k = encoder.k
        self.normalization = encoder.normalization

    def __call__(self, states):
        """Return the active entries of the activations of `states`.

        Parameters
        ----------
        states : Tensor of shape (n_states, width)
            Of any floating dtype, on any device.

        Returns
        -------
        rows, latents : Tensor of shape (n_active,), int64
            In the order of rows and, within a row, of latents.
        values : Tensor of shape (n_active,), float32
            All above 0. The three lie on this encoder's device.
        """
        import torch

        step = max(1, _CHUNK // len(self.weight))
        chunks = [(0, states[:0])] if len(states) == 0 else []
        chunks += [(start, states[start : start + step]) for start in range(0, len(states), step)]
        found = []
        with torch.no_grad():
            for start, chunk in chunks:
                rows, latents, values = self._encode(chunk)
                found.append((rows + start, latents, values))
        return tuple(torch.cat(parts) for parts in zip(*found, strict=True))

    def _encode(self, states):
        import torch

        states = _normalize(states.to(self.weight.device, torch.float32), self.normalization)
        if self.input_bias is not None:
            states = states - self.input_bias
        before = torch.nn.functional.linear(states, self.weight, self.bias)
        if self.k is not None:
            return _largest(before, self.k)
        find = _above_on_cpu if before.device.type == "cpu" else _above
        return find(before, 0 if self.threshold is None else self.threshold)


def _normalize(states, normalization):  # as sae-lens does it
    if normalization == "layer_norm":
        states = states - states.mean(dim=-1, keepdim=True)
        return states / (states.std(dim=-1, keepdim=True) + 1e-5)
    if normalization == "constant_norm_rescale":
        return states * (states.shape[-1] ** 0.5 / states.norm(dim=-1, keepdim=True))
    return states


def _largest(before, k):
    """The `k` largest of each row, if positive."""
    latents = before.topk(k, dim=-1, sorted=False).indices.sort(dim=-1).values
    values = before.gather(-1, latents)
    rows, places = (values > 0).nonzero(as_tuple=True)
    return rows, latents[rows, places], values[rows, places]


def _above(before, threshold):
    rows, latents = (before > threshold).nonzero(as_tuple=True)
    return rows, latents, before[rows, latents]


def _above_on_cpu(before, threshold):
    """The same by NumPy, which takes a quarter of the time."""
    import torch

    flat = np.flatnonzero(before.numpy() > np.asarray(threshold))
    rows, latents = (torch.from_numpy(part) for part in np.divmod(flat, before.shape[1]))
    return rows, latents, before.view(-1)[torch.from_numpy(flat)]
