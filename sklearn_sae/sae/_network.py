"""The autoencoder in equations: which entries are active, the reconstructions, the loss and its gradient.

Shapes: B rows of a batch, d features, M neurons, P prefixes. The rows are centered and scaled so that the training data
has total variance 1. A mean squared residual is therefore a normalized one. A target only changes how the rows are
scaled: see `_metric`.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from sklearn_sae.sae._kernels import Active, decode, decode_residual, linear, topk_linear
from sklearn_sae.sae._optimizer import Gradient
from sklearn_sae.sae._pursuit import gram_matrix, pursue
from sklearn_sae.sae._settings import Settings
from sklearn_sae.sae._shards import ALONE
from sklearn_sae.sae._weights import Weights


class Term(NamedTuple):
    """A term ``weight * mean |residual|^2`` of the loss, with ``residual = codes @ components - rows``.

    With P prefixes, `residual` has P blocks of B rows. Block p holds the sum of the residuals of the prefixes that
    contain block p of the neurons.
    """

    weight: float
    active: Active  # over the rows of `residual`
    codes: Tensor  # (n_active,)
    residual: Tensor  # (B, d), or (P * B, d)
    depends_on_bias: bool  # whether the rows are those of the batch minus `bias`


class Loss(NamedTuple):
    """The loss of a batch, and what its gradient is computed from."""

    total: Tensor  # the sum that is minimized
    fit: Tensor  # the term of the reconstruction, which the history holds and early stopping goes by
    active: Active
    codes: Tensor  # (n_active,)
    centered: Tensor  # (B, d), the rows minus `bias`
    terms: list  # the first is that of the reconstruction


def encode_topk(weights: Weights, centered: Tensor, k: int, signed: bool, shards=ALONE):
    """Return where the k largest pre-activations of each row are, positive or not, and the codes there.

    If they are `signed`, they are largest in magnitude, and the codes keep their signs.
    """
    n_own = min(k, len(weights.encoder_bias))
    values, neurons = topk_linear(centered, weights.encoder_weight, weights.encoder_bias, n_own, signed=signed)
    return _largest(values, neurons, k, signed, shards)


def encode_batch_topk(weights: Weights, centered: Tensor, k: int, signed: bool, shards=ALONE):
    """Return where the k * B largest pre-activations of the batch are, positive or not, and the codes there."""
    pre = linear(centered, weights.encoder_weight, weights.encoder_bias).flatten()
    n_neurons, n_kept = len(weights.encoder_bias), k * len(centered)
    sizes, entries = (pre.abs() if signed else pre).topk(min(n_kept, len(pre)), sorted=False)
    if shards.n_processes > 1:
        entries = entries[shards.among_largest(sizes[None], n_kept)[0]]
    entries = entries.sort().values
    return Active.ragged(entries // n_neurons, entries % n_neurons, len(centered)), _codes(pre[entries], signed)


def encode_above(weights: Weights, centered: Tensor, threshold, signed: bool):
    """Return where the pre-activations are larger than a threshold, and the codes there."""
    pre = linear(centered, weights.encoder_weight, weights.encoder_bias)
    rows, neurons = ((pre.abs() if signed else pre) > threshold).nonzero(as_tuple=True)
    return Active.ragged(rows, neurons, len(pre)), _codes(pre[rows, neurons], signed)


def encode_dead(weights: Weights, centered: Tensor, k: int, dead: Tensor, signed: bool, shards=ALONE):
    """Return where the k largest pre-activations of each row among the dead neurons are, and the codes there."""
    weight, offset = weights.encoder_weight[dead], weights.encoder_bias[dead]
    if len(dead):
        values, among = topk_linear(centered, weight, offset, min(k, len(dead)), signed=signed)
    else:  # in this process, while there are some in another
        values, among = centered.new_empty((len(centered), 0)), dead.new_empty((len(centered), 0))
    return _largest(values, dead[among], k, signed, shards)


def _largest(values, neurons, k, signed, shards):
    """Return where the k largest entries of each row are, of those (B, at most k) that each process has."""
    if shards.n_processes == 1:
        return Active.regular(neurons), _codes(values.flatten(), signed)
    is_kept = shards.among_largest(values.abs() if signed else values, k)
    rows = is_kept.nonzero()[:, 0]
    return Active.ragged(rows, neurons[is_kept], len(values)), _codes(values[is_kept], signed)


def _codes(values, signed):
    return values if signed else values.relu()


def encode_pursuit(components: Tensor, centered: Tensor, k: int):
    """Return where the k neurons that a pursuit chooses for each row are, and the codes there."""
    pays = len(components) < (k - 1) * len(centered)
    codes, neurons = pursue(centered, components, gram_matrix(components) if pays else None, k)
    return Active.regular(neurons), codes.flatten()


def pursue_dead(weights: Weights, residual: Tensor, k: int, dead: Tensor):
    """Return where the k dead neurons that a pursuit chooses for each row of the residual are, and the codes there."""
    among, codes = encode_pursuit(weights.components[dead], -residual, min(k, len(dead)))
    return among._replace(neurons=dead[among.neurons]), codes


def mean_square(residual: Tensor) -> Tensor:
    """Return the mean over rows (the last axis but one) of the squared norm of the residual."""
    return torch.linalg.vector_norm(residual, dim=-1).square().mean(-1)


def summed_residual(codes: Tensor, active: Active, weights: Weights, target: Tensor, shards):
    """Return the reconstructions by the neurons of all processes minus the target, and its squared norms, (B,)."""
    own_target = target if shards.rank == 0 else torch.zeros_like(target)  # so that the sum has it once
    residual, squares = decode_residual(codes, active, weights.components, own_target)
    if shards.n_processes > 1:
        residual = shards.sum(residual)
        squares = torch.linalg.vector_norm(residual, dim=1).square()
    return residual, squares


def prefix_term(weights: Weights, centered: Tensor, active: Active, codes: Tensor, prefixes, shards=ALONE):
    """Return the mean loss over the prefixes of the neurons, its `Term`, and the residual of the longest.

    Prefix p is prefix p - 1 and the next block of neurons. So each entry is decoded once, and is part of the residuals
    of its own and of all later prefixes.
    """
    n_prefixes, n_rows = len(prefixes), len(centered)
    ends = torch.tensor(prefixes, device=codes.device)
    block = torch.bucketize(active.neurons * shards.n_processes + shards.rank, ends, right=True)
    rows, order = torch.sort(block * n_rows + active.rows, stable=True)
    stacked, codes = Active.ragged(rows, active.neurons[order], n_prefixes * n_rows), codes[order]
    blocks = shards.sum(decode(codes, stacked, weights.components)).view(n_prefixes, n_rows, -1)
    residuals = blocks.cumsum(0) - centered
    sums = residuals.flip(0).cumsum(0).flip(0).flatten(0, 1)
    return mean_square(residuals).mean(), Term(1 / n_prefixes, stacked, codes, sums, True), residuals[-1]


def compute_loss(weights: Weights, x: Tensor, settings: Settings, *, dead=None, threshold=None, shards=ALONE) -> Loss:
    """Return the loss of a batch.

    Parameters
    ----------
    weights : Weights
    x : Tensor of shape (B, d)
    settings : Settings
    dead : Tensor of shape (n_dead,) or None
        The neurons that the auxiliary term revives.
    threshold : Tensor or None
        If given, the entries above it are kept, as in `transform`, instead of the largest ones of the batch.
    shards : Shards, default=ALONE
        Which neurons the weights are of. The loss is that of all of them; active entries are those of this process.
    """
    s = settings
    centered = x - weights.bias
    if s.pursuit:
        active, codes = encode_pursuit(weights.components, centered, s.k)
    elif threshold is not None:
        active, codes = encode_above(weights, centered, threshold, s.signed)
    elif s.batch_topk:
        active, codes = encode_batch_topk(weights, centered, s.k, s.signed, shards)
    else:
        active, codes = encode_topk(weights, centered, s.k, s.signed, shards)

    if s.prefixes is None:
        residual, squares = summed_residual(codes, active, weights, centered, shards)
        fit, term = squares.mean(), Term(1.0, active, codes, residual, True)
    else:
        fit, term, residual = prefix_term(weights, centered, active, codes, s.prefixes, shards)
    terms = [term]

    total = fit
    if s.multi_weight > 0:
        multi, multi_codes = encode_topk(weights, centered, s.multi_k, s.signed, shards)
        multi_residual, squares = summed_residual(multi_codes, multi, weights, centered, shards)
        total = total + s.multi_weight * squares.mean()
        terms.append(Term(s.multi_weight, multi, multi_codes, multi_residual, True))
    if s.aux_weight > 0 and dead is not None and shards.total(len(dead), x.device):
        if s.pursuit:
            aux, aux_codes = pursue_dead(weights, residual, s.aux_k, dead)
        else:
            aux, aux_codes = encode_dead(weights, centered, s.aux_k, dead, s.signed, shards)
        error = -residual  # a constant in this term: it has no gradient
        aux_residual, squares = summed_residual(aux_codes, aux, weights, error, shards)
        total = total + s.aux_weight * squares.mean()
        terms.append(Term(s.aux_weight, aux, aux_codes, aux_residual, False))
    return Loss(total, fit, active, codes, centered, terms)


def compute_gradient(loss: Loss) -> Gradient:
    """Return the gradient of a loss.

    A term output_gradients at its reconstruction with ``2 * weight / B * residual``.

    The codes of a matching pursuit are the least-squares optimum on their neurons, so a change of them does not change
    the squared residual to first order (the envelope theorem). The choice of neurons is held fixed.
    """
    n_rows, n_above = len(loss.centered), 0
    rows, output_gradients, bias = [], [], []
    for term in loss.terms:
        output_gradient = 2 * term.weight / n_rows * term.residual
        if term.depends_on_bias:
            bias.append(output_gradient[:n_rows].sum(0))  # the first block is part of all residuals
        rows.append(term.active.rows + n_above)
        output_gradients.append(output_gradient)
        n_above += len(output_gradient)
    return Gradient(
        rows=_stacked(rows),
        neurons=_stacked([term.active.neurons for term in loss.terms]),
        codes=_stacked([term.codes for term in loss.terms]),
        output_gradient=_stacked(output_gradients),
        x=loss.centered,
        bias=sum(bias),
    )


def _stacked(parts):
    return parts[0] if len(parts) == 1 else torch.cat(parts)
