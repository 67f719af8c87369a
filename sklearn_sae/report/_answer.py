"""What was asked, and the answer in three sentences."""

import numpy as np

from sklearn_sae.report._content import Score
from sklearn_sae.report._effects import signed
from sklearn_sae.report._sentences import in_words, way_of
from sklearn_sae.report._wording import class_name, predicted, quoted
from sklearn_sae.utils._decimals import written
from sklearn_sae.utils._validation import counted


def title_of(n_rows, words):
    """Return what was asked as a title."""
    return f"What in {counted(n_rows, words.noun.removesuffix('s'), words.noun)} predicts {predicted(words)}"


def answer_of(hypotheses, scores, words, form, *, unseen):
    """Return how many hypotheses hold, which are the strongest, and what all of them predict, a sentence each.

    Parameters
    ----------
    hypotheses : list of Hypothesis
    scores : list of Score
    words : Wording
    form : str
        The format of effects.
    unseen : bool
        Whether rows are known to be others than those that the hypotheses were found on.
    """
    return tuple(
        filter(None, [_how_many(hypotheses, words, unseen), _strongest(hypotheses, words, form), _score(scores, words)])
    )


def _how_many(hypotheses, words, unseen):
    n = len(hypotheses)
    n_hold = sum(any(effect.own.significant for effect in one.effects) for one in hypotheses)
    n_add = sum(any(effect.joint.significant for effect in one.effects) for one in hypotheses)
    where = (
        f"on {words.noun} that {'it was' if n == 1 else 'they were'} not found on"
        if unseen
        else (f"on these {words.noun}")
    )
    of_class = f" for {'one class or more' if n_hold else 'any class'}" if len(hypotheses[0].effects) > 1 else ""
    if n == 1:
        return f"The one hypothesis {'holds' if n_hold else 'does not hold'}{of_class} {where}."
    if n_hold == 0:
        return f"None of {n:,} hypotheses holds{of_class} {where}: what was found is no more than chance may give."
    begin = f"All {n:,} hypotheses hold" if n_hold == n else f"Of {n:,} hypotheses, {n_hold:,} {_verb(n_hold, 'hold')}"
    adds = f"{n_add:,} {_verb(n_add, 'add')}" if n_add else "none adds"
    return f"{begin}{of_class} {where}, and {adds} to what all the others say."


def _verb(n, verb):
    return f"{verb}s" if n == 1 else verb


def _strongest(hypotheses, words, form):
    effects = [(one, effect) for one in hypotheses for effect in one.effects if not np.isnan(effect.own.value)]
    if not effects:
        return ""
    sure = [pair for pair in effects if pair[1].own.significant]
    first, effect = max(sure or effects, key=lambda pair: abs(pair[1].own.value))
    if not sure:
        chance = (
            ""
            if np.isnan(effect.own.pvalue)
            else f", and that may be chance ({in_words(effect.own.pvalue)} before the correction)"
        )
        return f"The largest difference is with {quoted(first.short)}: {_in_short(effect, words, form)}{chance}."
    text = f"The strongest is {quoted(first.short)} ({_in_short(effect, words, form)})"
    if effect.of:
        others, which = [pair for pair in sure if pair[1].of != effect.of], "for another class"
    else:
        others, which = [pair for pair in sure if pair[1].own.value * effect.own.value < 0], "in the other direction"
    if others:
        second, other = max(others, key=lambda pair: abs(pair[1].own.value))
        name = "the same" if second is first else quoted(second.short)
        text += f"; the strongest {which} is {name} ({_in_short(other, words, form)})"
    return f"{text}."


def _in_short(effect, words, form):
    value = effect.own.value
    if words.form != "class":
        unit = "" if words.form == "size" else f" {words.unit}"
        return f"{written(abs(value), form)}{unit} {way_of(value, words)}"
    code = words.labels.index(effect.of) if effect.of else 1
    of = "" if words.are_pairs and not effect.of else f" of {class_name(words, code)}"
    return f"{signed(value, form)} points{of}"


def _score(scores, words):
    known = {one.of: one for one in scores}
    if not known:
        return ""
    score, nothing, rival = known["hypotheses"], known["nothing"], known.get("words")
    if np.isnan(score.value):
        return f"How much they predict together cannot be told from so few {words.noun}."
    if words.form == "class":
        said = _auc(score, nothing, words)
    elif score.value <= 0:
        said = f"Together they predict nothing of the differences in {predicted(words)}"
    else:
        said = f"Together they predict {score.value:.0%} of the differences in {predicted(words)}"
    if rival is None:
        return f"{said}."
    label, verb = rival.label.removesuffix(" chosen by lasso"), "reach" if words.form == "class" else "predict"
    value = f"{rival.value:.0%}"
    if rival.value <= nothing.value or value == f"{nothing.value:.0%}":
        return f"{said}; {label} alone {verb} nothing."
    if value == f"{score.value:.0%}":
        return f"{said}; {label} alone {verb} as much."
    return f"{said}; {label} alone {verb} {value}{', which is more' * (rival.value > score.value)}."


def _auc(score, nothing, words):
    several = len(words.labels) > 2
    if score.value <= nothing.value:
        return f"Together they tell no class from the other{'s' * several} better than a coin would"
    if several:
        pair = "one of a class and one of another, they tell, on average over the classes,"
    elif words.are_pairs:
        pair = "one won by the first text and one by the second, they tell together"
    else:
        pair = f"one {class_name(words, 1)} and one {class_name(words, 0)}, they tell together"
    return f"Of two {words.noun}, {pair} which is which in {score.value:.0%} of cases, where a coin would in 50%"


def scores_of_evaluation(evaluation):
    """Return the metric and the `Score`s of an evaluation: of nothing, and of all hypotheses, cross-fitted."""
    metric, key, nothing = _metric(evaluation)
    if f"{key}_cv" not in evaluation.metrics:  # of effects that labels corrected
        return metric, ()
    n = evaluation.metrics["n_hypotheses"]
    label = "this hypothesis, cross-fitted" if n == 1 else f"these {n:,} hypotheses, cross-fitted"
    return metric, (nothing, Score(label, float(evaluation.metrics[f"{key}_cv"]), "hypotheses"))


def scores_of_discovery(discovery):
    """Return the metric and the `Score`s of a discovery, of the texts held out."""
    from sklearn_sae._discovery import labelled_scores

    metric, _, nothing = _metric(discovery.evaluation)
    labelled = labelled_scores(discovery)[1].items()
    of = ("hypotheses", "words", "as many words", "embedding", "offset", "offset and hypotheses")[: len(labelled)]
    return metric, (
        nothing,
        *(Score(label, float(value), kind) for kind, (label, value) in zip(of, labelled, strict=True)),
    )


def _metric(evaluation):
    if evaluation.task == "regression":
        return "R²", "r2", Score("nothing: the mean for all", 0.0, "nothing")
    return "AUC", "auc", Score("nothing: a coin", 0.5, "nothing")


def level_of(evaluation):
    """Return what "significant" means, as a sentence."""
    n_tests, alpha = len(evaluation.table), evaluation.alpha
    if evaluation.correction in ("bonferroni", "holm"):
        name = {"bonferroni": "Bonferroni's", "holm": "Holm's"}[evaluation.correction]
        return (
            f"“Significant” means: after {name} correction the chance of any false finding among the {n_tests:,} tests "
            f"is at most {alpha:g}."
        )
    return (
        f"“Significant” means: after the correction of Benjamini and Hochberg for {n_tests:,} tests, a share of at "
        f"most {alpha:g} of what is found is expected to be false."
    )
