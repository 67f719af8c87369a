"""The weights of an autoencoder, in one record from the starting weights to the fitted attributes."""

from typing import NamedTuple

import numpy as np


class Weights(NamedTuple):
    """The four weights, or one array for each of them: its gradient, or a moment of it.

    The arrays are NumPy's outside of training and torch's in it. Matching pursuit has no encoder: while it is trained,
    the first two are empty.
    """

    encoder_weight: object  # (M, d), or (0, d)
    encoder_bias: object  # (M,), or (0,)
    components: object  # (M, d), rows of unit norm
    bias: object  # (d,)

    @classmethod
    def of(cls, estimator):
        """Return the fitted attributes of an estimator."""
        return cls(*(getattr(estimator, f"{name}_") for name in cls._fields))

    @classmethod
    def named(cls, arrays, prefix):
        """Return the record that `names` has made part of a dict of arrays."""
        return cls(*(arrays[prefix + name] for name in cls._fields))

    def names(self, prefix):
        """Return the arrays by their names in a checkpoint."""
        return {prefix + name: array for name, array in zip(self._fields, self, strict=True)}

    def tensors(self, device):
        """Return copies as float32 tensors on a device."""
        import torch

        return Weights(
            *(torch.tensor(np.asarray(array, order="C"), dtype=torch.float32, device=device) for array in self)
        )

    def arrays(self):
        """Return copies of tensors as NumPy arrays."""
        return Weights(*(tensor.cpu().numpy().copy() for tensor in self))

    def zeros(self):
        """Return tensors of zeros of the same shapes."""
        return Weights(*(tensor.new_zeros(tensor.shape) for tensor in self))

    def without_encoder(self):
        """Return the weights that matching pursuit trains, from NumPy arrays."""
        return self._replace(encoder_weight=self.components[:0], encoder_bias=self.encoder_bias[:0])
