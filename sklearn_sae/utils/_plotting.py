"""Parts of pictures: axes, colours, rows with names, legends, and texts that are drawn as they stand."""

import re

import numpy as np
import wcwidth

from sklearn_sae.utils._optional import require

# The colours of Okabe and Ito differ for all kinds of colour vision; where these are used so do the markers, because in
# grey some of them are alike.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LINES = ("-", "--", "-.", ":")
HATCHES = ("", "///", "...", "xxx", "---", "ooo", "|||")
GREY, PALE = "0.45", "0.8"
NAME = 29  # columns of a name of two lines

SIZE = 9  # of the font of names, in points
_SMALLEST_SIZE = 7  # A name has fewer lines before its font is smaller than this.
_LINE = 1.35  # height of a line over the size of its font
_POINTS = 72  # in an inch
_DIRECTION = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")  # could turn a line around
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f]")


def style(i):
    """Return the colour and the marker of the i-th series."""
    return {"color": COLORS[i % len(COLORS)], "marker": MARKERS[i % len(MARKERS)]}


def fill(i):
    """Return the colour and the hatching of the bars of the i-th series."""
    return {
        "facecolor": COLORS[i % len(COLORS)],
        "hatch": HATCHES[i % len(HATCHES)],
        "edgecolor": "white",
        "linewidth": 0.5,
    }


def new_axes(ax, *, height, width=8):
    """Return `ax`, or the axes of a new figure of so many inches."""
    return new_panels(ax, 1, 1, height=height, width=width)[0, 0]


def new_panels(ax, n_rows, n_columns, *, height, width=8, **options):
    """Return axes in rows and columns: of a new figure of so many inches, or in the place of `ax`.

    Parameters
    ----------
    ax : matplotlib Axes or None
        One that is divided is hidden. It must be part of a grid, as all axes of `subplots` are.
    n_rows, n_columns : int
    height, width : float
        Of a new figure.
    **options : dict
        `height_ratios`, `width_ratios`, `sharex` and `sharey`, as of ``matplotlib.pyplot.subplots``.

    Returns
    -------
    panels : ndarray of Axes of shape (n_rows, n_columns)
    """
    if ax is not None and n_rows * n_columns == 1:
        return np.array([[ax]])
    if ax is None:
        pyplot = require("matplotlib.pyplot", extra="plot", purpose="A plot")
        size = {"figsize": (width, height), "layout": "constrained"}
        return pyplot.subplots(n_rows, n_columns, squeeze=False, **size, **options)[1]
    place = ax.get_subplotspec()
    if place is None:
        raise ValueError(
            f"ax cannot be divided into the {n_rows * n_columns} panels of this picture, because it is not part of a "
            "grid; make it by matplotlib.pyplot.subplots."
        )
    ax.set_axis_off()
    shared = {name: options.pop(name) for name in ("sharex", "sharey") if name in options}
    return place.subgridspec(n_rows, n_columns, **options).subplots(squeeze=False, **shared)


def row_height(labels, *, width, max_lines):
    """Return how many inches rows with these names take."""
    n_lines = max((len(wrap(label, width, max_lines)) for label in labels), default=1)
    return max(len(labels), 1) * (n_lines * line_height() + 6 / _POINTS)


def name_rows(ax, labels, *, width=48, max_lines=2, fit=True):
    """Write wrapped names beside rows drawn at 0, 1, 2 and so on, the first on top.

    Parameters
    ----------
    ax : matplotlib Axes
    labels : sequence of str
    width, max_lines : int
        Columns and lines of a name.
    fit : bool, default=True
        Whether names have fewer lines, and then a smaller font, where the axes are too low for them, and shorter lines
        where the axes are narrow. New axes of `row_height` need no such care.

    Returns
    -------
    size : float
        Of the font, in points, for what else is written in the rows.
    """
    lines, size = [wrap(label, width, max_lines) for label in labels], SIZE
    if fit:
        lines, size = fitted(ax, labels, width, max_lines)
    ax.set_yticks(np.arange(len(labels)), ["\n".join(some) for some in lines], fontsize=size, parse_math=False)
    ax.set_ylim(len(labels) - 0.4, -0.6)
    ax.spines[["top", "right"]].set_visible(False)
    return size


