"""Texts that are too long for a prompt."""

from operator import ne

from sklearn_sae.utils._notes import warn
from sklearn_sae.utils._validation import counted
from sklearn_sae.utils._words import cut_text

_MANY_THE_SAME = 0.05  # the largest share of texts that a cut may make equal to others
_KEPT = {"head": "their beginnings are kept", "middle": "their middles are left out", "tail": "their ends are kept"}


def cut_texts(texts, max_words, *, keep, refuse):
    """Return the texts, those of more than `max_words` words cut as `cut_text` does.

    Parameters
    ----------
    texts : list of str
    max_words : int or None
    keep : {"head", "middle", "tail"}
    refuse : bool
        Whether a cut that makes many texts equal is an error.

    Raises
    ------
    ValueError
        If the cut makes more than one text in twenty equal to another.

    Warns
    -----
    UserWarning
        If texts are cut; says how many.
    """
    shown = [cut_text(text, max_words, keep) for text in texts]
    n_cut = sum(map(ne, shown, texts))
    if not n_cut:
        return texts
    are = "is" if n_cut == 1 else "are"
    of_all = f"{n_cut:,} of {len(texts):,} texts {are} longer than max_words={counted(max_words, 'word')}"
    n_lost = len(set(texts)) - len(set(shown))
    if refuse and n_lost > _MANY_THE_SAME * len(texts):
        raise ValueError(
            f"{of_all}, and cutting them makes {n_lost:,} different texts equal to others; raise max_words, or keep "
            f"another part: truncate is {keep!r} of head, middle and tail."
        )
    same = f", which makes {n_lost:,} equal to others" if n_lost else ""
    warn(f"{of_all} and {are} cut{same}; {_KEPT[keep]}.")
    return shown
