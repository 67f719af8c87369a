"""Which rows are trained on, in which batches, and how a batch becomes a tensor."""

import copy
import math
import warnings

import numpy as np
import torch

from sklearn_sae.sae._kernels import TILE, scale_along, take_rows
from sklearn_sae.sae._scaling import TOO_LARGE
from sklearn_sae.utils._device import free_memory

EVALUATION_ROWS = 1024  # the rows that are encoded together where nothing is learned
_SHARE_FOR_ROWS = 0.5  # of a GPU's free memory, because weights, moments and batches need some too
_LARGEST_ENTRY = 1e15  # in units of the scale, so that squares summed over a batch are within float32


class Rows:
    """Some rows of `X` as float32 tensors, read batch by batch and scaled by a `Scaling`.

    All of `X` is copied to a GPU at once, in its own dtype, if it takes no more than half of the memory that is free.
    """

    def __init__(self, X, scaling, device, *, index=None):
        self.X = X
        self.index = np.arange(len(X)) if index is None else index
        self._mean, self._scale = torch.tensor(scaling.mean, device=device), scaling.scale
        self._metric = None
        if scaling.metric is not None:
            metric = scaling.metric.directions, scaling.metric.factors
            self._metric = [torch.tensor(array, device=device) for array in metric]
        self._tensor = None
        if X.flags.c_contiguous and X.flags.aligned:  # because torch gathers rows several times faster than NumPy
            with warnings.catch_warnings():
                # Torch warns that a read-only array, as of a mapped file, could be written.
                warnings.simplefilter("ignore")
                self._tensor = torch.from_numpy(X)
            if X.nbytes <= _SHARE_FOR_ROWS * free_memory(device):
                self._tensor = self._tensor.to(device)

    def at(self, index):
        """Return other rows of the same array, which is not copied."""
        rows = copy.copy(self)
        rows.index = index
        return rows

    def __len__(self):
        return len(self.index)

    def batch(self, positions):
        """Return a tensor (B, d)."""
        tensor, rows = self._tensor, self.index[positions]
        if tensor is None:
            taken = np.asarray(np.take(self.X, rows, axis=0), dtype=np.float32)
            tensor, rows = torch.from_numpy(taken), np.arange(len(rows))
        x = take_rows(tensor, torch.from_numpy(rows).to(tensor.device), self._mean, 1 / self._scale)
        return x if self._metric is None else scale_along(x, *self._metric)

    def check_range(self):
        """Return these rows, or raise ValueError if they are beyond the range of float32.

        The rows that mean and scale were computed from are within it.
        """
        for start in range(0, len(self), EVALUATION_ROWS):
            with np.errstate(over="ignore"):
                x = self.batch(slice(start, start + EVALUATION_ROWS))
            if not x.abs().max() <= _LARGEST_ENTRY:
                raise ValueError(TOO_LARGE)
        return self


def hold_out(n_samples, fraction, rng):
    """Return the indices of the rows to train on, and of those to validate on, or None for the latter."""
    index, n_val = np.arange(n_samples), int((fraction or 0) * n_samples)
    if not n_val:
        return index, None
    held_out, index = (np.sort(part) for part in np.split(rng.permutation(index), [n_val]))
    return index, held_out


def split_evenly(order, batch_size):
    """Return the parts of an array, as few as possible with none larger than `batch_size`, of equal size up to a tile.

    If `batch_size` is a multiple of a tile, all parts but the last are too, because their matrix products take less
    time.
    """
    n_parts = math.ceil(len(order) / batch_size)
    tile = TILE if batch_size % TILE == 0 else 1
    ends = np.ceil(np.arange(1, n_parts) * len(order) / n_parts / tile).astype(np.int64) * tile
    return np.split(order, ends)
