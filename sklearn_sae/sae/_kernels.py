"""The products of a sparse autoencoder, with gradients formed only at its active entries.

A row has K active neurons of M, so the (B, M) matrix of codes is kept as its B*K entries. The decoder is then a
product of a sparse with a dense matrix, and so are both weight gradients (of the transpose). Every such product is
one `embedding_bag`, and no (B, M) gradient exists. The rest of the package calls `linear`, `encode_at`, `decode` and
`adam_step`; faster forms of these four may replace them without a change elsewhere.

All results are the same bits for every number of CPU threads.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

_TILE = 16  # matrix products of whole tiles do not depend on the number of threads; ragged ones do


class Active(NamedTuple):
    """Where the entries of a sparse (n_rows, M) matrix are, in row order; values travel apart."""

    rows: Tensor  # (n_active,) int64, ascending
    neurons: Tensor  # (n_active,) int64
    n_rows: int


def linear(x: Tensor, weight: Tensor, offset: Tensor) -> Tensor:
    """Return ``x @ weight.T + offset``, (B, M), without a gradient."""
    with torch.no_grad():
        n_rows, n_outputs = len(x), len(weight)
        pad_rows, pad_outputs = -n_rows % _TILE, -n_outputs % _TILE
        if pad_rows:
            x = F.pad(x, (0, 0, 0, pad_rows))
        if pad_outputs:
            weight = F.pad(weight, (0, 0, 0, pad_outputs))
            offset = F.pad(offset, (0, pad_outputs))
        return torch.addmm(offset, x, weight.T)[:n_rows, :n_outputs]


def encode_at(pre: Tensor, active: Active, x: Tensor, bias: Tensor, weight: Tensor, offset: Tensor) -> Tensor:
    """Return the active entries of ``pre = (x - bias) @ weight.T + offset``, (n_active,), with gradients.

    `pre` is already known (it chose the active entries); the gradients flow to `bias`, `weight` and `offset`.
    """
    return _EncodeAt.apply(pre, active, x, bias, weight, offset)


def decode(values: Tensor, active: Active, weight: Tensor) -> Tensor:
    """Return the product of the sparse (n_rows, M) matrix with `weight` (M, d): (n_rows, d), with gradients."""
    starts = torch.searchsorted(active.rows, torch.arange(active.n_rows, device=values.device))
    product = F.embedding_bag(active.neurons, weight.detach(), starts, mode="sum", per_sample_weights=values)
    # Up to here the gradient reaches `values`; the one of `weight` is added as a sparse product of its own.
    return _WeightGradient.apply(product, values.detach(), active, weight)


def transposed_product(values: Tensor, active: Active, dense: Tensor, n_neurons: int) -> Tensor:
    """Return the product of the transposed sparse (M, n_rows) matrix with `dense` (n_rows, d): (M, d)."""
    neurons, order = torch.sort(active.neurons, stable=True)
    starts = torch.searchsorted(neurons, torch.arange(n_neurons, device=values.device))
    return F.embedding_bag(active.rows[order], dense, starts, mode="sum", per_sample_weights=values[order])


def adam_step(params, gradients, first, second, *, step, learning_rate, betas=(0.9, 0.999), eps=1e-8):
    """Update tensors and their two moments in place by the step number `step` (from 1) of Adam."""
    beta1, beta2 = betas
    rate = learning_rate / (1 - beta1**step)
    debias = (1 - beta2**step) ** 0.5
    for param, gradient, m, v in zip(params, gradients, first, second, strict=True):
        m.lerp_(gradient, 1 - beta1)
        v.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        param.addcdiv_(m, v.sqrt().div_(debias).add_(eps), value=-rate)


class _EncodeAt(torch.autograd.Function):
    @staticmethod
    def forward(ctx, pre, active, x, bias, weight, offset):
        ctx.save_for_backward(x, bias, weight)
        ctx.active = active
        return pre[active.rows, active.neurons]

    @staticmethod
    def backward(ctx, gradient):
        x, bias, weight = ctx.saved_tensors
        n_neurons = len(weight)
        weight_gradient = transposed_product(gradient, ctx.active, x - bias, n_neurons)
        offset_gradient = gradient.new_zeros(n_neurons).index_add_(0, ctx.active.neurons, gradient)
        bias_gradient = -(offset_gradient[:, None] * weight).sum(0)  # a matrix-vector product would depend on threads
        return None, None, None, bias_gradient, weight_gradient, offset_gradient


class _WeightGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx, product, values, active, weight):
        ctx.save_for_backward(values)
        ctx.active, ctx.n_neurons = active, len(weight)
        return product.view_as(product)

    @staticmethod
    def backward(ctx, gradient):
        (values,) = ctx.saved_tensors
        weight_gradient = transposed_product(values, ctx.active, gradient.contiguous(), ctx.n_neurons)
        return gradient, None, None, weight_gradient
