"""Where the scores of a report stand beside each other; lengths are percentages of the width."""

from typing import NamedTuple

import numpy as np

from sklearn_sae.report._content import Score


class Bar(NamedTuple):
    """A score as a bar that begins at what nothing reaches."""

    score: Score
    start: float
    width: float


class Bars(NamedTuple):
    """The scores of a report, the lowest first."""

    bars: tuple[Bar, ...]
    nothing: float  # where the bars begin


def bars_of(scores):
    """Return the `Bars` of scores; those that are worse than nothing go the other way."""
    known = sorted((one for one in scores if not np.isnan(one.value)), key=lambda one: one.value)
    zero = next((one.value for one in scores if one.of == "nothing"), 0.0)
    low, high = min([zero, *(one.value for one in known)]), max([zero, *(one.value for one in known)])
    scale = 100 / ((high - low) or 1)
    bars = tuple(
        Bar(one, round((min(one.value, zero) - low) * scale, 2), round(abs(one.value - zero) * scale, 2))
        for one in known
    )
    return Bars(bars, round((zero - low) * scale, 2))
