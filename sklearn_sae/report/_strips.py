"""Where effects and shares by subgroup or period stand in small drawings; places are percentages."""

from typing import NamedTuple

import numpy as np

from sklearn_sae.report._content import Hypothesis
from sklearn_sae.report._forest import Forest, Tick, axis_of, panels_of_columns

MOST_PANELS = 4  # subgroups that stand side by side; more of them, and periods, have a place each along a line
MOST_ROWS = 20
_LEFT = 9  # where the first place is, after the numbers of the scale


class Dot(NamedTuple):
    """An estimate as it is drawn."""

    x: float
    y: float
    top: float
    bottom: float
    significant: bool
    before: tuple[float, float] | None  # the estimate of the period before


class Strip(NamedTuple):
    """A hypothesis along all subgroups or periods."""

    row: object  # ByRow
    effects: tuple[Dot, ...]
    shares: tuple[Dot, ...]


class Strips(NamedTuple):
    """Hypotheses along all subgroups or periods."""

    strips: tuple[Strip, ...]
    effect_ticks: tuple[Tick, ...]
    share_ticks: tuple[Tick, ...]
    places: tuple[tuple[float, str], ...]  # what is written under them
    n_left: int


def forest_by(report):
    """Return a `Forest` with a panel a subgroup, or None with many subgroups or with periods."""
    by = report.by
    if by.are_periods or len(by.labels) > MOST_PANELS:
        return None
    rows = by.rows[:MOST_ROWS]
    named = {one.number: one for one in report.hypotheses}
    hypotheses = tuple(_with_class(named[row.number], row) for row in rows)
    columns = [[row.parts[place].effect for row in rows] for place in range(len(by.labels))]
    return Forest(
        by.name, hypotheses, None, panels_of_columns(by.labels, report.unit, columns), len(by.rows) - len(rows)
    )


def strips_by(report):
    """Return the `Strips` of a report with many subgroups or with periods, else None."""
    by = report.by
    if not by.are_periods and len(by.labels) <= MOST_PANELS:
        return None
    rows = by.rows[:MOST_ROWS]
    effect_axis = axis_of([part.effect for row in rows for part in row.parts], 2)
    share_axis = axis_of([part.share for row in rows for part in row.parts], 2)
    n = len(by.labels)
    x = [round(_LEFT + (96 - _LEFT) * (place + 0.5) / n, 2) for place in range(n)]
    strips = tuple(
        Strip(
            row,
            _dots([part.effect for part in row.parts], x, effect_axis, by.are_periods),
            _dots([part.share for part in row.parts], x, share_axis, by.are_periods),
        )
        for row in rows
    )
    if by.are_periods:
        shown = dict.fromkeys([0, n - 1] if n < 3 else [0, (n - 1) // 2, n - 1])
        places = tuple((x[place], by.labels[place]) for place in shown)
    else:
        places = tuple((x[place], str(place + 1)) for place in range(n))
    ticks = (tuple(tick for tick in axis.ticks) for axis in (effect_axis, share_axis))
    return Strips(strips, *ticks, places, len(by.rows) - len(rows))


def _with_class(one, row):
    return Hypothesis(*one)._replace(short=f"{one.short} (“{row.of}”)" if row.of else one.short)


def _dots(estimates, x, axis, are_joined):
    dots, before = [], None
    for place, one in zip(x, estimates, strict=True):
        if np.isnan(one.value):
            before = None
            continue
        low, high = (one.value if np.isnan(end) else end for end in (one.low, one.high))
        y, top, bottom = (round(100 - axis.place(value), 2) for value in (one.value, high, low))
        dots.append(Dot(place, y, top, bottom, one.significant, before if are_joined else None))
        before = (place, y)
    return tuple(dots)
