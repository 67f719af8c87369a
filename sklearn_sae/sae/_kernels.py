"""The products of a sparse autoencoder, with gradients formed only at its active entries.

A row has K active neurons of M, so the (B, M) matrix of codes is kept as its B*K entries. The decoder is then the
product of a sparse with a dense matrix, both weight gradients are that of the transpose, and the gradient of the codes
is a dot product an entry; no (B, M) gradient exists. The rest of the package calls the functions of this file; faster
forms may replace them without a change elsewhere.

All results are the same bits for every number of CPU threads.
"""

import warnings
from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

try:
    from sklearn_sae.sae._topk import topk as compiled_topk
except ImportError:  # there was no C compiler where the package was built
    compiled_topk = None

TILE = 16  # matrix products of whole tiles do not depend on the number of threads; ragged ones do
_BAG = 64  # neurons added up by one thread: their order, and so the bits, shall not depend on how many there are


class Active(NamedTuple):
    """Where the entries of a sparse (n_rows, M) matrix are, row by row; values travel apart."""

    rows: Tensor  # (n_active,) int64, ascending
    neurons: Tensor  # (n_active,) int64
    starts: Tensor  # (n_rows + 1,) int64: row i has the entries from starts[i] up to starts[i + 1]

    @classmethod
    def regular(cls, neurons):
        """From an (n_rows, K) matrix."""
        rows, starts = _regular_rows(*neurons.shape, neurons.device)
        return cls(rows, neurons.flatten(), starts)

    @classmethod
    def ragged(cls, rows, neurons, n_rows):
        """From the row and the neuron of each entry."""
        return cls(rows, neurons, torch.searchsorted(rows, torch.arange(n_rows + 1, device=rows.device)))


@lru_cache(maxsize=8)  # a step asks for a few sizes, each step for the same
def _regular_rows(n_rows, k, device):
    entries = torch.arange(n_rows * k + 1, device=device)
    return entries[:-1] // k, entries[::k].contiguous()


class ByNeuron(NamedTuple):
    """The entries of an `Active` neuron by neuron."""

    order: Tensor  # (n_active,) their positions in row order
    rows: Tensor  # (n_active,)
    starts: Tensor  # (M + 1,)


def linear(x: Tensor, weight: Tensor, offset: Tensor) -> Tensor:
    """Return ``x @ weight.T + offset``, (B, M)."""
    n_rows, n_outputs = x.shape[0], weight.shape[0]
    pad_rows, pad_outputs = -n_rows % TILE, -n_outputs % TILE
    if pad_rows:
        x = F.pad(x, (0, 0, 0, pad_rows))
    if pad_outputs:
        weight = F.pad(weight, (0, 0, 0, pad_outputs))
        offset = F.pad(offset, (0, pad_outputs))
    return torch.addmm(offset, x, weight.T)[:n_rows, :n_outputs]


def stretched(x: Tensor, directions: Tensor, factors: Tensor) -> Tensor:
    """Return rows (B, d) with their parts along orthonormal directions (R, d) multiplied by factors (R,)."""
    parts = linear(x, directions, x.new_zeros(len(directions)))
    return x + linear(parts * (factors - 1), directions.T, x.new_zeros(x.shape[1]))


def topk_linear(x: Tensor, weight: Tensor, offset: Tensor, k: int):
    """Return the k largest entries of each row of ``x @ weight.T + offset``, in no order, and their columns."""
    n_candidates = max(16, 2 * k)
    if _is_float32_cpu(x) and multiplies_bfloat16() and weight.shape[0] >= 32 * n_candidates:
        return _topk_through_bfloat16(x, weight, offset, k, n_candidates)
    return _topk(linear(x, weight, offset), k)


def _topk_through_bfloat16(x, weight, offset, k, n_candidates):
    """Return the same by a coarse product that takes less than half the time, and exact ones for its candidates.

    What a row's coarse entries are off by has a bound. If it does not rule out that one of the k largest is not among
    the candidates, the row is computed in float32.
    """
    rounded = x.bfloat16(), weight.bfloat16(), offset.bfloat16()
    coarse, candidates = _topk(linear(*rounded), n_candidates)
    exact = dots(x, weight, Active.regular(candidates)).view_as(coarse).add_(offset[candidates])
    values, among = _topk(exact, k)
    columns = candidates.gather(1, among)

    # No coarse entry but those of the candidates is larger than `cut`. Coarse entries are off by the rounding of x and
    # of the weights, by that of the offset and of the product itself, and by that of the sums.
    cut = coarse.amin(1)
    x_norms, weight_norm, largest_offset = _norms(x), _norms(weight).max(), offset.abs().max()
    x_errors, weight_error, offset_error = (
        coarse.float().sub_(a) for coarse, a in zip(rounded, (x, weight, offset), strict=True)
    )
    x_errors, weight_error = _norms(x_errors), _norms(weight_error).max()
    error = x_errors * weight_norm + (x_norms + x_errors) * weight_error
    error += offset_error.abs().max() + 2**-8 * cut.abs()
    error += 2**-22 * x.shape[1] * (x_norms * weight_norm + largest_offset)
    unsure = (~(values.amin(1) >= cut + error)).nonzero()[:, 0]
    if len(unsure):
        values[unsure], columns[unsure] = _topk(linear(x[unsure], weight, offset), k)
    return values, columns


