"""What counts as a word, and which words stand together.

A text is cut into stretches, and each stretch into words. Phrases are made of the words of one stretch, so none goes
across the end of a sentence, a comma or the border of a field.
"""

import html
import unicodedata
from collections.abc import Hashable, Iterable
from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np
import regex

# Scripts that are written without spaces between words.
_HAN_KANA = r"\p{Han}\p{Hiragana}\p{Katakana}ー々〆"
_SOUTH_EAST = r"\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
UNSPACED = regex.compile(rf"[{_HAN_KANA}{_SOUTH_EAST}]")
# The scripts that no model here divides into words.
_UNDIVIDED = {
    name: regex.compile(rf"\p{{{script}}}")
    for name, script in (("Lao", "Lao"), ("Khmer", "Khmer"), ("Burmese", "Myanmar"))
}
_MANY = 0.05  # share of texts in such a script from which on that is said

_ELEMENTS = (
    "a|abbr|article|aside|b|blockquote|body|br|button|caption|center|cite|code|col|dd|del|div|dl|dt|em|fieldset|figcaption|"
    "figure|font|footer|form|h[1-6]|head|header|hr|html|i|iframe|img|input|ins|kbd|label|legend|li|link|main|mark|meta|nav|"
    "noscript|ol|option|p|pre|q|s|samp|section|select|small|span|strike|strong|sub|summary|sup|svg|table|tbody|td|textarea|"
    "tfoot|th|thead|time|title|tr|tt|u|ul|var|video|wbr"
)
_ATTRIBUTES = r"""(?:\s+[\w:-]+\s*=\s*(?:"[^"<>]*"|'[^'<>]*'|[^\s"'<>]+))*\s*/?"""
_TAG = regex.compile(
    rf"</?(?:{_ELEMENTS}){_ATTRIBUTES}>|<!--.*?-->|<(script|style)\b[^<>]*>.*?</\1>", regex.DOTALL | regex.IGNORECASE
)
_INLINE_TAG = regex.compile(
    rf"</?(?:a|b|code|em|font|i|mark|small|span|strong|su[bp]|u){_ATTRIBUTES}>", regex.IGNORECASE
)
_ENTITY = regex.compile(r"&(?:[a-zA-Z][a-zA-Z0-9]*|#\d+|#[xX][0-9a-fA-F]+);")
_ADDRESS = regex.compile(r"(?:https?://|www\.)\S+|(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+", regex.IGNORECASE)

_EMOJI = (
    r"\p{RI}\p{RI}|[#*0-9]\ufe0f?\u20e3|"
    r"(?![©®™‼⁉])\p{Extended_Pictographic}[\ufe0f\p{EMod}]*(?:\u200d\p{Extended_Pictographic}[\ufe0f\p{EMod}]*)*"
)
_EMOTICON = r"(?<![\p{L}\p{N}])(?:[:;=][-^'’]?[)(\]\[DPpOo3|/\\*]+|<3+|\^_*\^|¯\\_\(ツ\)_/¯)(?![\p{L}\p{N}])"
_LETTER = r"[\p{L}\p{M}\p{N}_\u200c\u200d]"
_WORD = rf"{_LETTER}+(?:['’]{_LETTER}+)*"
# Words with signs: C++, A+, C#, AT&T, .NET.
_SIGNED = (
    rf"{_LETTER}+\+{{1,2}}(?![+#]|{_LETTER})|(?<!{_LETTER})"
    rf"(?:\p{{L}}#(?![+#]|{_LETTER})|\p{{L}}{{1,2}}&\p{{L}}{{1,2}}(?!{_LETTER})|(?<![^ ])\.\p{{Lu}}{{2,}}(?!{_LETTER}))"
)
_NAMED = rf"(?<!{_LETTER})[#@]{_LETTER}+"  # a hash tag or a user's name
_NUMBER = rf"\p{{N}}+(?:[.,:]\p{{N}}+)*(?:%|(?!{_LETTER}))"
# A token that begins with an ASCII letter, as most do, can be nothing but a word, so that is tried first.
_TOKEN = regex.compile("|".join([rf"(?=[a-zA-Z]){_WORD}", _EMOJI, _EMOTICON, _NAMED, _NUMBER, _WORD]))
_TOKEN_OR_SIGNED = regex.compile(
    "|".join([rf"(?=[a-zA-Z])(?:{_SIGNED}|{_WORD})", _EMOJI, _EMOTICON, _NAMED, _NUMBER, _SIGNED, _WORD])
)
# Between the words of a phrase stand spaces, hyphens, quotation marks and the like; anything else ends the stretch. A
# line that begins with a small letter goes on with the line before.
_WITHIN = regex.compile(r"[^\S\t]*(?:[-‐‑'’\"“”„«»*_&+~`\ufe0f\u200d][^\S\t]*)*")
_UNSPACED_RUN = regex.compile(rf"[{_HAN_KANA}{_SOUTH_EAST}\p{{M}}]+|[^{_HAN_KANA}{_SOUTH_EAST}]+")
_SAME = str.maketrans({"’": "'", "\ufe0f": None, "\u200c": None, **dict.fromkeys(range(0x1F3FB, 0x1F400))})

