"""Why a pipeline predicts what it predicts for one text."""

import copy
from numbers import Integral

import numpy as np
import pandas as pd
from scipy.special import expit, softmax
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sklearn_sae.annotation import LLMHypothesisAnnotator
from sklearn_sae.annotation._base import BaseHypothesisAnnotator
from sklearn_sae.compose import PairTransformer
from sklearn_sae.report._excerpt import Marks, excerpt, marked, plain
from sklearn_sae.report._explanation import Explanation
from sklearn_sae.report._marking import marks_for
from sklearn_sae.report._source import source_of
from sklearn_sae.utils._notes import noted
from sklearn_sae.utils._validation import check_texts, counted

_MARKS = {"sentence": ("<<", ">>"), "word": ("*", "*")}


def explain(pipeline, texts, *, target_class=None, max_words=30, ask=False):
    """Say which hypotheses hold for a text, what each adds to the prediction, and what in the text made it hold.

    Parameters
    ----------
    pipeline : Pipeline, Discovery or search
        A fitted pipeline as `make_hypothesis_pipeline` builds it, the `Discovery` or the fitted search that holds one,
        or one that was loaded from the file of a model. Its model must be linear.

    texts : str or sequence of str
        A text, or several.

    target_class : label, default=None
        The class to explain. None: of two classes the second, of more the one that is predicted.

    max_words : int or None, default=30
        Of a longer text so many words are shown for each hypothesis, around what is marked. None: all.

    ask : bool, default=False
        Whether a language model may be asked. By default only its stored answers are taken, and `notes` says how many
        there are none for; such a hypothesis adds nothing.

    Returns
    -------
    explanation : Explanation, or list of Explanation
        With `table`, `prediction` and `baseline`; it prints as text. Of several texts a list, one each.

    Raises
    ------
    TypeError
        If `pipeline` is none that begins with an annotator of texts, or if its model has no coefficients that add up to
        its predictions; if a text is no str.
    ValueError
        If a text is missing or empty; if `target_class` is no class of the model, or `max_words` is wrong.

    See Also
    --------
    discover : Finds hypotheses and fits the pipeline.
    show_neurons : Shows, for each hypothesis, texts that it holds for.

    Notes
    -----
    The contribution of a hypothesis is its coefficient times its annotation, so that one that does not hold adds
    nothing. The intercept is what is predicted where none holds. Both add up to the prediction exactly, of two classes
    to its log-odds, of more to the logit of the class, whose softmax is the probability. Coefficients are those beside
    all other hypotheses, and like these no proof of a cause.

    Evidence is what the name looks for: the words of keywords, the sentence that comes closest to quotes, and of a
    language model with ``rationale=True`` the reason that it gave; without, there is none.

    Examples
    --------
    >>> from sklearn_sae import explain, make_hypothesis_pipeline
    >>> from sklearn_sae.datasets import make_concept_texts
    >>> reviews = make_concept_texts(400, n_concepts=4, noise=0.1, random_state=0)
    >>> pipeline = make_hypothesis_pipeline(n_hypotheses=3, random_state=0).fit(reviews.data, reviews.target)
    >>> one = explain(pipeline, reviews.data[0])
    >>> list(one.table)
    ['hypothesis', 'holds', 'contribution', 'evidence']
    >>> bool(abs(one.baseline + one.table["contribution"].sum() - one.prediction) < 1e-9)
    True
    """
    if max_words is not None and (not isinstance(max_words, Integral) or max_words < 1):
        raise ValueError(f"max_words={max_words!r} must be an integer, at least 1, or None.")
    pipeline = _pipeline_in(pipeline)
    is_one = isinstance(texts, str)
    texts = check_texts([texts] if is_one else texts)
    annotator, model = pipeline.steps[0][1], pipeline.steps[-1][1]
    coef, intercept = linear_of(model)
    annotations, reasons, notes = _annotated(annotator, texts, ask)
    values = pipeline[1:-1].transform(annotations) if len(pipeline.steps) > 2 else annotations
    values = np.asarray(values.toarray() if hasattr(values, "toarray") else values, dtype=np.float64)
    if values.shape[1] != annotations.shape[1] or coef.shape[1] != values.shape[1]:
        raise TypeError("explain needs a model of the hypotheses; a step between these and it makes other columns.")
    predicted = pipeline[1:].predict(annotations)
    likely = pipeline[1:].predict_proba(annotations) if hasattr(model, "predict_proba") else None
    unit = _unit(pipeline[1:], annotations, likely)
    rows = [_sign_and_row(model, label, target_class) for label in predicted]
    names = list(map(str, annotator.get_feature_names_out()))
    evidence = reasons or _evidence(pipeline, annotator, names, texts, annotations, max_words)
    explanations = []
    for i, (sign, row, of) in enumerate(rows):
        parts, baseline = sign * coef[row] * values[i] + 0.0, float(sign * intercept[row])
        table = pd.DataFrame(
            {"hypothesis": names, "holds": annotations[i], "contribution": parts, "evidence": evidence[i]}
        )
        order = np.argsort(-np.abs(parts), kind="stable")
        code = None if of is None else model.classes_.tolist().index(of)
        explanations.append(
            Explanation(
                table=table.iloc[order].reset_index(drop=True),
                prediction=predicted[i],
                baseline=baseline,
                total=float(baseline + parts.sum()),
                target_class=of,
                probability=None if likely is None else float(likely[i, code]),
                unit=unit,
                notes=notes[i],
            )
        )
    _check_sums(explanations, model, pipeline[1:], annotations)
    return explanations[0] if is_one else explanations


