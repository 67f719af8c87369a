"""The clauses of texts in which a reader's neuron is most active."""

import numpy as np
import regex

from sklearn_sae.utils._validation import text_identity
from sklearn_sae.utils._words import word_spans

_MOST_WORDS = 15  # of a quote
_WORD = regex.compile(r"\S+")
_MARK = regex.compile(r"<<(.*?)>>", regex.DOTALL)
_BETWEEN = regex.compile(r"(?<=[.!?…。！？])\s+|\n+")  # the sentences of a text


def quote(latents, texts, outputs, n):
    """Return for each output the clauses of `texts` in which it is most active, strongest first.

    Parameters
    ----------
    latents : Latents
        With `word_activations`.
    texts : list of str
    outputs : list of int
    n : int
        The most clauses of an output, each of another text.

    Returns
    -------
    quotes : list of list of str
        The word on which the output is most active stands between ``<<`` and ``>>``.
    """
    _, vocabulary, active, times = latents.word_activations(texts, outputs)
    quotes = []
    for output, some, often in zip(outputs, active, times, strict=True):
        rows, words_of_rows = _strongest(some, often, 4 * n)  # more than n, because clauses may be the same
        marked = latents.highlight([texts[row] for row in rows], output) if len(rows) else []
        clauses = [
            _clause(texts[row], text, vocabulary[word])
            for row, text, word in zip(rows, marked, words_of_rows, strict=True)
        ]
        quotes.append(list({text_identity(clause): clause for clause in reversed(clauses)}.values())[::-1][:n])
    return quotes


def _strongest(active, times, n):
    """Return the `n` texts in which a neuron is most active on a word, on the mean of its places, and these words."""
    entries = active.tocoo()
    order = np.argsort(-entries.data / times.tocoo().data, kind="stable")
    rows, columns = entries.coords[0][order], entries.coords[1][order]
    first = np.sort(np.unique(rows, return_index=True)[1])[:n]
    return rows[first], columns[first]


def _clause(text, marked, word):
    """Return the sentence around a place of `word` on which the neuron is active, cut to a few words.

    Of several places it is the first. `marked` is the text with marks around all words on which the neuron is active.
    """
    spans, found = word_spans(text, others=True)
    places = [(int(start), int(end)) for (start, end), one in zip(spans, found, strict=True) if one == word]
    active = [(mark.start() - 4 * i, mark.end() - 4 * (i + 1)) for i, mark in enumerate(_MARK.finditer(marked))]
    start, end = next((one for one in places if any(a <= one[0] < b for a, b in active)), places[0])
    first = max((gap.end() for gap in _BETWEEN.finditer(text, 0, start)), default=0)
    last = next((gap.start() for gap in _BETWEEN.finditer(text, end)), len(text))
    n_before, n_after = _MOST_WORDS // 2, _MOST_WORDS - 1 - _MOST_WORDS // 2
    before, after = list(_WORD.finditer(text, first, start)), list(_WORD.finditer(text, end, last))
    is_cut = len(before) > n_before, len(after) > n_after
    first, last = before[-n_before].start() if is_cut[0] else first, after[n_after - 1].end() if is_cut[1] else last
    return f"{'… ' * is_cut[0]}{text[first:start]}<<{text[start:end]}>>{text[end:last]}{' …' * is_cut[1]}".strip()
