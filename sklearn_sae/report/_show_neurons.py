"""Neurons with the texts that show what they are about."""

from numbers import Integral
from typing import NamedTuple

import numpy as np
from sklearn.utils import check_consistent_length

from sklearn_sae.annotation._neurons import check_neurons, column, density_of
from sklearn_sae.report._effect import effect_of, selection_effect, value_of
from sklearn_sae.report._excerpt import plain
from sklearn_sae.report._items import excerpts_of, first_of_copies, items_of
from sklearn_sae.report._rows import groups_of
from sklearn_sae.report._source import Source, encode, facts_of, source_of
from sklearn_sae.report._telling import ACTIVE_SENTENCE, marks_of
from sklearn_sae.report._view import Neuron, NeuronView, Shown
from sklearn_sae.utils._targets import Target, check_target
from sklearn_sae.utils._validation import check_alignment, counted

_MOST_UNNAMED = 20  # neurons that are shown if none has a name
_FITS_A_LINE = 60  # characters; a longer name goes under its short form


def show_neurons(source, texts, y=None, *, X=None, neurons=None, n=3, max_words=50):
    """Show what neurons are about: names, effects, and texts with the telling sentences marked.

    Parameters
    ----------
    source : estimator, Discovery or {array-like, sparse matrix} of shape (n_samples, n_neurons)
        A fitted annotator, or what holds one: a pipeline, a search, a `PairTransformer` or a `ChunkTransformer`, a
        `Discovery`. Else a fitted transformer to activations, or the activations of the texts, by columns of a frame
        with their names.
    texts : sequence of str, or of (str, str), or of (str, str, str)
        The texts, or pairs of texts with or without the prompt of each before them, to choose from; any texts, not only
        those that `source` was fitted on.
    y : array-like of shape (n_samples,), default=None
        The target, for the effect of each neuron. None: the effect is the score by which the neuron was selected, if
        it was.
    X : {array-like, sparse matrix} of shape (n_samples, n_features), default=None
        What `source` takes if that is not the texts: ready embeddings or, for an annotator with ``encoder=None``, the
        activations.
    neurons : int, "all", array-like of int or None, default=None
        Which to show. An int: so many, those with the strongest effect first (without effects, those that are active
        in the most texts). An array: columns of the activations, as in the ``neuron`` of `hypotheses_`, in this order.
        None: those that have a name, or 20 if none has.
    n : int, default=3
        How many texts to show of each kind: those that activate the neuron most, those around the upper quartile of
        the activating ones, and those that do not activate it, which are spread over all.
    max_words : int or None, default=50
        Of a longer text so many words are shown, around what is marked. None: all.

    Returns
    -------
    view : NeuronView
        It prints as text, as wide as the terminal, and shows as HTML in a notebook.

    Raises
    ------
    TypeError, ValueError
        If a text is missing, empty or no str; lengths differ; `source` needs `X`, or is an array and `X` is given; or
        `neurons`, `n` or `max_words` is wrong.

    See Also
    --------
    KeywordHypothesisAnnotator : Names neurons by words.
    QuoteHypothesisAnnotator : Names them by quotes of the texts.
    LLMHypothesisAnnotator : Has a language model name them.
    evaluate_hypotheses : Tests what the names say.
    analysis.top_documents : The documents in which a feature is most active, as a table.

    Notes
    -----
    Sentences are found by encoding those of the texts that are shown, each alone, where the encoder takes texts. Behind
    a `ReaderSAETransformer` or a `PretrainedSAETransformer` the words are marked on which the neuron is active. The
    words that a name of a `KeywordHypothesisAnnotator` tests are marked in all texts, except behind a reader. Of copies
    of a text one is shown. Where an annotator has no neurons (with ``hypotheses=``, or loaded from a file), what is
    shown are its annotations, for which a language model is asked as in `transform`. See docs/report.md.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sae import show_neurons
    >>> texts = ["Cold soup.", "Good soup.", "Rude staff.", "They were rude.", "Fine."]
    >>> activations = np.array([[2.0, 1.5, 0, 0, 0], [0, 0, 1.2, 1.8, 0]]).T
    >>> show_neurons(activations, texts, [2, 4, 1, 1, 3], neurons=[1], n=1)
    1 of 2 neurons, on 5 texts.
    <BLANKLINE>
    [1] neuron 1
        active in 2 of 5 texts (40%) · mean y 1 where active, 3 elsewhere (-2)
      most active
        - row 3, y 1: They were rude.
      strong, upper quartile
        - row 2, y 1: Rude staff.
      not active
        - row 1, y 4: Good soup.
    """
    asked = {"n": n, "max_words": 1 if max_words is None else max_words}
    if isinstance(neurons, Integral):
        asked["neurons"] = neurons
    for name, value in asked.items():
        if not isinstance(value, Integral) or value < 1:
            raise ValueError(f"{name}={value!r} must be an integer, at least 1.")
    check_alignment(texts, y, name="texts")
    data = _data(texts, y)
    found, X, encodes_texts = _found(source, X, data.items, data.prompts)
    activations = encode(found.encoder, X)
    check_consistent_length(activations, data.items)
    facts, named = facts_of(found, X, activations.shape[1])

    candidates = _candidates(neurons, named, activations)
    effects = {i: _effect(column(activations, i), facts[i], data) for i in candidates}
    columns = _chosen(neurons, candidates, effects, n_most=len(named) or _MOST_UNNAMED)
    is_first = first_of_copies(data.items)
    groups = {i: groups_of(column(activations, i), is_first, n, are_pairs=data.are_pairs) for i in columns}
    shown = {i: sorted({row for rows in groups[i].values() for row in rows}) for i in columns}
    marks, word = marks_of(found, encodes_texts, data.items, activations, shown, facts)

    view = []
    for i in columns:
        activation, name = column(activations, i), plain(facts[i]["name"])
        rows = {row: _shown(row, activation[row], marks[i, row], data, max_words) for row in shown[i]}
        view.append(
            Neuron(
                column=i,
                feature=facts[i]["feature"],
                name=name,
                short=plain(facts[i].get("short", "")) if len(name) > _FITS_A_LINE else "",
                facts=_in_words(activation, facts[i], effects[i], data.are_pairs),
                groups={kind: [rows[row] for row in some] for kind, some in groups[i].items()},
            )
        )
    part = f"{len(view)} of " if len(view) < len(facts) else ""
    of = counted(len(data.items), "pair" if data.are_pairs else "text")
    return NeuronView(
        view, f"{part}{counted(len(facts), 'neuron')}, on {of}", {"sentence": ACTIVE_SENTENCE, "word": word}
    )


