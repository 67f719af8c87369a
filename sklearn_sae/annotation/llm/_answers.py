"""The answers that an annotator chooses from, and the spellings of them in a reply."""

import math
import re
import unicodedata
from collections.abc import Mapping
from functools import cache
from numbers import Real

_MAX_ANSWERS = 20
_MAX_CHARACTERS = 40

ANSWER = r"(?:answer|output|label|result|verdict|response|conclusion|judge?ment)"  # a word that announces an answer

_SAME = str.maketrans({"‘": "'", "’": "'", "\N{NO-BREAK SPACE}": " ", "\N{VARIATION SELECTOR-16}": None})
# Decoration before an answer; the minus of a number is none.
_MARKS = r"(?:[ \t\r\n*_`\"'“”(\[{#>]|-(?!\d))"
_MARKS_AFTER = " \t\r\n*_`\"'“”."
_EDGES = " *_`\"'“”()[]{}<>.,:;!?"  # characters that a reply may leave out around an answer, or add


class Spellings:
    """How a set of answers is found in canonical text. An answer is given by its position in the set.

    Parameters
    ----------
    alone : dict
        From spelling to position, for a text that is nothing else.
    spelled : str
        Pattern of an answer in a longer text, with one group for each spelling.
    positions : tuple of int
        The position of the answer of each group.
    refused : str
        Pattern of a text that begins like an answer, but could mean another.
    """

    def __init__(self, *, alone, spelled, positions, refused):
        self.alone = alone
        self.anywhere = re.compile(spelled)
        self.opening = re.compile(rf"{_MARKS}*?(?:{spelled})")
        self.announced = re.compile(rf"\b{ANSWER}\b(?:\s+is\b)?[\s:=*_`\"'“”(\[-]*?(?={spelled})")
        self.positions = positions
        self.refused = re.compile(refused)

    def parse_alone(self, text):
        """Return the answer that `text` is, or None."""
        return self.alone.get(_joined(text.strip()))

    def parse_start(self, text):
        """Return the answer that `text` starts with, or None."""
        match = self.opening.match(text)
        if match is None:
            return self.parse_alone(_undecorated(text))
        return None if self.refused.match(text, match.start(match.lastindex)) else self._position(match)

    def parse_line(self, line):
        """Return the answer that `line` is, or None. Yes and no must be words, not 1 and 0."""
        match = self.opening.fullmatch(line.strip(_MARKS_AFTER + "!)]"))
        return None if match is None else self._position(match)

    def starts(self, text):
        """Return whether `text` starts with an answer, even with one that `parse_start` refuses."""
        return self.opening.match(text) is not None or self.parse_alone(_undecorated(text)) is not None

    def _position(self, match):
        after = match.string[match.end() : match.end() + 1]
        is_part = after and unicodedata.category(after)[0] == "M"  # because an accent makes it another word
        return None if is_part else self.positions[match.lastindex - 1]


# Any word may follow yes and no, except for "or no" and the like. "Yes. No doubt about it" is one answer.
_YES, _NO = r"(?:yes|true)", r"(?:no|false)"
_BETWEEN = r"[\s,;:/|&*_-]+(?:(?:and|or|but|maybe)\s+)?"
_YES_NO = {"yes": 1, "true": 1, "1": 1, "no": 0, "false": 0, "0": 0}
_YES_OR_NO = Spellings(
    alone=_YES_NO,
    spelled=rf"(?:({_YES})|({_NO}))\b(?!-)",
    positions=(1, 0),
    refused=rf"(?:{_YES}{_BETWEEN}{_NO}|{_NO}{_BETWEEN}{_YES})\b|no\s+(?:idea|answer|doubt|way\s+to)\b",
)

# Other answers stand alone or before punctuation ("not" is no answer in "not clear"), and no second answer stands in
# their sentence or right after them. Thai, Chinese and their neighbors have no spaces between words.
_WORD = r"[^\W_\u0e00-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]"
_STARTS = rf"(?<!{_WORD})"
_ENDS = r"(?!\s?[%/]|[-+#]|[.,:'](?!_)\w)(?=[^\S\n]*(?:\Z|\n|[^\w\s]|_+(?![^\W_])|because\b))"
_SAME_SENTENCE = r"[^.!?。！？\n]{0,60}?"


