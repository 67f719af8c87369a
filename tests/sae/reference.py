"""The autoencoder and its losses, plain and dense: what the sparse form is tested against.

Everything is a (B, M) or (B, d) tensor and all gradients are autograd's.
"""

import torch


def pre_activations(p, x):
    return (x - p["bias"]) @ p["encoder_weight"].T + p["encoder_bias"]


def topk(pre, k, signed=False):
    indices = (pre.abs() if signed else pre).topk(k, dim=1).indices
    kept = torch.zeros_like(pre).scatter(1, indices, pre.gather(1, indices))
    return kept if signed else kept.relu()


def batch_topk(pre, k, signed=False):
    indices = (pre.abs() if signed else pre).flatten().topk(k * len(pre)).indices
    kept = torch.zeros_like(pre).flatten().scatter(0, indices, pre.flatten()[indices]).view_as(pre)
    return kept if signed else kept.relu()


def above(pre, threshold, signed=False):
    kept = torch.where((pre.abs() if signed else pre) > threshold, pre, 0.0)
    return kept if signed else kept.relu()


def reconstruct(p, codes):
    return codes @ p["components"] + p["bias"]


def mse(x, reconstruction):
    return ((x - reconstruction) ** 2).sum(1).mean()


def matryoshka(p, x, codes, prefixes):
    terms = []
    for end in prefixes:
        mask = torch.arange(codes.shape[1]) < end
        terms.append(mse(x, reconstruct(p, codes * mask)))
    return torch.stack(terms).mean()


def multi(p, x, multi_k, signed=False):
    return mse(x, reconstruct(p, topk(pre_activations(p, x), multi_k, signed)))


def aux(p, x, codes, dead, aux_k, signed=False):
    """Let the dead neurons reconstruct what the others leave."""
    residual = (x - reconstruct(p, codes)).detach()
    is_dead = torch.zeros(codes.shape[1], dtype=torch.bool)
    is_dead[dead] = True
    pre = torch.where(is_dead, pre_activations(p, x), 0.0 if signed else -torch.inf)
    return mse(residual, topk(pre, min(aux_k, len(dead)), signed) @ p["components"])
