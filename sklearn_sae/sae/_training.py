"""The training loop: batches in, parameters out, and the state in between as NumPy arrays.

Everything that a later step depends on is in a `State`: parameters, the optimizer's two moments, how long each neuron
has been silent, the running threshold and the count of steps. It goes to and from a flat dict of NumPy arrays, which
is what `partial_fit` carries and a checkpoint stores.
"""

import math
import warnings
from dataclasses import dataclass

import numpy as np
import torch

from sklearn_sae.sae._kernels import TILE, Active, decode, stretched, sum_by_neuron, take_rows, topk_linear
from sklearn_sae.sae._network import Settings, compute_gradient, compute_loss
from sklearn_sae.sae._optimizer import Parameters, adam_step
from sklearn_sae.sae._scaling import TOO_LARGE

_THRESHOLD_RATE = 0.01  # of the exponential moving average
_EVALUATION_ROWS = 1024
_WARMUP_STEPS = 50
_FARTHEST = 1e15  # in units of the scale; squares of it, summed over a batch, are within float32


class Rows:
    """Some rows of `X` as float32 tensors, read batch by batch and scaled by a `Scaling`."""

    def __init__(self, X, scaling, device, *, index=None):
        self.X = X
        self.index = np.arange(len(X)) if index is None else index
        self._mean, self._scale = torch.tensor(scaling.mean, device=device), scaling.scale
        self._stretch = None
        if scaling.metric is not None:
            stretch = scaling.metric.directions, scaling.metric.factors
            self._stretch = [torch.tensor(array, device=device) for array in stretch]
        self._tensor = None
        if X.flags.c_contiguous and X.flags.aligned:  # torch gathers rows several times sooner than NumPy
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that a read-only array, as of a mapped file, could be written to
                self._tensor = torch.from_numpy(X)

    def __len__(self):
        return len(self.index)

    def batch(self, positions):
        """Return a tensor (B, d)."""
        tensor, rows = self._tensor, self.index[positions]
        if tensor is None:
            taken = np.asarray(np.take(self.X, rows, axis=0), dtype=np.float32)
            tensor, rows = torch.from_numpy(taken), np.arange(len(rows))
        x = take_rows(tensor, torch.from_numpy(rows), self._mean, 1 / self._scale)
        return x if self._stretch is None else stretched(x, *self._stretch)

    def check_range(self):
        """Raise ValueError for rows beyond the range of float32; those that gave mean and scale are not."""
        for start in range(0, len(self), _EVALUATION_ROWS):
            with np.errstate(over="ignore"):
                x = self.batch(slice(start, start + _EVALUATION_ROWS))
            if not x.abs().max() <= _FARTHEST:
                raise ValueError(TOO_LARGE)
        return self


@dataclass
class State:
    """What training carries from one step to the next."""

    params: Parameters
    first: list  # Adam's first moments, as params
    second: list
    silent_steps: torch.Tensor  # (M,) int64: training steps since each neuron was last active
    threshold_sum: torch.Tensor  # () moving average of the smallest kept activation, not yet debiased
    threshold_weight: float = 0.0  # its total weight: the bias correction
    step: int = 0

    @classmethod
    def start(cls, arrays, device):
        """Return the state before the first step, from a dict of parameter arrays."""
        params = Parameters(**{name: _tensor(arrays[name], device) for name in Parameters._fields})
        return cls(
            params=params,
            first=[torch.zeros_like(p) for p in params],
            second=[torch.zeros_like(p) for p in params],
            silent_steps=torch.zeros(len(params.components), dtype=torch.int64, device=device),
            threshold_sum=torch.zeros((), device=device),
        )

    @property
    def threshold(self):
        """The debiased moving average, a tensor."""
        return self.threshold_sum / (self.threshold_weight or 1.0)

    def to_arrays(self):
        """Return the state as a flat dict of NumPy arrays."""
        arrays = parameter_arrays(self.params)
        for name, m, v in zip(Parameters._fields, self.first, self.second, strict=True):
            arrays[f"first.{name}"], arrays[f"second.{name}"] = _array(m), _array(v)
        return arrays | {
            "silent_steps": _array(self.silent_steps),
            "threshold_sum": _array(self.threshold_sum),
            "threshold_weight": np.float64(self.threshold_weight),
            "step": np.int64(self.step),
        }

    @classmethod
    def from_arrays(cls, arrays, device):
        """Return the state that `to_arrays` wrote."""
        state = cls.start(arrays, device)
        state.first = [_tensor(arrays[f"first.{name}"], device) for name in Parameters._fields]
        state.second = [_tensor(arrays[f"second.{name}"], device) for name in Parameters._fields]
        state.silent_steps = torch.from_numpy(np.array(arrays["silent_steps"])).to(device)
        state.threshold_sum = _tensor(arrays["threshold_sum"], device)
        state.threshold_weight = float(arrays["threshold_weight"])
        state.step = int(arrays["step"])
        return state


