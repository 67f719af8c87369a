"""Rows to sparse codes, chunk by chunk: NumPy in, SciPy out."""

import numpy as np
import torch
from scipy import sparse

from sklearn_sae.sae._kernels import linear
from sklearn_sae.sae._network import TOO_LARGE, select_above, select_topk

_CHUNK_ENTRIES = 2**21  # pre-activations held at once, 8 MB


def encode(X, *, encoder_weight, encoder_bias, bias, k, threshold, device, dtype=np.float32):
    """Return the codes of `X` as a CSR array of shape (n_samples, M).

    Parameters
    ----------
    X : ndarray of shape (n_samples, d)
    encoder_weight, encoder_bias, bias : ndarray of shape (M, d), (M,), (d,)
    k : int or None
        Keep at most this many entries of a row, the largest; None keeps all above the threshold.
    threshold : float
        Keep only what is larger.
    device : torch.device
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
    weight, offset, center = (torch.tensor(a, device=device) for a in (encoder_weight, encoder_bias, bias))
    n_samples, n_components = len(X), len(encoder_weight)
    chunk = max(16, _CHUNK_ENTRIES // n_components // 16 * 16)
    counts, neurons, values = [], [], []
    for start in range(0, n_samples, chunk):
        with np.errstate(over="ignore"):  # what overflows is not finite below
            x = torch.tensor(np.ascontiguousarray(X[start : start + chunk], dtype=np.float32), device=device)
        pre = linear(x - center, weight, offset)
        if not torch.isfinite(torch.stack(torch.aminmax(pre))).all():
            raise ValueError(TOO_LARGE)
        active = select_above(pre, threshold) if k is None else _topk_in_order(pre, k, threshold)
        counts.append(torch.bincount(active.rows, minlength=len(x)).cpu().numpy())
        neurons.append(active.neurons.to(torch.int32).cpu().numpy())
        values.append(pre[active.rows, active.neurons].cpu().numpy().astype(dtype, copy=False))
    return _csr(np.concatenate(values), np.concatenate(neurons), np.concatenate(counts), n_components)


def _topk_in_order(pre, k, threshold):
    active = select_topk(pre, k)
    neurons = active.neurons.view(-1, k).sort(dim=1).values.flatten()
    keep = pre[active.rows, neurons] > threshold
    return active._replace(rows=active.rows[keep], neurons=neurons[keep])


def _csr(values, neurons, counts, n_components):
    n_samples = len(counts)
    ends = np.concatenate([[0], np.cumsum(counts)])
    index_dtype = np.int32 if len(values) <= np.iinfo(np.int32).max else np.int64
    indices = neurons.astype(index_dtype, copy=False), ends.astype(index_dtype)
    codes = sparse.csr_array((values, *indices), shape=(n_samples, n_components))
    codes.has_sorted_indices = codes.has_canonical_format = True
    return codes
