"""The encoder of a published SAE: what it is and how it is run."""

from typing import NamedTuple

import numpy as np

_CHUNK = 2**24  # pre-activations in memory at once, which take 64 MiB in float32


class SparseEncoder(NamedTuple):
    """The encoder of an SAE, as arrays, and which states of which reader it encodes.

    A state ``x`` of the reader has the pre-activations ``weight @ (normalize(x) - input_bias) + bias``. A latent is
    active if its pre-activation is above 0, above its `threshold` where there is one, and among the `k` largest where
    there is a `k`. Its activation is then the pre-activation, and otherwise 0.

    Attributes
    ----------
    weight : ndarray of shape (n_latents, width), float32
    bias : ndarray of shape (n_latents,), float32
    input_bias : ndarray of shape (width,) or None
        What is subtracted from each normalized state.
    threshold : ndarray of shape (n_latents,) or None
        The thresholds of a JumpReLU or gated SAE.
    k : int or None
        The number of active latents of a TopK SAE.
    normalization : {"none", "layer_norm", "constant_norm_rescale"}
        How each state is normalized first.
    model_name : str or None
        The hub id of the reader, or None where the SAE does not say.
    layer : int
        The layer of the reader, counted from 0.
    site : {"resid_pre", "resid_mid", "resid_post", "attn_out", "mlp_out", "z"}
        The place in the layer whose state is encoded.
    prepend_bos : bool or None
        Whether texts begin with the BOS token. None: as the tokenizer does it.
    center : bool
        Whether the mean over the width is subtracted from each state before it is encoded, as in a LayerNorm reader
        whose writing weights are centered.
    source : str
        The name of what was loaded, for messages.
    neuronpedia_id : str or None
        The name of these latents at neuronpedia.org.
    labels_file : str or None
        The file of their labels in the hub's data set nickjiang/feature_labels.
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


def refuse_activation_scale(activation_scale, what):
    """Raise a ValueError if a scale is given for the SAE `what`, which needs none."""
    if activation_scale is not None:
        raise ValueError(f"{what} needs no activation scale; leave activation_scale out.")


class TorchEncoder:
    """A `SparseEncoder` at work on one device.

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
            States of any floating dtype, on any device.

        Returns
        -------
        rows, latents : Tensor of shape (n_active,), int64
            Sorted by row, and within a row by latent.
        values : Tensor of shape (n_active,), float32
            The activations, all above 0. The three lie on this encoder's device.
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


def _normalize(states, normalization):
    """Normalize states as sae-lens does it."""
    if normalization == "layer_norm":
        states = states - states.mean(dim=-1, keepdim=True)
        return states / (states.std(dim=-1, keepdim=True) + 1e-5)
    if normalization == "constant_norm_rescale":
        return states * (states.shape[-1] ** 0.5 / states.norm(dim=-1, keepdim=True))
    return states


def _largest(before, k):
    """Return the entries of the `k` largest of each row that are above 0."""
    latents = before.topk(k, dim=-1, sorted=False).indices.sort(dim=-1).values
    values = before.gather(-1, latents)
    rows, places = (values > 0).nonzero(as_tuple=True)
    return rows, latents[rows, places], values[rows, places]


def _above(before, threshold):
    """Return the entries above `threshold`."""
    rows, latents = (before > threshold).nonzero(as_tuple=True)
    return rows, latents, before[rows, latents]


def _above_on_cpu(before, threshold):
    """Do as `_above` does, by NumPy, which is faster on a CPU. See docs/benchmarks_pretrained.md."""
    import torch

    flat = np.flatnonzero(before.numpy() > np.asarray(threshold))
    rows, latents = (torch.from_numpy(part) for part in np.divmod(flat, before.shape[1]))
    return rows, latents, before.view(-1)[torch.from_numpy(flat)]
