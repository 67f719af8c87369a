"""Which rows show what a hypothesis says of the target."""

import numpy as np

from sklearn_sae.utils._words import words as words_in

_N = 2  # of each kind
_MOST_CLASSES = 3  # of which two are shown; of more classes one is
_MOST_SHOWN = 6  # classes
_MOST_LOOKED_AT = 50  # rows for each kind
_MOST_ALIKE = 0.5  # share of the words of two texts (Jaccard); texts more alike show the same twice


def examples_of(annotation, target, items, is_first, words, effects):
    """Return the rows to show of a hypothesis, by what they show; nothing is drawn.

    Parameters
    ----------
    annotation : ndarray of shape (n_rows,)
    target : Target
    items : list of tuple of str
    is_first : ndarray of bool of shape (n_rows,)
    words : Wording
    effects : tuple of Effect

    Returns
    -------
    groups : dict of str to list of int
        Rows differ, within a group and between groups.
    """
    known = is_first & ~np.isnan(annotation)
    if words.are_pairs:
        kinds = {"holds for the first": annotation >= 0.5, "holds for the second": annotation <= -0.5}
        wanted = [(name, _of_both_ends(known & rows, target)) for name, rows in kinds.items()]
    elif target.classes is None:
        wanted = _high_and_low(known & (annotation >= 0.5), target, words)
    else:
        wanted = _of_classes(known & (annotation >= 0.5), target, words, effects)
    name = "alike in both" if words.are_pairs else "does not hold"
    wanted.append((name, _of_both_ends(known & (np.abs(annotation) < 0.5), target)))
    groups, taken = {}, []
    for name, (*queues,) in wanted:
        chosen = []
        for queue, n in queues:
            chosen += _different(queue, n, items, taken)
        if chosen:
            groups[name] = chosen
    return groups


def _high_and_low(rows, target, words):
    y = target.values
    mean = y.mean()
    what = "on the scale" if words.form == "place" else words.unit if words.form == "count" else words.target
    return [
        (f"holds, {way} {what}", [(_in_turn(np.flatnonzero(side), sign * y), _N)])
        for way, side, sign in (("high", rows & (y > mean), -1), ("low", rows & (y <= mean), 1))
    ]


def _of_classes(rows, target, words, effects):
    n_classes = len(words.labels)
    codes = list(range(n_classes))[::-1] if n_classes == 2 else list(range(n_classes))
    if n_classes > _MOST_SHOWN:
        size = {effect.of: np.nan_to_num(abs(effect.own.value)) for effect in effects}
        codes = sorted(sorted(codes, key=lambda code: -size.get(words.labels[code], 0))[:_MOST_SHOWN])
    n = _N if n_classes <= _MOST_CLASSES else 1
    return [
        (f"holds, “{words.labels[code]}”", [(_spread(np.flatnonzero(rows & (target.values == code))), n)])
        for code in codes
    ]


def _of_both_ends(rows, target):
    """Return queues of rows: one above the mean of the target and one not, or of classes one of each of two."""
    y = target.values
    is_high = y > (y.mean() if target.classes is None else 0)
    high, low = np.flatnonzero(rows & is_high), np.flatnonzero(rows & ~is_high)
    if not len(high) or not len(low):
        return [(_spread(high if len(high) else low), _N)]
    return [(_spread(high), 1), (_spread(low), 1)]


def _in_turn(rows, key):
    """Return rows in the order of a key; of equal ones those spread over all come first."""
    spread = _spread(rows)
    return spread[np.argsort(key[spread], kind="stable")]


def _spread(rows):
    """Return rows so that the first few are spread evenly over all."""
    n = len(rows)
    step = max(1, round(n * 0.618))
    while np.gcd(step, n) != 1:
        step += 1
    return rows[(np.arange(n) * step + n // 4) % max(n, 1)]


def _different(queue, n, items, taken):
    """Return the first `n` rows whose texts are unlike those that are `taken`, and add them to these."""
    chosen = []
    for row in queue[:_MOST_LOOKED_AT].tolist():
        if len(chosen) == n:
            break
        bag = frozenset(word for text in items[row] for word in words_in(text))
        if all(len(bag & other) <= _MOST_ALIKE * len(bag | other) for other in taken) or not bag:
            chosen.append(row)
            taken.append(bag)
    return chosen
