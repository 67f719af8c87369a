"""Tables printed as lines of text."""

from functools import partial
from itertools import zip_longest

import numpy as np
import wcwidth

WIDTH = 100  # A printed line has so many characters.
LEAST_ROOM = 30  # A hypothesis has room for so many characters of a line in any case.
_WHOLE = 6  # A sentence of so many lines is whole, so that one can read all that a name of eight words is tested by.
_INDENT = " " * 8  # of a sentence under its row
_MAX_LINES = 4  # To so many lines a longer sentence is cut.


def table_lines(columns, sentences, *, head="hypothesis", width=WIDTH):
    r"""Return the lines of a table whose last column, the hypotheses, is wrapped.

    It stands beside the others, or under them, across the line, where that cuts fewer or takes fewer lines. A
    hypothesis of more than six lines is cut to four.

    Parameters
    ----------
    columns : list of (str, list of str)
        The headings and cells of the other columns. They are set right, in a column without a heading left. A cell may
        have several lines, with a ``"\n"`` between.
    sentences : iterable of str
    head : str, default="hypothesis"
        The heading of the last column.
    width : int, default=100
        The width of a line. A hypothesis has room for 30 characters in any case.

    Returns
    -------
    lines : list of str
    """
    stacks = [[cell.split("\n") for cell in (name, *cells)] for name, cells in columns]
    # Chinese, Japanese and Korean characters and emoji are two columns wide.
    sizes = [max(wcwidth.width(line) for cell in stack for line in cell) for stack in stacks]
    set_in = [wcwidth.rjust if name else wcwidth.ljust for name, _ in columns]
    sentences = [" ".join(sentence.split()) for sentence in [head, *sentences]]

    def in_line(parts):
        return "".join(f"{put(part, size)}  " for put, part, size in zip(set_in, parts, sizes, strict=True))

    rows = [[in_line(parts) for parts in zip_longest(*cells, fillvalue="")] for cells in zip(*stacks, strict=True)]
    layouts = [_beside(rows, sentences, max(width - sum(size + 2 for size in sizes), LEAST_ROOM))]
    if width >= LEAST_ROOM + len(_INDENT):
        layouts.append(_under(rows, sentences, width - len(_INDENT)))
    _, lines = min(layouts, key=lambda layout: (layout[0], len(layout[1])))
    return lines


def _beside(rows, sentences, room):
    """Return how many sentences are cut, and the lines of a table with each sentence beside its row."""
    lines, n_cut = [], 0
    for starts, sentence in zip(rows, sentences, strict=True):
        wrapped, is_cut = _wrapped(sentence, room)
        n_cut += is_cut
        pairs = zip_longest(starts, wrapped or [""], fillvalue=None)
        lines += [
            f"{' ' * wcwidth.width(starts[0]) if start is None else start}{words or ''}".rstrip()
            for start, words in pairs
        ]
    return n_cut, lines


def _under(rows, sentences, room):
    """Return how many sentences are cut, and the lines of a table with each sentence under its row."""
    lines, n_cut = [], 0
    for starts, sentence in zip(rows, sentences, strict=True):
        wrapped, is_cut = _wrapped(sentence, room)
        n_cut += is_cut
        starts = [start.rstrip() for start in starts if start.strip()]
        lines += [*starts, *(f"{_INDENT if starts else ''}{words}" for words in wrapped)]
    return n_cut, lines


def _wrapped(sentence, room):
    """Return the lines of a sentence, and whether it is cut, at its end or, if it compares, on each side."""
    wrap = partial(wcwidth.wrap, width=room, break_on_hyphens=False, placeholder=" …")
    if len(wrap(sentence)) <= _WHOLE:
        return wrap(sentence), False
    more, than, less = sentence.partition(" than ")
    sides = [more, than.lstrip() + less] if than else [sentence]
    return [line for side in sides for line in wrap(side, max_lines=_MAX_LINES // len(sides))], True


def numbers(values):
    """Return a column of numbers as str, with three decimals unless they are very large or all small."""
    largest = values.abs().max()
    form = "+.3f" if 0.01 <= largest < 1e6 or largest == 0 else "+.1e"
    return ["-" if np.isnan(value) else format(value, form) for value in values]


def pvalue(value):
    """Return a p-value as str, "-" for NaN."""
    if np.isnan(value):
        return "-"
    return f"{value:.3f}" if value >= 1e-3 or value == 0 else f"{value:.0e}"


def percent(value, decimals=1):
    """Return a share as str, "-" for NaN."""
    return "-" if np.isnan(value) else f"{value:.{decimals}%}"
