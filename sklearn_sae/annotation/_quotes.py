"""The clauses of texts in which a reader's neuron is most active."""

import numpy as np
import regex

from sklearn_sae.utils._validation import text_identity

_MOST_WORDS = 15  # of a quote
_WORD = regex.compile(r"\S+")
_BETWEEN = regex.compile(r"(?<=[.!?…。！？])\s+|\n+")  # the sentences of a text


def quote(latents, texts, outputs, n):
    """Return for each output the clauses of `texts` in which it is most active, strongest first.

    Parameters
    ----------
    latents : Latents
        With `word_activations` and `token_activations`.
    texts : list of str
    outputs : list of int
    n : int
        The most clauses of an output, each of another text.

    Returns
    -------
    quotes : list of list of str
        The word on which the output is most active stands between ``<<`` and ``>>``.
    """
    *_, active, times = latents.word_activations(texts, outputs)
    quotes = []
    for output, some, often in zip(outputs, active, times, strict=True):
        chosen = [texts[row] for row in _strongest(some, often, 4 * n)]  # more than n, because clauses may be the same
        tables = latents.token_activations(chosen, output) if chosen else []
        places = [max(table.itertuples(), key=lambda word: word.activation) for table in tables]
        distinct = {}
        for i in sorted(range(len(chosen)), key=lambda i: -places[i].activation):
            clause = _clause(chosen[i], places[i].start, places[i].end)
            distinct.setdefault(text_identity(clause), clause)
        quotes.append(list(distinct.values())[:n])
    return quotes


def _strongest(active, times, n):
    """Return the rows of the `n` texts in which a neuron is most active on a word, on the mean of its places."""
    entries = active.tocoo()
    rows = entries.coords[0][np.argsort(-entries.data / times.tocoo().data, kind="stable")]
    return rows[np.sort(np.unique(rows, return_index=True)[1])[:n]]


def _clause(text, start, end):
    """Return the sentence around a word of `text`, which is marked, cut to a few words."""
    first = max((gap.end() for gap in _BETWEEN.finditer(text, 0, start)), default=0)
    last = next((gap.start() for gap in _BETWEEN.finditer(text, end)), len(text))
    n_before, n_after = _MOST_WORDS // 2, _MOST_WORDS - 1 - _MOST_WORDS // 2
    before, after = list(_WORD.finditer(text, first, start)), list(_WORD.finditer(text, end, last))
    is_cut = len(before) > n_before, len(after) > n_after
    first, last = before[-n_before].start() if is_cut[0] else first, after[n_after - 1].end() if is_cut[1] else last
    return f"{'… ' * is_cut[0]}{text[first:start]}<<{text[start:end]}>>{text[end:last]}{' …' * is_cut[1]}".strip()
