"""Labels in the margins of axes, joined to their points by lines."""

import numpy as np
from scipy.optimize import linear_sum_assignment

from sklearn_sae.utils._plotting import GREY, line_height, wrap


def label_in_margin(ax, x, y, labels, *, side, width, max_lines, size, gap=0.05):
    """Write a label for each point beside the axes, evenly spread over their height, so that none overlap.

    The lines that join them do not cross, because together they are the shortest ones.

    Parameters
    ----------
    ax : matplotlib Axes
        With its limits set, because lines are measured in them.
    x, y : ndarray of shape (n_labels,)
        The points. `x` may be in the axes' own data or, for "right" with x None, is the right edge.
    labels : list of str
    side : {"left", "right"}
    width, max_lines : int
        Columns and lines of a label.
    size : float
        Of the font.
    gap : float, default=0.05
        Between the axes and the labels, as a share of the width of the axes.

    Returns
    -------
    artists : list of Annotation
        In the order of `labels`.
    """
    n = len(labels)
    if not n:
        return []
    slots = (np.arange(n) + 0.5) / n
    edge = 1.0 if side == "right" else 0.0
    xy = np.column_stack([np.full(n, edge) if x is None else _fraction(x, ax.get_xlim()), _fraction(y, ax.get_ylim())])
    gap = gap if side == "right" else -gap
    lengths = np.hypot(edge + gap - xy[:, :1], slots[None] - xy[:, 1:])
    _, chosen = linear_sum_assignment(lengths)
    line = {"arrowstyle": "-", "color": GREY, "linewidth": 0.6, "shrinkA": 2, "shrinkB": 3, "relpos": (1 - edge, 0.5)}
    return [
        ax.annotate(
            "\n".join(wrap(label, width, max_lines)),
            xy=point,
            xycoords="axes fraction",
            xytext=(edge + gap, slots[slot]),
            textcoords="axes fraction",
            ha="left" if side == "right" else "right",
            va="center",
            fontsize=size,
            linespacing=1.15,
            arrowprops=dict(line),
            annotation_clip=False,
            parse_math=False,
        )
        for label, point, slot in zip(labels, xy, chosen, strict=True)
    ]


def margin_height(n_labels, max_lines):
    """Return how many inches so many labels of so many lines take."""
    return n_labels * (max_lines * line_height() + 5 / 72)


def _fraction(values, limits):
    return (np.asarray(values, dtype=float) - limits[0]) / (limits[1] - limits[0])
