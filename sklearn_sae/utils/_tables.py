"""Tables printed as lines of text."""

import math
import os
import shutil
import sys
from functools import partial
from itertools import zip_longest
from textwrap import wrap

import numpy as np
import wcwidth

from sklearn_sae.utils._decimals import number_form, written
from sklearn_sae.utils._validation import counted

WIDTH = 100  # A printed line has so many characters where there is no terminal.
PAGE = 30  # What is printed of 20 hypotheses has about so many lines.
LEAST_ROOM = 30  # A hypothesis has room for so many characters of a line in any case.
_WIDEST = 120  # Longer lines are hard to read.
_WHOLE = 6  # A sentence of so many lines is whole, so that one can read all that a name of eight words is tested by.
_INDENT = " " * 8  # of a sentence under its row
_MAX_LINES = 4  # To so many lines a longer sentence is cut.
_MOST_NOTE_LINES = 5
_OF_QUOTES = "says something like"
_OPENINGS = ("mentions more of", "mentions", _OF_QUOTES)  # by which names are known


def terminal_width():
    """Return the width of the terminal, at most 120; 100 where there is none."""
    if "COLUMNS" not in os.environ and not (sys.stdout is not None and sys.stdout.isatty()):
        return WIDTH
    return min(shutil.get_terminal_size((WIDTH, PAGE)).columns, _WIDEST)


def table_lines(columns, sentences, *, head="hypothesis", width=WIDTH, n_lines=None):
    r"""Return the lines of a table whose last column, the hypotheses, is wrapped.

    It stands beside the others, or under them, across the line, where that cuts fewer or takes fewer lines.

    Parameters
    ----------
    columns : list of (str, list of str)
        The headings and cells of the other columns. They are set right, in a column without a heading left. A cell may
        have several lines, with a ``"\n"`` between. A row without cells is a title, across the line.
    sentences : iterable of str
    head : str, default="hypothesis"
        The heading of the last column.
    width : int, default=100
        The width of a line. A hypothesis has room for 30 characters in any case.
    n_lines : (float, float) or None, default=None
        How many lines all hypotheses may take: if all are whole; and if that is too many and the longest are cut, down
        to a line each. None: a hypothesis of more than six lines is cut to four.

    Returns
    -------
    lines : list of str
    """
    return fitted_table(columns, sentences, head=head, width=width, n_lines=n_lines)[1]


def fitted_table(columns, sentences, *, head="hypothesis", width=WIDTH, n_lines=None):
    """Return how many sentences are cut, and the lines of the table, as `table_lines` does."""
    stacks = [[cell.split("\n") for cell in (name, *cells)] for name, cells in columns]
    # Chinese, Japanese and Korean characters and emoji are two columns wide.
    sizes = [max(wcwidth.width(line) for cell in stack for line in cell) for stack in stacks]
    set_in = [wcwidth.rjust if name else wcwidth.ljust for name, _ in columns]
    sentences = [" ".join(sentence.split()) for sentence in [head, *sentences]]

    def in_line(parts):
        return "".join(f"{put(part, size)}  " for put, part, size in zip(set_in, parts, sizes, strict=True))

    rows = [[in_line(parts) for parts in zip_longest(*cells, fillvalue="")] for cells in zip(*stacks, strict=True)]
    room, fits_under = width - sum(size + 2 for size in sizes), width >= LEAST_ROOM + len(_INDENT)
    layouts = []
    if room >= LEAST_ROOM or not fits_under:
        layouts.append(_beside(rows, sentences, max(room, LEAST_ROOM), n_lines))
    if fits_under:
        left = None if n_lines is None else tuple(n - len(rows) + 1 for n in n_lines)
        layouts.append(_under(rows, sentences, width - len(_INDENT), left))
    most = math.inf if n_lines is None else n_lines[0] + 2
    return min(layouts, key=lambda layout: (len(layout[1]) > most, layout[0], len(layout[1])))