@cache
def spellings_of(answers):
    """Return the `Spellings` of a tuple of answers; None stands for no (0) and yes (1)."""
    if answers is None:
        return _YES_OR_NO
    alone = {_spelling(canonical(answer)): position for position, answer in enumerate(answers)}
    words = dict(alone)
    if {"yes", "no"} <= alone.keys() and alone.keys().isdisjoint(_YES_NO.keys() - {"yes", "no"}):
        synonyms = {word: alone["yes" if means else "no"] for word, means in _YES_NO.items()}
        alone |= synonyms
        words |= {word: position for word, position in synonyms.items() if not word.isdigit()}
    longest_first = sorted(words, key=len, reverse=True)
    patterns = [_pattern(word) for word in longest_first]
    any_answer = "|".join(patterns)
    return Spellings(
        alone=alone,
        spelled=rf"{_STARTS}(?:{'|'.join(f'({pattern})' for pattern in patterns)}){_ENDS}",
        positions=tuple(words[word] for word in longest_first),
        refused=rf"(?P<first>{any_answer}){_ENDS}(?:[\W_]*|{_SAME_SENTENCE}){_STARTS}"
        rf"(?!(?P=first){_ENDS})(?:{any_answer}){_ENDS}",
    )


def check_answers(answers):
    """Return the answers and what they are worth.

    Parameters
    ----------
    answers : mapping of str to float, or None
        The value of each answer, NaN for one that counts as missing. None: yes (1) and no (0).

    Returns
    -------
    names : tuple of str, or None
        The answers, for prompts, requests and replies; None where `answers` is None.
    values : tuple of float
        The value of each answer that `parse_annotations` returns, by position.

    Raises
    ------
    TypeError
        If `answers` is no mapping of str to real numbers.
    ValueError
        If there are fewer than 2 answers or more than 20, if two differ only in case, spaces or
        punctuation around them, if one is blank, too long or not one line of text, if a value is infinite,
        or if no two values differ.

    Examples
    --------
    >>> check_answers({"yes": 1, "no": 0, "cannot tell": float("nan")})
    (('yes', 'no', 'cannot tell'), (1.0, 0.0, nan))
    >>> check_answers(None)
    (None, (0.0, 1.0))
    """
    if answers is None:
        return None, (0.0, 1.0)
    if not isinstance(answers, Mapping):
        raise TypeError(f"answers must be a mapping of answers to values, or None; got {type(answers).__name__}.")
    if not 2 <= len(answers) <= _MAX_ANSWERS:
        raise ValueError(f"answers must hold 2 to {_MAX_ANSWERS} answers; got {len(answers)}.")
    seen = {}
    for answer in answers:
        if not isinstance(answer, str):
            raise TypeError(f"answers must have str as keys; got one of type {type(answer).__name__}.")
        if any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in answer) or len(answer) > _MAX_CHARACTERS:
            raise ValueError(f"answers has an answer that is not one line of at most {_MAX_CHARACTERS} characters.")
        spelling = _spelling(canonical(answer))
        if not spelling.strip("+-# ") or unicodedata.category(spelling[0])[0] == "M":
            raise ValueError(f"answers has the answer {answer!r}, which has no word or number to tell it by.")
        if spelling in seen:
            raise ValueError(
                f"answers has the answers {seen[spelling]!r} and {answer!r}, which differ only in case, spaces or "
                "punctuation."
            )
        seen[spelling] = answer
    values = tuple(_value(answer, value) for answer, value in answers.items())
    if len({value for value in values if not math.isnan(value)}) < 2:
        raise ValueError("answers must give at least two different values, NaN aside, or no annotation can vary.")
    return tuple(answers), values


def _value(answer, value):
    if not isinstance(value, Real):
        raise TypeError(f"answers must give a number to {answer!r}; got {type(value).__name__}.")
    try:
        value = float(value)
    except OverflowError:
        value = math.inf
    if math.isinf(value):
        raise ValueError(f"answers must give a finite number or NaN to {answer!r}.")
    return value


def canonical(text):
    """Return `text` with case, composition of accents and kind of apostrophe made the same for all."""
    text = unicodedata.normalize("NFC", text.translate(_SAME))
    return unicodedata.normalize("NFC", text.casefold())


def _spelling(answer):
    """Return a canonical answer without what a reply may spell otherwise: "cannot_tell." is "cannot tell"."""
    return _joined(answer.strip(_EDGES))


def _joined(text):
    return re.sub(r"(?<=\S)[\s_-]+(?=\S)", " ", text)


def _pattern(spelling):
    pattern = r"[\s_-]+".join(map(re.escape, spelling.split()))
    return rf"(?<![-+.,/]){pattern}" if spelling[0].isdigit() else pattern


def _undecorated(text):
    return re.sub(rf"^{_MARKS}+", "", text).rstrip(_MARKS_AFTER)
