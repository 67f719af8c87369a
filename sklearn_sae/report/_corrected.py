"""What a report says of effects that labels of people corrected."""

from typing import NamedTuple

import numpy as np

from sklearn_sae.evaluation import CorrectedEvaluation, agreement
from sklearn_sae.evaluation._corrected_evaluation import METHODS
from sklearn_sae.report._content import Estimate
from sklearn_sae.report._effects import positions, signed
from sklearn_sae.report._excerpt import plain
from sklearn_sae.report._sentences import doubt, interval_in_words, of_numbers, of_pairs
from sklearn_sae.report._wording import class_name, is_share, that_say
from sklearn_sae.utils._decimals import written

_CITES = {"dsl": "egami2023", "ppi": "angelopoulos2023"}
NOTE_ON_TEXTS = "The texts that are shown are chosen by their annotations, which may be wrong."


class Beside(NamedTuple):
    """A hypothesis's row in the table of corrected effects beside those of the annotations alone."""

    number: int
    short: str
    of: str  # the class, or ""
    corrected: Estimate
    naive: Estimate
    kappa: str  # with its interval
    n_labels: int


def is_corrected(evaluation):
    """Return whether labels of people corrected the effects of an evaluation."""
    return isinstance(evaluation, CorrectedEvaluation)


def with_corrections(hypotheses, order, evaluation, words, form):
    """Return the hypotheses with sentences on corrected effects, and a `Beside` of each of them and each class.

    Parameters
    ----------
    hypotheses : list of Hypothesis
        With corrected effects.
    order : list of int
        The place of each in the evaluation.
    evaluation : CorrectedEvaluation
    words : Wording
    form : str
        The format of effects.
    """
    agreed = agreement(evaluation.annotations, evaluation.human, evaluation.sampled, confidence=evaluation.confidence)
    factor, confidence = words.sign * (100 if is_share(words) else 1), evaluation.confidence
    corrected, beside = [], []
    for one, place in zip(hypotheses, order, strict=True):
        rows = [evaluation.table.iloc[row] for row in positions(evaluation)[place]]
        effects, facts = [], [fact for fact in one.facts if not fact.startswith("The mean ")]
        for effect, row in zip(one.effects, rows, strict=True):
            code = words.labels.index(effect.of) if effect.of else 1 if words.labels else None
            sentence = _sentence(effect.own, row, code, words, form, confidence)
            naive = _naive(row, factor)
            effects.append(effect._replace(sentence=plain(sentence)))
            facts.append(_alone(naive, effect.of, form, confidence))
            kappa = _kappa(agreed.iloc[place])
            beside.append(Beside(one.number, one.short, effect.of, effect.own, naive, kappa, int(row["n_labels"])))
        facts.append(_agreement(agreed.iloc[place], rows[0], words.are_pairs))
        n = evaluation.metrics["n_samples"]
        n_holds = round(n * float(np.nan_to_num(rows[0]["prevalence"])))
        corrected.append(
            one._replace(effects=tuple(effects), facts=tuple(map(plain, facts)), n_holds=n_holds, n_answered=n)
        )
    return corrected, tuple(beside)


def _sentence(own, row, code, words, form, confidence):
    """Return what a hypothesis says of the target if people label all rows, as a sentence.

    Parameters
    ----------
    own : Estimate
    row : Series
        Of the table of the evaluation.
    code : int or None
        The class.
    words : Wording
    form : str
    confidence : float
    """
    if np.isnan(own.value):
        return "Its labels are of one kind alone, so there is nothing to compare."
    how_often = f"people would say so of about {row['prevalence']:.0%} of the {words.noun}"
    if words.are_pairs:
        annotation = np.array([-1.0, 1.0])  # labels of both kinds
        return f"{of_pairs(own, annotation, code, words, form, confidence)}; {how_often}.{doubt(own)}"
    say = that_say(words)[0]
    if words.form == "class":
        interval = interval_in_words(own, words, form, confidence)
        said = (
            f"Among {words.noun} {say}, the share of {class_name(words, code)} is {signed(own.value, form)} points "
            f"from that among the others ({interval})"
        )
    else:
        said = of_numbers(own, say, words, form, confidence)
    return f"{said}; {how_often}.{doubt(own)}"


def _naive(row, factor):
    """Return the `Estimate` that the annotations alone give."""
    limits = sorted(factor * row[f"naive_separation_ci_{side}"] for side in ("low", "high"))
    found = bool(row["naive_significant"])
    return Estimate(float(factor * row["naive_separation_score"]), *map(float, limits), float("nan"), found)


def _alone(naive, of, form, confidence):
    found = "significant" if naive.significant else "not significant"
    return (
        f"The annotations alone, taken for the truth, give {signed(naive.value, form)}{f' for “{of}”' if of else ''}, "
        f"{100 * confidence:g}% interval {signed(naive.low, form)} to {signed(naive.high, form)}, {found}."
    )


def _agreement(one, row, are_pairs):
    """Return in words how annotations and labels of a hypothesis agree."""
    of = " for the first text" if are_pairs else ""
    return (
        f"Annotation and label agree with a kappa of {_kappa(one)}; of what is annotated as holding "
        f"{_share(one['precision'])} holds by the label, and of what holds {_share(one['recall'])} is annotated so. "
        f"{int(one['n_labels']):,} labels, of which {int(row['n_labels_holds']):,} say that it holds{of}."
    )


def _kappa(one):
    """Return a kappa with its interval, from a row of `agreement`."""
    if np.isnan(one["kappa"]):
        return "–"
    return f"{one['kappa']:.2f} ({one['kappa_low']:.2f} to {one['kappa_high']:.2f})"


def of_correction(evaluation, words):
    """Yield sentences on how effects were corrected."""
    m = evaluation.metrics
    yield (
        f"Of {m['n_samples']:,} annotated {words.noun}, people labelled {m['n_labelled']:,}, which were drawn at "
        "random with known probabilities. Agreement is Cohen's kappa [[cohen1960]], weighted by these."
    )
    yield (
        "The effect of a hypothesis is what it would be if people had labelled all, estimated from annotations and "
        f"labels by {METHODS[evaluation.method]} [[{_CITES[evaluation.method]}]]; standard errors count in the draw of "
        f"the labels{' and are clustered' if evaluation.standard_errors == 'clustered' else ''}, and intervals are of "
        f"{100 * evaluation.confidence:g}%."
    )
    model = "least squares" if evaluation.task == "regression" else "logistic regression"
    yield f"What a hypothesis adds to all the others is its coefficient in {model} on all of them, corrected alike."


def _share(value):
    return "none known" if np.isnan(value) else f"{written(100 * value, '.0f')}%"
