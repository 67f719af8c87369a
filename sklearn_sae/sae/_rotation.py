"""Principal components rotated by varimax: directions of concepts, the same with every seed and in any order of rows.

Where each row is a sum of a few of many directions, the amounts that add up to it are sparse. Of all rotations of the
whitened principal components varimax seeks that of largest fourth moments, which is where the components are such
amounts (Rohe & Zeng 2023, "Vintage factor analysis with varimax performs statistical inference", JRSS B 85(4)). The
rotation starts from the rows that are least alike, found by a QR decomposition with pivoting (Damle, Minden & Ying
2019, "Simple, direct and efficient multi-way spectral clustering", Information and Inference 8(1)), because from the
principal axes other rows of the same kind lead elsewhere more often; see docs/stability.md.
"""

import math

import numpy as np
from scipy.linalg import eigh, qr
from threadpoolctl import threadpool_limits

_LEAST_VARIANCE = 1e-4  # of that along the first component; rounding error has no direction
_FLAT = 2.5  # a kurtosis; rows in two groups of like size have one near 1, a Gaussian has 3
_ITERATIONS = 5  # of the rotation; names of neurons that start from more predict less, see docs/stability.md


def rotated_components(rows, n_components, *, signed=False):
    """Return rotated principal components: unit vectors, the ones along which rows vary most first.

    Each points to where the rows are skewed to, because an active neuron is positive. A component along which the rows
    fall into two groups of like size is not rotated, which would spread it over the others, and is returned both ways,
    if neurons are not `signed`.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, d), float32
        Centered.
    n_components : int
        The most to return.
    signed : bool, default=False
        Whether an active neuron may be negative, so that one stands for both ways.

    Returns
    -------
    directions : ndarray of shape (n_directions, d), float32
        Fewer than `n_components` if there are fewer rows or features, or if the rows hardly vary along some.
    """
    n_rows, n_features = rows.shape
    n_axes = min(n_components, n_rows - 1, n_features)
    if n_axes < 1 or not rows.any():
        return np.empty((0, n_features), np.float32)
    with threadpool_limits(1, user_api="blas"):  # because the bits of a product depend on the number of threads
        rows = rows.astype(np.float64)
        spreads, axes = _principal_axes(rows, n_axes)
        white = rows @ (axes / spreads)
        flat = np.flatnonzero(np.square(white * white).mean(axis=0) < _FLAT)[: n_components // 4]
        others = np.delete(np.arange(len(spreads)), flat)[: n_components - (1 if signed else 2) * len(flat)]
        axes *= spreads
        kept, rotated = axes[:, flat].T, np.empty((0, n_features))
        if others.size:
            rotation = varimax(white[:, others])
            skews = _cubed(white[:, others] @ rotation).sum(axis=0)
            rotated = (axes[:, others] @ rotation).T * np.where(skews < 0, -1, 1)[:, None]
    directions = np.concatenate([kept, rotated] if signed else [kept, -kept, rotated])
    lengths = np.linalg.norm(directions, axis=1)
    order = np.argsort(-lengths, kind="stable")
    return (directions[order] / lengths[order, None]).astype(np.float32)


def _principal_axes(rows, n_axes):
    """Return the standard deviations along the axes, the largest first, and the axes as columns."""
    n_rows, n_features = rows.shape
    is_wide = n_rows < n_features  # Products of rows then make the smaller matrix, with the same variances.
    products = rows @ rows.T if is_wide else rows.T @ rows
    # All eigenvalues are found, because LAPACK fails to find some of many equal ones, as rows of a category each have.
    variances, vectors = eigh(products / n_rows, driver="evd")
    telling = np.flatnonzero(variances > _LEAST_VARIANCE * variances[-1])[::-1][:n_axes]
    spreads, vectors = np.sqrt(variances[telling]), vectors[:, telling]
    return spreads, rows.T @ vectors / (spreads * math.sqrt(n_rows)) if is_wide else vectors


def varimax(white):
    """Return a rotation of white components, of mean square 1 and uncorrelated, that makes them sparser.

    Parameters
    ----------
    white : ndarray of shape (n_rows, n_components)

    Returns
    -------
    rotation : ndarray of shape (n_components, n_components)
        Orthogonal. It is on the way to that of largest fourth moments, and not there.
    """
    n_rows, n_components = white.shape
    unlike = qr(white.T, mode="r", pivoting=True)[1][:n_components]
    rotation = _nearest_rotation(white[unlike].T)
    # The products of all rows take half the time in float32. What comes before in float64 keeps the order of the rows
    # from choosing another start.
    white = white.astype(np.float32)
    for _ in range(_ITERATIONS):
        moments = white.T @ _cubed(white @ rotation.astype(np.float32)) / n_rows
        rotation = _nearest_rotation(moments - rotation)
    return rotation


def _cubed(values):
    return values * values * values  # ten times as fast as a power


def _nearest_rotation(matrix):
    """Return the orthogonal factor of a polar decomposition."""
    left, _, right = np.linalg.svd(matrix)
    return left @ right
