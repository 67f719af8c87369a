"""The texts of rows: one each, or the two of pairs."""

import numpy as np

from sklearn_sae.utils._validation import check_texts, text_identity


def items_of(texts):
    """Return the texts of each row as a tuple: one, or the two of a pair."""
    shape = getattr(texts, "shape", None)
    if shape is None:
        are_pairs = not isinstance(texts, str) and len(texts) > 0 and isinstance(texts[0], (tuple, list))
        are_pairs = are_pairs and all(len(pair) == 2 for pair in texts)
    else:
        are_pairs = len(shape) == 2 and shape[1] == 2
    if not are_pairs:
        return [(text,) for text in check_texts(texts, name="texts")]
    table = np.empty((len(texts), 2), dtype=object)
    table[:] = texts if shape is None else np.asarray(texts, dtype=object)
    sides = [check_texts(table[:, side], name=f"column {side} of texts") for side in range(2)]
    return list(zip(*sides, strict=True))


def first_of_copies(items):
    """Return whether each row is the first with its texts."""
    seen = set()
    keys = (tuple(map(text_identity, item)) for item in items)
    return np.array([not (key in seen or seen.add(key)) for key in keys])
