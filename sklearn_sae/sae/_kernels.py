"""The products of a sparse autoencoder, with gradients computed only at its active entries.

A row has K active neurons of M, so the (B, M) matrix of codes is kept as its B * K entries. The decoder is then the
product of a sparse with a dense matrix. Both weight gradients are products of the transposed sparse matrix. The
gradient of a code is a dot product, so that no (B, M) gradient exists.

The C code in `native` computes what is float32 and on the CPU, if it is compiled. All results are the same bits for
every number of CPU threads.
"""

import warnings
from functools import cache, lru_cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from sklearn_sae.sae.native import _calls as native

TILE = 16  # matrix products of whole tiles do not depend on the number of threads; ragged ones do
_LEAST_COARSE = 256, 32  # the least M, and the least M / K, for which a coarse product saves time
_BAG = 64  # the neurons that one thread adds up, so that the order of additions does not depend on the threads


class Active(NamedTuple):
    """The positions of the entries of a sparse (n_rows, M) matrix, row by row. The values are passed apart."""

    rows: Tensor  # (n_active,) int64, ascending
    neurons: Tensor  # (n_active,) int64
    starts: Tensor  # (n_rows + 1,) int64: row i has the entries from starts[i] up to starts[i + 1]

    @classmethod
    def regular(cls, neurons):
        """Return the positions where row i has the neurons in row i of an (n_rows, K) matrix."""
        rows, starts = _regular_rows(*neurons.shape, neurons.device)
        return cls(rows, neurons.flatten(), starts)

    @classmethod
    def ragged(cls, rows, neurons, n_rows):
        """Return the positions from the row and the neuron of each entry."""
        rows, neurons = rows.contiguous(), neurons.contiguous()
        return cls(rows, neurons, torch.searchsorted(rows, torch.arange(n_rows + 1, device=rows.device)))


@lru_cache(maxsize=8)  # because every step asks for the same few sizes
def _regular_rows(n_rows, k, device):
    entries = torch.arange(n_rows * k + 1, device=device)
    return entries[:-1] // k, entries[::k].contiguous()


class ByNeuron(NamedTuple):
    """The order of the entries neuron by neuron."""

    order: Tensor  # (n_active,), the position of each among the entries
    starts: Tensor  # (M + 1,): neuron j has order[starts[j]] up to order[starts[j + 1]]


def linear(x: Tensor, weight: Tensor, offset: Tensor, tile: int = TILE) -> Tensor:
    """Return ``x @ weight.T + offset``, (B, M), by a product of whole tiles; `tile` is the number of outputs in one."""
    n_rows, n_outputs = x.shape[0], weight.shape[0]
    pad_rows, pad_outputs = -n_rows % TILE, -n_outputs % tile
    if pad_rows:
        x = F.pad(x, (0, 0, 0, pad_rows))
    if pad_outputs:
        weight = F.pad(weight, (0, 0, 0, pad_outputs))
        offset = F.pad(offset, (0, pad_outputs))
    return torch.addmm(offset, x, weight.T)[:n_rows, :n_outputs]


def scale_along(x: Tensor, directions: Tensor, factors: Tensor) -> Tensor:
    """Return rows (B, d) whose parts along orthonormal directions (R, d) are multiplied by factors (R,)."""
    parts = linear(x, directions, x.new_zeros(len(directions)))
    return x + linear(parts * (factors - 1), directions.T, x.new_zeros(x.shape[1]))


def topk_linear(x: Tensor, weight: Tensor, offset: Tensor, k: int, *, signed=False):
    """Return the k largest entries of each row of ``x @ weight.T + offset``, in no order, and their columns.

    If they are `signed`, they are largest in magnitude.
    """
    if signed:
        product = linear(x, weight, offset)
        columns = _topk(product.abs(), k)[1]
        return product.gather(1, columns), columns
    least, least_of_each = _LEAST_COARSE
    if native.runs_on(x, weight) and multiplies_bfloat16() and len(weight) >= max(least, least_of_each * k):
        return _topk_through_bfloat16(x, weight, offset, k)[:2]
    return _topk(linear(x, weight, offset), k)


