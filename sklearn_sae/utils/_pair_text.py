"""A pair of texts, with a prompt or without, as one text, so that it goes wherever texts go.

The parts stand between separators of control characters, of which one is taken out of every text here.
"""

import numpy as np

from sklearn_sae.utils._validation import check_texts
from sklearn_sae.utils.store import digest

_RARE = "\x1e"
_SEPARATOR = f"\x1f{_RARE}\x1f"


def join_pair(first, second, prompt=None):
    """Return a pair as one text.

    Examples
    --------
    >>> split_pair(join_pair("Paris.", "I do not know.", "Capital of France?"))
    ['Capital of France?', 'Paris.', 'I do not know.']
    >>> split_pair("Paris.") is None
    True
    """
    parts = [first, second] if prompt is None else [prompt, first, second]
    return _SEPARATOR.join(part.replace(_RARE, " ") for part in parts)


def split_pair(text):
    """Return the parts of a pair, the prompt first if there is one; None for a text that is no pair."""
    return text.split(_SEPARATOR) if _SEPARATOR in text else None


def are_pairs(texts):
    """Return whether texts are pairs, joined to one text each; a separator in some text by itself makes none."""
    return len(texts) > 0 and all(_SEPARATOR in text for text in texts)


def in_drawn_order(text):
    """Return a pair with its texts in an order drawn by lot, and the sign by which answers are turned back.

    The lot is a hash of both texts: which of them stands first has nothing to do with which was given first, and a pair
    and its reverse become one. The sign of two equal texts is 0.

    Examples
    --------
    >>> one, other = (in_drawn_order(join_pair(*pair)) for pair in [("tea", "soup"), ("soup", "tea")])
    >>> one[0] == other[0], one[1] + other[1]
    (True, 0)
    """
    *prompt, first, second = split_pair(text)
    if first == second:
        return text, 0
    if digest("order", first, second) < digest("order", second, first):
        return text, 1
    return join_pair(second, first, *prompt), -1


def columns_of_pairs(X, table, *, name="X"):
    """Return the columns of a table of pairs as lists of str: the prompts if there are some, and both texts.

    Parameters
    ----------
    X : object
        What the table was made of. The columns of a frame may stand in any order, if one is called "prompt".
    table : ndarray of shape (n_pairs, 2) or (n_pairs, 3)
    name : str, default="X"
        What to call it in an error.
    """
    if table.ndim != 2 or table.shape[1] not in (2, 3):
        raise ValueError(
            f"{name} must be pairs of texts, a table of two columns, or of three with the prompt of each pair first; "
            f"got an array of shape {table.shape}."
        )
    names = [str(column).strip().casefold() for column in getattr(X, "columns", ())]
    order = list(range(table.shape[1]))
    if "prompt" in names and len(order) == 3:
        order.insert(0, order.pop(names.index("prompt")))
    return [check_texts(table[:, i], name=f"column {i} of {name}") for i in order]


def table_of_pairs(texts, *, name):
    """Return pairs of texts as an array of objects of two columns, or of three, prompts first; None for single texts.

    Parameters
    ----------
    texts : object
        Pairs are an array or frame of two or three columns, or a sequence of tuples or lists.
    name : str
        What to call it in an error.
    """
    shape = getattr(texts, "shape", None)
    if shape is None:
        are_pairs = isinstance(texts, (list, tuple)) and len(texts) > 0
        are_pairs = are_pairs and all(isinstance(row, (list, tuple)) and len(row) > 1 for row in texts)
    else:
        are_pairs = len(shape) == 2 and shape[1] > 1
    if not are_pairs:
        return None
    if shape is None and len({len(row) for row in texts}) > 1:
        raise ValueError(f"{name} must be pairs of texts; it has rows of different lengths.")
    table = np.asarray(texts, dtype=object)
    return np.array(columns_of_pairs(texts, table, name=name), dtype=object).T