def line_height():
    """Return how many inches a line of a name takes."""
    return SIZE * _LINE / _POINTS


def fitted(ax, labels, width, max_lines, *, share=0.5):
    """Return the lines of names and the size of a font with which they fit beside axes, in a share of their width."""
    extent = ax.get_window_extent()
    height, room = (side / ax.figure.dpi * _POINTS for side in (0.9 * extent.height, extent.width))
    for most in range(max_lines, 0, -1):
        size = min(SIZE, height / max(len(labels), 1) / _LINE / most)
        n_columns = int(np.clip(share * room / (0.55 * size), 10, width))  # a character is about half as wide as high
        lines = [wrap(label, n_columns, most) for label in labels]
        size = min(SIZE, height / max(len(labels), 1) / _LINE / max(map(len, lines), default=1))
        if size >= _SMALLEST_SIZE:
            break
    return lines, size


def legend_above(ax, *, loc="lower right", width=60, **options):
    """Write the legend above the axes, where no data lies; "lower right" reaches to the left over the rows' names."""
    legend = ax.legend(frameon=False, loc=loc, bbox_to_anchor=(float("right" in loc), 1), **options)
    _wrap_legend(legend, width)


def legend_below_names(ax, **options):
    """Write the legend under the names of the rows, to the left of the axes, where nothing else is."""
    legend = ax.legend(frameon=False, loc="upper right", bbox_to_anchor=(0, 0), borderaxespad=0.8, **options)
    _wrap_legend(legend, 40)


def legend_below(ax, **options):
    """Write the legend under the numbers and the label of the x axis, whatever the height of the axes."""
    from matplotlib.transforms import ScaledTranslation

    lower = ax.transAxes + ScaledTranslation(0, -40 / _POINTS, ax.figure.dpi_scale_trans)
    place = {"loc": "upper left", "bbox_to_anchor": (0, 0), "bbox_transform": lower, "borderaxespad": 0}
    legend = ax.legend(frameon=False, fontsize="small", ncols=2, **place, **options)
    _wrap_legend(legend, 40)


def _wrap_legend(legend, width):
    for text in legend.get_texts():
        text.set_text(wrapped(text.get_text(), width))
        text.set_parse_math(False)


def wrap(text, width, max_lines=None):
    """Return the lines of a text, of so many columns; what no line is left for is marked by an ellipsis.

    Of a tuple each part is a line.
    """
    if isinstance(text, tuple):
        return [wrap(part, width, 1)[0] for part in text]
    text = _CONTROL.sub("\ufffd", _DIRECTION.sub("", str(text)))
    text = " ".join(text.split()).replace(" …", "\u00a0…")
    lines = wcwidth.wrap(text, width=width, break_on_hyphens=False) or [""]
    if max_lines is None or len(lines) <= max_lines:
        return lines
    cut = wcwidth.wrap(text, width=width, max_lines=max_lines, placeholder=" …", break_on_hyphens=False)
    if cut[-1].strip() == "…":  # The next word is too long to stand before it.
        cut = [*lines[: max_lines - 1], f"{lines[max_lines - 1][:-1]}…"]
    return cut


def with_room(low, high):
    """Return the ends of an axis that has some room beyond the lowest and the highest of what is drawn."""
    room = 0.06 * (high - low) or 1.0
    return low - room, high + room


def wrapped(text, width, max_lines=2):
    """Return a text with line breaks, as a title has it."""
    return "\n".join(wrap(text, width, max_lines))


def shorten(label, width):
    """Return a label cut to so many characters, at the end of a word where there is one."""
    label = " ".join(label.split())
    if len(label) <= width:
        return label
    cut = label[: width - 1]
    return (cut.rpartition(" ")[0].rstrip(" ,;:") or cut) + "…"
