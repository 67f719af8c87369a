"""Where the effects of hypotheses stand in a forest plot; lengths are percentages of its width."""

from typing import NamedTuple

import numpy as np

from sklearn_sae.report._content import Effect, Estimate, Hypothesis
from sklearn_sae.utils._decimals import written

MOST_ROWS = 40  # of a plot; more than that nobody reads
MOST_CLASSES = 4  # side by side; with more of them each has a plot of its own
_MARGIN = 4  # on both sides of an axis, so that its first and last numbers have room
_FARTHEST = 2.5  # An interval is cut at so many times the largest effect.


class Tick(NamedTuple):
    """A round number on an axis."""

    at: float
    text: str
    kind: str  # "zero", "end" or "between"


class Axis(NamedTuple):
    """A scale with round numbers."""

    low: float
    high: float
    ticks: tuple[Tick, ...] = ()

    def place(self, value):
        """Return where a value stands; one beyond an end of the axis stands at the end."""
        share = (np.clip(value, self.low, self.high) - self.low) / (self.high - self.low)
        return round(float(_MARGIN + (100 - 2 * _MARGIN) * share), 2)


class Mark(NamedTuple):
    """An effect with its interval as it is drawn."""

    kind: str  # "own" or "joint"
    estimate: Estimate
    at: float
    start: float
    end: float
    goes_on: tuple[bool, bool]  # whether the interval is longer than can be drawn, at its start and its end


class Panel(NamedTuple):
    """A column of a forest plot."""

    title: str
    unit: str
    axis: Axis
    marks: tuple[tuple[Mark, ...], ...]  # those of each row; an effect that is not known has none


class Forest(NamedTuple):
    """A forest plot."""

    title: str
    hypotheses: tuple[Hypothesis, ...]  # the rows
    effects: tuple[Effect, ...] | None  # what is written beside each row; None: nothing
    panels: tuple[Panel, ...]
    n_left: int  # hypotheses that are not drawn


def forests_of(report):
    """Return the `Forest`s of a report: one, or with several classes those of their effects.

    Effects of numbers, on their own and beside the others, have the same unit and share a panel. With classes the
    latter are log-odds, and have panels of their own.
    """
    classes = [effect.of for effect in report.hypotheses[0].effects]
    if len(classes) == 1:
        return (_of_one(report, 0, ""),)
    if len(classes) > MOST_CLASSES:
        return tuple(_of_one(report, place, f"For “{name}”") for place, name in enumerate(classes))
    some = _strongest(report.hypotheses, lambda one: one.effects)
    n_left = len(report.hypotheses) - len(some)
    return tuple(
        Forest(title, some, None, _panels_of_classes(some, classes, kind, unit), n_left)
        for kind, title, unit in (
            ("own", "On its own", report.unit),
            ("joint", "Beside all other hypotheses", "log-odds"),
        )
    )


def _of_one(report, place, title):
    """Return the plot of a target without classes, or of one class."""
    some = _strongest(report.hypotheses, lambda one: one.effects[place : place + 1])
    effects = tuple(one.effects[place] for one in some)
    if has_classes(report):
        panels = (
            _panel("On its own", report.unit, ["own"], effects, 3),
            _panel("Beside all others", "log-odds", ["joint"], effects, 3),
        )
    else:
        panels = (_panel("", report.unit, ["own", "joint"], effects, 4),)
    return Forest(title, some, effects, panels, len(report.hypotheses) - len(some))


def _panels_of_classes(hypotheses, classes, kind, unit):
    """Return a panel a class, all on one scale."""
    columns = list(zip(*(one.effects for one in hypotheses), strict=True))
    axis = axis_of([getattr(effect, kind) for column in columns for effect in column], 3)
    return tuple(
        _panel(f"“{name}”", unit, [kind], column, axis=axis) for name, column in zip(classes, columns, strict=True)
    )


def panels_of_columns(titles, unit, columns):
    """Return a panel a column of `Estimate`s, all on one scale."""
    axis = axis_of([one for column in columns for one in column], 3)
    effects = ([Effect("", one, one, "") for one in column] for column in columns)
    return tuple(_panel(title, unit, ["own"], some, axis=axis) for title, some in zip(titles, effects, strict=True))


def _panel(title, unit, kinds, effects, n_ticks=None, axis=None):
    estimates = [[(kind, getattr(effect, kind)) for kind in kinds] for effect in effects]
    axis = axis or axis_of([one for row in estimates for _, one in row], n_ticks)
    marks = (tuple(_mark(kind, one, axis) for kind, one in row if not np.isnan(one.value)) for row in estimates)
    return Panel(title, unit, axis, tuple(marks))


def has_classes(report):
    """Return whether effects are on shares of a class, so that those beside the others are log-odds."""
    return report.metric == "AUC"


def strength(estimate):
    """Return how an effect ranks: those that are significant first, then by their size."""
    return (estimate.significant, -1 if np.isnan(estimate.value) else abs(estimate.value))


def _strongest(hypotheses, effects_of):
    """Return those that are drawn, the highest effect first."""

    def strongest(one):
        return max(strength(effect.own) for effect in effects_of(one))

    def highest(one):
        return max(float(np.nan_to_num(effect.own.value, nan=-np.inf)) for effect in effects_of(one))

    return tuple(sorted(sorted(hypotheses, key=strongest, reverse=True)[:MOST_ROWS], key=highest, reverse=True))


def _mark(kind, estimate, axis):
    low, high = (estimate.value if np.isnan(end) else end for end in (estimate.low, estimate.high))
    places = map(axis.place, (estimate.value, low, high))
    return Mark(kind, estimate, *places, (low < axis.low, high > axis.high))


def axis_of(estimates, n_ticks):
    """Return an `Axis` with zero on it, all effects, and their intervals unless they are very long.

    Parameters
    ----------
    estimates : list of Estimate
    n_ticks : int
        How many steps it has at least.
    """
    values, lows, highs = np.transpose([(0, 0, 0), *((one.value, one.low, one.high) for one in estimates)])
    farthest = _FARTHEST * (np.nanmax(np.abs(values)) or np.inf)
    low = max(np.nanmin([*values, *lows]), -farthest)
    high = min(np.nanmax([*values, *highs]), farthest)
    if low == high:
        low, high = -1.0, 1.0
    axis = Axis(float(low), float(high))
    step = _round_step((high - low) / n_ticks)
    form = _short_form(step)
    first, last = int(np.ceil(low / step)), int(np.floor(high / step))
    return axis._replace(
        ticks=tuple(
            Tick(
                axis.place(step * i),
                in_type(written(step * i, form)),
                "zero" if i == 0 else "end" if i in (first, last) else "between",
            )
            for i in range(first, last + 1)
        )
    )


def _round_step(most):
    """Return the largest of 1, 2 or 5 times a power of ten that is not more than `most`."""
    power = 10.0 ** np.floor(np.log10(most))
    return max(factor * power for factor in (1, 2, 5) if factor * power <= most * (1 + 1e-9))


def _short_form(step):
    """Return the format of numbers that are `step` apart, which is a round number."""
    n_decimals = max(0, -int(np.floor(np.log10(step) + 1e-9)))
    return ",.0e" if n_decimals > 5 or step >= 1e7 else f",.{n_decimals}f"


def in_type(number):
    """Return a written number with a minus sign as it is set in type."""
    return number.replace("-", "−")
