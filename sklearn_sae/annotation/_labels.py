"""The answers that an annotator may give, and how a reply may spell them."""

import math
import re
import unicodedata
from collections.abc import Mapping
from functools import cache
from numbers import Real

_MAX_LABELS = 20
_MAX_CHARACTERS = 40

ANSWER = r"(?:answer|output|label|result|verdict|response|conclusion|judge?ment)"  # what may announce one

_SAME = str.maketrans({"‘": "'", "’": "'", "\N{NO-BREAK SPACE}": " ", "\N{VARIATION SELECTOR-16}": None})
_MARKS = r"(?:[ \t\r\n*_`\"'“”(\[{#>]|-(?!\d))"  # decoration before an answer; the minus of a number is none
_MARKS_AFTER = " \t\r\n*_`\"'“”."
_EDGES = " *_`\"'“”()[]{}<>.,:;!?"  # of a label: what a reply may leave out or add


class Labels:
    """How a set of answers is read from canonical text; an answer is a number.

    Parameters
    ----------
    alone : dict
        From spelling to answer, for a text that is nothing else.
    spelled : str
        Pattern of what is an answer in a longer text, one group a spelling.
    answers : tuple of int
        The answer of each group.
    refused : str
        Pattern of what begins like an answer, but could mean another.
    """

    def __init__(self, *, alone, spelled, answers, refused):
        self.alone = alone
        self.anywhere = re.compile(spelled)
        self.opening = re.compile(rf"{_MARKS}*?(?:{spelled})")
        self.announced = re.compile(rf"\b{ANSWER}\b(?:\s+is\b)?[\s:=*_`\"'“”(\[-]*?(?={spelled})")
        self.answers = answers
        self.refused = re.compile(refused)

    def read_alone(self, text):
        """Return the answer that is all there is in `text`, or None."""
        return self.alone.get(_joined(text.strip()))

    def read_start(self, text):
        """Return the answer that `text` starts with, or None."""
        match = self.opening.match(text)
        if match is None:
            return self.read_alone(_undecorated(text))
        return None if self.refused.match(text, match.start(match.lastindex)) else self._said(match)

    def read_line(self, line):
        """Return the answer that a line is, or None; it must be a word if it is yes or no."""
        match = self.opening.fullmatch(line.strip(_MARKS_AFTER + "!)]"))
        return None if match is None else self._said(match)

    def starts(self, text):
        """Return whether `text` starts with an answer, be it refused."""
        return self.opening.match(text) is not None or self.read_alone(_undecorated(text)) is not None

    def _said(self, match):
        after = match.string[match.end() : match.end() + 1]
        is_part = after and unicodedata.category(after)[0] == "M"  # an accent to come makes it another word
        return None if is_part else self.answers[match.lastindex - 1]


# Yes and no may be followed by any word but "or no" and the like. "Yes. No doubt about it" is one answer.
_YES, _NO = r"(?:yes|true)", r"(?:no|false)"
_BETWEEN = r"[\s,;:/|&*_-]+(?:(?:and|or|but|maybe)\s+)?"
_YES_NO = {"yes": 1, "true": 1, "1": 1, "no": 0, "false": 0, "0": 0}
_YES_OR_NO = Labels(
    alone=_YES_NO,
    spelled=rf"(?:({_YES})|({_NO}))\b(?!-)",
    answers=(1, 0),
    refused=rf"(?:{_YES}{_BETWEEN}{_NO}|{_NO}{_BETWEEN}{_YES})\b|no\s+(?:idea|answer|doubt|way\s+to)\b",
)

# Other answers stand alone or before punctuation ("not" is no answer in "not clear"), and no second one in their
# sentence or right after them. Words have no spaces between them in Thai, Chinese and their neighbors.
_WORD = r"[^\W_\u0e00-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]"
_STARTS = rf"(?<!{_WORD})"
_ENDS = r"(?!\s?[%/]|[-+#]|[.,:'](?!_)\w)(?=[^\S\n]*(?:\Z|\n|[^\w\s]|_+(?![^\W_])|because\b))"
_SAME_SENTENCE = r"[^.!?。！？\n]{0,60}?"


