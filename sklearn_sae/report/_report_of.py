"""Reports of results: of a discovery, and of an evaluation alone."""

from numbers import Integral
from typing import Any, NamedTuple

import numpy as np

from sklearn_sae._across_seeds import methods_on_seeds, with_seeds
from sklearn_sae._show_versions import versions
from sklearn_sae._text_pairs import annotator_of, is_of_pairs
from sklearn_sae.annotation._short_names import short_names
from sklearn_sae.evaluation._correlation import correlations
from sklearn_sae.report._answer import answer_of, level_of, scores_of_discovery, scores_of_evaluation, title_of
from sklearn_sae.report._beyond import facts_beyond, holds_beyond
from sklearn_sae.report._by import by_of, with_facts
from sklearn_sae.report._content import Effect, Example, Hypothesis, Report
from sklearn_sae.report._corrected import NOTE_ON_TEXTS, is_corrected, with_corrections
from sklearn_sae.report._effect import value_of
from sklearn_sae.report._effects import estimates_of, form_of, in_order, positions
from sklearn_sae.report._examples import examples_of
from sklearn_sae.report._excerpt import plain
from sklearn_sae.report._explained import explained_of
from sklearn_sae.report._items import excerpts_of, first_of_copies, items_of
from sklearn_sae.report._marking import marks_for
from sklearn_sae.report._methods import methods_of, of_finding, of_tests
from sklearn_sae.report._sentences import effect_sentence, facts_of
from sklearn_sae.report._settings import parameters_of, shown_value
from sklearn_sae.report._source import source_of
from sklearn_sae.report._wording import predicted, wording_of

TEXTS = ("all", "fragments", "none")
_FRAGMENT = 30  # words around what is marked


class Shown(NamedTuple):
    """The texts that may be shown."""

    items: list  # of tuple of str: the text of a row, or the two of a pair
    prompts: list | None  # of pairs
    rows: np.ndarray  # (n_rows,) of int, their numbers
    max_words: int | None
    source: Any  # Source, of what is marked, or None
    neurons: list  # of int: the column of each hypothesis in the output of the encoder


def report_of_discovery(discovery, *, texts="fragments", about=(), rows=None):
    """Return the `Report` of a discovery.

    Parameters
    ----------
    discovery : Discovery
    texts : {"all", "fragments", "none"}, default="fragments"
        What is shown of the texts held out.
    about : sequence of str, default=()
        Sentences that say where the texts come from.
    rows : array-like of int or None, default=None
        The number of each text held out. None: those of `discovery.test`.

    Returns
    -------
    report : Report
    """
    if texts not in TEXTS:
        raise ValueError(f'texts must be "all", "fragments" or "none"; got {texts!r}.')
    if texts != "none" and discovery.texts is None:
        raise ValueError(
            'this discovery has no texts, because they are not kept when it is pickled or copied; pass texts="none".'
        )
    evaluation, annotator = discovery.evaluation, annotator_of(discovery.pipeline)
    target_name, text_name = discovery.target_name, discovery.settings.get("texts")
    are_pairs = is_of_pairs(discovery.pipeline)
    words = wording_of(evaluation.target, target_name, text_name, _names(evaluation), are_pairs=are_pairs)
    shown, rows = None, np.asarray(discovery.test if rows is None else rows)
    if texts != "none":
        items, prompts = items_of(discovery.texts)
        shown = Shown(
            items=items,
            prompts=prompts,
            rows=rows,
            max_words=_FRAGMENT if texts == "fragments" else None,
            source=source_of(discovery.pipeline),
            neurons=annotator.hypotheses_["neuron"].tolist(),
        )
    fidelity, rounds = annotator.hypotheses_["fidelity_f1"], annotator.hypotheses_.get("round")
    hypotheses, order, form, meaning = _hypotheses(evaluation, words, fidelity, shown, rounds)
    hypotheses = with_seeds(hypotheses, [_names(evaluation)[place] for place in order], discovery)
    metric, scores = scores_of_discovery(discovery)
    methods = methods_of(
        [
            *of_finding(discovery, words),
            *methods_on_seeds(discovery.settings),
            *of_tests(evaluation, words, held_out=True),
        ]
    )
    return Report(
        title=title_of(len(discovery.train) + len(discovery.test), words),
        question=(
            f"What in the {words.noun} predicts {predicted(words)}?",
            *about,
            *_described(discovery),
        ),
        answer=(*answer_of(hypotheses, scores, words, form, unseen=True), *holds_beyond(evaluation)),
        metric=metric,
        scores=scores,
        parameters=parameters_of(discovery.pipeline, discovery.settings),
        notes=_notes(discovery.notes, texts, annotator),
        texts=texts,
        marks=meaning,
        explained=explained_of(discovery, words, hypotheses, order, rows, shown),
        **_common(evaluation, words, order, hypotheses, methods),
    )


