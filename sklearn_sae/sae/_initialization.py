"""The weights that training starts from."""

import math

import numpy as np
import torch

from sklearn_sae.sae._kernels import Active, decode, topk_linear
from sklearn_sae.sae._rows import EVALUATION_ROWS
from sklearn_sae.sae._weights import Weights

_FEW_DRAWN = 2  # a class is rare if fewer of its rows than this are to be expected among those drawn


def new_weights(rows, n_components, k, rng, *, pursuit, of_classes=None):
    """Return new weights. Their decoder is rows of the data, and their encoder a multiple of the decoder.

    `of_classes` are the classes of the rows, if there are some, as codes from 0. Hardly a row of a rare class would be
    among those drawn, and no neuron would come to stand for it, so that each has the mean of its rows.
    """
    directions = initial_directions(rows, n_components, rng)
    if of_classes is not None:
        means = _means_of_rare_classes(rows, of_classes.astype(int), n_components)[: n_components // 2]
        for place, mean in enumerate(means):
            directions[place] = mean
    weights = initial_weights(directions, 1.0 if pursuit else initial_gain(rows, directions, k))
    return weights.without_encoder() if pursuit else weights


def continued_weights(weights, rows, k, *, pursuit, pursued):
    """Return the weights to train further from. `pursued` is whether they were trained with matching pursuit."""
    if pursuit:
        return weights.without_encoder()
    if pursued:
        gain = np.float32(initial_gain(rows, weights.components, k))
        return weights._replace(encoder_weight=weights.components * gain)
    return weights


def _means_of_rare_classes(rows, codes, n_components):
    """Return the unit vectors to the means of the rows of each rare class, (n_rare, d)."""
    counts = np.bincount(codes)
    rare = np.flatnonzero((counts > 0) & (counts * n_components < _FEW_DRAWN * len(codes)))
    means = [rows.batch(np.flatnonzero(codes == code)).cpu().numpy().mean(axis=0) for code in rare]
    return [mean / max(np.linalg.norm(mean), 1e-12) for mean in means]


def initial_weights(directions, gain=1.0):
    """Return the starting weights: decoder rows as given, the encoder `gain` times these."""
    n_components, n_features = directions.shape
    return Weights(
        encoder_weight=directions * np.float32(gain),
        encoder_bias=np.zeros(n_components, np.float32),
        components=directions,
        bias=np.zeros(n_features, np.float32),
    )


def initial_directions(rows, n_components, rng):
    """Return unit vectors (M, d): distinct centered rows in random order, then random directions if they run out."""
    chosen = np.sort(rng.permutation(len(rows))[: 2 * n_components])  # twice as many as needed, because rows may repeat
    points = rows.batch(chosen).cpu().numpy()
    points = points[np.unique(points, axis=0, return_index=True)[1]]
    norms = np.linalg.norm(points, axis=1)
    points = rng.permutation(points[norms > 1e-3])[:n_components]
    others = rng.standard_normal((n_components - len(points), points.shape[1])).astype(np.float32)
    directions = np.concatenate([points, others])
    return directions / np.linalg.norm(directions, axis=1, keepdims=True)


@torch.no_grad()
def initial_gain(rows, directions, k):
    """Return the factor, at most 1, by which an encoder that copies the decoder reconstructs the rows best.

    The k directions closest to a row overlap, so that their sum can be up to k times as long as the row.
    """
    x = rows.batch(slice(None, None, math.ceil(len(rows) / EVALUATION_ROWS)))
    weight = torch.tensor(np.asarray(directions, order="C"), device=x.device)
    values, neurons = topk_linear(x, weight, weight.new_zeros(len(weight)), k)
    sums = decode(values.relu().flatten(), Active.regular(neurons), weight)
    x, sums = x.cpu().numpy(), sums.cpu().numpy()
    length = float(np.square(sums).sum())  # NumPy's sums do not depend on the number of threads
    return min(1.0, float((x * sums).sum()) / length) if length else 1.0
