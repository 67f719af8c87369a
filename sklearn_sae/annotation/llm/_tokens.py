"""About how many tokens a text has, by the kinds of its characters.

The weights are fitted to the tokenizer of OpenAI's models since 2024, o200k_base, on texts in twenty languages, emoji,
JSON, addresses and numbers. See docs/annotation.md for how far off it is.
"""

import re

# For each kind of character, how many tokens one of them takes.
_WEIGHTS = [
    (re.compile(pattern), weight)
    for pattern, weight in (
        (r"[A-Za-z\u00c0-\u024f\u1e00-\u1eff]+", 0.43),  # a word, beside the weights of its letters
        (r"[A-Za-z]", 0.17),
        (r"[\u00c0-\u024f\u1e00-\u1eff]", 0.48),  # letters with accents
        (r"[0-9]", 0.71),
        (r"[!-/:-@\[-`{-~\n]", 0.5),
        (r"[\u0370-\u058f]", 0.34),  # Greek, Cyrillic, Armenian
        (r"[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff]", 0.39),  # Hebrew, Arabic
        (r"[\u0900-\u109f\u1780-\u17ff]", 0.42),  # the scripts of South and South-East Asia
        (r"[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]", 0.8),  # Chinese characters
        (r"[\u3040-\u30ff\uff66-\uff9f]", 0.63),  # Japanese syllables
        (r"[\u1100-\u11ff\uac00-\ud7af]", 0.71),  # Korean syllables
        (r"[\u2000-\u206f\u3000-\u303f\uff00-\uff65]", 1.7),  # typographic marks, and those of East Asia
        (r"[\u2070-\u2fff\ufe00-\ufe0f\U0001f000-\U0001ffff]", 1.4),  # symbols and emoji
    )
]


def count_tokens(text):
    """Return about how many tokens a text has, as a float.

    Examples
    --------
    >>> round(count_tokens("The soup was cold."))
    5
    >>> round(count_tokens("汤是凉的"))
    3
    """
    if text.isascii():
        return sum(weight * len(pattern.findall(text)) for pattern, weight in (_WEIGHTS[i] for i in (0, 1, 3, 4)))
    return sum(weight * len(pattern.findall(text)) for pattern, weight in _WEIGHTS)