# What is counted where a text is cut into pieces: a word with the punctuation that touches it, or a character of a
# script without spaces.
WORD_IN_TEXT = regex.compile(rf"[{_HAN_KANA}{_SOUTH_EAST}]|[^\s{_HAN_KANA}{_SOUTH_EAST}]+")

_LONGEST_KEPT, _MOST_KEPT = 5_000, 12_000  # characters of a text, and texts, that are kept divided into words
CUT = "[…]"  # stands where words were left out


def plain_text(text):
    r"""Return `text` in Unicode form NFC without HTML tags, entities and addresses.

    Parameters
    ----------
    text : str

    Returns
    -------
    plain : str

    Examples
    --------
    >>> plain_text("<b>Great</b> food &amp; wine, see https://example.org/x")
    ' Great  food & wine, see '
    """
    if "&" in text:
        text = html.unescape(text)
    if "<" in text:
        text = _TAG.sub("\t", _INLINE_TAG.sub(" ", text))
    if _may_have_address(text):
        text = _ADDRESS.sub("", text)
    return unicodedata.normalize("NFC", text)


@lru_cache(maxsize=100_000)
def fold(word):
    """Return `word` as all its spellings are counted: in small letters, with straight apostrophes, emoji in yellow."""
    if word.isascii():
        return word.lower()
    # A capital i with a dot is an i and a dot in small letters.
    return unicodedata.normalize("NFC", word.lower().replace("i\u0307", "i")).translate(_SAME)


def stretches(text, tokenizer=None):
    """Return the words of each stretch of `text` that a phrase may be made of, folded.

    Parameters
    ----------
    text : str
    tokenizer : callable (str) -> list of str, or None, default=None
        Divides a text into words, for scripts without spaces say. None: words are runs of letters, digits and marks,
        "C++" and "AT&T", whole numbers, emoji, emoticons, hash tags and user names; Chinese, Japanese and Thai are
        divided by BudouX.

    Returns
    -------
    stretches : tuple of tuple of str

    Examples
    --------
    >>> stretches("The soup was cold. 45% off #deal 😀")
    (('the', 'soup', 'was', 'cold'), ('45%', 'off', '#deal', '😀'))
    """
    if len(text) > _LONGEST_KEPT or not isinstance(tokenizer, Hashable):
        return _stretches.__wrapped__(text, tokenizer)
    return _stretches(text, tokenizer)


def forget():
    """Forget the texts that were divided into words last."""
    _stretches.cache_clear()
    _folded.cache_clear()
    fold.cache_clear()


# Embedding, naming, scoring and annotation divide the same texts. The bounds keep this below some 300 MB, because a
# word that comes again is the same object.
@lru_cache(maxsize=_MOST_KEPT)
def _stretches(text, tokenizer):
    text = plain_text(text)
    if tokenizer is not None:
        return (tuple(fold(word.replace('"', "")) for word in _tokens(tokenizer, text) if word.strip('" ')),)
    found, end = [], None
    for match in _token_in(text).finditer(text):
        start = match.start()
        if end is None or _parts(text[end:start], text[start]):
            found.append([])
        found[-1] += _folded(match.group())
        end = match.end()
    return tuple(map(tuple, found))


def _token_in(text):
    """Return the pattern of a word in `text`: the quick one, where it has no sign that may belong to a word."""
    may_have_signed = "+" in text or "&" in text or "#" in text or " ." in text or text[:1] == "."
    return _TOKEN_OR_SIGNED if may_have_signed else _TOKEN


@lru_cache(maxsize=100_000)
def _folded(token):
    """Return the words of a token, folded."""
    parts = _divided(token) if UNSPACED.search(token) else (token,)
    return tuple(filter(None, map(fold, parts)))  # a sign that changes the one before may stand alone


def count_markup(texts):
    """Return how many of `texts` have HTML tags, entities or addresses, which are no words."""
    return sum(
        ("<" in text and _TAG.search(text) is not None)
        or ("&" in text and html.unescape(text) != text)
        or (_may_have_address(text) and _ADDRESS.search(text) is not None)
        for text in texts
    )


def _may_have_address(text):
    """Return False where the pattern of addresses, which is slow, need not be tried."""
    return "@" in text or "://" in text or "www." in text.lower()


def _tokens(tokenizer, text):
    tokens = tokenizer(text)
    if isinstance(tokens, str) or not isinstance(tokens, Iterable):
        raise TypeError(f"tokenizer must return a list of words (str); it returned a {type(tokens).__name__}.")
    tokens = list(tokens)
    for token in tokens:
        if not isinstance(token, str):
            raise TypeError(f"tokenizer must return a list of words (str); it returned one of {type(token).__name__}.")
    return tokens