class _Data(NamedTuple):
    """What neurons are looked at on."""

    items: list  # of tuples: the text of a row, or the two of a pair
    prompts: list | None  # of pairs
    target: Target | None
    target_name: str

    @property
    def are_pairs(self):
        return len(self.items[0]) == 2


def _data(texts, y):
    items, prompts = items_of(texts)
    target = None if y is None else check_target(y, n_samples=len(items))
    return _Data(items, prompts, target, plain(str(getattr(y, "name", None) or "y")))


def _found(source, X, items, prompts=None):
    """Return the `Source`, what its encoder takes, and whether that is the texts."""
    if not hasattr(source, "fit") and not hasattr(source, "pipeline"):
        if X is not None:
            raise ValueError("X is for an estimator that takes something else than texts; here source is an array.")
        return Source(None, None), source, False
    found = source_of(source)
    if X is not None:
        return found, X, False
    if found.encoder is None:
        raise ValueError(
            "X is missing. The annotator has no encoder, so pass what it was fitted on: X=activations, of these texts."
        )
    if prompts is not None:
        return found, [(prompt, *item) for prompt, item in zip(prompts, items, strict=True)], True
    return found, [item if len(item) == 2 else item[0] for item in items], True


def _candidates(neurons, named, activations):
    """Return the columns of which some may be shown."""
    if neurons is not None and not isinstance(neurons, Integral):
        return check_neurons(neurons, activations).tolist()
    if named and neurons is None:
        return named
    density = density_of(activations)
    return sorted(named or range(len(density)), key=lambda i: -density[i])


def _chosen(neurons, candidates, effects, *, n_most):
    """Return the columns to show, in order: unless they are given, the strongest effects first."""
    if neurons is not None and not isinstance(neurons, Integral):
        return candidates
    order = sorted(candidates, key=lambda i: 0 if effects[i] is None else -abs(effects[i].size))
    return order[: n_most if neurons is None else neurons]


def _effect(activation, facts, data):
    if data.target is None:
        return selection_effect(facts)
    other = activation < 0 if data.are_pairs else activation <= 0
    where = ("where the first has more", "where the second has") if data.are_pairs else ("where active", "elsewhere")
    return effect_of(activation > 0, other, data.target, data.target_name, where=where)


def _shown(row, activation, marks, data, max_words):
    value = "" if data.target is None else f"{data.target_name} {plain(value_of(data.target, row))}"
    prompt = None if data.prompts is None else data.prompts[row]
    return Shown(row, float(activation), value, excerpts_of(data.items[row], marks, prompt, max_words))


def _in_words(activation, facts, effect, are_pairs):
    """Return in words how often a neuron is active, which way the target goes, and how well its name agrees."""
    n_known, n_active = np.isfinite(activation).sum(), (activation > 0).sum()
    if are_pairs:
        share = f"more in the first of {n_active:,} pairs, in the second of {(activation < 0).sum():,}, of {n_known:,}"
    else:
        share = f"active in {n_active:,} of {counted(n_known, 'text')} ({n_active / max(n_known, 1):.0%})"
    words = [share] if effect is None else [share, effect.words]
    if "fidelity_f1" in facts:
        words.append(f"F1 of the name {facts['fidelity_f1']:.2f}")
    if facts["feature"] != facts["name"]:
        words.append(facts["feature"])
    return tuple(map(plain, words))
