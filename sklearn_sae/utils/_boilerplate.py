"""What nearly all texts share at their beginning and end: instructions, few-shot examples, signatures."""

import re
from collections import Counter
from typing import NamedTuple

from sklearn_sae.utils._pair_text import are_pairs

_NEARLY_ALL = 0.95  # share of the texts
_FEWEST_TEXTS = 20
_FEWEST_WORDS = 8  # fewer may be a habit of speech, "I went to this place", and say something
_WORD = re.compile(r"\S+")


class Boilerplate(NamedTuple):
    """The words that nearly all texts begin and end with."""

    start: tuple = ()
    end: tuple = ()

    def without(self, text):
        """Return `text` without the boilerplate, or whole where it lacks it or is nothing else."""
        if not self.start and not self.end:
            return text
        spans = [match.span() for match in _WORD.finditer(text)]
        found = [text[start:end] for start, end in spans]
        first, last = len(self.start), len(spans) - len(self.end)
        first = first if tuple(found[:first]) == self.start else 0
        last = last if tuple(found[max(last, 0) :]) == self.end else len(spans)
        return text[spans[first][0] : spans[last - 1][1]] if first < last else text

    @property
    def note(self):
        """A sentence that says what is left out, "" if nothing is."""
        parts = [
            f"{where} with the same {len(some):,} words ({_quoted(some)})"
            for where, some in (("begin", self.start), ("end", self.end))
            if some
        ]
        return f"Nearly all texts {' and '.join(parts)}, which are left out of naming and annotation." if parts else ""


def shared_boilerplate(texts):
    """Return the `Boilerplate` of texts: an empty one if they share no long beginning and no long end.

    Parameters
    ----------
    texts : list of str

    Examples
    --------
    >>> texts = [f"Read the question and answer it in one short word: {i} + {i}" for i in range(20)]
    >>> boilerplate = shared_boilerplate(texts)
    >>> boilerplate.note
    'Nearly all texts begin with the same 10 words ("Read the question … one short word:"), which are left out of ...'
    >>> boilerplate.without(texts[7])
    '7 + 7'
    """
    texts = list(dict.fromkeys(texts))  # copies would count as boilerplate
    if are_pairs(texts):  # each of its parts has a beginning
        return Boilerplate()
    if len(texts) < _FEWEST_TEXTS or not (_may_share(texts, str.split, 0) or _may_share(texts, str.rsplit, -1)):
        return Boilerplate()
    found = [_WORD.findall(text) for text in texts]
    start = _shared(found, len(texts))
    end = _shared([some[len(start) :][::-1] for some in found], len(texts))[::-1]
    return Boilerplate(*(some if len(some) >= _FEWEST_WORDS else () for some in (start, end)))


def _may_share(texts, split, place):
    """Return whether nearly all texts have the same first, or last, word, which is soon seen."""
    ends = Counter(words[place] for words in (split(text, maxsplit=1) for text in texts) if words)
    return max(ends.values(), default=0) >= _NEARLY_ALL * len(texts)


def _shared(found, n_texts):
    """Return the words that nearly all lists begin with; each must go on beyond them."""
    shared = []
    while True:
        place = len(shared)
        found = [some for some in found if len(some) > place + 1]
        counts = Counter(some[place] for some in found).most_common(1)
        if not counts or counts[0][1] < _NEARLY_ALL * n_texts:
            return tuple(shared)
        shared.append(counts[0][0])
        found = [some for some in found if some[place] == shared[-1]]


def _quoted(words):
    some = words if len(words) <= 6 else (*words[:3], "…", *words[-3:])
    return '"' + " ".join(some) + '"'
