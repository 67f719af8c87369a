"""The training loop: batches in, weights out, and the state in between as NumPy arrays.

Everything that a later step depends on is in a `State`: the weights, the optimizer's two moments, the steps since each
neuron was active, the running threshold and the count of steps. A state is converted to and from a flat dict of NumPy
arrays, which `partial_fit` keeps and a checkpoint stores.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from sklearn_sae.sae._blocks import batches_of, draw_order
from sklearn_sae.sae._kernels import sum_by_neuron
from sklearn_sae.sae._network import Settings, compute_gradient, compute_loss
from sklearn_sae.sae._optimizer import adam_step
from sklearn_sae.sae._rows import EVALUATION_ROWS, Rows
from sklearn_sae.sae._schedule import cosine_schedule
from sklearn_sae.sae._shards import ALONE, Shards
from sklearn_sae.sae._weights import Weights

_DEAD_PASSES = 10  # A neuron not active in so many passes is dead, because passes over few rows are few steps.
_THRESHOLD_RATE = 0.01  # the rate of the exponential moving average
_THRESHOLD = ("threshold_sum", "threshold_weight")
_HISTORY = ("epoch", "train_loss", "dead_fraction", "validation_loss")


class Trained(NamedTuple):
    """The part of a state that encodes rows, as NumPy arrays. The moments of the optimizer are left out."""

    weights: Weights
    threshold_sum: np.ndarray  # (), as in `State`
    threshold_weight: float


@dataclass
class State:
    """What training carries from one step to the next, as tensors."""

    weights: Weights
    first: Weights  # Adam's first moments
    second: Weights
    inactive_steps: torch.Tensor  # (M,) int64: training steps since each neuron was last active
    threshold_sum: torch.Tensor  # (), the moving average of the smallest kept activation, before bias correction
    threshold_weight: float = 0.0  # the total weight of the average, by which the correction divides
    step: int = 0
    shards: Shards = ALONE  # which neurons these are

    @classmethod
    def start(cls, weights, device, shards=ALONE):
        """Return the state before the first step, from the weights of all neurons as NumPy arrays."""
        weights = weights.of_neurons(shards.own).tensors(device)
        inactive_steps = torch.zeros(len(weights.components), dtype=torch.int64, device=device)
        zero = torch.zeros((), device=device)
        return cls(weights, weights.zeros(), weights.zeros(), inactive_steps, zero, shards=shards)

    @property
    def n_neurons(self):
        """M, of all processes."""
        return self.shards.n_neurons or len(self.inactive_steps)

    @property
    def threshold(self):
        """The bias-corrected moving average, a tensor."""
        return self.threshold_sum / (self.threshold_weight or 1.0)

    def trained(self):
        """Return a copy of the part that encodes rows."""
        return Trained(
            self.shards.all_weights(self.weights), self.threshold_sum.cpu().numpy().copy(), self.threshold_weight
        )

    def to_arrays(self, prefix=""):
        """Return the state as a flat dict of NumPy arrays."""
        groups = {"": self.weights, "first.": self.first, "second.": self.second}
        arrays = {}
        for name, group in groups.items():
            arrays |= self.shards.all_weights(group).names(prefix + name)
        return arrays | {
            f"{prefix}inactive_steps": self.shards.of_all_neurons(self.inactive_steps),
            f"{prefix}threshold_sum": self.threshold_sum.cpu().numpy().copy(),
            f"{prefix}threshold_weight": np.float64(self.threshold_weight),
            f"{prefix}step": np.int64(self.step),
        }

    @classmethod
    def from_arrays(cls, arrays, device, prefix="", shards=ALONE):
        """Return the state that `to_arrays` wrote."""
        groups = (Weights.named(arrays, prefix + name).of_neurons(shards.own) for name in ("", "first.", "second."))
        return cls(
            *(group.tensors(device) for group in groups),
            inactive_steps=torch.tensor(arrays[f"{prefix}inactive_steps"][shards.own], device=device),
            threshold_sum=torch.tensor(arrays[f"{prefix}threshold_sum"], device=device),
            threshold_weight=float(arrays[f"{prefix}threshold_weight"]),
            step=int(arrays[f"{prefix}step"]),
            shards=shards,
        )


@torch.no_grad()
def training_step(state: State, x, settings: Settings, *, learning_rate, dead_after):
    """Take one step on a batch, which changes the state, and return the loss of the batch, a tensor."""
    dead = None
    if settings.aux_weight > 0 and state.step >= dead_after:
        dead = (state.inactive_steps >= dead_after).nonzero()[:, 0]
    loss = compute_loss(state.weights, x, settings, dead=dead, shards=state.shards)
    gradient = compute_gradient(loss)
    state.step += 1
    moments, options = (state.first, state.second), {"learning_rate": learning_rate, "shards": state.shards}
    adam_step(state.weights, gradient, *moments, step=state.step, **options)

    active = sum_by_neuron(loss.codes.abs(), loss.active.neurons, len(state.inactive_steps)) > 0
    state.inactive_steps.add_(1).masked_fill_(active, 0)
    if settings.batch_topk:
        size = loss.codes.abs()
        smallest = torch.where(size > 0, size, torch.inf)
        smallest = state.shards.min(smallest.min() if len(smallest) else smallest.new_tensor(torch.inf))
        if smallest < torch.inf:
            state.threshold_sum.lerp_(smallest, _THRESHOLD_RATE)
            state.threshold_weight += _THRESHOLD_RATE * (1 - state.threshold_weight)
    return loss.fit


@torch.no_grad()
def evaluate(state: State, rows: Rows, settings: Settings):
    """Return the mean loss over all rows, encoded as in `transform`. The state stays as it is.

    Of several processes all return that of the first, because they end by it and keep the best weights together.
    """
    threshold = state.threshold if settings.batch_topk else None
    settings = settings._replace(multi_weight=0.0)  # because only the reconstruction counts
    total = 0.0
    for start in range(0, len(rows), EVALUATION_ROWS):
        x = rows.batch(slice(start, start + EVALUATION_ROWS))
        total += len(x) * float(compute_loss(state.weights, x, settings, threshold=threshold, shards=state.shards).fit)
    return state.shards.of_first(total / len(rows), x.device)


def one_epoch(state: State, rows: Rows, settings: Settings, *, epoch, order, batch_size, rate, dead_after):
    """Pass over `rows` in the given order. `rate` is a function from a step to its learning rate.

    Return a dict of the epoch's number, the mean loss, and the share of neurons that are dead at its end.

    Raises
    ------
    ValueError
        If the loss or the squared weights are no longer finite.
    """
    total = 0.0
    for chosen in batches_of(order, batch_size):
        x = rows.batch(chosen)
        loss = training_step(state, x, settings, learning_rate=rate(state.step), dead_after=dead_after)
        total += len(chosen) * loss
    total = state.shards.of_first(float(total), x.device)
    norms = state.shards.sum(torch.stack([torch.linalg.vector_norm(weight) for weight in state.weights]))
    if not (math.isfinite(total) and norms.isfinite().all()):
        raise ValueError(f"The training diverged at epoch {epoch}; lower learning_rate.")
    dead_fraction = float(state.shards.sum((state.inactive_steps >= dead_after).sum())) / state.n_neurons
    return {"epoch": epoch, "train_loss": total / len(order), "dead_fraction": dead_fraction}


class Run:
    """A training run of several epochs: the state after the last one, the best one, and the history.

    Parameters
    ----------
    state : State
        Where to start.
    seed : int
        The order of the rows in an epoch is drawn from the seed and the epoch's number.
    """

    def __init__(self, state, seed):
        self.state, self.seed = state, seed
        self.best, self.best_epoch = None, 0  # the `Trained` of least validation loss, and its epoch
        self.history = []  # a dict for each epoch

    def epochs(self, rows, validation, settings, schedule, *, patience, dead_after):
        """Train, and yield the row of the history after each epoch.

        Training ends with the last epoch of the schedule, or when the loss on `validation` (Rows or None) has not
        fallen for `patience` epochs.
        """
        steps = math.ceil(len(rows) / schedule.batch_size)
        rate = cosine_schedule(schedule.learning_rate, schedule.max_epochs * steps)
        dead_after = min(dead_after, _DEAD_PASSES * steps)
        while len(self.history) < schedule.max_epochs and not self._stalled(patience):
            epoch = len(self.history) + 1
            row = one_epoch(
                self.state,
                rows,
                settings,
                epoch=epoch,
                order=draw_order(len(rows), np.random.default_rng([self.seed, len(self.history)])),
                batch_size=schedule.batch_size,
                rate=rate,
                dead_after=dead_after,
            )
            validation_loss = math.nan if validation is None else evaluate(self.state, validation, settings)
            if validation_loss < self._best_loss():
                self.best, self.best_epoch = self.state.trained(), epoch
            self.history.append({**row, "validation_loss": validation_loss})
            yield self.history[-1]

    def trained(self):
        """Return the `Trained` of the best epoch, or of the last one if there is no validation."""
        return self.best or self.state.trained()

    def _best_loss(self):
        return math.inf if self.best is None else self.history[self.best_epoch - 1]["validation_loss"]

    def _stalled(self, patience):
        return self.best is not None and patience is not None and len(self.history) - self.best_epoch >= patience

    def to_arrays(self):
        """Return the run as a flat dict of NumPy arrays."""
        arrays = self.state.to_arrays("state.")
        if self.best is not None:
            arrays |= self.best.weights.names("best.")
            arrays |= {f"best.{name}": getattr(self.best, name) for name in _THRESHOLD}
        history = np.array([[row[name] for name in _HISTORY] for row in self.history], dtype=np.float64)
        return arrays | {"history": history, "best_epoch": np.int64(self.best_epoch), "seed": np.int64(self.seed)}

    @classmethod
    def from_arrays(cls, arrays, device, shards=ALONE):
        """Return the run that `to_arrays` wrote."""
        run = cls(State.from_arrays(arrays, device, "state.", shards), int(arrays["seed"]))
        run.history = [dict(zip(_HISTORY, (int(row[0]), *row[1:].tolist()), strict=True)) for row in arrays["history"]]
        run.best_epoch = int(arrays["best_epoch"])
        if run.best_epoch:
            threshold = (arrays[f"best.{name}"] for name in _THRESHOLD)
            run.best = Trained(Weights.named(arrays, "best."), *threshold)
        return run