def report_of_evaluation(evaluation, texts=None, *, source=None, target_name=None, max_words=50):
    """Return the `Report` of an evaluation; the parameters are those of `HypothesisEvaluation.to_html`."""
    if max_words is not None and (not isinstance(max_words, Integral) or max_words < 1):
        raise ValueError(f"max_words={max_words!r} must be an integer, at least 1, or None.")
    if evaluation.annotations is None:
        raise ValueError("this evaluation has no annotations and no target, so it was made by hand; evaluate again.")
    n_rows = len(evaluation.annotations)
    items, prompts = (None, None) if texts is None else items_of(texts)
    if items is not None and len(items) != n_rows:
        raise ValueError(f"texts has {len(items):,} rows, and {n_rows:,} were annotated; pass the texts of these rows.")
    are_pairs = bool((evaluation.annotations <= -0.5).any() or (items and len(items[0]) == 2))
    if are_pairs and items and len(items[0]) == 1:
        raise ValueError("the annotations are of pairs; pass pairs of texts, a row each.")
    text_name = getattr(texts, "name", None)
    words = wording_of(
        evaluation.target,
        target_name or evaluation.target_name,
        text_name if isinstance(text_name, str) else None,
        _names(evaluation),
        are_pairs=are_pairs,
    )
    shown = None
    annotator, fidelity = None, None
    if source is not None:
        source = source_of(source)
        annotator = source.annotator
        if annotator is None or list(annotator.get_feature_names_out()) != _names(evaluation):
            raise ValueError(
                "source must be the annotator whose hypotheses were evaluated; this one has others or none."
            )
        if hasattr(annotator, "hypotheses_"):
            fidelity = annotator.hypotheses_["fidelity_f1"]
    if items is not None:
        neurons = [] if fidelity is None else annotator.hypotheses_["neuron"].tolist()
        shown = Shown(items, prompts, np.arange(n_rows), max_words, source, neurons)
    hypotheses, order, form, meaning = _hypotheses(evaluation, words, fidelity, shown)
    beside, labelled = (), ""
    if is_corrected(evaluation):
        labelled = f", of which people labelled {evaluation.metrics['n_labelled']:,}"
        hypotheses, beside = with_corrections(hypotheses, order, evaluation, words, form)
    metric, scores = scores_of_evaluation(evaluation)
    methods = methods_of(of_tests(evaluation, words, held_out=False))
    kind = "none" if items is None else "all" if max_words is None else "fragments"
    return Report(
        title=title_of(n_rows, words),
        question=(
            f"Which of {len(hypotheses):,} hypotheses predict {predicted(words)}?",
            f"They are tested on {evaluation.metrics['n_samples']:,} {words.noun}{labelled}.",
        ),
        answer=(*answer_of(hypotheses, scores, words, form, unseen=False), *holds_beyond(evaluation)),
        metric=metric,
        scores=scores,
        parameters=(
            ("alpha", f"{evaluation.alpha:g}"),
            ("correction", evaluation.correction),
            ("standard errors", evaluation.standard_errors),
            ("confidence", f"{evaluation.confidence:g}"),
        ),
        notes=(*_notes(evaluation.notes, kind, annotator), *[NOTE_ON_TEXTS] * bool(beside and items)),
        texts=kind,
        marks=meaning,
        beside=beside,
        **_common(evaluation, words, order, hypotheses, methods),
    )


def _described(discovery):
    """Return the target, the split and the reader in words, without the folder of a model."""
    encoder = annotator_of(discovery.pipeline).encoder
    model = str(encoder["read"].model) if "read" in encoder.named_steps else ""
    lines = (plain(line) for line in discovery.description.splitlines())
    return [line.replace(model, shown_value("model", model)) if model else line for line in lines]


def what_is_shown(report):
    """Return what a report shows of the texts, as the end of a sentence whose subject is the file."""
    if report.texts == "none":
        said = "shows no text"
        if any(note.startswith("No text is shown, but") for note in report.notes):
            said += ", but the names of the hypotheses are quotes, which are fragments of texts"
        return f"{said}."
    examples = [example for one in report.hypotheses for some in one.examples.values() for example in some]
    n = len({example.row for example in [*examples, *(one.example for one in report.explained)]})
    of = f"{n:,} of the {report.noun} held out"
    return f"shows {of} in full." if report.texts == "all" else f"shows up to {_FRAGMENT} words of {of}."


def _common(evaluation, words, order, hypotheses, methods):
    between = correlations(evaluation.annotations, evaluation.annotations)
    by = by_of(evaluation, words, hypotheses, order)
    return {
        "unit": words.unit,
        "confidence": evaluation.confidence,
        "level": level_of(evaluation),
        "hypotheses": tuple(with_facts(hypotheses, by)),
        "by": by,
        "correlations": between[np.ix_(order, order)],
        "versions": tuple(versions().items()),
        "methods": methods.text,
        "references": methods.references,
        "bibtex": methods.bibtex,
        "noun": words.noun,
        "target": words.target,
    }


