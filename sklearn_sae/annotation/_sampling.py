"""Which texts show what a neuron is about, and which are held back to check its name."""

from typing import NamedTuple

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer

from sklearn_sae.utils._validation import text_identity
from sklearn_sae.utils._words import TermAnalyzer

_TOP_SHARE = 0.1  # "percentile" draws from the top tenth of the activating texts


class Examples(NamedTuple):
    """Row numbers of the texts chosen for one neuron."""

    activating: np.ndarray  # strongest first
    non_activating: np.ndarray
    scoring: np.ndarray  # half activating, half not; none of them among the two above


def check_several(texts):
    """Raise a ValueError if there is one text only."""
    if len(texts) < 2:
        raise ValueError("Found 1 sample; at least 2 texts are needed to tell what sets some of them apart.")


def first_rows(texts):
    """Return the row of the first of each group of texts that differ in case, spaces and Unicode form at most."""
    first = {}
    for row, text in enumerate(texts):
        first.setdefault(text_identity(text), row)
    return np.fromiter(first.values(), dtype=np.intp)


def show_then_score(activation, *, n_examples, n_scoring, sampling, rng, n_draws=1, words=None):
    """Choose the texts to show first, then score on what is left.

    Where a neuron activates on few texts, at most half of them (rounded up) are shown.

    Parameters
    ----------
    activation : ndarray of shape (n_texts,)
        Above 0 where the neuron activates.
    n_examples : int
        How many texts to show in a draw, half of them activating.
    n_scoring : int
        How many to score on, half of them activating, drawn over their whole range.
    sampling : {"top", "percentile"}
        Show the most activating texts, or a random draw from their top tenth.
    rng : RandomState
    n_draws : int, default=1
        How often texts are drawn from those that are chosen here, as `draw` does.
    words : csr_array of shape (n_texts, n_words) or None, default=None
        The weights of words in the texts. Every other text that does not activate is then one of the most similar to
        those that do and are shown; the others are drawn at random. None: all are.

    Returns
    -------
    examples : Examples
    """
    active, silent = _split(activation, rng)
    n_active = min((n_examples - n_examples // 2) * n_draws, _larger_half(len(active), n_scoring))
    n_silent = min(n_examples // 2 * n_draws, _larger_half(len(silent), n_scoring))
    shown = np.arange(n_active)
    if sampling == "percentile":
        pool = max(n_active, int(np.ceil(_TOP_SHARE * len(active))))
        shown = np.sort(rng.choice(pool, size=n_active, replace=False))
    if words is not None and n_active:
        silent = _near_misses_first(silent, active[shown], n_silent, words)
    rest = np.delete(active, shown)
    n_each = min(n_scoring // 2, len(rest), len(silent) - n_silent)
    scoring = np.concatenate([rest[_evenly(len(rest), n_each)], silent[n_silent : n_silent + n_each]])
    return Examples(active[shown], silent[:n_silent], np.sort(scoring))


def word_weights(texts):
    """Return the TF-IDF of the words of texts, by which near misses are found, as a csr_array with rows of norm 1.

    Every encoder has texts, and only some give embeddings; and a text whose activation is just below the threshold of a
    neuron is likely to have what the neuron stands for, so that to show it as a text without would mislead.
    """
    hashing = HashingVectorizer(analyzer=TermAnalyzer(), alternate_sign=False, norm=None, dtype=np.float32)
    return sparse.csr_array(TfidfTransformer(sublinear_tf=True).fit_transform(hashing.transform(texts)))


def draw(rows, n, number):
    """Return `n` of the rows for one draw: those that follow the rows of the draw before, all around.

    Examples
    --------
    >>> [draw(np.arange(7), 3, number).tolist() for number in range(3)]
    [[0, 1, 2], [3, 4, 5], [0, 1, 6]]
    """
    n = min(n, len(rows))
    return rows[np.sort((number * n + np.arange(n)) % max(len(rows), 1))]


def score_then_name(activation, *, n_scoring, rng, max_share=0.25, n_examples=20):
    """Hold back texts to score on, at most `max_share` of either kind; all others may be named from.

    Parameters
    ----------
    activation : ndarray of shape (n_texts,)
        Above 0 where the neuron activates.
    n_scoring : int
        How many to score on, half of them activating, drawn over their whole range.
    rng : RandomState
    max_share : float, default=0.25
    n_examples : int, default=20
        How many of the others to return for a person to look at, half of them activating, the strongest.

    Returns
    -------
    examples : Examples
    """
    active, silent = _split(activation, rng)
    n_each = min(n_scoring // 2, int(max_share * len(active)), int(max_share * len(silent)))
    held = _evenly(len(active), n_each)
    scoring = np.concatenate([active[held], silent[:n_each]])
    shown = np.delete(active, held)[: n_examples - n_examples // 2]
    return Examples(shown, silent[n_each:][: n_examples // 2], np.sort(scoring))


def _split(activation, rng):
    """Return the activating rows, strongest first, and the others, shuffled."""
    active = np.flatnonzero(activation > 0)
    active = active[np.argsort(-activation[active], kind="stable")]
    return active, rng.permutation(np.flatnonzero(activation <= 0))


def _near_misses_first(silent, shown, n, words):
    """Return `silent` with near misses among its first `n`, at every other place.

    Words count by how much more weight they have in the texts shown than in all; else the same long texts, which have
    many words of any kind, would be near misses of each neuron.
    """
    typical = words[shown].mean(axis=0) - words.mean(axis=0)
    similarity = (words @ np.asarray(typical).ravel())[silent]
    near = np.argsort(-similarity, kind="stable")[: n // 2]
    others = np.delete(silent, near)
    first = np.insert(others[: n - len(near)], np.arange(len(near)), silent[near])
    return np.concatenate([first, others[n - len(near) :]])


def _larger_half(n, n_scoring):
    return n - n // 2 if n_scoring else n


def _evenly(n, n_drawn):
    """Return `n_drawn` of the positions 0 to n - 1, evenly spread."""
    return ((np.arange(n_drawn) + 0.5) * n / max(n_drawn, 1)).astype(np.intp)
