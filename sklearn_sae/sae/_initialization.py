"""The weights that training starts from."""

import math

import numpy as np
import torch

from sklearn_sae.sae._kernels import Active, decode, topk_linear
from sklearn_sae.sae._rotation import rotated_components
from sklearn_sae.sae._rows import EVALUATION_ROWS
from sklearn_sae.sae._weights import Weights

_HELD_OFF = 0.999  # of the other rows
_FEW_DRAWN = 2  # a class is rare if fewer of its rows than this are to be expected among those drawn
_MOST_ROTATED = 64  # directions, because more take longer and make no other neurons; see docs/stability.md
_STARTING_ROWS = 4096  # From so many the start is computed, so that of fewer rows it is the same in any order.


def new_weights(rows, n_components, k, rng, *, pursuit, signed=False, of_classes=None):
    """Return new weights. Their decoder is directions in which the rows vary, and their encoder a multiple of it.

    `of_classes` are the classes of the rows, if there are some, as codes from 0. Hardly a direction would be that of a
    rare class, and no neuron would come to stand for it, so that each has the mean of its rows.
    """
    directions = initial_directions(rows, n_components, rng, signed=signed)
    rare, places = [], []
    if of_classes is not None:
        rare = _rare_classes(of_classes.astype(int), n_components)[: n_components // 2]
        places = range(n_components - len(rare), n_components)  # because rows vary least along the last
        for place, members in zip(places, rare, strict=True):
            mean = rows.batch(members).cpu().numpy().mean(axis=0)
            directions[place] = mean / max(np.linalg.norm(mean), 1e-12)
    if pursuit:
        return initial_weights(directions).without_encoder()
    weights = initial_weights(directions, initial_gain(rows, directions, k, signed))
    for place, members in zip(places, rare, strict=True):
        _keep_to(weights, place, rows, members)
    return weights


def continued_weights(weights, rows, k, *, pursuit, pursued, signed=False):
    """Return the weights to train further from. `pursued` is whether they were trained with matching pursuit."""
    if pursuit:
        return weights.without_encoder()
    if pursued:
        gain = np.float32(initial_gain(rows, weights.components, k, signed))
        return weights._replace(encoder_weight=weights.components * gain)
    return weights


def _rare_classes(codes, n_components):
    """Return the rows of each rare class."""
    counts = np.bincount(codes)
    rare = np.flatnonzero((counts > 0) & (counts * n_components < _FEW_DRAWN * len(codes)))
    return [np.flatnonzero(codes == code) for code in rare]


def _keep_to(weights, place, rows, members):
    """Start a neuron with a bias that holds off nearly all rows but those of its class.

    What it says of these is as it was without the bias. Else it is active on half of all rows, weakly on most, and a
    name for where it is active misses the few that it stands for.
    """
    others = np.setdiff1d(np.arange(0, len(rows), math.ceil(len(rows) / EVALUATION_ROWS)), members)
    direction = weights.components[place]
    inside, outside = (rows.batch(some).cpu().numpy() @ direction for some in (members, others))
    limit, mean = np.quantile(outside, _HELD_OFF), inside.mean()
    if 0 < limit < mean:
        weights.encoder_weight[place] *= mean / (mean - limit)
        weights.encoder_bias[place] = -limit * np.linalg.norm(weights.encoder_weight[place])


def initial_weights(directions, gain=1.0):
    """Return the starting weights: decoder rows as given, the encoder `gain` times these."""
    n_components, n_features = directions.shape
    return Weights(
        encoder_weight=directions * np.float32(gain),
        encoder_bias=np.zeros(n_components, np.float32),
        components=directions,
        bias=np.zeros(n_features, np.float32),
    )


def initial_directions(rows, n_components, rng, *, signed=False):
    """Return unit vectors (M, d): rotated principal components, then distinct rows, then random directions.

    Autoencoders that start from drawn rows end in other neurons with each draw; see docs/stability.md.
    """
    some = rows.batch(_starting_rows(rows)).cpu().numpy()
    rotated = rotated_components(some, min(n_components, _MOST_ROTATED), signed=signed)
    return np.concatenate([rotated, _drawn_directions(rows, n_components - len(rotated), rng)])


def _starting_rows(rows):
    """Return the positions of the rows that the start is computed from, the same with every seed.

    They are drawn, because every second row may be of one kind.
    """
    if len(rows) <= _STARTING_ROWS:
        return np.arange(len(rows))
    return np.sort(np.random.default_rng(0).choice(len(rows), _STARTING_ROWS, replace=False, shuffle=False))


def _drawn_directions(rows, n_components, rng):
    """Return unit vectors (M, d): distinct centered rows in random order, then random directions if they run out."""
    if not n_components:
        return np.empty((0, rows.batch(slice(1)).shape[1]), np.float32)
    order = np.arange(len(rows), dtype=np.min_scalar_type(len(rows)))  # because int64 takes twice the memory or more
    rng.shuffle(order)
    chosen = np.sort(order[: 2 * n_components]).astype(np.int64)  # twice as many as needed, because rows may repeat
    points = rows.batch(chosen).cpu().numpy()
    points = points[np.unique(points, axis=0, return_index=True)[1]]
    norms = np.linalg.norm(points, axis=1)
    points = rng.permutation(points[norms > 1e-3])[:n_components]
    others = rng.standard_normal((n_components - len(points), points.shape[1])).astype(np.float32)
    directions = np.concatenate([points, others])
    return directions / np.linalg.norm(directions, axis=1, keepdims=True)


@torch.no_grad()
def initial_gain(rows, directions, k, signed=False):
    """Return the factor, at most 1, by which an encoder that copies the decoder reconstructs the rows best.

    The k directions closest to a row overlap, so that their sum can be up to k times as long as the row.
    """
    x = rows.batch(_starting_rows(rows))
    weight = torch.tensor(np.asarray(directions, order="C"), device=x.device)
    values, neurons = topk_linear(x, weight, weight.new_zeros(len(weight)), k, signed=signed)
    sums = decode((values if signed else values.relu()).flatten(), Active.regular(neurons), weight)
    x, sums = x.cpu().numpy(), sums.cpu().numpy()
    length = float(np.square(sums).sum())  # NumPy's sums do not depend on the number of threads
    return min(1.0, float((x * sums).sum()) / length) if length else 1.0