def _beside(rows, sentences, room, n_lines):
    """Return how many sentences are cut, and the lines of a table with each sentence beside its row."""
    n_cut, wrapped = _wrapped(sentences, room, n_lines)
    lines = []
    for starts, words in zip(rows, wrapped, strict=True):
        if not "".join(starts).strip():
            lines += words
            continue
        indent = " " * wcwidth.width(starts[0])
        lines += [f"{start or indent}{part or ''}".rstrip() for start, part in zip_longest(starts, words)]
    return n_cut, lines


def _under(rows, sentences, room, n_lines):
    """Return how many sentences are cut, and the lines of a table with each sentence under its row."""
    n_cut, wrapped = _wrapped(sentences, room, n_lines)
    lines = []
    for starts, words in zip(rows, wrapped, strict=True):
        starts = [start.rstrip() for start in starts if start.strip()]
        lines += [*starts, *(f"{_INDENT if starts else ''}{part}" for part in words)]
    return n_cut, lines


def _wrapped(sentences, room, n_lines):
    """Return how many sentences are cut, and the lines of each."""
    wrapped = [wcwidth.wrap(sentence, width=room, break_on_hyphens=False) for sentence in sentences]
    sizes = np.array([len(lines) for lines in wrapped])
    if n_lines is None:
        most = np.where(sizes <= _WHOLE, sizes, _MAX_LINES)
    else:
        most, (whole, cut) = sizes.copy(), n_lines
        if sizes[1:].sum() > whole:
            while most[1:].sum() > cut and most.max() > 1:  # the longest are cut first, of equal ones the last
                most[len(most) - 1 - most[::-1].argmax()] -= 1
    lines = [
        some if len(some) <= n else _cut(sentence, room, n)
        for sentence, some, n in zip(sentences, wrapped, most, strict=True)
    ]
    return int((most < sizes).sum()), lines


