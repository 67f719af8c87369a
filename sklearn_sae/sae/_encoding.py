"""Rows to sparse codes, chunk by chunk: NumPy in, SciPy out."""

import numpy as np
import torch
from scipy import sparse

from sklearn_sae.sae._kernels import linear, stretched, topk_linear
from sklearn_sae.sae._pursuit import gram_matrix, pursue
from sklearn_sae.sae._scaling import TOO_LARGE

_CHUNK_ROWS = 2**13  # encoded at once, fewer if their pre-activations were more than so many entries:
_CHUNK_ENTRIES = 2**23  # 32 MB
_PURSUIT_GROWTH = 1e6  # least squares on neurons that nearly coincide has codes larger than the row by no more
_BLOCK_ROWS = 2**16  # rows whose codes are held at once, where only their number is asked for


def encode(X, *, encoder_weight, encoder_bias, bias, k, threshold, pursuit, stretch, device, dtype=np.float32):
    """Return the codes of `X` as a CSR array of shape (n_samples, M).

    Parameters
    ----------
    X : ndarray of shape (n_samples, d)
    encoder_weight, encoder_bias, bias : ndarray of shape (M, d), (M,), (d,)
    k : int or None
        Keep the k largest of a row that are positive; None keeps all above the threshold.
    threshold : float
        At least 0; unused with `k`.
    pursuit : bool
        Whether the codes are those of a matching pursuit, for which `encoder_weight` is the components; needs `k`.
    stretch : tuple of ndarray of shape (R, d), (R,), or None
        Orthonormal directions, and the factors by which rows minus `bias` are stretched along them before the rest.
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
    farthest = float(np.finfo(np.float32).max / max(1.0, np.abs(encoder_weight).sum(axis=1).max())) / 2
    widest = len(weight)
    if pursuit:
        gram, widest = gram_matrix(weight), max(widest, k * k)
        farthest /= _PURSUIT_GROWTH
    if stretch is not None:
        farthest /= float(stretch[1].max())
        stretch = [torch.tensor(a, device=device) for a in stretch]
    chunk = min(_CHUNK_ROWS, max(16, _CHUNK_ENTRIES // widest // 16 * 16))

    def chunks():
        for start in range(0, len(X), chunk):
            with np.errstate(over="ignore"):  # what overflows is too far below
                x = np.require(X[start : start + chunk], np.float32, ["C", "W"])  # as torch wants it
            x = torch.from_numpy(x).to(device) - center
            if not torch.stack(torch.aminmax(x)).abs().max() <= farthest:
                raise ValueError(TOO_LARGE)
            yield slice(start, start + len(x)), x if stretch is None else stretched(x, *stretch)

    if k is None:
        codes = [_above(linear(x, weight, offset), threshold) for _, x in chunks()]
        counts, neurons, values = (np.concatenate(parts) for parts in zip(*codes, strict=True))
        starts = np.concatenate([[0], np.cumsum(counts)])
    else:
        values, neurons = np.empty((len(X), k), np.float32), np.empty((len(X), k), np.int32)
        for rows, x in chunks():
            if pursuit:
                top, where = pursue(x, weight, gram, k)
            else:
                top, where = topk_linear(x, weight, offset, k)
            values[rows], neurons[rows] = top.relu_().cpu().numpy(), where.cpu().numpy()
        starts = np.arange(0, values.size + 1, k)
    index_dtype = np.int32 if values.size <= np.iinfo(np.int32).max else np.int64
    codes = sparse.csr_array(
        (
            values.ravel().astype(dtype, copy=False),
            neurons.ravel().astype(index_dtype, copy=False),
            starts.astype(index_dtype),
        ),
        shape=(len(X), len(weight)),
    )
    codes.eliminate_zeros()
    codes.sort_indices()
    codes.has_canonical_format = True
    return codes


def _above(pre, threshold):
    rows, neurons = (pre > threshold).nonzero(as_tuple=True)
    counts = torch.bincount(rows, minlength=len(pre))
    return tuple(part.cpu().numpy() for part in (counts, neurons.to(torch.int32), pre[rows, neurons]))


def activity(X, **settings):
    """Return how many rows of `X` each neuron is active in, (M,); `settings` are those of `encode`."""
    blocks = (X[start : start + _BLOCK_ROWS] for start in range(0, len(X), _BLOCK_ROWS))
    n_components = len(settings["encoder_weight"])
    return sum(np.bincount(encode(block, **settings).indices, minlength=n_components) for block in blocks)
