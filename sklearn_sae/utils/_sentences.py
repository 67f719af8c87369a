"""The sentences of a text, as spans of characters.

sentencex knows the full stops and the abbreviations of many languages. Line breaks, lists, shouting and smileys, which
reviews and posts are full of, are looked for here; then fragments are joined and run-on text is cut.
"""

from collections import Counter
from itertools import pairwise

import regex
import sentencex

from sklearn_sae.utils._words import UNSPACED

_FEWEST_WORDS = 3  # of a sentence; with fewer it joins its neighbour
_MOST_WORDS = 60  # of a sentence; with more it is cut
_LONGEST_WORD = 40  # characters; a longer run without a space counts as several words
# A line of such a length may be broken because the page ends there, and not because the sentence does.
_SHORTEST_WRAPPED, _LONGEST_WRAPPED = 50, 90

_SIGN = UNSPACED.pattern  # a character that is a word
_TOKEN = regex.compile(rf"{_SIGN}|(?:(?!{_SIGN})\S){{1,{_LONGEST_WORD}}}+")
_WORD = regex.compile(rf"<[^<>]{{0,200}}>(*SKIP)(*FAIL)|{_SIGN}|(?:(?!{_SIGN})[\p{{L}}\p{{M}}\p{{N}}'’])++")
_CLOSING = r"[\"'”’»)\]]"
# A sentence ends after several marks, after an ellipsis before a capital, after a smiley, and at a paragraph of HTML.
_END = regex.compile(
    rf"(?<![!?])[!?]{{2,}}+{_CLOSING}*+(?=\s)|(?<![.…])(?:…|\.{{2,}}+)++{_CLOSING}*+(?=\s++\p{{Lu}})"
    r"|(?<=\s)[:;=]['’-]?[)(DP]++(?=\s)|(?:</?(?:br|div|li|p|td|tr)\b[^<>]{0,200}>\s*+)++"
)
_LINE_BREAK = regex.compile(r"\r\n|[\n\r\v\f\x85\u2028\u2029]")
_BEGINS_ITEM = regex.compile(r"[^\S\n]*+(?:[-–—*•·‣▪+][^\S\n]|\p{N}{1,3}[.)]\s|\n|\r)")
_BEGINS_SMALL = regex.compile(r"[^\S\n]*+\p{Ll}")
_CLAUSE_END = regex.compile(rf"[,;:،、，；：—–)\]….!?。！？]{_CLOSING}*+$")
_SURROGATE = regex.compile(r"[\ud800-\udfff]")  # half a character, which no encoding has

_SCRIPTS = {"ru": regex.compile(r"\p{Cyrillic}"), "el": regex.compile(r"\p{Greek}")}
_FUNCTION_WORDS = {
    "en": "the and of is was were it this with for my they you have in to",
    "de": "und der die das ist nicht wir ich ein eine war sehr auch mit im am",
    "es": "el la los las de una que pero muy está fue con por en y",
    "fr": "le la les de est et des une dans pas nous très mais c'est avec",
    "it": "il la gli di che è non sono della molto anche per questo un",
    "nl": "het de een van niet we is zijn ook heel maar voor was en",
    "pl": "jest się nie na w i z bardzo to był była oraz ale do",
    "pt": "o a de não uma com muito foi que são os mas em do",
    "sv": "och det är inte en på jag vi mycket i att var",
}
_LANGUAGES_OF = {
    word: [code for code, words in _FUNCTION_WORDS.items() if word in words.split()]
    for word in " ".join(_FUNCTION_WORDS.values()).split()
}
_HEAD = 1_000  # characters of a text from which its language is told


def split_sentences(text):
    """Return the sentences of `text`, without the spaces between them.

    Parameters
    ----------
    text : str

    Returns
    -------
    sentences : list of str

    Examples
    --------
    >>> split_sentences("Mr. Lee paid $4.50. Cold soup!! never again... Wow. And the waiter was rude.")
    ['Mr. Lee paid $4.50.', 'Cold soup!! never again...', 'Wow. And the waiter was rude.']
    """
    return [text[start:end] for start, end in sentence_spans(text)]


