"""Stop words of many languages, and a guess which language texts are in."""

from collections import Counter

from stop_words import LANGUAGE_MAPPING, get_stop_words

from sklearn_sae.utils._words import fold, words

LANGUAGES = tuple(sorted(set(LANGUAGE_MAPPING.values())))
# Function words. Negations stay out of the list: "not", "no" and "never" carry what a text says.
_ENGLISH_STOP_WORDS = """
    a an the this that these those i me my mine myself we us our ours you your yours he him his she her hers it its they
    them their theirs who whom whose which what where when why how am is are was were be been being have has had having
    do does did doing will would shall should can could may might must i'm i've i'd i'll you're you've you'd you'll he's
    she's it's we're we've we'd we'll they're they've they'd they'll that's there's here's what's let's im ive and or
    but if because as until while although though since so than then of at by for with about between into through during
    before after above below to from up down in out on off over under upon within along around here there all any both
    each either every few more most much many other another some such only own same too very also just even still yet
    ever once one two get gets got getting go goes going went really quite rather else per via etc th
"""
ENGLISH_STOP_WORDS = frozenset(_ENGLISH_STOP_WORDS.split())
# Negations say something about a text, and so they are no stop words.
_NEGATIONS = frozenset(
    word
    for line in (
        "no not nor never none nobody nothing without",
        "nicht nichts nie niemals niemand kein keine keinen keinem keiner keines ohne",
        "ne pas non jamais rien sans personne aucun aucune",
        "nunca nada nadie ningún ninguno ninguna sin não nem ninguém sem mai niente nessuno senza",
        "geen niet nooit niemand zonder inte ingen inget aldrig utan ikke aldri uden uten",
        "не нет ни никогда ничего никто без nie nigdy nic nikt bez",
    )
    for word in line.split()
)
_FEWEST_WORDS = 50  # of which a language can be told
_LEAST_SHARE = 0.2  # of the words of a text are stop words of its language, and often half
_TEXTS = 200


def stop_words_of(language):
    """Return the stop words of a language, folded, without its negations.

    Parameters
    ----------
    language : str
        One of `LANGUAGES`, such as "german".

    Returns
    -------
    stop_words : frozenset of str
    """
    if language == "english":
        return ENGLISH_STOP_WORDS
    return frozenset(fold(word) for word in get_stop_words(language)) - _NEGATIONS


def check_stop_words(stop_words):
    """Return the stop words as a frozenset, folded as texts are.

    Parameters
    ----------
    stop_words : str, iterable of str or None
        A str is one of `LANGUAGES`.

    Raises
    ------
    ValueError
        If an entry is no str.
    """
    if isinstance(stop_words, str):
        return stop_words_of(stop_words)
    words = [] if stop_words is None else list(stop_words)
    if not all(isinstance(word, str) for word in words):
        raise ValueError("stop_words must be a language, a list of words (str) or None.")
    return frozenset(map(fold, words))


def guess_language(texts):
    """Return the language whose stop words make up most of the words of some texts; None if that is unsure.

    Parameters
    ----------
    texts : list of str

    Examples
    --------
    >>> guess_language(["Das Essen war kalt und die Bedienung hat uns eine Stunde warten lassen."] * 10)
    'german'
    """
    step = max(1, len(texts) // _TEXTS)
    counts = Counter(word for text in texts[::step] for word in words(text))
    n_words = counts.total()
    if n_words < _FEWEST_WORDS:
        return None
    shares = {language: sum(counts[word] for word in set(get_stop_words(language))) / n_words for language in LANGUAGES}
    best = max(shares, key=shares.get)
    return best if shares[best] >= _LEAST_SHARE else None
