"""A trained autoencoder with a linear encoder, as arrays and settings."""

from typing import NamedTuple

import numpy as np


class Autoencoder(NamedTuple):
    """What turns rows into activations and activations into rows.

    A row ``x`` has the pre-activations ``(normalize(x) - bias) @ encoder_weight.T + encoder_bias``. An activation is a
    positive pre-activation that is kept: one of the `k` largest of its row, or without a `k` one above the threshold.
    Signed ones may be negative, and are compared by magnitude.
    The reconstruction is ``activations @ components + bias``, with the normalization undone.
    """

    encoder_weight: np.ndarray  # (M, d)
    encoder_bias: np.ndarray  # (M,)
    components: np.ndarray  # (M, d)
    bias: np.ndarray  # (d,)
    k: int | None  # the number of entries kept of a row; None keeps all above the threshold
    threshold: float = 0.0  # without effect if there is a `k`
    normalization: str = "none"  # or "constant_norm_rescale" or "layer_norm", as SAELens computes them
    pursuit: bool = False  # whether a matching pursuit encodes
    signed: bool = False

    @classmethod
    def of(cls, estimator, *, k, normalization="none", pursuit=False, signed=False):
        """Return the record of the fitted attributes of an estimator.

        Parameters
        ----------
        estimator : estimator
            Its attributes are `encoder_weight_`, `encoder_bias_`, `components_`, `bias_` and, if it has one,
            `threshold_`.
        k : int or None
        normalization : str, default="none"
        pursuit, signed : bool, default=False
        """
        arrays = (getattr(estimator, f"{name}_") for name in ("encoder_weight", "encoder_bias", "components", "bias"))
        return cls(*arrays, k, float(getattr(estimator, "threshold_", 0.0)), normalization, pursuit, signed)

    @property
    def is_for_saelens(self):
        """Whether SAELens has a form for it."""
        return not (self.pursuit or self.signed)

    def attributes(self):
        """Return a dict of the fitted attributes that `of` reads."""
        names = ("encoder_weight", "encoder_bias", "components", "bias", "threshold")
        return {f"{name}_": getattr(self, name) for name in names}


def check_weights(autoencoder):
    """Raise ValueError if the arrays of an autoencoder do not fit together, or hold what is no finite float32."""
    n_components, n_features = autoencoder.components.shape
    shapes = ((n_components, n_features), (n_components,), (n_components, n_features), (n_features,))
    if tuple(array.shape for array in autoencoder[:4]) != shapes or not autoencoder.components.size:
        raise ValueError("the shapes of the weights do not fit together")
    if not all(array.dtype == np.float32 and np.isfinite(array).all() for array in autoencoder[:4]):
        raise ValueError("a weight is not a finite float32 number")


def fold_affine(autoencoder, center, scale):
    """Return the autoencoder of rows ``x`` for one that was trained on ``(x - center) * scale``.

    Activations are the same. A reconstruction is the trained one, ``/ scale + center``.

    Parameters
    ----------
    autoencoder : Autoencoder
        One without a matching pursuit. Its normalization comes before the affine step.
    center : ndarray of shape (d,) or float
    scale : ndarray of shape (d,) or float
        Nowhere 0.

    Returns
    -------
    autoencoder : Autoencoder
        Of float32 arrays, computed in float64.
    """
    center, scale = np.asarray(center, np.float64), np.asarray(scale, np.float64)
    return autoencoder._replace(
        encoder_weight=(autoencoder.encoder_weight * scale).astype(np.float32),
        components=(autoencoder.components / scale).astype(np.float32),
        bias=(autoencoder.bias / scale + center).astype(np.float32),
    )