def _norms(matrix):
    """Return the norms of the rows, or more: squares of the least numbers, and products of them, count as zero."""
    least = torch.finfo(torch.float32).tiny
    return torch.linalg.vector_norm(matrix, dim=1).add_((matrix.shape[1] * least) ** 0.5)


@cache
def multiplies_bfloat16():
    """Return whether the CPU multiplies bfloat16 natively, which takes less than half the time of float32."""
    has_instructions = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    return compiled_topk is not None and torch.backends.mkldnn.is_available() and has_instructions()


def _topk(matrix, k):
    """Return the k largest entries of each row of a matrix without NaN, in no order, and their columns."""
    if compiled_topk is not None and matrix.device.type == "cpu" and matrix.dtype in (torch.float32, torch.bfloat16):
        values = torch.empty(matrix.shape[0], k, dtype=torch.float32, device="cpu")
        columns = torch.empty_like(values, dtype=torch.int64)
        whole = matrix.contiguous().view(torch.int16 if matrix.dtype == torch.bfloat16 else torch.float32)
        compiled_topk(whole.numpy(), whole.itemsize, k, values.numpy(), columns.numpy())
        return values, columns
    # On the CPU torch.topk sorts partially if 64 * k fit into a row, and else partitions, which is slower from half on.
    n_columns = matrix.shape[1]
    if matrix.device.type == "cpu" and 32 * k <= n_columns < 64 * k:
        matrix = F.pad(matrix, (0, 64 * k - n_columns), value=-torch.inf)
    return matrix.topk(k, dim=1, sorted=False)


def _is_float32_cpu(tensor):
    return tensor.device.type == "cpu" and tensor.dtype == torch.float32


def decode(values: Tensor, active: Active, weight: Tensor) -> Tensor:
    """Return the product of the sparse (n_rows, M) matrix with `weight` (M, d): (n_rows, d)."""
    return _weighted_sums(values, active.neurons, active.starts, weight)


def transposed_product(values: Tensor, order: ByNeuron, dense: Tensor) -> Tensor:
    """Return the product of the transposed sparse (M, n_rows) matrix with `dense` (n_rows, d): (M, d)."""
    return _weighted_sums(values.index_select(0, order.order), order.rows, order.starts, dense)


def dots(dense: Tensor, weight: Tensor, active: Active) -> Tensor:
    """Return the active entries of ``dense @ weight.T``, (n_active,)."""
    pattern = torch.sparse_csr_tensor(
        active.starts,
        active.neurons,
        dense.new_zeros(active.neurons.shape[0]),
        size=(dense.shape[0], weight.shape[0]),
        check_invariants=False,
    )
    return torch.sparse.sampled_addmm(pattern, dense, weight.T, beta=0).values()


def by_neuron(active: Active, n_neurons: int) -> ByNeuron:
    """Return the entries in the order of their neurons, those of one neuron in row order."""
    neurons = active.neurons
    if neurons.device.type == "cpu" and n_neurons <= 2**16:  # NumPy sorts 16-bit integers by radix, ten times sooner
        order = torch.from_numpy(np.argsort(neurons.numpy().astype(np.uint16), kind="stable"))
    else:
        order = torch.argsort(neurons, stable=True)
    ends = torch.arange(n_neurons + 1, device=neurons.device)
    starts = torch.searchsorted(neurons.index_select(0, order), ends)
    return ByNeuron(order, active.rows.index_select(0, order), starts)


def sum_by_neuron(values: Tensor, active: Active, n_neurons: int) -> Tensor:
    """Return the sum of the values of each neuron, (M,)."""
    return values.new_zeros(n_neurons).index_add_(0, active.neurons, values)


def vector_product(vector: Tensor, matrix: Tensor) -> Tensor:
    """Return ``vector @ matrix``."""
    rows = torch.arange(len(matrix), device=matrix.device)
    starts = F.pad(rows[::_BAG], (0, 1), value=len(rows))
    return _weighted_sums(vector, rows, starts, matrix).sum(0)


def adam_step(params, gradients, first, second, *, step, learning_rate, betas=(0.9, 0.999), eps=1e-8):
    """Update tensors and their two moments in place by the step number `step` (from 1) of Adam."""
    torch._fused_adam_(  # what torch.optim.Adam(fused=True) calls, without the second that importing torch.optim takes
        list(params),
        list(gradients),
        list(first),
        list(second),
        [],
        [torch.full((), float(step), device=params[0].device)] * len(params),
        lr=learning_rate,
        beta1=betas[0],
        beta2=betas[1],
        weight_decay=0.0,
        eps=eps,
        amsgrad=False,
        maximize=False,
    )


def _weighted_sums(values, indices, starts, rows):
    return F.embedding_bag(indices, rows, starts, mode="sum", per_sample_weights=values, include_last_offset=True)


with warnings.catch_warnings():  # torch says once, of the first one made, that sparse tensors are in beta: make it here
    warnings.simplefilter("ignore")
    one = torch.ones(1, 1, device="cpu")
    dots(one, one, Active.regular(torch.zeros(1, 1, dtype=torch.int64, device="cpu")))
    del one
