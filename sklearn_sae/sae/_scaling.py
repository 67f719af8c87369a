"""Between rows as they are and those that training works on: centered, stretched by a metric, of total variance 1."""

import math
from typing import NamedTuple

import numpy as np

from sklearn_sae.sae._metric import Metric, stretched

TOO_LARGE = "X has values too large for float32; scale it down."
_CHUNK_ROWS = 1024


class Scaling(NamedTuple):
    """What rows are centered, divided and stretched by."""

    mean: np.ndarray  # (d,) float32
    spread: float  # root of the total variance about it
    metric: Metric | None = None

    @property
    def scale(self):
        """What rows are divided by, so that they have total variance 1 when stretched."""
        return self.spread if self.metric is None else self.spread * self.metric.spread

    def fitted(self, parameters):
        """Return trained parameters as those for the rows as they are.

        They have the same activations times `scale`; threshold and biases grow with these.
        """
        weight, components, bias = (parameters[name] for name in ("encoder_weight", "components", "bias"))
        if self.metric is not None:
            weight = stretched(weight, self.metric)
            components, bias = (stretched(array, self.metric, -1) for array in (components, bias))
        return {
            "encoder_weight": weight,
            "encoder_bias": parameters["encoder_bias"] * np.float32(self.scale),
            "components": components,
            "bias": self.mean + bias * np.float32(self.scale),
        }

    def trained(self, parameters):
        """Return parameters to train from, decoder rows of unit norm: the inverse of `fitted`, by this or another."""
        scale = np.float32(self.scale)
        weight, components = parameters["encoder_weight"], parameters["components"]
        bias, offset = (parameters["bias"] - self.mean) / scale, parameters["encoder_bias"] / scale
        if self.metric is not None:
            weight = stretched(weight, self.metric, -1)
            components, bias = (stretched(array, self.metric) for array in (components, bias))
        norms = np.linalg.norm(components, axis=1)
        if np.abs(norms - 1).max() > 1e-5:  # more than rounding error: they were of unit norm by another metric
            components = components / norms[:, None]
            weight, offset = weight * norms[: len(weight), None], offset * norms[: len(offset)]
        return {"encoder_weight": weight, "encoder_bias": offset, "components": components, "bias": bias}


def center_and_scale(X, index):
    """Return the `Scaling` to zero mean and total variance 1 over some rows, read in chunks in float64.

    Raises
    ------
    ValueError
        If they are beyond the range of float32.
    """
    chunks = [index[start : start + _CHUNK_ROWS] for start in range(0, len(index), _CHUNK_ROWS)]
    with np.errstate(over="ignore", invalid="ignore"):
        mean = sum(X[rows].sum(axis=0, dtype=np.float64) for rows in chunks) / len(index)
        spread = math.sqrt(sum(np.square(X[rows] - mean).sum() for rows in chunks) / len(index))
        bound = float(np.abs(mean).max()) + math.sqrt(len(index)) * spread  # no entry is larger
    if not bound < float(np.finfo(np.float32).max):
        raise ValueError(TOO_LARGE)
    mean = mean.astype(np.float32)
    if spread <= 1e-6 * float(np.abs(mean).max()):  # only rounding error: all rows are equal
        return Scaling(mean, 1.0)
    if spread < np.finfo(np.float32).tiny:
        raise ValueError("X has values too small for float32; scale it up.")
    return Scaling(mean, spread)
