"""Which of the two texts of a pair wins, by the names of two classes."""

import re

_FIRST, _SECOND = ("first", "1", "a", "left"), ("second", "2", "b", "right")


def says_which_wins(target):
    """Return whether a target's two classes are named after the first text of pairs and the second, or are 0 and 1."""
    if target.classes is None or len(target.classes) != 2:
        return False
    ends = tuple(_end(label) for label in target.classes)
    return ends in (("0", "1"), ("false", "true")) or _side(ends[0]) + _side(ends[1]) == 3


def first_wins(target):
    """Return a target of pairs in which, of two classes, the second one is that the first text wins.

    Examples
    --------
    >>> from sklearn_sae.utils._targets import check_target
    >>> target = first_wins(check_target(["model_b", "model_a", "model_a"]))
    >>> target.classes.tolist(), target.values.tolist()
    (['model_b', 'model_a'], [0, 1, 1])
    """
    if not says_which_wins(target) or _side(_end(target.classes[1])) != 2:
        return target
    return target._replace(classes=target.classes[::-1], values=1 - target.values)


def _end(label):
    """Return the last word of a class, in small letters: that of "Response B" is "b"."""
    return re.split(r"[\W_]+", str(label).strip().casefold())[-1]


def _side(end):
    return 1 if end in _FIRST else 2 if end in _SECOND else 0
