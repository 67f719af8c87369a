"""The whole way from texts and a target to tested hypotheses."""

from numbers import Integral, Real
from typing import NamedTuple

import numpy as np
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import Pipeline

from sklearn_sae._baselines import WordPresence, n_words_in, predictions, ridge_score, score
from sklearn_sae._beyond_controls import target_to_find_for
from sklearn_sae._check_discovery import check_discovery_target, refuse_useless_groups
from sklearn_sae._check_pipeline import check_pipeline
from sklearn_sae._describe import describe
from sklearn_sae._discovery import Discovery
from sklearn_sae._fit_once import fit_once, leave_out_near_copies
from sklearn_sae._pipeline import make_hypothesis_pipeline
from sklearn_sae._sample_size import (
    n_hypotheses_for,
    notes_on_classes,
    notes_on_copies,
    notes_on_size,
    notes_on_weights,
)
from sklearn_sae._spending import check_cost
from sklearn_sae._split import joined, split
from sklearn_sae.evaluation._evaluate import evaluate
from sklearn_sae.utils._controls import Controls, check_controls, check_weights
from sklearn_sae.utils._copies import copies
from sklearn_sae.utils._notes import noted, warn
from sklearn_sae.utils._sklearn_compat import HasMethods, Interval, StrOptions, validate_params
from sklearn_sae.utils._targets import TASKS, Target, as_given
from sklearn_sae.utils._validation import check_alignment, check_groups, check_texts
from sklearn_sae.utils._words import forget

_POSITIVE = Interval(Integral, 1, None, closed="left")