def undivided_script(texts):
    """Return the script of more than a few of `texts` that nothing here divides into words; None if there is none."""
    for name, script in _UNDIVIDED.items():
        if sum(script.search(text) is not None for text in texts) > _MANY * len(texts):
            return name
    return None


def _parts(gap, following):
    """Return whether what stands between two words ends a stretch."""
    if gap == " ":
        return False
    return _WITHIN.fullmatch(gap) is None or ("\n" in gap and not following.islower())


def words(text, tokenizer=None):
    """Return the words of `text` in order, folded."""
    return [word for stretch in stretches(text, tokenizer) for word in stretch]


def cut_text(text, max_words, keep="head"):
    """Return at most `max_words` words of `text`, with "[…]" where others were left out.

    Parameters
    ----------
    text : str
    max_words : int or None
        A character of a script without spaces counts as a word. None keeps the text whole.
    keep : {"head", "middle", "tail"}, default="head"
        Keep the beginning; the beginning and the end, without the middle; or the end.

    Examples
    --------
    >>> cut_text("one two three four five", 2), cut_text("one two three four five", 2, keep="middle")
    ('one two […]', 'one […] five')
    """
    if max_words is None or len(text) <= max_words:
        return text
    spans = [match.span() for match in WORD_IN_TEXT.finditer(text)]
    if len(spans) <= max_words:
        return text
    n_tail = {"head": 0, "middle": max_words // 2, "tail": max_words}[keep]
    n_head = max_words - n_tail
    head = text[: spans[n_head - 1][1]] if n_head else ""
    tail = text[spans[-n_tail][0] :] if n_tail else ""
    return " ".join(filter(None, [head, CUT, tail]))


class TermAnalyzer(NamedTuple):
    """From a text to its words and phrases, as the `analyzer` of scikit-learn's vectorizers.

    Parameters
    ----------
    ngram_range : tuple of (int, int), default=(1, 1)
        The least and the largest number of words of a phrase.
    tokenizer : callable or None, default=None
        As of `stretches`.
    """

    ngram_range: tuple = (1, 1)
    tokenizer: object = None

    def __call__(self, text):
        least, largest = self.ngram_range
        return [
            " ".join(stretch[i : i + n])
            for stretch in stretches(text, self.tokenizer)
            for n in range(least, largest + 1)
            for i in range(len(stretch) - n + 1)
        ]


def _divided(run):
    """Return the words of a run of letters, of which some belong to a script without spaces."""
    found = []
    for part in _UNSPACED_RUN.findall(run):
        parser = _parser(part) if UNSPACED.search(part) else None
        found += [part] if parser is None else parser.parse(part)
    return found


def _parser(text):
    """Return what divides `text` into words; None for a script that nothing here divides."""
    if any(script.search(text) for script in _UNDIVIDED.values()):
        return None
    if regex.search(r"\p{Thai}", text):
        return _load("thai")
    if regex.search(r"[\p{Hiragana}\p{Katakana}]", text):
        return _load("japanese")
    try:
        text.encode("gb2312")
    except UnicodeEncodeError:
        return _load("traditional_chinese")
    return _load("simplified_chinese")


@cache
def _load(language):
    import budoux

    return getattr(budoux, f"load_default_{language}_parser")()


def word_spans(text, *, others=False):
    """Return where the words of `text` stand in it.

    Parameters
    ----------
    text : str
    others : bool, default=False
        Whether each other character that is no white space counts as a word too: punctuation, and what tags and
        addresses are made of.

    Returns
    -------
    spans : ndarray of shape (n_words, 2), int32
        The start and end of each word, in characters, in the order of the text.
    words : list of str
        The words, folded.

    Examples
    --------
    >>> spans, words = word_spans("<b>Cold</b> soup!")
    >>> spans.tolist(), words
    ([[3, 7], [12, 16]], ['cold', 'soup'])
    """
    spans, words = [], []
    seen = text if others else _blanked(text)
    for match in _token_in(seen).finditer(seen):
        start = match.start()
        for part in _divided(match.group()) if UNSPACED.search(match.group()) else (match.group(),):
            if word := fold(part):
                spans.append((start, start + len(part)))
                words.append(word)
            start += len(part)
    if others:
        covered = np.zeros(len(text) + 1, dtype=bool)
        for start, end in spans:
            covered[start:end] = True
        rest = [(i, i + 1) for i, sign in enumerate(text) if not covered[i] and not sign.isspace()]
        both = sorted([*zip(spans, words, strict=True), *((span, text[span[0]]) for span in rest)])
        spans, words = [span for span, _ in both], [word for _, word in both]
    return np.array(spans, dtype=np.int32).reshape(-1, 2), words


def _blanked(text):
    """Return `text` with spaces in place of HTML tags, entities and addresses, so that all else stays in its place."""
    for sign, pattern in (("<", _TAG), ("&", _ENTITY), ("", _ADDRESS)):
        if sign in text:
            text = pattern.sub(lambda match: " " * len(match.group()), text)
    return text
