"""Marks in a text around the tokens on which a latent is active."""

from html import escape

import numpy as np


def highlight_text(text, spans, activations):
    """Return `text` with each run of active tokens between ``<<`` and ``>>``, for a prompt.

    Parameters
    ----------
    text : str
    spans : ndarray of shape (n_tokens, 2), int
        Where each token starts and ends in `text`, in the order of the text.
    activations : ndarray of shape (n_tokens,)

    Examples
    --------
    >>> highlight_text("a warm, dry day", [(0, 1), (1, 6), (6, 7), (7, 11), (11, 15)], [0.0, 2.0, 0.5, 0.1, 0.0])
    'a <<warm, dry>> day'

    Where some parts of a text are no tokens, these end a run:

    >>> highlight_text("warm and dry", [(0, 4), (9, 12)], [2.0, 1.0])
    '<<warm>> and <<dry>>'
    """
    runs, was_active = [], False
    for start, end, activation in _pieces(spans, activations):
        if activation > 0:
            goes_on = was_active and not text[runs[-1][1] : start].strip()  # nothing but tokens stands between
            runs.append((runs.pop()[0] if goes_on else start, end))
        was_active = activation > 0
    return _marked(text, runs, str, lambda part, _: f"<<{part}>>")


def highlight_html(text, spans, activations, *, strongest=None):
    """Return `text` as HTML, each active token shaded by its activation.

    Parameters
    ----------
    text : str
        The text, which is escaped.
    spans : ndarray of shape (n_tokens, 2), int
        Where each token starts and ends in `text`, in the order of the text.
    activations : ndarray of shape (n_tokens,)
    strongest : float or None, default=None
        The activation that gets the full shade, so that texts can be compared. None: the largest in this text.

    Examples
    --------
    >>> highlight_html("2 < 3", [(0, 1), (1, 3), (3, 5)], [0.0, 1.5, 0.0])
    '<span style="white-space: pre-wrap">2 <mark style="color: inherit;
    background: rgba(255, 160, 0, 0.80)" title="1.5">&lt;</mark> 3</span>'
    """
    active = [piece for piece in _pieces(spans, activations) if piece[2] > 0]
    strongest = strongest or max((activation for *_, activation in active), default=1.0)

    def mark(part, i):
        activation = active[i][2]
        shade = 0.15 + 0.65 * min(activation / strongest, 1)
        style = f"color: inherit; background: rgba(255, 160, 0, {shade:.2f})"
        return f'<mark style="{style}" title="{activation:.3g}">{escape(part)}</mark>'

    marked = _marked(text, [piece[:2] for piece in active], escape, mark)
    return f'<span style="white-space: pre-wrap">{marked}</span>'


def _pieces(spans, activations):
    """Return (start, end, activation) of each token.

    Tokens that share a character are merged, and the merged one has the largest of their activations.
    """
    pieces = []
    for (start, end), activation in zip(np.asarray(spans).tolist(), np.asarray(activations).tolist(), strict=True):
        if pieces and start < pieces[-1][1]:
            first, last, strength = pieces.pop()
            start, end, activation = min(first, start), max(last, end), max(strength, activation)
        pieces.append((start, end, activation))
    return pieces


def _marked(text, parts, plain, mark):
    """Return `text` with ``mark(part, i)`` in place of each part and ``plain(rest)`` in place of the rest.

    White space at the ends of a part belongs to the rest.
    """
    out, position = [], 0
    for i, (start, end) in enumerate(parts):
        part = text[start:end]
        if part.strip():
            start += len(part) - len(part.lstrip())
            end -= len(part) - len(part.rstrip())
        out += [plain(text[position:start]), mark(text[start:end], i)]
        position = end
    return "".join([*out, plain(text[position:])])
