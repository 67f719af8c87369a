"""Calls of the C code that cannot corrupt memory, because each array that they hand over is checked.

The C functions take addresses and sizes. `address` gives out the address of a tensor only if its dtype, shape, device
and memory layout are those that C takes for granted. Indices are checked in C before they are used. The arrays that C
writes are made by `new`. Only `adam_step` writes to tensors that it is given, and tensors have no read-only flag.

Without a C compiler at installation, `compiled` is None, and only `state` and `runs_on` can be called.
"""

import ctypes
from pathlib import Path

import torch
from torch import Tensor

try:
    from sklearn_sae.sae.native import _compiled as compiled
except ImportError:  # the package was built without a C compiler
    compiled = None

_LARGEST_ROW = 2**31 - 1  # columns are int32 in C


def share_threads():
    """Let the C code run in the threads of torch, and return whether that is possible.

    It is if the OpenMP of torch is GCC's, or has the functions that GCC calls.
    """
    library = Path(torch.__file__).parent / "lib" / "libtorch_cpu.so"
    try:
        function = ctypes.CDLL(str(library)).GOMP_parallel
    except (OSError, AttributeError):
        return False
    compiled.use_threads(ctypes.cast(function, ctypes.c_void_p).value)
    return True


shares_threads = compiled is not None and share_threads()


def state():
    """Return in words whether there is C code, and in which threads it runs."""
    if compiled is None:
        return "not compiled"
    return f"compiled, in {'the threads of torch' if shares_threads else 'one thread'}"


def runs_on(*tensors):
    """Return whether the C code is compiled and takes these tensors, as far as dtype and device go."""
    return compiled is not None and all(t.is_cpu and t.dtype == torch.float32 for t in tensors)


def address(tensor, dtype, *shape):
    """Return the address of a tensor's memory.

    Raises
    ------
    TypeError
        If it is no tensor.
    ValueError
        If it is of another dtype or shape, not on the CPU, not contiguous, or without memory.
    RuntimeError
        If it is sparse, by torch.
    """
    if not isinstance(tensor, Tensor):
        raise TypeError(f"The C code works on tensors; got a {type(tensor).__name__}.")
    if tensor.dtype is dtype and tensor.shape == shape and tensor.is_cpu and tensor.is_contiguous():
        pointer = tensor.data_ptr()
        if pointer or not tensor.numel():
            return pointer
    raise ValueError(
        f"The C code needs {dtype} of shape {tuple(shape)}, contiguous and on the CPU; got {tensor.dtype} of shape "
        f"{tuple(tensor.shape)}, {tensor.layout} on {tensor.device}."
    )


def new(dtype, *shape):
    """Return a tensor that C is to fill, and its address."""
    tensor = torch.empty(shape, dtype=dtype, device="cpu")
    return tensor, tensor.data_ptr()


def topk(matrix, k):
    """Return the k largest entries of each row of a matrix (n_rows, n), in no order, and their columns."""
    n_rows, n_columns = matrix.shape
    _check_k(k, n_columns)
    values, values_address = new(torch.float32, n_rows, k)
    columns, columns_address = new(torch.int64, n_rows, k)
    compiled.topk(
        address(matrix, torch.float32, n_rows, n_columns),
        *(n_rows, n_columns, k),
        *(values_address, columns_address),
        torch.get_num_threads(),
    )
    return values, columns


def refined_topk(product, x, weight, offset, coarse_offset, k):
    """Return the k largest entries of rows of ``x @ weight.T + offset``, their columns, and how many were computed.

    Parameters
    ----------
    product : Tensor of shape (n_rows, n), bfloat16
        The product of all three in bfloat16.
    x, weight : tuple of Tensor
        Of shape (n_rows, d) and (n, d), each with the norms and the rounding errors of its rows from `round_rows`.
    offset, coarse_offset : Tensor of shape (n,), float32 and bfloat16
    k : int
    """
    (n_rows, n_features), n_neurons = x[0].shape, len(weight[0])
    _check_k(k, n_neurons)
    values, values_address = new(torch.float32, n_rows, k)
    columns, columns_address = new(torch.int64, n_rows, k)
    n_computed, n_computed_address = new(torch.int64, n_rows)
    compiled.refined_topk(
        address(product, torch.bfloat16, n_rows, n_neurons),
        _rounded_addresses(x, n_rows, n_features),
        _rounded_addresses(weight, n_neurons, n_features),
        address(offset, torch.float32, n_neurons),
        address(coarse_offset, torch.bfloat16, n_neurons),
        *(n_rows, n_neurons, n_features, k),
        *(values_address, columns_address, n_computed_address),
        torch.get_num_threads(),
    )
    return values, columns, n_computed


def _rounded_addresses(rounded, n_rows, n_columns):
    matrix, norms, errors = rounded
    return (
        address(matrix, torch.float32, n_rows, n_columns),
        address(norms, torch.float32, n_rows),
        address(errors, torch.float32, n_rows),
    )


def _check_k(k, n_columns):
    if not 1 <= k <= n_columns <= _LARGEST_ROW:
        raise ValueError(f"k={k} is not from 1 to {n_columns}, the number of columns.")


