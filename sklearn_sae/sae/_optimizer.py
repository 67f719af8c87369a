"""A step of Adam, for a gradient that is given as sums over active entries."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.optim.adam import adam  # not the class, which imports a compiler for seconds

from sklearn_sae.sae._kernels import (
    Active,
    by_neuron,
    dots,
    ordered_sums,
    transposed_product,
    vector_product,
)
from sklearn_sae.sae._shards import ALONE
from sklearn_sae.sae._weights import Weights
from sklearn_sae.sae.native import _calls as native

_BETAS = 0.9, 0.999
_EPS = 1e-8


class Gradient(NamedTuple):
    """The gradient of a loss, by the active entries of a sparse (R, M) matrix. R is B, or a multiple of it."""

    rows: Tensor  # (n_active,) int64
    neurons: Tensor  # (n_active,) int64
    codes: Tensor  # (n_active,)
    output_gradient: Tensor  # (R, d), the gradient with respect to the reconstructions
    x: Tensor  # (B, d), the rows minus the bias; row i of R belongs to row i modulo B
    bias: Tensor  # (d,), the part of its gradient that does not come through the encoder


def dense_gradient(weights: Weights, gradient: Gradient, shards=ALONE) -> Weights:
    """Return the gradient of each weight.

    With Z the sparse matrix of the codes,

        d components     = Z.T @ output_gradient
        d Z              = output_gradient @ components.T       at the active entries, 0 where the code is 0
        d encoder_weight = d Z.T @ x
        d encoder_bias   = d Z.T @ 1
        d bias           = bias - d encoder_bias @ encoder_weight

    Rows of `components` stay on the unit sphere, so the part of their gradient that points along them is removed.
    """
    g, n_neurons = gradient, len(weights.components)
    order = by_neuron(g.neurons, n_neurons)
    components = transposed_product(g.codes, g.rows, order, g.output_gradient)
    along = (components * weights.components).sum(1, keepdim=True)
    components.addcmul_(along, weights.components, value=-1)
    if not len(weights.encoder_weight):
        return Weights(weights.encoder_weight, weights.encoder_bias, components, g.bias)
    active = Active.ragged(g.rows, g.neurons, len(g.output_gradient))
    code_gradients = dots(g.output_gradient, weights.components, active).mul_(g.codes != 0)
    encoder_weight = transposed_product(code_gradients, g.rows % len(g.x), order, g.x)
    encoder_bias = ordered_sums(code_gradients, order)
    bias = g.bias - shards.sum(vector_product(encoder_bias, weights.encoder_weight))
    return Weights(encoder_weight, encoder_bias, components, bias)


def adam_step(weights: Weights, gradient: Gradient, first, second, *, step, learning_rate, shards=ALONE):
    """Update weights and their two moments in place by a step of Adam; `step` is its number, from 1.

    Rows of `components` are brought back to unit norm.
    """
    if native.runs_on(*weights):
        biases = _update_weights(weights, gradient, first, second, step, learning_rate, shards)
        _fused_adam(weights[1::2], biases, first[1::2], second[1::2], step, learning_rate)
    else:
        _fused_adam(weights, dense_gradient(weights, gradient, shards), first, second, step, learning_rate)
        weights.components.div_(torch.linalg.vector_norm(weights.components, dim=1, keepdim=True))


def _update_weights(weights, gradient, first, second, step, learning_rate, shards):
    """Update the two weights and their moments, and return the gradients of the two biases.

    The gradient of a neuron is computed when its weights are updated. So the gradients of all neurons, as large as the
    weights, are never in memory together.
    """
    g, order = gradient, by_neuron(gradient.neurons, len(weights.components))
    encoder, decoder = (tuple(group[i] for group in (weights, first, second)) for i in (0, 2))
    encoder_bias, input_gradient = native.adam_step(
        *order,
        *(g.rows, g.codes, g.output_gradient.contiguous(), g.x.contiguous()),
        encoder if len(weights.encoder_weight) else None,
        decoder,
        (learning_rate / (1 - _BETAS[0] ** step), (1 - _BETAS[1] ** step) ** -0.5, *_BETAS, _EPS),
    )
    return encoder_bias, g.bias - shards.sum(input_gradient.sum(0))


def _fused_adam(weights, gradients, first, second, step, learning_rate):
    adam(
        *(list(weights), list(gradients), list(first), list(second), []),
        [torch.full((), step - 1.0, device=weight.device) for weight in weights],  # `adam` adds 1 to each
        fused=True,
        lr=learning_rate,
        beta1=_BETAS[0],
        beta2=_BETAS[1],
        eps=_EPS,
        weight_decay=0.0,
        amsgrad=False,
        maximize=False,
    )