def _pipeline_in(estimator):
    """Return the fitted pipeline that an estimator, a search or a `Discovery` is or holds."""
    for holder in ("best_estimator_", "pipeline", "estimator"):
        if not isinstance(estimator, Pipeline) and hasattr(estimator, holder):
            estimator = getattr(estimator, holder)
    first = estimator.steps[0][1] if isinstance(estimator, Pipeline) else None
    if isinstance(first, PairTransformer):
        raise TypeError("explain is for predictions of single texts; this pipeline takes pairs of texts.")
    if not isinstance(first, BaseHypothesisAnnotator) or not first._takes_texts() or len(estimator.steps) < 2:
        raise TypeError(
            f"explain needs a pipeline from texts to predictions that begins with an annotator, as "
            f"make_hypothesis_pipeline builds it; got a {type(estimator).__name__} without one."
        )
    check_is_fitted(estimator)
    return estimator


def linear_of(model):
    """Return the coefficients, a row a class (one of two classes), and the intercepts."""
    linear = getattr(model, "model_", model)
    if not hasattr(linear, "coef_"):
        raise TypeError(
            f"explain needs a linear model, whose coefficients add up to its predictions; {type(model).__name__} has "
            "no coef_."
        )
    coef = linear.coef_.toarray() if hasattr(linear.coef_, "toarray") else np.asarray(linear.coef_, dtype=np.float64)
    coef = np.atleast_2d(coef)
    return coef, np.broadcast_to(np.asarray(linear.intercept_, dtype=np.float64), len(coef))


def _sign_and_row(model, predicted, target_class):
    """Return the sign and the row of the coefficients that explain a class, and the class."""
    classes = getattr(model, "classes_", None)
    if classes is None:
        if target_class is not None:
            raise ValueError(f"target_class={target_class!r}: the model predicts numbers, and has no classes.")
        return 1, 0, None
    labels = classes.tolist()
    if target_class is None:
        of = labels[1] if len(labels) == 2 else predicted.item() if hasattr(predicted, "item") else predicted
    elif target_class in labels:
        of = labels[labels.index(target_class)]
    else:
        raise ValueError(f"target_class={target_class!r} is no class of the model; choose from {labels!r}.")
    code = labels.index(of)
    return (1 if code else -1, 0, of) if len(labels) == 2 else (1, code, of)


def _unit(rest, annotations, likely):
    """Return what the contributions are measured in, by whether the decisions are what the probabilities are of."""
    if not hasattr(rest, "classes_"):
        return ""
    if likely is None:
        return "decision"
    scores = rest.decision_function(annotations)
    meant = expit(scores) if scores.ndim == 1 else softmax(scores, axis=1)
    are_logits = np.allclose(meant, likely[:, 1] if scores.ndim == 1 else likely, rtol=0, atol=1e-6)
    return "decision" if not are_logits else "log-odds" if scores.ndim == 1 else "logit"


def _annotated(annotator, texts, ask):
    """Return the annotations, the reasons of a language model or None, and notes, both a list a text."""
    if not isinstance(annotator, LLMHypothesisAnnotator):
        return annotator.transform(texts), None, [()] * len(texts)
    asked = annotator if ask else copy.copy(annotator).set_params(cached_only=True)
    with noted():  # A note of what is not stored is given below, for each text.
        annotations = asked.transform(texts)
    reasons = [[""] * annotations.shape[1] for _ in texts]
    if annotator.rationale:
        given = np.array(list(map(plain, asked.explain(texts)["reason"])), dtype=object)
        reasons = given.reshape(annotations.shape).tolist()
    how = "no answer came" if ask else "no answer is stored; ask=True asks the language model"
    n_missing = np.isnan(annotations).sum(axis=1)
    return (
        annotations,
        reasons,
        [
            (f"For {counted(n, 'hypothesis', 'hypotheses')} {how}. What is not answered adds nothing.",) if n else ()
            for n in n_missing
        ],
    )


def _evidence(pipeline, annotator, names, texts, annotations, max_words):
    """Return, for each text and hypothesis, a part of the text in which what made it hold is marked, or ""."""
    holds = np.nan_to_num(annotations) >= 0.5
    shown = {column: np.flatnonzero(rows).tolist() for column, rows in enumerate(holds.T) if rows.any()}
    table = annotator.hypotheses_
    neurons = table["neuron"].tolist() if hasattr(annotator, "encoder_") else []
    items = [(text,) for text in texts]
    marks = marks_for(source_of(pipeline), names, neurons, items, annotations, shown)[0] if shown else {}
    evidence = [[""] * len(names) for _ in texts]
    for (column, row), (one,) in marks.items():
        if one != Marks():
            evidence[row][column] = marked(excerpt(texts[row], one, max_words), _MARKS)
    return evidence


def _check_sums(explanations, model, rest, annotations):
    """Refuse a model whose contributions do not add up to what it predicts, as behind a link."""
    total = np.array([one.total for one in explanations])
    if not hasattr(model, "classes_"):
        meant = rest.predict(annotations)
    else:
        scores = rest.decision_function(annotations)
        codes = [model.classes_.tolist().index(one.target_class) for one in explanations]
        if scores.ndim == 1:
            meant = scores * np.where(np.array(codes) == 1, 1, -1)
        else:
            meant = scores[np.arange(len(codes)), codes]
    if not np.allclose(total, meant, rtol=1e-6, atol=1e-8):
        raise TypeError(f"The coefficients of a {type(model).__name__} do not add up to its predictions.")
