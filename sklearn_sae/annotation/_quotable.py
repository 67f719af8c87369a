"""Which sentences of a corpus may be quoted, and how they are written in a name."""

from collections import Counter

import numpy as np
import regex

from sklearn_sae.utils._validation import listed, visible
from sklearn_sae.utils._words import WORD_IN_TEXT, fold

_FEWEST_WORDS = 3  # of a quote
_FEWEST = 10  # candidates; where there are fewer, sentences with names or odd words, and then long ones, are taken too
# Words joined by a dot count as an address, because any of some thousand endings can be one of the web.
_CONTACT = regex.compile(
    r"[@＠]\S|[(\[{<]\s?at\s?[)\]}>]|\sdot\s(?:com|org|net|edu|de|uk|fr)\b"
    r"|https?:|www\.|[\w-]\.[a-z]{2,24}(?![\p{L}.])"
    r"|[\p{L}\p{N}]_[\p{L}\p{N}]|(?<!\w)u/\w"  # a user's name
    r"|\p{N}(?:[\s().+/·\p{Pd}]{0,4}\p{N}){6,}"  # a number that is as long as one to call
    # A house in a street.
    r"|(?-i:\p{N}+\p{L}?,?\s(?:\p{Lu}[\p{L}.]*\s){1,3}(?i:street|st|avenue|ave|road|rd|boulevard|blvd|lane|ln|drive)\b)"
    r"|\p{L}(?:stra(?:ß|ss)e|str\.|weg|platz|allee|gasse)\s\p{N}|\p{N},?\s(?:rue|boulevard|avenue)\s",
    regex.IGNORECASE,
)
_WORD = regex.compile(r"\p{L}[\p{L}\p{M}]*(?:['’]\p{L}+)*")
_CONTROL = regex.compile(r"\p{Cc}")
_OUTER = " \t\r\n-–—•*·"
_QUOTATION_MARKS = str.maketrans(dict.fromkeys('"“”„«»', "'"))


class Quotable:
    """What may be quoted of a corpus.

    Parameters
    ----------
    sentences : list of str
        Of the corpus, distinct.
    max_words : int
        A sentence of more words is quoted only where too few others will do.

    Attributes
    ----------
    rank : ndarray of int of shape (n_sentences,)
        0 for a sentence that may be quoted; 1 for one with a word that looks like a name of a person or place, or that
        no other sentence has; 2 for one that is long; 3 for one that is never quoted, because it has what looks like
        an address, a user's name or a number to call, or hardly a word.
    """

    def __init__(self, sentences, max_words):
        odd = _names(sentences) | _single(sentences)
        self.n_words = np.array([len(WORD_IN_TEXT.findall(one)) for one in sentences])
        self.rank = np.array(
            [
                3 if n < _FEWEST_WORDS or _CONTACT.search(visible(one)) else 2 if n > max_words else int(_has(odd, one))
                for one, n in zip(sentences, self.n_words, strict=True)
            ]
        )

    def best(self, order, n):
        """Return the first `n` of `order`, row numbers of sentences, that may be quoted.

        Where fewer than 10 are of the best rank, those of the next are taken as well, long ones the shortest first.
        """
        rank = self.rank[order]
        chosen = order[rank == 0][:n]
        for worse in (1, 2):
            if len(chosen) < _FEWEST:
                more = order[rank == worse]
                more = more[np.argsort(self.n_words[more], kind="stable")] if worse == 2 else more
                chosen = np.concatenate([chosen, more[: _FEWEST - len(chosen)]])
        return chosen


def _names(sentences):
    """Return the words that within sentences begin more often with a capital letter than with a small one."""
    capital, small = Counter(), Counter()
    for sentence in sentences:
        for i, word in enumerate(_WORD.findall(sentence)):
            if word.islower():
                small[word] += 1
            elif i and word[0].isupper() and word[1:].islower():
                capital[word] += 1
    return {word for word, n in capital.items() if n > small[word.lower()] and not word.startswith(("I'", "I’"))}


def _single(sentences):
    """Return the words, folded, that only one of many sentences has: odd ones, and slips of the pen."""
    counts = Counter(word for sentence in sentences for word in {fold(word) for word in _WORD.findall(sentence)})
    return {word for word, n in counts.items() if n == 1}


def _has(odd, sentence):
    return any(word in odd or fold(word) in odd for word in _WORD.findall(sentence))


def show(sentence):
    """Return a sentence as it stands between quotation marks: one blank between words, no full stop at its end.

    What would act on a terminal, or turn the direction of a line, is left out.
    """
    shown = _CONTROL.sub("", visible(sentence)).strip(_OUTER).translate(_QUOTATION_MARKS)
    return shown[:-1].rstrip() if shown.endswith(".") and not shown.endswith("..") else shown


def write_sentence(quotes):
    """Return `says something like "a", "b" or "c"`."""
    return "says something like " + listed([f'"{one}"' for one in quotes], "or")


def overlap(one, other):
    """Return how many of the words of the shorter of two sentences the other has, as a share."""
    one, other = ({fold(word) for word in _WORD.findall(sentence)} for sentence in (one, other))
    return len(one & other) / max(1, min(len(one), len(other)))
