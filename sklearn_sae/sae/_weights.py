"""The weights of an autoencoder, in one record from the start of training to the fitted attributes."""

from typing import NamedTuple

import numpy as np


class Weights(NamedTuple):
    """The four weights, or an array for each of them, as of their gradients or moments.

    They are NumPy arrays outside of training, and tensors in it. Matching pursuit has no encoder, so the first two are
    empty while it is trained.
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
        """Return the record whose arrays `names` has put into a dict."""
        return cls(*(arrays[prefix + name] for name in cls._fields))

    def names(self, prefix):
        """Return a dict of the arrays by their names in a checkpoint."""
        return {prefix + name: array for name, array in zip(self._fields, self, strict=True)}

    def of_neurons(self, neurons):
        """Return the weights of some of the neurons, given as a slice. The bias belongs to all of them."""
        return Weights(self.encoder_weight[neurons], self.encoder_bias[neurons], self.components[neurons], self.bias)

    def tensors(self, device):
        """Return copies as float32 tensors on a device, in C order."""
        import torch

        def copied(array):  # `torch.tensor` keeps the strides of an empty array, and Adam on a GPU refuses these
            copy = torch.empty(array.shape, dtype=torch.float32, device=device)
            return copy.copy_(torch.tensor(np.asarray(array, order="C")))

        return Weights(*map(copied, self))

    def arrays(self):
        """Return copies of tensors as NumPy arrays."""
        return Weights(*(tensor.cpu().numpy().copy() for tensor in self))

    def zeros(self):
        """Return tensors of zeros of the same shapes."""
        return Weights(*(tensor.new_zeros(tensor.shape) for tensor in self))

    def without_encoder(self):
        """Return the weights with an empty encoder, as matching pursuit trains them."""
        return self._replace(encoder_weight=self.components[:0], encoder_bias=self.encoder_bias[:0])