def _names(evaluation):
    return evaluation.table["hypothesis"].tolist()[: evaluation.metrics["n_hypotheses"]]


def _notes(notes, texts, annotator):
    """Return the notes, without words of texts where none may be shown."""
    return tuple(notes) if texts != "none" else notes_without_texts(notes, annotator)


def notes_without_texts(notes, annotator):
    """Return notes without words of texts."""
    kept = [note for note in notes if not note.startswith("Nearly all texts")]
    if getattr(annotator, "quote", False):
        kept.append("No text is shown, but the names of the hypotheses are quotes, which are fragments of texts.")
    return tuple(kept)


def _hypotheses(evaluation, words, fidelity, shown, rounds=None):
    """Return the hypotheses in order, their places in the evaluation, the format of effects, and what marks mean."""
    names, annotations = _names(evaluation), evaluation.annotations
    effects = _effects(evaluation, words, names)
    order = in_order(effects)
    numbers = [0] * len(order)
    for number, place in enumerate(order, start=1):
        numbers[place] = number
    forms = tuple(form_of([effect[side] for some in effects for effect in some]) for side in (1, 2))
    between = correlations(annotations, annotations)
    fidelity = np.full(len(names), np.nan) if fidelity is None else np.asarray(fidelity, dtype=np.float64)
    examples, meaning = _examples(evaluation, words, names, effects, shown)
    short = short_names(names)
    options = {"words": words, "forms": forms, "confidence": evaluation.confidence}
    hypotheses = [
        Hypothesis(
            number=numbers[i],
            name=plain(names[i]),
            short=plain(short[i]),
            effects=effects[i],
            n_holds=int(np.count_nonzero(np.abs(annotations[:, i]) >= 0.5)),
            n_answered=int(np.count_nonzero(~np.isnan(annotations[:, i]))),
            fidelity=float(fidelity[i]),
            facts=_of_round(rounds, i)
            + facts_beyond(
                facts_of(i, effects[i], fidelity[i], between, numbers, annotations[:, i], evaluation.target, **options),
                positions(evaluation)[i],
                evaluation,
                words,
                forms[0],
            ),
            examples=examples[i],
        )
        for i in order
    ]
    return hypotheses, order, forms[0], meaning


def _of_round(rounds, i):
    if rounds is None:
        return ()
    leave = ", for what those before leave" if rounds.iloc[i] > 1 else ""
    return (f"It was found in round {rounds.iloc[i]}{leave}.",)


def _effects(evaluation, words, names):
    """Return the effects of each hypothesis: one, or one of each class."""
    table, target = evaluation.table, evaluation.target
    rows = [[table.iloc[row] for row in some] for some in positions(evaluation)]
    estimates = [[estimates_of(row, words) for row in some] for some in rows]
    form = form_of([own for some in estimates for own, _ in some])
    effects = []
    for i, (some, of_rows) in enumerate(zip(estimates, rows, strict=True)):
        annotation = evaluation.annotations[:, i]
        of_hypothesis = []
        for (own, joint), row in zip(some, of_rows, strict=True):
            code = _code(row, target)
            sentence = effect_sentence(own, annotation, target, code, words, form, evaluation.confidence)
            of = words.labels[code] if "class" in row else ""
            of_hypothesis.append(Effect(of, own, joint, plain(sentence)))
        effects.append(tuple(of_hypothesis))
    return effects


def _code(row, target):
    if "class" not in row:
        return None if target.classes is None else 1
    return target.classes.tolist().index(row["class"])


def _examples(evaluation, words, names, effects, shown):
    """Return the example texts of each hypothesis, and what is marked in them."""
    if shown is None:
        return [{} for _ in names], {}
    target, annotations, is_first = evaluation.target, evaluation.annotations, first_of_copies(shown.items)
    groups = [
        examples_of(annotations[:, i], target, shown.items, is_first, words, effects[i]) for i in range(len(names))
    ]
    rows = {i: sorted({row for some in one.values() for row in some}) for i, one in enumerate(groups)}
    marks, meaning = marks_for(shown.source, names, shown.neurons, shown.items, annotations, rows)

    def example(i, row):
        prompt = None if shown.prompts is None else shown.prompts[row]
        excerpts = excerpts_of(shown.items[row], marks[i, row], prompt, shown.max_words)
        value = words.scale[int(target.values[row]) - 1] if words.scale else plain(value_of(target, row))
        return Example(int(shown.rows[row]), value, excerpts)

    examples = [
        {kind: tuple(example(i, row) for row in some) for kind, some in one.items()} for i, one in enumerate(groups)
    ]
    kinds = {
        kind
        for some in marks.values()
        for one in some
        for kind, n in (("sentence", one.sentences), ("word", one.words))
        if n
    }
    return examples, {kind: what for kind, what in meaning.items() if kind in kinds}
