"""What an implementation cannot undercut: the encoder's matrix product, and the bytes that a step must move."""

import torch

from benchmarks._measure import seconds
from sklearn_sae.sae._kernels import multiplies_bfloat16

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
BATCH = 512


def encoder_seconds(m, n_features=384, batch=BATCH):
    """Return the seconds that the product of a batch with the encoder's weights takes a row.

    In float32, or in bfloat16 if the CPU has instructions for it and that is faster.
    """
    types = [torch.float32, *([torch.bfloat16] if DEVICE == "cpu" and multiplies_bfloat16() else [])]
    return min(_product_seconds(m, n_features, batch, dtype) for dtype in types) / batch


def _product_seconds(m, n_features, batch, dtype):
    x = torch.randn(batch, n_features, device=DEVICE).to(dtype)
    weight = torch.randn(m, n_features, device=DEVICE).to(dtype)
    product = torch.empty(batch, m, device=DEVICE, dtype=dtype)
    return fastest(lambda: torch.mm(x, weight.T, out=product))


def adam_seconds(m, n_features=384):
    """Return the seconds to move the bytes of one Adam step, at the speed of a copy of as much memory.

    A parameter and its two moments are read and written: 24 bytes.
    """
    n_parameters = 2 * m * n_features + m + n_features
    source = torch.randn(3 * n_parameters, device=DEVICE)  # with its copy, twice as large as weights and moments
    copy = torch.empty_like(source)
    return fastest(lambda: copy.copy_(source))


def fastest(call, budget=0.3):
    """Return the shortest time of a call seen in `budget` seconds."""
    call()
    best, spent = float("inf"), 0.0
    while spent < budget:
        elapsed = seconds(call)
        best, spent = min(best, elapsed), spent + elapsed
    return best