@cache
def read_labels(labels):
    """Return how `labels` are read: a tuple of str, each answer its place in it, or None for yes (1) and no (0)."""
    if labels is None:
        return _YES_OR_NO
    alone = {_spelling(canonical(label)): place for place, label in enumerate(labels)}
    words = dict(alone)
    if {"yes", "no"} <= alone.keys() and alone.keys().isdisjoint(_YES_NO.keys() - {"yes", "no"}):
        synonyms = {word: alone["yes" if means else "no"] for word, means in _YES_NO.items()}
        alone |= synonyms
        words |= {word: place for word, place in synonyms.items() if not word.isdigit()}
    longest_first = sorted(words, key=len, reverse=True)
    patterns = [_pattern(word) for word in longest_first]
    any_label = "|".join(patterns)
    return Labels(
        alone=alone,
        spelled=rf"{_STARTS}(?:{'|'.join(f'({pattern})' for pattern in patterns)}){_ENDS}",
        answers=tuple(words[word] for word in longest_first),
        refused=rf"(?P<first>{any_label}){_ENDS}(?:[\W_]*|{_SAME_SENTENCE}){_STARTS}"
        rf"(?!(?P=first){_ENDS})(?:{any_label}){_ENDS}",
    )


def check_labels(labels):
    """Return the answers and what they are worth.

    Parameters
    ----------
    labels : mapping of str to float, or None
        Answer to value, NaN for an answer that is to count as missing. None: yes (1) and no (0).

    Returns
    -------
    names : tuple of str, or None
        What prompts, requests and replies are made and read with; None where `labels` is None.
    values : tuple of float
        The value of each answer that `parse_annotations` returns, by position.

    Raises
    ------
    TypeError
        If `labels` is no mapping of str to real numbers.
    ValueError
        If there are fewer than 2 answers or more than 20, if two differ only in case, spaces or
        punctuation around them, if one is blank, too long or not one line of text, if a value is infinite,
        or if no two values differ.

    Examples
    --------
    >>> check_labels({"yes": 1, "no": 0, "cannot tell": float("nan")})
    (('yes', 'no', 'cannot tell'), (1.0, 0.0, nan))
    >>> check_labels(None)
    (None, (0.0, 1.0))
    """
    if labels is None:
        return None, (0.0, 1.0)
    if not isinstance(labels, Mapping):
        raise TypeError(f"labels must be a mapping of answers to values, or None; got {type(labels).__name__}.")
    if not 2 <= len(labels) <= _MAX_LABELS:
        raise ValueError(f"labels must hold 2 to {_MAX_LABELS} answers; got {len(labels)}.")
    seen = {}
    for label in labels:
        if not isinstance(label, str):
            raise TypeError(f"labels must have str as answers; got one of type {type(label).__name__}.")
        if any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in label) or len(label) > _MAX_CHARACTERS:
            raise ValueError(f"labels has an answer that is not one line of at most {_MAX_CHARACTERS} characters.")
        spelling = _spelling(canonical(label))
        if not spelling.strip("+-# ") or unicodedata.category(spelling[0])[0] == "M":
            raise ValueError(f"labels has the answer {label!r}, which has no word or number to tell it by.")
        if spelling in seen:
            raise ValueError(
                f"labels has the answers {seen[spelling]!r} and {label!r}, which differ only in case, spaces or "
                "punctuation."
            )
        seen[spelling] = label
    values = tuple(_value(label, value) for label, value in labels.items())
    if len({value for value in values if not math.isnan(value)}) < 2:
        raise ValueError("labels must give at least two different values, NaN aside, or no annotation can vary.")
    return tuple(labels), values


def _value(label, value):
    if not isinstance(value, Real):
        raise TypeError(f"labels must give a number to {label!r}; got {type(value).__name__}.")
    try:
        value = float(value)
    except OverflowError:
        value = math.inf
    if math.isinf(value):
        raise ValueError(f"labels must give a finite number or NaN to {label!r}.")
    return value


def canonical(text):
    """Return `text` with case, composition of accents and kind of apostrophe made the same for all."""
    text = unicodedata.normalize("NFC", text.translate(_SAME))
    return unicodedata.normalize("NFC", text.casefold())


def _spelling(label):
    """Return canonical `label` without what a reply may spell otherwise: "cannot_tell." is "cannot tell"."""
    return _joined(label.strip(_EDGES))


def _joined(text):
    return re.sub(r"(?<=\S)[\s_-]+(?=\S)", " ", text)


def _pattern(spelling):
    pattern = r"[\s_-]+".join(map(re.escape, spelling.split()))
    return rf"(?<![-+.,/]){pattern}" if spelling[0].isdigit() else pattern


def _undecorated(text):
    return re.sub(rf"^{_MARKS}+", "", text).rstrip(_MARKS_AFTER)