@validate_params(
    {
        "texts": "no_validation",
        "y": "no_validation",
        "embedder": [str, HasMethods(["fit", "transform"]), None],
        "reader": [str, HasMethods(["fit", "transform", "word_activations"]), None],
        "unit": [StrOptions({"auto", "document", "sentence"})],
        "task": [StrOptions(set(TASKS))],
        "n_components": [_POSITIVE, StrOptions({"auto"})],
        "k": [_POSITIVE, StrOptions({"auto"})],
        "n_hypotheses": [_POSITIVE, StrOptions({"auto"})],
        "target_weight": [Interval(Real, 0, None, closed="left")],
        "naming": [
            StrOptions({"keywords", "quotes", "llm"}),
            HasMethods(["fit", "transform", "get_feature_names_out"]),
        ],
        "groups": "no_validation",
        "controls": "no_validation",
        "sample_weight": "no_validation",
        "test_size": [Interval(Real, 0, 1, closed="neither")],
        "alpha": [Interval(Real, 0, 1, closed="neither")],
        "correction": [StrOptions({"bonferroni", "holm", "fdr_bh", "benjamini-hochberg"})],
        "max_cost": [Interval(Real, 0, None, closed="left"), None],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def discover(
    texts,
    y,
    *,
    embedder=None,
    reader=None,
    unit="auto",
    task="auto",
    n_components="auto",
    k="auto",
    n_hypotheses="auto",
    target_weight=0.2,
    naming="keywords",
    groups=None,
    controls=None,
    sample_weight=None,
    test_size=0.2,
    alpha=0.05,
    correction="bonferroni",
    max_cost=None,
    random_state=None,
):
    """Find out, in plain language, what in the texts predicts the target, and test it on texts held out.

    Some of the texts are held out. The pipeline of `make_hypothesis_pipeline` is fitted on the others, which finds and
    names hypotheses. The texts held out are then annotated by the names, and the annotations are tested.

    Parameters
    ----------
    texts : sequence of str, 1-D array, Series, or one-column frame
        The texts.

    y : array-like of shape (n_texts,)
        The target: numbers, also written as text ("4,5", "45%"), or classes. Its name, if it is a Series that has one,
        is used in what is printed.

    embedder : estimator, str or None, default=None
        What turns texts into dense vectors. A str is the model of an `EmbeddingTransformer`; None is TF-IDF followed by
        truncated SVD, which needs no download, and with quotes all-MiniLM-L6-v2 of the extra `minilm`.

    reader : ReaderSAETransformer, str or None, default=None
        What trains the autoencoder on the words of the texts, in place of one vector a text; it excludes `embedder`. A
        str is a model, such as "all-MiniLM-L6-v2". See `make_hypothesis_pipeline`.

    unit : {"auto", "document", "sentence"}, default="auto"
        Whether whole texts are embedded or their sentences. "auto": sentences, where `embedder` is a model of
        sentences and texts have several. See `make_hypothesis_pipeline`.

    task : {"auto", "regression", "binary", "multiclass", "ordinal"}, default="auto"
        What `y` is. "auto": two distinct values are two classes, of which the later is the positive one; more are
        classes, each against the rest, if they are strings or categories, else a regression. "ordinal" is a regression
        on the places 1, 2, ... of classes that have an order: ordered categories of pandas, a known scale such as
        "never" to "always", or numbers.

    n_components : int or "auto", default="auto"
        M, the number of neurons of the autoencoder. "auto" goes by the number of texts, sentences or words that are
        read, and is at least `n_hypotheses`.

    k : int or "auto", default="auto"
        K, the neurons active per text, sentence or word. "auto" is 8, or M / 4 if that is less; for sentences and with
        a `reader` see `make_hypothesis_pipeline`.

    n_hypotheses : int or "auto", default="auto"
        How many hypotheses to find. "auto" is 20, or fewer where there are few texts to test them on: one for every
        ten, of which copies and groups count once. Fewer come out if too few neurons have names that differ and fit.

    target_weight : float, default=0.2
        How much the training of the autoencoder attends to the target; 0 trains without it. See
        `make_hypothesis_pipeline`.

    naming : {"keywords", "quotes", "llm"} or annotator, default="keywords"
        What names the neurons: a `KeywordHypothesisAnnotator`, a `QuoteHypothesisAnnotator`, an
        `LLMHypothesisAnnotator`, or one of them with parameters of your own (its ``encoder`` is set here). Quotes are
        fragments of the texts, shown in the table and in reports; they need a sentence model.

    groups : array-like of shape (n_texts,), default=None
        Labels of what texts have in common, such as the author or the restaurant. The texts of a group are then never
        on both sides of the split, `test_size` is a share of the groups, and the tests are cluster-robust, as in
        `evaluate_hypotheses`. Groups that share a text are on the same side.

    controls : DataFrame, Series or array-like of shape (n_texts,) or (n_texts, n_controls), default=None
        What else may explain the target, such as the length of the text, the topic or the author; numbers and
        categories, as in `evaluate_hypotheses`. Hypotheses are found in what the controls leave of the target, of two
        classes in what they leave of the share of the second, and tested beyond them. Of more than two classes only
        the tests are beyond the controls. Scores and predictions are of the target itself.

    sample_weight : array-like of shape (n_texts,), default=None
        How much each text counts, as in a survey: in the tests, in the model that predicts, and in what controls leave.
        Neurons are trained, selected and named from the texts as they are, and the scores are without weights. Texts of
        weight 0 are left out.

    test_size : float, default=0.2
        Share of the texts to hold out, between 0 and 1. Copies of a text, near ones too, count once and are never on
        both sides; where there are any among the texts held out, the tests are cluster-robust as with `groups`. Without
        `groups`, classes keep their shares.

    alpha : float, default=0.05
        Level of significance, after the correction for the number of hypotheses.

    correction : {"bonferroni", "holm", "fdr_bh"}, default="bonferroni"
        The correction, as in `evaluate_hypotheses`.

    max_cost : float or None, default=None
        What the language model may cost, in the currency of the `prices` of the `LLMHypothesisAnnotator` that `naming`
        is. A run that is estimated to cost more does not begin; see `estimate_cost` for what cannot be known before.

    random_state : int, RandomState instance or None, default=None
        Seeds the split and every stage that draws random numbers. An annotator or embedder of your own keeps its own
        seed. Pass an int for the same result at every call.

    Returns
    -------
    discovery : Discovery
        With `table`, `scores`, `notes` and the fitted `pipeline`; it prints as a table.

    Raises
    ------
    TypeError, ValueError
        If a parameter is out of its range; if a text is missing, empty or no str; if `y`, `groups`, `controls` or
        `sample_weight` has another length, or the first two a missing value, `y` the index of `texts` in another order,
        or `groups` are the texts or `y` themselves; if the target is constant, on one side of the split too, has nearly
        as many classes as there are texts, or is a linear combination of the controls; if there are too few texts (or
        groups) to split; if the run is estimated to cost more than `max_cost`, or no price is known; if `k` or
        `n_hypotheses` is larger than the number of neurons; if a
        language model is to be asked and there is no key. All of that is checked before the work begins.
    ConnectionError, PermissionError
        If the server of a language model cannot be reached, or rejects the key, and no answers of the model are stored.

    Warns
    -----
    UserWarning
        Once for each of the `notes`.

    See Also
    --------
    make_hypothesis_pipeline : The pipeline alone, for cross-validation and searches.
    evaluate_hypotheses : The tests alone, with more options.
    show_neurons : Shows the texts that tell what each hypothesis is about.
    sklearn.model_selection.train_test_split : A split that may part the copies of a text.
    sklearn.model_selection.GroupShuffleSplit : A split of groups alone.

    Notes
    -----
    The held-out score is that of the pipeline's model: R² for a regression, AUC for classes (its mean over the
    classes where there are more than two, each against the rest). Beside it stands what others reach on the same texts:
    as many single words, chosen by lasso; as many words as the names have in all; and the embedding, or with a
    `reader` all neurons, both by ridge regression. See docs/discover.md.

    The command ``sklearn-sae discover`` calls this function.

    Examples
    --------
    >>> from sklearn_sae import discover
    >>> from sklearn_sae.datasets import make_concept_texts
    >>> reviews = make_concept_texts(1000, n_concepts=5, noise=0.1, random_state=2)
    >>> found = discover(reviews.data, reviews.target, n_hypotheses=6, random_state=0)
    >>> found.table[["hypothesis", "separation_score", "significant"]].shape
    (6, 3)
    >>> found.scores["r2"] > found.scores["r2_words"]
    True
    >>> found.pipeline.predict(["There was no end to the wait for our soup."]).shape
    (1,)
    """
    plan = plan_discovery(
        texts,
        y,
        embedder=embedder,
        reader=reader,
        unit=unit,
        task=task,
        n_components=n_components,
        k=k,
        n_hypotheses=n_hypotheses,
        target_weight=target_weight,
        naming=naming,
        groups=groups,
        controls=controls,
        sample_weight=sample_weight,
        test_size=test_size,
        alpha=alpha,
        correction=correction,
        max_cost=max_cost,
        random_state=random_state,
    )
    discovery = carry_out(plan)
    for note in discovery.notes:
        warn(note)
    return discovery


class Plan(NamedTuple):
    """The parameters of `discover` after all checks, the split and the pipeline that will be fitted."""

    texts: np.ndarray  # (n_texts,) of str
    target: Target
    target_name: str | None
    train: np.ndarray  # rows to find hypotheses on
    test: np.ndarray  # rows to test them on
    clusters: np.ndarray | None  # (n_test,) of int: which rows to test on belong together
    pipeline: Pipeline  # not fitted
    n_hypotheses: int
    controls: Controls | None  # of all texts
    weights: np.ndarray | None  # (n_texts,)
    found_for: np.ndarray | None  # (n_train,) what the controls leave of the target, if hypotheses are found in that
    alpha: float
    correction: str
    description: str  # of the target and the split, as lines
    notes: tuple  # of str
    settings: dict  # parameters that are not of the pipeline


def plan_discovery(
    texts,
    y,
    *,
    embedder,
    reader=None,
    unit="auto",
    task="auto",
    n_components,
    k,
    n_hypotheses="auto",
    target_weight,
    naming,
    groups=None,
    controls=None,
    sample_weight=None,
    test_size,
    alpha=0.05,
    correction="bonferroni",
    max_cost=None,
    random_state,
):
    """Check the parameters of `discover`, split the texts and build the pipeline; return the `Plan`."""
    with noted() as on_rows:
        check_alignment(texts, y, name="texts")
        check_alignment(texts, groups, name="texts", other_name="groups")
        check_alignment(texts, sample_weight, name="texts", other_name="sample_weight")
        controls = check_controls(controls, len(texts), X=texts, X_name="texts")
    texts_name, target_name, groups_name = (getattr(some, "name", None) for some in (texts, y, groups))
    texts_name, target_name = (name if isinstance(name, str) else None for name in (texts_name, target_name))
    groups_name = "none" if groups is None else groups_name if isinstance(groups_name, str) else "given"
    texts = np.array(check_texts(texts, name="texts"), dtype=object)
    name = "y" if target_name is None else f"the target {target_name!r}"
    target = check_discovery_target(y, task, len(texts), name)
    refuse_useless_groups(groups, texts, y)
    groups = check_groups(groups, len(texts))
    of_copies = copies(texts.tolist())
    units = joined(of_copies, groups)
    what = ("different text", "different texts") if groups is None else ("group of texts", "groups of texts")
    on_copies = list(notes_on_copies(of_copies, groups, len(np.unique(units))))
    options = {"name": name, "what": what, "why": on_copies}
    train, test = split(units, target, groups is None, test_size, random_state, **options)
    weights = check_weights(sample_weight, len(texts))
    if weights is not None:
        train, test = (rows[weights[rows] > 0] for rows in (train, test))
        on_rows += notes_on_weights(weights)
    found_for, on_classes = target_to_find_for(target, controls, weights, train, name=name)
    on_rows += on_classes
    n_units = len(np.unique(units[test]))
    notes = [note.replace("the target", "The target", 1) for note in target.notes]
    notes += [*on_rows, *notes_on_size(n_hypotheses, len(texts), n_units, what), *notes_on_classes(target, test)]
    notes += on_copies
    if n_hypotheses == "auto":
        n_hypotheses = n_hypotheses_for(n_units)
        n_hypotheses = n_hypotheses if n_components == "auto" else min(n_hypotheses, n_components)
    is_regression = target.task == "regression"
    pipeline = make_hypothesis_pipeline(
        embedder,
        reader=reader,
        unit=unit,
        n_components=n_components,
        k=k,
        n_hypotheses=n_hypotheses,
        target_weight=target_weight,
        naming=naming,
        model=LinearRegression() if is_regression else "auto",
        random_state=random_state,
    )
    pipeline["hypotheses"].encoder["select"].set_params(task=target.task if found_for is None else "regression")
    check_pipeline(pipeline, texts[train].tolist())
    plan = Plan(
        texts=texts,
        target=target,
        target_name=target_name,
        train=train,
        test=test,
        clusters=units[test] if groups is not None or n_units < len(test) else None,
        pipeline=pipeline,
        n_hypotheses=n_hypotheses,
        controls=controls,
        weights=weights,
        found_for=found_for,
        alpha=alpha,
        correction=correction,
        description=describe(
            target,
            target_name,
            len(train),
            len(test),
            pipeline["hypotheses"].encoder,
            controls=() if controls is None else controls.names,
        ),
        notes=tuple(notes),
        settings={
            "n_hypotheses": n_hypotheses,
            "naming": naming if isinstance(naming, str) else type(naming).__name__,
            "test_size": test_size,
            "random_state": random_state,
            "groups": groups_name,
            "alpha": alpha,
            "correction": correction,
            "task": target.task if not target.scale else "ordinal",
            "texts": texts_name,
        },
    )
    check_cost(plan, max_cost)
    return plan


def carry_out(plan):
    """Find hypotheses on some of the texts and test them on the others; return the `Discovery`."""
    texts, target, train, test, pipeline = plan.texts, plan.target, plan.train, plan.test, plan.pipeline
    of_train, held_out = (target._replace(values=target.values[rows]) for rows in (train, test))
    weights = (None, None) if plan.weights is None else (plan.weights[train], plan.weights[test])
    annotator = pipeline["hypotheses"]
    with noted() as said:
        options = {"found_for": plan.found_for, "sample_weight": weights[0]}
        embedded, annotations = fit_once(pipeline, texts[train], as_given(of_train), **options)
        leave_out_near_copies(pipeline, annotations, as_given(of_train), weights[0])
    with noted() as said_of_test:
        annotations = annotator.transform(texts[test])
        embedded_test = annotator.encoder_[0].transform(texts[test])
    said += [f"In the texts held out: {note}" for note in said_of_test]
    names = annotator.get_feature_names_out()
    evaluation = evaluate(
        annotations,
        names.tolist(),
        held_out,
        alpha=plan.alpha,
        correction=plan.correction,
        groups=plan.clusters,
        controls=None if plan.controls is None else plan.controls.take(test),
        weights=weights[1],
    )
    metric = "r2" if target.task == "regression" else "auc"
    presence = WordPresence(texts[train], getattr(annotator, "tokenizer", None))
    linear = LinearRegression() if target.classes is None else LogisticRegression()
    scores = {
        "": score(held_out, predictions(pipeline[1:], annotations, target)),
        "_words": presence.score(plan.n_hypotheses, of_train, texts[test], held_out, model=linear),
        "_as_many_words": presence.score(n_words_in(names), of_train, texts[test], held_out, model=None),
        "_embedding" if "embed" in annotator.encoder.named_steps else "_neurons": ridge_score(
            embedded, embedded_test, of_train, held_out
        ),
    }
    forget()  # the texts are the user's
    table = evaluation.table.merge(annotator.hypotheses_.assign(hypothesis=names), on="hypothesis")
    order = ["class", "separation_score"] if "class" in table else ["separation_score"]
    return Discovery(
        table=table.sort_values(order, ascending=[True, False][-len(order) :], ignore_index=True),
        scores={f"{metric}{of}": value for of, value in scores.items()},
        pipeline=pipeline,
        notes=_in_order(plan.notes, said, evaluation.notes, n_first=len(target.notes)),
        evaluation=evaluation,
        train=train,
        test=test,
        target_name=plan.target_name,
        description=plan.description,
        scale=target.scale,
        settings=plan.settings,
        texts=texts[test].tolist(),
    )


def _in_order(planned, said, of_tests, *, n_first):
    """Return all notes, those first that one can act on, because the last are only counted where they are printed."""
    of_names = ("Neurons were passed over", "Hypotheses are left out")
    on_markup = [note for note in said if note.endswith("which do not count as words.")]
    on_names = [note for note in said if note.startswith(of_names) or "neurons could not be named" in note]
    on_texts = [note for note in said if note not in [*on_markup, *on_names]]
    return list(dict.fromkeys([*planned[:n_first], *on_texts, *planned[n_first:], *on_markup, *on_names, *of_tests]))
