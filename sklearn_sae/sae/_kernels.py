"""The products of a sparse autoencoder, with gradients formed only at its active entries.

A row has K active neurons of M, so the (B, M) matrix of codes is kept as its B*K entries. The decoder is then the
product of a sparse with a dense matrix, both weight gradients are that of the transpose, and the gradient of the codes
is a dot product an entry; no (B, M) gradient exists. The rest of the package calls the functions of this file; faster
forms may replace them without a change elsewhere.

Float32 on CPUs goes through the C files beside this one, where they are compiled: they take addresses, and check
nothing. All results are the same bits for every number of CPU threads.
"""

import ctypes
import warnings
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

try:
    from sklearn_sae.sae import _compiled as compiled
except ImportError:  # there was no C compiler where the package was built
    compiled = None

TILE = 16  # matrix products of whole tiles do not depend on the number of threads; ragged ones do
_LEAST_COARSE = 256, 32  # neurons, in all and for each of K, from which a coarse product pays
_BAG = 64  # neurons added up by one thread: their order, and so the bits, shall not depend on how many there are


def _share_threads():
    """Let the compiled functions run in the threads of torch's OpenMP, if that is GCC's or understands its calls."""
    library = Path(torch.__file__).parent / "lib" / "libtorch_cpu.so"
    try:
        function = ctypes.CDLL(str(library)).GOMP_parallel
    except (OSError, AttributeError):
        return
    compiled.use_threads(ctypes.cast(function, ctypes.c_void_p).value)


if compiled is not None:
    _share_threads()


def runs_compiled(*tensors):
    """Return whether the compiled functions take these tensors."""
    return compiled is not None and all(t.device.type == "cpu" and t.dtype == torch.float32 for t in tensors)


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
        rows, neurons = rows.contiguous(), neurons.contiguous()
        return cls(rows, neurons, torch.searchsorted(rows, torch.arange(n_rows + 1, device=rows.device)))


@lru_cache(maxsize=8)  # a step asks for a few sizes, each step for the same
def _regular_rows(n_rows, k, device):
    entries = torch.arange(n_rows * k + 1, device=device)
    return entries[:-1] // k, entries[::k].contiguous()


class ByNeuron(NamedTuple):
    """Entries neuron by neuron."""

    order: Tensor  # (n_active,) their positions
    starts: Tensor  # (M + 1,): neuron j has those at starts[j] up to starts[j + 1]


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
    least, least_of_each = _LEAST_COARSE
    if runs_compiled(x, weight) and multiplies_bfloat16() and len(weight) >= max(least, least_of_each * k):
        return _topk_through_bfloat16(x, weight, offset, k)[:2]
    return _topk(linear(x, weight, offset), k)


def _topk_through_bfloat16(x, weight, offset, k):
    """Return the same by a coarse product that takes less than half the time, and how many entries were computed.

    The k largest coarse entries of a row are computed in float32, and so are the others that may be larger than the
    least of these. For that, what coarse entries are off by has a bound.
    """
    x, weight, (n_rows, n_features) = x.contiguous(), weight.contiguous(), x.shape
    coarse_x, *of_x = _round_rows(x)
    coarse_weight, *of_weight = _round_rows(weight)
    coarse_offset = offset.bfloat16()
    product = linear(coarse_x, coarse_weight, coarse_offset).contiguous()
    values = torch.empty(n_rows, k, dtype=torch.float32, device="cpu")
    columns = torch.empty_like(values, dtype=torch.int64)
    n_computed = torch.empty(n_rows, dtype=torch.int64, device="cpu")
    compiled.refined_topk(
        product.data_ptr(),
        tuple(tensor.data_ptr() for tensor in (x, *of_x)),
        tuple(tensor.data_ptr() for tensor in (weight, *of_weight)),
        *(offset.data_ptr(), coarse_offset.data_ptr()),
        *(n_rows, len(weight), n_features, k),
        *(tensor.data_ptr() for tensor in (values, columns, n_computed)),
        torch.get_num_threads(),
    )
    return values, columns, n_computed


def _round_rows(matrix):
    """Return a matrix in bfloat16, and the norms of its rows and of their rounding errors, or a little more."""
    n_rows, n_columns = matrix.shape
    rounded = torch.empty(n_rows, n_columns, dtype=torch.bfloat16, device="cpu")
    norms, errors = torch.empty(2, n_rows, dtype=torch.float32, device="cpu")
    results = rounded.data_ptr(), norms.data_ptr(), errors.data_ptr()
    compiled.round_rows(matrix.data_ptr(), n_rows, n_columns, *results, torch.get_num_threads())
    return rounded, norms, errors