def _topk_through_bfloat16(x, weight, offset, k):
    """Return what `topk_linear` returns, and how many entries of each row were computed in float32.

    A product in bfloat16 comes first, because it takes less than half the time. Its entries have an error with a known
    bound. So only the k largest entries of a row, and those that may be larger than the least of these, are computed in
    float32.
    """
    x, weight, coarse_offset = x.contiguous(), weight.contiguous(), offset.bfloat16()
    coarse_x, *of_x = native.round_rows(x)
    coarse_weight, *of_weight = native.round_rows(weight)
    # oneDNN keeps code and buffers for each of the last 1,024 shapes that it has multiplied, 100 MB or more. The number
    # of dead neurons changes at nearly every step, so that it is rounded up, by a sixteenth at most.
    tile = max(TILE, 2 ** ((len(weight) // 16).bit_length() - 1))
    product = linear(coarse_x, coarse_weight, coarse_offset, tile).contiguous()
    return native.refined_topk(product, (x, *of_x), (weight, *of_weight), offset, coarse_offset, k)


@cache
def multiplies_bfloat16():
    """Return whether the CPU multiplies bfloat16 natively, which takes less than half the time of float32."""
    has_instructions = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    return torch.backends.mkldnn.is_available() and has_instructions()


def _topk(matrix, k):
    """Return the k largest entries of each row of a matrix without NaN, in no order, and their columns."""
    if native.runs_on(matrix):
        return native.topk(matrix.contiguous(), k)
    # On the CPU torch.topk sorts partially if a row has 64 * k entries, and partitions if it has fewer. Partitioning is
    # slower from 32 * k entries on, so such rows are padded.
    n_columns = matrix.shape[1]
    if matrix.device.type == "cpu" and 32 * k <= n_columns < 64 * k:
        matrix = F.pad(matrix, (0, 64 * k - n_columns), value=-torch.inf)
    return matrix.topk(k, dim=1, sorted=False)


def take_rows(matrix: Tensor, rows: Tensor, center: Tensor, factor: float) -> Tensor:
    """Return ``(matrix[rows] - center) * factor`` in float32, on the device of `center`."""
    if native.runs_on(matrix, center):
        return native.take_rows(matrix.contiguous(), rows.contiguous(), center, factor)
    return matrix.index_select(0, rows).float().to(center.device).sub_(center).mul_(factor)


def decode_residual(values: Tensor, active: Active, weight: Tensor, target: Tensor):
    """Return ``decode(values, active, weight) - target``, (n_rows, d), and the squared norms of its rows, (n_rows,)."""
    if native.runs_on(values, weight, target):
        return native.residuals(values, active.neurons, active.starts, weight.contiguous(), target.contiguous())
    result = decode(values, active, weight).sub_(target)
    return result, torch.linalg.vector_norm(result, dim=1).square()


def decode(values: Tensor, active: Active, weight: Tensor) -> Tensor:
    """Return the product of the sparse (n_rows, M) matrix with `weight` (M, d): (n_rows, d)."""
    return _weighted_sums(values, active.neurons, active.starts, weight)


def transposed_product(values: Tensor, rows: Tensor, order: ByNeuron, dense: Tensor) -> Tensor:
    """Return the product of the transposed sparse (M, n_rows) matrix with `dense` (n_rows, d): (M, d)."""
    values, rows = values.index_select(0, order.order), rows.index_select(0, order.order)
    return _weighted_sums(values, rows, order.starts, dense)


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


def by_neuron(neurons: Tensor, n_neurons: int) -> ByNeuron:
    """Return the order of entries by neuron; the entries of one neuron stay in the order in which they are."""
    if native.compiled is not None and neurons.is_cpu:
        return ByNeuron(*native.sort_by_neuron(neurons, n_neurons))
    order = torch.argsort(neurons, stable=True)
    ends = torch.arange(n_neurons + 1, device=neurons.device)
    return ByNeuron(order, torch.searchsorted(neurons.index_select(0, order), ends))


def sum_by_neuron(values: Tensor, neurons: Tensor, n_neurons: int) -> Tensor:
    """Return the sum of the values of each neuron, (M,), added up in any order."""
    return values.new_zeros(n_neurons).index_add_(0, neurons, values)


def ordered_sums(values: Tensor, order: ByNeuron) -> Tensor:
    """Return the sum of the values of each neuron, (M,), whose bits are the same each time, on GPUs too."""
    return F.embedding_bag(order.order, values[:, None], order.starts, mode="sum", include_last_offset=True)[:, 0]


def vector_product(vector: Tensor, matrix: Tensor) -> Tensor:
    """Return ``vector @ matrix``."""
    rows = torch.arange(len(matrix), device=matrix.device)
    starts = F.pad(rows[::_BAG], (0, 1), value=len(rows))
    return _weighted_sums(vector, rows, starts, matrix).sum(0)


def _weighted_sums(values, indices, starts, rows):
    return F.embedding_bag(indices, rows, starts, mode="sum", per_sample_weights=values, include_last_offset=True)


with warnings.catch_warnings():  # the first sparse tensor warns that they are in beta, so it is made here
    warnings.simplefilter("ignore")
    torch.sparse_csr_tensor([0, 1], [0], [1.0], size=(1, 1), device="cpu", check_invariants=False)