def parameter_arrays(params):
    """Return a copy of the parameters as a dict of NumPy arrays."""
    return {name: _array(p) for name, p in zip(Parameters._fields, params, strict=True)}


@torch.no_grad()
def training_step(state: State, x, settings: Settings, *, learning_rate, dead_after):
    """Take one step on a batch, in place, and return its loss, a tensor."""
    dead = None
    if settings.aux_weight > 0 and state.step >= dead_after:
        dead = (state.silent_steps >= dead_after).nonzero()[:, 0]
    loss = compute_loss(state.params, x, settings, dead=dead)
    gradient = compute_gradient(loss)
    state.step += 1
    adam_step(state.params, gradient, state.first, state.second, step=state.step, learning_rate=learning_rate)

    fired = sum_by_neuron(loss.codes, loss.active.neurons, len(state.silent_steps)) > 0
    state.silent_steps.add_(1).masked_fill_(fired, 0)
    if settings.batch_topk:
        smallest = torch.where(loss.codes > 0, loss.codes, torch.inf).min()
        if smallest < torch.inf:
            state.threshold_sum.lerp_(smallest, _THRESHOLD_RATE)
            state.threshold_weight += _THRESHOLD_RATE * (1 - state.threshold_weight)
    return loss.fit


@torch.no_grad()
def evaluate(state: State, rows: Rows, settings: Settings):
    """Return the mean loss over all rows, encoded as `transform` does; counts as no step."""
    threshold = state.threshold if settings.batch_topk else None
    settings = settings._replace(multi_weight=0.0)  # not looked at
    total = 0.0
    for start in range(0, len(rows), _EVALUATION_ROWS):
        x = rows.batch(slice(start, start + _EVALUATION_ROWS))
        total += len(x) * float(compute_loss(state.params, x, settings, threshold=threshold).fit)
    return total / len(rows)


def one_epoch(state: State, rows: Rows, settings: Settings, *, epoch, order, batch_size, rate, dead_after):
    """Pass over `rows` in the given order; `rate` maps a step to its learning rate.

    Return the epoch's number, the mean loss and the share of neurons that are dead at the end, as a dict.

    Raises
    ------
    ValueError
        If the loss or the squared weights are no longer finite.
    """
    total = 0.0
    for chosen in split_evenly(order, batch_size):
        x = rows.batch(chosen)
        loss = training_step(state, x, settings, learning_rate=rate(state.step), dead_after=dead_after)
        total += len(chosen) * loss
    total = float(total)
    if not (math.isfinite(total) and all(torch.linalg.vector_norm(p).isfinite() for p in state.params)):
        raise ValueError(f"The training diverged at epoch {epoch}; lower learning_rate.")
    dead_fraction = float((state.silent_steps >= dead_after).float().mean())
    return {"epoch": epoch, "train_loss": total / len(order), "dead_fraction": dead_fraction}


