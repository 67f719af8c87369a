"""What a float32 implementation cannot undercut: the encoder's matrix product, and the bytes that a step must move."""

import torch

from benchmarks._measure import seconds

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
BATCH = 512


def encoder_seconds(m, n_features=384, batch=BATCH):
    """Return the seconds that the product of a batch with the encoder's weights takes a row, in float32."""
    x = torch.randn(batch, n_features, device=DEVICE)
    weight = torch.randn(m, n_features, device=DEVICE)
    product = torch.empty(batch, m, device=DEVICE)
    return fastest(lambda: torch.mm(x, weight.T, out=product)) / batch


def adam_seconds(m, n_features=384):
    """Return the seconds to move the bytes of one Adam step, at the speed of a copy of as much memory.

    A parameter and its two moments are read and written and its gradient read: 28 bytes; 4 more write the gradient.
    """
    n_parameters = 2 * m * n_features + m + n_features
    source = torch.randn(2 * n_parameters, device=DEVICE)  # with its copy, as large as weights, gradients and moments
    copy = torch.empty_like(source)
    bytes_a_second = 2 * source.nbytes / fastest(lambda: copy.copy_(source))
    return 32 * n_parameters / bytes_a_second


def fastest(call, budget=0.3):
    """Return the shortest time of a call seen in `budget` seconds."""
    call()
    best, spent = float("inf"), 0.0
    while spent < budget:
        elapsed = seconds(call)
        best, spent = min(best, elapsed), spent + elapsed
    return best
