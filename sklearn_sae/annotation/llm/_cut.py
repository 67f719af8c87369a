"""Texts that are too long for a prompt, and texts of which only some sentences matter."""

import re
from itertools import groupby
from operator import ne

import numpy as np

from sklearn_sae.utils._notes import warn
from sklearn_sae.utils._pair_text import join_pair, split_pair
from sklearn_sae.utils._sentences import sentence_spans
from sklearn_sae.utils._validation import counted
from sklearn_sae.utils._words import CUT, WORD_IN_TEXT, cut_text

_MARK = re.compile("<<|>>")
_MANY_THE_SAME = 0.05  # the largest share of texts that a cut may make equal to others
_KEPT = {"head": "their beginnings are kept", "middle": "their middles are left out", "tail": "their ends are kept"}


def cut_texts(texts, max_words, *, keep, refuse):
    """Return the texts, those of more than `max_words` words cut between sentences.

    Parameters
    ----------
    texts : list of str
    max_words : int or None
    keep : {"head", "middle", "tail"}
    refuse : bool
        Whether a cut that makes many texts equal is an error.

    Raises
    ------
    ValueError
        If the cut makes more than one text in twenty equal to another.

    Warns
    -----
    UserWarning
        If texts are cut; says how many.
    """
    shown = [cut_between_sentences(text, max_words, keep) for text in texts]
    n_cut = sum(map(ne, shown, texts))
    if not n_cut:
        return texts
    are = "is" if n_cut == 1 else "are"
    of_all = f"{n_cut:,} of {len(texts):,} texts {are} longer than max_words={counted(max_words, 'word')}"
    n_lost = len(set(texts)) - len(set(shown))
    if refuse and n_lost > _MANY_THE_SAME * len(texts):
        raise ValueError(
            f"{of_all}, and cutting them makes {n_lost:,} different texts equal to others; raise max_words, or keep "
            f"another part: truncate is {keep!r} of head, middle and tail."
        )
    same = f", which makes {n_lost:,} equal to others" if n_lost else ""
    warn(f"{of_all} and {are} cut{same}; {_KEPT[keep]}.")
    return shown


def cut_between_sentences(text, max_words, keep):
    """Return sentences of `text` with at most `max_words` words together, and "[…]" where others are left out.

    Where not one sentence has so few words, the text is cut after a word, as `cut_text` does.

    Examples
    --------
    >>> cut_between_sentences("We waited for an hour. The soup was cold.", 7, keep="head")
    'We waited for an hour. […]'
    >>> cut_between_sentences("We waited for an hour. The soup was cold.", 3, keep="head")
    'We waited for […]'
    """
    if pair := split_pair(text):  # each part by itself
        *prompt, first, second = (cut_between_sentences(part, max_words, keep) for part in pair)
        return join_pair(first, second, *prompt)
    short = cut_text(text, max_words, keep)
    if short == text:
        return text
    spans = sentence_spans(text)
    n_words = [sum(1 for _ in WORD_IN_TEXT.finditer(text, *span)) for span in spans]
    n_tail = {"head": 0, "middle": max_words // 2, "tail": max_words}[keep]
    first, last = (
        int(np.searchsorted(np.cumsum(some), n, side="right"))
        for some, n in [(n_words, max_words - n_tail), (n_words[::-1], n_tail)]
    )
    if (keep != "tail" and not first) or (keep != "head" and not last):
        return short
    head = [text[: spans[first - 1][1]]] if first else []
    tail = [text[spans[-last][0] :]] if last else []
    return " ".join([*head, CUT, *tail])


def excerpt(text):
    """Return the sentences of `text` in which something stands between << and >>, and one on either side of each.

    Examples
    --------
    >>> excerpt("We came late. We sat down. The soup was <<cold>>. So we left. That was in May. It was warm.")
    '[…] We sat down. The soup was <<cold>>. So we left. […]'
    """
    shown, is_open = set(), False
    spans = _marked_spans(text)
    for i, (start, end) in enumerate(spans):
        sentence = text[start:end]
        if is_open or "<<" in sentence:
            shown |= {i - 1, i, i + 1}
        if "<<" in sentence or ">>" in sentence:
            is_open = sentence.rfind("<<") > sentence.rfind(">>")
    if not shown:
        return text
    runs = [(is_shown, list(run)) for is_shown, run in groupby(range(len(spans)), shown.__contains__)]
    return " ".join(text[spans[run[0]][0] : spans[run[-1]][1]] if is_shown else CUT for is_shown, run in runs)


def _marked_spans(text):
    """Return where the sentences of a text stand with their marks, which are no part of it."""
    is_mark = np.zeros(len(text), dtype=bool)
    for mark in _MARK.finditer(text):
        is_mark[slice(*mark.span())] = True
    places = np.flatnonzero(~is_mark).tolist()
    spans = []
    for first, end in sentence_spans(_MARK.sub("", text)):
        start, stop = places[first], places[end - 1] + 1
        while start >= 2 and text.startswith("<<", start - 2):
            start -= 2
        while text.startswith(">>", stop):
            stop += 2
        spans.append((start, stop))
    if spans:  # What stands before the first and after the last is nothing but marks.
        spans[0] = len(text) - len(text.lstrip()), spans[0][1]
        spans[-1] = spans[-1][0], len(text.rstrip())
    return spans
