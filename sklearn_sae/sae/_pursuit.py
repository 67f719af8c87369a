"""Non-negative orthogonal matching pursuit: codes that reconstruct a row from few neurons, chosen one by one.

Each of K rounds adds the neuron that correlates most with what is not yet reconstructed, then sets the codes to the
least-squares solution on the neurons chosen so far; neurons whose code would be negative leave. These are the first K
rounds of the active-set method of Lawson and Hanson for non-negative least squares: no round reconstructs worse than
the one before.

Shapes: B rows, d features, M neurons, K rounds. The rows are centered, and components have unit norm. A slot that no
neuron holds has code 0, and zeros in its row and column of the inverse, so that it adds nothing to any product. No
neuron holds two slots of a row.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from sklearn_sae.sae._kernels import linear

_LEAST_NEW = 1e-4  # squared sine of the angle below which a neuron lies in the span of those chosen before
_LEAST_CORRELATION = 1e-5  # in units of a row's first correlation; smaller ones are rounding errors
_LARGEST_GRAM = 2**24  # the most entries of a Gram matrix, 64 MB


def gram_matrix(components: Tensor) -> Tensor | None:
    """Return ``components @ components.T``, (M, M), or None where it would take too much memory."""
    return None if len(components) ** 2 > _LARGEST_GRAM else _products(components, components)


def pursue(x: Tensor, components: Tensor, gram: Tensor | None, k: int) -> tuple[Tensor, Tensor]:
    """Return non-negative codes (B, k) and their neurons (B, k).

    Parameters
    ----------
    x : Tensor of shape (B, d)
    components : Tensor of shape (M, d)
        With rows of unit norm.
    gram : Tensor of shape (M, M) or None
        ``components @ components.T``. It replaces k - 1 products of B rows with `components` and takes one of M rows
        itself: it pays if M is below (k - 1) * B, or if it serves many batches.
    k : int
    """
    n_rows = len(x)
    codes, inverse = x.new_zeros(n_rows, k), x.new_zeros(n_rows, k, k)
    neurons = torch.zeros(n_rows, k, dtype=torch.int64, device=x.device)
    start = correlations = _products(x, components)
    least = _LEAST_CORRELATION * start.amax(1).relu()
    for t in range(k):
        chosen, used = codes[:, : t + 1], neurons[:, : t + 1]
        inverted = inverse[:, : t + 1, : t + 1]
        before = chosen.clone()
        correlation, used[:, t] = correlations.max(1)
        repeated = ((used[:, :t] == used[:, t:]) & (before[:, :t] > 0)).any(
            1
        )  # a neuron that is chosen again, by rounding errors
        correlation = torch.where((correlation > least) & ~repeated, correlation, 0)
        _add(chosen, inverted, correlation, _overlaps(used, components, gram))
        _drop_negative(chosen, inverted, before)
        if t + 1 == k:
            break
        if gram is None:
            correlations = _products(x - _weighted_sums(chosen, used, components), components)
        else:
            explained = _weighted_sums(chosen, used, gram)
            correlations = torch.sub(start, explained, out=explained)
    return codes, neurons


def _products(x, components):
    return linear(x, components, components.new_zeros(len(components)))


def _weighted_sums(weights, neurons, table):
    """Return the sum over slots of weights (B, t) times the neurons' rows of a table (M, c): (B, c)."""
    return F.embedding_bag(neurons.contiguous(), table, mode="sum", per_sample_weights=weights.contiguous())


def _overlaps(neurons, components, gram):
    """Return the products of the last chosen component with those chosen before, (B, t)."""
    before, last = neurons[:, :-1], neurons[:, -1:]
    if gram is None:
        return (components[before] * components[last]).sum(-1)
    return gram.flatten()[before * len(gram) + last]


def _add(codes, inverse, correlation, overlap):
    """Give the last slot to a neuron and solve the least squares anew, in place, by bordering the inverse.

    A neuron that does not correlate with the residual, or lies in the span of the others, gets no slot.
    """
    projection = (inverse[:, :-1, :-1] * overlap[:, None]).sum(-1)
    new = 1 - (projection * overlap).sum(-1)  # squared distance of the component from the span of the others
    scale = torch.where((correlation > 0) & (new > _LEAST_NEW), 1 / new, 0)[:, None]
    direction = F.pad(-projection, (0, 1), value=1.0)
    codes += correlation[:, None] * scale * direction
    inverse += (scale * direction)[:, :, None] * direction[:, None]


def _drop_negative(codes, inverse, before):
    """Empty slots and solve the least squares anew, in place, until no code is negative.

    The residual shrinks along the line from the codes `before`, which are not negative, to the new ones. The slot whose
    code is the first to be 0 on this line is emptied, and the next line starts there.
    """
    while True:
        rows = (codes.amin(1) < 0).nonzero()[:, 0]
        if not len(rows):
            return
        old, new = before[rows], codes[rows]
        share, slots = torch.where(new < 0, old / (old - new), torch.inf).min(1)
        before[rows] = torch.lerp(old, new, share[:, None])
        before[rows, slots] = 0
        column = inverse[rows, :, slots]
        scaled = column / column.gather(1, slots[:, None])
        codes[rows] -= codes[rows, slots][:, None] * scaled
        inverse[rows] -= column[:, :, None] * scaled[:, None]
        inverse[rows, slots] = 0  # its column and its code are 0 already, and its row is 0 up to rounding errors