def sentence_spans(text):
    """Return where the sentences of `text` stand in it.

    A fragment of fewer than three words joins the sentence behind it, or the last one. A sentence of more than sixty
    words is cut at the end of a clause, or else after a word. A character of a script without spaces is a word.

    Parameters
    ----------
    text : str

    Returns
    -------
    spans : list of (int, int)
        The start and end of each sentence in characters, in the order of the text. No two overlap, and only white
        space is outside of them.

    Examples
    --------
    >>> sentence_spans("We waited an hour. The soup was cold.")
    [(0, 18), (19, 37)]
    """
    borders = sorted({0, len(text), *_stops(text), *_line_ends(text), *(end.end() for end in _END.finditer(text))})
    fragments = [span for pair in pairwise(borders) if (span := _trimmed(text, *pair))]
    return [part for span in _joined(text, fragments) for part in _cut(text, *span)]


def _stops(text):
    """Return the ends of sentences that sentencex finds."""
    text = text if text.isascii() else _SURROGATE.sub("\ufffd", text)
    ends = (sentence["end_index"] for sentence in sentencex.get_sentence_boundaries(_language(text), text))
    return [end for end in ends if end <= len(text)]


def _language(text):
    """Return the code of the language whose abbreviations are likely in `text`."""
    head = text[:_HEAD]
    if not head.isascii():
        for code, script in _SCRIPTS.items():
            if script.search(head):
                return code
    counts = Counter(code for word in head.lower().split() for code in _LANGUAGES_OF.get(word, ()))
    return max(_FUNCTION_WORDS, key=lambda code: counts[code])  # the first, English, where none has more


def _line_ends(text):
    """Yield the ends of lines with which a sentence ends."""
    start = 0
    for line_break in _LINE_BREAK.finditer(text):
        end = line_break.end()
        may_be_wrapped = _SHORTEST_WRAPPED <= end - start <= _LONGEST_WRAPPED
        if _BEGINS_ITEM.match(text, end) or not (may_be_wrapped or _BEGINS_SMALL.match(text, end)):
            yield end
        start = end


def _trimmed(text, start, end):
    """Return the span without white space at its ends; None if nothing is left."""
    part = text[start:end]
    start += len(part) - len(part.lstrip())
    end = start + len(part.strip())
    return (start, end) if start < end else None


def _joined(text, fragments):
    """Return the spans of `fragments`; one of too few words joins the one behind, and the last the one before."""
    spans, start = [], None
    n_words = 0
    for first, end in fragments:
        start = first if start is None else start
        n_words += sum(1 for _ in _WORD.finditer(text, first, end))
        if n_words >= _FEWEST_WORDS:
            spans.append((start, end))
            start, n_words = None, 0
    if start is not None:
        begin = spans.pop()[0] if spans else start
        spans.append((begin, fragments[-1][1]))
    return spans


def _cut(text, start, end):
    """Return the span in parts of similar length and of at most so many words as a sentence may have."""
    tokens = [token.span() for token in _TOKEN.finditer(text, start, end)]
    parts, first = [], 0
    while (n_left := len(tokens) - first) > _MOST_WORDS:
        fair = first + -(-n_left // -(-n_left // _MOST_WORDS))
        possible = range(first + _MOST_WORDS // 2, first + min(_MOST_WORDS, n_left - 1) + 1)
        clauses = [i for i in possible if _ends_clause(text, tokens[i - 1], tokens[i][0])]
        last = min(clauses, key=lambda i: abs(i - fair), default=fair)
        parts.append((tokens[first][0], tokens[last - 1][1]))
        first = last
    return [*parts, (tokens[first][0], tokens[-1][1])]


def _ends_clause(text, token, behind):
    """Return whether a clause ends with a token; Thai has spaces there and nowhere else."""
    has_space = token[1] < behind
    return bool((has_space and UNSPACED.match(text, *token)) or _CLAUSE_END.search(text, *token))
