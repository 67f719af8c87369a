"""The autoencoder in equations: which entries are active, the reconstructions, the loss.

Shapes: B rows of a batch, d features, M neurons, C outputs of the target head. Rows come centered and scaled so that
the training data has total variance 1; a mean squared residual is then the normalized one.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from sklearn_sae.sae._kernels import Active, decode, encode_at, linear

TOO_LARGE = "X has values too large for float32; scale it down."


class Parameters(NamedTuple):
    """What the optimizer moves."""

    encoder_weight: Tensor  # (M, d)
    encoder_bias: Tensor  # (M,)
    components: Tensor  # (M, d), rows of unit norm
    bias: Tensor  # (d,)
    head_weight: Tensor  # (M, C); C is 0 without a target
    head_bias: Tensor  # (C,)


class Settings(NamedTuple):
    """What the loss depends on besides parameters and data."""

    k: int
    batch_topk: bool = False
    prefixes: tuple | None = None
    aux_k: int = 1
    aux_weight: float = 0.0
    multi_k: int = 1
    multi_weight: float = 0.0
    target_weight: float = 0.0
    is_class: bool = False
    constant_loss: float = 1.0  # of the target: the loss of the best constant prediction


class Loss(NamedTuple):
    """A batch's loss and what training keeps count of."""

    total: Tensor  # what is minimized
    fit: Tensor  # reconstruction and target terms only: what history and early stopping look at
    active: Active
    codes: Tensor  # (n_active,)


def pre_activations(params: Parameters, x: Tensor) -> Tensor:
    """Return (x - bias) @ encoder_weight.T + encoder_bias, (B, M), without a gradient."""
    return linear(x - params.bias.detach(), params.encoder_weight.detach(), params.encoder_bias.detach())


def select_topk(pre: Tensor, k: int) -> Active:
    """Return the k largest entries of each row, positive or not."""
    neurons = pre.topk(k, dim=1, sorted=False).indices
    rows = torch.arange(len(pre), device=pre.device).repeat_interleave(k)
    return Active(rows, neurons.flatten(), len(pre))


def select_batch_topk(pre: Tensor, k: int) -> Active:
    """Return the k * B largest entries of the batch, positive or not."""
    entries = pre.flatten().topk(k * len(pre), sorted=False).indices.sort().values
    return Active(entries // pre.shape[1], entries % pre.shape[1], len(pre))


def select_above(pre: Tensor, threshold) -> Active:
    """Return the entries larger than a threshold."""
    rows, neurons = (pre > threshold).nonzero(as_tuple=True)
    return Active(rows, neurons, len(pre))


def prefix_reconstructions(codes: Tensor, active: Active, components: Tensor, prefixes) -> Tensor:
    """Return what each prefix of the neurons reconstructs, (P, B, d), without the bias.

    Prefix p is prefix p - 1 and the next block of neurons, so each entry is decoded once.
    """
    ends = torch.tensor(prefixes, device=codes.device)
    block = torch.bucketize(active.neurons, ends, right=True)
    rows, order = torch.sort(block * active.n_rows + active.rows, stable=True)
    stacked = Active(rows, active.neurons[order], len(prefixes) * active.n_rows)
    parts = decode(codes[order], stacked, components)
    return parts.view(len(prefixes), active.n_rows, -1).cumsum(0)


def normalized_mse(residual: Tensor) -> Tensor:
    """Return the mean over rows (the last axis but one) of the squared norm of the residual."""
    return residual.square().sum(-1).mean(-1)


def target_loss(outputs: Tensor, y: Tensor, settings: Settings) -> Tensor:
    """Return the loss of the head, divided by that of the best constant.

    Mean squared error for a regression (C = 1), logistic loss for two classes (C = 1), cross-entropy for more.
    """
    if not settings.is_class:
        loss = (outputs[:, 0] - y).square().mean()
    elif outputs.shape[1] == 1:
        loss = F.binary_cross_entropy_with_logits(outputs[:, 0], y)
    else:
        loss = F.cross_entropy(outputs, y.long())
    return loss / settings.constant_loss


def compute_loss(params: Parameters, x: Tensor, y, settings: Settings, *, dead=None, threshold=None) -> Loss:
    """Return the loss of a batch.

    Parameters
    ----------
    params : Parameters
    x : Tensor of shape (B, d)
    y : Tensor of shape (B,) or None
    settings : Settings
    dead : Tensor of shape (n_dead,) or None
        The neurons that the auxiliary term shall revive.
    threshold : Tensor or None
        Keep what lies above it, as `transform` does, instead of the largest entries over the batch.
    """
    s = settings
    pre = pre_activations(params, x)
    centered = x - params.bias

    def encode(active):
        return encode_at(pre, active, x, params.bias, params.encoder_weight, params.encoder_bias).relu()

    if threshold is not None:
        active = select_above(pre, threshold)
    elif s.batch_topk:
        active = select_batch_topk(pre, s.k)
    else:
        active = select_topk(pre, s.k)
    codes = encode(active)

    if s.prefixes is None:
        reconstruction = decode(codes, active, params.components)
        loss = normalized_mse(centered - reconstruction)
    else:
        reconstructions = prefix_reconstructions(codes, active, params.components, s.prefixes)
        reconstruction = reconstructions[-1]
        loss = normalized_mse(centered - reconstructions).mean()

    if s.target_weight > 0:
        outputs = decode(codes, active, params.head_weight) + params.head_bias
        loss = loss + s.target_weight * target_loss(outputs, y, s)

    total = loss
    if s.multi_weight > 0:
        wider = select_topk(pre, s.multi_k)
        total = total + s.multi_weight * normalized_mse(centered - decode(encode(wider), wider, params.components))
    if s.aux_weight > 0 and dead is not None and len(dead):
        among = select_topk(pre[:, dead], min(s.aux_k, len(dead)))
        revived = among._replace(neurons=dead[among.neurons])
        residual = (centered - reconstruction).detach()
        total = total + s.aux_weight * normalized_mse(residual - decode(encode(revived), revived, params.components))
    return Loss(total, loss, active, codes)
