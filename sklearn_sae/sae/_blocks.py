"""Very many rows in blocks of neighbours, so that neither the choice of rows nor their order needs memory for each.

A block is read from a disk at once. An epoch draws blocks at random, and shuffles the rows of some hundred of them
together.
"""

import math

import numpy as np

from sklearn_sae.sae._rows import hold_out, split_evenly

MANY_ROWS = 2**21  # from which on rows are chosen and shuffled in blocks
_BLOCK = 256  # rows
_SHUFFLED = 2**16  # rows that are shuffled together


def choose_rows(n_samples, fraction, rng):
    """Return the rows to train on, and those to validate on, or None for the latter, as arrays or as `Blocks`."""
    return (hold_out if n_samples < MANY_ROWS else hold_out_blocks)(n_samples, fraction, rng)


def draw_order(n_rows, rng):
    """Return the order of an epoch, as an array or as a `BlockOrder`."""
    return rng.permutation(n_rows) if n_rows < MANY_ROWS else BlockOrder(n_rows, rng)


def batches_of(order, batch_size):
    """Return the batches of an epoch, one after the other."""
    return order.batches(batch_size) if isinstance(order, BlockOrder) else split_evenly(order, batch_size)


class Blocks:
    """The row numbers of some blocks, as an array that is never in memory whole.

    Parameters
    ----------
    blocks : ndarray of int
        Increasing numbers of blocks of 256 rows.
    n_samples : int
        The number of all rows; the last block may have fewer.
    """

    def __init__(self, blocks, n_samples):
        self._blocks = blocks
        self._n_rows = min(_BLOCK * len(blocks), n_samples - _BLOCK * (int(blocks[-1]) + 1 - len(blocks)))

    def __len__(self):
        return self._n_rows

    def __getitem__(self, positions):
        if isinstance(positions, slice):
            positions = np.arange(*positions.indices(len(self)))
        return self._blocks[positions // _BLOCK] * _BLOCK + positions % _BLOCK

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self[:], dtype=dtype)


def hold_out_blocks(n_samples, fraction, rng):
    """Return the `Blocks` to train on, and those to validate on, or None for the latter."""
    n_blocks = math.ceil(n_samples / _BLOCK)
    n_val = int((fraction or 0) * n_blocks)
    if not n_val:
        return Blocks(np.arange(n_blocks), n_samples), None
    held_out, blocks = (np.sort(part) for part in np.split(rng.permutation(n_blocks), [n_val]))
    return Blocks(blocks, n_samples), Blocks(held_out, n_samples)


class BlockOrder:
    """The order of an epoch: positions among the rows, drawn block by block.

    Parameters
    ----------
    n_rows : int
    rng : Generator
    """

    def __init__(self, n_rows, rng):
        self._n_rows, self._rng = n_rows, rng

    def __len__(self):
        return self._n_rows

    def batches(self, batch_size):
        """Yield the positions of each batch; all batches but the last few are of `batch_size`."""
        blocks = self._rng.permutation(math.ceil(self._n_rows / _BLOCK))
        together = math.lcm(batch_size, _BLOCK)
        together *= max(1, _SHUFFLED // together)
        for start in range(0, len(blocks), together // _BLOCK):
            some = blocks[start : start + together // _BLOCK]
            positions = (some[:, None] * _BLOCK + np.arange(_BLOCK)).ravel()
            yield from split_evenly(self._rng.permutation(positions[positions < self._n_rows]), batch_size)