def split_evenly(order, batch_size):
    """Return the parts of an array: as few as make none larger than `batch_size`, of equal size up to a tile.

    If `batch_size` is made of whole tiles, so are all parts but the last, for matrix products of these take less time.
    """
    n_parts = math.ceil(len(order) / batch_size)
    tile = TILE if batch_size % TILE == 0 else 1
    ends = np.ceil(np.arange(1, n_parts) * len(order) / n_parts / tile).astype(np.int64) * tile
    return np.split(order, ends)


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
        self.best, self.best_loss, self.best_epoch = None, math.inf, 0
        self.history = []  # one dict an epoch

    def train(
        self, rows, validation, settings, *, batch_size, learning_rate, max_epochs, patience, dead_after, on_epoch
    ):
        """Train until `max_epochs`, or until `validation` (Rows or None) was not improved for `patience` epochs.

        `on_epoch` is called with the run after each epoch. Return the best state as arrays; the last one if there
        is no validation.
        """
        n_steps = max_epochs * math.ceil(len(rows) / batch_size)
        rate = cosine_schedule(learning_rate, n_steps, n_warmup=max(1, min(_WARMUP_STEPS, n_steps // 10)))
        while len(self.history) < max_epochs and not self._stalled(patience):
            epoch = len(self.history) + 1
            row = one_epoch(
                self.state,
                rows,
                settings,
                epoch=epoch,
                order=np.random.default_rng([self.seed, len(self.history)]).permutation(len(rows)),
                batch_size=batch_size,
                rate=rate,
                dead_after=dead_after,
            )
            validation_loss = math.nan if validation is None else evaluate(self.state, validation, settings)
            self.history.append({**row, "validation_loss": validation_loss})
            if validation_loss < self.best_loss:
                self.best, self.best_loss, self.best_epoch = self.state.to_arrays(), validation_loss, epoch
            on_epoch(self)
        return self.best or self.state.to_arrays()

    def _stalled(self, patience):
        return self.best is not None and patience is not None and len(self.history) - self.best_epoch >= patience

    def to_arrays(self):
        """Return the run as a flat dict of NumPy arrays."""
        arrays = {f"state.{name}": value for name, value in self.state.to_arrays().items()}
        arrays |= {f"best.{name}": value for name, value in (self.best or {}).items()}
        history = np.array([list(row.values()) for row in self.history], dtype=np.float64)
        return arrays | {"history": history, "best_epoch": np.int64(self.best_epoch), "seed": np.int64(self.seed)}

    @classmethod
    def from_arrays(cls, arrays, device):
        """Return the run that `to_arrays` wrote."""

        def part(prefix):
            return {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}

        run = cls(State.from_arrays(part("state."), device), int(arrays["seed"]))
        names = ("epoch", "train_loss", "dead_fraction", "validation_loss")
        run.history = [dict(zip(names, (int(row[0]), *row[1:].tolist()), strict=True)) for row in arrays["history"]]
        run.best, run.best_epoch = part("best.") or None, int(arrays["best_epoch"])
        if run.best is not None:
            run.best_loss = run.history[run.best_epoch - 1]["validation_loss"]
        return run


def cosine_schedule(learning_rate, n_steps, n_warmup):
    """Return the rate as a function of the step: linear warm-up, then half a cosine down to zero."""

    def rate(step):
        if step < n_warmup:
            return learning_rate * (step + 1) / n_warmup
        return learning_rate * 0.5 * (1 + math.cos(math.pi * (step - n_warmup) / max(1, n_steps - n_warmup)))

    return rate


def anytime_schedule(learning_rate):
    """Return the rate where the number of steps is not known: linear warm-up, then down with the square root."""
    return lambda step: learning_rate * min((step + 1) / _WARMUP_STEPS, (_WARMUP_STEPS / (step + 1)) ** 0.5)


def initial_arrays(directions, gain=1.0):
    """Return the starting parameters: decoder rows as given, the encoder `gain` times these."""
    n_components, n_features = directions.shape
    return {
        "encoder_weight": directions * np.float32(gain),
        "encoder_bias": np.zeros(n_components, np.float32),
        "components": directions,
        "bias": np.zeros(n_features, np.float32),
    }


def initial_directions(rows, n_components, rng):
    """Return unit vectors (M, d): distinct centered rows in random order, then random directions if they run out."""
    chosen = np.sort(rng.permutation(len(rows))[: 2 * n_components])  # twice what is needed, for rows may repeat
    points = _array(rows.batch(chosen))
    points = points[np.unique(points, axis=0, return_index=True)[1]]
    norms = np.linalg.norm(points, axis=1)
    points = rng.permutation(points[norms > 1e-3])[:n_components]
    others = rng.standard_normal((n_components - len(points), points.shape[1])).astype(np.float32)
    directions = np.concatenate([points, others])
    return directions / np.linalg.norm(directions, axis=1, keepdims=True)


@torch.no_grad()
def initial_gain(rows, directions, k):
    """Return the factor, at most 1, with which the encoder that copies the decoder reconstructs the rows best.

    The k directions closest to a row overlap, so that their sum can be up to k times as long as the row.
    """
    x = rows.batch(slice(None, None, math.ceil(len(rows) / _EVALUATION_ROWS)))
    weight = _tensor(directions, x.device)
    values, neurons = topk_linear(x, weight, weight.new_zeros(len(weight)), k)
    x, sums = _array(x), _array(decode(values.relu().flatten(), Active.regular(neurons), weight))
    length = float(np.square(sums).sum())  # NumPy's sums do not depend on the number of threads
    return min(1.0, float((x * sums).sum()) / length) if length else 1.0


def _tensor(array, device):
    return torch.tensor(np.asarray(array, order="C"), dtype=torch.float32, device=device)


def _array(tensor):
    return tensor.detach().cpu().numpy().copy()
