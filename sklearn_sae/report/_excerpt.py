"""Texts with marks, shortened around what is marked."""

import re
from itertools import groupby, pairwise
from typing import NamedTuple

import numpy as np

from sklearn_sae.utils._validation import counted
from sklearn_sae.utils._words import WORD_IN_TEXT

_MOST_STRETCHES = 3  # of a shortened text; with more of them each would be a few words
# Marks of direction could turn a whole line of a terminal around; other controls could do worse.
_DIRECTION = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
NO_MARKS = {"sentence": ("", ""), "word": ("", "")}  # for `marked`


class Marks(NamedTuple):
    """Where a text tells of a neuron: spans (start, end) in characters, the strongest first."""

    sentences: tuple = ()
    words: tuple = ()


class Part(NamedTuple):
    """A piece of a text, without line breaks."""

    text: str
    in_sentence: bool  # whether it stands in a telling sentence
    is_word: bool  # whether it is a telling word


class Excerpt(NamedTuple):
    """What is shown of a text."""

    stretches: tuple  # of tuples of Part; between two stretches something is left out
    begins: bool  # whether it begins as the text does
    ends: bool
    n_shown: int  # words
    n_words: int

    @property
    def length(self):
        """How many of its words a text that is shortened shows, or ""."""
        return "" if self.n_shown == self.n_words else f"({self.n_shown} of {counted(self.n_words, 'word')})"


def excerpt(text, marks, max_words):
    """Return at most `max_words` words of a text as an `Excerpt`: those nearest to its strongest marks.

    Parameters
    ----------
    text : str
        With a word, as `check_texts` wants it.
    marks : Marks
    max_words : int or None
        A character of a script without spaces counts as a word. None: all.
    """
    spans = np.array([match.span() for match in WORD_IN_TEXT.finditer(text)])
    n_words = len(spans)
    kept = np.arange(n_words)
    if max_words is not None and n_words > max_words:
        kept, marks = _nearest(spans, marks, max_words)
    kind = np.zeros(len(text), dtype=int)
    for bit, some in ((1, marks.sentences), (2, marks.words)):
        for start, end in some:
            kind[start:end] |= bit
    stretches = []
    for run in np.split(kept, np.flatnonzero(np.diff(kept) > 1) + 1):
        start, end = spans[run[0], 0], spans[run[-1], 1]
        cuts = [start, *(np.flatnonzero(np.diff(kind[start:end])) + start + 1), end]
        stretches.append(tuple(_part(text[i:j], kind[i]) for i, j in pairwise(cuts)))
    return Excerpt(tuple(stretches), bool(kept[0] == 0), bool(kept[-1] == n_words - 1), len(kept), n_words)


def _nearest(spans, marks, max_words):
    """Return the words to keep, in order, and the marks without sentences of which less would be left.

    The strongest marks that fit are kept whole, with the words around them.
    """
    kept, distances, n_left = [], [], max_words
    for centre in marks.sentences or marks.words or ((0, 0),):
        if len(kept) == _MOST_STRETCHES:
            break
        distance = _distance(spans, centre)
        n_within = np.count_nonzero(distance == 0)
        if not kept or n_within <= n_left:
            kept.append(centre)
            distances.append(distance)
            n_left -= n_within
    # A sentence that is too long by itself is kept around its first telling word, or from its beginning.
    start, end = kept[0]
    word = next((word for word in marks.words if start <= word[0] < end), (start, start + 1))
    order = np.lexsort((_distance(spans, word), np.min(distances, axis=0)))
    return np.sort(order[:max_words]), marks._replace(sentences=tuple(kept) if marks.sentences else ())


def _distance(spans, centre):
    """Return how many words each word is away from a span; those in it are at 0."""
    first = np.searchsorted(spans[:, 1], centre[0], side="right")
    last = max(np.searchsorted(spans[:, 0], centre[1], side="left") - 1, first)
    place = np.arange(len(spans))
    return np.maximum(0, np.maximum(first - place, place - last))


def _part(text, kind):
    return Part(plain(text), bool(kind & 1), bool(kind & 2))


def marked(one, marks, write=str):
    """Return an excerpt as one str, with "…" where something is left out.

    Parameters
    ----------
    one : Excerpt
    marks : dict of str to (str, str)
        What stands before and behind a telling "sentence" and a telling "word".
    write : callable (str) -> str, default=str
        Applied to each piece of the text.
    """
    stretches = []
    for parts in one.stretches:
        out = ""
        for in_sentence, some in groupby(parts, key=lambda part: part.in_sentence):
            text = "".join(write(p.text).join(marks["word"]) if p.is_word else write(p.text) for p in some)
            out += text.join(marks["sentence"]) if in_sentence else text
        stretches.append(out)
    return f"{'' if one.begins else '… '}{' … '.join(stretches)}{'' if one.ends else ' …'}".strip()


def plain(text):
    """Return a text in one line, without what would act on a terminal or turn its direction."""
    return _CONTROL.sub("\ufffd", re.sub(r"\s+", " ", _DIRECTION.sub("", text)))
