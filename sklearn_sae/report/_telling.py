"""Which sentences and words of a text make a neuron active."""

import warnings
from bisect import bisect_left

import numpy as np

from sklearn_sae.annotation import KeywordHypothesisAnnotator
from sklearn_sae.annotation._keywords import match_sentences
from sklearn_sae.annotation._latents import latents_of
from sklearn_sae.report._excerpt import Marks
from sklearn_sae.report._source import encode
from sklearn_sae.utils._sentences import sentence_spans
from sklearn_sae.utils._words import word_spans

_MOST = 3  # sentences that are marked in a text
_SHARE = 0.5  # a sentence is telling if it alone is at least so active, as a share of the most active one
OF_NAME, _ACTIVE = "what the name looks for", "what the neuron is active on"
ACTIVE_SENTENCE = "a sentence on which alone the neuron is active"


def marks_of(source, encodes_texts, items, activations, shown, facts):
    """Return what to mark in the texts that are shown of each neuron.

    Parameters
    ----------
    source : Source
    encodes_texts : bool
        Whether the encoder takes texts, so that parts of them can be encoded.
    items : list of tuple of str
        The texts of each row: one, or the two of a pair.
    activations : csc_array of shape (n_rows, n_neurons)
    shown : dict of int to list of int
        For each neuron that is shown the rows of it.
    facts : list of dict

    Returns
    -------
    marks : dict of (column, row) to list of Marks
        One for each text of the row.
    meaning : str
        What a marked word is.
    """
    is_active = (activations != 0) if len(items[0]) > 1 else (activations > 0)
    active = {column: [row for row in rows if is_active[row, column]] for column, rows in shown.items()}
    sentences, words, meaning = {}, {}, OF_NAME
    latents = latents_of(source.encoder) if encodes_texts else None
    if latents is not None:
        words, meaning = _active_words(latents, items, active), _ACTIVE
    elif isinstance(source.annotator, KeywordHypothesisAnnotator):
        names = {column: facts[column]["name"] for column in shown}
        words = words_of_names(names, items, shown, source.annotator.tokenizer)
    if latents is None and encodes_texts and not source.annotates:
        sentences = _telling_sentences(source.encoder, items, activations, active)
    return joined(shown, items, sentences, words), meaning


def joined(shown, items, sentences, words):
    """Return the marks of each row that is shown, from the spans of its sentences and words by column, row and side."""
    return {
        (column, row): [
            Marks(sentences.get((column, row, side), ()), words.get((column, row, side), ()))
            for side in range(len(items[row]))
        ]
        for column, rows in shown.items()
        for row in rows
    }


def _telling_sentences(encoder, items, activations, active):
    """Return the sentences that make a neuron active, found by encoding each in the place of its text."""
    spans, places = {}, {}  # of each text, and of each item to encode
    for row in {row for rows in active.values() for row in rows}:
        for side, text in enumerate(items[row]):
            spans[row, side] = some = sentences_with_words(text)
            for start, end in some if len(some) > 1 else ():
                places.setdefault(_with(items[row], side, text[start:end]), len(places))
    if not places:
        return {}
    given = [item if len(item) > 1 else item[0] for item in places]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # which would speak of sentences as if they were texts
        alone = encode(encoder, given).tocsr()
    telling = {}
    for column, rows in active.items():
        of_column = alone[:, [column]].toarray().ravel()
        for row in rows:
            sign = np.sign(activations[row, column])
            side = 0 if sign > 0 else len(items[row]) - 1
            some = spans[row, side]
            if len(some) > 1:
                text = items[row][side]
                found = [places[_with(items[row], side, text[start:end])] for start, end in some]
                telling[column, row, side] = _strongest(some, sign * of_column[found])
    return telling


def _with(item, side, text):
    return (*item[:side], text, *item[side + 1 :])


def sentences_with_words(text):
    """Return the spans of the sentences of a text that have a letter or a digit."""
    return [(start, end) for start, end in sentence_spans(text) if any(sign.isalnum() for sign in text[start:end])]


def _strongest(spans, values):
    """Return the spans of the most active sentences, at least half as active as the first of them."""
    enough = values >= max(_SHARE * values.max(), np.finfo(np.float32).tiny)
    return tuple(spans[i] for i in np.argsort(-values, kind="stable")[:_MOST] if enough[i])


def _active_words(latents, items, active):
    """Return the runs of words or tokens on which a reader's neuron is active, the strongest first."""
    found = {}
    for column, rows in active.items():
        tables = latents.token_activations([items[row][0] for row in rows], column) if rows else []
        for row, table in zip(rows, tables, strict=True):
            found[column, row, 0] = _runs(items[row][0], table[table["activation"] > 0])
    return found


def _runs(text, tokens):
    """Return the spans of active tokens, those joined between which there is nothing but space; strongest first."""
    runs = []
    for start, end, activation in tokens[["start", "end", "activation"]].itertuples(index=False):
        start += len(text[start:end]) - len(text[start:end].lstrip())
        if runs and not text[runs[-1][1] : start].strip():
            first, _, strength = runs.pop()
            start, activation = first, max(strength, activation)
        runs.append((start, end, activation))
    return tuple((start, end) for start, end, _ in sorted(runs, key=lambda run: -run[2]))


def words_of_names(names, items, shown, tokenizer=None):
    """Return the words and phrases for which names of keywords hold, in the order of the text.

    Parameters
    ----------
    names : dict of int to str
        The name of each column.
    items : list of tuple of str
    shown : dict of int to list of int
        The rows of each column.
    tokenizer : callable or None, default=None
        That of the annotator.

    Returns
    -------
    found : dict of (column, row, side) to tuple of spans
    """
    longest = max((len(term.split()) for name in names.values() for term in name.split('"')[1::2]), default=1)
    runs = {}  # the words of each text, and its phrases of each length, as spans
    for row in {row for rows in shown.values() for row in rows}:
        for side, text in enumerate(items[row]):
            spans = word_spans(text)[0].tolist()
            runs[row, side] = [
                (start, spans[i + n][1]) for n in range(longest) for i, (start, _) in enumerate(spans[: len(spans) - n])
            ]
    found = {}
    for column, rows in shown.items():
        places = {}
        for row in rows:
            for side, text in enumerate(items[row]):
                for start, end in runs[row, side]:
                    places.setdefault(text[start:end], len(places))
        holds = match_sentences(list(places), [names[column]], tokenizer=tokenizer)[:, 0]
        for row in rows:
            for side, text in enumerate(items[row]):
                some = [span for span in runs[row, side] if holds[places[text[slice(*span)]]]]
                found[column, row, side] = _shortest(some)
    return found


def _shortest(spans):
    """Return the spans, shorter ones first, without those that have another in them."""
    kept = []  # in order; as none has another in it, of those that begin later the first also ends first
    for start, end in spans:
        place = bisect_left(kept, (start,))
        if place == len(kept) or kept[place][1] > end:
            kept.insert(place, (start, end))
    return tuple(kept)
