"""Stop words of many languages, and a guess which language texts are in."""

from collections import Counter

from stop_words import LANGUAGE_MAPPING, get_stop_words

from sklearn_sae.utils._words import fold, words

LANGUAGES = tuple(sorted(set(LANGUAGE_MAPPING.values())))
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
    return frozenset(fold(word) for word in get_stop_words(language)) - _NEGATIONS


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
