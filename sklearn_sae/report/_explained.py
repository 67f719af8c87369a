"""Three predictions that a report explains: the highest, the lowest, and the one that is furthest off."""

from typing import NamedTuple

import numpy as np

from sklearn_sae.annotation._base import BaseHypothesisAnnotator
from sklearn_sae.report._content import Example
from sklearn_sae.report._effect import value_of
from sklearn_sae.report._effects import signed
from sklearn_sae.report._excerpt import Marks, excerpt, plain
from sklearn_sae.report._explain import linear_of
from sklearn_sae.report._marking import marks_for
from sklearn_sae.utils._decimals import number_form, written


class Explained(NamedTuple):
    """A prediction, and what each hypothesis that holds adds to it."""

    title: str
    said: str  # the prediction, the truth and the parts, as a sentence
    parts: tuple[tuple[str, int, str], ...]  # what it adds, the number and the short name, the largest first
    example: Example  # without excerpts where no text may be shown


def explained_of(discovery, words, hypotheses, order, rows, shown):
    """Return up to three `Explained`; none of pairs, or of more than two classes.

    Parameters
    ----------
    discovery : Discovery
    words : Wording
    hypotheses : list of Hypothesis
    order : list of int
        The place in the evaluation of each.
    rows : ndarray of int
        The number of each row.
    shown : Shown or None
        The texts, if they may be shown.
    """
    pipeline, evaluation = discovery.pipeline, discovery.evaluation
    target, model = evaluation.target, pipeline[-1]
    is_binary = target.classes is not None
    if not isinstance(pipeline[0], BaseHypothesisAnnotator) or (is_binary and len(target.classes) > 2):
        return ()
    values = np.asarray(pipeline[1:-1].transform(evaluation.annotations), dtype=np.float64)
    coef, intercept = linear_of(model)
    adds = (coef[0] * values)[:, order]
    total = intercept[0] + adds.sum(axis=1)
    predicted = 1 / (1 + np.exp(-total)) if is_binary else total
    form = number_form([*adds[adds != 0], intercept[0]])
    explained = []
    for title, row in _three(predicted, target.values):
        kept = [place for place in np.argsort(-np.abs(adds[row]), kind="stable") if adds[row, place] != 0]
        explained.append(
            Explained(
                title,
                _said(row, predicted[row], intercept[0], adds[row].sum(), form, target, words),
                tuple(
                    (signed(adds[row, place], form), hypotheses[place].number, hypotheses[place].short)
                    for place in kept
                ),
                Example(
                    int(rows[row]),
                    _true(target, row, words),
                    () if shown is None else _excerpt(row, [order[place] for place in kept], discovery, shown),
                ),
            )
        )
    return tuple(explained)


def _three(predicted, truth):
    """Yield a title and a row; a row is taken once."""
    taken = set()
    for title, queue in (
        ("Predicted highest", np.argsort(-predicted, kind="stable")),
        ("Predicted lowest", np.argsort(predicted, kind="stable")),
        ("Furthest off", np.argsort(-np.abs(truth - predicted), kind="stable")),
    ):
        row = next((int(one) for one in queue if one not in taken), None)
        if row is not None:
            taken.add(row)
            yield title, row


def _true(target, row, words):
    return words.scale[int(target.values[row]) - 1] if words.scale else plain(value_of(target, row))


def _said(row, predicted, intercept, added, form, target, words):
    parts = f"{written(intercept, form)} where no hypothesis holds, {signed(added, form)} from those that do."
    truth = _true(target, row, words)
    if target.classes is None:
        place = f", the place {int(target.values[row])}" if words.scale else ""
        return f"Predicted {written(predicted, form)}; it is {truth}{place}. That is {parts}"
    label = words.labels[1]
    return f"The probability of “{label}” is {predicted:.0%}; it is “{truth}”. The log-odds are {parts}"


def _excerpt(row, places, discovery, shown):
    """Return the text, with all marks of the hypotheses that hold for it, as a tuple."""
    marks = {}
    if places:
        annotations, names = discovery.evaluation.annotations, discovery.pipeline[0].get_feature_names_out().tolist()
        of_row = {place: [row] for place in places}
        marks = marks_for(shown.source, names, shown.neurons, shown.items, annotations, of_row)[0]
    sentences, told = (tuple(dict.fromkeys(span for (one,) in marks.values() for span in one[side])) for side in (0, 1))
    return (excerpt(shown.items[row][0], Marks(sentences, told), shown.max_words),)
