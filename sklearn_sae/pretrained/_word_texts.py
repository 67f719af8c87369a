"""Texts and their words that count, and which texts are trained on."""

from typing import NamedTuple

import numpy as np

from sklearn_sae.utils._languages import check_stop_words
from sklearn_sae.utils._words import word_spans
from sklearn_sae.utils.store import digest


class Texts(NamedTuple):
    """Texts and their words that count. A word counts in the same way wherever the text comes up."""

    texts: list  # of str
    spans: list  # of ndarray (n_counted, 2): where the words stand
    words: list  # of list of str, folded

    @classmethod
    def counted(cls, texts, tokens, stop_words):
        """Return some texts with their words that count.

        Parameters
        ----------
        texts : list of str
        tokens : {"content", "all"} or callable
            As of `counted_words`.
        stop_words : str, iterable of str or None
            A str is a language.
        """
        stop_words = check_stop_words(stop_words)
        found = {text: counted_words(text, tokens, stop_words) for text in dict.fromkeys(texts)}
        spans, words = zip(*(found[text] for text in texts), strict=True)
        return cls(texts, list(spans), list(words))

    def at(self, places):
        """Return some of them."""
        return Texts(*([column[i] for i in places] for column in self))

    def keys(self, kind, identity):
        """Return the key of each text in a store."""
        return [
            digest(kind, identity, text, spans.tobytes()) for text, spans in zip(self.texts, self.spans, strict=True)
        ]


def counted_words(text, tokens, stop_words):
    """Return where the words of `text` stand that count, and these words, folded.

    Parameters
    ----------
    text : str
    tokens : {"content", "all"} or callable
        "content" leaves out punctuation, stop words and single letters of the Latin alphabet. A callable takes a folded
        word and returns whether it counts.
    stop_words : frozenset of str

    Returns
    -------
    spans : ndarray of shape (n_words, 2), int32
    words : list of str
    """
    spans, words = word_spans(text, others=tokens == "all")
    if tokens == "all":
        return spans, words
    counts = tokens if callable(tokens) else lambda word: _is_content(word, stop_words)
    places = [i for i, word in enumerate(words) if counts(word)]
    return spans[places], [words[i] for i in places]


def _is_content(word, stop_words):
    return word not in stop_words and not (len(word) == 1 and word.isascii() and word.isalpha())


def draw_texts(texts, max_words, rng):
    """Return the places of all texts, or of texts drawn at random with about `max_words` words, in their order.

    Parameters
    ----------
    texts : Texts
    max_words : int
    rng : RandomState
        Used only if texts are drawn.
    """
    n_words = np.array([len(spans) for spans in texts.spans])
    if n_words.sum() <= max_words:
        return np.arange(len(n_words))
    order = rng.permutation(len(n_words))
    n_drawn = 1 + np.searchsorted(np.cumsum(n_words[order]), max_words)
    return np.sort(order[:n_drawn])
