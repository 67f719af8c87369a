"""The scaling from rows as they are to the rows that training works on: centered, in a metric, of total variance 1."""

import math
from typing import NamedTuple

import numpy as np

from sklearn_sae.sae._metric import Metric, apply_metric, learn_metric, second_moments
from sklearn_sae.sae._weights import Weights

TOO_LARGE = "X has values too large for float32; scale it down."
_CHUNK_ROWS = 1024


class Scaling(NamedTuple):
    """The mean, the scale and the metric by which rows are scaled."""

    mean: np.ndarray  # (d,) float32
    spread: float  # the root of the total variance about the mean
    metric: Metric | None = None

    @property
    def scale(self):
        """The number that rows are divided by, so that they have total variance 1 in the metric."""
        return self.spread if self.metric is None else self.spread * self.metric.spread

    def unscale(self, weights):
        """Return the weights for rows as they are that trained weights stand for.

        Their activations are those of the trained weights times `scale`, and so are biases and threshold.
        """
        encoder_weight, components, bias = weights.encoder_weight, weights.components, weights.bias
        if self.metric is not None:
            encoder_weight = apply_metric(encoder_weight, self.metric)
            components, bias = (apply_metric(array, self.metric, -1) for array in (components, bias))
        scale = np.float32(self.scale)
        return Weights(encoder_weight, weights.encoder_bias * scale, components, self.mean + bias * scale)

    def scaled(self, weights):
        """Return weights to train from, with decoder rows of unit norm. It is the inverse of `unscale`.

        The weights may have been trained by another scaling.
        """
        scale = np.float32(self.scale)
        encoder_weight, components = weights.encoder_weight, weights.components
        bias, encoder_bias = (weights.bias - self.mean) / scale, weights.encoder_bias / scale
        if self.metric is not None:
            encoder_weight = apply_metric(encoder_weight, self.metric, -1)
            components, bias = (apply_metric(array, self.metric) for array in (components, bias))
        norms = np.linalg.norm(components, axis=1)
        if np.abs(norms - 1).max() > 1e-5:  # more than rounding error, so the norm was 1 in another metric
            components = components / norms[:, None]
            encoder_weight, encoder_bias = encoder_weight * norms[:, None], encoder_bias * norms
        return Weights(encoder_weight, encoder_bias, components, bias)

    def target_of_codes(self, encoding, components, bias):
        """Return coefficients (n_outputs, M) and intercepts that predict the target from codes of rows as they are."""
        coef = self.metric.coef * (encoding.scale / self.spread)
        intercept = encoding.mean + encoding.scale * self.metric.intercept + coef @ (bias - self.mean)
        return (coef @ components.T).astype(np.float32), intercept.astype(np.float32)


def center_and_scale(X, index):
    """Return the `Scaling` of some rows to zero mean and total variance 1, computed chunk by chunk in float64.

    Raises
    ------
    ValueError
        If the rows are beyond the range of float32.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        mean = sum(chunk.sum(axis=0, dtype=np.float64) for chunk in _chunks(X, index)) / len(index)
        spread = math.sqrt(_sum_of_squares(X, index, mean) / len(index))
        bound = float(np.abs(mean).max()) + math.sqrt(len(index)) * spread  # no entry is larger
    if not bound < float(np.finfo(np.float32).max):
        raise ValueError(TOO_LARGE)
    mean = mean.astype(np.float32)
    if spread <= 1e-6 * float(np.abs(mean).max()):  # the spread is rounding error, so all rows are equal
        return Scaling(mean, 1.0)
    if spread < np.finfo(np.float32).tiny:
        raise ValueError("X has values too small for float32; scale it up.")
    return Scaling(mean, spread)


def _sum_of_squares(X, index, mean):
    # All chunks share one array, because a new one for each would be of pages that the system has just taken back and
    # clears again, which takes twice as long as the sums.
    centered, total = np.empty((min(_CHUNK_ROWS, len(index)), X.shape[1])), 0.0
    for chunk in _chunks(X, index):
        part = np.subtract(chunk, mean, out=centered[: len(chunk)])
        total += np.square(part, out=part).sum()
    return total


def _chunks(X, index):
    for start in range(0, len(index), _CHUNK_ROWS):
        yield X[index[start : start + _CHUNK_ROWS]]


def learn_further(scaling, moments, X, values, encoding, weight):
    """Return a scaling with the metric that the target of all rows so far gives, and the moments of these rows or None.

    Parameters
    ----------
    scaling : Scaling
        The scaling of the rows so far.
    moments : ndarray or None
        The moments that this function has returned for them.
    X, values : ndarray of shape (n_samples, d), (n_samples,)
        Further rows, and their target, encoded by `encoding`.
    encoding : TargetEncoding or None
        None if the target has no weight.
    weight : float
        The weight of the target.
    """
    if encoding is None:
        return (scaling if scaling.metric is None else scaling._replace(metric=None)), None
    if scaling.metric is not None and moments is None:  # `fit` has learned it, and keeps no moments
        return scaling, None
    of_these = second_moments(X, np.arange(len(X)), values, encoding, scaling.mean, scaling.spread)
    moments = of_these if moments is None else moments + of_these
    return scaling._replace(metric=learn_metric(moments, X.shape[1], weight)), moments
