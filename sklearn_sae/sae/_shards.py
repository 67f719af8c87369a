"""The neurons spread over the processes of a `torch.distributed` group, each of which trains its own share of them.

Process r of n holds the neurons r, r + n, r + 2 n, ... with their moments, and reads all batches. The processes
exchange what all neurons decide together: which entries of a row are largest, and the sum of the reconstructions. That
is ``B * (K + d)`` numbers a step, where copies of all weights would exchange the ``2 * M * d`` of their gradients.
"""

from typing import NamedTuple

import numpy as np
import torch
import torch.distributed as dist

from sklearn_sae.sae._weights import Weights
from sklearn_sae.utils.store import digest

_ROWS_COMPARED = 64


class Shards(NamedTuple):
    """The share of the neurons that this process holds. With one process all methods return what they are given."""

    rank: int = 0
    n_processes: int = 1
    n_neurons: int = 0  # in all processes

    @property
    def own(self):
        """The slice of all neurons that this process holds."""
        return slice(self.rank, None, self.n_processes)

    def sum(self, tensor):
        """Return the sum over the processes."""
        return self._reduced(tensor, dist.ReduceOp.SUM)

    def total(self, number, device):
        """Return the sum of a number over the processes."""
        return number if self.n_processes == 1 else int(self.sum(torch.tensor(number, device=device)))

    def of_first(self, number, device):
        """Return the number of the first process, so that all decide alike where processors round differently."""
        if self.n_processes == 1:
            return number
        tensor = torch.tensor(number, dtype=torch.float64, device=device)
        _together(dist.broadcast, tensor, src=0)
        return float(tensor)

    def start_of_first(self, weights):
        """Return the starting weights of the first process, because other rounding may find other directions."""
        if self.n_processes == 1:
            return weights
        shared = [weights]
        _together(dist.broadcast_object_list, shared, src=0)
        return shared[0]

    def min(self, tensor):
        """Return the least over the processes, entry by entry."""
        return self._reduced(tensor, dist.ReduceOp.MIN)

    def among_largest(self, values, k):
        """Return which entries of this process's rows (B, at most k) are among the k largest of the rows in all."""
        n_rows, n_own = values.shape
        padded = values.new_full((n_rows, k), -torch.inf)
        padded[:, :n_own] = values
        parts = [torch.empty_like(padded) for _ in range(self.n_processes)]
        _together(dist.all_gather, parts, padded)
        all_values = torch.cat(parts, dim=1)
        is_chosen = torch.zeros_like(all_values, dtype=torch.bool)
        is_chosen.scatter_(1, all_values.topk(k, dim=1).indices, True)
        return is_chosen[:, self.rank * k :][:, :n_own]

    def all_weights(self, weights):
        """Return copies of the weights of all neurons as NumPy arrays, from each process's own as tensors."""
        return Weights(*map(self.of_all_neurons, weights[:3]), weights.bias.cpu().numpy().copy())

    def of_all_neurons(self, tensor):
        """Return a copy of the rows of all neurons as an ndarray (M, ...), from each process's own."""
        if self.n_processes == 1:
            return tensor.cpu().numpy().copy()
        parts = []
        for rank in range(self.n_processes):
            n_rows = len(range(rank, self.n_neurons, self.n_processes))
            part = tensor.contiguous() if rank == self.rank else tensor.new_empty((n_rows, *tensor.shape[1:]))
            _together(dist.broadcast, part, src=rank)
            parts.append(part.cpu().numpy())
        whole = np.empty((self.n_neurons, *tensor.shape[1:]), parts[0].dtype)
        for rank, part in enumerate(parts):
            whole[rank :: self.n_processes] = part
        return whole

    def rows(self, n_rows):
        """Return the slice of rows that this process reads where each reads some."""
        first, last = (part * n_rows // self.n_processes for part in (self.rank, self.rank + 1))
        return slice(first, last)

    def _reduced(self, tensor, operation):
        if self.n_processes > 1:
            tensor = tensor.contiguous()
            _together(dist.all_reduce, tensor, op=operation)
        return tensor


ALONE = Shards()


def shards_of(n_neurons):
    """Return the `Shards` of the default process group, or `ALONE` if there is none."""
    if not (dist.is_available() and dist.is_initialized()):
        return ALONE
    return Shards(dist.get_rank(), dist.get_world_size(), n_neurons)


def agree(shards, sae, seed, arrays):
    """Return the seed of the first process, after a check that all processes train the same.

    Parameters
    ----------
    shards : Shards
    sae : TopKSAETransformer
    seed : int
    arrays : sequence of (ndarray or None)
        The data, of which some rows are compared.

    Raises
    ------
    ValueError
        If the parameters or the data of the processes differ, or the estimator cannot be trained by several.
    """
    if shards.n_processes == 1:
        return seed
    if sae.encoder == "matching_pursuit":
        raise ValueError(
            "encoder='matching_pursuit' is trained by one process; fit it outside of the torch.distributed group."
        )
    if shards.n_neurons < shards.n_processes:
        raise ValueError(f"{shards.n_neurons} neurons cannot be spread over {shards.n_processes} processes.")
    named = sae.get_params(deep=False)
    params = {name: value for name, value in named.items() if name not in ("device", "random_state", "verbose")}
    params["seed"] = None if named["random_state"] is None else seed
    mine = {"parameters": repr(sorted(params.items())), "data": [_some_of(array) for array in arrays]}
    everyone = [None] * shards.n_processes
    _together(dist.all_gather_object, everyone, (mine, seed))
    for what in mine:
        if any(theirs[what] != mine[what] for theirs, _ in everyone):
            raise ValueError(
                f"The {shards.n_processes} processes of the torch.distributed group train one autoencoder together, "
                f"but were given different {what}; give each the same."
            )
    return everyone[0][1]


def in_all(shards, action):
    """Return what an action returns. If it fails in one process, raise in all of them, so that none waits for it."""
    if shards.n_processes == 1:
        return action()
    result = error = None
    try:
        result = action()
    except Exception as raised:
        error = raised
    everyone = [None] * shards.n_processes
    _together(dist.all_gather_object, everyone, None if error is None else f"{type(error).__name__}: {error}")
    if error is not None:
        raise error
    for rank, said in enumerate(everyone):
        if said is not None:
            raise ConnectionError(f"process {rank} of the torch.distributed group failed: {said}")
    return result


def check_same(shards, number, message):
    """Raise ValueError with the message if a number is not the same in all processes."""
    if shards.n_processes > 1:
        everyone = [None] * shards.n_processes
        _together(dist.all_gather_object, everyone, number)
        if len(set(everyone)) > 1:
            raise ValueError(message)


def _some_of(array):
    if array is None:
        return None
    rows = np.unique(np.linspace(0, len(array) - 1, _ROWS_COMPARED, dtype=np.int64)) if len(array) else []
    some = [np.ascontiguousarray(array[row]).tobytes() for row in rows]
    return str(array.dtype), array.shape, digest(*some).hex()


def _together(operation, *args, **options):
    """Call an operation of all processes; where one of them has ended, say so."""
    try:
        operation(*args, **options)
    except RuntimeError as error:  # each backend has its own sentence
        why = str(error).strip().partition("\n")[0]
        raise ConnectionError(
            f"another process of the torch.distributed group has ended, has left the fit by an error of its own, or is "
            f"out of reach ({why})"
        ) from error
