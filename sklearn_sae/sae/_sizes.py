"""How many neurons there are, and how many of them are active in a row."""

import math

_SMALL = (500, (32, 8)), (3_000, (48, 12))  # below so many rows, held out or not, these (M, K)


def suggest_size(n_samples):
    """Return (M, K) for a number of rows, after the rule of thumb of HypotheSAEs.

    M is the power of two nearest to ``n_samples ** 0.6``: 256 for 10,000 rows, 1024 for 100,000. K is 8. Below 3,000
    rows they are 48 and 12, and below 500 rows 32 and 8, where HypotheSAEs advises (64, 4) near 1,000: neurons that are
    active in more texts have names that predict more. See docs/sizes.md.

    Parameters
    ----------
    n_samples : int

    Returns
    -------
    n_components, k : int

    Examples
    --------
    >>> [suggest_size(n) for n in (10, 1_000, 10_000, 100_000)]
    [(32, 8), (48, 12), (256, 8), (1024, 8)]
    """
    for limit, size in _SMALL:
        if n_samples < limit:
            return size
    n_components = 2 ** round(2 * math.log10(n_samples))
    return n_components, suggest_k(n_components)


def suggest_k(n_components):
    """Return K for a number of neurons: 8, or a quarter of them if that is less."""
    return max(1, min(8, n_components // 4))
