"""How many neurons, and how many of them active."""

import math
from numbers import Integral
from typing import NamedTuple

_FEW_ROWS = 3_000


class Sizes(NamedTuple):
    """The sizes of an autoencoder, checked against each other."""

    n_components: int
    k: int
    aux_k: int
    multi_k: int
    prefixes: tuple | None


def suggest_size(n_samples):
    """Return (M, K) for a number of rows, after the rule of thumb of HypotheSAEs.

    M is the power of two nearest to ``n_samples ** 0.6``: 256 for 10,000 rows, 1024 for 100,000. K is 8. Below 3,000
    rows M is 32, where HypotheSAEs advises (64, 4) near 1,000: neurons that are active in more texts have names that
    predict more, as ``benchmarks/sizes.py`` measures on 2,000 reviews.

    Parameters
    ----------
    n_samples : int

    Returns
    -------
    n_components, k : int

    Examples
    --------
    >>> [suggest_size(n) for n in (10, 1_000, 10_000, 100_000)]
    [(32, 8), (32, 8), (256, 8), (1024, 8)]
    """
    n_components = 2 ** round(2 * math.log10(n_samples)) if n_samples >= _FEW_ROWS else 32
    return n_components, suggest_k(n_components)


def suggest_k(n_components):
    """Return K for a number of neurons: 8, or a quarter of them if they are few."""
    return max(1, min(8, n_components // 4))


def suggest_batch_size(n_rows):
    """Return the rows a training step for a number of training rows.

    Examples
    --------
    >>> [suggest_batch_size(n) for n in (1_000, 10_000, 30_000, 1_000_000)]
    [128, 128, 256, 512]
    """
    return 128 if n_rows < 16_000 else 256 if n_rows < 64_000 else 512


def suggest_max_epochs(n_rows):
    """Return the most passes for a number of training rows: 25, or 750,000 rows in all, but no fewer than 5.

    Examples
    --------
    >>> [suggest_max_epochs(n) for n in (1_000, 30_000, 75_000, 1_000_000)]
    [25, 25, 10, 5]
    """
    return min(25, max(5, round(750_000 / n_rows)))


def resolve_sizes(n_samples, *, n_components, k, aux_k, multi_k, matryoshka_prefixes):
    """Return `Sizes` for the parameters of these names, or say which does not fit.

    Raises
    ------
    ValueError
        If `k`, `aux_k` or `multi_k` exceeds M, or the prefixes do not increase strictly or not end in M.
    """
    if n_components == "auto":
        n_components = suggest_size(n_samples)[0]
        if k != "auto":
            n_components = max(n_components, k)
    if k == "auto":
        k = suggest_k(n_components)
    if k > n_components:
        raise ValueError(f"k={k} is larger than n_components={n_components}; a row has at most so many active neurons.")
    for name, value in (("aux_k", aux_k), ("multi_k", multi_k)):
        if value is not None and value > n_components:
            raise ValueError(f"{name}={value} is larger than n_components={n_components}; choose it no larger.")
    return Sizes(
        int(n_components),
        int(k),
        int(min(2 * k, n_components) if aux_k is None else aux_k),
        int(min(4 * k, n_components) if multi_k is None else multi_k),
        _check_prefixes(matryoshka_prefixes, n_components),
    )


def _check_prefixes(prefixes, n_components):
    if prefixes is None:
        return None
    steps = list(prefixes)
    if (
        not steps
        or not all(isinstance(p, Integral) for p in steps)
        or any(a >= b for a, b in zip([0, *steps], steps, strict=False))
        or steps[-1] != n_components
    ):
        raise ValueError(
            "matryoshka_prefixes must be positive integers that increase strictly and end in "
            f"n_components={n_components}; got {steps}."
        )
    return tuple(int(p) for p in steps)