@cache
def multiplies_bfloat16():
    """Return whether the CPU multiplies bfloat16 natively, which takes less than half the time of float32."""
    has_instructions = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    return compiled is not None and torch.backends.mkldnn.is_available() and has_instructions()


def _topk(matrix, k):
    """Return the k largest entries of each row of a matrix without NaN, in no order, and their columns."""
    if runs_compiled(matrix):
        matrix, (n_rows, n_columns) = matrix.contiguous(), matrix.shape
        values = torch.empty(n_rows, k, dtype=torch.float32, device="cpu")
        columns = torch.empty_like(values, dtype=torch.int64)
        results = values.data_ptr(), columns.data_ptr()
        compiled.topk(matrix.data_ptr(), n_rows, n_columns, k, *results, torch.get_num_threads())
        return values, columns
    # On the CPU torch.topk sorts partially if 64 * k fit into a row, and else partitions, which is slower from half on.
    n_columns = matrix.shape[1]
    if matrix.device.type == "cpu" and 32 * k <= n_columns < 64 * k:
        matrix = F.pad(matrix, (0, 64 * k - n_columns), value=-torch.inf)
    return matrix.topk(k, dim=1, sorted=False)


def take_rows(matrix: Tensor, rows: Tensor, center: Tensor, factor: float) -> Tensor:
    """Return ``(matrix[rows] - center) * factor`` in float32, on the device of `center`."""
    if runs_compiled(matrix, center):
        matrix, rows, (n_rows, n_columns) = matrix.contiguous(), rows.contiguous(), (len(rows), matrix.shape[1])
        taken = matrix.new_empty(n_rows, n_columns)
        given = matrix.data_ptr(), rows.data_ptr(), center.data_ptr()
        compiled.take_rows(*given, factor, n_rows, n_columns, taken.data_ptr(), torch.get_num_threads())
        return taken
    return matrix.index_select(0, rows).float().to(center.device).sub_(center).mul_(factor)


def decode_residual(values: Tensor, active: Active, weight: Tensor, target: Tensor):
    """Return ``decode(values, active, weight) - target``, (n_rows, d), and the squared norms of its rows, (n_rows,)."""
    if runs_compiled(values, weight, target):
        weight, target, n_rows = weight.contiguous(), target.contiguous(), len(target)
        result, squares = torch.empty_like(target), target.new_empty(n_rows)
        given = (tensor.data_ptr() for tensor in (values, active.neurons, active.starts, weight, target))
        sizes = n_rows, target.shape[1]
        compiled.residuals(*given, *sizes, result.data_ptr(), squares.data_ptr(), torch.get_num_threads())
        return result, squares
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
    """Return entries in the order of their neurons, those of one neuron in the order they are in."""
    if compiled is not None and neurons.device.type == "cpu":
        order, starts = torch.empty_like(neurons), neurons.new_empty(n_neurons + 1)
        sizes = neurons.shape[0], n_neurons
        compiled.sort_by_neuron(neurons.data_ptr(), *sizes, order.data_ptr(), starts.data_ptr())
    else:
        order = torch.argsort(neurons, stable=True)
        ends = torch.arange(n_neurons + 1, device=neurons.device)
        starts = torch.searchsorted(neurons.index_select(0, order), ends)
    return ByNeuron(order, starts)


def sum_by_neuron(values: Tensor, neurons: Tensor, n_neurons: int) -> Tensor:
    """Return the sum of the values of each neuron, (M,)."""
    return values.new_zeros(n_neurons).index_add_(0, neurons, values)


def vector_product(vector: Tensor, matrix: Tensor) -> Tensor:
    """Return ``vector @ matrix``."""
    rows = torch.arange(len(matrix), device=matrix.device)
    starts = F.pad(rows[::_BAG], (0, 1), value=len(rows))
    return _weighted_sums(vector, rows, starts, matrix).sum(0)


def _weighted_sums(values, indices, starts, rows):
    return F.embedding_bag(indices, rows, starts, mode="sum", per_sample_weights=values, include_last_offset=True)


with warnings.catch_warnings():  # torch says once, of the first one made, that sparse tensors are in beta: make it here
    warnings.simplefilter("ignore")
    torch.sparse_csr_tensor([0, 1], [0], [1.0], size=(1, 1), device="cpu", check_invariants=False)
