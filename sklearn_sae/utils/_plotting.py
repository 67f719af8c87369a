"""Parts of plots: axes, rows with names, legends, and labels cut to a width."""

import numpy as np

from sklearn_sae.utils._optional import require


def new_axes(ax, *, height, width=8):
    """Return `ax`, or the axes of a new figure of so many inches."""
    if ax is not None:
        return ax
    pyplot = require("matplotlib.pyplot", extra="plot", purpose="A plot")
    return pyplot.subplots(figsize=(width, height), layout="constrained")[1]


def name_rows(ax, labels, *, width=60):
    """Write labels beside rows drawn at 0, 1, 2 and so on, the first on top."""
    ax.set_yticks(np.arange(len(labels)), [shorten(label, width) for label in labels], parse_math=False)
    ax.set_ylim(len(labels) - 0.4, -0.6)
    ax.spines[["top", "right"]].set_visible(False)


def legend_above(ax, *, loc="lower right", **options):
    """Write the legend above the axes, where no data lies; "lower right" reaches to the left over the rows' names."""
    legend = ax.legend(frameon=False, loc=loc, bbox_to_anchor=(float("right" in loc), 1), **options)
    for text in legend.get_texts():
        text.set_parse_math(False)


def shorten(label, width):
    """Return a label cut to so many characters, at the end of a word where there is one."""
    label = " ".join(label.split())
    if len(label) <= width:
        return label
    cut = label[: width - 1]
    return (cut.rpartition(" ")[0].rstrip(" ,;:") or cut) + "…"
