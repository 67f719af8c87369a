"""What to mark in example texts: what makes a hypothesis hold."""

import numpy as np

from sklearn_sae.annotation import KeywordHypothesisAnnotator, QuoteHypothesisAnnotator
from sklearn_sae.report._excerpt import Marks
from sklearn_sae.report._source import encode
from sklearn_sae.report._telling import (
    ACTIVE_SENTENCE,
    OF_NAME,
    joined,
    marks_of,
    sentences_with_words,
    words_of_names,
)

_OF_QUOTES = "the sentence that comes closest to the quotes"
_KEYWORDS = ('mentions "', 'mentions more of "')


def marks_for(source, names, neurons, items, annotations, shown):
    """Return the marks of the texts that are shown of each hypothesis.

    Parameters
    ----------
    source : Source or None
        The annotator, and the encoder that its neurons come from.
    names : list of str
        Of all hypotheses.
    neurons : list of int
        The column of the encoder's output behind each; empty without an encoder.
    items : list of tuple of str
    annotations : ndarray of shape (n_rows, n_hypotheses)
    shown : dict of int to list of int
        The rows of each hypothesis, by its column in `annotations`.

    Returns
    -------
    marks : dict of (column, row) to list of Marks
        One for each text of the row.
    meaning : dict of str to str
        What a marked "sentence" or "word" is.
    """
    annotator = None if source is None else source.annotator
    if annotator is None or (isinstance(annotator, KeywordHypothesisAnnotator) and annotator.judge == "words"):
        of_words = {column: rows for column, rows in shown.items() if names[column].startswith(_KEYWORDS)}
        tokenizer = getattr(annotator, "tokenizer", None)
        words = words_of_names(dict(enumerate(names)), items, of_words, tokenizer)
        return joined(shown, items, {}, words), {"word": OF_NAME}
    if isinstance(annotator, QuoteHypothesisAnnotator) and hasattr(annotator, "_rules"):
        sentences = _closest(annotator, items, annotations, shown)
        return joined(shown, items, sentences, {}), {"sentence": _OF_QUOTES}
    if source.encoder is None or source.annotates or not neurons:
        return joined(shown, items, {}, {}), {}
    return _of_neurons(source, neurons, items, annotations, shown)


def _closest(annotator, items, annotations, shown):
    """Return the sentence of each text that comes closest to the quotes, where the hypothesis holds for it."""
    names = annotator.hypotheses_["interpretation"].tolist()
    spans, places = {}, {}
    for row in {row for rows in shown.values() for row in rows}:
        for side, text in enumerate(items[row]):
            spans[row, side] = some = sentences_with_words(text) or [(0, len(text))]
            for start, end in some:
                places.setdefault(text[start:end], len(places))
    vectors = annotator._vectors(list(places))
    found = {}
    for column, rows in shown.items():
        rule = annotator._rules[names[column]]
        for row in rows:
            for side, text in enumerate(items[row]):
                if not _holds_on(annotations[row, column], side, len(items[row])):
                    continue
                some = spans[row, side]
                closeness = vectors[[places[text[start:end]] for start, end in some]] @ rule.direction
                found[column, row, side] = (some[int(closeness.argmax())],)
    return found


def _holds_on(annotation, side, n_sides):
    return annotation >= 0.5 if n_sides == 1 or side == 0 else annotation <= -0.5


def _of_neurons(source, neurons, items, annotations, shown):
    """Return the sentences, or behind a reader the words, on which neurons are active.

    Only the texts that are shown are encoded.
    """
    rows = sorted({row for some in shown.values() for row in some})
    place = {row: i for i, row in enumerate(rows)}
    some = [items[row] for row in rows]
    activations = encode(source.encoder, [item if len(item) > 1 else item[0] for item in some])
    holds = np.abs(np.nan_to_num(annotations[rows])) >= 0.5
    of_neurons = {
        neurons[column]: [place[row] for row in chosen if holds[place[row], column]] for column, chosen in shown.items()
    }
    without_keywords = source._replace(annotator=None)
    marks, meaning = marks_of(without_keywords, True, some, activations, of_neurons, [])
    nothing = [Marks()] * len(some[0])
    return {
        (column, row): marks.get((neurons[column], place[row]), nothing)
        for column, chosen in shown.items()
        for row in chosen
    }, {"sentence": ACTIVE_SENTENCE, "word": meaning}
