"""Rows to sparse codes, chunk by chunk: NumPy in, SciPy out."""

from typing import NamedTuple

import numpy as np
import torch
from scipy import sparse

from sklearn_sae.sae._kernels import linear, scale_along, topk_linear
from sklearn_sae.sae._metric import Metric
from sklearn_sae.sae._pursuit import gram_matrix, pursue
from sklearn_sae.sae._scaling import TOO_LARGE
from sklearn_sae.sae._shards import ALONE
from sklearn_sae.sae._weights import Weights
from sklearn_sae.utils._device import check_device

_CHUNK_ROWS = 2**13  # the most rows that are encoded at once
_CHUNK_ENTRIES = 2**23  # the most pre-activations that are computed at once, 32 MB
_GPU_CHUNK = 16  # times as many on a GPU, where small pieces take longer to ask for than to compute
_PURSUIT_GROWTH = 1e6  # the most by which codes exceed a row, as they do where neurons nearly coincide


class Encoder(NamedTuple):
    """The arrays and settings that turn rows into codes."""

    weight: np.ndarray  # (M, d); the components with a matching pursuit
    bias: np.ndarray  # (M,)
    center: np.ndarray  # (d,)
    k: int | None  # the number of entries kept of a row; None keeps all above the threshold
    threshold: float = 0.0  # at least 0; without effect if there is `k`
    pursuit: bool = False  # whether the codes are those of a matching pursuit, which needs `k`
    metric: Metric | None = None  # if given, it is applied to rows minus `center`
    signed: bool = False  # whether entries are compared by magnitude, and negative ones kept


def encoder_of(sae):
    """Return the `Encoder` of a fitted estimator, by the settings that it was fitted with."""
    weights, settings, metric = Weights.of(sae), sae._settings, sae._scaling.metric
    k = None if settings.batch_topk else sae.k_
    if not settings.pursuit or metric is None:
        return Encoder(*weights[:2], weights.bias, k, sae.threshold_, settings.pursuit, signed=settings.signed)
    components = sae._scaling.scaled(weights).components  # because a pursuit needs unit norms
    return Encoder(components, weights.encoder_bias, weights.bias, k, pursuit=True, metric=metric)


def encode(sae, X, *, dtype=np.float32):
    """Return the codes of `X` as a CSR array of shape (n_samples, M).

    Parameters
    ----------
    sae : TopKSAETransformer
        A fitted one.
    X : ndarray of shape (n_samples, d)
    dtype : dtype, default=float32
        Of the values; the work is float32.

    Returns
    -------
    codes : csr_array
        With int32 indices in ascending order and no stored zeros.

    Raises
    ------
    ValueError
        If a row is beyond the range of float32.
    """
    encoder, device = encoder_of(sae), check_device(sae.device)
    if encoder.k is None:
        chunks = [(values, neurons, counts) for _, values, neurons, counts in _encoded_chunks(X, encoder, device)]
        values, neurons, counts = (np.concatenate(parts) for parts in zip(*chunks, strict=True))
        starts = np.concatenate([[0], np.cumsum(counts)])
    else:
        values, neurons = np.empty((len(X), encoder.k), np.float32), np.empty((len(X), encoder.k), np.int32)
        for rows, some_values, some_neurons, _ in _encoded_chunks(X, encoder, device):
            values[rows], neurons[rows] = some_values, some_neurons
        starts = np.arange(0, values.size + 1, encoder.k)
    index_dtype = np.int32 if values.size <= np.iinfo(np.int32).max else np.int64
    codes = sparse.csr_array(
        (
            values.ravel().astype(dtype, copy=False),
            neurons.ravel().astype(index_dtype, copy=False),
            starts.astype(index_dtype),
        ),
        shape=(len(X), len(encoder.weight)),
    )
    codes.eliminate_zeros()
    codes.sort_indices()
    codes.has_canonical_format = True
    return codes


def active_share(sae, X, codes=None, shards=ALONE):
    """Return the share of the rows of `X` in which each neuron is active, (M,) float32.

    If the codes of `X` are not given, they are computed and counted chunk by chunk, and never in memory together. Each
    process of `shards` counts some of the rows.
    """
    encoder, counts = encoder_of(sae), np.zeros(sae.n_components_, np.int64)
    if codes is not None:
        counts += np.bincount(codes.indices, minlength=len(counts))
    else:
        device = check_device(sae.device)
        for _, values, neurons, _ in _encoded_chunks(X[shards.rows(len(X))], encoder, device):
            counts += np.bincount(neurons[values != 0], minlength=len(counts))
        counts = shards.sum(torch.from_numpy(counts).to(device)).cpu().numpy()
    return (counts / len(X)).astype(np.float32)


def _encoded_chunks(X, encoder, device):
    """Yield a slice of rows, the values and neurons of their codes, and the number of codes of each row.

    With `k`, values and neurons are (n_rows, k), some values are 0, and the number is None.
    """
    weight, offset, center = (torch.tensor(array, device=device) for array in encoder[:3])
    gram = gram_matrix(weight) if encoder.pursuit else None
    directions = None
    if encoder.metric is not None:
        directions = [torch.tensor(array, device=device) for array in encoder.metric[2:4]]
    largest, n_rows = _largest_entry(encoder), _rows_at_once(encoder, device)
    for start in range(0, len(X), n_rows):
        with np.errstate(over="ignore"):  # an overflow is refused below
            x = np.require(X[start : start + n_rows], np.float32, ["C", "W"])  # the layout that torch takes
        x, rows = torch.from_numpy(x).to(device) - center, slice(start, start + len(x))
        if not torch.stack(torch.aminmax(x)).abs().max() <= largest:
            raise ValueError(TOO_LARGE)
        if directions is not None:
            x = scale_along(x, *directions)
        if encoder.k is None:
            yield rows, *_above(linear(x, weight, offset), encoder.threshold, encoder.signed)
            continue
        if encoder.pursuit:
            values, neurons = pursue(x, weight, gram, encoder.k)
        else:
            values, neurons = topk_linear(x, weight, offset, encoder.k, signed=encoder.signed)
        values = values if encoder.signed else values.relu_()
        yield rows, values.cpu().numpy(), neurons.to(torch.int32).cpu().numpy(), None


def _largest_entry(encoder):
    """Return the largest entry of a row for which all results are within float32."""
    largest = float(np.finfo(np.float32).max / max(1.0, np.abs(encoder.weight).sum(axis=1).max())) / 2
    if encoder.pursuit:
        largest /= _PURSUIT_GROWTH
    return largest if encoder.metric is None else largest / float(encoder.metric.factors.max())


def _rows_at_once(encoder, device):
    n_entries = _CHUNK_ENTRIES * (_GPU_CHUNK if device.type == "cuda" else 1)
    widest = max(len(encoder.weight), encoder.k**2 if encoder.pursuit else 0)
    return min(_CHUNK_ROWS, max(16, n_entries // widest // 16 * 16))


def _above(pre, threshold, signed):
    rows, neurons = ((pre.abs() if signed else pre) > threshold).nonzero(as_tuple=True)
    counts = torch.bincount(rows, minlength=len(pre))
    return tuple(part.cpu().numpy() for part in (pre[rows, neurons], neurons.to(torch.int32), counts))
