"""How many passes over the rows, in batches of what size, and at which learning rate."""

import math
from typing import NamedTuple

_WARMUP_STEPS = 50
# Few neurons of few rows are trained in whole batches, which are quick and give the same neurons with every seed. More
# neurons would fit the rows too closely.
_WHOLE_BELOW, _WHOLE_NEURONS = 3_000, 64  # training rows, and neurons


class Schedule(NamedTuple):
    """The parameters of these names, with "auto" resolved."""

    batch_size: int
    learning_rate: float  # the highest
    max_epochs: int


def resolve_schedule(n_rows, n_neurons, *, batch_size, learning_rate, max_epochs, pursuit, in_batches=False):
    """Return the `Schedule` for numbers of training rows and neurons. `in_batches`: never all rows at once."""
    if batch_size == max_epochs == "auto" and n_rows < _WHOLE_BELOW and n_neurons <= _WHOLE_NEURONS and not in_batches:
        batch_size, max_epochs = n_rows, suggest_whole_epochs(n_rows)
    return Schedule(
        suggest_batch_size(n_rows) if batch_size == "auto" else batch_size,
        (2e-2 if pursuit else 5e-3) if learning_rate == "auto" else learning_rate,
        suggest_max_epochs(n_rows) if max_epochs == "auto" else max_epochs,
    )


def suggest_whole_epochs(n_rows):
    """Return the passes for a number of training rows that all make one batch: 40 to 150, of fewer rows fewer.

    Examples
    --------
    >>> [suggest_whole_epochs(n) for n in (100, 1_000, 2_999)]
    [40, 83, 150]
    """
    return min(150, max(40, n_rows // 12))


def suggest_batch_size(n_rows):
    """Return the number of rows in a training step for a number of training rows.

    Examples
    --------
    >>> [suggest_batch_size(n) for n in (1_000, 10_000, 30_000, 1_000_000)]
    [128, 128, 256, 512]
    """
    return 128 if n_rows < 16_000 else 256 if n_rows < 64_000 else 512


def suggest_max_epochs(n_rows):
    """Return the most passes for a number of training rows: as many as make 750,000 rows, from 5 to 25.

    Examples
    --------
    >>> [suggest_max_epochs(n) for n in (1_000, 30_000, 75_000, 1_000_000)]
    [25, 25, 10, 5]
    """
    return min(25, max(5, round(750_000 / n_rows)))


def cosine_schedule(learning_rate, n_steps):
    """Return the rate as a function of the step: linear warm-up, then half a cosine down to zero."""
    n_warmup = max(1, min(_WARMUP_STEPS, n_steps // 10))

    def rate(step):
        if step < n_warmup:
            return learning_rate * (step + 1) / n_warmup
        return learning_rate * 0.5 * (1 + math.cos(math.pi * (step - n_warmup) / max(1, n_steps - n_warmup)))

    return rate


def anytime_schedule(learning_rate):
    """Return the rate where the number of steps is not known: linear warm-up, then down with the square root."""
    return lambda step: learning_rate * min((step + 1) / _WARMUP_STEPS, (_WARMUP_STEPS / (step + 1)) ** 0.5)
