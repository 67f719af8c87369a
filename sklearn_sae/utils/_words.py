"""What counts as a word."""

import re
import unicodedata

# A character of a script without spaces is a word of its own; elsewhere a word is a run of letters, digits and
# the marks that \w leaves out (accents; vowel signs of Indic scripts, Thai, Lao, Myanmar and Khmer), with
# apostrophes inside.
UNSPACED = "\u3040-\u30ff\u3400-\u9fff"
_MARKS = (
    "\u0300-\u036f\u0900-\u0963\u0966-\u0dff\u0e00-\u0e3e\u0e40-\u0e4e\u0e50-\u0e59\u0e80-\u0eff"
    "\u1000-\u1049\u104c-\u109f\u1780-\u17d3\u17d7\u17dc-\u17ff"  # not the stops between sentences
)
TOKEN_PATTERN = (
    rf"[{UNSPACED}]|(?:(?![{UNSPACED}])[\w{_MARKS}])+"
    rf"(?:'(?:(?![{UNSPACED}])\w)+)*"
)
TOKEN = re.compile(TOKEN_PATTERN)
# A word with the punctuation that touches it: what is counted where a text is cut into pieces.
WORD_IN_TEXT = re.compile(rf"[{UNSPACED}]|[^\s{UNSPACED}]+")


def fold(text):
    """Return `text` in lower case and in Unicode form NFC, with straight apostrophes and no quotation marks."""
    text = unicodedata.normalize("NFC", text.lower())
    return text.replace("’", "'").replace('"', " ")