def _cut(sentence, room, most):
    """Return the lines of a sentence that is cut at its end or, if it compares, on each side."""
    more, than, less = sentence.partition(" than ")
    sides = [more, than.lstrip() + less] if than else [sentence]
    if most < len(sides):
        return [" ".join(_cut(side, (room - 1) // 2, 1)[0] for side in sides)]
    wrap_side = partial(wcwidth.wrap, width=room, break_on_hyphens=False, placeholder=" …")
    return [line for side in sides for line in wrap_side(side, max_lines=most // len(sides))]


def headed(names):
    """Return what stands above a column of names, and the names without the words that all of them begin with.

    Examples
    --------
    >>> headed(['mentions "rude", "slow" or "never again"', 'mentions "lovely"'])
    ('mentions any of', ['rude, slow, never again', 'lovely'])
    >>> headed(['mentions more of "tea" than of "soup" or "stew"', 'mentions "lovely"'])
    ('mentions', ['more of tea than of soup, stew', 'lovely'])
    >>> headed(["praises the staff", 'mentions "lovely"'])
    ('hypothesis', ['praises the staff', 'mentions "lovely"'])
    """
    names = list(names)
    opening = next((one for one in _OPENINGS if names and all(name.startswith(f"{one} ") for name in names)), None)
    if opening is None:
        return "hypothesis", names
    names = [name.removeprefix(f"{opening} ") for name in names]
    if opening == _OF_QUOTES or not all(name.startswith(('"', 'more of "')) for name in names):
        return opening, names
    any_of = " any of" * all(' than of "' not in name for name in names)
    # Terms are words, so that the commas between them tell them apart.
    return opening + any_of, [name.replace('" or "', '", "').replace('"', "") for name in names]


def lines_for(n_rows, width, wide):
    """Return how many lines so many names may take if all are whole, and if some are cut, so that a page holds all.

    Short lines and more columns beside the names leave more of them.
    """
    n_rows = max(n_rows, PAGE - 10) * (1 if width >= WIDTH else 1.6) * (1 + wide)
    return 1.35 * n_rows, 1.1 * n_rows


def names_cut(n_cut, where):
    """Return a sentence that says how many names are cut and where they are whole, or "" if none is."""
    return f" {counted(n_cut, 'name is', 'names are')} cut (…), whole with {where}." if n_cut else ""


def note_lines(notes, width, *, where, n_taken=0, full=False):
    """Return notes as a few lines: the first ones whole, a first one that is long cut, the last ones counted.

    Parameters
    ----------
    notes : sequence of str
    width : int
    where : str
        How one sees all of them.
    n_taken : int, default=0
        How many lines of a page are taken: notes have what is left of it, from one line to five.
    full : bool, default=False
        Whether all are whole.
    """
    n_lines = math.inf if full else min(max(PAGE - n_taken, 1), _MOST_NOTE_LINES)
    lines = []
    for place, note in enumerate(notes):
        n_left = len(notes) - place
        wrapped = wrap(f"Note: {note}", width)
        room = n_lines - len(lines) - (n_left > 1)  # one for the count of those that are left
        if len(wrapped) > room:
            if not lines:
                count = f" ({'whole' if n_left == 1 else f'all {n_left} notes'}: {where})"
                lines = wrap(f"Note: {note}", width - len(count), max_lines=n_lines, placeholder=" …")
                return [*lines[:-1], lines[-1] + count]
            return [*lines, f"Note: {n_left} more; {where}."]
        lines += wrapped
    return lines


def effects(table, *, unit=1.0, margins=False):
    """Return a column of separation scores, such as "+1.03*" or, with their margins, "+1.03 ±0.27".

    Parameters
    ----------
    table : DataFrame
        With the columns of an evaluation.
    unit : float, default=1.0
        What scores are multiplied by: 100 for shares, which are then points of percentage.
    margins : bool, default=False
        Whether to show how far the confidence interval reaches to either side at most, in the place of the star.
    """
    form, scores, reach = _scores(table, unit)
    scores = [written(score, f"+{form}") for score in scores]
    if not margins:
        return [f"{score}{'*' if found else ' '}" for score, found in zip(scores, table["significant"], strict=True)]
    reach = ["" if np.isnan(margin) else f" ±{written(margin, form)}" for margin in reach]
    size = max(map(len, reach), default=0)
    return [f"{score}{margin.rjust(size)}" for score, margin in zip(scores, reach, strict=True)]


def margins_in_words(table, *, unit=1.0, confidence=0.95):
    """Return how far the intervals of separation scores reach to either side at most, or "" if none is known."""
    form, _, margins = _scores(table, unit)
    if np.isnan(margins).all():
        return ""
    ends = dict.fromkeys(f"±{written(end, form)}" for end in (np.nanmin(margins), np.nanmax(margins)))
    return f", {' to '.join(ends)} ({100 * confidence:g}%)"


def _scores(table, unit):
    """Return the form, the separation scores and the margins of their intervals, of uneven ones the longer."""
    scores, low, high = (
        unit * table[f"separation_{what}"].to_numpy(dtype=np.float64) for what in ("score", "ci_low", "ci_high")
    )
    margins = np.maximum(high - scores, scores - low)
    return number_form(scores, margins), scores, margins


def numbers(values):
    """Return a column of numbers as str, with three decimals unless they are very large or all small."""
    largest = values.abs().max()
    form = "+.3f" if 0.01 <= largest < 1e6 or largest == 0 else "+.1e"
    return [written(value, form) for value in values]


def estimates(values, errors):
    """Return a column of estimates as str, with the decimals that their errors leave."""
    form = f"+{number_form(values, errors)}"
    return [written(value, form) for value in values]


def pvalue(value):
    """Return a p-value as str, "-" for NaN."""
    if np.isnan(value):
        return "-"
    return f"{value:.3f}" if value >= 1e-3 or value == 0 else f"{value:.0e}"


def marked(pvalues, found, mark):
    """Return a column of p-values, with a mark where something is significant."""
    return [f"{pvalue(p)}{mark if one else ' '}" for p, one in zip(pvalues, found, strict=True)]


def percent(value, decimals=1):
    """Return a share as str, "-" for NaN; one that is rounded to nothing as less than what can be written."""
    if np.isnan(value):
        return "-"
    least = 10.0 ** -(decimals + 2)
    return f"<{least:.{decimals}%}" if 0 < value < least / 2 else f"{value:.{decimals}%}"
