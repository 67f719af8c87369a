"""The texts of rows: one each, or the two of pairs, which may have a prompt."""

import numpy as np

from sklearn_sae.report._excerpt import Marks, excerpt
from sklearn_sae.utils._pair_text import table_of_pairs
from sklearn_sae.utils._validation import check_texts, text_identity

SIDES = ("prompt", "first", "second")  # what is shown of a pair, or the last two of these


def items_of(texts):
    """Return the texts of each row as a tuple, one or the two of a pair, and the prompt of each pair or None.

    Pairs are as of `table_of_pairs`.
    """
    pairs = table_of_pairs(texts, name="texts")
    if pairs is None:
        return [(text,) for text in check_texts(texts, name="texts")], None
    return list(map(tuple, pairs[:, -2:].tolist())), pairs[:, 0].tolist() if pairs.shape[1] == 3 else None


def excerpts_of(item, marks, prompt, max_words):
    """Return the excerpts of a row that are shown: of its texts, after that of the prompt if there is one."""
    texts, marks = ((*item,), marks) if prompt is None else ((prompt, *item), [Marks(), *marks])
    return tuple(excerpt(text, one, max_words) for text, one in zip(texts, marks, strict=True))


def first_of_copies(items):
    """Return whether each row is the first with its texts."""
    seen = set()
    keys = (tuple(map(text_identity, item)) for item in items)
    return np.array([not (key in seen or seen.add(key)) for key in keys])