def round_rows(matrix):
    """Return a matrix in bfloat16, and bounds of the norms of its rows and of their rounding errors."""
    n_rows, n_columns = matrix.shape
    rounded, rounded_address = new(torch.bfloat16, n_rows, n_columns)
    norms, norms_address = new(torch.float32, n_rows)
    errors, errors_address = new(torch.float32, n_rows)
    compiled.round_rows(
        address(matrix, torch.float32, n_rows, n_columns),
        *(n_rows, n_columns),
        *(rounded_address, norms_address, errors_address),
        torch.get_num_threads(),
    )
    return rounded, norms, errors


def take_rows(matrix, rows, center, factor):
    """Return ``(matrix[rows] - center) * factor``."""
    (n_matrix, n_columns), n_rows = matrix.shape, len(rows)
    taken, taken_address = new(torch.float32, n_rows, n_columns)
    compiled.take_rows(
        address(matrix, torch.float32, n_matrix, n_columns),
        address(rows, torch.int64, n_rows),
        address(center, torch.float32, n_columns),
        factor,
        *(n_matrix, n_rows, n_columns),
        taken_address,
        torch.get_num_threads(),
    )
    return taken


def residuals(values, neurons, starts, weight, target):
    """Return a sparse (n_rows, M) matrix times `weight`, minus `target`, (n_rows, d), and its squared norms by row."""
    (n_rows, n_features), n_active, n_neurons = target.shape, len(neurons), len(weight)
    result, result_address = new(torch.float32, n_rows, n_features)
    squares, squares_address = new(torch.float32, n_rows)
    compiled.residuals(
        address(values, torch.float32, n_active),
        address(neurons, torch.int64, n_active),
        address(starts, torch.int64, n_rows + 1),
        address(weight, torch.float32, n_neurons, n_features),
        address(target, torch.float32, n_rows, n_features),
        *(n_active, n_neurons, n_rows, n_features),
        *(result_address, squares_address),
        torch.get_num_threads(),
    )
    return result, squares


def sort_by_neuron(neurons, n_neurons):
    """Return the positions of the entries neuron by neuron, ascending for each, and where each neuron's start."""
    n_active = len(neurons)
    if n_neurons < 0:
        raise ValueError(f"n_neurons={n_neurons} is negative.")
    order, order_address = new(torch.int64, n_active)
    starts, starts_address = new(torch.int64, n_neurons + 1)
    compiled.sort_by_neuron(
        address(neurons, torch.int64, n_active), *(n_active, n_neurons), *(order_address, starts_address)
    )
    return order, starts


def adam_step(order, starts, rows, codes, output_gradient, x, encoder, decoder, settings):
    """Update weights in place by a step of Adam, and return the gradients that the biases need.

    Parameters
    ----------
    order, starts : Tensor of shape (n_active,), (M + 1,)
        The order of the entries by neuron, from `sort_by_neuron`.
    rows, codes : Tensor of shape (n_active,)
        The row of each entry in `output_gradient`, and its value.
    output_gradient : Tensor of shape (R, d)
        The gradient with respect to the reconstructions.
    x : Tensor of shape (B, d)
        The rows, which repeat if R is larger.
    encoder, decoder : tuple of Tensor of shape (M, d)
        A weight and its two moments, which are updated. `encoder` is None with a matching pursuit.
    settings : tuple of float
        The step size, the inverse root of the bias correction of second moments, two betas and epsilon.

    Returns
    -------
    encoder_bias : Tensor of shape (M,)
        The gradient of the encoder bias, of shape (0,) without an encoder.
    input_gradient : Tensor of shape (M / NEURONS rounded up, d)
        Partial sums of the product of `encoder_bias` with the encoder weight before the step.
    """
    n_active, (n_outputs, n_features), n_rows, n_neurons = len(rows), output_gradient.shape, len(x), len(decoder[0])
    if not (n_outputs and n_rows):
        raise ValueError("A step of Adam needs rows; got none.")
    n_blocks = -(-n_neurons // compiled.NEURONS)
    encoder_bias, encoder_bias_address = new(torch.float32, 0 if encoder is None else n_neurons)
    input_gradient, input_gradient_address = new(torch.float32, n_blocks, n_features)
    input_gradient.zero_()
    encoder, decoder = (
        (0, 0, 0) if group is None else tuple(address(t, torch.float32, n_neurons, n_features) for t in group)
        for group in (encoder, decoder)
    )
    compiled.adam_step(
        *(n_active, n_outputs, n_neurons, n_rows, n_features),
        address(order, torch.int64, n_active),
        address(starts, torch.int64, n_neurons + 1),
        address(rows, torch.int64, n_active),
        address(codes, torch.float32, n_active),
        address(output_gradient, torch.float32, n_outputs, n_features),
        address(x, torch.float32, n_rows, n_features),
        *(encoder, decoder),
        *(encoder_bias_address, input_gradient_address),
        settings,
        torch.get_num_threads(),
    )
    return encoder_bias, input_gradient
